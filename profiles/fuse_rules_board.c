/* The fuses against what surrounds the part: its supply, and who uses its pins. */
#include <stdio.h>
#include <string.h>

#include "profiles/fuse_rules_case.h"
#include "profiles/fuse_words.h"

/* ---- brown-out ---- */

/* Part files have the typical levels; a reset is certain only below the lowest that the datasheet
 * allows, and possible up to the highest: 0.2 V above the typical one (ATmega48/88/168, 2545, and
 * ATmega16U4/32U4, 7766, "BODLEVEL Fuse Coding"), of the older parts, which have BODEN, 0.5 V
 * (ATmega16, 2466, "Reset Characteristics": 2.7 V, at most 3.2 V). A supply counts as it is said.
 */
#define SPREAD_MV 200
#define SPREAD_OF_OLD_MV 500

static bool has_field(const struct part *part, const char *name)
{
    enum part_memory memory;

    return fuse_words_find(part, name, &memory) != NULL;
}

static bool field_is(const struct fuse_case *looking, const char *name, uint8_t wanted)
{
    enum part_memory memory;
    uint8_t code = 0;

    return fuse_case_field(looking, name, &memory, &code) && code == wanted;
}

/* ATtiny441/841/828/1634: a mode while they run, and one while they sleep. */
#define BOD_MODE_DISABLED 3

/* May the detector be on? Where BODLEVEL alone tells: it is; where its mode is left as found: it
 * may.
 */
static bool detector_is_on(const struct fuse_case *looking)
{
    if (has_field(looking->part, "BODEN"))
        return field_is(looking, "BODEN", 0);
    if (!has_field(looking->part, "BODACT"))
        return true;
    return !field_is(looking, "BODACT", BOD_MODE_DISABLED) ||
           !field_is(looking, "BODPD", BOD_MODE_DISABLED);
}

/* "4V3", typically. 0: it is off, or no level. */
static int level_mv(const char *name)
{
    int volts = 0, tenths = 0;

    if (sscanf(name, "%1dV%1d", &volts, &tenths) != 2)
        return 0;
    return volts * 1000 + tenths * 100;
}

static const char *name_of(const struct part_field *field, uint8_t code)
{
    for (size_t i = 0; i < field->value_count; i++)
        if (field->values[i].code == code)
            return field->values[i].name;
    return NULL;
}

/* What the case makes of the detector. */
struct level {
    enum part_memory memory;
    const char *name; /* NULL: the datasheet does not have the value */
    int typical_mv;   /* 0: off, or not known */
    int highest_mv;
    bool is_surely_on;
};

/* False where the detector is off, or nothing is known of its level. */
static bool read_level(const struct fuse_case *looking, struct level *level)
{
    int spread_mv = has_field(looking->part, "BODEN") ? SPREAD_OF_OLD_MV : SPREAD_MV;
    enum part_memory mode;
    uint8_t code = 0;
    const struct part_field *field = fuse_case_field(looking, "BODLEVEL", &level->memory, &code);

    if (!field || field->value_count == 0 || !detector_is_on(looking))
        return false;
    level->name = name_of(field, code);
    level->typical_mv = level->name ? level_mv(level->name) : 0;
    level->highest_mv = level->typical_mv + spread_mv;
    level->is_surely_on = !has_field(looking->part, "BODACT") ||
                          fuse_case_field(looking, "BODACT", &mode, &code) != NULL;
    return true;
}

/* "BODLEVEL 2.7 V or lower, or BODEN off": the highest level that the supply exceeds for sure. */
static void suggest_level(const struct fuse_case *looking, const struct level *level, char *text,
                          size_t text_bytes)
{
    const char *off = has_field(looking->part, "BODEN")    ? "BODEN off"
                      : has_field(looking->part, "BODACT") ? "BODACT and BODPD BOD_DISABLED"
                                                           : "BODLEVEL off";
    enum part_memory memory;
    const struct part_field *field = fuse_words_find(looking->part, "BODLEVEL", &memory);
    int spread_mv = level->highest_mv - level->typical_mv, best_mv = 0;

    for (size_t i = 0; i < field->value_count; i++) {
        int mv = level_mv(field->values[i].name);

        if (mv > best_mv && looking->supply_mv != 0 && mv + spread_mv < looking->supply_mv)
            best_mv = mv;
    }
    if (best_mv > 0)
        snprintf(text, text_bytes, "BODLEVEL %.1f V or lower, or %s", (double)best_mv / 1000, off);
    else
        snprintf(text, text_bytes, "%s%s", looking->supply_mv == 0 ? "another BODLEVEL, or " : "",
                 off);
}

