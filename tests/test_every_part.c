/* The station over every shipped part: from a profile to a board on the simulated bench, and what
 * the board then holds, by its own word. A part for which that cannot be done is refused by the
 * plan, for a reason that is named here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "jigs/programmer.h"
#include "jigs/simbench/bench.h"
#include "profiles/profile.h"
#include "station/attempt.h"
#include "tests/shipped_parts.h"

#define PARTS TEST_BINARY_DIR "/share/gangflash/parts"

/* Most of the time is waiting, so several children share the parts; a child says what is wrong. */
#define CHILDREN 4
#define PARTS_MAX 256
#define PIECE 40 /* bytes at each place of an image */

static const char *const models[] = {"arduino-uno-isp", "pro-micro-isp", "teensy-2.0-isp"};

/* ArduinoISP clocks SCK at 125 kHz, a quarter of 500 kHz: not below it. */
static const struct {
    const char *part, *reason;
} refused[] = {{"ATtiny2313A", "takes less than 125000 Hz"},
               {"ATtiny4313", "takes less than 125000 Hz"}};

struct fixture {
    char directory[64];
    struct part *part; /* the test's own */
    struct profile *profile;
    struct jig *jig;
    struct bench *bench;
    struct log *log;
    struct event_queue *events;
    struct programmer *programmer;
    struct record_attempt result;
    char *record; /* the board's JSON line */
};

static void give_up(const struct fixture *fixture, const char *what, const char *detail)
{
    fprintf(stderr, "%s: %s: %s\n", fixture->part->name, what, detail);
    exit(1);
}

static FILE *create_file(const struct fixture *fixture, const char *name)
{
    char path[128];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", fixture->directory, name);
    file = fopen(path, "w");
    if (file == NULL)
        give_up(fixture, name, "cannot be created");
    return file;
}

/* ---- what is asked for ---- */

/* At both ends, and around each 64 KiB. Every byte value comes, those that value polling cannot see
 * too; but never FF at an end. */
static int image_byte(uint32_t size, uint32_t at)
{
    uint32_t near = at % 0x10000;
    bool is_inner = size > 0x10000 && at > PIECE && at + PIECE < size;
    bool is_there = at < PIECE || at + PIECE >= size ||
                    (is_inner && (near < PIECE / 2 || near >= 0x10000 - PIECE / 2));

    if (!is_there)
        return -1;
    return at + 1 == size ? 0x5A : (int)((at * 0x25 + (at >> 8) + 0x56) & 0xFF);
}

static void write_record(FILE *file, unsigned kind, unsigned address, unsigned count,
                         const uint8_t *bytes)
{
    unsigned sum = kind + (address >> 8 & 0xFF) + (address & 0xFF) + count;

    fprintf(file, ":%02X%04X%02X", count, address & 0xFFFF, kind);
    for (unsigned i = 0; i < count; i++) {
        sum += bytes[i];
        fprintf(file, "%02X", bytes[i]);
    }
    fprintf(file, "%02X\n", (0x100 - (sum & 0xFF)) & 0xFF);
}

static void write_hex(const struct fixture *fixture, const char *name, uint32_t size)
{
    FILE *file = create_file(fixture, name);

    for (uint32_t at = 0; at < size; at++) {
        int value = image_byte(size, at);
        const uint8_t byte = (uint8_t)value, upper[2] = {0, (uint8_t)(at >> 16)};

        if (at % 0x10000 == 0)
            write_record(file, 4, 0, 2, upper);
        if (value >= 0)
            write_record(file, 0, at, 1, &byte);
    }
    write_record(file, 1, 0, 0, NULL);
    if (fclose(file) != 0)
        give_up(fixture, name, "could not be written");
}

/* What a board has when it is new, as far as its part's file says. */
static uint8_t factory_value(const struct part *part, enum part_memory memory)
{
    const struct part_byte *byte = part_byte(part, memory);
    uint8_t value = byte->factory_default < 0 ? 0xFF : (uint8_t)byte->factory_default;

    return part->spien.memory == memory ? value & (uint8_t)~part->spien.mask : value;
}

/* A fuse bit that may be turned over: the clock, the reset pin, ISP itself and where the part
 * starts stay. */
static uint8_t harmless_bit(const struct part *part, enum part_memory memory)
{
    const struct part_bit bits[] = {part->spien, part->rstdisbl, part->dwen,
                                    part->cksel, part->ckdiv8,   part->bootrst};
    uint8_t mask = part_byte(part, memory)->mask;

    for (size_t i = 0; i < sizeof bits / sizeof bits[0]; i++)
        if (bits[i].memory == memory)
            mask &= (uint8_t)~bits[i].mask;
    return (uint8_t)(mask & -mask);
}

/* Fuses with a bit turned over; the lock bits that forbid writing, which is one below the highest
 * of the field. */
static uint8_t asked_value(const struct part *part, enum part_memory memory)
{
    const struct part_byte *byte = part_byte(part, memory);

    if (memory != PART_LOCK)
        return factory_value(part, memory) ^ harmless_bit(part, memory);
    for (size_t i = 0; i < byte->field_count; i++)
        if (strcmp(byte->fields[i].name, "LB") == 0)
            return (uint8_t) ~(byte->fields[i].mask & -byte->fields[i].mask);
    return 0xFF;
}

