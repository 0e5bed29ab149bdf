/* One production image joined from several files. */
#ifndef STATION_IMAGE_COMPOSE_H
#define STATION_IMAGE_COMPOSE_H

#include <stdbool.h>
#include <stddef.h>

#include "profiles/image_file.h"

struct image_compose_input {
    const char *path;
    const struct image_file *file;
};

struct image_compose_output {
    const char *path;
    enum image_format format; /* HEX, SREC or BIN */
    enum image_memory memory; /* FLASH or EEPROM */
    bool is_memory_named;     /* else it is the flash, since nothing was said */
    bool replace;             /* a file of that name */
};

/* Joins the memory's bytes of all inputs and writes them, all or nothing: the file appears, or is
 * replaced, only when it is complete and on disk. Refused: bytes that two inputs give, an output
 * that is an input or, unless `replace`, exists, and, when no memory was named, EEPROM bytes in an
 * input. The same inputs, in whatever order, give the same bytes. Prints what was written to
 * `stdout`, and what of the inputs was left out. */
int image_compose_files(const struct image_compose_input inputs[], size_t count,
                        const struct image_compose_output *output, struct failure *failure);

#endif
