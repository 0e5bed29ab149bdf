/* The scheduler: who may start, when, and how many; sites that fail; the ways to end a run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <poll.h>

#include "jigs/operation.h"
#include "reports/database.h"
#include "station/scheduler.h"
#include "tests/fake_bench.h"

#define SITES_MAX 8
#define PATIENCE_US 60000000
#define RECORDS_MAX 128

struct tally {
    int armed, held, waiting, out, stopped; /* SITE events */
    int ended;                              /* out or stopped */
    int cycles, taking_part;
    int verdicts, passed, unknown;
    int messages;
    char message[256];      /* the last one */
    struct failure failure; /* of the last site that waited or went out */
};

struct bench {
    struct fake_station station;
    struct fake_site sites[SITES_MAX];
    struct jig_site jig_sites[SITES_MAX];
    struct jig jig;
    int site_count;
    struct scheduler_options options;
    struct scheduler *scheduler;
    atomic_int lamps;
    atomic_bool go_on; /* a hook that waits may return */
    bool swap_boards;  /* the lamp makes the operator put in the next board */
    struct tally all;
    struct tally site[SITES_MAX + 1]; /* by number */
    enum site_state state[SITES_MAX + 1];
    struct record_attempt records[RECORDS_MAX];
    int record_count;
};

/* The operator, on the site's worker. */
static void lamp(void *context, int site, const char *verdict)
{
    struct bench *bench = context;

    assert_non_null(verdict);
    atomic_fetch_add(&bench->lamps, 1);
    if (bench->swap_boards)
        fake_site_swap(&bench->sites[site - 1]);
}

static void publish(void *context, const struct record_attempt *record)
{
    struct bench *bench = context;

    scheduler_publish(bench->scheduler, record);
}

static struct bench *open_bench(int site_count, enum scheduler_go go, int64_t count)
{
    struct bench *bench = calloc(1, sizeof *bench);

    assert_non_null(bench);
    fake_station_open(&bench->station, "retry: {contact: 0, verify: 0}");
    bench->station.on_publish = publish;
    bench->station.publish_context = bench;
    bench->site_count = site_count;
    bench->jig = (struct jig){.sites = bench->jig_sites, .site_count = (size_t)site_count};
    snprintf(bench->jig.name, sizeof bench->jig.name, "test-jig");
    for (int i = 0; i < site_count; i++) {
        fake_site_open(&bench->sites[i], bench->station.profile->part);
        bench->jig_sites[i].site = i + 1;
        snprintf(bench->jig_sites[i].programmer, sizeof bench->jig_sites[i].programmer, "fake");
        fake_site_place(&bench->sites[i], &bench->jig_sites[i].place);
    }
    bench->options = (struct scheduler_options){.profile = bench->station.profile,
                                                .jig = &bench->jig,
                                                .go = go,
                                                .lot = "L1",
                                                .count = count,
                                                .lot_count = count,
                                                .operator_name = "tester",
                                                .software = "test",
                                                .log = bench->station.log,
                                                .events = bench->station.events,
                                                .lamp = lamp,
                                                .lamp_context = bench};
    return bench;
}

static void end_sites(struct bench *bench)
{
    scheduler_destroy(bench->scheduler);
    for (int i = 0; i < bench->site_count; i++) {
        struct fake_site *site = &bench->sites[i];

        assert_false(site->attached);
        assert_int_equal(site->attaches, site->releases);
        assert_int_equal(site->claims, site->unclaims);
        fake_site_close(site);
    }
}

static void close_bench(struct bench *bench)
{
    end_sites(bench);
    fake_station_close(&bench->station);
    free(bench);
}

/* Events */

static void count_site_state(struct bench *bench, const struct station_event *event)
{
    struct tally *tallies[] = {&bench->all, &bench->site[event->site]};

    bench->state[event->site] = event->state;
    for (int i = 0; i < 2; i++) {
        tallies[i]->armed += event->state == SITE_ARMED;
        tallies[i]->held += event->state == SITE_HELD;
        tallies[i]->waiting += event->state == SITE_WAITING;
        tallies[i]->out += event->state == SITE_OUT;
        tallies[i]->stopped += event->state == SITE_STOPPED;
        tallies[i]->ended += event->state == SITE_STOPPED || event->state == SITE_OUT;
        if (event->state == SITE_OUT || event->state == SITE_WAITING)
            tallies[i]->failure = event->failure;
    }
}

static void count_verdict(struct bench *bench, const struct station_event *event)
{
    struct tally *tallies[] = {&bench->all, &bench->site[event->site]};

    for (int i = 0; i < 2; i++) {
        tallies[i]->verdicts++;
        tallies[i]->passed += event->record.verdict == VERDICT_PASS;
    }
    assert_true(bench->record_count < RECORDS_MAX);
    bench->records[bench->record_count++] = event->record;
    /* The counts that come with a verdict include it. */
    assert_int_equal(event->counts.passed, bench->all.passed);
}

static void count_event(struct bench *bench, const struct station_event *event)
{
    switch (event->kind) {
    case STATION_EVENT_SITE:
        count_site_state(bench, event);
        break;
    case STATION_EVENT_VERDICT:
        count_verdict(bench, event);
        break;
    case STATION_EVENT_CYCLE:
        bench->all.cycles++;
        bench->all.taking_part += event->sites_taking_part;
        break;
    case STATION_EVENT_UNKNOWN:
        bench->all.unknown++;
        break;
    case STATION_EVENT_MESSAGE:
        bench->all.messages++;
        memcpy(bench->all.message, event->text, sizeof bench->all.message);
        break;
    default:
        break;
    }
}

static void take_events(struct bench *bench)
{
    struct station_event event;

    while (event_queue_pop(bench->station.events, &event))
        count_event(bench, &event);
}

/* Beginning */

static bool is_claiming(const struct bench *bench)
{
    for (int i = 0; i < bench->site_count; i++) {
        bool wanted = bench->options.site_wanted == NULL || bench->options.site_wanted[i];

        if (wanted && bench->state[i + 1] == SITE_CLAIMING)
            return true;
    }
    return false;
}

