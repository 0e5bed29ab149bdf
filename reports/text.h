/* Text from outside, made fit to be stored, printed and put on a terminal: well-formed UTF-8
 * without control characters. Depends on nothing. */
#ifndef REPORTS_TEXT_H
#define REPORTS_TEXT_H

#include <stddef.h>

/* How many bytes the UTF-8 character at the beginning of `text` has; 0 when there is none: the
 * text is at its end or malformed there (overlong forms and surrogates are malformed). */
size_t text_character_bytes(const char *text);

/* Copies `text` into a field of `field_bytes`, cut at a character's boundary, always terminated.
 * Control characters and malformed bytes become '?'. NULL counts as empty. */
void text_copy(char *field, size_t field_bytes, const char *text);

#endif
