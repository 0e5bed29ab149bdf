/* Any bytes as an ELF file. Each byte that is taken must stand in the file, none may be taken from
 * elsewhere, and the same file must give the same memories again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/elf_image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int condition)
{
    if (!condition)
        abort();
}

static const struct part part = {.flash.size = 0x2000,
                                 .eeprom.size = 0x200,
                                 .bytes = {{.exists = true}, {.exists = true}, {.exists = true}}};

static struct image_memories *parse(const uint8_t *data, size_t size, struct failure *failure)
{
    struct image_memories *memories = image_memories_create(&part, IMAGE_FLASH);

    check(memories != NULL);
    if (elf_image_parse("fuzz.elf", data, size, memories, failure) == 0)
        return memories;
    image_memories_free(memories);
    return NULL;
}

static void check_image(const struct image *image, const uint8_t *data, size_t size)
{
    struct image_range range = {0};
    uint32_t count = 0;

    for (uint32_t from = 0; image_next_range(image, from, &range); from = range.end) {
        count += range.end - range.start;
        for (uint32_t at = range.start; at < range.end; at++)
            check(memchr(data, image->data[at], size) != NULL);
    }
    check(count == image->count);
    for (uint32_t at = 0; at < image->size; at++)
        check(image->present[at] || image->data[at] == 0xFF);
}

static void check_again(const struct image_memories *memories, const uint8_t *data, size_t size)
{
    struct image_memories *again = parse(data, size, NULL);

    check(again != NULL);
    for (enum image_memory memory = IMAGE_FLASH; memory < IMAGE_MEMORY_COUNT; memory++) {
        const struct image *image = memories->images[memory];

        check_image(image, data, size);
        check(memcmp(image->data, again->images[memory]->data, image->size) == 0);
        check(memcmp(image->present, again->images[memory]->present, image->size) == 0);
    }
    image_memories_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct failure failure = {0};
    struct image_memories *memories = parse(data, size, &failure);

    if (memories)
        check_again(memories, data, size);
    else
        check(failure.code != FAILURE_NONE && strncmp(failure.detail, "fuzz.elf", 8) == 0);
    image_memories_free(memories);
    return 0;
}
