#include "jigs/usbip_wire.h"

#include <errno.h>
#include <string.h>

#define VERSION 0x0111
#define REQUEST_IMPORT 0x8003
#define REPLY_IMPORT 0x0003
#define COMMAND_SUBMIT 1
#define COMMAND_UNLINK 2
#define RETURN_SUBMIT 3
#define RETURN_UNLINK 4
#define DIRECTION_IN 1
#define NO_PACKETS 0xFFFFFFFFu /* "shall be set to 0xffffffff if not ISO transfer" */

/* struct usbip_usb_device, as OP_REP_IMPORT carries it */
#define DEVICE_BUS_ID 256
#define DEVICE_BUS_NUMBER 288
#define DEVICE_NUMBER 292

/* usbip's op_common status codes (tools/usb/usbip/libsrc/usbip_common.h) */
#define STATUS_OK 0
#define STATUS_NOT_AVAILABLE 1
#define STATUS_BUSY 2
#define STATUS_NO_DEVICE 4

static void put16(uint8_t *bytes, uint16_t value)
{
    bytes[0] = (uint8_t)(value >> 8);
    bytes[1] = (uint8_t)value;
}

static void put32(uint8_t *bytes, uint32_t value)
{
    put16(bytes, (uint16_t)(value >> 16));
    put16(bytes + 2, (uint16_t)value);
}

