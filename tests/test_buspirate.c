/* The Bus Pirate driver on the simulated bench: each model, each mode that a unit may be left in,
 * what a lost or turned byte may do, and that no write comes too early. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "jigs/programmer.h"
#include "jigs/simbench/bench.h"
#include "jigs/simbench/buspirate_model.h"
#include "profiles/profile.h"
#include "tests/random_bytes.h"

#define SECOND_US INT64_C(1000000)
#define CHILDREN_MAX 8

/* Most cases wait for a reply that will not come, so that they run in children, several at a time;
 * a child says what is wrong and exits with 1. */
#define FAIL(...)                                                                                  \
    do {                                                                                           \
        fprintf(stderr, __VA_ARGS__);                                                              \
        fputc('\n', stderr);                                                                       \
        exit(1);                                                                                   \
    } while (0)
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

/* A board in a simulated bench, and a session on it. */
struct workplace {
    struct jig *jig;
    struct bench *bench;
    struct part *part;
    struct programmer *programmer;
    struct programmer_settings settings;
    struct operation operation;
    char *record;
};

struct choice {
    const char *part, *model, *pace, *fault;
    uint64_t seed;
    const char *clock;
};

static struct operation within(int64_t duration_us)
{
    return (struct operation){.deadline_us = operation_now_us() + duration_us};
}

/* Up to the claim. */
static void set_up(struct workplace *workplace, const struct choice *choice)
{
    char text[600];
    struct failure failure = {0};
    struct bench_options options = {.parts_directory = TEST_SOURCE_DIR "/profiles/parts",
                                    .seed = choice->seed};

    memset(workplace, 0, sizeof *workplace);
    snprintf(text, sizeof text,
             "jig: parts\nbench: {simulated: true, pace: %s}\nsites:\n"
             "  - {site: 1, programmer: buspirate, model: %s, board: %s, crystal: 8 MHz}\n%s%s%s",
             choice->pace != NULL ? choice->pace : "fast",
             choice->model != NULL ? choice->model : "buspirate-v3",
             choice->part != NULL ? choice->part : "ATmega328P",
             choice->fault != NULL ? "faults:\n  - {site: 1, " : "",
             choice->fault != NULL ? choice->fault : "", choice->fault != NULL ? "}\n" : "");
    workplace->operation = within(600 * SECOND_US);
    workplace->programmer = programmer_create(programmer_driver_by_name("buspirate"));
    if (jig_parse("bench", text, strlen(text), &workplace->jig, &failure) != 0 ||
        part_load(options.parts_directory, workplace->jig->sites[0].board, &workplace->part,
                  &failure) != 0)
        FAIL("%s", failure.detail);
    options.jig = workplace->jig;
    options.real_pace = workplace->jig->bench.real_pace;
    if (bench_start(&options, &workplace->bench, &failure) != 0 ||
        place_parse(bench_place(workplace->bench, 1), &workplace->settings.place, &failure) != 0 ||
        programmer_claim(workplace->programmer, &workplace->settings, &workplace->operation,
                         &failure) != 0)
        FAIL("%s, %s, seed %d: %s", choice->model, choice->part, (int)choice->seed, failure.detail);
}

static void attach(struct workplace *workplace)
{
    struct failure failure = {0};

    if (programmer_attach(workplace->programmer, workplace->part, &workplace->operation,
                          &failure) != 0)
        FAIL("%s", failure.detail);
}

static void open_workplace(struct workplace *workplace, const struct choice *choice)
{
    set_up(workplace, choice);
    attach(workplace);
}

static void close_workplace(struct workplace *workplace)
{
    programmer_destroy(workplace->programmer);
    assert_int_equal(bench_stop(workplace->bench), 0);
    part_free(workplace->part);
    jig_free(workplace->jig);
    free(workplace->record);
}

static const char *look_at_record(struct workplace *workplace)
{
    size_t size = 0;

    free(workplace->record);
    FILE *stream = open_memstream(&workplace->record, &size);
    assert_non_null(stream);
    assert_int_equal(bench_record_board(workplace->bench, 1, stream), 0);
    assert_int_equal(fclose(stream), 0);
    return workplace->record;
}

