#include "station/screen_look.h"

#include <string.h>

static const struct screen_look looks[] = {
    [SCREEN_OUTCOME_NONE] = {{"", "", ""}, SCREEN_STYLE_PLAIN, 0, ' ', ' ', " "},
    [SCREEN_OUTCOME_PASS] = {{"PASS", "PASS", "PASS"}, SCREEN_STYLE_GOOD, 0, 'P', '=', "═"},
    [SCREEN_OUTCOME_FAIL] = {{"FAIL", "FAIL", "FAIL"}, SCREEN_STYLE_BAD, 6, 'F', 'X', "╳"},
    [SCREEN_OUTCOME_REFUSED] =
        {{"REFUSED", "REFUSED", "RFSD"}, SCREEN_STYLE_WARNING, 5, 'R', '/', "╱"},
    [SCREEN_OUTCOME_UNVERIFIED] =
        {{"UNVERIFIED", "UNVERIF", "UNVF"}, SCREEN_STYLE_WARNING, 3, 'V', '~', "~"},
    [SCREEN_OUTCOME_EMPTY] = {{"EMPTY", "EMPTY", "EMPT"}, SCREEN_STYLE_BOLD, 1, 'E', '.', "·"},
    [SCREEN_OUTCOME_INTERRUPTED] =
        {{"INTERRUPTED", "INTERR", "INTR"}, SCREEN_STYLE_WARNING, 4, 'I', '-', "╌"},
    [SCREEN_OUTCOME_UNKNOWN] =
        {{"UNKNOWN", "UNKNOWN", "UNKN"}, SCREEN_STYLE_DOUBT, 8, 'U', '?', "?"},
    [SCREEN_OUTCOME_WAITING] =
        {{"WAITING", "WAITING", "WAIT"}, SCREEN_STYLE_WARNING, 2, 'W', '<', "‹"},
    [SCREEN_OUTCOME_OUT] = {{"OUT", "OUT", "OUT"}, SCREEN_STYLE_BAD, 7, 'O', '#', "▒"},
};

_Static_assert(sizeof looks / sizeof looks[0] == SCREEN_OUTCOME_COUNT, "one look per outcome");

const struct screen_look *screen_look(enum screen_outcome outcome)
{
    return &looks[outcome];
}

const char *screen_look_word(enum screen_outcome outcome, int columns)
{
    const char *const *words = looks[outcome].words;
    int i = 0;
    while (i < SCREEN_LOOK_WORDS - 1 && (int)strlen(words[i]) > columns)
        i++;
    return words[i];
}

const char *screen_look_pattern(const struct screen_grid *grid, enum screen_outcome outcome,
                                char text[2])
{
    if (grid->utf8)
        return looks[outcome].pattern_utf8;
    text[0] = looks[outcome].pattern;
    text[1] = '\0';
    return text;
}
