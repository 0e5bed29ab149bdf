#include "profiles/part_clock.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/fuse_words.h"

#define CKDIV8_DIVIDER 8
/* "SCK must be below f/4, below f/6 from 12 MHz on": the AVR datasheets' chapter on serial
 * programming; the part file says the dividers. */
#define FAST_CLOCK_HZ 12000000
/* RC oscillators drift, so a sixth wherever there is a choice. */
#define SAFE_DIVIDER 6

/* "Calibrated internal RC oscillator, 8 MHz": all parts with a prescaler whose files name no
 * frequency, among them those whose oscillator runs at 16 MHz behind a fixed divider
 * (ATmega128RFA1, 8266, "Calibrated internal RC oscillator"). */
#define PRESCALED_RC_HZ 8000000
/* The older ones: nominally 1 MHz at 5 V (ATmega163, 1142, table 5; AT90S1200, 0838), 1.2 MHz
 * (ATtiny12, 1006), and less at lower voltages. */
#define OLD_RC_HZ 1000000

#define WATCH_CRYSTAL_HZ 32768

enum source {
    INTERNAL,     /* this frequency */
    AT_LEAST,     /* this frequency or more */
    ULTRA_LOW,    /* this, or what a field of its own says */
    PLAIN_RC,     /* an RC oscillator whose frequency the name does not say */
    BOARD,        /* what the board has; this at least, as far as the fuses tell */
    BOARD_OR_SO,  /* the same, but it drifts */
    FED_PLL,      /* as much as the board feeds it with, but this at most */
    WATCH_CRYSTAL /* 32.768 kHz */
};