/* What the bench's record says of the board under `key`. */
static int count_of(struct workplace *workplace, const char *key)
{
    char quoted[40];
    int count = -1;

    snprintf(quoted, sizeof quoted, "\"%s\":", key);
    const char *at = strstr(look_at_record(workplace), quoted);
    assert_non_null(at);
    assert_int_equal(sscanf(at + strlen(quoted), "%d", &count), 1);
    return count;
}

static void expect_signature(struct workplace *workplace)
{
    struct failure failure = {0};
    uint8_t signature[3];

    if (programmer_identify(workplace->programmer, signature, &workplace->operation, &failure) != 0)
        FAIL("%s: %s", workplace->part->name, failure.detail);
    assert_memory_equal(signature, workplace->part->signature, 3);
}

typedef void run_case(const void *context, int index);

static int wait_for_child(void)
{
    int status = 1;

    wait(&status);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : 1;
}

static void run_cases(run_case *run, const void *context, int count)
{
    int running = 0, failed = 0;

    for (int i = 0; i < count; i++) {
        if (running == CHILDREN_MAX) {
            failed += wait_for_child();
            running--;
        }
        fflush(NULL);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            run(context, i);
            exit(0);
        }
        running++;
    }
    while (running-- > 0)
        failed += wait_for_child();
    assert_int_equal(failed, 0);
}

/* ---- finding it ---- */

static const struct {
    const char *model, *firmware;
} units[] = {
    {"buspirate-v3", "Bus Pirate v3b, firmware 6.1"},
    {"buspirate-v3-old", "Bus Pirate v3b, firmware 5.9"},
    {"buspirate-v3-community", "Bus Pirate v3b, firmware 7.1"},
    {"buspirate-v4", "Bus Pirate v4, firmware 6.3-r2151"},
};
enum { UNITS = sizeof units / sizeof units[0] };

static void find_one(const void *context, int index)
{
    struct workplace workplace;
    int unit = index < BUSPIRATE_LEFT_COUNT ? 0 : index + 1 - BUSPIRATE_LEFT_COUNT;
    struct choice choice = {.model = units[unit].model, .seed = (uint64_t)index};

    (void)context;
    open_workplace(&workplace, &choice);
    CHECK(strcmp(workplace.programmer->firmware, units[unit].firmware) == 0);
    expect_signature(&workplace);
    CHECK(programmer_release(workplace.programmer, NULL) == 0);
    CHECK(strstr(look_at_record(&workplace), "\"in_reset\":false") != NULL);
    close_workplace(&workplace);
}

static void it_is_found_in_every_mode(void **state)
{
    (void)state;
    bool met[BUSPIRATE_LEFT_COUNT] = {false};
    for (int seed = 0; seed < BUSPIRATE_LEFT_COUNT; seed++)
        met[buspirate_left_by_seed((uint64_t)seed)] = true;
    for (int i = 0; i < BUSPIRATE_LEFT_COUNT; i++)
        assert_true(met[i]);
    run_cases(find_one, NULL, BUSPIRATE_LEFT_COUNT + UNITS - 1);
}

/* A pseudo terminal at whose other end nobody is, or which gives back what it is sent. */
static enum failure_code claim_pseudo_terminal(bool echo)
{
    struct programmer *programmer = programmer_create(programmer_driver_by_name("buspirate"));
    struct programmer_settings settings = {.place.kind = PLACE_PTY};
    struct operation operation = within(20 * SECOND_US);
    struct failure failure = {0};
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

    CHECK(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    CHECK(ptsname_r(master, settings.place.path, sizeof settings.place.path) == 0);
    fflush(NULL);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0)
        for (uint8_t byte;;)
            if (read(master, &byte, 1) == 1 && echo && write(master, &byte, 1) != 1)
                exit(0);
    CHECK(programmer_claim(programmer, &settings, &operation, &failure) == -1);
    programmer_destroy(programmer);
    close(master);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    return failure.code;
}

