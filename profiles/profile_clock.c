#include "profiles/profile_clock.h"

#include <stdio.h>
#include <string.h>

#include "profiles/fuse_gate.h"

int64_t profile_board_hz(const struct profile *profile)
{
    /* "internal 8 MHz" says that there is nothing at the clock pins. */
    bool has_oscillator = strncmp(profile->clock_text, "internal", strlen("internal")) != 0;

    return has_oscillator ? profile->clock_hz : 0;
}

/* ---- with the profile's fuses ---- */

/* Those values of a byte with which a board can pass, `values` has room for them all; 0: not known.
 * What the profile leaves counts as it leaves the factory; what does not act on the clock counts
 * as one. */
static size_t list_outcomes(const struct profile *profile, enum part_memory memory, uint8_t *values)
{
    const struct part_byte *byte = part_byte(profile->part, memory);
    const struct profile_byte_rule *rule = profile_rule(profile, memory);
    size_t count = 0;

    values[0] = 0;
    if (!part_clock_depends_on(profile->part, memory, NULL))
        return 1;
    if (rule == NULL || rule->leave) {
        if (byte == NULL || byte->factory_default < 0)
            return 0;
        values[0] = (uint8_t)byte->factory_default;
        return 1;
    }
    values[count++] = rule->write;
    for (size_t i = 0; i < rule->accept_count; i++)
        values[count++] = rule->accept[i];
    return count;
}

struct part_clock profile_done_clock(const struct profile *profile)
{
    uint8_t values[PART_FUSE_AND_LOCK_COUNT][PROFILE_ACCEPT_MAX + 1];
    size_t counts[PART_FUSE_AND_LOCK_COUNT], combinations = 1;
    struct part_clock slowest = {INT64_MAX, true};

    for (enum part_memory memory = PART_FIRST_FUSE; memory <= PART_LOCK; memory++) {
        int at = (int)memory - PART_FIRST_FUSE;

        counts[at] = list_outcomes(profile, memory, values[at]);
        combinations *= counts[at];
    }
    for (size_t i = 0; i < combinations; i++) {
        uint8_t bytes[PART_FUSE_AND_LOCK_COUNT];
        size_t rest = i;

        for (int at = 0; at < PART_FUSE_AND_LOCK_COUNT; at++) {
            bytes[at] = values[at][rest % counts[at]];
            rest /= counts[at];
        }
        slowest = part_clock_slower(
            slowest, part_clock_by_fuses(profile->part, bytes, profile_board_hz(profile)));
    }
    return combinations > 0 ? slowest : (struct part_clock){0, false};
}

/* ---- clock fuses first ---- */

/* Of the bits that choose the clock, in the bytes that a new board has, and those that are written
 * to it. A factory value that is not known is written. */
static void list_first_bytes(const struct profile *profile, struct profile_clock_first *first,
                             uint8_t bytes[PART_FUSE_AND_LOCK_COUNT])
{
    const struct part *part = profile->part;

    for (enum part_memory memory = PART_FIRST_FUSE; memory < PART_LOCK; memory++) {
        uint8_t *value = &bytes[memory - PART_FIRST_FUSE], asked, mask;
        int factory = part->bytes[memory - PART_FIRST_FUSE].factory_default;

        if (!part_clock_depends_on(part, memory, &mask))
            continue;
        *value = factory >= 0 ? (uint8_t)factory : (uint8_t)~profile_rule(profile, memory)->write;
        if (fuse_gate_decide(profile, memory, *value, &asked) != FUSE_DECISION_WRITTEN)
            continue;
        if (((*value ^ asked) & mask) != 0)
            first->bytes[first->byte_count++] = memory;
        *value = asked;
    }
}

/* A second erase would not do to the EEPROM what the first one did. And an attempt that is cut
 * short between the fuses and an EEPROM that is to be put back leaves a board whose EESAVE says
 * that its EEPROM was never cleared. */
bool profile_needs_eesave(const struct profile *profile)
{
    return profile->retry_verify > 0 || profile_keeps_eeprom(profile);
}

/* Why a byte may not be written before the flash; NULL: it may. */
static const char *find_obstacle(const struct profile *profile, enum part_memory memory)
{
    const struct part *part = profile->part;
    const struct profile_byte_rule *rule = profile_rule(profile, memory);

    if (rule == NULL || rule->leave || !part_byte_is_programmable(part, memory))
        return "chooses the clock, and is left as found";
    if (part->rstdisbl.memory == memory && part_bit_programmed(part->rstdisbl, rule->write))
        return "also turns RSTDISBL on, after which nothing else can be written";
    if (part->dwen.memory == memory && part_bit_programmed(part->dwen, rule->write))
        return "also turns DWEN on, after which nothing else can be written";
    if (part->eesave.mask != 0 && part->eesave.memory == memory && profile_needs_eesave(profile))
        return "chooses the clock and has EESAVE, too: it cannot go first where the EEPROM is kept "
               "(eeprom: keep), nor before a second erase (retry: verify)";
    return NULL;
}

static bool check_bytes(const struct profile *profile, char reason[PROFILE_CLOCK_REASON_BYTES])
{
    const struct part *part = profile->part;

    if (part->cksel.mask == 0) {
        snprintf(reason, PROFILE_CLOCK_REASON_BYTES, "%s has no fuses that choose its clock",
                 part->name);
        return false;
    }
    for (enum part_memory memory = PART_FIRST_FUSE; memory < PART_LOCK; memory++) {
        const char *obstacle =
            part_clock_depends_on(part, memory, NULL) ? find_obstacle(profile, memory) : NULL;

        if (obstacle == NULL)
            continue;
        snprintf(reason, PROFILE_CLOCK_REASON_BYTES, "fuse %s %s", part_memory_name(part, memory),
                 obstacle);
        return false;
    }
    return true;
}

/* A crystal that nobody says is there may not be: then the board would stand still with an empty
 * flash. */
static bool check_clock(const struct profile *profile, struct part_clock clock,
                        char reason[PROFILE_CLOCK_REASON_BYTES])
{
    int64_t board_hz = profile_board_hz(profile);
    struct part_clock new_clock = part_clock_of_new(profile->part, board_hz);
    char slow[PART_CLOCK_TEXT_BYTES], fast[PART_CLOCK_TEXT_BYTES];

    if (clock.hz == 0 || (!clock.exact && board_hz == 0)) {
        snprintf(reason, PROFILE_CLOCK_REASON_BYTES,
                 "its fuses choose a clock of the board's own, and 'board: clock' does not say %s",
                 profile->clock_text[0] != '\0' ? "that it has one" : "which it has");
        return false;
    }
    if (clock.hz >= new_clock.hz)
        return true;
    part_clock_text(clock.hz, slow);
    part_clock_text(new_clock.hz, fast);
    snprintf(reason, PROFILE_CLOCK_REASON_BYTES,
             "with its fuses the clock is %s, slower than the %s of a new board", slow, fast);
    return false;
}

bool profile_find_clock_first(const struct profile *profile, struct profile_clock_first *first,
                              char reason[PROFILE_CLOCK_REASON_BYTES])
{
    uint8_t bytes[PART_FUSE_AND_LOCK_COUNT] = {0};
    char unwanted[PROFILE_CLOCK_REASON_BYTES];
    char *why = reason != NULL ? reason : unwanted;

    *first = (struct profile_clock_first){0};
    if (!check_bytes(profile, why))
        return false;
    list_first_bytes(profile, first, bytes);
    first->clock = part_clock_by_fuses(profile->part, bytes, profile_board_hz(profile));
    return check_clock(profile, first->clock, why);
}
