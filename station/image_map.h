/* A memory drawn to scale, as wide as the terminal: what an image gives of it, and beneath it where
 * each boot section would lie. */
#ifndef STATION_IMAGE_MAP_H
#define STATION_IMAGE_MAP_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "profiles/image.h"
#include "profiles/part.h"

struct image_map {
    FILE *out;
    int columns;   /* of the whole line */
    bool utf8;     /* else in ASCII */
    uint32_t size; /* of the memory: the scale */
};

/* $COLUMNS, else the terminal's width, else 80, within what can be drawn and read; characters as
 * the locale has them. */
struct image_map image_map_for(FILE *out, uint32_t size);

/* One line: the name, the first address, the bar, the last address. */
void image_map_print(const struct image_map *map, const char *name, const struct image *image);
/* One line: the section's place under the bar. */
void image_map_print_section(const struct image_map *map, const char *name,
                             const struct part_boot_section *section);
/* What the characters of the bar mean, and how many bytes a column is. */
void image_map_print_legend(const struct image_map *map);

#endif
