/* Every shipped part file is held to the rules that AVR parts keep. Those that all of them keep are
 * the part reader's, for files of a user's own as well (part_rules.c, test_part.c); these here have
 * exceptions, which stand in a table with the reason, or go further than must hold for everybody.
 * An exception that is not needed any more is an error, too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "profiles/part.h"
#include "tests/shipped_parts.h"

#define PARTS_MAX 512

/* A part, all of them, and what was found. */
struct walk {
    const struct part *part;
    struct part *parts[PARTS_MAX];
    size_t count;
    int broken;
    bool needed[64]; /* index: exceptions[] */
};

/* ---- the rules' exceptions ---- */

static const struct {
    const char *part;
    const char *rule;
    const char *reason;
} exceptions[] = {
    {"ATmega324PB", "extended: missing bits are 1", "the device file's figure, kept as it is"},
    {"AT90S2333", "fuse: factory value", "no source has one"},
    {"ATtiny22", "fuse: factory value", "no source has one"},
    {"AT90S2333", "lock: mode 2", "the sources disagree, so it is left out"},
    {"ATmega161", "boot: selected by BOOTSZ", "its boot section is fixed"},
    {"AT90S1200", "answers AC 53", "its datasheet says so"},
    {"AT90S2313", "clock fuse", "always a crystal or an external clock"},
    {"AT90S2323", "clock fuse", "always a crystal or an external clock"},
    {"AT90S4414", "clock fuse", "always a crystal or an external clock"},
    {"AT90S4434", "clock fuse", "always a crystal or an external clock"},
    {"AT90S8515", "clock fuse", "always a crystal or an external clock"},
    {"AT90S8535", "clock fuse", "always a crystal or an external clock"},
    {"ATmega103", "clock fuse", "always a crystal or an external clock"},
    {"ATmega8HVA", "clock fuse", "always its own oscillator"},
    {"ATmega16HVA", "clock fuse", "always its own oscillator"},
    {"ATmegaS64M1", "write delays", "2.6 ms for the flash in avrdude's table"},
};
#define EXCEPTION_COUNT (sizeof(exceptions) / sizeof(exceptions[0]))

/* Notes whether `rule` holds for the part at hand. */
__attribute__((format(printf, 4, 5))) static void hold(struct walk *walk, bool holds,
                                                       const char *rule, const char *found, ...)
{
    char text[200];
    va_list arguments;

    for (size_t i = 0; i < EXCEPTION_COUNT; i++)
        if (strcmp(exceptions[i].part, walk->part->name) == 0 &&
            strcmp(exceptions[i].rule, rule) == 0) {
            walk->needed[i] |= !holds;
            return;
        }
    if (holds)
        return;
    va_start(arguments, found);
    vsnprintf(text, sizeof(text), found, arguments);
    va_end(arguments);
    print_error("%s: %s: found %s\n", walk->part->name, rule, text);
    walk->broken++;
}

/* The same for a rule of one fuse or the lock byte. */
static void hold_byte(struct walk *walk, bool holds, enum part_memory memory, const char *rule,
                      int value)
{
    char text[100];

    snprintf(text, sizeof(text), "%s: %s", part_memory_name(walk->part, memory), rule);
    hold(walk, holds, text, "0x%02X", (unsigned)value);
}

static const struct part_field *field_of(const struct part_byte *byte, const char *name)
{
    for (size_t i = 0; byte && i < byte->field_count; i++)
        if (strcmp(byte->fields[i].name, name) == 0)
            return &byte->fields[i];
    return NULL;
}

static const char *value_name(const struct part_field *field, uint8_t code)
{
    for (size_t i = 0; field && i < field->value_count; i++)
        if (field->values[i].code == code)
            return field->values[i].name;
    return "";
}

/* ---- fuses and lock bits ---- */

static void check_fields(struct walk *walk, enum part_memory memory, const struct part_byte *byte)
{
    for (size_t i = 0; i < byte->field_count; i++)
        for (size_t j = 0; j < byte->fields[i].value_count; j++)
            hold_byte(walk, byte->fields[i].values[j].name[0] != '\0', memory,
                      "a field's values have names", byte->fields[i].values[j].code);
}

static void check_byte(struct walk *walk, enum part_memory memory)
{
    const struct part_byte *byte = part_byte(walk->part, memory);

    if (!byte)
        return;
    check_fields(walk, memory, byte);
    hold_byte(walk, byte->factory_default >= 0, memory, "factory value", 0);
    if (byte->factory_default >= 0)
        hold_byte(walk, ((byte->factory_default | byte->mask) & 0xFF) == 0xFF, memory,
                  "missing bits are 1", byte->factory_default);
}

