/* STK500 version 2 firmware on a wire: its frames, its commands, and the harm that wrong ones do to
 * a board. */
#include "tests/wire_bench.h"

#include <stdlib.h>
#include <string.h>

#include "jigs/simbench/avr_target.h"

#define CRYSTAL_HZ 16000000
#define REPLY_MAX 300

struct fixture {
    struct wire_bench bench;
    struct part *part;
    struct avr_target *target; /* NULL: none */
    uint8_t sequence;
    uint8_t reply[REPLY_MAX]; /* body of the last one… */
    size_t reply_count;       /* …and its length */
};

static void drive_reset(void *context, bool low)
{
    const struct fixture *fixture = context;
    if (fixture->target != NULL) {
        avr_target_drive_reset(fixture->target, low);
    }
}

static void answer(void *context, const uint8_t mosi[4], uint8_t miso[4], int64_t sck_hz,
                   int64_t now_us)
{
    const struct fixture *fixture = context;
    for (int i = 0; i < 4; i++) {
        miso[i] = fixture->target == NULL
                      ? 0xFF
                      : avr_target_transfer(fixture->target, mosi[i], sck_hz, now_us);
    }
}

static void load_target(struct fixture *fixture, const char *part, int64_t crystal_hz)
{
    struct failure failure = {0};
    if (part_load(TEST_SOURCE_DIR "/profiles/parts", part, &fixture->part, &failure) != 0) {
        fail_msg("%s", failure.detail);
    }
    fixture->target = avr_target_create(fixture->part, crystal_hz, true);
    assert_non_null(fixture->target);
}

/* Part NULL: there is none. Fuses say that its crystal runs it. */
static void start_at(struct fixture *fixture, const char *model, const char *part, bool real_pace)
{
    const struct wire_bench_options options = {
        .model = model,
        .real_pace = real_pace,
        .board = {.answer = answer, .drive_reset = drive_reset, .context = fixture}};
    memset(fixture, 0, sizeof *fixture);
    if (part != NULL) {
        load_target(fixture, part, CRYSTAL_HZ);
        avr_target_preset(fixture->target, PART_FUSE_LOW, (const uint8_t[]){0xFF}, 1);
    }
    wire_bench_start(&fixture->bench, &options);
}

static void start(struct fixture *fixture, const char *model, const char *part)
{
    start_at(fixture, model, part, false);
}

static void stop(struct fixture *fixture)
{
    wire_bench_stop(&fixture->bench);
    avr_target_free(fixture->target);
    part_free(fixture->part);
}

/* --- frames --- */

static size_t make_frame(uint8_t sequence, const uint8_t *body, size_t count, uint8_t *frame)
{
    const uint8_t head[] = {0x1B, sequence, (uint8_t)(count >> 8), (uint8_t)count, 0x0E};
    uint8_t checksum = 0;
    memcpy(frame, head, sizeof head);
    memcpy(frame + sizeof head, body, count);
    for (size_t i = 0; i < sizeof head + count; i++) {
        checksum ^= frame[i];
    }
    frame[sizeof head + count] = checksum;
    return sizeof head + count + 1;
}

static void take_reply(struct fixture *fixture)
{
    uint8_t head[5] = {0}, checksum = 0, sum = 0;
    assert_int_equal(host_read(fixture->bench.host, head, sizeof head, HOST_PATIENCE_MS),
                     sizeof head);
    assert_int_equal(head[0], 0x1B);
    assert_int_equal(head[1], fixture->sequence);
    assert_int_equal(head[4], 0x0E);
    fixture->reply_count = (size_t)head[2] << 8 | head[3];
    assert_true(fixture->reply_count >= 2 && fixture->reply_count <= REPLY_MAX);
    assert_int_equal(
        host_read(fixture->bench.host, fixture->reply, fixture->reply_count, HOST_PATIENCE_MS),
        fixture->reply_count);
    assert_int_equal(host_read(fixture->bench.host, &checksum, 1, HOST_PATIENCE_MS), 1);
    for (size_t i = 0; i < sizeof head; i++) {
        sum ^= head[i];
    }
    for (size_t i = 0; i < fixture->reply_count; i++) {
        sum ^= fixture->reply[i];
    }
    assert_int_equal(sum, checksum);
}

