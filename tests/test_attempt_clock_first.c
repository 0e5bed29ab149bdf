/* Clock first: clock fuses right after the erase, then the flash at the new clock; a stop between
 * waits for the flash, and what fails between is done again by the next attempt. */
#include "station/attempt_steps.h"
#include "tests/attempt_bench.h"

#define MHZ 1000000
#define FIRST "speed: clock-first"
#define PLAIN_LOCK "\nlock: 0xFF"

static void open_first(struct bench *bench, const char *programmer, const char *changes)
{
    open_bench_with(bench, programmer, changes);
    bench->site.crystal_hz = 16 * MHZ;
}

static int writes_of(const struct bench *bench, enum part_memory memory)
{
    return bench->site.board.writes[memory];
}

/* Pops all events: the names of the steps that began, in their order, each with a space behind. */
static void list_steps(struct bench *bench, char *text, size_t text_bytes)
{
    struct station_event event;

    text[0] = '\0';
    while (event_queue_pop(bench->station.events, &event))
        if (event.kind == STATION_EVENT_STEP) {
            size_t used = strlen(text);

            snprintf(text + used, text_bytes - used, "%s ", event.step);
        }
}

static void test_new_board(void **state)
{
    struct bench bench;
    char steps[200];

    (void)state;
    open_first(&bench, "fake-sck", FIRST);
    run(&bench);
    check_always(&bench);
    assert_int_equal(bench.record.verdict, VERDICT_PASS);
    check_board(&bench);
    list_steps(&bench, steps, sizeof steps);
    assert_string_equal(steps, "attach identify read open erase clock flash verify fuses reenter "
                               "recheck lock release ");
    assert_int_equal(bench.site.attaches, 3);
    assert_int_equal(bench.site.sessions[0].target_hz, MHZ);
    assert_int_equal(bench.site.sessions[1].target_hz, 16 * MHZ);
    assert_int_equal(bench.site.sessions[2].target_hz, 16 * MHZ);
    assert_int_equal(bench.site.flash_sck_hz, 1500000);
    assert_int_equal(bench.record.sck_hz, 1500000);
    assert_true(bench.record.clock_first);
    check_fuse(&bench, "low", 0x62, 0xFF, FUSE_DECISION_WRITTEN, 0xFF);
    check_fuse(&bench, "high", 0xD9, 0xDE, FUSE_DECISION_WRITTEN, 0xDE);
    for (enum part_memory memory = PART_FIRST_FUSE; memory <= PART_LOCK; memory++)
        assert_int_equal(writes_of(&bench, memory), 1);
    close_bench(&bench);
}

/* Boards and profiles, and whether the step is taken. */
static const struct {
    const char *name, *programmer, *changes;
    uint8_t low; /* as found */
    bool taken;
    int sessions;
    int64_t flash_sck_hz;
} cases[] = {
    {"as found", "fake-sck", "speed: as-found", 0x62, false, 2, 93750},
    {"not asked for", "fake-sck", NULL, 0x62, false, 2, 93750},
    {"another clock found", "fake-sck", FIRST, 0xE2, true, 4, 1500000},
    {"has these fuses already", "fake-sck", FIRST, 0xFF, false, 3, 1500000},
    {"other bits of the byte", "fake-sck", FIRST, 0xBF, false, 3, 1500000},
    {"found accepted", "fake-sck",
     FIRST
     "\nfuses: {low: {write: 0xFF, accept: [0xE2], because: test}, high: 0xDE, extended: 0xFD}",
     0xE2, false, 3, 750000},
    {"no faster than found", "fake-sck", FIRST "\nfuses: {low: 0xE2, high: 0xDE, extended: 0xFD}",
     0xFF, false, 3, 1500000},
    {"SCK is fixed", "fake", FIRST, 0x62, false, 2, 125000},
};

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bench bench;
        char steps[200];

        open_first(&bench, cases[i].programmer, cases[i].changes);
        bench.site.board.bytes[0] = cases[i].low;
        run(&bench);
        check_always(&bench);
        if (bench.record.verdict != VERDICT_PASS)
            fail_msg("%s: %s", cases[i].name, bench.record.detail);
        check_board(&bench);
        list_steps(&bench, steps, sizeof steps);
        if ((strstr(steps, "clock") != NULL) != cases[i].taken ||
            bench.record.clock_first != cases[i].taken)
            fail_msg("%s: %s", cases[i].name, steps);
        if (bench.site.attaches != cases[i].sessions ||
            bench.site.flash_sck_hz != cases[i].flash_sck_hz)
            fail_msg("%s: %d sessions, flash at %lld Hz", cases[i].name, bench.site.attaches,
                     (long long)bench.site.flash_sck_hz);
        close_bench(&bench);
    }
}

static void stop(void *context)
{
    atomic_store((atomic_bool *)context, true);
}

