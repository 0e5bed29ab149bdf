#include "jigs/simbench/optiboot.h"

/* The watchdog starts the sketch so long after the last byte… */
#define WATCHDOG_US 1000000
/* …or at once, when something was no command or the host said good-bye. */
#define SHORT_WATCHDOG_US 16000

#define IN_SYNC 0x14
#define OK 0x10
#define END 0x20

struct optiboot {
    struct wire *wire;
    const struct isp_port *port;
    bool leaving;
};

static uint8_t get(struct optiboot *boot)
{
    int byte = boot->leaving ? -1 : wire_get(boot->wire, wire_now_us(boot->wire) + WATCHDOG_US);
    if (byte < 0) {
        boot->leaving = true;
        return 0;
    }
    return (uint8_t)byte;
}

static void skip(struct optiboot *boot, int count)
{
    for (int i = 0; i < count && !boot->leaving; i++) {
        get(boot);
    }
}

static void put(struct optiboot *boot, uint8_t byte)
{
    if (!boot->leaving) {
        wire_put(boot->wire, byte);
    }
}

static void leave_soon(struct optiboot *boot)
{
    wire_spend(boot->wire, SHORT_WATCHDOG_US);
    boot->leaving = true;
}

/* The end byte of a command; anything else and the bootloader gives up. */
static void expect_end(struct optiboot *boot)
{
    if (get(boot) == END) {
        put(boot, IN_SYNC);
    } else if (!boot->leaving) {
        leave_soon(boot);
    }
}

static void get_parameter(struct optiboot *boot)
{
    uint8_t which = get(boot);
    expect_end(boot);
    bool version = which == 0x81 || which == 0x82;
    put(boot, version ? 4 : 3);
}

/* Erases and writes the page of the programmer's own flash. */
static void program_page(struct optiboot *boot)
{
    int length = get(boot) << 8;
    length |= get(boot);
    get(boot);
    skip(boot, length);
    expect_end(boot);
    if (!boot->leaving) {
        boot->port->bootloader_page(boot->port->context);
    }
}

static void read_page(struct optiboot *boot)
{
    int length = get(boot) << 8;
    length |= get(boot);
    get(boot);
    expect_end(boot);
    for (int i = 0; i < length && !boot->leaving && wire_event(boot->wire) == WIRE_EVENT_NONE;
         i++) {
        put(boot, 0xFF);
    }
}

/* The Uno's own: ATmega328P. */
static void read_signature(struct optiboot *boot)
{
    expect_end(boot);
    put(boot, 0x1E);
    put(boot, 0x95);
    put(boot, 0x0F);
}

static void command(struct optiboot *boot)
{
    uint8_t byte = get(boot);
    if (boot->leaving) {
        return;
    }
    switch (byte) {
    case 0x41:
        get_parameter(boot);
        break;
    case 0x42: /* set device */
        skip(boot, 20);
        expect_end(boot);
        break;
    case 0x45: /* extended parameters */
        skip(boot, 5);
        expect_end(boot);
        break;
    case 0x51: /* leave */
        expect_end(boot);
        put(boot, OK);
        leave_soon(boot);
        return;
    case 0x55: /* address */
        skip(boot, 2);
        expect_end(boot);
        break;
    case 0x56: /* universal: not carried out, answers 0 */
        skip(boot, 4);
        expect_end(boot);
        put(boot, 0);
        break;
    case 0x64:
        program_page(boot);
        break;
    case 0x74:
        read_page(boot);
        break;
    case 0x75:
        read_signature(boot);
        break;
    default:
        expect_end(boot);
        break;
    }
    put(boot, OK);
}

void optiboot_run(struct wire *wire, const struct isp_port *port, bool readable)
{
    struct optiboot boot = {.wire = wire, .port = port};
    if (!readable) {
        /* At another baud rate a byte is read as several wrong ones: no command, no end byte. */
        if (wire_get(wire, wire_now_us(wire) + WATCHDOG_US) >= 0) {
            leave_soon(&boot);
        }
        return;
    }
    while (!boot.leaving && wire_event(wire) == WIRE_EVENT_NONE) {
        command(&boot);
    }
}
