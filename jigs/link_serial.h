/* Serial ports by libserialport: opened for link_stream.c, listed for programmer_list.c. */
#ifndef JIGS_LINK_SERIAL_H
#define JIGS_LINK_SERIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reports/failure.h"

struct link_serial;

/* Opens the port, which must be named as the system names it (no links), 8N1 at `baud` without
 * flow control, DTR and RTS on; they stay on when it is closed. `*descriptor` belongs to the port.
 */
int link_serial_open(const char *path, unsigned baud, struct link_serial **serial, int *descriptor,
                     struct failure *failure);
/* NULL is allowed. */
void link_serial_close(struct link_serial *serial);

/* Every serial port of this machine, as the system knows them: none is opened. Sorted by device;
 * the caller frees. */
struct link_serial_found {
    char device[64]; /* "/dev/ttyACM0" */
    bool on_usb;
    uint16_t vendor, product; /* on_usb */
    char description[96];     /* "Arduino Uno"; made fit to be printed */
};
int link_serial_list(struct link_serial_found **found, size_t *count, struct failure *failure);

#endif
