#include "profiles/image_memories.h"

#include <stdio.h>
#include <stdlib.h>

#define WHERE_BYTES 200
#define SIGNATURE_BYTES 3

/* The address space of avr-gcc's programs: GNU binutils, ld/scripttempl/avr.sc. `most` is what a
 * memory may have when the part is not known; of fuses, more than ISP parts have. */
static const struct {
    const char *name;
    uint32_t base;
    uint32_t most;
} spaces[IMAGE_MEMORY_COUNT] = {
    [IMAGE_FLASH] = {"flash", 0x000000, 0x800000},
    [IMAGE_EEPROM] = {"EEPROM", 0x810000, 0x10000},
    [IMAGE_FUSES] = {"fuses", 0x820000, 16},
    [IMAGE_LOCK] = {"lock bits", 0x830000, 1},
    [IMAGE_SIGNATURE] = {"signature", 0x840000, SIGNATURE_BYTES},
};
#define RAM_BASE 0x800000U
#define USER_ROW_BASE 0x850000U
#define SPACE_BYTES 0x10000U /* of each space but the flash's */

static uint32_t count_fuses(const struct part *part)
{
    uint32_t count = 0;

    for (enum part_memory memory = PART_FIRST_FUSE; memory < PART_LOCK; memory++)
        count += part_byte(part, memory) != NULL;
    return count;
}

static uint32_t size_of(const struct part *part, enum image_memory memory)
{
    if (!part)
        return spaces[memory].most;
    switch (memory) {
    case IMAGE_FLASH:
        return part->flash.size;
    case IMAGE_EEPROM:
        return part->eeprom.size;
    case IMAGE_FUSES:
        return count_fuses(part);
    case IMAGE_LOCK:
        return part_byte(part, PART_LOCK) != NULL;
    default:
        return SIGNATURE_BYTES;
    }
}

struct image_memories *image_memories_create(const struct part *part, enum image_memory plain)
{
    struct image_memories *memories = calloc(1, sizeof(*memories));

    if (!memories)
        return NULL;
    memories->plain = plain;
    for (enum image_memory memory = IMAGE_FLASH; memory < IMAGE_MEMORY_COUNT; memory++) {
        memories->images[memory] = image_create(size_of(part, memory));
        if (!memories->images[memory]) {
            image_memories_free(memories);
            return NULL;
        }
    }
    return memories;
}

void image_memories_free(struct image_memories *memories)
{
    if (!memories)
        return;
    for (enum image_memory memory = IMAGE_FLASH; memory < IMAGE_MEMORY_COUNT; memory++)
        image_free(memories->images[memory]);
    free(memories);
}

static enum image_memory memory_at(const struct image_memories *memories, uint32_t address)
{
    if (address < RAM_BASE)
        return memories->plain;
    for (enum image_memory memory = IMAGE_EEPROM; memory < IMAGE_MEMORY_COUNT; memory++)
        if (address >= spaces[memory].base && address - spaces[memory].base < SPACE_BYTES)
            return memory;
    return IMAGE_MEMORY_COUNT;
}

static int refuse_address(uint32_t address, size_t count, const char *where,
                          struct failure *failure)
{
    const char *what = "no memory of an AVR is there";

    if (address < RAM_BASE + SPACE_BYTES)
        what = "that is RAM, which cannot be programmed";
    else if (address >= USER_ROW_BASE && address < USER_ROW_BASE + SPACE_BYTES)
        what = "that is the user row, which parts with ISP do not have";
    return failure_set(failure, FAILURE_IMAGE_OUT_OF_RANGE, "%s: bytes 0x%06llX to 0x%06llX: %s",
                       where, (unsigned long long)address, (unsigned long long)address + count - 1,
                       what);
}

int image_memories_put(struct image_memories *memories, uint32_t address, const uint8_t *bytes,
                       size_t count, const char *where, struct failure *failure)
{
    enum image_memory memory = memory_at(memories, address);
    char place[WHERE_BYTES];

    if (count == 0)
        return 0;
    if (memory == IMAGE_MEMORY_COUNT)
        return refuse_address(address, count, where, failure);
    if (memory == memories->plain && address < RAM_BASE)
        return image_put(memories->images[memory], address, bytes, count, where, failure);
    if (memories->images[memory]->size == 0)
        return failure_set(failure, FAILURE_IMAGE_OUT_OF_RANGE,
                           "%s: found bytes for the %s, but the part has none", where,
                           spaces[memory].name);
    snprintf(place, sizeof(place), "%s, %s", where, spaces[memory].name);
    return image_put(memories->images[memory], address - spaces[memory].base, bytes, count, place,
                     failure);
}

const char *image_memory_name(enum image_memory memory)
{
    return spaces[memory].name;
}

uint32_t image_memory_base(enum image_memory memory)
{
    return spaces[memory].base;
}

bool image_memories_signature(const struct image_memories *memories, uint8_t signature[3])
{
    const struct image *image = memories->images[IMAGE_SIGNATURE];

    if (image->count != SIGNATURE_BYTES)
        return false;
    for (int i = 0; i < SIGNATURE_BYTES; i++)
        signature[i] = image->data[SIGNATURE_BYTES - 1 - i]; /* avr-libc, avr/signature.h */
    return true;
}
