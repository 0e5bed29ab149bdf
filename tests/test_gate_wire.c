/* The fuse gate, proved on the wire: the whole way from profile to simulated board, with bytes that
 * vanish or turn over at every position of a fuse write and of a page, and with images full of what
 * looks like fuse writes. Judged by the board's own counters of what it was sent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "jigs/jig.h"
#include "jigs/programmer.h"
#include "jigs/simbench/bench.h"
#include "profiles/profile.h"
#include "reports/log.h"
#include "station/attempt.h"

#define PARTS TEST_BINARY_DIR "/share/gangflash/parts"

/* A fresh ATmega328P has 62 D9 FF, so all four bytes are to be written. */
enum { LOW = 0xFF, HIGH = 0xDE, EXTENDED = 0xFD, LOCK = 0xCF };

struct fixture {
    char directory[64];
    char path[160];
    struct profile *profile;
    struct jig *jig;
    struct bench *bench;
    struct log *log;
    struct event_queue *events;
    struct programmer *programmer;
    struct record_attempt result;
    char *record; /* the board's JSON line */
};

static const char *in_directory(struct fixture *fixture, const char *name)
{
    snprintf(fixture->path, sizeof fixture->path, "%s/%s", fixture->directory, name);
    return fixture->path;
}

static void write_text(struct fixture *fixture, const char *name, const char *text)
{
    FILE *file = fopen(in_directory(fixture, name), "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* Four pages filled with `pattern`, over and over. */
static void write_hex(struct fixture *fixture, const uint8_t *pattern, size_t pattern_count)
{
    char text[4096];
    size_t used = 0;
    for (unsigned address = 0; address < 512; address += 16) {
        unsigned sum = 16 + (address >> 8) + (address & 0xFF);
        used += (size_t)snprintf(text + used, sizeof text - used, ":10%04X00", address);
        for (unsigned i = 0; i < 16; i++) {
            unsigned value = pattern[(address + i) % pattern_count];
            sum += value;
            used += (size_t)snprintf(text + used, sizeof text - used, "%02X", value);
        }
        used += (size_t)snprintf(text + used, sizeof text - used, "%02X\n", (0x100 - sum) & 0xFF);
    }
    snprintf(text + used, sizeof text - used, ":00000001FF\n");
    write_text(fixture, "image.hex", text);
}

static void write_profile(struct fixture *fixture)
{
    char text[600];
    snprintf(text, sizeof text,
             "format: 1\nprofile: wire\narticle: WIRE-1\nrevision: 1\nvia: isp\n"
             "part: ATmega328P\nboard: {clock: crystal 16 MHz, supply: 5 V}\n"
             "images:\n  - {file: image.hex}\n"
             "fuses: {low: 0x%02X, high: 0x%02X, extended: 0x%02X}\nlock: 0x%02X\neeprom: erase\n",
             LOW, HIGH, EXTENDED, LOCK);
    write_text(fixture, "wire.yaml", text);
}

static void write_jig(struct fixture *fixture, const char *fault)
{
    char text[600];
    snprintf(text, sizeof text,
             "jig: wire\nbench: {simulated: true, pace: fast, seed: 7}\nsites:\n"
             "  - {site: 1, programmer: stk500v1, model: arduino-uno-isp, board: ATmega328P, "
             "crystal: 16 MHz}\n%s%s\n",
             fault[0] != '\0' ? "faults:\n  - " : "", fault);
    write_text(fixture, "jig.yaml", text);
}

static void fail_with(const char *what, const struct failure *failure)
{
    fail_msg("%s: %s: %s", what, failure_lookup(failure->code)->name, failure->detail);
}

static void open_everything(struct fixture *fixture)
{
    struct failure failure = {0};
    if (profile_load(in_directory(fixture, "wire.yaml"), PARTS, &fixture->profile, &failure) != 0)
        fail_with("profile", &failure);
    if (jig_load(in_directory(fixture, "jig.yaml"), &fixture->jig, &failure) != 0)
        fail_with("jig", &failure);
    struct bench_options options = {.jig = fixture->jig, .parts_directory = PARTS, .seed = 7};
    if (bench_start(&options, &fixture->bench, &failure) != 0)
        fail_with("bench", &failure);
    char log_path[160];
    snprintf(log_path, sizeof log_path, "%s/log.sqlite", fixture->directory);
    struct log_options log_options = {.path = log_path, .station = "test", .software = "test"};
    int recovered = 0;
    if (log_open(&log_options, &fixture->log, &recovered, &failure) != 0)
        fail_with("log", &failure);
    fixture->events = event_queue_create();
    assert_non_null(fixture->events);
}

static void close_everything(struct fixture *fixture)
{
    struct failure failure = {0};
    programmer_destroy(fixture->programmer);
    assert_int_equal(log_close(fixture->log, &failure), 0);
    assert_int_equal(bench_stop(fixture->bench), 0);
    event_queue_free(fixture->events);
    jig_free(fixture->jig);
    profile_free(fixture->profile);
    free(fixture->record);
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", fixture->directory);
    assert_int_equal(system(command), 0);
}

/* One board, from profile to closing row, with one fault on its way. */
static void run_attempt(struct fixture *fixture)
{
    struct failure failure = {0};
    struct jig_site *site = &fixture->jig->sites[0];
    if (place_parse(bench_place(fixture->bench, 1), &site->place, &failure) != 0)
        fail_with("place", &failure);
    fixture->programmer = programmer_create(programmer_driver_by_name("stk500v1"));
    assert_non_null(fixture->programmer);
    struct operation operation = {.deadline_us = operation_now_us() + 10000000};
    struct programmer_settings settings = {.place = site->place, .baud = 19200};
    if (programmer_claim(fixture->programmer, &settings, &operation, &failure) != 0)
        fail_with("claim", &failure);
    struct plan plan;
    if (plan_make(fixture->profile, site, &plan, &failure) != 0)
        fail_with("plan", &failure);
    atomic_bool cancel = false;
    struct attempt_options options = {.plan = &plan,
                                      .programmer = fixture->programmer,
                                      .log = fixture->log,
                                      .events = fixture->events,
                                      .cancel = &cancel};
    options.record.site = 1;
    record_set_text(options.record.purpose, sizeof options.record.purpose, "production");
    if (attempt_run(&options, &fixture->result, &failure) != 0)
        fail_with("attempt", &failure);

    size_t size = 0;
    FILE *stream = open_memstream(&fixture->record, &size);
    assert_non_null(stream);
    assert_int_equal(bench_record_board(fixture->bench, 1, stream), 0);
    assert_int_equal(fclose(stream), 0);
}

static void run_case(struct fixture *fixture, const uint8_t *pattern, size_t pattern_count,
                     const char *fault)
{
    memset(fixture, 0, sizeof *fixture);
    strcpy(fixture->directory, "/tmp/gangflash-wire-XXXXXX");
    assert_non_null(mkdtemp(fixture->directory));
    write_hex(fixture, pattern, pattern_count);
    write_profile(fixture);
    write_jig(fixture, fault);
    open_everything(fixture);
    run_attempt(fixture);
}

/* The profile's value for a fuse of the record, -1 for a name it does not know. */
static int value_called_for(const char *fuse)
{
    static const struct {
        const char *fuse;
        int value;
    } called_for[] = {{"low", LOW}, {"high", HIGH}, {"extended", EXTENDED}, {"lock", LOCK}};
    for (size_t i = 0; i < sizeof called_for / sizeof called_for[0]; i++)
        if (strcmp(called_for[i].fuse, fuse) == 0)
            return called_for[i].value;
    return -1;
}

/* How many fuse and lock writes with a value the profile does not call for the board was sent. */
static int deviating_writes(const struct fixture *fixture, int *writes)
{
    const char *at = strstr(fixture->record, "\"fuse_writes\":");
    assert_non_null(at);
    int deviating = 0;
    *writes = 0;
    while ((at = strstr(at, "\"fuse\":")) != NULL) {
        char fuse[16];
        int value, count;
        if (sscanf(at, "\"fuse\": \"%15[^\"]\", \"value\": %d, \"count\": %d", fuse, &value,
                   &count) != 3)
            assert_int_equal(
                sscanf(at, "\"fuse\":\"%15[^\"]\",\"value\":%d,\"count\":%d", fuse, &value, &count),
                3);
        *writes += count;
        if (value != value_called_for(fuse))
            deviating += count;
        at++;
    }
    return deviating;
}

static const uint8_t harmless[] = {0x0C, 0x94, 0x5C, 0x00, 0x12, 0x34, 0x9A};

static void without_a_fault_all_four_are_written(void **state)
{
    (void)state;
    struct fixture fixture;
    run_case(&fixture, harmless, sizeof harmless, "");
    int writes;
    assert_int_equal(fixture.result.verdict, VERDICT_PASS);
    assert_int_equal(deviating_writes(&fixture, &writes), 0);
    assert_int_equal(writes, 4);
    close_everything(&fixture);
}

static const char *const fuse_writes[] = {"56 AC A0", "56 AC A8", "56 AC A4", "56 AC E0"};

/* 56 AC A0 00 value end: whichever byte is lost, the board is sent the profile's value or none. */
static void a_lost_byte_never_makes_another_value(void **state)
{
    (void)state;
    for (size_t fuse = 0; fuse < sizeof fuse_writes / sizeof fuse_writes[0]; fuse++)
        for (int offset = 0; offset < 6; offset++) {
            char fault[160];
            snprintf(fault, sizeof fault,
                     "{site: 1, fault: lost-byte, wire: to-programmer, match: \"%s\", "
                     "offset: %d, times: 1}",
                     fuse_writes[fuse], offset);
            struct fixture fixture;
            run_case(&fixture, harmless, sizeof harmless, fault);
            int writes;
            if (deviating_writes(&fixture, &writes) != 0)
                fail_msg("%s, byte %d lost: %s", fuse_writes[fuse], offset, fixture.record);
            assert_non_null(strstr(fixture.record, "lost-byte"));
            close_everything(&fixture);
        }
}

/* A turned bit in the value or in the second byte is executed by the ArduinoISP sketch before
 * anything could check it; there the promise is that it is read back and never passes. At every
 * other position the board is sent the profile's value or none. */
static void a_turned_bit_is_harmless_or_found(void **state)
{
    (void)state;
    enum { SECOND_BYTE = 2, VALUE = 4 };
    for (size_t fuse = 0; fuse < sizeof fuse_writes / sizeof fuse_writes[0]; fuse++)
        for (int offset = 0; offset < 6; offset++)
            for (int bit = 0; bit < 8; bit++) {
                char fault[160];
                snprintf(fault, sizeof fault,
                         "{site: 1, fault: flip, wire: to-programmer, match: \"%s\", "
                         "offset: %d, mask: 0x%02X, times: 1}",
                         fuse_writes[fuse], offset, 1 << bit);
                struct fixture fixture;
                run_case(&fixture, harmless, sizeof harmless, fault);
                int writes;
                int deviating = deviating_writes(&fixture, &writes);
                bool can_be_executed = offset == SECOND_BYTE || offset == VALUE;
                if (deviating != 0 && (!can_be_executed || fixture.result.verdict == VERDICT_PASS))
                    fail_msg("%s, bit %d of byte %d turned: %s", fuse_writes[fuse], bit, offset,
                             fixture.record);
                close_everything(&fixture);
            }
}

static void a_turned_bit_in_a_reply_never_makes_another_value(void **state)
{
    (void)state;
    for (int bit = 0; bit < 8; bit++) {
        char fault[160];
        snprintf(fault, sizeof fault,
                 "{site: 1, fault: flip, wire: from-programmer, rate: 0.01, mask: 0x%02X}",
                 1 << bit);
        struct fixture fixture;
        run_case(&fixture, harmless, sizeof harmless, fault);
        int writes;
        if (deviating_writes(&fixture, &writes) != 0)
            fail_msg("replies with bit %d turned: %s", bit, fixture.record);
        close_everything(&fixture);
    }
}

/* Images whose bytes are fuse writes, chip erases and the sketch's own command for them. */
static void an_image_full_of_fuse_writes_sends_none(void **state)
{
    (void)state;
    static const struct {
        uint8_t bytes[6];
        size_t count;
    } images[] = {
        {{0xAC, 0xA0, 0x00, 0x20}, 4},       {{0xAC, 0xE0}, 2},
        {{0x56, 0xAC, 0xA0, 0x00, 0x20}, 5}, {{0x56, 0xAC, 0xA8, 0x00, 0x12, 0x20}, 6},
        {{0x56, 0xAC, 0xE0, 0x00, 0xC0}, 5}, {{0x56, 0xAC, 0x80, 0x00, 0x20}, 5},
    };
    static const int offsets[] = {-1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 64, 127, 130, 131, 132};
    for (size_t i = 0; i < sizeof images / sizeof images[0]; i++)
        for (size_t o = 0; o < sizeof offsets / sizeof offsets[0]; o++)
            for (int flip = 0; flip < 2; flip++) {
                char fault[160] = "";
                if (offsets[o] >= 0)
                    snprintf(fault, sizeof fault,
                             "{site: 1, fault: %s, wire: to-programmer, match: \"64 00 80 46\", "
                             "offset: %d, times: 1}",
                             flip ? "flip" : "lost-byte", offsets[o]);
                struct fixture fixture;
                run_case(&fixture, images[i].bytes, images[i].count, fault);
                int writes;
                if (deviating_writes(&fixture, &writes) != 0)
                    fail_msg("image %zu, %s: %s", i, fault, fixture.record);
                if (offsets[o] < 0)
                    assert_int_equal(fixture.result.verdict, VERDICT_PASS);
                close_everything(&fixture);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_fault_all_four_are_written),
        cmocka_unit_test(a_lost_byte_never_makes_another_value),
        cmocka_unit_test(a_turned_bit_is_harmless_or_found),
        cmocka_unit_test(a_turned_bit_in_a_reply_never_makes_another_value),
        cmocka_unit_test(an_image_full_of_fuse_writes_sends_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
