#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "reports/record.h"
#include "reports/text.h"

static void test_names(void **state)
{
    (void)state;
    static const char *const verdicts[] = {"none",       "pass",  "fail",       "refused",
                                           "unverified", "empty", "interrupted"};
    for (int i = VERDICT_NONE; i <= VERDICT_INTERRUPTED; i++) {
        assert_string_equal(verdict_name((enum verdict)i), verdicts[i]);
        assert_int_equal(verdict_by_name(verdicts[i]), i);
    }
    assert_int_equal(verdict_by_name("passed"), -1);
    assert_int_equal(verdict_by_name(NULL), -1);
    assert_string_equal(verdict_name((enum verdict)77), "none");
    assert_string_equal(touched_name(TOUCHED_NONE), "none");
    assert_string_equal(touched_name(TOUCHED_LOCKED), "locked");
    assert_string_equal(fuse_decision_name(FUSE_DECISION_WRITTEN), "written");
    assert_string_equal(fuse_decision_name(FUSE_DECISION_UNKNOWN), "unknown");
    assert_string_equal(fuse_decision_name((enum fuse_decision)77), "unknown");
}

static void test_steps_stand_in_their_order(void **state)
{
    (void)state;
    int count;
    const struct record_step_fact *steps = record_step_table(&count);
    for (int i = 0; i < count; i++) {
        assert_int_equal(record_step_index(steps[i].name), i);
    }
    assert_true(record_step_index("open") < record_step_index("erase"));
    assert_true(record_step_index("verify") < record_step_index("fuses"));
    assert_true(record_step_index("recheck") < record_step_index("lock"));
    assert_int_equal(record_step_index("no-such-step"), -1);
    for (int i = 0; i <= record_step_index("open"); i++) {
        assert_int_equal(steps[i].touched, TOUCHED_NONE);
    }
    assert_int_equal(steps[record_step_index("erase")].touched, TOUCHED_ERASED);
    assert_int_equal(steps[record_step_index("flash")].touched, TOUCHED_WRITTEN);
    assert_int_equal(steps[record_step_index("eeprom")].touched, TOUCHED_WRITTEN);
    assert_int_equal(steps[record_step_index("fuses")].touched, TOUCHED_FUSED);
    assert_int_equal(steps[record_step_index("lock")].touched, TOUCHED_LOCKED);
}

static void test_text_is_cut_and_cleaned(void **state)
{
    (void)state;
    char field[6];
    record_set_text(field, sizeof field, "abcdefgh");
    assert_string_equal(field, "abcde");
    record_set_text(field, sizeof field, "abc\xE2\x82\xAC"); /* the euro sign does not fit */
    assert_string_equal(field, "abc");
    record_set_text(field, sizeof field, "ab\xE2\x82\xAC");
    assert_string_equal(field, "ab\xE2\x82\xAC");
    record_set_text(field, sizeof field, "\xE2\x82");
    assert_string_equal(field, "??");
    record_set_text(field, sizeof field, "\n\x7F");
    assert_string_equal(field, "??");
    record_set_text(field, sizeof field, NULL);
    assert_string_equal(field, "");
}

static void test_utf8(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t bytes;
    } cases[] = {
        {"", 0},
        {"a", 1},
        {"\x7F", 1},
        {"\x80", 0},
        {"\xC0\xAF", 0}, /* overlong */
        {"\xC3\xBC", 2},
        {"\xE0\x80\xAF", 0}, /* overlong */
        {"\xE2\x82\xAC", 3},
        {"\xED\xA0\x80", 0}, /* a surrogate */
        {"\xF0\x8F\xBF\xBF", 0},
        {"\xF0\x9F\x98\x80", 4},
        {"\xF4\x90\x80\x80", 0}, /* beyond U+10FFFF */
        {"\xF0\x9F\x98", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(text_character_bytes(cases[i].text), cases[i].bytes);
    }
}

static void test_signature_and_time(void **state)
{
    (void)state;
    char signature[12], text[RECORD_TIME_BYTES];
    record_set_signature(signature, (const uint8_t[]){0x1E, 0x95, 0x0F});
    assert_string_equal(signature, "1E 95 0F");
    record_time_text(0, text);
    assert_string_equal(text, "1970-01-01T00:00:00.000000Z");
    record_time_text(1709294400000001, text);
    assert_string_equal(text, "2024-03-01T12:00:00.000001Z");
    record_time_text(-1, text);
    assert_string_equal(text, "1969-12-31T23:59:59.999999Z");
    record_time_text(INT64_MAX, text);
    assert_true(strlen(text) < RECORD_TIME_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_steps_stand_in_their_order),
        cmocka_unit_test(test_text_is_cut_and_cleaned),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_signature_and_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