/* Returns the status. */
static uint8_t talk(struct fixture *fixture, const uint8_t *body, size_t count)
{
    uint8_t frame[400];
    size_t length = make_frame(++fixture->sequence, body, count, frame);
    host_send(fixture->bench.host, frame, length);
    take_reply(fixture);
    assert_int_equal(fixture->reply[0], body[0]);
    return fixture->reply[1];
}

#define TALK(fixture, ...) talk((fixture), BYTES(__VA_ARGS__))

static void expect_reply(const struct fixture *fixture, const uint8_t *body, size_t count)
{
    assert_int_equal(fixture->reply_count, count);
    assert_memory_equal(fixture->reply, body, count);
}

static void expect_silence(struct fixture *fixture)
{
    uint8_t byte;
    assert_int_equal(host_read(fixture->bench.host, &byte, 1, 100), 0);
}

/* --- what a host does --- */

static uint8_t enter(struct fixture *fixture)
{
    return TALK(fixture, 0x10, 200, 100, 25, 32, 0, 0x53, 3, 0xAC, 0x53, 0, 0);
}

static void load_address(struct fixture *fixture, uint32_t address)
{
    assert_int_equal(TALK(fixture, 0x06, (uint8_t)(address >> 24), (uint8_t)(address >> 16),
                          (uint8_t)(address >> 8), (uint8_t)address),
                     0);
}

struct block {
    uint8_t command, mode, delay_ms;
    uint8_t opcodes[3];
    size_t count;
    uint8_t first; /* the bytes count on from there */
};

static void fill(const struct block *block, uint8_t *bytes)
{
    for (size_t i = 0; i < block->count; i++) {
        bytes[i] = (uint8_t)(block->first + i % 128);
    }
}

static uint8_t write_block(struct fixture *fixture, const struct block *block)
{
    uint8_t body[10 + 300] = {block->command,
                              (uint8_t)(block->count >> 8),
                              (uint8_t)block->count,
                              block->mode,
                              block->delay_ms,
                              block->opcodes[0],
                              block->opcodes[1],
                              block->opcodes[2],
                              0xFF,
                              0xFF};
    fill(block, body + 10);
    return talk(fixture, body, 10 + block->count);
}

static uint8_t write_flash(struct fixture *fixture, uint8_t mode, uint8_t delay_ms, uint8_t first)
{
    const struct block block = {0x13, mode, delay_ms, {0x40, 0x4C, 0x20}, 128, first};
    return write_block(fixture, &block);
}

/* 128 bytes at a place of the flash count on from `first`. */
static bool holds(struct fixture *fixture, uint32_t address, uint8_t first)
{
    const struct block block = {.count = 128, .first = first};
    uint8_t bytes[128];
    fill(&block, bytes);
    pthread_mutex_lock(&fixture->bench.lock);
    const uint8_t *flash = avr_target_memory(fixture->target, PART_FLASH, NULL);
    bool same = memcmp(flash + address, bytes, sizeof bytes) == 0;
    pthread_mutex_unlock(&fixture->bench.lock);
    return same;
}

static struct avr_target_counts counts(struct fixture *fixture)
{
    pthread_mutex_lock(&fixture->bench.lock);
    struct avr_target_counts counts = *avr_target_counts(fixture->target);
    pthread_mutex_unlock(&fixture->bench.lock);
    return counts;
}

/* --- tests: frames --- */

static void signs_on_with_its_name(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture, "stk500-v2", NULL);
    assert_int_equal(TALK(&fixture, 0x01), 0);
    expect_reply(&fixture, BYTES(0x01, 0x00, 8, 'S', 'T', 'K', '5', '0', '0', '_', '2'));
    fixture.sequence = 0xFE; /* and 00 after FF */
    assert_int_equal(TALK(&fixture, 0x01), 0);
    assert_int_equal(TALK(&fixture, 0x01), 0);
    stop(&fixture);
    start(&fixture, "scratchmonkey", NULL);
    assert_int_equal(TALK(&fixture, 0x01), 0);
    assert_memory_equal(fixture.reply + 2, "\015SCRATCHMONKEY", 14);
    stop(&fixture);
}

