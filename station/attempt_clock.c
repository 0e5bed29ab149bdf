/* SCK of the programming sessions of an attempt, where the programmer leaves the choice: no faster
 * than the clock takes that the board has now, as far as is known. */
#include "profiles/part_clock.h"
#include "station/attempt_steps.h"

/* Another session is worth its time when the clock is so much faster than was assumed, or SCK may
 * be so much faster than it is, in tenths: programmers' SCKs lie up to three times apart. */
#define FASTER_TENTHS 15
#define MUCH_FASTER_TENTHS 30

/* What any board may surely run at: a new one, and one that has the profile's fuses. 0: not known.
 */
static int64_t start_hz(const struct plan *plan)
{
    return part_clock_slower(plan->new_clock, plan->done_clock).hz;
}

/* `clock_hz` 0: not known, so that SCK must be the slowest. */
static int attach(struct programmer *programmer, const struct part *part, int64_t clock_hz,
                  const struct operation *operation, struct failure *failure)
{
    programmer->target_hz = clock_hz;
    if (clock_hz == 0 && programmer->driver->sck_hz == 0)
        programmer->target_hz =
            part_clock_for_slow_sck_hz(part, programmer->driver->sck_slowest_hz);
    return programmer_attach(programmer, part, operation, failure);
}

int attempt_begin_look(struct programmer *programmer, const struct plan *plan,
                       const struct operation *operation, struct failure *failure)
{
    return attach(programmer, plan->profile->part, start_hz(plan), operation, failure);
}

/* As the fuses are, which a new session finds acting. 0: not known. */
static int64_t present_hz(const struct attempt *attempt)
{
    uint8_t bytes[PART_FUSE_AND_LOCK_COUNT] = {0};

    for (enum part_memory memory = PART_FIRST_FUSE; memory <= PART_LOCK; memory++) {
        const struct attempt_byte *byte = &attempt->bytes[memory - PART_FIRST_FUSE];

        if (!byte->exists && part_clock_depends_on(attempt->part, memory, NULL))
            return 0;
        bytes[memory - PART_FIRST_FUSE] = byte->expected;
    }
    return part_clock_by_fuses(attempt->part, bytes, attempt->plan->board_hz).hz;
}

static bool has_changed_clock(const struct attempt *attempt)
{
    for (enum part_memory memory = PART_FIRST_FUSE; memory <= PART_LOCK; memory++) {
        const struct attempt_byte *byte = &attempt->bytes[memory - PART_FIRST_FUSE];
        uint8_t mask;

        if (part_clock_depends_on(attempt->part, memory, &mask) &&
            ((byte->found ^ byte->expected) & mask) != 0)
            return true;
    }
    return false;
}

/* The clock to count on in a new session. */
static int64_t next_hz(const struct attempt *attempt)
{
    int64_t most_hz = start_hz(attempt->plan);
    int64_t clock_hz;

    if (!attempt->fuses_read)
        return most_hz;
    clock_hz = present_hz(attempt);
    /* The board answers at what was assumed, whatever its clock is. */
    if (clock_hz == 0 && !has_changed_clock(attempt))
        return attempt->programmer->target_hz;
    return attempt->stays_slow && clock_hz > most_hz ? most_hz : clock_hz;
}

int attempt_begin_session(struct attempt *attempt, const struct operation *operation,
                          struct failure *failure)
{
    if (attach(attempt->programmer, attempt->part, next_hz(attempt), operation, failure) < 0)
        return -1;
    /* The record says how the memories were written and read. */
    if (attempt->record.touched == TOUCHED_NONE || attempt->owes_flash)
        attempt->record.sck_hz = attempt->programmer->sck_hz;
    return 0;
}

/* speed */

bool attempt_may_be_faster(const struct attempt *attempt, int64_t clock_hz)
{
    const struct programmer *programmer = attempt->programmer;
    int64_t fastest_hz = programmer->driver->sck_fastest_hz;
    int64_t safe_hz = part_clock_safe_sck_hz(attempt->part, clock_hz);
    int64_t most_hz = safe_hz < fastest_hz ? safe_hz : fastest_hz;

    if (most_hz * 10 < programmer->sck_hz * FASTER_TENTHS)
        return false;
    return clock_hz * 10 >= programmer->target_hz * FASTER_TENTHS ||
           most_hz * 10 >= programmer->sck_hz * MUCH_FASTER_TENTHS;
}

bool attempt_wants_speed(const struct attempt *attempt)
{
    int64_t clock_hz = present_hz(attempt);

    if (attempt->programmer->driver->sck_hz != 0 || clock_hz == 0)
        return false;
    /* It answers, but perhaps not always. */
    if (!part_clock_takes_sck(attempt->part, clock_hz, attempt->programmer->sck_hz))
        return true;
    return !attempt->stays_slow && attempt_may_be_faster(attempt, clock_hz);
}

int attempt_step_speed(struct attempt *attempt, const struct operation *operation,
                       struct failure *failure)
{
    /* Should this try fail, SCK is a suspect. */
    attempt->was_sped_up = true;
    if (attempt_let_go(attempt, failure) < 0 ||
        attempt_begin_session(attempt, operation, failure) < 0)
        return -1;
    return attempt_identify(attempt, operation, failure);
}
