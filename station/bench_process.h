/* The simulated bench as a process of its own: simbench, started for a jig file that says
 * `bench: simulated`, in a process group of its own so that Ctrl-C reaches the station alone, which
 * first releases its boards. It stops when its standard input is closed, also when the station is
 * killed. */
#ifndef STATION_BENCH_PROCESS_H
#define STATION_BENCH_PROCESS_H

#include <stdbool.h>

#include "jigs/jig.h"
#include "reports/failure.h"

struct bench_process;

struct bench_process_options {
    const char *program;         /* simbench */
    const char *parts_directory; /* one or several, as for part_load() */
    const char *pace;            /* "real" or "fast"; NULL: as the jig says */
    const char *record;          /* file for a JSON line per board; NULL: none */
};

/* Starts it, waits until it is ready and fills in the places of the jig's sites. FAILURE_BENCH with
 * what it said. */
int bench_process_start(const struct bench_process_options *options, struct jig *jig,
                        struct bench_process **process, struct failure *failure);
/* For scheduler_options.lamp; `context` is the process. Never blocks. */
void bench_process_lamp(void *context, int site, const char *verdict);
/* Readable when there is something for bench_process_check(). */
int bench_process_descriptor(const struct bench_process *process);
/* FAILURE_BENCH when it has died. */
int bench_process_check(struct bench_process *process, struct failure *failure);
/* Closes its standard input, waits, kills it when it does not end by itself; frees. NULL is
 * allowed. FAILURE_BENCH when it did not end well. */
int bench_process_stop(struct bench_process *process, struct failure *failure);

#endif
