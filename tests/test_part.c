/* The shipped part files, checked as code is; parts of other shapes; and what is refused. */
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

static struct part *load(const char *name)
{
    struct part *part = NULL;
    struct failure failure = {0};

    if (part_load(SHIPPED_PARTS_DIRECTORY, name, &part, &failure) != 0)
        fail_msg("%s", failure.detail);
    return part;
}

/* ---- every shipped part ---- */

static void check_byte(const struct part *part, enum part_memory memory)
{
    const struct part_byte *byte = part_byte(part, memory);
    uint8_t seen = 0;

    if (!byte)
        return;
    assert_int_equal(part_memory_size(part, memory), 1);
    assert_true(byte->mask != 0);
    assert_true(byte->factory_default >= 0 && byte->factory_default <= 0xFF);
    /* Bits that do not exist are erased, that is 1. */
    assert_int_equal((byte->factory_default | byte->mask) & 0xFF, 0xFF);
    for (size_t i = 0; i < byte->field_count; i++) {
        const struct part_field *field = &byte->fields[i];
        unsigned codes = field->mask / (unsigned)(field->mask & -field->mask);

        assert_true(strlen(field->name) > 0);
        assert_int_equal(field->mask & ~byte->mask, 0);
        assert_int_equal(field->mask & seen, 0);
        seen |= field->mask;
        for (size_t j = 0; j < field->value_count; j++) {
            assert_true(field->values[j].code <= codes);
            assert_true(strlen(field->values[j].name) > 0);
        }
    }
    assert_int_equal(seen, byte->mask);
}

static void check_array(const struct part_array *array)
{
    assert_true(array->size > 0 && array->page_size > 0);
    assert_int_equal(array->size & (array->size - 1), 0);
    assert_int_equal(array->page_size & (array->page_size - 1), 0);
    assert_true(array->page_size <= 256);
    /* No AVR is faster than this, and none of these slower than that. */
    assert_in_range(array->write_delay_us, 3000, 56000);
}

static void check_boot_sections(const struct part *part)
{
    for (int i = 0; i < part->boot_section_count; i++) {
        const struct part_boot_section *section = &part->boot_sections[i];

        assert_int_equal(section->start_byte_address + section->size_bytes, part->flash.size);
        assert_int_equal(section->size_bytes % part->flash.page_size, 0);
        assert_int_equal(section->bootsz_value, 3 - i);
        if (i > 0)
            assert_int_equal(section->size_bytes, 2 * section[-1].size_bytes);
    }
    assert_true((part->boot_section_count > 0) == (part->bootrst.mask != 0));
}

/* As the part leaves the factory, this station can reach it. */
static void check_reachable(const struct part *part)
{
    const struct part_bit open[] = {part->rstdisbl, part->dwen};

    assert_true(part->spien.mask != 0);
    assert_true(part_bit_programmed(part->spien,
                                    (uint8_t)part_byte(part, part->spien.memory)->factory_default));
    for (size_t i = 0; i < 2; i++)
        if (open[i].mask)
            assert_false(part_bit_programmed(
                open[i], (uint8_t)part_byte(part, open[i].memory)->factory_default));
    assert_true(part->ckdiv8.mask == 0 ||
                part_bit_programmed(part->ckdiv8,
                                    (uint8_t)part_byte(part, PART_FUSE_LOW)->factory_default) ==
                    part->factory_ckdiv8);
}

