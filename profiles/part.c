#include "profiles/part.h"

#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiles/part_reader.h"

/* No AVR that is programmed over ISP is below or above these: what a number may be that is no slip
 * of the pen. The waits are maxima of the datasheets, "Serial Programming Characteristics": the
 * longest are the ATmega103's. */
#define WRITE_US_MIN 2600
#define WRITE_US_MAX 56000
#define FUSE_US_MIN 2000
#define FUSE_US_MAX 20000
#define ERASE_US_MIN 4000
#define ERASE_US_MAX 112000
#define CALIBRATION_BYTES_MAX 4
#define FACTORY_HZ_MIN 500000
#define FACTORY_HZ_MAX 8000000
/* Ranges of crystals that end at all: at 16 or 20 MHz, behind one that begins at 8 MHz. */
#define CRYSTAL_HZ_MIN 8000000
#define CRYSTAL_HZ_MAX 20000000
/* Low and high longer than two clocks each, from 12 MHz on than three; only old parts, which do not
 * say when they are ready, know no such step ("Serial Programming"). */
#define SCK_DIVIDER_MIN 4
#define SCK_DIVIDER_FROM_12MHZ_MIN 6

struct array_limits {
    uint32_t size_min, size_max;
    uint32_t page_min, page_max; /* where it is written in pages */
    uint32_t unwritten_page_max; /* where it is not: of other programming interfaces */
};
static const struct array_limits flash_limits = {1024, 262144, 16, 256, 1};
static const struct array_limits eeprom_limits = {64, 8192, 2, 8, 8};

/* The bits of `bits:`. A fuse field of this name must be declared there and the other way round, so
 * that a slip of the pen cannot hide a bit that locks the station out. */
static const struct {
    const char *key;
    const char *field;
    bool loose; /* mostly SUT_CKSEL, but some parts call it OSCSEL or RCEN: only the mask counts */
    size_t offset;
} bit_table[] = {
    {"spien", "SPIEN", false, offsetof(struct part, spien)},
    {"rstdisbl", "RSTDISBL", false, offsetof(struct part, rstdisbl)},
    {"dwen", "DWEN", false, offsetof(struct part, dwen)},
    {"eesave", "EESAVE", false, offsetof(struct part, eesave)},
    {"ckdiv8", "CKDIV8", false, offsetof(struct part, ckdiv8)},
    {"cksel", "CKSEL", true, offsetof(struct part, cksel)},
    {"bootrst", "BOOTRST", false, offsetof(struct part, bootrst)},
    {"jtagen", "JTAGEN", false, offsetof(struct part, jtagen)},
};
#define BIT_COUNT (sizeof(bit_table) / sizeof(bit_table[0]))

/* ---- small readers ---- */

static int read_number(struct part_reader *reader, const struct document_node *map, const char *key,
                       int64_t minimum, int64_t maximum, int64_t *value)
{
    const struct document_node *node = NULL;

    if (document_need(reader->document, map, key, &node, reader->failure) != 0)
        return -1;
    return document_integer(reader->document, node, minimum, maximum, value, reader->failure);
}

static int read_u32(struct part_reader *reader, const struct document_node *map, const char *key,
                    uint32_t minimum, uint32_t maximum, uint32_t *value)
{
    int64_t number = 0;

    if (read_number(reader, map, key, minimum, maximum, &number) != 0)
        return -1;
    *value = (uint32_t)number;
    return 0;
}

static int read_u8(struct part_reader *reader, const struct document_node *map, const char *key,
                   uint8_t minimum, uint8_t *value)
{
    int64_t number = 0;

    if (read_number(reader, map, key, minimum, 255, &number) != 0)
        return -1;
    *value = (uint8_t)number;
    return 0;
}

/* What stands in a fuse or lock byte. */
static int read_plain_byte(struct part_reader *reader, const struct document_node *map,
                           const char *key, uint8_t minimum, uint8_t *bits)
{
    const struct document_node *node = NULL;

    if (document_need(reader->document, map, key, &node, reader->failure) != 0)
        return -1;
    return document_byte(reader->document, node, minimum, UINT8_MAX, bits, reader->failure);
}

static int read_boolean(struct part_reader *reader, const struct document_node *map,
                        const char *key, bool *value)
{
    const struct document_node *node = NULL;

    if (document_need(reader->document, map, key, &node, reader->failure) != 0)
        return -1;
    return document_boolean(reader->document, node, value, reader->failure);
}

