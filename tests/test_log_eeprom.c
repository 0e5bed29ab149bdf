/* EEPROM contents in the log: as text and back, who owes one, and what a kill leaves behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <sys/wait.h>

#include "reports/log_eeprom.h"
#include "tests/log_sample.h"

/* --- as text --- */

static void expect_text(const uint8_t *bytes, uint32_t size, const char *expected)
{
    struct failure failure = {0};
    struct log_eeprom eeprom;
    char *text = log_eeprom_to_text(17, bytes, size);

    assert_non_null(text);
    if (expected != NULL) {
        assert_string_equal(text, expected);
    }
    if (log_eeprom_from_text(text, &eeprom, &failure) < 0) {
        fail_msg("%s", failure.detail);
    }
    assert_int_equal(eeprom.attempt, 17);
    assert_int_equal(eeprom.size, size);
    assert_memory_equal(eeprom.bytes, bytes, size);
    free(eeprom.bytes);
    free(text);
}

static void test_text(void **state)
{
    uint8_t bytes[4096];
    uint32_t noise = 1;

    (void)state;
    memset(bytes, 0xFF, sizeof bytes);
    expect_text(bytes, 1024, "attempt 17: EEPROM 1024");
    bytes[0] = 0x01;
    bytes[4] = 0x02; /* three blank bytes between are written out */
    bytes[9] = 0x03; /* four are not */
    bytes[1023] = 0xAB;
    expect_text(bytes, 1024, "attempt 17: EEPROM 1024; 0000 01FFFFFF02; 0009 03; 03FF AB");
    memset(bytes, 0, sizeof bytes);
    expect_text(bytes, 1, "attempt 17: EEPROM 1; 0000 00");
    for (int density = 1; density < 256; density *= 2) {
        for (size_t i = 0; i < sizeof bytes; i++) {
            noise = noise * 1664525U + 1013904223U;
            bytes[i] = (noise >> 16 & 0xFF) < (uint32_t)density ? 0xFF : (uint8_t)(noise >> 24);
        }
        expect_text(bytes, sizeof bytes, NULL);
    }
}

static void test_what_is_no_text(void **state)
{
    static const char *const texts[] = {
        "",
        "attempt",
        "attempt x: EEPROM 4",
        "attempt 0: EEPROM 4",
        "attempt -1: EEPROM 4",
        "attempt 17: EEPROM 0",
        "attempt 17: EEPROM 65537",
        "attempt 17: EEPROM 99999999999999999999",
        "attempt 17: EEPROM 4;",
        "attempt 17: EEPROM 4; 0000",
        "attempt 17: EEPROM 4; 0000 1",
        "attempt 17: EEPROM 4; 0000 12 ",
        "attempt 17: EEPROM 4; 0000 1g",
        "attempt 17: EEPROM 4; 0003 1122",
        "attempt 17: EEPROM 4; 0004 11",
        "attempt 17: EEPROM 4; 100000000 11",
        "attempt 17: EEPROM 4; FFFFFFFFFFFFFFFFFFFF 11",
        "attempt 17: EEPROM 4; 0000 ab",
        "attempt 17: EEPROM 4 0000 11",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct log_eeprom eeprom;
        struct failure failure = {0};

        if (log_eeprom_from_text(texts[i], &eeprom, &failure) == 0) {
            fail_msg("taken: %s", texts[i]);
        }
        assert_int_equal(failure.code, FAILURE_LOG);
        assert_null(eeprom.bytes);
    }
}

/* --- who owes one --- */

static const uint8_t content[8] = {0x12, 0xFF, 0x34, 0xFF, 0xFF, 0xFF, 0xFF, 0x56};

static struct log *open_log(const struct sample *sample)
{
    struct log_options options = sample_options(sample->path);
    struct log *log = NULL;
    struct failure failure = {0};
    int recovered;

    if (log_open(&options, &log, &recovered, &failure) < 0) {
        fail_msg("%s", failure.detail);
    }
    return log;
}

/* An attempt that saved its EEPROM, and how it ended. VERDICT_NONE: it is still open. */
static int64_t add_attempt(struct log *log, const char *part, int64_t previous,
                           enum verdict verdict, enum touched touched)
{
    struct record_attempt record = sample_record("", 1);

    record_set_text(record.part, sizeof record.part, part);
    record.previous_attempt = previous;
    assert_int_equal(log_open_attempt(log, &record, NULL), 0);
    assert_int_equal(log_save_eeprom(log, record.attempt, content, sizeof content, NULL), 0);
    if (verdict != VERDICT_NONE) {
        record.verdict = verdict;
        record.touched = touched;
        record.ended_at_us = record.started_at_us;
        assert_int_equal(log_close_attempt(log, &record, NULL, 0, NULL), 0);
    }
    return record.attempt;
}

static void add_event(struct log *log, const char *kind, int64_t attempt)
{
    char detail[64];

    (void)snprintf(detail, sizeof detail, "attempt %lld: a test", (long long)attempt);
    assert_int_equal(log_add_event(log, kind, detail, NULL), 0);
}

