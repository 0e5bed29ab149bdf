/* Stops and losses around the fuses that take the way into a board, at every call from the last
 * readings before them on: the board can be reached, or is finished, or it is said that it may be
 * out of reach. */
#include "tests/attempt_bench.h"

#define RISKS                                                                                      \
    "accept_risk: [{rule: rstdisbl, because: test}, {rule: lock-forbids, because: test}, "         \
    "{rule: bootrst-without-bootloader, because: test}]"
#define DOOR                                                                                       \
    "fuses: {low: 0xFF, high: 0x5E, extended: 0xFD}\nretry: {contact: 0, verify: 0}\n" RISKS
#define RSTDISBL 0x80
#define WAS_TURNED_ON "RSTDISBL was turned on: this station cannot reach the board any more"
#define MAY_BE_ON "RSTDISBL may have been turned on: then this station cannot reach the board"
#define CALLS_AROUND 24 /* the last ones: recheck, doors, lock and release are among them */

/* The door before lock bits that forbid it, behind others, and alone. */
static const char *const profiles[] = {DOOR "\nlock: 0xFC", DOOR "\nlock: 0xCF",
                                       DOOR "\nlock: 0xFF"};
#define PROFILES (sizeof profiles / sizeof profiles[0])

static void stop(void *context)
{
    atomic_store((atomic_bool *)context, true);
}

static bool has_door(const struct bench *bench)
{
    return (bench->site.board.bytes[HIGH - PART_FIRST_FUSE] & RSTDISBL) == 0;
}

static bool says(const struct bench *bench, const char *text)
{
    return strstr(bench->record.detail, text) != NULL;
}

/* Without a fault, or on the board that is in. */
static void run_again(struct bench *bench)
{
    bench->site.fault_count = 0;
    atomic_store(&bench->cancel, false);
    run(bench);
}

/* On a new board. True: the fault came. */
static bool run_with(struct bench *bench, struct fake_fault fault)
{
    bench->site.fault_count = 0;
    atomic_store(&bench->cancel, false);
    fake_site_insert(&bench->site);
    fake_site_add_fault(&bench->site, fault);
    run(bench);
    return bench->site.faults[0].seen >= fault.nth;
}

static void pass_when_reachable(struct bench *bench)
{
    if (has_door(bench))
        return;
    run_again(bench);
    check_always(bench);
    assert_int_equal(bench->record.verdict, VERDICT_PASS);
    check_board(bench);
}

/* The first call to be struck. */
static int first_call(struct bench *bench)
{
    const struct fake_fault none = {.call = FAKE_ANY, .nth = INT32_MAX};

    assert_false(run_with(bench, none));
    check_always(bench);
    assert_int_equal(bench->record.verdict, VERDICT_PASS);
    assert_string_equal(bench->record.detail, WAS_TURNED_ON);
    assert_true(bench->site.faults[0].seen > CALLS_AROUND);
    return bench->site.faults[0].seen - CALLS_AROUND;
}

/* Stopped before the door: it is not sent. Stopped behind it: the board is finished. */
static void test_stop_at_any_call(void **state)
{
    (void)state;
    for (size_t i = 0; i < PROFILES; i++) {
        struct bench bench;
        int interrupted = 0, finished = 0;

        open_bench(&bench, profiles[i]);
        for (int nth = first_call(&bench);; nth++) {
            struct fake_fault fault = {
                .call = FAKE_ANY, .nth = nth, .hook = stop, .context = &bench.cancel};

            if (!run_with(&bench, fault))
                break;
            check_always(&bench);
            if (bench.record.verdict == VERDICT_PASS) {
                check_board(&bench);
                assert_string_equal(bench.record.detail, WAS_TURNED_ON);
                finished++;
                continue;
            }
            assert_int_equal(bench.record.verdict, VERDICT_INTERRUPTED);
            if (bench.site.board.writes[HIGH] != 0 || has_door(&bench))
                fail_msg("stopped at call %d behind the door: %s", nth, bench.record.detail);
            assert_null(strstr(bench.record.detail, "turned on"));
            interrupted++;
            pass_when_reachable(&bench);
        }
        assert_true(interrupted > 0);
        assert_true(finished > 3);
        close_bench(&bench);
    }
}

