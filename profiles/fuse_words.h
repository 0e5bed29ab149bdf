/* Fuse and lock bytes in words: what the choice in each of their fields is called, and what it
 * means. Both ways: a byte is taken apart into choices, and choices make a byte. */
#ifndef PROFILES_FUSE_WORDS_H
#define PROFILES_FUSE_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiles/part.h"
#include "reports/failure.h"

#define FUSE_WORDS_CHOICE_BYTES 80
#define FUSE_WORDS_MEANING_BYTES 200

/* The field of that name, in any letters, and the fuse or lock byte that it stands in; NULL where
 * the part has none. Parts have each name once. */
const struct part_field *fuse_words_find(const struct part *part, const char *name,
                                         enum part_memory *memory);

/* The field that has `name` as one of its words, as SUT_CKSEL has CKSEL; NULL: none. */
const struct part_field *fuse_words_find_joined(const struct part *part, const char *name);

/* What a byte that other tools call "lfuse" is called here: "low", and "lock" for the lock byte.
 * NULL where the name is not one of theirs. */
const char *fuse_words_our_name(const char *name);

/* The field's code in a byte, right-aligned, and a byte with another code there. */
uint8_t fuse_words_code(const struct part_field *field, uint8_t byte);
uint8_t fuse_words_with(const struct part_field *field, uint8_t byte, uint8_t code);
/* One more than the largest code of the field. */
unsigned fuse_words_code_count(const struct part_field *field);
/* Does the part's documentation know the code? */
bool fuse_words_is_documented(const struct part_field *field, uint8_t code);

/* What a choice is called: "on" and "off" of a bit (on is programmed, 0), "2048 words", "2.7 V",
 * "off", or the part file's name; "code 0x01" of what is not documented. */
void fuse_words_choice(const struct part_field *field, uint8_t code,
                       char text[FUSE_WORDS_CHOICE_BYTES]);
/* The other way round. Takes what fuse_words_choice() gives and the part file's names, in any
 * letters. FAILURE_USAGE with what was found and expected, and the nearest that there is. */
int fuse_words_parse(const struct part_field *field, const char *text, uint8_t *code,
                     struct failure *failure);
/* What the choice does, for people: "a chip erase keeps the EEPROM". "" where nothing more is to be
 * said than its name. */
void fuse_words_meaning(const struct part_field *field, uint8_t code,
                        char text[FUSE_WORDS_MEANING_BYTES]);

#endif
