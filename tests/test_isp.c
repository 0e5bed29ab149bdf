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
#include "tests/shipped_parts.h"
#include "tests/standard_part.h"

#define RECORDED_MAX 2000

/* A driver that records instructions and answers from a script: F0 is busy a number of times, so
 * are reads of flash and EEPROM after a write, 30 gives the signature, all else the low address
 * byte. */
struct recorder {
    struct programmer base;
    uint8_t sent[RECORDED_MAX][4];
    int count;
    int busy;        /* looks until ready; -1: for ever */
    bool keeps;      /* flash and EEPROM give back what was written last… */
    uint8_t written; /* …which is this */
    uint8_t while_busy;
};

static uint8_t give_back(struct recorder *recorder)
{
    if (recorder->busy != 0) {
        recorder->busy--;
        return recorder->while_busy;
    }
    return recorder->written;
}

static bool is_one_of(uint8_t byte, const char *bytes)
{
    return byte != 0 && strchr(bytes, byte) != NULL;
}

static int record(struct programmer *programmer, const struct isp_instruction *instruction,
                  uint8_t *reply, const struct operation *operation, struct failure *failure)
{
    struct recorder *recorder = (struct recorder *)programmer;

    (void)operation;
    (void)failure;
    assert_true(recorder->count < RECORDED_MAX);
    memcpy(recorder->sent[recorder->count++], instruction->bytes, 4);
    *reply = instruction->bytes[2];
    if (recorder->keeps && is_one_of(instruction->bytes[0], "\x40\x48\xC0"))
        recorder->written = instruction->bytes[3];
    if (recorder->keeps && is_one_of(instruction->bytes[0], "\x20\x28\xA0"))
        *reply = give_back(recorder);
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
    standard_bytes(&fixture->part);
    fixture->operation.deadline_us = operation_now_us() + 600000000;
    fixture->programmer = &fixture->recorder.base;
    fixture->programmer->driver = &recording;
    fixture->programmer->part = &fixture->part;
    fixture->programmer->session = 1;
    fixture->programmer->extended_address = -1;
}

static void assert_instruction(struct isp_instruction instruction, const char *bytes)
{
    if (memcmp(instruction.bytes, bytes, 4) != 0)
        fail_msg("%02X %02X %02X %02X", instruction.bytes[0], instruction.bytes[1],
                 instruction.bytes[2], instruction.bytes[3]);
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
    assert_instruction(isp_write_flash_page(0x7F80), "\x4C\x3F\xC0\x00");
    assert_instruction(isp_read_eeprom(0x3FF), "\xA0\x03\xFF\x00");
    assert_instruction(isp_write_eeprom(0x3FF, 0x12), "\xC0\x03\xFF\x12");
    assert_instruction(isp_load_eeprom(3, 0x12), "\xC1\x00\x03\x12");
    assert_instruction(isp_write_eeprom_page(0x3FC), "\xC2\x03\xFC\x00");
    assert_instruction(isp_read_signature(2), "\x30\x00\x02\x00");
    assert_instruction(isp_read_calibration(1), "\x38\x00\x01\x00");
}

/* With pages the word's place in its page is all that counts; without, the whole address. */
static void flash_is_loaded_by_place_or_written_by_address(void **state)
{
    (void)state;
    struct part part = {.flash = {.size = 0x2000, .page_size = 256, .page_write = true}};

    assert_instruction(isp_load_flash(&part, 0x0102, 0x5A), "\x40\x00\x01\x5A");
    assert_instruction(isp_load_flash(&part, 0x01FF, 0x5A), "\x48\x00\x7F\x5A");
    part.flash.page_size = 1;
    part.flash.page_write = false;
    assert_instruction(isp_load_flash(&part, 0x0102, 0x5A), "\x40\x00\x81\x5A");
    assert_instruction(isp_load_flash(&part, 0x1FFF, 0x5A), "\x48\x0F\xFF\x5A");
}

struct byte_case {
    const char *part;
    enum part_memory memory;
    uint8_t value;
    const char *read; /* NULL: cannot be */
    const char *write;
    uint8_t reply, meaning; /* of the reply to the read */
};

