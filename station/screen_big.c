#include "station/screen_big.h"

#include <string.h>

/* The letters of the words in screen_look.c. */
static const struct glyph {
    char letter;
    const char *rows[SCREEN_BIG_ROWS];
} glyphs[] = {
    {'A', {" # ", "# #", "###", "# #", "# #"}},
    {'D', {"## ", "# #", "# #", "# #", "## "}},
    {'E', {"###", "#  ", "## ", "#  ", "###"}},
    {'F', {"###", "#  ", "## ", "#  ", "#  "}},
    {'G', {"###", "#  ", "# #", "# #", "###"}},
    {'I', {"###", " # ", " # ", " # ", "###"}},
    {'K', {"# #", "# #", "## ", "# #", "# #"}},
    {'L', {"#  ", "#  ", "#  ", "#  ", "###"}},
    {'M', {"#   #", "## ##", "# # #", "#   #", "#   #"}},
    {'N', {"#  #", "## #", "# ##", "#  #", "#  #"}},
    {'O', {"###", "# #", "# #", "# #", "###"}},
    {'P', {"###", "# #", "###", "#  ", "#  "}},
    {'R', {"## ", "# #", "## ", "# #", "# #"}},
    {'S', {"###", "#  ", "###", "  #", "###"}},
    {'T', {"###", " # ", " # ", " # ", " # "}},
    {'U', {"# #", "# #", "# #", "# #", "###"}},
    {'V', {"#   #", "#   #", " # # ", " # # ", "  #  "}},
    {'W', {"#   #", "#   #", "# # #", "## ##", "#   #"}},
    {'Y', {"# #", "# #", " # ", " # ", " # "}},
};

static const struct glyph *find_glyph(char letter)
{
    for (size_t i = 0; i < sizeof(glyphs) / sizeof(glyphs[0]); i++) {
        if (glyphs[i].letter == letter)
            return &glyphs[i];
    }
    return NULL;
}

static int glyph_columns(const struct glyph *glyph)
{
    return (int)strlen(glyph->rows[0]);
}

int screen_big_columns(const char *word)
{
    int columns = 0;
    for (const char *at = word; *at != '\0'; at++) {
        const struct glyph *glyph = find_glyph(*at);
        if (glyph == NULL)
            return 0;
        columns += glyph_columns(glyph) + (at[1] != '\0' ? 1 : 0);
    }
    return columns;
}

static void draw_glyph(struct screen_grid *grid, const struct screen_rect *dot,
                       const struct glyph *glyph, enum screen_style style)
{
    for (int y = 0; y < SCREEN_BIG_ROWS; y++) {
        for (int x = 0; x < glyph_columns(glyph); x++) {
            const struct screen_rect here = {.row = dot->row + y * dot->rows,
                                             .column = dot->column + x * dot->columns,
                                             .rows = dot->rows,
                                             .columns = dot->columns};
            if (glyph->rows[y][x] == '#')
                screen_grid_fill(grid, &here, style, grid->utf8 ? "█" : "#");
        }
    }
}

void screen_big_draw(struct screen_grid *grid, int row, int column, const char *word,
                     int dot_columns, int dot_rows, enum screen_style style)
{
    struct screen_rect dot = {
        .row = row, .column = column, .rows = dot_rows, .columns = dot_columns};
    for (; *word != '\0'; word++) {
        const struct glyph *glyph = find_glyph(*word);
        if (glyph == NULL)
            continue;
        draw_glyph(grid, &dot, glyph, style);
        dot.column += (glyph_columns(glyph) + 1) * dot_columns;
    }
}