/* Returns when all claims have ended. */
static int start(struct bench *bench, struct failure *failure)
{
    int64_t until_us = operation_now_us() + PATIENCE_US;

    *failure = (struct failure){0};
    if (scheduler_create(&bench->options, &bench->scheduler, failure) != 0 ||
        scheduler_start(bench->scheduler, failure) != 0)
        return -1;
    while (is_claiming(bench)) {
        assert_true(operation_now_us() < until_us);
        poll(NULL, 0, 1);
        take_events(bench);
    }
    return scheduler_refused(bench->scheduler, failure);
}

static void start_well(struct bench *bench)
{
    struct failure failure;

    if (start(bench, &failure) != 0)
        fail_msg("%s", failure.detail);
}

/* Waits for events until `number` has come to `least`. */
static void wait_for(struct bench *bench, const int *number, int least)
{
    int64_t until_us = operation_now_us() + PATIENCE_US;
    struct pollfd wait = {.fd = event_queue_descriptor(bench->station.events), .events = POLLIN};

    take_events(bench);
    while (*number < least) {
        int64_t left_us = until_us - operation_now_us();

        if (left_us <= 0 || poll(&wait, 1, (int)(left_us / 1000)) != 1)
            fail_msg("waited in vain for %d, got %d", least, *number);
        take_events(bench);
    }
}

/* The last SITE event comes after scheduler_finished() has become true. */
static void wait_finished(struct bench *bench)
{
    wait_for(bench, &bench->all.ended, bench->site_count);
    assert_true(scheduler_finished(bench->scheduler));
    take_events(bench);
}

/* Waits until the site was looked at `more` times. */
static void wait_for_looks(struct bench *bench, int site, int more)
{
    int64_t until_us = operation_now_us() + PATIENCE_US;
    int least = fake_site_attaches(&bench->sites[site - 1]) + more;

    while (fake_site_attaches(&bench->sites[site - 1]) < least) {
        assert_true(operation_now_us() < until_us);
        poll(NULL, 0, 1);
    }
}

/* GO by Enter */

static void test_enter(void **state)
{
    struct bench *bench = open_bench(3, SCHEDULER_GO_ENTER, 0);

    (void)state;
    fake_site_remove(&bench->sites[1]);
    start_well(bench);
    wait_for(bench, &bench->all.armed, 3);
    scheduler_post_go(bench->scheduler);
    wait_for(bench, &bench->all.held, 2);
    wait_for(bench, &bench->site[2].armed, 2); /* empty: stays armed */
    assert_int_equal(bench->all.cycles, 1);
    assert_int_equal(bench->all.taking_part, 3);
    assert_int_equal(bench->all.passed, 2);
    assert_int_equal(bench->all.verdicts, 3);
    assert_int_equal(atomic_load(&bench->lamps), 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(bench->records[i].cycle, 1);

    /* Boards that were not taken out are not done again; the empty site takes its first. */
    fake_site_insert(&bench->sites[1]);
    scheduler_post_go(bench->scheduler);
    wait_for(bench, &bench->all.messages, 2);
    assert_string_equal(bench->all.message, "site 3: take the board out first");
    wait_for(bench, &bench->all.held, 3);
    assert_int_equal(bench->all.taking_part, 4);

    /* Taken out, they arm; the next press takes the next boards. */
    for (int i = 0; i < 3; i++)
        fake_site_remove(&bench->sites[i]);
    wait_for(bench, &bench->all.armed, 7);
    for (int i = 0; i < 3; i++)
        fake_site_insert(&bench->sites[i]);
    scheduler_post_go(bench->scheduler);
    wait_for(bench, &bench->all.held, 6);
    assert_int_equal(bench->all.passed, 6);
    assert_int_equal(bench->records[6].cycle, 3);
    assert_int_equal(bench->records[6].previous_attempt, 0);
    scheduler_post_end(bench->scheduler);
    wait_finished(bench);
    assert_int_equal(scheduler_exit_status(bench->scheduler), 0);
    close_bench(bench);
}

static void test_enter_retest(void **state)
{
    struct bench *bench = open_bench(1, SCHEDULER_GO_ENTER, 0);

    (void)state;
    bench->options.retest = true;
    start_well(bench);
    wait_for(bench, &bench->all.armed, 1);
    scheduler_post_go(bench->scheduler);
    wait_for(bench, &bench->all.held, 1);
    scheduler_post_go(bench->scheduler);
    wait_for(bench, &bench->all.held, 2);
    assert_int_equal(bench->records[0].previous_attempt, 0);
    assert_string_equal(bench->records[0].purpose, "production");
    assert_int_equal(bench->records[1].previous_attempt, bench->records[0].attempt);
    assert_string_equal(bench->records[1].purpose, "retest");
    close_bench(bench);
}

/* The operator's input ends in mid-job: what was begun is finished. */
static void post_end(void *context)
{
    scheduler_post_end(((struct bench *)context)->scheduler);
}

static void test_end_finishes_work(void **state)
{
    struct bench *bench = open_bench(2, SCHEDULER_GO_ENTER, 0);
    struct fake_fault fault = {
        .call = FAKE_WRITE, .memory = PART_FLASH, .nth = 1, .hook = post_end, .context = bench};

    (void)state;
    fake_site_add_fault(&bench->sites[0], fault);
    start_well(bench);
    wait_for(bench, &bench->all.armed, 2);
    scheduler_post_go(bench->scheduler);
    wait_finished(bench);
    assert_int_equal(bench->all.passed, 2);
    assert_int_equal(scheduler_exit_status(bench->scheduler), 0);
    close_bench(bench);
}

/* Counts */

static int boards_touched(const struct bench *bench)
{
    int boards = 0;

    for (int i = 0; i < bench->record_count; i++)
        boards += bench->records[i].verdict != VERDICT_EMPTY;
    return boards;
}

static void check_quota(enum scheduler_go go)
{
    struct bench *bench = open_bench(8, go, 5);

    bench->swap_boards = true;
    start_well(bench);
    wait_finished(bench);
    /* Every board passes, so not one more than five may have been begun. */
    assert_int_equal(bench->all.passed, 5);
    assert_int_equal(boards_touched(bench), 5);
    assert_int_equal(scheduler_exit_status(bench->scheduler), 0);
    close_bench(bench);
}

static void test_quota_never_overshot(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        check_quota(SCHEDULER_GO_NOW);
        check_quota(SCHEDULER_GO_CONTACT);
    }
}

