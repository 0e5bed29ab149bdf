/* What all AVRs have in common that are programmed over ISP. A part file that does not keep it has
 * a slip of the pen, and one in a signature, in a mask or in the name of a fuse may cost boards. */
#include <string.h>

#include "profiles/part_reader.h"

/* A field by the name of the device files, and how many bits it has at most. */
struct known_field {
    const char *name;
    int bits;
};

/* SPIEN, RSTDISBL and DWEN decide whether this station reaches a board again: under another name
 * nobody would look at them. So these are the fuse fields of all parts. */
static const struct known_field fuse_fields[] = {
    {"BODACT", 2},    {"BODEN", 1},     {"BODLEVEL", 3},  {"BODPD", 2},
    {"BOOTRST", 1},   {"BOOTSZ", 2},    {"CFD", 1},       {"CKDIV8", 1},
    {"CKOPT", 1},     {"CKOUT", 1},     {"CKSEL", 4},     {"CKSEL_SUT", 6},
    {"DUVRDINIT", 1}, {"DWEN", 1},      {"EESAVE", 1},    {"FSTRT", 1},
    {"HWBE", 1},      {"JTAGEN", 1},    {"M103C", 1},     {"M161C", 1},
    {"OCDEN", 1},     {"OSCSEL", 2},    {"OSCSEL0", 1},   {"PLLCK_SUT_CKSEL", 7},
    {"PSC0RB", 1},    {"PSC1RB", 1},    {"PSC2RB", 1},    {"PSC2RBA", 1},
    {"PSCINRB", 1},   {"PSCRB", 1},     {"PSCRV", 1},     {"PSCRVA", 1},
    {"PSCRVB", 1},    {"RCEN", 1},      {"RSTDISBL", 1},  {"S8515C", 1},
    {"S8535C", 1},    {"SELFPRGEN", 1}, {"SPIEN", 1},     {"SUT", 3},
    {"SUT_CKSEL", 6}, {"TA0SEL", 1},    {"ULPOSCSEL", 3}, {"WDTON", 1}};
static const struct known_field lock_fields[] = {{"LB", 2}, {"BLB0", 2}, {"BLB1", 2}};
#define FUSE_FIELD_COUNT (sizeof(fuse_fields) / sizeof(fuse_fields[0]))
#define LOCK_FIELD_COUNT (sizeof(lock_fields) / sizeof(lock_fields[0]))

/* Where a fuse or the lock byte stands in the file. */
static const struct document_node *byte_node(const struct document_node *root,
                                             const struct part_byte *byte)
{
    const struct document_node *lock = document_find(root, "lock");

    return strcmp(byte->name, "lock") == 0
               ? lock
               : document_find(document_find(root, "fuses"), byte->name);
}

/* ---- fields ---- */

static int fail_field_name(struct part_reader *reader, const struct document_node *map,
                           const struct part_byte *byte, const char *name)
{
    bool lock = strcmp(byte->name, "lock") == 0;
    const char *names[FUSE_FIELD_COUNT + 1] = {NULL};
    const struct document_node *node = document_find(map, "name");
    const char *nearest;

    for (size_t i = 0; i < (lock ? LOCK_FIELD_COUNT : FUSE_FIELD_COUNT); i++)
        names[i] = lock ? lock_fields[i].name : fuse_fields[i].name;
    nearest = document_nearest(name, names);
    if (nearest)
        return document_fail(reader->document, node, reader->failure,
                             "found the field '%.40s' in %s, did you mean '%s'?", name, byte->name,
                             nearest);
    return document_fail(reader->document, node, reader->failure,
                         "found the field '%.40s' in %s, expected a name that the part files "
                         "which came with the program have there",
                         name, byte->name);
}

static int check_field(struct part_reader *reader, const struct document_node *map,
                       const struct part_byte *byte, const struct part_field *field)
{
    bool lock = strcmp(byte->name, "lock") == 0;
    const struct known_field *known = lock ? lock_fields : fuse_fields;
    size_t count = lock ? LOCK_FIELD_COUNT : FUSE_FIELD_COUNT, i = 0;

    while (i < count && strcmp(known[i].name, field->name) != 0)
        i++;
    if (i == count)
        return fail_field_name(reader, map, byte, field->name);
    if (__builtin_popcount(field->mask) <= known[i].bits)
        return 0;
    return document_fail(reader->document, document_find(map, "mask"), reader->failure,
                         "found 0x%02X for %s, expected at most %d bit%s", field->mask, field->name,
                         known[i].bits, known[i].bits == 1 ? "" : "s");
}

/* Every bit that exists is in just one field, so that none is unknown by name. */
static int check_fields(struct part_reader *reader, const struct document_node *root,
                        const struct part_byte *byte)
{
    const struct document_node *map = byte_node(root, byte), *list = document_find(map, "fields");
    uint8_t named = 0;

    for (size_t i = 0; i < byte->field_count; i++) {
        const struct document_node *field = document_item(list, i);

        if (check_field(reader, field, byte, &byte->fields[i]) != 0)
            return -1;
        for (size_t j = 0; j < i; j++)
            if (strcmp(byte->fields[j].name, byte->fields[i].name) == 0)
                return document_fail(reader->document, document_find(field, "name"),
                                     reader->failure, "found the field %s twice in %s",
                                     byte->fields[i].name, byte->name);
        named |= byte->fields[i].mask;
    }
    if (named == byte->mask)
        return 0;
    return document_fail(reader->document, document_find(map, "mask"), reader->failure,
                         "found 0x%02X, expected 0x%02X: a mask is the bits of the fields of %s",
                         byte->mask, named, byte->name);
}

