/* Common to the tests of the fuse gate on the wire: the whole way from profile to simulated board,
 * with a fault, judged by the board's own counters of what it was sent. */
#ifndef TESTS_GATE_WIRE_H
#define TESTS_GATE_WIRE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "jigs/jig.h"
#include "jigs/programmer.h"
#include "jigs/simbench/bench.h"
#include "profiles/profile.h"
#include "reports/log.h"
#include "station/attempt.h"

#define PARTS TEST_BINARY_DIR "/share/gangflash/parts"

/* Most cases wait for a reply that will not come, so each runs in a child of its own, several at a
 * time; a child says what is wrong and exits with 1. */
#define CHILDREN_MAX 24
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

enum { BYTES_MAX = 4 };

/* A part, and values for each of its bytes that a fresh one does not have: all are to be written.
 * The oldest parts carry them in the second byte of the instruction. */
struct wire_part {
    const char *name;
    struct {
        const char *byte;
        uint8_t value;
        const char *write; /* how the universal command for it begins */
    } bytes[BYTES_MAX];
    int count;
};

static const struct wire_part atmega328p = {"ATmega328P",
                                            {{"low", 0xFF, "56 AC A0"},
                                             {"high", 0xDE, "56 AC A8"},
                                             {"extended", 0xFD, "56 AC A4"},
                                             {"lock", 0xCF, "56 AC E0"}},
                                            4};
static const struct wire_part at90s8535 = {
    "AT90S8535", {{"fuse", 0xDE, "56 AC BE"}, {"lock", 0xFD, "56 AC FD"}}, 2};
static const struct wire_part at90s4433 = {
    "AT90S4433", {{"fuse", 0xDB, "56 AC BB"}, {"lock", 0xF9, "56 AC F9"}}, 2};

/* Places of an instruction's four bytes. */
enum { AT_0 = 1 << 0, AT_1 = 1 << 1, AT_2 = 1 << 2, AT_3 = 1 << 3 };

enum { HOSTILE_MAX = 4, HOSTILE_BYTES = 16 };

/* Bytes that fill an image: to the programmer's firmware, fuse writes. */
struct wire_hostile {
    uint8_t pattern[HOSTILE_BYTES];
    size_t count;
};

/* A programmer, and how it is spoken to when a fuse is written. The tests of all are made from
 * this. */
struct wire_programmer {
    const char *driver, *model;
    unsigned baud;
    /* The frame of a fuse write: `begin` is the end of what stands before the instruction's four
     * bytes in it, as match has it ("56 "); `before` are all bytes that stand there and `after`
     * those behind the four. */
    const char *begin;
    int before, after;
    /* Its bytes leave one after the other, each awaited: what went before cannot be changed. */
    bool byte_by_byte;
    /* Places of the instruction in which a byte with a turned bit, or one that comes twice, is
     * executed before anything could check it. There the promise is that it is read back, and that
     * a board that took it never passes. */
    int executes_turned, executes_doubled;
    /* The frame of a page: how it begins, and which of its bytes are tried, from there. */
    const char *page;
    int page_first, page_last;
    struct wire_hostile hostile[HOSTILE_MAX];
    int hostile_count;
};

/* One board with one fault on its way, and who judges it. */
struct fixture;
struct wire_case {
    const struct wire_programmer *programmer;
    const struct wire_part *part;
    uint8_t pattern[HOSTILE_BYTES]; /* fills the image */
    size_t pattern_count;
    char fault[192];
    bool (*judge)(const struct fixture *fixture);
};

struct fixture {
    const struct wire_part *part;
    const struct wire_programmer *kind;
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
    CHECK((file) != NULL);
    CHECK(fputs(text, file) >= 0);
    CHECK((fclose(file)) == (0));
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
    const struct wire_part *part = fixture->part;
    char text[600];
    int used = snprintf(text, sizeof text,
                        "format: 1\nprofile: wire\narticle: WIRE-1\nrevision: 1\nvia: isp\n"
                        "part: %s\nboard: {clock: crystal 16 MHz, supply: 5 V}\n"
                        "images:\n  - {file: image.hex}\neeprom: erase\nfuses: {",
                        part->name);
    for (int i = 0; i < part->count - 1; i++)
        used += snprintf(text + used, sizeof text - (size_t)used, "%s%s: 0x%02X", i > 0 ? ", " : "",
                         part->bytes[i].byte, part->bytes[i].value);
    /* The image has no bootloader. */
    snprintf(text + used, sizeof text - (size_t)used,
             "}\nlock: 0x%02X\n"
             "accept_risk: {rule: bootrst-without-bootloader, because: test}\n",
             part->bytes[part->count - 1].value);
    write_text(fixture, "wire.yaml", text);
}