static void bad_checksum_is_told(void **state)
{
    (void)state;
    struct fixture fixture;
    uint8_t frame[16];
    start(&fixture, "stk500-v2", NULL);
    fixture.sequence = 7;
    size_t length = make_frame(7, BYTES(0x02, 0x98, 9), frame);
    frame[length - 1] ^= 0x10;
    host_send(fixture.bench.host, frame, length);
    take_reply(&fixture);
    expect_reply(&fixture, BYTES(0xB0, 0xC1));
    assert_int_equal(TALK(&fixture, 0x03, 0x98), 0);
    assert_int_not_equal(fixture.reply[2], 9);
    stop(&fixture);
}

static void what_is_no_message_is_dropped(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture, "stk500-v2", NULL);
    host_send(fixture.bench.host, BYTES(0x30, 0x20, 0x00));          /* no start */
    host_send(fixture.bench.host, BYTES(0x1B, 1, 0, 1, 0x0F));       /* no token */
    host_send(fixture.bench.host, BYTES(0x1B, 1, 0x01, 0x14, 0x0E)); /* 276 bytes */
    host_send(fixture.bench.host, BYTES(0x1B, 1, 0x00, 0x00, 0x0E)); /* none */
    expect_silence(&fixture);
    assert_int_equal(TALK(&fixture, 0x01), 0);
    uint8_t longest[275] = {0x01};
    assert_int_equal(talk(&fixture, longest, sizeof longest), 0);
    stop(&fixture);
}

static void unfinished_message_takes_what_comes(void **state)
{
    (void)state;
    struct fixture fixture;
    uint8_t frame[16];
    start(&fixture, "stk500-v2", NULL);
    fixture.sequence = 3;
    size_t length = make_frame(3, BYTES(0x02, 0x98, 9), frame);
    host_send(fixture.bench.host, frame, length - 2); /* value and checksum lost */
    expect_silence(&fixture);
    host_send(fixture.bench.host, BYTES(0x55, 0x55)); /* the value, and a wrong checksum */
    take_reply(&fixture);
    expect_reply(&fixture, BYTES(0xB0, 0xC1));
    assert_int_equal(TALK(&fixture, 0x01), 0);
    stop(&fixture);
}

static void unknown_commands_are_refused(void **state)
{
    (void)state;
    static const uint8_t unknown[] = {0x00, 0x0A, 0x1F, 0x50, 0xFF};
    struct fixture fixture;
    start(&fixture, "stk500-v2", NULL);
    for (size_t i = 0; i < sizeof unknown; i++) {
        assert_int_equal(TALK(&fixture, unknown[i], 0), 0xC9);
        assert_int_equal(fixture.reply_count, 2);
    }
    stop(&fixture);
}

/* --- tests: parameters and session --- */

static void parameters_stay_as_long_as_the_programmer_keeps_them(void **state)
{
    (void)state;
    static const struct {
        const char *model;
        uint8_t after_opening;
    } rows[] = {{"stk500-v2", 9}, {"mega2560-isp", 2}, {"scratchmonkey", 2}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fixture fixture;
        start(&fixture, rows[i].model, NULL);
        assert_int_equal(TALK(&fixture, 0x02, 0x98, 9), 0);
        assert_int_equal(TALK(&fixture, 0x03, 0x98), 0);
        assert_int_equal(fixture.reply[2], 9);
        assert_int_equal(TALK(&fixture, 0x02, 0x91, 9), 0xC0); /* only to be read */
        assert_int_equal(TALK(&fixture, 0x02, 0x77, 9), 0xC0); /* not there */
        assert_int_equal(TALK(&fixture, 0x03, 0x77), 0xC0);
        fixture.bench.host = host_reopen(fixture.bench.host, wire_path(fixture.bench.wire));
        assert_int_equal(TALK(&fixture, 0x03, 0x98), 0);
        assert_int_equal(fixture.reply[2], rows[i].after_opening);
        stop(&fixture);
    }
}

