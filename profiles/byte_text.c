#include "profiles/byte_text.h"

#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* Readings of one text: "062" has all but the last. */
#define READINGS_MAX 3

struct readings {
    unsigned value[READINGS_MAX];
    const char *notation[READINGS_MAX];
    size_t count;
};

/* -1: the digits are none, not all of this base, or more than a byte. */
static int read_digits(const char *digits, int base)
{
    int total = *digits == '\0' ? -1 : 0;

    for (; total >= 0 && *digits != '\0'; digits++) {
        int digit = isdigit((unsigned char)*digits)    ? *digits - '0'
                    : isxdigit((unsigned char)*digits) ? tolower((unsigned char)*digits) - 'a' + 10
                                                       : base;

        total = digit < base ? total * base + digit : -1;
        if (total > UINT8_MAX)
            total = -1;
    }
    return total;
}

/* What is known already is not said twice: 8 is 8 in each notation. */
static void add(struct readings *readings, int value, const char *notation)
{
    for (size_t i = 0; i < readings->count; i++)
        if (readings->value[i] == (unsigned)value)
            return;
    if (value < 0)
        return;
    readings->value[readings->count] = (unsigned)value;
    readings->notation[readings->count++] = notation;
}

static void find_readings(const char *text, struct readings *readings)
{
    int mark = text[0] == '0' ? tolower((unsigned char)text[1]) : '\0';

    add(readings, read_digits(mark == 'x' ? text + 2 : text, 16), "hexadecimal");
    add(readings, read_digits(text, 10), "decimal");
    if (text[0] == '0') /* as in C, and for avrdude */
        add(readings, read_digits(text, 8), "octal");
    if (mark == 'b')
        add(readings, read_digits(text + 2, 2), "binary");
}

/* YAML has no 0X…, and its versions do not agree what 0b… and leading zeros are. */
static bool is_plain(const char *text)
{
    if (text[0] == '0' && text[1] != '\0')
        return text[1] == 'x';
    return text[strspn(text, "0123456789")] == '\0';
}

static void advise(const struct readings *readings, char advice[BYTE_TEXT_ADVICE_BYTES])
{
    const unsigned *value = readings->value;
    const char *const *notation = readings->notation;

    advice[0] = '\0';
    if (readings->count == 1)
        snprintf(advice, BYTE_TEXT_ADVICE_BYTES, ": write 0x%02X", value[0]);
    if (readings->count == 2)
        snprintf(advice, BYTE_TEXT_ADVICE_BYTES, ", which may be %s or %s: write 0x%02X or 0x%02X",
                 notation[0], notation[1], value[0], value[1]);
    if (readings->count == 3)
        snprintf(advice, BYTE_TEXT_ADVICE_BYTES,
                 ", which may be %s, %s or %s: write 0x%02X, 0x%02X or 0x%02X", notation[0],
                 notation[1], notation[2], value[0], value[1], value[2]);
}

bool byte_text_parse(const char *text, uint8_t *value, char advice[BYTE_TEXT_ADVICE_BYTES])
{
    struct readings readings = {.count = 0};

    find_readings(text, &readings);
    advise(&readings, advice);
    if (readings.count != 1 || !is_plain(text))
        return false;
    *value = (uint8_t)readings.value[0];
    advice[0] = '\0';
    return true;
}
