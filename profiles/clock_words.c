#include "profiles/clock_words.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define TOKEN_BYTES 24
#define TEXT_BYTES 160

/* What the words of a name are. FREQUENCY and START are recognised by their shape. */
enum kind { SOURCE, FED_BY, NOTE, NOTHING };

static const struct {
    const char *token;
    enum kind kind;
    const char *words;
} tokens[] = {
    {"EXTCLK", SOURCE, "clock signal from outside"},
    {"EXTXOSC", SOURCE, "crystal or resonator"},
    {"EXTFSXTAL", SOURCE, "full swing crystal"},
    {"FSOSC", SOURCE, "full swing crystal"},
    {"XOSC", SOURCE, "crystal"},
    {"EXTXTALCRES", SOURCE, "crystal or resonator"},
    {"EXTCRES", SOURCE, "ceramic resonator"},
    {"CRES", SOURCE, "ceramic resonator"},
    {"EXTLOFXTALRES", SOURCE, "crystal or resonator of low frequency"},
    {"EXTMEDFXTALRES", SOURCE, "crystal or resonator of medium frequency"},
    {"EXTHIFXTALRES", SOURCE, "crystal or resonator of high frequency"},
    {"EXTLOFXTAL", SOURCE, "watch crystal (32.768 kHz)"},
    {"EXTRCOSC", SOURCE, "resistor and capacitor outside"},
    {"INTRCOSC", SOURCE, "internal RC oscillator"},
    {"RC", SOURCE, "internal RC oscillator"},
    {"INTULPOSC", SOURCE, "internal ultra low power oscillator"},
    {"ULPOSC", SOURCE, "internal ultra low power oscillator"},
    {"WDOSC", SOURCE, "watchdog's oscillator"},
    {"TOSC", SOURCE, "transceiver's crystal"},
    {"TRXOSC", SOURCE, "transceiver's crystal"},
    {"PLLCLK", SOURCE, "PLL"},
    {"DIV4", NOTE, "divided by 4"},
    {"PLLIN", FED_BY, "PLL fed by"},
    {"INTCAP", NOTE, "capacitors inside"},
    {"SLOWPWR", NOTE, "for a supply that rises slowly"},
    {"FASTPWR", NOTE, "for a supply that rises fast"},
    {"QUICKPWR", NOTE, "for a supply that rises fast"},
    {"VQUICKPWR", NOTE, "for a supply that rises very fast, or with the brown-out detector"},
    {"BODEN", NOTE, "with the brown-out detector"},
    {"POR", NOTE, "or after power-on"},
    {"SHORT", NOTE, "starts soon"},
    {"LONG", NOTE, "starts late"},
    {"SUT", NOTHING, ""},
    {"DEFAULT", NOTHING, ""},
};

/* The text as it grows. */
struct words {
    char clock[TEXT_BYTES], start[TEXT_BYTES], notes[TEXT_BYTES];
    bool after_frequency; /* the next one ends a range */
};

static void append(char text[TEXT_BYTES], const char *separator, const char *words)
{
    size_t used = strlen(text);

    snprintf(text + used, TEXT_BYTES - used, "%s%s", used > 0 ? separator : "", words);
}

/* "8MHZ", "0MHZ4", "128KHZ": digits, the unit, and digits behind the point. */
static bool is_frequency(const char *token, char *words, size_t words_bytes)
{
    int whole = 0, used = 0;
    char unit = 0;

    if (sscanf(token, "%4d%cHZ%n", &whole, &unit, &used) != 2 || used == 0 ||
        (unit != 'M' && unit != 'K'))
        return false;
    snprintf(words, words_bytes, "%d%s%s %sHz", whole, token[used] != '\0' ? "." : "", token + used,
             unit == 'M' ? "M" : "k");
    return true;
}

/* "16KCK", "65MS", "4MS1" */
static bool is_start(const char *token, char *words, size_t words_bytes)
{
    size_t digits = strspn(token, "0123456789");
    const char *unit = token + digits;

    if (digits == 0)
        return false;
    if (strcmp(unit, "CK") == 0)
        snprintf(words, words_bytes, "%.*s clock%s", (int)digits, token,
                 strcmp(token, "1CK") == 0 ? "" : "s");
    else if (strcmp(unit, "KCK") == 0)
        snprintf(words, words_bytes, "%.*sK clocks", (int)digits, token);
    else if (strncmp(unit, "MS", 2) == 0 && strspn(unit + 2, "0123456789") == strlen(unit + 2))
        snprintf(words, words_bytes, "%.*s%s%s ms", (int)digits, token, unit[2] != '\0' ? "." : "",
                 unit + 2);
    else
        return false;
    return true;
}

static bool add_known(struct words *words, const char *token)
{
    for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++) {
        if (strcmp(tokens[i].token, token) != 0)
            continue;
        if (tokens[i].kind == SOURCE) {
            size_t used = strlen(words->clock);
            bool fed = used >= 2 && strcmp(words->clock + used - 2, "by") == 0;
            append(words->clock, fed ? " " : ", ", tokens[i].words);
        } else if (tokens[i].kind == FED_BY) {
            append(words->clock, ", ", tokens[i].words);
        } else if (tokens[i].kind == NOTE) {
            append(words->notes, " ", tokens[i].words);
        }
        return true;
    }
    return false;
}

static bool add_token(struct words *words, const char *token)
{
    char found[TOKEN_BYTES + 8];
    bool in_range = words->after_frequency;

    words->after_frequency = false;
    if (in_range && strcmp(token, "XX") == 0) {
        append(words->clock, " ", "or more");
    } else if (strcmp(token, "XX") == 0) {
        append(words->clock, " ", "up");
        words->after_frequency = true;
    } else if (is_frequency(token, found, sizeof found)) {
        append(words->clock, in_range ? " to " : " ", found);
        words->after_frequency = !in_range;
    } else if (is_start(token, found, sizeof found)) {
        if (strcmp(found, "0 ms") != 0)
            append(words->start, " + ", found);
    } else {
        return add_known(words, token);
    }
    return true;
}

bool clock_words(const char *name, char *text, size_t text_bytes)
{
    struct words words = {0};
    bool known = true;

    for (const char *at = name; known && *at != '\0';) {
        char token[TOKEN_BYTES];
        size_t length = strcspn(at, "_");

        snprintf(token, sizeof token, "%.*s", (int)length, at);
        known = length < sizeof token && add_token(&words, token);
        at += length + (at[length] == '_');
    }
    if (!known) {
        snprintf(text, text_bytes, "%s", name);
        return false;
    }
    snprintf(text, text_bytes, "%s%s%s%s%s%s", words.clock,
             words.clock[0] && words.start[0] ? ", " : "", words.start[0] ? "starts after " : "",
             words.start, (words.clock[0] || words.start[0]) && words.notes[0] ? ", " : "",
             words.notes);
    return true;
}
