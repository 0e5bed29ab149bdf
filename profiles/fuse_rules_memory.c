/* Rules about the EEPROM, the lock bits, bits that make a part behave as an older one, bits that it
 * does not have, and signatures of several parts. */
#include <stdio.h>
#include <string.h>

#include "profiles/fuse_rules_case.h"
#include "profiles/fuse_words.h"
#include "profiles/part_signatures.h"

/* ---- EEPROM ---- */

/* The station keeps an EEPROM by EESAVE as it finds it. So a board that leaves it with EESAVE off
 * is one that it refuses the next time, and that every other programmer clears. */
void fuse_rule_eesave(struct fuse_case *looking)
{
    struct part_bit eesave = looking->part->eesave;

    if (looking->profile->eeprom_policy != PROFILE_EEPROM_KEEP ||
        !fuse_case_unprogrammed(looking, eesave))
        return;
    fuse_case_report(looking, eesave.memory, NULL,
                     "EESAVE is off, but the EEPROM is to be kept, and every erase from now on "
                     "clears it: turn EESAVE on, or say eeprom: {keep: restore}");
}

void fuse_rule_eesave_elsewhere(struct fuse_case *looking)
{
    struct part_bit eesave = looking->part->eesave;
    enum profile_eeprom policy = looking->profile->eeprom_policy;

    if (policy == PROFILE_EEPROM_RESTORE && fuse_case_unprogrammed(looking, eesave))
        fuse_case_report(looking, eesave.memory, NULL,
                         "EESAVE is off: this station puts the EEPROM back after an erase, other "
                         "programmers lose it; with EESAVE on none does");
    if (policy == PROFILE_EEPROM_ERASE && fuse_case_programmed(looking, eesave))
        fuse_case_report(looking, eesave.memory, NULL,
                         "EESAVE is on: this station makes the EEPROM blank all the same, but "
                         "what boards store later outlives the erase of other programmers; with "
                         "EESAVE off it does not");
}

/* ---- lock bits ---- */

/* LB: 3 locks nothing, 2 writing, 0 reading, too; 1 is no datasheet's ("Program And Data Memory
 * Lock Bits"), and counts as the worst. */
#define LB_LOCKS_NOTHING 3
#define LB_LOCKS_WRITING 2
#define LB_IS_NO_MODE 1

static void check_compared(struct fuse_case *looking)
{
    bool passes = looking->profile->if_already == PROFILE_IF_ALREADY_PASS;

    if (looking->profile->if_already == PROFILE_IF_ALREADY_REDO)
        return;
    fuse_case_report(looking, PART_LOCK, NULL,
                     "LB hides the memories, but if_already: %s compares them, so a board that is "
                     "done would be done again: expected LB NO_LOCK or PROG_DISABLED, or "
                     "if_already: redo",
                     passes ? "pass" : "refuse");
}

static void check_kept(struct fuse_case *looking)
{
    const struct part *part = looking->part;

    if (part->eeprom.size == 0 || !profile_keeps_eeprom(looking->profile) ||
        (part->eesave.mask != 0 && !fuse_case_unprogrammed(looking, part->eesave)))
        return;
    fuse_case_report(looking, PART_MEMORY_COUNT, &looking->profile->eeprom_position,
                     "LB hides the EEPROM, which is to be kept and which the next erase clears: "
                     "the board could never be done again; expected LB NO_LOCK or "
                     "PROG_DISABLED%s",
                     part->eesave.mask != 0 ? ", or EESAVE on" : "");
}

/* Within one attempt nothing follows the lock byte; these are the next ones, and the debugger. */
void fuse_rule_lock_forbids(struct fuse_case *looking)
{
    enum part_memory memory;
    uint8_t mode;

    if (fuse_case_field(looking, "LB", &memory, &mode) == NULL || mode == LB_LOCKS_NOTHING)
        return;
    if (mode < LB_LOCKS_WRITING) {
        check_compared(looking);
        check_kept(looking);
    }
    if (fuse_case_programmed(looking, looking->part->dwen))
        fuse_case_report(looking, PART_LOCK, NULL,
                         "DWEN is on, but debugWIRE works only where nothing is locked: expected "
                         "LB NO_LOCK, or DWEN off");
}

