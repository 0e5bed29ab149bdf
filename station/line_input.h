/* Lines on standard input, where there is no screen: each is a press of GO. */
#ifndef STATION_LINE_INPUT_H
#define STATION_LINE_INPUT_H

#include <stdbool.h>
#include <stddef.h>

struct line_input {
    char bytes[256];
    size_t count;
    bool too_long; /* the line that is being read did not fit */
    bool ended;
};

/* Is there a whole line? */
bool line_input_has_line(const struct line_input *input);
/* Reads what is there now: call when standard input is readable and there is no whole line. */
void line_input_fill(struct line_input *input);
/* Takes the first line, which must be there. False when it is "q": somebody wants to end. */
bool line_input_take(struct line_input *input);

#endif
