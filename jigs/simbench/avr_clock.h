/* Which clock an AVR runs on, from its fuses: the clock source is read out of the value names of
 * the part's clock field (INTRCOSC_8MHZ_…, EXTXOSC_…). */
#ifndef JIGS_SIMBENCH_AVR_CLOCK_H
#define JIGS_SIMBENCH_AVR_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "profiles/part.h"

/* CPU clock with the prescaler counted. 0: none, because the fuses ask for a clock that this board
 * does not have. `crystal_hz` 0: no crystal on the board. */
int64_t avr_clock_hz(const struct part *part, const uint8_t bytes[PART_FUSE_AND_LOCK_COUNT],
                     int64_t crystal_hz);
/* The same of a board that feeds a clock of `signal_hz` in, and has no crystal. */
int64_t avr_clock_of_signal_hz(const struct part *part,
                               const uint8_t bytes[PART_FUSE_AND_LOCK_COUNT], int64_t signal_hz);

/* Does the datasheet promise that the crystal starts with these fuses? They name a range for it, as
 * does CKOPT where the part has it. Many start beyond it, and some do not. True where the fuses ask
 * for no crystal, or name no range. */
bool avr_clock_is_promised(const struct part *part, const uint8_t bytes[PART_FUSE_AND_LOCK_COUNT],
                           int64_t crystal_hz);

#endif
