#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/log_sample.h"

/* --- a log with four attempts: pass, refused, pass on another lot and site, open --- */

#define NOON_US INT64_C(1709294400000000) /* 2024-03-01T12:00:00Z */

static void log_attempt(struct log *log, const char *lot, int site, enum verdict verdict,
                        enum failure_code failure)
{
    struct record_attempt record = sample_record(lot, site);
    struct record_step step = {"erase", NOON_US + 250000, 9500, 0, failure};
    record.started_at_us = NOON_US;
    assert_int_equal(log_open_attempt(log, &record, NULL), 0);
    assert_int_equal(log_add_step(log, record.attempt, &step, NULL), 0);
    if (verdict == VERDICT_NONE) {
        return;
    }
    sample_pass(&record);
    record.verdict = verdict;
    record.failure = failure;
    record.ended_at_us = NOON_US + 2345000;
    assert_int_equal(log_close_attempt(log, &record, NULL, 0, NULL), 0);
}

static void make_log(const struct sample *sample)
{
    struct log_options options = sample_options(sample->path);
    struct failure failure = {0};
    struct log *log;
    int recovered;
    if (log_open(&options, &log, &recovered, &failure) < 0) {
        fail_msg("%s", failure.detail);
    }
    log_attempt(log, "L1", 1, VERDICT_PASS, FAILURE_NONE);
    log_attempt(log, "L1", 2, VERDICT_REFUSED, FAILURE_SIGNATURE_MISMATCH);
    log_attempt(log, "L-two", 12, VERDICT_PASS, FAILURE_NONE);
    log_attempt(log, "", 1, VERDICT_NONE, FAILURE_NONE);
    assert_int_equal(log_close(log, NULL), 0);
}

/* --- what is printed, as text --- */

struct output {
    FILE *file;
    char *text;
    size_t bytes;
};

static FILE *begin(struct output *output)
{
    output->text = NULL;
    output->file = open_memstream(&output->text, &output->bytes);
    assert_non_null(output->file);
    return output->file;
}

static const char *end(struct output *output)
{
    (void)fclose(output->file);
    return output->text;
}

static struct log_reader *open_reader(const struct sample *sample)
{
    struct log_reader *reader = NULL;
    struct failure failure = {0};
    if (log_reader_open(sample->path, &reader, &failure) < 0) {
        fail_msg("%s", failure.detail);
    }
    return reader;
}

static void expect_list(const struct sample *sample, struct log_list_options options,
                        const char *expected)
{
    struct output output;
    struct log_reader *reader = open_reader(sample);
    assert_int_equal(log_reader_list(reader, &options, begin(&output), NULL), 0);
    assert_string_equal(end(&output), expected);
    free(output.text);
    log_reader_close(reader);
}

#define TITLE "attempt  time                  lot    site  article    verdict  failure             "

static void test_list_is_aligned(void **state)
{
    const struct sample *sample = *state;
    make_log(sample);
    expect_list(
        sample, (struct log_list_options){0},
        TITLE "seconds\n"
              "      1  2024-03-01T12:00:00Z  L1        1  KB-0417-B  pass     -                   "
              "   2.35\n"
              "      2  2024-03-01T12:00:00Z  L1        2  KB-0417-B  refused  signature-mismatch  "
              "   2.35\n"
              "      3  2024-03-01T12:00:00Z  L-two    12  KB-0417-B  pass     -                   "
              "   2.35\n"
              "      4  2024-03-01T12:00:00Z  -         1  KB-0417-B  open     -                   "
              "-\n");
}

static void expect_attempts(const struct sample *sample, struct log_list_options options,
                            const char *expected)
{
    struct output output;
    char found[64] = "";
    struct log_reader *reader = open_reader(sample);
    options.json = true;
    assert_int_equal(log_reader_list(reader, &options, begin(&output), NULL), 0);
    (void)end(&output);
    for (const char *at = output.text; (at = strstr(at, "\"attempt\":")) != NULL; at++) {
        strncat(found, at + strlen("\"attempt\":"), 1);
    }
    assert_string_equal(found, expected);
    free(output.text);
    log_reader_close(reader);
}