static void write_jig(struct fixture *fixture, const char *fault)
{
    char text[600];
    snprintf(text, sizeof text,
             "jig: wire\nbench: {simulated: true, pace: fast, seed: 7}\nsites:\n"
             "  - {site: 1, programmer: %s, model: %s, board: %s, crystal: 16 MHz}\n%s%s\n",
             fixture->kind->driver, fixture->kind->model, fixture->part->name,
             fault[0] != '\0' ? "faults:\n  - " : "", fault);
    write_text(fixture, "jig.yaml", text);
}

static void fail_with(const char *what, const struct failure *failure)
{
    fprintf(stderr, "%s: %s: %s\n", what, failure_lookup(failure->code)->name, failure->detail);
    exit(1);
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
    CHECK((fixture->events) != NULL);
}

static void close_everything(struct fixture *fixture)
{
    struct failure failure = {0};
    programmer_destroy(fixture->programmer);
    CHECK((log_close(fixture->log, &failure)) == (0));
    CHECK((bench_stop(fixture->bench)) == (0));
    event_queue_free(fixture->events);
    jig_free(fixture->jig);
    profile_free(fixture->profile);
    free(fixture->record);
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", fixture->directory);
    CHECK((system(command)) == (0));
}

static int claim(struct fixture *fixture, struct failure *failure)
{
    struct operation operation = {.deadline_us = operation_now_us() + 10000000};
    struct programmer_settings settings = {.place = fixture->jig->sites[0].place,
                                           .baud = fixture->kind->baud};
    return programmer_claim(fixture->programmer, &settings, &operation, failure);
}

static struct programmer *create(const struct fixture *fixture)
{
    struct programmer *made = programmer_create(programmer_driver_by_name(fixture->kind->driver));
    CHECK(made != NULL);
    return made;
}

static bool is_of_programmer(const char *failure)
{
    return strncmp(failure, "programmer-", strlen("programmer-")) == 0;
}

/* After a failure of its programmer a site claims it anew, with what it is owed, and looks at the
 * board. Whether that succeeds is no matter here: what the board is sent by it is. */
static void claim_again(struct fixture *fixture)
{
    struct failure failure = {0};
    uint8_t signature[3];
    int owed_value = fixture->programmer->owed_value;
    programmer_destroy(fixture->programmer);
    fixture->programmer = create(fixture);
    fixture->programmer->owed_value = owed_value;
    struct operation operation = {.deadline_us = operation_now_us() + 5000000};
    if (claim(fixture, &failure) == 0 &&
        programmer_attach(fixture->programmer, fixture->profile->part, &operation, &failure) == 0)
        programmer_identify(fixture->programmer, signature, &operation, &failure);
    programmer_release(fixture->programmer, &failure);
}

static void make_attempt(struct fixture *fixture)
{
    struct failure failure = {0};
    struct plan plan;
    if (plan_make(fixture->profile, &fixture->jig->sites[0], &plan, &failure) != 0)
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
}

/* One board, from profile to closing row, with one fault on its way. */
static void run_attempt(struct fixture *fixture, bool is_sound)
{
    struct failure failure = {0};
    if (place_parse(bench_place(fixture->bench, 1), &fixture->jig->sites[0].place, &failure) != 0)
        fail_with("place", &failure);
    fixture->programmer = create(fixture);
    if (claim(fixture, &failure) == 0)
        make_attempt(fixture);
    else if (is_sound)
        fail_with("claim", &failure);
    else
        fixture->result = (struct record_attempt){.verdict = VERDICT_FAIL, .failure = failure.code};
    if (is_of_programmer(failure_lookup(fixture->result.failure)->name))
        claim_again(fixture);
    size_t size = 0;
    FILE *stream = open_memstream(&fixture->record, &size);
    CHECK((stream) != NULL);
    CHECK((bench_record_board(fixture->bench, 1, stream)) == (0));
    CHECK((fclose(stream)) == (0));
}

