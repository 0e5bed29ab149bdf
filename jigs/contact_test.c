#include "jigs/contact_test.h"

#include <stdlib.h>
#include <string.h>

#include "jigs/isp.h"
#include "profiles/part_unknown.h"

#define SIGNATURE_BYTES 3
#define TRIPS_MAX (CONTACT_TEST_READINGS * SIGNATURE_BYTES)
#define INSTRUCTION_BITS 32 /* each byte of flash is read by one */
#define BLOCK_BYTES_MAX 512
#define BLOCK_BYTES_MIN 32

struct readings {
    uint8_t signatures[CONTACT_TEST_READINGS][SIGNATURE_BYTES];
    int count;
    int64_t trips_us[TRIPS_MAX];
    int trip_count;
};

/* ---- reading ---- */

static int read_by_instructions(struct programmer *programmer, struct readings *readings,
                                uint8_t signature[SIGNATURE_BYTES],
                                const struct operation *operation, struct failure *failure)
{
    for (uint8_t i = 0; i < SIGNATURE_BYTES; i++) {
        const struct isp_instruction instruction = isp_read_signature(i);
        int64_t begun_us = operation_now_us();

        if (programmer_instruct(programmer, &instruction, &signature[i], operation, failure) != 0)
            return -1;
        readings->trips_us[readings->trip_count++] = operation_now_us() - begun_us;
    }
    return 0;
}

static int read_once(struct programmer *programmer, struct readings *readings,
                     const struct operation *operation, struct failure *failure)
{
    uint8_t *signature = readings->signatures[readings->count];

    if (programmer->driver->instruct != NULL)
        return read_by_instructions(programmer, readings, signature, operation, failure);
    return programmer_read(programmer, PART_SIGNATURE, 0, signature, SIGNATURE_BYTES, operation,
                           failure);
}

static int read_all(struct programmer *programmer, struct readings *readings,
                    const struct operation *operation, struct failure *failure)
{
    struct operation silent = *operation;

    silent.progress = NULL;
    while (readings->count < CONTACT_TEST_READINGS) {
        if (read_once(programmer, readings, &silent, failure) != 0)
            return -1;
        readings->count++;
        operation_progress(operation, (uint32_t)readings->count);
    }
    return 0;
}

/* ---- judging ---- */

static int count_alike(const struct readings *readings, const uint8_t signature[SIGNATURE_BYTES])
{
    int alike = 0;

    for (int i = 0; i < readings->count; i++)
        alike += memcmp(readings->signatures[i], signature, SIGNATURE_BYTES) == 0;
    return alike;
}

/* Any other reading says more about the board than 00 and FF do. */
static void find_commonest(const struct readings *readings, struct contact_report *report)
{
    bool have_board = false;

    for (int i = 0; i < readings->count; i++) {
        const uint8_t *signature = readings->signatures[i];
        bool board = !programmer_is_no_board(signature);
        int alike = count_alike(readings, signature);

        if ((board && !have_board) || (board == have_board && alike > report->alike)) {
            memcpy(report->signature, signature, SIGNATURE_BYTES);
            report->alike = alike;
            have_board = board;
        }
    }
}

/* All readings were done. */
static enum contact_grade grade(const struct contact_report *report)
{
    if (programmer_is_no_board(report->signature))
        return CONTACT_NO_BOARD;
    return report->alike == CONTACT_TEST_READINGS && !programmer_is_echo(report->signature)
               ? CONTACT_GOOD
               : CONTACT_UNSTABLE;
}

static int compare_times(const void *a, const void *b)
{
    int64_t time_a = *(const int64_t *)a, time_b = *(const int64_t *)b;

    return (time_a > time_b) - (time_a < time_b);
}