static void claim_another(const void *context, int index)
{
    (void)context;
    CHECK(claim_pseudo_terminal(index == 1) ==
          (index == 1 ? FAILURE_PROGRAMMER_UNKNOWN : FAILURE_PROGRAMMER_SILENT));
}

static void silence_and_another_language_are_told_apart(void **state)
{
    (void)state;
    run_cases(claim_another, NULL, 2);
}

/* ---- every part ---- */

/* Writes and reads back. */
static void write_and_read(struct workplace *workplace, enum part_memory memory, uint32_t start,
                           const uint8_t *bytes, uint32_t count)
{
    struct failure failure = {0};
    uint8_t *back = malloc(count);

    if (programmer_write(workplace->programmer, memory, start, bytes, count, NULL,
                         &workplace->operation, &failure) != 0 ||
        programmer_read(workplace->programmer, memory, start, back, count, &workplace->operation,
                        &failure) != 0)
        FAIL("%s: %s", workplace->part->name, failure.detail);
    for (uint32_t i = 0; i < count; i++)
        if (back[i] != bytes[i])
            FAIL("%s: %s 0x%X is %02X, expected %02X", workplace->part->name,
                 part_memory_name(workplace->part, memory), start + i, back[i], bytes[i]);
    free(back);
}

static void program_on_bench(const char *part, const char *model, uint32_t start, uint32_t count)
{
    static const uint8_t looks_like_fuse_write[] = {0x13, 0xAC, 0xA0, 0x00, 0x20};
    struct workplace workplace;
    uint8_t *bytes = malloc(count);
    struct choice choice = {.part = part, .model = model, .seed = 4};

    fill_random(bytes, count, 7);
    memset(bytes + 20, 0xFF, 8);
    memcpy(bytes + 70, looks_like_fuse_write, sizeof looks_like_fuse_write);
    open_workplace(&workplace, &choice);
    expect_signature(&workplace);
    write_and_read(&workplace, PART_FLASH, start, bytes, count);
    write_and_read(&workplace, PART_EEPROM, 5, bytes, 11);
    close_workplace(&workplace);
    free(bytes);
}

/* Among them what 06 02 does not reach: the end of the first 128 KiB, and all above without 4D; and
 * the pages whose addresses are AC 00 and AC 80. */
static const struct {
    const char *part, *model;
    uint32_t start, count;
} jobs[] = {
    {"ATmega328P", "buspirate-v3", 0x7000, 0x1000},
    {"ATmega328P", "buspirate-v3-old", 0x100, 0x400},
    {"ATmega32U4", "buspirate-v4", 0, 0x800},
    {"ATmega32A", "buspirate-v3-community", 0x400, 0x800},
    {"ATtiny85", "buspirate-v3", 0x40, 0x400},
    {"ATmega2560", "buspirate-v4", 0x1F000, 0x2000},
    {"ATmega2560", "buspirate-v3-old", 0x1FF00, 0x200},
    {"ATmega1284P", "buspirate-v3", 0x15700, 0x400},
    {"ATmega1284P", "buspirate-v3-old", 0x15800, 0x200},
    {"ATtiny841", "buspirate-v3", 0x130, 0x400},
    {"AT90S8515", "buspirate-v4", 0x123, 0x401},
    {"AT90S8515", "buspirate-v3-old", 0x150, 0x50},
};

static void do_job(const void *context, int index)
{
    (void)context;
    program_on_bench(jobs[index].part, jobs[index].model, jobs[index].start, jobs[index].count);
}

static void every_part_is_programmed(void **state)
{
    (void)state;
    run_cases(do_job, NULL, sizeof jobs / sizeof jobs[0]);
}

static void what_it_cannot_is_refused(void **state)
{
    (void)state;
    struct workplace workplace;
    struct failure failure = {0};
    struct choice choice = {0};

    set_up(&workplace, &choice);
    workplace.programmer->target_hz = 128000;
    assert_int_equal(
        programmer_attach(workplace.programmer, workplace.part, &workplace.operation, &failure),
        -1);
    assert_int_equal(failure.code, FAILURE_PROGRAMMER_REFUSED);
    workplace.programmer->target_hz = 1000000;
    attach(&workplace);
    expect_signature(&workplace);
    assert_int_equal(workplace.programmer->sck_hz, 125000);
    close_workplace(&workplace);
}

