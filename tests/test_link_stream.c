/* The stream link on pseudo terminals and a local TCP server: bytes, deadlines, places that are
 * busy, missing or vanish. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "jigs/link_stream.h"

#define SECOND_US INT64_C(1000000)

struct fixture {
    int master;
    struct place place;
    struct link_stream *stream;
};

static struct operation within(int64_t duration_us)
{
    return (struct operation){.deadline_us = operation_now_us() + duration_us};
}

static int open_master(struct place *place)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

    assert_true(master >= 0);
    assert_int_equal(grantpt(master), 0);
    assert_int_equal(unlockpt(master), 0);
    memset(place, 0, sizeof *place);
    place->kind = PLACE_PTY;
    assert_int_equal(ptsname_r(master, place->path, sizeof place->path), 0);
    return master;
}

static void open_fixture(struct fixture *fixture, unsigned baud)
{
    struct operation operation = within(60 * SECOND_US);
    struct failure failure = {0};

    fixture->master = open_master(&fixture->place);
    if (link_stream_open(&fixture->place, baud, &operation, &fixture->stream, &failure) != 0)
        fail_msg("%s", failure.detail);
}

static void close_fixture(struct fixture *fixture)
{
    link_stream_close(fixture->stream);
    if (fixture->master >= 0)
        close(fixture->master);
}

static void put(int descriptor, const void *bytes, size_t count)
{
    assert_int_equal(write(descriptor, bytes, count), (ssize_t)count);
}

static void every_byte_passes_unchanged_both_ways(void **state)
{
    (void)state;
    struct fixture fixture;
    struct operation operation = within(60 * SECOND_US);
    struct failure failure = {0};
    uint8_t all[256], back[256];
    size_t received = 0;

    open_fixture(&fixture, 0);
    for (int i = 0; i < 256; i++)
        all[i] = (uint8_t)i;
    assert_int_equal(link_stream_write(fixture.stream, all, 256, &operation, &failure), 0);
    for (size_t got = 0; got < 256;) {
        ssize_t count = read(fixture.master, back + got, 256 - got);
        assert_true(count > 0);
        got += (size_t)count;
    }
    assert_memory_equal(back, all, 256);
    memset(back, 0, sizeof back);
    put(fixture.master, all, 256);
    assert_int_equal(
        link_stream_read(fixture.stream, back, 10, 10 * SECOND_US, &operation, &received, &failure),
        0);
    assert_int_equal(received, 10);
    assert_int_equal(link_stream_read(fixture.stream, back + 10, 246, 10 * SECOND_US, &operation,
                                      NULL, &failure),
                     0);
    assert_memory_equal(back, all, 256);
    close_fixture(&fixture);
}

static void silence_deadline_and_cancellation_differ(void **state)
{
    (void)state;
    struct fixture fixture;
    struct operation operation = within(60 * SECOND_US);
    struct failure failure = {0};
    atomic_bool cancel = true;
    uint8_t bytes[4];
    size_t received = 9;

    open_fixture(&fixture, 19200);
    put(fixture.master, "ab", 2);
    assert_int_equal(
        link_stream_read(fixture.stream, bytes, 4, SECOND_US, &operation, &received, &failure), -1);
    assert_int_equal(failure.code, FAILURE_PROGRAMMER_SILENT);
    assert_int_equal(received, 2);
    assert_memory_equal(bytes, "ab", 2);
    operation.cancel = &cancel;
    assert_int_equal(
        link_stream_read(fixture.stream, bytes, 4, 50 * SECOND_US, &operation, NULL, &failure), -1);
    assert_int_equal(failure.code, FAILURE_INTERRUPTED);
    operation = within(20000);
    assert_int_equal(
        link_stream_read(fixture.stream, bytes, 4, 50 * SECOND_US, &operation, NULL, &failure), -1);
    assert_int_equal(failure.code, FAILURE_DEADLINE);
    close_fixture(&fixture);
}

static void a_programmer_that_takes_nothing_is_silent(void **state)
{
    (void)state;
    static const uint8_t bytes[256 * 1024];
    struct fixture fixture;
    struct operation operation = within(200000);
    struct failure failure = {0};

    open_fixture(&fixture, 19200);
    assert_int_equal(link_stream_write(fixture.stream, bytes, sizeof bytes, &operation, &failure),
                     -1);
    assert_int_equal(failure.code, FAILURE_PROGRAMMER_SILENT);
    close_fixture(&fixture);
}

static void drain_forgets_what_came(void **state)
{
    (void)state;
    struct fixture fixture;
    struct operation operation = within(60 * SECOND_US);
    struct failure failure = {0};
    uint8_t byte = 0;

    open_fixture(&fixture, 19200);
    put(fixture.master, "old rubbish", 11);
    assert_int_equal(
        link_stream_read(fixture.stream, &byte, 1, 10 * SECOND_US, &operation, NULL, &failure), 0);
    assert_int_equal(link_stream_drain(fixture.stream, 1000, SECOND_US, &operation, &failure), 0);
    put(fixture.master, "n", 1);
    assert_int_equal(
        link_stream_read(fixture.stream, &byte, 1, 10 * SECOND_US, &operation, NULL, &failure), 0);
    assert_int_equal(byte, 'n');
    close_fixture(&fixture);
}

struct chatter {
    int descriptor;
    atomic_bool stop;
};

static void *talk_on(void *context)
{
    struct chatter *chatter = context;

    while (!chatter->stop && write(chatter->descriptor, "xxxx", 4) == 4)
        usleep(1000);
    return NULL;
}

static void drain_gives_up_on_one_that_never_stops(void **state)
{
    (void)state;
    struct fixture fixture;
    struct operation operation = within(60 * SECOND_US);
    struct failure failure = {0};
    pthread_t thread;

    open_fixture(&fixture, 19200);
    struct chatter chatter = {.descriptor = fixture.master};
    assert_int_equal(pthread_create(&thread, NULL, talk_on, &chatter), 0);
    assert_int_equal(
        link_stream_drain(fixture.stream, 10 * SECOND_US, 100000, &operation, &failure), -1);
    assert_int_equal(failure.code, FAILURE_PROGRAMMER_OUT_OF_STEP);
    chatter.stop = true;
    assert_int_equal(pthread_join(thread, NULL), 0);
    close_fixture(&fixture);
}

static void *talk_late(void *context)
{
    struct chatter *chatter = context;

    usleep(200000);
    put(chatter->descriptor, "late", 4);
    chatter->stop = true;
    return NULL;
}

/* On a machine that has too much to do. */
static void drain_does_not_mind_a_few_bytes_that_come_late(void **state)
{
    (void)state;
    struct fixture fixture;
    struct operation operation = within(60 * SECOND_US);
    struct failure failure = {0};
    pthread_t thread;

    open_fixture(&fixture, 19200);
    struct chatter chatter = {.descriptor = fixture.master};
    assert_int_equal(pthread_create(&thread, NULL, talk_late, &chatter), 0);
    do /* once more, if the thread was even later */
        if (link_stream_drain(fixture.stream, SECOND_US, 50000, &operation, &failure) != 0)
            fail_msg("%s", failure.detail);
    while (!chatter.stop);
    assert_int_equal(pthread_join(thread, NULL), 0);
    close_fixture(&fixture);
}

