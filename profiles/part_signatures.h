/* Which parts answer with the same signature. One part's file does not tell, and only the part that
 * a profile names is loaded. */
#ifndef PROFILES_PART_SIGNATURES_H
#define PROFILES_PART_SIGNATURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The names of all that answer so, but for `name`, into `text`: "ATmega88, ATmega88A and ATA6612C".
 * False where there is no other. */
bool part_signatures_others(const uint8_t signature[3], const char *name, char *text,
                            size_t text_bytes);

#endif
