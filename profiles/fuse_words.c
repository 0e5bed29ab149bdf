#include "profiles/fuse_words.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "profiles/clock_words.h"
#include "profiles/document.h"

#define CHOICES_MAX 256

const struct part_field *fuse_words_find(const struct part *part, const char *name,
                                         enum part_memory *memory)
{
    for (enum part_memory at = PART_FIRST_FUSE; at <= PART_LOCK; at++) {
        const struct part_byte *byte = part_byte(part, at);

        for (size_t i = 0; byte != NULL && i < byte->field_count; i++)
            if (strcasecmp(byte->fields[i].name, name) == 0) {
                *memory = at;
                return &byte->fields[i];
            }
    }
    return NULL;
}

const struct part_field *fuse_words_find_joined(const struct part *part, const char *name)
{
    size_t length = strlen(name);

    for (enum part_memory at = PART_FIRST_FUSE; at <= PART_LOCK; at++) {
        const struct part_byte *byte = part_byte(part, at);

        for (size_t i = 0; byte != NULL && i < byte->field_count; i++) {
            const char *joined = byte->fields[i].name, *word = joined;

            while (word != NULL && (strncasecmp(word, name, length) != 0 ||
                                    (word[length] != '_' && word[length] != '\0'))) {
                word = strchr(word, '_');
                word = word != NULL ? word + 1 : NULL;
            }
            if (word != NULL && length < strlen(joined))
                return &byte->fields[i];
        }
    }
    return NULL;
}

const char *fuse_words_our_name(const char *name)
{
    static const struct {
        const char *name, *ours;
    } foreign[] = {
        {"lfuse", "low"},      {"hfuse", "high"},        {"efuse", "extended"},
        {"low_fuses", "low"},  {"high_fuses", "high"},   {"extended_fuses", "extended"},
        {"low_fuse", "low"},   {"high_fuse", "high"},    {"extended_fuse", "extended"},
        {"ext", "extended"},   {"ext_fuse", "extended"}, {"lockfuse", "lock"},
        {"lockbits", "lock"},  {"lock_bits", "lock"},    {"lock_fuse", "lock"},
        {"lock_byte", "lock"},
    };

    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
        if (strcasecmp(name, foreign[i].name) == 0)
            return foreign[i].ours;
    return NULL;
}

/* ---- codes ---- */

static uint8_t lowest_bit(const struct part_field *field)
{
    return (uint8_t)(field->mask & -field->mask);
}

uint8_t fuse_words_code(const struct part_field *field, uint8_t byte)
{
    return (uint8_t)((byte & field->mask) / lowest_bit(field));
}

uint8_t fuse_words_with(const struct part_field *field, uint8_t byte, uint8_t code)
{
    return (uint8_t)((byte & ~field->mask) | ((code * lowest_bit(field)) & field->mask));
}

unsigned fuse_words_code_count(const struct part_field *field)
{
    return field->mask / lowest_bit(field) + 1U;
}

static bool is_bit(const struct part_field *field)
{
    return field->value_count == 0 && field->mask == lowest_bit(field);
}

/* The part file's name of a code; NULL where it has none. */
static const char *name_of(const struct part_field *field, uint8_t code)
{
    for (size_t i = 0; i < field->value_count; i++)
        if (field->values[i].code == code)
            return field->values[i].name;
    return NULL;
}

bool fuse_words_is_documented(const struct part_field *field, uint8_t code)
{
    return is_bit(field) || name_of(field, code) != NULL;
}

/* ---- what choices are called ---- */

/* "2048W_3800": words, and the word address where they begin. */
static bool read_boot_section(const char *name, unsigned *words, unsigned *start)
{
    int used = 0;

    return sscanf(name, "%5uW_%5x%n", words, start, &used) == 2 && name[used] == '\0';
}

/* "2V7" */
static bool read_volts(const char *name, unsigned *volts, unsigned *tenths)
{
    int used = 0;

    return sscanf(name, "%1uV%1u%n", volts, tenths, &used) == 2 && name[used] == '\0';
}

