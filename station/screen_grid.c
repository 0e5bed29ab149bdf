#include "station/screen_grid.h"

#include <stdlib.h>
#include <string.h>

#include "reports/text.h"

/* No terminal is larger; keeps the products below small. */
#define SIDE_MAX 10000

static struct screen_cell *cell_at(const struct screen_grid *grid, int row, int column)
{
    if (row < 0 || row >= grid->rows || column < 0 || column >= grid->columns)
        return NULL;
    return &grid->cells[(size_t)row * (size_t)grid->columns + (size_t)column];
}

static void make_blank(struct screen_cell *cell)
{
    *cell = (struct screen_cell){.text = L" "};
}

int screen_grid_resize(struct screen_grid *grid, int rows, int columns)
{
    if (rows < 1 || columns < 1 || rows > SIDE_MAX || columns > SIDE_MAX)
        return -1;
    struct screen_cell *cells = calloc((size_t)rows * (size_t)columns, sizeof(*cells));
    if (cells == NULL)
        return -1;
    free(grid->cells);
    grid->cells = cells;
    grid->rows = rows;
    grid->columns = columns;
    screen_grid_clear(grid);
    return 0;
}

void screen_grid_free(struct screen_grid *grid)
{
    free(grid->cells);
    *grid = (struct screen_grid){0};
}

void screen_grid_clear(struct screen_grid *grid)
{
    size_t count = (size_t)grid->rows * (size_t)grid->columns;
    for (size_t i = 0; i < count; i++)
        make_blank(&grid->cells[i]);
}

const struct screen_cell *screen_grid_cell(const struct screen_grid *grid, int row, int column)
{
    return cell_at(grid, row, column);
}

/* ------------------------------------------------------------------ characters */

struct character {
    wchar_t code;
    int columns;
    size_t bytes;
};

/* Characters without a width of their own that change how others are shown: marks of direction and
 * joiners (the Unicode Standard, version 15, chapter 23.2 and 23.3). */
static bool is_hidden(wchar_t code)
{
    static const struct {
        wchar_t first, last;
    } hidden[] = {{0x00AD, 0x00AD}, {0x061C, 0x061C}, {0x180E, 0x180E}, {0x200B, 0x200F},
                  {0x2028, 0x202E}, {0x2060, 0x206F}, {0xFEFF, 0xFEFF}, {0xE0000, 0xE0FFF}};
    for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++) {
        if (code >= hidden[i].first && code <= hidden[i].last)
            return true;
    }
    return false;
}

/* The first character of a text that is not at its end. */
static struct character take_character(const struct screen_grid *grid, const char *text)
{
    struct character taken = {.code = L'?', .columns = 1, .bytes = text_character_bytes(text)};
    mbstate_t state = {0};
    wchar_t code = L'?';
    if (taken.bytes == 0 || (taken.bytes > 1 && !grid->utf8)) {
        taken.bytes += taken.bytes == 0 ? 1 : 0;
        return taken;
    }
    if (mbrtowc(&code, text, taken.bytes, &state) != taken.bytes)
        return taken;
    int columns = wcwidth(code);
    if (columns < 0 || is_hidden(code))
        return taken;
    taken.code = code;
    taken.columns = columns;
    return taken;
}

/* A wide character of which one half is overwritten leaves a blank. */
static void separate(struct screen_grid *grid, int row, int column)
{
    struct screen_cell *cell = cell_at(grid, row, column);
    struct screen_cell *left = cell_at(grid, row, column - 1);
    if (cell == NULL || cell->text[0] != L'\0' || left == NULL)
        return;
    make_blank(left);
    make_blank(cell);
}

static void set_character(struct screen_grid *grid, int row, int column, enum screen_style style,
                          const struct character *character)
{
    struct screen_cell *cell = cell_at(grid, row, column);
    separate(grid, row, column);
    separate(grid, row, column + character->columns);
    *cell = (struct screen_cell){.text = {character->code}, .style = style};
    if (character->columns == 2)
        *cell_at(grid, row, column + 1) = (struct screen_cell){.style = style};
}

/* An accent joins the character before it, if that has room for it. */
static void combine(struct screen_cell *cell, wchar_t code)
{
    size_t length = wcslen(cell->text);
    if (length > 0 && length < SCREEN_CELL_CHARACTERS - 1)
        cell->text[length] = code;
}