static void a_slow_board_is_found_at_a_slower_sck(void **state)
{
    (void)state;
    struct workplace workplace;
    struct choice choice = {.fault = "fault: slow-clock, clock: 250 kHz"};

    set_up(&workplace, &choice);
    workplace.programmer->target_hz = 16000000;
    attach(&workplace);
    assert_int_equal(workplace.programmer->sck_hz, 30000);
    expect_signature(&workplace);
    close_workplace(&workplace);
}

static void an_empty_place_is_told_with_its_voltage(void **state)
{
    (void)state;
    struct workplace workplace;
    struct failure failure = {0};
    struct choice choice = {.fault = "fault: no-board"};

    set_up(&workplace, &choice);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            programmer_attach(workplace.programmer, workplace.part, &workplace.operation, &failure),
            -1);
        assert_int_equal(failure.code, FAILURE_NO_BOARD);
        assert_non_null(strstr(failure.detail, "its ADC probe measures 4.9 V"));
    }
    close_workplace(&workplace);
}

/* ---- fuses ---- */

static int send_permitted(struct workplace *workplace, bool erase, enum part_memory memory,
                          uint8_t value, struct failure *failure)
{
    struct profile profile = {.part = workplace->part};
    struct fuse_permit *permit = NULL;
    struct isp_instruction instruction;
    uint8_t reply;

    for (int i = 0; i < PART_FUSE_AND_LOCK_COUNT; i++)
        profile.rules[i].exists = true;
    if (!erase)
        profile.rules[memory - PART_FIRST_FUSE].write = value;
    struct fuse_gate *gate = fuse_gate_create(&profile);
    CHECK(fuse_gate_enter_session(gate, workplace->programmer->session, workplace->part->signature,
                                  NULL) == 0);
    if (erase)
        CHECK(fuse_gate_permit_erase(gate, &permit, NULL) == 0);
    else
        CHECK(fuse_gate_permit_write(gate, memory, (uint8_t)~value, value, &permit, NULL) == 0);
    instruction =
        erase ? isp_chip_erase(permit) : isp_write_byte(workplace->part, memory, value, permit);
    int result = programmer_instruct(workplace->programmer, &instruction, &reply,
                                     &workplace->operation, failure);
    fuse_gate_free(gate);
    return result;
}

/* Every fuse write that the board was sent is the low fuse's, with this value. */
static void expect_only_value(struct workplace *workplace, uint8_t value)
{
    char wanted[64];

    snprintf(wanted, sizeof wanted, "\"fuse\":\"low\",\"value\":%d,", value);
    for (const char *at = look_at_record(workplace); (at = strstr(at, "\"fuse\":\"")) != NULL; at++)
        if (strncmp(at, wanted, strlen(wanted)) != 0) {
            fprintf(stderr, "value %02X: %s\n", value, workplace->record);
            exit(1);
        }
    CHECK(count_of(workplace, "erases") == 0);
}

/* Values that are commands when they are taken for one. Most of them take the clock away. */
#define HARMLESS_VALUE 0xDE
/* FF and A4 after an AC would be another write. */
static const uint8_t fuse_values[] = {HARMLESS_VALUE, 0xFF, 0x12, 0x05, 0x00, 0xA4};
enum { FUSE_VALUES = sizeof fuse_values };

/* Where in 13 AC A0 00 v, which follows 13 AC 53 00 00 and goes byte by byte. */
static const struct {
    const char *match;
    int offset;
} places[] = {
    {"53 00 00", 3}, {"00 00 13", 3}, {"00 00 13 AC", 4}, {"13 AC A0", 3}, {"13 AC A0", 4}};
enum { PLACES = sizeof places / sizeof places[0] };

/* A release does it, unless a loaded machine takes all of its time (three seconds, programmer.c):
 * then the next session begins with it. */
