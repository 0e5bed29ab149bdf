#include "station/scheduler.h"

#include <stdio.h>
#include <stdlib.h>

#include "jigs/operation.h"
#include "station/worker.h"

/* What the workers and the dispatcher do to the station; the mutex is held. */

/* Site 0: the whole station. */
static void push_message(struct scheduler *scheduler, int site, const char *what)
{
    struct station_event event = {.kind = STATION_EVENT_MESSAGE, .site = site};

    if (site == 0)
        snprintf(event.text, sizeof event.text, "%s", what);
    else
        snprintf(event.text, sizeof event.text, "site %d: %s", site, what);
    event_queue_push(scheduler->options.events, &event);
}

void scheduler_set_state(struct worker *worker, enum site_state state)
{
    struct station_event event = {.kind = STATION_EVENT_SITE,
                                  .site = worker->site->site,
                                  .cycle = worker->scheduler->cycle,
                                  .state = state};

    worker->state = state;
    if (state == SITE_OUT)
        event.failure = worker->out;
    if (state == SITE_WAITING)
        event.failure = worker->trouble;
    event_queue_push(worker->scheduler->options.events, &event);
}

/* Boards, as the log counts them: one that is done again and passes again is no other one, and does
 * not count any more when it fails then. */
static int64_t boards_passed(const struct scheduler *scheduler)
{
    return scheduler->counts.lot_passed - scheduler->options.lot_passed;
}

static bool is_count_reached(const struct scheduler *scheduler)
{
    return scheduler->options.count > 0 && boards_passed(scheduler) >= scheduler->options.count;
}

bool scheduler_is_over(const struct scheduler *scheduler)
{
    return scheduler->stopping || scheduler->ending || scheduler->log_fault ||
           scheduler->refusal.code != FAILURE_NONE || is_count_reached(scheduler);
}

bool scheduler_needs_board(const struct scheduler *scheduler)
{
    if (scheduler_is_over(scheduler))
        return false;
    return scheduler->options.count == 0 ||
           boards_passed(scheduler) + scheduler->in_work < scheduler->options.count;
}

static void fill_counts(const struct scheduler *scheduler, struct station_counts *counts)
{
    int64_t elapsed_us = operation_now_us() - scheduler->started_us;

    *counts = scheduler->counts;
    if (scheduler->started_us > 0 && elapsed_us > 0)
        counts->boards_per_hour = (double)counts->passed * 3600e6 / (double)elapsed_us;
}

static void push_cycle(struct scheduler *scheduler, int site, int sites_taking_part)
{
    struct station_event event = {.kind = STATION_EVENT_CYCLE,
                                  .site = site,
                                  .cycle = scheduler->cycle,
                                  .sites_taking_part = sites_taking_part};

    fill_counts(scheduler, &event.counts);
    event_queue_push(scheduler->options.events, &event);
}

int64_t scheduler_start_alone(struct worker *worker)
{
    struct scheduler *scheduler = worker->scheduler;

    if (!scheduler_needs_board(scheduler))
        return 0;
    scheduler->in_work++;
    scheduler->cycle++;
    push_cycle(scheduler, worker->site->site, 1);
    scheduler_set_state(worker, SITE_WORKING);
    return scheduler->cycle;
}

void scheduler_ask_to_take_out(const struct worker *worker)
{
    char what[96] = "take the board out first";

    if (worker->left_in != 0)
        snprintf(what, sizeof what,
                 "take the board out first: attempt %lld of an earlier run left it there",
                 (long long)worker->left_in);
    push_message(worker->scheduler, worker->site->site, what);
}

/* A board that a kill left behind a door does not answer, so no GO by contact tells of it. */
static void tell_of_door(const struct worker *worker)
{
    const struct log_door *door = &worker->cut_at_door;
    char what[160];

    if (door->attempt == 0)
        return;
    snprintf(what, sizeof what,
             "attempt %lld was cut off when it turned on %s: should its board not answer, set it "
             "aside",
             (long long)door->attempt, door->fuse);
    push_message(worker->scheduler, worker->site->site, what);
}

