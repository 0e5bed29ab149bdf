#include "jigs/simbench/avr_clock.h"

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* The RC oscillator of parts whose clock field names no frequency for it: "calibrated internal RC
 * oscillator, 8 MHz", ATmega32U4 (7766J) table 6-3. */
#define PLAIN_RC_HZ 8000000
/* The PLL of ATtiny25/45/85 (2586Q) as system clock. */
#define PLAIN_PLL_HZ 16000000
#define TINY15_HZ 1600000
#define ULTRA_LOW_HZ 32000
#define RADIO_HZ 16000000 /* ATmega256RFR2 (8393), "Transceiver Oscillator" */
#define WATCH_CRYSTAL_MAX_HZ 100000

enum clock_source {
    CLOCK_INTERNAL,
    CLOCK_ULTRA_LOW, /* 32 kHz, or what ULPOSCSEL says */
    CLOCK_CRYSTAL,
    CLOCK_WATCH_CRYSTAL,
    CLOCK_TINY15,
    CLOCK_RADIO,       /* the transceiver's oscillator, which runs on its crystal alone */
    CLOCK_CRYSTAL_PLL, /* twice the crystal, which is meant to be one of 8 MHz */
    CLOCK_NEVER        /* a generator or RC network that no board of ours has */
};

/* How names begin; the first that fits counts. */
static const struct {
    const char *prefix;
    enum clock_source source;
} sources[] = {
    {"INTRCOSC", CLOCK_INTERNAL},
    {"INTULPOSC", CLOCK_ULTRA_LOW},
    {"WDOSC", CLOCK_INTERNAL},
    {"PLLCLK_PLLIN_EXTXOSC", CLOCK_CRYSTAL_PLL},
    {"PLLCLK_PLLIN_EXTCLK", CLOCK_NEVER},
    {"PLLCLK_DIV4_PLLIN_XOSC", CLOCK_CRYSTAL_PLL},
    {"PLLCLK_DIV4_PLLIN_EXTCLK", CLOCK_NEVER},
    {"PLLCLK", CLOCK_INTERNAL},
    {"EXTCLK", CLOCK_NEVER},
    {"EXTRCOSC", CLOCK_NEVER},
    {"EXTLOFXTALRES", CLOCK_CRYSTAL},
    {"EXTLOFXTAL", CLOCK_WATCH_CRYSTAL},
    {"TRXOSC", CLOCK_RADIO},
    {"TOSC", CLOCK_RADIO},
    {"EXT", CLOCK_CRYSTAL},
    {"FSOSC", CLOCK_CRYSTAL},
    {"XOSC", CLOCK_CRYSTAL},
    {"RC_", CLOCK_INTERNAL},
    {"CRES", CLOCK_CRYSTAL},
    /* ATtiny15 has nothing but its RC oscillator: what is chosen is how it starts (1187, table 5).
     */
    {"SLOWPWR", CLOCK_TINY15},
    {"QUICKPWR", CLOCK_TINY15},
    {"VQUICKPWR", CLOCK_TINY15},
};

static enum clock_source source_of(const char *name)
{
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
        if (strncmp(name, sources[i].prefix, strlen(sources[i].prefix)) == 0) {
            return sources[i].source;
        }
    }
    return CLOCK_NEVER;
}

/* "8MHZ", "6MHZ4" (6.4 MHz) or "128KHZ"; 0 when `text` is no frequency. */
static int64_t parse_frequency(const char *text)
{
    int64_t number = 0;
    while (isdigit((unsigned char)*text)) {
        number = number * 10 + (*text++ - '0');
    }
    if (strncmp(text, "KHZ", 3) == 0) {
        return number * 1000;
    }
    if (strncmp(text, "MHZ", 3) != 0) {
        return 0;
    }
    int64_t tenths = isdigit((unsigned char)text[3]) ? text[3] - '0' : 0;
    return number * 1000000 + tenths * 100000;
}

static int64_t internal_hz(const char *name)
{
    for (const char *word = strchr(name, '_'); word != NULL; word = strchr(word + 1, '_')) {
        int64_t frequency = isdigit((unsigned char)word[1]) ? parse_frequency(word + 1) : 0;
        if (frequency != 0) {
            return frequency;
        }
    }
    return strncmp(name, "PLLCLK", 6) == 0 ? PLAIN_PLL_HZ : PLAIN_RC_HZ;
}

