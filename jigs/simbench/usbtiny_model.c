#include "jigs/simbench/usbtiny_model.h"

#include <string.h>

#include "jigs/simbench/usb_port.h"

enum request {
    ECHO,
    READ_PORT,
    WRITE_PORT,
    CLEAR_BIT,
    SET_BIT,
    POWER_UP,
    POWER_DOWN,
    SPI,
    POLL_BYTES,
    FLASH_READ,
    FLASH_WRITE,
    EEPROM_READ,
    EEPROM_WRITE,
    WRITE_DIRECTION
};

/* Port B of the ATtiny2313. */
#define PIN_LED 0x01
#define PIN_RESET 0x10
#define PIN_MOSI 0x20
#define PIN_SCK 0x80
#define PINS_DRIVEN (PIN_LED | PIN_RESET | PIN_MOSI | PIN_SCK)

/* SCK is a loop of the asked-for period and about 1.5 us around it, at 12 MHz. In half
 * microseconds: */
#define LOOP_HALVES 3
#define FRAME_BITS 32

#define LONGEST_REPLY 255 /* the stack counts in 8 bits and says this when it is asked for more */

struct usbtiny {
    struct usb_port *port;
    bool gone;                 /* a frame did not end: whatever follows has no effect */
    bool buffered;             /* the driver chip between the port and the target is on */
    uint8_t output, direction; /* of port B */
    uint16_t period_us;
    uint8_t poll[2];
    uint16_t address; /* in bytes, and no more bits than these */
    uint16_t timeout_us;
    uint8_t instruction; /* that data packets are for */
    uint16_t reply_left;
};

/* --- lines --- */

static bool drives(const struct usbtiny *usbtiny, uint8_t pins)
{
    return usbtiny->buffered && (usbtiny->direction & pins) == pins;
}

static void drive_reset(struct usbtiny *usbtiny)
{
    bool low = drives(usbtiny, PIN_RESET) && (usbtiny->output & PIN_RESET) == 0;
    usb_port_reset_line(usbtiny->port, low);
}

static int64_t frame_us(const struct usbtiny *usbtiny)
{
    return FRAME_BITS * (int64_t)(2 * usbtiny->period_us + LOOP_HALVES) / 2;
}

static void send_frame(struct usbtiny *usbtiny, const uint8_t mosi[4], uint8_t miso[4])
{
    memset(miso, 0xFF, 4);
    usb_port_spend(usbtiny->port, frame_us(usbtiny));
    if (drives(usbtiny, PIN_SCK | PIN_MOSI)) {
        int64_t sck_hz = 2000000 / (2 * usbtiny->period_us + LOOP_HALVES);
        usbtiny->gone = !usb_port_transfer(usbtiny->port, mosi, miso, sck_hz);
    }
    usbtiny->output &= (uint8_t) ~(PIN_SCK | PIN_MOSI);
}

/* The instruction for the next byte. The address becomes one of a word by a shift to the right, so
 * the word's uppermost bit is never set; for EEPROM it is shifted to the left before. */
static void next_frame(struct usbtiny *usbtiny, uint8_t data, uint8_t mosi[4])
{
    uint16_t address = usbtiny->address++;
    if ((usbtiny->instruction & 0x80) != 0) {
        address = (uint16_t)(address << 1);
    }
    mosi[0] = usbtiny->instruction | ((address & 1) != 0 ? 0x08 : 0x00);
    mosi[1] = (uint8_t)(address >> 9);
    mosi[2] = (uint8_t)(address >> 1);
    mosi[3] = data;
}

/* --- requests --- */

static int echo(const struct usb_setup *setup, uint8_t *reply)
{
    const uint8_t packet[USB_PACKET_BYTES] = {
        setup->request_type,    setup->request,
        (uint8_t)setup->value,  (uint8_t)(setup->value >> 8),
        (uint8_t)setup->index,  (uint8_t)(setup->index >> 8),
        (uint8_t)setup->length, (uint8_t)(setup->length >> 8),
    };
    memcpy(reply, packet, sizeof packet);
    return USB_PACKET_BYTES;
}