/* How the names of a clock field's values begin; the first that fits counts. */
static const struct {
    const char *prefix;
    enum source source;
    enum part_oscillator_kind kind;
    int64_t hz;
} sources[] = {
    {"INTRCOSC_128KHZ", INTERNAL, PART_OSCILLATOR_INTERNAL, 128000},
    {"INTRCOSC_1MHZ", INTERNAL, PART_OSCILLATOR_INTERNAL, 1000000},
    {"INTRCOSC_2MHZ", INTERNAL, PART_OSCILLATOR_INTERNAL, 2000000},
    {"INTRCOSC_4MHZ8", INTERNAL, PART_OSCILLATOR_INTERNAL, 4800000},
    {"INTRCOSC_4MHZ", INTERNAL, PART_OSCILLATOR_INTERNAL, 4000000},
    /* ATtiny15 compatibility mode: 6.4 MHz divided by four (ATtiny25/45/85, 2586, table 6-8) */
    {"INTRCOSC_6MHZ4", INTERNAL, PART_OSCILLATOR_INTERNAL, 1600000},
    {"INTRCOSC_8MHZ", INTERNAL, PART_OSCILLATOR_INTERNAL, 8000000},
    {"INTRCOSC_9MHZ6", INTERNAL, PART_OSCILLATOR_INTERNAL, 9600000},
    {"INTRCOSC", PLAIN_RC, PART_OSCILLATOR_INTERNAL, 0},
    {"INTULPOSC_32KHZ", ULTRA_LOW, PART_OSCILLATOR_INTERNAL, 32000},
    {"WDOSC_128KHZ", INTERNAL, PART_OSCILLATOR_INTERNAL, 128000},
    {"RC_1MHZ", INTERNAL, PART_OSCILLATOR_INTERNAL, 1000000},
    {"RC_8MHZ", INTERNAL, PART_OSCILLATOR_INTERNAL, 8000000},
    /* ATtiny15 knows but its own oscillator; the names tell how it starts. */
    {"SLOWPWR", INTERNAL, PART_OSCILLATOR_INTERNAL, 1600000},
    {"QUICKPWR", INTERNAL, PART_OSCILLATOR_INTERNAL, 1600000},
    {"VQUICKPWR", INTERNAL, PART_OSCILLATOR_INTERNAL, 1600000},
    /* Fed from outside it makes more of it, 16 MHz of 8 MHz (ATmega64M1, 7647, "PLL"). */
    {"PLLCLK_PLLIN_EXTCLK", FED_PLL, PART_OSCILLATOR_SIGNAL, 16000000},
    {"PLLCLK_PLLIN_EXTXOSC", FED_PLL, PART_OSCILLATOR_CRYSTAL, 16000000},
    {"PLLCLK_DIV4_PLLIN_EXTCLK", FED_PLL, PART_OSCILLATOR_SIGNAL, 16000000},
    {"PLLCLK_DIV4_PLLIN_XOSC", FED_PLL, PART_OSCILLATOR_CRYSTAL, 16000000},
    /* 32 to 64 MHz, divided by four (AT90PWM81/161, 7734, "PLL") */
    {"PLLCLK_DIV4_PLLIN_RC_8MHZ", AT_LEAST, PART_OSCILLATOR_INTERNAL, 8000000},
    {"PLLCLK", INTERNAL, PART_OSCILLATOR_INTERNAL, 16000000},
    {"EXTLOFXTALRES", BOARD, PART_OSCILLATOR_CRYSTAL, 400000},
    {"EXTMEDFXTALRES", BOARD, PART_OSCILLATOR_CRYSTAL, 900000},
    /* From 3 MHz on, but from 1 MHz on with CKOPT, which stands elsewhere (ATmega16, 2466) */
    {"EXTHIFXTALRES", BOARD, PART_OSCILLATOR_CRYSTAL, 1000000},
    {"EXTLOFXTAL", WATCH_CRYSTAL, PART_OSCILLATOR_WATCH_CRYSTAL, 0},
    {"EXTFSXTAL", BOARD, PART_OSCILLATOR_CRYSTAL, 400000},
    {"FSOSC", BOARD, PART_OSCILLATOR_CRYSTAL, 400000},
    {"EXTXOSC_0MHZ4_", BOARD, PART_OSCILLATOR_CRYSTAL, 400000},
    {"EXTXOSC_0MHZ9_", BOARD, PART_OSCILLATOR_CRYSTAL, 900000},
    {"EXTXOSC_3MHZ_", BOARD, PART_OSCILLATOR_CRYSTAL, 3000000},
    {"EXTXOSC_8MHZ_", BOARD, PART_OSCILLATOR_CRYSTAL, 8000000},
    {"EXTXOSC", BOARD, PART_OSCILLATOR_CRYSTAL, 0},
    {"EXTCRES_0MHZ4_", BOARD, PART_OSCILLATOR_CRYSTAL, 400000},
    {"EXTCRES_0MHZ9_", BOARD, PART_OSCILLATOR_CRYSTAL, 900000},
    {"EXTCRES_3MHZ_", BOARD, PART_OSCILLATOR_CRYSTAL, 3000000},
    {"EXTCRES_8MHZ_", BOARD, PART_OSCILLATOR_CRYSTAL, 8000000},
    {"EXTXTALCRES", BOARD, PART_OSCILLATOR_CRYSTAL, 0},
    {"EXTRCOSC_0MHZ9_", BOARD_OR_SO, PART_OSCILLATOR_RC_NETWORK, 900000},
    {"EXTRCOSC_3MHZ_", BOARD_OR_SO, PART_OSCILLATOR_RC_NETWORK, 3000000},
    {"EXTRCOSC_8MHZ_", BOARD_OR_SO, PART_OSCILLATOR_RC_NETWORK, 8000000},
    {"EXTRCOSC", BOARD_OR_SO, PART_OSCILLATOR_RC_NETWORK, 0},
    {"EXTCLK", BOARD, PART_OSCILLATOR_SIGNAL, 0},
    {"XOSC_3MHZ_", BOARD, PART_OSCILLATOR_CRYSTAL, 3000000},
    {"XOSC_8MHZ_", BOARD, PART_OSCILLATOR_CRYSTAL, 8000000},
    {"XOSC", BOARD, PART_OSCILLATOR_CRYSTAL, 0},
    {"CRES", BOARD, PART_OSCILLATOR_CRYSTAL, 0},
    {"TRXOSC", AT_LEAST, PART_OSCILLATOR_CRYSTAL, 8000000}, /* of the transceiver, 16 MHz */
    {"TOSC", AT_LEAST, PART_OSCILLATOR_CRYSTAL, 8000000},   /* the same */
};

