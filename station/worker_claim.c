/* A worker's programmer: claimed once per run, and again whenever it was lost. */
#include <stdio.h>
#include <string.h>

#include "station/worker.h"

#define CLAIM_DEADLINE_US 30000000
/* Between two tries to claim a lost programmer: at first, and at most. Opening a port resets many
 * an Arduino, which then needs two seconds of its own. */
#define RECLAIM_PAUSE_FIRST_US 100000
#define RECLAIM_PAUSE_MAX_US 3000000

struct claim_request {
    int64_t deadline_us;
    const atomic_bool *cancel;
    bool patient;
};

static int claim(struct worker *worker, const struct claim_request *request,
                 struct failure *failure)
{
    struct programmer_settings settings = {.place = worker->site->place,
                                           .baud = worker->site->baud};
    struct operation operation = {.deadline_us = operation_now_us() + CLAIM_DEADLINE_US,
                                  .cancel = request->cancel};

    if (operation.deadline_us > request->deadline_us)
        operation.deadline_us = request->deadline_us;
    return (request->patient ? programmer_open_patiently
                             : programmer_open)(worker->plan.driver, &settings, &worker->owed_value,
                                                &operation, &worker->programmer, failure);
}

void worker_unclaim(struct worker *worker)
{
    if (worker->programmer != NULL)
        worker->owed_value = worker->programmer->owed_value;
    programmer_destroy(worker->programmer);
    worker->programmer = NULL;
}

static void go_out(struct worker *worker, const struct failure *failure)
{
    pthread_mutex_lock(&worker->scheduler->mutex);
    worker->out = *failure;
    pthread_mutex_unlock(&worker->scheduler->mutex);
    worker->done = true;
}

void worker_claim(struct worker *worker)
{
    const struct claim_request request = {
        .deadline_us = INT64_MAX, .cancel = &worker->scheduler->cancel, .patient = true};
    struct failure failure = {0};

    worker->owed_value = -1;
    if (claim(worker, &request, &failure) == 0)
        return;
    if (failure.code == FAILURE_INTERRUPTED)
        worker->done = true;
    else
        go_out(worker, &failure);
}

/* Claiming again */

static void log_programmer(const struct worker *worker, const char *kind, const char *what)
{
    char detail[FAILURE_DETAIL_BYTES + 80];

    snprintf(detail, sizeof detail, "site %d: %s", worker->site->site, what);
    /* Should the log fail here, its faulted callback tells everybody. */
    log_add_event(worker->scheduler->options.log, kind, detail, NULL);
}

static void note_lost(const struct worker *worker, const struct failure *failure)
{
    char what[FAILURE_DETAIL_BYTES + 40];

    snprintf(what, sizeof what, "%s: %s", failure_lookup(failure->code)->name, failure->detail);
    log_programmer(worker, "programmer-lost", what);
}

static void note_back(const struct worker *worker, int64_t lost_us)
{
    const char *firmware = worker->programmer->firmware;
    bool other = strcmp(firmware, worker->firmware) != 0;
    char what[256];

    snprintf(what, sizeof what, "%s, after %.1f s%s%s", firmware,
             (double)(operation_now_us() - lost_us) / 1e6, other ? "; it was " : "",
             other ? worker->firmware : "");
    log_programmer(worker, "programmer-back", what);
}

/* "ArduinoISP 1.18": another version may stand there after a repair, another firmware may not. */
static bool is_same_firmware(const char *before, const char *after)
{
    size_t name = strcspn(before, " ");

    return strncmp(before, after, name) == 0 && (after[name] == ' ' || after[name] == '\0');
}

/* Whoever waits for it asks again. */
static int claim_again(struct worker *worker, int64_t end_us, struct failure *failure)
{
    const struct claim_request request = {.deadline_us = end_us,
                                          .cancel = &worker->scheduler->over};

    *failure = (struct failure){0};
    if (claim(worker, &request, failure) != 0)
        return -1;
    if (is_same_firmware(worker->firmware, worker->programmer->firmware))
        return 0;
    failure_record(failure, FAILURE_PROGRAMMER_UNKNOWN, "%s answers where %s was",
                   worker->programmer->firmware, worker->firmware);
    worker_unclaim(worker);
    return -1;
}