static void sck_changes_at_enter(void **state)
{
    (void)state;
    static const struct {
        const char *model;
        uint8_t duration;
        int64_t hz;
    } rows[] = {
        {"stk500-v2", 0, 1843200},    {"stk500-v2", 1, 460800},      {"stk500-v2", 2, 115200},
        {"stk500-v2", 3, 57600},      {"stk500-v2", 4, 63558},       {"stk500-v2", 255, 1200},
        {"mega2560-isp", 1, 460800},  {"scratchmonkey", 0, 2000000}, {"scratchmonkey", 1, 500000},
        {"scratchmonkey", 9, 125000},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fixture fixture;
        start(&fixture, rows[i].model, "ATmega328P");
        assert_int_equal(enter(&fixture), 0);
        int64_t before_hz = last_sck_hz(&fixture.bench);
        assert_int_equal(TALK(&fixture, 0x02, 0x98, rows[i].duration), 0);
        assert_int_equal(TALK(&fixture, 0x1B, 4, 0x30, 0, 0, 0), 0);
        assert_int_equal(last_sck_hz(&fixture.bench), before_hz);
        assert_int_equal(TALK(&fixture, 0x11, 1, 1), 0);
        assert_false(reset_is_low(&fixture.bench));
        assert_int_equal(enter(&fixture), 0);
        assert_true(reset_is_low(&fixture.bench));
        assert_int_equal(last_sck_hz(&fixture.bench), rows[i].hz);
        stop(&fixture);
    }
}

static void polarity_0_leaves_an_avr_running(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture, "stk500-v2", "ATmega328P");
    assert_int_equal(TALK(&fixture, 0x02, 0x9E, 0), 0);
    assert_int_equal(enter(&fixture), 0x80);
    assert_false(reset_is_low(&fixture.bench));
    assert_int_equal(TALK(&fixture, 0x02, 0x9E, 1), 0);
    assert_int_equal(enter(&fixture), 0);
    stop(&fixture);
}

static void no_target_ends_enter_with_a_failure(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture, "stk500-v2", NULL);
    assert_int_equal(enter(&fixture), 0x80);
    assert_true(last_frame_us(&fixture.bench) < 250000); /* the 200 ms that it asks for */
    stop(&fixture);
    start(&fixture, "scratchmonkey", NULL);
    assert_int_equal(enter(&fixture), 0xC0);
    stop(&fixture);
}

static void without_enter_there_is_no_spi(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture, "stk500-v2", "ATmega328P");
    assert_int_equal(TALK(&fixture, 0x1D, 4, 4, 0, 0x30, 0, 0, 0), 0xC0);
    assert_int_equal(fixture.bench.frame_count, 0);
    stop(&fixture);
    start(&fixture, "scratchmonkey", "ATmega328P");
    uint8_t frame[16];
    host_send(fixture.bench.host, frame, make_frame(1, BYTES(0x1D, 4, 4, 0, 0x30, 0, 0, 0), frame));
    expect_silence(&fixture);
    fixture.bench.host =
        host_reopen(fixture.bench.host, wire_path(fixture.bench.wire)); /* which resets it */
    assert_int_equal(TALK(&fixture, 0x01), 0);
    stop(&fixture);
}

/* --- tests: memories --- */

