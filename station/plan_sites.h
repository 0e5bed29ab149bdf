/* The plans of all sites that are wanted, made before anything is opened: which sites cannot do the
 * profile, and why, all of them at once. */
#ifndef STATION_PLAN_SITES_H
#define STATION_PLAN_SITES_H

#include "station/plan.h"

struct plan_refusal {
    int site;
    struct failure failure; /* begins with the place in the jig file and the site */
};

struct plan_refusals {
    struct plan_refusal *list; /* NULL: none */
    size_t count;
};

/* `site_wanted`: one per jig site; NULL: all. Fails when a site cannot: `failure` is that site's
 * own when no other is wanted, else it names all that cannot, and how to do the profile on the
 * others. The caller frees `refusals` in either case. */
int plan_check_sites(const struct profile *profile, const struct jig *jig, const bool *site_wanted,
                     struct plan_refusals *refusals, struct failure *failure);
/* The lowest supply that one of these sites states; 0: none does. `all_state_it`: each does. */
int64_t plan_lowest_supply_mv(const struct jig *jig, const bool *site_wanted, bool *all_state_it);
/* One line for each, by its site's name, unless `together`, which follows, is its only one's own.
 */
void plan_refusals_print(const struct plan_refusals *refusals, const struct failure *together,
                         FILE *out);
void plan_refusals_free(struct plan_refusals *refusals);

#endif
