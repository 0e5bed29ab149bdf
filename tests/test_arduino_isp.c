/* The ArduinoISP sketch, the bootloader before it and the wire to it: their limits must bite. */
#include "tests/wire_bench.h"

#include <string.h>

#include "jigs/simbench/arduino_isp.h"

/* A target whose answer is the third byte it was sent. */
static void answer(void *context, const uint8_t mosi[4], uint8_t miso[4], int64_t sck_hz,
                   int64_t now_us)
{
    (void)context;
    (void)sck_hz;
    (void)now_us;
    miso[3] = mosi[2];
}

static void start(struct wire_bench *bench, const char *model, bool real_pace, unsigned baud)
{
    const struct wire_bench_options options = {
        .model = model, .real_pace = real_pace, .baud = baud, .board = {.answer = answer}};
    wire_bench_start(bench, &options);
}

static void start_fast(struct wire_bench *bench)
{
    start(bench, "arduino-uno-isp", false, 19200);
}

static void in_step(struct wire_bench *bench)
{
    HOST_TALK(bench->host, BYTES(0x30, 0x20), BYTES(0x14, 0x10));
}

static void enter(struct wire_bench *bench)
{
    HOST_TALK(bench->host, BYTES(0x50, 0x20), BYTES(0x14, 0x10));
}

/* 42 with page size, EEPROM size (high byte first) and device code. */
static void set_device(struct wire_bench *bench, uint16_t page_size, uint16_t eeprom_size,
                       uint8_t device_code)
{
    uint8_t command[22] = {0x42, device_code};
    command[13] = (uint8_t)(page_size >> 8);
    command[14] = (uint8_t)page_size;
    command[15] = (uint8_t)(eeprom_size >> 8);
    command[16] = (uint8_t)eeprom_size;
    command[21] = 0x20;
    HOST_TALK(bench->host, command, sizeof command, BYTES(0x14, 0x10));
}

static void tells_who_it_is(void **state)
{
    (void)state;
    struct wire_bench bench;
    start_fast(&bench);
    in_step(&bench);
    HOST_TALK(bench.host, BYTES(0x31, 0x20), BYTES(0x14, 'A', 'V', 'R', ' ', 'I', 'S', 'P', 0x10));
    HOST_TALK(bench.host, BYTES(0x41, 0x81, 0x20), BYTES(0x14, 1, 0x10));
    HOST_TALK(bench.host, BYTES(0x41, 0x82, 0x20), BYTES(0x14, 18, 0x10));
    HOST_TALK(bench.host, BYTES(0x41, 0x89, 0x20), BYTES(0x14, 0, 0x10));
    wire_bench_stop(&bench);
}

static void loses_step_as_the_sketch_does(void **state)
{
    (void)state;
    struct wire_bench bench;
    start_fast(&bench);
    HOST_TALK(bench.host, BYTES(0x20), BYTES(0x15));
    HOST_TALK(bench.host, BYTES(0x30, 0x31), BYTES(0x15));
    HOST_TALK(bench.host, BYTES(0x52, 0x20), BYTES(0x12));             /* unknown, end follows */
    HOST_TALK(bench.host, BYTES(0x40, 0x86, 0x20), BYTES(0x15, 0x15)); /* and does not */
    /* 42 takes exactly 20 bytes, whatever they are: a short one swallows what comes next. */
    uint8_t short_device[21] = {0x42};
    short_device[20] = 0x20;
    host_send(bench.host, short_device, sizeof short_device);
    HOST_TALK(bench.host, BYTES(0x30, 0x20), BYTES(0x15, 0x15));
    in_step(&bench);
    HOST_TALK(bench.host, BYTES(0x60, 1, 2, 0x20), BYTES(0x14, 0x10));
    HOST_TALK(bench.host, BYTES(0x61, 1, 0x20), BYTES(0x14, 0x10));
    assert_int_equal(frame_count(&bench), 0);
    wire_bench_stop(&bench);
}

static void universal_is_done_before_its_end_is_looked_at(void **state)
{
    (void)state;
    struct wire_bench bench;
    start_fast(&bench);
    enter(&bench);
    expect_frame(&bench, 0, 0xAC, 0x53, 0, 0);
    assert_int_equal(bench.sck_hz, 125000);
    assert_true(reset_is_low(&bench));
    HOST_TALK(bench.host, BYTES(0x56, 0x58, 0x00, 0x77, 0x00, 0x20), BYTES(0x14, 0x77, 0x10));
    HOST_TALK(bench.host, BYTES(0x56, 0xAC, 0xA0, 0x00, 0x62, 0x62), BYTES(0x15));
    expect_frame(&bench, 2, 0xAC, 0xA0, 0x00, 0x62);
    enter(&bench); /* already in: nothing happens */
    assert_int_equal(frame_count(&bench), 3);
    HOST_TALK(bench.host, BYTES(0x51, 0x20), BYTES(0x14, 0x10));
    assert_false(reset_is_low(&bench));
    wire_bench_stop(&bench);
}

