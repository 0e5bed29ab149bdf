/* The order in which the fuses and the lock byte of one board are written. Each write may be the
 * last one: power or contact goes, and the fuses that were written act. So after each of them the
 * board must still be one that this station can reach: its clock runs, and takes the SCK that the
 * station begins with. What takes the way in for good, RSTDISBL and DWEN, comes last of all. */
#ifndef PROFILES_FUSE_ORDER_H
#define PROFILES_FUSE_ORDER_H

#include "profiles/part.h"

/* All arrays: index memory - PART_FIRST_FUSE. */
struct fuse_order_case {
    const struct part *part;
    bool has_crystal, has_signal; /* what the board is said to have at its clock pins, and… */
    int64_t board_hz;             /* …of what frequency; 0: not said */
    int64_t supply_mv;            /* 0: not said */
    int64_t reach_hz; /* a clock this fast, or faster, takes the SCK that every try begins with */
    uint8_t found[PART_FUSE_AND_LOCK_COUNT];  /* after the erase: the lock byte is blank */
    uint8_t wanted[PART_FUSE_AND_LOCK_COUNT]; /* in the end, written or not */
    bool writes[PART_FUSE_AND_LOCK_COUNT];    /* is to be written */
    bool given[PART_FUSE_AND_LOCK_COUNT]; /* the profile says what it becomes; else it is left */
};

struct fuse_order {
    enum part_memory writes[PART_FUSE_AND_LOCK_COUNT];
    size_t count;
    /* So many of them come before the board is entered anew, which proves its new clock; the lock
     * byte and the last doors come after. */
    size_t before;
};

/* FAILURE_NO_SAFE_ORDER, with the state that cannot be had, when there is none. */
int fuse_order_find(const struct fuse_order_case *board, struct fuse_order *order,
                    struct failure *failure);
/* How many of the first writes it takes until the board has its new clock; 0: it keeps its clock.
 * More than order->before: some clock fuse stands in a byte that must come last. */
size_t fuse_order_clock_writes(const struct fuse_order_case *board, const struct fuse_order *order);

/* The bit by which `value` takes the way into the board, "RSTDISBL" or "DWEN"; NULL: none. */
const char *fuse_order_door(const struct part *part, enum part_memory memory, uint8_t value);
/* Does a lock byte let fuses be written after it? */
bool fuse_order_lock_leaves_fuses(const struct part *part, uint8_t lock);

#endif
