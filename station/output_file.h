/* A file that a command writes: it appears, or is replaced, only when it is complete and on disk.
 */
#ifndef STATION_OUTPUT_FILE_H
#define STATION_OUTPUT_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "reports/failure.h"

struct output_file {
    const char *path;
    bool replace;    /* a file of that name; it keeps its permissions */
    char *temporary; /* beside it; NULL: there is none (any more) */
};

/* Writes the bytes into a file beside `path` and waits until they are on disk. Failures here and
 * below are FAILURE_USAGE. */
int output_file_stage(struct output_file *file, const void *bytes, size_t count,
                      struct failure *failure);
/* Gives it its name. Unless `replace`, a file of that name that came meanwhile stays. */
int output_file_commit(struct output_file *file, struct failure *failure);
/* Takes back what was not committed. */
void output_file_discard(struct output_file *file);

/* All three. */
int output_file_write(const char *path, bool replace, const void *bytes, size_t count,
                      struct failure *failure);

#endif
