#include "profiles/s_record.h"

#include <string.h>

#include "profiles/hex_text.h"

/* Record layout, from the manual named in the header: 'S', the type, then in pairs of hex digits
 * the number of bytes that follow, an address, the data, and the complement of the sum of all that
 * stands between the type and it. */
enum record_kind { KIND_NONE, KIND_HEADER, KIND_DATA, KIND_COUNT, KIND_END };

static const struct {
    enum record_kind kind;
    uint8_t address_bytes;
} types[10] = {
    {KIND_HEADER, 2}, {KIND_DATA, 2},  {KIND_DATA, 3}, {KIND_DATA, 4}, {KIND_NONE, 0},
    {KIND_COUNT, 2},  {KIND_COUNT, 3}, {KIND_END, 4},  {KIND_END, 3},  {KIND_END, 2},
};

#define WRITTEN_BYTES 16U

struct record {
    char type; /* the digit */
    enum record_kind kind;
    uint32_t address;
    const uint8_t *data;
    size_t count;
};

struct reader {
    struct hex_text text;
    uint32_t data_records;
    bool ended;
    struct image_memories *memories;
};

/* ---- reading ---- */

/* Splits the record's bytes: their number, the address, the data, the sum. */
static int split_record(struct reader *reader, const uint8_t *bytes, size_t count,
                        struct record *record)
{
    size_t address_bytes = types[record->type - '0'].address_bytes;
    uint8_t sum = 0;

    for (size_t i = 0; i + 1 < count; i++)
        sum = (uint8_t)(sum + bytes[i]);
    sum = (uint8_t)~sum;
    if (count < address_bytes + 2)
        return hex_text_refuse(&reader->text, "an S%c record of %zu bytes, expected at least %zu",
                               record->type, count - 1, address_bytes + 1);
    if (bytes[count - 1] != sum)
        return hex_text_refuse(&reader->text, "bad checksum: found %02X, expected %02X",
                               bytes[count - 1], sum);
    for (size_t i = 0; i < address_bytes; i++)
        record->address = record->address << 8 | bytes[1 + i];
    record->data = bytes + 1 + address_bytes;
    record->count = count - address_bytes - 2;
    return 0;
}

static int put_data(struct reader *reader, const struct record *record)
{
    char where[HEX_TEXT_WHERE_BYTES];

    hex_text_where(&reader->text, where);
    reader->data_records++;
    if ((uint64_t)record->address + record->count > UINT32_MAX)
        return failure_set(reader->text.failure, FAILURE_IMAGE_OUT_OF_RANGE,
                           "%s: the bytes reach beyond 32-bit addresses", where);
    return image_memories_put(reader->memories, record->address, record->data, record->count, where,
                              reader->text.failure);
}

static int apply_record(struct reader *reader, const struct record *record)
{
    switch (record->kind) {
    case KIND_DATA:
        return put_data(reader, record);
    case KIND_HEADER: /* a name, for people */
        if (reader->data_records == 0)
            return 0;
        return hex_text_refuse(&reader->text, "found a header (S0) after data");
    case KIND_COUNT:
        if (record->address == reader->data_records)
            return 0;
        return hex_text_refuse(&reader->text,
                               "found a count of %u data records (S%c), expected %u: some are "
                               "missing or too many",
                               record->address, record->type, reader->data_records);
    default:
        reader->ended = true;
        reader->memories->has_start = true;
        reader->memories->start = record->address;
        return 0;
    }
}

static int read_record(struct reader *reader, const char *line)
{
    uint8_t bytes[HEX_TEXT_RECORD_MAX] = {0};
    struct record record = {0};
    size_t count = 0;

    if (reader->ended)
        return hex_text_refuse(&reader->text, "found more after the end record");
    if (line[0] != 'S')
        return hex_text_refuse(&reader->text,
                               "found a line that does not begin with 'S', expected a record");
    if (reader->text.length < 2 || line[1] < '0' || line[1] > '9' ||
        types[line[1] - '0'].kind == KIND_NONE)
        return hex_text_refuse(&reader->text, "unknown record type, expected S0 to S3 or S5 to S9");
    record.type = line[1];
    record.kind = types[line[1] - '0'].kind;
    if (hex_text_decode(&reader->text, line, 2, 1, bytes, &count) != 0 ||
        split_record(reader, bytes, count, &record) != 0)
        return -1;
    if (record.count > 0 && (record.kind == KIND_COUNT || record.kind == KIND_END))
        return hex_text_refuse(&reader->text, "an S%c record with %zu data bytes, expected none",
                               record.type, record.count);
    return apply_record(reader, &record);
}

int s_record_parse(const char *name, const char *text, size_t bytes,
                   struct image_memories *memories, struct failure *failure)
{
    struct reader reader = {
        .text = {.name = name, .text = text, .bytes = bytes, .failure = failure},
        .memories = memories,
    };
    const char *line;

    while ((line = hex_text_next(&reader.text)) != NULL)
        if (read_record(&reader, line) != 0)
            return -1;
    if (reader.ended)
        return 0;
    return hex_text_refuse(&reader.text, "the file ends here without an end record (S7, S8 or S9)");
}

/* ---- writing ---- */

static void write_record(FILE *out, int type, uint32_t address, const uint8_t *data, uint32_t count)
{
    int address_bytes = types[type].address_bytes;
    uint32_t length = count + (uint32_t)address_bytes + 1, sum = length;

    fprintf(out, "S%d%02X%0*X", type, length, 2 * address_bytes, address);
    for (int i = 0; i < address_bytes; i++)
        sum += address >> 8 * i & 0xFF;
    for (uint32_t i = 0; i < count; i++) {
        fprintf(out, "%02X", data[i]);
        sum += data[i];
    }
    fprintf(out, "%02X\n", ~sum & 0xFF);
}

/* 1 to 3: with addresses of 16, 24 or 32 bits. */
static int data_type_for(const struct image *image, uint32_t base)
{
    struct image_range range = {0};
    uint32_t last = 0;

    for (uint32_t from = 0; image_next_range(image, from, &range); from = range.end)
        last = base + range.end - 1;
    if (last <= 0xFFFF)
        return 1;
    return last <= 0xFFFFFF ? 2 : 3;
}

void s_record_write(const struct image *image, uint32_t base, FILE *out)
{
    int type = data_type_for(image, base);
    struct image_range range = {0};
    uint32_t records = 0, count = 0;

    write_record(out, 0, 0, NULL, 0);
    for (uint32_t from = 0; image_next_range(image, from, &range); from = range.end) {
        for (uint32_t at = range.start; at < range.end; at += count) {
            count = WRITTEN_BYTES - (base + at) % WRITTEN_BYTES;
            if (count > range.end - at)
                count = range.end - at;
            write_record(out, type, base + at, image->data + at, count);
            records++;
        }
    }
    write_record(out, records <= 0xFFFF ? 5 : 6, records, NULL, 0);
    write_record(out, 10 - type, 0, NULL, 0);
}
