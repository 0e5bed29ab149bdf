/* SCK of an attempt's sessions, with a programmer that leaves the choice: never more than the
 * board's clock takes, and no less than it may be. */
#include "station/attempt_steps.h"
#include "tests/attempt_bench.h"

#define MHZ 1000000
#define SLOWEST_TARGET 3001 /* for which 500 Hz, the slowest, is right */

/* A board as found, with a crystal of 16 MHz, and the sessions that are to be. */
struct clock_case {
    const char *name;
    const char *changes; /* of the profile: low fuse FF, crystal 16 MHz */
    uint8_t low;         /* as found */
    bool answers_any;
    int deaf_sessions;
    int64_t targets_hz[FAKE_SESSIONS_MAX]; /* ends with 0 */
    int64_t flash_sck_hz;
};

#define FUSES(low) "fuses: {low: " #low ", high: 0xD9, extended: 0xFF}"
#define CRYSTAL(mhz) "board: {clock: crystal " #mhz " MHz}"
#define NO_CLOCK "\nboard: {supply: 5 V}"

static const struct clock_case cases[] = {
    {"a new board", NULL, 0x62, false, 0, {MHZ, 16 * MHZ}, 93750},
    {"a board that is done already", NULL, 0xFF, false, 0, {MHZ, 16 * MHZ, 16 * MHZ}, 1500000},
    {"another clock found", NULL, 0xE2, false, 0, {MHZ, 8 * MHZ, 16 * MHZ}, 750000},
    {"found divided by 8", NULL, 0x7F, false, 0, {MHZ, 2 * MHZ, 16 * MHZ}, 187500},
    {"to be divided by 8", FUSES(0x7F), 0xFF, false, 0, {MHZ, 16 * MHZ, 2 * MHZ}, 1500000},
    {"to be slower than new", FUSES(0xE3), 0x62, false, 0, {128000, MHZ, 128000}, 93750},
    {"to be slower, found so", FUSES(0xE3), 0xE3, false, 0, {128000, 128000}, 16000},
    {"may pass slower than new",
     "fuses:\n  low: {write: 0xFF, accept: [0xE3], because: test}\n  high: 0xD9\n  extended: 0xFF",
     0xFF,
     false,
     0,
     {128000, 16 * MHZ, 16 * MHZ},
     1500000},
    {"half as fast again", CRYSTAL(1.6), 0xFF, false, 0, {MHZ, 1600000, 1600000}, 187500},
    {"hardly faster", CRYSTAL(1.4), 0xFF, false, 0, {MHZ, 1400000}, 93750},
    {"found slower: the driver steps down", NULL, 0xE3, false, 0, {MHZ, 16 * MHZ}, 16000},
    {"found slower, answers by luck", NULL, 0xE3, true, 0, {MHZ, 128000, 16 * MHZ}, 16000},
    {"stepped down by accident", NULL, 0x62, false, 1, {MHZ, MHZ, 16 * MHZ}, 93750},
    {"no clock given: the lower end", FUSES(0xFF) NO_CLOCK, 0x62, false, 0, {MHZ, 8 * MHZ}, 93750},
    {"no clock given: slowest",
     FUSES(0xE0) NO_CLOCK,
     0x62,
     true,
     0,
     {SLOWEST_TARGET, MHZ, SLOWEST_TARGET},
     93750},
    {"clock found is not known", FUSES(0xFF) NO_CLOCK, 0xE0, true, 0, {MHZ, 8 * MHZ}, 93750},
    {"clock found is not known, and left",
     "fuses: {low: leave, high: 0xD9, extended: 0xFF}" NO_CLOCK,
     0xE0,
     true,
     0,
     {MHZ, MHZ},
     93750},
    {"clock fuse that cannot be read",
     "part: AT90S1200\nfuses: {fuse: leave}\nlock: leave\n" CRYSTAL(4),
     0xDF,
     false,
     0,
     {4 * MHZ, 4 * MHZ, 4 * MHZ},
     375000},
    {"internal: nothing at the clock pins",
     FUSES(0x62) "\nboard: {clock: internal 1 MHz}",
     0xFF,
     false,
     0,
     {MHZ, 8 * MHZ, MHZ},
     750000},
};

