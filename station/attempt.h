/* One attempt: one board on one site, from attach to the closing row. A table of steps; every way
 * out releases the target and closes the row. */
#ifndef STATION_ATTEMPT_H
#define STATION_ATTEMPT_H

#include <stdatomic.h>

#include "reports/log.h"
#include "station/event.h"
#include "station/plan.h"

struct attempt_options {
    const struct plan *plan;
    struct programmer *programmer; /* claimed */
    struct log *log;
    struct event_queue *events;
    const atomic_bool *cancel;
    /* The site was looked at ever since record.previous_attempt: no other board can stand there. */
    bool watched;
    /* The attempt before this one was cut off behind its last door: see log_cut_at_door(). NULL: it
     * was not. */
    const struct log_door *cut_at_door;
    /* filled in by the caller: lot, cycle, site, operator_name, purpose, jig, software, programmer,
     * previous_attempt. attempt_run() fills in the rest. */
    struct record_attempt record;
};

/* Runs the whole attempt. `result` receives the record as logged. Returns 0 when the closing row is
 * durable (whatever the verdict); -1 when the log failed: then the verdict is not known to anybody
 * and STATION_EVENT_UNKNOWN was pushed. */
int attempt_run(const struct attempt_options *options, struct record_attempt *result,
                struct failure *failure);

enum attempt_presence { ATTEMPT_BOARD_ABSENT, ATTEMPT_BOARD_PRESENT, ATTEMPT_PROGRAMMER_FAILED };
/* Looks whether a board answers: one short programming session that reads the signature and changes
 * nothing. */
enum attempt_presence attempt_look(struct programmer *programmer, const struct plan *plan,
                                   const atomic_bool *cancel, struct failure *failure);

#endif
