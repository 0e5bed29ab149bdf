#include "jigs/simbench/reset_history.h"

/* After so many changes. */
static bool is_low_after(size_t changes)
{
    return changes % 2 == 1;
}

void reset_history_drive(struct reset_history *history, bool low, int64_t now_us)
{
    if (low != reset_history_is_low(history)) {
        history->changed_us[history->changes % RESET_HISTORY_CHANGES] = now_us;
        history->changes++;
    }
}

bool reset_history_is_low(const struct reset_history *history)
{
    return is_low_after(history->changes);
}

bool reset_history_was_low(const struct reset_history *history, int64_t then_us)
{
    for (size_t back = 0; back < history->changes && back < RESET_HISTORY_CHANGES; back++) {
        size_t last = history->changes - 1 - back;
        if (history->changed_us[last % RESET_HISTORY_CHANGES] <= then_us) {
            return is_low_after(last + 1);
        }
    }
    return false;
}

bool reset_history_fell_after(const struct reset_history *history, int64_t then_us)
{
    size_t falls = (history->changes + 1) / 2;
    return falls > 0 && history->changed_us[2 * (falls - 1) % RESET_HISTORY_CHANGES] > then_us;
}
