/* The contents of one memory with holes: which bytes are to be written and what. Images of files
 * are composed into one; two that claim the same address are refused. */
#ifndef PROFILES_IMAGE_H
#define PROFILES_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reports/digest.h"
#include "reports/failure.h"

struct image {
    uint32_t size;    /* of the memory, bytes */
    uint8_t *data;    /* size bytes, FF where not present */
    uint8_t *present; /* size flags */
    uint32_t count;   /* bytes present */
};

struct image_range {
    uint32_t start;
    uint32_t end; /* one past the last byte */
};

/* NULL when out of memory. */
struct image *image_create(uint32_t size);
void image_free(struct image *image);

/* Puts bytes at `address`. FAILURE_IMAGE_OUT_OF_RANGE or FAILURE_IMAGE_OVERLAP; `where` (for
 * example "app.hex:12") opens the message. Nothing is changed on failure. */
int image_put(struct image *image, uint32_t address, const uint8_t *bytes, size_t count,
              const char *where, struct failure *failure);
/* Adds all of `addition`; the message of an overlap names both and the addresses. */
int image_compose(struct image *image, const struct image *addition, const char *image_name,
                  const char *addition_name, struct failure *failure);

/* The next run of present bytes at or after `from`; false when there is none. */
bool image_next_range(const struct image *image, uint32_t from, struct image_range *range);
/* The next run of whole pages that hold a present byte which is not FF (`skip_blank`), or any
 * present byte. For writing after an erase, blank pages may be skipped. */
bool image_next_page_run(const struct image *image, uint32_t from, uint32_t page_size,
                         bool skip_blank, struct image_range *range);
/* SHA-256 over what is present in a flash and, unless it is NULL, in an EEPROM: for each of the two
 * the size of the memory, then for each run of present bytes its start, its length and the bytes.
 * Numbers are 4 bytes, big endian. */
void image_digest(const struct image *flash, const struct image *eeprom,
                  char text[DIGEST_TEXT_BYTES]);

#endif
