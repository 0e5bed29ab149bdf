/* The clock that the fuses choose against the one that the board is said to have. A byte that is
 * left as found says nothing, and neither do values whose names do not tell. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "profiles/clock_words.h"
#include "profiles/fuse_rules_case.h"
#include "profiles/fuse_words.h"
#include "profiles/part_clock.h"

#define WATCH_CRYSTAL_HZ 32768
#define CKDIV8_DIVIDER 8
#define WORDS_BYTES 200

/* The ways out of what is refused here. */
#define WAYS_OUT "; correct board: clock or the fuse, or say why in accept_risk"

/* What the case chooses. */
struct choice {
    const struct part_field *field; /* NULL: no fuse of this part chooses a clock */
    const char *name;               /* of the value; NULL: the part file does not know it */
    char words[WORDS_BYTES];        /* for people */
    struct part_oscillator oscillator;
};

static const struct part_field *clock_field(const struct part *part)
{
    const struct part_byte *byte = part_byte(part, part->cksel.memory);

    for (size_t i = 0; byte && part->cksel.mask != 0 && i < byte->field_count; i++)
        if ((byte->fields[i].mask & part->cksel.mask) != 0)
            return &byte->fields[i];
    return NULL;
}

static const char *value_name(const struct part_field *field, uint8_t byte)
{
    uint8_t code = fuse_words_code(field, byte);

    for (size_t i = 0; i < field->value_count; i++)
        if (field->values[i].code == code)
            return field->values[i].name;
    return NULL;
}

/* ATmega161 and ATmega163 have one setting for both (1228, 1142, "Reset Delay Selections"). */
static bool is_for_both(const char *name)
{
    return strncmp(name, "CRES_EXTCLK", strlen("CRES_EXTCLK")) == 0;
}

/* Without how it starts. */
static void say_choice(struct choice *choice)
{
    char *start;

    snprintf(choice->words, sizeof(choice->words), "a value that the datasheet does not have");
    if (choice->name)
        clock_words(choice->name, choice->words, sizeof(choice->words));
    start = strstr(choice->words, ", starts ");
    if (start)
        *start = '\0';
}

/* Is the ultra low power oscillator chosen, and a frequency of it that the datasheet reserves
 * (ATtiny441/841, 8495, "ULPOSCSEL")? */
static bool is_reserved_frequency(const struct fuse_case *looking, const char *name)
{
    enum part_memory memory;
    uint8_t code = 0;
    const struct part_field *field = fuse_case_field(looking, "ULPOSCSEL", &memory, &code);

    return name && strncmp(name, "INTULPOSC", strlen("INTULPOSC")) == 0 && field &&
           !fuse_words_is_documented(field, code);
}

/* False where nothing is known: the byte is left, or it is one of those whose fields have no names
 * for what they choose, and stands as it leaves the factory. */
static bool read_choice(const struct fuse_case *looking, struct choice *choice)
{
    const struct part *part = looking->part;
    enum part_memory memory = part->cksel.memory;

    *choice = (struct choice){.field = clock_field(part)};
    choice->oscillator = part_clock_oscillator(part, looking->bytes);
    if (!choice->field)
        return part->cksel.mask == 0;
    if (!looking->known[memory - PART_FIRST_FUSE])
        return false;
    choice->name = value_name(choice->field, looking->bytes[memory - PART_FIRST_FUSE]);
    say_choice(choice);
    if (choice->name && is_for_both(choice->name))
        choice->oscillator.kind = PART_OSCILLATOR_EITHER;
    return choice->field->value_count > 0 || choice->oscillator.kind == PART_OSCILLATOR_UNKNOWN;
}

