#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/log_sample.h"

static struct log *open_log(const struct log_options *options)
{
    struct log *log = NULL;
    struct failure failure = {0};
    int recovered = -1;
    if (log_open(options, &log, &recovered, &failure) < 0) {
        fail_msg("%s", failure.detail);
    }
    return log;
}

static struct log *open_plain(const struct sample *sample)
{
    struct log_options options = sample_options(sample->path);
    return open_log(&options);
}

static void close_log(struct log *log)
{
    struct failure failure = {0};
    if (log_close(log, &failure) < 0) {
        fail_msg("%s", failure.detail);
    }
}

static void expect_chain(const struct sample *sample)
{
    struct failure failure = {0};
    if (sample_verify(sample->path, &failure) < 0) {
        fail_msg("%s", failure.detail);
    }
}

/* --- rows --- */

static void test_an_attempt_reaches_the_views(void **state)
{
    const struct sample *sample = *state;
    struct log *log = open_plain(sample);
    struct record_attempt record = sample_record("L1", 3);
    struct record_step step = {"erase", 1709294400000001, 9500, 0, FAILURE_NONE};

    record.started_at_us = 1709294400000001;
    assert_int_equal(log_open_attempt(log, &record, NULL), 0);
    assert_int_equal(record.attempt, 1);
    assert_string_equal(sample_query(sample->path, "SELECT verdict FROM attempts"), "(null)");
    assert_string_equal(sample_query(sample->path, "SELECT group_concat(fuse || found || ':' || "
                                                   "asked || decision) FROM "
                                                   "(SELECT * FROM fuse_writes ORDER BY found)"),
                        "low98:94unknown,high217:217unknown,lock255:207unknown");
    assert_int_equal(log_add_step(log, record.attempt, &step, NULL), 0);
    sample_pass(&record);
    assert_int_equal(log_close_attempt(log, &record, NULL, 0, NULL), 0);
    close_log(log);

    assert_string_equal(
        sample_query(sample->path,
                     "SELECT printf('%s|%d|%s|%d|%d|%s|%s|%s|%s|%s|%s|%d|%s|%s', station, attempt,"
                     " lot, cycle, site, operator, started_at, ended_at, verdict, failure IS NULL,"
                     " touched, tries, software, sck_hz IS NULL) FROM attempts"),
        "bench-2|1|L1|7|3|J\xC3\xBCrgen|2024-03-01T12:00:00.000001Z|2024-03-01T12:00:00.000001Z|"
        "pass|1|locked|1|gangflash 0.1.0|1");
    assert_string_equal(sample_query(sample->path, "SELECT group_concat(fuse || decision || "
                                                   "ifnull(read_back, '-')) FROM "
                                                   "(SELECT * FROM fuse_writes ORDER BY found)"),
                        "lowwritten94,highalready-,lockwritten207");
    assert_string_equal(
        sample_query(sample->path,
                     "SELECT step || started_at || duration_us || bytes || ifnull(failure, '-') "
                     "FROM steps"),
        "erase2024-03-01T12:00:00.000001Z95000-");
    assert_string_equal(sample_query(sample->path, "SELECT group_concat(kind) FROM events"),
                        "log-opened,log-closed");
    expect_chain(sample);
}

/* Auditors' programs name these columns. */
static void test_the_views_have_their_columns(void **state)
{
    const struct sample *sample = *state;
    static const char *const views[][2] = {
        {"attempts",
         "station,attempt,lot,cycle,site,programmer,programmer_firmware,profile,article,revision,"
         "profile_sha256,image_sha256,part,part_sha256,expected_signature,signature,operator,"
         "purpose,started_at,ended_at,verdict,failure,detail,touched,tries,verification,"
         "readback_sha256,sck_hz,software,jig,jig_sha256,previous_attempt"},
        {"fuse_writes", "station,attempt,fuse,found,asked,decision,read_back"},
        {"steps", "station,attempt,step,started_at,duration_us,bytes,failure"},
        {"events", "station,event,at,kind,detail"},
    };
    close_log(open_plain(sample));
    for (size_t i = 0; i < sizeof views / sizeof views[0]; i++) {
        char sql[128];
        (void)snprintf(sql, sizeof sql, "SELECT group_concat(name) FROM pragma_table_info('%s')",
                       views[i][0]);
        assert_string_equal(sample_query(sample->path, sql), views[i][1]);
    }
    assert_string_equal(sample_query(sample->path, "PRAGMA journal_mode"), "wal");
    assert_string_equal(sample_query(sample->path, "PRAGMA application_id"), "1195789383");
    assert_string_equal(sample_query(sample->path, "PRAGMA user_version"), "1");
}

