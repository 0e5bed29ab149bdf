#include "jigs/simbench/usbip_message.h"

#include <endian.h>
#include <stdio.h>
#include <string.h>

#include "jigs/simbench/usb_standard.h"

#define PATH_BYTES 256
/* enum usb_device_speed of Linux */
#define LOW_SPEED 1
#define FULL_SPEED 2

/* --- numbers --- */

static void put_u16(uint8_t *bytes, uint16_t value)
{
    uint16_t big = htobe16(value);
    memcpy(bytes, &big, sizeof big);
}

void usbip_put_u32(uint8_t *bytes, uint32_t value)
{
    uint32_t big = htobe32(value);
    memcpy(bytes, &big, sizeof big);
}

uint16_t usbip_get_u16(const uint8_t *bytes)
{
    uint16_t big;
    memcpy(&big, bytes, sizeof big);
    return be16toh(big);
}

uint32_t usbip_get_u32(const uint8_t *bytes)
{
    uint32_t big;
    memcpy(&big, bytes, sizeof big);
    return be32toh(big);
}

/* --- before a device is attached --- */

void usbip_put_operation(uint8_t *bytes, enum usbip_operation code, enum usbip_status status)
{
    put_u16(bytes, USBIP_VERSION);
    put_u16(bytes + 2, (uint16_t)code);
    usbip_put_u32(bytes + 4, status);
}

void usbip_put_device(uint8_t bytes[USBIP_DEVICE_BYTES], const struct usbip_device *device)
{
    const struct usb_firmware *firmware = device->firmware;
    const struct usb_identity *identity = &firmware->identity;
    memset(bytes, 0, USBIP_DEVICE_BYTES);
    snprintf((char *)bytes, PATH_BYTES, "/sys/devices/simbench/usb%u/%s", device->bus,
             device->busid);
    uint8_t *at = bytes + PATH_BYTES;
    memcpy(at, device->busid, USBIP_BUSID_BYTES);
    at += USBIP_BUSID_BYTES;
    usbip_put_u32(at, device->bus);
    usbip_put_u32(at + 4, device->number);
    usbip_put_u32(at + 8, firmware->full_speed ? FULL_SPEED : LOW_SPEED);
    put_u16(at + 12, identity->vendor);
    put_u16(at + 14, identity->product);
    put_u16(at + 16, identity->release);
    at[18] = identity->device_class;
    at[21] = 0; /* configuration chosen: the host will */
    at[22] = 1; /* configurations */
    at[23] = firmware->interfaces == NULL ? 1 : firmware->interface_count;
}

size_t usbip_put_interfaces(uint8_t *bytes, const struct usbip_device *device)
{
    const struct usb_firmware *firmware = device->firmware;
    const uint8_t *descriptor = NULL;
    size_t count = 0;
    if (firmware->interfaces == NULL) {
        memcpy(bytes, (const uint8_t[]){firmware->identity.interface_class, 0, 0, 0},
               USBIP_INTERFACE_BYTES);
        return USBIP_INTERFACE_BYTES;
    }
    while ((descriptor = usb_standard_next(firmware, USB_INTERFACE, descriptor)) != NULL) {
        memcpy(bytes + count, descriptor + 5, 3); /* USB 1.1, table 9-9 */
        bytes[count + 3] = 0;
        count += USBIP_INTERFACE_BYTES;
    }
    return count;
}

/* --- once it is attached --- */

/* Numbers in a setup packet have the low byte first, as on the bus. */
static struct usb_setup get_setup(const uint8_t bytes[8])
{
    return (struct usb_setup){
        .request_type = bytes[0],
        .request = bytes[1],
        .value = (uint16_t)(bytes[2] | bytes[3] << 8),
        .index = (uint16_t)(bytes[4] | bytes[5] << 8),
        .length = (uint16_t)(bytes[6] | bytes[7] << 8),
    };
}

void usbip_get_head(const uint8_t bytes[USBIP_HEAD_BYTES], struct usbip_head *head)
{
    *head = (struct usbip_head){
        .command = usbip_get_u32(bytes),
        .seqnum = usbip_get_u32(bytes + 4),
        .devid = usbip_get_u32(bytes + 8),
        .to_host = usbip_get_u32(bytes + 12) != 0,
        .endpoint = usbip_get_u32(bytes + 16),
        .flags = usbip_get_u32(bytes + 20),
        .unlinks = usbip_get_u32(bytes + 20),
        .length = usbip_get_u32(bytes + 24),
        .iso_count = usbip_get_u32(bytes + 32),
        .setup = get_setup(bytes + 40),
    };
}

/* Device, direction and endpoint are 0 in replies. */
static void put_reply(uint8_t bytes[USBIP_HEAD_BYTES], enum usbip_command command, uint32_t seqnum,
                      int status)
{
    memset(bytes, 0, USBIP_HEAD_BYTES);
    usbip_put_u32(bytes, command);
    usbip_put_u32(bytes + 4, seqnum);
    usbip_put_u32(bytes + 20, (uint32_t)status);
}

void usbip_put_submit_reply(uint8_t bytes[USBIP_HEAD_BYTES], uint32_t seqnum, int status,
                            uint32_t actual_length)
{
    put_reply(bytes, USBIP_SUBMIT_REPLY, seqnum, status);
    usbip_put_u32(bytes + 24, actual_length);
}

void usbip_put_unlink_reply(uint8_t bytes[USBIP_HEAD_BYTES], uint32_t seqnum, int status)
{
    put_reply(bytes, USBIP_UNLINK_REPLY, seqnum, status);
}