static void check_bytes(struct walk *walk)
{
    bool one = strcmp(part_memory_name(walk->part, PART_FUSE_LOW), "fuse") == 0;

    for (enum part_memory memory = PART_FUSE_LOW; memory <= PART_LOCK; memory++)
        check_byte(walk, memory);
    hold(walk, part_byte(walk->part, PART_FUSE_LOW) != NULL, "it has a fuse", "none");
    hold(walk, !one || !part_byte(walk->part, PART_FUSE_HIGH), "'fuse' is the only one", "more");
}

/* Lock modes 1 (none), 2 (no writing) and 3 (no reading either): 11, 10 and 00 in LB2 and LB1. */
static void check_lock(struct walk *walk)
{
    const struct part_byte *lock = part_byte(walk->part, PART_LOCK);
    const struct part_field *modes = field_of(lock, "LB");

    hold(walk, lock && lock->factory_default == 0xFF, "lock: ships unlocked", "another value");
    hold(walk, strcmp(value_name(modes, 3), "NO_LOCK") == 0, "lock: mode 1", "'%s'",
         value_name(modes, 3));
    hold(walk, strcmp(value_name(modes, 2), "PROG_DISABLED") == 0, "lock: mode 2", "'%s'",
         value_name(modes, 2));
    hold(walk, strcmp(value_name(modes, 0), "PROG_VER_DISABLED") == 0, "lock: mode 3", "'%s'",
         value_name(modes, 0));
}

/* ---- memories ---- */

static void check_array(struct walk *walk, const struct part_array *array, const char *name)
{
    hold(walk, array->has_unpollable == !walk->part->poll_ready,
         "values are polled where RDY/BSY is not", "%s", name);
    hold(walk, array->write_delay_us >= 3400, "write delays", "%s %u", name, array->write_delay_us);
}

static void check_memories(struct walk *walk)
{
    const struct part *part = walk->part;

    check_array(walk, &part->flash, "flash");
    check_array(walk, &part->eeprom, "EEPROM");
    hold(walk, part->eeprom.size > 0, "EEPROM", "none");
    hold(walk, part->flash.page_write || part->flash.size <= 8192,
         "only the small flashes are written by bytes", "%u", part->flash.size);
}

/* "2048W_3800": words of the section, and the word address of its start. */
static void check_boot_name(struct walk *walk, const struct part_field *bootsz,
                            const struct part_boot_section *section)
{
    const char *name = value_name(bootsz, section->bootsz_value);
    unsigned words = 0, start = 0;

    hold(walk,
         sscanf(name, "%uW_%x", &words, &start) == 2 && words * 2 == section->size_bytes &&
             start * 2 == section->start_byte_address,
         "boot: the value's name is size and start", "'%s'", name);
}

static void check_boot_sections(struct walk *walk)
{
    const struct part *part = walk->part;
    const struct part_field *bootsz = field_of(part_byte(part, part->bootrst.memory), "BOOTSZ");
    int count = part->boot_section_count;

    if (part->bootrst.mask == 0) {
        hold(walk, count == 0, "boot: sections only where there is BOOTRST", "%d", count);
        return;
    }
    hold(walk, bootsz && count == 4, "boot: selected by BOOTSZ", "%d sections", count);
    for (int i = 0; i < count; i++) {
        const struct part_boot_section *section = &part->boot_sections[i];

        hold(walk, section->start_byte_address + section->size_bytes == part->flash.size,
             "boot: sections end with the flash", "0x%X", section->start_byte_address);
        hold(walk, section->size_bytes % part->flash.page_size == 0, "boot: whole pages", "%u",
             section->size_bytes);
        hold(walk, i == 0 || section->size_bytes == 2 * section[-1].size_bytes,
             "boot: each twice the one before", "%u", section->size_bytes);
        hold(walk, !bootsz || section->bootsz_value == 3 - i, "boot: 3 is the smallest", "%d",
             section->bootsz_value);
        if (bootsz)
            check_boot_name(walk, bootsz, section);
    }
}

/* ---- instructions ---- */

/* How the byte of `value` is sent, or how it comes back, made from the places alone. */
static void encode(const struct part_instruction *instruction, uint8_t value, uint8_t bytes[4])
{
    memcpy(bytes, instruction->bits, 4);
    for (int n = 0; n < 8; n++)
        if (instruction->place[n] != 0 && (value & (1 << n)) != 0)
            bytes[(instruction->place[n] - 1) / 8] |= 0x80 >> (instruction->place[n] - 1) % 8;
}