static void expect_owed(struct log *log, const char *part, int64_t previous, int64_t after,
                        int64_t expected, bool same_board)
{
    struct log_eeprom eeprom;
    struct failure failure = {0};

    if (log_next_owed_eeprom(log, part, previous, after, &eeprom, &failure) < 0) {
        fail_msg("%s", failure.detail);
    }
    assert_int_equal(eeprom.attempt, expected);
    assert_int_equal(eeprom.same_board, same_board);
    if (expected != 0) {
        assert_int_equal(eeprom.size, sizeof content);
        assert_memory_equal(eeprom.bytes, content, sizeof content);
    }
    free(eeprom.bytes);
}

static void test_owed(void **state)
{
    struct log *log = open_log(*state);
    int64_t untouched, failed, other, open, interrupted;

    expect_owed(log, "A", 0, 0, 0, false);
    untouched = add_attempt(log, "A", 0, VERDICT_FAIL, TOUCHED_NONE);
    open = add_attempt(log, "A", 0, VERDICT_NONE, TOUCHED_NONE);
    expect_owed(log, "A", 0, 0, 0, false);
    failed = add_attempt(log, "A", 0, VERDICT_FAIL, TOUCHED_ERASED);
    other = add_attempt(log, "B", 0, VERDICT_FAIL, TOUCHED_ERASED);
    interrupted = add_attempt(log, "A", 0, VERDICT_INTERRUPTED, TOUCHED_FUSED);
    expect_owed(log, "A", 0, 0, failed, false);
    expect_owed(log, "A", failed, 0, failed, true);
    expect_owed(log, "A", interrupted, 0, failed, false);
    expect_owed(log, "A", interrupted, failed, interrupted, true);
    expect_owed(log, "A", untouched, interrupted, 0, false);
    expect_owed(log, "B", 0, 0, other, false);
    expect_owed(log, "B", 0, other, 0, false);
    add_event(log, LOG_EEPROM_SETTLED, failed);
    expect_owed(log, "A", 0, 0, interrupted, false);
    add_event(log, LOG_EEPROM_RESTORED, interrupted);
    expect_owed(log, "A", 0, 0, 0, false);
    (void)open;
    assert_int_equal(log_close(log, NULL), 0);
}

/* Who asks again and again, while attempts come and go: nothing is passed over. */
static void test_owed_as_time_goes_by(void **state)
{
    struct log *log = open_log(*state);
    struct record_attempt record = sample_record("", 1);
    int64_t later;

    record_set_text(record.part, sizeof record.part, "A");
    assert_int_equal(log_open_attempt(log, &record, NULL), 0);
    assert_int_equal(log_save_eeprom(log, record.attempt, content, sizeof content, NULL), 0);
    expect_owed(log, "A", 0, 0, 0, false); /* still at work */
    later = add_attempt(log, "A", 0, VERDICT_PASS, TOUCHED_LOCKED);
    add_event(log, LOG_EEPROM_RESTORED, later);
    expect_owed(log, "A", 0, 0, 0, false);
    record.verdict = VERDICT_FAIL;
    record.touched = TOUCHED_ERASED;
    record.ended_at_us = record.started_at_us;
    assert_int_equal(log_close_attempt(log, &record, NULL, 0, NULL), 0);
    expect_owed(log, "A", 0, 0, record.attempt, false);
    expect_owed(log, "B", 0, 0, 0, false);
    expect_owed(log, "A", 0, 0, record.attempt, false);
    later = add_attempt(log, "A", record.attempt, VERDICT_PASS, TOUCHED_LOCKED);
    expect_owed(log, "A", 0, record.attempt, later, false);
    add_event(log, LOG_EEPROM_RESTORED, later);
    expect_owed(log, "A", 0, 0, 0, false);
    later = add_attempt(log, "A", 0, VERDICT_FAIL, TOUCHED_ERASED);
    expect_owed(log, "A", 0, 0, later, false);
    assert_int_equal(log_close(log, NULL), 0);
    log = open_log(*state);
    expect_owed(log, "A", 0, 0, later, false);
    assert_int_equal(log_close(log, NULL), 0);
}

/* Attempts on one board: what a later one put back is not owed by an earlier one; what an earlier
 * one put back may be owed again. */
static void test_owed_along_a_board(void **state)
{
    struct log *log = open_log(*state);
    int64_t first = add_attempt(log, "A", 0, VERDICT_FAIL, TOUCHED_ERASED);
    int64_t second = add_attempt(log, "A", first, VERDICT_FAIL, TOUCHED_NONE);
    int64_t third = add_attempt(log, "A", second, VERDICT_FAIL, TOUCHED_WRITTEN);
    int64_t fourth;

    expect_owed(log, "A", third, 0, first, true);
    expect_owed(log, "A", third, first, third, true);
    add_event(log, LOG_EEPROM_RESTORED, third);
    expect_owed(log, "A", third, 0, 0, false);
    fourth = add_attempt(log, "A", third, VERDICT_FAIL, TOUCHED_WRITTEN);
    expect_owed(log, "A", 0, 0, fourth, false);
    assert_int_equal(log_close(log, NULL), 0);
    log = open_log(*state); /* the next run knows it from the rows alone */
    expect_owed(log, "A", 0, 0, fourth, false);
    expect_owed(log, "A", 0, fourth, 0, false);
    assert_int_equal(log_close(log, NULL), 0);
}

