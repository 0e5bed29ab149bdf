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

enum line_input_result { LINE_INPUT_NONE, LINE_INPUT_PRESS, LINE_INPUT_QUIT, LINE_INPUT_END };

/* Is there a whole line already, so that nothing more needs to be read? */
bool line_input_has_line(const struct line_input *input);
/* Reads what is there now: call when standard input is readable. */
void line_input_fill(struct line_input *input);
/* Takes one line: a press, or "q". LINE_INPUT_END once after the last. */
enum line_input_result line_input_take(struct line_input *input);

#endif
