/* The ISP instructions of fuses and lock bits, as the tables of the datasheets write them: four
 * groups of eight places. 0 and 1 are fixed, x does not matter, i is a bit of the value to write
 * and o one of the value read, the one that stands at this place of its byte. In the answer byte a
 * number may follow the o where it is another one. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "profiles/part_reader.h"

#define PLACES 32
#define ANSWER_PLACE 24 /* the answer stands in the fourth byte */

/* "Serial Programming Instruction Set", for example ATmega328P (8271J) table 28-19. Index: memory -
 * PART_FIRST_FUSE. */
static const struct {
    const char *read, *write;
} standard[PART_FUSE_AND_LOCK_COUNT] = {
    {"01010000 xxxx0xxx xxxxxxxx oooooooo", "10101100 10100000 xxxxxxxx iiiiiiii"},
    {"01011000 xxxx1xxx xxxxxxxx oooooooo", "10101100 10101000 xxxxxxxx iiiiiiii"},
    {"01010000 xxxx1xxx xxxxxxxx oooooooo", "10101100 10100100 xxxxxxxx iiiiiiii"},
    {"01011000 xxxx0xxx xxxxxxxx oooooooo", "10101100 111xxxxx xxxxxxxx iiiiiiii"},
};

/* What every part understands; no write of its own may be taken for it. */
static const struct {
    const char *name;
    struct part_instruction instruction;
} common[] = {
    {"programming enable", {.bits = {0xAC, 0x53}, .fixed = {0xFF, 0xFF}}},
    {"chip erase", {.bits = {0xAC, 0x80}, .fixed = {0xFF, 0xE0}}},
};

/* ---- one template ---- */

/* Why a template is none. */
struct reason {
    char text[80];
};

/* A template under way. */
struct pattern {
    const char *at; /* what is not read yet */
    bool write;
    struct part_instruction *instruction;
    struct reason *reason;
};

