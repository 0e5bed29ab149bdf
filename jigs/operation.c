#include "jigs/operation.h"

#include <errno.h>
#include <stddef.h>
#include <time.h>

#define CANCEL_LOOK_US 20000

static int64_t clock_us(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t operation_now_us(void)
{
    return clock_us(CLOCK_MONOTONIC);
}

int64_t operation_wall_us(void)
{
    return clock_us(CLOCK_REALTIME);
}

int operation_check(const struct operation *operation, struct failure *failure)
{
    if (operation->cancel != NULL && atomic_load(operation->cancel))
        return failure_set(failure, FAILURE_INTERRUPTED, "cancelled");
    if (operation_now_us() >= operation->deadline_us)
        return failure_set(failure, FAILURE_DEADLINE, "its time was over");
    return 0;
}

void operation_progress(const struct operation *operation, uint32_t done_bytes)
{
    if (operation->progress != NULL)
        operation->progress(operation->context, done_bytes);
}

static void sleep_until_us(int64_t moment_us)
{
    struct timespec moment = {.tv_sec = moment_us / 1000000, .tv_nsec = moment_us % 1000000 * 1000};

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &moment, NULL) == EINTR)
        continue;
}

int operation_sleep_us(const struct operation *operation, int64_t duration_us,
                       struct failure *failure)
{
    int64_t end_us = operation_within_us(operation, duration_us);
    int64_t now_us;

    while ((now_us = operation_now_us()) < end_us) {
        if (operation_check(operation, failure) != 0)
            return -1;
        sleep_until_us(end_us - now_us > CANCEL_LOOK_US ? now_us + CANCEL_LOOK_US : end_us);
    }
    return operation_check(operation, failure);
}

int64_t operation_within_us(const struct operation *operation, int64_t duration_us)
{
    int64_t end_us = operation_now_us() + duration_us;

    return end_us < operation->deadline_us ? end_us : operation->deadline_us;
}
