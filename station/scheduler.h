/* The scheduler: one worker thread per site, started by GO, by contact or at once; lots, counts,
 * and who may start. Every command (GO, stop) enters through one queue, whoever posts it. */
#ifndef STATION_SCHEDULER_H
#define STATION_SCHEDULER_H

#include <stdbool.h>
#include <stdint.h>

#include "jigs/jig.h"
#include "profiles/profile.h"
#include "reports/log.h"
#include "station/event.h"

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
    bool retest; /* boards that were not taken out may be done again */
    const char *operator_name;
    const char *software;
    struct log *log;
    struct event_queue *events;
    /* The lamp of a site, after the verdict was published; called on the site's worker. May be
     * NULL. */
    void (*lamp)(void *context, int site, const char *verdict);
    void *lamp_context;
};

struct scheduler;

/* Makes and checks all plans, claims nothing. FAILURE_PLAN_REFUSED names site and reason. */
int scheduler_create(const struct scheduler_options *options, struct scheduler **scheduler,
                     struct failure *failure);
/* Starts the workers; each claims its programmer. A site that cannot goes SITE_OUT with its own
 * code, the others go on; places that are missing, busy, denied or named twice stop the run. */
int scheduler_start(struct scheduler *scheduler, struct failure *failure);
void scheduler_post_go(struct scheduler *scheduler);
/* Every site releases its target and closes its row; returns at once. */
void scheduler_post_stop(struct scheduler *scheduler);
/* The log is at fault: no further board is touched. */
void scheduler_post_log_fault(struct scheduler *scheduler);
/* True when nothing is left to do: count reached, stopped, `now` without count done once, or every
 * site out. */
bool scheduler_finished(struct scheduler *scheduler);
void scheduler_counts(struct scheduler *scheduler, struct station_counts *counts);
/* Joins the workers, frees. NULL is allowed. */
void scheduler_destroy(struct scheduler *scheduler);

#endif
