/* What the firmware of a USB programmer is to the bench: its descriptors, and what it does with
 * control, bulk and interrupt transfers, packet by packet, as a low-speed device without hardware
 * for it (V-USB and the like) or one with endpoints of its own sees them. Firmware runs on the
 * thread of its port and keeps its own state. */
#ifndef JIGS_SIMBENCH_USB_FIRMWARE_H
#define JIGS_SIMBENCH_USB_FIRMWARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct usb_port;

#define USB_PACKET_BYTES 8       /* of endpoint 0 */
#define USB_BULK_PACKET_BYTES 64 /* of the other ones: the most at full speed */

/* Requests and types of the Universal Serial Bus Specification 1.1, 9.3 and 9.4. */
#define USB_TYPE_TO_HOST 0x80
#define USB_TYPE_MASK 0x60
#define USB_TYPE_STANDARD 0x00

struct usb_setup {
    uint8_t request_type; /* bit 7: to the host */
    uint8_t request;
    uint16_t value, index, length;
};

/* What stands in the descriptors; the rest is the same for all: one configuration, endpoint 0 with
 * packets of 8 bytes. Strings are ASCII and may be NULL: there is none. */
struct usb_identity {
    uint16_t vendor, product;
    uint16_t release; /* bcdDevice */
    const char *manufacturer, *product_name, *serial;
    uint8_t device_class;    /* FF: vendor specific */
    uint8_t interface_class; /* 00: as the device says */
};

/* Answers instead of a count of bytes. */
enum usb_answer {
    USB_STALL = -1,  /* the transfer ends with a stall */
    USB_STREAM = -2, /* setup(): data go packet by packet through write() or read() */
    USB_SILENT = -3  /* NAK: a control transfer until the host gives it up, a bulk packet until
                        the firmware has been asked something else */
};

struct usb_firmware {
    const char *name;       /* the model in jig files: "usbasp-2011" */
    const char *programmer; /* the driver that it is for: "usbasp" */
    struct usb_identity identity;
    size_t instance_bytes;
    size_t kept_bytes; /* of its beginning: EEPROM; zeroed: as delivered */
    /* Power on, or a restart. `instance` is zeroed before, but for what is kept. `port` leads to
     * the board and to the clock. */
    void (*start)(void *instance, const struct usb_firmware *firmware, struct usb_port *port);
    /* A vendor or class request (standard ones are answered by the port). Into `reply` go at most
     * 8 bytes; returns how many, or one of the answers. Fewer than setup->length is a short reply.
     * Data of the host are ignored after 0. May be NULL: it refuses all of them. */
    int (*setup)(void *instance, const struct usb_setup *setup, uint8_t reply[USB_PACKET_BYTES]);
    /* A data packet from the host, 1…8 bytes, after USB_STREAM: 0 when more are wanted, 1 when that
     * was all, or USB_STALL, USB_SILENT. Each packet that the host sends comes here; while the last
     * one left the firmware wanting more, the host is NAKed when it wants to end the transfer. May
     * be NULL, as read(), where setup() never says USB_STREAM for that direction. */
    int (*write)(void *instance, const uint8_t *bytes, size_t count);
    /* The next packet for the host, at most `count` (1…8) bytes: returns how many, or USB_STALL,
     * USB_SILENT; fewer than 8 end the transfer. Is asked for as soon as the one before has left,
     * never for more than the host wants. */
    int (*read)(void *instance, uint8_t *bytes, size_t count);
    bool is_numbered;        /* the serial number ends with the port's: each unit has its own */
    bool full_speed;         /* 12 Mbit/s; else low speed, which has no bulk endpoints */
    uint8_t interface_count; /* of `interfaces` */
    /* Descriptors of the interfaces and endpoints, as they follow the configuration's. NULL: one
     * interface without endpoints. */
    const uint8_t *interfaces;
    size_t interfaces_bytes; /* at most USB_INTERFACES_MAX */
    /* A packet from the host to a bulk OUT endpoint, 0…64 bytes. Fewer than 64 end the transfer;
     * one of exactly n * 64 bytes without an empty packet does not end. Returns 0: it is taken;
     * USB_SILENT: it is offered again when something else has passed over the bus; USB_STALL: the
     * endpoint is halted until the host clears it. The firmware may spend time and shift frames
     * there, as long as a command takes. */
    int (*bulk_write)(void *instance, uint8_t endpoint, const uint8_t *bytes, size_t count);
    /* The next packet for the host from a bulk or interrupt IN endpoint, at most `most` (64) bytes:
     * returns how many (0: an empty packet), USB_SILENT: nothing to say yet, USB_STALL. Is asked
     * when a transfer of the host waits for it; a packet stays in the endpoint when the host takes
     * that transfer back, and goes to its next one. */
    int (*bulk_read)(void *instance, uint8_t endpoint, uint8_t *bytes, size_t most);
    /* What the host has told the device is void: it reset the bus, chose a configuration, or is
     * gone. May be NULL. */
    void (*forget)(void *instance);
    /* The host cleared a halt, or made sure that there is none. May be NULL. */
    void (*clear_halt)(void *instance, uint8_t endpoint);
    void (*bus_reset)(void *instance); /* by the host; may be NULL */
    const void *variant; /* the model's own: what this generation of the firmware does */
};

#define USB_INTERFACES_MAX 240

/* All models there are, from the files that have them; NULL if there is none of that name. */
const struct usb_firmware *usb_firmware_by_name(const char *name);
/* The index-th of them; NULL after the last. */
const struct usb_firmware *usb_firmware_item(size_t index);

#endif