/* Commands */

/* Tells a site to take part in the next cycle, or the operator why it cannot. */
static bool invite(struct scheduler *scheduler, struct worker *worker)
{
    int site = worker->site->site;

    if (worker->state == SITE_WORKING) {
        push_message(scheduler, site, "still at work");
        return false;
    }
    if (worker->state == SITE_HELD && !scheduler->options.retest) {
        scheduler_ask_to_take_out(worker);
        return false;
    }
    if (worker->state == SITE_WAITING)
        push_message(scheduler, site, "waiting for its programmer");
    if (worker->state != SITE_ARMED && worker->state != SITE_HELD)
        return false;
    if (!scheduler_needs_board(scheduler)) {
        push_message(scheduler, site, "not needed, the boards at work are enough");
        return false;
    }
    worker->go_cycle = scheduler->cycle + 1;
    scheduler->in_work++;
    return true;
}

/* One press: all sites that can start together as one cycle. Returns how many do. */
static int start_cycle(struct scheduler *scheduler)
{
    int taking_part = 0;

    if (scheduler_is_over(scheduler))
        return 0;
    if (scheduler->claiming > 0) { /* whether this run may touch a board is not known yet */
        push_message(scheduler, 0, "programmers are still being opened");
        return 0;
    }
    for (int i = 0; i < scheduler->worker_count; i++)
        taking_part += invite(scheduler, &scheduler->workers[i]) ? 1 : 0;
    if (taking_part == 0) {
        push_message(scheduler, 0, "no site can start");
        return 0;
    }
    scheduler->cycle++;
    push_cycle(scheduler, 0, taking_part);
    for (int i = 0; i < scheduler->worker_count; i++)
        if (scheduler->workers[i].go_cycle == scheduler->cycle)
            scheduler_set_state(&scheduler->workers[i], SITE_WORKING);
    return taking_part;
}

static void log_cycle(struct scheduler *scheduler, int64_t cycle, int sites)
{
    char detail[64];

    snprintf(detail, sizeof detail, "cycle %lld, %d site%s", (long long)cycle, sites,
             sites == 1 ? "" : "s");
    /* Should the log fail here, its faulted callback tells everybody. */
    log_add_event(scheduler->options.log, "go", detail, NULL);
}

static void handle_go(struct scheduler *scheduler, bool first)
{
    int sites = 0;
    int64_t cycle;

    pthread_mutex_lock(&scheduler->mutex);
    if (first || scheduler->options.go == SCHEDULER_GO_ENTER)
        sites = start_cycle(scheduler);
    else
        push_message(scheduler, 0, "GO is not needed: sites start by themselves");
    scheduler->open |= first;
    cycle = scheduler->cycle;
    pthread_cond_broadcast(&scheduler->changed);
    pthread_mutex_unlock(&scheduler->mutex);
    if (sites > 0)
        log_cycle(scheduler, cycle, sites);
}

static void handle_end(struct scheduler *scheduler, enum scheduler_command command)
{
    pthread_mutex_lock(&scheduler->mutex);
    scheduler->ending = true;
    atomic_store(&scheduler->over, true);
    if (command == SCHEDULER_COMMAND_STOP) {
        scheduler->stopping = true;
        scheduler->interrupted |= scheduler->running > 0 && !is_count_reached(scheduler);
    }
    if (command == SCHEDULER_COMMAND_LOG_FAULT)
        scheduler->log_fault = true;
    if (command != SCHEDULER_COMMAND_END)
        atomic_store(&scheduler->cancel, true);
    pthread_cond_broadcast(&scheduler->changed);
    pthread_mutex_unlock(&scheduler->mutex);
}

static void handle(struct scheduler *scheduler, enum scheduler_command command)
{
    if (command == SCHEDULER_COMMAND_START || command == SCHEDULER_COMMAND_GO)
        handle_go(scheduler, command == SCHEDULER_COMMAND_START);
    else
        handle_end(scheduler, command);
}