/* A copy that the part owns. */
static char *copy_text(struct part_reader *reader, const struct document_node *node)
{
    const char *text = NULL;
    char *copy;

    if (document_text(reader->document, node, &text, reader->failure) != 0)
        return NULL;
    copy = strdup(text);
    if (!copy)
        failure_set(reader->failure, FAILURE_OUT_OF_MEMORY, "%s: out of memory",
                    reader->document->path);
    return copy;
}

/* ---- memories ---- */

static int read_power_of_two(struct part_reader *reader, const struct document_node *map,
                             const char *key, uint32_t minimum, uint32_t maximum, uint32_t *value)
{
    if (read_u32(reader, map, key, minimum, maximum, value) != 0)
        return -1;
    if ((*value & (*value - 1)) == 0)
        return 0;
    return document_fail(reader->document, document_find(map, key), reader->failure,
                         "found '%u', expected a power of two from %u to %u", *value, minimum,
                         maximum);
}

/* May be left out where nothing is written in pages. */
static int read_page_size(struct part_reader *reader, const struct document_node *map,
                          const struct array_limits *limits, struct part_array *array)
{
    array->page_size = 1;
    if (!array->page_write && !document_find(map, "page_size"))
        return 0;
    return read_power_of_two(reader, map, "page_size", array->page_write ? limits->page_min : 1,
                             array->page_write ? limits->page_max : limits->unwritten_page_max,
                             &array->page_size);
}

static int read_array(struct part_reader *reader, const struct document_node *map,
                      const struct array_limits *limits, struct part_array *array)
{
    static const char *const keys[] = {
        "size",       "page_size", "page_write", "write_delay_us", "extended_address",
        "unpollable", NULL};
    const struct document_node *unpollable = NULL, *extended = NULL;

    if (document_check_keys(reader->document, map, keys, reader->failure) != 0 ||
        read_power_of_two(reader, map, "size", limits->size_min, limits->size_max, &array->size) !=
            0 ||
        read_boolean(reader, map, "page_write", &array->page_write) != 0 ||
        read_page_size(reader, map, limits, array) != 0 ||
        read_u32(reader, map, "write_delay_us", WRITE_US_MIN, WRITE_US_MAX,
                 &array->write_delay_us) != 0)
        return -1;
    extended = document_find(map, "extended_address");
    if (extended && document_boolean(reader->document, extended, &array->needs_extended_address,
                                     reader->failure) != 0)
        return -1;
    unpollable = document_find(map, "unpollable");
    array->has_unpollable = unpollable != NULL;
    return unpollable ? document_bytes(reader->document, unpollable, array->unpollable,
                                       sizeof(array->unpollable), reader->failure)
                      : 0;
}

static int read_memories(struct part_reader *reader, const struct document_node *root)
{
    const struct document_node *flash = NULL, *eeprom = document_find(root, "eeprom");
    struct part *part = reader->part;

    if (document_need(reader->document, root, "flash", &flash, reader->failure) != 0 ||
        read_array(reader, flash, &flash_limits, &part->flash) != 0)
        return -1;
    /* 4D 00 ext 00 is what a 16-bit word address cannot reach: from 128 KiB on. */
    if (part->flash.needs_extended_address != (part->flash.size > 0x20000))
        return document_fail(reader->document, flash, reader->failure,
                             "extended_address must be true above 131072 bytes and only there");
    return eeprom ? read_array(reader, eeprom, &eeprom_limits, &part->eeprom) : 0;
}

static int read_waits(struct part_reader *reader, const struct document_node *root)
{
    static const char *const keys[] = {"chip_erase_us", "fuse_us", "lock_us", NULL};
    const struct document_node *waits = NULL;
    struct part *part = reader->part;

    if (document_need(reader->document, root, "waits", &waits, reader->failure) != 0 ||
        document_check_keys(reader->document, waits, keys, reader->failure) != 0 ||
        read_u32(reader, waits, "chip_erase_us", ERASE_US_MIN, ERASE_US_MAX,
                 &part->chip_erase_delay_us) != 0 ||
        read_u32(reader, waits, "lock_us", FUSE_US_MIN, FUSE_US_MAX, &part->lock_write_delay_us) !=
            0)
        return -1;
    if (!document_find(waits, "fuse_us")) /* see check_waits() */
        return 0;
    return read_u32(reader, waits, "fuse_us", FUSE_US_MIN, FUSE_US_MAX, &part->fuse_write_delay_us);
}

