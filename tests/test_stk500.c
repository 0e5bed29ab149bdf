/* The driver of STK500 and AVRISP with firmware 1 against the models of both: what it writes and
 * reads, how fast, and that it sets SCK. (What garbled bytes may do: test_gate_wire.c.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/workplace.h"

static struct workplace_options on(const char *part, const char *model)
{
    return (struct workplace_options){
        .driver = "stk500", .model = model, .part = part, .baud = 115200};
}

static void open_workplace(struct workplace *workplace, const char *part, const char *model)
{
    const struct workplace_options options = on(part, model);

    workplace_open(workplace, &options);
}

/* What its commands begin with, and what else it may take for one. */
static const uint8_t letters[] = {0x52, 0x20, 0x63, 0x56, 0xAC, 0xE0, 'F', 0x62, 0x40, 0x84, 0xFF};

static void program_on_bench(const char *part, const char *model, uint32_t start, uint32_t count)
{
    workplace_program_letters(on(part, model), start, count, letters, sizeof letters);
}

static void parts_are_programmed(void **state)
{
    (void)state;
    program_on_bench("ATmega328P", "stk500", 0x7000, 0x800);
    program_on_bench("ATmega2560", "avrisp", 0x1FC00, 0x800);
    program_on_bench("ATtiny85", "avrisp", 0x40, 0x200);
    program_on_bench("AT90S8515", "stk500", 0x123, 0x31);
}

static void read_all_eeprom(struct workplace *workplace, const uint8_t *expected, uint32_t count)
{
    uint8_t *all = malloc(count);

    assert_non_null(all);
    if (programmer_read(workplace->programmer, PART_EEPROM, 0, all, count, &workplace->operation,
                        &workplace->failure) != 0)
        fail_msg("%s", workplace->failure.detail);
    assert_memory_equal(all, expected, count);
    free(all);
}

/* Blank is asked by blocks, and one byte that is not must be found wherever it is. */
static void a_byte_of_eeprom_is_found_among_blank_ones(void **state)
{
    (void)state;
    static const uint32_t places[] = {0x000, 0x0FF, 0x17F, 0x200, 0x2FE, 0x3FF};
    const uint8_t value = 0x12, blank = 0xFF;
    struct workplace workplace;
    uint8_t expected[1024];

    memset(expected, blank, sizeof expected);
    open_workplace(&workplace, "ATmega328P", "stk500");
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        workplace_write_and_read(&workplace, PART_EEPROM, places[i], &value, 1);
        expected[places[i]] = value;
        read_all_eeprom(&workplace, expected, sizeof expected);
        workplace_write_and_read(&workplace, PART_EEPROM, places[i], &blank, 1);
        expected[places[i]] = blank;
        read_all_eeprom(&workplace, expected, sizeof expected);
    }
    workplace_close(&workplace);
}

/* Was the board sent an erase, or any write of a fuse or of lock bits? */
static bool took_harm(struct workplace *workplace)
{
    char *record = NULL;

    workplace_read_record(workplace, &record);
    assert_non_null(strstr(record, "\"fuse_writes\":"));
    bool took = strstr(record, "\"fuse\":") != NULL || workplace_count(workplace, "erases") > 0;
    free(record);
    return took;
}

/* Without the 56, and with what stands before them taken for a command, the place 63, the 00 and
 * the end byte would be one that writes lock bits. */
static void a_lost_byte_before_a_place_writes_no_lock_bits(void **state)
{
    (void)state;
    for (int offset = 0; offset < 6; offset++) {
        struct workplace workplace;
        char fault[120];
        uint8_t byte;

        snprintf(fault, sizeof fault,
                 "{site: 1, fault: lost-byte, wire: to-programmer, match: \"%s\", offset: %d, "
                 "times: 1}",
                 offset < 3 ? "56 A0 00" : "63 00 20", offset % 3);
        workplace_prepare_with_fault(&workplace, on("ATmega328P", "stk500"), fault);
        if (workplace_claim_and_attach(&workplace) != 0)
            fail_msg("%s", workplace.failure.detail);
        assert_int_equal(programmer_read(workplace.programmer, PART_EEPROM, 0x63, &byte, 1,
                                         &workplace.operation, NULL),
                         -1);
        assert_false(took_harm(&workplace));
        workplace_close(&workplace);
    }
}

