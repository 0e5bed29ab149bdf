/* The sites a person picks: "1,3-5". */
#ifndef STATION_SITE_LIST_H
#define STATION_SITE_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "jigs/jig.h"

/* Marks the picked sites in `wanted`, one per jig site, all of them when `text` is NULL.
 * FAILURE_USAGE when it is no list, or names a site that the jig does not have. */
int site_list_parse(const char *text, const struct jig *jig, bool wanted[JIG_SITES_MAX],
                    struct failure *failure);
/* The picked sites as site_list_parse() takes them, ranges where sites follow one another; false
 * when there is no room for all of them. */
bool site_list_to_text(const struct jig *jig, const bool picked[JIG_SITES_MAX], char *text,
                       size_t text_bytes);

#endif
