/* The AVRISP mkII's driver on the simulated bench: over USB/IP, with the models of the genuine one
 * and of LUFA's firmware. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/workplace.h"

static void on_bench(const char *model, const char *part, uint32_t start, uint32_t count)
{
    workplace_program(
        &(struct workplace_options){.driver = "avrispmkii", .model = model, .part = part}, start,
        count);
}

static void every_part_is_programmed(void **state)
{
    (void)state;
    on_bench("avrispmkii", "ATmega328P", 0x7000, 0x1000);
    on_bench("avrispmkii-lufa", "ATmega32U4", 0, 0x800);
    on_bench("avrispmkii-lufa-libusb", "ATmega32A", 0x400, 0x800); /* EEPROM by bytes */
    on_bench("avrispmkii", "ATmega2560", 0x1F000, 0x2000);
    on_bench("avrispmkii-lufa", "ATmega2560", 0x1F000, 0x2000);
    on_bench("avrispmkii-lufa", "ATtiny841", 0x130, 0x400);         /* pages of 16 bytes */
    on_bench("avrispmkii-lufa", "AT90S8515", 0x123, 0x101);         /* no pages */
    on_bench("avrispmkii", "AT90S1200", 0, 0x40);                   /* no echo */
    on_bench("avrispmkii-second-connect", "ATtiny85", 0x40, 0x400); /* reset before each claim */
}

static void slowly(const char *model, const char *part, uint32_t flash_bytes, uint32_t eeprom_bytes)
{
    workplace_program_slowly(
        (struct workplace_options){.driver = "avrispmkii", .model = model, .part = part},
        flash_bytes, eeprom_bytes);
}

static void slow_parts_are_waited_for(void **state)
{
    (void)state;
    slowly("avrispmkii", "ATmega328P", 1024, 20);
    slowly("avrispmkii-lufa", "ATmega328P", 1024, 20);
    slowly("avrispmkii-lufa", "ATmega32A", 512, 20); /* neither RDY/BSY nor EEPROM pages */
    slowly("avrispmkii", "ATmega32A", 512, 20);
    slowly("avrispmkii-lufa", "ATmega103", 512, 10); /* 56 ms for a page */
    slowly("avrispmkii-lufa-libusb", "AT90S8515", 30, 20);
}

/* At its factory clock, 1 MHz, and at one for which only software makes an SCK. */
static void sck_is_what_the_board_takes(void **state)
{
    (void)state;
    static const struct workplace_options slow = {.driver = "avrispmkii",
                                                  .model = "avrispmkii-lufa",
                                                  .part = "ATmega328P",
                                                  .target_hz = 128000};
    struct workplace workplace;
    uint8_t bytes[128];

    workplace_open(&workplace, &slow);
    assert_int_equal(workplace.programmer->sck_hz, 21221);
    fill_random(bytes, sizeof bytes, 3);
    workplace_write_and_read(&workplace, PART_FLASH, 0, bytes, sizeof bytes);
    assert_int_equal(workplace_count(&workplace, "too_fast"), 0);
    workplace_close(&workplace);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_part_is_programmed),
        cmocka_unit_test(slow_parts_are_waited_for),
        cmocka_unit_test(sck_is_what_the_board_takes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