static void test_a_failed_attempt_names_its_failure(void **state)
{
    const struct sample *sample = *state;
    struct log *log = open_plain(sample);
    struct record_attempt record = sample_record("", 1);
    struct record_step steps[2] = {sample_step("attach"), sample_step("identify")};

    record.verdict = VERDICT_REFUSED;
    record.failure = FAILURE_SIGNATURE_MISMATCH;
    record.ended_at_us = sample_now_us();
    record.fuse_count = 0;
    steps[1].failure = FAILURE_SIGNATURE_MISMATCH;
    /* never opened: nothing was to be changed */
    assert_int_equal(log_close_attempt(log, &record, steps, 2, NULL), 0);
    assert_int_equal(record.attempt, 1);
    close_log(log);
    assert_string_equal(sample_query(sample->path, "SELECT failure || verdict || touched || "
                                                   "(lot IS NULL) FROM attempts"),
                        "signature-mismatchrefusednone1");
    assert_string_equal(sample_query(sample->path, "SELECT group_concat(step || "
                                                   "ifnull(failure, '')) FROM steps"),
                        "attach,identifysignature-mismatch");
}

static void test_wrong_calls_do_not_harm_the_log(void **state)
{
    const struct sample *sample = *state;
    struct log *log = open_plain(sample);
    struct failure failure = {0};
    struct record_attempt record = sample_record("", 1);
    int64_t bound, passed;

    assert_int_equal(log_open_attempt(log, &record, NULL), 0);
    assert_int_equal(log_open_attempt(log, &record, &failure), -1);
    assert_int_equal(failure.code, FAILURE_INTERNAL);
    assert_int_equal(log_close_attempt(log, &record, NULL, 0, &failure), -1); /* no verdict */
    assert_int_equal(failure.code, FAILURE_INTERNAL);
    assert_int_equal(log_bind_lot(log, "", "x", "y", 0, &bound, &passed, &failure), -1);
    assert_int_equal(failure.code, FAILURE_USAGE);
    sample_pass(&record);
    assert_int_equal(log_close_attempt(log, &record, NULL, 0, &failure), 0);
    close_log(log);
    expect_chain(sample);
}

/* --- publishing --- */

struct witness {
    const char *path;
    int published;
    int seen_in_file;
};

static void look_into_file(void *context, const struct record_attempt *record)
{
    struct witness *witness = context;
    char sql[128];
    (void)snprintf(sql, sizeof sql, "SELECT verdict FROM attempts WHERE attempt = %lld",
                   (long long)record->attempt);
    witness->published++;
    witness->seen_in_file += strcmp(sample_query(witness->path, sql), "pass") == 0;
}

static void test_a_verdict_is_published_after_its_commit(void **state)
{
    const struct sample *sample = *state;
    struct witness witness = {sample->path, 0, 0};
    struct log_options options = sample_options(sample->path);
    options.publish = look_into_file;
    options.context = &witness;
    struct log *log = open_log(&options);
    for (int i = 1; i <= 5; i++) {
        struct record_attempt record = sample_record("L1", 1);
        assert_int_equal(log_open_attempt(log, &record, NULL), 0);
        assert_int_equal(witness.published, i - 1); /* an opening is nothing to publish */
        sample_pass(&record);
        assert_int_equal(log_close_attempt(log, &record, NULL, 0, NULL), 0);
        assert_int_equal(witness.published, i); /* and it is published when the call returns */
        assert_int_equal(witness.seen_in_file, i);
    }
    close_log(log);
}

/* --- many threads --- */

#define THREADS 16
#define ATTEMPTS_EACH 20

struct crowd {
    struct log *log;
    atomic_int failed;
};