/* --- reading it again --- */

static char *show(struct log_reader *reader, int64_t attempt, bool json)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);

    assert_non_null(out);
    assert_int_equal(log_reader_show(reader, attempt, json, out, NULL), 0);
    assert_int_equal(fclose(out), 0);
    return text;
}

static void expect_shown(const struct sample *sample, int64_t attempt, const char *name,
                         const char *sentence)
{
    struct log_reader *reader;
    char key[64];

    (void)snprintf(key, sizeof key, "\"eeprom_saved\":%s", name);
    assert_int_equal(log_reader_open(sample->path, &reader, NULL), 0);
    char *text = show(reader, attempt, false);
    char *json = show(reader, attempt, true);
    assert_non_null(strstr(json, key));
    assert_int_equal(strstr(text, "\nEEPROM: ") != NULL, sentence[0] != '\0');
    assert_non_null(strstr(text, sentence));
    free(text);
    free(json);
    log_reader_close(reader);
}

static void test_reading(void **state)
{
    const struct sample *sample = *state;
    struct log *log = open_log(sample);
    struct record_attempt record = sample_record("", 1);
    struct log_reader *reader;
    struct log_eeprom eeprom;
    enum log_eeprom_state became;
    struct failure failure = {0};
    int64_t owed = add_attempt(log, "A", 0, VERDICT_FAIL, TOUCHED_ERASED);
    int64_t kept = add_attempt(log, "A", 0, VERDICT_FAIL, TOUCHED_NONE);
    int64_t back = add_attempt(log, "A", 0, VERDICT_PASS, TOUCHED_LOCKED);

    add_event(log, LOG_EEPROM_RESTORED, back);
    sample_pass(&record);
    assert_int_equal(log_close_attempt(log, &record, NULL, 0, NULL), 0);
    assert_int_equal(log_reader_open(sample->path, &reader, NULL), 0);
    assert_int_equal(log_reader_eeprom(reader, owed, &eeprom, &became, &failure), 0);
    assert_int_equal(eeprom.attempt, owed);
    assert_int_equal(became, LOG_EEPROM_OWED);
    assert_int_equal(eeprom.size, sizeof content);
    assert_memory_equal(eeprom.bytes, content, sizeof content);
    free(eeprom.bytes);
    assert_int_equal(log_reader_eeprom(reader, record.attempt, &eeprom, &became, &failure), -1);
    assert_int_equal(failure.code, FAILURE_USAGE);
    log_reader_close(reader);
    assert_int_equal(log_close(log, NULL), 0);
    expect_shown(sample, owed, "\"owed\"",
                 "not put back as far as is known; gangflash log eeprom 1 ");
    expect_shown(sample, kept, "\"kept\"", "saved, but not erased");
    expect_shown(sample, back, "\"back\"", "put back or settled");
    expect_shown(sample, record.attempt, "null", "");
}

/* --- killed in mid-run --- */

/* Never returns: says when all is durable, and waits for its end. */
static void run_doomed_station(const struct sample *sample, int say)
{
    struct log_options options = sample_options(sample->path);
    struct record_attempt record = sample_record("", 1);
    struct record_step step = sample_step("erase");
    struct log *log;
    int recovered;

    if (log_open(&options, &log, &recovered, NULL) < 0 ||
        log_open_attempt(log, &record, NULL) < 0 ||
        log_add_step(log, record.attempt, &step, NULL) < 0 ||
        log_save_eeprom(log, record.attempt, content, sizeof content, NULL) < 0) {
        _exit(1);
    }
    (void)!write(say, "x", 1);
    for (;;) {
        (void)pause();
    }
}

static void test_killed_before_it_was_put_back(void **state)
{
    const struct sample *sample = *state;
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
    (void)close(ends[0]);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);

    struct log *log = open_log(sample);
    expect_owed(log, "ATmega32U4", 0, 0, 1, false);
    assert_int_equal(log_close(log, NULL), 0);
    assert_non_null(strstr(sample_query(sample->path, "SELECT detail FROM attempts"),
                           "'erase'; later ones may be done; its EEPROM may be cleared, what "
                           "it held: gangflash log eeprom 1 -o FILE.hex"));
}

#define LOG_TEST(test) cmocka_unit_test_setup_teardown(test, sample_make, sample_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_what_is_no_text),
        LOG_TEST(test_owed),
        LOG_TEST(test_owed_as_time_goes_by),
        LOG_TEST(test_owed_along_a_board),
        LOG_TEST(test_reading),
        LOG_TEST(test_killed_before_it_was_put_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
