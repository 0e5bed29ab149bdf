/* The simulated bench: programmers that are models of their firmware, each wired to a model of an
 * AVR on its ISP port, reached over pseudo terminals or, if it has a USB port of its own, over
 * USB/IP on loopback, with an operator who swaps boards when the lamp tells. Runs inside simbench,
 * and inside tests. Shares the part data with the station, but neither isp.c nor a driver: one may
 * not excuse the other. */
#ifndef JIGS_SIMBENCH_BENCH_H
#define JIGS_SIMBENCH_BENCH_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "jigs/jig.h"
#include "reports/failure.h"

struct bench;

struct bench_options {
    const struct jig *jig;       /* must outlive the bench */
    const char *parts_directory; /* one or several, as for part_load(); read at the start only */
    bool real_pace;              /* keep the time of the real thing; else none */
    uint64_t seed;
    uint16_t usbip_port; /* TCP port for the USB programmers; 0: the system chooses one */
    FILE *record;        /* a JSON line per board when it leaves the bench; NULL: none */
};

/* Starts one thread per site with its first board in place. */
int bench_start(const struct bench_options *options, struct bench **bench, struct failure *failure);
/* Stops the threads, takes out and records the boards that are still in, frees. NULL is allowed.
 * -1 when the record could not be written. */
int bench_stop(struct bench *bench);

/* "pty:/dev/pts/N", or "pty:" and a link to it that stays when the port is unplugged (fault
 * port-gone), or "usbip:127.0.0.1:PORT/1-SITE"; owned by the bench. NULL if there is no such site.
 */
const char *bench_place(const struct bench *bench, int site);
/* The lamp of a site shows a verdict: the simulated operator takes the board out, and puts the next
 * one in between two sessions, after at least one look at the empty place and, at real pace, after
 * the jig's swap time; never before the jig's contact times let a board count as gone. A turn that
 * has no board (fault no-board), or one that does not answer, ends at the lamp too, or after 30
 * looks at it. `shown_us` is when the lamp began to show it, on the wall clock; 0: not known. A
 * board that came later stays: the lamp was not meant for it. */
int bench_lamp(struct bench *bench, int site, const char *verdict, int64_t shown_us);
/* Takes the board out (or puts the next one in) and leaves it so. */
int bench_remove(struct bench *bench, int site);
int bench_insert(struct bench *bench, int site);
/* The bench's own JSON line about the board that is in now, without taking it out. */
int bench_record_board(struct bench *bench, int site, FILE *out);

#endif
