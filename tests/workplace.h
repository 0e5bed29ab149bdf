/* A board on the simulated bench, and a session of a driver on it, for tests of drivers. Include
 * cmocka before. */
#ifndef TESTS_WORKPLACE_H
#define TESTS_WORKPLACE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jigs/programmer.h"
#include "jigs/simbench/bench.h"
#include "tests/random_bytes.h"

struct workplace {
    struct jig *jig;
    struct bench *bench;
    struct part *part;
    struct programmer *programmer;
    struct programmer_settings settings;
    struct operation operation;
    struct failure failure;
};

struct workplace_options {
    const char *driver, *model, *part;
    const char *claimed_as; /* the driver that claims it; NULL: its own */
    bool real_pace;
    unsigned baud;      /* 0: the driver's own */
    int64_t target_hz;  /* 0: not known */
    const char *faults; /* of the jig file, items of its list; NULL: none */
};

static inline void workplace_write_jig(const struct workplace_options *wanted, char *text,
                                       size_t text_bytes)
{
    char baud[24] = "";

    if (wanted->baud != 0)
        snprintf(baud, sizeof baud, ", baud: %u", wanted->baud);
    snprintf(text, text_bytes,
             "jig: parts\nbench: {simulated: true, pace: %s}\nsites:\n"
             "  - {site: 1, programmer: %s, model: %s, board: %s, crystal: 8 MHz%s}\n%s%s\n",
             wanted->real_pace ? "real" : "fast", wanted->driver, wanted->model, wanted->part, baud,
             wanted->faults != NULL ? "faults:\n  - " : "",
             wanted->faults != NULL ? wanted->faults : "");
}

/* Starts the bench; nothing is claimed yet. */
static inline void workplace_prepare(struct workplace *workplace,
                                     const struct workplace_options *wanted)
{
    char text[600];
    struct bench_options options = {.parts_directory = TEST_SOURCE_DIR "/profiles/parts",
                                    .real_pace = wanted->real_pace};

    memset(workplace, 0, sizeof *workplace);
    workplace_write_jig(wanted, text, sizeof text);
    workplace->settings.baud = wanted->baud;
    workplace->operation.deadline_us = operation_now_us() + 60000000;
    workplace->programmer = programmer_create(programmer_driver_by_name(
        wanted->claimed_as != NULL ? wanted->claimed_as : wanted->driver));
    assert_non_null(workplace->programmer);
    workplace->programmer->target_hz = wanted->target_hz;
    if (jig_parse("bench", text, strlen(text), &workplace->jig, &workplace->failure) != 0 ||
        part_load(options.parts_directory, wanted->part, &workplace->part, &workplace->failure) !=
            0)
        fail_msg("%s", workplace->failure.detail);
    options.jig = workplace->jig;
    if (bench_start(&options, &workplace->bench, &workplace->failure) != 0 ||
        place_parse(bench_place(workplace->bench, 1), &workplace->settings.place,
                    &workplace->failure) != 0)
        fail_msg("%s", workplace->failure.detail);
}

static inline int workplace_claim_and_attach(struct workplace *workplace)
{
    if (programmer_claim(workplace->programmer, &workplace->settings, &workplace->operation,
                         &workplace->failure) != 0)
        return -1;
    return programmer_attach(workplace->programmer, workplace->part, &workplace->operation,
                             &workplace->failure);
}

static inline void workplace_open(struct workplace *workplace,
                                  const struct workplace_options *wanted)
{
    workplace_prepare(workplace, wanted);
    if (workplace_claim_and_attach(workplace) != 0)
        fail_msg("%s on %s: %s", wanted->part, wanted->model, workplace->failure.detail);
}

/* Starts the bench with this fault, an item of the jig file's list; nothing is claimed yet. */
static inline void workplace_prepare_with_fault(struct workplace *workplace,
                                                struct workplace_options options, const char *fault)
{
    options.faults = fault;
    workplace_prepare(workplace, &options);
}

static inline void workplace_close(struct workplace *workplace)
{
    programmer_destroy(workplace->programmer);
    assert_int_equal(bench_stop(workplace->bench), 0);
    part_free(workplace->part);
    jig_free(workplace->jig);
}

