/* The stream link on a system that stood still: its looks come late, and what the programmer
 * answered meanwhile reaches it later still. */
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "jigs/link_stream.h"

#define SILENCE_US 200000
#define STANDSTILL_US 400000

/* What the replacement of ppoll() does: it has no context. */
static struct {
    int master;
    int looks; /* since the read began */
    int answered_at;
} system_state;

int __real_ppoll(struct pollfd *looks, nfds_t count, const struct timespec *time,
                 const sigset_t *signals);
int __wrap_ppoll(struct pollfd *looks, nfds_t count, const struct timespec *time,
                 const sigset_t *signals);

/* The first look finds nothing and takes longer than any answer is waited for; the byte is there
 * just before the look in question. */
int __wrap_ppoll(struct pollfd *looks, nfds_t count, const struct timespec *time,
                 const sigset_t *signals)
{
    const struct timespec standstill = {.tv_nsec = STANDSTILL_US * 1000L};

    if (++system_state.looks == system_state.answered_at)
        assert_int_equal(write(system_state.master, "!", 1), 1);
    if (system_state.looks > 1)
        return __real_ppoll(looks, count, time, signals);
    nanosleep(&standstill, NULL);
    return 0;
}

static struct link_stream *open_stream(struct operation *operation)
{
    struct place place = {.kind = PLACE_PTY};
    struct link_stream *stream = NULL;
    struct failure failure = {0};
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

    assert_true(master >= 0);
    assert_int_equal(grantpt(master), 0);
    assert_int_equal(unlockpt(master), 0);
    assert_int_equal(ptsname_r(master, place.path, sizeof place.path), 0);
    *operation = (struct operation){.deadline_us = operation_now_us() + INT64_C(60000000)};
    if (link_stream_open(&place, 0, operation, &stream, &failure) != 0)
        fail_msg("%s", failure.detail);
    system_state.master = master;
    return stream;
}

/* Reads a byte that is there at this look; 0: never. */
static int read_answer(int answered_at, struct failure *failure)
{
    struct operation operation;
    struct link_stream *stream = open_stream(&operation);
    uint8_t byte = 0;

    system_state.looks = 0;
    system_state.answered_at = answered_at;
    int result = link_stream_read(stream, &byte, 1, SILENCE_US, &operation, NULL, failure);
    assert_int_equal(byte, result == 0 ? '!' : 0);
    link_stream_close(stream);
    close(system_state.master);
    return result;
}

static void what_came_while_nobody_looked_is_an_answer(void **state)
{
    (void)state;
    struct failure failure = {0};

    assert_int_equal(read_answer(2, &failure), 0);
}

static void time_that_the_system_took_is_no_silence(void **state)
{
    (void)state;
    struct failure failure = {0};

    assert_int_equal(read_answer(3, &failure), 0);
}

static void silence_after_it_is_one(void **state)
{
    (void)state;
    struct failure failure = {0};

    assert_int_equal(read_answer(0, &failure), -1);
    assert_int_equal(failure.code, FAILURE_PROGRAMMER_SILENT);
    assert_true(system_state.looks >= 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_came_while_nobody_looked_is_an_answer),
        cmocka_unit_test(time_that_the_system_took_is_no_silence),
        cmocka_unit_test(silence_after_it_is_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
