/* The ArduinoISP sketch, the bootloader before it and the wire to it: their limits must bite. */
#include "tests/bench_host.h"

#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>

#include "jigs/simbench/arduino_isp.h"

#define FRAMES_MAX 4096

/* What arrived on the ISP lines. The firmware's thread writes, the test reads after an answer. */
struct fixture {
    pthread_mutex_t lock;
    uint8_t frames[FRAMES_MAX][4];
    size_t frame_count;
    int64_t sck_hz;
    bool reset_low;
    int bootloader_pages;
    size_t overrun;

    int stop_descriptor;
    struct wire *wire;
    struct isp_port port;
    struct wire_firmware_run options;
    pthread_t thread;
    int host;
};

static void drive_reset(void *context, bool low)
{
    struct fixture *fixture = context;
    pthread_mutex_lock(&fixture->lock);
    fixture->reset_low = low;
    pthread_mutex_unlock(&fixture->lock);
}

/* A target whose answer is the third byte it was sent. */
static enum isp_mishap transfer(void *context, const uint8_t mosi[4], uint8_t miso[4],
                                int64_t sck_hz, int64_t now_us, int64_t *away_us)
{
    (void)now_us;
    (void)away_us;
    struct fixture *fixture = context;
    pthread_mutex_lock(&fixture->lock);
    fixture->sck_hz = sck_hz;
    if (fixture->frame_count < FRAMES_MAX) {
        memcpy(fixture->frames[fixture->frame_count++], mosi, 4);
    }
    pthread_mutex_unlock(&fixture->lock);
    miso[3] = mosi[2];
    return ISP_MISHAP_NONE;
}

static void bootloader_page(void *context)
{
    struct fixture *fixture = context;
    pthread_mutex_lock(&fixture->lock);
    fixture->bootloader_pages++;
    pthread_mutex_unlock(&fixture->lock);
}

static size_t pass(void *context, uint8_t *bytes, size_t count)
{
    (void)context;
    (void)bytes;
    return count;
}

static size_t pass_back(void *context, uint8_t *bytes, size_t count, int64_t *late_us)
{
    *late_us = 0;
    return pass(context, bytes, count);
}

static void note_overrun(void *context, size_t count)
{
    struct fixture *fixture = context;
    pthread_mutex_lock(&fixture->lock);
    fixture->overrun += count;
    pthread_mutex_unlock(&fixture->lock);
}

static void *run_firmware(void *context)
{
    const struct wire_firmware_run *run = context;
    run->firmware->run(run);
    return NULL;
}

static void start(struct fixture *fixture, const char *model, bool real_pace, unsigned baud)
{
    memset(fixture, 0, sizeof *fixture);
    pthread_mutex_init(&fixture->lock, NULL);
    fixture->stop_descriptor = eventfd(0, EFD_CLOEXEC);
    fixture->port = (struct isp_port){.drive_reset = drive_reset,
                                      .transfer = transfer,
                                      .bootloader_page = bootloader_page,
                                      .context = fixture};
    fixture->options.firmware = wire_firmware_by_name(model);
    assert_non_null(fixture->options.firmware);
    const struct wire_options wire = {
        .real_pace = real_pace,
        .line = fixture->options.firmware->line,
        .baud = baud,
        .stop_descriptor = fixture->stop_descriptor,
        .to_programmer = pass,
        .from_programmer = pass_back,
        .overrun = note_overrun,
        .context = fixture,
    };
    struct failure failure = {0};
    assert_int_equal(wire_create(&wire, &fixture->wire, &failure), 0);
    fixture->options.wire = fixture->wire;
    fixture->options.port = &fixture->port;
    fixture->options.baud = baud;
    fixture->options.real_pace = real_pace;
    assert_int_equal(pthread_create(&fixture->thread, NULL, run_firmware, &fixture->options), 0);
    fixture->host = host_open(wire_path(fixture->wire));
}

static void stop(struct fixture *fixture)
{
    eventfd_write(fixture->stop_descriptor, 1);
    pthread_join(fixture->thread, NULL);
    wire_free(fixture->wire);
    close(fixture->host);
    close(fixture->stop_descriptor);
    pthread_mutex_destroy(&fixture->lock);
}