/* False: the dispatcher is to end. */
static bool next_command(struct scheduler *scheduler, enum scheduler_command *command)
{
    bool got = false;

    pthread_mutex_lock(&scheduler->mutex);
    while (scheduler->command_count == 0 && !scheduler->quit)
        pthread_cond_wait(&scheduler->changed, &scheduler->mutex);
    if (scheduler->command_count > 0) {
        *command = scheduler->commands[0];
        scheduler->command_count--;
        for (int i = 0; i < scheduler->command_count; i++)
            scheduler->commands[i] = scheduler->commands[i + 1];
        got = true;
    }
    pthread_mutex_unlock(&scheduler->mutex);
    return got;
}

static void *dispatcher_main(void *context)
{
    struct scheduler *scheduler = context;
    enum scheduler_command command;

    while (next_command(scheduler, &command))
        handle(scheduler, command);
    return NULL;
}

/* With the mutex held. All commands but GO are posted once at most, so there is always room for
 * them. */
static void queue_command(struct scheduler *scheduler, enum scheduler_command command)
{
    bool wanted = command == SCHEDULER_COMMAND_GO
                      ? scheduler->command_count < SCHEDULER_COMMANDS_MAX - SCHEDULER_COMMAND_COUNT
                      : !scheduler->posted[command];

    if (!wanted)
        return;
    scheduler->posted[command] = true;
    scheduler->commands[scheduler->command_count++] = command;
    pthread_cond_broadcast(&scheduler->changed);
}

static void post(struct scheduler *scheduler, enum scheduler_command command)
{
    pthread_mutex_lock(&scheduler->mutex);
    queue_command(scheduler, command);
    pthread_mutex_unlock(&scheduler->mutex);
}

void scheduler_post_go(struct scheduler *scheduler)
{
    post(scheduler, SCHEDULER_COMMAND_GO);
}

void scheduler_post_end(struct scheduler *scheduler)
{
    post(scheduler, SCHEDULER_COMMAND_END);
}

void scheduler_post_stop(struct scheduler *scheduler)
{
    post(scheduler, SCHEDULER_COMMAND_STOP);
}

void scheduler_post_log_fault(struct scheduler *scheduler)
{
    post(scheduler, SCHEDULER_COMMAND_LOG_FAULT);
}

/* Counting */

static int64_t *count_of(struct station_counts *counts, enum verdict verdict)
{
    switch (verdict) {
    case VERDICT_PASS:
        return &counts->passed;
    case VERDICT_REFUSED:
        return &counts->refused;
    case VERDICT_UNVERIFIED:
        return &counts->unverified;
    case VERDICT_EMPTY:
        return &counts->empty;
    case VERDICT_INTERRUPTED:
        return &counts->interrupted;
    case VERDICT_NONE:
    case VERDICT_FAIL:
        break;
    }
    return &counts->failed;
}

void scheduler_publish(struct scheduler *scheduler, const struct record_attempt *record)
{
    struct station_event event = {.kind = STATION_EVENT_VERDICT,
                                  .site = record->site,
                                  .cycle = record->cycle,
                                  .record = *record};

    pthread_mutex_lock(&scheduler->mutex);
    ++*count_of(&scheduler->counts, record->verdict);
    scheduler->counts.lot_passed += record->lot_change;
    fill_counts(scheduler, &event.counts);
    event_queue_push(scheduler->options.events, &event);
    if (is_count_reached(scheduler)) {
        atomic_store(&scheduler->over, true);
        pthread_cond_broadcast(&scheduler->changed);
    }
    pthread_mutex_unlock(&scheduler->mutex);
}

bool scheduler_finished(struct scheduler *scheduler)
{
    bool finished;

    pthread_mutex_lock(&scheduler->mutex);
    finished = scheduler->started && scheduler->running == 0;
    pthread_mutex_unlock(&scheduler->mutex);
    return finished;
}