/* Events stand between attempts: the station starts and stops, and something happens. */
static void test_events_are_listed(void **state)
{
    const struct sample *sample = *state;
    char long_detail[1000];
    struct output output;
    struct log_reader *reader;
    struct log *log = NULL;
    int recovered;
    const struct log_options options = sample_options(sample->path);
    memset(long_detail, 'x', sizeof long_detail - 1);
    long_detail[sizeof long_detail - 1] = '\0';
    assert_int_equal(log_open(&options, &log, &recovered, NULL), 0);
    assert_int_equal(log_add_event(log, "programmer-replaced", "site 3: sticker P-17", NULL), 0);
    assert_int_equal(log_add_event(log, "eeprom-saved", long_detail, NULL), 0);
    assert_int_equal(log_close(log, NULL), 0);

    reader = open_reader(sample);
    assert_int_equal(log_reader_events(reader, 0, false, begin(&output), NULL), 0);
    const char *text = end(&output);
    const char *replaced = strstr(text, "programmer-replaced  site 3: sticker P-17\n");
    const char *saved = strstr(text, "xxx ...\n");
    assert_true(strncmp(text, "event  time                  kind                 detail", 50) == 0);
    assert_true(replaced != NULL && saved > replaced);
    assert_true(strlen(text) < 1000);
    free(output.text);

    /* The last but one: closing the log is an event, too. */
    assert_int_equal(log_reader_events(reader, 2, true, begin(&output), NULL), 0);
    text = end(&output);
    assert_null(strstr(text, "programmer-replaced"));
    assert_non_null(strstr(text, long_detail));
    assert_non_null(strstr(text, "\"kind\":\"eeprom-saved\""));
    free(output.text);
    log_reader_close(reader);
}

static void test_list_filters(void **state)
{
    const struct sample *sample = *state;
    struct log_reader *reader;
    struct failure failure = {0};
    make_log(sample);
    expect_attempts(sample, (struct log_list_options){0}, "1234");
    expect_attempts(sample, (struct log_list_options){.lot = "L1"}, "12");
    expect_attempts(sample, (struct log_list_options){.verdict = "pass"}, "13");
    expect_attempts(sample, (struct log_list_options){.verdict = "open"}, "4");
    expect_attempts(sample, (struct log_list_options){.site = 12}, "3");
    expect_attempts(sample, (struct log_list_options){.last = 2}, "34");
    expect_attempts(sample, (struct log_list_options){.last = 1, .lot = "L1"}, "2");
    reader = open_reader(sample);
    assert_int_equal(
        log_reader_list(reader, &(struct log_list_options){.verdict = "passed"}, stdout, &failure),
        -1);
    assert_int_equal(failure.code, FAILURE_USAGE);
    failure = (struct failure){0};
    assert_int_equal(
        log_reader_list(reader, &(struct log_list_options){.lot = "L9"}, stdout, &failure), -1);
    assert_int_equal(failure.code, FAILURE_USAGE);
    assert_string_equal(failure.detail, "the log has no lot 'L9'");
    log_reader_close(reader);
}

