#include "station/line_input.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

bool line_input_has_line(const struct line_input *input)
{
    return memchr(input->bytes, '\n', input->count) != NULL;
}

void line_input_fill(struct line_input *input)
{
    if (input->count == sizeof(input->bytes)) { /* no newline in all of it */
        input->count = 0;
        input->too_long = true;
    }
    ssize_t got =
        read(STDIN_FILENO, input->bytes + input->count, sizeof(input->bytes) - input->count);
    if (got > 0)
        input->count += (size_t)got;
    else if (got == 0 || (errno != EINTR && errno != EAGAIN))
        input->ended = true;
}

enum line_input_result line_input_take(struct line_input *input)
{
    const char *end = memchr(input->bytes, '\n', input->count);
    if (end == NULL)
        return input->ended ? LINE_INPUT_END : LINE_INPUT_NONE;
    size_t length = (size_t)(end - input->bytes);
    bool quit = !input->too_long && length == 1 && input->bytes[0] == 'q';
    input->too_long = false;
    input->count -= length + 1;
    memmove(input->bytes, end + 1, input->count);
    return quit ? LINE_INPUT_QUIT : LINE_INPUT_PRESS;
}
