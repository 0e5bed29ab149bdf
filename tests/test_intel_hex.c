/* Intel HEX: all record types in any order, and every kind of damage refused at its record. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "profiles/intel_hex.h"

#define END ":00000001FF\n"

/* Reads the text as for a part with this flash; the image is NULL after a failure. */
static struct image *try_parse(const char *text, size_t bytes, uint32_t memory_size,
                               struct failure *failure)
{
    const struct part part = {.flash.size = memory_size};
    struct image_memories *memories = image_memories_create(&part, IMAGE_FLASH);
    struct image *image = NULL;

    assert_non_null(memories);
    if (intel_hex_parse("a.hex", text, bytes, memories, failure) == 0) {
        image = memories->images[IMAGE_FLASH];
        memories->images[IMAGE_FLASH] = NULL;
    }
    image_memories_free(memories);
    return image;
}

static struct image *parse(const char *text, uint32_t memory_size)
{
    struct failure failure = {0};
    struct image *image = try_parse(text, strlen(text), memory_size, &failure);

    if (!image)
        fail_msg("%s", failure.detail);
    return image;
}

static void assert_bytes(const struct image *image, uint32_t address, const char *bytes)
{
    assert_true(address + strlen(bytes) <= image->size);
    assert_memory_equal(image->data + address, bytes, strlen(bytes));
    for (size_t i = 0; i < strlen(bytes); i++)
        assert_true(image->present[address + i]);
}

/* Not ascending, lower and upper case, LF and CRLF, a blank line, a record without data. */
static void test_plain(void **state)
{
    struct image *image = parse(":0200100041426B\n\r\n"
                                ":03000000616263D7\r\n"
                                ":020003006f6f1d\n"
                                ":00000500FB\n" END "\r\n\n",
                                64);

    (void)state;
    assert_int_equal(image->count, 7);
    assert_bytes(image, 0, "abcoo");
    assert_bytes(image, 0x10, "AB");
    assert_false(image->present[5]);
    assert_int_equal(image->data[5], 0xFF);
    image_free(image);
}

/* A linear base carries on into the next 64 KiB; a segment's bytes wrap within its 64 KiB. */
static void test_bases(void **state)
{
    struct image *linear = parse(":0400000500007E0079\n"
                                 ":020000040001F9\n"
                                 ":04FFFE007778797A1D\n"
                                 ":020000040000FA\n"
                                 ":01000000718E\n" END,
                                 0x40000);
    struct image *segmented = parse(":0400000330000000C9\n"
                                    ":020000021000EC\n"
                                    ":04FFFE007778797A1D\n"
                                    ":020000023000CC\n"
                                    ":01000000718E\n"
                                    ":020000040000FA\n"
                                    ":0200100041426B\n" END,
                                    0x40000);

    (void)state;
    assert_bytes(linear, 0x1FFFE, "wxyz");
    assert_bytes(linear, 0, "q");
    assert_int_equal(linear->count, 5);
    assert_bytes(segmented, 0x1FFFE, "wx");
    assert_bytes(segmented, 0x10000, "yz");
    assert_bytes(segmented, 0x30000, "q");
    assert_bytes(segmented, 0x10, "AB");
    assert_int_equal(segmented->count, 7);
    image_free(linear);
    image_free(segmented);
}

static void test_end_record_may_carry_an_address(void **state)
{
    struct image *image = parse(":01000000718E\n:007E000181", 64);

    (void)state;
    assert_int_equal(image->count, 1);
    image_free(image);
}