/* The name of the value that a field has in `byte`; NULL for a reserved one. */
static const char *value_name(const struct part_field *field, uint8_t byte)
{
    uint8_t code = byte & field->mask;
    for (uint8_t mask = field->mask; mask != 0 && (mask & 1) == 0; mask >>= 1) {
        code >>= 1;
    }
    for (size_t i = 0; i < field->value_count; i++) {
        if (field->values[i].code == code) {
            return field->values[i].name;
        }
    }
    return NULL;
}

static const struct part_field *clock_field(const struct part *part)
{
    const struct part_byte *fuse = &part->bytes[part->cksel.memory - PART_FIRST_FUSE];
    for (size_t i = 0; i < fuse->field_count; i++) {
        const struct part_field *field = &fuse->fields[i];
        if ((field->mask & part->cksel.mask) != 0) {
            return field;
        }
    }
    return NULL;
}

/* As the part leaves the factory, its file knows best; CKDIV8 is not counted. 0: not known, or the
 * field has been changed. */
static int64_t factory_hz(const struct part *part, const struct part_field *field, uint8_t byte)
{
    int factory = part->bytes[part->cksel.memory - PART_FIRST_FUSE].factory_default;
    if (factory < 0 || ((byte ^ factory) & field->mask) != 0) {
        return 0;
    }
    return part->factory_clock_hz * (part->factory_ckdiv8 ? 8 : 1);
}

/* The oldest parts choose by one bit between their RC oscillator and what is connected: the files
 * call that EXTCLK, but it is a crystal's oscillator, too (AT90S1200, 0838, "Clock Options"). */
static enum clock_source source_in(const struct part_field *field, const char *name)
{
    enum clock_source source = source_of(name);
    bool oldest = strcmp(field->name, "RCEN") == 0;
    return oldest && source == CLOCK_NEVER ? CLOCK_CRYSTAL : source;
}

/* ATtiny441/841 (8495) have five, from 32 to 512 kHz; a reserved value gives the slowest. */
static int64_t ultra_low_hz(const struct part *part, const uint8_t *bytes)
{
    for (int at = 0; at < PART_LOCK - PART_FIRST_FUSE; at++) {
        const struct part_byte *fuse = &part->bytes[at];
        for (size_t i = 0; i < fuse->field_count; i++) {
            const char *name = value_name(&fuse->fields[i], bytes[at]);
            if (name != NULL && strcmp(fuse->fields[i].name, "ULPOSCSEL") == 0) {
                return internal_hz(name);
            }
        }
    }
    return ULTRA_LOW_HZ;
}

static int64_t undivided_hz(const struct part *part, const uint8_t *bytes, int64_t crystal_hz)
{
    const struct part_field *field = clock_field(part);
    uint8_t byte = bytes[part->cksel.memory - PART_FIRST_FUSE];
    int64_t clock_hz = field == NULL ? 0 : factory_hz(part, field, byte);
    const char *name = field == NULL ? NULL : value_name(field, byte);
    if (clock_hz != 0 || name == NULL) {
        return clock_hz;
    }
    switch (source_in(field, name)) {
    case CLOCK_INTERNAL:
        return internal_hz(name);
    case CLOCK_ULTRA_LOW:
        return ultra_low_hz(part, bytes);
    case CLOCK_CRYSTAL:
        return crystal_hz;
    case CLOCK_WATCH_CRYSTAL:
        return crystal_hz <= WATCH_CRYSTAL_MAX_HZ ? crystal_hz : 0;
    case CLOCK_RADIO:
        return crystal_hz == RADIO_HZ ? RADIO_HZ : 0;
    case CLOCK_TINY15:
        return TINY15_HZ;
    case CLOCK_CRYSTAL_PLL:
        return crystal_hz < PLAIN_PLL_HZ / 2 ? crystal_hz * 2 : PLAIN_PLL_HZ;
    case CLOCK_NEVER:
        break;
    }
    return 0;
}

static int64_t divided_hz(const struct part *part, const uint8_t bytes[PART_FUSE_AND_LOCK_COUNT],
                          int64_t clock_hz)
{
    bool divided = part->ckdiv8.mask != 0 &&
                   part_bit_programmed(part->ckdiv8, bytes[part->ckdiv8.memory - PART_FIRST_FUSE]);
    return divided ? clock_hz / 8 : clock_hz;
}