static void hangs_when_spi_is_off(void **state)
{
    (void)state;
    struct wire_bench bench;
    start_fast(&bench);
    in_step(&bench);
    host_send(bench.host, BYTES(0x56, 0x30, 0, 0, 0, 0x20));
    uint8_t byte;
    assert_int_equal(host_read(bench.host, &byte, 1, 100), 0);
    assert_int_equal(frame_count(&bench), 0);
    bench.host = host_reopen(bench.host, wire_path(bench.wire)); /* resets the board */
    in_step(&bench);
    wire_bench_stop(&bench);
}

static void write_block(struct wire_bench *bench, uint16_t length, char memory)
{
    uint8_t command[512] = {0x64, (uint8_t)(length >> 8), (uint8_t)length, (uint8_t)memory};
    for (uint16_t i = 0; i < length; i++) {
        command[4 + i] = (uint8_t)i;
    }
    command[4 + length] = 0x20;
    HOST_TALK(bench->host, command, (size_t)length + 5, BYTES(0x14, 0x10));
}

static void commits_on_crossing_pages_and_at_the_end(void **state)
{
    (void)state;
    struct wire_bench bench;
    start_fast(&bench);
    set_device(&bench, 32, 1024, 0x86);
    enter(&bench);
    HOST_TALK(bench.host, BYTES(0x55, 0x0F, 0x00, 0x20), BYTES(0x14, 0x10));
    write_block(&bench, 4, 'F'); /* words 0F and 10: the last of a page, the first of the next */
    assert_int_equal(frame_count(&bench), 1 + 4 + 2);
    expect_frame(&bench, 1, 0x40, 0, 0x0F, 0);
    expect_frame(&bench, 2, 0x48, 0, 0x0F, 1);
    expect_frame(&bench, 3, 0x4C, 0, 0x00, 0);
    expect_frame(&bench, 4, 0x40, 0, 0x10, 2);
    expect_frame(&bench, 6, 0x4C, 0, 0x10, 0);
    write_block(&bench, 2, 'F'); /* goes on where it was */
    expect_frame(&bench, 7, 0x40, 0, 0x11, 0);
    set_device(&bench, 48, 1024, 0x86); /* a size it does not know: every word a page */
    write_block(&bench, 4, 'F');
    expect_frame(&bench, 12, 0x4C, 0, 0x12, 0);
    expect_frame(&bench, 15, 0x4C, 0, 0x13, 0);
    wire_bench_stop(&bench);
}

static void block_above_256_bytes_ruins_the_parameters(void **state)
{
    (void)state;
    struct wire_bench bench;
    start_fast(&bench);
    set_device(&bench, 128, 1024, 0x86);
    enter(&bench);
    write_block(&bench, 272, 'F'); /* lays 0B and 0C over the page size */
    size_t before = frame_count(&bench);
    write_block(&bench, 4, 'F');
    assert_int_equal(frame_count(&bench) - before, 4 + 2); /* every word a page now */
    /* Much more is the end of the sketch. */
    uint8_t command[4 + 400] = {0x64, 1, 0x90, 'F'};
    host_send(bench.host, command, sizeof command);
    host_send(bench.host, BYTES(0x20));
    uint8_t byte;
    assert_int_equal(host_read(bench.host, &byte, 1, 100), 0);
    wire_bench_stop(&bench);
}

static void eeprom_is_addressed_by_words(void **state)
{
    (void)state;
    struct wire_bench bench;
    start_fast(&bench);
    set_device(&bench, 128, 64, 0x86);
    enter(&bench);
    HOST_TALK(bench.host, BYTES(0x55, 0x10, 0x00, 0x20), BYTES(0x14, 0x10));
    write_block(&bench, 33, 'E');
    expect_frame(&bench, 1, 0xC0, 0, 0x20, 0);
    expect_frame(&bench, 33, 0xC0, 0, 0x40, 32);
    HOST_TALK(bench.host, BYTES(0x74, 0, 2, 'E', 0x20), BYTES(0x14, 0x20, 0x21, 0x10));
    /* More than there is: refused before the data are taken, which are then read as commands. */
    HOST_TALK(bench.host, BYTES(0x64, 0, 65, 'E', 0x20), BYTES(0x14, 0x11));
    HOST_TALK(bench.host, BYTES(0x64, 0, 65, 'E', 0x21), BYTES(0x15));
    in_step(&bench);
    HOST_TALK(bench.host, BYTES(0x64, 0, 1, 'X'), BYTES(0x11));
    in_step(&bench);
    wire_bench_stop(&bench);
}