#define SOURCE_COUNT (sizeof sources / sizeof sources[0])

static const struct part_clock not_known = {0, false};

static const struct part_field *clock_field(const struct part *part)
{
    const struct part_byte *byte =
        part->cksel.mask != 0 ? part_byte(part, part->cksel.memory) : NULL;

    for (size_t i = 0; byte != NULL && i < byte->field_count; i++)
        if ((byte->fields[i].mask & part->cksel.mask) != 0)
            return &byte->fields[i];
    return NULL;
}

static const char *value_name(const struct part_field *field, uint8_t byte)
{
    uint8_t lowest = field->mask & (uint8_t)-field->mask;

    for (size_t i = 0; i < field->value_count; i++)
        if (field->values[i].code == (byte & field->mask) / lowest)
            return field->values[i].name;
    return NULL;
}

static struct part_clock board_clock(int64_t board_hz, int64_t lower_end_hz)
{
    return (struct part_clock){board_hz != 0 ? board_hz : lower_end_hz, board_hz != 0};
}

/* The number of rows: none fits. */
static size_t find_source(const char *name)
{
    size_t i = 0;

    while (i < SOURCE_COUNT && strncmp(name, sources[i].prefix, strlen(sources[i].prefix)) != 0)
        i++;
    return i;
}

/* ULPOSCSEL chooses among 32 to 512 kHz (ATtiny441/841, 8495, "Internal Ultra Low Power
 * Oscillator"); others have the 32 kHz alone (ATtiny1634, 8303). A value that is reserved may give
 * any of them. */
static struct part_clock ultra_low_clock(const struct part *part, const uint8_t *bytes,
                                         int64_t lowest_hz)
{
    enum part_memory memory;
    const struct part_field *field = fuse_words_find(part, "ULPOSCSEL", &memory);
    const char *name;
    int khz = 0;

    if (field == NULL)
        return (struct part_clock){lowest_hz, true};
    name = value_name(field, bytes[memory - PART_FIRST_FUSE]);
    if (name != NULL && sscanf(name, "ULPOSC_%3dKHZ", &khz) == 1)
        return (struct part_clock){(int64_t)khz * 1000, true};
    return (struct part_clock){lowest_hz, false};
}

/* Undivided. */
static struct part_clock clock_of_source(const struct part *part, const char *name,
                                         const uint8_t *bytes, int64_t board_hz)
{
    size_t i = find_source(name);

    if (i == SOURCE_COUNT)
        return not_known;
    switch (sources[i].source) {
    case INTERNAL:
        return (struct part_clock){sources[i].hz, true};
    case AT_LEAST:
        return (struct part_clock){sources[i].hz, false};
    case ULTRA_LOW:
        return ultra_low_clock(part, bytes, sources[i].hz);
    case PLAIN_RC:
        if (part->ckdiv8.mask != 0)
            return (struct part_clock){PRESCALED_RC_HZ, true};
        return (struct part_clock){OLD_RC_HZ, false};
    case BOARD:
        return board_clock(board_hz, sources[i].hz);
    case BOARD_OR_SO:
        return (struct part_clock){board_clock(board_hz, sources[i].hz).hz, false};
    case FED_PLL:
        return (struct part_clock){board_hz < sources[i].hz ? board_hz : sources[i].hz, false};
    case WATCH_CRYSTAL:
        /* Whatever else the board has does not run on this setting. */
        return (struct part_clock){WATCH_CRYSTAL_HZ, true};
    }
    return not_known;
}

