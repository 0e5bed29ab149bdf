#include "station/image_diff.h"

#include <inttypes.h>

#define BYTES_SHOWN 16

enum difference { SAME, DIFFERENT, ONLY_A, ONLY_B, DIFFERENCE_COUNT };

struct diff {
    const struct image_diff_side *a, *b;
    enum image_memory memory;
    uint64_t bytes[DIFFERENCE_COUNT];
    bool has_title; /* of the memory */
    FILE *out;
};

static const struct image *image_of(const struct image_diff_side *side, enum image_memory memory)
{
    return side->memories->images[memory];
}

static uint32_t end_of(const struct image *image)
{
    struct image_range range = {0};
    for (uint32_t from = 0; image_next_range(image, from, &range);)
        from = range.end;
    return range.end;
}

static bool is_present(const struct image *image, uint32_t at)
{
    return at < image->size && image->present[at];
}

static enum difference difference_at(const struct image *a, const struct image *b, uint32_t at)
{
    bool in_a = is_present(a, at), in_b = is_present(b, at);
    if (in_a && in_b)
        return a->data[at] == b->data[at] ? SAME : DIFFERENT;
    if (in_a)
        return ONLY_A;
    return in_b ? ONLY_B : SAME;
}

static void print_bytes(const struct image *image, const struct image_range *range, FILE *out)
{
    for (uint32_t at = range->start; at < range->end && at < range->start + BYTES_SHOWN; at++)
        fprintf(out, " %02X", image->data[at]);
    fprintf(out, "%s\n", range->end - range->start > BYTES_SHOWN ? " ..." : "");
}

static void print_only(const struct diff *diff, const struct image_diff_side *side,
                       const struct image_range *range)
{
    const struct image *image = image_of(side, diff->memory);
    uint32_t at = range->start;
    fprintf(diff->out, " only in %s", side->name);
    while (at < range->end && image->data[at] == 0xFF)
        at++;
    if (at == range->end)
        fprintf(diff->out, ", all FF, as erased memory reads");
    fprintf(diff->out, "\n   ");
    print_bytes(image, range, diff->out);
}

static void print_range(struct diff *diff, enum difference what, const struct image_range *range)
{
    uint32_t count = range->end - range->start;
    if (!diff->has_title)
        fprintf(diff->out, "%s:\n", image_memory_name(diff->memory));
    diff->has_title = true;
    fprintf(diff->out, "  0x%05" PRIX32 " to 0x%05" PRIX32 ", %" PRIu32 " byte%s", range->start,
            range->end - 1, count, count == 1 ? "" : "s");
    if (what == ONLY_A) {
        print_only(diff, diff->a, range);
    } else if (what == ONLY_B) {
        print_only(diff, diff->b, range);
    } else {
        fprintf(diff->out, " differ\n    in %s:", diff->a->name);
        print_bytes(image_of(diff->a, diff->memory), range, diff->out);
        fprintf(diff->out, "    in %s:", diff->b->name);
        print_bytes(image_of(diff->b, diff->memory), range, diff->out);
    }
}

static void diff_memory(struct diff *diff)
{
    const struct image *a = image_of(diff->a, diff->memory), *b = image_of(diff->b, diff->memory);
    uint32_t end = end_of(a) > end_of(b) ? end_of(a) : end_of(b);
    struct image_range range = {0};
    for (uint32_t start = 0; start < end; start = range.end) {
        enum difference what = difference_at(a, b, start);
        range.start = start;
        for (range.end = start + 1; range.end < end; range.end++)
            if (difference_at(a, b, range.end) != what)
                break;
        if (what == SAME)
            continue;
        print_range(diff, what, &range);
        diff->bytes[what] += range.end - range.start;
    }
}

bool image_diff_print(const struct image_diff_side *a, const struct image_diff_side *b, FILE *out)
{
    struct diff diff = {.a = a, .b = b, .out = out};
    for (diff.memory = IMAGE_FLASH; diff.memory < IMAGE_MEMORY_COUNT; diff.memory++) {
        diff.has_title = false;
        diff_memory(&diff);
    }
    if (diff.bytes[DIFFERENT] + diff.bytes[ONLY_A] + diff.bytes[ONLY_B] == 0) {
        fprintf(out, "equal\n");
        return true;
    }
    fprintf(out, "%" PRIu64 " bytes differ, %" PRIu64 " only in %s, %" PRIu64 " only in %s\n",
            diff.bytes[DIFFERENT], diff.bytes[ONLY_A], a->name, diff.bytes[ONLY_B], b->name);
    return false;
}
