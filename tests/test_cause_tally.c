/* Failures by cause: what counts, and in which order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "station/cause_tally.h"

static void add_verdict(struct cause_tally *tally, enum verdict verdict, enum failure_code code)
{
    const struct station_event event = {.kind = STATION_EVENT_VERDICT,
                                        .record = {.verdict = verdict, .failure = code}};

    cause_tally_add(tally, &event);
}

static void assert_cause(const struct cause_tally *tally, int index, enum failure_code code,
                         int boards)
{
    assert_true(index < tally->count);
    assert_int_equal(tally->causes[index].code, code);
    assert_int_equal(tally->causes[index].boards, boards);
}

static void most_boards_come_first(void **state)
{
    (void)state;
    struct cause_tally tally = {0};

    add_verdict(&tally, VERDICT_FAIL, FAILURE_VERIFY_MISMATCH);
    add_verdict(&tally, VERDICT_FAIL, FAILURE_CONTACT_LOST);
    assert_cause(&tally, 0, FAILURE_CONTACT_LOST, 1); /* by name */
    assert_cause(&tally, 1, FAILURE_VERIFY_MISMATCH, 1);
    add_verdict(&tally, VERDICT_FAIL, FAILURE_VERIFY_MISMATCH);
    add_verdict(&tally, VERDICT_REFUSED, FAILURE_SIGNATURE_MISMATCH);
    assert_int_equal(tally.count, 3);
    assert_cause(&tally, 0, FAILURE_VERIFY_MISMATCH, 2);
    assert_cause(&tally, 1, FAILURE_CONTACT_LOST, 1);
    assert_cause(&tally, 2, FAILURE_SIGNATURE_MISMATCH, 1);
    for (int i = 0; i < 2; i++)
        add_verdict(&tally, VERDICT_INTERRUPTED, FAILURE_INTERRUPTED);
    add_verdict(&tally, VERDICT_INTERRUPTED, FAILURE_INTERRUPTED);
    assert_cause(&tally, 0, FAILURE_INTERRUPTED, 3);
    assert_cause(&tally, 3, FAILURE_SIGNATURE_MISMATCH, 1);
}

static void passes_empty_sites_and_other_events_do_not_count(void **state)
{
    (void)state;
    struct cause_tally tally = {0};
    struct station_event event = {.kind = STATION_EVENT_SITE,
                                  .state = SITE_OUT,
                                  .failure = {.code = FAILURE_PROGRAMMER_SILENT}};

    add_verdict(&tally, VERDICT_PASS, FAILURE_NONE);
    add_verdict(&tally, VERDICT_EMPTY, FAILURE_NO_BOARD);
    cause_tally_add(&tally, &event);
    assert_int_equal(tally.count, 0);
    event.kind = STATION_EVENT_UNKNOWN;
    event.failure.code = FAILURE_LOG;
    event.record.failure = FAILURE_VERIFY_MISMATCH; /* was not logged, so nobody may say so */
    cause_tally_add(&tally, &event);
    assert_int_equal(tally.unknown, 1);
    assert_cause(&tally, 0, FAILURE_LOG, 1);
}

static void every_code_has_room(void **state)
{
    (void)state;
    struct cause_tally tally = {0};
    int count = 0;
    const struct failure_fact *facts = failure_table(&count);

    assert_in_range(count, 1, CAUSES_MAX);
    for (int i = 0; i < count; i++)
        add_verdict(&tally, VERDICT_FAIL, facts[i].code);
    assert_int_equal(tally.count, count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(most_boards_come_first),
        cmocka_unit_test(passes_empty_sites_and_other_events_do_not_count),
        cmocka_unit_test(every_code_has_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