static void its_firmware_is_told(void **state)
{
    (void)state;
    struct workplace workplace;

    open_workplace(&workplace, "ATmega328P", "stk500");
    assert_string_equal(workplace.programmer->firmware, "AVR STK 1.14");
    workplace_close(&workplace);
    open_workplace(&workplace, "ATmega328P", "avrisp");
    assert_string_equal(workplace.programmer->firmware, "AVR STK 1.10");
    workplace_close(&workplace);
}

/* A sixth of 1 MHz, and of 800 kHz; 8 is what the unit remembers. */
static void sck_is_chosen_by_the_clock(void **state)
{
    (void)state;
    struct workplace workplace;

    open_workplace(&workplace, "ATmega328P", "stk500");
    assert_int_equal(workplace.programmer->sck_hz, 921600 / 6);
    assert_int_equal(programmer_release(workplace.programmer, &workplace.failure), 0);
    workplace.programmer->target_hz = 800000;
    assert_int_equal(programmer_attach(workplace.programmer, workplace.part, &workplace.operation,
                                       &workplace.failure),
                     0);
    assert_int_equal(workplace.programmer->sck_hz, 921600 / 7);
    assert_int_equal(programmer_release(workplace.programmer, &workplace.failure), 0);
    workplace.programmer->target_hz = 20000; /* a sixth is slower than anything it has */
    assert_int_equal(programmer_attach(workplace.programmer, workplace.part, &workplace.operation,
                                       &workplace.failure),
                     -1);
    assert_int_equal(workplace.failure.code, FAILURE_PROGRAMMER_REFUSED);
    workplace_close(&workplace);
}

static void firmware_of_others_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *driver, *model, *claimed_as, *says;
    } others[] = {{"stk500v1", "pro-micro-isp", "stk500", "its driver is stk500v1"},
                  {"stk500v2", "stk500-v2", "stk500", "its driver is stk500v2"},
                  {"stk500", "stk500", "stk500v1", "its driver is stk500"}};

    for (size_t i = 0; i < 3; i++) {
        const struct workplace_options options = {.driver = others[i].driver,
                                                  .model = others[i].model,
                                                  .part = "ATmega328P",
                                                  .claimed_as = others[i].claimed_as};
        struct workplace workplace;

        workplace_prepare(&workplace, &options);
        assert_int_equal(workplace_claim_and_attach(&workplace), -1);
        assert_int_equal(workplace.failure.code, FAILURE_PROGRAMMER_UNKNOWN);
        assert_non_null(strstr(workplace.failure.detail, others[i].says));
        workplace_close(&workplace);
    }
}

/* ---- times ---- */

static void its_time_is_that_of_wire_and_firmware(void **state)
{
    (void)state;
    workplace_check_pace(on("ATmega328P", "stk500"), 2048);
}

static void write_slowly(struct workplace_options options, uint32_t count)
{
    workplace_program_letters_slowly(options, count, 12, letters, sizeof letters);
}

static void slow_parts_are_waited_for(void **state)
{
    (void)state;
    write_slowly(on("ATmega32A", "stk500"), 256);
    write_slowly(on("AT90S8515", "avrisp"), 30);
}

/* ---- coming back into step ---- */

static void a_programmer_that_waits_is_found(void **state)
{
    (void)state;
    static const char *const begun[] = {"41", "56 30", "64 00 80 46 00 11"};

    for (size_t i = 0; i < sizeof begun / sizeof begun[0]; i++)
        workplace_check_waiting_is_found(on("ATmega328P", "stk500"), begun[i]);
}

/* On a machine that has too much to do: its name, and what it says of a parameter that it does not
 * know; within the time that an answer has, and beyond it. */