static void settle_owed_value(struct workplace *workplace)
{
    int64_t begun_us = operation_now_us();

    programmer_release(workplace->programmer, NULL);
    if (operation_now_us() - begun_us >= 3 * SECOND_US &&
        programmer_attach(workplace->programmer, workplace->part, &workplace->operation, NULL) == 0)
        programmer_release(workplace->programmer, NULL);
    CHECK(workplace->programmer->owed_value == -1);
}

/* Whatever vanishes: the value or nothing; no success; and the next session is in step. */
static void lose_bytes(const char *model, const char *kind, int place, uint8_t value)
{
    struct workplace workplace;
    char fault[160];
    struct choice choice = {.model = model, .fault = fault, .seed = 1};

    snprintf(fault, sizeof fault, "fault: %s, match: \"%s\", offset: %d", kind, places[place].match,
             places[place].offset);
    open_workplace(&workplace, &choice);
    CHECK(send_permitted(&workplace, false, PART_FUSE_LOW, value, NULL) == -1);
    CHECK(strstr(look_at_record(&workplace), "\"applied\":1") != NULL);
    CHECK((workplace.programmer->owed_value >= 0) == (place >= 2));
    settle_owed_value(&workplace);
    expect_only_value(&workplace, value);
    if (value == HARMLESS_VALUE) {
        attach(&workplace);
        expect_signature(&workplace);
        CHECK(send_permitted(&workplace, false, PART_FUSE_LOW, value, NULL) == 0);
        expect_only_value(&workplace, value);
    }
    close_workplace(&workplace);
}

static void lose_one_byte(const void *context, int index)
{
    lose_bytes(context, "lost-byte, wire: to-programmer", index % PLACES,
               fuse_values[index / PLACES]);
}

static void cut_the_line(const void *context, int index)
{
    lose_bytes(context, "cut, for: 300 ms", index % PLACES, fuse_values[index / PLACES]);
}

static void a_lost_byte_never_makes_another_value(void **state)
{
    (void)state;
    run_cases(lose_one_byte, "buspirate-v3", FUSE_VALUES * PLACES);
    run_cases(lose_one_byte, "buspirate-v3-community", PLACES);
    run_cases(cut_the_line, "buspirate-v3", 2 * PLACES);
}

static void lose_an_answer(const void *context, int index)
{
    /* What the second byte, the third and the fourth are answered with. */
    static const struct {
        const char *match;
        int offset;
    } answers[] = {{"AC 53 00 01", 4}, {"AC 53 00 01", 5}, {"AC 53 00 01", 6}, {"AC 53 00 01", 7}};
    struct workplace workplace;
    char fault[160];
    struct choice choice = {.fault = fault, .seed = 1};
    uint8_t value = fuse_values[index / 4];

    (void)context;
    snprintf(fault, sizeof fault,
             "fault: lost-byte, wire: from-programmer, match: \"%s\", offset: %d",
             answers[index % 4].match, answers[index % 4].offset);
    open_workplace(&workplace, &choice);
    CHECK(send_permitted(&workplace, false, PART_FUSE_LOW, value, NULL) == -1);
    CHECK(strstr(look_at_record(&workplace), "\"applied\":1") != NULL);
    programmer_release(workplace.programmer, NULL);
    expect_only_value(&workplace, value);
    close_workplace(&workplace);
}

static void a_lost_answer_is_no_success(void **state)
{
    (void)state;
    run_cases(lose_an_answer, NULL, 2 * 4);
}

/* The programmer that waits for the value is claimed by another instance, which was told. */
static void claim_with_owed_value(const void *context, int index)
{
    struct workplace workplace;
    struct failure failure = {0};
    struct choice choice = {
        .seed = 1,
        .fault = "fault: lost-byte, wire: to-programmer, match: \"13 AC A0\", offset: 3"};

    (void)context;
    (void)index;
    open_workplace(&workplace, &choice);
    CHECK(send_permitted(&workplace, false, PART_FUSE_LOW, 0xDE, NULL) == -1);
    struct programmer *next = programmer_create(workplace.programmer->driver);
    next->owed_value = workplace.programmer->owed_value;
    workplace.programmer->attached = false;
    workplace.operation = within(0); /* it can say nothing any more */
    workplace.programmer->driver->unclaim(workplace.programmer);
    free(workplace.programmer);
    workplace.programmer = next;
    workplace.operation = within(60 * SECOND_US);
    if (programmer_claim(next, &workplace.settings, &workplace.operation, &failure) != 0)
        CHECK(failure.code == FAILURE_NONE);
    CHECK(next->owed_value == -1);
    expect_only_value(&workplace, 0xDE);
    close_workplace(&workplace);
}

