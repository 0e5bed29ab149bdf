/* The host's end of a simulated programmer's port, for tests: opens it, sends bytes, waits for
 * bytes with a deadline. */
#ifndef TESTS_BENCH_HOST_H
#define TESTS_BENCH_HOST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* So long a programmer that works may take for what tests ask of it, on a machine that has much
 * else to do. */
#define HOST_PATIENCE_MS 60000

static inline int64_t host_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* `place` with or without "pty:". */
static inline int host_open(const char *place)
{
    int descriptor = open(place[0] == '/' ? place : place + 4, O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(descriptor >= 0);
    return descriptor;
}

/* Closes it and opens it again. A bench that got no inotify instance (a user has 128 of them, and
 * each site wants one) looks every 10 ms whether its port is closed. */
static inline int host_reopen(int descriptor, const char *place)
{
    close(descriptor);
    poll(NULL, 0, 100);
    return host_open(place);
}

static inline void host_send(int descriptor, const uint8_t *bytes, size_t count)
{
    while (count > 0) {
        ssize_t written = write(descriptor, bytes, count);
        assert_true(written > 0);
        bytes += written;
        count -= (size_t)written;
    }
}

/* Reads until `count` bytes are there or nothing came for `patience_ms`; returns how many. */
static inline size_t host_read(int descriptor, uint8_t *bytes, size_t count, int patience_ms)
{
    size_t got = 0;
    while (got < count) {
        struct pollfd look = {.fd = descriptor, .events = POLLIN};
        if (poll(&look, 1, patience_ms) != 1) {
            return got;
        }
        ssize_t more = read(descriptor, bytes + got, count - got);
        assert_true(more > 0);
        got += (size_t)more;
    }
    return got;
}

/* Reads until `text` has come, which all of `bytes` has room for and a 0. */
static inline void host_await_text(int descriptor, char *bytes, size_t room, const char *text)
{
    size_t got = 0;
    for (bytes[0] = '\0'; strstr(bytes, text) == NULL; bytes[++got] = '\0') {
        if (got + 1 == room ||
            host_read(descriptor, (uint8_t *)bytes + got, 1, HOST_PATIENCE_MS) != 1) {
            fail_msg("'%s' came, and no '%s'", bytes, text);
        }
    }
}

/* Sends, and the answer must be exactly this: nothing else may follow in the same moment. */
static inline void host_expect_bytes(int descriptor, const uint8_t *sent, size_t sent_count,
                                     const uint8_t *wanted, size_t wanted_count)
{
    uint8_t found[512] = {0};
    assert_true(wanted_count < sizeof found);
    host_send(descriptor, sent, sent_count);
    size_t got = host_read(descriptor, found, wanted_count, HOST_PATIENCE_MS);
    assert_int_equal(got, wanted_count);
    assert_memory_equal(found, wanted, wanted_count);
}

/* HOST_TALK(fd, BYTES(0x30, 0x20), BYTES(0x14, 0x10)) */
#define BYTES(...) ((const uint8_t[]){__VA_ARGS__}), sizeof((const uint8_t[]){__VA_ARGS__})
#define HOST_TALK(descriptor, ...) host_expect_bytes((descriptor), __VA_ARGS__)

#endif
