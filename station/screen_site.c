#include "station/screen_site.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "station/screen_big.h"

#define FRAME_ROWS 8      /* blocks from here on have a frame on all sides */
#define GAP_ROWS 10       /* and from here on a free row below */
#define WIDE_COLUMNS 36   /* a step, its time and its percentage stand in one row */
#define BESIDE_COLUMNS 16 /* sentences beside big letters have at least these */
#define TALL_BAR_ROWS 8   /* a block of so many rows has a bar that is seen from afar */
#define BAND_ROWS_MAX SCREEN_BIG_ROWS
#define TAKE_OUT_COLUMNS 18  /* of "take the board out" */
#define LONG_LINE_COLUMNS 44 /* lines from here on tell the time left */

static struct screen_rect rows_of(const struct screen_rect *rect, int from, int rows)
{
    struct screen_rect part = *rect;
    part.row += from;
    part.rows = rows;
    return part;
}

static void fill_pattern(struct screen_grid *grid, const struct screen_rect *rect,
                         enum screen_outcome outcome)
{
    char text[2];
    screen_grid_fill(grid, rect, screen_look(outcome)->style,
                     screen_look_pattern(grid, outcome, text));
}

/* ------------------------------------------------------------------ big words */

/* Where the word of an outcome stands, and where its sentences. */
struct arrangement {
    int dot_columns, dot_rows; /* of big letters; 0: it stands in a band */
    struct screen_rect word, text;
    bool whole; /* the sentences fit */
};

static int advice_rows(const struct screen_grid *grid, const struct screen_advice *advice,
                       int columns)
{
    return (advice->bin[0] != '\0' ? 1 : 0) + screen_text_rows(grid, advice->text, columns);
}

/* Dots are about square when they are twice as many columns as rows. */
static int dot_columns(const char *word, int dot_rows, int columns)
{
    int dots = screen_big_columns(word);
    int widest = dots > 0 ? columns / dots : 0;
    return widest < 2 * dot_rows ? widest : 2 * dot_rows;
}

/* Big letters, sentences below. */
static bool stack(const struct screen_grid *grid, const struct screen_rect *inner, const char *word,
                  const struct screen_advice *advice, int dot_rows, struct arrangement *made)
{
    int rows = SCREEN_BIG_ROWS * dot_rows;
    int dots = dot_columns(word, dot_rows, inner->columns);
    if (dots < dot_rows || rows + 1 > inner->rows)
        return false;
    int wanted = advice_rows(grid, advice, inner->columns);
    *made = (struct arrangement){.dot_columns = dots,
                                 .dot_rows = dot_rows,
                                 .word = rows_of(inner, 0, rows),
                                 .text = rows_of(inner, rows, inner->rows - rows),
                                 .whole = rows + wanted <= inner->rows};
    return true;
}

/* Sentences to the right of the letters. */
static bool beside(const struct screen_grid *grid, const struct screen_rect *inner,
                   const char *word, const struct screen_advice *advice, int dot_rows,
                   struct arrangement *made)
{
    int dots = dot_columns(word, dot_rows, inner->columns - BESIDE_COLUMNS - 2);
    int left = screen_big_columns(word) * dots;
    if (dots < dot_rows || SCREEN_BIG_ROWS * dot_rows > inner->rows)
        return false;
    *made = (struct arrangement){.dot_columns = dots,
                                 .dot_rows = dot_rows,
                                 .word = rows_of(inner, 0, SCREEN_BIG_ROWS * dot_rows),
                                 .text = *inner};
    made->word.columns = left;
    made->text.column += left + 2;
    made->text.columns -= left + 2;
    made->whole = advice_rows(grid, advice, made->text.columns) <= inner->rows;
    return true;
}

/* No room for big letters: a band as tall as the sentences let it be; if they do not fit anyhow, as
 * tall as letters would be. */
static void band(const struct screen_grid *grid, const struct screen_rect *inner,
                 const struct screen_advice *advice, struct arrangement *made)
{
    int wanted = advice_rows(grid, advice, inner->columns);
    int rows = inner->rows - wanted;
    if (rows < 1)
        rows = inner->rows - 1;
    if (rows > BAND_ROWS_MAX)
        rows = BAND_ROWS_MAX;
    if (inner->rows < BAND_ROWS_MAX)
        rows = 1;
    *made = (struct arrangement){.word = rows_of(inner, 0, rows),
                                 .text = rows_of(inner, rows, inner->rows - rows),
                                 .whole = rows + wanted <= inner->rows};
}

