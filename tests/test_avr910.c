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

/* What its commands begin with. */
static const uint8_t letters[] = {'l', 'f', 'e', 'n', 'q', '.', 0xAC, 0xE0, ':', 'T', 0xFF};

static void program_on_bench(const char *part, const char *model, uint32_t start, uint32_t count)
{
    workplace_program_letters(on(part, model), start, count, letters, sizeof letters);
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

static void write_slowly(struct workplace_options options, uint32_t count)
{
    workplace_program_letters_slowly(options, count, 12, letters, sizeof letters);
}

static void slow_parts_are_waited_for(void **state)
{
    (void)state;
    write_slowly(on("ATmega32A", "avr910"), 256);
    write_slowly(on("ATmega32A", "avr910-block"), 256);
    write_slowly(on("AT90S8515", "avr910"), 30);
    write_slowly(on("AT90S8515", "avr910-block"), 30);
}

/* ---- coming back into step ---- */

static void a_programmer_that_waits_is_found(void **state)
{
    (void)state;
    static const char *const begun[] = {"63", "2E 30", "42 00 40 46 00 11"};

    for (size_t i = 0; i < sizeof begun / sizeof begun[0]; i++)
        workplace_check_waiting_is_found(on("ATmega328P", "avr910-block"), begun[i]);
}

/* ---- who is there ---- */

static void a_board_left_in_reset_is_let_go(void **state)
{
    (void)state;
    workplace_check_board_is_let_go(on("ATmega328P", "avr910"), "54 72 50");
    workplace_check_board_is_let_go(on("ATmega328P", "avr910-block"), "54 72 50");
}

/* The version changes between claim and session. */
static void another_unit_is_refused(void **state)
{
    (void)state;
    struct workplace workplace;

    workplace_prepare_with_fault(
        &workplace, on("ATmega328P", "avr910"),
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

    workplace_prepare_with_fault(
        &workplace, on("ATmega328P", "avr910"),
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
