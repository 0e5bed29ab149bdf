/* The worker of one site and what it shares with the scheduler. For scheduler.c alone. */
#ifndef STATION_WORKER_H
#define STATION_WORKER_H

#include <pthread.h>
#include <stdatomic.h>

#include "station/plan.h"
#include "station/scheduler.h"

struct worker {
    struct scheduler *scheduler;
    const struct jig_site *site;
    struct plan plan;
    pthread_t thread;
    bool thread_started;

    /* under the scheduler's mutex */
    enum site_state state;
    int64_t left_in;  /* the attempt whose board an earlier run left in; 0: none */
    int64_t go_cycle; /* told to take a board in this cycle, and counted in in_work; 0: not told */
    struct failure out;           /* why the site goes out; NONE: it does not */
    struct failure trouble;       /* of the programmer that is waited for */
    enum site_state state_before; /* it was waited for */

    /* the worker's own */
    struct programmer *programmer; /* NULL: not claimed */
    char firmware[64];             /* of the one that was lost */
    int owed_value;                /* by it, to the next one: see struct programmer */
    int64_t previous_attempt;      /* of the board that was not taken out yet; 0: none */
    /* By an earlier run, until an attempt saw a board or told of it; attempt 0: nothing was. */
    struct log_door cut_at_door;
    bool passed;       /* it did, in that attempt */
    bool watched;      /* nobody can have changed the board since that attempt */
    int64_t since_us;  /* looks agree that the board is there, or gone, since; 0: they do not */
    int failed_boards; /* in a row, by the programmer's fault */
    int failed_looks;  /* in a row, since anything worked */
    bool done;         /* takes no more boards */
};

#define SCHEDULER_COMMANDS_MAX 64

enum scheduler_command {
    SCHEDULER_COMMAND_START, /* the first cycle of SCHEDULER_GO_NOW */
    SCHEDULER_COMMAND_GO,
    SCHEDULER_COMMAND_END,
    SCHEDULER_COMMAND_STOP,
    SCHEDULER_COMMAND_LOG_FAULT,
    SCHEDULER_COMMAND_COUNT
};

/* No function of the log is called with the mutex held: the log's writer takes the mutex to
 * publish. */
struct scheduler {
    struct scheduler_options options;
    struct worker *workers;
    int worker_count;
    pthread_t dispatcher;
    bool dispatcher_started;
    atomic_bool cancel; /* work in hand is to stop at its next operation */
    atomic_bool over;   /* no lost programmer need be claimed again; set with the mutex held */

    pthread_mutex_t mutex;  /* of all that follows */
    pthread_cond_t changed; /* something a worker or the dispatcher waits for */
    enum scheduler_command commands[SCHEDULER_COMMANDS_MAX];
    int command_count;
    bool posted[SCHEDULER_COMMAND_COUNT];
    bool quit; /* the dispatcher's end */

    int claiming; /* workers that have not come to the end of claiming */
    int running;  /* workers whose thread has not come to its end */
    int in_work;  /* boards */
    bool started;
    bool open;              /* boards may be taken */
    struct failure refusal; /* a place's, which stops the run before any board; NONE: none */
    bool ending, stopping, log_fault, interrupted, site_out;
    int64_t cycle;
    int64_t started_us;
    struct station_counts counts;
};

void *worker_main(void *context);

/* worker_claim.c: a worker's programmer. */

/* The programmer is the worker's from here on, or worker->out says why not, or the claim was
 * cancelled; worker->done in both cases. */
void worker_claim(struct worker *worker);
void worker_unclaim(struct worker *worker);
/* The programmer failed, on a board or while it was looked for one. If the site is to go on, claims
 * it again and waits for it if need be; afterwards it is claimed, or worker->done. */
void worker_programmer_failed(struct worker *worker, const struct failure *failure, bool on_board);

/* The rest is for scheduler.c and the worker; the mutex is held. */

/* Tells the operator that a held site's board is in the way. */
void scheduler_ask_to_take_out(const struct worker *worker);
void scheduler_set_state(struct worker *worker, enum site_state state);
/* A worker has come to the end of claiming. With the last one, the run begins and
 * its sites are armed, or it is refused. */
void scheduler_claim_ended(struct scheduler *scheduler);
/* No more boards are to be started. */
bool scheduler_is_over(const struct scheduler *scheduler);
/* Could one more board be needed, beside those in work? */
bool scheduler_needs_board(const struct scheduler *scheduler);
/* A cycle for one site that starts by itself; 0: no board is needed now. */
int64_t scheduler_start_alone(struct worker *worker);

#endif