/* The largest letters with which all is said; else the least large ones; else none. */
static void arrange(const struct screen_grid *grid, const struct screen_rect *inner,
                    const char *word, const struct screen_advice *advice, struct arrangement *made)
{
    for (int dot_rows = inner->rows / SCREEN_BIG_ROWS; dot_rows > 0; dot_rows--) {
        if (stack(grid, inner, word, advice, dot_rows, made) && made->whole)
            return;
        if (beside(grid, inner, word, advice, dot_rows, made) && made->whole)
            return;
    }
    if (!stack(grid, inner, word, advice, 1, made) && !beside(grid, inner, word, advice, 1, made))
        band(grid, inner, advice, made);
}

/* ------------------------------------------------------------------ blocks */

/* True: the bin had room in it. */
static bool draw_band(struct screen_grid *grid, const struct screen_rect *rect,
                      enum screen_outcome outcome, const char *bin)
{
    char label[80];
    const char *word = screen_look_word(outcome, rect->columns - 2);
    fill_pattern(grid, rect, outcome);
    (void)snprintf(label, sizeof(label), " %s  %s ", word, bin);
    bool with_bin = bin[0] != '\0' && screen_text_columns(grid, label) <= rect->columns;
    if (!with_bin)
        (void)snprintf(label, sizeof(label), " %s ", word);
    screen_grid_put_middle(grid, rect->row + (rect->rows - 1) / 2, rect->column, rect->columns,
                           screen_look(outcome)->style, label);
    return with_bin;
}

static void draw_big(struct screen_grid *grid, const struct arrangement *made, const char *word,
                     enum screen_style style)
{
    int left = (made->word.columns - screen_big_columns(word) * made->dot_columns) / 2;
    screen_grid_fill(grid, &made->word, style, " ");
    screen_big_draw(grid, made->word.row, made->word.column + left, word, made->dot_columns,
                    made->dot_rows, style);
}

/* The bin, if the band has not told it, and the sentences. */
static bool draw_advice(struct screen_grid *grid, const struct screen_rect *rect,
                        const struct screen_advice *advice, bool with_bin)
{
    struct screen_rect rest = *rect;
    if (with_bin && advice->bin[0] != '\0' && rest.rows > 0) {
        (void)screen_grid_put_cut(grid, rest.row, rest.column, rest.columns, SCREEN_STYLE_BOLD,
                                  advice->bin);
        rest.row++;
        rest.rows--;
    }
    return screen_grid_put_wrapped(grid, &rest, SCREEN_STYLE_PLAIN, advice->text);
}

static bool draw_verdict(struct screen_grid *grid, const struct screen_rect *inner,
                         const struct screen_site *site)
{
    enum screen_outcome outcome = screen_site_outcome(site);
    const char *word = screen_look(outcome)->words[0];
    struct screen_advice advice;
    struct arrangement made;
    screen_site_advise(site, &advice);
    if (outcome == SCREEN_OUTCOME_PASS && inner->columns < TAKE_OUT_COLUMNS)
        (void)snprintf(advice.text, sizeof(advice.text), "%s",
                       site->state == SITE_HELD ? "take it out" : "");
    arrange(grid, inner, word, &advice, &made);
    bool bin_told = false;
    if (made.dot_rows > 0)
        draw_big(grid, &made, word, screen_look(outcome)->style);
    else
        bin_told = draw_band(grid, &made.word, outcome, advice.bin);
    return draw_advice(grid, &made.text, &advice, !bin_told);
}

/* Blocks with room have the pattern of their outcome all around them. */
static bool draw_judged_block(struct screen_grid *grid, const struct screen_rect *rect,
                              const struct screen_site *site, const char *title)
{
    enum screen_outcome outcome = screen_site_outcome(site);
    struct screen_rect inner = rows_of(rect, 1, rect->rows - 1);
    if (rect->rows >= FRAME_ROWS) {
        const struct screen_rect sides[] = {
            rows_of(rect, rect->rows - 1, 1),
            {inner.row, rect->column, inner.rows, 1},
            {inner.row, rect->column + rect->columns - 1, inner.rows, 1}};
        for (size_t i = 0; i < sizeof(sides) / sizeof(sides[0]); i++)
            fill_pattern(grid, &sides[i], outcome);
        inner =
            (struct screen_rect){inner.row, rect->column + 1, inner.rows - 1, rect->columns - 2};
    }
    const struct screen_rect top = rows_of(rect, 0, 1);
    fill_pattern(grid, &top, outcome);
    int used =
        screen_grid_put(grid, rect->row, rect->column, rect->columns, SCREEN_STYLE_BOLD, title);
    (void)screen_grid_put(grid, rect->row, rect->column + used, 1, SCREEN_STYLE_PLAIN, " ");
    return draw_verdict(grid, &inner, site);
}

