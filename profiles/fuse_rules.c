#include "profiles/fuse_rules.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/document.h"
#include "profiles/fuse_rules_case.h"
#include "profiles/fuse_words.h"

static void look_for_unused_risks(struct fuse_case *looking);

/* ---- the rules ---- */

static const struct fuse_rule rules[] = {
    {"spien", FUSE_RULE_REFUSES, false,
     "Without SPIEN serial programming is off, and this station could never reach the board again.",
     fuse_rule_spien},
    {"rstdisbl", FUSE_RULE_REFUSES, true,
     "RSTDISBL takes the reset pin away, and this station could never reach the board again.",
     fuse_rule_rstdisbl},
    {"dwen", FUSE_RULE_REFUSES, true,
     "With DWEN debugWIRE takes the reset pin, and this station could never reach the board again.",
     fuse_rule_dwen},
    {"bootrst-without-bootloader", FUSE_RULE_REFUSES, true,
     "With BOOTRST a part starts in the boot section, so without a bootloader it runs nothing.",
     fuse_rule_bootrst_without_bootloader},
    {"bootloader-not-at-section", FUSE_RULE_REFUSES, true,
     "A bootloader is entered where its section starts, and SPM works in that section alone.",
     fuse_rule_bootloader_not_at_section},
    {"application-in-boot-section", FUSE_RULE_REFUSES, true,
     "An application that reaches into the boot section cannot be replaced by the bootloader.",
     fuse_rule_application_in_boot_section},
    {"lock-hides", FUSE_RULE_REFUSES, true,
     "BLB0 and BLB1 keep one section of the flash from the other, also where that is needed.",
     fuse_rule_lock_hides},
    {"selfprgen", FUSE_RULE_REFUSES, true,
     "Without SELFPRGEN no program writes the flash, so a bootloader could load nothing.",
     fuse_rule_selfprgen},
    {"eesave", FUSE_RULE_REFUSES, true,
     "Without EESAVE a chip erase clears the EEPROM, and a board that was in use would be refused.",
     fuse_rule_eesave},
    {"lock-forbids", FUSE_RULE_REFUSES, true,
     "Locked memories can be neither compared nor kept the next time, nor a locked part debugged.",
     fuse_rule_lock_forbids},
    {"lock-mode", FUSE_RULE_REFUSES, true,
     "What a part locks in a mode that its datasheet does not have, nobody says.",
     fuse_rule_lock_mode},
    {"test-bit", FUSE_RULE_REFUSES, true,
     "A bit that the datasheet keeps for factory tests does to a part what nobody says.",
     fuse_rule_test_bit},
    {"bootloader-unreached", FUSE_RULE_WARNS, false,
     "A bootloader that no reset starts cannot help a board whose application is broken.",
     fuse_rule_bootloader_unreached},
    {"eesave-elsewhere", FUSE_RULE_WARNS, false,
     "Where EESAVE says otherwise, it is this station alone that makes the EEPROM what the profile "
     "asks.",
     fuse_rule_eesave_elsewhere},
    {"compatibility", FUSE_RULE_WARNS, false,
     "Firmware made for a part fails, its stack first, where a fuse makes that an older part.",
     fuse_rule_compatibility},
    {"missing-bits", FUSE_RULE_WARNS, false,
     "Bits that a part does not have read back as 1, so a 0 there is a slip or another part's "
     "value.",
     fuse_rule_missing_bits},
    {"shared-signature", FUSE_RULE_WARNS, false,
     "A station knows a part by its signature, and some parts have one in common.",
     fuse_rule_shared_signature},
    {"clock-source", FUSE_RULE_REFUSES, true,
     "Without its clock a part neither runs nor takes programming, and on another firmware fails.",
     fuse_rule_clock_source},
    {"clock-frequency", FUSE_RULE_REFUSES, true,
     "Outside of its range an oscillator may not run, and at another frequency firmware fails.",
     fuse_rule_clock_frequency},
    {"clock-divided", FUSE_RULE_WARNS, false,
     "With CKDIV8 a part starts at an eighth of its clock, and firmware that does not know is "
     "slow.",
     fuse_rule_clock_divided},
    {"clock-slow", FUSE_RULE_WARNS, false,
     "Below 1 MHz a board is slow to program, and one wrong digit of the clock fuses makes it so.",
     fuse_rule_clock_slow},
    {"clock-differs", FUSE_RULE_WARNS, false,
     "Where an accepted value gives another clock, boards of one lot run at different speeds.",
     fuse_rule_clock_differs},
    {"brown-out", FUSE_RULE_REFUSES, true,
     "A brown-out level that the supply does not exceed holds the part in reset.",
     fuse_rule_brown_out},
    {"supply-not-said", FUSE_RULE_WARNS, false,
     "A brown-out level is judged by the supply alone, and nobody says what that is.",
     fuse_rule_supply_not_said},
    {"jtag-pins", FUSE_RULE_WARNS, false,
     "While JTAG is on, its pins are its own and do nothing for the firmware.",
     fuse_rule_jtag_pins},
    {"watchdog", FUSE_RULE_WARNS, false,
     "With WDTON nothing turns the watchdog off, and firmware that does not know is reset.",
     fuse_rule_watchdog},
    {"ocd", FUSE_RULE_WARNS, false,
     "With OCDEN the clock runs on in sleep, and the debug interface is open.", fuse_rule_ocd},
    {"hwbe", FUSE_RULE_WARNS, false,
     "With HWBE a low pin HWB at a reset's end starts the boot section, whatever BOOTRST says.",
     fuse_rule_hwbe},
    /* The last: it looks at what the others found. */
    {"unused-risk", FUSE_RULE_WARNS, false,
     "A risk that the profile accepts but does not run would hide a mistake made later.",
     look_for_unused_risks},
};

