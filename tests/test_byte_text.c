/* Bytes as people type them. */
#include "profiles/byte_text.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

static void test_every_byte_in_hexadecimal(void **state)
{
    char text[8], advice[BYTE_TEXT_ADVICE_BYTES];
    uint8_t value;

    (void)state;
    for (unsigned byte = 0; byte <= 0xFF; byte++) {
        value = (uint8_t)~byte;
        snprintf(text, sizeof(text), byte % 2 == 0 ? "0x%02X" : "0x%x", byte);
        assert_true(byte_text_parse(text, &value, advice));
        assert_int_equal(value, byte);
        assert_string_equal(advice, "");
    }
}

/* Each is taken for what it is in both notations, or for the only one that is a byte, or not. */
static void test_every_decimal_number(void **state)
{
    char text[8], advice[BYTE_TEXT_ADVICE_BYTES], expected[BYTE_TEXT_ADVICE_BYTES];

    (void)state;
    for (unsigned number = 0; number <= 1000; number++) {
        bool two_readings = number >= 10 && number <= 99;
        uint8_t value = 0x5A;

        snprintf(text, sizeof(text), "%u", number);
        assert_int_equal(byte_text_parse(text, &value, advice), number <= 0xFF && !two_readings);
        assert_int_equal(value, number <= 0xFF && !two_readings ? number : 0x5A);
        snprintf(expected, sizeof(expected),
                 ", which may be hexadecimal or decimal: write 0x%02lX or 0x%02X",
                 strtoul(text, NULL, 16), number);
        assert_string_equal(advice, two_readings ? expected : "");
    }
}

static void test_other_notations(void **state)
{
    static const struct {
        const char *text, *advice;
    } cases[] = {
        {"5E", ": write 0x5E"},
        {"de", ": write 0xDE"},
        {"F", ": write 0x0F"},
        {"0X5E", ": write 0x5E"},
        {"0b01011110", ": write 0x5E"},
        {"0B", ": write 0x0B"},
        {"0b1", ", which may be hexadecimal or binary: write 0xB1 or 0x01"},
        {"007", ": write 0x07"},
        {"00", ": write 0x00"},
        {"09", ": write 0x09"},
        {"062", ", which may be hexadecimal, decimal or octal: write 0x62, 0x3E or 0x32"},
        {"089", ", which may be hexadecimal or decimal: write 0x89 or 0x59"},
        {"0377", ": write 0xFF"},
        /* no byte in any notation */
        {"", ""},
        {"0x", ""},
        {"0x100", ""},
        {"0x-1", ""},
        {"0x 5", ""},
        {"-1", ""},
        {"+5", ""},
        {" 5", ""},
        {"5 ", ""},
        {"1.5", ""},
        {"1e3", ""},
        {"0b", ": write 0x0B"},
        {"0b2", ": write 0xB2"},
        {"0b111111111", ""},
        {"leave", ""},
        {"99999999999999999999999999", ""},
    };
    char advice[BYTE_TEXT_ADVICE_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t value = 0x5A;

        assert_false(byte_text_parse(cases[i].text, &value, advice));
        assert_int_equal(value, 0x5A);
        assert_string_equal(advice, cases[i].advice);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_byte_in_hexadecimal),
        cmocka_unit_test(test_every_decimal_number),
        cmocka_unit_test(test_other_notations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
