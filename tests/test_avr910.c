/* The AVR910 driver against both models of its programmers: what it writes and reads, and how fast.
 * What may become of fuse writes on the wire is in test_gate_wire.c. */
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
    return (struct workplace_options){.driver = "avr910",
                                      .model = model,
                                      .part = part,
                                      .baud = strcmp(model, "avr910") == 0 ? 19200 : 115200};
}

static void open_workplace(struct workplace *workplace, const char *part, const char *model)
{
    const struct workplace_options options = on(part, model);

    workplace_open(workplace, &options);
}

static void prepare_with_fault(struct workplace *workplace, const char *model, const char *fault)
{
    struct workplace_options options = on("ATmega328P", model);

    options.faults = fault;
    workplace_prepare(workplace, &options);
}

/* Full of the letters that are commands, with blank stretches. */
static void fill(uint8_t *bytes, uint32_t count)
{
    static const uint8_t letters[] = {'l', 'f', 'e', 'n', 'q', '.', 0xAC, 0xE0, ':', 'T', 0xFF};
    uint32_t random = 7;

    for (uint32_t i = 0; i < count; i++) {
        random = random * 1664525 + 1013904223;
        uint8_t value = (uint8_t)(random >> 24);
        bytes[i] = (random >> 20 & 3) == 0 ? letters[value % sizeof letters] : value;
        if (i % 256 >= 100 && i % 256 < 200)
            bytes[i] = 0xFF;
    }
}

static void program_on_bench(const char *part, const char *model, uint32_t start, uint32_t count)
{
    const struct workplace_options options = on(part, model);
    uint8_t *bytes = malloc(count);

    assert_non_null(bytes);
    fill(bytes, count);
    workplace_program_bytes(&options, start, bytes, count);
    free(bytes);
}

static void parts_are_programmed(void **state)
{
    (void)state;
    program_on_bench("ATmega328P", "avr910", 0x7000, 0x400);
    program_on_bench("ATmega128", "avr910", 0xCA00, 0x600); /* words 6500 on: 'e' and 'f' */
    program_on_bench("ATtiny85", "avr910", 0x40, 0x200);
    program_on_bench("AT90S8515", "avr910", 0x123, 0x31);
    program_on_bench("ATmega328P", "avr910-block", 0x7000, 0x800);
    program_on_bench("ATmega128", "avr910-block", 0xCA00, 0x600);
    program_on_bench("ATtiny13", "avr910-block", 0x20, 0x200);
    program_on_bench("AT90S8515", "avr910-block", 0x123, 0x31);
}

static void its_firmware_is_told(void **state)
{
    (void)state;
    struct workplace workplace;

    open_workplace(&workplace, "ATmega328P", "avr910");
    assert_string_equal(workplace.programmer->firmware, "AVR ISP 3.3, byte by byte");
    assert_int_equal(workplace.programmer->sck_hz, 0); /* nobody knows */
    workplace_close(&workplace);
    open_workplace(&workplace, "ATmega328P", "avr910-block");
    assert_string_equal(workplace.programmer->firmware, "AVR ISP 3.8, blocks of 64");
    workplace_close(&workplace);
}

/* ---- times ---- */

static void its_time_is_that_of_wire_and_firmware(void **state)
{
    (void)state;
    workplace_check_pace(on("ATmega328P", "avr910"), 1024);
    workplace_check_pace(on("ATmega328P", "avr910-block"), 2048);
}

/* What is written too early is lost, and counted by the board. */
static void wait_for_part(const char *part, const char *model, uint32_t count)
{
    struct workplace_options options = on(part, model);
    struct workplace workplace;
    uint8_t bytes[256];

    fill(bytes, sizeof bytes);
    options.real_pace = true;
    workplace_open(&workplace, &options);
    workplace_write_and_read(&workplace, PART_FLASH, 0, bytes, count);
    workplace_write_and_read(&workplace, PART_EEPROM, 3, bytes, 12);
    if (workplace_count(&workplace, "ignored_busy") != 0)
        fail_msg("%s: %d writes came too early", part, workplace_count(&workplace, "ignored_busy"));
    workplace_close(&workplace);
}

static void slow_parts_are_waited_for(void **state)
{
    (void)state;
    wait_for_part("ATmega32A", "avr910", 256);
    wait_for_part("ATmega32A", "avr910-block", 256);
    wait_for_part("AT90S8515", "avr910", 30);
    wait_for_part("AT90S8515", "avr910-block", 30);
}

/* ---- coming back into step ---- */

