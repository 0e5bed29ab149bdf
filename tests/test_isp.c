/* The four-byte instructions against the datasheets' table, and what is made of them for a driver
 * that can send one at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "jigs/isp.h"
#include "jigs/programmer.h"

#define RECORDED_MAX 2000

/* A driver that records instructions and answers from a script: F0 is busy a number of times, 30
 * gives the signature, all else the low address byte. */
struct recorder {
    struct programmer base;
    uint8_t sent[RECORDED_MAX][4];
    int count;
    int busy; /* polls until ready; -1: for ever */
};

static int record(struct programmer *programmer, const struct isp_instruction *instruction,
                  uint8_t *reply, const struct operation *operation, struct failure *failure)
{
    struct recorder *recorder = (struct recorder *)programmer;

    (void)operation;
    (void)failure;
    assert_true(recorder->count < RECORDED_MAX);
    memcpy(recorder->sent[recorder->count++], instruction->bytes, 4);
    *reply = instruction->bytes[2];
    if (instruction->bytes[0] == 0xF0) {
        *reply = recorder->busy != 0 ? 0x01 : 0x00;
        if (recorder->busy > 0)
            recorder->busy--;
    }
    return 0;
}

static const struct programmer_driver recording = {.name = "recording", .instruct = record};

static const struct part part_template = {
    .flash = {.size = 0x40000,
              .page_size = 8,
              .page_write = true,
              .write_delay_us = 500,
              .needs_extended_address = true},
    .eeprom = {.size = 64, .page_size = 4, .page_write = true, .write_delay_us = 500},
    .chip_erase_delay_us = 900,
    .fuse_write_delay_us = 500,
    .lock_write_delay_us = 500,
    .poll_ready = true,
    .poll_after_erase = true,
};

struct fixture {
    struct part part;
    struct recorder recorder;
    struct operation operation;
    struct programmer *programmer;
};

static void open_fixture(struct fixture *fixture)
{
    memset(fixture, 0, sizeof *fixture);
    fixture->part = part_template;
    fixture->operation.deadline_us = operation_now_us() + 60000000;
    fixture->programmer = &fixture->recorder.base;
    fixture->programmer->driver = &recording;
    fixture->programmer->part = &fixture->part;
    fixture->programmer->session = 1;
    fixture->programmer->extended_address = -1;
}

static void assert_instruction(struct isp_instruction instruction, const char *bytes)
{
    assert_memory_equal(instruction.bytes, bytes, 4);
    assert_null(instruction.permit);
}

static void instructions_are_the_datasheets(void **state)
{
    (void)state;
    assert_instruction(isp_programming_enable(), "\xAC\x53\x00\x00");
    assert_instruction(isp_chip_erase(NULL), "\xAC\x80\x00\x00");
    assert_instruction(isp_poll_ready(), "\xF0\x00\x00\x00");
    assert_instruction(isp_load_extended_address(0x1FFFF), "\x4D\x00\x00\x00");
    assert_instruction(isp_load_extended_address(0x20000), "\x4D\x00\x01\x00");
    assert_instruction(isp_read_flash(0x7FFE), "\x20\x3F\xFF\x00");
    assert_instruction(isp_read_flash(0x7FFF), "\x28\x3F\xFF\x00");
    assert_instruction(isp_read_flash(0x20003), "\x28\x00\x01\x00");
    assert_instruction(isp_load_flash(0x0102, 0x5A), "\x40\x00\x81\x5A");
    assert_instruction(isp_load_flash(0x0103, 0x5A), "\x48\x00\x81\x5A");
    assert_instruction(isp_write_flash_page(0x7F80), "\x4C\x3F\xC0\x00");
    assert_instruction(isp_read_eeprom(0x3FF), "\xA0\x03\xFF\x00");
    assert_instruction(isp_write_eeprom(0x3FF, 0x12), "\xC0\x03\xFF\x12");
    assert_instruction(isp_load_eeprom(3, 0x12), "\xC1\x00\x03\x12");
    assert_instruction(isp_write_eeprom_page(0x3FC), "\xC2\x03\xFC\x00");
    assert_instruction(isp_read_signature(2), "\x30\x00\x02\x00");
    assert_instruction(isp_read_calibration(1), "\x38\x00\x01\x00");
    assert_instruction(isp_read_byte(PART_FUSE_LOW), "\x50\x00\x00\x00");
    assert_instruction(isp_read_byte(PART_FUSE_HIGH), "\x58\x08\x00\x00");
    assert_instruction(isp_read_byte(PART_FUSE_EXTENDED), "\x50\x08\x00\x00");
    assert_instruction(isp_read_byte(PART_LOCK), "\x58\x00\x00\x00");
    assert_instruction(isp_write_byte(PART_FUSE_LOW, 0x5E, NULL), "\xAC\xA0\x00\x5E");
    assert_instruction(isp_write_byte(PART_FUSE_HIGH, 0xD9, NULL), "\xAC\xA8\x00\xD9");
    assert_instruction(isp_write_byte(PART_FUSE_EXTENDED, 0xF3, NULL), "\xAC\xA4\x00\xF3");
    assert_instruction(isp_write_byte(PART_LOCK, 0xCF, NULL), "\xAC\xE0\x00\xCF");
}

