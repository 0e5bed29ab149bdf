/* What clock a board has by its profile: as the part leaves the factory, and with the profile's
 * fuses; and whether those that choose it may be written before the flash. */
#ifndef PROFILES_PROFILE_CLOCK_H
#define PROFILES_PROFILE_CLOCK_H

#include "profiles/part_clock.h"
#include "profiles/profile.h"

/* Of what the profile says the board has at its clock pins; 0: nothing, or not said. */
int64_t profile_board_hz(const struct profile *profile);
/* The slowest clock that a board which passed may have. What the profile leaves counts as it leaves
 * the factory. */
struct part_clock profile_done_clock(const struct profile *profile);

/* A new board once those fuses were written that choose its clock. */
struct profile_clock_first {
    struct part_clock clock;
    enum part_memory bytes[PART_FUSE_AND_LOCK_COUNT]; /* that are written for it, if any */
    size_t byte_count;
};
/* False where they may not be written before the flash; `reason` (may be NULL) says why. */
#define PROFILE_CLOCK_REASON_BYTES 240
bool profile_find_clock_first(const struct profile *profile, struct profile_clock_first *first,
                              char reason[PROFILE_CLOCK_REASON_BYTES]);

/* EESAVE must stay as it is found until the EEPROM is done. */
bool profile_needs_eesave(const struct profile *profile);

#endif