static void run_case(struct fixture *fixture, const struct wire_case *wire_case)
{
    memset(fixture, 0, sizeof *fixture);
    fixture->part = wire_case->part;
    fixture->kind = wire_case->programmer;
    strcpy(fixture->directory, "/tmp/gangflash-wire-XXXXXX");
    CHECK((mkdtemp(fixture->directory)) != NULL);
    write_hex(fixture, wire_case->pattern, wire_case->pattern_count);
    write_profile(fixture);
    write_jig(fixture, wire_case->fault);
    open_everything(fixture);
    run_attempt(fixture, wire_case->fault[0] == '\0');
}

/* The profile's value for a fuse of the record; -1 for a name it does not know. */
static int value_called_for(const struct fixture *fixture, const char *fuse)
{
    for (int i = 0; i < fixture->part->count; i++)
        if (strcmp(fixture->part->bytes[i].byte, fuse) == 0)
            return fixture->part->bytes[i].value;
    return -1;
}

/* Is this what a write of the called-for value looks like to the board? Bits that the instruction
 * does not carry are 1 in its record. */
static bool is_called_for(const struct fixture *fixture, const char *fuse, int value)
{
    const struct part *part = fixture->profile->part;
    int called_for = value_called_for(fixture, fuse);
    for (int i = 0; i < PART_FUSE_AND_LOCK_COUNT; i++) {
        const struct part_byte *byte = &part->bytes[i];
        if (called_for < 0 || !byte->exists || strcmp(byte->name, fuse) != 0)
            continue;
        for (int n = 0; n < 8; n++)
            if (byte->write.place[n] == 0)
                called_for |= 1 << n;
        return value == (called_for | (uint8_t)~byte->mask);
    }
    return false;
}

/* How many fuse and lock writes with a value the profile does not call for the board was sent. */
static int deviating_writes(const struct fixture *fixture, int *writes)
{
    const char *at = strstr(fixture->record, "\"fuse_writes\":");
    CHECK((at) != NULL);
    int deviating = 0;
    *writes = 0;
    while ((at = strstr(at, "\"fuse\":")) != NULL) {
        char fuse[16];
        int value, count;
        if (sscanf(at, "\"fuse\": \"%15[^\"]\", \"value\": %d, \"count\": %d", fuse, &value,
                   &count) != 3)
            CHECK((sscanf(at, "\"fuse\":\"%15[^\"]\",\"value\":%d,\"count\":%d", fuse, &value,
                          &count)) == (3));
        *writes += count;
        if (!is_called_for(fixture, fuse, value))
            deviating += count;
        at++;
    }
    return deviating;
}

/* What the board's memory says of one of its bytes. */
static int byte_of_board(const struct fixture *fixture, const char *name)
{
    char key[24];
    int value = -1;
    snprintf(key, sizeof key, "\"%s\":", name);
    const char *at = strstr(fixture->record, key);
    CHECK(at != NULL);
    CHECK(sscanf(at + strlen(key), "%d", &value) == 1);
    return value;
}

/* Does the board hold what the profile calls for, on the bits that exist? */
static bool board_is_as_called_for(const struct fixture *fixture)
{
    const struct part *part = fixture->profile->part;
    for (enum part_memory memory = PART_FUSE_LOW; memory <= PART_LOCK; memory++) {
        const char *name = part_memory_name(part, memory);
        if (part_byte(part, memory) != NULL &&
            !part_byte_equal(part, memory, (uint8_t)byte_of_board(fixture, name),
                             (uint8_t)value_called_for(fixture, name)))
            return false;
    }
    return true;
}

/* On a machine that is very busy an attempt may run out of time before its fault is met. */
static bool missed_its_fault(const struct fixture *fixture)
{
    int writes;
    return strstr(fixture->record, "\"applied\":0") != NULL &&
           deviating_writes(fixture, &writes) == 0;
}