/* Undivided, of a field that stands as it leaves the factory but whose values have no names that
 * tell (ATmega16HVB and the like, which have RC oscillators only). */
static struct part_clock factory_source(const struct part *part, const struct part_field *field,
                                        uint8_t byte)
{
    int factory = part_byte(part, part->cksel.memory)->factory_default;

    if (part->factory_clock_hz == 0 || factory < 0 || ((byte ^ factory) & field->mask) != 0)
        return not_known;
    return (struct part_clock){part->factory_clock_hz * (part->factory_ckdiv8 ? CKDIV8_DIVIDER : 1),
                               true};
}

static struct part_clock undivided(const struct part *part, const uint8_t *bytes, int64_t board_hz)
{
    const struct part_field *field = clock_field(part);
    uint8_t byte = bytes[part->cksel.memory - PART_FIRST_FUSE];
    const char *name = field != NULL ? value_name(field, byte) : NULL;
    struct part_clock clock = not_known;

    if (field == NULL)
        return not_known;
    if (name != NULL)
        clock = clock_of_source(part, name, bytes, board_hz);
    return clock.hz != 0 ? clock : factory_source(part, field, byte);
}

struct part_clock part_clock_by_fuses(const struct part *part,
                                      const uint8_t bytes[PART_FUSE_AND_LOCK_COUNT],
                                      int64_t board_hz)
{
    struct part_bit ckdiv8 = part->ckdiv8;
    struct part_clock clock;

    /* Without clock fuses there is either an oscillator of its own or what the board has. */
    if (part->cksel.mask == 0 && part->factory_clock_hz != 0)
        return (struct part_clock){part->factory_clock_hz, true};
    if (part->cksel.mask == 0)
        return board_clock(board_hz, 0);
    clock = undivided(part, bytes, board_hz);
    if (ckdiv8.mask != 0 && part_bit_programmed(ckdiv8, bytes[ckdiv8.memory - PART_FIRST_FUSE]))
        clock.hz /= CKDIV8_DIVIDER;
    return clock;
}

struct part_clock part_clock_of_new(const struct part *part, int64_t board_hz)
{
    uint8_t bytes[PART_FUSE_AND_LOCK_COUNT] = {0};

    if (part->factory_clock_hz != 0)
        return (struct part_clock){part->factory_clock_hz, true};
    for (enum part_memory memory = PART_FIRST_FUSE; memory <= PART_LOCK; memory++) {
        int factory = part->bytes[memory - PART_FIRST_FUSE].factory_default;

        if (factory < 0 && part_clock_depends_on(part, memory, NULL))
            return not_known;
        bytes[memory - PART_FIRST_FUSE] = (uint8_t)factory;
    }
    return part_clock_by_fuses(part, bytes, board_hz);
}

/* Fields that act on the clock beside CKSEL and CKDIV8: CKOPT (ATmega8, 2486, "Crystal
 * Oscillator") and ULPOSCSEL (ATtiny441/841, 8495, "Internal Ultra Low Power Oscillator"). */
static const char *const other_fields[] = {"CKOPT", "ULPOSCSEL"};

static uint8_t other_clock_bits(const struct part *part, enum part_memory memory)
{
    const struct part_byte *byte = part_byte(part, memory);
    uint8_t bits = 0;

    for (size_t i = 0; byte != NULL && i < byte->field_count; i++)
        for (size_t n = 0; n < sizeof other_fields / sizeof other_fields[0]; n++)
            if (strcmp(byte->fields[i].name, other_fields[n]) == 0)
                bits |= byte->fields[i].mask;
    return bits;
}

bool part_clock_depends_on(const struct part *part, enum part_memory memory, uint8_t *mask)
{
    uint8_t bits = other_clock_bits(part, memory);

    if (part->cksel.mask != 0 && part->cksel.memory == memory)
        bits |= part->cksel.mask;
    if (part->ckdiv8.mask != 0 && part->ckdiv8.memory == memory)
        bits |= part->ckdiv8.mask;
    if (mask != NULL)
        *mask = bits;
    return bits != 0;
}