static void a_claim_begins_with_the_value_that_is_owed(void **state)
{
    (void)state;
    run_cases(claim_with_owed_value, NULL, 1);
}

/* 80 that became A0 would write 00 to the low fuse. */
static void an_erase_that_was_garbled_is_not_completed(void **state)
{
    (void)state;
    struct workplace workplace;
    struct failure failure = {0};
    struct choice choice = {
        .fault = "fault: flip, wire: to-programmer, match: \"12 AC 80\", offset: 2, mask: 0x20"};

    open_workplace(&workplace, &choice);
    assert_int_equal(send_permitted(&workplace, true, PART_FLASH, 0, &failure), -1);
    assert_int_equal(failure.code, FAILURE_CONTACT_LOST);
    programmer_release(workplace.programmer, NULL);
    attach(&workplace);
    expect_signature(&workplace);
    expect_only_value(&workplace, 0);
    assert_null(strstr(workplace.record, "\"fuse\":\""));
    assert_int_equal(send_permitted(&workplace, true, PART_FLASH, 0, &failure), 0);
    assert_int_equal(count_of(&workplace, "erases"), 1);
    close_workplace(&workplace);
}

/* ---- pages ---- */

static const struct {
    const char *part, *model, *fault;
    uint32_t start;
    int offset;
    const char *match;
} spoilt[] = {
    {"ATmega328P", "buspirate-v3", "lost-byte", 0, 0, "05 02 04 00 00"},
    {"ATmega328P", "buspirate-v3", "lost-byte", 0, 1, "05 02 04 00 00"},
    {"ATmega328P", "buspirate-v3", "lost-byte", 0, 2, "05 02 04 00 00"},
    {"ATmega328P", "buspirate-v3", "lost-byte", 0, 3, "05 02 04 00 00"},
    {"ATmega328P", "buspirate-v3", "lost-byte", 0, 5, "05 02 04 00 00"},
    {"ATmega328P", "buspirate-v3", "lost-byte", 0, 7, "05 02 04 00 00"},
    {"ATmega328P", "buspirate-v3", "lost-byte", 0, 8, "05 02 04 00 00"},
    {"ATmega328P", "buspirate-v3", "lost-byte", 0, 300, "05 02 04 00 00"},
    {"ATmega328P", "buspirate-v3", "lost-byte", 0, 517, "05 02 04 00 00"},
    {"ATmega328P", "buspirate-v3", "flip, mask: 0x01", 0, 0, "05 02 04 00 00"},
    {"ATmega328P", "buspirate-v3", "flip, mask: 0x10", 0, 0, "05 02 04 00 00"},
    {"ATmega328P", "buspirate-v3", "flip, mask: 0x02", 0, 1, "05 02 04 00 00"},
    {"ATmega328P", "buspirate-v3", "flip, mask: 0x04", 0, 2, "05 02 04 00 00"},
    {"ATmega328P", "buspirate-v3-community", "lost-byte", 0, 0, "05 02 04 00 00"},
    {"ATmega328P", "buspirate-v3-community", "lost-byte", 0, 2, "05 02 04 00 00"},
    {"ATmega328P", "buspirate-v3-community", "lost-byte", 0, 9, "05 02 04 00 00"},
    {"ATmega328P", "buspirate-v3-old", "lost-byte", 0, 0, "1F 40 00 00"},
    {"ATmega328P", "buspirate-v3-old", "lost-byte", 0, 1, "1F 40 00 00"},
    {"ATmega328P", "buspirate-v3-old", "lost-byte", 0, 4, "1F 40 00 00"},
    /* The page whose address is AC 80 in words: a shift by one would erase the chip. */
    {"ATmega1284P", "buspirate-v3", "lost-byte", 0x15900, 0, "4C"},
    {"ATmega1284P", "buspirate-v3", "lost-byte", 0x15900, 0, "AC 80"},
    {"ATmega1284P", "buspirate-v3", "lost-byte", 0x15900, 0, "12 AC 80"},
    {"ATmega1284P", "buspirate-v3", "lost-byte", 0x15900, 1, "12 AC 80"},
    {"ATmega1284P", "buspirate-v3", "lost-byte", 0x15900, 2, "12 AC 80"},
};

