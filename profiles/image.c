#include "profiles/image.h"

#include <stdlib.h>
#include <string.h>

#define BLANK 0xFF

struct image *image_create(uint32_t size)
{
    struct image *image = calloc(1, sizeof(*image));

    if (!image)
        return NULL;
    image->size = size;
    image->data = malloc(size ? size : 1);
    image->present = calloc(size ? size : 1, 1);
    if (!image->data || !image->present) {
        image_free(image);
        return NULL;
    }
    memset(image->data, BLANK, size);
    return image;
}

void image_free(struct image *image)
{
    if (!image)
        return;
    free(image->data);
    free(image->present);
    free(image);
}

int image_put(struct image *image, uint32_t address, const uint8_t *bytes, size_t count,
              const char *where, struct failure *failure)
{
    if (count == 0)
        return 0;
    if (address > image->size || count > image->size - address)
        return failure_set(failure, FAILURE_IMAGE_OUT_OF_RANGE,
                           "%s: bytes 0x%04llX to 0x%04llX, expected below 0x%04X, where the "
                           "memory ends",
                           where, (unsigned long long)address,
                           (unsigned long long)address + count - 1, image->size);
    for (size_t i = 0; i < count; i++)
        if (image->present[address + i])
            return failure_set(failure, FAILURE_IMAGE_OVERLAP,
                               "%s: the byte at 0x%04X was given before", where,
                               (unsigned)(address + i));
    for (size_t i = 0; i < count; i++) {
        image->data[address + i] = bytes[i];
        image->present[address + i] = 1;
    }
    image->count += (uint32_t)count;
    return 0;
}

/* Where the next flag of this value stands, from `from` on; the memory's size when there is none.
 */
static uint32_t find_flag(const struct image *image, uint32_t from, int value)
{
    const uint8_t *at =
        from < image->size ? memchr(image->present + from, value, image->size - from) : NULL;

    return at ? (uint32_t)(at - image->present) : image->size;
}

/* The first run of addresses that both images give. */
static bool find_overlap(const struct image *a, const struct image *b, struct image_range *range)
{
    uint32_t size = a->size < b->size ? a->size : b->size;
    uint32_t start = 0, end;

    while (start < size && !(a->present[start] && b->present[start]))
        start++;
    for (end = start; end < size && a->present[end] && b->present[end];)
        end++;
    range->start = start;
    range->end = end;
    return start < end;
}

int image_compose(struct image *image, const struct image *addition, const char *image_name,
                  const char *addition_name, struct failure *failure)
{
    struct image_range range = {0};

    if (addition->size > image->size)
        return failure_set(failure, FAILURE_IMAGE_OUT_OF_RANGE,
                           "%s is for a memory of %u bytes, expected at most %u", addition_name,
                           addition->size, image->size);
    if (find_overlap(image, addition, &range))
        return failure_set(failure, FAILURE_IMAGE_OVERLAP,
                           "%s and %s both give the bytes 0x%04X to 0x%04X", image_name,
                           addition_name, range.start, range.end - 1);
    for (uint32_t i = 0; i < addition->size; i++) {
        if (!addition->present[i])
            continue;
        image->data[i] = addition->data[i];
        image->present[i] = 1;
    }
    image->count += addition->count;
    return 0;
}

bool image_next_range(const struct image *image, uint32_t from, struct image_range *range)
{
    uint32_t start = find_flag(image, from, 1);

    if (start >= image->size)
        return false;
    range->start = start;
    range->end = find_flag(image, start, 0);
    return true;
}

static bool page_is_wanted(const struct image *image, uint32_t start, uint32_t end, bool skip_blank)
{
    for (uint32_t i = start; i < end; i++)
        if (image->present[i] && (!skip_blank || image->data[i] != BLANK))
            return true;
    return false;
}

static uint32_t page_end(const struct image *image, uint32_t start, uint32_t page_size)
{
    return image->size - start < page_size ? image->size : start + page_size;
}

bool image_next_page_run(const struct image *image, uint32_t from, uint32_t page_size,
                         bool skip_blank, struct image_range *range)
{
    uint32_t start, end;

    if (page_size == 0)
        return false;
    /* A page that begins before `from` was the caller's already. */
    start = from / page_size * page_size;
    if (start < from)
        start += page_size;
    while (start < image->size &&
           !page_is_wanted(image, start, page_end(image, start, page_size), skip_blank))
        start = page_end(image, start, page_size);
    if (start >= image->size)
        return false;
    end = start;
    while (end < image->size &&
           page_is_wanted(image, end, page_end(image, end, page_size), skip_blank))
        end = page_end(image, end, page_size);
    range->start = start;
    range->end = end;
    return true;
}

static void add_number(struct digest *digest, uint32_t value)
{
    uint8_t bytes[4];

    for (int i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(value >> (24 - 8 * i));
    digest_add(digest, bytes, sizeof(bytes));
}

static void add_image(struct digest *digest, const struct image *image)
{
    struct image_range range = {0};

    add_number(digest, image->size);
    for (uint32_t at = 0; image_next_range(image, at, &range); at = range.end) {
        add_number(digest, range.start);
        add_number(digest, range.end - range.start);
        digest_add(digest, image->data + range.start, range.end - range.start);
    }
}

void image_digest(const struct image *flash, const struct image *eeprom,
                  char text[DIGEST_TEXT_BYTES])
{
    struct digest *digest = digest_start();
    uint8_t sum[DIGEST_BYTES];

    text[0] = '\0';
    if (!digest)
        return;
    add_image(digest, flash);
    if (eeprom)
        add_image(digest, eeprom);
    digest_finish(digest, sum);
    digest_to_text(sum, text);
}