void fuse_words_choice(const struct part_field *field, uint8_t code,
                       char text[FUSE_WORDS_CHOICE_BYTES])
{
    const char *name = name_of(field, code);
    unsigned first = 0, second = 0;

    if (is_bit(field))
        snprintf(text, FUSE_WORDS_CHOICE_BYTES, "%s", code == 0 ? "on" : "off");
    else if (name == NULL)
        snprintf(text, FUSE_WORDS_CHOICE_BYTES, "code 0x%02X", code);
    else if (read_boot_section(name, &first, &second))
        snprintf(text, FUSE_WORDS_CHOICE_BYTES, "%u words", first);
    else if (read_volts(name, &first, &second))
        snprintf(text, FUSE_WORDS_CHOICE_BYTES, "%u.%u V", first, second);
    else if (strcmp(name, "DISABLED") == 0)
        snprintf(text, FUSE_WORDS_CHOICE_BYTES, "off");
    else
        snprintf(text, FUSE_WORDS_CHOICE_BYTES, "%s", name);
}

/* Two codes of a field may be called alike: the first one is meant then. */
static bool is_called(const struct part_field *field, uint8_t code, const char *text)
{
    const char *name = name_of(field, code);
    char choice[FUSE_WORDS_CHOICE_BYTES];

    fuse_words_choice(field, code, choice);
    return strcasecmp(choice, text) == 0 || (name != NULL && strcasecmp(name, text) == 0);
}

/* ---- what was meant ---- */

/* Words for the same elsewhere. They are no choices here, and the hint is not left to the letters:
 * "no" is one typing error from "on". */
static const struct {
    const char *text, *choice;
} alike[] = {
    {"no", "off"},       {"n", "off"},         {"false", "off"},   {"disable", "off"},
    {"disabled", "off"}, {"none", "off"},      {"cleared", "off"}, {"unprogrammed", "off"},
    {"yes", "on"},       {"y", "on"},          {"true", "on"},     {"enable", "on"},
    {"enabled", "on"},   {"programmed", "on"},
};

static const char *find_name(const char *const names[], const char *name)
{
    size_t i = 0;

    while (names[i] != NULL && strcmp(names[i], name) != 0)
        i++;
    return names[i];
}

/* One of `names`; NULL where none is near. A boot section in bytes has half as many words. */
static const char *meant_choice(const char *text, const char *const names[])
{
    char words[FUSE_WORDS_CHOICE_BYTES];
    unsigned bytes = 0;
    int used = 0;

    for (size_t i = 0; i < sizeof alike / sizeof *alike; i++)
        if (strcasecmp(text, alike[i].text) == 0)
            return find_name(names, alike[i].choice);
    if (sscanf(text, "%5u bytes%n", &bytes, &used) == 1 && used > 0 && text[used] == '\0') {
        snprintf(words, sizeof words, "%u words", bytes / 2);
        return find_name(names, words);
    }
    return document_nearest(text, names);
}

/* A message has room for so much of a list. */
#define LIST_ENOUGH_BYTES 120

/* "on, off", as far as that. What there is besides tells `gangflash fuses`. */
static void list_choices(const struct part_field *field, const char *const names[], char *list,
                         size_t list_bytes)
{
    unsigned words = 0, start = 0;
    size_t i = 0, used = 0;

    for (; names[i] != NULL && used < LIST_ENOUGH_BYTES; i++)
        used +=
            (size_t)snprintf(list + used, list_bytes - used, "%s%s", i > 0 ? ", " : "", names[i]);
    if (names[i] != NULL)
        snprintf(list + used, list_bytes - used, ", …: gangflash fuses PART %s", field->name);
    else if (field->value_count > 0 && read_boot_section(field->values[0].name, &words, &start))
        snprintf(list + used, list_bytes - used, " (a word is 2 bytes)");
}

static bool is_digit(const char *text)
{
    return (text[0] == '0' || text[0] == '1') && text[1] == '\0';
}

