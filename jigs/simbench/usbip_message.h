/* Messages of the USB/IP protocol, version 1.1.1, as they stand on the wire: Linux,
 * Documentation/usb/usbip_protocol.rst. All numbers have the high byte first. */
#ifndef JIGS_SIMBENCH_USBIP_MESSAGE_H
#define JIGS_SIMBENCH_USBIP_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "jigs/simbench/usb_firmware.h"

#define USBIP_VERSION 0x0111

/* Before a device is attached. */
#define USBIP_OP_BYTES 8 /* version, code, status */
#define USBIP_BUSID_BYTES 32
#define USBIP_DEVICE_BYTES 312
#define USBIP_INTERFACE_BYTES 4
#define USBIP_INTERFACES_BYTES_MAX (USBIP_INTERFACE_BYTES * USB_INTERFACES_MAX / 9)
#define USBIP_IMPORT_BYTES (USBIP_OP_BYTES + USBIP_BUSID_BYTES)

enum usbip_operation {
    USBIP_REQUEST_LIST = 0x8005,
    USBIP_REPLY_LIST = 0x0005,
    USBIP_REQUEST_IMPORT = 0x8003,
    USBIP_REPLY_IMPORT = 0x0003
};

/* ST_… of usbip's own tools (tools/usb/usbip/libsrc/usbip_common.h). */
enum usbip_status {
    USBIP_OK = 0,
    USBIP_BUSY = 2,      /* ST_DEV_BUSY */
    USBIP_NO_DEVICE = 4, /* ST_NODEV */
    USBIP_ERROR = 5      /* ST_ERROR */
};

/* A device as the host is told of it. */
struct usbip_device {
    char busid[USBIP_BUSID_BYTES];
    uint32_t bus, number; /* together its `devid` */
    const struct usb_firmware *firmware;
};

void usbip_put_operation(uint8_t *bytes, enum usbip_operation code, enum usbip_status status);
void usbip_put_device(uint8_t bytes[USBIP_DEVICE_BYTES], const struct usbip_device *device);
/* Class, subclass and protocol of each interface, as they follow the device in a list: returns how
 * many bytes, at most USBIP_INTERFACES_BYTES_MAX. */
size_t usbip_put_interfaces(uint8_t *bytes, const struct usbip_device *device);
void usbip_put_u32(uint8_t *bytes, uint32_t value);
uint16_t usbip_get_u16(const uint8_t *bytes);
uint32_t usbip_get_u32(const uint8_t *bytes);

static inline uint32_t usbip_devid(const struct usbip_device *device)
{
    return device->bus << 16 | device->number;
}

/* Once it is attached: commands and replies, each with a head of the same size. */
#define USBIP_HEAD_BYTES 48

#define USBIP_ZERO_PACKET 0x40 /* URB_ZERO_PACKET: an empty packet ends full ones */

enum usbip_command {
    USBIP_SUBMIT = 1,
    USBIP_UNLINK = 2,
    USBIP_SUBMIT_REPLY = 3,
    USBIP_UNLINK_REPLY = 4
};

struct usbip_head {
    uint32_t command;
    uint32_t seqnum;
    uint32_t devid;
    bool to_host;
    uint32_t endpoint;
    uint32_t length;        /* USBIP_SUBMIT: of the data that follow, or are wanted */
    uint32_t iso_count;     /* USBIP_SUBMIT: isochronous packets; 0 or FFFFFFFF: it is none */
    uint32_t flags;         /* USBIP_SUBMIT: of Linux' struct urb */
    uint32_t unlinks;       /* USBIP_UNLINK: the seqnum to unlink */
    struct usb_setup setup; /* USBIP_SUBMIT */
};

void usbip_get_head(const uint8_t bytes[USBIP_HEAD_BYTES], struct usbip_head *head);
/* Replies; `status` is 0 or a negative error number. */
void usbip_put_submit_reply(uint8_t bytes[USBIP_HEAD_BYTES], uint32_t seqnum, int status,
                            uint32_t actual_length);
void usbip_put_unlink_reply(uint8_t bytes[USBIP_HEAD_BYTES], uint32_t seqnum, int status);

#endif
