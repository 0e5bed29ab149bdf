/* Writing the fuses and the lock byte, and reading them back. */
#include <string.h>

#include "profiles/fuse_gate.h"
#include "station/attempt_steps.h"

/* -1: cannot be read; 1: another value. */
static int expect_byte(struct attempt *attempt, enum part_memory memory, uint8_t expected,
                       uint8_t *value, const struct operation *operation, struct failure *failure)
{
    if (attempt_read_byte(attempt, memory, value, operation, failure) < 0)
        return -1;
    if (part_byte_equal(attempt->part, memory, *value, expected))
        return 0;
    failure_set(failure, memory == PART_LOCK ? FAILURE_LOCK_MISMATCH : FAILURE_FUSE_MISMATCH,
                "%s: expected 0x%02X, reads back 0x%02X (bits 0x%02X exist)",
                part_memory_name(attempt->part, memory), expected, *value,
                part_byte(attempt->part, memory)->mask);
    return 1;
}

/* Reads a byte back for the record. */
int attempt_check_byte(struct attempt *attempt, enum part_memory memory, uint8_t expected,
                       const struct operation *operation, struct failure *failure)
{
    struct record_fuse *record = attempt_byte_of(attempt, memory)->record;
    uint8_t value;
    int result;

    record->read_back = -1;
    result = expect_byte(attempt, memory, expected, &value, operation, failure);
    if (result >= 0)
        record->read_back = value;
    if (result != 0 && record->decision == FUSE_DECISION_WRITTEN)
        record->decision = FUSE_DECISION_UNKNOWN;
    return result == 0 ? 0 : -1;
}

static int send_byte(struct attempt *attempt, enum part_memory memory, struct fuse_permit *permit,
                     const struct operation *operation, struct failure *failure)
{
    struct attempt_byte *byte = attempt_byte_of(attempt, memory);
    const char *before = attempt->door;
    const char *door = fuse_order_door(attempt->part, memory, byte->value);

    attempt_mark_touched(attempt, memory == PART_LOCK ? TOUCHED_LOCKED : TOUCHED_FUSED);
    attempt->door = door != NULL ? door : before;
    attempt->door_was_read &= door == NULL;
    byte->record->decision = FUSE_DECISION_UNKNOWN;
    byte->record->read_back = -1;
    if (programmer_write(attempt->programmer, memory, 0, &byte->value, 1, permit, operation,
                         failure) == 0)
        return 0;
    if (failure->code == FAILURE_FUSE_REFUSED) { /* by isp_door: nothing left the station */
        byte->record->decision = FUSE_DECISION_REFUSED;
        attempt->door = before;
    }
    return -1;
}

/* Writes one fuse or the lock byte, after the signature was read again, and reads it back in the
 * same session. */
static int write_byte(struct attempt *attempt, enum part_memory memory,
                      const struct operation *operation, struct failure *failure)
{
    struct attempt_byte *byte = attempt_byte_of(attempt, memory);
    struct fuse_permit *permit;

    if (attempt_identify(attempt, operation, failure) < 0 ||
        attempt_check_byte(attempt, memory, byte->expected, operation, failure) < 0 ||
        fuse_gate_permit_write(attempt->gate, memory, (uint8_t)byte->record->read_back, byte->value,
                               &permit, failure) < 0 ||
        send_byte(attempt, memory, permit, operation, failure) < 0 ||
        attempt_check_byte(attempt, memory, byte->value, operation, failure) < 0)
        return -1;
    byte->expected = byte->value;
    byte->to_write = false;
    byte->record->decision = FUSE_DECISION_WRITTEN;
    if (fuse_order_door(attempt->part, memory, byte->value) != NULL)
        attempt->door_was_read = true;
    return 0;
}

bool attempt_owes_any(const struct attempt *attempt, const enum part_memory *order, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct attempt_byte *byte = &attempt->bytes[order[i] - PART_FIRST_FUSE];

        if (byte->to_write &&
            !part_byte_equal(attempt->part, order[i], byte->expected, byte->value))
            return true;
    }
    return false;
}

bool attempt_wants_fuses(const struct attempt *attempt)
{
    return attempt_owes_any(attempt, attempt->order.writes, attempt->order.before);
}

int attempt_write_bytes(struct attempt *attempt, const enum part_memory *order, size_t count,
                        const struct operation *operation, struct failure *failure)
{
    for (size_t i = 0; i < count; i++)
        if (attempt_owes_any(attempt, &order[i], 1) &&
            write_byte(attempt, order[i], operation, failure) < 0)
            return -1;
    return 0;
}

int attempt_step_fuses(struct attempt *attempt, const struct operation *operation,
                       struct failure *failure)
{
    return attempt_write_bytes(attempt, attempt->order.writes, attempt->order.before, operation,
                               failure);
}