/* All values through the instruction and back; and none of them is another instruction's. */
static void check_instruction(struct walk *walk, enum part_memory memory, bool write)
{
    const struct part_byte *byte = part_byte(walk->part, memory);
    const struct part_instruction *own = write ? &byte->write : &byte->read;
    uint8_t needed = byte->mask;

    if (write && walk->part->spien.memory == memory)
        needed &= (uint8_t)~walk->part->spien.mask;
    for (int value = 0; value < 256; value++) {
        uint8_t bytes[4], decoded = 0, carried = 0;

        encode(own, (uint8_t)value, bytes);
        hold_byte(walk, part_instruction_decode(own, bytes, &decoded, &carried), memory,
                  "its instruction is known again", value);
        hold_byte(walk, (needed & ~carried) == 0 && decoded == (uint8_t)(value | ~carried), memory,
                  "its instruction carries all bits", value);
        hold_byte(walk, !write || (bytes[0] == 0xAC && bytes[1] != 0x53 && (bytes[1] >> 5) != 4),
                  memory, "a write is no enable and no erase", value);
        for (enum part_memory other = PART_FUSE_LOW; write && other <= PART_LOCK; other++)
            if (other != memory && part_byte(walk->part, other) &&
                part_byte(walk->part, other)->writable)
                hold_byte(walk,
                          !part_instruction_decode(&part_byte(walk->part, other)->write, bytes,
                                                   &decoded, &carried),
                          memory, "a write is no other byte's", value);
    }
}

/* What the instructions look like on the wire: reads as sent, the answer byte when only bit 1 of
 * the value is set, writes of 0x00 and of 0xFF. */
struct wire {
    uint8_t read[4], answer, zeros[4], ones[4];
};

/* "Serial Programming Instruction Set", ATmega328P (8271J) table 28-19. Index: memory -
 * PART_FIRST_FUSE. */
static const struct wire standard[] = {
    {{0x50, 0x00}, 0x02, {0xAC, 0xA0, 0, 0}, {0xAC, 0xA0, 0, 0xFF}},
    {{0x58, 0x08}, 0x02, {0xAC, 0xA8, 0, 0}, {0xAC, 0xA8, 0, 0xFF}},
    {{0x50, 0x08}, 0x02, {0xAC, 0xA4, 0, 0}, {0xAC, 0xA4, 0, 0xFF}},
    {{0x58, 0x00}, 0x02, {0xAC, 0xE0, 0, 0}, {0xAC, 0xE0, 0, 0xFF}},
};

/* Those of the oldest; named for one that has them. */
enum kind {
    NOT_OVER_ISP,
    FUSE_2323,
    FUSE_2333,
    FUSE_103,
    LOCK_1200,
    LOCK_2313,
    LOCK_2323,
    LOCK_2333,
    LOCK_26
};
static const struct wire kinds[] = {
    [NOT_OVER_ISP] = {{0}, 0, {0}, {0}},
    [FUSE_2323] = {{0x58}, 0, {0xAC, 0xBE}, {0xAC, 0xBF}},
    [FUSE_2333] = {{0x50}, 0x02, {0xAC, 0xA0}, {0xAC, 0xBF}},
    [FUSE_103] = {{0x50}, 0x02, {0xAC, 0xB4}, {0xAC, 0xBF}},
    [LOCK_1200] = {{0}, 0, {0xAC, 0xF9}, {0xAC, 0xFF}},
    [LOCK_2313] = {{0}, 0, {0xAC, 0xE0}, {0xAC, 0xE6}},
    [LOCK_2323] = {{0x58}, 0x80, {0xAC, 0xF9}, {0xAC, 0xFF}},
    [LOCK_2333] = {{0x58}, 0x02, {0xAC, 0xF9}, {0xAC, 0xFF}},
    [LOCK_26] = {{0x58}, 0x02, {0xAC, 0xFC}, {0xAC, 0xFF}},
};