/* Full of these letters, which a programmer takes for commands, with blank stretches. */
static inline void workplace_fill_letters(uint8_t *bytes, uint32_t count, const uint8_t *letters,
                                          size_t letter_count)
{
    uint32_t random = 7;

    for (uint32_t i = 0; i < count; i++) {
        random = random * 1664525 + 1013904223;
        uint8_t value = (uint8_t)(random >> 24);
        bytes[i] = (random >> 20 & 3) == 0 ? letters[value % letter_count] : value;
        if (i % 256 >= 100 && i % 256 < 200)
            bytes[i] = 0xFF;
    }
}

static inline void workplace_write_and_read(struct workplace *workplace, enum part_memory memory,
                                            uint32_t start, const uint8_t *bytes, uint32_t count)
{
    uint8_t *back = calloc(count, 1);

    assert_non_null(back);
    if (programmer_write(workplace->programmer, memory, start, bytes, count, NULL,
                         &workplace->operation, &workplace->failure) != 0 ||
        programmer_read(workplace->programmer, memory, start, back, count, &workplace->operation,
                        &workplace->failure) != 0)
        fail_msg("%s: %s", workplace->part->name, workplace->failure.detail);
    for (uint32_t i = 0; i < count; i++)
        if (back[i] != bytes[i])
            fail_msg("%s: %s 0x%X is %02X, expected %02X", workplace->part->name,
                     part_memory_name(workplace->part, memory), start + i, back[i], bytes[i]);
    free(back);
}

/* What the bench writes of the board. The caller frees `record`. */
static inline void workplace_read_record(struct workplace *workplace, char **record)
{
    size_t size = 0;
    FILE *stream = open_memstream(record, &size);

    assert_non_null(stream);
    assert_int_equal(bench_record_board(workplace->bench, 1, stream), 0);
    assert_int_equal(fclose(stream), 0);
}

/* What the bench's record says of the board under `key`. */
static inline int workplace_count(struct workplace *workplace, const char *key)
{
    char *record = NULL, quoted[40];
    int count = -1;

    workplace_read_record(workplace, &record);
    snprintf(quoted, sizeof quoted, "\"%s\":", key);
    const char *at = strstr(record, quoted);
    assert_non_null(at);
    assert_int_equal(sscanf(at + strlen(quoted), "%d", &count), 1);
    free(record);
    return count;
}

static inline bool workplace_is_in_reset(struct workplace *workplace)
{
    char *record = NULL;

    workplace_read_record(workplace, &record);
    assert_non_null(strstr(record, "\"in_reset\":"));
    bool is = strstr(record, "\"in_reset\":true") != NULL;
    free(record);
    return is;
}

/* Flash at real pace: no quicker than the floor says, and not much slower. */
static inline void workplace_check_pace(struct workplace_options options, uint32_t count)
{
    struct workplace workplace;
    struct programmer_speed speed = {.baud = options.baud};
    uint8_t *bytes = malloc(count);

    assert_non_null(bytes);
    for (uint32_t i = 0; i < count; i++) /* none that costs a driver more than others */
        bytes[i] = (uint8_t)(0x80 + i * 7 % 0x7F);
    options.real_pace = true;
    workplace_open(&workplace, &options);
    speed.sck_hz = workplace.programmer->sck_hz;
    int64_t before_us = operation_now_us();
    workplace_write_and_read(&workplace, PART_FLASH, 0, bytes, count);
    int64_t took_us = operation_now_us() - before_us;
    int64_t floor_us =
        workplace.programmer->driver->floor_us(workplace.part, &speed, count, count, NULL, 0);
    printf("%s: %lld us, floor %lld us\n", options.model, (long long)took_us, (long long)floor_us);
    assert_true(took_us >= floor_us);
    assert_true(took_us < 2 * floor_us); /* the machine may be busy */
    workplace_close(&workplace);
    free(bytes);
}

/* These bytes from `start` of the flash on, and the first of them as EEPROM, on a board without
 * pace. */
static inline void workplace_program_bytes(const struct workplace_options *options, uint32_t start,
                                           const uint8_t *bytes, uint32_t count)
{
    struct workplace workplace;
    uint8_t signature[3];

    workplace_open(&workplace, options);
    if (programmer_identify(workplace.programmer, signature, &workplace.operation,
                            &workplace.failure) != 0)
        fail_msg("%s: %s", options->part, workplace.failure.detail);
    assert_memory_equal(signature, workplace.part->signature, 3);
    workplace_write_and_read(&workplace, PART_FLASH, start, bytes, count);
    workplace_write_and_read(&workplace, PART_EEPROM, 5, bytes, count < 40 ? count : 40);
    workplace_close(&workplace);
}

