/* SHA-256, by nettle. The only file that includes nettle is digest.c. */
#ifndef REPORTS_DIGEST_H
#define REPORTS_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#define DIGEST_BYTES 32
#define DIGEST_TEXT_BYTES 65

struct digest; /* a running hash */

/* Allocates; NULL when out of memory. digest_finish() frees it. */
struct digest *digest_start(void);
void digest_add(struct digest *digest, const void *bytes, size_t count);
/* Adds the length (8 bytes, big endian) and then the bytes, so that fields cannot run together. */
void digest_add_field(struct digest *digest, const void *bytes, size_t count);
void digest_finish(struct digest *digest, uint8_t out[DIGEST_BYTES]);

void digest_of(const void *bytes, size_t count, uint8_t out[DIGEST_BYTES]);
/* Lower-case hex. */
void digest_to_text(const uint8_t digest[DIGEST_BYTES], char text[DIGEST_TEXT_BYTES]);

#endif
