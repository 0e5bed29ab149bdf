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

static void prepare_for(struct workplace *workplace, const char *driver, const char *part,
                        const char *model, const char *pace, const char *fault)
{
    char text[500];
    struct failure failure = {0};
    struct bench_options options = {.parts_directory = TEST_SOURCE_DIR "/profiles/parts"};

    memset(workplace, 0, sizeof *workplace);
    snprintf(text, sizeof text,
             "jig: parts\nbench: {simulated: true, pace: %s}\nsites:\n"
             "  - {site: 1, programmer: %s, model: %s, board: %s, crystal: 8 MHz}\n"
             "%s%s\n",
             pace, driver, model, part, fault[0] != '\0' ? "faults:\n  - " : "", fault);
    workplace->operation = within(60 * SECOND_US);
    workplace->programmer = programmer_create(programmer_driver_by_name("stk500"));
    if (jig_parse("bench", text, strlen(text), &workplace->jig, &failure) != 0 ||
        part_load(options.parts_directory, part, &workplace->part, &failure) != 0)
        fail_msg("%s", failure.detail);
    options.jig = workplace->jig;
    options.real_pace = strcmp(pace, "real") == 0;
    if (bench_start(&options, &workplace->bench, &failure) != 0 ||
        place_parse(bench_place(workplace->bench, 1), &workplace->settings.place, &failure) != 0)
        fail_msg("%s", failure.detail);
}

static void prepare(struct workplace *workplace, const char *part, const char *model,
                    const char *pace, const char *fault)
{
    prepare_for(workplace, "stk500", part, model, pace, fault);
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
    uint8_t *back = calloc(count, 1);

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

/* Full of what are commands, with blank stretches. */
static void fill(uint8_t *bytes, uint32_t count)
{
    static const uint8_t letters[] = {0x52, 0x20, 0x63, 0x56, 0xAC, 0xE0,
                                      'F',  0x62, 0x40, 0x84, 0xFF};
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
    program_on_bench("ATmega328P", "stk500", 0x7000, 0x800);
    program_on_bench("ATmega2560", "avrisp", 0x1FC00, 0x800);
    program_on_bench("ATtiny85", "avrisp", 0x40, 0x200);
    program_on_bench("AT90S8515", "stk500", 0x123, 0x31);
}

static void its_firmware_is_told(void **state)
{
    (void)state;
    struct workplace workplace;

    open_workplace(&workplace, "ATmega328P", "stk500", "fast");
    assert_string_equal(workplace.programmer->firmware, "AVR STK 1.14");
    close_workplace(&workplace);
    open_workplace(&workplace, "ATmega328P", "avrisp", "fast");
    assert_string_equal(workplace.programmer->firmware, "AVR STK 1.10");
    close_workplace(&workplace);
}

/* A sixth of 1 MHz, and of 800 kHz; 8 is what the unit remembers. */
static void sck_is_chosen_by_the_clock(void **state)
{
    (void)state;
    struct workplace workplace;
    struct failure failure = {0};

    open_workplace(&workplace, "ATmega328P", "stk500", "fast");
    assert_int_equal(workplace.programmer->sck_hz, 921600 / 6);
    assert_int_equal(programmer_release(workplace.programmer, &failure), 0);
    workplace.programmer->target_hz = 800000;
    assert_int_equal(
        programmer_attach(workplace.programmer, workplace.part, &workplace.operation, &failure), 0);
    assert_int_equal(workplace.programmer->sck_hz, 921600 / 7);
    assert_int_equal(programmer_release(workplace.programmer, &failure), 0);
    workplace.programmer->target_hz = 20000; /* a sixth is slower than anything it has */
    assert_int_equal(
        programmer_attach(workplace.programmer, workplace.part, &workplace.operation, &failure),
        -1);
    assert_int_equal(failure.code, FAILURE_PROGRAMMER_REFUSED);
    close_workplace(&workplace);
}

static void firmware_of_others_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *driver, *model, *says;
    } others[] = {{"stk500v1", "pro-micro-isp", "its driver is stk500v1"},
                  {"stk500v2", "stk500-v2", "its driver is stk500v2"}};

    for (size_t i = 0; i < 2; i++) {
        struct workplace workplace;
        struct failure failure = {0};

        prepare_for(&workplace, others[i].driver, "ATmega328P", others[i].model, "fast", "");
        assert_int_equal(claim_and_attach(&workplace, &failure), -1);
        assert_int_equal(failure.code, FAILURE_PROGRAMMER_UNKNOWN);
        assert_non_null(strstr(failure.detail, others[i].says));
        close_workplace(&workplace);
    }
}

/* ---- times ---- */

static void fill_harmless(uint8_t *bytes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        bytes[i] = (uint8_t)(0x80 + i * 7 % 0x7F);
}

