/* The part reader: asking a part, parts of other shapes, instructions of their own, where files are
 * found, and what is refused. What the shipped files are held to: test_part_rules.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiles/part.h"
#include "profiles/part_foreign.h"

#define SHIPPED_PARTS_DIRECTORY TEST_SOURCE_DIR "/profiles/parts"

static struct part *load(const char *name)
{
    struct part *part = NULL;
    struct failure failure = {0};

    if (part_load(SHIPPED_PARTS_DIRECTORY, name, &part, &failure) != 0)
        fail_msg("%s", failure.detail);
    return part;
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
    assert_string_equal(failure.detail,
                        "no part 'ATmega32U4' is known; 'gangflash parts' lists the "
                        "0 that are");
    assert_int_equal(part_load(SHIPPED_PARTS_DIRECTORY, "foo", &part, &failure), -1);
    assert_non_null(strstr(failure.detail, "no part 'foo' is known; 'gangflash parts' lists the "));
    assert_null(part);
}

/* The nearest name of an AVR that has no ISP is that of another part. */
static void test_parts_of_others(void **state)
{
    static const struct {
        const char *name, *told;
    } cases[] = {
        {"ATtiny412", "is known: it is programmed over UPDI"},
        {"attiny1614-SSN", "is known: it is programmed over UPDI"},
        {"ATmega4809", "is known: it is programmed over UPDI"},
        {"ATxmega128A1", "is known: it is programmed over PDI"},
        {"AVR128DA48", "is known: it is programmed over UPDI"},
        {"ATtiny10", "is known: it is programmed over TPI"},
        {"ATtiny11", "is known: it is programmed over high voltage"},
        {"ATtiny1OO", "is known"},
        {"m328p", "did you mean 'ATmega328P'?"},
        {"T85", "did you mean 'ATtiny85'?"},
        {"usb1286", "did you mean 'AT90USB1286'?"},
        {"2313", "did you mean 'AT90S2313'?"},
        {"ATmega328P-AU", "did you mean 'ATmega328P'?"},
        {"ATtiny4313A", "did you mean 'ATtiny4313'?"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct part *part = NULL;
        struct failure failure = {0};

        assert_int_equal(part_load(SHIPPED_PARTS_DIRECTORY, cases[i].name, &part, &failure), -1);
        assert_int_equal(failure.code, FAILURE_PROFILE_INVALID);
        if (strstr(failure.detail, cases[i].told) == NULL)
            fail_msg("'%s': %s", cases[i].name, failure.detail);
    }
}

/* No part that is known is taken for one of those. */
static void test_own_parts(void **state)
{
    struct failure failure = {0};
    struct part_list list;

    (void)state;
    assert_int_equal(part_list(SHIPPED_PARTS_DIRECTORY, &list, &failure), 0);
    assert_true(list.count >= 185);
    for (size_t i = 0; i < list.count; i++)
        if (part_foreign_interface(list.names[i]) != NULL)
            fail_msg("%s has ISP", list.names[i]);
    part_list_free(&list);
}

static void write_file(const char *directory, const char *name, const char *text)
{
    char path[200];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* The first directory that has the file wins, also when the file is broken. */
static void test_directories(void **state)
{
    char own[] = "/tmp/test-part-XXXXXX", directories[400], path[200];
    struct part *part = NULL;
    struct part_list list;
    struct failure failure = {0};

    (void)state;
    assert_non_null(mkdtemp(own));
    snprintf(directories, sizeof(directories), "/nowhere::%s:%s", own, SHIPPED_PARTS_DIRECTORY);
    assert_int_equal(part_load(directories, "ATmega328P", &part, &failure), 0);
    part_free(part);
    write_file(own, "ATmega328P.yaml", "format: 1\npart: ATmega328P\n");
    assert_true(part_find(directories, "ATmega328P", path, sizeof(path)));
    assert_int_equal(strncmp(path, own, strlen(own)), 0);
    assert_int_equal(part_load(directories, "ATmega328P", &part, &failure), -1);
    assert_int_equal(failure.code, FAILURE_PART_INVALID);
    assert_int_equal(strncmp(failure.detail, own, strlen(own)), 0);
    assert_null(part);
    /* One that points nowhere is there, but cannot be read. */
    assert_int_equal(remove(path), 0);
    assert_int_equal(symlink("/nowhere/part.yaml", path), 0);
    assert_int_equal(part_load(directories, "ATmega328P", &part, &failure), -1);
    assert_non_null(strstr(failure.detail, own));
    write_file(own, "Own.yaml", "");
    write_file(own, "No part.yaml", "");
    assert_int_equal(part_list(directories, &list, &failure), 0);
    assert_true(list.count >= 186);
    for (size_t i = 1; i < list.count; i++)
        assert_true(strcmp(list.names[i - 1], list.names[i]) < 0);
    assert_string_equal(list.names[list.count - 1], "Own");
    part_list_free(&list);
    assert_int_equal(part_load(directories, "ATmega328", &part, &failure), 0);
    part_free(part);
    assert_int_equal(unlink(path), 0);
    snprintf(path, sizeof(path), "%s/Own.yaml", own);
    assert_int_equal(unlink(path), 0);
    snprintf(path, sizeof(path), "%s/No part.yaml", own);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(own), 0);
}

/* ---- other shapes, and mistakes ---- */

/* Like an AT90S2313: one fuse byte, flash without pages, no EEPROM here. */
static const char old_part[] =
    "format: 1\n"
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
    "  fuse: {mask: 0x21, isp_read: none, isp_write: none, fields: [{name: SPIEN, mask: 0x20}, "
    "{name: FSTRT, mask: 1}]}\n"
    "lock: {mask: 0x06, fields: [{name: LB, mask: 0x06}]}\n"
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
    assert_false(part_byte_is_programmable(part, PART_FUSE_LOW));
    assert_false(part_byte_is_programmable(part, PART_FUSE_HIGH));
    assert_true(part_byte_is_programmable(part, PART_LOCK));
    part_free(part);
}

