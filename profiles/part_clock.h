/* What clock a part runs on, and how fast SCK may be for it. */
#ifndef PROFILES_PART_CLOCK_H
#define PROFILES_PART_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "profiles/part.h"

struct part_clock {
    int64_t hz; /* the CPU's, CKDIV8 counted; 0: not known, it may be as slow as there is */
    bool exact; /* the nominal clock; else the part may run faster, but is not known to */
};

/* The clock by the part's fuse bytes (index: memory - PART_FIRST_FUSE); only those that
 * part_clock_depends_on() matter. `board_hz` is the frequency of what the board has at the part's
 * clock pins; 0: not known, then the lower end of the range that the fuses choose counts. */
struct part_clock part_clock_by_fuses(const struct part *part,
                                      const uint8_t bytes[PART_FUSE_AND_LOCK_COUNT],
                                      int64_t board_hz);
/* The same of a part as it leaves the factory. */
struct part_clock part_clock_of_new(const struct part *part, int64_t board_hz);
/* Do some bits of this byte choose, drive or divide the clock? `mask` (may be NULL) receives them.
 */
bool part_clock_depends_on(const struct part *part, enum part_memory memory, uint8_t *mask);
/* The one of which less may be hoped for. */
struct part_clock part_clock_slower(struct part_clock a, struct part_clock b);

/* What the fuses want at the part's clock pins. */
enum part_oscillator_kind {
    PART_OSCILLATOR_UNKNOWN,  /* a value that is none of the part file's, or whose name says nothing
                               */
    PART_OSCILLATOR_INTERNAL, /* nothing */
    PART_OSCILLATOR_SIGNAL,   /* a clock that is fed in */
    PART_OSCILLATOR_CRYSTAL,  /* or a ceramic resonator */
    PART_OSCILLATOR_WATCH_CRYSTAL,
    PART_OSCILLATOR_RC_NETWORK,
    PART_OSCILLATOR_EITHER /* the oldest parts: a signal or a crystal */
};

/* And of what frequency, by the datasheet. */
struct part_oscillator {
    enum part_oscillator_kind kind;
    int64_t lowest_hz, highest_hz; /* 0: the part file knows no limit */
};

/* What the fuses in `bytes` choose (index as above). CKOPT counts where a part has it: it makes the
 * swing of the crystal's oscillator larger, and its range another. */
struct part_oscillator part_clock_oscillator(const struct part *part,
                                             const uint8_t bytes[PART_FUSE_AND_LOCK_COUNT]);

/* SCK must stay below this at a clock of `clock_hz`, rounded down, as the part's datasheet has it.
 */
int64_t part_clock_sck_limit_hz(const struct part *part, int64_t clock_hz);
/* Is SCK slow enough for a clock of `clock_hz`? */
bool part_clock_takes_sck(const struct part *part, int64_t clock_hz, int64_t sck_hz);
/* The slowest clock that takes `sck_hz`, where that is for clocks below 12 MHz. */
int64_t part_clock_least_for_sck_hz(const struct part *part, int64_t sck_hz);
/* The fastest SCK to choose where there is a choice: a sixth of the clock, because RC oscillators
 * drift, and less where part_clock_takes_sck() wants it. 0 for a clock that is not known. */
int64_t part_clock_safe_sck_hz(const struct part *part, int64_t clock_hz);
/* A clock for which `sck_hz`, a slow one, is safe and little more: what is assumed of a clock that
 * is not known when that is the slowest SCK there is. */
int64_t part_clock_for_slow_sck_hz(const struct part *part, int64_t sck_hz);

/* "16 MHz", "32.768 kHz", for people. */
#define PART_CLOCK_TEXT_BYTES 32
void part_clock_text(int64_t hz, char text[PART_CLOCK_TEXT_BYTES]);

#endif