static void draw_bar(struct screen_grid *grid, const struct screen_rect *rect, int permille)
{
    struct screen_rect full = *rect;
    screen_grid_fill(grid, rect, SCREEN_STYLE_PLAIN, grid->utf8 ? "░" : "-");
    full.columns = rect->columns * permille / 1000;
    screen_grid_fill(grid, &full, SCREEN_STYLE_PLAIN, grid->utf8 ? "█" : "#");
}

/* "2.3 s left  31 %" */
static void tell_time(const struct screen_site *site, char text[64])
{
    char left[32] = "";
    if (site->left_us >= 0 && site->permille > 0)
        view_duration(site->left_us, left);
    (void)snprintf(text, 64, "%s%s%3d %%", left, left[0] != '\0' ? " left  " : "",
                   site->permille / 10);
}

static void tell_step(const struct screen_site *site, char text[64])
{
    if (site->tries > 1)
        (void)snprintf(text, 64, "%s, try %d", screen_site_words(site), site->tries);
    else
        (void)snprintf(text, 64, "%s", screen_site_words(site));
}

static void draw_working_block(struct screen_grid *grid, const struct screen_rect *rect,
                               const struct screen_site *site)
{
    char step[64];
    char time[64];
    struct screen_rect bar = rows_of(rect, 2, rect->rows >= TALL_BAR_ROWS ? 3 : 1);
    bool in_one_row = rect->columns >= WIDE_COLUMNS;
    tell_step(site, step);
    tell_time(site, time);
    int used = in_one_row ? screen_text_columns(grid, time) + 1 : 0;
    (void)screen_grid_put_cut(grid, rect->row + 1, rect->column, rect->columns - used,
                              SCREEN_STYLE_PLAIN, step);
    draw_bar(grid, &bar, site->permille);
    if (in_one_row)
        screen_grid_put_right(grid, rect->row + 1, rect->column, rect->columns, SCREEN_STYLE_PLAIN,
                              time);
    else if (rect->rows > 3)
        screen_grid_put_right(grid, bar.row + bar.rows, rect->column, rect->columns,
                              SCREEN_STYLE_PLAIN, time);
}

/* "Site 4  stk500v1", and what the last board was, which has the right of way. */
static void draw_title(struct screen_grid *grid, const struct screen_rect *rect,
                       const struct screen_site *site, const char *title)
{
    enum screen_outcome last = screen_site_last(site);
    char text[64] = "";
    int columns = rect->columns;
    if (last != SCREEN_OUTCOME_NONE) {
        int room = columns - screen_text_columns(grid, title) - (int)strlen(" last: ");
        if (screen_look_word(last, room) == screen_look(last)->words[0])
            (void)snprintf(text, sizeof(text), "last: %s", screen_look(last)->words[0]);
        else
            (void)snprintf(text, sizeof(text), "last %s", screen_look_word(last, room + 1));
        columns -= (int)strlen(text) + 1;
    }
    (void)screen_grid_put_cut(grid, rect->row, rect->column, columns,
                              site->wanted ? SCREEN_STYLE_BOLD : SCREEN_STYLE_DIM, title);
    screen_grid_put_right(grid, rect->row, rect->column, rect->columns, SCREEN_STYLE_PLAIN, text);
}

static bool draw_block(struct screen_grid *grid, const struct screen_rect *place,
                       const struct screen_site *site)
{
    char title[64];
    struct screen_rect rect = *place;
    (void)snprintf(title, sizeof(title), "Site %d", site->jig_site->site);
    if (rect.columns >= WIDE_COLUMNS)
        (void)snprintf(title, sizeof(title), "Site %d  %s", site->jig_site->site,
                       site->jig_site->programmer);
    if (rect.rows >= GAP_ROWS)
        rect.rows--;
    if (screen_site_outcome(site) != SCREEN_OUTCOME_NONE)
        return draw_judged_block(grid, &rect, site, title);
    draw_title(grid, &rect, site, title);
    if (site->state == SITE_WORKING)
        draw_working_block(grid, &rect, site);
    else
        (void)screen_grid_put_cut(grid, rect.row + 1, rect.column, rect.columns,
                                  site->wanted ? SCREEN_STYLE_PLAIN : SCREEN_STYLE_DIM,
                                  screen_site_words(site));
    return true;
}

