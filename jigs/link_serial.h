/* Serial ports by libserialport, for link_stream.c alone. */
#ifndef JIGS_LINK_SERIAL_H
#define JIGS_LINK_SERIAL_H

#include "reports/failure.h"

struct link_serial;

/* Opens the port, which must be named as the system names it (no links), 8N1 at `baud` without
 * flow control, DTR and RTS on. `*descriptor` belongs to the port. */
int link_serial_open(const char *path, unsigned baud, struct link_serial **serial, int *descriptor,
                     struct failure *failure);
/* NULL is allowed. */
void link_serial_close(struct link_serial *serial);

#endif