void scheduler_counts(struct scheduler *scheduler, struct station_counts *counts)
{
    pthread_mutex_lock(&scheduler->mutex);
    fill_counts(scheduler, counts);
    pthread_mutex_unlock(&scheduler->mutex);
}

int scheduler_exit_status(struct scheduler *scheduler)
{
    struct station_outcome outcome;
    struct station_counts counts;

    pthread_mutex_lock(&scheduler->mutex);
    counts = scheduler->counts;
    outcome = (struct station_outcome){.log_fault = scheduler->log_fault,
                                       .interrupted = scheduler->interrupted,
                                       .site_out = scheduler->site_out};
    pthread_mutex_unlock(&scheduler->mutex);
    return station_exit_status(&counts, &outcome);
}

/* Beginning and end */

static void prepare_locks(struct scheduler *scheduler)
{
    pthread_condattr_t attributes;

    pthread_mutex_init(&scheduler->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&scheduler->changed, &attributes);
    pthread_condattr_destroy(&attributes);
}

static int make_workers(struct scheduler *scheduler, struct failure *failure)
{
    const struct scheduler_options *options = &scheduler->options;

    for (size_t i = 0; i < options->jig->site_count; i++) {
        struct worker *worker = &scheduler->workers[scheduler->worker_count];

        if (options->site_wanted != NULL && !options->site_wanted[i])
            continue;
        worker->scheduler = scheduler;
        worker->site = &options->jig->sites[i];
        worker->left_in = options->left_in != NULL ? options->left_in[i] : 0;
        if (options->cut_at_door != NULL)
            worker->cut_at_door = options->cut_at_door[i];
        if (plan_make_on_jig(options->profile, options->jig, worker->site, &worker->plan, failure) <
            0)
            return -1;
        scheduler->worker_count++;
    }
    if (scheduler->worker_count == 0)
        return failure_set(failure, FAILURE_PLAN_REFUSED, "none of the jig's sites is wanted");
    return 0;
}

int scheduler_create(const struct scheduler_options *options, struct scheduler **scheduler,
                     struct failure *failure)
{
    struct scheduler *made = calloc(1, sizeof *made);
    size_t sites = options->jig->site_count;

    *scheduler = NULL;
    if (made == NULL)
        return failure_set(failure, FAILURE_OUT_OF_MEMORY, "the scheduler");
    made->options = *options;
    made->counts.lot_count = options->lot_count;
    made->counts.lot_passed = options->lot_passed;
    prepare_locks(made);
    made->workers = calloc(sites > 0 ? sites : 1, sizeof *made->workers);
    if (made->workers == NULL)
        failure_set(failure, FAILURE_OUT_OF_MEMORY, "%zu sites", sites);
    if (made->workers == NULL || make_workers(made, failure) < 0) {
        scheduler_destroy(made);
        return -1;
    }
    *scheduler = made;
    return 0;
}

static int start_threads(struct scheduler *scheduler, struct failure *failure)
{
    if (pthread_create(&scheduler->dispatcher, NULL, dispatcher_main, scheduler) != 0)
        return failure_set(failure, FAILURE_INTERNAL, "no thread for the dispatcher");
    scheduler->dispatcher_started = true;
    for (int i = 0; i < scheduler->worker_count; i++) {
        struct worker *worker = &scheduler->workers[i];

        pthread_mutex_lock(&scheduler->mutex);
        scheduler->claiming++;
        scheduler->running++;
        pthread_mutex_unlock(&scheduler->mutex);
        if (pthread_create(&worker->thread, NULL, worker_main, worker) == 0) {
            worker->thread_started = true;
            continue;
        }
        pthread_mutex_lock(&scheduler->mutex);
        scheduler->claiming--;
        scheduler->running--;
        pthread_mutex_unlock(&scheduler->mutex);
        return failure_set(failure, FAILURE_INTERNAL, "no thread for site %d", worker->site->site);
    }
    return 0;
}

