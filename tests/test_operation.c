/* Deadlines, cancellation, sleeping and progress. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "jigs/operation.h"

#define SECOND_US 1000000

static struct operation within(int64_t duration_us)
{
    return (struct operation){.deadline_us = operation_now_us() + duration_us};
}

static void clocks_go_forward(void **state)
{
    (void)state;
    int64_t before = operation_now_us();
    time_t before_s = time(NULL);
    int64_t wall_s = operation_wall_us() / SECOND_US;

    assert_true(operation_now_us() >= before);
    /* time() may lag by a tick. */
    assert_in_range(wall_s, before_s, time(NULL) + 1);
}

static void check_tells_why(void **state)
{
    (void)state;
    struct failure failure = {0};
    atomic_bool cancel = false;
    struct operation operation = within(60 * SECOND_US);

    assert_int_equal(operation_check(&operation, &failure), 0);
    operation.cancel = &cancel;
    assert_int_equal(operation_check(&operation, &failure), 0);
    cancel = true;
    assert_int_equal(operation_check(&operation, &failure), -1);
    assert_int_equal(failure.code, FAILURE_INTERRUPTED);
    operation = within(0);
    assert_int_equal(operation_check(&operation, &failure), -1);
    assert_int_equal(failure.code, FAILURE_DEADLINE);
}

static void within_is_the_earlier_end(void **state)
{
    (void)state;
    struct operation operation = within(10 * SECOND_US);

    assert_int_equal(operation_within_us(&operation, 20 * SECOND_US), operation.deadline_us);
    assert_true(operation_within_us(&operation, SECOND_US) < operation.deadline_us);
}

static void sleep_lasts_as_long_as_asked(void **state)
{
    (void)state;
    struct failure failure = {0};
    struct operation operation = within(60 * SECOND_US);
    int64_t before = operation_now_us();

    assert_int_equal(operation_sleep_us(&operation, 30000, &failure), 0);
    assert_true(operation_now_us() - before >= 30000);
}

static void sleep_ends_at_the_deadline(void **state)
{
    (void)state;
    struct failure failure = {0};
    struct operation operation = within(30000);
    int64_t before = operation_now_us();

    assert_int_equal(operation_sleep_us(&operation, 3600 * (int64_t)SECOND_US, &failure), -1);
    assert_int_equal(failure.code, FAILURE_DEADLINE);
    assert_true(operation_now_us() - before < 60 * SECOND_US);
}

static void *set_flag(void *flag)
{
    *(atomic_bool *)flag = true;
    return NULL;
}

static void sleep_ends_when_cancelled(void **state)
{
    (void)state;
    struct failure failure = {0};
    atomic_bool cancel = false;
    struct operation operation = within(3600 * (int64_t)SECOND_US);
    pthread_t thread;

    operation.cancel = &cancel;
    assert_int_equal(pthread_create(&thread, NULL, set_flag, &cancel), 0);
    assert_int_equal(operation_sleep_us(&operation, 3600 * (int64_t)SECOND_US, &failure), -1);
    assert_int_equal(failure.code, FAILURE_INTERRUPTED);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void note(void *context, uint32_t done_bytes)
{
    *(uint32_t *)context = done_bytes;
}

static void progress_reaches_the_listener(void **state)
{
    (void)state;
    uint32_t done = 0;
    struct operation operation = within(SECOND_US);

    operation_progress(&operation, 7); /* nobody listens */
    operation.progress = note;
    operation.context = &done;
    operation_progress(&operation, 128);
    assert_int_equal(done, 128);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clocks_go_forward),
        cmocka_unit_test(check_tells_why),
        cmocka_unit_test(within_is_the_earlier_end),
        cmocka_unit_test(sleep_lasts_as_long_as_asked),
        cmocka_unit_test(sleep_ends_at_the_deadline),
        cmocka_unit_test(sleep_ends_when_cancelled),
        cmocka_unit_test(progress_reaches_the_listener),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
