/* What a board or a site came to, and how that looks: in words, in a letter, in colour, and in a
 * pattern of its own for those who see no colours. */
#ifndef STATION_SCREEN_LOOK_H
#define STATION_SCREEN_LOOK_H

#include "station/screen_grid.h"

enum screen_outcome {
    SCREEN_OUTCOME_NONE, /* nothing yet */
    SCREEN_OUTCOME_PASS,
    SCREEN_OUTCOME_FAIL,
    SCREEN_OUTCOME_REFUSED,
    SCREEN_OUTCOME_UNVERIFIED,
    SCREEN_OUTCOME_EMPTY,
    SCREEN_OUTCOME_INTERRUPTED,
    SCREEN_OUTCOME_UNKNOWN, /* the log failed */
    SCREEN_OUTCOME_WAITING, /* the site, for its programmer to come back */
    SCREEN_OUTCOME_OUT,     /* the site, for the rest of the run */
    SCREEN_OUTCOME_COUNT
};

#define SCREEN_LOOK_WORDS 3

struct screen_look {
    const char *words[SCREEN_LOOK_WORDS]; /* from the full one to one of four letters */
    enum screen_style style;
    int urgency; /* whose sentence goes first when there is little room; 0: nobody's */
    char letter;
    char pattern;             /* what frames and bands are made of, in ASCII… */
    const char *pattern_utf8; /* …and where there is more */
};

const struct screen_look *screen_look(enum screen_outcome outcome);
/* The longest of its words that fits; the shortest, if none does. */
const char *screen_look_word(enum screen_outcome outcome, int columns);
/* Its pattern as the grid can show it. */
const char *screen_look_pattern(const struct screen_grid *grid, enum screen_outcome outcome,
                                char text[2]);

#endif
