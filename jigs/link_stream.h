/* The stream link: bytes to and from a programmer over a serial port, a pseudo terminal or a TCP
 * serial server. One implementation of reading and writing, on a descriptor, with deadlines; three
 * ways to get one. Serial ports are opened by libserialport (link_serial.c alone includes it). */
#ifndef JIGS_LINK_STREAM_H
#define JIGS_LINK_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "jigs/operation.h"
#include "jigs/place.h"

struct link_stream;

/* Locks the place and opens it: raw mode, 8N1 at `baud`, DTR and RTS on, which they stay when it is
 * closed. A place on USB is looked up each time. FAILURE_PLACE_MISSING, _BUSY (another process
 * holds it: the message names the process where the system tells; its settings are not touched),
 * _DENIED; FAILURE_JIG_INVALID for 1200 baud on a CDC device, which starts the bootloader of many a
 * board; FAILURE_PROGRAMMER_GONE when a TCP server refuses. */
int link_stream_open(const struct place *place, unsigned baud, const struct operation *operation,
                     struct link_stream **stream, struct failure *failure);
/* NULL is allowed. */
void link_stream_close(struct link_stream *stream);

/* Writes all bytes. FAILURE_PROGRAMMER_GONE when the device vanished, FAILURE_PROGRAMMER_SILENT
 * when it takes no bytes until the deadline. */
int link_stream_write(struct link_stream *stream, const uint8_t *bytes, size_t count,
                      const struct operation *operation, struct failure *failure);
/* Reads exactly `count` bytes, each wait between bytes at most `silence_us`. Wakes seldom: when
 * many bytes are still to come at the known baud rate it sleeps until several have arrived.
 * `*received` (may be NULL) tells how many came before a failure: FAILURE_PROGRAMMER_SILENT,
 * FAILURE_PROGRAMMER_GONE, FAILURE_INTERRUPTED, FAILURE_DEADLINE. */
int link_stream_read(struct link_stream *stream, uint8_t *bytes, size_t count, int64_t silence_us,
                     const struct operation *operation, size_t *received, struct failure *failure);
/* Throws away what arrives until nothing came for `quiet_us`. Gives up after `limit_us` when as
 * much has arrived as the line carries in that time; what trickles is followed until the deadline.
 */
int link_stream_drain(struct link_stream *stream, int64_t quiet_us, int64_t limit_us,
                      const struct operation *operation, struct failure *failure);

#endif