static void test_list_as_json_has_every_column(void **state)
{
    const struct sample *sample = *state;
    make_log(sample);
    expect_list(
        sample, (struct log_list_options){.json = true, .last = 3, .site = 2},
        "{\"station\":\"bench-2\",\"attempt\":2,\"lot\":\"L1\",\"cycle\":7,\"site\":2,"
        "\"programmer\":\"stk500v1\",\"programmer_firmware\":\"ArduinoISP 1.18\","
        "\"profile\":\"planck-rev4\",\"article\":\"KB-0417-B\",\"revision\":\"3\","
        "\"profile_sha256\":\"" SAMPLE_PROFILE_SHA256 "\",\"image_sha256\":\"" SAMPLE_IMAGE_SHA256
        "\","
        "\"part\":\"ATmega32U4\",\"part_sha256\":null,\"expected_signature\":\"1E 95 87\","
        "\"signature\":\"1E 95 87\",\"operator\":\"J\xC3\xBCrgen\",\"purpose\":\"production\","
        "\"started_at\":\"2024-03-01T12:00:00.000000Z\","
        "\"ended_at\":\"2024-03-01T12:00:02.345000Z\",\"verdict\":\"refused\","
        "\"failure\":\"signature-mismatch\",\"detail\":null,\"touched\":\"locked\",\"tries\":1,"
        "\"verification\":\"image\",\"readback_sha256\":null,\"sck_hz\":null,"
        "\"software\":\"gangflash 0.1.0\",\"jig\":\"bench-2\",\"jig_sha256\":null,"
        "\"previous_attempt\":null}\n");
}

static void test_show_one(void **state)
{
    const struct sample *sample = *state;
    struct output output;
    make_log(sample);
    struct log_reader *reader = open_reader(sample);
    assert_int_equal(log_reader_show(reader, 2, false, begin(&output), NULL), 0);
    const char *text = end(&output);
    assert_non_null(strstr(text, "verdict              refused\n"));
    assert_non_null(strstr(text, "started_at           2024-03-01T12:00:00.000000Z\n"));
    assert_non_null(strstr(text, "  fuse  found  asked  decision  read back\n"
                                 "  low   62     5E     written   5E\n"
                                 "  high  D9     D9     already   -\n"
                                 "  lock  FF     CF     written   CF\n"));
    assert_non_null(strstr(
        text, "  step   started                      milliseconds  bytes  failure\n"
              "  erase  2024-03-01T12:00:00.250000Z      9.500         0  signature-mismatch\n"));
    assert_non_null(strstr(text, "what to do: Put the board in the reject bin"));
    free(output.text);
    log_reader_close(reader);
}

static void test_show_one_as_json(void **state)
{
    const struct sample *sample = *state;
    struct output output;
    make_log(sample);
    struct log_reader *reader = open_reader(sample);
    assert_int_equal(log_reader_show(reader, 4, true, begin(&output), NULL), 0);
    const char *text = end(&output);
    assert_non_null(strstr(text, "\"verdict\":null"));
    assert_non_null(strstr(text, "\"operator_sentence\":null,\"fuses\":[{\"fuse\":\"low\","
                                 "\"found\":98,\"asked\":94,\"decision\":\"unknown\","
                                 "\"read_back\":null},"));
    assert_non_null(strstr(text, "\"steps\":[{\"step\":\"erase\",\"started_at\":"
                                 "\"2024-03-01T12:00:00.250000Z\",\"duration_us\":9500,"
                                 "\"bytes\":0,\"failure\":null}]}\n"));
    assert_ptr_equal(strchr(text, '\n'), text + output.bytes - 1); /* one line */
    free(output.text);
    log_reader_close(reader);
}

/* Boards 1 and 3 are made under two accepted risks; 2 never was there. 1 is opened before it is
 * closed, the others are opened and closed at once. */
static void make_risky_log(const struct sample *sample)
{
    struct log_options options = sample_options(sample->path);
    struct failure failure = {0};
    struct log *log = NULL;
    int recovered;
    assert_int_equal(log_open(&options, &log, &recovered, &failure), 0);
    for (int site = 1; site <= 3; site++) {
        struct record_attempt record = sample_record("L1", site);
        record.risks[0] = (struct record_risk){"dwen", "debugged, because: 2 in the field"};
        record.risks[1] = (struct record_risk){"clock-frequency", "as its maker has it"};
        record.risk_count = 2;
        if (site == 1) {
            assert_int_equal(log_open_attempt(log, &record, &failure), 0);
        }
        sample_pass(&record);
        record.verdict = site == 2 ? VERDICT_EMPTY : VERDICT_PASS;
        record.fuse_count = site == 2 ? 0 : record.fuse_count;
        assert_int_equal(log_close_attempt(log, &record, NULL, 0, &failure), 0);
    }
    assert_int_equal(log_close(log, &failure), 0);
}