/* Boards that fail do not count, and others take their place. */
static void test_quota_with_failures(void **state)
{
    struct bench *bench = open_bench(4, SCHEDULER_GO_NOW, 9);
    struct station_counts counts;

    (void)state;
    bench->swap_boards = true;
    for (int i = 0; i < 4; i++)
        fake_site_add_fault(&bench->sites[i], (struct fake_fault){.call = FAKE_WRITE,
                                                                  .memory = PART_FLASH,
                                                                  .nth = 1,
                                                                  .code = FAILURE_BOARD_BUSY});
    start_well(bench);
    wait_finished(bench);
    scheduler_counts(bench->scheduler, &counts);
    assert_int_equal(counts.passed, 9);
    assert_int_equal(counts.lot_passed, 9);
    assert_int_equal(counts.failed, boards_touched(bench) - 9);
    assert_in_range(counts.failed, 1, 4);
    assert_int_equal(station_remaining(&counts), 0);
    assert_true(counts.boards_per_hour > 0);
    assert_int_equal(scheduler_exit_status(bench->scheduler), 1);
    close_bench(bench);
}

static void test_quota_with_enter(void **state)
{
    struct bench *bench = open_bench(3, SCHEDULER_GO_ENTER, 2);

    (void)state;
    start_well(bench);
    wait_for(bench, &bench->all.armed, 3);
    scheduler_post_go(bench->scheduler);
    wait_finished(bench);
    assert_int_equal(bench->all.taking_part, 2);
    assert_int_equal(bench->all.verdicts, 2);
    assert_int_equal(bench->all.passed, 2);
    close_bench(bench);
}

/* Contact */

static void test_held_board_is_not_redone(void **state)
{
    struct bench *bench = open_bench(1, SCHEDULER_GO_CONTACT, 0);

    (void)state;
    fake_site_remove(&bench->sites[0]);
    start_well(bench);
    wait_for_looks(bench, 1, 3);
    take_events(bench);
    assert_int_equal(bench->all.verdicts, 0); /* nothing there: not even an empty one */

    fake_site_insert(&bench->sites[0]);
    wait_for(bench, &bench->all.held, 1);
    wait_for_looks(bench, 1, 20);
    take_events(bench);
    assert_int_equal(bench->all.verdicts, 1);
    assert_int_equal(bench->state[1], SITE_HELD);

    fake_site_remove(&bench->sites[0]);
    wait_for(bench, &bench->all.armed, 2);
    fake_site_insert(&bench->sites[0]);
    wait_for(bench, &bench->all.held, 2);
    assert_int_equal(bench->all.passed, 2);
    assert_int_equal(bench->records[1].previous_attempt, 0);
    assert_int_equal(bench->records[1].cycle, 2);
    close_bench(bench);
}

/* A board must have answered, and have been gone, for as long as the jig says. */
static void test_contact_times(void **state)
{
    struct bench *bench = open_bench(1, SCHEDULER_GO_CONTACT, 0);
    int64_t began_us;

    (void)state;
    bench->jig.contact_present_us = 50000;
    bench->jig.contact_gone_us = 80000;
    bench->jig.contact_poll_us = 5000;
    began_us = operation_now_us();
    start_well(bench);
    wait_for(bench, &bench->all.held, 1);
    assert_true(operation_now_us() - began_us >= 50000);
    began_us = operation_now_us();
    fake_site_remove(&bench->sites[0]);
    wait_for(bench, &bench->all.armed, 2);
    assert_true(operation_now_us() - began_us >= 80000);
    close_bench(bench);
}

/* Every third look finds a board, and from the thirtieth on all do. Called with the site's mutex
 * held. */
static void bounce(void *context)
{
    struct fake_site *site = context;

    site->present = site->attaches >= 30 || site->attaches % 3 == 1;
}

/* A contact that comes and goes is not a board yet. */
static void test_contact_bounces(void **state)
{
    struct bench *bench = open_bench(1, SCHEDULER_GO_CONTACT, 0);

    (void)state;
    bench->jig.contact_present_us = 20000;
    fake_site_add_fault(
        &bench->sites[0],
        (struct fake_fault){.call = FAKE_ATTACH, .hook = bounce, .context = &bench->sites[0]});
    start_well(bench);
    wait_for(bench, &bench->all.held, 1);
    assert_int_equal(bench->all.passed, 1);
    assert_int_equal(bench->all.cycles, 1);
    assert_true(fake_site_attaches(&bench->sites[0]) > 30);
    close_bench(bench);
}

/* Boards that an earlier run left in */

static int64_t left_in_by_log(const struct bench *bench)
{
    struct failure failure = {0};
    int64_t attempt = -1;

    if (log_board_left_in(bench->station.log, "L1", "test-jig", 1, &attempt, &failure) != 0)
        fail_msg("%s", failure.detail);
    return attempt;
}

/* The log is told of a board that leaves, and of no other. */
static void test_board_out_is_logged(void **state)
{
    struct bench *bench = open_bench(1, SCHEDULER_GO_CONTACT, 0);

    (void)state;
    start_well(bench);
    wait_for(bench, &bench->all.held, 1);
    assert_int_equal(left_in_by_log(bench), bench->records[0].attempt);
    fake_site_remove(&bench->sites[0]);
    wait_for(bench, &bench->all.armed, 2);
    wait_for_looks(bench, 1, 1); /* by the worker that queued the event before */
    assert_int_equal(left_in_by_log(bench), 0);
    close_bench(bench);
}

