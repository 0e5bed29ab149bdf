#include "profiles/intel_hex.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/text_file.h"

/* Record layout, from the specification named in the header: ':', then in pairs of hex digits the
 * number of data bytes, a 16-bit offset, the type, the data, and a sum that makes all bytes 0. */
enum record_type {
    RECORD_DATA = 0,
    RECORD_END = 1,
    RECORD_SEGMENT_BASE = 2,
    RECORD_SEGMENT_START = 3,
    RECORD_LINEAR_BASE = 4,
    RECORD_LINEAR_START = 5,
    RECORD_TYPE_COUNT
};

#define RECORD_OVERHEAD 5 /* bytes of a record besides its data */
#define RECORD_DATA_MAX 255
#define WHERE_BYTES 160

struct record {
    uint8_t count;
    uint16_t offset;
    uint8_t type;
    uint8_t data[RECORD_DATA_MAX];
};

struct reader {
    const char *name;
    unsigned line;
    uint32_t base;
    bool segmented; /* offsets wrap within 64 KiB; the specification's state at the start */
    bool ended;
    struct image *image;
    struct failure *failure;
};

static int refuse(struct reader *reader, const char *text)
{
    return failure_set(reader->failure, FAILURE_IMAGE_INVALID, "%s:%u: %s",
                       text_file_shown_path(reader->name), reader->line, text);
}

static int digit_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    return -1;
}

/* Checks that a line is ':' and pairs of digits, as many as its first pair calls for. */
static int check_shape(struct reader *reader, const char *line, size_t length)
{
    char text[120];
    size_t expected;

    if (line[0] != ':')
        return refuse(reader, "found a line that does not begin with ':', expected a record");
    for (size_t i = 1; i < length; i++) {
        if (digit_value(line[i]) >= 0)
            continue;
        snprintf(text, sizeof(text), "found a character that is no hex digit at column %zu", i + 1);
        return refuse(reader, text);
    }
    if (length < 3)
        return refuse(reader, "the record is cut off, expected its length");
    expected = 1 + 2 * (size_t)(RECORD_OVERHEAD + digit_value(line[1]) * 16 + digit_value(line[2]));
    if (length == expected)
        return 0;
    snprintf(text, sizeof(text), "the record is %s: %zu characters, its length byte calls for %zu",
             length < expected ? "cut off" : "too long", length, expected);
    return refuse(reader, text);
}

static int decode_record(struct reader *reader, const char *line, size_t length,
                         struct record *record)
{
    uint8_t bytes[RECORD_OVERHEAD + RECORD_DATA_MAX] = {0};
    size_t count = (length - 1) / 2;
    uint8_t sum = 0;

    for (size_t i = 0; i < count; i++) {
        bytes[i] = (uint8_t)(digit_value(line[1 + 2 * i]) * 16 + digit_value(line[2 + 2 * i]));
        sum = (uint8_t)(sum + bytes[i]);
    }
    if (sum != 0) {
        char text[80];

        snprintf(text, sizeof(text), "bad checksum: found %02X, expected %02X", bytes[count - 1],
                 (uint8_t)(bytes[count - 1] - sum));
        return refuse(reader, text);
    }
    record->count = bytes[0];
    record->offset = (uint16_t)(bytes[1] << 8 | bytes[2]);
    record->type = bytes[3];
    memcpy(record->data, bytes + 4, record->count);
    return 0;
}

static int put_data(struct reader *reader, const struct record *record)
{
    char where[WHERE_BYTES];
    uint32_t room = 0x10000U - record->offset;
    size_t first = record->count;

    snprintf(where, sizeof(where), "%s:%u", text_file_shown_path(reader->name), reader->line);
    if (reader->segmented && first > room)
        first = room;
    if ((uint64_t)reader->base + record->offset + first > UINT32_MAX)
        return failure_set(reader->failure, FAILURE_IMAGE_OUT_OF_RANGE,
                           "%s: the bytes reach beyond 32-bit addresses", where);
    if (image_put(reader->image, reader->base + record->offset, record->data, first, where,
                  reader->failure) != 0)
        return -1;
    if (first == record->count)
        return 0;
    return image_put(reader->image, reader->base, record->data + first, record->count - first,
                     where, reader->failure);
}

