#include "profiles/intel_hex.h"

#include <string.h>

#include "profiles/hex_text.h"

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
#define WRITTEN_BYTES 16U

struct record {
    uint8_t count;
    uint16_t offset;
    uint8_t type;
    uint8_t data[RECORD_DATA_MAX];
};

struct reader {
    struct hex_text text;
    uint32_t base;
    bool segmented; /* offsets wrap within 64 KiB; the specification's state at the start */
    bool ended;
    struct image_memories *memories;
};

/* ---- reading ---- */

static int decode_record(struct reader *reader, const char *line, struct record *record)
{
    uint8_t bytes[HEX_TEXT_RECORD_MAX] = {0};
    uint8_t sum = 0;
    size_t count = 0;

    if (line[0] != ':')
        return hex_text_refuse(&reader->text,
                               "found a line that does not begin with ':', expected a record");
    if (hex_text_decode(&reader->text, line, 1, RECORD_OVERHEAD, bytes, &count) != 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        sum = (uint8_t)(sum + bytes[i]);
    if (sum != 0)
        return hex_text_refuse(&reader->text, "bad checksum: found %02X, expected %02X",
                               bytes[count - 1], (uint8_t)(bytes[count - 1] - sum));
    record->count = bytes[0];
    record->offset = (uint16_t)(bytes[1] << 8 | bytes[2]);
    record->type = bytes[3];
    memcpy(record->data, bytes + 4, record->count);
    return 0;
}

static int put_data(struct reader *reader, const struct record *record)
{
    char where[HEX_TEXT_WHERE_BYTES];
    uint32_t room = 0x10000U - record->offset;
    size_t first = record->count;

    hex_text_where(&reader->text, where);
    if (reader->segmented && first > room)
        first = room;
    if ((uint64_t)reader->base + record->offset + first > UINT32_MAX)
        return failure_set(reader->text.failure, FAILURE_IMAGE_OUT_OF_RANGE,
                           "%s: the bytes reach beyond 32-bit addresses", where);
    if (image_memories_put(reader->memories, reader->base + record->offset, record->data, first,
                           where, reader->text.failure) != 0)
        return -1;
    if (first == record->count)
        return 0;
    return image_memories_put(reader->memories, reader->base, record->data + first,
                              record->count - first, where, reader->text.failure);
}

static uint32_t word_of(const uint8_t *bytes)
{
    return (uint32_t)(bytes[0] << 8 | bytes[1]);
}

static int apply_record(struct reader *reader, const struct record *record)
{
    struct image_memories *memories = reader->memories;

    switch (record->type) {
    case RECORD_DATA:
        return put_data(reader, record);
    case RECORD_END:
        reader->ended = true;
        return 0;
    case RECORD_SEGMENT_BASE:
        reader->base = word_of(record->data) << 4;
        reader->segmented = true;
        return 0;
    case RECORD_LINEAR_BASE:
        reader->base = word_of(record->data) << 16;
        reader->segmented = false;
        return 0;
    case RECORD_SEGMENT_START: /* CS:IP of an 80x86 */
        memories->start = (word_of(record->data) << 4) + word_of(record->data + 2);
        break;
    default:
        memories->start = word_of(record->data) << 16 | word_of(record->data + 2);
    }
    memories->has_start = true;
    return 0;
}

static int read_record(struct reader *reader, const char *line)
{
    /* Data bytes that each type has; -1: any number. */
    static const int counts[RECORD_TYPE_COUNT] = {-1, 0, 2, 4, 2, 4};
    struct record record = {0};

    if (reader->ended)
        return hex_text_refuse(&reader->text, "found more after the end record");
    if (decode_record(reader, line, &record) != 0)
        return -1;
    if (record.type >= RECORD_TYPE_COUNT)
        return hex_text_refuse(&reader->text, "unknown record type %02X, expected 00 to 05",
                               record.type);
    if (counts[record.type] >= 0 && record.count != counts[record.type])
        return hex_text_refuse(&reader->text,
                               "a record of type %02X with %u data bytes, expected %d", record.type,
                               record.count, counts[record.type]);
    return apply_record(reader, &record);
}

int intel_hex_parse(const char *name, const char *text, size_t bytes,
                    struct image_memories *memories, struct failure *failure)
{
    struct reader reader = {
        .text = {.name = name, .text = text, .bytes = bytes, .failure = failure},
        .segmented = true,
        .memories = memories,
    };
    const char *line;

    while ((line = hex_text_next(&reader.text)) != NULL)
        if (read_record(&reader, line) != 0)
            return -1;
    if (reader.ended)
        return 0;
    return hex_text_refuse(&reader.text, "the file ends here without an end record (:00000001FF)");
}

/* ---- writing ---- */

static void write_record(FILE *out, enum record_type type, uint32_t address, const uint8_t *data,
                         uint32_t count)
{
    uint32_t sum = count + (address >> 8 & 0xFF) + (address & 0xFF) + type;

    fprintf(out, ":%02X%04X%02X", count, address & 0xFFFF, type);
    for (uint32_t i = 0; i < count; i++) {
        fprintf(out, "%02X", data[i]);
        sum += data[i];
    }
    fprintf(out, "%02X\n", -sum & 0xFF);
}

static void write_base(FILE *out, uint32_t upper)
{
    const uint8_t base[] = {(uint8_t)(upper >> 8), (uint8_t)upper};

    write_record(out, RECORD_LINEAR_BASE, 0, base, sizeof(base));
}

void intel_hex_write(const struct image *image, uint32_t base, FILE *out)
{
    struct image_range range = {0};
    uint32_t upper = 0, count = 0;

    for (uint32_t from = 0; image_next_range(image, from, &range); from = range.end) {
        for (uint32_t at = range.start; at < range.end; at += count) {
            uint32_t address = base + at;

            /* Lines begin at multiples of their length, and so never cross 64 KiB. */
            count = WRITTEN_BYTES - address % WRITTEN_BYTES;
            if (count > range.end - at)
                count = range.end - at;
            if (address >> 16 != upper) {
                upper = address >> 16;
                write_base(out, upper);
            }
            write_record(out, RECORD_DATA, address, image->data + at, count);
        }
    }
    write_record(out, RECORD_END, 0, NULL, 0);
}