/* The loop counts down in 8 bits and looks at the end: 0 is the longest. */
static int power_up(struct usbtiny *usbtiny, const struct usb_setup *setup)
{
    uint8_t period = (uint8_t)setup->value;
    usbtiny->period_us = period == 0 ? 256 : period;
    usbtiny->buffered = true;
    usbtiny->direction = PINS_DRIVEN;
    usbtiny->output = PIN_LED | ((setup->index & 0xFF) != 0 ? PIN_RESET : 0);
    drive_reset(usbtiny);
    return 0;
}

static int power_down(struct usbtiny *usbtiny)
{
    usbtiny->direction = 0;
    usbtiny->output = 0;
    usbtiny->buffered = false;
    usb_port_let_go(usbtiny->port);
    return 0;
}

static int set_output(struct usbtiny *usbtiny, uint8_t output)
{
    usbtiny->output = output;
    drive_reset(usbtiny);
    return 0;
}

static int spi(struct usbtiny *usbtiny, const struct usb_setup *setup, uint8_t *reply)
{
    const uint8_t mosi[4] = {(uint8_t)setup->value, (uint8_t)(setup->value >> 8),
                             (uint8_t)setup->index, (uint8_t)(setup->index >> 8)};
    send_frame(usbtiny, mosi, reply);
    return 4;
}

static int begin_read(struct usbtiny *usbtiny, const struct usb_setup *setup, uint8_t instruction)
{
    usbtiny->address = setup->index;
    usbtiny->instruction = instruction;
    usbtiny->reply_left = setup->length > LONGEST_REPLY ? LONGEST_REPLY : setup->length;
    return usbtiny->reply_left == 0 ? 0 : USB_STREAM;
}

static int begin_write(struct usbtiny *usbtiny, const struct usb_setup *setup, uint8_t instruction)
{
    usbtiny->address = setup->index;
    usbtiny->instruction = instruction;
    usbtiny->timeout_us = setup->value;
    return 0;
}

/* These need a port that is not all zero: that is how the firmware tells that it was powered up. */
static int answer_powered(struct usbtiny *usbtiny, const struct usb_setup *setup, uint8_t *reply)
{
    switch (setup->request) {
    case SPI:
        return spi(usbtiny, setup, reply);
    case POLL_BYTES:
        usbtiny->poll[0] = (uint8_t)setup->value;
        usbtiny->poll[1] = (uint8_t)(setup->value >> 8);
        return 0;
    case FLASH_READ:
        return begin_read(usbtiny, setup, 0x20);
    case EEPROM_READ:
        return begin_read(usbtiny, setup, 0xA0);
    case FLASH_WRITE:
        return begin_write(usbtiny, setup, 0x40);
    case EEPROM_WRITE:
        return begin_write(usbtiny, setup, 0xC0);
    default:
        return 0;
    }
}

static int answer(struct usbtiny *usbtiny, const struct usb_setup *setup, uint8_t *reply)
{
    uint8_t mask = (uint8_t)(1 << (setup->value & 7));
    switch (setup->request) {
    case ECHO:
        return echo(setup, reply);
    case READ_PORT: /* inputs float; here they read as 0 */
        reply[0] = usbtiny->output & usbtiny->direction;
        return 1;
    case WRITE_PORT:
        return set_output(usbtiny, (uint8_t)setup->value);
    case CLEAR_BIT:
        return set_output(usbtiny, usbtiny->output & (uint8_t)~mask);
    case SET_BIT:
        return set_output(usbtiny, usbtiny->output | mask);
    case WRITE_DIRECTION:
        usbtiny->direction = (uint8_t)setup->value;
        return set_output(usbtiny, usbtiny->output);
    case POWER_UP:
        return power_up(usbtiny, setup);
    case POWER_DOWN:
        return power_down(usbtiny);
    default:
        return usbtiny->output == 0 ? 0 : answer_powered(usbtiny, setup, reply);
    }
}

