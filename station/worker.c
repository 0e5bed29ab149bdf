#include "station/worker.h"

#include <stdlib.h>
#include <string.h>

#include "station/attempt.h"

/* A site is not looked at more often than this, whatever the jig file says. */
#define POLL_MINIMUM_US 1000

static struct timespec timespec_of(int64_t us)
{
    return (struct timespec){.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
}

static bool is_programmer_at_fault(enum failure_code code)
{
    return code == FAILURE_DEADLINE || failure_lookup(code)->blame == FAILURE_BLAME_PROGRAMMER;
}

/* One board */

static void fill_record(const struct worker *worker, int64_t cycle, struct record_attempt *record)
{
    const struct scheduler_options *options = &worker->scheduler->options;

#define FILL(field, text) record_set_text(record->field, sizeof record->field, text)
    FILL(lot, options->lot);
    FILL(programmer, worker->site->programmer);
    FILL(operator_name, options->operator_name);
    FILL(purpose, worker->previous_attempt != 0 ? "retest" : "production");
    FILL(software, options->software);
    FILL(jig, options->jig->name);
    FILL(jig_sha256, options->jig->sha256);
#undef FILL
    record->site = worker->site->site;
    record->cycle = cycle;
    record->previous_attempt = worker->previous_attempt;
}

/* For a later run: the board of the previous attempt was seen to have left its site. */
static void note_board_out(struct worker *worker)
{
    char detail[40];

    if (worker->previous_attempt == 0)
        return;
    snprintf(detail, sizeof detail, "attempt %lld", (long long)worker->previous_attempt);
    worker->previous_attempt = 0;
    /* Should the log fail here, its faulted callback tells everybody. */
    log_add_event(worker->scheduler->options.log, "board-out", detail, NULL);
}

/* What becomes of the site after its attempt was logged. */
static void conclude(struct worker *worker, const struct record_attempt *record)
{
    struct scheduler *scheduler = worker->scheduler;
    const struct scheduler_options *options = &scheduler->options;
    bool empty = record->verdict == VERDICT_EMPTY;
    struct failure failure = {.code = record->failure};

    if (options->lamp != NULL)
        options->lamp(options->lamp_context, record->site, verdict_name(record->verdict));
    if (empty)
        note_board_out(worker);
    worker->previous_attempt = empty ? 0 : record->attempt;
    if (record->signature[0] != '\0' || record->failure == FAILURE_BOARD_BEHIND_DOOR)
        worker->cut_at_door.attempt = 0;
    worker->passed = record->verdict == VERDICT_PASS;
    worker->watched = true;
    worker->since_us = 0;
    worker->done = options->go == SCHEDULER_GO_NOW && options->count == 0;
    pthread_mutex_lock(&scheduler->mutex);
    worker->left_in = 0;
    scheduler_set_state(worker, empty ? SITE_ARMED : SITE_HELD);
    pthread_mutex_unlock(&scheduler->mutex);
    if (is_programmer_at_fault(record->failure)) {
        record_set_text(failure.detail, sizeof failure.detail, record->detail);
        worker_programmer_failed(worker, &failure, true);
        return;
    }
    worker->failed_looks = 0;
    if (!empty)
        worker->failed_boards = 0;
}

static void do_board(struct worker *worker, int64_t cycle)
{
    struct scheduler *scheduler = worker->scheduler;
    struct attempt_options attempt = {
        .plan = &worker->plan,
        .programmer = worker->programmer,
        .log = scheduler->options.log,
        .events = scheduler->options.events,
        .cancel = &scheduler->cancel,
        .watched = worker->watched,
        .cut_at_door = worker->cut_at_door.attempt != 0 ? &worker->cut_at_door : NULL};
    struct record_attempt record;
    struct failure failure = {0};
    int logged;

    fill_record(worker, cycle, &attempt.record);
    logged = attempt_run(&attempt, &record, &failure);
    pthread_mutex_lock(&scheduler->mutex);
    scheduler->in_work--;
    /* Known at once, not when the command below gets its turn: this may be the last worker, and the
     * exit status is asked for when it ends. */
    scheduler->log_fault |= logged < 0;
    pthread_mutex_unlock(&scheduler->mutex);
    if (logged == 0) {
        conclude(worker, &record);
        return;
    }
    worker->done = true;
    scheduler_post_log_fault(scheduler);
}

/* Waiting for the next board */

/* Have looks agreed for `long_enough_us`? */
static bool agreed(struct worker *worker, bool agrees, int64_t long_enough_us)
{
    int64_t now_us = operation_now_us();

    if (!agrees) {
        worker->since_us = 0;
        return false;
    }
    if (worker->since_us == 0)
        worker->since_us = now_us;
    return now_us - worker->since_us >= long_enough_us;
}

/* Looks at the site once: is its board (`held`) gone, is there a new one? Returns the cycle in
 * which to start, 0: not yet. */
static int64_t look(struct worker *worker, bool held)
{
    struct scheduler *scheduler = worker->scheduler;
    const struct jig *jig = scheduler->options.jig;
    struct failure failure = {0};
    int64_t cycle = 0;
    bool gone = false;
    enum attempt_presence presence =
        attempt_look(worker->programmer, &worker->plan, &scheduler->cancel, &failure);

    if (atomic_load(&scheduler->cancel))
        return 0;
    if (presence == ATTEMPT_PROGRAMMER_FAILED) {
        worker_programmer_failed(worker, &failure, false);
        return 0;
    }
    worker->failed_looks = 0;
    pthread_mutex_lock(&scheduler->mutex);
    if (held && agreed(worker, presence == ATTEMPT_BOARD_ABSENT, jig->contact_gone_us)) {
        worker->since_us = 0;
        worker->left_in = 0;
        gone = true;
        if (worker->state == SITE_HELD)
            scheduler_set_state(worker, SITE_ARMED);
    } else if (!held &&
               agreed(worker, presence == ATTEMPT_BOARD_PRESENT, jig->contact_present_us)) {
        cycle = scheduler_start_alone(worker);
    }
    pthread_mutex_unlock(&scheduler->mutex);
    if (gone)
        note_board_out(worker);
    return cycle;
}

/* With the mutex held: waits until the time is over, a GO came, or the run is over. */
static void pause_until(struct worker *worker, int64_t until_us)
{
    struct scheduler *scheduler = worker->scheduler;
    struct timespec until = timespec_of(until_us);

    while (operation_now_us() < until_us && worker->go_cycle == 0 && !scheduler_is_over(scheduler))
        pthread_cond_timedwait(&scheduler->changed, &scheduler->mutex, &until);
}

/* With the mutex held: a board that is done again at once, without having been taken out, because
 * it was asked for so and boards are counted. In a lot a board counts once, so one that has passed
 * is left alone. */
static int64_t start_again(struct worker *worker)
{
    const struct scheduler_options *options = &worker->scheduler->options;

    if (worker->state != SITE_HELD || !options->retest || options->go != SCHEDULER_GO_NOW)
        return 0;
    return options->lot != NULL && worker->passed ? 0 : scheduler_start_alone(worker);
}

/* With the mutex held: the cycle to start in without looking at the site; 0: none. */
static int64_t take_go(struct worker *worker)
{
    struct scheduler *scheduler = worker->scheduler;
    int64_t cycle = worker->go_cycle;

    worker->go_cycle = 0;
    if (cycle != 0 && (scheduler->stopping || scheduler->log_fault)) {
        scheduler->in_work--;
        return 0;
    }
    if (cycle != 0 || !scheduler->open || scheduler_is_over(scheduler))
        return cycle;
    return start_again(worker);
}

static bool must_look(const struct worker *worker)
{
    return worker->state == SITE_HELD || worker->scheduler->options.go != SCHEDULER_GO_ENTER;
}

/* The cycle in which to take a board; 0: the site takes no more. */
static int64_t wait_for_board(struct worker *worker)
{
    struct scheduler *scheduler = worker->scheduler;
    int64_t poll_us = scheduler->options.jig->contact_poll_us;
    int64_t cycle = 0;

    if (poll_us < POLL_MINIMUM_US)
        poll_us = POLL_MINIMUM_US;
    pthread_mutex_lock(&scheduler->mutex);
    while (!worker->done) {
        int64_t until_us = operation_now_us() + poll_us;
        bool held;

        cycle = take_go(worker);
        if (cycle != 0 || scheduler_is_over(scheduler))
            break;
        if (!scheduler->open || !must_look(worker)) {
            pthread_cond_wait(&scheduler->changed, &scheduler->mutex);
            continue;
        }
        held = worker->state == SITE_HELD;
        pthread_mutex_unlock(&scheduler->mutex);
        cycle = look(worker, held);
        pthread_mutex_lock(&scheduler->mutex);
        if (cycle != 0)
            break;
        if (!worker->done)
            pause_until(worker, until_us);
    }
    pthread_mutex_unlock(&scheduler->mutex);
    return cycle;
}

/* The thread */

static void begin(struct worker *worker)
{
    struct scheduler *scheduler = worker->scheduler;

    pthread_mutex_lock(&scheduler->mutex);
    scheduler_set_state(worker, SITE_CLAIMING);
    pthread_mutex_unlock(&scheduler->mutex);
    worker_claim(worker);
    pthread_mutex_lock(&scheduler->mutex);
    worker->previous_attempt = worker->left_in;
    /* It is done again only when --retest says that it is that board. */
    worker->watched = worker->left_in != 0;
    scheduler_claim_ended(scheduler);
    pthread_mutex_unlock(&scheduler->mutex);
}

static void end(struct worker *worker)
{
    struct scheduler *scheduler = worker->scheduler;
    bool out = worker->out.code != FAILURE_NONE;
    char detail[FAILURE_DETAIL_BYTES + 64];

    worker_unclaim(worker);
    if (out) {
        snprintf(detail, sizeof detail, "site %d: %s: %s", worker->site->site,
                 failure_lookup(worker->out.code)->name, worker->out.detail);
        /* Should the log fail here, its faulted callback tells everybody. */
        log_add_event(scheduler->options.log, "site-out", detail, NULL);
    }
    pthread_mutex_lock(&scheduler->mutex);
    if (worker->go_cycle != 0) /* told to start while it went out */
        scheduler->in_work--;
    scheduler->running--;
    scheduler->site_out |= out;
    scheduler_set_state(worker, out ? SITE_OUT : SITE_STOPPED);
    pthread_cond_broadcast(&scheduler->changed);
    pthread_mutex_unlock(&scheduler->mutex);
}

void *worker_main(void *context)
{
    struct worker *worker = context;
    int64_t cycle;

    begin(worker);
    while ((cycle = wait_for_board(worker)) != 0)
        do_board(worker, cycle);
    end(worker);
    return NULL;
}
