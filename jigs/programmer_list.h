/* The programmers that are plugged into this machine, and what may be one. Nothing is opened: what
 * answers there, only programmer_claim() finds out. */
#ifndef JIGS_PROGRAMMER_LIST_H
#define JIGS_PROGRAMMER_LIST_H

#include "jigs/link_serial.h"
#include "jigs/link_usb.h"
#include "jigs/programmer.h"

struct programmer_found {
    const struct programmer_driver *driver; /* the one that would claim it */
    struct place place;                     /* as a jig file names it */
    unsigned baud;                          /* 0: the driver's default */
    bool by_id;   /* its USB ids are the driver's; else a serial port, where anything may be */
    bool on_usb;  /* vendor and product are known */
    bool lasting; /* the place stays the same when the machine starts again */
    bool denied;  /* this user may not open it */
    uint16_t vendor, product;
    char description[168]; /* what the device calls itself; "" when it does not */
};

/* USB devices by their drivers' usb_ids, then serial ports; each in order of places. The caller
 * frees. */
int programmer_list(struct programmer_found **found, size_t *count, struct failure *failure);

/* The same of lists that are given, for tests; `by_path` is SERIAL_PATH_DIRECTORY, the roots are
 * USB_SYSFS_ROOT and SERIAL_USB_TTY_ROOT, or a test's. */
struct programmer_list_input {
    const struct link_usb_found *usb;
    size_t usb_count;
    const struct link_serial_found *serial;
    size_t serial_count;
    const char *by_path, *usb_root, *tty_root;
};
int programmer_list_of(const struct programmer_list_input *input, struct programmer_found **found,
                       size_t *count, struct failure *failure);

/* What its driver says that it can do: "SCK 125 kHz" or "SCK 500 Hz to 1.5 MHz, flash up to 64
 * KiB".
 */
void programmer_abilities_to_text(const struct programmer_driver *driver, char *text,
                                  size_t text_bytes);
/* "125 kHz", "1.5 MHz" */
void programmer_frequency_to_text(int64_t hz, char *text, size_t text_bytes);

#endif