static void single_bytes_are_read_and_written(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture, "stk500-v2", "ATmega328P");
    assert_int_equal(enter(&fixture), 0);
    for (uint8_t i = 0; i < 3; i++) {
        assert_int_equal(TALK(&fixture, 0x1B, 4, 0x30, 0, i, 0), 0);
        expect_reply(&fixture, BYTES(0x1B, 0, fixture.part->signature[i], 0));
    }
    assert_int_equal(TALK(&fixture, 0x17, 0xAC, 0xA8, 0, 0xD1), 0);
    expect_reply(&fixture, BYTES(0x17, 0, 0));
    /* It does not wait: what comes meanwhile is lost. */
    assert_int_equal(TALK(&fixture, 0x19, 0xAC, 0xE0, 0, 0xFC), 0);
    assert_int_equal(counts(&fixture).ignored_busy, 1);
    do {
        assert_int_equal(TALK(&fixture, 0x1D, 4, 1, 3, 0xF0, 0, 0, 0), 0);
    } while (fixture.reply[2] & 1);
    assert_int_equal(TALK(&fixture, 0x18, 4, 0x58, 0x08, 0, 0), 0);
    expect_reply(&fixture, BYTES(0x18, 0, 0xD1, 0));
    assert_int_equal(TALK(&fixture, 0x1A, 4, 0x58, 0, 0, 0), 0);
    expect_reply(&fixture, BYTES(0x1A, 0, 0xFF, 0));
    stop(&fixture);
}

static void multi_sends_and_receives_as_told(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture, "stk500-v2", "ATmega328P");
    assert_int_equal(enter(&fixture), 0);
    assert_int_equal(TALK(&fixture, 0x1D, 4, 4, 0, 0x30, 0, 1, 0), 0);
    expect_reply(&fixture, BYTES(0x1D, 0, 0x00, 0x30, 0x00, 0x95, 0));
    /* Two instructions, the answer of each; and one whose last byte is left to the firmware. */
    assert_int_equal(TALK(&fixture, 0x1D, 8, 5, 3, 0x30, 0, 0, 0, 0x30, 0, 2, 0), 0);
    expect_reply(&fixture, BYTES(0x1D, 0, 0x1E, 0x00, 0x30, 0x00, 0x0F, 0));
    assert_int_equal(TALK(&fixture, 0x1D, 3, 1, 3, 0x30, 0, 2), 0);
    expect_reply(&fixture, BYTES(0x1D, 0, 0x0F, 0));
    /* Half an instruction leaves the board out of step, until the next session. */
    assert_int_equal(TALK(&fixture, 0x1D, 2, 0, 0, 0x30, 0), 0);
    assert_int_equal(TALK(&fixture, 0x1B, 4, 0x30, 0, 0, 0), 0);
    assert_int_not_equal(fixture.reply[2], 0x1E);
    assert_int_equal(TALK(&fixture, 0x11, 1, 1), 0);
    assert_int_equal(enter(&fixture), 0);
    assert_int_equal(TALK(&fixture, 0x1B, 4, 0x30, 0, 0, 0), 0);
    assert_int_equal(fixture.reply[2], 0x1E);
    stop(&fixture);
}

static void pages_are_written_and_read(void **state)
{
    (void)state;
    static const struct {
        const char *part;
        uint8_t mode, delay_ms;
    } rows[] = {
        {"ATmega328P", 0xC1, 0},
        {"ATmega328P", 0x91, 6},
        {"ATmega328P", 0xA1, 6},
        {"ATmega32A", 0x91, 6},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fixture fixture;
        start(&fixture, "stk500-v2", rows[i].part);
        assert_int_equal(enter(&fixture), 0);
        int64_t began_us = last_frame_us(&fixture.bench);
        assert_int_equal(write_flash(&fixture, rows[i].mode, rows[i].delay_ms, 1), 0);
        assert_int_equal(write_flash(&fixture, rows[i].mode, rows[i].delay_ms, 90), 0);
        assert_int_equal(counts(&fixture).ignored_busy, 0);
        assert_true(holds(&fixture, 0, 1));
        assert_true(holds(&fixture, 128, 90));
        /* Two pages of 128 bytes at 115.2 kHz, and 4.5 ms each to write. */
        assert_true(last_frame_us(&fixture.bench) - began_us > INT64_C(2) * (128 * 277 + 4000));
        load_address(&fixture, 64);
        assert_int_equal(TALK(&fixture, 0x14, 0, 128, 0x20), 0);
        assert_int_equal(fixture.reply_count, 2 + 128 + 1);
        assert_int_equal(fixture.reply[2], 90);
        assert_int_equal(fixture.reply[2 + 127], 90 + 127);
        assert_int_equal(fixture.reply[2 + 128], 0);
        stop(&fixture);
    }
}