static void *work_site(void *context)
{
    struct crowd *crowd = context;
    for (int i = 0; i < ATTEMPTS_EACH; i++) {
        struct record_attempt record = sample_record("L1", 1);
        struct record_step step = sample_step("erase");
        struct failure failure;
        int result = log_open_attempt(crowd->log, &record, &failure);
        sample_pass(&record);
        if (result < 0 || log_add_step(crowd->log, record.attempt, &step, &failure) < 0 ||
            log_add_event(crowd->log, "go", NULL, &failure) < 0 ||
            log_close_attempt(crowd->log, &record, NULL, 0, &failure) < 0) {
            atomic_fetch_add(&crowd->failed, 1);
        }
    }
    return NULL;
}

static void count_published(void *context, const struct record_attempt *record)
{
    (void)record;
    (*(int *)context)++; /* always on the writer thread */
}

static void test_many_threads_commit_in_groups(void **state)
{
    const struct sample *sample = *state;
    pthread_t threads[THREADS];
    int published = 0;
    struct log_statistics statistics;
    struct log_options options = sample_options(sample->path);
    options.publish = count_published;
    options.context = &published;
    struct crowd crowd = {.log = open_log(&options)};

    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, work_site, &crowd), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(crowd.failed, 0);
    log_get_statistics(crowd.log, &statistics);
    close_log(crowd.log);
    assert_int_equal(published, THREADS * ATTEMPTS_EACH);
    assert_int_equal(statistics.requests, 4 * THREADS * ATTEMPTS_EACH);
    assert_true(statistics.commits <= statistics.requests);
    assert_true(statistics.commits >= 2 * ATTEMPTS_EACH); /* each site waits twice per board */
    assert_string_equal(sample_query(sample->path, "SELECT count(*) || '/' || max(attempt) || '/' "
                                                   "|| sum(verdict = 'pass') FROM attempts"),
                        "320/320/320");
    expect_chain(sample);
}

/* --- lots --- */

/* Returns what the log says that it changes in the lot's count. */
static int log_pass(struct log *log, const char *lot, int64_t previous, enum verdict verdict)
{
    struct record_attempt record = sample_record(lot, 1);
    record.previous_attempt = previous;
    sample_pass(&record);
    record.verdict = verdict;
    record.touched =
        verdict == VERDICT_PASS || verdict == VERDICT_FAIL ? TOUCHED_WRITTEN : TOUCHED_NONE;
    assert_int_equal(log_close_attempt(log, &record, NULL, 0, NULL), 0);
    return record.lot_change;
}

static void expect_lot(struct log *log, int64_t count, int64_t bound_expected,
                       int64_t passed_expected)
{
    struct failure failure = {0};
    int64_t bound = -1, passed = -1;
    if (log_bind_lot(log, "L1", SAMPLE_PROFILE_SHA256, SAMPLE_IMAGE_SHA256, count, &bound, &passed,
                     &failure) < 0) {
        fail_msg("%s", failure.detail);
    }
    assert_int_equal(bound, bound_expected);
    assert_int_equal(passed, passed_expected);
}

static void expect_refused(struct log *log, const char *lot, const char *profile, int64_t count,
                           const char *said)
{
    struct failure failure = {0};
    int64_t bound, passed;
    assert_int_equal(
        log_bind_lot(log, lot, profile, SAMPLE_IMAGE_SHA256, count, &bound, &passed, &failure), -1);
    assert_int_equal(failure.code, FAILURE_LOT_REFUSED);
    assert_non_null(strstr(failure.detail, said));
}

/* A profile that does not pin its images stays the same when they change. */
static void test_a_lot_stays_with_its_images(void **state)
{
    const struct sample *sample = *state;
    struct log *log = open_plain(sample);
    struct failure failure = {0};
    int64_t bound, passed;

    expect_lot(log, 24, 24, 0);
    /* Until an attempt was made with them, nothing is in the lot. */
    assert_int_equal(
        log_bind_lot(log, "L1", SAMPLE_PROFILE_SHA256, "3333", 0, &bound, &passed, &failure), 0);
    log_pass(log, "L1", 0, VERDICT_PASS);
    expect_lot(log, 0, 24, 1);
    assert_int_equal(
        log_bind_lot(log, "L1", SAMPLE_PROFILE_SHA256, "3333", 0, &bound, &passed, &failure), -1);
    assert_int_equal(failure.code, FAILURE_LOT_REFUSED);
    assert_non_null(strstr(failure.detail, "attempt 1 of lot L1"));
    assert_non_null(strstr(failure.detail, "2222222222222222"));
    assert_int_equal(
        log_bind_lot(log, "L2", SAMPLE_PROFILE_SHA256, "3333", 0, &bound, &passed, &failure), 0);
    close_log(log);
    expect_chain(sample);
}

