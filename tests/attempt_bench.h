/* Attempts on one site of the fake bench, for tests of what they do. */
#ifndef TESTS_ATTEMPT_BENCH_H
#define TESTS_ATTEMPT_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "profiles/fuse_gate.h"
#include "station/attempt.h"
#include "tests/fake_bench.h"

#define LOW PART_FUSE_LOW
#define HIGH PART_FUSE_HIGH
#define EXTENDED PART_FUSE_EXTENDED

struct bench {
    struct fake_station station;
    struct fake_site site;
    struct jig_site jig_site;
    struct plan plan;
    struct programmer *programmer;
    atomic_bool cancel;
    int runs;
    int64_t previous_attempt; /* on the same board; 0: none */
    bool unwatched;           /* another board may have been put in since */
    struct record_attempt record;
    int status;
    struct failure failure;
};

static inline void make_plan(struct bench *bench)
{
    struct failure failure = {0};

    if (plan_make(bench->station.profile, &bench->jig_site, &bench->plan, &failure) != 0)
        fail_msg("%s", failure.detail);
}

/* `changes`: lines of the profile, see fake_station_open(). */
static inline void open_bench_with(struct bench *bench, const char *programmer, const char *changes)
{
    struct programmer_settings settings = {.baud = 0};
    struct failure failure = {0};

    memset(bench, 0, sizeof *bench);
    fake_station_open(&bench->station, changes);
    fake_site_open(&bench->site, bench->station.profile->part);
    bench->jig_site.site = 7;
    snprintf(bench->jig_site.programmer, sizeof bench->jig_site.programmer, "%s", programmer);
    fake_site_place(&bench->site, &bench->jig_site.place);
    make_plan(bench);
    bench->programmer = programmer_create(bench->plan.driver);
    settings.place = bench->jig_site.place;
    assert_int_equal(programmer_claim(bench->programmer, &settings, NULL, &failure), 0);
}

static inline void open_bench(struct bench *bench, const char *changes)
{
    open_bench_with(bench, "fake", changes);
}

/* The next attempts are made with another profile, and without faults. */
static inline void change_profile(struct bench *bench, const char *changes)
{
    fake_station_load(&bench->station, changes);
    bench->site.part = bench->station.profile->part;
    bench->site.fault_count = 0;
    make_plan(bench);
}

static inline void end_bench(struct bench *bench)
{
    programmer_destroy(bench->programmer);
    fake_site_close(&bench->site);
}

static inline void close_bench(struct bench *bench)
{
    end_bench(bench);
    fake_station_close(&bench->station);
}

static inline void run(struct bench *bench)
{
    struct attempt_options options = {.plan = &bench->plan,
                                      .programmer = bench->programmer,
                                      .log = bench->station.log,
                                      .events = bench->station.events,
                                      .cancel = &bench->cancel,
                                      .watched = !bench->unwatched};

    options.record.site = 7;
    options.record.cycle = 3;
    options.record.previous_attempt = bench->previous_attempt;
    record_set_text(options.record.purpose, sizeof options.record.purpose, "production");
    record_set_text(options.record.programmer, sizeof options.record.programmer, "fake");
    bench->runs++;
    bench->site.board.touched = TOUCHED_NONE;
    bench->status = attempt_run(&options, &bench->record, &bench->failure);
}

/* What must hold whatever happened. */
static inline void check_always(const struct bench *bench)
{
    const struct record_attempt *record = &bench->record;
    const struct fake_board *board = &bench->site.board;

    assert_int_equal(bench->status, 0);
    assert_int_equal(atomic_load(&bench->station.published), bench->runs);
    assert_true(record->attempt > 0);
    assert_false(bench->site.attached);
    assert_int_equal(bench->site.attaches, bench->site.releases);
    assert_true(record->touched >= board->touched);
    if (record->verdict == VERDICT_REFUSED || record->verdict == VERDICT_EMPTY)
        assert_int_equal(record->touched, TOUCHED_NONE);
    assert_int_equal(record->failure == FAILURE_NONE, record->verdict == VERDICT_PASS);
    assert_true(record->ended_at_us >= record->started_at_us);
}

/* Does the board hold what the profile says? */
static inline void check_board(const struct bench *bench)
{
    const struct profile *profile = bench->station.profile;
    const struct fake_board *board = &bench->site.board;

    for (uint32_t at = 0; at < profile->flash->size; at++)
        if (profile->flash->present[at] != 0)
            assert_int_equal(board->flash[at], profile->flash->data[at]);
    for (enum part_memory memory = PART_FIRST_FUSE; memory <= PART_LOCK; memory++) {
        const struct profile_byte_rule *rule = profile_rule(profile, memory);
        uint8_t value;

        if (rule != NULL && !rule->leave)
            assert_int_not_equal(
                fuse_gate_decide(profile, memory, board->bytes[memory - PART_FIRST_FUSE], &value),
                FUSE_DECISION_WRITTEN);
    }
}

static inline const struct record_fuse *fuse_of(const struct bench *bench, const char *name)
{
    for (int i = 0; i < bench->record.fuse_count; i++)
        if (strcmp(bench->record.fuses[i].fuse, name) == 0)
            return &bench->record.fuses[i];
    fail_msg("no fuse %s in the record", name);
    return NULL;
}

static inline void check_fuse(const struct bench *bench, const char *name, int found, int asked,
                              enum fuse_decision decision, int read_back)
{
    const struct record_fuse *fuse = fuse_of(bench, name);

    assert_int_equal(fuse->found, found);
    assert_int_equal(fuse->asked, asked);
    assert_string_equal(fuse_decision_name(fuse->decision), fuse_decision_name(decision));
    assert_int_equal(fuse->read_back, read_back);
}

#endif
