/* The sites a person picks: "1,3-5". */
#ifndef STATION_SITE_LIST_H
#define STATION_SITE_LIST_H

#include <stdbool.h>

#include "jigs/jig.h"

/* Marks the picked sites in `wanted`, one per jig site, all of them when `text` is NULL.
 * FAILURE_USAGE when it is no list, or names a site that the jig does not have. */
int site_list_parse(const char *text, const struct jig *jig, bool wanted[JIG_SITES_MAX],
                    struct failure *failure);

#endif