int64_t avr_clock_hz(const struct part *part, const uint8_t bytes[PART_FUSE_AND_LOCK_COUNT],
                     int64_t crystal_hz)
{
    if (part->cksel.mask == 0) { /* a part without clock fuses lives on its crystal */
        return crystal_hz != 0 ? crystal_hz : part->factory_clock_hz;
    }
    int64_t clock_hz = undivided_hz(part, bytes, crystal_hz);
    return divided_hz(part, bytes, clock_hz);
}

int64_t avr_clock_of_signal_hz(const struct part *part,
                               const uint8_t bytes[PART_FUSE_AND_LOCK_COUNT], int64_t signal_hz)
{
    const struct part_field *field = part->cksel.mask == 0 ? NULL : clock_field(part);
    const char *name =
        field == NULL ? NULL : value_name(field, bytes[part->cksel.memory - PART_FIRST_FUSE]);
    bool takes_signal = name != NULL && strncmp(name, "EXTCLK", 6) == 0;
    return takes_signal ? divided_hz(part, bytes, signal_hz) : avr_clock_hz(part, bytes, 0);
}

/* --- the range of a crystal --- */

/* The words behind the source, "0MHZ9_3MHZ" or "8MHZ_XX", where XX is no limit. */
static bool range_in_name(const struct part *part, const char *name, int64_t *lowest_hz,
                          int64_t *highest_hz)
{
    const char *low = strchr(name, '_');
    const char *high = low == NULL ? NULL : strchr(low + 1, '_');
    if (high == NULL || (parse_frequency(low + 1) == 0 && strncmp(low, "_XX", 3) != 0)) {
        return false;
    }
    *lowest_hz = parse_frequency(low + 1);
    *highest_hz = parse_frequency(high + 1);
    if (*highest_hz == 0 && strncmp(name, "EXTXOSC", 7) == 0) {
        *highest_hz = part->crystal_max_hz;
    }
    return true;
}

static bool has_ckopt_on(const struct part *part, const uint8_t bytes[PART_FUSE_AND_LOCK_COUNT])
{
    for (int fuse = 0; fuse < PART_FUSE_AND_LOCK_COUNT - 1; fuse++) {
        for (size_t i = 0; i < part->bytes[fuse].field_count; i++) {
            const struct part_field *field = &part->bytes[fuse].fields[i];
            if (strcmp(field->name, "CKOPT") == 0) {
                return (bytes[fuse] & field->mask) == 0;
            }
        }
    }
    return false;
}

/* "Crystal Oscillator Operating Modes", ATmega8 (2486), table 4: by CKSEL, and with CKOPT. */
static bool range_by_ckopt(const char *name, bool on, int64_t *lowest_hz, int64_t *highest_hz)
{
    static const struct {
        const char *prefix;
        int64_t lowest_hz, highest_hz;
    } rows[] = {{"EXTLOFXTALRES", 400000, 900000},
                {"EXTMEDFXTALRES", 900000, 3000000},
                {"EXTHIFXTALRES", 3000000, 8000000}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (strncmp(name, rows[i].prefix, strlen(rows[i].prefix)) == 0) {
            *lowest_hz = on ? 1000000 : rows[i].lowest_hz;
            *highest_hz = on ? 16000000 : rows[i].highest_hz;
            return true;
        }
    }
    return false;
}

bool avr_clock_is_promised(const struct part *part, const uint8_t bytes[PART_FUSE_AND_LOCK_COUNT],
                           int64_t crystal_hz)
{
    const struct part_field *field = part->cksel.mask == 0 ? NULL : clock_field(part);
    const char *name =
        field == NULL ? NULL : value_name(field, bytes[part->cksel.memory - PART_FIRST_FUSE]);
    int64_t lowest_hz, highest_hz;
    if (name == NULL || source_in(field, name) != CLOCK_CRYSTAL ||
        (!range_by_ckopt(name, has_ckopt_on(part, bytes), &lowest_hz, &highest_hz) &&
         !range_in_name(part, name, &lowest_hz, &highest_hz))) {
        return true;
    }
    return crystal_hz >= lowest_hz && (highest_hz == 0 || crystal_hz <= highest_hz);
}
