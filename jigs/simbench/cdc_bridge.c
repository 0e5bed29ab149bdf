#include "jigs/simbench/cdc_bridge.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

/* USB Class Definitions for Communication Devices 1.2, PSTN subclass 1.2, table 13. */
enum request { SET_LINE_CODING = 0x20, GET_LINE_CODING = 0x21, SET_CONTROL_LINE_STATE = 0x22 };
#define DTR 0x01            /* table 18 */
#define LINE_CODING_BYTES 7 /* table 17: the baud rate first, low byte first */
#define CLASS_REQUEST 0x21  /* to an interface… */
#define CLASS_QUESTION 0xA1 /* …and from one */

/* As on an Arduino Uno's USB chip (LUFA's USBtoSerial). */
#define NEWS_IN 0x82
#define DATA_OUT 0x04
#define DATA_IN 0x83

/* The Arduino core for the ATmega32U4 goes to the bootloader when DTR is low and the rate 1200;
 * Caterina gives it back after 8 s. */
#define BOOTLOADER_BAUD 1200
#define BOOTLOADER_US 8000000

struct line {
    struct usb_port *port;
    const struct cdc_bridge *bridge;
    int slave; /* the wire's port; -1: DTR is low */
    uint8_t coding[LINE_CODING_BYTES];
    uint8_t lines;
    uint8_t request;                       /* that data come for */
    bool whole;                            /* the last packet to the host was: one must follow */
    uint8_t unsent[USB_BULK_PACKET_BYTES]; /* that the wire's port had no room for */
    size_t unsent_count;
};

static const uint8_t interfaces[] = {
    /* Communication: abstract control model, AT commands; an interrupt endpoint. */
    9,
    4,
    0,
    0,
    1,
    0x02,
    0x02,
    0x01,
    0,
    5,
    0x24,
    0x00,
    0x10,
    0x01, /* header: CDC 1.10 */
    5,
    0x24,
    0x01,
    0x00,
    1, /* call management: none; the data interface */
    4,
    0x24,
    0x02,
    0x06, /* line coding, control lines and break */
    5,
    0x24,
    0x06,
    0,
    1, /* union of interfaces 0 and 1 */
    7,
    5,
    NEWS_IN,
    3,
    8,
    0,
    255,
    /* Data. */
    9,
    4,
    1,
    0,
    2,
    0x0A,
    0,
    0,
    0,
    7,
    5,
    DATA_OUT,
    2,
    USB_BULK_PACKET_BYTES,
    0,
    1,
    7,
    5,
    DATA_IN,
    2,
    USB_BULK_PACKET_BYTES,
    0,
    1,
};

/* --- opening and closing --- */

