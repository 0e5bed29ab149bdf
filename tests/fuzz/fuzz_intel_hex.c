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

static void check_again(const struct image *image)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    struct image *again = NULL;

    check(out != NULL);
    write_image(out, image);
    check(fclose(out) == 0);
    check(intel_hex_parse("again.hex", text, bytes, MEMORY_BYTES, &again, NULL) == 0);
    check(again->count == image->count);
    check(memcmp(again->data, image->data, MEMORY_BYTES) == 0);
    check(memcmp(again->present, image->present, MEMORY_BYTES) == 0);
    image_free(again);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct image *image = NULL;
    struct failure failure = {0};

    if (intel_hex_parse("fuzz.hex", (const char *)data, size, MEMORY_BYTES, &image, &failure) ==
        0) {
        check_again(image);
    } else {
        check(image == NULL && strncmp(failure.detail, "fuzz.hex:", 9) == 0);
    }
    image_free(image);
    return 0;
}