/* ------------------------------------------------------------------ lines */

static void draw_judged_line(struct screen_grid *grid, const struct screen_rect *rect,
                             const struct screen_site *site, int number_columns)
{
    enum screen_outcome outcome = screen_site_outcome(site);
    const struct screen_rect row = rows_of(rect, 0, 1);
    struct screen_advice advice;
    char text[80];
    screen_site_advise(site, &advice);
    fill_pattern(grid, &row, outcome);
    (void)snprintf(text, sizeof(text), "%*d %s %s ", number_columns, site->jig_site->site,
                   screen_look(outcome)->words[0], advice.bin);
    if (advice.bin[0] == '\0' || screen_text_columns(grid, text) > rect->columns + 1)
        (void)snprintf(text, sizeof(text), "%*d %s ", number_columns, site->jig_site->site,
                       screen_look_word(outcome, rect->columns - number_columns - 1));
    (void)screen_grid_put(grid, rect->row, rect->column, rect->columns, screen_look(outcome)->style,
                          text);
}

/* A step's own name is shorter than what it does. */
static const char *short_step(const struct screen_site *site)
{
    return site->step != NULL ? site->step : "starting";
}

/* How a site without an outcome stands in a few columns. */
static const char *short_words(const struct screen_site *site, char text[16])
{
    static const char *const words[] = {
        [SITE_CLAIMING] = "opens", [SITE_ARMED] = "ready", [SITE_HELD] = "take out",
        [SITE_WAITING] = "waits",  [SITE_OUT] = "out",     [SITE_STOPPED] = "stopped",
    };
    if (!site->wanted)
        return "-";
    if (site->state != SITE_WORKING)
        return words[site->state];
    (void)snprintf(text, 16, "%d%%", site->permille / 10);
    return text;
}

static void tell_line(const struct screen_site *site, int columns, char text[160])
{
    char step[64];
    char time[64];
    tell_step(site, step);
    tell_time(site, time);
    if (site->state != SITE_WORKING)
        (void)snprintf(text, 160, "%s",
                       columns < WIDE_COLUMNS ? short_words(site, step) : screen_site_words(site));
    else if (columns >= LONG_LINE_COLUMNS)
        (void)snprintf(text, 160, "%s  %s", step, time);
    else
        (void)snprintf(text, 160, "%3d %% %s", site->permille / 10, short_step(site));
}

static void draw_line(struct screen_grid *grid, const struct screen_rect *rect,
                      const struct screen_site *site, int number_columns)
{
    enum screen_outcome last = screen_site_last(site);
    char text[200];
    char right[32] = "";
    int columns = rect->columns;
    if (screen_site_outcome(site) != SCREEN_OUTCOME_NONE) {
        draw_judged_line(grid, rect, site, number_columns);
        return;
    }
    if (last != SCREEN_OUTCOME_NONE) {
        if (columns >= WIDE_COLUMNS)
            (void)snprintf(right, sizeof(right), " last: %s", screen_look(last)->words[0]);
        else if (site->state != SITE_WORKING)
            (void)snprintf(right, sizeof(right), " last %s", screen_look_word(last, 4));
        else
            (void)snprintf(right, sizeof(right), " (%s)", screen_look_word(last, 4));
        columns -= (int)strlen(right);
    }
    int used = snprintf(text, sizeof(text), "%*d ", number_columns, site->jig_site->site);
    tell_line(site, columns, text + used);
    (void)screen_grid_put_cut(grid, rect->row, rect->column, columns,
                              site->wanted ? SCREEN_STYLE_PLAIN : SCREEN_STYLE_DIM, text);
    screen_grid_put_right(grid, rect->row, rect->column, rect->columns, SCREEN_STYLE_PLAIN, right);
}

/* ------------------------------------------------------------------ cells */

/* The last board's verdict beside the words; where both are too long, a letter; or, as an armed
 * site that tells it is ready, in their place, in small letters. */