static void test_a_lot_stays_bound(void **state)
{
    const struct sample *sample = *state;
    struct log *log = open_plain(sample);
    expect_lot(log, 24, 24, 0);
    log_pass(log, "L1", 0, VERDICT_PASS);
    log_pass(log, "L1", 0, VERDICT_FAIL);
    log_pass(log, "L1", 0, VERDICT_EMPTY);
    log_pass(log, "L2", 0, VERDICT_PASS);
    log_pass(log, "", 0, VERDICT_PASS);
    expect_lot(log, 24, 24, 1);
    close_log(log);

    log = open_plain(sample); /* and over a restart */
    expect_lot(log, 0, 24, 1);
    expect_refused(log, "L1", OTHER_PROFILE_SHA256, 24, "22222222");
    expect_refused(log, "L1", SAMPLE_PROFILE_SHA256, 25, "24");
    log_pass(log, "L1", 0, VERDICT_PASS); /* a refusal is no fault */
    expect_lot(log, 24, 24, 2);
    close_log(log);
    assert_string_equal(sample_query(sample->path, "SELECT count(*) FROM lot"), "1");
    expect_chain(sample);
}

static void test_a_lot_without_limit(void **state)
{
    const struct sample *sample = *state;
    struct log *log = open_plain(sample);
    expect_lot(log, 0, 0, 0);
    expect_lot(log, 0, 0, 0);
    expect_refused(log, "L1", SAMPLE_PROFILE_SHA256, 5, "no limit");
    close_log(log);
}

/* Attempts on one board count once, and as the last one that changed it ended. */
static void test_a_board_done_again_counts_once(void **state)
{
    const struct sample *sample = *state;
    struct log *log = open_plain(sample);
    expect_lot(log, 9, 9, 0);
    assert_int_equal(log_pass(log, "L1", 0, VERDICT_PASS), 1); /* 1 */
    assert_int_equal(log_pass(log, "L1", 1, VERDICT_PASS), 0); /* 2: the same board */
    expect_lot(log, 9, 9, 1);
    assert_int_equal(log_pass(log, "L1", 2, VERDICT_EMPTY), 0); /* 3: changed nothing */
    expect_lot(log, 9, 9, 1);
    assert_int_equal(log_pass(log, "L1", 3, VERDICT_FAIL), -1); /* 4: now it is a reject */
    expect_lot(log, 9, 9, 0);
    assert_int_equal(log_pass(log, "L1", 4, VERDICT_PASS), 1); /* 5 */
    assert_int_equal(log_pass(log, "L1", 0, VERDICT_FAIL), 0); /* 6: another board */
    assert_int_equal(log_pass(log, "L1", 6, VERDICT_PASS), 1); /* 7 */
    expect_lot(log, 9, 9, 2);
    assert_int_equal(log_pass(log, "L2", 7, VERDICT_PASS), 1); /* 8: in another lot */
    assert_int_equal(log_pass(log, "", 8, VERDICT_PASS), 1);   /* in none every pass counts */
    expect_lot(log, 9, 9, 2);
    struct record_attempt record = sample_record("L1", 1);
    record.previous_attempt = 7;
    assert_int_equal(log_open_attempt(log, &record, NULL), 0);
    expect_lot(log, 9, 9, 1); /* its board is being changed */
    close_log(log);
}

/* --- boards left in over a restart --- */

static void expect_left_in(struct log *log, const char *lot, const char *jig, int site,
                           int64_t expected)
{
    struct failure failure = {0};
    int64_t attempt = -1;
    if (log_board_left_in(log, lot, jig, site, &attempt, &failure) < 0) {
        fail_msg("%s", failure.detail);
    }
    assert_int_equal(attempt, expected);
}

