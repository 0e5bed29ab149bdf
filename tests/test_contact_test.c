/* The contact is graded by what was read; the board is released on every way out, and nothing but
 * reading is asked of the programmer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "jigs/contact_test.h"
#include "profiles/part_unknown.h"

struct fake {
    struct programmer base;
    uint8_t usual[3], other[3];          /* signatures */
    int other_from, other_to;            /* these readings give the other one */
    int fails_at;                        /* reading; 0: none */
    enum failure_code attach_code, code; /* what attach and that reading fail with */
    enum failure_code release_code, block_code;
    int readings, blocks, attached, released;
    int64_t target_hz;
    atomic_bool *cancel; /* set at the tenth reading */
};

static struct fake *self(struct programmer *programmer)
{
    return (struct fake *)programmer;
}

static int end_with(enum failure_code code, struct failure *failure)
{
    return code == FAILURE_NONE ? 0 : failure_set(failure, code, "as told");
}

static void unclaim(struct programmer *programmer)
{
    (void)programmer;
}

static int attach(struct programmer *programmer, const struct operation *operation,
                  struct failure *failure)
{
    (void)operation;
    self(programmer)->attached++;
    self(programmer)->target_hz = programmer->target_hz;
    assert_ptr_equal(programmer->part, part_unknown());
    programmer->sck_hz = 100000;
    return end_with(self(programmer)->attach_code, failure);
}

static int release(struct programmer *programmer, const struct operation *operation,
                   struct failure *failure)
{
    assert_null(operation->cancel);
    self(programmer)->released++;
    return end_with(self(programmer)->release_code, failure);
}

static int instruct(struct programmer *programmer, const struct isp_instruction *instruction,
                    uint8_t *reply, const struct operation *operation, struct failure *failure)
{
    struct fake *fake = self(programmer);
    uint8_t index = instruction->bytes[2];

    assert_null(operation->progress);
    assert_int_equal(instruction->bytes[0], 0x30);
    assert_true(index < 3);
    fake->readings += index == 0;
    if (fake->cancel != NULL && fake->readings == 10)
        atomic_store(fake->cancel, true);
    if (operation_check(operation, failure) != 0)
        return -1;
    if (fake->readings == fake->fails_at)
        return end_with(fake->code, failure);
    bool other = fake->readings >= fake->other_from && fake->readings < fake->other_to;
    *reply = other ? fake->other[index] : fake->usual[index];
    return 0;
}

static int read(struct programmer *programmer, enum part_memory memory, uint32_t start,
                uint8_t *bytes, uint32_t count, const struct operation *operation,
                struct failure *failure)
{
    struct fake *fake = self(programmer);
    struct operation pause = {.deadline_us = operation->deadline_us};

    if (memory == PART_SIGNATURE) {
        fake->readings++;
        memcpy(bytes, fake->usual, 3);
        return 0;
    }
    assert_int_equal(memory, PART_FLASH);
    assert_int_equal(start, 0);
    assert_true(count <= PART_UNKNOWN_FLASH_BYTES);
    memset(bytes, 0xFF, count);
    fake->blocks++;
    operation_sleep_us(&pause, 2000, NULL);
    return end_with(fake->block_code, failure);
}

/* Erasing and writing are NULL here: they would go through instruct(), which knows but reading. */
static const struct programmer_driver driver = {.name = "fake",
                                                .instance_bytes = sizeof(struct fake),
                                                .unclaim = unclaim,
                                                .attach = attach,
                                                .release = release,
                                                .instruct = instruct,
                                                .read = read};

static const struct programmer_driver without_instructions = {.name = "fake",
                                                              .instance_bytes = sizeof(struct fake),
                                                              .unclaim = unclaim,
                                                              .attach = attach,
                                                              .release = release,
                                                              .read = read};

struct told {
    uint32_t last;
    int calls;
};

static void told(void *context, uint32_t done)
{
    struct told *told = context;

    assert_true(done > told->last);
    told->last = done;
    told->calls++;
}

static const uint8_t mega328p[3] = {0x1E, 0x95, 0x0F};
static const uint8_t nobody[3] = {0xFF, 0xFF, 0xFF};

