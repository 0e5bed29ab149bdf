/* What the jig commands have in common: what was typed, the jig or simulated bench they work on,
 * and programmers that are opened one at a time. */
#ifndef STATION_JIG_SESSION_H
#define STATION_JIG_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "jigs/programmer_list.h"
#include "station/bench_process.h"
#include "station/interrupt.h"
#include "station/job.h"

enum jig_action { JIG_LIST, JIG_TEST, JIG_LEARN, JIG_REPLACE };

/* What was typed; NULL or false: it was not. */
struct jig_config {
    enum jig_action action;
    const char *file;
    int64_t site;      /* replace */
    const char *bench; /* list, learn: instead of what is plugged in */
    int64_t clock_hz;  /* test: of the boards; 0: not known */
    const char *sites, *at, *sticker, *log;
    const char *bench_pace, *bench_record;
    bool probe, all, json;
};

struct jig_session {
    const struct jig_config *config;
    struct job job;
    bool site_wanted[JIG_SITES_MAX]; /* by place in job.jig->sites */
    struct bench_process *bench;     /* NULL: real hardware */
    struct interrupt *interrupt;
};

/* Loads the jig `typed`, a path or the bare name of a shipped one, and starts it if it is a
 * simulated bench. NULL: no jig, but what is plugged in. Close it also after a failure. */
int jig_session_open(struct jig_session *session, const struct jig_config *config,
                     const char *typed, struct failure *failure);
/* -1 with FAILURE_BENCH when a simulated bench did not end well. */
int jig_session_close(struct jig_session *session, struct failure *failure);

/* What is plugged in: into the simulated bench, if there is one. The caller frees. */
int jig_session_list(const struct jig_session *session, struct programmer_found **found,
                     size_t *count, struct failure *failure);
/* FAILURE_INTERRUPTED after Ctrl-C. */
int jig_session_check(const struct jig_session *session, struct failure *failure);
struct operation jig_session_operation(const struct jig_session *session, int64_t duration_us);

/* Opens the place and finds out what answers there, with programmer_open_patiently(); touches no
 * board. programmer_destroy() closes it. */
int jig_session_claim(const struct jig_session *session, const struct programmer_driver *driver,
                      const struct place *place, unsigned baud, struct programmer **programmer,
                      struct failure *failure);
/* The same of what was found. At a serial port anything may be: its drivers are asked one after the
 * other until one gets its answer, which is then `found->driver`. When none does, the failure is
 * the first one's. */
int jig_session_ask(const struct jig_session *session, struct programmer_found *found,
                    struct programmer **programmer, struct failure *failure);

#endif