#define RULE_COUNT (sizeof(rules) / sizeof(rules[0]))

const struct fuse_rule *fuse_rules_table(size_t *count)
{
    *count = RULE_COUNT;
    return rules;
}

const struct fuse_rule *fuse_rules_find(const char *name)
{
    for (size_t i = 0; i < RULE_COUNT; i++)
        if (strcmp(rules[i].name, name) == 0)
            return &rules[i];
    return NULL;
}

const char *fuse_rules_nearest(const char *name)
{
    const char *names[RULE_COUNT + 1] = {NULL};

    for (size_t i = 0; i < RULE_COUNT; i++)
        names[i] = rules[i].name;
    return document_nearest(name, names);
}

/* ---- what rules ask ---- */

static bool is_known(const struct fuse_case *looking, enum part_memory memory)
{
    return part_is_fuse_or_lock(memory) && looking->known[memory - PART_FIRST_FUSE];
}

bool fuse_case_programmed(const struct fuse_case *looking, struct part_bit bit)
{
    return bit.mask != 0 && is_known(looking, bit.memory) &&
           part_bit_programmed(bit, looking->bytes[bit.memory - PART_FIRST_FUSE]);
}

bool fuse_case_unprogrammed(const struct fuse_case *looking, struct part_bit bit)
{
    return bit.mask != 0 && is_known(looking, bit.memory) &&
           !part_bit_programmed(bit, looking->bytes[bit.memory - PART_FIRST_FUSE]);
}

const struct part_field *fuse_case_field(const struct fuse_case *looking, const char *name,
                                         enum part_memory *memory, uint8_t *code)
{
    const struct part_field *field = fuse_words_find(looking->part, name, memory);

    if (!field || !is_known(looking, *memory))
        return NULL;
    *code = fuse_words_code(field, looking->bytes[*memory - PART_FIRST_FUSE]);
    return field;
}

/* ---- what rules say ---- */

