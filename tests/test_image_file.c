/* Image files of any format: which one it is, and what is its address space. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiles/image_file.h"

#define HEX_END ":00000001FF\n"
#define HEX_A ":01000000619E\n"           /* "a" at 0 */
#define HEX_TO_EEPROM ":02000004008179\n" /* what follows stands at 0x810000 */
#define SREC "S1040000619A\nS9030000FC\n" /* "a" at 0 */

static const struct part part = {
    .flash.size = 0x1000, .eeprom.size = 0x100, .bytes = {{.exists = true}, {.exists = true}}};

static int parse(const struct image_request *request, const char *text, size_t count,
                 struct image_file *file, struct failure *failure)
{
    return image_file_parse(request, text, count, &part, file, failure);
}

static struct image_file parse_good(struct image_request request, const char *text)
{
    struct image_file file;
    struct failure failure = {0};

    request.path = "a.image";
    if (parse(&request, text, strlen(text), &file, &failure) != 0)
        fail_msg("%s", failure.detail);
    return file;
}

static void assert_holds(const struct image_file *file, enum image_memory memory, uint32_t at,
                         const char *bytes)
{
    const struct image *image = file->memories->images[memory];

    assert_int_equal(image->count, strlen(bytes));
    assert_memory_equal(image->data + at, bytes, strlen(bytes));
}

static void test_found_by_content(void **state)
{
    static const struct {
        struct image_request request;
        const char *text;
        enum image_format format;
    } cases[] = {
        {{0}, HEX_A HEX_END, IMAGE_FORMAT_HEX},
        {{0}, "\r\n\n" HEX_A HEX_END, IMAGE_FORMAT_HEX},
        {{0}, SREC, IMAGE_FORMAT_SREC},
        {{0}, "\n" SREC, IMAGE_FORMAT_SREC},
        {{.format = IMAGE_FORMAT_HEX}, HEX_A HEX_END, IMAGE_FORMAT_HEX},
        {{.format = IMAGE_FORMAT_SREC}, SREC, IMAGE_FORMAT_SREC},
        {{.has_address = true}, "a", IMAGE_FORMAT_BIN},
        {{.format = IMAGE_FORMAT_BIN, .has_address = true}, "a", IMAGE_FORMAT_BIN},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct image_file file = parse_good(cases[i].request, cases[i].text);

        assert_int_equal(file.format, cases[i].format);
        assert_int_equal(file.bytes, strlen(cases[i].text));
        assert_holds(&file, IMAGE_FLASH, 0, "a");
        image_file_free(&file);
    }
}

/* A raw binary is taken as it is, when it is said to be one. */
static void test_binary(void **state)
{
    struct image_file file = parse_good(
        (struct image_request){.format = IMAGE_FORMAT_BIN, .has_address = true, .address = 0xFF8},
        ":0 text\n");

    (void)state;
    assert_holds(&file, IMAGE_FLASH, 0xFF8, ":0 text\n");
    image_file_free(&file);
    file = parse_good((struct image_request){.has_address = true, .address = 0x810010}, "ee");
    assert_holds(&file, IMAGE_EEPROM, 0x10, "ee");
    image_file_free(&file);
}

/* An EEPROM's file has the EEPROM's own addresses, unless it has the toolchain's. */
static void test_for_eeprom(void **state)
{
    const struct image_request request = {.for_eeprom = true};
    struct image_file file = parse_good(request, HEX_A HEX_END);

    (void)state;
    assert_holds(&file, IMAGE_EEPROM, 0, "a");
    assert_holds(&file, IMAGE_FLASH, 0, "");
    image_file_free(&file);
    file = parse_good(request, HEX_TO_EEPROM HEX_A HEX_END);
    assert_holds(&file, IMAGE_EEPROM, 0, "a");
    image_file_free(&file);
    /* A file of flash and EEPROM: only the latter's bytes are the EEPROM's. */
    file = parse_good(request, ":010010006F80\n" HEX_TO_EEPROM HEX_A HEX_END);
    assert_holds(&file, IMAGE_EEPROM, 0, "a");
    assert_holds(&file, IMAGE_FLASH, 0x10, "o");
    image_file_free(&file);
    file = parse_good(
        (struct image_request){.for_eeprom = true, .has_address = true, .address = 0x10}, "ee");
    assert_holds(&file, IMAGE_EEPROM, 0x10, "ee");
    image_file_free(&file);
}

