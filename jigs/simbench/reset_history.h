/* How a programmer drives a board's RESET, and how it did a moment ago: a lamp that is heard of
 * late is about the board as it stood when the lamp was lit, whatever the programmer has done
 * since. */
#ifndef JIGS_SIMBENCH_RESET_HISTORY_H
#define JIGS_SIMBENCH_RESET_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An attempt to enter programming mode may pulse RESET for each of a dozen SCKs. */
#define RESET_HISTORY_CHANGES 64

/* All zero: RESET was never low. */
struct reset_history {
    int64_t
        changed_us[RESET_HISTORY_CHANGES]; /* the last ones, in a ring; to low and high in turn */
    size_t changes;                        /* ever */
};

/* `now_us`: on whatever clock the questions are asked by. No change is no news. */
void reset_history_drive(struct reset_history *history, bool low, int64_t now_us);

bool reset_history_is_low(const struct reset_history *history);

/* Was it low at `then_us`? Before the last RESET_HISTORY_CHANGES changes nothing is known: false.
 */
bool reset_history_was_low(const struct reset_history *history, int64_t then_us);

/* Did it become low after `then_us`? */
bool reset_history_fell_after(const struct reset_history *history, int64_t then_us);

#endif