static int read_clock(struct part_reader *reader, const struct document_node *root)
{
    static const char *const keys[] = {"hz", "ckdiv8", NULL};
    const struct document_node *clock = document_find(root, "factory_clock"), *ckdiv8;

    if (!clock)
        return 0;
    if (document_check_keys(reader->document, clock, keys, reader->failure) != 0 ||
        (document_find(clock, "hz") &&
         read_number(reader, clock, "hz", FACTORY_HZ_MIN, FACTORY_HZ_MAX,
                     &reader->part->factory_clock_hz) != 0))
        return -1;
    ckdiv8 = document_find(clock, "ckdiv8");
    return ckdiv8 ? document_boolean(reader->document, ckdiv8, &reader->part->factory_ckdiv8,
                                     reader->failure)
                  : 0;
}

static int read_crystal(struct part_reader *reader, const struct document_node *root)
{
    static const char *const keys[] = {"max_hz", "full_swing_max_hz", NULL};
    const struct document_node *crystal = document_find(root, "crystal");
    struct part *part = reader->part;

    if (!crystal)
        return 0;
    if (document_check_keys(reader->document, crystal, keys, reader->failure) != 0 ||
        read_number(reader, crystal, "max_hz", CRYSTAL_HZ_MIN, CRYSTAL_HZ_MAX,
                    &part->crystal_max_hz) != 0)
        return -1;
    return document_find(crystal, "full_swing_max_hz")
               ? read_number(reader, crystal, "full_swing_max_hz", CRYSTAL_HZ_MIN, CRYSTAL_HZ_MAX,
                             &part->full_swing_max_hz)
               : 0;
}

static int read_from_12mhz(struct part_reader *reader, const struct document_node *isp)
{
    struct part *part = reader->part;
    uint8_t least = part->poll_ready ? SCK_DIVIDER_FROM_12MHZ_MIN : SCK_DIVIDER_MIN;

    if (least < part->sck_divider)
        least = part->sck_divider;
    return read_u8(reader, isp, "sck_divider_from_12mhz", least, &part->sck_divider_from_12mhz);
}

static int read_isp(struct part_reader *reader, const struct document_node *root)
{
    static const char *const keys[] = {"poll_ready",  "poll_after_erase",       "sync_echo",
                                       "sck_divider", "sck_divider_from_12mhz", NULL};
    const struct document_node *isp = NULL;
    struct part *part = reader->part;

    if (document_need(reader->document, root, "isp", &isp, reader->failure) != 0 ||
        document_check_keys(reader->document, isp, keys, reader->failure) != 0 ||
        read_boolean(reader, isp, "poll_ready", &part->poll_ready) != 0 ||
        read_boolean(reader, isp, "poll_after_erase", &part->poll_after_erase) != 0 ||
        read_boolean(reader, isp, "sync_echo", &part->sync_echo) != 0 ||
        read_u8(reader, isp, "sck_divider", SCK_DIVIDER_MIN, &part->sck_divider) != 0 ||
        read_from_12mhz(reader, isp) != 0)
        return -1;
    if (part->poll_after_erase && !part->poll_ready)
        return document_fail(reader->document, isp, reader->failure,
                             "poll_after_erase is true, but poll_ready is false");
    return 0;
}

/* ---- fuses and lock bits ---- */

static int read_values(struct part_reader *reader, const struct document_node *map,
                       struct part_field *field)
{
    const struct document_node *key = NULL, *value = NULL;
    uint8_t lowest = (uint8_t)(field->mask & -field->mask);
    size_t count = document_count(map);

    if (document_node_kind(map) != DOCUMENT_MAPPING || count == 0)
        return document_fail(reader->document, map, reader->failure,
                             "expected a mapping of codes to names");
    field->values = calloc(count, sizeof(*field->values));
    if (!field->values)
        return failure_set(reader->failure, FAILURE_OUT_OF_MEMORY, "%s: out of memory",
                           reader->document->path);
    for (size_t i = 0; i < count; i++) {
        document_pair(map, i, &key, &value);
        if (document_byte(reader->document, key, 0, field->mask / lowest, &field->values[i].code,
                          reader->failure) != 0)
            return -1;
        field->values[i].name = copy_text(reader, value);
        if (!field->values[i].name)
            return -1;
        field->value_count = i + 1;
    }
    return 0;
}