static inline void workplace_program(const struct workplace_options *options, uint32_t start,
                                     uint32_t count)
{
    uint8_t *bytes = malloc(count);

    assert_non_null(bytes);
    fill_random(bytes, count, 7);
    workplace_program_bytes(options, start, bytes, count);
    free(bytes);
}

static inline void workplace_program_letters(struct workplace_options options, uint32_t start,
                                             uint32_t count, const uint8_t *letters,
                                             size_t letter_count)
{
    uint8_t *bytes = malloc(count);

    assert_non_null(bytes);
    workplace_fill_letters(bytes, count, letters, letter_count);
    workplace_program_bytes(&options, start, bytes, count);
    free(bytes);
}

/* On a board that takes its time: what is written too early is lost, and counted by the board. */
static inline void workplace_write_slowly(struct workplace_options options, const uint8_t *bytes,
                                          uint32_t flash_bytes, uint32_t eeprom_bytes)
{
    struct workplace workplace;

    options.real_pace = true;
    workplace_open(&workplace, &options);
    uint32_t page_size = workplace.part->flash.page_size;
    workplace_write_and_read(&workplace, PART_FLASH, page_size, bytes, flash_bytes);
    workplace_write_and_read(&workplace, PART_EEPROM, 3, bytes, eeprom_bytes);
    if (workplace_count(&workplace, "ignored_busy") != 0)
        fail_msg("%s: %d writes came too early", options.part,
                 workplace_count(&workplace, "ignored_busy"));
    assert_true(workplace_count(&workplace, "eeprom_writes") > 0);
    workplace_close(&workplace);
}

/* The values are those that tell when a part is ready, and those that do not. */
static inline void workplace_program_slowly(struct workplace_options options, uint32_t flash_bytes,
                                            uint32_t eeprom_bytes)
{
    static const uint8_t values[] = {0x12, 0x7F, 0x80, 0x00, 0xFF, 0x34, 0x35, 0x7F, 0x00, 0x80};
    uint8_t bytes[1024];

    assert_true(flash_bytes <= sizeof bytes);
    for (uint32_t i = 0; i < sizeof bytes; i++)
        bytes[i] = values[i % sizeof values];
    workplace_write_slowly(options, bytes, flash_bytes, eeprom_bytes);
}

/* The values are those that a programmer takes for commands. */
static inline void workplace_program_letters_slowly(struct workplace_options options,
                                                    uint32_t flash_bytes, uint32_t eeprom_bytes,
                                                    const uint8_t *letters, size_t letter_count)
{
    uint8_t bytes[256];

    assert_true(flash_bytes <= sizeof bytes);
    workplace_fill_letters(bytes, sizeof bytes, letters, letter_count);
    workplace_write_slowly(options, bytes, flash_bytes, eeprom_bytes);
}

/* A program before us was killed behind these bytes of a command: the programmer is found, and the
 * board attached. */
static inline void workplace_check_waiting_is_found(struct workplace_options options,
                                                    const char *begun)
{
    struct workplace workplace;
    char fault[100];

    snprintf(fault, sizeof fault, "{site: 1, fault: wrong-mode, bytes: \"%s\"}", begun);
    workplace_prepare_with_fault(&workplace, options, fault);
    if (workplace_claim_and_attach(&workplace) != 0)
        fail_msg("%s, %s: %s", options.model, begun, workplace.failure.detail);
    workplace_close(&workplace);
}

/* A program before us was killed in the session that these bytes begin: a claim lets the board go.
 */
static inline void workplace_check_board_is_let_go(struct workplace_options options,
                                                   const char *session)
{
    struct workplace workplace;
    char fault[100];

    snprintf(fault, sizeof fault, "{site: 1, fault: wrong-mode, bytes: \"%s\"}", session);
    workplace_prepare_with_fault(&workplace, options, fault);
    if (programmer_claim(workplace.programmer, &workplace.settings, &workplace.operation,
                         &workplace.failure) != 0)
        fail_msg("%s: %s", options.model, workplace.failure.detail);
    assert_false(workplace_is_in_reset(&workplace));
    workplace_close(&workplace);
}

#endif
