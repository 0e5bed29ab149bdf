/* What the bench knows about one board when it leaves, as a JSON line: the evidence that tests and
 * benchmarks compare with what the station says. */
#ifndef JIGS_SIMBENCH_BOARD_RECORD_H
#define JIGS_SIMBENCH_BOARD_RECORD_H

#include <stdint.h>

#include "jigs/simbench/avr_target.h"
#include "jigs/simbench/fault.h"
#include "reports/json.h"

/* A board's turn on a site. */
struct bench_board {
    int site;
    int64_t number;                     /* the site's n-th, from 1 */
    int64_t in_us;                      /* when it was put in: the wall clock, since 1970 */
    int64_t out_us;                     /* and taken out; 0: it is in */
    struct avr_target *target;          /* NULL: the place stays empty for this turn */
    int64_t frames;                     /* SPI frames the programmer sent */
    bool dead;                          /* fault: it no longer answers */
    enum jig_miso dead_miso;            /* what the programmer reads then */
    bool is_slow;                       /* fault: its writes take longer than they should */
    const struct jig_fault *stuck_miso; /* NULL: it is not */
    int64_t bootloader_pages;           /* written into the programmer's own flash */
    int64_t receive_lost;               /* bytes that its full receive buffer lost */
    bool in_reset; /* when the lamp was lit (or this was asked for) RESET was held low */
    char lamp[16]; /* the verdict that the lamp showed when it was taken out; "": none */
};

/* NULL when out of memory. The caller writes and frees. */
struct json_object *board_record(const struct bench_board *board, const struct fault_set *faults);

#endif