/* Against the instruction sets of the datasheets: ATmega328P (8271J) table 28-19, AT90S1200 (0838),
 * AT90S2313 (0839), AT90S4433 (1042) and AT90S8535 (1041), table "Serial Programming Instruction
 * Set". */
static const struct byte_case byte_cases[] = {
    {"ATmega328P", PART_FUSE_LOW, 0x5E, "\x50\x00\x00\x00", "\xAC\xA0\x00\x5E", 0x5E, 0x5E},
    {"ATmega328P", PART_FUSE_HIGH, 0xD9, "\x58\x08\x00\x00", "\xAC\xA8\x00\xD9", 0xD9, 0xD9},
    {"ATmega328P", PART_FUSE_EXTENDED, 0xF3, "\x50\x08\x00\x00", "\xAC\xA4\x00\xF3", 0xF3, 0xF3},
    {"ATmega328P", PART_LOCK, 0xCF, "\x58\x00\x00\x00", "\xAC\xE0\x00\xCF", 0xCF, 0xCF},
    {"AT90S1200", PART_LOCK, 0xFF, NULL, "\xAC\xFF\x00\x00", 0, 0},
    {"AT90S1200", PART_LOCK, 0xFD, NULL, "\xAC\xFD\x00\x00", 0, 0},
    {"AT90S1200", PART_LOCK, 0xF9, NULL, "\xAC\xF9\x00\x00", 0, 0},
    {"AT90S2313", PART_LOCK, 0xF9, NULL, "\xAC\xE0\x00\x00", 0, 0},
    {"AT90S2313", PART_LOCK, 0xFD, NULL, "\xAC\xE4\x00\x00", 0, 0},
    {"AT90S4433", PART_FUSE_LOW, 0xC0, "\x50\x00\x00\x00", "\xAC\xA0\x00\x00", 0xDA, 0xDA},
    {"AT90S4433", PART_FUSE_LOW, 0xDA, "\x50\x00\x00\x00", "\xAC\xBA\x00\x00", 0x1A, 0x1A},
    {"AT90S4433", PART_LOCK, 0xFD, "\x58\x00\x00\x00", "\xAC\xFD\x00\x00", 0x06, 0x06},
    {"AT90S8535", PART_FUSE_LOW, 0xDF, "\x58\x00\x00\x00", "\xAC\xBF\x00\x00", 0x01, 0xDF},
    {"AT90S8535", PART_FUSE_LOW, 0xDE, "\x58\x00\x00\x00", "\xAC\xBE\x00\x00", 0x20, 0xFE},
    {"AT90S8535", PART_LOCK, 0xFD, "\x58\x00\x00\x00", "\xAC\xFD\x00\x00", 0x40, 0xFD},
    {"AT90S8535", PART_LOCK, 0xFB, "\x58\x00\x00\x00", "\xAC\xFB\x00\x00", 0x9E, 0xFB},
    {"ATmega103", PART_FUSE_LOW, 0xD6, "\x50\x00\x00\x00", "\xAC\xB6\x00\x00", 0xD6, 0xD6},
    {"ATmega103", PART_FUSE_LOW, 0xDF, "\x50\x00\x00\x00", "\xAC\xBF\x00\x00", 0xDF, 0xDF},
};

static void fuses_are_each_parts_own(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof byte_cases / sizeof byte_cases[0]; i++) {
        const struct byte_case *one = &byte_cases[i];
        struct failure failure = {0};
        struct part *part = NULL;

        if (part_load(SHIPPED_PARTS_DIRECTORY, one->part, &part, &failure) != 0)
            fail_msg("%s", failure.detail);
        assert_instruction(isp_write_byte(part, one->memory, one->value, NULL), one->write);
        assert_true(part_byte(part, one->memory)->readable == (one->read != NULL));
        if (one->read != NULL) {
            uint8_t mask = part_byte(part, one->memory)->mask;

            assert_instruction(isp_read_byte(part, one->memory), one->read);
            assert_int_equal(isp_byte_of_reply(part, one->memory, one->reply) & mask,
                             one->meaning & mask);
        }
        part_free(part);
    }
}