static void wrong_waits_lose_a_page(void **state)
{
    (void)state;
    static const struct {
        const char *part;
        uint8_t mode, delay_ms;
    } rows[] = {
        {"ATmega328P", 0x91, 0}, /* too short */
        {"ATmega328P", 0x81, 9}, /* none chosen */
        {"ATmega328P", 0xF1, 9}, /* all of them */
        {"ATmega32A", 0xC1, 9},  /* it has no ready bit */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fixture fixture;
        start(&fixture, "stk500-v2", rows[i].part);
        assert_int_equal(TALK(&fixture, 0x02, 0x98, 0), 0);
        assert_int_equal(enter(&fixture), 0);
        assert_int_equal(write_flash(&fixture, rows[i].mode, rows[i].delay_ms, 1), 0);
        assert_int_equal(write_flash(&fixture, rows[i].mode, rows[i].delay_ms, 90), 0);
        assert_true(counts(&fixture).ignored_busy > 0);
        assert_true(holds(&fixture, 0, 1));
        assert_false(holds(&fixture, 128, 90));
        stop(&fixture);
    }
}

static void page_waits_for_its_commit(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture, "stk500-v2", "ATmega2560");
    assert_int_equal(enter(&fixture), 0);
    assert_int_equal(write_flash(&fixture, 0x41, 0, 1), 0); /* half of 256 */
    assert_false(holds(&fixture, 0, 1));
    assert_int_equal(write_flash(&fixture, 0xC1, 0, 90), 0);
    assert_true(holds(&fixture, 0, 1));
    assert_true(holds(&fixture, 128, 90));
    stop(&fixture);
}

static void more_than_256_bytes_are_refused(void **state)
{
    (void)state;
    struct fixture fixture;
    struct block block = {0x13, 0xC1, 0, {0x40, 0x4C, 0x20}, 258, 1};
    start(&fixture, "stk500-v2", "ATmega2560");
    assert_int_equal(enter(&fixture), 0);
    assert_int_equal(write_block(&fixture, &block), 0xC0);
    assert_int_equal(TALK(&fixture, 0x14, 1, 1, 0x20), 0xC0);
    assert_int_equal(fixture.reply_count, 2);
    block.count = 256;
    assert_int_equal(write_block(&fixture, &block), 0);
    assert_true(holds(&fixture, 128, 1));
    stop(&fixture);
}

static void address_counts_on_and_enter_clears_it(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture, "stk500-v2", "ATmega2560");
    assert_int_equal(enter(&fixture), 0);
    load_address(&fixture, 0x80000000 | 0xFF80); /* the last page below 128 KiB */
    struct block block = {0x13, 0xC1, 0, {0x40, 0x4C, 0x20}, 256, 1};
    assert_int_equal(write_block(&fixture, &block), 0);
    block.first = 90;
    assert_int_equal(write_block(&fixture, &block), 0);
    assert_true(holds(&fixture, 0x1FF00, 1));
    assert_true(holds(&fixture, 0x20000, 90));
    load_address(&fixture, 0x80000000 | 0x10000);
    assert_int_equal(TALK(&fixture, 0x14, 0, 2, 0x20), 0);
    assert_int_equal(fixture.reply[2], 90);
    assert_int_equal(TALK(&fixture, 0x11, 1, 1), 0);
    assert_int_equal(enter(&fixture), 0);
    assert_int_equal(TALK(&fixture, 0x14, 0, 2, 0x20), 0);
    assert_int_equal(fixture.reply[2], 0xFF);
    stop(&fixture);
}

