/* The two ways of a new board's flash, and which is the faster: at the clock found, or with the
 * clock fuses written first (`speed:` of a profile). */
#ifndef STATION_PLAN_SPEED_H
#define STATION_PLAN_SPEED_H

#include "station/plan.h"

/* Fills in the plan's `speed`. After its clocks and byte counts. */
void plan_find_speed(struct plan *plan);
/* A line for people, where there is something to say. */
void plan_print_speed(const struct plan *plan, FILE *out);
/* "clock-first", "as-found", "same"; NULL: not known. */
const char *plan_faster_name(const struct plan *plan);

/* The same of a profile alone, before any programmer is chosen: by SCK and the part's own waits. */
void plan_print_speed_of_profile(const struct profile *profile, FILE *out);

#endif
