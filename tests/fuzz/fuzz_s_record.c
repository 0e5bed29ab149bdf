/* Any bytes as a file of S-records. What is taken, written out again, must read as the same image;
 * its data records must be as many as a count in it says. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/s_record.h"

#define MEMORY_BYTES 0x20000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int condition)
{
    if (!condition)
        abort();
}

static const struct part part = {.flash.size = MEMORY_BYTES, .eeprom.size = 0x400};

static struct image_memories *parse(const char *name, const void *text, size_t bytes,
                                    struct failure *failure)
{
    struct image_memories *memories = image_memories_create(&part, IMAGE_FLASH);

    check(memories != NULL);
    if (s_record_parse(name, text, bytes, memories, failure) == 0)
        return memories;
    image_memories_free(memories);
    return NULL;
}

static void check_equal(const struct image *a, const struct image *b)
{
    check(a->count == b->count);
    check(memcmp(a->data, b->data, a->size) == 0);
    check(memcmp(a->present, b->present, a->size) == 0);
}

static void check_again(const struct image_memories *memories, enum image_memory memory)
{
    const struct image *image = memories->images[memory];
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    struct image_memories *again;

    check(out != NULL);
    s_record_write(image, image_memory_base(memory), out);
    check(fclose(out) == 0);
    again = parse("again.s19", text, bytes, NULL);
    check(again != NULL);
    check_equal(again->images[memory], image);
    image_memories_free(again);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct failure failure = {0};
    struct image_memories *memories = parse("fuzz.s19", data, size, &failure);

    if (memories) {
        check_again(memories, IMAGE_FLASH);
        check_again(memories, IMAGE_EEPROM);
    } else {
        check(strncmp(failure.detail, "fuzz.s19:", 9) == 0);
    }
    image_memories_free(memories);
    return 0;
}