/* Does this failure to claim mean that the jig file and the bench do not fit together? */
static bool stops_run(enum failure_code code)
{
    return code == FAILURE_PLACE_MISSING || code == FAILURE_PLACE_BUSY ||
           code == FAILURE_PLACE_DENIED || code == FAILURE_PLACE_TWICE;
}

/* True when some place makes the run impossible; it is stopped then. */
static bool refuse_run(struct scheduler *scheduler)
{
    for (int i = 0; i < scheduler->worker_count; i++) {
        const struct worker *worker = &scheduler->workers[i];

        if (!stops_run(worker->out.code))
            continue;
        failure_record(&scheduler->refusal, worker->out.code, "site %d: %s", worker->site->site,
                       worker->out.detail);
        queue_command(scheduler, SCHEDULER_COMMAND_STOP);
        return true;
    }
    return false;
}

static void arm_sites(struct scheduler *scheduler)
{
    for (int i = 0; i < scheduler->worker_count; i++) {
        struct worker *worker = &scheduler->workers[i];

        if (worker->out.code != FAILURE_NONE)
            continue;
        scheduler_set_state(worker, worker->left_in != 0 ? SITE_HELD : SITE_ARMED);
        tell_of_door(worker);
        if (worker->left_in != 0 && !scheduler->options.retest)
            scheduler_ask_to_take_out(worker);
    }
}

void scheduler_claim_ended(struct scheduler *scheduler)
{
    if (--scheduler->claiming > 0 || scheduler->stopping || scheduler->log_fault ||
        refuse_run(scheduler))
        return;
    arm_sites(scheduler);
    scheduler->started_us = operation_now_us();
    scheduler->open = scheduler->options.go != SCHEDULER_GO_NOW;
    if (scheduler->options.go == SCHEDULER_GO_NOW)
        queue_command(scheduler, SCHEDULER_COMMAND_START);
    pthread_cond_broadcast(&scheduler->changed);
}

int scheduler_start(struct scheduler *scheduler, struct failure *failure)
{
    int result;

    /* One claim more than there are, which ends here: no worker's is the last before all have
     * begun. */
    pthread_mutex_lock(&scheduler->mutex);
    scheduler->started = true;
    scheduler->claiming++;
    pthread_mutex_unlock(&scheduler->mutex);
    result = start_threads(scheduler, failure);
    if (result < 0)
        post(scheduler, SCHEDULER_COMMAND_STOP);
    pthread_mutex_lock(&scheduler->mutex);
    scheduler->stopping |= result < 0;
    scheduler_claim_ended(scheduler);
    pthread_mutex_unlock(&scheduler->mutex);
    return result;
}

int scheduler_refused(struct scheduler *scheduler, struct failure *failure)
{
    int result = 0;

    pthread_mutex_lock(&scheduler->mutex);
    if (scheduler->refusal.code != FAILURE_NONE)
        result = failure_set(failure, scheduler->refusal.code, "%s", scheduler->refusal.detail);
    pthread_mutex_unlock(&scheduler->mutex);
    return result;
}

void scheduler_destroy(struct scheduler *scheduler)
{
    if (scheduler == NULL)
        return;
    handle_end(scheduler, SCHEDULER_COMMAND_STOP);
    for (int i = 0; i < scheduler->worker_count; i++)
        if (scheduler->workers[i].thread_started)
            pthread_join(scheduler->workers[i].thread, NULL);
    pthread_mutex_lock(&scheduler->mutex);
    scheduler->quit = true;
    pthread_cond_broadcast(&scheduler->changed);
    pthread_mutex_unlock(&scheduler->mutex);
    if (scheduler->dispatcher_started)
        pthread_join(scheduler->dispatcher, NULL);
    pthread_cond_destroy(&scheduler->changed);
    pthread_mutex_destroy(&scheduler->mutex);
    free(scheduler->workers);
    free(scheduler);
}