static int check_all_fields(struct part_reader *reader, const struct document_node *root)
{
    for (enum part_memory memory = PART_FIRST_FUSE; memory <= PART_LOCK; memory++) {
        const struct part_byte *byte = part_byte(reader->part, memory);

        if (byte && check_fields(reader, root, byte) != 0)
            return -1;
    }
    return 0;
}

/* LB1 and LB2 stand side by side, at bit 0 or, in the oldest parts, at bit 1; whether a board is
 * locked is read from them. */
static int check_lock(struct part_reader *reader, const struct document_node *root)
{
    const struct part_byte *lock = part_byte(reader->part, PART_LOCK);

    for (size_t i = 0; i < lock->field_count; i++) {
        const struct document_node *field =
            document_item(document_find(byte_node(root, lock), "fields"), i);
        uint8_t mask = lock->fields[i].mask;

        if (strcmp(lock->fields[i].name, "LB") != 0)
            continue;
        if (mask == 0x03 || mask == 0x06)
            return 0;
        return document_fail(reader->document, document_find(field, "mask"), reader->failure,
                             "found 0x%02X for LB, expected 0x03 or 0x06", mask);
    }
    return document_fail(reader->document, byte_node(root, lock), reader->failure,
                         "found no field LB in lock, expected the mode of locking there");
}

/* ---- as the part leaves the factory ---- */

static int check_factory_bit(struct part_reader *reader, const struct document_node *root,
                             const char *name, struct part_bit bit, bool programmed)
{
    const struct part_byte *byte = bit.mask ? part_byte(reader->part, bit.memory) : NULL;

    if (!byte || byte->factory_default < 0 ||
        part_bit_programmed(bit, (uint8_t)byte->factory_default) == programmed)
        return 0;
    return document_fail(reader->document, document_find(byte_node(root, byte), "factory"),
                         reader->failure, "found 0x%02X, in which %s is %s, expected it %s",
                         (unsigned)byte->factory_default, name, programmed ? "off" : "on",
                         programmed ? "on" : "off");
}

/* A new part can be reached over ISP, or it were not programmed so. */
static int check_reachable(struct part_reader *reader, const struct document_node *root)
{
    const struct part *part = reader->part;
    const struct document_node *spien = NULL;

    if (document_need(reader->document, document_find(root, "bits"), "spien", &spien,
                      reader->failure) != 0 ||
        check_factory_bit(reader, root, "SPIEN", part->spien, true) != 0 ||
        check_factory_bit(reader, root, "RSTDISBL", part->rstdisbl, false) != 0)
        return -1;
    return check_factory_bit(reader, root, "DWEN", part->dwen, false);
}

static int check_clock(struct part_reader *reader, const struct document_node *root)
{
    const struct part *part = reader->part;

    if (!document_find(root, "factory_clock"))
        return 0;
    if (part->factory_ckdiv8 && part->ckdiv8.mask == 0)
        return document_fail(reader->document, document_find(root, "factory_clock"),
                             reader->failure, "ckdiv8 is true, but no fuse is CKDIV8");
    return check_factory_bit(reader, root, "CKDIV8", part->ckdiv8, part->factory_ckdiv8);
}

/* ---- signature and waits ---- */

/* 1E is Atmel; the low digit of the second byte is the size of the flash, as a power of two of KiB.
 */
static int check_signature(struct part_reader *reader, const struct document_node *root)
{
    const struct part *part = reader->part;
    const struct document_node *node = document_find(root, "signature");
    const uint8_t *signature = part->signature;
    uint32_t size = 1024u << (signature[1] & 0x0F);

    if (signature[0] != 0x1E)
        return document_fail(reader->document, node, reader->failure,
                             "found %02X %02X %02X, expected 1E first", signature[0], signature[1],
                             signature[2]);
    if (size == part->flash.size)
        return 0;
    return document_fail(reader->document, node, reader->failure,
                         "found %02X as the second byte, expected a last digit of %X: the flash "
                         "has %u KiB, 2 to the power of it",
                         signature[1], (unsigned)__builtin_ctz(part->flash.size / 1024),
                         part->flash.size / 1024);
}

/* The short ones of the datasheets are for parts that say when they are ready. */
static int check_erase_wait(struct part_reader *reader, const struct document_node *root)
{
    const struct part *part = reader->part;
    const struct document_node *waits = document_find(root, "waits");

    if (part->poll_after_erase || part->chip_erase_delay_us >= 8000)
        return 0;
    return document_fail(reader->document, document_find(waits, "chip_erase_us"), reader->failure,
                         "found %u, expected at least 8000: poll_after_erase is false",
                         part->chip_erase_delay_us);
}

int part_check_rules(struct part_reader *reader, const struct document_node *root)
{
    static int (*const rules[])(struct part_reader *, const struct document_node *) = {
        check_signature, check_erase_wait, check_all_fields,
        check_lock,      check_reachable,  check_clock};

    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
        if (rules[i](reader, root) != 0)
            return -1;
    return 0;
}