/* "Serial Programming Instruction Set" of each. */
static const struct {
    const char *part;
    enum part_memory memory;
    enum kind kind;
} others[] = {
    {"AT90S1200", PART_FUSE_LOW, NOT_OVER_ISP}, {"AT90S1200", PART_LOCK, LOCK_1200},
    {"AT90S2313", PART_FUSE_LOW, NOT_OVER_ISP}, {"AT90S2313", PART_LOCK, LOCK_2313},
    {"AT90S4414", PART_FUSE_LOW, NOT_OVER_ISP}, {"AT90S4414", PART_LOCK, LOCK_1200},
    {"AT90S8515", PART_FUSE_LOW, NOT_OVER_ISP}, {"AT90S8515", PART_LOCK, LOCK_1200},
    {"AT90S2323", PART_FUSE_LOW, FUSE_2323},    {"AT90S2323", PART_LOCK, LOCK_2323},
    {"AT90S2343", PART_FUSE_LOW, FUSE_2323},    {"AT90S2343", PART_LOCK, LOCK_2323},
    {"AT90S4434", PART_FUSE_LOW, FUSE_2323},    {"AT90S4434", PART_LOCK, LOCK_2323},
    {"AT90S8535", PART_FUSE_LOW, FUSE_2323},    {"AT90S8535", PART_LOCK, LOCK_2323},
    {"ATtiny22", PART_FUSE_LOW, FUSE_2323},     {"ATtiny22", PART_LOCK, LOCK_2323},
    {"AT90S2333", PART_FUSE_LOW, FUSE_2333},    {"AT90S2333", PART_LOCK, LOCK_2333},
    {"AT90S4433", PART_FUSE_LOW, FUSE_2333},    {"AT90S4433", PART_LOCK, LOCK_2333},
    {"ATmega103", PART_FUSE_LOW, FUSE_103},     {"ATmega103", PART_LOCK, LOCK_2333},
    {"ATtiny12", PART_LOCK, LOCK_2333},         {"ATtiny15", PART_LOCK, LOCK_2333},
    {"ATtiny26", PART_LOCK, LOCK_26},           {"ATtiny261", PART_LOCK, LOCK_26},
    {"ATtiny261A", PART_LOCK, LOCK_26},         {"ATtiny461", PART_LOCK, LOCK_26},
    {"ATtiny461A", PART_LOCK, LOCK_26},         {"ATtiny861", PART_LOCK, LOCK_26},
    {"ATtiny861A", PART_LOCK, LOCK_26},
};

static void check_wire(struct walk *walk, enum part_memory memory)
{
    const struct part_byte *byte = part_byte(walk->part, memory);
    struct wire wire = standard[memory - PART_FIRST_FUSE];
    uint8_t bytes[4];

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (strcmp(others[i].part, walk->part->name) == 0 && others[i].memory == memory)
            wire = kinds[others[i].kind];
    hold_byte(walk, byte->readable == (wire.read[0] != 0), memory, "readable", byte->readable);
    hold_byte(walk, byte->writable == (wire.zeros[0] != 0), memory, "writable", byte->writable);
    hold_byte(walk, memcmp(byte->read.bits, wire.read, 4) == 0, memory, "how it is read",
              byte->read.bits[0]);
    encode(&byte->read, 0x02, bytes);
    hold_byte(walk, bytes[3] == wire.answer, memory, "how it is answered", bytes[3]);
    encode(&byte->write, 0x00, bytes);
    hold_byte(walk, memcmp(bytes, wire.zeros, 4) == 0, memory, "how 0x00 is written", bytes[1]);
    encode(&byte->write, 0xFF, bytes);
    hold_byte(walk, memcmp(bytes, wire.ones, 4) == 0, memory, "how 0xFF is written", bytes[1]);
}

static void check_instructions(struct walk *walk)
{
    bool fuse_written = false;

    for (enum part_memory memory = PART_FUSE_LOW; memory <= PART_LOCK; memory++) {
        const struct part_byte *byte = part_byte(walk->part, memory);

        if (!byte)
            continue;
        check_wire(walk, memory);
        if (byte->readable)
            check_instruction(walk, memory, false);
        if (byte->writable)
            check_instruction(walk, memory, true);
        fuse_written |= memory != PART_LOCK && byte->writable;
    }
    hold(walk, fuse_written == (walk->part->fuse_write_delay_us != 0),
         "fuses that can be written have a wait", "%u", walk->part->fuse_write_delay_us);
}

/* ---- clock ---- */

static void check_echo(struct walk *walk)
{
    hold(walk, walk->part->sync_echo, "answers AC 53", "otherwise");
}

/* SCK low and high longer than two clocks, from 12 MHz on than three; the oldest know no such step
 * ("Serial Programming" in the datasheets). */
static void check_sck(struct walk *walk)
{
    const struct part *part = walk->part;
    bool slow = strcmp(part->name, "AT90S1200") == 0;
    uint8_t fast = slow ? 8 : 4;

    hold(walk, part->sck_divider == fast, "SCK divider", "%u", part->sck_divider);
    hold(walk,
         part->sck_divider_from_12mhz == 6 ||
             (part->sck_divider_from_12mhz == fast && !part->poll_ready),
         "SCK divider from 12 MHz", "%u", part->sck_divider_from_12mhz);
}