static int fail_to_parse(const struct part_field *field, const char *text, struct failure *failure)
{
    char choices[CHOICES_MAX][FUSE_WORDS_CHOICE_BYTES];
    const char *names[CHOICES_MAX + 1] = {NULL};
    char list[LIST_ENOUGH_BYTES + FUSE_WORDS_CHOICE_BYTES + 64] = "";
    size_t count = 0;

    for (unsigned code = 0; code < fuse_words_code_count(field); code++)
        if (fuse_words_is_documented(field, (uint8_t)code)) {
            fuse_words_choice(field, (uint8_t)code, choices[count]);
            names[count] = choices[count];
            count++;
        }
    if (is_bit(field) && is_digit(text))
        return failure_set(failure, FAILURE_USAGE,
                           "%s has no '%s', expected on (programmed, a bit of 0) or off (a bit of "
                           "1)",
                           field->name, text);
    const char *meant = meant_choice(text, names);
    if (meant != NULL)
        return failure_set(failure, FAILURE_USAGE, "%s has no '%.40s', did you mean '%s'?",
                           field->name, text, meant);
    list_choices(field, names, list, sizeof list);
    return failure_set(failure, FAILURE_USAGE, "%s has no '%.40s', expected one of %s", field->name,
                       text, list);
}

int fuse_words_parse(const struct part_field *field, const char *text, uint8_t *code,
                     struct failure *failure)
{
    for (unsigned at = 0; at < fuse_words_code_count(field); at++)
        if (fuse_words_is_documented(field, (uint8_t)at) && is_called(field, (uint8_t)at, text)) {
            *code = (uint8_t)at;
            return 0;
        }
    return fail_to_parse(field, text, failure);
}

/* ---- what they mean ---- */

/* "PSC Output Behaviour During Reset": of PSCRV on the AT90PWM2/3's datasheet 4317I says low, 4317K
 * high. */
#define PSC_LEVEL "the level of the PSC outputs that a reset drives: datasheets disagree which"

/* "Fuse Bits" and "Program And Data Memory Lock Bits" in the chapters on memory programming of the
 * AVR datasheets, for example ATmega328P (8271J), tables 28-1 to 28-8. */
static const struct {
    const char *field;
    const char *on, *off;
} bits[] = {
    {"SPIEN", "programmers reach the part over ISP", "no programmer reaches the part over ISP"},
    {"RSTDISBL", "the reset pin is an ordinary pin: no programmer reaches the part over ISP",
     "the reset pin resets"},
    {"DWEN", "debugWIRE takes the reset pin: no programmer reaches the part over ISP",
     "no debugging over the reset pin"},
    {"EESAVE", "a chip erase keeps the EEPROM", "a chip erase erases the EEPROM, too"},
    {"WDTON", "the watchdog is always on, the program cannot stop it",
     "the watchdog is on when the program wants it"},
    {"CKDIV8", "the clock is divided by 8 until the program says otherwise",
     "the clock is not divided"},
    {"CKOUT", "the clock is put out at a pin", "the clock stays inside"},
    {"BOOTRST", "starts in the boot section", "starts at address 0"},
    {"JTAGEN", "JTAG takes four pins", "no JTAG, its pins are free"},
    {"OCDEN", "the debugger keeps parts of the chip awake that sleep otherwise",
     "no on-chip debugging"},
    {"SELFPRGEN", "the program may write the flash", "the program cannot write the flash"},
    {"BODEN", "the brown-out detector is on", "the brown-out detector is off"},
    {"CKOPT", "the crystal swings from rail to rail", "the crystal swings little, saves power"},
    {"HWBE", "the HWB pin held low at reset starts the boot section", "the HWB pin is ordinary"},
    {"M103C", "behaves as an ATmega103: no extended I/O, another stack", "no ATmega103"},
    {"M161C", "behaves as an ATmega161", "no ATmega161"},
    {"S8515C", "behaves as an AT90S4414/8515", "no AT90S4414/8515"},
    {"TA0SEL", "a mode for factory tests", "no factory tests"},
    {"PSCRV", PSC_LEVEL, PSC_LEVEL},
    {"PSCRVA", PSC_LEVEL, PSC_LEVEL},
    {"PSCRVB", PSC_LEVEL, PSC_LEVEL},
    {"PSCRB", "a reset drives the PSC outputs", "the PSC outputs are ordinary pins at a reset"},
    {"PSC0RB", "a reset drives the outputs of PSC0",
     "the outputs of PSC0 are ordinary pins at a reset"},
    {"PSC1RB", "a reset drives the outputs of PSC1",
     "the outputs of PSC1 are ordinary pins at a reset"},
    {"PSC2RB", "a reset drives the outputs of PSC2",
     "the outputs of PSC2 are ordinary pins at a reset"},
    {"S8535C", "behaves as an AT90S4434/8535", "no AT90S4434/8535"},
};

