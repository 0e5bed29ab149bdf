/* Why boards did not pass, counted over a run: one count for the screen, the summary and --json. */
#ifndef STATION_CAUSE_TALLY_H
#define STATION_CAUSE_TALLY_H

#include "station/event.h"

/* More codes than there are. */
#define CAUSES_MAX 64

struct cause {
    enum failure_code code;
    int64_t boards;
};

struct cause_tally {
    struct cause causes[CAUSES_MAX]; /* most boards first; equal ones by name */
    int count;
    int64_t unknown; /* boards whose verdict is not in the log */
};

/* Counts what an event says about a board: a verdict that is neither a pass nor an empty site, or
 * one that could not be logged. Other events change nothing. */
void cause_tally_add(struct cause_tally *tally, const struct station_event *event);

#endif