enum { TRIES_MAX = 3 };

static void run_in_child(const struct wire_case *wire_case)
{
    struct fixture fixture;
    bool good = false;
    for (int tries = 1; !good; tries++) {
        run_case(&fixture, wire_case);
        good = wire_case->judge(&fixture);
        if (!good && (tries == TRIES_MAX || !missed_its_fault(&fixture))) {
            fprintf(stderr, "%s on %s, with the fault '%s' (verdict %s) the board was left as %s\n",
                    wire_case->part->name, wire_case->programmer->model, wire_case->fault,
                    verdict_name(fixture.result.verdict), fixture.record);
            exit(1);
        }
        close_everything(&fixture);
    }
    exit(0);
}

static int wait_for_child(void)
{
    int status = 0;
    if (wait(&status) < 0)
        return 1;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : 1;
}

static void run_cases(const struct wire_case *cases, size_t count)
{
    int running = 0, failed = 0;
    for (size_t i = 0; i < count; i++) {
        if (running == CHILDREN_MAX) {
            failed += wait_for_child();
            running--;
        }
        fflush(NULL);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            run_in_child(&cases[i]);
        running++;
    }
    while (running-- > 0)
        failed += wait_for_child();
    assert_int_equal(failed, 0);
}

#define HARMLESS {0x0C, 0x94, 0x5C, 0x00, 0x12, 0x34, 0x9A}, 7

static bool is_sent_nothing_else(const struct fixture *fixture)
{
    int writes;
    return deviating_writes(fixture, &writes) == 0;
}

static bool meets_its_fault(const struct fixture *fixture)
{
    return is_sent_nothing_else(fixture) && strstr(fixture->record, "\"applied\":1") != NULL;
}

static bool passes_with_all_writes(const struct fixture *fixture)
{
    int writes;
    return fixture->result.verdict == VERDICT_PASS && deviating_writes(fixture, &writes) == 0 &&
           writes == fixture->part->count && board_is_as_called_for(fixture);
}

/* A turned bit in the value or in the second byte is executed by the ArduinoISP sketch before
 * anything could check it; there the promise is that it is read back, and that a board that took it
 * never passes (SPIEN is one it cannot take over ISP). */
static bool is_no_false_pass(const struct fixture *fixture)
{
    return fixture->result.verdict != VERDICT_PASS || board_is_as_called_for(fixture);
}

/* ---- what the tests of every programmer have in common ---- */

enum { CASES_MAX = 1600 };

struct wire_cases {
    struct wire_case all[CASES_MAX];
    size_t count;
};

static bool is_harmless(const struct fixture *fixture)
{
    return is_sent_nothing_else(fixture) && is_no_false_pass(fixture);
}

static bool meets_its_fault_harmlessly(const struct fixture *fixture)
{
    return meets_its_fault(fixture) && is_no_false_pass(fixture);
}

static struct wire_case *add_case(struct wire_cases *cases, const struct wire_programmer *kind,
                                  const struct wire_part *part,
                                  bool (*judge)(const struct fixture *fixture))
{
    static const uint8_t harmless[] = {0x0C, 0x94, 0x5C, 0x00, 0x12, 0x34, 0x9A};
    assert_true(cases->count < CASES_MAX);
    struct wire_case *made = &cases->all[cases->count++];
    *made = (struct wire_case){.programmer = kind, .part = part, .judge = judge};
    memcpy(made->pattern, harmless, sizeof harmless);
    made->pattern_count = sizeof harmless;
    return made;
}

static void run_and_clear(struct wire_cases *cases)
{
    size_t count = cases->count;
    cases->count = 0; /* also when they fail */
    run_cases(cases->all, count);
}

/* What may happen to a byte on its way to the programmer. */
enum wire_way { WAY_LOST, WAY_DOUBLED, WAY_CUT, WAY_TURNED, WAYS = WAY_TURNED + 8 };

