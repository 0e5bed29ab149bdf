/* Any bytes as an Intel HEX file. What is taken, written out again, must read as the same image. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/intel_hex.h"

#define MEMORY_BYTES 0x20000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int condition)
{
    if (!condition)
        abort();
}

static void write_record(FILE *out, uint8_t type, uint32_t address, const uint8_t *bytes,
                         uint8_t count)
{
    unsigned sum = count + (address >> 8 & 0xFF) + (address & 0xFF) + type;

    fprintf(out, ":%02X%04X%02X", count, address & 0xFFFF, type);
    for (uint8_t i = 0; i < count; i++) {
        fprintf(out, "%02X", bytes[i]);
        sum += bytes[i];
    }
    fprintf(out, "%02X\n", -sum & 0xFF);
}

static void write_image(FILE *out, const struct image *image)
{
    struct image_range range = {0};

    for (uint32_t at = 0; image_next_range(image, at, &range); at = range.end) {
        for (uint32_t i = range.start; i < range.end; i++) {
            const uint8_t base[2] = {0, (uint8_t)(i >> 16)};

            write_record(out, 4, 0, base, sizeof(base));
            write_record(out, 0, i, image->data + i, 1);
        }
    }
    write_record(out, 1, 0, NULL, 0);
}

static const struct part part = {.flash.size = MEMORY_BYTES};

static struct image_memories *parse(const char *name, const void *text, size_t bytes,
                                    struct failure *failure)
{
    struct image_memories *memories = image_memories_create(&part, IMAGE_FLASH);

    check(memories != NULL);
    if (intel_hex_parse(name, text, bytes, memories, failure) == 0)
        return memories;
    image_memories_free(memories);
    return NULL;
}

static void check_equal(const struct image *a, const struct image *b)
{
    check(a->count == b->count);
    check(memcmp(a->data, b->data, MEMORY_BYTES) == 0);
    check(memcmp(a->present, b->present, MEMORY_BYTES) == 0);
}

/* Once as this file writes it, once as the station does. */
static void check_again(const struct image *image, bool station)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    struct image_memories *again;

    check(out != NULL);
    if (station)
        intel_hex_write(image, 0, out);
    else
        write_image(out, image);
    check(fclose(out) == 0);
    again = parse("again.hex", text, bytes, NULL);
    check(again != NULL);
    check_equal(again->images[IMAGE_FLASH], image);
    image_memories_free(again);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct failure failure = {0};
    struct image_memories *memories = parse("fuzz.hex", data, size, &failure);

    if (memories) {
        check_again(memories->images[IMAGE_FLASH], false);
        check_again(memories->images[IMAGE_FLASH], true);
    } else {
        check(strncmp(failure.detail, "fuzz.hex:", 9) == 0);
    }
    image_memories_free(memories);
    return 0;
}
