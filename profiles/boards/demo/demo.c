/* The demonstration firmware, for an ATmega328P at 16 MHz with a LED on PB5 (an Arduino Uno): the
 * LED breathes, then blinks the text below in Morse code, and so on. The sine table and the text
 * also make an image of some kilobytes without two equal pages.
 *
 * demo.hex is made by Debian 12's avr-gcc 5.4.0 with
 *
 *   avr-gcc -std=gnu99 -mmcu=atmega328p -DF_CPU=16000000UL -Os -Wall -Wextra -o demo.elf demo.c
 *   avr-objcopy -O ihex -R .eeprom demo.elf demo.hex
 */
#include <avr/io.h>
#include <avr/pgmspace.h>
#include <util/delay.h>

/* One turn in 1024 steps, 0 to 65535; the compiler does the sines. */
#define STEPS 1024
#define SINE(i) ((uint16_t)(32767.5 - 32767.4 * __builtin_cos((i) * (6.2831853 / STEPS))))
#define SINE_4(i) SINE(i), SINE((i) + 1), SINE((i) + 2), SINE((i) + 3)
#define SINE_16(i) SINE_4(i), SINE_4((i) + 4), SINE_4((i) + 8), SINE_4((i) + 12)
#define SINE_64(i) SINE_16(i), SINE_16((i) + 16), SINE_16((i) + 32), SINE_16((i) + 48)
#define SINE_256(i) SINE_64(i), SINE_64((i) + 64), SINE_64((i) + 128), SINE_64((i) + 192)

static const uint16_t sine[STEPS] PROGMEM = {SINE_256(0), SINE_256(256), SINE_256(512),
                                             SINE_256(768)};

static const char text[] PROGMEM =
    "GANGFLASH WROTE THIS. "
    "A STATION TAKES A TRAY OF BOARDS, AND EVERY BOARD LEAVES IT WITH A VERDICT. "
    "FIRST IT READS THE SIGNATURE, TWICE, FOR A BOARD OF THE WRONG KIND MUST NOT BE TOUCHED. "
    "THEN IT READS THE FUSES AND WRITES DOWN WHAT IT FOUND AND WHAT IT MEANS TO DO, "
    "BEFORE IT DOES ANY OF IT. "
    "IT ERASES, IT WRITES PAGE AFTER PAGE, AND IT READS EVERY PAGE BACK. "
    "A FUSE THAT IS RIGHT ALREADY IS LEFT ALONE. "
    "A FUSE THAT IS WRONG GETS THE VALUE OF THE PROFILE AND NO OTHER. "
    "THE LOCK BITS COME LAST, AND ONLY WHEN ALL THE REST IS PROVED. "
    "GREEN: PUT IT IN THE BOX. RED: PUT IT IN THE BIN, AND THE LOG SAYS WHY. "
    "NOBODY HAS TO REMEMBER ANYTHING, SINCE THE LOG REMEMBERS ALL OF IT. "
    "IF YOU CAN READ THIS BY EYE AT TEN WORDS A MINUTE, "
    "YOU HAVE EARNED A BREAK; THE STATION HAS NOT. 73.";

/* Letters A to Z, then digits: a 1 to mark the beginning, then 0 for dot, 1 for dash. */
static const uint8_t morse[] PROGMEM = {0x05, 0x18, 0x1A, 0x0C, 0x02, 0x12, 0x0E, 0x10, 0x04,
                                        0x17, 0x0D, 0x14, 0x07, 0x06, 0x0F, 0x16, 0x1D, 0x0A,
                                        0x08, 0x03, 0x09, 0x11, 0x0B, 0x19, 0x1B, 0x1C, 0x3F,
                                        0x2F, 0x27, 0x23, 0x21, 0x20, 0x30, 0x38, 0x3C, 0x3E};

#define UNIT_MS 120 /* ten words a minute */
#define LED _BV(PB5)

static void wait_units(uint8_t units)
{
    while (units--)
        _delay_ms(UNIT_MS);
}

static void breathe(void)
{
    for (uint16_t step = 0; step < STEPS; step++) {
        uint8_t level = pgm_read_word(&sine[step]) >> 8;

        for (uint8_t tick = 0; tick < 255; tick++) {
            if (tick < level)
                PORTB |= LED;
            else
                PORTB &= (uint8_t)~LED;
            _delay_us(8);
        }
    }
}

static void blink(uint8_t code)
{
    uint8_t bit = 0x80;

    while (!(code & bit))
        bit >>= 1;
    for (bit >>= 1; bit; bit >>= 1) {
        PORTB |= LED;
        wait_units(code & bit ? 3 : 1);
        PORTB &= (uint8_t)~LED;
        wait_units(1);
    }
    wait_units(2);
}

int main(void)
{
    DDRB |= LED;
    for (;;) {
        breathe();
        for (const char *at = text; pgm_read_byte(at); at++) {
            char letter = (char)pgm_read_byte(at);

            if (letter >= 'A' && letter <= 'Z')
                blink(pgm_read_byte(&morse[letter - 'A']));
            else if (letter >= '0' && letter <= '9')
                blink(pgm_read_byte(&morse[26 + letter - '0']));
            else
                wait_units(4);
        }
    }
}
