#include "profiles/fuse_gate.h"

#include <stdlib.h>
#include <string.h>

#define NO_MEMORY PART_MEMORY_COUNT /* a permit that is not for a memory, but for an erase */

struct fuse_permit {
    const struct fuse_gate *gate;
    uint64_t opening; /* the gate's, when this was made */
    enum part_memory memory;
    uint8_t value;
    bool spent;
    struct fuse_permit *next;
};

struct fuse_gate {
    const struct profile *profile;
    uint32_t session;  /* the last one entered; 0: none yet */
    uint64_t openings; /* how often a session was entered; voids what was made before */
    bool open;         /* in a session, and the signature in it was the profile's */
    bool left;         /* the last session is over */
    struct fuse_permit *permits;
};

struct fuse_gate *fuse_gate_create(const struct profile *profile)
{
    struct fuse_gate *gate = calloc(1, sizeof(*gate));

    if (gate)
        gate->profile = profile;
    return gate;
}

void fuse_gate_free(struct fuse_gate *gate)
{
    if (!gate)
        return;
    while (gate->permits) {
        struct fuse_permit *permit = gate->permits;

        gate->permits = permit->next;
        free(permit);
    }
    free(gate);
}

int fuse_gate_enter_session(struct fuse_gate *gate, uint32_t session, const uint8_t signature[3],
                            struct failure *failure)
{
    const struct part *part = gate->profile->part;

    gate->open = false;
    gate->openings++;
    if (session == 0 || session < gate->session || (gate->left && session == gate->session))
        return failure_set(failure, FAILURE_FUSE_REFUSED,
                           "programming session %u was announced after session %u", session,
                           gate->session);
    gate->session = session;
    gate->left = false;
    if (memcmp(signature, part->signature, sizeof(part->signature)) != 0)
        return failure_set(failure, FAILURE_SIGNATURE_MISMATCH,
                           "found signature %02X %02X %02X, expected %02X %02X %02X (%s)",
                           signature[0], signature[1], signature[2], part->signature[0],
                           part->signature[1], part->signature[2], part->name);
    gate->open = true;
    return 0;
}

void fuse_gate_leave_session(struct fuse_gate *gate)
{
    gate->open = false;
    gate->left = true;
}

static bool is_accepted(const struct part *part, const struct profile_byte_rule *rule,
                        enum part_memory memory, uint8_t found)
{
    for (size_t i = 0; i < rule->accept_count; i++)
        if (part_byte_equal(part, memory, found, rule->accept[i]))
            return true;
    return false;
}

enum fuse_decision fuse_gate_decide(const struct profile *profile, enum part_memory memory,
                                    uint8_t found, uint8_t *value)
{
    const struct profile_byte_rule *rule = profile_rule(profile, memory);
    const struct part_byte *byte = part_byte(profile->part, memory);

    *value = found;
    if (!rule || rule->leave || !part_byte_is_programmable(profile->part, memory))
        return FUSE_DECISION_LEFT;
    *value = (uint8_t)(rule->write | ~byte->mask);
    if (part_byte_equal(profile->part, memory, found, rule->write))
        return FUSE_DECISION_ALREADY;
    if (is_accepted(profile->part, rule, memory, found))
        return FUSE_DECISION_ACCEPTED;
    return FUSE_DECISION_WRITTEN;
}

static int issue(struct fuse_gate *gate, enum part_memory memory, uint8_t value,
                 struct fuse_permit **permit, struct failure *failure)
{
    struct fuse_permit *made = calloc(1, sizeof(*made));

    if (!made)
        return failure_set(failure, FAILURE_OUT_OF_MEMORY, "no memory for a permit");
    made->gate = gate;
    made->opening = gate->openings;
    made->memory = memory;
    made->value = value;
    made->next = gate->permits;
    gate->permits = made;
    *permit = made;
    return 0;
}

/* Would the value take this station's way into the board, with no risk accepted for it? The rules
 * refused such a profile long before; this is for whoever comes here without them. */
static bool shuts_door(const struct profile *profile, enum part_memory memory, uint8_t value)
{
    const struct part *part = profile->part;
    const struct {
        struct part_bit bit;
        const char *rule;
    } doors[] = {{part->rstdisbl, "rstdisbl"}, {part->dwen, "dwen"}};

    if (part->spien.mask != 0 && part->spien.memory == memory &&
        !part_bit_programmed(part->spien, value))
        return true;
    for (size_t i = 0; i < sizeof(doors) / sizeof(doors[0]); i++)
        if (doors[i].bit.memory == memory && part_bit_programmed(doors[i].bit, value) &&
            !profile_find_risk(profile, doors[i].rule))
            return true;
    return false;
}

