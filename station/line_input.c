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

bool line_input_take(struct line_input *input)
{
    const char *end = memchr(input->bytes, '\n', input->count);
    size_t length = end != NULL ? (size_t)(end - input->bytes) : input->count - 1;
    bool quit = !input->too_long && length == 1 && input->bytes[0] == 'q';
    input->too_long = false;
    input->count -= length + 1;
    memmove(input->bytes, input->bytes + length + 1, input->count);
    return !quit;
}