/* Has the board what the fuses choose? */
static bool board_has(const struct profile *profile, const struct choice *choice)
{
    enum profile_clock_source said = profile->clock_source;
    bool crystal = said == PROFILE_CLOCK_CRYSTAL || said == PROFILE_CLOCK_RESONATOR;

    switch (choice->oscillator.kind) {
    case PART_OSCILLATOR_INTERNAL:
        return said == PROFILE_CLOCK_NOT_SAID || said == PROFILE_CLOCK_INTERNAL;
    case PART_OSCILLATOR_SIGNAL:
        return said == PROFILE_CLOCK_EXTERNAL;
    case PART_OSCILLATOR_CRYSTAL:
        return crystal;
    case PART_OSCILLATOR_WATCH_CRYSTAL:
        return said == PROFILE_CLOCK_CRYSTAL && profile->clock_hz == WATCH_CRYSTAL_HZ;
    case PART_OSCILLATOR_EITHER:
        return crystal || said == PROFILE_CLOCK_EXTERNAL ||
               (!choice->field && said == PROFILE_CLOCK_NOT_SAID);
    case PART_OSCILLATOR_RC_NETWORK:
        return said == PROFILE_CLOCK_RC_NETWORK;
    case PART_OSCILLATOR_UNKNOWN:
        break;
    }
    return choice->oscillator.kind == PART_OSCILLATOR_UNKNOWN && choice->name;
}

/* Whatever the board has: nobody knows whether it goes with this. */
static void report_unknown(struct fuse_case *looking, const struct choice *choice)
{
    fuse_case_report(looking, looking->part->cksel.memory, NULL,
                     "%s is a value that the datasheet does not have, so nobody says what clock it "
                     "gives: gangflash fuses %s %s lists those that it has",
                     choice->field->name, looking->part->name, choice->field->name);
}

void fuse_rule_clock_source(struct fuse_case *looking)
{
    const struct profile *profile = looking->profile;
    struct choice choice;

    if (!read_choice(looking, &choice))
        return;
    if (is_reserved_frequency(looking, choice.name)) {
        fuse_case_report(looking, looking->part->cksel.memory, NULL,
                         "%s is %s, but ULPOSCSEL is a value that the datasheet does not have: "
                         "correct ULPOSCSEL",
                         choice.field->name, choice.words);
        return;
    }
    if (board_has(profile, &choice))
        return;
    if (choice.field && choice.oscillator.kind == PART_OSCILLATOR_UNKNOWN) {
        report_unknown(looking, &choice);
        return;
    }
    if (!choice.field)
        fuse_case_report(looking, PART_MEMORY_COUNT, &profile->board_position,
                         "the board's clock is said to be %s, but %s %s" WAYS_OUT,
                         profile->clock_text, looking->part->name,
                         choice.oscillator.kind == PART_OSCILLATOR_INTERNAL
                             ? "runs on its own oscillator only"
                             : "has no oscillator of its own");
    else if (profile->clock_source == PROFILE_CLOCK_NOT_SAID)
        fuse_case_report(looking, looking->part->cksel.memory, NULL,
                         "%s is %s, but the profile does not say what clock the board has: give "
                         "it, as in board: {clock: crystal 16 MHz}, or say why in accept_risk",
                         choice.field->name, choice.words);
    else
        fuse_case_report(looking, looking->part->cksel.memory, NULL,
                         "%s is %s, but the board's clock is said to be %s" WAYS_OUT,
                         choice.field->name, choice.words, profile->clock_text);
}

/* ---- its frequency ---- */

/* 0: not known. Undivided. Of those ATtiny whose slowest oscillator has fuses of its own, they tell
 * (ATtiny441/841, 8495, "ULPOSCSEL"). */
static int64_t internal_hz(const struct fuse_case *looking, const char *name)
{
    uint8_t bytes[PART_FUSE_AND_LOCK_COUNT];
    const struct part_bit ckdiv8 = looking->part->ckdiv8;
    struct part_clock clock;
    enum part_memory memory;

    if (name && strncmp(name, "INTULPOSC", strlen("INTULPOSC")) == 0) {
        const struct part_field *field = fuse_words_find(looking->part, "ULPOSCSEL", &memory);
        int khz = 32;

        if (field && !looking->known[memory - PART_FIRST_FUSE])
            return 0;
        if (field)
            name = value_name(field, looking->bytes[memory - PART_FIRST_FUSE]);
        if (field && (!name || sscanf(name, "ULPOSC_%3dKHZ", &khz) != 1))
            return 0;
        return khz * 1000;
    }
    memcpy(bytes, looking->bytes, sizeof(bytes));
    if (ckdiv8.mask != 0)
        bytes[ckdiv8.memory - PART_FIRST_FUSE] |= ckdiv8.mask;
    clock = part_clock_by_fuses(looking->part, bytes, 0);
    return clock.exact ? clock.hz : 0;
}

