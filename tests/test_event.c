/* The event queue, counts and exit status. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <pthread.h>

#include "station/event.h"

static bool is_readable(struct event_queue *queue)
{
    struct pollfd wait = {.fd = event_queue_descriptor(queue), .events = POLLIN};

    return poll(&wait, 1, 0) == 1;
}

static void push(struct event_queue *queue, enum station_event_kind kind, int site)
{
    struct station_event event = {.kind = kind, .site = site};

    event_queue_push(queue, &event);
}

static void test_order_and_descriptor(void **state)
{
    struct event_queue *queue = event_queue_create();
    struct station_event event;

    (void)state;
    assert_non_null(queue);
    assert_false(is_readable(queue));
    assert_false(event_queue_pop(queue, &event));
    for (int site = 1; site <= 3; site++)
        push(queue, STATION_EVENT_STEP, site);
    for (int site = 1; site <= 3; site++) {
        assert_true(is_readable(queue));
        assert_true(event_queue_pop(queue, &event));
        assert_int_equal(event.site, site);
        assert_true(event.at_us > 0);
    }
    assert_false(is_readable(queue));
    push(queue, STATION_EVENT_STEP, 4);
    assert_true(is_readable(queue));
    event_queue_free(queue); /* with an event in it */
}

static void test_only_progress_is_dropped(void **state)
{
    enum { COUNT = 2000 };
    struct event_queue *queue = event_queue_create();
    struct station_event event;
    int progress = 0, verdicts = 0;

    (void)state;
    for (int i = 0; i < COUNT; i++) {
        push(queue, STATION_EVENT_PROGRESS, 1);
        push(queue, STATION_EVENT_VERDICT, 1);
    }
    while (event_queue_pop(queue, &event)) {
        progress += event.kind == STATION_EVENT_PROGRESS;
        verdicts += event.kind == STATION_EVENT_VERDICT;
    }
    assert_int_equal(verdicts, COUNT);
    assert_in_range(progress, 1, COUNT / 2);
    assert_false(is_readable(queue));
    event_queue_free(queue);
}

enum { PUSHERS = 4, EACH = 500 };

static void *push_many(void *context)
{
    for (int i = 0; i < EACH; i++)
        push(context, STATION_EVENT_STEP, i);
    return NULL;
}

static void test_many_threads(void **state)
{
    struct event_queue *queue = event_queue_create();
    pthread_t threads[PUSHERS];
    struct station_event event;
    int popped = 0;

    (void)state;
    for (int i = 0; i < PUSHERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, push_many, queue), 0);
    while (popped < PUSHERS * EACH) {
        struct pollfd wait = {.fd = event_queue_descriptor(queue), .events = POLLIN};

        assert_int_equal(poll(&wait, 1, 60000), 1);
        while (event_queue_pop(queue, &event))
            popped++;
    }
    for (int i = 0; i < PUSHERS; i++)
        pthread_join(threads[i], NULL);
    assert_false(event_queue_pop(queue, &event));
    event_queue_free(queue);
}

static void test_counts(void **state)
{
    struct station_counts counts = {0};

    (void)state;
    assert_true(station_yield_percent(&counts) < 0);
    assert_int_equal(station_remaining(&counts), -1);
    counts = (struct station_counts){.passed = 3, .failed = 1, .empty = 5};
    assert_true(station_yield_percent(&counts) == 75);
    counts.lot_count = 10;
    counts.lot_passed = 7;
    assert_int_equal(station_remaining(&counts), 3);
    counts.lot_passed = 12;
    assert_int_equal(station_remaining(&counts), 0);
}

static void test_exit_status(void **state)
{
    static const struct {
        struct station_counts counts;
        struct station_outcome outcome;
        int status;
    } tests[] = {
        {{.passed = 2}, {0}, 0},
        {{.passed = 2, .empty = 1}, {0}, 0},
        {{.empty = 1}, {0}, 1},
        {{0}, {0}, 1},
        {{.passed = 2, .failed = 1}, {0}, 1},
        {{.passed = 2, .refused = 1}, {0}, 1},
        {{.passed = 2, .unverified = 1}, {0}, 1},
        {{.passed = 2, .interrupted = 1}, {0}, 1},
        {{.passed = 2}, {.site_out = true}, 4},
        {{.passed = 2, .failed = 1}, {.site_out = true}, 4},
        {{.passed = 2}, {.site_out = true, .interrupted = true}, 130},
        {{.passed = 2}, {.site_out = true, .interrupted = true, .log_fault = true}, 5},
    };

    (void)state;
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        assert_int_equal(station_exit_status(&tests[i].counts, &tests[i].outcome), tests[i].status);
}

static void test_state_names(void **state)
{
    (void)state;
    for (int i = SITE_CLAIMING; i <= SITE_STOPPED; i++) {
        assert_non_null(site_state_name((enum site_state)i));
        assert_string_not_equal(site_state_name((enum site_state)i), "unknown");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_and_descriptor),
        cmocka_unit_test(test_only_progress_is_dropped),
        cmocka_unit_test(test_many_threads),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_exit_status),
        cmocka_unit_test(test_state_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