static uint16_t get16(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static uint32_t get32(const uint8_t *bytes)
{
    return (uint32_t)get16(bytes) << 16 | get16(bytes + 2);
}

/* ---- import ---- */

void usbip_wire_import(uint8_t message[USBIP_IMPORT_BYTES], const char *bus_id)
{
    memset(message, 0, USBIP_IMPORT_BYTES);
    put16(message, VERSION);
    put16(message + 2, REQUEST_IMPORT);
    memcpy(message + 8, bus_id, strnlen(bus_id, USBIP_BUS_ID_BYTES - 1));
}

int usbip_wire_import_status(const uint8_t reply[USBIP_IMPORT_STATUS_BYTES],
                             struct failure *failure)
{
    uint16_t version = get16(reply), code = get16(reply + 2);
    uint32_t status = get32(reply + 4);

    if (version != VERSION || code != REPLY_IMPORT)
        return failure_set(failure, FAILURE_PROGRAMMER_OUT_OF_STEP,
                           "the server answers %04X %04X, expected %04X %04X (USB/IP import)",
                           version, code, VERSION, REPLY_IMPORT);
    switch (status) {
    case STATUS_OK:
        return 0;
    case STATUS_BUSY:
        return failure_set(failure, FAILURE_PLACE_BUSY, "another client has it");
    case STATUS_NOT_AVAILABLE:
    case STATUS_NO_DEVICE:
        return failure_set(failure, FAILURE_PLACE_MISSING, "nothing is plugged in there");
    default:
        return failure_set(failure, FAILURE_PROGRAMMER_OUT_OF_STEP,
                           "the server gives no device: status %u", (unsigned)status);
    }
}

int usbip_wire_import_device(const uint8_t reply[USBIP_IMPORT_DEVICE_BYTES], const char *bus_id,
                             uint32_t *device_id, struct failure *failure)
{
    uint32_t bus = get32(reply + DEVICE_BUS_NUMBER), number = get32(reply + DEVICE_NUMBER);

    if (strncmp((const char *)reply + DEVICE_BUS_ID, bus_id, USBIP_BUS_ID_BYTES) != 0)
        return failure_set(failure, FAILURE_PROGRAMMER_OUT_OF_STEP,
                           "the server gives device '%.31s', expected '%s'",
                           (const char *)reply + DEVICE_BUS_ID, bus_id);
    if (bus > UINT16_MAX || number > UINT16_MAX)
        return failure_set(failure, FAILURE_PROGRAMMER_OUT_OF_STEP,
                           "the server gives bus %u, device %u", (unsigned)bus, (unsigned)number);
    *device_id = bus << 16 | number;
    return 0;
}

/* ---- transfers ---- */

static void put_header(uint8_t message[USBIP_MESSAGE_BYTES], uint32_t command, uint32_t number,
                       uint32_t device_id, uint32_t direction, uint8_t endpoint)
{
    memset(message, 0, USBIP_MESSAGE_BYTES);
    put32(message, command);
    put32(message + 4, number);
    put32(message + 8, device_id);
    put32(message + 12, direction);
    put32(message + 16, endpoint);
}

void usbip_wire_submit(uint8_t message[USBIP_MESSAGE_BYTES], uint32_t device_id,
                       const struct usbip_expected *expected,
                       const uint8_t setup[USBIP_SETUP_BYTES])
{
    put_header(message, COMMAND_SUBMIT, expected->number, device_id,
               expected->to_host ? DIRECTION_IN : 0, expected->endpoint);
    put32(message + 24, expected->length);
    put32(message + 32, NO_PACKETS);
    memcpy(message + 40, setup, USBIP_SETUP_BYTES);
}

void usbip_wire_unlink(uint8_t message[USBIP_MESSAGE_BYTES], uint32_t device_id,
                       const struct usbip_expected *expected)
{
    put_header(message, COMMAND_UNLINK, expected->unlink_number, device_id, 0, 0);
    put32(message + 20, expected->number);
}

static struct usbip_expected *find_submit(struct usbip_inbox *inbox, uint32_t number)
{
    for (size_t i = 0; i < USBIP_QUEUE; i++) {
        struct usbip_expected *expected = &inbox->expected[i];

        if (number != 0 && expected->number == number && !expected->answered)
            return expected;
    }
    return NULL;
}

static struct usbip_expected *find_unlink(struct usbip_inbox *inbox, uint32_t number)
{
    for (size_t i = 0; i < USBIP_QUEUE; i++) {
        struct usbip_expected *expected = &inbox->expected[i];

        if (number != 0 && expected->number != 0 && expected->unlink_number == number)
            return expected;
    }
    return NULL;
}

static void end_submit(struct usbip_expected *expected)
{
    expected->answered = true;
    if (expected->unlink_number == 0)
        expected->number = 0; /* else the reply to the unlink comes, too */
}

static int take_submit(struct usbip_inbox *inbox, struct failure *failure)
{
    uint32_t number = get32(inbox->message + 4), length = get32(inbox->message + 24);
    struct usbip_expected *expected = find_submit(inbox, number);

    if (expected == NULL)
        return failure_set(failure, FAILURE_PROGRAMMER_OUT_OF_STEP,
                           "the server answers transfer %u, which is not under way",
                           (unsigned)number);
    if (length > expected->length)
        return failure_set(failure, FAILURE_PROGRAMMER_OUT_OF_STEP,
                           "the server says that %u bytes were transferred, expected at most %u",
                           (unsigned)length, expected->length);
    expected->status = (int32_t)get32(inbox->message + 20);
    expected->received = (uint16_t)length;
    if (expected->to_host && length > 0) {
        inbox->body_of = expected;
        inbox->body_bytes = 0;
    } else {
        end_submit(expected);
    }
    return 0;
}

static int take_unlink(struct usbip_inbox *inbox, struct failure *failure)
{
    uint32_t number = get32(inbox->message + 4);
    struct usbip_expected *expected = find_unlink(inbox, number);

    if (expected == NULL)
        return failure_set(failure, FAILURE_PROGRAMMER_OUT_OF_STEP,
                           "the server answers unlink %u, which was not sent", (unsigned)number);
    if (!expected->answered) {
        expected->status = -ECONNRESET;
        expected->received = 0;
        expected->answered = true;
    }
    expected->number = 0;
    return 0;
}

static int take_message(struct usbip_inbox *inbox, struct failure *failure)
{
    uint32_t command = get32(inbox->message);

    inbox->message_bytes = 0;
    if (command == RETURN_SUBMIT)
        return take_submit(inbox, failure);
    if (command == RETURN_UNLINK)
        return take_unlink(inbox, failure);
    return failure_set(failure, FAILURE_PROGRAMMER_OUT_OF_STEP,
                       "the server sends message %u, expected %d or %d", (unsigned)command,
                       RETURN_SUBMIT, RETURN_UNLINK);
}

static size_t take_body(struct usbip_inbox *inbox, const uint8_t *bytes, size_t count)
{
    struct usbip_expected *expected = inbox->body_of;
    size_t missing = expected->received - inbox->body_bytes;
    size_t taken = count < missing ? count : missing;

    memcpy(expected->data + inbox->body_bytes, bytes, taken);
    inbox->body_bytes += taken;
    if (taken == missing) {
        inbox->body_of = NULL;
        end_submit(expected);
    }
    return taken;
}

int usbip_inbox_take(struct usbip_inbox *inbox, const uint8_t *bytes, size_t count,
                     struct failure *failure)
{
    while (count > 0) {
        size_t taken;

        if (inbox->body_of != NULL) {
            taken = take_body(inbox, bytes, count);
        } else {
            taken = USBIP_MESSAGE_BYTES - inbox->message_bytes;
            taken = count < taken ? count : taken;
            memcpy(inbox->message + inbox->message_bytes, bytes, taken);
            inbox->message_bytes += taken;
            if (inbox->message_bytes == USBIP_MESSAGE_BYTES && take_message(inbox, failure) != 0)
                return -1;
        }
        bytes += taken;
        count -= taken;
    }
    return 0;
}
