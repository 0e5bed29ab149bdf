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

#include "jigs/jig.h"
#include "jigs/programmer.h"
#include "jigs/simbench/bench.h"

#define SECOND_US INT64_C(1000000)

static struct operation within(int64_t duration_us)
{
    return (struct operation){.deadline_us = operation_now_us() + duration_us};
}

/* ---- a board on the simulated bench, and a session on it ---- */

struct workplace {
    struct jig *jig;
    struct bench *bench;
    struct part *part;
    struct programmer *programmer;
    struct programmer_settings settings;
    struct operation operation;
};

static unsigned baud_of(const char *model)
{
    return strcmp(model, "avr910") == 0 ? 19200 : 115200;
}

static void prepare(struct workplace *workplace, const char *part, const char *model,
                    const char *pace, const char *fault)
{
    char text[500];
    struct failure failure = {0};
    struct bench_options options = {.parts_directory = TEST_SOURCE_DIR "/profiles/parts"};

    memset(workplace, 0, sizeof *workplace);
    snprintf(text, sizeof text,
             "jig: parts\nbench: {simulated: true, pace: %s}\nsites:\n"
             "  - {site: 1, programmer: avr910, model: %s, board: %s, crystal: 8 MHz, baud: %u}\n"
             "%s%s\n",
             pace, model, part, baud_of(model), fault[0] != '\0' ? "faults:\n  - " : "", fault);
    workplace->operation = within(60 * SECOND_US);
    workplace->programmer = programmer_create(programmer_driver_by_name("avr910"));
    workplace->settings.baud = baud_of(model);
    if (jig_parse("bench", text, strlen(text), &workplace->jig, &failure) != 0 ||
        part_load(options.parts_directory, part, &workplace->part, &failure) != 0)
        fail_msg("%s", failure.detail);
    options.jig = workplace->jig;
    options.real_pace = strcmp(pace, "real") == 0;
    if (bench_start(&options, &workplace->bench, &failure) != 0 ||
        place_parse(bench_place(workplace->bench, 1), &workplace->settings.place, &failure) != 0)
        fail_msg("%s", failure.detail);
}

static int claim_and_attach(struct workplace *workplace, struct failure *failure)
{
    if (programmer_claim(workplace->programmer, &workplace->settings, &workplace->operation,
                         failure) != 0)
        return -1;
    return programmer_attach(workplace->programmer, workplace->part, &workplace->operation,
                             failure);
}

static void open_workplace(struct workplace *workplace, const char *part, const char *model,
                           const char *pace)
{
    struct failure failure = {0};

    prepare(workplace, part, model, pace, "");
    if (claim_and_attach(workplace, &failure) != 0)
        fail_msg("%s: %s", part, failure.detail);
}

static void close_workplace(struct workplace *workplace)
{
    programmer_destroy(workplace->programmer);
    assert_int_equal(bench_stop(workplace->bench), 0);
    part_free(workplace->part);
    jig_free(workplace->jig);
}

static void write_and_read(struct workplace *workplace, enum part_memory memory, uint32_t start,
                           const uint8_t *bytes, uint32_t count)
{
    struct failure failure = {0};
    uint8_t *back = malloc(count);

    if (programmer_write(workplace->programmer, memory, start, bytes, count, NULL,
                         &workplace->operation, &failure) != 0 ||
        programmer_read(workplace->programmer, memory, start, back, count, &workplace->operation,
                        &failure) != 0)
        fail_msg("%s: %s", workplace->part->name, failure.detail);
    for (uint32_t i = 0; i < count; i++)
        if (back[i] != bytes[i])
            fail_msg("%s: %s 0x%X is %02X, expected %02X", workplace->part->name,
                     part_memory_name(workplace->part, memory), start + i, back[i], bytes[i]);
    free(back);
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
    struct workplace workplace;
    struct failure failure = {0};
    uint8_t *bytes = malloc(count), signature[3];

    fill(bytes, count);
    open_workplace(&workplace, part, model, "fast");
    if (programmer_identify(workplace.programmer, signature, &workplace.operation, &failure) != 0)
        fail_msg("%s: %s", part, failure.detail);
    assert_memory_equal(signature, workplace.part->signature, 3);
    write_and_read(&workplace, PART_FLASH, start, bytes, count);
    write_and_read(&workplace, PART_EEPROM, 5, bytes, 40);
    close_workplace(&workplace);
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

    open_workplace(&workplace, "ATmega328P", "avr910", "fast");
    assert_string_equal(workplace.programmer->firmware, "AVR ISP 3.3, byte by byte");
    assert_int_equal(workplace.programmer->sck_hz, 0); /* nobody knows */
    close_workplace(&workplace);
    open_workplace(&workplace, "ATmega328P", "avr910-block", "fast");
    assert_string_equal(workplace.programmer->firmware, "AVR ISP 3.8, blocks of 64");
    close_workplace(&workplace);
}

/* ---- times ---- */

/* No letters: those cost more, and the floor says so. */
static void fill_harmless(uint8_t *bytes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        bytes[i] = (uint8_t)(0x80 + i * 7 % 0x7F);
}