static void assert_sent(const struct fixture *fixture, const char *const *expected, int count)
{
    assert_int_equal(fixture->recorder.count, count);
    for (int i = 0; i < count; i++)
        if (memcmp(fixture->recorder.sent[i], expected[i], 4) != 0)
            fail_msg("instruction %d is %02X %02X %02X %02X", i, fixture->recorder.sent[i][0],
                     fixture->recorder.sent[i][1], fixture->recorder.sent[i][2],
                     fixture->recorder.sent[i][3]);
}

static void a_page_is_loaded_low_byte_first_without_blank_words(void **state)
{
    (void)state;
    static const uint8_t page[] = {0x01, 0x02, 0xFF, 0xFF, 0xFF, 0x03, 0x04, 0xFF};
    static const char *const expected[] = {
        "\x40\x00\x04\x01", "\x48\x00\x04\x02", "\x40\x00\x06\xFF",
        "\x48\x00\x06\x03", "\x40\x00\x07\x04", "\x48\x00\x07\xFF",
        "\x4D\x00\x00\x00", "\x4C\x00\x04\x00", "\xF0\x00\x00\x00"};
    struct fixture fixture;

    open_fixture(&fixture);
    assert_int_equal(
        isp_write(fixture.programmer, PART_FLASH, 8, page, 8, NULL, &fixture.operation, NULL), 0);
    assert_sent(&fixture, expected, 9);
}

static void a_blank_page_is_skipped(void **state)
{
    (void)state;
    uint8_t pages[16];
    struct fixture fixture;

    open_fixture(&fixture);
    memset(pages, 0xFF, sizeof pages);
    assert_int_equal(
        isp_write(fixture.programmer, PART_FLASH, 0, pages, 16, NULL, &fixture.operation, NULL), 0);
    assert_int_equal(fixture.recorder.count, 0);
}

static int count_sent(const struct fixture *fixture, uint8_t first)
{
    int count = 0;

    for (int i = 0; i < fixture->recorder.count; i++)
        count += fixture->recorder.sent[i][0] == first;
    return count;
}

static void the_extended_address_changes_at_128_kib_and_with_the_session(void **state)
{
    (void)state;
    struct fixture fixture;
    uint8_t bytes[8];

    open_fixture(&fixture);
    assert_int_equal(
        isp_read(fixture.programmer, PART_FLASH, 0x1FFFC, bytes, 8, &fixture.operation, NULL), 0);
    assert_int_equal(count_sent(&fixture, 0x4D), 2);
    assert_memory_equal(fixture.recorder.sent[0], "\x4D\x00\x00\x00", 4);
    assert_memory_equal(fixture.recorder.sent[5], "\x4D\x00\x01\x00", 4);
    assert_memory_equal(fixture.recorder.sent[6], "\x20\x00\x00\x00", 4);
    fixture.programmer->extended_address = -1; /* as programmer_attach() leaves it */
    assert_int_equal(
        isp_read(fixture.programmer, PART_FLASH, 0x20000, bytes, 2, &fixture.operation, NULL), 0);
    assert_int_equal(count_sent(&fixture, 0x4D), 3);
    fixture.part.flash.needs_extended_address = false;
    fixture.programmer->extended_address = -1;
    assert_int_equal(
        isp_read(fixture.programmer, PART_FLASH, 0, bytes, 2, &fixture.operation, NULL), 0);
    assert_int_equal(count_sent(&fixture, 0x4D), 3);
}

