/* The plan: what one site will do with one profile, made and checked before any board is touched.
 */
#ifndef STATION_PLAN_H
#define STATION_PLAN_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "jigs/jig.h"
#include "jigs/programmer.h"
#include "profiles/profile.h"

struct plan {
    const struct profile *profile;
    const struct jig_site *site;
    const struct programmer_driver *driver;
    uint32_t write_bytes;  /* flash, in whole pages, blank ones left out */
    uint32_t verify_bytes; /* flash bytes read back */
    int64_t floor_us;      /* shortest possible time for flash; 0: not known */
    bool eeprom_read;      /* the whole EEPROM is read back and compared */
};

/* FAILURE_PLAN_REFUSED with the reason when the site's programmer cannot do what the profile asks.
 */
int plan_make(const struct profile *profile, const struct jig_site *site, struct plan *plan,
              struct failure *failure);
/* The same for a site of `jig`; the reason begins with the place in the jig file, where there is a
 * file, and the site. */
int plan_make_on_jig(const struct profile *profile, const struct jig *jig,
                     const struct jig_site *site, struct plan *plan, struct failure *failure);
/* What would be done, in the order it would be, for people. */
void plan_print_steps(const struct plan *plan, FILE *out);

#endif