/* An image full of the transfer command with fuse writes. */
static void spoil_a_page(const void *context, int index)
{
    static const uint8_t pattern[] = {0x13, 0xAC, 0xA0, 0x00, 0x13, 0xAC, 0xE0, 0xAC, 0xA8, 0x1F};
    struct workplace workplace;
    uint8_t bytes[512];
    char fault[160];
    struct choice choice = {
        .part = spoilt[index].part, .model = spoilt[index].model, .fault = fault, .seed = 1};

    (void)context;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = pattern[i % sizeof pattern];
    snprintf(fault, sizeof fault, "fault: %s, wire: to-programmer, match: \"%s\", offset: %d",
             spoilt[index].fault, spoilt[index].match, spoilt[index].offset);
    open_workplace(&workplace, &choice);
    int result = programmer_write(workplace.programmer, PART_FLASH, spoilt[index].start, bytes,
                                  sizeof bytes, NULL, &workplace.operation, NULL);
    CHECK(strstr(look_at_record(&workplace), "\"applied\":1") != NULL);
    CHECK(result == -1 || spoilt[index].fault[0] == 'f');
    programmer_release(workplace.programmer, NULL);
    attach(&workplace);
    expect_signature(&workplace);
    expect_only_value(&workplace, 0);
    CHECK(strstr(workplace.record, "\"fuse\":\"") == NULL);
    close_workplace(&workplace);
}

static void a_spoilt_page_writes_no_fuse(void **state)
{
    (void)state;
    run_cases(spoil_a_page, NULL, sizeof spoilt / sizeof spoilt[0]);
}

/* In EEPROM's first transfers, and in those around place AC: nothing is taken for what was read,
 * and nothing is written. */
static void spoil_reading(const void *context, int index)
{
    static const char *const matches[] = {"1F A0 00 00", "1F A0 00 A8"};
    struct workplace workplace;
    uint8_t bytes[256];
    char fault[120];
    struct choice choice = {.model = context, .fault = fault, .seed = 1};

    snprintf(fault, sizeof fault,
             "fault: lost-byte, wire: to-programmer, match: \"%s\", offset: %d, times: 1",
             matches[index % 2], index / 2);
    open_workplace(&workplace, &choice);
    CHECK(programmer_read(workplace.programmer, PART_EEPROM, 0, bytes, sizeof bytes,
                          &workplace.operation, NULL) == -1);
    CHECK(strstr(look_at_record(&workplace), "\"applied\":1") != NULL);
    programmer_release(workplace.programmer, NULL);
    attach(&workplace);
    expect_signature(&workplace);
    CHECK(strstr(look_at_record(&workplace), "\"fuse\":\"") == NULL);
    CHECK(count_of(&workplace, "erases") == 0);
    CHECK(count_of(&workplace, "flash_pages") == 0 && count_of(&workplace, "eeprom_writes") == 0);
    close_workplace(&workplace);
}

static void a_byte_lost_in_reading_writes_nothing(void **state)
{
    (void)state;
    run_cases(spoil_reading, "buspirate-v3", 2 * 17);
    run_cases(spoil_reading, "buspirate-v3-community", 2 * 5);
}

static void a_cancelled_write_ends_in_step(void **state)
{
    (void)state;
    struct workplace workplace;
    struct failure failure = {0};
    struct choice choice = {0};
    uint8_t bytes[256] = {0};
    atomic_bool cancel = true;

    open_workplace(&workplace, &choice);
    workplace.operation.cancel = &cancel;
    assert_int_equal(programmer_write(workplace.programmer, PART_FLASH, 0, bytes, sizeof bytes,
                                      NULL, &workplace.operation, &failure),
                     -1);
    assert_int_equal(failure.code, FAILURE_INTERRUPTED);
    workplace.operation.cancel = NULL;
    expect_signature(&workplace);
    close_workplace(&workplace);
}

