/* Which clock an AVR runs on, from its fuses: the clock source is read out of the value names of
 * the part's clock field (INTRCOSC_8MHZ_…, EXTXOSC_…). */
#ifndef JIGS_SIMBENCH_AVR_CLOCK_H
#define JIGS_SIMBENCH_AVR_CLOCK_H

#include <stdint.h>

#include "profiles/part.h"

/* CPU clock with the prescaler counted. 0: none, because the fuses ask for a clock that this board
 * does not have. `crystal_hz` 0: no crystal on the board. */
int64_t avr_clock_hz(const struct part *part, const uint8_t bytes[PART_FUSE_AND_LOCK_COUNT],
                     int64_t crystal_hz);

#endif
