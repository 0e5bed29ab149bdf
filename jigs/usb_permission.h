/* What to do when this user may not open a USB device: which udev rules to install, and how. */
#ifndef JIGS_USB_PERMISSION_H
#define JIGS_USB_PERMISSION_H

#include <stdbool.h>

#include "jigs/usb_sysfs.h"

#define USB_PERMISSION_RULES "60-gangflash.rules"
/* Where udev looks for rules (udev(7)), separated by colons. */
#define USB_PERMISSION_DIRECTORIES                                                                 \
    "/etc/udev/rules.d:/run/udev/rules.d:/usr/local/lib/udev/rules.d:/usr/lib/udev/rules.d:"       \
    "/lib/udev/rules.d"

/* Records FAILURE_PLACE_DENIED for `device` and returns -1. `directories` is
 * USB_PERMISSION_DIRECTORIES, or what a test looks at instead. */
int usb_permission_fail(const struct usb_sysfs_device *device, const char *directories,
                        struct failure *failure);

#endif
