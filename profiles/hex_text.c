#include "profiles/hex_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "profiles/text_file.h"

const char *hex_text_next(struct hex_text *text)
{
    while (text->at < text->bytes) {
        const char *line = text->text + text->at;
        const char *newline = memchr(line, '\n', text->bytes - text->at);

        text->length = newline ? (size_t)(newline - line) : text->bytes - text->at;
        text->at += text->length + (newline != NULL);
        text->line++;
        if (text->length > 0 && line[text->length - 1] == '\r')
            text->length--;
        if (text->length > 0)
            return line;
    }
    text->line += text->line == 0;
    return NULL;
}

int hex_text_refuse(const struct hex_text *text, const char *format, ...)
{
    char message[FAILURE_DETAIL_BYTES];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    return failure_set(text->failure, FAILURE_IMAGE_INVALID, "%s:%u: %s",
                       text_file_shown_path(text->name), text->line, message);
}

void hex_text_where(const struct hex_text *text, char where[HEX_TEXT_WHERE_BYTES])
{
    snprintf(where, HEX_TEXT_WHERE_BYTES, "%s:%u", text_file_shown_path(text->name), text->line);
}

static int digit_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    return -1;
}

static uint8_t pair_value(const char *digits)
{
    return (uint8_t)(digit_value(digits[0]) * 16 + digit_value(digits[1]));
}

int hex_text_decode(const struct hex_text *text, const char *line, size_t mark, size_t overhead,
                    uint8_t bytes[HEX_TEXT_RECORD_MAX], size_t *count)
{
    size_t expected;

    for (size_t i = mark; i < text->length; i++)
        if (digit_value(line[i]) < 0)
            return hex_text_refuse(text, "found a character that is no hex digit at column %zu",
                                   i + 1);
    if (text->length < mark + 2)
        return hex_text_refuse(text, "the record is cut off, expected its length");
    *count = overhead + pair_value(line + mark);
    expected = mark + 2 * *count;
    if (text->length != expected)
        return hex_text_refuse(
            text, "the record is %s: %zu characters, its length byte calls for %zu",
            text->length < expected ? "cut off" : "too long", text->length, expected);
    for (size_t i = 0; i < *count; i++)
        bytes[i] = pair_value(line + mark + 2 * i);
    return 0;
}