static bool was_said(const struct fuse_findings *findings, const struct fuse_finding *finding)
{
    for (size_t i = 0; i < findings->count; i++) {
        const struct fuse_finding *other = &findings->list[i];

        if (other->rule == finding->rule && other->memory == finding->memory &&
            (finding->memory != PART_MEMORY_COUNT ? other->value == finding->value
                                                  : strcmp(other->detail, finding->detail) == 0))
            return true;
    }
    return false;
}

/* The byte as it stands in the profile: what is written, or one of what is accepted. */
static void locate(const struct fuse_case *looking, struct fuse_finding *finding)
{
    int index = (int)finding->memory - (int)PART_FIRST_FUSE;
    const struct profile_byte_rule *byte = &looking->profile->rules[index];
    int accepted = looking->accepted[index];

    finding->value = looking->bytes[index];
    finding->is_accepted_value = accepted >= 0;
    finding->position = accepted >= 0 ? byte->accept_positions[accepted] : byte->position;
}

static void add(struct fuse_case *looking, const struct fuse_finding *finding)
{
    struct fuse_findings *findings = looking->findings;
    struct fuse_finding *list;

    if (was_said(findings, finding))
        return;
    list = realloc(findings->list, (findings->count + 1) * sizeof(*list));
    if (!list) {
        looking->out_of_memory = true;
        return;
    }
    findings->list = list;
    list[findings->count++] = *finding;
}

void fuse_case_report(struct fuse_case *looking, enum part_memory memory,
                      const struct profile_position *position, const char *format, ...)
{
    struct fuse_finding finding = {.rule = looking->rule, .memory = memory, .position = {1, 1}};
    va_list arguments;

    finding.risk = profile_find_risk(looking->profile, looking->rule->name);
    if (position)
        finding.position = *position;
    if (part_is_fuse_or_lock(memory))
        locate(looking, &finding);
    va_start(arguments, format);
    vsnprintf(finding.detail, sizeof(finding.detail), format, arguments);
    va_end(arguments);
    add(looking, &finding);
}

static bool is_used(const struct profile_risk *risk, const struct fuse_findings *findings)
{
    for (size_t i = 0; i < findings->count; i++)
        if (findings->list[i].risk == risk)
            return true;
    return false;
}

/* Whether the brown-out level breaks its rule depends on the supply; without one, it may. */
static void look_for_unused_risks(struct fuse_case *looking)
{
    for (size_t i = 0; i < looking->profile->risk_count; i++) {
        const struct profile_risk *risk = &looking->profile->risks[i];

        if (is_used(risk, looking->findings) ||
            (looking->supply_mv == 0 && strcmp(risk->rule, "brown-out") == 0))
            continue;
        fuse_case_report(looking, PART_MEMORY_COUNT, &risk->position,
                         "nothing in the profile breaks the rule %s; remove it from accept_risk",
                         risk->rule);
    }
}

/* ---- every case ---- */

/* The byte as the case with this number has it; numbers count through written, then accepted. */
static void set_byte(struct fuse_case *looking, size_t index, size_t choice)
{
    const struct profile_byte_rule *byte = &looking->profile->rules[index];

    looking->known[index] = byte->exists && !byte->leave;
    looking->accepted[index] = (int)choice - 1;
    looking->bytes[index] = choice == 0 ? byte->write : byte->accept[choice - 1];
}

static void look_at_case(struct fuse_case *looking, size_t number)
{
    for (size_t i = 0; i < PART_FUSE_AND_LOCK_COUNT; i++) {
        size_t choices = looking->profile->rules[i].accept_count + 1;

        set_byte(looking, i, number % choices);
        number /= choices;
    }
    for (size_t i = 0; i < RULE_COUNT - 1; i++) {
        looking->rule = &rules[i];
        looking->rule->look(looking);
    }
}

static size_t count_cases(const struct profile *profile)
{
    size_t count = 1;

    for (size_t i = 0; i < PART_FUSE_AND_LOCK_COUNT; i++)
        count *= profile->rules[i].accept_count + 1;
    return count;
}

