/* What the kernel tells about USB devices without their being opened: where they are plugged in,
 * their ids and texts, as it read them when they came, and which driver has their first interface.
 * Documented in the kernel's Documentation/ABI/{stable,testing}/sysfs-bus-usb. */
#ifndef JIGS_USB_SYSFS_H
#define JIGS_USB_SYSFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reports/failure.h"

#define USB_SYSFS_ROOT "/sys/bus/usb/devices"
/* A string descriptor has up to 126 units of 16 bits, each up to three bytes in UTF-8. */
#define USB_SYSFS_TEXT_BYTES 384

struct usb_sysfs_device {
    char path[32];         /* bus and ports: "1-1.4.2" */
    unsigned bus, address; /* of /dev/bus/usb/BUS/ADDRESS, until it is plugged in again */
    uint16_t vendor, product, release;
    char manufacturer[USB_SYSFS_TEXT_BYTES], product_name[USB_SYSFS_TEXT_BYTES],
        serial[USB_SYSFS_TEXT_BYTES]; /* "" where it has none */
    char driver[32];                  /* of the first interface; "": none. "usbfs": a program */
};

/* The text of one attribute, without the newline at its end. False, and "", when there is none. */
bool usb_sysfs_text(const char *root, const char *path, const char *attribute, char *text,
                    size_t text_bytes);
/* The device at a port. FAILURE_PLACE_MISSING when nothing is there. */
int usb_sysfs_find(const char *root, const char *path, struct usb_sysfs_device *device,
                   struct failure *failure);
/* All devices but root hubs, sorted by bus and ports; the caller frees. A system without USB has
 * none. */
int usb_sysfs_list(const char *root, struct usb_sysfs_device **devices, size_t *count,
                   struct failure *failure);
/* /dev/bus/usb/001/005 */
void usb_sysfs_node(const struct usb_sysfs_device *device, char *node, size_t node_bytes);

#endif