static void check_left_in(enum scheduler_go go)
{
    struct bench *bench = open_bench(2, go, 0);
    const int64_t left_in[] = {7, 0};

    bench->options.left_in = left_in;
    start_well(bench);
    wait_for(bench, &bench->all.messages, 1);
    assert_string_equal(bench->all.message,
                        "site 1: take the board out first: attempt 7 of an earlier run left it "
                        "there");
    if (go == SCHEDULER_GO_ENTER)
        scheduler_post_go(bench->scheduler);
    wait_for(bench, &bench->site[2].held, 1);
    wait_for_looks(bench, 1, 5);
    take_events(bench);
    assert_int_equal(bench->site[1].verdicts, 0);
    assert_int_equal(bench->state[1], SITE_HELD);

    fake_site_remove(&bench->sites[0]);
    wait_for(bench, &bench->site[1].armed, 1);
    fake_site_insert(&bench->sites[0]);
    if (go == SCHEDULER_GO_ENTER)
        scheduler_post_go(bench->scheduler);
    wait_for(bench, &bench->site[1].passed, 1);
    for (int i = 0; i < bench->record_count; i++) {
        assert_int_equal(bench->records[i].previous_attempt, 0);
        assert_string_equal(bench->records[i].purpose, "production");
    }
    close_bench(bench);
}

static void test_left_in_waits(void **state)
{
    (void)state;
    check_left_in(SCHEDULER_GO_ENTER);
    check_left_in(SCHEDULER_GO_CONTACT);
    check_left_in(SCHEDULER_GO_NOW);
}

static void test_left_in_retest(void **state)
{
    struct bench *bench = open_bench(1, SCHEDULER_GO_NOW, 0);
    const int64_t left_in[] = {7};

    (void)state;
    bench->options.left_in = left_in;
    bench->options.retest = true;
    start_well(bench);
    wait_finished(bench);
    assert_int_equal(bench->all.passed, 1);
    assert_int_equal(bench->all.messages, 0);
    assert_int_equal(bench->records[0].previous_attempt, 7);
    assert_string_equal(bench->records[0].purpose, "retest");
    close_bench(bench);
}

/* Now */

static void test_now_once(void **state)
{
    struct bench *bench = open_bench(3, SCHEDULER_GO_NOW, 0);

    (void)state;
    fake_site_remove(&bench->sites[2]);
    start_well(bench);
    wait_finished(bench);
    assert_int_equal(bench->all.verdicts, 3);
    assert_int_equal(bench->all.passed, 2);
    assert_int_equal(bench->all.cycles, 1);
    assert_int_equal(scheduler_exit_status(bench->scheduler), 0);
    close_bench(bench);
}

static void test_now_retest_with_count(void **state)
{
    struct bench *bench = open_bench(1, SCHEDULER_GO_NOW, 3);

    (void)state;
    bench->options.lot = NULL;
    bench->options.retest = true;
    start_well(bench);
    wait_finished(bench);
    assert_int_equal(bench->all.passed, 3);
    assert_int_equal(bench->sites[0].boards, 1);
    for (int i = 1; i < 3; i++) {
        assert_int_equal(bench->records[i].previous_attempt, bench->records[i - 1].attempt);
        assert_string_equal(bench->records[i].purpose, "retest");
        assert_int_equal(bench->records[i].cycle, i + 1);
    }
    close_bench(bench);
}

static void check_lot(struct bench *bench, int64_t passed, int64_t lot_passed)
{
    struct station_counts counts;

    scheduler_counts(bench->scheduler, &counts);
    assert_int_equal(counts.passed, passed);
    assert_int_equal(counts.lot_passed, lot_passed);
}

/* One that passes again is no other board, and one that fails then does not count any more. */
static void test_a_lot_counts_boards(void **state)
{
    struct bench *bench = open_bench(1, SCHEDULER_GO_ENTER, 2);
    const struct fake_fault fault = {
        .call = FAKE_READ, .memory = PART_FLASH, .nth = 1, .flip = 0x01};

    (void)state;
    bench->options.retest = true;
    start_well(bench);
    wait_for(bench, &bench->all.armed, 1);
    for (int cycle = 1; cycle <= 4; cycle++) {
        const int passed[] = {1, 2, 2, 3}, lot_passed[] = {1, 1, 0, 1};

        if (cycle == 3)
            fake_site_add_fault(&bench->sites[0], fault);
        scheduler_post_go(bench->scheduler);
        wait_for(bench, &bench->all.held, cycle);
        check_lot(bench, passed[cycle - 1], lot_passed[cycle - 1]);
    }
    assert_false(scheduler_finished(bench->scheduler));
    fake_site_remove(&bench->sites[0]);
    wait_for(bench, &bench->all.armed, 2);
    fake_site_insert(&bench->sites[0]);
    scheduler_post_go(bench->scheduler);
    wait_finished(bench);
    check_lot(bench, 4, 2);
    close_bench(bench);
}

static void test_now_retest_in_a_lot(void **state)
{
    struct bench *bench = open_bench(1, SCHEDULER_GO_NOW, 2);

    (void)state;
    bench->options.retest = true;
    bench->swap_boards = true;
    start_well(bench);
    wait_finished(bench);
    assert_int_equal(bench->all.verdicts, 2);
    assert_int_equal(bench->records[1].previous_attempt, 0);
    check_lot(bench, 2, 2);
    close_bench(bench);
}

static void test_sites_wanted(void **state)
{
    struct bench *bench = open_bench(3, SCHEDULER_GO_NOW, 0);
    const bool wanted[] = {false, true, false};

    (void)state;
    bench->options.site_wanted = wanted;
    start_well(bench);
    wait_for(bench, &bench->all.stopped, 1);
    assert_true(scheduler_finished(bench->scheduler));
    assert_int_equal(bench->all.verdicts, 1);
    assert_int_equal(bench->records[0].site, 2);
    assert_string_equal(bench->records[0].lot, "L1");
    assert_string_equal(bench->records[0].jig, "test-jig");
    assert_string_equal(bench->records[0].operator_name, "tester");
    assert_int_equal(bench->sites[0].claims, 0);
    close_bench(bench);
}

/* Programmers */