static int count_sessions(const struct clock_case *test)
{
    int count = 0;

    while (test->targets_hz[count] != 0)
        count++;
    return count;
}

static void check_sessions(const struct bench *bench, const struct clock_case *test)
{
    if (bench->site.attaches != count_sessions(test))
        fail_msg("%s: %d sessions", test->name, bench->site.attaches);
    for (int i = 0; i < bench->site.attaches; i++)
        if (bench->site.sessions[i].target_hz != test->targets_hz[i])
            fail_msg("%s: session %d was for %lld Hz", test->name, i + 1,
                     (long long)bench->site.sessions[i].target_hz);
}

static void check_case(const struct clock_case *test)
{
    struct bench bench;

    open_bench_with(&bench, "fake-sck", test->changes);
    bench.site.board.bytes[0] = test->low;
    bench.site.crystal_hz = 16 * MHZ;
    bench.site.answers_any = test->answers_any;
    bench.site.deaf_sessions = test->deaf_sessions;
    run(&bench);
    check_always(&bench);
    if (bench.record.verdict != VERDICT_PASS)
        fail_msg("%s: %s", test->name, bench.record.detail);
    check_board(&bench);
    check_sessions(&bench, test);
    if (bench.site.flash_sck_hz != test->flash_sck_hz)
        fail_msg("%s: flash at %lld Hz", test->name, (long long)bench.site.flash_sck_hz);
    assert_int_equal(bench.record.sck_hz, test->flash_sck_hz);
    close_bench(&bench);
}

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_case(&cases[i]);
}

static void check_steps(struct bench *bench, const char *const expected[])
{
    struct station_event event;

    for (size_t i = 0; expected[i] != NULL;) {
        assert_true(event_queue_pop(bench->station.events, &event));
        if (event.kind != STATION_EVENT_STEP)
            continue;
        assert_string_equal(event.step, expected[i++]);
    }
}

/* What answers no more, or not as before, at the faster SCK is tried again without it, also after
 * the fuses. */