static void check_pace(const char *model, uint32_t count)
{
    struct workplace workplace;
    uint8_t bytes[2048];
    struct programmer_speed speed = {.baud = baud_of(model)};

    fill_harmless(bytes, count);
    open_workplace(&workplace, "ATmega328P", model, "real");
    int64_t before_us = operation_now_us();
    write_and_read(&workplace, PART_FLASH, 0, bytes, count);
    int64_t took_us = operation_now_us() - before_us;
    int64_t floor_us =
        workplace.programmer->driver->floor_us(workplace.part, &speed, count, count, NULL, 0);
    printf("%s: %lld us, floor %lld us\n", model, (long long)took_us, (long long)floor_us);
    assert_true(took_us >= floor_us);
    assert_true(took_us < 2 * floor_us); /* the machine may be busy */
    close_workplace(&workplace);
}

static void its_time_is_that_of_wire_and_firmware(void **state)
{
    (void)state;
    check_pace("avr910", 1024);
    check_pace("avr910-block", 2048);
}

static int count_of(struct workplace *workplace, const char *key)
{
    char *record = NULL, quoted[40];
    size_t size = 0;
    FILE *stream = open_memstream(&record, &size);
    int count = -1;

    assert_non_null(stream);
    assert_int_equal(bench_record_board(workplace->bench, 1, stream), 0);
    assert_int_equal(fclose(stream), 0);
    snprintf(quoted, sizeof quoted, "\"%s\":", key);
    const char *at = strstr(record, quoted);
    assert_non_null(at);
    assert_int_equal(sscanf(at + strlen(quoted), "%d", &count), 1);
    free(record);
    return count;
}

/* What is written too early is lost, and counted by the board. */
static void wait_for_part(const char *part, const char *model, uint32_t count)
{
    struct workplace workplace;
    uint8_t bytes[256];

    fill(bytes, sizeof bytes);
    open_workplace(&workplace, part, model, "real");
    write_and_read(&workplace, PART_FLASH, 0, bytes, count);
    write_and_read(&workplace, PART_EEPROM, 3, bytes, 12);
    if (count_of(&workplace, "ignored_busy") != 0)
        fail_msg("%s: %d writes came too early", part, count_of(&workplace, "ignored_busy"));
    close_workplace(&workplace);
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
        struct failure failure = {0};
        char fault[100];

        snprintf(fault, sizeof fault, "{site: 1, fault: wrong-mode, bytes: \"%s\"}", begun[i]);
        prepare(&workplace, "ATmega328P", "avr910-block", "fast", fault);
        if (claim_and_attach(&workplace, &failure) != 0)
            fail_msg("%s: %s", begun[i], failure.detail);
        close_workplace(&workplace);
    }
}

/* ---- who is there ---- */

static bool is_in_reset(struct workplace *workplace)
{
    char *record = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&record, &size);

    assert_non_null(stream);
    assert_int_equal(bench_record_board(workplace->bench, 1, stream), 0);
    assert_int_equal(fclose(stream), 0);
    assert_non_null(strstr(record, "\"in_reset\":"));
    bool is = strstr(record, "\"in_reset\":true") != NULL;
    free(record);
    return is;
}

/* A program before us was killed in a session. */
static void a_board_left_in_reset_is_let_go(void **state)
{
    (void)state;
    static const char *const models[] = {"avr910", "avr910-block"};

    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++) {
        struct workplace workplace;
        struct failure failure = {0};

        prepare(&workplace, "ATmega328P", models[i], "fast",
                "{site: 1, fault: wrong-mode, bytes: \"54 72 50\"}");
        if (programmer_claim(workplace.programmer, &workplace.settings, &workplace.operation,
                             &failure) != 0)
            fail_msg("%s: %s", models[i], failure.detail);
        assert_false(is_in_reset(&workplace));
        close_workplace(&workplace);
    }
}

/* The version changes between claim and session. */
static void another_unit_is_refused(void **state)
{
    (void)state;
    struct workplace workplace;
    struct failure failure = {0};

    prepare(&workplace, "ATmega328P", "avr910", "fast",
            "{site: 1, fault: flip, wire: from-programmer, match: \"52 20 49 53 50 33 33\", "
            "offset: 5, mask: 0x02}");
    assert_int_equal(claim_and_attach(&workplace, &failure), -1);
    assert_int_equal(failure.code, FAILURE_PROGRAMMER_UNKNOWN);
    assert_string_equal(failure.detail, "its name is 'AVR ISP' 1.3, but was 'AVR ISP' 3.3 before");
    close_workplace(&workplace);
}

/* The first code of its list arrives as an 'l'. */
static void no_letter_is_sent_for_a_device_code(void **state)
{
    (void)state;
    struct workplace workplace;
    struct failure failure = {0};

    prepare(&workplace, "ATmega328P", "avr910", "fast",
            "{site: 1, fault: flip, wire: from-programmer, match: \"13 20 28\", mask: 0x7F}\n"
            "  - {site: 1, fault: cut, match: \"54 6C\", for: 60 s}");
    if (claim_and_attach(&workplace, &failure) != 0)
        fail_msg("%s", failure.detail);
    close_workplace(&workplace);
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