struct part_clock part_clock_slower(struct part_clock a, struct part_clock b)
{
    if (a.hz == b.hz)
        return a.exact ? a : b;
    return a.hz < b.hz ? a : b;
}

static int64_t sck_divider(const struct part *part, int64_t clock_hz)
{
    return clock_hz < FAST_CLOCK_HZ ? part->sck_divider : part->sck_divider_from_12mhz;
}

int64_t part_clock_sck_limit_hz(const struct part *part, int64_t clock_hz)
{
    return clock_hz / sck_divider(part, clock_hz);
}

bool part_clock_takes_sck(const struct part *part, int64_t clock_hz, int64_t sck_hz)
{
    return sck_hz * sck_divider(part, clock_hz) < clock_hz;
}

int64_t part_clock_least_for_sck_hz(const struct part *part, int64_t sck_hz)
{
    return sck_hz * part->sck_divider + 1;
}

int64_t part_clock_safe_sck_hz(const struct part *part, int64_t clock_hz)
{
    int64_t below_hz = (clock_hz - 1) / sck_divider(part, clock_hz);
    int64_t safe_hz = clock_hz / SAFE_DIVIDER;

    if (clock_hz <= 0)
        return 0;
    return safe_hz < below_hz ? safe_hz : below_hz;
}

int64_t part_clock_for_slow_sck_hz(const struct part *part, int64_t sck_hz)
{
    int64_t divider = part->sck_divider > SAFE_DIVIDER ? part->sck_divider : SAFE_DIVIDER;

    return sck_hz * divider + 1;
}

/* ---- what the fuses want at the clock pins ---- */

/* "0MHZ9" or "8MHZ" at the start of a word of a value's name, with what follows; false where it is
 * neither that nor XX, which is no limit. */
static bool read_limit(const char **word, int64_t *hz)
{
    char *end = NULL;
    long whole, tenths = 0;

    *hz = 0;
    if (strncmp(*word, "XX", 2) == 0) {
        *word += 2;
        return true;
    }
    whole = strtol(*word, &end, 10);
    if (end == *word || strncmp(end, "MHZ", 3) != 0)
        return false;
    end += 3;
    if (*end >= '0' && *end <= '9')
        tenths = *end++ - '0';
    *hz = whole * 1000000 + tenths * 100000;
    *word = end;
    return true;
}

/* "EXTXOSC_0MHZ9_3MHZ_258CK_4MS1": the range stands right behind the source, if anywhere. */
static void read_range(const char *name, struct part_oscillator *oscillator)
{
    const char *word = strchr(name, '_');
    int64_t lowest_hz, highest_hz;

    if (word == NULL)
        return;
    word++;
    if (!read_limit(&word, &lowest_hz) || *word++ != '_' || !read_limit(&word, &highest_hz))
        return;
    oscillator->lowest_hz = lowest_hz;
    oscillator->highest_hz = highest_hz;
}

/* "Transceiver Oscillator" (ATmega256RFR2, 8393; ATmega128RFA1, 8266): the radio's 16 MHz crystal.
 * "Full Swing Crystal Oscillator": 0.4 to 20 MHz (ATmega328, 8271, table 9-5), unless the part file
 * says otherwise (ATmega2560, 2549, has it to 16 MHz). Those with CKOPT
 * have three ranges, and one from 1 to 16 MHz when it is on (ATmega8, 2486, table 4; ATmega32,
 * 2503, table 4). */
static const struct {
    const char *prefix;
    int64_t lowest_hz, highest_hz;
    bool has_ckopt, is_full_swing;
} ranges[] = {
    {"EXTLOFXTALRES", 400000, 900000, true, false},
    {"EXTMEDFXTALRES", 900000, 3000000, true, false},
    {"EXTHIFXTALRES", 3000000, 8000000, true, false},
    {"EXTFSXTAL", 400000, 20000000, false, true},
    {"FSOSC", 400000, 20000000, false, true},
    {"TRXOSC", 16000000, 16000000, false, false},
    {"TOSC", 16000000, 16000000, false, false},
};
#define CKOPT_LOWEST_HZ 1000000
#define CKOPT_HIGHEST_HZ 16000000

