/* Text of records in hex digits: what the readers of Intel HEX and S-records have in common.
 * Private to them. */
#ifndef PROFILES_HEX_TEXT_H
#define PROFILES_HEX_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reports/failure.h"

/* Of Intel HEX: a length of 255, and 5 bytes around the data. */
#define HEX_TEXT_RECORD_MAX 260
#define HEX_TEXT_WHERE_BYTES 160

struct hex_text {
    const char *name; /* of the file, for messages */
    const char *text;
    size_t bytes;
    struct failure *failure;
    size_t at;     /* where the next line begins */
    unsigned line; /* of the record under way, counted from 1 */
    size_t length; /* its characters */
};

/* The next line that is not blank, without its end of line (LF or CRLF); NULL at the end. */
const char *hex_text_next(struct hex_text *text);
/* FAILURE_IMAGE_INVALID: "FILE:LINE: " and the message. */
int hex_text_refuse(const struct hex_text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* "FILE:LINE" of the record under way. */
void hex_text_where(const struct hex_text *text, char where[HEX_TEXT_WHERE_BYTES]);
/* The pairs of digits after the `mark` characters that begin a record of the line. The first pair
 * says how many pairs there are besides `overhead` others; anything else is refused. */
int hex_text_decode(const struct hex_text *text, const char *line, size_t mark, size_t overhead,
                    uint8_t bytes[HEX_TEXT_RECORD_MAX], size_t *count);

#endif
