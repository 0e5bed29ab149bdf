/* What an image file holds, for people and for programs. */
#ifndef STATION_IMAGE_INFO_H
#define STATION_IMAGE_INFO_H

#include <stdio.h>

#include "profiles/image_memories.h"

struct image_info {
    const char *name;         /* as it was typed */
    const char *format;       /* "hex", …, "profile" */
    const char *format_title; /* "Intel HEX", … */
    const char *sha256;       /* of the file */
    int64_t file_bytes;       /* -1: not told */
    const struct image_memories *memories;
    const struct part *part; /* NULL: not known; fuses are not decoded then */
};

/* Lines, and a map to scale of flash and EEPROM with the part's boot sections. */
void image_info_print(const struct image_info *info, FILE *out);
/* One JSON object on a line. -1 when it could not be written. */
int image_info_write_json(const struct image_info *info, FILE *out);

#endif