static void test_place_trouble_stops_the_run(void **state)
{
    static const enum failure_code codes[] = {FAILURE_PLACE_MISSING, FAILURE_PLACE_BUSY,
                                              FAILURE_PLACE_DENIED, FAILURE_PLACE_TWICE};

    (void)state;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        struct bench *bench = open_bench(3, SCHEDULER_GO_NOW, 0);
        struct failure failure;

        fake_site_add_fault(&bench->sites[1],
                            (struct fake_fault){.call = FAKE_CLAIM, .code = codes[i]});
        assert_int_equal(start(bench, &failure), -1);
        assert_int_equal(failure.code, codes[i]);
        assert_memory_equal(failure.detail, "site 2: ", 8);
        wait_finished(bench);
        assert_int_equal(bench->all.verdicts, 0);
        for (int site = 0; site < 3; site++) {
            assert_int_equal(bench->sites[site].claims, 1); /* all claims were tried */
            assert_int_equal(bench->sites[site].attaches, 0);
        }
        close_bench(bench);
    }
}

static void test_silent_programmer_is_out(void **state)
{
    struct bench *bench = open_bench(3, SCHEDULER_GO_NOW, 0);

    (void)state;
    fake_site_add_fault(&bench->sites[1],
                        (struct fake_fault){.call = FAKE_CLAIM, .code = FAILURE_PROGRAMMER_SILENT});
    start_well(bench);
    wait_finished(bench);
    assert_int_equal(bench->all.passed, 2);
    assert_int_equal(bench->all.out, 1);
    assert_int_equal(bench->site[2].out, 1);
    assert_int_equal(bench->all.failure.code, FAILURE_PROGRAMMER_SILENT);
    assert_int_equal(scheduler_exit_status(bench->scheduler), 4);
    close_bench(bench);
}

/* A late answer in the midst of a claim: it is made again, and nobody hears of it. */
static void test_late_programmer_is_claimed_again(void **state)
{
    static const enum failure_code codes[] = {FAILURE_PROGRAMMER_SILENT,
                                              FAILURE_PROGRAMMER_OUT_OF_STEP,
                                              FAILURE_PROGRAMMER_STALLED, FAILURE_PROGRAMMER_GONE};

    (void)state;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        struct bench *bench = open_bench(1, SCHEDULER_GO_NOW, 0);

        fake_site_add_fault(&bench->sites[0],
                            (struct fake_fault){.call = FAKE_CLAIM, .nth = 1, .code = codes[i]});
        start_well(bench);
        wait_finished(bench);
        assert_int_equal(bench->all.passed, 1);
        assert_int_equal(bench->all.out, 0);
        assert_int_equal(bench->sites[0].claims, 2);
        close_bench(bench);
    }
}

/* It leaves its bus in mid-claim: its place is not there before it is back, and it is not open to
 * everybody at once. */
static void test_programmer_that_left_is_claimed_again(void **state)
{
    static const enum failure_code codes[] = {FAILURE_PROGRAMMER_GONE, FAILURE_PLACE_MISSING,
                                              FAILURE_PLACE_MISSING, FAILURE_PLACE_DENIED};
    struct bench *bench = open_bench(1, SCHEDULER_GO_NOW, 0);

    (void)state;
    for (int i = 0; i < 4; i++)
        fake_site_add_fault(
            &bench->sites[0],
            (struct fake_fault){.call = FAKE_CLAIM, .nth = i + 1, .code = codes[i]});
    start_well(bench);
    wait_finished(bench);
    assert_int_equal(bench->all.passed, 1);
    assert_int_equal(bench->all.out, 0);
    assert_int_equal(bench->sites[0].claims, 5);
    close_bench(bench);
}

/* The jig file is right, so the others go on. */
static void test_programmer_that_left_for_good_is_out(void **state)
{
    struct bench *bench = open_bench(2, SCHEDULER_GO_NOW, 0);

    (void)state;
    fake_site_add_fault(
        &bench->sites[1],
        (struct fake_fault){.call = FAKE_CLAIM, .nth = 1, .code = FAILURE_PROGRAMMER_GONE});
    fake_site_add_fault(&bench->sites[1], (struct fake_fault){.call = FAKE_CLAIM,
                                                              .nth = 2,
                                                              .onward = true,
                                                              .code = FAILURE_PLACE_MISSING});
    start_well(bench);
    wait_finished(bench);
    assert_int_equal(bench->all.passed, 1);
    assert_int_equal(bench->site[2].out, 1);
    assert_int_equal(bench->all.failure.code, FAILURE_PROGRAMMER_GONE);
    assert_non_null(strstr(bench->all.failure.detail, ", and it had been there before"));
    close_bench(bench);
}

/* One that is not what the jig file says is not asked twice. */
static void test_unknown_programmer_is_asked_once(void **state)
{
    struct bench *bench = open_bench(1, SCHEDULER_GO_NOW, 0);

    (void)state;
    fake_site_add_fault(
        &bench->sites[0],
        (struct fake_fault){.call = FAKE_CLAIM, .nth = 1, .code = FAILURE_PROGRAMMER_UNKNOWN});
    start_well(bench);
    wait_finished(bench);
    assert_int_equal(bench->all.out, 1);
    assert_int_equal(bench->sites[0].claims, 1);
    close_bench(bench);
}

/* A programmer that fails once is claimed again and goes on with the next board. */
static void test_programmer_recovers(void **state)
{
    struct bench *bench = open_bench(1, SCHEDULER_GO_NOW, 2);

    (void)state;
    bench->swap_boards = true;
    fake_site_add_fault(&bench->sites[0], (struct fake_fault){.call = FAKE_WRITE,
                                                              .memory = PART_FLASH,
                                                              .nth = 1,
                                                              .code = FAILURE_PROGRAMMER_SILENT});
    start_well(bench);
    wait_finished(bench);
    assert_int_equal(bench->records[0].verdict, VERDICT_FAIL);
    assert_int_equal(bench->records[0].failure, FAILURE_PROGRAMMER_SILENT);
    assert_int_equal(bench->all.passed, 2);
    assert_int_equal(bench->sites[0].claims, 2);
    assert_int_equal(bench->all.out, 0);
    assert_int_equal(scheduler_exit_status(bench->scheduler), 1);
    close_bench(bench);
}