static int apply_record(struct reader *reader, const struct record *record)
{
    /* Data bytes that each type has; -1: any number. */
    static const int counts[RECORD_TYPE_COUNT] = {-1, 0, 2, 4, 2, 4};
    char text[80];

    if (record->type >= RECORD_TYPE_COUNT) {
        snprintf(text, sizeof(text), "unknown record type %02X, expected 00 to 05", record->type);
        return refuse(reader, text);
    }
    if (counts[record->type] >= 0 && record->count != counts[record->type]) {
        snprintf(text, sizeof(text), "a record of type %02X with %u data bytes, expected %d",
                 record->type, record->count, counts[record->type]);
        return refuse(reader, text);
    }
    switch (record->type) {
    case RECORD_DATA:
        return put_data(reader, record);
    case RECORD_END:
        reader->ended = true;
        return 0;
    case RECORD_SEGMENT_BASE:
        reader->base = (uint32_t)(record->data[0] << 8 | record->data[1]) << 4;
        reader->segmented = true;
        return 0;
    case RECORD_LINEAR_BASE:
        reader->base = (uint32_t)(record->data[0] << 8 | record->data[1]) << 16;
        reader->segmented = false;
        return 0;
    default: /* where an 80x86 would start: nothing to an AVR */
        return 0;
    }
}

static int read_line(struct reader *reader, const char *line, size_t length)
{
    struct record record = {0};

    if (length > 0 && line[length - 1] == '\r')
        length--;
    if (length == 0)
        return 0;
    if (reader->ended)
        return refuse(reader, "found more after the end record");
    if (check_shape(reader, line, length) != 0 || decode_record(reader, line, length, &record) != 0)
        return -1;
    return apply_record(reader, &record);
}

static int read_lines(struct reader *reader, const char *text, size_t bytes)
{
    size_t at = 0;

    while (at < bytes) {
        const char *newline = memchr(text + at, '\n', bytes - at);
        size_t length = newline ? (size_t)(newline - (text + at)) : bytes - at;

        reader->line++;
        if (read_line(reader, text + at, length) != 0)
            return -1;
        at += length + (newline != NULL);
    }
    if (reader->ended)
        return 0;
    reader->line += reader->line == 0;
    return refuse(reader, "the file ends here without an end record (:00000001FF)");
}

int intel_hex_parse(const char *name, const char *text, size_t bytes, uint32_t memory_size,
                    struct image **image, struct failure *failure)
{
    struct reader reader = {.name = name, .segmented = true, .failure = failure};

    *image = NULL;
    reader.image = image_create(memory_size);
    if (!reader.image)
        return failure_set(failure, FAILURE_OUT_OF_MEMORY, "%s: out of memory", name);
    if (read_lines(&reader, text, bytes) != 0) {
        image_free(reader.image);
        return -1;
    }
    *image = reader.image;
    return 0;
}

int intel_hex_load(const char *path, uint32_t memory_size, struct image **image,
                   char sha256[DIGEST_TEXT_BYTES], struct failure *failure)
{
    char *text = NULL;
    size_t bytes = 0;
    uint8_t digest[DIGEST_BYTES];
    int result;

    *image = NULL;
    if (text_file_read(path, INTEL_HEX_BYTES_MAX, FAILURE_IMAGE_INVALID, &text, &bytes, failure) !=
        0)
        return -1;
    digest_of(text, bytes, digest);
    digest_to_text(digest, sha256);
    result = intel_hex_parse(path, text, bytes, memory_size, image, failure);
    free(text);
    return result;
}