static int read_field(struct part_reader *reader, const struct document_node *map,
                      struct part_byte *byte, struct part_field *field)
{
    static const char *const keys[] = {"name", "mask", "values", NULL};
    const struct document_node *name = NULL, *values;

    if (document_check_keys(reader->document, map, keys, reader->failure) != 0 ||
        document_need(reader->document, map, "name", &name, reader->failure) != 0 ||
        read_plain_byte(reader, map, "mask", 1, &field->mask) != 0)
        return -1;
    if (field->mask & ~byte->mask)
        return document_fail(reader->document, map, reader->failure,
                             "mask 0x%02X has bits that the byte's mask 0x%02X has not",
                             field->mask, byte->mask);
    for (size_t i = 0; i + 1 < byte->field_count; i++)
        if (byte->fields[i].mask & field->mask)
            return document_fail(reader->document, map, reader->failure,
                                 "mask 0x%02X has bits of the field %s", field->mask,
                                 byte->fields[i].name);
    field->name = copy_text(reader, name);
    if (!field->name)
        return -1;
    values = document_find(map, "values");
    return values ? read_values(reader, values, field) : 0;
}

static int read_fields(struct part_reader *reader, const struct document_node *list,
                       struct part_byte *byte)
{
    size_t count = document_count(list);

    if (document_node_kind(list) != DOCUMENT_SEQUENCE || count > 8)
        return document_fail(reader->document, list, reader->failure,
                             "expected a list of at most 8 fields");
    byte->fields = calloc(count ? count : 1, sizeof(*byte->fields));
    if (!byte->fields)
        return failure_set(reader->failure, FAILURE_OUT_OF_MEMORY, "%s: out of memory",
                           reader->document->path);
    for (size_t i = 0; i < count; i++) {
        byte->field_count = i + 1;
        if (read_field(reader, document_item(list, i), byte, &byte->fields[i]) != 0)
            return -1;
    }
    return 0;
}

static int read_byte(struct part_reader *reader, const struct document_node *map, const char *name,
                     enum part_memory memory)
{
    static const char *const keys[] = {"mask", "factory", "isp_read", "isp_write", "fields", NULL};
    struct part_byte *byte = &reader->part->bytes[memory - PART_FIRST_FUSE];
    const struct document_node *factory, *fields;
    uint8_t value = 0;

    if (document_check_keys(reader->document, map, keys, reader->failure) != 0 ||
        read_plain_byte(reader, map, "mask", 1, &byte->mask) != 0)
        return -1;
    factory = document_find(map, "factory");
    if (factory &&
        document_byte(reader->document, factory, 0, UINT8_MAX, &value, reader->failure) != 0)
        return -1;
    byte->exists = true;
    byte->factory_default = factory ? value : -1;
    snprintf(byte->name, sizeof(byte->name), "%s", name);
    if (part_read_instructions(reader, map, memory) != 0)
        return -1;
    fields = document_find(map, "fields");
    return fields ? read_fields(reader, fields, byte) : 0;
}

static int read_bytes(struct part_reader *reader, const struct document_node *root)
{
    static const char *const keys[] = {"low", "high", "extended", "fuse", NULL};
    static const enum part_memory memories[] = {PART_FUSE_LOW, PART_FUSE_HIGH, PART_FUSE_EXTENDED,
                                                PART_FUSE_LOW};
    const struct document_node *fuses = NULL, *lock = NULL, *byte;

    if (document_need(reader->document, root, "fuses", &fuses, reader->failure) != 0 ||
        document_check_keys(reader->document, fuses, keys, reader->failure) != 0 ||
        document_need(reader->document, root, "lock", &lock, reader->failure) != 0)
        return -1;
    if (document_find(fuses, "fuse") && document_count(fuses) != 1)
        return document_fail(reader->document, fuses, reader->failure,
                             "'fuse' is for parts that have just one");
    for (size_t i = 0; keys[i]; i++) {
        byte = document_find(fuses, keys[i]);
        if (byte && read_byte(reader, byte, keys[i], memories[i]) != 0)
            return -1;
    }
    return read_byte(reader, lock, "lock", PART_LOCK);
}

