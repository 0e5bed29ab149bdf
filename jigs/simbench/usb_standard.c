#include "jigs/simbench/usb_standard.h"

#include <stdio.h>
#include <string.h>

/* USB 1.1, tables 9-4 and 9-5. */
enum request {
    GET_STATUS = 0,
    CLEAR_FEATURE = 1,
    SET_FEATURE = 3,
    GET_DESCRIPTOR = 6,
    GET_CONFIGURATION = 8,
    SET_CONFIGURATION = 9,
    GET_INTERFACE = 10,
    SET_INTERFACE = 11
};
#define TO_ENDPOINT 0x02 /* table 9-2: a request's recipient */
#define ENDPOINT_HALT 0  /* table 9-6 */
#define ENDPOINT_STATUS 0x82

#define DEVICE_BYTES 18
#define CONFIGURATION_BYTES 9
#define INTERFACE_BYTES 9
#define STRING_MAX 126 /* characters of two bytes, after a head of two */
#define ENGLISH 0x0409
#define BUS_POWERED 0x80
#define POWER_2MA 50

enum string_index { LANGUAGES, MANUFACTURER, PRODUCT, SERIAL };

static uint8_t low(uint16_t word)
{
    return (uint8_t)word;
}

static uint8_t high(uint16_t word)
{
    return (uint8_t)(word >> 8);
}

/* The index of a string that is there, else 0. */
static uint8_t index_of(const char *text, enum string_index index)
{
    return text == NULL ? 0 : (uint8_t)index;
}

static size_t write_device(const struct usb_identity *identity, uint8_t *reply)
{
    const uint8_t bytes[DEVICE_BYTES] = {
        DEVICE_BYTES,
        USB_DEVICE,
        0x10, /* USB 1.1 */
        0x01,
        identity->device_class,
        0,
        0,
        USB_PACKET_BYTES,
        low(identity->vendor),
        high(identity->vendor),
        low(identity->product),
        high(identity->product),
        low(identity->release),
        high(identity->release),
        index_of(identity->manufacturer, MANUFACTURER),
        index_of(identity->product_name, PRODUCT),
        index_of(identity->serial, SERIAL),
        1, /* configuration */
    };
    memcpy(reply, bytes, sizeof bytes);
    return sizeof bytes;
}

static size_t write_interfaces(const struct usb_firmware *firmware, uint8_t *reply)
{
    const uint8_t bytes[INTERFACE_BYTES] = {
        INTERFACE_BYTES,
        USB_INTERFACE,
        0, /* its number */
        0, /* no alternate setting */
        0, /* no endpoint but 0 */
        firmware->identity.interface_class,
        0,
        0,
        0, /* no string */
    };
    if (firmware->interfaces != NULL) {
        memcpy(reply, firmware->interfaces, firmware->interfaces_bytes);
        return firmware->interfaces_bytes;
    }
    memcpy(reply, bytes, sizeof bytes);
    return sizeof bytes;
}

static size_t write_configuration(const struct usb_firmware *firmware, uint8_t *reply)
{
    size_t count = CONFIGURATION_BYTES + write_interfaces(firmware, reply + CONFIGURATION_BYTES);
    const uint8_t bytes[CONFIGURATION_BYTES] = {
        CONFIGURATION_BYTES,
        USB_CONFIGURATION,
        (uint8_t)count,
        0,
        firmware->interfaces == NULL ? 1 : firmware->interface_count,
        1, /* its number as a configuration */
        0, /* no string */
        BUS_POWERED,
        POWER_2MA,
    };
    memcpy(reply, bytes, sizeof bytes);
    return count;
}

/* A string descriptor's characters are UTF-16, low byte first. */
static size_t write_text(const char *text, uint8_t *reply)
{
    size_t length = text == NULL ? 0 : strnlen(text, STRING_MAX);
    if (text == NULL) {
        return 0;
    }
    reply[0] = (uint8_t)(2 + 2 * length);
    reply[1] = USB_STRING;
    for (size_t i = 0; i < length; i++) {
        reply[2 + 2 * i] = (uint8_t)text[i];
        reply[3 + 2 * i] = 0;
    }
    return reply[0];
}