static void eeprom_is_addressed_by_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *part;
        struct block block;
    } rows[] = {
        {"ATmega328P", {0x15, 0xC1, 0, {0xC1, 0xC2, 0xA0}, 4, 7}},
        {"ATmega328P", {0x15, 0x08, 0, {0xC0, 0x00, 0xA0}, 4, 7}},
        {"ATmega32A", {0x15, 0x02, 10, {0xC0, 0x00, 0xA0}, 4, 7}},
        {"ATmega32A", {0x15, 0x04, 20, {0xC0, 0x00, 0xA0}, 4, 7}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fixture fixture;
        start(&fixture, "stk500-v2", rows[i].part);
        assert_int_equal(enter(&fixture), 0);
        load_address(&fixture, 8);
        assert_int_equal(write_block(&fixture, &rows[i].block), 0);
        load_address(&fixture, 8);
        assert_int_equal(TALK(&fixture, 0x16, 0, 5, 0xA0), 0);
        expect_reply(&fixture, BYTES(0x16, 0, 7, 8, 9, 10, 0xFF, 0));
        assert_int_equal(counts(&fixture).ignored_busy, 0);
        stop(&fixture);
    }
}

static void erase_waits_as_told(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture, "stk500-v2", "ATmega328P");
    assert_int_equal(enter(&fixture), 0);
    assert_int_equal(write_flash(&fixture, 0xC1, 0, 1), 0);
    assert_int_equal(TALK(&fixture, 0x12, 0, 1, 0xAC, 0x80, 0, 0), 0);
    assert_false(holds(&fixture, 0, 1));
    load_address(&fixture, 0);
    assert_int_equal(write_flash(&fixture, 0xC1, 0, 1), 0);
    assert_int_equal(counts(&fixture).ignored_busy, 0);
    /* Half of its time is not enough. */
    assert_int_equal(TALK(&fixture, 0x12, 4, 0, 0xAC, 0x80, 0, 0), 0);
    assert_int_equal(TALK(&fixture, 0x1D, 4, 1, 3, 0xF0, 0, 0, 0), 0);
    assert_int_equal(fixture.reply[2] & 1, 1);
    stop(&fixture);
}

static void gives_up_a_part_that_stays_busy(void **state)
{
    (void)state;
    struct fixture fixture;
    const struct avr_target_defects slow = {.write_factor = 1000};
    start(&fixture, "stk500-v2", "ATmega328P");
    avr_target_set_defects(fixture.target, &slow);
    assert_int_equal(enter(&fixture), 0);
    assert_int_equal(write_flash(&fixture, 0xC1, 0, 1), 0x81);
    assert_int_equal(fixture.reply_count, 2);
    stop(&fixture);
}

/* --- tests: ScratchMonkey --- */

static void scratchmonkey_becomes_slow_and_does_not_tell(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture, "scratchmonkey", "ATmega328P");
    avr_target_preset(fixture.target, PART_FUSE_LOW, (const uint8_t[]){0x62}, 1); /* 1 MHz */
    assert_int_equal(TALK(&fixture, 0x02, 0x98, 1), 0);
    assert_int_equal(enter(&fixture), 0);
    assert_int_equal(last_sck_hz(&fixture.bench), 62500);
    stop(&fixture);
}

static void scratchmonkey_takes_busy_for_ready(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture, "scratchmonkey", "ATmega328P");
    assert_int_equal(TALK(&fixture, 0x02, 0x98, 0), 0);
    assert_int_equal(enter(&fixture), 0);
    assert_int_equal(TALK(&fixture, 0x12, 0, 1, 0xAC, 0x80, 0, 0), 0);
    assert_int_equal(write_flash(&fixture, 0xC1, 0, 1), 0); /* while it still erases */
    assert_true(counts(&fixture).ignored_busy > 0);
    assert_false(holds(&fixture, 0, 1));
    /* A part that has nothing to do is never "ready". */
    const struct block nothing = {0x15, 0x08, 0, {0xC0, 0, 0xA0}, 0, 0};
    assert_int_equal(write_block(&fixture, &nothing), 0);
    assert_int_equal(TALK(&fixture, 0x12, 20, 0, 0xAC, 0x80, 0, 0), 0);
    assert_int_equal(write_block(&fixture, &nothing), 0x81);
    load_address(&fixture, 0);
    assert_int_equal(write_flash(&fixture, 0x91, 6, 1), 0);
    assert_true(holds(&fixture, 0, 1));
    assert_int_equal(TALK(&fixture, 0x17, 0xAC, 0xA8, 0, 0xD1), 0);
    assert_int_equal(fixture.reply_count, 2);
    stop(&fixture);
}

