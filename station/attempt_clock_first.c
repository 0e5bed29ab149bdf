/* Clock first: the fuses that choose the clock right after the erase, so that the flash is written
 * and read at it. From the first of them on, the board is owed its flash: a stop waits for it. */
#include "profiles/profile_clock.h"
#include "station/attempt_steps.h"
#include "station/plan_clock.h"
#include "station/plan_order.h"

size_t attempt_count_clock_writes(const struct attempt *attempt,
                                  const uint8_t found[PART_FUSE_AND_LOCK_COUNT])
{
    const struct fuse_order *order = &attempt->order;
    struct part_bit eesave = attempt->part->eesave;
    size_t count = plan_clock_writes(attempt->plan, found, order);

    /* Some clock fuse must come last. */
    if (attempt->profile->speed != PROFILE_SPEED_CLOCK_FIRST || count > order->before)
        return 0;
    for (size_t i = 0; i < count; i++)
        if (eesave.mask != 0 && order->writes[i] == eesave.memory &&
            profile_needs_eesave(attempt->profile))
            return 0;
    return count;
}

/* Once they are written. 0: not known. */
static int64_t clock_then_hz(const struct attempt *attempt)
{
    uint8_t bytes[PART_FUSE_AND_LOCK_COUNT] = {0};

    for (enum part_memory memory = PART_FIRST_FUSE; memory <= PART_LOCK; memory++) {
        const struct attempt_byte *byte = &attempt->bytes[memory - PART_FIRST_FUSE];

        if (!byte->exists && part_clock_depends_on(attempt->part, memory, NULL))
            return 0;
        bytes[memory - PART_FIRST_FUSE] = byte->expected;
    }
    for (size_t i = 0; i < attempt->clock_writes; i++) {
        enum part_memory memory = attempt->order.writes[i];

        bytes[memory - PART_FIRST_FUSE] = attempt->bytes[memory - PART_FIRST_FUSE].value;
    }
    return part_clock_by_fuses(attempt->part, bytes, attempt->plan->board_hz).hz;
}

bool attempt_wants_clock_first(const struct attempt *attempt)
{
    if (attempt->clock_writes == 0 || attempt->programmer->driver->sck_hz != 0 ||
        attempt->stays_slow)
        return false;
    /* The log was told of it, or it is not done. */
    if (attempt->record.attempt != 0 && !attempt->record.clock_first)
        return false;
    return attempt_owes_any(attempt, attempt->order.writes, attempt->clock_writes) &&
           attempt_may_be_faster(attempt, clock_then_hz(attempt));
}

int64_t attempt_flash_sck_hz(const struct attempt *attempt)
{
    struct part_clock clock = {clock_then_hz(attempt), true};

    return attempt_wants_clock_first(attempt) ? plan_sck_hz(attempt->plan, clock)
                                              : attempt->programmer->sck_hz;
}

int attempt_step_clock_first(struct attempt *attempt, const struct operation *operation,
                             struct failure *failure)
{
    struct operation through = *operation;

    if (operation_check(operation, failure) < 0)
        return -1;
    through.cancel = NULL;
    attempt->owes_flash = true;
    if (attempt_write_bytes(attempt, attempt->order.writes, attempt->clock_writes, &through,
                            failure) < 0)
        return -1;
    if (attempt_reenter(attempt, &through, failure) == 0 &&
        attempt_identify(attempt, &through, failure) == 0)
        return 0;
    attempt_suspect_clock(attempt, failure);
    return -1;
}