static void write_profile(const struct fixture *fixture)
{
    const struct part *part = fixture->part;
    FILE *file = create_file(fixture, "every.yaml");
    const char *separator = "fuses: {";

    /* The fuses are those of a new part, some bits turned over, whatever that means for a board. */
    fprintf(
        file,
        "format: 1\nprofile: every\narticle: EVERY-1\nrevision: 1\nvia: isp\npart: %s\n"
        "board: {supply: 5 V}\n"
        "accept_risk: [{rule: clock-source, because: tests}, {rule: brown-out, because: tests},\n"
        "              {rule: test-bit, because: tests}]\n"
        "images:\n  - {file: flash.hex}\n",
        part->name);
    if (part->eeprom.size > 0)
        fprintf(file, "eeprom: {file: eeprom.hex}\n");
    for (enum part_memory memory = PART_FIRST_FUSE; memory < PART_LOCK; memory++)
        if (part_byte_is_programmable(part, memory)) {
            fprintf(file, "%s%s: 0x%02X", separator, part_memory_name(part, memory),
                    asked_value(part, memory));
            separator = ", ";
        }
    if (*separator == ',')
        fprintf(file, "}\n");
    if (part_byte_is_programmable(part, PART_LOCK))
        fprintf(file, "lock: 0x%02X\n", asked_value(part, PART_LOCK));
    if (fclose(file) != 0)
        give_up(fixture, "profile", "could not be written");
}

/* ---- one board ---- */

static void open_bench(struct fixture *fixture, const char *model)
{
    struct failure failure = {0};
    struct bench_options options = {.parts_directory = PARTS, .seed = 7};
    char text[300];

    snprintf(text, sizeof text,
             "jig: every\nbench: {simulated: true, pace: fast}\nsites:\n  - {site: 1, programmer: "
             "stk500v1, model: %s, board: %s, crystal: 8 MHz, supply: 5 V}\n",
             model, fixture->part->name);
    if (jig_parse("jig", text, strlen(text), &fixture->jig, &failure) != 0)
        give_up(fixture, "jig", failure.detail);
    options.jig = fixture->jig;
    if (bench_start(&options, &fixture->bench, &failure) != 0 ||
        place_parse(bench_place(fixture->bench, 1), &fixture->jig->sites[0].place, &failure) != 0)
        give_up(fixture, "bench", failure.detail);
}

static void open_station(struct fixture *fixture)
{
    struct failure failure = {0};
    char path[128];
    int recovered = 0;

    snprintf(path, sizeof path, "%s/every.yaml", fixture->directory);
    if (profile_load(path, PARTS, &fixture->profile, &failure) != 0)
        give_up(fixture, "profile", failure.detail);
    snprintf(path, sizeof path, "%s/log.sqlite", fixture->directory);
    struct log_options options = {.path = path, .station = "test", .software = "test"};
    if (log_open(&options, &fixture->log, &recovered, &failure) != 0)
        give_up(fixture, "log", failure.detail);
    fixture->events = event_queue_create();
}

static void run_attempt(struct fixture *fixture, const struct plan *plan)
{
    struct failure failure = {0};
    struct operation operation = {.deadline_us = operation_now_us() + 60000000};
    struct programmer_settings settings = {.place = plan->site->place};
    atomic_bool cancel = false;
    struct attempt_options options = {
        .plan = plan, .log = fixture->log, .events = fixture->events, .cancel = &cancel};

    fixture->programmer = options.programmer = programmer_create(plan->driver);
    options.record.site = 1;
    record_set_text(options.record.purpose, sizeof options.record.purpose, "production");
    if (programmer_claim(fixture->programmer, &settings, &operation, &failure) != 0 ||
        attempt_run(&options, &fixture->result, &failure) != 0)
        give_up(fixture, "attempt", failure.detail);
    if (fixture->result.verdict != VERDICT_PASS)
        give_up(fixture, verdict_name(fixture->result.verdict), fixture->result.detail);
}

/* ---- what the board holds ---- */

static void read_record(struct fixture *fixture)
{
    size_t size = 0;
    FILE *stream = open_memstream(&fixture->record, &size);

    if (stream == NULL || bench_record_board(fixture->bench, 1, stream) != 0 || fclose(stream) != 0)
        give_up(fixture, "record", "is not to be had");
}

/* A memory in the record: hexadecimal digits up to the last byte that is not FF. */
static void check_array(const struct fixture *fixture, const char *key, uint32_t size)
{
    char quoted[16];
    const char *found;

    snprintf(quoted, sizeof quoted, "\"%s\":\"", key);
    found = strstr(fixture->record, quoted);
    if (found == NULL)
        give_up(fixture, key, "is not in the record");
    found += strlen(quoted);
    for (uint32_t at = 0; at < size; at++, found += 2) {
        int expected = image_byte(size, at);
        unsigned value = 0;

        if (sscanf(found, "%2x", &value) != 1)
            give_up(fixture, key, "ends too early");
        if (value != (expected < 0 ? 0xFF : (unsigned)expected))
            give_up(fixture, key, "is not as the profile has it");
    }
    if (size > 0 && *found != '"')
        give_up(fixture, key, "is too long");
}