static void start_fast(struct fixture *fixture)
{
    start(fixture, "arduino-uno-isp", false, 19200);
}

static size_t frame_count(struct fixture *fixture)
{
    pthread_mutex_lock(&fixture->lock);
    size_t count = fixture->frame_count;
    pthread_mutex_unlock(&fixture->lock);
    return count;
}

static bool reset_is_low(struct fixture *fixture)
{
    pthread_mutex_lock(&fixture->lock);
    bool low = fixture->reset_low;
    pthread_mutex_unlock(&fixture->lock);
    return low;
}

static void expect_frame(struct fixture *fixture, size_t index, uint8_t a, uint8_t b, uint8_t c,
                         uint8_t d)
{
    const uint8_t wanted[4] = {a, b, c, d};
    pthread_mutex_lock(&fixture->lock);
    assert_true(index < fixture->frame_count);
    assert_memory_equal(fixture->frames[index], wanted, 4);
    pthread_mutex_unlock(&fixture->lock);
}

static void in_step(struct fixture *fixture)
{
    HOST_TALK(fixture->host, BYTES(0x30, 0x20), BYTES(0x14, 0x10));
}

static void enter(struct fixture *fixture)
{
    HOST_TALK(fixture->host, BYTES(0x50, 0x20), BYTES(0x14, 0x10));
}

/* 42 with page size, EEPROM size (high byte first) and device code. */
static void set_device(struct fixture *fixture, uint16_t page_size, uint16_t eeprom_size,
                       uint8_t device_code)
{
    uint8_t command[22] = {0x42, device_code};
    command[13] = (uint8_t)(page_size >> 8);
    command[14] = (uint8_t)page_size;
    command[15] = (uint8_t)(eeprom_size >> 8);
    command[16] = (uint8_t)eeprom_size;
    command[21] = 0x20;
    HOST_TALK(fixture->host, command, sizeof command, BYTES(0x14, 0x10));
}

static void tells_who_it_is(void **state)
{
    (void)state;
    struct fixture fixture;
    start_fast(&fixture);
    in_step(&fixture);
    HOST_TALK(fixture.host, BYTES(0x31, 0x20),
              BYTES(0x14, 'A', 'V', 'R', ' ', 'I', 'S', 'P', 0x10));
    HOST_TALK(fixture.host, BYTES(0x41, 0x81, 0x20), BYTES(0x14, 1, 0x10));
    HOST_TALK(fixture.host, BYTES(0x41, 0x82, 0x20), BYTES(0x14, 18, 0x10));
    HOST_TALK(fixture.host, BYTES(0x41, 0x89, 0x20), BYTES(0x14, 0, 0x10));
    stop(&fixture);
}

static void loses_step_as_the_sketch_does(void **state)
{
    (void)state;
    struct fixture fixture;
    start_fast(&fixture);
    HOST_TALK(fixture.host, BYTES(0x20), BYTES(0x15));
    HOST_TALK(fixture.host, BYTES(0x30, 0x31), BYTES(0x15));
    HOST_TALK(fixture.host, BYTES(0x52, 0x20), BYTES(0x12));             /* unknown, end follows */
    HOST_TALK(fixture.host, BYTES(0x40, 0x86, 0x20), BYTES(0x15, 0x15)); /* and does not */
    /* 42 takes exactly 20 bytes, whatever they are: a short one swallows what comes next. */
    uint8_t short_device[21] = {0x42};
    short_device[20] = 0x20;
    host_send(fixture.host, short_device, sizeof short_device);
    HOST_TALK(fixture.host, BYTES(0x30, 0x20), BYTES(0x15, 0x15));
    in_step(&fixture);
    HOST_TALK(fixture.host, BYTES(0x60, 1, 2, 0x20), BYTES(0x14, 0x10));
    HOST_TALK(fixture.host, BYTES(0x61, 1, 0x20), BYTES(0x14, 0x10));
    assert_int_equal(frame_count(&fixture), 0);
    stop(&fixture);
}