static void test_a_board_left_in_is_known_after_a_restart(void **state)
{
    const struct sample *sample = *state;
    struct log_options other = sample_options(sample->path);
    struct log *log = open_plain(sample);
    expect_left_in(log, "L1", "bench-2", 1, 0);
    log_pass(log, "L1", 0, VERDICT_PASS);  /* 1 */
    log_pass(log, "L1", 0, VERDICT_FAIL);  /* 2 */
    log_pass(log, "L1", 0, VERDICT_EMPTY); /* 3 */
    log_pass(log, "", 0, VERDICT_PASS);    /* 4 */
    assert_int_equal(log_add_event(log, "board-out", "attempt 1", NULL), 0);
    assert_int_equal(log_add_event(log, "board-out", "attempt 22", NULL), 0);
    assert_int_equal(log_add_event(log, "go", "attempt 2", NULL), 0);
    close_log(log);

    other.station = "bench-3";
    log = open_log(&other);
    expect_left_in(log, "L1", "bench-2", 1, 0);
    close_log(log);

    log = open_plain(sample);
    expect_left_in(log, "L1", "bench-2", 1, 2);
    expect_left_in(log, "", "bench-2", 1, 4);
    expect_left_in(log, "L2", "bench-2", 1, 0);
    expect_left_in(log, "L1", "", 1, 0);
    expect_left_in(log, "L1", "bench-2", 2, 0);
    assert_int_equal(log_add_event(log, "board-out", "attempt 2", NULL), 0);
    expect_left_in(log, "L1", "bench-2", 1, 0); /* not 1, which went before it */
    close_log(log);
    expect_chain(sample);
}

static int64_t cut_at_door(struct log *log, const char *jig, int site)
{
    struct failure failure = {0};
    struct log_door door;
    if (log_cut_at_door(log, jig, site, &door, &failure) < 0) {
        fail_msg("%s", failure.detail);
    }
    assert_string_equal(door.fuse, door.attempt != 0 ? "RSTDISBL" : "");
    return door.attempt;
}

static int64_t log_at_door(struct log *log, enum verdict verdict, bool announced)
{
    struct record_attempt record = sample_record("L1", 1);
    assert_int_equal(log_open_attempt(log, &record, NULL), 0);
    if (announced) {
        assert_int_equal(log_announce_door(log, record.attempt, "RSTDISBL", NULL), 0);
    }
    record.verdict = verdict;
    assert_int_equal(log_close_attempt(log, &record, NULL, 0, NULL), 0);
    return record.attempt;
}

static void log_nobody(struct log *log, enum failure_code code)
{
    struct record_attempt record = sample_record("L2", 1);
    record.signature[0] = '\0';
    record.verdict = VERDICT_EMPTY;
    record.failure = code;
    assert_int_equal(log_close_attempt(log, &record, NULL, 0, NULL), 0);
}

/* Told once, unless another board was seen before. */
static void test_an_attempt_cut_at_its_door_is_known(void **state)
{
    const struct sample *sample = *state;
    struct log *log = open_plain(sample);
    assert_int_equal(cut_at_door(log, "bench-2", 1), 0);
    log_at_door(log, VERDICT_PASS, true); /* 1 */
    assert_int_equal(cut_at_door(log, "bench-2", 1), 0);
    log_at_door(log, VERDICT_INTERRUPTED, false); /* 2 */
    assert_int_equal(cut_at_door(log, "bench-2", 1), 0);
    int64_t cut = log_at_door(log, VERDICT_INTERRUPTED, true);
    assert_int_equal(cut_at_door(log, "bench-2", 1), cut);
    assert_int_equal(cut_at_door(log, "bench-2", 2), 0);
    assert_int_equal(cut_at_door(log, "bench-3", 1), 0);
    log_nobody(log, FAILURE_PROGRAMMER_SILENT);
    close_log(log);

    log = open_plain(sample);
    assert_int_equal(cut_at_door(log, "bench-2", 1), cut);
    log_nobody(log, FAILURE_BOARD_BEHIND_DOOR);
    assert_int_equal(cut_at_door(log, "bench-2", 1), 0);
    cut = log_at_door(log, VERDICT_INTERRUPTED, true);
    assert_int_equal(cut_at_door(log, "bench-2", 1), cut);
    log_at_door(log, VERDICT_FAIL, false);
    assert_int_equal(cut_at_door(log, "bench-2", 1), 0);
    close_log(log);
    expect_chain(sample);
}

