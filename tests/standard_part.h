/* For parts that tests make by hand: fuses and lock byte with the instructions that nearly all
 * parts have. */
#ifndef TESTS_STANDARD_PART_H
#define TESTS_STANDARD_PART_H

#include <stdio.h>
#include <string.h>

#include "profiles/part.h"

/* Gives `part` all four bytes: readable, writable, all bits there. */
static inline void standard_bytes(struct part *part)
{
    static const char *const names[] = {"low", "high", "extended", "lock"};

    for (int i = 0; i < PART_FUSE_AND_LOCK_COUNT; i++) {
        struct part_byte *byte = &part->bytes[i];

        byte->exists = true;
        byte->mask = 0xFF;
        byte->factory_default = 0xFF;
        snprintf(byte->name, sizeof byte->name, "%s", names[i]);
    }
    part_use_standard_instructions(part);
}

#endif