static void check_pace(const char *model, uint32_t count)
{
    struct workplace workplace;
    uint8_t bytes[2048];
    struct programmer_speed speed = {.baud = 115200};

    fill_harmless(bytes, count);
    open_workplace(&workplace, "ATmega328P", model, "real");
    speed.sck_hz = workplace.programmer->sck_hz;
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
    check_pace("stk500", 2048);
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
    wait_for_part("ATmega32A", "stk500", 256);
    wait_for_part("AT90S8515", "avrisp", 30);
}

/* ---- coming back into step ---- */

/* A program before us was killed within a command. */
static void a_programmer_that_waits_is_found(void **state)
{
    (void)state;
    static const char *const begun[] = {"41", "56 30", "64 00 80 46 00 11"};

    for (size_t i = 0; i < sizeof begun / sizeof begun[0]; i++) {
        struct workplace workplace;
        struct failure failure = {0};
        char fault[100];

        snprintf(fault, sizeof fault, "{site: 1, fault: wrong-mode, bytes: \"%s\"}", begun[i]);
        prepare(&workplace, "ATmega328P", "stk500", "fast", fault);
        if (claim_and_attach(&workplace, &failure) != 0)
            fail_msg("%s: %s", begun[i], failure.detail);
        close_workplace(&workplace);
    }
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
        struct failure failure = {0};
        char fault[100];

        snprintf(fault, sizeof fault, "{site: 1, fault: late-reply, %s, times: 1}", late[i]);
        prepare(&workplace, "ATmega328P", "stk500", "fast", fault);
        if (claim_and_attach(&workplace, &failure) != 0)
            fail_msg("%s: %s", late[i], failure.detail);
        assert_string_equal(workplace.programmer->firmware, "AVR STK 1.14");
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
    static const char *const models[] = {"stk500", "avrisp"};

    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++) {
        struct workplace workplace;
        struct failure failure = {0};

        prepare(&workplace, "ATmega328P", models[i], "fast",
                "{site: 1, fault: wrong-mode, bytes: \"50 20\"}");
        if (programmer_claim(workplace.programmer, &workplace.settings, &workplace.operation,
                             &failure) != 0)
            fail_msg("%s: %s", models[i], failure.detail);
        assert_false(is_in_reset(&workplace));
        close_workplace(&workplace);
    }
}

static void another_unit_is_refused(void **state)
{
    (void)state;
    struct workplace workplace;
    struct failure failure = {0};

    open_workplace(&workplace, "ATmega328P", "stk500", "fast");
    assert_int_equal(programmer_release(workplace.programmer, &failure), 0);
    /* As if another one had been claimed. */
    strcpy(workplace.programmer->firmware, "STK500 1.7");
    assert_int_equal(
        programmer_attach(workplace.programmer, workplace.part, &workplace.operation, &failure),
        -1);
    assert_int_equal(failure.code, FAILURE_PROGRAMMER_UNKNOWN);
    assert_non_null(strstr(failure.detail, "but was 'STK500 1.7' before"));
    close_workplace(&workplace);
}

static void the_floor_is_the_sum_of_its_parts(void **state)
{
    (void)state;
    const struct programmer_driver *driver = programmer_driver_by_name("stk500");
    const struct programmer_speed speed = {.baud = 115200, .sck_hz = 166666};
    struct part part = {.flash = {.page_size = 128, .page_write = true, .write_delay_us = 4500}};
    char text[600];
    /* 139 bytes of 86805 ns, 129 instructions of 32 x 6 / 921600 s, and back again. */
    int64_t expected =
        10 * ((139 * 86805 + 129 * 208333) / 1000 + 4500) + (1280 * 208333 + 5 * 13 * 86805) / 1000;

    assert_int_equal(driver->floor_us(&part, &speed, 1280, 1280, text, sizeof text), expected);
    assert_non_null(strstr(text, "(128 + 11) bytes x 86805 ns"));
    assert_int_equal(driver->floor_us(&part, &speed, 1280, 1280, NULL, 0), expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_programmed),
        cmocka_unit_test(its_firmware_is_told),
        cmocka_unit_test(sck_is_chosen_by_the_clock),
        cmocka_unit_test(firmware_of_others_is_refused),
        cmocka_unit_test(its_time_is_that_of_wire_and_firmware),
        cmocka_unit_test(slow_parts_are_waited_for),
        cmocka_unit_test(a_programmer_that_waits_is_found),
        cmocka_unit_test(a_programmer_that_answers_late_is_found),
        cmocka_unit_test(a_board_left_in_reset_is_let_go),
        cmocka_unit_test(another_unit_is_refused),
        cmocka_unit_test(the_floor_is_the_sum_of_its_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
