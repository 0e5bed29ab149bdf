/* Where a programmer is: a physical place, written in a jig file after `at:`. */
#ifndef JIGS_PLACE_H
#define JIGS_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reports/failure.h"

enum place_kind {
    PLACE_NONE,   /* not given: a simulated bench fills it in */
    PLACE_SERIAL, /* serial:/dev/… */
    PLACE_PTY,    /* pty:/dev/pts/… */
    PLACE_TCP     /* tcp:HOST:PORT, a raw serial port server such as ser2net */
};

struct place {
    enum place_kind kind;
    char path[256]; /* device, or host */
    uint16_t port;  /* PLACE_TCP */
};

/* FAILURE_JIG_INVALID with what was expected; the caller adds file and line. */
int place_parse(const char *text, struct place *place, struct failure *failure);
void place_to_text(const struct place *place, char *text, size_t text_bytes);
/* Do both lead to the same device? Links are followed, host names resolved. */
bool place_same(const struct place *a, const struct place *b);

#endif