/* A stop at any call of the attempt: never a board with new clock fuses and without its flash. */
static void test_stop_at_any_call(void **state)
{
    int interrupted_with_flash = 0, untouched_fuses = 0;

    (void)state;
    for (int nth = 1;; nth++) {
        struct bench bench;
        struct fake_fault fault = {.call = FAKE_ANY, .nth = nth, .hook = stop};
        bool fused;

        open_first(&bench, "fake-sck", FIRST PLAIN_LOCK);
        fault.context = &bench.cancel;
        fake_site_add_fault(&bench.site, fault);
        run(&bench);
        check_always(&bench);
        fused = bench.site.board.bytes[0] != 0x62;
        if (bench.record.verdict == VERDICT_PASS) {
            close_bench(&bench);
            break;
        }
        assert_int_equal(bench.record.verdict, VERDICT_INTERRUPTED);
        if (fused && bench.site.board.writes[PART_FLASH] == 0)
            fail_msg("stopped at call %d: fused and not flashed", nth);
        if (fused)
            assert_true(bench.record.readback_sha256[0] != '\0');
        interrupted_with_flash += fused;
        untouched_fuses += !fused;
        /* The same board, put in again. */
        bench.site.fault_count = 0;
        atomic_store(&bench.cancel, false);
        run(&bench);
        assert_int_equal(bench.record.verdict, VERDICT_PASS);
        check_board(&bench);
        close_bench(&bench);
    }
    assert_true(interrupted_with_flash > 0);
    assert_true(untouched_fuses > 0);
}

/* What holds of an attempt whose verdict the log did not take. */
static void check_unknown(struct bench *bench, struct station_event *unknown, int *told)
{
    struct station_event event;

    *unknown = (struct station_event){.kind = STATION_EVENT_STARTED};
    *told = 0;
    assert_int_equal(bench->status, -1);
    assert_int_equal(bench->failure.code, FAILURE_LOG);
    assert_int_equal(bench->record.verdict, VERDICT_NONE);
    assert_int_equal(atomic_load(&bench->station.published), 0);
    assert_int_equal(bench->site.attaches, bench->site.releases);
    while (event_queue_pop(bench->station.events, &event)) {
        *told += event.kind == STATION_EVENT_MESSAGE &&
                 strstr(event.text, "site 7: its clock fuses are written") != NULL;
        if (event.kind == STATION_EVENT_UNKNOWN)
            *unknown = event;
    }
    assert_int_equal(unknown->kind, STATION_EVENT_UNKNOWN);
    assert_int_equal(unknown->record.verdict, VERDICT_NONE);
    assert_int_equal(unknown->record.failure, FAILURE_LOG);
    assert_string_equal(unknown->record.detail, unknown->failure.detail);
}

/* The log takes no more rows from any call of the attempt on: nobody learns a verdict, but a board
 * with new clock fuses has its flash, verified; and the next run settles its row. */
static void test_log_fault_at_any_call(void **state)
{
    int with_flash = 0, untouched_fuses = 0;

    (void)state;
    for (int nth = 1;; nth++) {
        struct bench bench;
        struct fake_fault fault = {.call = FAKE_ANY, .nth = nth, .hook = fake_log_break};
        struct station_event unknown;
        bool fused, opened, struck;
        int told;

        open_first(&bench, "fake-sck", FIRST PLAIN_LOCK);
        fault.context = &bench.station;
        fake_site_add_fault(&bench.site, fault);
        run(&bench);
        struck = bench.site.faults[0].seen >= nth;
        if (!struck) {
            assert_int_equal(bench.record.verdict, VERDICT_PASS);
            close_bench(&bench);
            break;
        }
        check_unknown(&bench, &unknown, &told);
        fused = bench.site.board.bytes[0] != 0x62;
        opened = bench.record.attempt != 0;
        if (fused) {
            if (bench.record.readback_sha256[0] == '\0' ||
                memcmp(bench.site.board.flash, bench.station.profile->flash->data, 0x80) != 0)
                fail_msg("the log failed at call %d: fused and not flashed", nth);
            assert_null(strstr(unknown.failure.detail, "its flash is not"));
        }
        with_flash += fused && told == 1;
        untouched_fuses += !fused;
        assert_true(told <= fused);
        /* The next run, the same board. */
        fake_station_restart(&bench.station, opened);
        bench.site.fault_count = 0;
        run(&bench);
        check_board(&bench);
        assert_int_equal(bench.record.verdict, VERDICT_PASS);
        close_bench(&bench);
    }
    assert_true(with_flash > 5);
    assert_true(untouched_fuses > 0);
}