/* --- the interface of the model --- */

static void start(void *instance, const struct usb_firmware *firmware, struct usb_port *port)
{
    struct usbtiny *usbtiny = instance;
    (void)firmware;
    usbtiny->port = port;
    usbtiny->period_us = 256; /* 0: as RAM is at power on */
    drive_reset(usbtiny);
}

/* Data packets of the host go to the firmware whatever the request was. */
static int setup_packet(void *instance, const struct usb_setup *setup,
                        uint8_t reply[USB_PACKET_BYTES])
{
    struct usbtiny *usbtiny = instance;
    usbtiny->gone = false;
    usbtiny->reply_left = 0;
    int count = answer(usbtiny, setup, reply);
    if ((setup->request_type & USB_TYPE_TO_HOST) == 0 && setup->length != 0) {
        return USB_STREAM;
    }
    return count > setup->length ? setup->length : count;
}

/* Until the byte reads back, if the request gave time for that: neither of the two values that mean
 * "busy". The time is counted without what goes by around the bits. */
static void poll_byte(struct usbtiny *usbtiny, uint8_t mosi[4])
{
    mosi[0] ^= 0x60; /* the instruction that reads what this one wrote */
    for (int waited_us = 0; waited_us < usbtiny->timeout_us && !usbtiny->gone;
         waited_us += FRAME_BITS * usbtiny->period_us) {
        uint8_t miso[4];
        send_frame(usbtiny, mosi, miso);
        if (miso[3] == mosi[3] && miso[3] != usbtiny->poll[0] && miso[3] != usbtiny->poll[1]) {
            return;
        }
    }
}

/* The stack ends the transfer whenever the host asks for it. */
static int write_packet(void *instance, const uint8_t *bytes, size_t count)
{
    struct usbtiny *usbtiny = instance;
    for (size_t i = 0; i < count && !usbtiny->gone; i++) {
        uint8_t mosi[4], miso[4];
        next_frame(usbtiny, bytes[i], mosi);
        send_frame(usbtiny, mosi, miso);
        poll_byte(usbtiny, mosi);
    }
    return 1;
}

static int read_packet(void *instance, uint8_t *bytes, size_t count)
{
    struct usbtiny *usbtiny = instance;
    if (count > usbtiny->reply_left) {
        count = usbtiny->reply_left;
    }
    for (size_t i = 0; i < count && !usbtiny->gone; i++) {
        uint8_t mosi[4], miso[4];
        next_frame(usbtiny, 0, mosi);
        send_frame(usbtiny, mosi, miso);
        bytes[i] = miso[3];
    }
    usbtiny->reply_left = (uint16_t)(usbtiny->reply_left - count);
    return (int)count;
}

/* --- who has this firmware --- */

#define USBTINY(name_, ...)                                                                        \
    {                                                                                              \
        .name = name_, .programmer = "usbtiny", .identity = {__VA_ARGS__},                         \
        .instance_bytes = sizeof(struct usbtiny), .start = start, .setup = setup_packet,           \
        .write = write_packet, .read = read_packet                                                 \
    }

#define VENDOR_SPECIFIC 0xFF

/* None says who made it, none has a serial number. */
const struct usb_firmware usbtiny_models[] = {
    USBTINY("usbtinyisp", 0x1781, 0x0C9F, 0x0104, NULL, "USBtiny", NULL, VENDOR_SPECIFIC,
            VENDOR_SPECIFIC),
    USBTINY("pocket-avr", 0x1781, 0x0C9F, 0x0107, NULL, "USBtiny", NULL, VENDOR_SPECIFIC,
            VENDOR_SPECIFIC),
    USBTINY("arduino-isp", 0x2341, 0x0049, 0x0104, NULL, "Arduino ISP", NULL, VENDOR_SPECIFIC,
            VENDOR_SPECIFIC),
};

const size_t usbtiny_model_count = sizeof usbtiny_models / sizeof *usbtiny_models;