/* Refusals before warnings, each as the rules stand; stable. */
static void sort(struct fuse_findings *findings)
{
    size_t refusals = 0;

    for (size_t i = 0; i < findings->count; i++) {
        struct fuse_finding finding = findings->list[i];

        if (finding.rule->severity != FUSE_RULE_REFUSES)
            continue;
        memmove(findings->list + refusals + 1, findings->list + refusals,
                (i - refusals) * sizeof(*findings->list));
        findings->list[refusals++] = finding;
    }
}

int fuse_rules_apply(const struct profile *profile, int64_t site_supply_mv,
                     struct fuse_findings *findings, struct failure *failure)
{
    struct fuse_case looking = {.profile = profile,
                                .part = profile->part,
                                .supply_mv =
                                    profile->supply_mv != 0 ? profile->supply_mv : site_supply_mv,
                                .findings = findings};
    size_t cases = count_cases(profile);

    *findings = (struct fuse_findings){0};
    for (size_t i = 0; i < cases; i++)
        look_at_case(&looking, i);
    looking.rule = &rules[RULE_COUNT - 1];
    looking.rule->look(&looking);
    sort(findings);
    if (looking.out_of_memory)
        return failure_set(failure, FAILURE_OUT_OF_MEMORY, "%s: the rules' findings",
                           profile->path);
    return 0;
}

void fuse_findings_free(struct fuse_findings *findings)
{
    free(findings->list);
    *findings = (struct fuse_findings){0};
}

int fuse_rules_drop_unused_risks(struct profile *profile, int64_t site_supply_mv,
                                 struct failure *failure)
{
    bool used[PROFILE_RISKS_MAX];
    struct fuse_findings findings;
    int result = fuse_rules_apply(profile, site_supply_mv, &findings, failure);
    size_t kept = 0;

    /* First all, since findings point to the risks. */
    for (size_t i = 0; i < profile->risk_count; i++)
        used[i] = is_used(&profile->risks[i], &findings);
    for (size_t i = 0; i < profile->risk_count && result == 0; i++)
        if (used[i])
            profile->risks[kept++] = profile->risks[i];
    if (result == 0)
        profile->risk_count = kept;
    fuse_findings_free(&findings);
    return result;
}

/* ---- the judgement ---- */

bool fuse_finding_refuses(const struct fuse_finding *finding)
{
    return finding->rule->severity == FUSE_RULE_REFUSES && !finding->risk;
}

static int refuse(const struct profile *profile, const struct fuse_finding *finding, size_t others,
                  struct failure *failure)
{
    char byte[64] = "", more[64] = "";

    if (part_is_fuse_or_lock(finding->memory))
        snprintf(byte, sizeof(byte),
                 "%s 0x%02X%s: ", part_memory_name(profile->part, finding->memory), finding->value,
                 finding->is_accepted_value ? " (accepted as found)" : "");
    if (others > 0)
        snprintf(more, sizeof(more), " (and %zu more: gangflash check shows all)", others);
    return failure_set(failure, FAILURE_RULE_REFUSED, "%s:%d:%d: rule %s: %s%s. %s%s",
                       profile->path, finding->position.line, finding->position.column,
                       finding->rule->name, byte, finding->detail, finding->rule->reason, more);
}

int fuse_findings_judge(const struct profile *profile, const struct fuse_findings *findings,
                        struct failure *failure)
{
    const struct fuse_finding *first = NULL;
    size_t others = 0;

    for (size_t i = 0; i < findings->count; i++) {
        if (!fuse_finding_refuses(&findings->list[i]))
            continue;
        if (first)
            others++;
        else
            first = &findings->list[i];
    }
    return first ? refuse(profile, first, others, failure) : 0;
}

int fuse_rules_judge(const struct profile *profile, int64_t site_supply_mv, struct failure *failure)
{
    struct fuse_findings findings = {0};
    int result = fuse_rules_apply(profile, site_supply_mv, &findings, failure);

    if (result == 0)
        result = fuse_findings_judge(profile, &findings, failure);
    fuse_findings_free(&findings);
    return result;
}