/* A few of the oldest parts have fuses that cannot be written over ISP: no wait for these. */
static int check_waits(struct part_reader *reader, const struct document_node *root)
{
    const struct part *part = reader->part;
    bool writable = false;

    for (int i = 0; i < PART_FUSE_AND_LOCK_COUNT - 1; i++)
        writable |= part->bytes[i].writable;
    if (writable == (part->fuse_write_delay_us != 0))
        return 0;
    return document_fail(reader->document, document_find(root, "waits"), reader->failure,
                         writable ? "the key 'fuse_us' is missing"
                                  : "fuse_us is given, but no fuse can be written over ISP");
}

/* ---- the bits the station must know ---- */

static bool is_name_of(size_t row, const char *field)
{
    return bit_table[row].loose ? strstr(field, bit_table[row].field) != NULL
                                : strcmp(field, bit_table[row].field) == 0;
}

static struct part_bit *bit_at(struct part *part, size_t row)
{
    return (struct part_bit *)((char *)part + bit_table[row].offset);
}

static int read_bit(struct part_reader *reader, const struct document_node *map, size_t row)
{
    static const char *const keys[] = {"fuse", "mask", NULL};
    static const char *const fuses[] = {"low", "high", "extended", "fuse", NULL};
    static const enum part_memory memories[] = {PART_FUSE_LOW, PART_FUSE_HIGH, PART_FUSE_EXTENDED,
                                                PART_FUSE_LOW};
    struct part_bit *bit = bit_at(reader->part, row);
    const struct document_node *fuse = NULL;
    const struct part_byte *byte;
    int index = 0;

    if (document_check_keys(reader->document, map, keys, reader->failure) != 0 ||
        document_need(reader->document, map, "fuse", &fuse, reader->failure) != 0 ||
        document_choice(reader->document, fuse, fuses, &index, reader->failure) != 0 ||
        read_plain_byte(reader, map, "mask", 1, &bit->mask) != 0)
        return -1;
    bit->memory = memories[index];
    byte = part_byte(reader->part, bit->memory);
    for (size_t i = 0; byte && strcmp(byte->name, fuses[index]) == 0 && i < byte->field_count; i++)
        if (byte->fields[i].mask == bit->mask &&
            (bit_table[row].loose || is_name_of(row, byte->fields[i].name)))
            return 0;
    return document_fail(reader->document, map, reader->failure,
                         "no field %s with the mask 0x%02X stands in the %s fuse",
                         bit_table[row].field, bit->mask, fuses[index]);
}

static int check_field_declared(struct part_reader *reader, const struct document_node *bits,
                                const char *field)
{
    for (size_t row = 0; row < BIT_COUNT; row++)
        if (is_name_of(row, field) && bit_at(reader->part, row)->mask == 0)
            return document_fail(reader->document, bits, reader->failure,
                                 "the fuse field %s must stand here as '%s'", field,
                                 bit_table[row].key);
    return 0;
}

static int read_bits(struct part_reader *reader, const struct document_node *root)
{
    const char *keys[BIT_COUNT + 1] = {NULL};
    const struct document_node *bits = NULL;

    for (size_t row = 0; row < BIT_COUNT; row++)
        keys[row] = bit_table[row].key;
    if (document_need(reader->document, root, "bits", &bits, reader->failure) != 0 ||
        document_check_keys(reader->document, bits, keys, reader->failure) != 0)
        return -1;
    for (size_t row = 0; row < BIT_COUNT; row++) {
        const struct document_node *bit = document_find(bits, bit_table[row].key);

        if (bit && read_bit(reader, bit, row) != 0)
            return -1;
    }
    for (size_t i = 0; i < PART_FUSE_AND_LOCK_COUNT - 1; i++)
        for (size_t j = 0; j < reader->part->bytes[i].field_count; j++)
            if (check_field_declared(reader, bits, reader->part->bytes[i].fields[j].name) != 0)
                return -1;
    return 0;
}

static int read_boot_section(struct part_reader *reader, const struct document_node *map,
                             struct part_boot_section *section)
{
    static const char *const keys[] = {"bootsz", "size", "start", NULL};
    uint32_t flash = reader->part->flash.size;

