#include "reports/log_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

struct log_lock {
    int descriptor;
};

static int fail_in_use(int descriptor, const char *path, struct failure *failure)
{
    char holder[32];
    ssize_t bytes = pread(descriptor, holder, sizeof holder - 1, 0);
    holder[bytes > 0 ? bytes : 0] = '\0';
    holder[strcspn(holder, "\n")] = '\0';
    return failure_set(failure, FAILURE_LOG_IN_USE,
                       "another station holds this log: process %s (%s); close it, or use another "
                       "log",
                       holder[0] == '\0' ? "unknown" : holder, path);
}

/* 0 when the lock is held and bears this process's number. */
static int hold(int descriptor, const char *path, struct failure *failure)
{
    char text[32];
    int length = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (flock(descriptor, LOCK_EX | LOCK_NB) < 0) {
        if (errno == EWOULDBLOCK) {
            return fail_in_use(descriptor, path, failure);
        }
        return failure_set(failure, FAILURE_LOG, "cannot lock %s: %s; put the log on a local disk",
                           path, strerror(errno));
    }
    if (ftruncate(descriptor, 0) < 0 || pwrite(descriptor, text, (size_t)length, 0) != length) {
        return failure_set(failure, FAILURE_LOG,
                           "cannot write %s: %s; check the disk's space and rights", path,
                           strerror(errno));
    }
    return 0;
}

int log_lock_take(const char *log_path, struct log_lock **lock, struct failure *failure)
{
    char path[4096];
    if (snprintf(path, sizeof path, "%s.lock", log_path) >= (int)sizeof path) {
        return failure_set(failure, FAILURE_LOG, "the log's path is too long");
    }
    struct log_lock *taken = calloc(1, sizeof *taken);
    if (taken == NULL) {
        return failure_set(failure, FAILURE_OUT_OF_MEMORY, "opening the log");
    }
    taken->descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (taken->descriptor < 0) {
        free(taken);
        return failure_set(failure, FAILURE_LOG,
                           "cannot make the lock file: %s; check that the directory exists and "
                           "that this user may write there: %s",
                           strerror(errno), path);
    }
    if (hold(taken->descriptor, path, failure) < 0) {
        (void)close(taken->descriptor);
        free(taken);
        return -1;
    }
    *lock = taken;
    return 0;
}

void log_lock_release(struct log_lock *lock)
{
    if (lock != NULL) {
        (void)!ftruncate(lock->descriptor, 0); /* the number in it is for people only */
        (void)close(lock->descriptor);
        free(lock);
    }
}
