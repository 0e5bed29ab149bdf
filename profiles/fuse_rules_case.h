/* Between the files of the rules: fuse_rules.c, fuse_rules_*.c. Private.
 *
 * To add a rule: a function here, a row in the table of fuse_rules.c, a test for what it finds and
 * one for what it does not, and its paragraph in the manual. */
#ifndef PROFILES_FUSE_RULES_CASE_H
#define PROFILES_FUSE_RULES_CASE_H

#include "profiles/fuse_rules.h"

/* What a rule looks at: the profile, and one combination of bytes with which a board may pass. */
struct fuse_case {
    const struct profile *profile;
    const struct part *part;
    int64_t supply_mv; /* 0: not known */
    /* Index: memory - PART_FIRST_FUSE. Not known: the part has none, or it is left as found. */
    bool known[PART_FUSE_AND_LOCK_COUNT];
    uint8_t bytes[PART_FUSE_AND_LOCK_COUNT];
    /* For fuse_case_report() alone. */
    int accepted[PART_FUSE_AND_LOCK_COUNT]; /* which of `accept`; -1: what is written */
    const struct fuse_rule *rule;
    struct fuse_findings *findings;
    bool out_of_memory;
};

/* The rule has something against this case. It is about the byte `memory`, as it stands in the
 * profile, or with PART_MEMORY_COUNT about `position` (NULL: the profile as a whole). What was said
 * of the same byte and value before, or in the same words of the same place, is not said twice. */
void fuse_case_report(struct fuse_case *looking, enum part_memory memory,
                      const struct profile_position *position, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Is the byte known, and has it the bit programmed (0)? False where the part has no such bit. */
bool fuse_case_programmed(const struct fuse_case *looking, struct part_bit bit);
/* Is it known, and is the bit not programmed (1)? */
bool fuse_case_unprogrammed(const struct fuse_case *looking, struct part_bit bit);
/* The field of that name with its code in this case; NULL where the part has none, or its byte is
 * not known. */
const struct part_field *fuse_case_field(const struct fuse_case *looking, const char *name,
                                         enum part_memory *memory, uint8_t *code);

/* fuse_rules_doors.c */
void fuse_rule_spien(struct fuse_case *looking);
void fuse_rule_rstdisbl(struct fuse_case *looking);
void fuse_rule_dwen(struct fuse_case *looking);

/* fuse_rules_boot.c */
void fuse_rule_bootrst_without_bootloader(struct fuse_case *looking);
void fuse_rule_bootloader_not_at_section(struct fuse_case *looking);
void fuse_rule_application_in_boot_section(struct fuse_case *looking);
void fuse_rule_bootloader_unreached(struct fuse_case *looking);
void fuse_rule_lock_hides(struct fuse_case *looking);
void fuse_rule_selfprgen(struct fuse_case *looking);

/* fuse_rules_memory.c */
void fuse_rule_eesave(struct fuse_case *looking);
void fuse_rule_eesave_elsewhere(struct fuse_case *looking);
void fuse_rule_lock_forbids(struct fuse_case *looking);
void fuse_rule_lock_mode(struct fuse_case *looking);
void fuse_rule_test_bit(struct fuse_case *looking);
void fuse_rule_compatibility(struct fuse_case *looking);
void fuse_rule_missing_bits(struct fuse_case *looking);
void fuse_rule_shared_signature(struct fuse_case *looking);

/* fuse_rules_clock.c */
void fuse_rule_clock_source(struct fuse_case *looking);
void fuse_rule_clock_frequency(struct fuse_case *looking);
void fuse_rule_clock_divided(struct fuse_case *looking);
void fuse_rule_clock_slow(struct fuse_case *looking);
void fuse_rule_clock_differs(struct fuse_case *looking);

/* fuse_rules_board.c */
void fuse_rule_brown_out(struct fuse_case *looking);
void fuse_rule_supply_not_said(struct fuse_case *looking);
void fuse_rule_jtag_pins(struct fuse_case *looking);
void fuse_rule_watchdog(struct fuse_case *looking);
void fuse_rule_ocd(struct fuse_case *looking);
void fuse_rule_hwbe(struct fuse_case *looking);

#endif