static void test_accepted_risks_are_logged_with_every_board(void **state)
{
    static const char *const expected[] = {
        "attempt 1: dwen, because: debugged, because: 2 in the field",
        "attempt 1: clock-frequency, because: as its maker has it",
        "attempt 3: dwen, because: debugged, because: 2 in the field",
        "attempt 3: clock-frequency, because: as its maker has it"};
    const struct sample *sample = *state;
    struct failure failure = {0};
    make_risky_log(sample);
    for (int i = 0; i < 5; i++) {
        char sql[160];
        (void)snprintf(sql, sizeof sql,
                       "SELECT detail FROM events WHERE kind = 'risk-accepted' ORDER BY event "
                       "LIMIT 1 OFFSET %d",
                       i);
        assert_string_equal(sample_query(sample->path, sql), i < 4 ? expected[i] : "(none)");
    }
    assert_int_equal(sample_verify(sample->path, &failure), 0);
}

static void test_show_accepted_risks(void **state)
{
    static const char *const json[] = {
        NULL,
        "\"risks\":[{\"rule\":\"dwen\",\"because\":\"debugged, because: 2 in the field\"},"
        "{\"rule\":\"clock-frequency\",\"because\":\"as its maker has it\"}],",
        "\"risks\":[],",
        "\"risks\":[{\"rule\":\"dwen\",\"because\":\"debugged, because: 2 in the field\"},",
    };
    const struct sample *sample = *state;
    struct output output;
    make_risky_log(sample);
    struct log_reader *reader = open_reader(sample);
    for (int attempt = 1; attempt <= 3; attempt++) {
        assert_int_equal(log_reader_show(reader, attempt, true, begin(&output), NULL), 0);
        assert_non_null(strstr(end(&output), json[attempt]));
        free(output.text);
        assert_int_equal(log_reader_show(reader, attempt, false, begin(&output), NULL), 0);
        const char *text = strstr(end(&output), "accepted risk        dwen, because: debugged, "
                                                "because: 2 in the field\n"
                                                "accepted risk        clock-frequency, because: ");
        assert_true((text != NULL) == (attempt != 2));
        free(output.text);
    }
    log_reader_close(reader);
}

static void test_show_an_attempt_that_is_not_there(void **state)
{
    const struct sample *sample = *state;
    struct failure failure = {0};
    make_log(sample);
    struct log_reader *reader = open_reader(sample);
    assert_int_equal(log_reader_show(reader, 5, false, stdout, &failure), -1);
    assert_int_equal(failure.code, FAILURE_USAGE);
    assert_string_equal(failure.detail, "the log has no attempt 5");
    log_reader_close(reader);
}

static void test_control_characters_stay_off_the_terminal(void **state)
{
    const struct sample *sample = *state;
    struct output output;
    make_log(sample);
    assert_int_equal(sample_exec(sample->path,
                                 "DROP TRIGGER attempt_opened_no_update; UPDATE attempt_opened SET "
                                 "article = char(27) || '[2J' WHERE attempt = 1",
                                 NULL),
                     0);
    struct log_reader *reader = open_reader(sample);
    assert_int_equal(log_reader_list(reader, &(struct log_list_options){0}, begin(&output), NULL),
                     0);
    assert_null(strchr(end(&output), '\x1b'));
    assert_non_null(strstr(output.text, "?[2J"));
    free(output.text);
    log_reader_close(reader);
}

