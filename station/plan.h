/* The plan: what one site will do with one profile, made and checked before any board is touched.
 */
#ifndef STATION_PLAN_H
#define STATION_PLAN_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "jigs/jig.h"
#include "jigs/programmer.h"
#include "profiles/part_clock.h"
#include "profiles/profile.h"

/* Both ways of a new board, from the erase until its flash is verified. */
struct plan_speed {
    bool possible; /* its clock fuses may be written first, and there are some to write… */
    struct part_clock clock;                          /* …then it has this clock… */
    int64_t sck_hz;                                   /* …and this SCK, see new_sck_hz */
    enum part_memory bytes[PART_FUSE_AND_LOCK_COUNT]; /* written first… */
    size_t byte_count;                                /* …so many */
    /* Shortest possible times; 0: not known. */
    int64_t as_found_us, clock_first_us;
};

struct plan {
    const struct profile *profile;
    const struct jig_site *site;
    const struct programmer_driver *driver;
    uint32_t write_bytes;  /* flash, in whole pages, blank ones left out */
    uint32_t verify_bytes; /* flash bytes read back */
    int64_t floor_us;      /* shortest possible time for the flash of a new board; 0: not known */
    int64_t done_floor_us; /* the same for a board that has the profile's fuses already */
    int64_t attempt_floor_us;     /* the same with all else that its attempt cannot do without */
    bool eeprom_read;             /* the whole EEPROM is read back and compared */
    int64_t board_hz;             /* of the board's own oscillator; 0: none, or not known */
    struct part_clock new_clock;  /* as the part leaves the factory */
    struct part_clock done_clock; /* with the profile's fuses; the slowest that may pass */
    /* SCK for each; where it can be chosen, the most that will be asked for. */
    int64_t new_sck_hz, done_sck_hz;
    struct plan_speed speed;
};

/* FAILURE_PLAN_REFUSED with the reason when the site's programmer cannot do what the profile asks;
 * FAILURE_RULE_REFUSED when the profile breaks a rule (profiles/fuse_rules.h) and accepts no risk
 * for it. */
int plan_make(const struct profile *profile, const struct jig_site *site, struct plan *plan,
              struct failure *failure);
/* The same for a site of `jig`; the reason begins with the place in the jig file, where there is a
 * file, and the site. */
int plan_make_on_jig(const struct profile *profile, const struct jig *jig,
                     const struct jig_site *site, struct plan *plan, struct failure *failure);
/* The shortest possible time for the flash at an SCK of `sck_hz`; 0: not known. */
int64_t plan_floor_us(const struct plan *plan, int64_t sck_hz);
/* Bytes of flash that are written, whole pages without the blank ones, and read back. */
uint32_t plan_write_bytes(const struct profile *profile);
uint32_t plan_verify_bytes(const struct profile *profile);
/* What would be done, in the order it would be, for people. */
void plan_print_steps(const struct plan *plan, FILE *out);

#endif
