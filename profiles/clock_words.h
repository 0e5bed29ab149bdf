/* The clock choices of fuses in words: part files have them as the device files of the maker do,
 * "EXTXOSC_8MHZ_16MHZ_16KCK_14CK_65MS". */
#ifndef PROFILES_CLOCK_WORDS_H
#define PROFILES_CLOCK_WORDS_H

#include <stdbool.h>
#include <stddef.h>

/* "crystal or resonator, 8 MHz to 16 MHz, starts after 16K clocks + 14 clocks + 65 ms" into `text`.
 * False where the name has a word that is not known; it stands in `text` as it is then. */
bool clock_words(const char *name, char *text, size_t text_bytes);

#endif