static void describe_way(char *text, size_t bytes, int way)
{
    static const char *const names[] = {"lost-byte, wire: to-programmer",
                                        "doubled-byte, wire: to-programmer", "cut, for: 300 ms"};
    if (way < WAY_TURNED)
        snprintf(text, bytes, "%s", names[way]);
    else
        snprintf(text, bytes, "flip, wire: to-programmer, mask: 0x%02X", 1 << (way - WAY_TURNED));
}

/* Is what comes of it executed before anything could check it? `place` counts from the
 * instruction's first byte. */
static bool is_executed(const struct wire_programmer *kind, int way, int place)
{
    int places = way >= WAY_TURNED ? kind->executes_turned : kind->executes_doubled;
    return place >= 0 && place < 4 && way != WAY_LOST && way != WAY_CUT &&
           (places & 1 << place) != 0;
}

/* How many bytes a text has that match would take. */
static int bytes_of(const char *text)
{
    return (int)(strlen(text) + 1) / 3;
}

/* How the instruction that writes one of the part's bytes begins. */
static const char *instruction_of(const struct wire_part *part, int byte)
{
    return part->bytes[byte].write + strlen("56 ");
}

static void add_way(struct wire_cases *cases, const struct wire_programmer *kind,
                    const struct wire_part *part, int byte, int place, int way)
{
    bool within = place >= -kind->before && place < 4 + kind->after && !kind->byte_by_byte;
    struct wire_case *made =
        add_case(cases, kind, part, within ? meets_its_fault_harmlessly : is_harmless);
    char text[64];
    describe_way(text, sizeof text, way);
    /* Beyond it are the frames of other fuses, of which the same is true. */
    bool beyond = kind->byte_by_byte && place > 3 + kind->after && way >= WAY_DOUBLED;
    if (is_executed(kind, way, place) || (beyond && way != WAY_CUT))
        made->judge = is_no_false_pass;
    snprintf(made->fault, sizeof made->fault,
             "{site: 1, fault: %s, match: \"%s%s\", offset: %d, times: 1}", text, kind->begin,
             instruction_of(part, byte), place + bytes_of(kind->begin));
}

/* Bytes of a neighbouring frame that are tried, too; where bytes go one by one, the frames of the
 * fuses after it. */
enum { NEAR = 4, NEAR_BYTE_BY_BYTE = 16 };

/* Is it tried? Around the first frame and the last, all but the bits; within the others, what makes
 * bytes fewer or more; of the last, every bit. */
static bool is_tried(const struct wire_part *part, int byte, bool within, int place, int way)
{
    bool last = byte == part->count - 1;
    if (way < WAY_CUT)
        return within || byte == 0 || last;
    if (way == WAY_CUT)
        return within && (byte == 0 || last);
    return (last && within) || way == WAY_TURNED + (place + byte + 64) % 8;
}

/* Every byte of every fuse and lock write, and those around it: lost, twice, the line cut there, a
 * bit turned. */
static inline void add_frames(struct wire_cases *cases, const struct wire_programmer *kind,
                              const struct wire_part *part)
{
    int first = kind->byte_by_byte ? 1 : -kind->before - NEAR;
    int last = 3 + kind->after + (kind->byte_by_byte ? NEAR_BYTE_BY_BYTE : NEAR);
    for (int byte = 0; byte < part->count; byte++)
        for (int place = first; place <= last; place++)
            for (int way = 0; way < WAYS; way++) {
                bool within = place >= -kind->before && place < 4 + kind->after;
                if (is_tried(part, byte, within, place, way))
                    add_way(cases, kind, part, byte, place, way);
            }
}

/* The programmer hangs, starts anew or is unplugged in a fuse write, or in what follows it. */
static void add_mishaps(struct wire_cases *cases, const struct wire_programmer *kind,
                        const struct wire_part *part, const char *const *faults, int fault_count)
{
    for (int i = 0; i < part->count * fault_count * 2; i++) {
        struct wire_case *made = add_case(cases, kind, part, meets_its_fault_harmlessly);
        snprintf(made->fault, sizeof made->fault, "{site: 1, fault: %s, match: \"%s\", after: %d}",
                 faults[i / 2 % fault_count], instruction_of(part, i / 2 / fault_count), i % 2);
    }
}

