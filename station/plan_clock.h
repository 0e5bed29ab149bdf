/* What a plan knows of the board's clock, and so of SCK. For plan*.c and attempt_clock_first.c. */
#ifndef STATION_PLAN_CLOCK_H
#define STATION_PLAN_CLOCK_H

#include "station/plan.h"

/* Fills in the plan's clocks and SCKs. */
void plan_find_clocks(struct plan *plan);
/* SCK for a board with this clock; where it can be chosen, the most that is asked for. */
int64_t plan_sck_hz(const struct plan *plan, struct part_clock clock);
/* FAILURE_PLAN_REFUSED when the programmer's only or slowest SCK is too fast. */
int plan_check_sck(const struct plan *plan, struct failure *failure);
/* One line for each kind of board, where SCK is chosen by it. */
void plan_print_sck(const struct plan *plan, FILE *out);

#endif