static void reads_stream_and_the_address_wraps(void **state)
{
    (void)state;
    struct wire_bench bench;
    start_fast(&bench);
    enter(&bench);
    HOST_TALK(bench.host, BYTES(0x55, 0xFF, 0xFF, 0x20), BYTES(0x14, 0x10));
    HOST_TALK(bench.host, BYTES(0x74, 0, 4, 'F', 0x20), BYTES(0x14, 0xFF, 0xFF, 0x00, 0x00, 0x10));
    expect_frame(&bench, 1, 0x20, 0xFF, 0xFF, 0);
    expect_frame(&bench, 3, 0x20, 0x00, 0x00, 0);
    /* a whole flash in one request */
    host_send(bench.host, BYTES(0x74, 0x7F, 0xFE, 'F', 0x20));
    static uint8_t answer[0x7FFE + 2];
    assert_int_equal(host_read(bench.host, answer, sizeof answer, HOST_PATIENCE_MS), sizeof answer);
    assert_int_equal(answer[0], 0x14);
    assert_int_equal(answer[1], 0x01);
    assert_int_equal(answer[sizeof answer - 1], 0x10);
    wire_bench_stop(&bench);
}

static void at89s_has_its_reset_the_other_way_round(void **state)
{
    (void)state;
    struct wire_bench bench;
    start_fast(&bench);
    set_device(&bench, 128, 64, 0xE0);
    enter(&bench);
    assert_false(reset_is_low(&bench));
    wire_bench_stop(&bench);
}

static void opening_resets_a_uart_board_only(void **state)
{
    (void)state;
    static const struct {
        const char *model;
        bool still_programming;
    } rows[] = {{"arduino-uno-isp", false}, {"pro-micro-isp", true}, {"teensy-2.0-isp", true}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct wire_bench bench;
        start(&bench, rows[i].model, false, 19200);
        enter(&bench);
        int second = host_open(wire_path(bench.wire)); /* it is open already: no edge of DTR */
        close(second);
        in_step(&bench);
        assert_true(reset_is_low(&bench));
        bench.host = host_reopen(bench.host, wire_path(bench.wire));
        in_step(&bench);
        assert_int_equal(reset_is_low(&bench), rows[i].still_programming);
        wire_bench_stop(&bench);
    }
}

/* Waits until the sketch, and not the bootloader, says who it is. */
static void await_sketch(struct wire_bench *bench)
{
    static const uint8_t wanted[] = {0x14, 'A', 'V', 'R', ' ', 'I', 'S', 'P', 0x10};
    int64_t until_ms = host_now_ms() + HOST_PATIENCE_MS;
    while (host_now_ms() < until_ms) {
        uint8_t answer[64];
        host_send(bench->host, BYTES(0x31, 0x20));
        if (host_read(bench->host, answer, sizeof answer, 300) == sizeof wanted &&
            memcmp(answer, wanted, sizeof wanted) == 0) {
            return;
        }
    }
    fail_msg("the sketch never answered");
}

static void uart_loses_what_comes_beyond_63_bytes(void **state)
{
    (void)state;
    struct wire_bench bench;
    start(&bench, "arduino-uno-isp", true, 19200);
    await_sketch(&bench);
    /* Entering takes 20 + 50 ms and a frame: 134 bytes come meanwhile, 63 of them are kept. */
    uint8_t flood[202] = {0x50, 0x20};
    for (size_t i = 2; i < sizeof flood; i += 2) {
        flood[i] = 0x30;
        flood[i + 1] = 0x20;
    }
    host_send(bench.host, flood, sizeof flood);
    uint8_t answer[512];
    size_t least = sizeof flood - (134 - 63) - 3;
    size_t got = host_read(bench.host, answer, least, HOST_PATIENCE_MS);
    got += host_read(bench.host, answer + got, sizeof answer - got, 300);
    pthread_mutex_lock(&bench.lock);
    size_t lost = bench.overrun;
    pthread_mutex_unlock(&bench.lock);
    assert_int_equal(lost, 134 - 63);
    /* One answer to each pair that arrived whole. */
    assert_in_range(got, least, least + 6);
    wire_bench_stop(&bench);
}

