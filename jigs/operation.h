/* What every operation on hardware is told: until when, whether it is still wanted, and whom to
 * tell how far it has come. */
#ifndef JIGS_OPERATION_H
#define JIGS_OPERATION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "reports/failure.h"

struct operation {
    int64_t deadline_us;       /* on the monotonic clock */
    const atomic_bool *cancel; /* NULL: cannot be cancelled */
    /* Bytes done so far in this call; NULL: nobody listens. */
    void (*progress)(void *context, uint32_t done_bytes);
    void *context;
};

/* The monotonic clock, microseconds. */
int64_t operation_now_us(void);
/* The wall clock, microseconds since 1970 UTC. */
int64_t operation_wall_us(void);
/* -1 with FAILURE_INTERRUPTED when cancelled, FAILURE_DEADLINE when its time is over. */
int operation_check(const struct operation *operation, struct failure *failure);
void operation_progress(const struct operation *operation, uint32_t done_bytes);
/* Sleeps, but not past the deadline nor a cancellation (looked at every 20 ms); then like
 * operation_check(). */
int operation_sleep_us(const struct operation *operation, int64_t duration_us,
                       struct failure *failure);
/* Earlier of the operation's deadline and now + `duration_us`. */
int64_t operation_within_us(const struct operation *operation, int64_t duration_us);

#endif