static void open_wire(struct line *line)
{
    if (line->slave < 0) {
        line->slave = open(line->bridge->path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    }
}

static void close_wire(struct line *line)
{
    if (line->slave >= 0) {
        usb_port_watch(line->port, -1, 0);
        close(line->slave);
    }
    line->slave = -1;
    line->unsent_count = 0;
    line->whole = false;
}

static void leave_for_bootloader(const struct line *line)
{
    uint32_t baud = line->coding[0] | (uint32_t)line->coding[1] << 8 |
                    (uint32_t)line->coding[2] << 16 | (uint32_t)line->coding[3] << 24;
    if (line->bridge->leaves_at_1200 && baud == BOOTLOADER_BAUD && (line->lines & DTR) == 0) {
        wire_pull(line->bridge->wire, BOOTLOADER_US);
    }
}

static void forget(void *instance)
{
    struct line *line = instance;
    close_wire(line);
    line->lines = 0;
}

static void start(void *instance, const struct usb_firmware *firmware, struct usb_port *port)
{
    static const uint8_t coding[] = {0x80, 0x25, 0, 0, 0, 0, 8}; /* 9600 baud, 8N1 */
    struct line *line = instance;
    line->port = port;
    line->bridge = firmware->variant;
    line->slave = -1;
    memcpy(line->coding, coding, sizeof coding);
}

/* --- requests --- */

static int set_lines(struct line *line, uint8_t lines)
{
    line->lines = lines;
    if ((lines & DTR) != 0) {
        open_wire(line);
    } else {
        close_wire(line);
        leave_for_bootloader(line);
    }
    return 0;
}

static int setup(void *instance, const struct usb_setup *setup, uint8_t *reply)
{
    struct line *line = instance;
    line->request = setup->request;
    if (setup->request_type == CLASS_QUESTION && setup->request == GET_LINE_CODING) {
        memcpy(reply, line->coding, sizeof line->coding);
        return sizeof line->coding;
    }
    if (setup->request_type != CLASS_REQUEST) {
        return USB_STALL;
    }
    if (setup->request == SET_LINE_CODING) {
        return setup->length == sizeof line->coding ? USB_STREAM : USB_STALL;
    }
    return setup->request == SET_CONTROL_LINE_STATE ? set_lines(line, (uint8_t)setup->value) : 0;
}

/* The line coding, in one packet. */
static int write_request(void *instance, const uint8_t *bytes, size_t count)
{
    struct line *line = instance;
    if (count != sizeof line->coding) {
        return USB_STALL;
    }
    memcpy(line->coding, bytes, count);
    leave_for_bootloader(line);
    return 1;
}

/* --- data --- */

/* False when the wire's port has no room now. */
static bool send_unsent(struct line *line)
{
    ssize_t sent =
        line->unsent_count == 0 ? 0 : write(line->slave, line->unsent, line->unsent_count);
    if (sent > 0) {
        line->unsent_count -= (size_t)sent;
        memmove(line->unsent, line->unsent + sent, line->unsent_count);
    } else if (sent < 0 && errno != EAGAIN) {
        line->unsent_count = 0; /* it was unplugged */
    }
    return line->unsent_count == 0;
}

static void wait_for_wire(const struct line *line)
{
    short events = line->unsent_count == 0 ? POLLIN : POLLIN | POLLOUT;
    usb_port_watch(line->port, line->slave, events);
}

static int take(void *instance, uint8_t endpoint, const uint8_t *bytes, size_t count)
{
    struct line *line = instance;
    (void)endpoint;
    if (line->slave < 0) {
        return 0; /* nobody is there to hear it */
    }
    if (!send_unsent(line)) {
        wait_for_wire(line);
        return USB_SILENT;
    }
    memcpy(line->unsent, bytes, count);
    line->unsent_count = count;
    send_unsent(line);
    return 0;
}

static int give(void *instance, uint8_t endpoint, uint8_t *bytes, size_t most)
{
    struct line *line = instance;
    if (endpoint != DATA_IN || line->slave < 0) {
        return USB_SILENT;
    }
    send_unsent(line);
    ssize_t got = read(line->slave, bytes, most);
    if (got > 0) {
        line->whole = (size_t)got == USB_BULK_PACKET_BYTES;
        return (int)got;
    }
    if (line->whole) {
        line->whole = false;
        return 0;
    }
    if (got < 0 && errno == EAGAIN) {
        wait_for_wire(line); /* else it was unplugged */
    }
    return USB_SILENT;
}

/* --- the port --- */

/* The board's lines are the programmer's, behind the wire, as is what happens to the bytes. */
static void drive_no_reset(void *context, bool low)
{
    (void)context;
    (void)low;
}

int cdc_bridge_create_port(struct cdc_bridge *bridge, const struct wire_firmware *model, int number,
                           bool real_pace, int stop_descriptor, struct usb_port **port,
                           struct failure *failure)
{
    static const struct isp_port no_board = {.drive_reset = drive_no_reset};
    bridge->leaves_at_1200 = model->leaves_at_1200;
    bridge->firmware = (struct usb_firmware){
        .name = model->name,
        .identity = *model->usb,
        .instance_bytes = sizeof(struct line),
        .start = start,
        .setup = setup,
        .write = write_request,
        .full_speed = true,
        .interfaces = interfaces,
        .interfaces_bytes = sizeof interfaces,
        .interface_count = 2,
        .bulk_write = take,
        .bulk_read = give,
        .forget = forget,
        .variant = bridge,
    };
    const struct usb_port_options options = {
        .firmware = &bridge->firmware,
        .isp = &no_board,
        .number = number,
        .real_pace = real_pace,
        .stop_descriptor = stop_descriptor,
    };
    return usb_port_create(&options, port, failure);
}
