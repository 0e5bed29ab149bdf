/* Lots: what an order is bound to, and how many of its boards have passed. */
#ifndef REPORTS_LOG_LOT_H
#define REPORTS_LOG_LOT_H

#include "reports/log.h"
#include "reports/log_chain.h"
#include "reports/record.h"

struct log_lot {
    const char *lot;
    const char *profile_sha256;
    const char *image_sha256;
    int64_t count;       /* asked for; 0: whatever is bound */
    int64_t bound_count; /* received; 0: no limit */
    int64_t passed;      /* received */
};

/* See log_bind_lot(). A new lot is added to the chain; FAILURE_LOT_REFUSED adds nothing.
 *
 * A board that stayed in and was done again is several attempts but one board: it counts when the
 * last attempt that changed it passed. */
int log_lot_bind(struct database *database, struct log_chain *chain, struct log_lot *lot,
                 int64_t now_us, struct failure *failure);

/* After the closing row of `record` was added: what it changes in the count of its lot, as
 * record->lot_change. */
int log_lot_note_closed(struct database *database, struct record_attempt *record,
                        struct failure *failure);

struct log_place {
    const char *station;
    const char *lot;
    const char *jig;
    int site;
    int64_t attempt; /* received; 0: no board was left */
};

/* See log_cut_at_door(); of the place, the lot counts for nothing. */
int log_lot_find_door(struct database *database, const struct log_place *place,
                      struct log_door *door, struct failure *failure);
/* See log_board_left_in(). */
int log_lot_find_board(struct database *database, struct log_place *place, struct failure *failure);

#endif