/* Firmware for USB tunes the PLL of 16 MHz, by OSCCAL, to 16.5 MHz. */
static bool is_undivided(int64_t oscillator_hz, int64_t said_hz)
{
    return said_hz == oscillator_hz || (oscillator_hz == 16000000 && said_hz == 16500000);
}

/* A profile says the oscillator's frequency, as of a crystal, or the one that the part runs at. */
static bool is_internal(const struct fuse_case *looking, int64_t oscillator_hz, int64_t said_hz)
{
    return is_undivided(oscillator_hz, said_hz) ||
           (!fuse_case_unprogrammed(looking, looking->part->ckdiv8) &&
            looking->part->ckdiv8.mask != 0 && said_hz == oscillator_hz / CKDIV8_DIVIDER);
}

static void check_internal(struct fuse_case *looking, const struct choice *choice)
{
    const struct profile *profile = looking->profile;
    bool divided = fuse_case_programmed(looking, looking->part->ckdiv8);
    int64_t hz = internal_hz(looking, choice->name);

    if (hz == 0 || profile->clock_hz == 0 || is_internal(looking, hz, profile->clock_hz))
        return;
    fuse_case_report(looking, choice->field ? looking->part->cksel.memory : PART_MEMORY_COUNT,
                     &profile->board_position,
                     "the internal oscillator makes %g MHz%s, but the board's clock is said to be "
                     "%s" WAYS_OUT,
                     (double)hz / 1e6, divided ? ", which CKDIV8 divides by 8" : "",
                     profile->clock_text);
}

static bool is_within(const struct part_oscillator *oscillator, int64_t hz)
{
    return hz >= oscillator->lowest_hz &&
           (oscillator->highest_hz == 0 || hz <= oscillator->highest_hz);
}

/* CKOPT gives the oscillator another range. Where its byte is left, both are tried. */
static bool is_within_some(const struct fuse_case *looking, const struct part_oscillator *chosen)
{
    int64_t hz = looking->profile->clock_hz;
    uint8_t bytes[PART_FUSE_AND_LOCK_COUNT];
    enum part_memory memory;
    const struct part_field *ckopt = fuse_words_find(looking->part, "CKOPT", &memory);
    struct part_oscillator other;

    if (is_within(chosen, hz))
        return true;
    if (!ckopt || looking->known[memory - PART_FIRST_FUSE])
        return false;
    memcpy(bytes, looking->bytes, sizeof(bytes));
    bytes[memory - PART_FIRST_FUSE] ^= ckopt->mask;
    other = part_clock_oscillator(looking->part, bytes);
    return is_within(&other, hz);
}

/* The crystal of those parts is the transceiver's, which takes 16 MHz and nothing else
 * (ATmega128RFA1, 8266; ATmega256RFR2, 8393). */
static void set_transceiver(struct choice *choice)
{
    if (strncmp(choice->name, "TRXOSC", 6) == 0 || strncmp(choice->name, "TOSC", 4) == 0)
        choice->oscillator.lowest_hz = choice->oscillator.highest_hz = 16000000;
}

static void say_range(const struct part_oscillator *oscillator, char *text, size_t text_bytes)
{
    double lowest = (double)oscillator->lowest_hz / 1e6;
    double highest = (double)oscillator->highest_hz / 1e6;

    if (oscillator->highest_hz == 0)
        snprintf(text, text_bytes, "%g MHz or more", lowest);
    else if (oscillator->lowest_hz == oscillator->highest_hz)
        snprintf(text, text_bytes, "%g MHz", lowest);
    else if (oscillator->lowest_hz == 0)
        snprintf(text, text_bytes, "up to %g MHz", highest);
    else
        snprintf(text, text_bytes, "%g to %g MHz", lowest, highest);
}

static void check_range(struct fuse_case *looking, struct choice *choice)
{
    enum part_memory memory;
    uint8_t code = 0;
    const struct part_field *ckopt = fuse_case_field(looking, "CKOPT", &memory, &code);
    char range[64];

    set_transceiver(choice);
    if (is_within_some(looking, &choice->oscillator))
        return;
    say_range(&choice->oscillator, range, sizeof(range));
    fuse_case_report(
        looking, looking->part->cksel.memory, NULL,
        "%s is %s%s, by the datasheet for %s, but the board's clock is said to be %s" WAYS_OUT,
        choice->field->name, choice->words,
        !ckopt      ? ""
        : code == 0 ? ", with CKOPT on"
                    : ", with CKOPT off",
        range, looking->profile->clock_text);
}