void fuse_rule_lock_mode(struct fuse_case *looking)
{
    enum part_memory memory;
    uint8_t mode;

    if (fuse_case_field(looking, "LB", &memory, &mode) != NULL && mode == LB_IS_NO_MODE)
        fuse_case_report(looking, PART_LOCK, NULL,
                         "LB is 01, which is none of the datasheet's modes: expected "
                         "PROG_VER_DISABLED (00), PROG_DISABLED (10) or NO_LOCK (11)");
}

/* ---- bits of the maker ---- */

/* AT90CAN32/64/128 (7679, "Fuse Extended Byte"): reserved for factory tests. */
void fuse_rule_test_bit(struct fuse_case *looking)
{
    enum part_memory memory;
    uint8_t code = 1;

    if (fuse_case_field(looking, "TA0SEL", &memory, &code) != NULL && code == 0)
        fuse_case_report(looking, memory, NULL, "TA0SEL is on; give TA0SEL off");
}

/* ---- bits that make a part another ---- */

/* A byte that is left as found is taken as the factory programs it. */
static void check_compatibility(struct fuse_case *looking, const struct part_field *field,
                                enum part_memory memory)
{
    size_t index = memory - PART_FIRST_FUSE;
    const struct profile_byte_rule *rule = &looking->profile->rules[index];
    int factory = looking->part->bytes[index].factory_default;
    char meaning[FUSE_WORDS_MEANING_BYTES];

    fuse_words_meaning(field, 0, meaning);
    if (looking->known[index] && fuse_words_code(field, looking->bytes[index]) == 0)
        fuse_case_report(looking, memory, NULL, "%s is on: the part %s; give %s off", field->name,
                         meaning, field->name);
    if (rule->leave && factory >= 0 && fuse_words_code(field, (uint8_t)factory) == 0)
        fuse_case_report(looking, PART_MEMORY_COUNT, &rule->position,
                         "%s is left as found, and on from the factory: the part %s; give %s off",
                         field->name, meaning, field->name);
}

void fuse_rule_compatibility(struct fuse_case *looking)
{
    static const char *const names[] = {"M103C", "M161C", "S8515C", "S8535C"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        enum part_memory memory;
        const struct part_field *field = fuse_words_find(looking->part, names[i], &memory);

        if (field != NULL)
            check_compatibility(looking, field, memory);
    }
}

/* ---- bits that are not there ---- */

void fuse_rule_missing_bits(struct fuse_case *looking)
{
    for (enum part_memory memory = PART_FIRST_FUSE; memory <= PART_LOCK; memory++) {
        const struct part_byte *byte = part_byte(looking->part, memory);
        uint8_t value = looking->bytes[memory - PART_FIRST_FUSE];

        if (byte == NULL || !looking->known[memory - PART_FIRST_FUSE] ||
            (uint8_t)(value | byte->mask) == 0xFF)
            continue;
        fuse_case_report(looking, memory, NULL,
                         "0x%02X gives 0 for the bits 0x%02X, which %s of %s does not have: "
                         "expected 0x%02X, which is what is written",
                         value, (uint8_t) ~(value | byte->mask), byte->name, looking->part->name,
                         (uint8_t)(value | ~byte->mask));
    }
}

/* ---- the signature ---- */

void fuse_rule_shared_signature(struct fuse_case *looking)
{
    const struct part *part = looking->part;
    char others[120];

    if (!part_signatures_others(part->signature, part->name, others, sizeof others))
        return;
    fuse_case_report(looking, PART_MEMORY_COUNT, NULL,
                     "%02X %02X %02X is also the signature of %s: the station cannot tell them "
                     "from %s, so look at what is printed on the parts",
                     part->signature[0], part->signature[1], part->signature[2], others,
                     part->name);
}