/* The log and the contact are lost: it is said how far the board got. */
static void test_log_fault_and_contact_lost(void **state)
{
    struct bench bench;
    struct fake_fault log_lost = {.call = FAKE_WRITE, .memory = LOW, .nth = 1};
    struct fake_fault contact_lost = {.call = FAKE_WRITE,
                                      .memory = PART_FLASH,
                                      .nth = 1,
                                      .onward = true,
                                      .code = FAILURE_CONTACT_LOST};
    struct station_event unknown;
    int told;

    (void)state;
    open_first(&bench, "fake-sck", FIRST);
    log_lost.hook = fake_log_break;
    log_lost.context = &bench.station;
    fake_site_add_fault(&bench.site, log_lost);
    fake_site_add_fault(&bench.site, contact_lost);
    run(&bench);
    check_unknown(&bench, &unknown, &told);
    assert_int_equal(told, 1);
    assert_int_equal(unknown.failure.code, FAILURE_LOG);
    assert_non_null(strstr(unknown.failure.detail, "log.db"));
    assert_non_null(strstr(unknown.failure.detail, "a fault of the fake bench; its clock fuses may "
                                                   "be written, its flash is not"));
    fake_station_restart(&bench.station, 1);
    close_bench(&bench);
}

/* A second try at the flash, which the profile gives, is no less owed. */
static void test_log_fault_and_verify_mismatch(void **state)
{
    struct bench bench;
    struct fake_fault log_lost = {.call = FAKE_WRITE, .memory = LOW, .nth = 1};
    struct fake_fault mismatch = {
        .call = FAKE_READ, .memory = PART_FLASH, .nth = 1, .address = 0x40, .flip = 1};
    struct station_event unknown;
    int told;

    (void)state;
    open_first(&bench, "fake-sck", FIRST "\nretry: {contact: 0, verify: 1}");
    log_lost.hook = fake_log_break;
    log_lost.context = &bench.station;
    fake_site_add_fault(&bench.site, log_lost);
    fake_site_add_fault(&bench.site, mismatch);
    run(&bench);
    check_unknown(&bench, &unknown, &told);
    assert_int_equal(bench.site.board.erases, 2);
    assert_non_null(strstr(unknown.failure.detail, "stopped at the step fuses"));
    fake_station_restart(&bench.station, 1);
    close_bench(&bench);
}

/* It is said while it goes on, once. */
static void test_stop_is_told(void **state)
{
    struct bench bench;
    struct fake_fault fault = {.call = FAKE_WRITE, .memory = PART_FLASH, .nth = 1, .hook = stop};
    struct station_event event;
    int told = 0;

    (void)state;
    open_first(&bench, "fake-sck", FIRST);
    fault.context = &bench.cancel;
    fake_site_add_fault(&bench.site, fault);
    run(&bench);
    check_always(&bench);
    assert_int_equal(bench.record.verdict, VERDICT_INTERRUPTED);
    assert_int_equal(bench.record.touched, TOUCHED_FUSED);
    assert_non_null(strstr(bench.record.detail, "stopped at the step fuses"));
    assert_null(strstr(bench.record.detail, "its flash is not"));
    while (event_queue_pop(bench.station.events, &event))
        told += event.kind == STATION_EVENT_MESSAGE &&
                strstr(event.text, "site 7: its clock fuses are written") != NULL;
    assert_int_equal(told, 1);
    close_bench(&bench);
}

/* Contact gone at every call from the clock fuse on: the board fails as fused, says so while its
 * flash is owed, and the next attempt does it. */
static void test_contact_lost_at_any_call(void **state)
{
    int owed = 0;

    (void)state;
    for (int nth = 1;; nth++) {
        struct bench bench;
        struct fake_fault fault = {
            .call = FAKE_ANY, .nth = nth, .onward = true, .code = FAILURE_CONTACT_LOST};
        bool fused;

        open_first(&bench, "fake-sck", FIRST PLAIN_LOCK "\nretry: {contact: 0, verify: 0}");
        fake_site_add_fault(&bench.site, fault);
        run(&bench);
        if (bench.record.verdict == VERDICT_PASS) {
            close_bench(&bench);
            break;
        }
        check_always(&bench);
        fused = bench.site.board.bytes[0] != 0x62;
        if (fused) {
            assert_int_equal(bench.record.verdict, VERDICT_FAIL);
            assert_int_equal(bench.record.touched, TOUCHED_FUSED);
        }
        owed += fused && strstr(bench.record.detail, "its flash is not") != NULL;
        bench.site.fault_count = 0;
        run(&bench);
        check_always(&bench);
        assert_int_equal(bench.record.verdict, VERDICT_PASS);
        check_board(&bench);
        assert_int_equal(writes_of(&bench, LOW), 1);
        close_bench(&bench);
    }
    assert_true(owed > 5);
}