/* What the lost programmer waits for is known to each claim until one succeeds. */
static void test_owed_value_is_handed_on(void **state)
{
    struct bench *bench = open_bench(1, SCHEDULER_GO_NOW, 2);
    struct fake_site *site = &bench->sites[0];

    (void)state;
    bench->swap_boards = true;
    site->owes = 0x5E;
    fake_site_add_fault(site, (struct fake_fault){.call = FAKE_WRITE,
                                                  .memory = PART_FLASH,
                                                  .nth = 1,
                                                  .code = FAILURE_PROGRAMMER_SILENT});
    fake_site_add_fault(
        site, (struct fake_fault){.call = FAKE_CLAIM, .nth = 2, .code = FAILURE_PROGRAMMER_SILENT});
    start_well(bench);
    wait_finished(bench);
    assert_int_equal(bench->all.passed, 2);
    assert_int_equal(site->claims, 3);
    assert_int_equal(site->claims_owing, 2);
    close_bench(bench);
}

/* The log has so many events of a kind whose detail fits the pattern; it may be writing them yet.
 */
static void check_logged(const struct bench *bench, const char *kind, const char *like,
                         int64_t wanted)
{
    int64_t until_us = operation_now_us() + PATIENCE_US;
    struct database *reader;
    struct failure failure = {0};
    int64_t count = 0;
    char sql[256];

    snprintf(sql, sizeof sql, "SELECT count(*) FROM events WHERE kind = '%s' AND detail LIKE '%s'",
             kind, like);
    assert_int_equal(database_open(bench->station.log_path, DATABASE_READ, &reader, &failure), 0);
    while (database_query_integer(reader, sql, &count, &failure) == 0 && count < wanted) {
        assert_true(operation_now_us() < until_us);
        poll(NULL, 0, 5);
    }
    database_close(reader);
    assert_int_equal(count, wanted);
}

static void add_lost_programmer(struct bench *bench, enum failure_code code)
{
    fake_site_add_fault(
        &bench->sites[0],
        (struct fake_fault){.call = FAKE_WRITE, .memory = PART_FLASH, .nth = 1, .code = code});
}

static void add_absence(struct bench *bench, enum failure_code code)
{
    fake_site_add_fault(
        &bench->sites[0],
        (struct fake_fault){.call = FAKE_CLAIM, .nth = 2, .onward = true, .code = code});
}

static void wait_for_leave(void *context)
{
    while (!atomic_load(&((struct bench *)context)->go_on))
        poll(NULL, 0, 1);
}

/* Away for three tries, then back: the site shows that it waits, and goes on. */
static void test_programmer_comes_back(void **state)
{
    struct bench *bench = open_bench(2, SCHEDULER_GO_NOW, 6);

    (void)state;
    bench->swap_boards = true;
    bench->options.absence_us = PATIENCE_US;
    add_lost_programmer(bench, FAILURE_PROGRAMMER_GONE);
    for (int nth = 2; nth <= 4; nth++)
        fake_site_add_fault(
            &bench->sites[0],
            (struct fake_fault){.call = FAKE_CLAIM, .nth = nth, .code = FAILURE_PLACE_MISSING});
    /* The count is not reached before the site is back. */
    fake_site_add_fault(&bench->sites[1], (struct fake_fault){.call = FAKE_ATTACH,
                                                              .nth = 6,
                                                              .hook = wait_for_leave,
                                                              .context = bench});
    start_well(bench);
    wait_for(bench, &bench->site[1].waiting, 1);
    assert_int_equal(bench->site[1].failure.code, FAILURE_PROGRAMMER_GONE);
    wait_for(bench, &bench->site[1].passed, 2);
    atomic_store(&bench->go_on, true);
    wait_finished(bench);
    assert_int_equal(bench->all.passed, 6);
    assert_int_equal(bench->all.out, 0);
    assert_int_equal(bench->sites[0].claims, 5);
    assert_int_equal(bench->site[1].waiting, 1);
    check_logged(bench, "programmer-lost", "site 1: programmer-gone: %", 1);
    check_logged(bench, "programmer-back", "site 1: fake 1.0, after %", 1);
    check_logged(bench, "programmer-back", "%it was%", 0);
    assert_int_equal(scheduler_exit_status(bench->scheduler), 1);
    close_bench(bench);
}

/* Gone for good: its board fails, the site is out after its time, the others go on meanwhile. */
static void check_gone(enum failure_code claims_fail, enum failure_code out)
{
    struct bench *bench = open_bench(2, SCHEDULER_GO_CONTACT, 0);

    bench->swap_boards = true;
    bench->options.absence_us = 400000;
    add_lost_programmer(bench, FAILURE_PROGRAMMER_GONE);
    add_absence(bench, claims_fail);
    start_well(bench);
    wait_for(bench, &bench->site[1].waiting, 1);
    wait_for(bench, &bench->site[2].passed, bench->site[2].passed + 2);
    wait_for(bench, &bench->site[1].out, 1);
    scheduler_post_end(bench->scheduler);
    wait_finished(bench);
    assert_int_equal(bench->site[1].failure.code, out);
    assert_non_null(strstr(bench->site[1].failure.detail, "; not back within 1 s: "));
    assert_int_equal(bench->site[1].verdicts, 1);
    assert_in_range(bench->sites[0].claims, 3, 5); /* at once, and ever more seldom */
    check_logged(bench, "site-out", "site 1: %", 1);
    check_logged(bench, "programmer-back", "%", 0);
    assert_int_equal(scheduler_exit_status(bench->scheduler), 4);
    close_bench(bench);
}

static void test_programmer_gone(void **state)
{
    (void)state;
    check_gone(FAILURE_PLACE_MISSING, FAILURE_PROGRAMMER_GONE);
    check_gone(FAILURE_PROGRAMMER_UNKNOWN, FAILURE_PROGRAMMER_UNKNOWN);
    check_gone(FAILURE_PLACE_BUSY, FAILURE_PLACE_BUSY);
}

/* A run does not wait for a programmer that nobody needs any more, neither between two tries to
 * claim it nor within one. */
