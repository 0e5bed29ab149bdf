/* What happens on the station, as one stream: the workers and the log writer push, the main thread
 * pops and shows it. Screen, plain lines and --json are three views of these events. */
#ifndef STATION_EVENT_H
#define STATION_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "reports/record.h"

enum station_event_kind {
    STATION_EVENT_STARTED,  /* the run: profile, jig, lot */
    STATION_EVENT_SITE,     /* a site changed its state */
    STATION_EVENT_CYCLE,    /* GO: cycle number, how many sites take part */
    STATION_EVENT_STEP,     /* a site began a step of its attempt */
    STATION_EVENT_PROGRESS, /* at most ten a second per site */
    STATION_EVENT_VERDICT,  /* pushed by the log writer, after the commit */
    STATION_EVENT_UNKNOWN,  /* an attempt whose verdict could not be logged: quarantine */
    STATION_EVENT_LOG_FAULT,
    STATION_EVENT_MESSAGE, /* a sentence for the operator */
    STATION_EVENT_ENDED    /* the run: counts, exit status */
};

enum site_state {
    SITE_CLAIMING, /* opening its programmer, until all sites have done so */
    SITE_ARMED,    /* takes a board at the next GO, or when one answers */
    SITE_WORKING,
    SITE_HELD,    /* done; its board has not been taken out yet */
    SITE_WAITING, /* its programmer is gone or fails, and is claimed again until it is back */
    SITE_OUT,     /* its programmer does not work; it takes no part any more */
    SITE_STOPPED
};
const char *site_state_name(enum site_state state);

struct station_counts {
    int64_t passed, failed, refused, unverified, empty, interrupted; /* of this run */
    int64_t lot_count;      /* boards ordered; 0: no limit */
    int64_t lot_passed;     /* of the lot, earlier runs too */
    double boards_per_hour; /* passed, over this run so far */
};
/* Passed in percent of all boards that were there (empty sites are not); -1: none yet. */
double station_yield_percent(const struct station_counts *counts);
/* Boards still to pass; -1: no limit. */
int64_t station_remaining(const struct station_counts *counts);

/* How a run ended, beside its counts. */
struct station_outcome {
    bool log_fault;
    bool interrupted; /* stopped before it was finished */
    bool site_out;    /* some site went out of service */
};
/* The exit status of a run: 5 log fault > 130 interrupted > 4 a site out > 1 some board did not
 * pass, or no board was there at all > 0. What puts the whole record in doubt stands first; an
 * empty site alone is no board and changes nothing. */
int station_exit_status(const struct station_counts *counts, const struct station_outcome *outcome);

struct station_event {
    enum station_event_kind kind;
    int64_t at_us; /* wall clock; 0: event_queue_push() fills it in */
    int site;      /* 0: the whole station */
    int64_t cycle;
    enum site_state state;        /* SITE */
    const char *step;             /* STEP, PROGRESS: a constant */
    int tries;                    /* STEP, PROGRESS: how often the board was attached so far */
    int permille;                 /* PROGRESS: of the whole attempt */
    int64_t left_us;              /* PROGRESS: estimate; -1: not known */
    struct failure failure;       /* SITE (out, waiting), LOG_FAULT, UNKNOWN */
    char text[256];               /* MESSAGE */
    struct record_attempt record; /* VERDICT, UNKNOWN */
    struct station_counts counts; /* VERDICT, CYCLE, ENDED */
    int sites_taking_part;        /* CYCLE */
    int exit_status;              /* ENDED */
};

struct event_queue;

/* NULL when out of memory or descriptors. */
struct event_queue *event_queue_create(void);
void event_queue_free(struct event_queue *queue);
/* Copies the event. Never blocks; PROGRESS events are dropped when nobody pops, others never
 * (should memory run out, a MESSAGE says how many were lost). Any thread. */
void event_queue_push(struct event_queue *queue, const struct station_event *event);
/* False when the queue is empty. */
bool event_queue_pop(struct event_queue *queue, struct station_event *event);
/* Readable while events wait: for poll(). */
int event_queue_descriptor(const struct event_queue *queue);

#endif