static void universal_is_done_before_its_end_is_looked_at(void **state)
{
    (void)state;
    struct fixture fixture;
    start_fast(&fixture);
    enter(&fixture);
    expect_frame(&fixture, 0, 0xAC, 0x53, 0, 0);
    assert_int_equal(fixture.sck_hz, 125000);
    assert_true(reset_is_low(&fixture));
    HOST_TALK(fixture.host, BYTES(0x56, 0x58, 0x00, 0x77, 0x00, 0x20), BYTES(0x14, 0x77, 0x10));
    HOST_TALK(fixture.host, BYTES(0x56, 0xAC, 0xA0, 0x00, 0x62, 0x62), BYTES(0x15));
    expect_frame(&fixture, 2, 0xAC, 0xA0, 0x00, 0x62);
    enter(&fixture); /* already in: nothing happens */
    assert_int_equal(frame_count(&fixture), 3);
    HOST_TALK(fixture.host, BYTES(0x51, 0x20), BYTES(0x14, 0x10));
    assert_false(reset_is_low(&fixture));
    stop(&fixture);
}

static void hangs_when_spi_is_off(void **state)
{
    (void)state;
    struct fixture fixture;
    start_fast(&fixture);
    in_step(&fixture);
    host_send(fixture.host, BYTES(0x56, 0x30, 0, 0, 0, 0x20));
    uint8_t byte;
    assert_int_equal(host_read(fixture.host, &byte, 1, 100), 0);
    assert_int_equal(frame_count(&fixture), 0);
    fixture.host = host_reopen(fixture.host, wire_path(fixture.wire)); /* resets the board */
    in_step(&fixture);
    stop(&fixture);
}

static void write_block(struct fixture *fixture, uint16_t length, char memory)
{
    uint8_t command[512] = {0x64, (uint8_t)(length >> 8), (uint8_t)length, (uint8_t)memory};
    for (uint16_t i = 0; i < length; i++) {
        command[4 + i] = (uint8_t)i;
    }
    command[4 + length] = 0x20;
    HOST_TALK(fixture->host, command, (size_t)length + 5, BYTES(0x14, 0x10));
}

static void commits_on_crossing_pages_and_at_the_end(void **state)
{
    (void)state;
    struct fixture fixture;
    start_fast(&fixture);
    set_device(&fixture, 32, 1024, 0x86);
    enter(&fixture);
    HOST_TALK(fixture.host, BYTES(0x55, 0x0F, 0x00, 0x20), BYTES(0x14, 0x10));
    write_block(&fixture, 4, 'F'); /* words 0F and 10: the last of a page, the first of the next */
    assert_int_equal(frame_count(&fixture), 1 + 4 + 2);
    expect_frame(&fixture, 1, 0x40, 0, 0x0F, 0);
    expect_frame(&fixture, 2, 0x48, 0, 0x0F, 1);
    expect_frame(&fixture, 3, 0x4C, 0, 0x00, 0);
    expect_frame(&fixture, 4, 0x40, 0, 0x10, 2);
    expect_frame(&fixture, 6, 0x4C, 0, 0x10, 0);
    write_block(&fixture, 2, 'F'); /* goes on where it was */
    expect_frame(&fixture, 7, 0x40, 0, 0x11, 0);
    set_device(&fixture, 48, 1024, 0x86); /* a size it does not know: every word a page */
    write_block(&fixture, 4, 'F');
    expect_frame(&fixture, 12, 0x4C, 0, 0x12, 0);
    expect_frame(&fixture, 15, 0x4C, 0, 0x13, 0);
    stop(&fixture);
}

static void block_above_256_bytes_ruins_the_parameters(void **state)
{
    (void)state;
    struct fixture fixture;
    start_fast(&fixture);
    set_device(&fixture, 128, 1024, 0x86);
    enter(&fixture);
    write_block(&fixture, 272, 'F'); /* lays 0B and 0C over the page size */
    size_t before = frame_count(&fixture);
    write_block(&fixture, 4, 'F');
    assert_int_equal(frame_count(&fixture) - before, 4 + 2); /* every word a page now */
    /* Much more is the end of the sketch. */
    uint8_t command[4 + 400] = {0x64, 1, 0x90, 'F'};
    host_send(fixture.host, command, sizeof command);
    host_send(fixture.host, BYTES(0x20));
    uint8_t byte;
    assert_int_equal(host_read(fixture.host, &byte, 1, 100), 0);
    stop(&fixture);
}