/* The last digits are the unit's own. */
static size_t write_serial(const struct usb_firmware *firmware, int number, uint8_t *reply)
{
    const char *serial = firmware->identity.serial;
    char text[STRING_MAX + 1];
    if (serial == NULL || !firmware->is_numbered) {
        return write_text(serial, reply);
    }
    snprintf(text, sizeof text, "%s", serial);
    for (char *at = text + strlen(text); number > 0 && at > text; number /= 10) {
        *--at = (char)('0' + number % 10);
    }
    return write_text(text, reply);
}

static size_t write_string(const struct usb_firmware *firmware, uint8_t index, int number,
                           uint8_t *reply)
{
    const struct usb_identity *identity = &firmware->identity;
    switch (index) {
    case LANGUAGES:
        memcpy(reply, (const uint8_t[]){4, USB_STRING, low(ENGLISH), high(ENGLISH)}, 4);
        return 4;
    case MANUFACTURER:
        return write_text(identity->manufacturer, reply);
    case PRODUCT:
        return write_text(identity->product_name, reply);
    case SERIAL:
        return write_serial(firmware, number, reply);
    default:
        return 0;
    }
}

static size_t write_descriptor(const struct usb_firmware *firmware, uint16_t value, int number,
                               uint8_t *reply)
{
    switch (high(value)) {
    case USB_DEVICE:
        return write_device(&firmware->identity, reply);
    case USB_CONFIGURATION:
        return write_configuration(firmware, reply);
    case USB_STRING:
        return write_string(firmware, low(value), number, reply);
    default:
        return 0;
    }
}

static bool is_of_halt(const struct usb_setup *setup)
{
    return setup->request_type == TO_ENDPOINT && setup->value == ENDPOINT_HALT;
}

static void set_halt(struct usb_endpoints *endpoints, const struct usb_setup *setup, bool halted)
{
    struct usb_endpoint *endpoint = usb_endpoint_find(endpoints, low(setup->index));
    if (is_of_halt(setup) && endpoint != NULL) {
        endpoint->halted = halted;
    }
}

int usb_standard_clears_halt(const struct usb_setup *setup)
{
    return setup->request == CLEAR_FEATURE && is_of_halt(setup) ? low(setup->index)
                                                                : USB_NO_ENDPOINT;
}

bool usb_standard_configures(const struct usb_setup *setup)
{
    return setup->request_type == 0 && setup->request == SET_CONFIGURATION;
}

static size_t write_status(struct usb_endpoints *endpoints, const struct usb_setup *setup,
                           uint8_t *reply)
{
    const struct usb_endpoint *endpoint = usb_endpoint_find(endpoints, low(setup->index));
    bool asked = setup->request_type == ENDPOINT_STATUS && endpoint != NULL;
    reply[0] = asked && endpoint->halted;
    reply[1] = 0;
    return 2;
}

void usb_standard_reset(struct usb_standard_state *state)
{
    state->configuration = 0;
    usb_endpoints_reset(&state->endpoints);
}

size_t usb_standard_reply(const struct usb_firmware *firmware, const struct usb_setup *setup,
                          struct usb_standard_state *state, uint8_t reply[USB_REPLY_MAX])
{
    switch (setup->request) {
    case GET_STATUS:
        return write_status(&state->endpoints, setup, reply);
    case CLEAR_FEATURE:
    case SET_FEATURE:
        set_halt(&state->endpoints, setup, setup->request == SET_FEATURE);
        return 0;
    case GET_DESCRIPTOR:
        return write_descriptor(firmware, setup->value, state->number, reply);
    case GET_CONFIGURATION:
        reply[0] = state->configuration;
        return 1;
    case SET_CONFIGURATION: /* 9.1.1.5: ends every halt */
        usb_standard_reset(state);
        state->configuration = low(setup->value);
        return 0;
    case SET_INTERFACE: /* 9.4.10 */
        usb_endpoints_reset(&state->endpoints);
        return 0;
    case GET_INTERFACE:
        reply[0] = 0;
        return 1;
    default:
        return 0;
    }
}

/* --- what follows a configuration descriptor --- */

const uint8_t *usb_standard_next(const struct usb_firmware *firmware, enum usb_descriptor type,
                                 const uint8_t *after)
{
    if (firmware->interfaces == NULL) {
        return NULL;
    }
    const uint8_t *end = firmware->interfaces + firmware->interfaces_bytes;
    const uint8_t *at = after == NULL ? firmware->interfaces : after + after[0];
    while (at < end && at[1] != type) {
        at += at[0];
    }
    return at < end ? at : NULL;
}