static struct fake *make(const uint8_t usual[3])
{
    struct fake *fake = (struct fake *)programmer_create(&driver);

    assert_non_null(fake);
    memcpy(fake->usual, usual, 3);
    return fake;
}

/* The result; the programmer is gone. */
static int judge(struct fake *fake, struct contact_report *report, struct failure *failure)
{
    struct told heard = {0};
    struct operation operation = {.deadline_us = operation_now_us() + 120000000,
                                  .cancel = fake->cancel,
                                  .progress = told,
                                  .context = &heard};
    int result = contact_test(&fake->base, 12345, &operation, report, failure);

    assert_int_equal(fake->attached, 1);
    assert_int_equal(fake->target_hz, 12345);
    assert_int_equal(fake->released, fake->attach_code == FAILURE_NONE ? 1 : 0);
    assert_int_equal(fake->blocks, report->grade == CONTACT_GOOD || fake->block_code ? 1 : 0);
    assert_int_equal(heard.calls, (int)heard.last);
    programmer_destroy(&fake->base);
    return result;
}

static struct contact_report judged(struct fake *fake)
{
    struct contact_report report;
    struct failure failure = {0};

    if (judge(fake, &report, &failure) != 0)
        fail_msg("%s", failure.detail);
    return report;
}

static void all_readings_alike_are_good(void **state)
{
    (void)state;
    struct contact_report report = judged(make(mega328p));

    assert_int_equal(report.grade, CONTACT_GOOD);
    assert_memory_equal(report.signature, mega328p, 3);
    assert_int_equal(report.readings, CONTACT_TEST_READINGS);
    assert_int_equal(report.alike, CONTACT_TEST_READINGS);
    assert_int_equal(report.sck_hz, 100000);
    assert_int_equal(report.block_bytes, 512);
    assert_true(report.block_us >= 2000);
    assert_true(contact_test_sck_at_least_hz(&report) > 0);
    assert_true(contact_test_sck_at_least_hz(&report) <= 32 * 512 * 500);
    assert_true(report.trip_worst_us >= report.trip_median_us);
}

static void one_reading_that_differs_is_not(void **state)
{
    (void)state;
    struct fake *fake = make(mega328p);

    memcpy(fake->other, "\x1E\x95\x0E", 3);
    fake->other_from = 100;
    fake->other_to = 101;
    struct contact_report report = judged(fake);
    assert_int_equal(report.grade, CONTACT_UNSTABLE);
    assert_int_equal(report.alike, 99);
    assert_memory_equal(report.signature, mega328p, 3);
    assert_int_equal(report.block_bytes, 0);
    assert_int_equal(contact_test_sck_at_least_hz(&report), 0);
}

static void an_empty_place_is_told_from_a_bad_needle(void **state)
{
    (void)state;
    struct fake *fake = make(nobody);

    memcpy(fake->other, "\x00\xFF\x00", 3);
    fake->other_from = 40;
    fake->other_to = 80;
    assert_int_equal(judged(fake).grade, CONTACT_NO_BOARD);

    /* A board that showed itself once is there. */
    fake = make(nobody);
    memcpy(fake->other, mega328p, 3);
    fake->other_from = 40;
    fake->other_to = 41;
    struct contact_report report = judged(fake);
    assert_int_equal(report.grade, CONTACT_UNSTABLE);
    assert_int_equal(report.alike, 1);
    assert_memory_equal(report.signature, mega328p, 3);
}

static void a_board_out_of_step_is_not_good(void **state)
{
    (void)state;
    struct contact_report report = judged(make((const uint8_t[]){0, 1, 2}));

    assert_int_equal(report.alike, CONTACT_TEST_READINGS);
    assert_int_equal(report.grade, CONTACT_UNSTABLE);
}

