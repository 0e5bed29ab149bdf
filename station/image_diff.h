/* What two image files have in common and what not, address by address. */
#ifndef STATION_IMAGE_DIFF_H
#define STATION_IMAGE_DIFF_H

#include <stdbool.h>
#include <stdio.h>

#include "profiles/image_memories.h"

struct image_diff_side {
    const char *name;
    const struct image_memories *memories;
};

/* Prints the ranges that differ or are in one file only, memory by memory. True when there are
 * none. A byte that is given as FF is not the same as one that is not given. */
bool image_diff_print(const struct image_diff_side *a, const struct image_diff_side *b, FILE *out);

#endif