/* What the programmer says from the end of the verifying on, which is about the fuses: byte by byte
 * lost, twice, turned, after what it had said before. */
static inline void add_replies(struct wire_cases *cases, const struct wire_programmer *kind,
                               const struct wire_part *part)
{
    static const char *const ways[] = {"lost-byte, wire: from-programmer",
                                       "doubled-byte, wire: from-programmer", "old-reply",
                                       "flip, wire: from-programmer"};
    enum { REPLY_WAYS = 4, REPLY_BYTES = 60 };
    for (int i = 0; i < REPLY_WAYS * REPLY_BYTES; i += 2) {
        struct wire_case *made = add_case(cases, kind, part, is_harmless);
        snprintf(made->fault, sizeof made->fault,
                 "{site: 1, fault: %s, match: \"0C 94 5C 00\", offset: %d, times: 1}",
                 ways[(i + i / REPLY_WAYS) % REPLY_WAYS], 512 + i / REPLY_WAYS);
    }
}

/* Replies garbled all the time: here and there a bit, each byte again, old ones, late ones. */
static inline void add_noise(struct wire_cases *cases, const struct wire_programmer *kind,
                             const struct wire_part *part)
{
    static const char *const faults[] = {
        "flip, wire: from-programmer, rate: 0.01",
        "flip, wire: from-programmer, rate: 0.001",
        "lost-byte, wire: from-programmer, rate: 0.001",
        "doubled-byte, wire: from-programmer, rate: 0.001",
        "old-reply, rate: 0.001",
        "echo, rate: 0.02",
        "echo, rate: 0.002",
        "wrong-mode, offset: 600, bytes: \"00 00\"",
        "garbage, bytes: \"14 10 0D 1B 01 00 02 0E\"",
    };
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        struct wire_case *made = add_case(cases, kind, part, is_harmless);
        snprintf(made->fault, sizeof made->fault, "{site: 1, fault: %s}", faults[i]);
    }
}

/* Images that are fuse writes to this firmware, whole and with a byte of their first page's frame
 * lost, twice or turned. */
static inline void add_hostile_images(struct wire_cases *cases, const struct wire_programmer *kind,
                                      const struct wire_part *part)
{
    static const char *const ways[] = {"lost-byte", "doubled-byte", "flip"};
    enum { PAGE_WAYS = 3 };
    for (int image = 0; image < kind->hostile_count; image++) {
        const struct wire_hostile *hostile = &kind->hostile[image];
        for (int i = -1; i < PAGE_WAYS * (kind->page_last - kind->page_first + 1); i++) {
            struct wire_case *made =
                add_case(cases, kind, part, i < 0 ? passes_with_all_writes : is_harmless);
            memcpy(made->pattern, hostile->pattern, sizeof made->pattern);
            made->pattern_count = hostile->count;
            if (i >= 0)
                snprintf(made->fault, sizeof made->fault,
                         "{site: 1, fault: %s, wire: to-programmer, match: \"%s\", offset: %d, "
                         "times: 1}",
                         ways[i % PAGE_WAYS], kind->page, kind->page_first + i / PAGE_WAYS);
        }
    }
}

/* ---- what a test program of rows is made of ---- */

static struct wire_cases cases;

/* The test's programmer is its state. */
static const struct wire_programmer *programmer_of(void **state)
{
    return *state;
}

static void without_a_fault_all_are_written(void **state)
{
    add_case(&cases, programmer_of(state), &atmega328p, passes_with_all_writes);
    add_case(&cases, programmer_of(state), &at90s8535, passes_with_all_writes);
    add_case(&cases, programmer_of(state), &at90s4433, passes_with_all_writes);
    run_and_clear(&cases);
}

/* Those of one name, or all (NULL). Returns what main() does. */
static int try_programmers(const struct wire_programmer *programmers, int count, const char *name,
                           int (*try_one)(const struct wire_programmer *kind))
{
    int failed = 0, tried = 0;
    for (int i = 0; i < count; i++)
        if (name == NULL || strcmp(name, programmers[i].driver) == 0) {
            failed += try_one(&programmers[i]);
            tried++;
        }
    return failed > 0 || tried == 0;
}

#endif
