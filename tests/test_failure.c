#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "reports/failure.h"

/* "FAILURE_SIGNATURE_MISMATCH" gives "signature-mismatch". */
static void name_from_enumerator(const char *enumerator, char *name)
{
    enumerator += strlen("FAILURE_");
    while ((*enumerator >= 'A' && *enumerator <= 'Z') || *enumerator == '_') {
        *name++ = *enumerator == '_' ? '-' : (char)(*enumerator - 'A' + 'a');
        enumerator++;
    }
    *name = '\0';
}

/* The header is read as text, so that an enumerator without a row cannot be forgotten. */
static void test_every_code_has_a_row_named_after_it(void **state)
{
    (void)state;
    char line[256];
    int seen = 0, count;
    FILE *header = fopen(TEST_SOURCE_DIR "/reports/failure.h", "r");
    assert_non_null(header);
    while (fgets(line, sizeof line, header) != NULL) {
        char name[256];
        const char *start = line + strspn(line, " ");
        const char *equals = strstr(start, " = ");
        if (strncmp(start, "FAILURE_", 8) != 0 || equals == NULL) {
            continue;
        }
        long code = strtol(equals + 3, NULL, 10);
        name_from_enumerator(start, name);
        const struct failure_fact *fact = failure_lookup((enum failure_code)code);
        assert_int_equal(fact->code, code);
        assert_string_equal(fact->name, name);
        assert_ptr_equal(failure_by_name(name), fact);
        seen++;
    }
    (void)fclose(header);
    (void)failure_table(&count);
    assert_int_equal(seen, count);
}

static void test_table_says_what_to_do(void **state)
{
    (void)state;
    int count;
    const struct failure_fact *table = failure_table(&count);
    assert_string_equal(table[0].name, "none");
    for (int i = 0; i < count; i++) {
        size_t length = strlen(table[i].operator_sentence);
        assert_in_range(length, 10, 160);
        assert_int_equal(table[i].operator_sentence[length - 1], '.');
        assert_true(table[i].blame != FAILURE_BLAME_NOBODY || i == 0);
        assert_true(!table[i].retriable || table[i].blame == FAILURE_BLAME_CONTACT);
        for (int other = 0; other < i; other++) {
            assert_int_not_equal(table[i].code, table[other].code);
            assert_string_not_equal(table[i].operator_sentence, table[other].operator_sentence);
        }
    }
    assert_true(failure_lookup(FAILURE_CONTACT_UNSTABLE)->retriable);
    assert_false(failure_lookup(FAILURE_SIGNATURE_MISMATCH)->retriable);
    assert_false(failure_lookup(FAILURE_NO_BOARD)->retriable);
}

static void test_unknown_ones(void **state)
{
    (void)state;
    assert_int_equal(failure_lookup((enum failure_code)9999)->code, FAILURE_INTERNAL);
    assert_null(failure_by_name("no-such-failure"));
    assert_null(failure_by_name(NULL));
    assert_string_equal(failure_blame_name(FAILURE_BLAME_CONTACT), "contact");
    assert_string_equal(failure_blame_name((enum failure_blame)99), "station");
}

static void test_set_formats_and_cleans(void **state)
{
    (void)state;
    struct failure failure = {0};
    assert_int_equal(failure_set(&failure, FAILURE_USAGE,
                                 "a\nb\t%s\x1b[2J\xC2\x9B"
                                 "K\xFF",
                                 "\xC3\xBC"),
                     -1);
    assert_int_equal(failure.code, FAILURE_USAGE);
    assert_string_equal(failure.detail, "a?b?\xC3\xBC?[2J?K?");
    assert_int_equal(failure_set(NULL, FAILURE_USAGE, "nobody listens"), -1);
}

static void test_set_may_quote_the_detail_it_replaces(void **state)
{
    (void)state;
    struct failure failure = {0};
    (void)failure_set(&failure, FAILURE_PART_INVALID, "no such part");
    (void)failure_set(&failure, FAILURE_PROFILE_INVALID, "p.yaml:3:7: %s", failure.detail);
    assert_string_equal(failure.detail, "p.yaml:3:7: no such part");
}

static void test_set_cuts_at_a_character(void **state)
{
    (void)state;
    struct failure failure = {0};
    char text[2 * FAILURE_DETAIL_BYTES];
    for (size_t i = 0; i + 1 < sizeof text; i++) {
        text[i] = "\xE2\x82\xAC"[i % 3]; /* euro signs, three bytes each */
    }
    text[sizeof text - 1] = '\0';
    (void)failure_set(&failure, FAILURE_USAGE, "%s", text);
    assert_int_equal(strlen(failure.detail), (FAILURE_DETAIL_BYTES - 1) / 3 * 3);
    (void)failure_set(&failure, FAILURE_USAGE, "x%s", text);
    assert_int_equal(strlen(failure.detail), 1 + (FAILURE_DETAIL_BYTES - 2) / 3 * 3);
}

/* Whoever has the board in hand can press GO, and nothing else. */
static void test_operator_gives_no_options(void **state)
{
    int count;
    const struct failure_fact *facts = failure_table(&count);

    (void)state;
    for (int i = 0; i < count; i++)
        if ((facts[i].blame == FAILURE_BLAME_CONTACT || facts[i].blame == FAILURE_BLAME_BOARD) &&
            strstr(failure_sentence(facts[i].code, false), "--") != NULL)
            fail_msg("%s: %s", facts[i].name, facts[i].operator_sentence);
}

static void test_owed_eeprom_comes_first(void **state)
{
    (void)state;
    assert_non_null(strstr(failure_sentence(FAILURE_CONTACT_LOST, false), "press GO"));
    assert_non_null(strstr(failure_sentence(FAILURE_CONTACT_LOST, true), "for the engineer"));
    assert_null(strstr(failure_sentence(FAILURE_CONTACT_LOST, true), "GO"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_operator_gives_no_options),
        cmocka_unit_test(test_owed_eeprom_comes_first),
        cmocka_unit_test(test_every_code_has_a_row_named_after_it),
        cmocka_unit_test(test_table_says_what_to_do),
        cmocka_unit_test(test_unknown_ones),
        cmocka_unit_test(test_set_formats_and_cleans),
        cmocka_unit_test(test_set_may_quote_the_detail_it_replaces),
        cmocka_unit_test(test_set_cuts_at_a_character),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
