/* Intel HEX: record types 00 to 05, in any order, upper or lower case, LF or CRLF. Source of the
 * format: Intel, "Hexadecimal Object File Format Specification", revision A, 1988. */
#ifndef PROFILES_INTEL_HEX_H
#define PROFILES_INTEL_HEX_H

#include "profiles/image.h"

#define INTEL_HEX_BYTES_MAX (16 * 1024 * 1024)

/* Reads the file into a new image of `memory_size` bytes. Refused, naming FILE:LINE (the record):
 * anything that is no record, bad checksum or length, unknown type, no or not last end record,
 * overlap, an address beyond the memory. `sha256` receives the digest of the file's bytes.
 * The caller frees the image. */
int intel_hex_load(const char *path, uint32_t memory_size, struct image **image,
                   char sha256[DIGEST_TEXT_BYTES], struct failure *failure);
/* The same from memory; `name` stands in the messages. */
int intel_hex_parse(const char *name, const char *text, size_t bytes, uint32_t memory_size,
                    struct image **image, struct failure *failure);

#endif