/* --- killed in mid-run --- */

struct open_end {
    int steps; /* how many were logged */
    bool last_failed, fuses_right, lock_left, lock_right, tried_again, clock_first;
    bool doors_only;            /* the only fuse to write takes the way in: it comes last */
    bool door_next;             /* was announced */
    const char *touched, *said; /* what the next start makes of it */
};

#define MAY_BE_ON " may have been turned on: then this station cannot reach the board any more"

static const struct open_end open_ends[] = {
    {0, .touched = "erased", .said = "last step in the log is 'open'; later ones may be done"},
    {2, .touched = "erased", .said = "last step in the log is 'open'; later ones may be done"},
    {4, .touched = "erased", .said = "last step in the log is 'open'; later ones may be done"},
    {5, .touched = "written", .said = "last step in the log is 'erase'; later ones"},
    {6, .touched = "fused", .said = "last step in the log is 'flash'; later ones"},
    {8, .touched = "fused", .said = "last step in the log is 'verify'; later ones"},
    {11, .touched = "locked", .said = "last step in the log is 'recheck'; later ones"},
    {13, .touched = "locked", .said = "after the last step, 'release', before the verdict"},
    {8, .last_failed = true, .touched = "written", .said = "after step 'verify' had failed"},
    {6, .fuses_right = true, .touched = "locked", .said = "is 'flash'; later ones"},
    {8, .fuses_right = true, .lock_left = true, .touched = "written", .said = "is 'verify'; later"},
    /* the erase opened the lock that was found as asked */
    {8, .fuses_right = true, .lock_right = true, .touched = "locked", .said = "is 'verify'; later"},
    {11, .lock_left = true, .touched = "fused", .said = "is 'recheck'; later ones"},
    {5, .last_failed = true, .tried_again = true, .touched = "written",
     .said = "is 'attach'; later"},
    {4, .clock_first = true, .touched = "erased", .said = "is 'open'; later ones"},
    {5, .clock_first = true, .touched = "fused", .said = "is 'erase'; later ones"},
    {11, .doors_only = true, .touched = "locked", .said = "is 'recheck'; later ones"},
    {11, .doors_only = true, .lock_left = true, .touched = "fused", .said = "is 'recheck'; later"},
    {5, .clock_first = true, .fuses_right = true, .touched = "written",
     .said = "is 'erase'; later"},
    {11, .door_next = true, .touched = "locked", .said = "may be done; RSTDISBL" MAY_BE_ON},
    {12, .last_failed = true, .door_next = true, .touched = "locked",
     .said = "; RSTDISBL" MAY_BE_ON},
    {13, .door_next = true, .touched = "locked", .said = "logged; RSTDISBL" MAY_BE_ON},
};
#define OPEN_ENDS ((int)(sizeof open_ends / sizeof open_ends[0]))

static void leave_open(struct log *log, const struct open_end *end)
{
    static const char *const names[] = {"attach",  "identify", "read",   "open",  "erase",
                                        "flash",   "eeprom",   "verify", "fuses", "reenter",
                                        "recheck", "lock",     "release"};
    struct record_attempt record = sample_record("L1", 1);
    struct record_step again = sample_step("attach");
    record.fuses[0].found = end->fuses_right ? record.fuses[0].asked : record.fuses[0].found;
    record.fuses[2].found = end->lock_right ? record.fuses[2].asked : record.fuses[2].found;
    record.clock_first = end->clock_first;
    record.fuses[2].asked = end->lock_left ? -1 : record.fuses[2].asked;
    if (log_open_attempt(log, &record, NULL) < 0) {
        _exit(2);
    }
    for (int i = 0; i < end->steps; i++) {
        struct record_step step = sample_step(names[i]);
        bool failed = end->last_failed && i == end->steps - 1;
        step.failure = failed ? FAILURE_VERIFY_MISMATCH : FAILURE_NONE;
        if (end->doors_only && strcmp(names[i], "fuses") == 0) {
            continue;
        }
        if (log_add_step(log, record.attempt, &step, NULL) < 0) {
            _exit(3);
        }
    }
    if (end->tried_again && log_add_step(log, record.attempt, &again, NULL) < 0) {
        _exit(4);
    }
    if (end->door_next && log_announce_door(log, record.attempt, "RSTDISBL", NULL) < 0) {
        _exit(5);
    }
}