static const struct {
    const char *field, *name, *words;
} values[] = {
    {"LB", "NO_LOCK", "programmers may read and write all"},
    {"LB", "PROG_DISABLED", "programmers may read, but write only after a chip erase"},
    {"LB", "PROG_VER_DISABLED", "programmers may neither read nor write before a chip erase"},
    {"BLB0", "NO_LOCK", "a bootloader may read and write the application"},
    {"BLB0", "SPM_DISABLE", "a bootloader cannot write the application"},
    {"BLB0", "LPM_DISABLE", "a bootloader cannot read the application"},
    {"BLB0", "LPM_SPM_DISABLE", "a bootloader can neither read nor write the application"},
    {"BLB1", "NO_LOCK", "the program may read and write the boot section"},
    {"BLB1", "SPM_DISABLE", "the program cannot write the boot section"},
    {"BLB1", "LPM_DISABLE", "the application cannot read the boot section"},
    {"BLB1", "LPM_SPM_DISABLE", "the application cannot read, nobody write the boot section"},
    {"CFD", "CFD_ENABLED", "a clock that fails is noticed"},
    {"CFD", "CFD_DISABLED", "a clock that fails is not noticed"},
    {"BODACT", "BOD_SAMPLED", "awake, the supply is looked at now and then"},
    {"BODACT", "BOD_ENABLED", "awake, the supply is watched"},
    {"BODACT", "BOD_DISABLED", "awake, the supply is not watched"},
    {"BODPD", "BOD_SAMPLED", "asleep, the supply is looked at now and then"},
    {"BODPD", "BOD_ENABLED", "asleep, the supply is watched"},
    {"BODPD", "BOD_DISABLED", "asleep, the supply is not watched"},
};

static void bit_meaning(const struct part_field *field, uint8_t code,
                        char text[FUSE_WORDS_MEANING_BYTES])
{
    for (size_t i = 0; i < sizeof bits / sizeof *bits; i++)
        if (strcmp(bits[i].field, field->name) == 0)
            snprintf(text, FUSE_WORDS_MEANING_BYTES, "%s", code == 0 ? bits[i].on : bits[i].off);
}

static void value_meaning(const struct part_field *field, const char *name,
                          char text[FUSE_WORDS_MEANING_BYTES])
{
    unsigned first = 0, second = 0;

    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        if (strcmp(values[i].field, field->name) == 0 && strcmp(values[i].name, name) == 0) {
            snprintf(text, FUSE_WORDS_MEANING_BYTES, "%s", values[i].words);
            return;
        }
    if (read_boot_section(name, &first, &second))
        snprintf(text, FUSE_WORDS_MEANING_BYTES,
                 "the boot section is %u bytes from byte address 0x%X on", 2 * first, 2 * second);
    else if (read_volts(name, &first, &second))
        snprintf(text, FUSE_WORDS_MEANING_BYTES, "the part is held in reset below %u.%u V", first,
                 second);
    else if (strcmp(field->name, "BODLEVEL") == 0 && strcmp(name, "DISABLED") == 0)
        snprintf(text, FUSE_WORDS_MEANING_BYTES, "a supply that drops is not noticed");
    else if (strstr(field->name, "SEL") != NULL || strstr(field->name, "SUT") != NULL ||
             strcmp(field->name, "RCEN") == 0 || strcmp(field->name, "FSTRT") == 0)
        (void)clock_words(name, text, FUSE_WORDS_MEANING_BYTES);
}

void fuse_words_meaning(const struct part_field *field, uint8_t code,
                        char text[FUSE_WORDS_MEANING_BYTES])
{
    const char *name = name_of(field, code);

    text[0] = '\0';
    if (is_bit(field))
        bit_meaning(field, code, text);
    else if (name != NULL)
        value_meaning(field, name, text);
    else
        snprintf(text, FUSE_WORDS_MEANING_BYTES, "not documented: do not use it");
}