static void judge_trips(struct readings *readings, struct contact_report *report)
{
    if (readings->trip_count == 0)
        return;
    qsort(readings->trips_us, (size_t)readings->trip_count, sizeof readings->trips_us[0],
          compare_times);
    report->trip_median_us = readings->trips_us[readings->trip_count / 2];
    report->trip_worst_us = readings->trips_us[readings->trip_count - 1];
}

/* ---- a block of flash ---- */

/* About half a second at most, where SCK is known. */
static uint32_t block_size(const struct programmer *programmer)
{
    int64_t bytes = programmer->sck_hz / INSTRUCTION_BITS / 2;

    if (bytes < BLOCK_BYTES_MIN)
        return BLOCK_BYTES_MIN;
    return bytes < BLOCK_BYTES_MAX ? (uint32_t)(bytes - bytes % BLOCK_BYTES_MIN) : BLOCK_BYTES_MAX;
}

static int time_block(struct programmer *programmer, struct contact_report *report,
                      const struct operation *operation, struct failure *failure)
{
    struct operation silent = *operation;
    uint8_t bytes[BLOCK_BYTES_MAX];
    uint32_t count = block_size(programmer);
    int64_t begun_us = operation_now_us();

    silent.progress = NULL;
    if (programmer_read(programmer, PART_FLASH, 0, bytes, count, &silent, failure) != 0)
        return -1;
    report->block_us = operation_now_us() - begun_us;
    report->block_bytes = count;
    return 0;
}

int64_t contact_test_sck_at_least_hz(const struct contact_report *report)
{
    if (report->block_us == 0)
        return 0;
    return INSTRUCTION_BITS * INT64_C(1000000) * report->block_bytes / report->block_us;
}

/* ---- the test ---- */

static bool is_about_contact(const struct failure *failure)
{
    return failure_lookup(failure->code)->blame == FAILURE_BLAME_CONTACT;
}

/* What the programmer itself finds wrong with the contact is a result, too. */
static int note_contact(struct contact_report *report, const struct failure *cause,
                        struct failure *failure)
{
    if (!is_about_contact(cause))
        return failure_set(failure, cause->code, "%s", cause->detail);
    report->failure = *cause;
    report->grade = failure_finds_nobody(cause->code) && programmer_is_no_board(report->signature)
                        ? CONTACT_NO_BOARD
                        : CONTACT_UNSTABLE;
    return 0;
}

static int test_attached(struct programmer *programmer, struct readings *readings,
                         const struct operation *operation, struct contact_report *report,
                         struct failure *failure)
{
    struct failure cause = {0};

    report->sck_hz = programmer->sck_hz;
    int result = read_all(programmer, readings, operation, &cause);
    report->readings = readings->count + (result != 0);
    find_commonest(readings, report);
    if (result != 0)
        return note_contact(report, &cause, failure);
    judge_trips(readings, report);
    report->grade = grade(report);
    if (report->grade != CONTACT_GOOD)
        return 0;
    if (time_block(programmer, report, operation, &cause) != 0)
        return note_contact(report, &cause, failure);
    return 0;
}

int contact_test(struct programmer *programmer, int64_t target_hz,
                 const struct operation *operation, struct contact_report *report,
                 struct failure *failure)
{
    struct readings readings = {.count = 0};
    struct failure cause = {0};

    *report = (struct contact_report){.grade = CONTACT_NO_BOARD};
    programmer->target_hz = target_hz;
    int result = programmer_attach(programmer, part_unknown(), operation, &cause) == 0
                     ? test_attached(programmer, &readings, operation, report, failure)
                     : note_contact(report, &cause, failure);
    if (programmer_release(programmer, &cause) != 0 && result == 0)
        result =
            failure_set(failure, cause.code, "the board may not be released: %s", cause.detail);
    return result;
}

const char *contact_grade_name(enum contact_grade grade)
{
    static const char *const names[] = {
        [CONTACT_GOOD] = "good", [CONTACT_UNSTABLE] = "unstable", [CONTACT_NO_BOARD] = "no-board"};

    return names[grade];
}