int screen_grid_put(struct screen_grid *grid, int row, int column, int columns,
                    enum screen_style style, const char *text)
{
    int used = 0;
    int before = -1; /* column of the character before */
    if (column + columns > grid->columns)
        columns = grid->columns - column;
    if (row < 0 || row >= grid->rows || column < 0)
        return 0;
    while (*text != '\0') {
        struct character character = take_character(grid, text);
        if (used + character.columns > columns)
            break;
        text += character.bytes;
        if (character.columns > 0) {
            before = column + used;
            set_character(grid, row, before, style, &character);
        } else if (before >= 0) {
            combine(cell_at(grid, row, before), character.code);
        }
        used += character.columns;
    }
    return used;
}

/* ------------------------------------------------------------------ text */

int screen_text_columns(const struct screen_grid *grid, const char *text)
{
    int columns = 0;
    while (*text != '\0') {
        struct character character = take_character(grid, text);
        columns += character.columns;
        text += character.bytes;
    }
    return columns;
}

static const char *ellipsis(const struct screen_grid *grid)
{
    return grid->utf8 ? "…" : "..";
}

int screen_grid_put_cut(struct screen_grid *grid, int row, int column, int columns,
                        enum screen_style style, const char *text)
{
    const char *end = ellipsis(grid);
    int end_columns = screen_text_columns(grid, end);
    if (screen_text_columns(grid, text) <= columns || columns <= end_columns)
        return screen_grid_put(grid, row, column, columns, style, text);
    int used = screen_grid_put(grid, row, column, columns - end_columns, style, text);
    return used + screen_grid_put(grid, row, column + used, end_columns, style, end);
}

void screen_grid_put_right(struct screen_grid *grid, int row, int column, int columns,
                           enum screen_style style, const char *text)
{
    int used = screen_text_columns(grid, text);
    if (used > columns)
        used = columns;
    (void)screen_grid_put_cut(grid, row, column + columns - used, used, style, text);
}

void screen_grid_put_middle(struct screen_grid *grid, int row, int column, int columns,
                            enum screen_style style, const char *text)
{
    int left = (columns - screen_text_columns(grid, text)) / 2;
    if (left < 0)
        left = 0;
    (void)screen_grid_put_cut(grid, row, column + left, columns - left, style, text);
}

/* How many bytes of the text go on one row: whole words, if there is one that fits. */
static size_t row_bytes(const struct screen_grid *grid, const char *text, int columns)
{
    size_t at = 0;
    size_t words = 0;
    int used = 0;
    while (text[at] != '\0') {
        struct character character = take_character(grid, text + at);
        if (used + character.columns > columns)
            break;
        at += character.bytes;
        used += character.columns;
        if (text[at] == ' ' || text[at] == '\0')
            words = at;
    }
    if (words > 0 || text[0] == '\0')
        return words;
    return at > 0 ? at : take_character(grid, text).bytes;
}

static const char *next_row(const struct screen_grid *grid, const char *text, int columns)
{
    text += row_bytes(grid, text, columns);
    return text + strspn(text, " ");
}

int screen_text_rows(const struct screen_grid *grid, const char *text, int columns)
{
    int rows = 0;
    for (; *text != '\0'; rows++)
        text = next_row(grid, text, columns);
    return rows;
}

bool screen_grid_put_wrapped(struct screen_grid *grid, const struct screen_rect *rect,
                             enum screen_style style, const char *text)
{
    for (int i = 0; i < rect->rows && *text != '\0'; i++) {
        const char *rest = next_row(grid, text, rect->columns);
        int row = rect->row + i;
        if (i == rect->rows - 1 && *rest != '\0') {
            (void)screen_grid_put_cut(grid, row, rect->column, rect->columns, style, text);
            return false;
        }
        char *line = strndup(text, row_bytes(grid, text, rect->columns));
        if (line == NULL)
            return false;
        (void)screen_grid_put(grid, row, rect->column, rect->columns, style, line);
        free(line);
        text = rest;
    }
    return *text == '\0';
}

void screen_grid_fill(struct screen_grid *grid, const struct screen_rect *rect,
                      enum screen_style style, const char *character)
{
    for (int row = rect->row; row < rect->row + rect->rows; row++) {
        for (int column = rect->column; column < rect->column + rect->columns; column++)
            (void)screen_grid_put(grid, row, column, 1, style, character);
    }
}