static const struct {
    struct image_request request;
    const char *text;
    enum failure_code code;
    const char *start;
} refused[] = {
    {{0}, "", FAILURE_IMAGE_INVALID, "a.image:1: the file is empty"},
    {{.has_address = true}, "", FAILURE_IMAGE_INVALID, "a.image:1: the file is empty"},
    {{0}, "\x0C\x94", FAILURE_IMAGE_UNKNOWN, "a.image:1: begins with the bytes 0C 94: neither"},
    {{0}, "Serial\n", FAILURE_IMAGE_UNKNOWN, "a.image:1: begins with the bytes 53 65: neither"},
    {{0}, "\177ELG", FAILURE_IMAGE_UNKNOWN, "a.image:1: begins with the bytes 7F 45: neither"},
    {{0}, " " HEX_A, FAILURE_IMAGE_UNKNOWN, "a.image:1: begins with the bytes 20 3A: neither"},
    {{0}, "\177ELF", FAILURE_IMAGE_INVALID, "a.image: is cut off: it has 4 bytes"},
    {{.format = IMAGE_FORMAT_BIN}, "a", FAILURE_IMAGE_UNKNOWN, "a.image:1: a raw binary needs the"},
    {{.has_address = true}, HEX_A, FAILURE_IMAGE_INVALID, "a.image:1: is Intel HEX, which has"},
    {{.has_address = true}, SREC, FAILURE_IMAGE_INVALID, "a.image:1: is Motorola S-record, which"},
    {{.format = IMAGE_FORMAT_HEX, .has_address = true},
     "a",
     FAILURE_IMAGE_INVALID,
     "a.image:1: is Intel HEX, which"},
    {{.format = IMAGE_FORMAT_HEX}, SREC, FAILURE_IMAGE_INVALID, "a.image:1: found a line that"},
    {{.format = IMAGE_FORMAT_SREC}, HEX_A, FAILURE_IMAGE_INVALID, "a.image:1: found a line that"},
    {{.format = IMAGE_FORMAT_ELF}, HEX_A, FAILURE_IMAGE_INVALID, "a.image: is cut off"},
    {{.has_address = true, .address = 0xFFF},
     "ab",
     FAILURE_IMAGE_OUT_OF_RANGE,
     "a.image: bytes 0x0FFF to 0x1000, expected below 0x1000"},
    {{.has_address = true, .address = 0xFFFFFFFF}, "ab", FAILURE_IMAGE_OUT_OF_RANGE, "a.image: "},
    {{.for_eeprom = true, .has_address = true, .address = 0xFF},
     "ab",
     FAILURE_IMAGE_OUT_OF_RANGE,
     "a.image: bytes 0x00FF to 0x0100, expected below 0x0100"},
    /* two fuses, no lock byte */
    {{.has_address = true, .address = 0x820000},
     "abc",
     FAILURE_IMAGE_OUT_OF_RANGE,
     "a.image, fuses: bytes 0x0000 to 0x0002, expected below 0x0002"},
    {{.has_address = true, .address = 0x830000},
     "a",
     FAILURE_IMAGE_OUT_OF_RANGE,
     "a.image: found bytes for the lock bits, but the part has none"},
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        struct image_request request = refused[i].request;
        const char *text = refused[i].text, *start = refused[i].start;
        struct image_file file;
        struct failure failure = {0};

        request.path = "a.image";
        if (parse(&request, text, strlen(text), &file, &failure) == 0)
            fail_msg("taken: %s", text);
        if (failure.code != refused[i].code || strncmp(failure.detail, start, strlen(start)) != 0)
            fail_msg("found \"%s\", expected \"%s\"", failure.detail, start);
        image_file_free(&file);
    }
}

/* Without a part a file may reach wherever some AVR has memory. */
static void test_any_part(void **state)
{
    static const char text[] = HEX_TO_EEPROM ":01FFFF0061A0\n:02000004007F7B\n:01FFFF0061A0\n"
                                             ":02000004008278\n:03000000E2D9FD45\n" HEX_END;
    const struct image_request request = {.path = "a.hex"};
    struct image_file file;

    (void)state;
    assert_int_equal(image_file_parse(&request, text, strlen(text), NULL, &file, NULL), 0);
    assert_holds(&file, IMAGE_EEPROM, 0xFFFF, "a");
    assert_holds(&file, IMAGE_FLASH, 0x7FFFFF, "a");
    assert_holds(&file, IMAGE_FUSES, 0, "\xE2\xD9\xFD");
    image_file_free(&file);
}

static void test_file(void **state)
{
    char directory[] = "/tmp/test-image-XXXXXX", path[64];
    struct image_request request = {.path = path};
    struct image_file file;
    struct failure failure = {0};
    FILE *out;

    (void)state;
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/a.hex", directory);
    out = fopen(path, "w");
    assert_non_null(out);
    assert_true(fputs(HEX_A HEX_END, out) >= 0);
    fclose(out);
    assert_int_equal(image_file_load(&request, &part, &file, &failure), 0);
    assert_holds(&file, IMAGE_FLASH, 0, "a");
    /* printf ':01000000619E\n:00000001FF\n' | sha256sum */
    assert_string_equal(file.sha256,
                        "ab5326356a0139be54dd2c6fabb15359d691939bae28cf56149ebea3ba86706a");
    image_file_free(&file);
    assert_int_equal(truncate(path, IMAGE_FILE_BYTES_MAX + 1), 0);
    assert_int_equal(image_file_load(&request, &part, &file, &failure), -1);
    assert_int_equal(failure.code, FAILURE_IMAGE_UNREADABLE);
    assert_non_null(strstr(failure.detail, "has 16777217 bytes, expected at most 16777216"));
    unlink(path);
    assert_int_equal(image_file_load(&request, &part, &file, &failure), -1);
    assert_non_null(strstr(failure.detail, "No such file"));
    image_file_free(&file);
    rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found_by_content), cmocka_unit_test(test_binary),
        cmocka_unit_test(test_for_eeprom),       cmocka_unit_test(test_refused),
        cmocka_unit_test(test_any_part),         cmocka_unit_test(test_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