static void check_loss(const struct bench *bench, const struct fake_fault *fault)
{
    const struct record_fuse *high = fuse_of(bench, "high");
    bool was_read = high->decision == FUSE_DECISION_WRITTEN;

    assert_int_equal(bench->record.verdict, VERDICT_FAIL);
    if (has_door(bench) && !says(bench, "turned on"))
        fail_msg("call %d: nobody is told of the door: %s", fault->nth, bench->record.detail);
    if (says(bench, WAS_TURNED_ON) != was_read || (was_read && !has_door(bench)))
        fail_msg("call %d: '%s', read back %d", fault->nth, bench->record.detail, high->read_back);
    if (!was_read && says(bench, "turned on") != says(bench, MAY_BE_ON))
        fail_msg("call %d: %s", fault->nth, bench->record.detail);
    if (fault->code == FAILURE_PROGRAMMER_GONE)
        assert_int_equal(bench->record.failure, FAILURE_PROGRAMMER_GONE);
    else if (says(bench, "turned on"))
        assert_int_equal(bench->record.failure, FAILURE_DOOR_UNPROVED);
    else
        assert_int_equal(bench->record.failure, FAILURE_CONTACT_LOST);
}

/* `fault`: says what is lost. */
static void lose(struct fake_fault fault)
{
    for (size_t i = 0; i < PROFILES; i++) {
        struct bench bench;
        int known = 0, unknown = 0;

        open_bench(&bench, profiles[i]);
        fault.nth = fault.call == FAKE_ANY ? first_call(&bench) : 1;
        for (; run_with(&bench, fault); fault.nth++) {
            check_always(&bench);
            check_loss(&bench, &fault);
            known += says(&bench, WAS_TURNED_ON);
            unknown += says(&bench, MAY_BE_ON);
            pass_when_reachable(&bench);
        }
        assert_true(known > 0 || fault.call != FAKE_ANY);
        assert_true(unknown > 0);
        close_bench(&bench);
    }
}

static void lose_at_any_call(enum failure_code code)
{
    struct fake_fault at_any = {.call = FAKE_ANY, .onward = true, .code = code};
    /* The write is done, and nothing is heard of it. */
    struct fake_fault behind_write = {.call = FAKE_WRITE,
                                      .memory = FAKE_ANY_MEMORY,
                                      .onward = true,
                                      .code = code,
                                      .done_first = true};

    lose(at_any);
    lose(behind_write);
}

static void test_contact_lost_at_any_call(void **state)
{
    (void)state;
    lose_at_any_call(FAILURE_CONTACT_LOST);
}

static void test_programmer_gone_at_any_call(void **state)
{
    (void)state;
    lose_at_any_call(FAILURE_PROGRAMMER_GONE);
}

static void check_unknown(struct bench *bench, int nth)
{
    struct station_event event = {.kind = STATION_EVENT_STARTED};

    assert_int_equal(bench->status, -1);
    assert_int_equal(bench->record.verdict, VERDICT_NONE);
    assert_int_equal(bench->site.attaches, bench->site.releases);
    while (event.kind != STATION_EVENT_UNKNOWN)
        assert_true(event_queue_pop(bench->station.events, &event));
    if ((strstr(event.failure.detail, WAS_TURNED_ON) != NULL) != has_door(bench))
        fail_msg("call %d: %s", nth, event.failure.detail);
    if (has_door(bench))
        check_board(bench);
}

/* A log that takes no more rows: a board that nobody can reach again is as the profile says. */
static void test_log_fault_at_any_call(void **state)
{
    struct bench bench;
    int with_door = 0, without = 0;

    (void)state;
    open_bench(&bench, profiles[0]);
    for (int nth = first_call(&bench);; nth++) {
        struct fake_fault fault = {
            .call = FAKE_ANY, .nth = nth, .hook = fake_log_break, .context = &bench.station};

        if (!run_with(&bench, fault))
            break;
        check_unknown(&bench, nth);
        with_door += has_door(&bench);
        without += !has_door(&bench);
        bench.runs--; /* nothing was published */
        fake_station_restart(&bench.station, 1);
        pass_when_reachable(&bench);
    }
    assert_true(with_door > 0);
    assert_true(without > 0);
    close_bench(&bench);
}

/* A fuse that does not take is read back: the board can be reached, as far as is known. */
static void test_door_that_does_not_take(void **state)
{
    struct bench bench;

    (void)state;
    open_bench(&bench, profiles[0]);
    bench.site.board.stuck[HIGH - PART_FIRST_FUSE] = RSTDISBL;
    run(&bench);
    check_always(&bench);
    assert_int_equal(bench.record.failure, FAILURE_FUSE_MISMATCH);
    assert_true(says(&bench, MAY_BE_ON));
    assert_int_equal(bench.site.board.writes[PART_LOCK], 0);
    close_bench(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stop_at_any_call),
        cmocka_unit_test(test_contact_lost_at_any_call),
        cmocka_unit_test(test_programmer_gone_at_any_call),
        cmocka_unit_test(test_log_fault_at_any_call),
        cmocka_unit_test(test_door_that_does_not_take),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
