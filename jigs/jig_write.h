/* The text of a new jig file. */
#ifndef JIGS_JIG_WRITE_H
#define JIGS_JIG_WRITE_H

#include <stddef.h>

#include "jigs/programmer.h"

struct jig_write_site {
    int site;
    const struct programmer_driver *driver;
    struct place place;
    unsigned baud;    /* 0: the driver's default */
    char comment[96]; /* behind it, on its line; "": none */
};

struct jig_write {
    const char *name;    /* of the jig */
    const char *comment; /* lines above, separated by \n */
    const struct jig_write_site *sites;
    size_t count;
};

/* Makes the text, and makes sure that a station which loads it finds just these sites: else
 * FAILURE_JIG_INVALID, or FAILURE_PLACE_TWICE, says where. The caller frees. */
int jig_write_text(const struct jig_write *write, char **text, struct failure *failure);

/* "…" with what YAML wants escaped in it. False when it does not fit. */
bool jig_write_quoted(const char *text, char *quoted, size_t quoted_bytes);
/* A place as a jig file has it: quoted, unless it is only bus and ports. Of this size at most. */
#define JIG_WRITE_PLACE_BYTES 640
void jig_write_place(const struct place *place, char text[JIG_WRITE_PLACE_BYTES]);

#endif
