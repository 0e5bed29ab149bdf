/* A run that does not start because of its programmers: which sites are out, and how to start
 * without them. */
#ifndef STATION_SITES_OUT_H
#define STATION_SITES_OUT_H

#include <stdbool.h>

#include "jigs/jig.h"

/* `failure` is the one that stopped the run, of one site and naming it; `is_out` and `site_wanted`
 * are one per jig site. Where other sites are wanted, it says how to do without those that are out;
 * where several are out, it is of all of them. Its code stays. */
void sites_out_explain(const struct jig *jig, const bool is_out[JIG_SITES_MAX],
                       const bool site_wanted[JIG_SITES_MAX], struct failure *failure);

#endif
