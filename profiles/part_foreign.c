#include "profiles/part_foreign.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Patterns: '[' to ']' is one of these letters, '#' one or more digits; behind the pattern no digit
 * may stand. Letters in any case. From the chapters on programming of the datasheets: ATtiny417
 * (DS40001901), ATmega4809 (DS40002173), AVR128DA (DS40002183), ATxmega128A1 (8067), ATtiny10
 * (8127), ATtiny102 (42505), ATtiny11 (1006), ATtiny28 (1062). */
static const struct {
    const char *pattern, *interface;
} families[] = {
    {"ATtiny[248][012][24567]", "UPDI"},
    {"ATtiny16[012][24567]", "UPDI"},
    {"ATtiny32[012][24567]", "UPDI"},
    {"ATmega80[89]", "UPDI"},
    {"ATmega160[89]", "UPDI"},
    {"ATmega320[89]", "UPDI"},
    {"ATmega480[89]", "UPDI"},
    {"AVR#", "UPDI"},
    {"ATxmega#", "PDI"},
    {"ATtiny[459]", "TPI"},
    {"ATtiny10", "TPI"},
    {"ATtiny20", "TPI"},
    {"ATtiny40", "TPI"},
    {"ATtiny10[24]", "TPI"},
    {"ATtiny11", "high voltage"},
    {"ATtiny28", "high voltage"},
};

/* One step of the pattern; NULL where `name` has another letter. */
static const char *skip(const char **pattern, const char *name)
{
    const char *at = *pattern, *end = *at == '[' ? strchr(at, ']') : NULL;

    *pattern = end != NULL ? end + 1 : at + 1;
    if (end != NULL)
        return *name != '\0' && memchr(at + 1, *name, (size_t)(end - at - 1)) != NULL ? name + 1
                                                                                      : NULL;
    if (*at == '#')
        return isdigit((unsigned char)*name) ? name + strspn(name, "0123456789") : NULL;
    return tolower((unsigned char)*at) == tolower((unsigned char)*name) ? name + 1 : NULL;
}

static bool fits(const char *pattern, const char *name)
{
    while (*pattern != '\0' && name != NULL)
        name = skip(&pattern, name);
    return name != NULL && !isdigit((unsigned char)*name);
}

const char *part_foreign_interface(const char *name)
{
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        if (fits(families[i].pattern, name))
            return families[i].interface;
    return NULL;
}

/* As avrdude abbreviates them. */
static const struct {
    const char *theirs, *ours;
} prefixes[] = {
    {"m", "ATmega"},  {"t", "ATtiny"},    {"mega", "ATmega"},   {"tiny", "ATtiny"},
    {"c", "AT90CAN"}, {"usb", "AT90USB"}, {"pwm", "AT90PWM"},   {"can", "AT90CAN"},
    {"90s", "AT90S"}, {"", "AT90S"},      {"90usb", "AT90USB"},
};

const char *part_foreign_name(const char *name, const char *const names[])
{
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        size_t length = strlen(prefixes[i].theirs);
        char full[64];

        if (strncasecmp(name, prefixes[i].theirs, length) != 0)
            continue;
        snprintf(full, sizeof full, "%s%s", prefixes[i].ours, name + length);
        for (size_t at = 0; names[at] != NULL; at++)
            if (strcasecmp(full, names[at]) == 0)
                return names[at];
    }
    return NULL;
}