static void eeprom_is_written_by_page_or_by_byte(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {1, 2, 3};
    static const char *const by_page[] = {
        "\xC1\x00\x03\x01", "\xC2\x00\x04\x00", "\xF0\x00\x00\x00", "\xC1\x00\x00\x02",
        "\xC1\x00\x01\x03", "\xC2\x00\x08\x00", "\xF0\x00\x00\x00"};
    static const char *const by_byte[] = {"\xC0\x00\x07\x01", "\xC0\x00\x08\x02",
                                          "\xC0\x00\x09\x03"};
    struct fixture fixture;

    open_fixture(&fixture);
    assert_int_equal(
        isp_write(fixture.programmer, PART_EEPROM, 7, bytes, 3, NULL, &fixture.operation, NULL), 0);
    assert_sent(&fixture, by_page, 7);
    open_fixture(&fixture);
    fixture.part.eeprom.page_write = false;
    fixture.part.poll_ready = false;
    int64_t before = operation_now_us();
    assert_int_equal(
        isp_write(fixture.programmer, PART_EEPROM, 7, bytes, 3, NULL, &fixture.operation, NULL), 0);
    assert_true(operation_now_us() - before >= 3 * 600); /* no F0: the time plus a fifth */
    assert_sent(&fixture, by_byte, 3);
}

static void a_busy_part_is_polled_until_ready_or_given_up(void **state)
{
    (void)state;
    struct fixture fixture;
    struct failure failure = {0};

    open_fixture(&fixture);
    fixture.recorder.busy = 3;
    assert_int_equal(isp_wait_ready(fixture.programmer, 100000, true, &fixture.operation, &failure),
                     0);
    assert_int_equal(fixture.recorder.count, 4);
    fixture.recorder.busy = -1;
    assert_int_equal(isp_wait_ready(fixture.programmer, 1000, true, &fixture.operation, &failure),
                     -1);
    assert_int_equal(failure.code, FAILURE_BOARD_BUSY);
}

static void after_an_erase_only_parts_that_can_are_polled(void **state)
{
    (void)state;
    static const char *const polled[] = {"\xAC\x80\x00\x00", "\xF0\x00\x00\x00"};
    struct fixture fixture;

    open_fixture(&fixture);
    assert_int_equal(isp_erase(fixture.programmer, NULL, &fixture.operation, NULL), 0);
    assert_sent(&fixture, polled, 2);
    open_fixture(&fixture);
    fixture.part.poll_after_erase = false;
    int64_t before = operation_now_us();
    assert_int_equal(isp_erase(fixture.programmer, NULL, &fixture.operation, NULL), 0);
    assert_true(operation_now_us() - before >= 1080);
    assert_sent(&fixture, polled, 1);
}

static void the_signature_cannot_be_written(void **state)
{
    (void)state;
    struct fixture fixture;
    struct failure failure = {0};
    uint8_t byte = 0;

    open_fixture(&fixture);
    assert_int_equal(isp_write(fixture.programmer, PART_SIGNATURE, 0, &byte, 1, NULL,
                               &fixture.operation, &failure),
                     -1);
    assert_int_equal(fixture.recorder.count, 0);
    uint8_t signature[3];
    assert_int_equal(isp_identify(fixture.programmer, signature, &fixture.operation, NULL), 0);
    assert_memory_equal(signature, "\x00\x01\x02", 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(instructions_are_the_datasheets),
        cmocka_unit_test(a_page_is_loaded_low_byte_first_without_blank_words),
        cmocka_unit_test(a_blank_page_is_skipped),
        cmocka_unit_test(the_extended_address_changes_at_128_kib_and_with_the_session),
        cmocka_unit_test(eeprom_is_written_by_page_or_by_byte),
        cmocka_unit_test(a_busy_part_is_polled_until_ready_or_given_up),
        cmocka_unit_test(after_an_erase_only_parts_that_can_are_polled),
        cmocka_unit_test(the_signature_cannot_be_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
