/* Motorola S-records: all types mixed, and every kind of damage refused at its record. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "profiles/s_record.h"

#define END "S9030000FC\n"
#define A_AT_0 "S1040000619A\n"

static const struct part part = {.flash.size = 0x40000, .eeprom.size = 0x400};

/* NULL after a failure. */
static struct image_memories *parse(const char *text, struct failure *failure)
{
    struct image_memories *memories = image_memories_create(&part, IMAGE_FLASH);

    assert_non_null(memories);
    if (s_record_parse("a.s19", text, strlen(text), memories, failure) == 0)
        return memories;
    image_memories_free(memories);
    return NULL;
}

static struct image_memories *parse_good(const char *text)
{
    struct failure failure = {0};
    struct image_memories *memories = parse(text, &failure);

    if (!memories)
        fail_msg("%s", failure.detail);
    return memories;
}

static void assert_bytes(const struct image *image, uint32_t address, const char *bytes)
{
    assert_true(address + strlen(bytes) <= image->size);
    assert_memory_equal(image->data + address, bytes, strlen(bytes));
    for (size_t i = 0; i < strlen(bytes); i++)
        assert_true(image->present[address + i]);
}

/* Addresses of all widths, not ascending, lower and upper case, LF and CRLF, a blank line, a record
 * without data, counts of 16 and 24 bits. */
static void test_all_types(void **state)
{
    struct image_memories *memories = parse_good("S008000068656C6C6FE3\n"
                                                 "S306000200057181\r\n"
                                                 "\r\n"
                                                 "S20801fffe7778797a17\n"
                                                 "S1050010414267\n"
                                                 "S5030003F9\n"
                                                 "S1030000FC\n"
                                                 "S604000004F7\n"
                                                 "S9037E007E\n\n");
    const struct image *flash = memories->images[IMAGE_FLASH];

    (void)state;
    assert_int_equal(flash->count, 7);
    assert_bytes(flash, 0x10, "AB");
    assert_bytes(flash, 0x1FFFE, "wxyz");
    assert_bytes(flash, 0x20005, "q");
    assert_true(memories->has_start);
    assert_int_equal(memories->start, 0x7E00);
    image_memories_free(memories);
}

static void test_every_end(void **state)
{
    static const char *const ends[] = {END, "S804000000FB\n", "S70500000000FA"};

    (void)state;
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        char text[80];
        struct image_memories *memories;

        snprintf(text, sizeof(text), "S0030000FC\n" A_AT_0 "%s", ends[i]);
        memories = parse_good(text);
        assert_int_equal(memories->images[IMAGE_FLASH]->count, 1);
        image_memories_free(memories);
    }
}

static void test_eeprom_and_signature(void **state)
{
    struct image_memories *memories =
        parse_good("S307008100026565AB\nS2078400000F951EB2\n" A_AT_0 END);
    uint8_t signature[3];

    (void)state;
    assert_bytes(memories->images[IMAGE_EEPROM], 2, "ee");
    assert_bytes(memories->images[IMAGE_FLASH], 0, "a");
    assert_true(image_memories_signature(memories, signature));
    assert_memory_equal(signature, "\x1E\x95\x0F", 3);
    image_memories_free(memories);
}