static void test_output_that_cannot_be_written(void **state)
{
    const struct sample *sample = *state;
    struct failure failure = {0};
    FILE *full = fopen("/dev/full", "w");
    if (full == NULL) {
        skip();
    }
    make_log(sample);
    struct log_reader *reader = open_reader(sample);
    assert_int_equal(log_reader_list(reader, &(struct log_list_options){0}, full, &failure), -1);
    clearerr(full);
    assert_int_equal(log_reader_show(reader, 1, true, full, &failure), -1);
    clearerr(full);
    assert_int_equal(log_reader_verify(reader, NULL, false, full, &failure), -1);
    log_reader_close(reader);
    (void)fclose(full);
}

static void expect_no_log(const char *path)
{
    struct log_reader *reader;
    struct failure failure = {0};
    assert_int_equal(log_reader_open(path, &reader, &failure), -1);
    assert_int_equal(failure.code, FAILURE_LOG);
    assert_non_null(strstr(failure.detail, path));
}

static void test_what_is_no_log_is_refused(void **state)
{
    const struct sample *sample = *state;
    expect_no_log(sample->path); /* not there, and not made either */
    assert_int_equal(access(sample->path, F_OK), -1);
    FILE *file = fopen(sample->path, "w");
    assert_non_null(file);
    (void)fclose(file);
    expect_no_log(sample->path); /* empty */
    assert_int_equal(sample_exec(sample->path, "CREATE TABLE t(x)", NULL), 0);
    expect_no_log(sample->path);
}

/* --- the chain --- */

static void test_verify_prints_rows_and_head(void **state)
{
    const struct sample *sample = *state;
    char expected[256], rows[32];
    struct output output;
    make_log(sample);
    strcpy(rows, sample_query(sample->path, "SELECT sequence - 1 FROM chain_next"));
    (void)snprintf(expected, sizeof expected, "%s rows, all fit; head %s\n", rows,
                   sample_query(sample->path, "SELECT hash FROM event ORDER BY sequence DESC"));
    struct log_reader *reader = open_reader(sample);
    assert_int_equal(log_reader_verify(reader, NULL, false, begin(&output), NULL), 0);
    assert_string_equal(end(&output), expected);
    free(output.text);
    assert_int_equal(log_reader_verify(reader, NULL, true, begin(&output), NULL), 0);
    assert_int_equal(strncmp(end(&output), "{\"fits\":true,\"rows\":", 20), 0);
    free(output.text);
    log_reader_close(reader);
}

/* The chain itself fits when its last rows are gone. */
static void test_a_noted_head_tells_of_a_tail_cut_off(void **state)
{
    const struct sample *sample = *state;
    char head[65], rows[32];
    struct output output;
    struct failure failure = {0};
    make_log(sample);
    strcpy(rows, sample_query(sample->path, "SELECT sequence - 1 FROM chain_next"));
    strcpy(head, sample_query(sample->path, "SELECT hash FROM event ORDER BY sequence DESC"));
    struct log_reader *reader = open_reader(sample);
    assert_int_equal(log_reader_verify(reader, head, true, begin(&output), NULL), 0);
    assert_int_equal(strncmp(end(&output), "{\"fits\":true,\"rows\":", 20), 0);
    assert_non_null(strstr(strstr(output.text, "\"noted_sequence\":"), rows));
    free(output.text);
    log_reader_close(reader);
    assert_int_equal(sample_exec(sample->path,
                                 "DROP TRIGGER event_no_delete; "
                                 "DELETE FROM event WHERE sequence = (SELECT max(sequence) FROM "
                                 "event); CREATE TRIGGER event_no_delete BEFORE DELETE ON event "
                                 "BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END",
                                 NULL),
                     0);
    assert_int_equal(sample_verify(sample->path, &failure), 0);
    reader = open_reader(sample);
    assert_int_equal(log_reader_verify(reader, head, true, begin(&output), &failure), -1);
    assert_non_null(strstr(end(&output), "\"fits\":false"));
    assert_int_equal(failure.code, FAILURE_LOG);
    assert_non_null(strstr(failure.detail, "rows were cut off at the end"));
    free(output.text);
    log_reader_close(reader);
}