static void check_part(const char *name)
{
    struct part *part = load(name);

    print_message("%s\n", name);
    assert_string_equal(part->name, name);
    assert_int_equal(strlen(part->sha256), 64);
    assert_int_equal(part->signature[0], 0x1E);
    check_array(&part->flash);
    check_array(&part->eeprom);
    assert_int_equal(part->flash.needs_extended_address, part->flash.size > 0x20000);
    for (enum part_memory memory = PART_FUSE_LOW; memory <= PART_LOCK; memory++)
        check_byte(part, memory);
    assert_non_null(part_byte(part, PART_FUSE_LOW));
    assert_non_null(part_byte(part, PART_LOCK));
    assert_in_range(part->chip_erase_delay_us, 4500, 112000);
    assert_in_range(part->fuse_write_delay_us, 4500, 30000);
    assert_in_range(part->lock_write_delay_us, 4500, 30000);
    assert_true(part->sck_divider >= 4 && part->sck_divider_from_12mhz >= 6);
    assert_true(part->poll_ready || !part->poll_after_erase);
    assert_in_range(part->factory_clock_hz, 500000, 8000000);
    check_boot_sections(part);
    check_reachable(part);
    part_free(part);
}

static void test_shipped_parts(void **state)
{
    (void)state;
    check_shipped_parts(check_part);
}