/* Never returns: opens attempts, says so, waits for its end. */
static void run_doomed_station(const struct sample *sample, int say)
{
    struct log_options options = sample_options(sample->path);
    struct log *log;
    int recovered;
    int64_t bound, passed;
    if (log_open(&options, &log, &recovered, NULL) < 0) {
        _exit(1);
    }
    for (int i = 0; i < OPEN_ENDS; i++) {
        leave_open(log, &open_ends[i]);
    }
    struct record_attempt record = sample_record("L1", 1);
    sample_pass(&record);
    (void)log_close_attempt(log, &record, NULL, 0, NULL);
    /* answered when everything before it is durable */
    (void)log_bind_lot(log, "L1", SAMPLE_PROFILE_SHA256, SAMPLE_IMAGE_SHA256, 0, &bound, &passed,
                       NULL);
    (void)!write(say, "x", 1);
    for (;;) {
        (void)pause();
    }
}

static void kill_station_in_mid_run(const struct sample *sample)
{
    int ends[2], status;
    char byte;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        run_doomed_station(sample, ends[1]);
    }
    (void)close(ends[1]);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    (void)close(ends[0]);
}

static void test_what_a_kill_left_open_is_closed(void **state)
{
    const struct sample *sample = *state;
    struct log_options options = sample_options(sample->path);
    struct log *log;
    struct failure failure = {0};
    int recovered = -1;

    kill_station_in_mid_run(sample);
    if (log_open(&options, &log, &recovered, &failure) < 0) {
        fail_msg("%s", failure.detail);
    }
    assert_int_equal(recovered, OPEN_ENDS);
    close_log(log);
    for (int i = 0; i < OPEN_ENDS; i++) {
        char sql[320], wanted[128];
        (void)snprintf(sql, sizeof sql,
                       "SELECT verdict || ' ' || failure || ' ' || touched || ' ' || "
                       "(ended_at >= started_at) || (instr(detail, \"%s\") > 0) || "
                       "(instr(detail, 'turned on') > 0) "
                       "FROM attempts WHERE attempt = %d",
                       open_ends[i].said, i + 1);
        (void)snprintf(wanted, sizeof wanted, "interrupted interrupted %s 11%d",
                       open_ends[i].touched, strstr(open_ends[i].said, MAY_BE_ON) != NULL);
        assert_string_equal(sample_query(sample->path, sql), wanted);
    }
    assert_string_equal(sample_query(sample->path, "SELECT group_concat(decision) FROM fuse_result "
                                                   "WHERE attempt = 6"),
                        "unknown,unknown,unknown");
    assert_string_equal(sample_query(sample->path, "SELECT verdict FROM attempts ORDER BY attempt "
                                                   "DESC LIMIT 1"),
                        "pass");
    expect_chain(sample);
}

static void test_a_second_start_recovers_nothing(void **state)
{
    const struct sample *sample = *state;
    struct log_options options = sample_options(sample->path);
    struct log *log;
    int recovered = -1;
    kill_station_in_mid_run(sample);
    close_log(open_log(&options));
    assert_int_equal(log_open(&options, &log, &recovered, NULL), 0);
    assert_int_equal(recovered, 0);
    struct record_attempt record = sample_record("L1", 1);
    assert_int_equal(log_open_attempt(log, &record, NULL), 0);
    assert_int_equal(record.attempt, OPEN_ENDS + 2); /* numbers go on */
    close_log(log);
    expect_chain(sample);
}

/* --- one station per log --- */

static void expect_open_fails(const char *path, enum failure_code code, const char *said)
{
    struct log_options options = sample_options(path);
    struct failure failure = {0};
    struct log *log = NULL;
    int recovered;
    assert_int_equal(log_open(&options, &log, &recovered, &failure), -1);
    if (failure.code != code || strstr(failure.detail, said) == NULL) {
        fail_msg("code %d, '%s'", failure.code, failure.detail);
    }
}

