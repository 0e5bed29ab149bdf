/* In which order a plan's fuses and lock byte are written to a board. */
#ifndef STATION_PLAN_ORDER_H
#define STATION_PLAN_ORDER_H

#include "profiles/fuse_order.h"
#include "station/plan.h"

/* A plan of no site, which only the functions of this file may be asked about. What they refuse for
 * it no programmer can do: SCK may be chosen, and where the profile gives no supply it is high. */
void plan_of_profile(const struct profile *profile, struct plan *plan);

/* For a board whose bytes read `found` (index: memory - PART_FIRST_FUSE); those that are not
 * programmable over ISP do not matter. FAILURE_NO_SAFE_ORDER when any order might lose it. */
int plan_find_order(const struct plan *plan, const uint8_t found[PART_FUSE_AND_LOCK_COUNT],
                    struct fuse_order *order, struct failure *failure);
/* How many of its first writes it takes until the board has its new clock (see fuse_order.h). */
size_t plan_clock_writes(const struct plan *plan, const uint8_t found[PART_FUSE_AND_LOCK_COUNT],
                         const struct fuse_order *order);
/* FAILURE_PLAN_REFUSED when there is none for a board as its part leaves the factory: then none of
 * a lot of new boards could be done. But a profile with a door beside clock fuses is for boards
 * that have their clock already. */
int plan_check_new_board(const struct plan *plan, struct failure *failure);
/* Of a board as its part leaves the factory. */
struct plan_order {
    bool known;              /* what such a board carries */
    struct failure refused;  /* FAILURE_NONE: it is not */
    struct fuse_order order; /* empty where it is refused or not known */
};
void plan_find_order_of_new(const struct plan *plan, struct plan_order *order);
/* The bit by which a byte, as the profile writes it, takes the way in; NULL: none. */
const char *plan_door(const struct plan *plan, enum part_memory memory);
bool plan_has_doors(const struct plan *plan);
/* One line about a new board, behind `indent`. */
void plan_print_order(const struct plan *plan, const char *indent, FILE *out);
/* And one where the profile takes the way into its boards. */
void plan_print_doors(const struct plan *plan, FILE *out);

#endif