static void add_last(const struct screen_site *site, int columns, const char *words, char text[32])
{
    const struct screen_look *last = screen_look(screen_site_last(site));
    const char *word = last->words[SCREEN_LOOK_WORDS - 1];
    (void)snprintf(text, 32, "%s", words);
    if (word[0] == '\0')
        return;
    (void)snprintf(text, 32, "%s (%s)", words, word);
    if ((int)strlen(text) > columns && site->state == SITE_ARMED) {
        (void)snprintf(text, 32, "%s", word);
        for (char *at = text; *at != '\0'; at++)
            *at = (char)tolower((unsigned char)*at);
    } else if ((int)strlen(text) > columns) {
        (void)snprintf(text, 32, "%s %c", words, last->letter);
    }
    if ((int)strlen(text) > columns)
        (void)snprintf(text, 32, "%s", words);
}

void screen_site_draw_short(struct screen_grid *grid, const struct screen_site *site,
                            const struct screen_rect *rect, int number_columns)
{
    char buffer[16];
    char words[32];
    char text[64];
    if (screen_site_outcome(site) != SCREEN_OUTCOME_NONE) {
        draw_judged_line(grid, rect, site, number_columns);
        return;
    }
    (void)snprintf(words, sizeof(words), "%s", short_words(site, buffer));
    if (rect->rows < 2)
        add_last(site, rect->columns - number_columns - 1, short_words(site, buffer), words);
    (void)snprintf(text, sizeof(text), "%*d %s", number_columns, site->jig_site->site, words);
    (void)screen_grid_put(grid, rect->row, rect->column, rect->columns,
                          site->wanted ? SCREEN_STYLE_PLAIN : SCREEN_STYLE_DIM, text);
}

/* In its second row a cell has what to do, or the last board's verdict, or the step. */
static void draw_cell(struct screen_grid *grid, const struct screen_rect *rect,
                      const struct screen_site *site, int number_columns)
{
    enum screen_outcome last = screen_site_last(site);
    struct screen_advice advice;
    char text[64] = "";
    screen_site_draw_short(grid, site, rect, number_columns);
    if (rect->rows < 2)
        return;
    screen_site_advise(site, &advice);
    if (last != SCREEN_OUTCOME_NONE)
        (void)snprintf(text, sizeof(text), "last %s", screen_look_word(last, rect->columns - 5));
    else if (site->state == SITE_WORKING)
        (void)snprintf(text, sizeof(text), "%s", short_step(site));
    else
        (void)snprintf(text, sizeof(text), "%s", advice.bin);
    (void)screen_grid_put_cut(grid, rect->row + 1, rect->column, rect->columns, SCREEN_STYLE_PLAIN,
                              text);
}

/* A letter for what is seen, and in lower case for the last board. */
static void draw_mark(struct screen_grid *grid, const struct screen_rect *rect,
                      const struct screen_site *site, int number_columns)
{
    static const char states[] = {
        [SITE_CLAIMING] = ':', [SITE_ARMED] = '.', [SITE_WORKING] = '*', [SITE_HELD] = '^',
        [SITE_WAITING] = 'W',  [SITE_OUT] = '#',   [SITE_STOPPED] = '.'};
    enum screen_outcome outcome = screen_site_outcome(site);
    const struct screen_look *last = screen_look(screen_site_last(site));
    char mark = screen_look(outcome)->letter;
    char text[16];
    if (outcome == SCREEN_OUTCOME_NONE)
        mark = states[site->state];
    if (!site->wanted)
        mark = '-';
    (void)snprintf(text, sizeof(text), "%*d%c%c", number_columns, site->jig_site->site, mark,
                   tolower((unsigned char)last->letter));
    (void)screen_grid_put(grid, rect->row, rect->column, rect->columns,
                          site->wanted ? screen_look(outcome)->style : SCREEN_STYLE_DIM, text);
}

bool screen_site_draw(struct screen_grid *grid, const struct screen_layout *layout,
                      const struct screen_site *site, const struct screen_rect *rect)
{
    switch (layout->shape) {
    case SCREEN_BLOCKS:
        return draw_block(grid, rect, site);
    case SCREEN_LINES:
        draw_line(grid, rect, site, layout->number_columns);
        break;
    case SCREEN_CELLS:
        draw_cell(grid, rect, site, layout->number_columns);
        break;
    case SCREEN_MARKS:
    case SCREEN_LIST:
        draw_mark(grid, rect, site, layout->number_columns);
        break;
    }
    return screen_look(screen_site_outcome(site))->urgency == 0;
}
