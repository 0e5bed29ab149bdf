#include "station/image_map.h"

#include <inttypes.h>
#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#define COLUMNS_DEFAULT 80
#define COLUMNS_MIN 50
#define COLUMNS_MAX 200
#define BESIDE_THE_BAR 30 /* columns: name, first and last address, spaces between */

enum glyph { GLYPH_NONE, GLYPH_SOME, GLYPH_ALL, GLYPH_LEFT, GLYPH_LINE, GLYPH_RIGHT, GLYPH_ONE };

static const char *glyph(const struct image_map *map, enum glyph which)
{
    static const char *const utf8[] = {"·", "▒", "█", "├", "─", "┤", "│"};
    static const char *const ascii[] = {".", "+", "#", "[", "-", "]", "|"};
    return map->utf8 ? utf8[which] : ascii[which];
}

static int find_columns(FILE *out)
{
    const char *said = getenv("COLUMNS");
    struct winsize window = {0};
    long columns = said != NULL ? strtol(said, NULL, 10) : 0;
    if (columns <= 0 && ioctl(fileno(out), TIOCGWINSZ, &window) == 0)
        columns = window.ws_col;
    if (columns <= 0)
        columns = COLUMNS_DEFAULT;
    if (columns < COLUMNS_MIN)
        return COLUMNS_MIN;
    return columns > COLUMNS_MAX ? COLUMNS_MAX : (int)columns;
}

struct image_map image_map_for(FILE *out, uint32_t size)
{
    (void)setlocale(LC_CTYPE, "");
    return (struct image_map){
        .out = out,
        .columns = find_columns(out),
        .utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0,
        .size = size,
    };
}

/* A memory smaller than the bar has a column for each byte. */
static uint32_t bar_columns(const struct image_map *map)
{
    uint32_t columns = (uint32_t)(map->columns - BESIDE_THE_BAR);
    return map->size < columns ? map->size : columns;
}

/* The first byte that a column of the bar stands for; that of the column behind the last one is the
 * end of the memory. */
static uint32_t column_start(const struct image_map *map, uint32_t column)
{
    return (uint32_t)((uint64_t)column * map->size / bar_columns(map));
}

static uint32_t column_of(const struct image_map *map, uint32_t address)
{
    uint32_t column = (uint32_t)((uint64_t)address * bar_columns(map) / map->size);
    while (column + 1 < bar_columns(map) && column_start(map, column + 1) <= address)
        column++;
    return column;
}

static enum glyph fill_of(const struct image *image, uint32_t start, uint32_t end)
{
    uint32_t present = 0;
    for (uint32_t at = start; at < end && at < image->size; at++)
        present += image->present[at];
    if (present == 0)
        return GLYPH_NONE;
    return present == end - start ? GLYPH_ALL : GLYPH_SOME;
}

void image_map_print(const struct image_map *map, const char *name, const struct image *image)
{
    if (map->size == 0)
        return;
    fprintf(map->out, "  %-9s 0x%05X ", name, 0U);
    for (uint32_t column = 0; column < bar_columns(map); column++)
        fputs(glyph(map, fill_of(image, column_start(map, column), column_start(map, column + 1))),
              map->out);
    fprintf(map->out, " 0x%05" PRIX32 "\n", map->size - 1);
}

void image_map_print_section(const struct image_map *map, const char *name,
                             const struct part_boot_section *section)
{
    if (map->size == 0 || section->size_bytes == 0 ||
        section->start_byte_address > map->size - section->size_bytes)
        return;
    uint32_t first = column_of(map, section->start_byte_address);
    uint32_t last = column_of(map, section->start_byte_address + section->size_bytes - 1);
    fprintf(map->out, "  %-9s         %*s", name, (int)first, "");
    if (first == last)
        fputs(glyph(map, GLYPH_ONE), map->out);
    for (uint32_t column = first; first < last && column <= last; column++)
        fputs(glyph(map, column == first  ? GLYPH_LEFT
                         : column == last ? GLYPH_RIGHT
                                          : GLYPH_LINE),
              map->out);
    fputc('\n', map->out);
}

void image_map_print_legend(const struct image_map *map)
{
    if (map->size == 0)
        return;
    fprintf(map->out, "  %s given, %s in part, %s nothing; a column is about %" PRIu32 " bytes\n",
            glyph(map, GLYPH_ALL), glyph(map, GLYPH_SOME), glyph(map, GLYPH_NONE),
            (map->size + bar_columns(map) / 2) / bar_columns(map));
}
