/* The screen as a grid of characters, made without a terminal: screen.c puts it on one, a test can
 * look at it. Text is UTF-8; what a terminal would obey, and what its locale does not have, becomes
 * '?'. Nothing is ever written outside the grid. */
#ifndef STATION_SCREEN_GRID_H
#define STATION_SCREEN_GRID_H

#include <stdbool.h>
#include <stddef.h>
#include <wchar.h>

/* What a terminal makes colours of, or reverse video, or nothing. */
enum screen_style {
    SCREEN_STYLE_PLAIN,
    SCREEN_STYLE_BOLD,
    SCREEN_STYLE_DIM,
    SCREEN_STYLE_TITLE,
    SCREEN_STYLE_GOOD,
    SCREEN_STYLE_BAD,
    SCREEN_STYLE_WARNING,
    SCREEN_STYLE_DOUBT,
    SCREEN_STYLE_COUNT
};

/* A character, what combines with it, and a NUL. Empty: the right half of a wide character. */
#define SCREEN_CELL_CHARACTERS 4

struct screen_cell {
    wchar_t text[SCREEN_CELL_CHARACTERS];
    enum screen_style style;
};

struct screen_grid {
    int rows, columns;
    bool utf8; /* false: ASCII only */
    struct screen_cell *cells;
};

struct screen_rect {
    int row, column, rows, columns;
};

/* Makes the grid as large as this, and blank. -1 when out of memory: the grid stays as it was. */
int screen_grid_resize(struct screen_grid *grid, int rows, int columns);
void screen_grid_free(struct screen_grid *grid);
void screen_grid_clear(struct screen_grid *grid);
const struct screen_cell *screen_grid_cell(const struct screen_grid *grid, int row, int column);

/* Text at a place, over at most so many columns; returns how many it took. */
int screen_grid_put(struct screen_grid *grid, int row, int column, int columns,
                    enum screen_style style, const char *text);
/* The same, and when it does not fit, with an ellipsis at its end. */
int screen_grid_put_cut(struct screen_grid *grid, int row, int column, int columns,
                        enum screen_style style, const char *text);
/* Ends at the right end of those columns. */
void screen_grid_put_right(struct screen_grid *grid, int row, int column, int columns,
                           enum screen_style style, const char *text);
/* In the middle of those columns. */
void screen_grid_put_middle(struct screen_grid *grid, int row, int column, int columns,
                            enum screen_style style, const char *text);
/* Broken between words; false when it does not fit, and ends in an ellipsis. */
bool screen_grid_put_wrapped(struct screen_grid *grid, const struct screen_rect *rect,
                             enum screen_style style, const char *text);
/* One character (of one column), over and over. */
void screen_grid_fill(struct screen_grid *grid, const struct screen_rect *rect,
                      enum screen_style style, const char *character);

/* Columns that a text takes, and rows when it is broken between words. */
int screen_text_columns(const struct screen_grid *grid, const char *text);
int screen_text_rows(const struct screen_grid *grid, const char *text, int columns);

#endif