/* What is not the board's source at all has no frequency to be compared. */
void fuse_rule_clock_frequency(struct fuse_case *looking)
{
    struct choice choice;

    if (!read_choice(looking, &choice) || !board_has(looking->profile, &choice) ||
        looking->profile->clock_source == PROFILE_CLOCK_NOT_SAID)
        return;
    if (choice.oscillator.kind == PART_OSCILLATOR_INTERNAL)
        check_internal(looking, &choice);
    else if (choice.name && choice.oscillator.kind != PART_OSCILLATOR_WATCH_CRYSTAL)
        check_range(looking, &choice);
}

/* ---- what only warns ---- */

/* Boards with a DFU bootloader want it so: their firmware sets the clock itself. */
void fuse_rule_clock_divided(struct fuse_case *looking)
{
    const struct profile *profile = looking->profile;
    struct choice choice;

    if (!fuse_case_programmed(looking, looking->part->ckdiv8) || !read_choice(looking, &choice) ||
        profile->clock_source == PROFILE_CLOCK_NOT_SAID || !board_has(profile, &choice) ||
        (choice.oscillator.kind == PART_OSCILLATOR_INTERNAL &&
         !is_undivided(internal_hz(looking, choice.name), profile->clock_hz)))
        return;
    fuse_case_report(looking, looking->part->ckdiv8.memory, NULL,
                     "CKDIV8 is on: of %s the part gets %g MHz until its firmware says otherwise; "
                     "give CKDIV8 off unless it does",
                     profile->clock_text, (double)profile->clock_hz / CKDIV8_DIVIDER / 1e6);
}

#define SLOW_HZ 1000000

void fuse_rule_clock_slow(struct fuse_case *looking)
{
    struct choice choice;

    if (looking->profile->clock_source != PROFILE_CLOCK_NOT_SAID ||
        !read_choice(looking, &choice) || !choice.field ||
        choice.oscillator.kind != PART_OSCILLATOR_INTERNAL)
        return;
    int64_t hz = internal_hz(looking, choice.name);

    if (hz != 0 && hz < SLOW_HZ)
        fuse_case_report(looking, looking->part->cksel.memory, NULL,
                         "%s is %s, which makes %g kHz, and the profile does not say what clock "
                         "the board has: see that this is meant, or give it, as in board: {clock: "
                         "internal 8 MHz}",
                         choice.field->name, choice.words, (double)hz / 1e3);
}

/* Of the case, or of what is written. */
static struct part_clock clock_of(const struct fuse_case *looking, bool of_written)
{
    const struct profile *profile = looking->profile;
    uint8_t bytes[PART_FUSE_AND_LOCK_COUNT];

    for (size_t i = 0; i < PART_FUSE_AND_LOCK_COUNT; i++)
        bytes[i] = of_written ? profile->rules[i].write : looking->bytes[i];
    return part_clock_by_fuses(looking->part, bytes,
                               profile->clock_source == PROFILE_CLOCK_INTERNAL ? 0
                                                                               : profile->clock_hz);
}

/* The byte that makes the case's clock another than that of what is written. */
void fuse_rule_clock_differs(struct fuse_case *looking)
{
    struct part_clock here = clock_of(looking, false), written = clock_of(looking, true);

    if (here.hz == 0 || written.hz == 0 || here.hz == written.hz)
        return;
    for (size_t i = 0; i < PART_FUSE_AND_LOCK_COUNT; i++) {
        enum part_memory memory = (enum part_memory)(PART_FIRST_FUSE + i);

        if (looking->known[i] && looking->accepted[i] >= 0 &&
            part_clock_depends_on(looking->part, memory, NULL))
            fuse_case_report(looking, memory, NULL,
                             "with it a board starts at %g MHz, with what is written at %g MHz, "
                             "and both pass",
                             (double)here.hz / 1e6, (double)written.hz / 1e6);
    }
}