static void eeprom_is_addressed_by_words(void **state)
{
    (void)state;
    struct fixture fixture;
    start_fast(&fixture);
    set_device(&fixture, 128, 64, 0x86);
    enter(&fixture);
    HOST_TALK(fixture.host, BYTES(0x55, 0x10, 0x00, 0x20), BYTES(0x14, 0x10));
    write_block(&fixture, 33, 'E');
    expect_frame(&fixture, 1, 0xC0, 0, 0x20, 0);
    expect_frame(&fixture, 33, 0xC0, 0, 0x40, 32);
    HOST_TALK(fixture.host, BYTES(0x74, 0, 2, 'E', 0x20), BYTES(0x14, 0x20, 0x21, 0x10));
    /* More than there is: refused before the data are taken, which are then read as commands. */
    HOST_TALK(fixture.host, BYTES(0x64, 0, 65, 'E', 0x20), BYTES(0x14, 0x11));
    HOST_TALK(fixture.host, BYTES(0x64, 0, 65, 'E', 0x21), BYTES(0x15));
    in_step(&fixture);
    HOST_TALK(fixture.host, BYTES(0x64, 0, 1, 'X'), BYTES(0x11));
    in_step(&fixture);
    stop(&fixture);
}

static void reads_stream_and_the_address_wraps(void **state)
{
    (void)state;
    struct fixture fixture;
    start_fast(&fixture);
    enter(&fixture);
    HOST_TALK(fixture.host, BYTES(0x55, 0xFF, 0xFF, 0x20), BYTES(0x14, 0x10));
    HOST_TALK(fixture.host, BYTES(0x74, 0, 4, 'F', 0x20),
              BYTES(0x14, 0xFF, 0xFF, 0x00, 0x00, 0x10));
    expect_frame(&fixture, 1, 0x20, 0xFF, 0xFF, 0);
    expect_frame(&fixture, 3, 0x20, 0x00, 0x00, 0);
    /* a whole flash in one request */
    host_send(fixture.host, BYTES(0x74, 0x7F, 0xFE, 'F', 0x20));
    static uint8_t answer[0x7FFE + 2];
    assert_int_equal(host_read(fixture.host, answer, sizeof answer, HOST_PATIENCE_MS),
                     sizeof answer);
    assert_int_equal(answer[0], 0x14);
    assert_int_equal(answer[1], 0x01);
    assert_int_equal(answer[sizeof answer - 1], 0x10);
    stop(&fixture);
}

static void at89s_has_its_reset_the_other_way_round(void **state)
{
    (void)state;
    struct fixture fixture;
    start_fast(&fixture);
    set_device(&fixture, 128, 64, 0xE0);
    enter(&fixture);
    assert_false(reset_is_low(&fixture));
    stop(&fixture);
}

static void opening_resets_a_uart_board_only(void **state)
{
    (void)state;
    static const struct {
        const char *model;
        bool still_programming;
    } rows[] = {{"arduino-uno-isp", false}, {"pro-micro-isp", true}, {"teensy-2.0-isp", true}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fixture fixture;
        start(&fixture, rows[i].model, false, 19200);
        enter(&fixture);
        int second = host_open(wire_path(fixture.wire)); /* it is open already: no edge of DTR */
        close(second);
        in_step(&fixture);
        assert_true(reset_is_low(&fixture));
        fixture.host = host_reopen(fixture.host, wire_path(fixture.wire));
        in_step(&fixture);
        assert_int_equal(reset_is_low(&fixture), rows[i].still_programming);
        stop(&fixture);
    }
}

/* Waits until the sketch, and not the bootloader, says who it is. */
static void await_sketch(struct fixture *fixture)
{
    static const uint8_t wanted[] = {0x14, 'A', 'V', 'R', ' ', 'I', 'S', 'P', 0x10};
    int64_t until_ms = host_now_ms() + HOST_PATIENCE_MS;
    while (host_now_ms() < until_ms) {
        uint8_t answer[64];
        host_send(fixture->host, BYTES(0x31, 0x20));
        if (host_read(fixture->host, answer, sizeof answer, 300) == sizeof wanted &&
            memcmp(answer, wanted, sizeof wanted) == 0) {
            return;
        }
    }
    fail_msg("the sketch never answered");
}