static bool ckopt_is_on(const struct part *part, const uint8_t bytes[PART_FUSE_AND_LOCK_COUNT])
{
    enum part_memory memory;
    const struct part_field *ckopt = fuse_words_find(part, "CKOPT", &memory);

    return ckopt != NULL && (bytes[memory - PART_FIRST_FUSE] & ckopt->mask) == 0;
}

static void find_range(const struct part *part, const char *name,
                       const uint8_t bytes[PART_FUSE_AND_LOCK_COUNT],
                       struct part_oscillator *oscillator)
{
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        bool swings = ranges[i].has_ckopt && ckopt_is_on(part, bytes);

        if (strncmp(name, ranges[i].prefix, strlen(ranges[i].prefix)) != 0)
            continue;
        oscillator->lowest_hz = swings ? CKOPT_LOWEST_HZ : ranges[i].lowest_hz;
        oscillator->highest_hz = swings ? CKOPT_HIGHEST_HZ : ranges[i].highest_hz;
        if (ranges[i].is_full_swing && part->full_swing_max_hz != 0)
            oscillator->highest_hz = part->full_swing_max_hz;
        return;
    }
    read_range(name, oscillator);
    if (oscillator->highest_hz == 0 && strncmp(name, "EXTXOSC_", strlen("EXTXOSC_")) == 0)
        oscillator->highest_hz = part->crystal_max_hz;
}

/* Of parts whose clock field is not there, or does not tell. */
static enum part_oscillator_kind kind_without_name(const struct part *part,
                                                   const struct part_field *field, uint8_t byte)
{
    if (field == NULL)
        return part->factory_clock_hz != 0 ? PART_OSCILLATOR_INTERNAL : PART_OSCILLATOR_EITHER;
    return factory_source(part, field, byte).hz != 0 ? PART_OSCILLATOR_INTERNAL
                                                     : PART_OSCILLATOR_UNKNOWN;
}

struct part_oscillator part_clock_oscillator(const struct part *part,
                                             const uint8_t bytes[PART_FUSE_AND_LOCK_COUNT])
{
    const struct part_field *field = clock_field(part);
    uint8_t byte = field != NULL ? bytes[part->cksel.memory - PART_FIRST_FUSE] : 0;
    const char *name = field != NULL ? value_name(field, byte) : NULL;
    size_t i = name != NULL ? find_source(name) : SOURCE_COUNT;
    struct part_oscillator oscillator = {PART_OSCILLATOR_UNKNOWN, 0, 0};

    if (i == SOURCE_COUNT) {
        oscillator.kind = kind_without_name(part, field, byte);
        return oscillator;
    }
    oscillator.kind = sources[i].kind;
    /* RCEN off is "crystal or external clock", whatever the part files call it (AT90S1200, 0838,
     * "Clock Options"). */
    if (strcmp(field->name, "RCEN") == 0 && oscillator.kind == PART_OSCILLATOR_SIGNAL)
        oscillator.kind = PART_OSCILLATOR_EITHER;
    if (oscillator.kind != PART_OSCILLATOR_INTERNAL)
        find_range(part, name, bytes, &oscillator);
    return oscillator;
}

void part_clock_text(int64_t hz, char text[PART_CLOCK_TEXT_BYTES])
{
    if (hz >= 1000000)
        snprintf(text, PART_CLOCK_TEXT_BYTES, "%g MHz", (double)hz / 1e6);
    else if (hz >= 1000)
        snprintf(text, PART_CLOCK_TEXT_BYTES, "%g kHz", (double)hz / 1e3);
    else
        snprintf(text, PART_CLOCK_TEXT_BYTES, "%" PRId64 " Hz", hz);
}