static void a_device_that_vanishes_is_gone(void **state)
{
    (void)state;
    struct fixture fixture;
    struct operation operation = within(60 * SECOND_US);
    struct failure failure = {0};
    uint8_t byte;

    open_fixture(&fixture, 19200);
    close(fixture.master);
    fixture.master = -1;
    assert_int_equal(
        link_stream_read(fixture.stream, &byte, 1, 10 * SECOND_US, &operation, NULL, &failure), -1);
    assert_int_equal(failure.code, FAILURE_PROGRAMMER_GONE);
    memset(&failure, 0, sizeof failure);
    assert_int_equal(link_stream_write(fixture.stream, &byte, 1, &operation, &failure), -1);
    assert_int_equal(failure.code, FAILURE_PROGRAMMER_GONE);
    close_fixture(&fixture);
}

static void assert_refused(const struct place *place, enum failure_code code, const char *reason)
{
    struct operation operation = within(60 * SECOND_US);
    struct failure failure = {0};
    struct link_stream *stream = NULL;

    assert_int_equal(link_stream_open(place, 19200, &operation, &stream, &failure), -1);
    assert_null(stream);
    if (failure.code != code || strstr(failure.detail, reason) == NULL)
        fail_msg("found %d '%s', expected %d '%s'", failure.code, failure.detail, code, reason);
}