static char *replace(const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from);
    char *made = NULL;

    assert_non_null(at);
    assert_true(asprintf(&made, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from)) > 0);
    return made;
}

/* As an AT90S2323 has it: fuse and lock bits come back in one answer. */
static void test_instructions(void **state)
{
    struct part *part = NULL;
    struct failure failure = {0};
    uint8_t value = 0, carried = 0;
    char *with_fuse = replace(old_part, "isp_read: none, isp_write: none",
                              "isp_read: \"01011000 xxxxxxxx xxxxxxxx xxoxxxxo\", "
                              "isp_write: \"10101100 1011111i xxxxxxxx xxxxxxxx\"");
    char *with_lock =
        replace(with_fuse, "lock: {mask: 0x06",
                "lock: {mask: 0x06, isp_read: \"01011000 xxxxxxxx xxxxxxxx o1o2xxxxxx\"");
    char *text = replace(with_lock, "lock_us: 9000", "lock_us: 9000, fuse_us: 9000");

    (void)state;
    if (part_parse("old.yaml", text, strlen(text), &part, &failure) != 0)
        fail_msg("%s", failure.detail);
    assert_true(part_byte_is_programmable(part, PART_FUSE_LOW));
    assert_memory_equal(part->bytes[0].write.bits, "\xAC\xBE\x00\x00", 4);
    assert_memory_equal(part->bytes[0].write.fixed, "\xFF\xFE\x00\x00", 4);
    assert_true(part_instruction_decode(&part->bytes[0].write, (const uint8_t *)"\xAC\xBE\x12\x34",
                                        &value, &carried));
    assert_int_equal(value, 0xFE);
    assert_int_equal(carried, 0x01);
    assert_false(part_instruction_decode(&part->bytes[0].write, (const uint8_t *)"\xAC\xAE\x12\x34",
                                         &value, &carried));
    /* Bit 0 of the last byte is the fuse's, bits 7 and 6 are lock bits 1 and 2. */
    assert_true(part_instruction_decode(&part->bytes[0].read, (const uint8_t *)"\x58\x00\x00\x81",
                                        &value, &carried));
    assert_int_equal(value, 0xDF);
    assert_int_equal(carried, 0x21);
    const struct part_instruction *lock = &part_byte(part, PART_LOCK)->read;
    assert_true(
        part_instruction_decode(lock, (const uint8_t *)"\x58\x00\x00\x81", &value, &carried));
    assert_int_equal(value, 0xFB);
    assert_int_equal(carried, 0x06);
    part_free(part);
    free(text);
    free(with_lock);
    free(with_fuse);
}

#define PAGES(size) "page_size: 1\n  page_write: false", "page_size: " size "\n  page_write: true"
/* The field and its row below `bits:` are both wrong. */
#define WITHOUT_SPIEN(name)                                                                        \
    "SPIEN, mask: 0x20}, {name: FSTRT, mask: 1}]}\n" REST "{spien: {fuse: fuse, mask: 0x20}}",     \
        name ", mask: 0x20}, {name: FSTRT, mask: 1}]}\n" REST "{}"