/* What somebody with the sqlite3 program and no respect for triggers may do to one table. */
static const struct {
    const char *table, *deed, *said;
} deeds[] = {
    {"attempt_closed", "UPDATE attempt_closed SET verdict = 'fail' WHERE attempt = 1",
     "(attempt_closed) was changed"},
    {"attempt_opened", "UPDATE attempt_opened SET lot = NULL WHERE attempt = 2",
     "(attempt_opened) was changed"},
    {"fuse_result",
     "UPDATE fuse_result SET read_back = read_back + 1 WHERE attempt = 1 AND "
     "fuse = 'low'",
     "(fuse_result) was changed"},
    {"step", "UPDATE step SET station = 'other' WHERE attempt = 2", "(step) was changed"},
    {"step", "DELETE FROM step WHERE attempt = 2", "a row before it is missing"},
    {"event", "DELETE FROM event WHERE sequence = 1", "a row before it is missing"},
    /* two rows change places: first their numbers only, then all but their hashes */
    {"fuse_intent",
     "UPDATE fuse_intent SET sequence = -1 WHERE sequence = 3;"
     "UPDATE fuse_intent SET sequence = 3 WHERE sequence = 4;"
     "UPDATE fuse_intent SET sequence = 4 WHERE sequence = -1",
     "does not follow on the row before it"},
    {"fuse_intent",
     "CREATE TEMP TABLE a AS SELECT * FROM fuse_intent WHERE sequence = 3;"
     "CREATE TEMP TABLE b AS SELECT * FROM fuse_intent WHERE sequence = 4;"
     "UPDATE fuse_intent SET fuse = 'x' WHERE sequence = 3;"
     "UPDATE fuse_intent SET (fuse, found, asked) = (SELECT fuse, found, asked FROM a) "
     "WHERE sequence = 4;"
     "UPDATE fuse_intent SET (fuse, found, asked) = (SELECT fuse, found, asked FROM b) "
     "WHERE sequence = 3",
     "row 3 (fuse_intent) was changed"},
    {"event", "UPDATE event SET encoding = 2 WHERE sequence = 1", "encoding"},
    {"event",
     "INSERT INTO event SELECT sequence, 'bench-2', 0, 'x', NULL, hash, hash, 1 FROM chain_next, "
     "(SELECT hash FROM event ORDER BY sequence DESC LIMIT 1)",
     "(event) was changed"},
};

/* Without the triggers, does the deed, and makes them again as they were, so that only the rows
 * tell. */
static void do_behind_the_triggers(const char *path, const char *table, const char *deed)
{
    static const char *const kinds[] = {"no_update", "no_delete", "only_append"};
    char sql[4096];
    size_t used = 0;
    struct failure failure = {0};
    char triggers[3][1024];
    for (int i = 0; i < 3; i++) {
        char query[128];
        (void)snprintf(query, sizeof query, "SELECT sql FROM sqlite_schema WHERE name = '%s_%s'",
                       table, kinds[i]);
        (void)snprintf(triggers[i], sizeof triggers[i], "%s", sample_query(path, query));
        used +=
            (size_t)snprintf(sql + used, sizeof sql - used, "DROP TRIGGER %s_%s;", table, kinds[i]);
    }
    (void)snprintf(sql + used, sizeof sql - used, "%s;%s;%s;%s", deed, triggers[0], triggers[1],
                   triggers[2]);
    if (sample_exec(path, sql, &failure) < 0) {
        fail_msg("%s", failure.detail);
    }
}

static void test_verify_catches_every_deed(void **state)
{
    const struct sample *sample = *state;
    for (size_t i = 0; i < sizeof deeds / sizeof deeds[0]; i++) {
        struct failure failure = {0};
        make_log(sample);
        assert_int_equal(sample_verify(sample->path, &failure), 0);
        do_behind_the_triggers(sample->path, deeds[i].table, deeds[i].deed);
        int result = sample_verify(sample->path, &failure);
        if (result == 0 || failure.code != FAILURE_LOG ||
            strstr(failure.detail, deeds[i].said) == NULL) {
            fail_msg("%s: %d '%s'", deeds[i].deed, result, failure.detail);
        }
        assert_int_equal(unlink(sample->path), 0);
    }
}

