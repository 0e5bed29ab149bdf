/* The scheduler: one worker thread per site, started by GO, by contact or at once; lots, counts,
 * and who may start. Every command (GO, stop) enters through one queue, whoever posts it.
 *
 * It pushes SITE, CYCLE, VERDICT and MESSAGE (its attempts push STEP, PROGRESS and UNKNOWN);
 * STARTED, LOG_FAULT and ENDED are its owner's. */
#ifndef STATION_SCHEDULER_H
#define STATION_SCHEDULER_H

#include <stdbool.h>
#include <stdint.h>

#include "jigs/jig.h"
#include "profiles/profile.h"
#include "reports/log.h"
#include "station/event.h"

/* A programmer that is lost during a run is claimed again, at once and at growing intervals. When
 * it is not back at its place after so long, its site is out. */
#define SCHEDULER_ABSENCE_US 30000000
/* So is a site whose programmer comes back each time, but fails on so many boards in a row. */
#define SCHEDULER_PROGRAMMER_FAILURES_MAX 3

enum scheduler_go {
    SCHEDULER_GO_ENTER,   /* a posted GO starts all armed sites together */
    SCHEDULER_GO_CONTACT, /* a site starts when a board has answered long enough */
    SCHEDULER_GO_NOW      /* every site starts at once, and again when its next board answers */
};

struct scheduler_options {
    const struct profile *profile;
    const struct jig *jig;   /* with all places filled in */
    const bool *site_wanted; /* one per jig site; NULL: all */
    enum scheduler_go go;
    const char *lot;   /* NULL: none */
    int64_t count;     /* boards still to pass at start; 0: no limit */
    int64_t lot_count; /* for the counts */
    int64_t lot_passed;
    bool retest;        /* boards that were not taken out may be done again */
    int64_t absence_us; /* 0: SCHEDULER_ABSENCE_US */
    /* One per jig site: the attempt whose board an earlier run left in, 0: none. NULL: none at all.
     * Copied. */
    const int64_t *left_in;
    /* One per jig site: what log_cut_at_door() said. NULL: nothing. Copied. */
    const struct log_door *cut_at_door;
    const char *operator_name;
    const char *software;
    struct log *log; /* its publish callback calls scheduler_publish(), its faulted callback
                        scheduler_post_log_fault() */
    struct event_queue *events; /* must outlive the scheduler */
    /* The lamp of a site, after the verdict was published; called on the site's worker. May be
     * NULL. */
    void (*lamp)(void *context, int site, const char *verdict);
    void *lamp_context;
};

struct scheduler;

/* Makes and checks all plans, claims nothing. FAILURE_PLAN_REFUSED names site and reason. */
int scheduler_create(const struct scheduler_options *options, struct scheduler **scheduler,
                     struct failure *failure);
/* Starts the workers and returns at once; each claims its programmer, and boards are taken when all
 * claims have ended. A site that cannot goes SITE_OUT with its own code, the others go on; places
 * that are missing, busy, denied or named twice stop the run: see scheduler_refused(). */
int scheduler_start(struct scheduler *scheduler, struct failure *failure);
void scheduler_post_go(struct scheduler *scheduler);
/* No more boards are started; those in work are finished, then the run is over. */
void scheduler_post_end(struct scheduler *scheduler);
/* Every site releases its target and closes its row; returns at once. */
void scheduler_post_stop(struct scheduler *scheduler);
/* The log is at fault: no further board is touched. Pushes no event: the log's faulted callback,
 * which knows the failure, pushes LOG_FAULT. */
void scheduler_post_log_fault(struct scheduler *scheduler);
/* For the log's publish callback: counts a verdict that is durable now and pushes
 * STATION_EVENT_VERDICT with the counts that include it. Nothing is counted otherwise. */
void scheduler_publish(struct scheduler *scheduler, const struct record_attempt *record);
/* True when nothing is left to do: count reached, stopped, `now` without count done once, or every
 * site out. The last worker pushes a SITE event after this has become true, so whoever waits for
 * events need not poll. */
bool scheduler_finished(struct scheduler *scheduler);
/* When finished: -1 if a place stopped the run before any board, unless an operator did so first.
 */
int scheduler_refused(struct scheduler *scheduler, struct failure *failure);
void scheduler_counts(struct scheduler *scheduler, struct station_counts *counts);
/* What the run's exit status is, as it stands (see station_exit_status()). */
int scheduler_exit_status(struct scheduler *scheduler);
/* Joins the workers, frees. NULL is allowed. */
void scheduler_destroy(struct scheduler *scheduler);

#endif
