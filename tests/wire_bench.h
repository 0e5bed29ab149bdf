/* A serial programmer's firmware on a wire of its own, with the board that the test makes up, for
 * tests of models: what arrived on the ISP lines is noted, and the host's end is open. The
 * firmware's thread writes, the test reads after an answer. */
#ifndef TESTS_WIRE_BENCH_H
#define TESTS_WIRE_BENCH_H

#include "tests/bench_host.h"

#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>

#include "jigs/simbench/wire_firmware.h"

#define WIRE_BENCH_FRAMES 4096 /* of later ones only the number is kept */

/* Both are called with the bench locked. */
struct wire_board {
    void (*answer)(void *context, const uint8_t mosi[4], uint8_t miso[4], int64_t sck_hz,
                   int64_t now_us);
    void (*drive_reset)(void *context, bool low); /* NULL: nobody cares */
    void *context;
};

struct wire_bench_options {
    const char *model;
    bool real_pace;
    unsigned baud; /* 0: the model's own */
    uint64_t seed;
    struct wire_board board;
};

struct wire_bench {
    pthread_mutex_t lock; /* of what is noted, and of the board */
    uint8_t frames[WIRE_BENCH_FRAMES][4];
    size_t frame_count;
    int64_t sck_hz, frame_us; /* of the last frame */
    bool reset_low;
    int resets, let_go, bootloader_pages;
    size_t overrun;

    struct wire_board board;
    int stop_descriptor;
    struct wire *wire;
    struct isp_port port;
    struct wire_firmware_run run;
    pthread_t thread;
    int host;
};

/* ---- the ISP lines ---- */

static inline void wire_bench_drive_reset(void *context, bool low)
{
    struct wire_bench *bench = context;
    pthread_mutex_lock(&bench->lock);
    bench->reset_low = low;
    bench->resets += low;
    if (bench->board.drive_reset != NULL) {
        bench->board.drive_reset(bench->board.context, low);
    }
    pthread_mutex_unlock(&bench->lock);
}

static inline enum isp_mishap wire_bench_transfer(void *context, const uint8_t mosi[4],
                                                  uint8_t miso[4], int64_t sck_hz, int64_t now_us,
                                                  int64_t *away_us)
{
    struct wire_bench *bench = context;
    *away_us = 0;
    pthread_mutex_lock(&bench->lock);
    bench->sck_hz = sck_hz;
    bench->frame_us = now_us;
    if (bench->frame_count < WIRE_BENCH_FRAMES) {
        memcpy(bench->frames[bench->frame_count], mosi, 4);
    }
    bench->frame_count++;
    bench->board.answer(bench->board.context, mosi, miso, sck_hz, now_us);
    pthread_mutex_unlock(&bench->lock);
    return ISP_MISHAP_NONE;
}

static inline void wire_bench_let_go(void *context)
{
    struct wire_bench *bench = context;
    pthread_mutex_lock(&bench->lock);
    bench->let_go++;
    pthread_mutex_unlock(&bench->lock);
}

static inline void wire_bench_page(void *context)
{
    struct wire_bench *bench = context;
    pthread_mutex_lock(&bench->lock);
    bench->bootloader_pages++;
    pthread_mutex_unlock(&bench->lock);
}

/* ---- the wire ---- */

/* NOLINTNEXTLINE(readability-non-const-parameter): as the wire wants it */
static inline size_t wire_bench_pass(void *context, uint8_t *bytes, size_t count)
{
    (void)context;
    (void)bytes;
    return count;
}

static inline size_t wire_bench_pass_back(void *context, uint8_t *bytes, size_t count,
                                          int64_t *late_us)
{
    *late_us = 0;
    return wire_bench_pass(context, bytes, count);
}

static inline void wire_bench_overrun(void *context, size_t count)
{
    struct wire_bench *bench = context;
    pthread_mutex_lock(&bench->lock);
    bench->overrun += count;
    pthread_mutex_unlock(&bench->lock);
}

static inline void wire_bench_make_wire(struct wire_bench *bench)
{
    const struct wire_options options = {
        .real_pace = bench->run.real_pace,
        .line = bench->run.firmware->line,
        .baud = bench->run.baud,
        .stop_descriptor = bench->stop_descriptor,
        .to_programmer = wire_bench_pass,
        .from_programmer = wire_bench_pass_back,
        .overrun = wire_bench_overrun,
        .context = bench,
    };
    struct failure failure = {0};
    assert_int_equal(wire_create(&options, &bench->wire, &failure), 0);
    bench->run.wire = bench->wire;
}

/* ---- from start to stop ---- */

static inline void *wire_bench_run(void *context)
{
    const struct wire_firmware_run *run = context;
    run->firmware->run(run);
    return NULL;
}

static inline void wire_bench_start(struct wire_bench *bench,
                                    const struct wire_bench_options *options)
{
    const struct wire_firmware *firmware = wire_firmware_by_name(options->model);
    assert_non_null(firmware);
    *bench =
        (struct wire_bench){.board = options->board,
                            .stop_descriptor = eventfd(0, EFD_CLOEXEC),
                            .port = {.drive_reset = wire_bench_drive_reset,
                                     .transfer = wire_bench_transfer,
                                     .let_go = wire_bench_let_go,
                                     .bootloader_page = wire_bench_page,
                                     .context = bench},
                            .run = {.firmware = firmware,
                                    .port = &bench->port,
                                    .baud = options->baud != 0 ? options->baud : firmware->baud,
                                    .real_pace = options->real_pace,
                                    .seed = options->seed}};
    pthread_mutex_init(&bench->lock, NULL);
    wire_bench_make_wire(bench);
    assert_int_equal(pthread_create(&bench->thread, NULL, wire_bench_run, &bench->run), 0);
    bench->host = host_open(wire_path(bench->wire));
}

/* What was noted can still be looked at, without a lock. */
static inline void wire_bench_stop(struct wire_bench *bench)
{
    eventfd_write(bench->stop_descriptor, 1);
    pthread_join(bench->thread, NULL);
    wire_free(bench->wire);
    close(bench->host);
    close(bench->stop_descriptor);
    pthread_mutex_destroy(&bench->lock);
}

/* ---- what was noted ---- */

static inline size_t frame_count(struct wire_bench *bench)
{
    pthread_mutex_lock(&bench->lock);
    size_t count = bench->frame_count;
    pthread_mutex_unlock(&bench->lock);
    return count;
}

static inline bool reset_is_low(struct wire_bench *bench)
{
    pthread_mutex_lock(&bench->lock);
    bool low = bench->reset_low;
    pthread_mutex_unlock(&bench->lock);
    return low;
}

static inline int64_t last_sck_hz(struct wire_bench *bench)
{
    pthread_mutex_lock(&bench->lock);
    int64_t sck_hz = bench->sck_hz;
    pthread_mutex_unlock(&bench->lock);
    return sck_hz;
}

static inline int64_t last_frame_us(struct wire_bench *bench)
{
    pthread_mutex_lock(&bench->lock);
    int64_t frame_us = bench->frame_us;
    pthread_mutex_unlock(&bench->lock);
    return frame_us;
}

static inline void expect_frame(struct wire_bench *bench, size_t index, uint8_t a, uint8_t b,
                                uint8_t c, uint8_t d)
{
    const uint8_t wanted[4] = {a, b, c, d};
    pthread_mutex_lock(&bench->lock);
    assert_true(index < bench->frame_count && index < WIRE_BENCH_FRAMES);
    assert_memory_equal(bench->frames[index], wanted, 4);
    pthread_mutex_unlock(&bench->lock);
}

#endif
