#include "jigs/simbench/usb_standard.h"

#include <string.h>

/* USB 1.1, tables 9-4 and 9-5. */
enum request {
    GET_STATUS = 0,
    GET_DESCRIPTOR = 6,
    GET_CONFIGURATION = 8,
    SET_CONFIGURATION = 9,
    GET_INTERFACE = 10
};
enum descriptor { DEVICE = 1, CONFIGURATION = 2, STRING = 3, INTERFACE = 4 };

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
        DEVICE,
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

static size_t write_configuration(const struct usb_identity *identity, uint8_t *reply)
{
    const uint8_t bytes[CONFIGURATION_BYTES + INTERFACE_BYTES] = {
        CONFIGURATION_BYTES,
        CONFIGURATION,
        sizeof bytes,
        0,
        1, /* interface */
        1, /* its number as a configuration */
        0, /* no string */
        BUS_POWERED,
        POWER_2MA,
        INTERFACE_BYTES,
        INTERFACE,
        0, /* its number */
        0, /* no alternate setting */
        0, /* no endpoint but 0 */
        identity->interface_class,
        0,
        0,
        0, /* no string */
    };
    memcpy(reply, bytes, sizeof bytes);
    return sizeof bytes;
}

/* A string descriptor's characters are UTF-16, low byte first. */
static size_t write_text(const char *text, uint8_t *reply)
{
    size_t length = text == NULL ? 0 : strnlen(text, STRING_MAX);
    if (text == NULL) {
        return 0;
    }
    reply[0] = (uint8_t)(2 + 2 * length);
    reply[1] = STRING;
    for (size_t i = 0; i < length; i++) {
        reply[2 + 2 * i] = (uint8_t)text[i];
        reply[3 + 2 * i] = 0;
    }
    return reply[0];
}

static size_t write_string(const struct usb_identity *identity, uint8_t index, uint8_t *reply)
{
    switch (index) {
    case LANGUAGES:
        memcpy(reply, (const uint8_t[]){4, STRING, low(ENGLISH), high(ENGLISH)}, 4);
        return 4;
    case MANUFACTURER:
        return write_text(identity->manufacturer, reply);
    case PRODUCT:
        return write_text(identity->product_name, reply);
    case SERIAL:
        return write_text(identity->serial, reply);
    default:
        return 0;
    }
}

static size_t write_descriptor(const struct usb_identity *identity, uint16_t value, uint8_t *reply)
{
    switch (high(value)) {
    case DEVICE:
        return write_device(identity, reply);
    case CONFIGURATION:
        return write_configuration(identity, reply);
    case STRING:
        return write_string(identity, low(value), reply);
    default:
        return 0;
    }
}

size_t usb_standard_reply(const struct usb_identity *identity, const struct usb_setup *setup,
                          uint8_t *configuration, uint8_t reply[USB_REPLY_MAX])
{
    switch (setup->request) {
    case GET_STATUS:
        reply[0] = reply[1] = 0;
        return 2;
    case GET_DESCRIPTOR:
        return write_descriptor(identity, setup->value, reply);
    case GET_CONFIGURATION:
        reply[0] = *configuration;
        return 1;
    case SET_CONFIGURATION:
        *configuration = low(setup->value);
        return 0;
    case GET_INTERFACE:
        reply[0] = 0;
        return 1;
    default:
        return 0;
    }
}