static void uart_loses_what_comes_beyond_63_bytes(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture, "arduino-uno-isp", true, 19200);
    await_sketch(&fixture);
    /* Entering takes 20 + 50 ms and a frame: 134 bytes come meanwhile, 63 of them are kept. */
    uint8_t flood[202] = {0x50, 0x20};
    for (size_t i = 2; i < sizeof flood; i += 2) {
        flood[i] = 0x30;
        flood[i + 1] = 0x20;
    }
    host_send(fixture.host, flood, sizeof flood);
    uint8_t answer[512];
    size_t got = host_read(fixture.host, answer, sizeof answer, 300);
    pthread_mutex_lock(&fixture.lock);
    size_t lost = fixture.overrun;
    pthread_mutex_unlock(&fixture.lock);
    assert_int_equal(lost, 134 - 63);
    /* One answer to each pair that arrived whole. */
    assert_in_range(got, sizeof flood - lost - 3, sizeof flood - lost + 3);
    stop(&fixture);
}

static void native_usb_loses_nothing(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture, "pro-micro-isp", true, 19200);
    uint8_t flood[202] = {0x50, 0x20};
    for (size_t i = 2; i < sizeof flood; i += 2) {
        flood[i] = 0x30;
        flood[i + 1] = 0x20;
    }
    host_send(fixture.host, flood, sizeof flood);
    uint8_t answer[sizeof flood];
    assert_int_equal(host_read(fixture.host, answer, sizeof answer, HOST_PATIENCE_MS),
                     sizeof answer);
    stop(&fixture);
}

static void bytes_take_their_time_on_a_uart(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture, "arduino-uno-isp", true, 19200);
    await_sketch(&fixture);
    enter(&fixture);
    int64_t began_ms = host_now_ms();
    host_send(fixture.host, BYTES(0x74, 1, 0, 'F', 0x20));
    uint8_t answer[258];
    assert_int_equal(host_read(fixture.host, answer, sizeof answer, HOST_PATIENCE_MS),
                     sizeof answer);
    /* 5 bytes to it and 258 back, 0.521 ms each */
    assert_true(host_now_ms() - began_ms >= 136);
    stop(&fixture);
}

static void bootloader_answers_at_its_own_baud_rate(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture, "arduino-uno-isp", true, 115200);
    in_step(&fixture);
    HOST_TALK(fixture.host, BYTES(0x31, 0x20), BYTES(0x14, 0x10));
    HOST_TALK(fixture.host, BYTES(0x41, 0x81, 0x20), BYTES(0x14, 4, 0x10));
    HOST_TALK(fixture.host, BYTES(0x50, 0x20), BYTES(0x14, 0x10));
    HOST_TALK(fixture.host, BYTES(0x75, 0x20), BYTES(0x14, 0x1E, 0x95, 0x0F, 0x10));
    HOST_TALK(fixture.host, BYTES(0x56, 0xAC, 0x80, 0, 0, 0x20), BYTES(0x14, 0x00, 0x10));
    write_block(&fixture, 128, 'F');
    assert_int_equal(frame_count(&fixture), 0);
    pthread_mutex_lock(&fixture.lock);
    assert_int_equal(fixture.bootloader_pages, 1);
    pthread_mutex_unlock(&fixture.lock);
    HOST_TALK(fixture.host, BYTES(0x51, 0x20), BYTES(0x14, 0x10));
    await_sketch(&fixture);
    stop(&fixture);
}

static void bootloader_is_silent_at_another_baud_rate(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture, "arduino-uno-isp", true, 19200);
    int64_t began_ms = host_now_ms();
    host_send(fixture.host, BYTES(0x30, 0x20));
    uint8_t answer[4];
    assert_int_equal(host_read(fixture.host, answer, sizeof answer, 300), 0);
    /* It went at the first byte; the sketch hears already, but blinks first. */
    HOST_TALK(fixture.host, BYTES(0x31, 0x20),
              BYTES(0x14, 'A', 'V', 'R', ' ', 'I', 'S', 'P', 0x10));
    assert_true(host_now_ms() - began_ms >= 540);
    stop(&fixture);
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