static void test_slow_after_failure(void **state)
{
    static const char *const steps[] = {"attach",   "identify", "read", "speed", "attach",
                                        "identify", "read",     "open", NULL};
    static const int64_t targets_hz[] = {MHZ, 16 * MHZ, MHZ, MHZ};
    struct bench bench;
    struct fake_fault fault = {.call = FAKE_IDENTIFY, .nth = 3, .address = 1, .flip = 0x04};

    (void)state;
    open_bench_with(&bench, "fake-sck", NULL);
    bench.site.board.bytes[0] = 0xFF;
    bench.site.crystal_hz = 16 * MHZ;
    fake_site_add_fault(&bench.site, fault);
    run(&bench);
    check_always(&bench);
    assert_int_equal(bench.record.verdict, VERDICT_PASS);
    assert_int_equal(bench.record.tries, 2);
    assert_int_equal(bench.record.sck_hz, 93750);
    check_steps(&bench, steps);
    assert_int_equal(bench.site.attaches, 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(bench.site.sessions[i].target_hz, targets_hz[i]);
    close_bench(&bench);
}

/* Another board in place of the first one, in between: its signature is read in each session. */
static void put_another_in(void *context)
{
    struct fake_site *site = context;

    site->board.signature[2] = 0x16;
}

static void test_another_board(void **state)
{
    static const char *const steps[] = {"attach", "identify", "read", "speed", NULL};
    struct bench bench;
    struct fake_fault fault = {.call = FAKE_ATTACH, .nth = 2, .hook = put_another_in};
    struct station_event event;

    (void)state;
    open_bench_with(&bench, "fake-sck", NULL);
    bench.site.board.bytes[0] = 0xFF;
    bench.site.crystal_hz = 16 * MHZ;
    fault.context = &bench.site;
    fake_site_add_fault(&bench.site, fault);
    run(&bench);
    check_always(&bench);
    assert_int_equal(bench.record.verdict, VERDICT_REFUSED);
    assert_int_equal(bench.record.failure, FAILURE_SIGNATURE_MISMATCH);
    check_steps(&bench, steps);
    while (event_queue_pop(bench.station.events, &event))
        assert_int_not_equal(event.kind, STATION_EVENT_STEP);
    close_bench(&bench);
}

/* The next board on the site begins as slowly as the first: what the last one had says nothing. */
static void test_next_board(void **state)
{
    struct bench bench;

    (void)state;
    open_bench_with(&bench, "fake-sck", NULL);
    bench.site.crystal_hz = 16 * MHZ;
    run(&bench);
    assert_int_equal(bench.site.sessions[1].target_hz, 16 * MHZ);
    fake_site_insert(&bench.site);
    run(&bench);
    check_always(&bench);
    assert_int_equal(bench.record.verdict, VERDICT_PASS);
    assert_int_equal(bench.site.sessions[2].target_hz, MHZ);
    assert_int_equal(bench.record.sck_hz, 93750);
    close_bench(&bench);
}

/* Where no session got as far, no SCK is said. */
static void test_no_sck_without_session(void **state)
{
    struct bench bench;
    struct fake_fault fault = {.call = FAKE_ATTACH, .nth = 1, .code = FAILURE_PROGRAMMER_SILENT};

    (void)state;
    open_bench_with(&bench, "fake-sck", NULL);
    bench.site.crystal_hz = 16 * MHZ;
    run(&bench);
    assert_int_equal(bench.record.sck_hz, 93750);
    fake_site_add_fault(&bench.site, fault);
    run(&bench);
    assert_int_equal(bench.record.failure, FAILURE_PROGRAMMER_SILENT);
    assert_int_equal(bench.record.sck_hz, 0);
    close_bench(&bench);
}

/* A faster clock is no reason for another session when the programmer has no faster SCK. */
static void test_no_faster_sck(void **state)
{
    struct bench bench;

    (void)state;
    open_bench_with(&bench, "fake-sck", NULL);
    bench.station.profile->part->factory_clock_hz = 9 * MHZ;
    make_plan(&bench);
    bench.site.board.bytes[0] = 0xFF;
    bench.site.crystal_hz = 16 * MHZ;
    run(&bench);
    assert_int_equal(bench.record.verdict, VERDICT_PASS);
    assert_int_equal(bench.site.attaches, 2);
    assert_int_equal(bench.site.sessions[0].target_hz, 9 * MHZ);
    assert_int_equal(bench.record.sck_hz, 1500000);
    close_bench(&bench);
}

static void test_look(void **state)
{
    struct bench bench;
    struct failure failure = {0};

    (void)state;
    open_bench_with(&bench, "fake-sck", FUSES(0xE3));
    bench.site.crystal_hz = 16 * MHZ;
    run(&bench);
    assert_int_equal(bench.record.verdict, VERDICT_PASS);
    assert_int_equal(bench.site.attaches, 3);
    assert_int_equal(attempt_look(bench.programmer, &bench.plan, &bench.cancel, &failure),
                     ATTEMPT_BOARD_PRESENT);
    assert_int_equal(bench.site.sessions[3].target_hz, 128000);
    assert_int_equal(bench.site.sessions[3].first_hz, bench.site.sessions[3].sck_hz);
    close_bench(&bench);
}

/* When nothing answers any more after new clock fuses, their clock is named as a suspect. */
static void test_clock_that_does_not_run(void **state)
{
    struct bench bench;
    struct fake_fault fault = {
        .call = FAKE_ATTACH, .nth = 2, .onward = true, .code = FAILURE_CONTACT_LOST};

    (void)state;
    open_bench_with(&bench, "fake-sck", NULL);
    fake_site_add_fault(&bench.site, fault);
    run(&bench);
    assert_int_equal(bench.record.failure, FAILURE_CONTACT_LOST);
    assert_non_null(strstr(bench.record.detail, "perhaps that clock does not run"));
    close_bench(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_slow_after_failure),
        cmocka_unit_test(test_another_board),
        cmocka_unit_test(test_next_board),
        cmocka_unit_test(test_no_sck_without_session),
        cmocka_unit_test(test_no_faster_sck),
        cmocka_unit_test(test_look),
        cmocka_unit_test(test_clock_that_does_not_run),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
