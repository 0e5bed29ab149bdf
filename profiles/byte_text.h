/* A byte as people type it. A fuse calculator says 62 and means 0x62; avrdude takes 62 for 0x3E.
 * Either way the other one is a board that does not answer any more, so what can be read in two
 * ways is not read at all. */
#ifndef PROFILES_BYTE_TEXT_H
#define PROFILES_BYTE_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#define BYTE_TEXT_ADVICE_BYTES 96

/* Takes 0x00 to 0xFF, and those decimal numbers that are no other byte in hexadecimal: 0 to 9 and
 * 100 to 255. `advice` receives what to write instead of anything else, to stand behind the text
 * that was found: ", which may be hexadecimal or decimal: write 0x62 or 0x3E"; "" where it is no
 * byte in any notation. */
bool byte_text_parse(const char *text, uint8_t *value, char advice[BYTE_TEXT_ADVICE_BYTES]);

#endif