/* Bits that a part does not give are 1, whatever stands in their places. */
static void a_reply_holds_what_the_instruction_carries(void **state)
{
    (void)state;
    struct part part = {0};

    standard_bytes(&part);
    part.bytes[0].read.place[3] = 0;
    part.bytes[0].read.place[1] = 1 + 24; /* its highest bit */
    assert_int_equal(isp_byte_of_reply(&part, PART_FUSE_LOW, 0x00), 0x08);
    assert_int_equal(isp_byte_of_reply(&part, PART_FUSE_LOW, 0x80), 0x8A);
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
        "\x40\x00\x00\x01", "\x48\x00\x00\x02", "\x40\x00\x02\xFF",
        "\x48\x00\x02\x03", "\x40\x00\x03\x04", "\x48\x00\x03\xFF",
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

/* A part without RDY/BSY and without pages; while it writes its flash reads 7F, and an EEPROM 80.
 */
static void open_old_part(struct fixture *fixture)
{
    open_fixture(fixture);
    fixture->part.poll_ready = false;
    fixture->part.poll_after_erase = false;
    fixture->part.flash = (struct part_array){.size = 0x800,
                                              .page_size = 1,
                                              .write_delay_us = 5000,
                                              .has_unpollable = true,
                                              .unpollable = {0x7F, 0x7F}};
    fixture->part.eeprom = (struct part_array){.size = 64,
                                               .page_size = 1,
                                               .write_delay_us = 5000,
                                               .has_unpollable = true,
                                               .unpollable = {0x80, 0x7F}};
    fixture->recorder.keeps = true;
    fixture->recorder.while_busy = 0x7F;
}

/* Writes one byte; how long it took. */
static int64_t write_one(struct fixture *fixture, enum part_memory memory, uint8_t value)
{
    int64_t before = operation_now_us();

    fixture->recorder.count = 0;
    assert_int_equal(
        isp_write(fixture->programmer, memory, 9, &value, 1, NULL, &fixture->operation, NULL), 0);
    return operation_now_us() - before;
}

static void flash_without_pages_is_written_byte_by_byte(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {0x01, 0xFF, 0x02};
    static const char *const expected[] = {"\x48\x02\xD4\x01", "\x28\x02\xD4\x00",
                                           "\x48\x02\xD5\x02", "\x28\x02\xD5\x00"};
    struct fixture fixture;

    open_old_part(&fixture);
    assert_int_equal(
        isp_write(fixture.programmer, PART_FLASH, 0x5A9, bytes, 3, NULL, &fixture.operation, NULL),
        0);
    assert_sent(&fixture, expected, 4);
}

static void a_value_that_comes_back_tells_that_the_part_is_ready(void **state)
{
    (void)state;
    static const char *const expected[] = {"\xC0\x00\x09\x12", "\xA0\x00\x09\x00",
                                           "\xA0\x00\x09\x00", "\xA0\x00\x09\x00"};
    struct fixture fixture;

    open_old_part(&fixture);
    fixture.part.eeprom.write_delay_us = 1000000;
    fixture.recorder.busy = 2;
    assert_true(write_one(&fixture, PART_EEPROM, 0x12) < 1000000);
    assert_sent(&fixture, expected, 4);
}

/* The values that a part shows while it writes say nothing when they come back. */
static void a_value_that_tells_nothing_is_waited_for(void **state)
{
    (void)state;
    static const uint8_t flash[] = {0x7F}, eeprom[] = {0xFF, 0x80, 0x7F};
    struct fixture fixture;

    open_old_part(&fixture);
    for (size_t i = 0; i < sizeof flash; i++) {
        assert_true(write_one(&fixture, PART_FLASH, flash[i]) >= 6000);
        assert_int_equal(fixture.recorder.count, 1);
    }
    for (size_t i = 0; i < sizeof eeprom; i++) {
        assert_true(write_one(&fixture, PART_EEPROM, eeprom[i]) >= 6000);
        assert_int_equal(fixture.recorder.count, 1);
    }
    fixture.part.flash.has_unpollable = false; /* nothing is known of it */
    assert_true(write_one(&fixture, PART_FLASH, 0x12) >= 6000);
    assert_int_equal(fixture.recorder.count, 1);
}

static void a_value_that_never_comes_is_not_waited_for_longer_than_the_time(void **state)
{
    (void)state;
    struct fixture fixture;

    open_old_part(&fixture);
    fixture.recorder.busy = -1;
    assert_true(write_one(&fixture, PART_FLASH, 0x12) >= 6000);
    assert_true(fixture.recorder.count > 2);
    assert_memory_equal(fixture.recorder.sent[fixture.recorder.count - 1], "\x28\x00\x04\x00", 4);
}

/* Any byte of a page tells about the whole page. */
static void a_page_is_polled_at_a_byte_that_tells(void **state)
{
    (void)state;
    static const uint8_t page[] = {0xFF, 0x00, 0x7F, 0x21, 0x22, 0xFF, 0xFF, 0xFF};
    static const uint8_t none[] = {0xFF, 0x00, 0x7F, 0x00, 0xFF, 0xFF, 0xFF, 0xFF};
    struct fixture fixture;
    uint32_t at = 0;

    open_old_part(&fixture);
    fixture.part.flash.unpollable[0] = 0x00;
    assert_true(isp_can_poll_value(&fixture.part, PART_FLASH, page, sizeof page, &at));
    assert_int_equal(at, 3);
    assert_false(isp_can_poll_value(&fixture.part, PART_FLASH, none, sizeof none, &at));
    fixture.part.poll_ready = true;
    assert_false(isp_can_poll_value(&fixture.part, PART_FLASH, page, sizeof page, &at));
}

/* Fuses and lock bits of an old part cannot be polled, by no value. */
static void fuses_of_old_parts_are_waited_for(void **state)
{
    (void)state;
    struct fixture fixture;
    const uint8_t value = 0x12;

    open_old_part(&fixture);
    fixture.part.fuse_write_delay_us = 5000;
    int64_t before = operation_now_us();
    assert_int_equal(
        isp_write(fixture.programmer, PART_FUSE_LOW, 0, &value, 1, NULL, &fixture.operation, NULL),
        0);
    assert_true(operation_now_us() - before >= 6000);
    assert_int_equal(fixture.recorder.count, 1);
}

static void what_cannot_be_read_or_written_is_not_sent(void **state)
{
    (void)state;
    struct fixture fixture;
    struct failure failure = {0};
    uint8_t value = 0x12;

    open_fixture(&fixture);
    fixture.part.bytes[0].readable = false;
    assert_int_equal(
        isp_read(fixture.programmer, PART_FUSE_LOW, 0, &value, 1, &fixture.operation, &failure),
        -1);
    assert_int_equal(isp_write(fixture.programmer, PART_FUSE_LOW, 0, &value, 1, NULL,
                               &fixture.operation, &failure),
                     -1);
    fixture.part.bytes[1].writable = false;
    assert_int_equal(isp_write(fixture.programmer, PART_FUSE_HIGH, 0, &value, 1, NULL,
                               &fixture.operation, &failure),
                     -1);
    assert_int_equal(failure.code, FAILURE_INTERNAL);
    assert_int_equal(fixture.recorder.count, 0);
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
        cmocka_unit_test(flash_is_loaded_by_place_or_written_by_address),
        cmocka_unit_test(fuses_are_each_parts_own),
        cmocka_unit_test(a_reply_holds_what_the_instruction_carries),
        cmocka_unit_test(a_page_is_loaded_low_byte_first_without_blank_words),
        cmocka_unit_test(a_blank_page_is_skipped),
        cmocka_unit_test(the_extended_address_changes_at_128_kib_and_with_the_session),
        cmocka_unit_test(eeprom_is_written_by_page_or_by_byte),
        cmocka_unit_test(a_busy_part_is_polled_until_ready_or_given_up),
        cmocka_unit_test(flash_without_pages_is_written_byte_by_byte),
        cmocka_unit_test(a_value_that_comes_back_tells_that_the_part_is_ready),
        cmocka_unit_test(a_value_that_tells_nothing_is_waited_for),
        cmocka_unit_test(a_value_that_never_comes_is_not_waited_for_longer_than_the_time),
        cmocka_unit_test(a_page_is_polled_at_a_byte_that_tells),
        cmocka_unit_test(fuses_of_old_parts_are_waited_for),
        cmocka_unit_test(what_cannot_be_read_or_written_is_not_sent),
        cmocka_unit_test(after_an_erase_only_parts_that_can_are_polled),
        cmocka_unit_test(the_signature_cannot_be_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