static const struct {
    const char *text;
    enum failure_code code;
    const char *place, *reason;
} refused[] = {
    {"", FAILURE_IMAGE_INVALID, "a.hex:1: ", "without an end record"},
    {"\n\n", FAILURE_IMAGE_INVALID, "a.hex:2: ", "without an end record"},
    {":01000000718E\n", FAILURE_IMAGE_INVALID, "a.hex:1: ", "without an end record"},
    {":01000000718E\n:01000100629C\n", FAILURE_IMAGE_INVALID,
     "a.hex:2: ", "without an end record (:00000001FF)"},
    {":01000000718F\n" END, FAILURE_IMAGE_INVALID,
     "a.hex:1: ", "bad checksum: found 8F, expected 8E"},
    {"\n:01000000728E\n" END, FAILURE_IMAGE_INVALID,
     "a.hex:2: ", "bad checksum: found 8E, expected 8D"},
    {":0200100041426B\n:0300000061626\n" END, FAILURE_IMAGE_INVALID,
     "a.hex:2: ", "cut off: 14 characters, its length byte calls for 17"},
    {":03000000616263D7\n:00000", FAILURE_IMAGE_INVALID, "a.hex:2: ", "cut off: 6 characters"},
    {":\n" END, FAILURE_IMAGE_INVALID, "a.hex:1: ", "cut off, expected its length"},
    {":01000000718E00\n" END, FAILURE_IMAGE_INVALID, "a.hex:1: ", "too long: 15 characters"},
    {":01000000718E \n" END, FAILURE_IMAGE_INVALID, "a.hex:1: ", "no hex digit at column 14"},
    {":0100000G718E\n" END, FAILURE_IMAGE_INVALID, "a.hex:1: ", "no hex digit at column 9"},
    {"S00F000068656C6C6F202020202000003C\n", FAILURE_IMAGE_INVALID,
     "a.hex:1: ", "does not begin with ':'"},
    {"<html>\n", FAILURE_IMAGE_INVALID, "a.hex:1: ", "does not begin with ':'"},
    {":00000006FA\n" END, FAILURE_IMAGE_INVALID, "a.hex:1: ", "unknown record type 06"},
    {":01000001619D\n", FAILURE_IMAGE_INVALID,
     "a.hex:1: ", "type 01 with 1 data bytes, expected 0"},
    {":03000002000000FB\n" END, FAILURE_IMAGE_INVALID, "a.hex:1: ", "type 02 with 3"},
    {":01000004619A\n" END, FAILURE_IMAGE_INVALID, "a.hex:1: ", "type 04 with 1"},
    {":03000005616263D2\n" END, FAILURE_IMAGE_INVALID, "a.hex:1: ", "type 05 with 3"},
    {END ":01000000718E\n", FAILURE_IMAGE_INVALID, "a.hex:2: ", "more after the end record"},
    {END END, FAILURE_IMAGE_INVALID, "a.hex:2: ", "more after the end record"},
    {END " \n", FAILURE_IMAGE_INVALID, "a.hex:2: ", "more after the end record"},
    {":01000000718E\n:01000000718E\n" END, FAILURE_IMAGE_OVERLAP,
     "a.hex:2: ", "the byte at 0x0000 was given before"},
    {":03000000616263D7\n:01000100629C\n" END, FAILURE_IMAGE_OVERLAP, "a.hex:2: ", "0x0001"},
    /* The shape of a boot loader that grew beyond its section, over its version and the flash's
     * end; code of this kind was shipped. */
    {":107FF000303132333435363738396162636465661F\n:027FFE00040479\n" END, FAILURE_IMAGE_OVERLAP,
     "a.hex:2: ", "0x7FFE"},
    {":107FF000303132333435363738396162636465661F\n:"
     "10800000303132333435363738396162636465660E\n" END,
     FAILURE_IMAGE_OUT_OF_RANGE, "a.hex:2: ", "bytes 0x8000 to 0x800F, expected below 0x8000"},
    {":020000040001F9\n:01000000718E\n" END, FAILURE_IMAGE_OUT_OF_RANGE, "a.hex:2: ", "0x10000"},
    {":02000002F0000C\n:01000000718E\n" END, FAILURE_IMAGE_OUT_OF_RANGE, "a.hex:2: ", "0xF0000"},
    {":02000004FFFFFC\n:04FFFE007778797A1D\n" END, FAILURE_IMAGE_OUT_OF_RANGE,
     "a.hex:2: ", "beyond 32-bit"},
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        struct failure failure = {0};
        const char *place = refused[i].place;

        if (try_parse(refused[i].text, strlen(refused[i].text), 32768, &failure))
            fail_msg("taken: %s", refused[i].text);
        assert_int_equal(failure.code, refused[i].code);
        if (strncmp(failure.detail, place, strlen(place)) != 0 ||
            !strstr(failure.detail, refused[i].reason))
            fail_msg("found \"%s\", expected \"%s… %s\"", failure.detail, place, refused[i].reason);
    }
}

/* Whatever the byte, a change of one record is noticed. */
static void test_every_single_change(void **state)
{
    static const char good[] = ":0200100041426B\n" END;
    char text[sizeof(good)];

    (void)state;
    for (size_t at = 0; at < 15; at++) {
        for (int byte = 0; byte < 256; byte++) {
            memcpy(text, good, sizeof(good));
            /* A blank line, and the same digit in lower case, change nothing. */
            if (byte == good[at] || byte == good[at] + 'a' - 'A')
                continue;
            text[at] = (char)byte;
            assert_null(try_parse(text, sizeof(good) - 1, 64, NULL));
        }
    }
}

/* An 80x86's start is told; where there is none, nothing is. */
static void test_start(void **state)
{
    const struct part part = {.flash.size = 64};
    static const struct {
        const char *text;
        bool has_start;
        uint32_t start;
    } cases[] = {
        {END, false, 0},
        {":0400000300010002F6\n" END, true, 0x12},
        {":0400000500007E0079\n" END, true, 0x7E00},
        {":0400000512345678E3\n" END, true, 0x12345678},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct image_memories *memories = image_memories_create(&part, IMAGE_FLASH);

        assert_int_equal(
            intel_hex_parse("a.hex", cases[i].text, strlen(cases[i].text), memories, NULL), 0);
        assert_int_equal(memories->has_start, cases[i].has_start);
        assert_int_equal(memories->start, cases[i].start);
        image_memories_free(memories);
    }
}

/* What is written is the same text whenever the bytes are, in lines that begin at multiples of 16,
 * and reads as the same bytes. */
static void test_write(void **state)
{
    static const char expected[] = ":03000D00616263CA\n:0200100041426B\n:020000040001F9\n"
                                   ":01FFFF007889\n:020000040002F8\n:010000007986\n" END;
    struct image *image = image_create(0x30000), *again;
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);

    (void)state;
    assert_int_equal(image_put(image, 0xD, (const uint8_t *)"abcAB", 5, "t", NULL), 0);
    assert_int_equal(image_put(image, 0x1FFFF, (const uint8_t *)"xy", 2, "t", NULL), 0);
    intel_hex_write(image, 0, out);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(text, expected);
    again = parse(text, 0x30000);
    assert_memory_equal(again->data, image->data, 0x30000);
    assert_memory_equal(again->present, image->present, 0x30000);
    image_free(again);
    image_free(image);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_bases),
        cmocka_unit_test(test_end_record_may_carry_an_address),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_every_single_change),
        cmocka_unit_test(test_start),
        cmocka_unit_test(test_write),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