/* ATtiny441/841/828/1634 leave the factory with the detector off and no level chosen: that is none
 * to be refused unless the detector is known to be on. */
void fuse_rule_brown_out(struct fuse_case *looking)
{
    struct level level;
    char advice[80];

    if (!read_level(looking, &level))
        return;
    suggest_level(looking, &level, advice, sizeof(advice));
    if (!level.name && level.is_surely_on)
        fuse_case_report(looking, level.memory, NULL,
                         "BODLEVEL is a value that the datasheet does not have, so it may be a "
                         "level above any supply: give %s",
                         advice);
    else if (level.typical_mv != 0 && looking->supply_mv != 0 &&
             level.highest_mv >= looking->supply_mv)
        fuse_case_report(looking, level.memory, NULL,
                         "BODLEVEL is typically %g V and may be %g V, but the supply is %g V: "
                         "give %s, or correct the supply",
                         (double)level.typical_mv / 1000, (double)level.highest_mv / 1000,
                         (double)looking->supply_mv / 1000, advice);
}

/* From here on a board that runs at 3.3 V, or at 3 V, may be one that the level stops. */
#define DOUBTFUL_LEVEL_MV 2700

void fuse_rule_supply_not_said(struct fuse_case *looking)
{
    struct level level;

    if (looking->supply_mv == 0 && read_level(looking, &level) &&
        level.typical_mv >= DOUBTFUL_LEVEL_MV)
        fuse_case_report(looking, level.memory, NULL,
                         "BODLEVEL is typically %g V and may be %g V, but neither the profile nor "
                         "the site says the supply: give it, as in board: {supply: 5 V}",
                         (double)level.typical_mv / 1000, (double)level.highest_mv / 1000);
}

/* ---- pins and habits ---- */

void fuse_rule_jtag_pins(struct fuse_case *looking)
{
    struct part_bit jtagen = looking->part->jtagen;

    if (looking->profile->uses_jtag_pins && fuse_case_programmed(looking, jtagen))
        fuse_case_report(looking, jtagen.memory, NULL,
                         "JTAGEN is on, but the board uses the pins of JTAG: give JTAGEN off, or "
                         "see that the firmware turns JTAG off");
}

static void warn_when_on(struct fuse_case *looking, const char *name, const char *advice)
{
    enum part_memory memory;
    uint8_t code = 0;

    if (fuse_case_field(looking, name, &memory, &code) && code == 0)
        fuse_case_report(looking, memory, NULL, "%s is on; %s", name, advice);
}

void fuse_rule_watchdog(struct fuse_case *looking)
{
    warn_when_on(looking, "WDTON",
                 "see that the firmware resets the watchdog from its first moment on, a "
                 "bootloader's, too");
}

void fuse_rule_ocd(struct fuse_case *looking)
{
    warn_when_on(looking, "OCDEN", "give OCDEN off unless the board is to be debugged");
}

/* Is something there for the part to start with at the section that BOOTSZ selects? Where BOOTSZ is
 * not known, there may be. */
static bool has_bootloader(const struct fuse_case *looking)
{
    const struct part *part = looking->part;
    const struct image *flash = looking->profile->flash;
    enum part_memory memory;
    uint8_t code = 0;

    if (!fuse_case_field(looking, "BOOTSZ", &memory, &code))
        return true;
    for (int i = 0; i < part->boot_section_count; i++) {
        const struct part_boot_section *section = &part->boot_sections[i];

        if (section->bootsz_value == code && section->start_byte_address < flash->size)
            return flash->present[section->start_byte_address] != 0;
    }
    return false;
}

/* With HWBE a part starts its bootloader when the pin HWB is low as the reset ends, whatever
 * BOOTRST says (ATmega16U4/32U4, 7766, "Hardware conditions"). That is what boards with a DFU
 * bootloader are made for; it is told where there is none, or where the pin has other work. With
 * BOOTRST on it changes nothing. */
void fuse_rule_hwbe(struct fuse_case *looking)
{
    enum part_memory memory;
    uint8_t code = 0;

    if (!fuse_case_field(looking, "HWBE", &memory, &code) || code != 0 ||
        fuse_case_programmed(looking, looking->part->bootrst))
        return;
    if (looking->profile->uses_hwb_pin)
        fuse_case_report(looking, memory, NULL,
                         "HWBE is on, but the board uses the pin HWB: low at a reset, it starts "
                         "the bootloader");
    else if (!has_bootloader(looking))
        fuse_case_report(looking, memory, NULL,
                         "HWBE is on, but no image has a bootloader at the section that BOOTSZ "
                         "selects: give HWBE off, or the bootloader");
}