static int check_open(const struct fuse_gate *gate, struct failure *failure)
{
    if (gate->open)
        return 0;
    return failure_set(failure, FAILURE_FUSE_REFUSED,
                       "the board's signature was not read in this programming session, or is not "
                       "the profile's");
}

int fuse_gate_permit_write(struct fuse_gate *gate, enum part_memory memory, uint8_t found,
                           uint8_t asked, struct fuse_permit **permit, struct failure *failure)
{
    const struct part *part = gate->profile->part;
    uint8_t called_for = 0;
    enum fuse_decision decision;

    *permit = NULL;
    if (check_open(gate, failure) != 0)
        return -1;
    if (!part_byte(part, memory))
        return failure_set(failure, FAILURE_FUSE_REFUSED, "%s has no such fuse", part->name);
    if (!part_byte_is_programmable(part, memory))
        return failure_set(failure, FAILURE_FUSE_REFUSED,
                           "%s of %s cannot be both read and written over ISP",
                           part_memory_name(part, memory), part->name);
    decision = fuse_gate_decide(gate->profile, memory, found, &called_for);
    if (decision != FUSE_DECISION_WRITTEN)
        return failure_set(failure, FAILURE_FUSE_REFUSED,
                           "%s, found %02X: the profile calls for no write (%s)",
                           part_memory_name(part, memory), found, fuse_decision_name(decision));
    if (asked != called_for)
        return failure_set(failure, FAILURE_FUSE_REFUSED,
                           "%s: %02X was asked for, the profile calls for %02X",
                           part_memory_name(part, memory), asked, called_for);
    if (shuts_door(gate->profile, memory, asked))
        return failure_set(failure, FAILURE_FUSE_REFUSED,
                           "%s: %02X would take the way into the board, and the profile accepts no "
                           "such risk",
                           part_memory_name(part, memory), asked);
    return issue(gate, memory, asked, permit, failure);
}

int fuse_gate_permit_erase(struct fuse_gate *gate, struct fuse_permit **permit,
                           struct failure *failure)
{
    *permit = NULL;
    if (check_open(gate, failure) != 0)
        return -1;
    return issue(gate, NO_MEMORY, 0, permit, failure);
}

/* A permit that fits is spent; one shown for anything else stays as it is, and nothing passes. */
static int spend(struct fuse_permit *permit, uint32_t session, enum part_memory memory,
                 uint8_t value, uint8_t carried, struct failure *failure)
{
    const char *reason = NULL;

    if (!permit)
        reason = "there is no permit for it";
    else if (permit->spent)
        reason = "its permit was used before";
    else if (!permit->gate->open || permit->opening != permit->gate->openings ||
             session != permit->gate->session)
        reason = "its permit is from another programming session";
    else if (permit->memory != memory)
        reason = "its permit is for something else";
    else if (((permit->value ^ value) & carried) != 0)
        reason = "its permit is for another value";
    if (reason && memory == NO_MEMORY)
        return failure_set(failure, FAILURE_FUSE_REFUSED, "chip erase: %s", reason);
    if (reason)
        return failure_set(failure, FAILURE_FUSE_REFUSED, "write of %02X to memory %d: %s", value,
                           (int)memory, reason);
    permit->spent = true;
    return 0;
}

int fuse_permit_spend_write(struct fuse_permit *permit, uint32_t session, enum part_memory memory,
                            uint8_t value, uint8_t carried, struct failure *failure)
{
    if (!part_is_fuse_or_lock(memory))
        return failure_set(failure, FAILURE_FUSE_REFUSED, "memory %d is no fuse", (int)memory);
    if (carried == 0)
        return failure_set(failure, FAILURE_FUSE_REFUSED,
                           "write to memory %d: the instruction carries no value", (int)memory);
    return spend(permit, session, memory, value, carried, failure);
}

int fuse_permit_spend_erase(struct fuse_permit *permit, uint32_t session, struct failure *failure)
{
    return spend(permit, session, NO_MEMORY, 0, 0xFF, failure);
}