    if (document_check_keys(reader->document, map, keys, reader->failure) != 0 ||
        (document_find(map, "bootsz") &&
         read_plain_byte(reader, map, "bootsz", 0, &section->bootsz_value) != 0) ||
        read_u32(reader, map, "size", 1, flash, &section->size_bytes) != 0 ||
        read_u32(reader, map, "start", 0, flash, &section->start_byte_address) != 0)
        return -1;
    if (section->start_byte_address + section->size_bytes != flash)
        return document_fail(reader->document, map, reader->failure,
                             "start and size do not end at the flash's end, 0x%X", flash);
    return 0;
}

static int read_boot_sections(struct part_reader *reader, const struct document_node *root)
{
    const struct document_node *list = document_find(root, "boot_sections");
    struct part *part = reader->part;
    size_t count = document_count(list);
    size_t room = sizeof(part->boot_sections) / sizeof(part->boot_sections[0]);

    if (!list)
        return 0;
    if (document_node_kind(list) != DOCUMENT_SEQUENCE || count > room)
        return document_fail(reader->document, list, reader->failure,
                             "expected a list of at most %zu boot sections", room);
    for (size_t i = 0; i < count; i++)
        if (count > 1 && !document_find(document_item(list, i), "bootsz"))
            return document_fail(reader->document, document_item(list, i), reader->failure,
                                 "the key 'bootsz' is missing: only a lone section may be fixed");
    for (size_t i = 0; i < count; i++)
        if (read_boot_section(reader, document_item(list, i), &part->boot_sections[i]) != 0)
            return -1;
    part->boot_section_count = (int)count;
    return 0;
}

/* ---- the file ---- */

static int read_identity(struct part_reader *reader, const struct document_node *root)
{
    const struct document_node *name = NULL, *signature = NULL;
    const char *text = NULL;
    int64_t format = 0, calibration = 0;
    struct part *part = reader->part;

    if (read_number(reader, root, "format", 1, 1, &format) != 0 ||
        document_need(reader->document, root, "part", &name, reader->failure) != 0 ||
        document_text(reader->document, name, &text, reader->failure) != 0)
        return -1;
    if (strlen(text) >= sizeof(part->name))
        return document_fail(reader->document, name, reader->failure,
                             "found a name of %zu letters, expected at most %zu", strlen(text),
                             sizeof(part->name) - 1);
    snprintf(part->name, sizeof(part->name), "%s", text);
    if (document_need(reader->document, root, "signature", &signature, reader->failure) != 0 ||
        document_bytes(reader->document, signature, part->signature, sizeof(part->signature),
                       reader->failure) != 0)
        return -1;
    if (document_find(root, "calibration_bytes") &&
        read_number(reader, root, "calibration_bytes", 0, CALIBRATION_BYTES_MAX, &calibration) != 0)
        return -1;
    part->calibration_bytes = (uint8_t)calibration;
    return 0;
}

static int read_part(struct part_reader *reader)
{
    static const char *const keys[] = {"format",  "part",          "signature", "calibration_bytes",
                                       "flash",   "eeprom",        "waits",     "factory_clock",
                                       "crystal", "isp",           "fuses",     "lock",
                                       "bits",    "boot_sections", NULL};
    static int (*const steps[])(struct part_reader *, const struct document_node *) = {
        read_identity, read_memories,   read_waits, read_clock,         read_crystal,
        read_isp,      read_bytes,      read_bits,  read_boot_sections, part_check_instructions,
        check_waits,   part_check_rules};
    const struct document_node *root = reader->document->root;

    if (document_check_keys(reader->document, root, keys, reader->failure) != 0)
        return -1;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
        if (steps[i](reader, root) != 0)
            return -1;
    memcpy(reader->part->sha256, reader->document->sha256, sizeof(reader->part->sha256));
    return 0;
}

int part_from_document(const struct document *document, struct part **part, struct failure *failure)
{
    struct part_reader reader = {.document = document, .failure = failure};

    *part = NULL;
    reader.part = calloc(1, sizeof(*reader.part));
    if (!reader.part)
        return failure_set(failure, FAILURE_OUT_OF_MEMORY, "%s: out of memory", document->path);
    if (read_part(&reader) != 0) {
        part_free(reader.part);
        return -1;
    }
    *part = reader.part;
    return 0;
}

int part_parse(const char *name, const char *text, size_t bytes, struct part **part,
               struct failure *failure)
{
    struct document *document = NULL;
    int result;

