/* Reading the files that people hand us: whole, but never more than a limit, and only regular
 * files, so that neither a huge file nor a pipe can hold the station up. */
#ifndef PROFILES_TEXT_FILE_H
#define PROFILES_TEXT_FILE_H

#include <stddef.h>

#include "reports/failure.h"

/* The file's bytes, with a NUL after them that is not counted. The size is looked at before
 * anything is read. Failures carry `code` and begin with the path. The caller frees `*bytes`. */
int text_file_read(const char *path, size_t bytes_max, enum failure_code code, char **bytes,
                   size_t *count, struct failure *failure);

/* The end of a long path, so that the reason fits into a failure's detail, too. */
const char *text_file_shown_path(const char *path);

#endif