static void check_clock(struct walk *walk)
{
    const struct part *part = walk->part;
    const struct part_byte *fuse = part->ckdiv8.mask ? part_byte(part, part->ckdiv8.memory) : NULL;

    hold(walk,
         part->factory_ckdiv8 ==
             (fuse && part_bit_programmed(part->ckdiv8, (uint8_t)fuse->factory_default)),
         "factory CKDIV8", "%d", part->factory_ckdiv8);
}

/* ---- what could lock the station out ---- */

static bool is_declared(struct part_bit bit, enum part_memory memory, uint8_t mask)
{
    return bit.memory == memory && bit.mask == mask;
}

static void check_declared(struct walk *walk)
{
    const struct part *part = walk->part;
    const struct {
        const char *field;
        struct part_bit bit;
    } known[] = {{"SPIEN", part->spien},   {"RSTDISBL", part->rstdisbl}, {"DWEN", part->dwen},
                 {"EESAVE", part->eesave}, {"CKDIV8", part->ckdiv8},     {"BOOTRST", part->bootrst},
                 {"JTAGEN", part->jtagen}, {"SUT_CKSEL", part->cksel},   {"CKSEL", part->cksel}};

    for (enum part_memory memory = PART_FUSE_LOW; memory < PART_LOCK; memory++)
        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
            const struct part_field *field = field_of(part_byte(part, memory), known[i].field);

            hold(walk, !field || is_declared(known[i].bit, memory, field->mask),
                 "what the station must know is declared", "%s", known[i].field);
        }
    hold(walk, part->cksel.mask != 0, "clock fuse", "none");
}

/* ---- signatures ---- */

static void read_signature_line(const char *name, char *line, size_t line_bytes)
{
    char path[300];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s.yaml", SHIPPED_PARTS_DIRECTORY, name);
    file = fopen(path, "r");
    assert_non_null(file);
    do
        assert_non_null(fgets(line, (int)line_bytes, file));
    while (strncmp(line, "signature:", 10) != 0);
    assert_int_equal(fclose(file), 0);
}

/* A signature that several parts have is said to be so in the file of each, with the others'
 * names. */
static void check_signature(struct walk *walk)
{
    const uint8_t *own = walk->part->signature;
    char expected[300], found[300];
    int used =
        snprintf(expected, sizeof(expected), "signature: %02X %02X %02X", own[0], own[1], own[2]);
    const char *between = "  # also ";

    for (size_t i = 0; i < walk->count; i++) {
        if (walk->parts[i] == walk->part || memcmp(walk->parts[i]->signature, own, 3) != 0)
            continue;
        used += snprintf(expected + used, sizeof(expected) - (size_t)used, "%s%s", between,
                         walk->parts[i]->name);
        between = ", ";
    }
    read_signature_line(walk->part->name, found, sizeof(found));
    found[strcspn(found, "\n")] = '\0';
    hold(walk, strcmp(found, expected) == 0, "signature: who shares it", "'%s', not '%s'", found,
         expected);
}

/* ---- all of them ---- */

static void load_part(const char *name, void *context)
{
    struct walk *walk = context;
    struct failure failure = {0};

    assert_true(walk->count < PARTS_MAX);
    if (part_load(SHIPPED_PARTS_DIRECTORY, name, &walk->parts[walk->count], &failure) != 0)
        fail_msg("%s", failure.detail);
    walk->count++;
}

static int compare_parts(const void *a, const void *b)
{
    return strcmp((*(struct part *const *)a)->name, (*(struct part *const *)b)->name);
}

static void test_rules(void **state)
{
    static void (*const rules[])(struct walk *) = {
        check_bytes, check_lock, check_memories, check_boot_sections, check_instructions,
        check_echo,  check_sck,  check_clock,    check_declared,      check_signature};
    struct walk *walk = calloc(1, sizeof(*walk));
    int broken = 0;

    (void)state;
    assert_non_null(walk);
    check_shipped_parts(load_part, walk);
    qsort(walk->parts, walk->count, sizeof(struct part *), compare_parts);
    for (size_t i = 0; i < walk->count; i++) {
        walk->part = walk->parts[i];
        for (size_t j = 0; j < sizeof(rules) / sizeof(rules[0]); j++)
            rules[j](walk);
    }
    for (size_t i = 0; i < EXCEPTION_COUNT; i++)
        if (!walk->needed[i]) {
            print_error("%s: %s: is kept, so there is no exception (%s)\n", exceptions[i].part,
                        exceptions[i].rule, exceptions[i].reason);
            broken++;
        }
    broken += walk->broken;
    for (size_t i = 0; i < walk->count; i++)
        part_free(walk->parts[i]);
    free(walk);
    assert_int_equal(broken, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rules)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