    *part = NULL;
    if (document_parse(name, text, bytes, FAILURE_PART_INVALID, &document, failure) != 0)
        return -1;
    result = part_from_document(document, part, failure);
    document_free(document);
    return result;
}

static void free_field(struct part_field *field)
{
    for (size_t i = 0; i < field->value_count; i++)
        free(field->values[i].name);
    free(field->values);
    free(field->name);
}

void part_free(struct part *part)
{
    if (!part)
        return;
    for (size_t i = 0; i < PART_FUSE_AND_LOCK_COUNT; i++) {
        for (size_t j = 0; j < part->bytes[i].field_count; j++)
            free_field(&part->bytes[i].fields[j]);
        free(part->bytes[i].fields);
    }
    free(part->path);
    free(part);
}

/* ---- asking it ---- */

bool part_is_fuse_or_lock(enum part_memory memory)
{
    return memory >= PART_FIRST_FUSE && memory < PART_FIRST_FUSE + PART_FUSE_AND_LOCK_COUNT;
}

const struct part_byte *part_byte(const struct part *part, enum part_memory memory)
{
    if (!part_is_fuse_or_lock(memory) || !part->bytes[memory - PART_FIRST_FUSE].exists)
        return NULL;
    return &part->bytes[memory - PART_FIRST_FUSE];
}

uint32_t part_memory_size(const struct part *part, enum part_memory memory)
{
    switch (memory) {
    case PART_FLASH:
        return part->flash.size;
    case PART_EEPROM:
        return part->eeprom.size;
    case PART_SIGNATURE:
        return sizeof(part->signature);
    case PART_CALIBRATION:
        return part->calibration_bytes;
    default:
        return part_byte(part, memory) ? 1 : 0;
    }
}

bool part_byte_is_programmable(const struct part *part, enum part_memory memory)
{
    const struct part_byte *byte = part_byte(part, memory);

    return byte && byte->readable && byte->writable;
}

const char *part_memory_name(const struct part *part, enum part_memory memory)
{
    static const char *const names[PART_MEMORY_COUNT] = {
        "flash", "eeprom", "low", "high", "extended", "lock", "signature", "calibration"};
    const struct part_byte *byte = part_byte(part, memory);

    if (byte)
        return byte->name;
    return (unsigned)memory < PART_MEMORY_COUNT ? names[memory] : "unknown memory";
}

bool part_byte_equal(const struct part *part, enum part_memory memory, uint8_t a, uint8_t b)
{
    const struct part_byte *byte = part_byte(part, memory);
    uint8_t mask = byte ? byte->mask : 0xFF;

    return ((a ^ b) & mask) == 0;
}

bool part_bit_programmed(struct part_bit bit, uint8_t value)
{
    return bit.mask != 0 && (value & bit.mask) == 0;
}

static const char *value_name(const struct part_field *field, uint8_t code)
{
    for (size_t i = 0; i < field->value_count; i++)
        if (field->values[i].code == code)
            return field->values[i].name;
    return NULL;
}

/* "on", "off", a value's name, or its number where it has none. */
static void describe_field(const struct part_field *field, uint8_t value, char *text,
                           size_t text_bytes)
{
    uint8_t lowest = (uint8_t)(field->mask & -field->mask);
    uint8_t code = (uint8_t)((value & field->mask) / lowest);
    const char *name = value_name(field, code);

    if (name)
        snprintf(text, text_bytes, "%s %s", field->name, name);
    else if (field->mask == lowest && field->value_count == 0)
        snprintf(text, text_bytes, "%s %s", field->name, code == 0 ? "on" : "off");
    else
        snprintf(text, text_bytes, "%s 0x%02X", field->name, code);
}

void part_describe_byte(const struct part *part, enum part_memory memory, uint8_t value, char *text,
                        size_t text_bytes)
{
    const struct part_byte *byte = part_byte(part, memory);
    size_t used = 0;

    if (text_bytes == 0)
        return;
    text[0] = '\0';
    for (size_t i = 0; byte && i < byte->field_count && used < text_bytes; i++) {
        char field[80];
        int length;

        describe_field(&byte->fields[i], value, field, sizeof(field));
        length = snprintf(text + used, text_bytes - used, "%s%s", i ? ", " : "", field);
        used += length > 0 ? (size_t)length : 0;
    }
}