static void check_wait_ends(bool within_claim, void (*end)(struct scheduler *scheduler), int status)
{
    struct bench *bench = open_bench(1, SCHEDULER_GO_CONTACT, 0);
    struct fake_fault away = {
        .call = FAKE_CLAIM, .nth = 3, .waits = within_claim, .code = FAILURE_PLACE_MISSING};

    bench->options.absence_us = INT32_MAX;
    add_lost_programmer(bench, FAILURE_PROGRAMMER_SILENT);
    away.onward = true;
    if (within_claim)
        away.code = FAILURE_NONE;
    fake_site_add_fault(&bench->sites[0], away);
    away.nth = 2;
    away.onward = away.waits = false;
    away.code = FAILURE_PLACE_MISSING;
    fake_site_add_fault(&bench->sites[0], away);
    start_well(bench);
    wait_for(bench, &bench->all.waiting, 1);
    end(bench->scheduler);
    wait_finished(bench);
    assert_int_equal(bench->all.out, 0);
    assert_int_equal(bench->all.stopped, 1);
    assert_int_equal(scheduler_exit_status(bench->scheduler), status);
    close_bench(bench);
}

static void test_wait_ends_with_the_run(void **state)
{
    (void)state;
    check_wait_ends(false, scheduler_post_end, 1);
    check_wait_ends(true, scheduler_post_end, 1);
    check_wait_ends(false, scheduler_post_stop, 130);
    check_wait_ends(true, scheduler_post_stop, 130);
}

/* What a repair may bring, and what it may not. */
static void fit_other_kind(void *context)
{
    ((struct fake_site *)context)->firmware = "other 1.0";
}

static void fit_other_version(void *context)
{
    ((struct fake_site *)context)->firmware = "fake 2.0";
}

static void add_repair(struct bench *bench, void (*repair)(void *site))
{
    fake_site_add_fault(&bench->sites[0], (struct fake_fault){.call = FAKE_CLAIM,
                                                              .nth = 2,
                                                              .hook = repair,
                                                              .context = &bench->sites[0]});
}

static void test_other_firmware_is_not_taken(void **state)
{
    struct bench *bench = open_bench(1, SCHEDULER_GO_NOW, 2);

    (void)state;
    bench->swap_boards = true;
    bench->options.absence_us = 200000;
    add_lost_programmer(bench, FAILURE_PROGRAMMER_SILENT);
    add_repair(bench, fit_other_kind);
    start_well(bench);
    wait_finished(bench);
    assert_int_equal(bench->all.verdicts, 1);
    assert_int_equal(bench->all.failure.code, FAILURE_PROGRAMMER_UNKNOWN);
    assert_non_null(strstr(bench->all.failure.detail, "other 1.0 answers where fake 1.0 was"));
    assert_int_equal(scheduler_exit_status(bench->scheduler), 4);
    close_bench(bench);
}

static void test_other_version_is_noted(void **state)
{
    struct bench *bench = open_bench(1, SCHEDULER_GO_NOW, 2);

    (void)state;
    bench->swap_boards = true;
    add_lost_programmer(bench, FAILURE_PROGRAMMER_SILENT);
    add_repair(bench, fit_other_version);
    start_well(bench);
    wait_finished(bench);
    assert_int_equal(bench->all.passed, 2);
    assert_string_equal(bench->records[0].programmer_firmware, "fake 1.0");
    assert_string_equal(bench->records[1].programmer_firmware, "fake 2.0");
    check_logged(bench, "programmer-back", "site 1: fake 2.0, after % s; it was fake 1.0", 1);
    close_bench(bench);
}

/* One that is claimed again every time but never works does not go on for ever. */
static void test_programmer_never_works(void **state)
{
    struct bench *bench = open_bench(1, SCHEDULER_GO_CONTACT, 0);

    (void)state;
    fake_site_add_fault(
        &bench->sites[0],
        (struct fake_fault){
            .call = FAKE_ATTACH, .nth = 1, .onward = true, .code = FAILURE_PROGRAMMER_OUT_OF_STEP});
    start_well(bench);
    wait_finished(bench);
    assert_int_equal(bench->all.out, 1);
    assert_int_equal(bench->sites[0].claims, SCHEDULER_PROGRAMMER_FAILURES_MAX);
    assert_int_equal(bench->all.verdicts, 0);
    close_bench(bench);
}

/* Nor does one that looks well and fails on every board; boards that pass in between count it anew.
 */
static void test_programmer_fails_on_boards(void **state)
{
    struct bench *bench = open_bench(1, SCHEDULER_GO_NOW, 100);
    static const int erases[] = {1, 2, 4}; /* a board is erased once */

    (void)state;
    bench->swap_boards = true;
    for (size_t i = 0; i < sizeof erases / sizeof erases[0]; i++)
        fake_site_add_fault(&bench->sites[0],
                            (struct fake_fault){.call = FAKE_ERASE,
                                                .nth = erases[i],
                                                .onward = erases[i] == 4,
                                                .code = FAILURE_PROGRAMMER_OUT_OF_STEP});
    start_well(bench);
    wait_finished(bench);
    /* two fail, one passes, three fail */
    assert_int_equal(bench->all.verdicts, 3 + SCHEDULER_PROGRAMMER_FAILURES_MAX);
    assert_int_equal(bench->all.passed, 1);
    assert_int_equal(bench->all.out, 1);
    assert_int_equal(bench->all.waiting, 0);
    assert_int_equal(bench->all.failure.code, FAILURE_PROGRAMMER_OUT_OF_STEP);
    assert_memory_equal(bench->all.failure.detail, "failed on boards 3 times in a row", 33);
    assert_int_equal(scheduler_exit_status(bench->scheduler), 4);
    close_bench(bench);
}

