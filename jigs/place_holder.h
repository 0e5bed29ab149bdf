/* Who else has a device open. Linux only: looks through /proc. */
#ifndef JIGS_PLACE_HOLDER_H
#define JIGS_PLACE_HOLDER_H

#include <stdbool.h>
#include <stddef.h>

/* Looks for another process that has `device` (a path without links) open and describes it:
 * "process 812 (minicom)". The process at the master end of a pseudo terminal does not count: it is
 * the programmer. False when there is none, or none that this user may look into. */
bool place_holder_find(const char *device, char *text, size_t text_bytes);

#endif