/* Where the lock byte stands in the order; the number of writes: nowhere. */
static size_t place_of_lock(const struct fuse_order *order)
{
    size_t place = order->before;

    while (place < order->count && order->writes[place] != PART_LOCK)
        place++;
    return place;
}

bool attempt_wants_doors_before_lock(const struct attempt *attempt)
{
    return place_of_lock(&attempt->order) > attempt->order.before;
}

bool attempt_wants_doors_after_lock(const struct attempt *attempt)
{
    const struct fuse_order *order = &attempt->order;

    return place_of_lock(order) + 1 < order->count;
}

const char *attempt_next_door(const struct attempt *attempt)
{
    const struct fuse_order *order = &attempt->order;
    const char *door = NULL;

    for (size_t i = order->before; i < order->count && door == NULL; i++)
        door = fuse_order_door(attempt->part, order->writes[i],
                               attempt->bytes[order->writes[i] - PART_FIRST_FUSE].value);
    return door;
}

/* The board is not entered anew behind them: what proves them is read in this session, and ends
 * with a sign of the board. */
int attempt_step_doors(struct attempt *attempt, const struct operation *operation,
                       struct failure *failure)
{
    const struct fuse_order *order = &attempt->order;

    for (size_t i = order->before; i < order->count; i++) {
        if (order->writes[i] != PART_LOCK &&
            write_byte(attempt, order->writes[i], operation, failure) < 0)
            return -1;
    }
    return attempt_identify(attempt, operation, failure);
}

bool attempt_wants_lock(const struct attempt *attempt)
{
    return attempt->bytes[PART_LOCK - PART_FIRST_FUSE].to_write;
}

/* The oldest parts, fully locked, hide their signature: they give back the number of the byte that
 * is asked for. So does a part that is out of step; a pulse on RESET leaves none so. */
static int confirm_hidden(struct attempt *attempt, const struct operation *operation,
                          struct failure *failure)
{
    static const uint8_t echo[3] = {0, 1, 2};
    uint8_t value = attempt_byte_of(attempt, PART_LOCK)->value;
    uint8_t signature[3] = {0};

    if (attempt_reenter(attempt, operation, failure) < 0 ||
        attempt_check_byte(attempt, PART_LOCK, value, operation, failure) < 0)
        return -1;
    if (programmer_identify(attempt->programmer, signature, operation, failure) == 0)
        return attempt_identify(attempt, operation, failure);
    return failure->code == FAILURE_CONTACT_UNSTABLE && memcmp(signature, echo, sizeof echo) == 0
               ? 0
               : -1;
}

static bool hides_signature(const struct attempt *attempt)
{
    uint8_t value = attempt->bytes[PART_LOCK - PART_FIRST_FUSE].value;

    return programmer_may_hide_signature(attempt->part) &&
           (value & part_byte(attempt->part, PART_LOCK)->mask) == 0;
}

/* Ends with a sign of the board, as the other readings do: a lock byte of 0 is also what a place
 * gives at which nothing answers. */
int attempt_step_lock(struct attempt *attempt, const struct operation *operation,
                      struct failure *failure)
{
    if (write_byte(attempt, PART_LOCK, operation, failure) < 0)
        return -1;
    return hides_signature(attempt) ? confirm_hidden(attempt, operation, failure)
                                    : attempt_identify(attempt, operation, failure);
}

void attempt_suspect_clock(struct attempt *attempt, struct failure *failure)
{
    struct part_bit cksel = attempt->part->cksel;
    const struct attempt_byte *byte;

    if (failure_lookup(failure->code)->blame != FAILURE_BLAME_CONTACT || cksel.mask == 0)
        return;
    byte = attempt_byte_of(attempt, cksel.memory);
    if (((byte->found ^ byte->expected) & cksel.mask) != 0)
        failure_set(failure, failure->code,
                    "%s, since its fuses choose another clock: perhaps that clock does not run",
                    failure->detail);
}

int attempt_step_reenter(struct attempt *attempt, const struct operation *operation,
                         struct failure *failure)
{
    if (attempt_reenter(attempt, operation, failure) == 0)
        return 0;
    attempt_suspect_clock(attempt, failure);
    return -1;
}

/* Ends with the signature, which no empty place gives: what was read before it came from the board,
 * even if it was FF. */
int attempt_step_recheck(struct attempt *attempt, const struct operation *operation,
                         struct failure *failure)
{
    if (attempt_identify(attempt, operation, failure) < 0) {
        attempt_suspect_clock(attempt, failure);
        return -1;
    }
    for (enum part_memory memory = PART_FIRST_FUSE; memory <= PART_LOCK; memory++) {
        const struct attempt_byte *byte = attempt_byte_of(attempt, memory);

        if (byte->exists &&
            attempt_check_byte(attempt, memory, byte->expected, operation, failure) < 0)
            return -1;
    }
    /* What is written last begins with it. */
    return attempt->order.count > attempt->order.before && !attempt->already
               ? 0
               : attempt_identify(attempt, operation, failure);
}