/* The site shows that it waits. False when nobody needs it any more. */
static bool pause_between(struct worker *worker, int64_t until_us, const struct failure *trouble)
{
    struct scheduler *scheduler = worker->scheduler;
    struct timespec until = {.tv_sec = until_us / 1000000, .tv_nsec = until_us % 1000000 * 1000};
    bool wanted;

    pthread_mutex_lock(&scheduler->mutex);
    if (worker->state != SITE_WAITING) {
        worker->state_before = worker->state;
        worker->trouble = *trouble;
        scheduler_set_state(worker, SITE_WAITING);
    }
    while (operation_now_us() < until_us && !scheduler_is_over(scheduler))
        pthread_cond_timedwait(&scheduler->changed, &scheduler->mutex, &until);
    wanted = !scheduler_is_over(scheduler);
    pthread_mutex_unlock(&scheduler->mutex);
    return wanted;
}

/* False when nobody needs the programmer any more, or it did not come back; `again` says why. */
static bool wait_for_programmer(struct worker *worker, int64_t end_us, struct failure *again)
{
    const struct failure trouble = *again;
    int64_t pause_us = RECLAIM_PAUSE_FIRST_US;

    while (claim_again(worker, end_us, again) != 0) {
        int64_t until_us = operation_now_us() + pause_us;

        if (again->code == FAILURE_INTERRUPTED || until_us >= end_us)
            return false;
        if (!pause_between(worker, until_us, &trouble)) {
            failure_record(again, FAILURE_INTERRUPTED, "nobody needs it any more");
            return false;
        }
        pause_us = 2 * pause_us < RECLAIM_PAUSE_MAX_US ? 2 * pause_us : RECLAIM_PAUSE_MAX_US;
    }
    return true;
}

/* What the operator is to do depends on what keeps the programmer from coming back, if that is
 * known, else on how it was lost. */
static void give_up(struct worker *worker, const struct failure *lost, int64_t absence_us,
                    const struct failure *again)
{
    bool known = again->code == FAILURE_PROGRAMMER_UNKNOWN || again->code == FAILURE_PLACE_BUSY ||
                 again->code == FAILURE_PLACE_DENIED;
    struct failure out = {0};

    failure_record(&out, known ? again->code : lost->code, "%s; not back within %lld s: %s",
                   lost->detail, (long long)((absence_us + 999999) / 1000000), again->detail);
    go_out(worker, &out);
}

/* Nobody saw whether the board was changed meanwhile, so none is taken that was not seen to be put
 * in; whoever did change it is told, or would wait for ever. */
static void come_back(struct worker *worker, int64_t lost_us)
{
    struct scheduler *scheduler = worker->scheduler;

    note_back(worker, lost_us);
    pthread_mutex_lock(&scheduler->mutex);
    if (worker->state == SITE_WAITING)
        scheduler_set_state(worker, worker->state_before);
    if (worker->state == SITE_HELD && !scheduler->options.retest)
        scheduler_ask_to_take_out(worker);
    pthread_mutex_unlock(&scheduler->mutex);
}

static void recover(struct worker *worker, const struct failure *failure)
{
    int64_t absence_us = worker->scheduler->options.absence_us;
    int64_t lost_us = operation_now_us();
    struct failure again = *failure;

    if (absence_us == 0)
        absence_us = SCHEDULER_ABSENCE_US;
    note_lost(worker, failure);
    worker->watched = false; /* until it is back nobody sees which board stands there */
    memcpy(worker->firmware, worker->programmer->firmware, sizeof worker->firmware);
    worker_unclaim(worker);
    if (wait_for_programmer(worker, lost_us + absence_us, &again))
        come_back(worker, lost_us);
    else if (again.code == FAILURE_INTERRUPTED)
        worker->done = true;
    else
        give_up(worker, failure, absence_us, &again);
}

/* It comes back each time, and fails each time. */
static void lock_out(struct worker *worker, const struct failure *failure, bool on_board)
{
    struct failure out = {0};

    failure_record(&out, failure->code, "%s %d times in a row, although it came back; the last: %s",
                   on_board ? "failed on boards" : "failed", SCHEDULER_PROGRAMMER_FAILURES_MAX,
                   failure->detail);
    go_out(worker, &out);
}

void worker_programmer_failed(struct worker *worker, const struct failure *failure, bool on_board)
{
    int *failed = on_board ? &worker->failed_boards : &worker->failed_looks;

    worker->since_us = 0;
    worker->done |= atomic_load(&worker->scheduler->over);
    if (worker->done)
        return;
    if (++*failed >= SCHEDULER_PROGRAMMER_FAILURES_MAX)
        lock_out(worker, failure, on_board);
    else
        recover(worker, failure);
}