static void what_the_programmer_says_of_the_contact_is_a_result(void **state)
{
    (void)state;
    struct fake *fake = make(mega328p);

    fake->fails_at = 50;
    fake->code = FAILURE_CONTACT_LOST;
    struct contact_report report = judged(fake);
    assert_int_equal(report.grade, CONTACT_UNSTABLE);
    assert_int_equal(report.failure.code, FAILURE_CONTACT_LOST);
    assert_int_equal(report.alike, 49);
    assert_int_equal(report.readings, 50);

    fake = make(mega328p);
    fake->attach_code = FAILURE_NO_BOARD;
    report = judged(fake);
    assert_int_equal(report.grade, CONTACT_NO_BOARD);
    assert_int_equal(report.readings, 0);

    fake = make(mega328p);
    fake->attach_code = FAILURE_CONTACT_UNSTABLE;
    assert_int_equal(judged(fake).grade, CONTACT_UNSTABLE);

    /* Once it had answered there was a board. */
    fake = make(mega328p);
    fake->fails_at = 2;
    fake->code = FAILURE_NO_BOARD;
    assert_int_equal(judged(fake).grade, CONTACT_UNSTABLE);

    fake = make(mega328p);
    fake->block_code = FAILURE_CONTACT_LOST;
    assert_int_equal(judged(fake).grade, CONTACT_UNSTABLE);
}

static void assert_fails(struct fake *fake, enum failure_code code)
{
    struct contact_report report;
    struct failure failure = {0};

    assert_int_equal(judge(fake, &report, &failure), -1);
    assert_int_equal(failure.code, code);
}

static void the_programmers_faults_are_no_grade(void **state)
{
    (void)state;
    atomic_bool cancel = false;
    struct fake *fake = make(mega328p);

    fake->fails_at = 100;
    fake->code = FAILURE_PROGRAMMER_SILENT;
    assert_fails(fake, FAILURE_PROGRAMMER_SILENT);
    fake = make(mega328p);
    fake->attach_code = FAILURE_PROGRAMMER_TOO_OLD;
    assert_fails(fake, FAILURE_PROGRAMMER_TOO_OLD);
    fake = make(mega328p);
    fake->block_code = FAILURE_PROGRAMMER_GONE;
    assert_fails(fake, FAILURE_PROGRAMMER_GONE);
    /* Nobody knows whether the board is still in reset. */
    fake = make(mega328p);
    fake->release_code = FAILURE_PROGRAMMER_SILENT;
    assert_fails(fake, FAILURE_PROGRAMMER_SILENT);
    fake = make(nobody);
    fake->release_code = FAILURE_PROGRAMMER_SILENT;
    assert_fails(fake, FAILURE_PROGRAMMER_SILENT);

    fake = make(mega328p);
    fake->cancel = &cancel;
    assert_fails(fake, FAILURE_INTERRUPTED);
}

static void a_programmer_without_instructions_reads_signatures(void **state)
{
    (void)state;
    struct fake *fake = (struct fake *)programmer_create(&without_instructions);

    assert_non_null(fake);
    memcpy(fake->usual, mega328p, 3);
    struct contact_report report = judged(fake);
    assert_int_equal(report.grade, CONTACT_GOOD);
    assert_int_equal(report.trip_median_us, 0);
    assert_int_equal(report.trip_worst_us, 0);
}

/* Of an unknown part nothing is known that could be written. */
static void the_unknown_part_has_no_fuses(void **state)
{
    (void)state;
    for (enum part_memory memory = PART_FIRST_FUSE; memory <= PART_LOCK; memory++)
        assert_null(part_byte(part_unknown(), memory));
    assert_int_equal(part_memory_size(part_unknown(), PART_EEPROM), 0);

    for (unsigned second = 0; second < 256; second++) {
        struct isp_instruction instruction = {.bytes = {0xAC, (uint8_t)second, 0, 0}};
        uint8_t out[4];

        assert_int_equal(isp_door_open(part_unknown(), &instruction, 1, out, NULL),
                         second == 0x53 ? 0 : -1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_readings_alike_are_good),
        cmocka_unit_test(one_reading_that_differs_is_not),
        cmocka_unit_test(an_empty_place_is_told_from_a_bad_needle),
        cmocka_unit_test(a_board_out_of_step_is_not_good),
        cmocka_unit_test(what_the_programmer_says_of_the_contact_is_a_result),
        cmocka_unit_test(the_programmers_faults_are_no_grade),
        cmocka_unit_test(a_programmer_without_instructions_reads_signatures),
        cmocka_unit_test(the_unknown_part_has_no_fuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