/* A program before us was killed within a command. */
static void a_programmer_that_waits_is_found(void **state)
{
    (void)state;
    static const char *const begun[] = {"63", "2E 30", "42 00 40 46 00 11"};

    for (size_t i = 0; i < sizeof begun / sizeof begun[0]; i++) {
        struct workplace workplace;
        char fault[100];

        snprintf(fault, sizeof fault, "{site: 1, fault: wrong-mode, bytes: \"%s\"}", begun[i]);
        prepare_with_fault(&workplace, "avr910-block", fault);
        if (workplace_claim_and_attach(&workplace) != 0)
            fail_msg("%s: %s", begun[i], workplace.failure.detail);
        workplace_close(&workplace);
    }
}

/* ---- who is there ---- */

/* A program before us was killed in a session. */
static void a_board_left_in_reset_is_let_go(void **state)
{
    (void)state;
    static const char *const models[] = {"avr910", "avr910-block"};

    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++) {
        struct workplace workplace;

        prepare_with_fault(&workplace, models[i],
                           "{site: 1, fault: wrong-mode, bytes: \"54 72 50\"}");
        if (programmer_claim(workplace.programmer, &workplace.settings, &workplace.operation,
                             &workplace.failure) != 0)
            fail_msg("%s: %s", models[i], workplace.failure.detail);
        assert_false(workplace_is_in_reset(&workplace));
        workplace_close(&workplace);
    }
}

/* The version changes between claim and session. */
static void another_unit_is_refused(void **state)
{
    (void)state;
    struct workplace workplace;

    prepare_with_fault(
        &workplace, "avr910",
        "{site: 1, fault: flip, wire: from-programmer, match: \"52 20 49 53 50 33 33\", "
        "offset: 5, mask: 0x02}");
    assert_int_equal(workplace_claim_and_attach(&workplace), -1);
    assert_int_equal(workplace.failure.code, FAILURE_PROGRAMMER_UNKNOWN);
    assert_string_equal(workplace.failure.detail,
                        "its name is 'AVR ISP' 1.3, but was 'AVR ISP' 3.3 before");
    workplace_close(&workplace);
}

/* The first code of its list arrives as an 'l'. */
static void no_letter_is_sent_for_a_device_code(void **state)
{
    (void)state;
    struct workplace workplace;

    prepare_with_fault(
        &workplace, "avr910",
        "{site: 1, fault: flip, wire: from-programmer, match: \"13 20 28\", mask: 0x7F}\n"
        "  - {site: 1, fault: cut, match: \"54 6C\", for: 60 s}");
    if (workplace_claim_and_attach(&workplace) != 0)
        fail_msg("%s", workplace.failure.detail);
    workplace_close(&workplace);
}

static void the_floor_is_the_sum_of_its_parts(void **state)
{
    (void)state;
    const struct programmer_driver *driver = programmer_driver_by_name("avr910");
    struct programmer_speed speed = {.baud = 19200};
    struct part part = {.flash = {.page_size = 128, .page_write = true, .write_delay_us = 4500}};
    char text[600];

    assert_int_equal(driver->floor_us(&part, &speed, 1280, 1000, text, sizeof text),
                     10 * (138020 + 356 + 49000) + 520833);
    assert_non_null(strstr(text, "(3 + 2 x 128 + 5 + 1) bytes x 520833 ns = 138020 us"));
    speed.baud = 115200;
    assert_int_equal(driver->floor_us(&part, &speed, 1280, 1000, text, sizeof text),
                     20 * (5989 + 65 * 272 + 4500) + 272000);
    assert_int_equal(driver->floor_us(&part, &speed, 1280, 1000, NULL, 0),
                     20 * (5989 + 65 * 272 + 4500) + 272000);
    part.flash.page_write = false;
    part.flash.page_size = 1;
    speed.baud = 19200;
    assert_int_equal(driver->floor_us(&part, &speed, 10, 0, text, sizeof text), 10 * (1562 + 4500));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_programmed),
        cmocka_unit_test(its_firmware_is_told),
        cmocka_unit_test(its_time_is_that_of_wire_and_firmware),
        cmocka_unit_test(slow_parts_are_waited_for),
        cmocka_unit_test(a_programmer_that_waits_is_found),
        cmocka_unit_test(a_board_left_in_reset_is_let_go),
        cmocka_unit_test(another_unit_is_refused),
        cmocka_unit_test(no_letter_is_sent_for_a_device_code),
        cmocka_unit_test(the_floor_is_the_sum_of_its_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
