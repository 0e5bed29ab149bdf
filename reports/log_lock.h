/* The session lock: one station per log. <log>.lock is held with flock() and names the process; it
 * stays there, empty, when the station has ended. */
#ifndef REPORTS_LOG_LOCK_H
#define REPORTS_LOG_LOCK_H

#include "reports/failure.h"

struct log_lock;

/* FAILURE_LOG_IN_USE with the number of the process that holds it; FAILURE_LOG when the lock file
 * cannot be made. */
int log_lock_take(const char *log_path, struct log_lock **lock, struct failure *failure);
/* NULL is allowed. */
void log_lock_release(struct log_lock *lock);

#endif