static void check_byte(const struct fixture *fixture, enum part_memory memory)
{
    const struct part *part = fixture->part;
    const char *name = part_memory_name(part, memory);
    uint8_t expected = factory_value(part, memory);
    char quoted[24];
    const char *found;

    if (part_byte_is_programmable(part, memory))
        expected = asked_value(part, memory);
    snprintf(quoted, sizeof quoted, "\"%s\":", name);
    found = strstr(fixture->record, quoted);
    if (found == NULL ||
        !part_byte_equal(part, memory, (uint8_t)atoi(found + strlen(quoted)), expected))
        give_up(fixture, name, "is not as the profile has it");
}

/* A session until the fuses are written and one to see them act; the oldest parts begin another one
 * after their erase. */
static void check_sessions(const struct fixture *fixture)
{
    const struct part *part = fixture->part;
    bool oldest = !part->flash.page_write || strcmp(part->name, "ATmega103") == 0 ||
                  strcmp(part->name, "ATmega161") == 0 || strcmp(part->name, "ATmega163") == 0;

    if (strstr(fixture->record, oldest ? "\"enables\":3," : "\"enables\":2,") == NULL)
        give_up(fixture, "sessions", strstr(fixture->record, "\"counts\""));
}

static void check_board(struct fixture *fixture)
{
    read_record(fixture);
    check_sessions(fixture);
    check_array(fixture, "flash", fixture->part->flash.size);
    check_array(fixture, "eeprom", fixture->part->eeprom.size);
    for (enum part_memory memory = PART_FIRST_FUSE; memory <= PART_LOCK; memory++)
        if (part_byte(fixture->part, memory) != NULL)
            check_byte(fixture, memory);
    if (strstr(fixture->record, "\"erases\":1,") == NULL ||
        strstr(fixture->record, "\"ignored_locked\":0,") == NULL ||
        strstr(fixture->record, "\"ignored_unknown\":0,") == NULL)
        give_up(fixture, "counts", strstr(fixture->record, "\"counts\""));
}

/* ---- every part ---- */

static const char *reason_to_refuse(const struct part *part)
{
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        if (strcmp(refused[i].part, part->name) == 0)
            return refused[i].reason;
    return NULL;
}

static void plan_and_run(struct fixture *fixture)
{
    const char *reason = reason_to_refuse(fixture->part);
    struct failure failure = {0};
    struct plan plan;
    bool made = plan_make(fixture->profile, &fixture->jig->sites[0], &plan, &failure) == 0;

    if (made && reason != NULL)
        give_up(fixture, "planned, but not expected to be", reason);
    if (!made && (reason == NULL || strstr(failure.detail, reason) == NULL))
        give_up(fixture, "refused", failure.detail);
    if (!made)
        return;
    run_attempt(fixture, &plan);
    check_board(fixture);
}

static void close_all(struct fixture *fixture)
{
    char command[128];

    programmer_destroy(fixture->programmer);
    if (bench_stop(fixture->bench) != 0 || log_close(fixture->log, NULL) != 0)
        give_up(fixture, "end", "log or bench");
    event_queue_free(fixture->events);
    profile_free(fixture->profile);
    jig_free(fixture->jig);
    part_free(fixture->part);
    free(fixture->record);
    snprintf(command, sizeof command, "rm -r '%s'", fixture->directory);
    if (system(command) != 0)
        exit(1);
}

static void try_part(const char *name, const char *model)
{
    struct fixture fixture = {.directory = "/tmp/every-part-XXXXXX"};
    struct failure failure = {0};

    if (part_load(PARTS, name, &fixture.part, &failure) != 0 ||
        mkdtemp(fixture.directory) == NULL) {
        fprintf(stderr, "%s: %s\n", name, failure.detail);
        exit(1);
    }
    write_hex(&fixture, "flash.hex", fixture.part->flash.size);
    write_hex(&fixture, "eeprom.hex", fixture.part->eeprom.size);
    write_profile(&fixture);
    open_bench(&fixture, model);
    open_station(&fixture);
    plan_and_run(&fixture);
    close_all(&fixture);
}

static void every_part_passes_or_is_refused_by_the_plan(void **state)
{
    (void)state;
    struct part_list list = {0};
    int bad = 0;

    assert_int_equal(part_list(PARTS, &list, NULL), 0);
    assert_true(list.count >= 185);
    for (int child = 0; child < CHILDREN; child++) {
        fflush(NULL);
        pid_t process = fork();

        assert_true(process >= 0);
        if (process != 0)
            continue;
        for (size_t i = (size_t)child; i < list.count; i += CHILDREN)
            try_part(list.names[i], models[i % 3]);
        part_list_free(&list);
        exit(0);
    }
    for (int child = 0; child < CHILDREN; child++) {
        int status = 0;

        assert_true(wait(&status) > 0);
        bad += status != 0;
    }
    part_list_free(&list);
    assert_int_equal(bad, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_part_passes_or_is_refused_by_the_plan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