/* --- tests: the Mega's bootloader --- */

static void mega_begins_with_its_bootloader(void **state)
{
    (void)state;
    struct fixture fixture;
    start_at(&fixture, "mega2560-isp", "ATmega328P", true);
    host_send(fixture.bench.host, BYTES(0, 0, 0)); /* keeps it, whatever it is */
    assert_int_equal(TALK(&fixture, 0x01), 0);
    assert_memory_equal(fixture.reply + 2, "\10AVRISP_2", 9);
    assert_int_equal(TALK(&fixture, 0x02, 0x9E, 1), 0);
    assert_int_equal(TALK(&fixture, 0x03, 0x9E), 0);
    assert_int_equal(fixture.reply[2], 0);
    assert_int_equal(enter(&fixture), 0);
    assert_int_equal(write_flash(&fixture, 0xC1, 0, 1), 0);
    assert_int_equal(TALK(&fixture, 0x1D, 4, 4, 0, 0x30, 0, 1, 0), 0);
    expect_reply(&fixture, BYTES(0x1D, 0, 0, 0x30, 0, 0x98, 0));
    assert_int_equal(TALK(&fixture, 0x12, 9, 0, 0xAC, 0x80, 0, 0), 0xC0);
    pthread_mutex_lock(&fixture.bench.lock);
    assert_int_equal(fixture.bench.frame_count, 0);
    assert_int_equal(fixture.bench.bootloader_pages, 1);
    pthread_mutex_unlock(&fixture.bench.lock);
    assert_int_equal(TALK(&fixture, 0x11, 1, 1), 0); /* which starts the sketch */
    assert_int_equal(TALK(&fixture, 0x01), 0);
    assert_memory_equal(fixture.reply + 2, "\10STK500_2", 9);
    stop(&fixture);
}

static void bootloader_leaves_when_nobody_speaks(void **state)
{
    (void)state;
    struct fixture fixture;
    start_at(&fixture, "mega2560-isp", NULL, true);
    uint8_t byte;
    /* Its time is one second. */
    assert_int_equal(host_read(fixture.bench.host, &byte, 1, 3000), 0);
    assert_int_equal(TALK(&fixture, 0x01), 0);
    assert_memory_equal(fixture.reply + 2, "\10STK500_2", 9);
    stop(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signs_on_with_its_name),
        cmocka_unit_test(bad_checksum_is_told),
        cmocka_unit_test(what_is_no_message_is_dropped),
        cmocka_unit_test(unfinished_message_takes_what_comes),
        cmocka_unit_test(unknown_commands_are_refused),
        cmocka_unit_test(parameters_stay_as_long_as_the_programmer_keeps_them),
        cmocka_unit_test(sck_changes_at_enter),
        cmocka_unit_test(polarity_0_leaves_an_avr_running),
        cmocka_unit_test(no_target_ends_enter_with_a_failure),
        cmocka_unit_test(without_enter_there_is_no_spi),
        cmocka_unit_test(single_bytes_are_read_and_written),
        cmocka_unit_test(multi_sends_and_receives_as_told),
        cmocka_unit_test(pages_are_written_and_read),
        cmocka_unit_test(wrong_waits_lose_a_page),
        cmocka_unit_test(page_waits_for_its_commit),
        cmocka_unit_test(more_than_256_bytes_are_refused),
        cmocka_unit_test(address_counts_on_and_enter_clears_it),
        cmocka_unit_test(eeprom_is_addressed_by_bytes),
        cmocka_unit_test(erase_waits_as_told),
        cmocka_unit_test(gives_up_a_part_that_stays_busy),
        cmocka_unit_test(scratchmonkey_becomes_slow_and_does_not_tell),
        cmocka_unit_test(scratchmonkey_takes_busy_for_ready),
        cmocka_unit_test(mega_begins_with_its_bootloader),
        cmocka_unit_test(bootloader_leaves_when_nobody_speaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
