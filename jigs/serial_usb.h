/* What the kernel tells in sysfs about serial ports on USB: which one belongs to the device at a
 * port, and the other way round. CDC boards and others with a driver for USB's own class are
 * ttyACM, adapters are ttyUSB; both are numbered as they come. */
#ifndef JIGS_SERIAL_USB_H
#define JIGS_SERIAL_USB_H

#include <stdbool.h>
#include <stddef.h>

#include "reports/failure.h"

#define SERIAL_USB_TTY_ROOT "/sys/class/tty"
#define SERIAL_USB_ADAPTER_ROOT "/sys/bus/usb-serial/devices"

/* The serial port, "/dev/ttyACM0", of the device at `port`: "1-1.4.2", or with configuration and
 * interface "1-1.4.2:1.0" for a device with several. `usb_root` is USB_SYSFS_ROOT, or a test's.
 * FAILURE_PLACE_MISSING: nothing is plugged in there, or it has no serial port;
 * FAILURE_PLACE_TWICE: it has several. */
int serial_usb_find(const char *usb_root, const char *port, char *device, size_t device_bytes,
                    struct failure *failure);
/* Where the serial port "/dev/ttyACM0" is plugged in, as serial_usb_find() takes it: with the
 * interface if the device has several. False, and "", when it is not on USB. */
bool serial_usb_port(const char *tty_root, const char *usb_root, const char *device, char *port,
                     size_t port_bytes);
/* FTDI's adapters hold bytes back for 16 ms, in the hope for more, unless they are told 1 ms. Only
 * root may tell, and the udev rules do: false when it stays as it is. */
bool serial_usb_hurry(const char *adapter_root, const char *device);

#endif