/* One bit in the middle of a text that SQLite itself does not check. */
static void test_verify_catches_a_flipped_bit_in_the_file(void **state)
{
    const struct sample *sample = *state;
    static char bytes[1 << 18];
    struct failure failure = {0};
    make_log(sample);
    FILE *file = fopen(sample->path, "r+");
    assert_non_null(file);
    size_t count = fread(bytes, 1, sizeof bytes, file);
    char *at = memmem(bytes, count, "planck-rev4", 11);
    assert_non_null(at);
    *at ^= 0x01;
    assert_int_equal(fseek(file, at - bytes, SEEK_SET), 0);
    assert_int_equal(fwrite(at, 1, 1, file), 1);
    (void)fclose(file);
    assert_int_equal(sample_verify(sample->path, &failure), -1);
    assert_non_null(strstr(failure.detail, "(attempt_opened) was changed"));
}

static void test_verify_catches_an_altered_view(void **state)
{
    const struct sample *sample = *state;
    struct failure failure = {0};
    struct output output;
    make_log(sample);
    assert_int_equal(
        sample_exec(sample->path, "DROP VIEW steps; CREATE VIEW steps AS SELECT 1", NULL), 0);
    struct log_reader *reader = open_reader(sample);
    assert_int_equal(log_reader_verify(reader, NULL, true, begin(&output), &failure), -1);
    assert_non_null(strstr(end(&output), "\"fits\":false"));
    assert_non_null(strstr(output.text, "\"complaint\":\"steps of this log was altered\""));
    assert_non_null(strstr(failure.detail, "steps of this log was altered"));
    free(output.text);
    log_reader_close(reader);
}

static void test_verify_stands_another_table_in_the_place_of_ours(void **state)
{
    const struct sample *sample = *state;
    struct failure failure = {0};
    make_log(sample);
    assert_int_equal(sample_exec(sample->path,
                                 "DROP VIEW steps; DROP TABLE step; CREATE TABLE step(sequence); "
                                 "INSERT INTO step VALUES (1)",
                                 NULL),
                     0);
    assert_int_equal(sample_verify(sample->path, &failure), -1);
    assert_non_null(strstr(failure.detail, "columns were altered"));
}

#define WITH_SAMPLE(test) cmocka_unit_test_setup_teardown(test, sample_make, sample_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SAMPLE(test_list_is_aligned),
        WITH_SAMPLE(test_events_are_listed),
        WITH_SAMPLE(test_list_filters),
        WITH_SAMPLE(test_list_as_json_has_every_column),
        WITH_SAMPLE(test_show_one),
        WITH_SAMPLE(test_show_one_as_json),
        WITH_SAMPLE(test_accepted_risks_are_logged_with_every_board),
        WITH_SAMPLE(test_show_accepted_risks),
        WITH_SAMPLE(test_show_an_attempt_that_is_not_there),
        WITH_SAMPLE(test_control_characters_stay_off_the_terminal),
        WITH_SAMPLE(test_output_that_cannot_be_written),
        WITH_SAMPLE(test_what_is_no_log_is_refused),
        WITH_SAMPLE(test_verify_prints_rows_and_head),
        WITH_SAMPLE(test_a_noted_head_tells_of_a_tail_cut_off),
        WITH_SAMPLE(test_verify_catches_every_deed),
        WITH_SAMPLE(test_verify_catches_a_flipped_bit_in_the_file),
        WITH_SAMPLE(test_verify_catches_an_altered_view),
        WITH_SAMPLE(test_verify_stands_another_table_in_the_place_of_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