static const struct {
    const char *text;
    enum failure_code code;
    const char *place, *reason;
} refused[] = {
    {"", FAILURE_IMAGE_INVALID, "a.s19:1: ", "without an end record"},
    {A_AT_0, FAILURE_IMAGE_INVALID, "a.s19:1: ", "without an end record (S7, S8 or S9)"},
    {"S1040000619B\n" END, FAILURE_IMAGE_INVALID,
     "a.s19:1: ", "bad checksum: found 9B, expected 9A"},
    {"\nS1040001619A\n" END, FAILURE_IMAGE_INVALID, "a.s19:2: ", "bad checksum"},
    {A_AT_0 "S1050010414\n", FAILURE_IMAGE_INVALID, "a.s19:2: ", "cut off: 11 characters"},
    {A_AT_0 "S10500104142\n", FAILURE_IMAGE_INVALID,
     "a.s19:2: ", "cut off: 12 characters, its length byte calls for 14"},
    {A_AT_0 "S105001041426700\n", FAILURE_IMAGE_INVALID, "a.s19:2: ", "too long: 16 characters"},
    {"S1\n" END, FAILURE_IMAGE_INVALID, "a.s19:1: ", "cut off, expected its length"},
    {"S1040000619A \n" END, FAILURE_IMAGE_INVALID, "a.s19:1: ", "no hex digit at column 13"},
    {"S10G0000619A\n" END, FAILURE_IMAGE_INVALID, "a.s19:1: ", "no hex digit at column 4"},
    {"S100\n" END, FAILURE_IMAGE_INVALID, "a.s19:1: ", "S1 record of 0 bytes, expected at least 3"},
    {"S10200FD\n" END, FAILURE_IMAGE_INVALID, "a.s19:1: ", "S1 record of 2 bytes"},
    {"S3040000619A\n" END, FAILURE_IMAGE_INVALID,
     "a.s19:1: ", "S3 record of 4 bytes, expected at least 5"},
    {"S\n" END, FAILURE_IMAGE_INVALID, "a.s19:1: ", "unknown record type"},
    {"S4040000619A\n" END, FAILURE_IMAGE_INVALID, "a.s19:1: ", "unknown record type"},
    {"SA040000619A\n" END, FAILURE_IMAGE_INVALID, "a.s19:1: ", "unknown record type"},
    {"s1040000619A\n" END, FAILURE_IMAGE_INVALID, "a.s19:1: ", "does not begin with 'S'"},
    {":00000001FF\n", FAILURE_IMAGE_INVALID, "a.s19:1: ", "does not begin with 'S'"},
    {A_AT_0 "S5030002FA\n" END, FAILURE_IMAGE_INVALID,
     "a.s19:2: ", "found a count of 2 data records (S5), expected 1"},
    {A_AT_0 "S604000003F8\n" END, FAILURE_IMAGE_INVALID,
     "a.s19:2: ", "found a count of 3 data records (S6), expected 1"},
    {A_AT_0 "S50400016199\n" END, FAILURE_IMAGE_INVALID, "a.s19:2: ", "S5 record with 1 data"},
    {"S9040000619A\n", FAILURE_IMAGE_INVALID, "a.s19:1: ", "S9 record with 1 data bytes"},
    {A_AT_0 "S0030000FC\n" END, FAILURE_IMAGE_INVALID, "a.s19:2: ", "header (S0) after data"},
    {END A_AT_0, FAILURE_IMAGE_INVALID, "a.s19:2: ", "more after the end record"},
    {END END, FAILURE_IMAGE_INVALID, "a.s19:2: ", "more after the end record"},
    {A_AT_0 A_AT_0 END, FAILURE_IMAGE_OVERLAP, "a.s19:2: ", "0x0000 was given before"},
    {"S1060000616263D3\nS10400016298\n" END, FAILURE_IMAGE_OVERLAP, "a.s19:2: ", "0x0001"},
    {"S309FFFFFFFE7778797A19\n" END, FAILURE_IMAGE_OUT_OF_RANGE, "a.s19:1: ", "beyond 32-bit"},
    {"S307008001007261A4\n" END, FAILURE_IMAGE_OUT_OF_RANGE, "a.s19:1: ", "0x800100 to 0x800101"},
    {"S307008001007261A4\n" END, FAILURE_IMAGE_OUT_OF_RANGE, "a.s19:1: ", "that is RAM"},
    {"S3070085000075738B\n" END, FAILURE_IMAGE_OUT_OF_RANGE, "a.s19:1: ", "the user row"},
    {"S309000400006778797A20\n" END, FAILURE_IMAGE_OUT_OF_RANGE,
     "a.s19:1: ", "bytes 0x40000 to 0x40003, expected below 0x40000"},
    {"S20586000078FC\n" END, FAILURE_IMAGE_OUT_OF_RANGE, "a.s19:1: ", "no memory of an AVR"},
    {"S30600810400650F\n" END, FAILURE_IMAGE_OUT_OF_RANGE,
     "a.s19:1, EEPROM: ", "bytes 0x0400 to 0x0400, expected below 0x0400"},
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        struct failure failure = {0};
        const char *place = refused[i].place;
        struct image_memories *memories = parse(refused[i].text, &failure);

        if (memories)
            fail_msg("taken: %s", refused[i].text);
        assert_int_equal(failure.code, refused[i].code);
        if (strncmp(failure.detail, place, strlen(place)) != 0 ||
            !strstr(failure.detail, refused[i].reason))
            fail_msg("found \"%s\", expected \"%s… %s\"", failure.detail, place, refused[i].reason);
    }
}

/* Whatever the byte, a change of one record is noticed; but S1 and S9 with a different digit may be
 * another sound record. */
static void test_every_single_change(void **state)
{
    static const char good[] = "S1050010414267\n" END;
    char text[sizeof(good)];

    (void)state;
    for (size_t at = 0; at < 14; at++) {
        for (int byte = 0; byte < 256; byte++) {
            memcpy(text, good, sizeof(good));
            if (byte == good[at] || at == 1)
                continue;
            text[at] = (char)byte;
            assert_null(parse(text, NULL));
        }
    }
}

static void assert_written(const struct image *image, uint32_t base, const char *expected)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);

    s_record_write(image, base, out);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(text, expected);
    free(text);
}

static void test_write(void **state)
{
    struct image *image = image_create(0x30000), *empty = image_create(16);

    (void)state;
    assert_written(empty, 0, "S0030000FC\nS5030000FC\n" END);
    assert_int_equal(image_put(image, 0xD, (const uint8_t *)"abcAB", 5, "t", NULL), 0);
    assert_written(image, 0, "S0030000FC\nS106000D616263C6\nS1050010414267\nS5030002FA\n" END);
    assert_int_equal(image_put(image, 0x1FFFF, (const uint8_t *)"xy", 2, "t", NULL), 0);
    assert_written(image, 0,
                   "S0030000FC\nS20700000D616263C5\nS206000010414266\nS20501FFFF7883\n"
                   "S205020000797F\nS5030004F8\nS804000000FB\n");
    image_free(image);
    image_free(empty);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_types),
        cmocka_unit_test(test_every_end),
        cmocka_unit_test(test_eeprom_and_signature),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_every_single_change),
        cmocka_unit_test(test_write),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
