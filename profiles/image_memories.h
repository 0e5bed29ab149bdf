/* All that one image file may hold: flash, EEPROM, fuses, lock bits, signature. The toolchain tells
 * them apart by address, in ELF and in whatever is converted from it; the readers of all formats
 * put their bytes here, so that a file means the same in each format. */
#ifndef PROFILES_IMAGE_MEMORIES_H
#define PROFILES_IMAGE_MEMORIES_H

#include "profiles/image.h"
#include "profiles/part.h"

enum image_memory {
    IMAGE_FLASH,
    IMAGE_EEPROM,
    IMAGE_FUSES, /* low (or the only one), high, extended */
    IMAGE_LOCK,
    IMAGE_SIGNATURE, /* as in the file, the last byte first: image_memories_signature() */
    IMAGE_MEMORY_COUNT
};

struct image_memories {
    struct image *images[IMAGE_MEMORY_COUNT]; /* never NULL; of size 0 where the part has none */
    /* Whose addresses those below 0x800000 are: the flash's, or, in a file that is named as an
     * EEPROM's contents, the EEPROM's. */
    enum image_memory plain;
    bool has_start; /* where the program starts: told, never needed */
    uint32_t start;
};

/* As large as the memories of `part`, or, when it is NULL, as any part's may be. NULL when out of
 * memory. */
struct image_memories *image_memories_create(const struct part *part, enum image_memory plain);
void image_memories_free(struct image_memories *memories);

/* Puts bytes at an address of the toolchain's address space. Besides image_put()'s failures,
 * FAILURE_IMAGE_OUT_OF_RANGE for addresses at which an AVR has nothing that can be programmed. */
int image_memories_put(struct image_memories *memories, uint32_t address, const uint8_t *bytes,
                       size_t count, const char *where, struct failure *failure);

/* "flash", "EEPROM", "fuses", "lock bits", "signature". */
const char *image_memory_name(enum image_memory memory);
/* The address that stands for the first byte of the memory. */
uint32_t image_memory_base(enum image_memory memory);
/* The signature as a part answers it, if the file gives all of it. */
bool image_memories_signature(const struct image_memories *memories, uint8_t signature[3]);

#endif