static bool refuse(struct pattern *pattern, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool refuse(struct pattern *pattern, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(pattern->reason->text, sizeof(pattern->reason->text), format, arguments);
    va_end(arguments);
    return false;
}

static bool add_value_bit(struct pattern *pattern, int bit, int place)
{
    if (pattern->instruction->place[bit] != 0)
        return refuse(pattern, "bit %d of the value stands in it twice", bit);
    pattern->instruction->place[bit] = (uint8_t)(1 + place);
    return true;
}

static bool read_place(struct pattern *pattern, int place)
{
    struct part_instruction *instruction = pattern->instruction;
    bool answer = !pattern->write && place >= ANSWER_PLACE;
    uint8_t mask = (uint8_t)(0x80 >> place % 8);
    char letter = *pattern->at++;

    if (letter == 'x')
        return true;
    if ((letter == '0' || letter == '1') && !answer) {
        instruction->fixed[place / 8] |= mask;
        instruction->bits[place / 8] |= letter == '1' ? mask : 0;
        return true;
    }
    if (letter == 'i' && pattern->write)
        return add_value_bit(pattern, 7 - place % 8, place);
    if (letter != 'o' || !answer)
        return refuse(pattern, "found '%c' in byte %d, expected %s", letter, place / 8 + 1,
                      answer           ? "x or o"
                      : pattern->write ? "0, 1, x or i"
                                       : "0, 1 or x");
    if (*pattern->at >= '0' && *pattern->at <= '7')
        return add_value_bit(pattern, *pattern->at++ - '0', place);
    return add_value_bit(pattern, 7 - place % 8, place);
}

static bool read_pattern(struct pattern *pattern)
{
    for (int place = 0; place < PLACES; place++) {
        if (place > 0 && place % 8 == 0 && *pattern->at++ != ' ')
            return refuse(pattern, "expected a space after the eight places of byte %d", place / 8);
        if (*pattern->at == '\0' || *pattern->at == ' ')
            return refuse(pattern, "byte %d has %d places, expected four bytes of eight",
                          place / 8 + 1, place % 8);
        if (!read_place(pattern, place))
            return false;
    }
    return *pattern->at == '\0' ||
           refuse(pattern, "found '%.20s' after the four bytes of eight places", pattern->at);
}

static bool parse(const char *text, bool write, struct part_instruction *instruction,
                  struct reason *reason)
{
    struct pattern pattern = {text, write, instruction, reason};

    return read_pattern(&pattern);
}

/* ---- those of one byte ---- */

static void use_standard(struct part_byte *byte, size_t index)
{
    struct reason reason;

    byte->readable = parse(standard[index].read, false, &byte->read, &reason);
    byte->writable = parse(standard[index].write, true, &byte->write, &reason);
}

void part_use_standard_instructions(struct part *part)
{
    for (size_t i = 0; i < PART_FUSE_AND_LOCK_COUNT; i++)
        if (part->bytes[i].exists)
            use_standard(&part->bytes[i], i);
}

/* The instruction under `key`, if it is given. `none`: there is none over ISP. */
static int read_one(struct part_reader *reader, const struct document_node *map, bool write,
                    struct part_instruction *instruction, bool *exists)
{
    const struct document_node *node = document_find(map, write ? "isp_write" : "isp_read");
    const char *text = NULL;
    struct reason reason;

    if (!node)
        return 0;
    if (document_text(reader->document, node, &text, reader->failure) != 0)
        return -1;
    *exists = strcmp(text, "none") != 0;
    memset(instruction, 0, sizeof(*instruction));
    if (!*exists || parse(text, write, instruction, &reason))
        return 0;
    return document_fail(reader->document, node, reader->failure, "%s", reason.text);
}

int part_read_instructions(struct part_reader *reader, const struct document_node *map,
                           enum part_memory memory)
{
    size_t index = memory - PART_FIRST_FUSE;
    struct part_byte *byte = &reader->part->bytes[index];

    use_standard(byte, index);
    if (read_one(reader, map, false, &byte->read, &byte->readable) != 0)
        return -1;
    return read_one(reader, map, true, &byte->write, &byte->writable);
}

/* ---- all of a part ---- */

static bool overlap(const struct part_instruction *a, const struct part_instruction *b)
{
    for (int i = 0; i < 4; i++)
        if (((a->bits[i] ^ b->bits[i]) & a->fixed[i] & b->fixed[i]) != 0)
            return false;
    return true;
}

static uint8_t carried_bits(const struct part_instruction *instruction)
{
    uint8_t bits = 0;

    for (int n = 0; n < 8; n++)
        bits |= instruction->place[n] ? (uint8_t)(1 << n) : 0;
    return bits;
}

/* The oldest parts answer with the fuse's and the lock's bits in one byte: one instruction that
 * reads both. */
static bool share_answer(const struct part_instruction *a, const struct part_instruction *b)
{
    if (memcmp(a->bits, b->bits, 4) != 0 || memcmp(a->fixed, b->fixed, 4) != 0)
        return false;
    for (int i = 0; i < 8; i++)
        for (int j = 0; j < 8; j++)
            if (a->place[i] != 0 && a->place[i] == b->place[j])
                return false;
    return true;
}

struct check {
    struct part_reader *reader;
    const struct document_node *node;
    const struct part_byte *byte;
    const struct part_instruction *instruction;
    const char *verb; /* "read" or "write" */
};

static int check_against_common(const struct check *check)
{
    for (size_t i = 0; i < sizeof(common) / sizeof(common[0]); i++)
        if (overlap(check->instruction, &common[i].instruction))
            return document_fail(check->reader->document, check->node, check->reader->failure,
                                 "the instruction to %s %s could be taken for '%s'", check->verb,
                                 check->byte->name, common[i].name);
    return 0;
}

static int check_against_others(const struct check *check, bool write)
{
    for (int i = 0; i < PART_FUSE_AND_LOCK_COUNT; i++) {
        const struct part_byte *other = &check->reader->part->bytes[i];

        if (other == check->byte || !(write ? other->writable : other->readable))
            continue;
        if (!overlap(check->instruction, write ? &other->write : &other->read) ||
            (!write && share_answer(check->instruction, &other->read)))
            continue;
        return document_fail(check->reader->document, check->node, check->reader->failure,
                             "the instruction to %s %s could be taken for the one to %s %s",
                             check->verb, check->byte->name, check->verb, other->name);
    }
    return 0;
}

static int check_carried(const struct check *check, uint8_t needed)
{
    uint8_t missing = needed & (uint8_t)~carried_bits(check->instruction);

    if (missing == 0)
        return 0;
    return document_fail(check->reader->document, check->node, check->reader->failure,
                         "the instruction to %s %s does not carry the bits 0x%02X of its mask",
                         check->verb, check->byte->name, missing);
}

static int check_write(struct part_reader *reader, const struct document_node *map,
                       enum part_memory memory)
{
    const struct document_node *given = document_find(map, "isp_write");
    const struct part_byte *byte = part_byte(reader->part, memory);
    struct check check = {reader, given ? given : map, byte, &byte->write, "write"};
    uint8_t needed = byte->mask;

    if (byte->write.fixed[0] != 0xFF || byte->write.bits[0] != 0xAC)
        return document_fail(reader->document, check.node, reader->failure,
                             "an instruction that writes %s begins with 10101100", byte->name);
    /* SPIEN cannot be changed over the interface that it opens. */
    if (reader->part->spien.memory == memory)
        needed &= (uint8_t)~reader->part->spien.mask;
    if (check_carried(&check, needed) != 0 || check_against_common(&check) != 0)
        return -1;
    return check_against_others(&check, true);
}

static int check_read(struct part_reader *reader, const struct document_node *map,
                      enum part_memory memory)
{
    const struct document_node *given = document_find(map, "isp_read");
    const struct part_byte *byte = part_byte(reader->part, memory);
    struct check check = {reader, given ? given : map, byte, &byte->read, "read"};

    if (byte->read.fixed[0] != 0xFF || (byte->read.bits[0] & 0xF7) != 0x50)
        return document_fail(reader->document, check.node, reader->failure,
                             "an instruction that reads %s begins with 01010000 or 01011000",
                             byte->name);
    if (check_carried(&check, byte->mask) != 0)
        return -1;
    return check_against_others(&check, false);
}

int part_check_instructions(struct part_reader *reader, const struct document_node *root)
{
    for (enum part_memory memory = PART_FIRST_FUSE; memory <= PART_LOCK; memory++) {
        const struct part_byte *byte = part_byte(reader->part, memory);
        const struct document_node *map;

        if (!byte)
            continue;
        map = document_find(memory == PART_LOCK ? root : document_find(root, "fuses"), byte->name);
        if (byte->writable && check_write(reader, map, memory) != 0)
            return -1;
        if (byte->readable && check_read(reader, map, memory) != 0)
            return -1;
    }
    return 0;
}

bool part_instruction_decode(const struct part_instruction *instruction, const uint8_t bytes[4],
                             uint8_t *value, uint8_t *carried)
{
    for (int i = 0; i < 4; i++)
        if (((bytes[i] ^ instruction->bits[i]) & instruction->fixed[i]) != 0)
            return false;
    *value = 0xFF;
    *carried = 0;
    for (int n = 0; n < 8; n++) {
        int place = instruction->place[n] - 1;

        if (place < 0)
            continue;
        *carried |= (uint8_t)(1 << n);
        if ((bytes[place / 8] & (0x80 >> place % 8)) == 0)
            *value &= (uint8_t) ~(1 << n);
    }
    return true;
}