static void a_programmer_that_answers_late_is_found(void **state)
{
    (void)state;
    static const char *const late[] = {"match: \"14 41\", for: 300 ms",
                                       "match: \"14 41\", for: 1200 ms",
                                       "match: \"14 93 11\", for: 300 ms"};

    for (size_t i = 0; i < sizeof late / sizeof late[0]; i++) {
        struct workplace workplace;
        char fault[100];

        snprintf(fault, sizeof fault, "{site: 1, fault: late-reply, %s, times: 1}", late[i]);
        workplace_prepare_with_fault(&workplace, on("ATmega328P", "stk500"), fault);
        if (workplace_claim_and_attach(&workplace) != 0)
            fail_msg("%s: %s", late[i], workplace.failure.detail);
        assert_string_equal(workplace.programmer->firmware, "AVR STK 1.14");
        workplace_close(&workplace);
    }
}

/* ---- who is there ---- */

static void a_board_left_in_reset_is_let_go(void **state)
{
    (void)state;
    workplace_check_board_is_let_go(on("ATmega328P", "stk500"), "50 20");
    workplace_check_board_is_let_go(on("ATmega328P", "avrisp"), "50 20");
}

/* Somebody turned the unit's own supply off, and it remembers; nothing is sent to the board. */
static void a_board_without_supply_is_named(void **state)
{
    (void)state;
    const struct workplace_options options = on("ATmega328P", "stk500");
    struct workplace workplace;

    workplace_prepare_with_fault(&workplace, options,
                                 "{site: 1, fault: wrong-mode, bytes: \"40 84 00 20\"}");
    assert_int_equal(workplace_claim_and_attach(&workplace), -1);
    assert_int_equal(workplace.failure.code, FAILURE_NO_SUPPLY);
    assert_non_null(strstr(workplace.failure.detail, "the board's supply is 0.0 V"));
    assert_int_equal(workplace_count(&workplace, "frames"), 0);
    workplace_close(&workplace);
}

static void another_unit_is_refused(void **state)
{
    (void)state;
    struct workplace workplace;

    open_workplace(&workplace, "ATmega328P", "stk500");
    assert_int_equal(programmer_release(workplace.programmer, &workplace.failure), 0);
    /* As if another one had been claimed. */
    strcpy(workplace.programmer->firmware, "STK500 1.7");
    assert_int_equal(programmer_attach(workplace.programmer, workplace.part, &workplace.operation,
                                       &workplace.failure),
                     -1);
    assert_int_equal(workplace.failure.code, FAILURE_PROGRAMMER_UNKNOWN);
    assert_non_null(strstr(workplace.failure.detail, "but was 'STK500 1.7' before"));
    workplace_close(&workplace);
}

static void the_floor_is_the_sum_of_its_parts(void **state)
{
    (void)state;
    const struct programmer_driver *driver = programmer_driver_by_name("stk500");
    const struct programmer_speed speed = {.baud = 115200, .sck_hz = 166666};
    struct part part = {.flash = {.page_size = 128, .page_write = true, .write_delay_us = 4500}};
    char text[600];
    /* 139 bytes of 86805 ns, 129 instructions of 32 x 6 / 921600 s and 4.5 ms: 43.4 ms. Back again,
     * 256 instructions and 13 bytes: 54.5 ms. */
    int64_t expected = (10 * 44 - 1) * 1000 + (5 * 55 - 1) * 1000;

    assert_int_equal(driver->floor_us(&part, &speed, 1280, 1280, text, sizeof text), expected);
    assert_non_null(strstr(text, "(128 + 11) bytes x 86805 ns"));
    assert_int_equal(driver->floor_us(&part, &speed, 1280, 1280, NULL, 0), expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_programmed),
        cmocka_unit_test(a_byte_of_eeprom_is_found_among_blank_ones),
        cmocka_unit_test(a_lost_byte_before_a_place_writes_no_lock_bits),
        cmocka_unit_test(its_firmware_is_told),
        cmocka_unit_test(sck_is_chosen_by_the_clock),
        cmocka_unit_test(firmware_of_others_is_refused),
        cmocka_unit_test(its_time_is_that_of_wire_and_firmware),
        cmocka_unit_test(slow_parts_are_waited_for),
        cmocka_unit_test(a_programmer_that_waits_is_found),
        cmocka_unit_test(a_programmer_that_answers_late_is_found),
        cmocka_unit_test(a_board_left_in_reset_is_let_go),
        cmocka_unit_test(a_board_without_supply_is_named),
        cmocka_unit_test(another_unit_is_refused),
        cmocka_unit_test(the_floor_is_the_sum_of_its_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
