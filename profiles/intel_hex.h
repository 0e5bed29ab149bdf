/* Intel HEX: record types 00 to 05, in any order, upper or lower case, LF or CRLF. Source of the
 * format: Intel, "Hexadecimal Object File Format Specification", revision A, 1988. */
#ifndef PROFILES_INTEL_HEX_H
#define PROFILES_INTEL_HEX_H

#include <stdio.h>

#include "profiles/image_memories.h"

/* Adds what the text holds to `memories`. Refused, naming NAME:LINE (the record): anything that is
 * no record, bad checksum or length, unknown type, no or not last end record, overlap, an address
 * beyond the memory. After a failure `memories` may hold a part of it. */
int intel_hex_parse(const char *name, const char *text, size_t bytes,
                    struct image_memories *memories, struct failure *failure);
/* Writes what is present, ascending, from `base` on, in records of 16 bytes. The same image gives
 * the same bytes. Errors stay with `out`. */
void intel_hex_write(const struct image *image, uint32_t base, FILE *out);

#endif