/* Claims that do not end by themselves are cancelled, and no GO is taken before they have ended. */
static void test_stop_while_claiming(void **state)
{
    struct bench *bench = open_bench(2, SCHEDULER_GO_ENTER, 0);
    struct failure failure = {0};

    (void)state;
    fake_site_add_fault(&bench->sites[1], (struct fake_fault){.call = FAKE_CLAIM, .waits = true});
    assert_int_equal(scheduler_create(&bench->options, &bench->scheduler, &failure), 0);
    assert_int_equal(scheduler_start(bench->scheduler, &failure), 0);
    while (fake_site_claims(&bench->sites[0]) + fake_site_claims(&bench->sites[1]) < 2)
        poll(NULL, 0, 1);
    scheduler_post_go(bench->scheduler);
    wait_for(bench, &bench->all.messages, 1);
    assert_string_equal(bench->all.message, "programmers are still being opened");
    scheduler_post_stop(bench->scheduler);
    wait_finished(bench);
    assert_int_equal(bench->all.verdicts, 0);
    assert_int_equal(bench->all.out, 0);
    assert_int_equal(bench->all.stopped, 2);
    assert_int_equal(scheduler_refused(bench->scheduler, &failure), 0);
    assert_int_equal(scheduler_exit_status(bench->scheduler), 130);
    close_bench(bench);
}

/* Ends */

/* Returns when the stop has come to all sites: the test saw another one end. */
static void stop_and_wait(void *context)
{
    struct bench *bench = context;

    scheduler_post_stop(bench->scheduler);
    while (!atomic_load(&bench->go_on))
        poll(NULL, 0, 1);
}

static void test_stop_in_mid_job(void **state)
{
    struct bench *bench = open_bench(3, SCHEDULER_GO_CONTACT, 0);

    (void)state;
    fake_site_remove(&bench->sites[1]);
    fake_site_add_fault(&bench->sites[0], (struct fake_fault){.call = FAKE_WRITE,
                                                              .memory = PART_FLASH,
                                                              .nth = 1,
                                                              .hook = stop_and_wait,
                                                              .context = bench});
    start_well(bench);
    wait_for(bench, &bench->site[2].stopped, 1);
    atomic_store(&bench->go_on, true);
    wait_finished(bench);
    assert_int_equal(bench->all.stopped, 3);
    assert_int_equal(bench->site[1].verdicts, 1);
    for (int i = 0; i < bench->record_count; i++)
        if (bench->records[i].site == 1)
            assert_int_equal(bench->records[i].verdict, VERDICT_INTERRUPTED);
    assert_int_equal(bench->site[2].verdicts, 0);
    assert_int_equal(scheduler_exit_status(bench->scheduler), 130);
    close_bench(bench);
}

/* The disk is full while eight sites work: nobody passes any more, nothing is published, and no
 * board is begun. */
static void test_log_fault(void **state)
{
    struct bench *bench = open_bench(4, SCHEDULER_GO_NOW, 1000);
    int touched = 0;

    (void)state;
    bench->swap_boards = true;
    fake_site_add_fault(&bench->sites[0], (struct fake_fault){.call = FAKE_READ,
                                                              .memory = PART_FLASH,
                                                              .nth = 5,
                                                              .hook = fake_disk_fill});
    start_well(bench);
    wait_finished(bench);
    fake_disk_free();
    assert_int_equal(scheduler_exit_status(bench->scheduler), 5);
    assert_true(bench->all.unknown >= 1);
    assert_int_equal(bench->all.verdicts, atomic_load(&bench->station.published));
    assert_int_equal(bench->all.verdicts, atomic_load(&bench->lamps));
    for (int i = 0; i < 4; i++)
        touched += bench->sites[i].board.touched != TOUCHED_NONE;
    assert_true(touched <= bench->all.unknown + 4);
    end_sites(bench);
    fake_station_abandon(&bench->station);
    free(bench);
}

static void test_plan_refused_at_creation(void **state)
{
    struct bench *bench = open_bench(2, SCHEDULER_GO_NOW, 0);
    struct failure failure;

    (void)state;
    bench->jig_sites[1].supply_mv = 3300;
    assert_int_equal(start(bench, &failure), -1);
    assert_int_equal(failure.code, FAILURE_PLAN_REFUSED);
    assert_memory_equal(failure.detail, "site 2: ", 8);
    assert_null(bench->scheduler);
    assert_int_equal(bench->sites[0].claims, 0);
    close_bench(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_enter),
        cmocka_unit_test(test_enter_retest),
        cmocka_unit_test(test_end_finishes_work),
        cmocka_unit_test(test_quota_never_overshot),
        cmocka_unit_test(test_quota_with_failures),
        cmocka_unit_test(test_quota_with_enter),
        cmocka_unit_test(test_held_board_is_not_redone),
        cmocka_unit_test(test_contact_times),
        cmocka_unit_test(test_contact_bounces),
        cmocka_unit_test(test_board_out_is_logged),
        cmocka_unit_test(test_left_in_waits),
        cmocka_unit_test(test_left_in_retest),
        cmocka_unit_test(test_now_once),
        cmocka_unit_test(test_now_retest_with_count),
        cmocka_unit_test(test_a_lot_counts_boards),
        cmocka_unit_test(test_now_retest_in_a_lot),
        cmocka_unit_test(test_sites_wanted),
        cmocka_unit_test(test_place_trouble_stops_the_run),
        cmocka_unit_test(test_silent_programmer_is_out),
        cmocka_unit_test(test_late_programmer_is_claimed_again),
        cmocka_unit_test(test_programmer_that_left_is_claimed_again),
        cmocka_unit_test(test_programmer_that_left_for_good_is_out),
        cmocka_unit_test(test_unknown_programmer_is_asked_once),
        cmocka_unit_test(test_programmer_recovers),
        cmocka_unit_test(test_owed_value_is_handed_on),
        cmocka_unit_test(test_programmer_comes_back),
        cmocka_unit_test(test_programmer_gone),
        cmocka_unit_test(test_wait_ends_with_the_run),
        cmocka_unit_test(test_other_firmware_is_not_taken),
        cmocka_unit_test(test_other_version_is_noted),
        cmocka_unit_test(test_programmer_never_works),
        cmocka_unit_test(test_programmer_fails_on_boards),
        cmocka_unit_test(test_stop_while_claiming),
        cmocka_unit_test(test_stop_in_mid_job),
        cmocka_unit_test(test_log_fault),
        cmocka_unit_test(test_plan_refused_at_creation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