static void test_a_second_station_is_refused(void **state)
{
    const struct sample *sample = *state;
    char pid[32], link[96];
    (void)snprintf(pid, sizeof pid, "process %ld", (long)getpid());
    (void)snprintf(link, sizeof link, "%s/link.db", sample->directory);
    struct log *log = open_plain(sample);
    expect_open_fails(sample->path, FAILURE_LOG_IN_USE, pid);
    assert_int_equal(symlink("log.db", link), 0);
    expect_open_fails(link, FAILURE_LOG_IN_USE, pid); /* the same file under another name */
    close_log(log);
    close_log(open_plain(sample));
}

static void test_a_file_of_two_names_is_refused(void **state)
{
    const struct sample *sample = *state;
    char link_path[96], lock_path[112];
    (void)snprintf(link_path, sizeof link_path, "%s/link.db", sample->directory);
    (void)snprintf(lock_path, sizeof lock_path, "%s.lock", link_path);
    struct log *log = open_plain(sample);
    assert_int_equal(link(sample->path, link_path), 0);
    expect_open_fails(link_path, FAILURE_LOG, "this file has 2 names (hard links)");
    assert_int_equal(access(lock_path, F_OK), -1);
    log_pass(log, "L1", 0, VERDICT_PASS); /* who has it may go on */
    close_log(log);
    expect_open_fails(sample->path, FAILURE_LOG, sample->path);
    assert_int_equal(unlink(link_path), 0);
    close_log(open_plain(sample));
    expect_chain(sample);
}

static void test_readers_do_not_disturb(void **state)
{
    const struct sample *sample = *state;
    struct log *log = open_plain(sample);
    struct database *reader;
    struct failure failure = {0};
    int64_t count;
    assert_int_equal(database_open(sample->path, DATABASE_READ, &reader, &failure), 0);
    assert_int_equal(database_exec(reader, "BEGIN", &failure), 0);
    assert_int_equal(
        database_query_integer(reader, "SELECT count(*) FROM attempts", &count, &failure), 0);
    log_pass(log, "L1", 0, VERDICT_PASS);
    close_log(log); /* also while somebody still reads */
    database_close(reader);
    expect_chain(sample);
}

/* --- the clock --- */

static void test_a_clock_before_the_last_row_is_refused(void **state)
{
    const struct sample *sample = *state;
    struct log *log = open_plain(sample);
    struct record_attempt record = sample_record("L1", 1);
    sample_pass(&record);
    record.ended_at_us += (int64_t)3600 * 1000000;
    assert_int_equal(log_close_attempt(log, &record, NULL, 0, NULL), 0);
    close_log(log);
    char text[RECORD_TIME_BYTES], rows[32];
    record_time_text(record.ended_at_us, text);
    strcpy(rows, sample_query(sample->path, "SELECT sequence FROM chain_next"));
    expect_open_fails(sample->path, FAILURE_CLOCK, text);
    assert_string_equal(sample_query(sample->path, "SELECT sequence FROM chain_next"), rows);
}

#define WITH_SAMPLE(test) cmocka_unit_test_setup_teardown(test, sample_make, sample_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SAMPLE(test_an_attempt_reaches_the_views),
        WITH_SAMPLE(test_the_views_have_their_columns),
        WITH_SAMPLE(test_a_failed_attempt_names_its_failure),
        WITH_SAMPLE(test_wrong_calls_do_not_harm_the_log),
        WITH_SAMPLE(test_a_verdict_is_published_after_its_commit),
        WITH_SAMPLE(test_many_threads_commit_in_groups),
        WITH_SAMPLE(test_a_lot_stays_bound),
        WITH_SAMPLE(test_a_lot_stays_with_its_images),
        WITH_SAMPLE(test_a_lot_without_limit),
        WITH_SAMPLE(test_a_board_done_again_counts_once),
        WITH_SAMPLE(test_a_board_left_in_is_known_after_a_restart),
        WITH_SAMPLE(test_an_attempt_cut_at_its_door_is_known),
        WITH_SAMPLE(test_what_a_kill_left_open_is_closed),
        WITH_SAMPLE(test_a_second_start_recovers_nothing),
        WITH_SAMPLE(test_a_second_station_is_refused),
        WITH_SAMPLE(test_a_file_of_two_names_is_refused),
        WITH_SAMPLE(test_readers_do_not_disturb),
        WITH_SAMPLE(test_a_clock_before_the_last_row_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