/* A second look at what a slip would cost most, against the datasheets. */
static void test_known_figures(void **state)
{
    static const struct {
        const char *name;
        uint32_t flash, page, eeprom;
        uint8_t signature[3];
        bool poll;
    } known[] = {
        {"ATmega32U4", 32768, 128, 1024, {0x1E, 0x95, 0x87}, true},
        {"ATmega328P", 32768, 128, 1024, {0x1E, 0x95, 0x0F}, true},
        {"ATmega2560", 262144, 256, 4096, {0x1E, 0x98, 0x01}, true},
        {"ATmega32A", 32768, 128, 1024, {0x1E, 0x95, 0x02}, false},
        {"ATtiny85", 8192, 64, 512, {0x1E, 0x93, 0x0B}, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        struct part *part = load(known[i].name);

        assert_memory_equal(part->signature, known[i].signature, 3);
        assert_int_equal(part_memory_size(part, PART_FLASH), known[i].flash);
        assert_int_equal(part->flash.page_size, known[i].page);
        assert_int_equal(part_memory_size(part, PART_EEPROM), known[i].eeprom);
        assert_int_equal(part->poll_ready, known[i].poll);
        part_free(part);
    }
}

/* ---- asking ---- */

static void test_describe(void **state)
{
    struct part *part = load("ATmega328P");
    char text[200], short_text[12];

    (void)state;
    part_describe_byte(part, PART_FUSE_HIGH, 0xDE, text, sizeof(text));
    assert_string_equal(text, "BOOTRST on, BOOTSZ 256W_3F00, EESAVE off, WDTON off, SPIEN on, "
                              "DWEN off, RSTDISBL off");
    part_describe_byte(part, PART_FUSE_EXTENDED, 0xF8, text, sizeof(text));
    assert_string_equal(text, "BODLEVEL 0x00");
    part_describe_byte(part, PART_FUSE_HIGH, 0xDE, short_text, sizeof(short_text));
    assert_string_equal(short_text, "BOOTRST on,");
    part_describe_byte(part, PART_FLASH, 0, text, sizeof(text));
    assert_string_equal(text, "");
    part_free(part);
}

static void test_memories(void **state)
{
    struct part *part = load("ATmega32A");

    (void)state;
    assert_null(part_byte(part, PART_FUSE_EXTENDED));
    assert_null(part_byte(part, PART_FLASH));
    assert_int_equal(part_memory_size(part, PART_FUSE_EXTENDED), 0);
    assert_int_equal(part_memory_size(part, PART_SIGNATURE), 3);
    assert_int_equal(part_memory_size(part, PART_CALIBRATION), 4);
    assert_string_equal(part_memory_name(part, PART_LOCK), "lock");
    assert_string_equal(part_memory_name(part, PART_FLASH), "flash");
    assert_true(part_is_fuse_or_lock(PART_FUSE_LOW) && part_is_fuse_or_lock(PART_LOCK));
    assert_false(part_is_fuse_or_lock(PART_EEPROM) || part_is_fuse_or_lock(PART_SIGNATURE));
    /* Lock bits 6 and 7 do not exist. */
    assert_true(part_byte_equal(part, PART_LOCK, 0x3F, 0xFF));
    assert_false(part_byte_equal(part, PART_LOCK, 0x3E, 0xFF));
    assert_false(part_bit_programmed(part->dwen, 0x00));
    part_free(part);
}

static void test_names(void **state)
{
    struct part *part = NULL;
    struct failure failure = {0};

    (void)state;
    assert_int_equal(part_load(SHIPPED_PARTS_DIRECTORY, "ATmega32u4", &part, &failure), -1);
    assert_int_equal(failure.code, FAILURE_PROFILE_INVALID);
    assert_non_null(strstr(failure.detail, "did you mean 'ATmega32U4'"));
    assert_int_equal(part_load(SHIPPED_PARTS_DIRECTORY, "../parts/ATmega32U4", &part, &failure),
                     -1);
    assert_non_null(strstr(failure.detail, "no part '../parts/ATmega32U4' is known"));
    assert_int_equal(part_load("/nowhere", "ATmega32U4", &part, &failure), -1);
    assert_non_null(strstr(failure.detail, "no part 'ATmega32U4' is known in /nowhere"));
    assert_null(part);
}

/* ---- other shapes, and mistakes ---- */

/* Like an AT90S2313: one fuse byte, flash without pages, no fields, no EEPROM here. */
static const char old_part[] = "format: 1\n"
                               "part: Old\n"
                               "signature: 1E 91 01\n"
                               "flash:\n"
                               "  size: 2048\n"
                               "  page_size: 1\n"
                               "  page_write: false\n"
                               "  write_delay_us: 9000\n"
                               "waits: {chip_erase_us: 20000, lock_us: 9000}\n"
                               "isp:\n"
                               "  poll_ready: false\n"
                               "  poll_after_erase: false\n"
                               "  sync_echo: true\n"
                               "  sck_divider: 4\n"
                               "  sck_divider_from_12mhz: 4\n"
                               "fuses:\n"
                               "  fuse: {mask: 0x21, fields: [{name: SPIEN, mask: 0x20}]}\n"
                               "lock: {mask: 0x06}\n"
                               "bits: {spien: {fuse: fuse, mask: 0x20}}\n";

static void test_old_part(void **state)
{
    struct part *part = NULL;
    struct failure failure = {0};

    (void)state;
    if (part_parse("old.yaml", old_part, sizeof(old_part) - 1, &part, &failure) != 0)
        fail_msg("%s", failure.detail);
    assert_string_equal(part_memory_name(part, PART_FUSE_LOW), "fuse");
    assert_int_equal(part_byte(part, PART_FUSE_LOW)->factory_default, -1);
    assert_null(part_byte(part, PART_FUSE_HIGH));
    assert_int_equal(part_memory_size(part, PART_EEPROM), 0);
    assert_int_equal(part->spien.memory, PART_FUSE_LOW);
    assert_false(part->flash.page_write);
    assert_int_equal(part->factory_clock_hz, 0);
    part_free(part);
}

static const struct {
    const char *from, *to, *place, *reason;
} mistakes[] = {
    {"format: 1", "format: 2", "old.yaml:1:9: ", "expected a number from 1 to 1"},
    {"format: 1\n", "", "old.yaml:1:1: ", "the key 'format' is missing"},
    {"part: Old", "part: [Old]", "old.yaml:2:7: ", "expected text"},
    {"part: Old", "part: ATmegaAVeryLongNameThatNoPartHasEver", "old.yaml:2:7: ", "at most 31"},
    {"1E 91 01", "1E 91", "old.yaml:3:12: ", "expected 3 bytes"},
    {"size: 2048", "size: 4000000", "old.yaml:5:9: ", "found '4000000'"},
    {"page_size: 1", "page_size: 3", "old.yaml:5:3: ", "not a multiple of page_size 3"},
    {"page_size: 1", "page_size: 4096", "old.yaml:6:14: ", "from 1 to 2048"},
    {"page_write: false", "page_write: no", "old.yaml:7:15: ", "expected true or false"},
    {"page_write: false", "page_wriet: false", "old.yaml:7:3: ", "did you mean 'page_write'"},
    {"write_delay_us: 9000", "write_delay_us: 0", "old.yaml:8:19: ", "from 1 to 1000000"},
    {"size: 2048", "size: 262144", "old.yaml:5:3: ", "extended_address must be true"},
    {"lock_us: 9000", "lock: 9000", "old.yaml:9:31: ", "unknown key 'lock'"},
    {"poll_after_erase: false", "poll_after_erase: true", "old.yaml:11:3: ", "poll_ready is false"},
    {"sck_divider: 4", "sck_divider: 0", "old.yaml:14:16: ", "from 1 to 255"},
    {"fuse: {mask: 0x21", "fuse: {mask: 0x01", "old.yaml:17:31: ", "that the byte's mask 0x01"},
    {"  fuse: {mask: 0x21", "  low: {mask: 1}\n  fuse: {mask: 0x21",
     "old.yaml:17:3: ", "parts that have just one"},
    {"mask: 0x20}]", "mask: 0x20}, {name: X, mask: 0x21}]",
     "old.yaml:17:58: ", "of the field SPIEN"},
    {"mask: 0x20}]", "mask: 0x20, values: {2: A}}]", "old.yaml:17:66: ", "from 0 to 1"},
    {"mask: 0x20}]", "mask: 0x20, values: [A]}]", "old.yaml:17:65: ", "codes to names"},
    {"lock: {mask: 0x06}", "lock: {mask: 0}", "old.yaml:18:14: ", "from 1 to 255"},
    {"lock: {mask: 0x06}\n", "", "old.yaml:1:1: ", "the key 'lock' is missing"},
    /* The guard against a hidden RSTDISBL must see both ends. */
    {"bits: {spien: {fuse: fuse, mask: 0x20}}", "bits: {}", "old.yaml:19:7: ", "SPIEN must stand"},
    {"fuse: fuse, mask: 0x20", "fuse: fuse, mask: 0x01", "old.yaml:19:15: ", "no field SPIEN"},
    {"fuse: fuse, mask: 0x20", "fuse: high, mask: 0x20", "old.yaml:19:15: ", "in the high fuse"},
    {"fuse: fuse, mask: 0x20", "fuse: low, mask: 0x20", "old.yaml:19:15: ", "in the low fuse"},
    {"bits:", "boot_sections: [{bootsz: 0, size: 256, start: 0x600}]\nbits:", "old.yaml:19:17: ",
     "do not end at the flash's end"},
    {"bits:", "eeprom: none\nbits:", "old.yaml:19:9: ", "expected a mapping"},
};

static char *replace(const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from);
    char *made = NULL;

    assert_non_null(at);
    assert_true(asprintf(&made, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from)) > 0);
    return made;
}

static void test_mistakes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
        char *text = replace(old_part, mistakes[i].from, mistakes[i].to);
        struct part *part = NULL;
        struct failure failure = {0};

        if (part_parse("old.yaml", text, strlen(text), &part, &failure) == 0)
            fail_msg("taken: %s", mistakes[i].to);
        assert_null(part);
        assert_int_equal(failure.code, FAILURE_PART_INVALID);
        if (strncmp(failure.detail, mistakes[i].place, strlen(mistakes[i].place)) != 0 ||
            !strstr(failure.detail, mistakes[i].reason))
            fail_msg("found \"%s\", expected \"%s… %s\"", failure.detail, mistakes[i].place,
                     mistakes[i].reason);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shipped_parts), cmocka_unit_test(test_known_figures),
        cmocka_unit_test(test_describe),      cmocka_unit_test(test_memories),
        cmocka_unit_test(test_names),         cmocka_unit_test(test_old_part),
        cmocka_unit_test(test_mistakes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
