#include "reports/text.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* The well-formed sequences: the Unicode Standard, version 15, table 3-7. Bytes after the second
 * are always 80…BF. */
struct sequence {
    uint8_t first_low, first_high;
    uint8_t second_low, second_high;
    uint8_t bytes;
};

static const struct sequence sequences[] = {
    {0x01, 0x7F, 0x00, 0x00, 1}, {0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3},
    {0xE1, 0xEC, 0x80, 0xBF, 3}, {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3},
    {0xF0, 0xF0, 0x90, 0xBF, 4}, {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4},
};

static bool sequence_fits(const struct sequence *sequence, const uint8_t *bytes)
{
    if (bytes[0] < sequence->first_low || bytes[0] > sequence->first_high) {
        return false;
    }
    for (size_t i = 1; i < sequence->bytes; i++) {
        uint8_t low = i == 1 ? sequence->second_low : 0x80;
        uint8_t high = i == 1 ? sequence->second_high : 0xBF;
        if (bytes[i] < low || bytes[i] > high) {
            return false; /* also at the terminating NUL, so nothing beyond it is read */
        }
    }
    return true;
}

size_t text_character_bytes(const char *text)
{
    const uint8_t *bytes = (const uint8_t *)text;
    for (size_t i = 0; i < sizeof sequences / sizeof sequences[0]; i++) {
        if (sequence_fits(&sequences[i], bytes)) {
            return sequences[i].bytes;
        }
    }
    return 0;
}

/* C0 controls, DEL, and the C1 controls that some terminals obey (C2 80…C2 9F). */
static bool is_control(const char *text)
{
    const uint8_t *bytes = (const uint8_t *)text;
    return bytes[0] < 0x20 || bytes[0] == 0x7F || (bytes[0] == 0xC2 && bytes[1] < 0xA0);
}

void text_copy(char *field, size_t field_bytes, const char *text)
{
    size_t used = 0;
    if (field_bytes == 0) {
        return;
    }
    while (text != NULL && *text != '\0') {
        size_t bytes = text_character_bytes(text);
        bool bad = bytes == 0 || is_control(text);
        size_t needed = bad ? 1 : bytes;
        if (used + needed >= field_bytes) {
            break;
        }
        memcpy(field + used, bad ? "?" : text, needed);
        used += needed;
        text += bytes == 0 ? 1 : bytes;
    }
    field[used] = '\0';
}