static void a_place_opened_twice_is_busy(void **state)
{
    (void)state;
    struct fixture fixture;

    open_fixture(&fixture, 19200);
    assert_refused(&fixture.place, FAILURE_PLACE_BUSY, fixture.place.path);
    close_fixture(&fixture);
}

/* A terminal program that neither locks nor asks. */
static pid_t start_holder(const char *path)
{
    int ready[2];
    char byte;

    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        /* Nothing of the master: its process would count as the programmer. */
        for (int i = 3; i < 64; i++)
            if (i != ready[1])
                close(i);
        if (open(path, O_RDWR | O_NOCTTY) < 0 || write(ready[1], "r", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return child;
}

static void another_process_at_the_place_is_named(void **state)
{
    (void)state;
    struct place place;
    struct operation operation = within(60 * SECOND_US);
    struct failure failure = {0};
    struct link_stream *stream = NULL;
    char process[32];
    int master = open_master(&place);
    pid_t child = start_holder(place.path);

    snprintf(process, sizeof process, "process %d (", (int)child);
    assert_refused(&place, FAILURE_PLACE_BUSY, process);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    if (link_stream_open(&place, 19200, &operation, &stream, &failure) != 0)
        fail_msg("%s", failure.detail);
    link_stream_close(stream);
    close(master);
}

static void places_that_are_not_there(void **state)
{
    (void)state;
    struct place none = {.kind = PLACE_NONE};
    struct place missing = {.kind = PLACE_PTY, .path = "/dev/pts/none"};
    struct place no_port = {.kind = PLACE_SERIAL, .path = "/dev/ttyNONE7"};
    struct place no_serial = {.kind = PLACE_SERIAL, .path = "/dev/null"};
    struct place no_terminal = {.kind = PLACE_PTY, .path = "/dev/null"};

    assert_refused(&none, FAILURE_PLACE_MISSING, "no place");
    assert_refused(&missing, FAILURE_PLACE_MISSING, "/dev/pts/none");
    assert_refused(&no_port, FAILURE_PLACE_MISSING, "/dev/ttyNONE7");
    struct place no_device = {.kind = PLACE_SERIAL_USB, .path = "200-7.7:1.2"};

    assert_refused(&no_serial, FAILURE_PLACE_MISSING, "/dev/null is no terminal");
    assert_refused(&no_device, FAILURE_PLACE_MISSING,
                   "serial:usb:200-7.7:1.2: nothing is plugged in there");
    assert_refused(&no_terminal, FAILURE_PLACE_MISSING, "no terminal");
    link_stream_close(NULL);
}

/* ---- waking ---- */

struct sender {
    int descriptor;
    size_t count, packet;
    int64_t pause_us;
};

static void *send_packets(void *context)
{
    const struct sender *sender = context;
    static const uint8_t bytes[64];

    for (size_t sent = 0; sent < sender->count; sent += sender->packet) {
        put(sender->descriptor, bytes, sender->packet);
        if (sender->pause_us > 0)
            usleep((useconds_t)sender->pause_us);
    }
    return NULL;
}

static long wakes_to_read(struct fixture *fixture, struct sender *sender)
{
    struct operation operation = within(60 * SECOND_US);
    struct failure failure = {0};
    struct rusage before, after;
    static uint8_t bytes[4096];
    pthread_t thread;

    sender->descriptor = fixture->master;
    assert_int_equal(pthread_create(&thread, NULL, send_packets, sender), 0);
    getrusage(RUSAGE_THREAD, &before);
    if (link_stream_read(fixture->stream, bytes, sender->count, 60 * SECOND_US, &operation, NULL,
                         &failure) != 0)
        fail_msg("%s", failure.detail);
    getrusage(RUSAGE_THREAD, &after);
    assert_int_equal(pthread_join(thread, NULL), 0);
    return after.ru_nvcsw - before.ru_nvcsw;
}

/* 2 bytes each millisecond are a UART adapter's packets at 19200 baud. */
static void slow_bytes_are_collected(void **state)
{
    (void)state;
    struct fixture fixture;
    struct sender sender = {.count = 1000, .packet = 2, .pause_us = 1000};

    open_fixture(&fixture, 19200);
    long wakes = wakes_to_read(&fixture, &sender);
    if (wakes > 250) /* 500 packets; about 70 when nothing else runs */
        fail_msg("%ld wakes for 500 packets", wakes);
    close_fixture(&fixture);
}

/* At 300 baud these would take over two minutes; they are there at once and must not be slept for.
 */
static void fast_bytes_are_not_waited_for(void **state)
{
    (void)state;
    struct fixture fixture;
    struct sender sender = {.count = 4096, .packet = 64};

    open_fixture(&fixture, 300);
    int64_t before = operation_now_us();
    for (int i = 0; i < 4; i++)
        wakes_to_read(&fixture, &sender);
    assert_true(operation_now_us() - before < 60 * SECOND_US);
    close_fixture(&fixture);
}

/* ---- TCP ---- */

static int listen_on_loopback(struct place *place)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(listener >= 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    *place =
        (struct place){.kind = PLACE_TCP, .path = "127.0.0.1", .port = ntohs(address.sin_port)};
    return listener;
}

static void tcp_carries_bytes_until_it_is_closed(void **state)
{
    (void)state;
    struct place place;
    struct operation operation = within(60 * SECOND_US);
    struct failure failure = {0};
    struct link_stream *stream = NULL;
    uint8_t bytes[3];
    int listener = listen_on_loopback(&place);

    if (link_stream_open(&place, 19200, &operation, &stream, &failure) != 0)
        fail_msg("%s", failure.detail);
    int server = accept(listener, NULL, NULL);
    assert_true(server >= 0);
    assert_int_equal(link_stream_write(stream, (const uint8_t *)"abc", 3, &operation, &failure), 0);
    assert_int_equal(recv(server, bytes, 3, MSG_WAITALL), 3);
    assert_memory_equal(bytes, "abc", 3);
    put(server, "de", 2);
    assert_int_equal(link_stream_read(stream, bytes, 2, 10 * SECOND_US, &operation, NULL, &failure),
                     0);
    assert_memory_equal(bytes, "de", 2);
    close(server);
    assert_int_equal(link_stream_read(stream, bytes, 1, 10 * SECOND_US, &operation, NULL, &failure),
                     -1);
    assert_int_equal(failure.code, FAILURE_PROGRAMMER_GONE);
    link_stream_close(stream);
    close(listener);
    assert_refused(&place, FAILURE_PROGRAMMER_GONE, "connect");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_passes_unchanged_both_ways),
        cmocka_unit_test(silence_deadline_and_cancellation_differ),
        cmocka_unit_test(a_programmer_that_takes_nothing_is_silent),
        cmocka_unit_test(drain_forgets_what_came),
        cmocka_unit_test(drain_gives_up_on_one_that_never_stops),
        cmocka_unit_test(drain_does_not_mind_a_few_bytes_that_come_late),
        cmocka_unit_test(a_device_that_vanishes_is_gone),
        cmocka_unit_test(a_place_opened_twice_is_busy),
        cmocka_unit_test(another_process_at_the_place_is_named),
        cmocka_unit_test(places_that_are_not_there),
        cmocka_unit_test(slow_bytes_are_collected),
        cmocka_unit_test(fast_bytes_are_not_waited_for),
        cmocka_unit_test(tcp_carries_bytes_until_it_is_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