#define REST "lock: {mask: 0x06, fields: [{name: LB, mask: 0x06}]}\nbits: "
static const struct {
    const char *from, *to, *place, *reason;
} mistakes[] = {
    {"format: 1", "format: 2", "old.yaml:1:9: ", "found '2', expected the number 1"},
    {"format: 1\n", "", "old.yaml:1:1: ", "the key 'format' is missing"},
    {"part: Old", "part: [Old]", "old.yaml:2:7: ", "expected text"},
    {"part: Old", "part: ATmegaAVeryLongNameThatNoPartHasEver", "old.yaml:2:7: ", "at most 31"},
    {"1E 91 01", "1E 91", "old.yaml:3:12: ", "expected 3 bytes"},
    {"size: 2048", "size: 4000000", "old.yaml:5:9: ", "found '4000000'"},
    {"size: 2048", "size: 2047", "old.yaml:5:9: ", "found '2047', expected a power of two"},
    {"size: 2048", "size: 512", "old.yaml:5:9: ", "found '512', expected a number from 1024"},
    {"page_size: 1", "page_size: 2", "old.yaml:6:14: ", "found '2', expected the number 1"},
    {PAGES("1"), "old.yaml:6:14: ", "found '1', expected a number from 16 to 256"},
    {PAGES("100"), "old.yaml:6:14: ", "found '100', expected a power of two from 16 to 256"},
    {PAGES("512"), "old.yaml:6:14: ", "found '512', expected a number from 16 to 256"},
    {PAGES("32768"), "old.yaml:6:14: ", "found '32768', expected a number from 16 to 256"},
    {"page_write: false", "page_write: no", "old.yaml:7:15: ", "expected true or false"},
    {"page_write: false", "page_wriet: false", "old.yaml:7:3: ", "did you mean 'page_write'"},
    {"write_delay_us: 9000", "write_delay_us: 1",
     "old.yaml:8:19: ", "found '1', expected a number"},
    {"size: 2048", "size: 262144", "old.yaml:5:3: ", "extended_address must be true"},
    {"chip_erase_us: 20000", "chip_erase_us: 1", "old.yaml:9:24: ", "found '1', expected a number"},
    {"chip_erase_us: 20000", "chip_erase_us: 4000",
     "old.yaml:9:24: ", "found 4000, expected at least 8000: poll_after_erase is false"},
    {"lock_us: 9000", "lock_us: 1", "old.yaml:9:40: ", "found '1', expected a number from 2000"},
    {"lock_us: 9000", "lock_us: 9000, fuse_us: 1", "old.yaml:9:55: ", "found '1', expected"},
    {"lock_us: 9000", "lock: 9000", "old.yaml:9:31: ", "unknown key 'lock'"},
    {"poll_after_erase: false", "poll_after_erase: true", "old.yaml:11:3: ", "poll_ready is false"},
    {"sck_divider: 4", "sck_divider: 0", "old.yaml:14:16: ", "from 4 to 255"},
    {"sck_divider: 4", "sck_divider: 1", "old.yaml:14:16: ", "found '1', expected a number from 4"},
    {"poll_ready: false", "poll_ready: true",
     "old.yaml:15:27: ", "found '4', expected a number from 6"},
    {"12mhz: 4", "12mhz: 1", "old.yaml:15:27: ", "found '1', expected a number from 4"},
    {"fuse: {mask: 0x21", "fuse: {mask: 0x01", "old.yaml:17:64: ", "that the byte's mask 0x01"},
    {"  fuse: {mask: 0x21", "  low: {mask: 1}\n  fuse: {mask: 0x21",
     "old.yaml:17:3: ", "parts that have just one"},
    {"mask: 1}]", "mask: 1}, {name: WDTON, mask: 0x20}]",
     "old.yaml:17:115: ", "of the field SPIEN"},
    {"mask: 1}]", "mask: 1, values: {2: A}}]", "old.yaml:17:123: ", "from 0 to 1"},
    {"lock: {mask: 0x06", "lock: {mask: 10", "old.yaml:18:14: ", "write 0x10 or 0x0A"},
    {"mask: 1}]", "mask: 1, values: [A]}]", "old.yaml:17:122: ", "codes to names"},
    {"lock: {mask: 0x06", "lock: {mask: 0", "old.yaml:18:14: ", "from 1 to 255"},
    {"lock: {mask: 0x06, fields: [{name: LB, mask: 0x06}]}\n", "",
     "old.yaml:1:1: ", "the key 'lock' is missing"},
    /* The guard against a hidden RSTDISBL must see both ends. */
    {"bits: {spien: {fuse: fuse, mask: 0x20}}", "bits: {}", "old.yaml:19:7: ", "SPIEN must stand"},
    {"name: SPIEN", "name: SPI", "old.yaml:19:15: ", "no field SPIEN with the mask 0x20"},
    {WITHOUT_SPIEN("SPI"), "old.yaml:17:71: ", "found the field 'SPI' in fuse, expected a name"},
    {WITHOUT_SPIEN("FSTR"), "old.yaml:17:71: ", "'FSTR' in fuse, did you mean 'FSTRT'?"},
    {WITHOUT_SPIEN("CKSEL"), "old.yaml:19:7: ", "the fuse field CKSEL must stand here"},
    {WITHOUT_SPIEN("WDTON"), "old.yaml:19:7: ", "the key 'spien' is missing"},
    {"name: FSTRT", "name: XRST", "old.yaml:17:98: ", "found the field 'XRST' in fuse, expected"},
    {"name: FSTRT", "name: RSTDISBL", "old.yaml:19:7: ", "RSTDISBL must stand here"},
    {"name: FSTRT", "name: SPIEN", "old.yaml:17:98: ", "found the field SPIEN twice in fuse"},
    {"mask: 0x21, isp_read: none, isp_write: none, fields: [{name: SPIEN, mask: 0x20}",
     "mask: 0x61, isp_read: none, isp_write: none, fields: [{name: SPIEN, mask: 0x60}",
     "old.yaml:19:15: ", "no field SPIEN with the mask 0x20"},
    {"mask: 0x21, isp_read: none, isp_write: none, fields: [{name: SPIEN, mask: 0x20}, {name: "
     "FSTRT, mask: 1}",
     "mask: 0x2F, isp_read: none, isp_write: none, fields: [{name: SPIEN, mask: 0x20}, {name: "
     "BODLEVEL, mask: 0xF}",
     "old.yaml:17:114: ", "found 0x0F for BODLEVEL, expected at most 3 bits"},
    {"mask: 0x21, isp", "mask: 0xFF, isp", "old.yaml:17:16: ", "found 0xFF, expected 0x21"},
    {"name: LB", "name: LOCKB", "old.yaml:18:36: ", "found the field 'LOCKB' in lock"},
    {"name: LB", "name: BLB0", "old.yaml:18:7: ", "found no field LB in lock"},
    {"{mask: 0x06, fields: [{name: LB, mask: 0x06}]",
     "{mask: 0x0C, fields: [{name: LB, mask: 0x0C}]",
     "old.yaml:18:46: ", "found 0x0C for LB, expected 0x03 or 0x06"},
    {"mask: 0x21, isp", "mask: 0x21, factory: 0xFF, isp",
     "old.yaml:17:31: ", "found 0xFF, in which SPIEN is off, expected it on"},
    {"1E 91 01", "00 00 00", "old.yaml:3:12: ", "found 00 00 00, expected 1E first"},
    {"1E 91 01", "FF FF FF", "old.yaml:3:12: ", "found FF FF FF, expected 1E first"},
    {"1E 91 01", "1E 92 01", "old.yaml:3:12: ",
     "found 92 as the second byte, expected a last digit "
     "of 1: the flash has 2 KiB"},
    {"lock:", "calibration_bytes: 5\nlock:", "old.yaml:18:20: ", "from 0 to 4"},
    {"lock:", "crystal: {max_hz: 24000000}\nlock:", "old.yaml:18:19: ", "found '24000000'"},
    {"lock:", "crystal: {full_swing_max_hz: 20000000}\nlock:", "old.yaml:18:10: ", "'max_hz'"},
    {"lock:", "factory_clock: {hz: 20000000}\nlock:", "old.yaml:18:21: ", "found '20000000'"},
    {"lock:", "factory_clock: {ckdiv8: true}\nlock:", "old.yaml:18:16: ", "no fuse is CKDIV8"},
    {"fuse: fuse, mask: 0x20", "fuse: fuse, mask: 0x01", "old.yaml:19:15: ", "no field SPIEN"},
    {"fuse: fuse, mask: 0x20", "fuse: high, mask: 0x20", "old.yaml:19:15: ", "in the high fuse"},
    {"fuse: fuse, mask: 0x20", "fuse: low, mask: 0x20", "old.yaml:19:15: ", "in the low fuse"},
    {"bits:", "boot_sections: [{bootsz: 0, size: 256, start: 0x600}]\nbits:", "old.yaml:19:17: ",
     "do not end at the flash's end"},
    /* Instructions of its own. */
    {"isp_write: none", "isp_write: \"10101100 1011111i xxxxxxxx\"",
     "old.yaml:17:49: ", "a space after the eight places of byte 3"},
    {"isp_write: none", "isp_write: \"10101100 1011111i xxxxxxx xxxxxxxx\"",
     "old.yaml:17:49: ", "byte 3 has 7 places"},
    {"isp_write: none", "isp_write: \"10101100 1011111i xxxxxxxxx xxxxxxxx\"",
     "old.yaml:17:49: ", "a space after the eight places of byte 3"},
    {"isp_write: none", "isp_write: \"10101100 1011111i xxxxxxxx xxxxxxxx x\"",
     "old.yaml:17:49: ", "found ' x' after the four bytes"},
    {"isp_write: none", "isp_write: \"10101100 1011111o xxxxxxxx xxxxxxxx\"",
     "old.yaml:17:49: ", "found 'o' in byte 2, expected 0, 1, x or i"},
    {"isp_write: none", "isp_write: \"10101100 1011111i xxxxxxxx xxxxxxxi\"",
     "old.yaml:17:49: ", "bit 0 of the value stands in it twice"},
    {"isp_write: none", "isp_write: \"01011000 1011111i xxxxxxxx xxxxxxxx\"",
     "old.yaml:17:49: ", "begins with 10101100"},
    {"isp_write: none", "isp_write: \"1010110x 1011111i xxxxxxxx xxxxxxxx\"",
     "old.yaml:17:49: ", "begins with 10101100"},
    {"isp_write: none", "isp_write: \"10101100 1001111i xxxxxxxx xxxxxxxx\"",
     "old.yaml:17:49: ", "write fuse could be taken for 'chip erase'"},
    {"isp_write: none", "isp_write: \"10101100 0x01001i xxxxxxxx xxxxxxxx\"",
     "old.yaml:17:49: ", "write fuse could be taken for 'programming enable'"},
    {"isp_write: none", "isp_write: \"10101100 1111111i xxxxxxxx xxxxxxxx\"",
     "old.yaml:17:49: ", "write fuse could be taken for the one to write lock"},
    {"isp_write: none", "isp_write: \"10101100 101111ix xxxxxxxx xxxxxxxx\"",
     "old.yaml:17:49: ", "does not carry the bits 0x01 of its mask"},
    {"isp_write: none", "isp_write: 0", "old.yaml:17:49: ", "byte 1 has 1 places"},
    {"isp_write: none, ", "", "old.yaml:9:8: ", "the key 'fuse_us' is missing"},
    {"lock_us: 9000", "lock_us: 9000, fuse_us: 9000", "old.yaml:9:8: ", "no fuse can be written"},
    {"isp_read: none", "isp_read: \"01011000 xxxxxxxx xxxxxxxx 1xoxxxxo\"",
     "old.yaml:17:32: ", "found '1' in byte 4, expected x or o"},
    {"isp_read: none", "isp_read: \"01011000 xxxxxxxi xxxxxxxx xxoxxxxo\"",
     "old.yaml:17:32: ", "found 'i' in byte 2, expected 0, 1 or x"},
    {"isp_read: none", "isp_read: \"01011000 xxxxxxxx xxxxxxxx xxoxxo5o\"",
     "old.yaml:17:32: ", "bit 5 of the value stands in it twice"},
    {"isp_read: none", "isp_read: \"10101100 xxxxxxxx xxxxxxxx xxoxxxxo\"",
     "old.yaml:17:32: ", "begins with 01010000 or 01011000"},
    {"isp_read: none", "isp_read: \"01011000 xxxxxxxx xxxxxxxx xxoxxxxo\"",
     "old.yaml:17:32: ", "read fuse could be taken for the one to read lock"},
    {"isp_read: none", "isp_read: \"01010000 xxxxxxxx xxxxxxxx xxxxxxxo\"",
     "old.yaml:17:32: ", "does not carry the bits 0x20 of its mask"},
    {"bits:", "eeprom: {size: 1000}\nbits:", "old.yaml:19:16: ", "expected a power of two"},
    {"bits:", "eeprom: {size: 65536}\nbits:", "old.yaml:19:16: ", "from 64 to 8192"},
    {"bits:", "eeprom: none\nbits:", "old.yaml:19:9: ", "expected a mapping"},
};

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
        cmocka_unit_test(test_known_figures),   cmocka_unit_test(test_describe),
        cmocka_unit_test(test_memories),        cmocka_unit_test(test_names),
        cmocka_unit_test(test_parts_of_others), cmocka_unit_test(test_own_parts),
        cmocka_unit_test(test_directories),     cmocka_unit_test(test_old_part),
        cmocka_unit_test(test_instructions),    cmocka_unit_test(test_mistakes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