/* ---- time ---- */

/* On boards that take their time: what is written too early is lost, and counted by the board. */
static void keep_time(const void *context, int index)
{
    static const struct choice choices[] = {
        {.model = "buspirate-v3", .pace = "real"},
        {.model = "buspirate-v3-community", .pace = "real"},
        {.model = "buspirate-v4", .pace = "real"},
        {.model = "buspirate-v3-old", .pace = "real"},
        {.model = "buspirate-v4", .pace = "real", .part = "ATmega32A"},
        {.model = "buspirate-v3", .pace = "real", .part = "AT90S8535"},
        {.model = "buspirate-v3", .fault = "fault: slow-write, factor: 3"},
        {.model = "buspirate-v3", .pace = "real", .fault = "fault: slow-write, factor: 3"},
    };
    struct workplace workplace;
    uint8_t bytes[1024];

    (void)context;
    fill_random(bytes, sizeof bytes, 3);
    memset(bytes + 132, 0xFF, 110); /* a page that is nearly empty is on the wire for 2 ms */
    set_up(&workplace, &choices[index]);
    workplace.programmer->target_hz = 1000000;
    attach(&workplace);
    int lost = count_of(&workplace, "receive_lost"); /* zeros that it did not need */
    uint32_t count = workplace.part->flash.page_write ? sizeof bytes : 32;
    write_and_read(&workplace, PART_FLASH, 0, bytes, count);
    write_and_read(&workplace, PART_EEPROM, 3, bytes, 10);
    write_and_read(&workplace, PART_EEPROM, 0, bytes + 256, 96); /* by transfers that go together */
    if (count_of(&workplace, "ignored_busy") != 0 || count_of(&workplace, "receive_lost") != lost) {
        fprintf(stderr, "%s: %s\n", choices[index].model, workplace.record);
        exit(1);
    }
    close_workplace(&workplace);
}

static void nothing_is_written_too_early(void **state)
{
    (void)state;
    run_cases(keep_time, NULL, 8);
}

static void the_floor_is_the_sum_of_its_parts(void **state)
{
    (void)state;
    const struct programmer_driver *driver = programmer_driver_by_name("buspirate");
    const struct programmer_speed speed = {.baud = 115200, .sck_hz = 1300000};
    struct part part = {.flash = {.page_size = 128, .page_write = true, .write_delay_us = 4500}};
    char text[800];
    /* 256 pages: 522 bytes of 86.805 us, 129 instructions of 32 us, in whole frames; 32768 bytes
     * back. */
    int64_t expected = (256 * 50 - 1) * 1000 + 2844426;

    assert_int_equal(driver->floor_us(&part, &speed, 32768, 32768, text, sizeof text), expected);
    assert_non_null(strstr(text, "256 pages x 49440 us"));
    assert_int_equal(driver->floor_us(&part, &speed, 32768, 32768, NULL, 0), expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_found_in_every_mode),
        cmocka_unit_test(silence_and_another_language_are_told_apart),
        cmocka_unit_test(every_part_is_programmed),
        cmocka_unit_test(what_it_cannot_is_refused),
        cmocka_unit_test(a_slow_board_is_found_at_a_slower_sck),
        cmocka_unit_test(an_empty_place_is_told_with_its_voltage),
        cmocka_unit_test(a_lost_byte_never_makes_another_value),
        cmocka_unit_test(a_lost_answer_is_no_success),
        cmocka_unit_test(a_claim_begins_with_the_value_that_is_owed),
        cmocka_unit_test(an_erase_that_was_garbled_is_not_completed),
        cmocka_unit_test(a_spoilt_page_writes_no_fuse),
        cmocka_unit_test(a_byte_lost_in_reading_writes_nothing),
        cmocka_unit_test(a_cancelled_write_ends_in_step),
        cmocka_unit_test(nothing_is_written_too_early),
        cmocka_unit_test(the_floor_is_the_sum_of_its_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