static void native_usb_loses_nothing(void **state)
{
    (void)state;
    struct wire_bench bench;
    start(&bench, "pro-micro-isp", true, 19200);
    uint8_t flood[202] = {0x50, 0x20};
    for (size_t i = 2; i < sizeof flood; i += 2) {
        flood[i] = 0x30;
        flood[i + 1] = 0x20;
    }
    host_send(bench.host, flood, sizeof flood);
    uint8_t answer[sizeof flood];
    assert_int_equal(host_read(bench.host, answer, sizeof answer, HOST_PATIENCE_MS), sizeof answer);
    wire_bench_stop(&bench);
}

static void bytes_take_their_time_on_a_uart(void **state)
{
    (void)state;
    struct wire_bench bench;
    start(&bench, "arduino-uno-isp", true, 19200);
    await_sketch(&bench);
    enter(&bench);
    int64_t began_ms = host_now_ms();
    host_send(bench.host, BYTES(0x74, 1, 0, 'F', 0x20));
    uint8_t answer[258];
    assert_int_equal(host_read(bench.host, answer, sizeof answer, HOST_PATIENCE_MS), sizeof answer);
    /* 5 bytes to it and 258 back, 0.521 ms each */
    assert_true(host_now_ms() - began_ms >= 136);
    wire_bench_stop(&bench);
}

static void bootloader_answers_at_its_own_baud_rate(void **state)
{
    (void)state;
    struct wire_bench bench;
    start(&bench, "arduino-uno-isp", true, 115200);
    in_step(&bench);
    HOST_TALK(bench.host, BYTES(0x31, 0x20), BYTES(0x14, 0x10));
    HOST_TALK(bench.host, BYTES(0x41, 0x81, 0x20), BYTES(0x14, 4, 0x10));
    HOST_TALK(bench.host, BYTES(0x50, 0x20), BYTES(0x14, 0x10));
    HOST_TALK(bench.host, BYTES(0x75, 0x20), BYTES(0x14, 0x1E, 0x95, 0x0F, 0x10));
    HOST_TALK(bench.host, BYTES(0x56, 0xAC, 0x80, 0, 0, 0x20), BYTES(0x14, 0x00, 0x10));
    write_block(&bench, 128, 'F');
    assert_int_equal(frame_count(&bench), 0);
    pthread_mutex_lock(&bench.lock);
    assert_int_equal(bench.bootloader_pages, 1);
    pthread_mutex_unlock(&bench.lock);
    HOST_TALK(bench.host, BYTES(0x51, 0x20), BYTES(0x14, 0x10));
    await_sketch(&bench);
    wire_bench_stop(&bench);
}

static void bootloader_is_silent_at_another_baud_rate(void **state)
{
    (void)state;
    struct wire_bench bench;
    start(&bench, "arduino-uno-isp", true, 19200);
    int64_t began_ms = host_now_ms();
    host_send(bench.host, BYTES(0x30, 0x20));
    uint8_t answer[4];
    assert_int_equal(host_read(bench.host, answer, sizeof answer, 300), 0);
    /* It went at the first byte; the sketch hears already, but blinks first. */
    HOST_TALK(bench.host, BYTES(0x31, 0x20), BYTES(0x14, 'A', 'V', 'R', ' ', 'I', 'S', 'P', 0x10));
    assert_true(host_now_ms() - began_ms >= 540);
    wire_bench_stop(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_who_it_is),
        cmocka_unit_test(loses_step_as_the_sketch_does),
        cmocka_unit_test(universal_is_done_before_its_end_is_looked_at),
        cmocka_unit_test(hangs_when_spi_is_off),
        cmocka_unit_test(commits_on_crossing_pages_and_at_the_end),
        cmocka_unit_test(block_above_256_bytes_ruins_the_parameters),
        cmocka_unit_test(eeprom_is_addressed_by_words),
        cmocka_unit_test(reads_stream_and_the_address_wraps),
        cmocka_unit_test(at89s_has_its_reset_the_other_way_round),
        cmocka_unit_test(opening_resets_a_uart_board_only),
        cmocka_unit_test(uart_loses_what_comes_beyond_63_bytes),
        cmocka_unit_test(native_usb_loses_nothing),
        cmocka_unit_test(bytes_take_their_time_on_a_uart),
        cmocka_unit_test(bootloader_answers_at_its_own_baud_rate),
        cmocka_unit_test(bootloader_is_silent_at_another_baud_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