/* The clock that was chosen does not run: nothing answers at any SCK from then on. */
static void test_clock_that_does_not_run(void **state)
{
    struct bench bench;
    struct fake_fault fault = {
        .call = FAKE_ATTACH, .nth = 2, .onward = true, .code = FAILURE_CONTACT_LOST};

    (void)state;
    open_first(&bench, "fake-sck", FIRST);
    fake_site_add_fault(&bench.site, fault);
    run(&bench);
    check_always(&bench);
    assert_int_equal(bench.record.verdict, VERDICT_FAIL);
    assert_int_equal(bench.record.touched, TOUCHED_FUSED);
    assert_non_null(strstr(bench.record.detail, "perhaps that clock does not run"));
    assert_non_null(strstr(bench.record.detail, "its flash is not"));
    close_bench(&bench);
}

/* Another erase and another flash, but each fuse once. */
static void test_retry_after_verify(void **state)
{
    struct bench bench;
    struct fake_fault fault = {
        .call = FAKE_READ, .memory = PART_FLASH, .nth = 1, .address = 0x40, .flip = 1};
    char steps[250];

    (void)state;
    open_first(&bench, "fake-sck", FIRST "\nretry: {contact: 2, verify: 1}");
    fake_site_add_fault(&bench.site, fault);
    run(&bench);
    check_always(&bench);
    assert_int_equal(bench.record.verdict, VERDICT_PASS);
    assert_int_equal(bench.record.tries, 2);
    list_steps(&bench, steps, sizeof steps);
    assert_string_equal(steps, "attach identify read open erase clock flash verify erase flash "
                               "verify fuses reenter recheck lock release ");
    assert_int_equal(bench.site.board.erases, 2);
    for (enum part_memory memory = PART_FIRST_FUSE; memory <= PART_LOCK; memory++)
        assert_int_equal(writes_of(&bench, memory), 1);
    check_board(&bench);
    close_bench(&bench);
}

/* A mismatch at the new clock, with no second try: the board fails as fused. */
static void test_verify_mismatch(void **state)
{
    struct bench bench;
    struct fake_fault fault = {
        .call = FAKE_READ, .memory = PART_FLASH, .nth = 0, .address = 0x40, .flip = 1};

    (void)state;
    open_first(&bench, "fake-sck", FIRST);
    fake_site_add_fault(&bench.site, fault);
    run(&bench);
    check_always(&bench);
    assert_int_equal(bench.record.failure, FAILURE_VERIFY_MISMATCH);
    assert_int_equal(bench.record.touched, TOUCHED_FUSED);
    check_fuse(&bench, "low", 0x62, 0xFF, FUSE_DECISION_WRITTEN, 0xFF);
    check_fuse(&bench, "high", 0xD9, 0xDE, FUSE_DECISION_REFUSED, -1);
    close_bench(&bench);
}

/* A clock fuse that does not take fails at once, before the flash. */
static void test_stuck_clock_fuse(void **state)
{
    struct bench bench;

    (void)state;
    open_first(&bench, "fake-sck", FIRST);
    bench.site.board.stuck[0] = 0x80;
    run(&bench);
    check_always(&bench);
    assert_int_equal(bench.record.failure, FAILURE_FUSE_MISMATCH);
    assert_int_equal(bench.record.touched, TOUCHED_FUSED);
    assert_int_equal(writes_of(&bench, PART_FLASH), 0);
    check_fuse(&bench, "low", 0x62, 0xFF, FUSE_DECISION_UNKNOWN, 0x7F);
    close_bench(&bench);
}

/* A board that is found done passes as it is, and is not touched. */
static void test_already(void **state)
{
    struct bench bench;
    char steps[200];

    (void)state;
    open_first(&bench, "fake-sck", FIRST "\nif_already: pass");
    run(&bench);
    assert_int_equal(bench.record.verdict, VERDICT_PASS);
    list_steps(&bench, steps, sizeof steps);
    run(&bench);
    check_always(&bench);
    assert_int_equal(bench.record.verdict, VERDICT_PASS);
    assert_int_equal(bench.record.touched, TOUCHED_NONE);
    list_steps(&bench, steps, sizeof steps);
    assert_null(strstr(steps, "clock"));
    assert_int_equal(writes_of(&bench, LOW), 1);
    close_bench(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new_board),
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_stop_at_any_call),
        cmocka_unit_test(test_log_fault_at_any_call),
        cmocka_unit_test(test_log_fault_and_contact_lost),
        cmocka_unit_test(test_log_fault_and_verify_mismatch),
        cmocka_unit_test(test_stop_is_told),
        cmocka_unit_test(test_contact_lost_at_any_call),
        cmocka_unit_test(test_clock_that_does_not_run),
        cmocka_unit_test(test_retry_after_verify),
        cmocka_unit_test(test_verify_mismatch),
        cmocka_unit_test(test_stuck_clock_fuse),
        cmocka_unit_test(test_already),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
