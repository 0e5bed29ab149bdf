/* Motorola S-records: S0 to S3 and S5 to S9, addresses of 16, 24 and 32 bits mixed at will, in any
 * order, upper or lower case digits, LF or CRLF. Source of the format: Motorola, "M68000 Family
 * Programmer's Reference Manual", appendix C. */
#ifndef PROFILES_S_RECORD_H
#define PROFILES_S_RECORD_H

#include <stdio.h>

#include "profiles/image_memories.h"

/* Adds what the text holds to `memories`. Refused, naming NAME:LINE (the record): anything that is
 * no record, bad checksum or length, S4, a header after data, a count that is not the number of
 * data records, no or not last end record, overlap, an address beyond the memory. After a failure
 * `memories` may hold a part of it. */
int s_record_parse(const char *name, const char *text, size_t bytes,
                   struct image_memories *memories, struct failure *failure);
/* Writes what is present, ascending, from `base` on, in records of 16 bytes with the shortest
 * addresses that do for all. The same image gives the same bytes. Errors stay with `out`. */
void s_record_write(const struct image *image, uint32_t base, FILE *out);

#endif
