/* What a run came to: told once, at its end, from the events it made. */
#ifndef STATION_SUMMARY_H
#define STATION_SUMMARY_H

#include <stdio.h>

#include "station/view.h"

struct summary;

/* NULL when out of memory. */
struct summary *summary_create(void);
void summary_free(struct summary *summary);
/* Takes note of what matters for the end. */
void summary_add(struct summary *summary, const struct station_event *event);
/* Counts, failures by cause, what did not pass with what to do, boards of an interrupted run, the
 * lot, and where to look next. */
void summary_print(const struct summary *summary, const struct view_run *run,
                   const struct station_counts *counts, FILE *out);

/* One line for each site that is out, when there are several: of a run that did not start. */
void summary_print_sites_out(const struct summary *summary, FILE *out);

#endif
