#include "station/screen_draw.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "station/screen_site.h"

#define ROW_BYTES 512
#define TITLE_BYTES ((size_t)(5 * PROFILE_TEXT_BYTES))
#define NOTICE_BYTES (sizeof(struct screen_advice) + 80)
#define TURN_COLUMNS 6 /* " 12/34" */

/* ------------------------------------------------------------------ numbers of sites */

/* Adds text at the end of a row, as far as it goes. */
static void append(char *row, const char *text)
{
    size_t used = strlen(row);
    (void)snprintf(row + used, ROW_BYTES - used, "%s", text);
}

static void append_run(char *row, int first, int last, const char *between)
{
    char text[40];
    if (first == last)
        (void)snprintf(text, sizeof(text), "%s%d", between, first);
    else
        (void)snprintf(text, sizeof(text), "%s%d-%d", between, first, last);
    append(row, text);
}

/* "  armed 1-4 7", if there are any. */
static void append_sites(char *row, const char *word, const bool in[JIG_SITES_MAX + 1])
{
    bool any = false;
    for (int site = 1; site <= JIG_SITES_MAX; site++) {
        int first = site;
        if (!in[site])
            continue;
        while (site < JIG_SITES_MAX && in[site + 1])
            site++;
        if (!any)
            append(row, row[0] != '\0' ? "   " : "");
        if (!any)
            append(row, word);
        append_run(row, first, site, " ");
        any = true;
    }
}

/* ------------------------------------------------------------------ above the sites */

/* Article, revision, profile; lot and what remains of it. As much as fits, the article always. */
static void draw_title(struct screen_grid *grid, const struct screen_model *model, int row)
{
    const struct profile *profile = model->run->profile;
    const char *lot = model->run->lot != NULL ? model->run->lot : "none";
    int64_t remaining = station_remaining(&model->counts);
    const struct screen_rect all = {row, 0, 1, grid->columns};
    char to_go[32] = "";
    char left[3][TITLE_BYTES];
    char right[3][TITLE_BYTES] = {""};
    if (remaining >= 0)
        (void)snprintf(to_go, sizeof(to_go), " %" PRId64 " to go ", remaining);
    (void)snprintf(left[0], TITLE_BYTES, " %s  revision %s  profile %s on %s", profile->article,
                   profile->revision, profile->name, profile->part->name);
    (void)snprintf(left[1], TITLE_BYTES, " %s  revision %s", profile->article, profile->revision);
    (void)snprintf(left[2], TITLE_BYTES, " %s ", profile->article);
    (void)snprintf(right[0], TITLE_BYTES, "  lot %s %s", lot, to_go);
    (void)snprintf(right[1], TITLE_BYTES, "%s", to_go);

    static const int choices[][2] = {{0, 0}, {1, 0}, {2, 0}, {2, 1}, {2, 2}};
    size_t i = 0;
    while (i + 1 < sizeof(choices) / sizeof(choices[0]) &&
           screen_text_columns(grid, left[choices[i][0]]) +
                   screen_text_columns(grid, right[choices[i][1]]) >
               grid->columns)
        i++;
    screen_grid_fill(grid, &all, SCREEN_STYLE_TITLE, " ");
    (void)screen_grid_put_cut(grid, row, 0, grid->columns, SCREEN_STYLE_TITLE, left[choices[i][0]]);
    screen_grid_put_right(grid, row, 0, grid->columns, SCREEN_STYLE_TITLE, right[choices[i][1]]);
}

/* "RISK dwen": which rules were set aside for this run, on the right; as much as half the row has.
 * Returns its columns. */
static int draw_risks(struct screen_grid *grid, const struct screen_model *model, int row)
{
    const struct profile *profile = model->run->profile;
    char text[ROW_BYTES] = "";
    for (size_t i = 0; i < profile->risk_count; i++) {
        append(text, i == 0 ? "RISK " : ", ");
        append(text, profile->risks[i].rule);
    }
    int columns = screen_text_columns(grid, text);
    if (columns == 0)
        return 0;
    columns = columns < grid->columns / 2 ? columns : grid->columns / 2;
    (void)screen_grid_put_cut(grid, row, grid->columns - 1 - columns, columns, SCREEN_STYLE_BOLD,
                              text);
    return columns + 2;
}

/* Which sites are armed, at work, to be emptied, out, not in use. */
static void draw_status(struct screen_grid *grid, const struct screen_model *model, int row)
{
    static const char *const words[] = {
        [SITE_CLAIMING] = "opening", [SITE_ARMED] = "armed",     [SITE_WORKING] = "at work",
        [SITE_HELD] = "take out",    [SITE_WAITING] = "waiting", [SITE_OUT] = "out",
        [SITE_STOPPED] = "stopped",
    };
    bool in[SITE_STOPPED + 1][JIG_SITES_MAX + 1] = {{false}};
    bool unused[JIG_SITES_MAX + 1] = {false};
    char text[ROW_BYTES] = "";
    for (size_t i = 0; i < model->site_count; i++) {
        const struct screen_site *site = &model->sites[i];
        if (site->wanted)
            in[site->state][site->jig_site->site] = true;
        else
            unused[site->jig_site->site] = true;
    }
    for (size_t state = 0; state <= SITE_STOPPED; state++)
        append_sites(text, words[state], in[state]);
    append_sites(text, "not in use", unused);
    int risk_columns = draw_risks(grid, model, row);
    (void)screen_grid_put_cut(grid, row, 1, grid->columns - 2 - risk_columns, SCREEN_STYLE_PLAIN,
                              text);
}

/* ------------------------------------------------------------------ below the sites */

static void append_count(char *row, const char *word, int64_t count)
{
    char text[64];
    (void)snprintf(text, sizeof(text), "  %s %" PRId64, word, count);
    append(row, text + (row[0] == '\0' ? 2 : 0));
}

/* What a run mostly has stands always, the rest when there is some. A yield over boards some of
 * which are unknown would be a guess. */
static void draw_counts(struct screen_grid *grid, const struct screen_model *model, int row)
{
    const struct station_counts *counts = &model->counts;
    double yield = station_yield_percent(counts);
    int64_t unknown = model->run->causes->unknown;
    const struct {
        const char *word;
        int64_t count;
        bool always;
    } all[] = {{"passed", counts->passed, true},
               {"failed", counts->failed, true},
               {"unknown", unknown, false},
               {"refused", counts->refused, true},
               {"not verified", counts->unverified, false},
               {"interrupted", counts->interrupted, false},
               {"empty", counts->empty, true}};
    char text[ROW_BYTES] = "";
    char rate[80] = "";
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (all[i].always || all[i].count > 0)
            append_count(text, all[i].word, all[i].count);
    }
    if (yield >= 0 && unknown == 0)
        (void)snprintf(rate, sizeof(rate), "  yield %.1f %%  %.0f boards/hour", yield,
                       counts->boards_per_hour);
    if (screen_text_columns(grid, text) + screen_text_columns(grid, rate) > grid->columns - 2 &&
        rate[0] != '\0')
        (void)snprintf(rate, sizeof(rate), "  %.1f %%  %.0f/h", yield, counts->boards_per_hour);
    append(text, rate);
    (void)screen_grid_put_cut(grid, row, 1, grid->columns - 2, SCREEN_STYLE_BOLD, text);
}

static void draw_causes(struct screen_grid *grid, const struct screen_model *model, int row)
{
    const struct cause_tally *tally = model->run->causes;
    char text[ROW_BYTES] = "failures: none";
    for (int i = 0; i < tally->count; i++) {
        char one[80];
        (void)snprintf(one, sizeof(one), "%s%" PRId64 " %s", i == 0 ? "failures: " : "  ",
                       tally->causes[i].boards, failure_lookup(tally->causes[i].code)->name);
        if (i == 0)
            text[0] = '\0';
        append(text, one);
    }
    (void)screen_grid_put_cut(grid, row, 1, grid->columns - 2, SCREEN_STYLE_PLAIN, text);
}

static void draw_keys(struct screen_grid *grid, const struct screen_model *model, int row)
{
    static const char *const keys[] = {"q: finish the boards in work and end   Ctrl-C: stop now",
                                       "q: end  Ctrl-C: stop"};
    bool go = model->run->go == SCHEDULER_GO_ENTER;
    char text[2][128];
    if (model->ended) {
        (void)screen_grid_put_cut(grid, row, 1, grid->columns - 2, SCREEN_STYLE_BOLD,
                                  "The run is over. Enter: leave");
        return;
    }
    (void)snprintf(text[0], sizeof(text[0]), "%s%s", go ? "Enter: GO   " : "", keys[0]);
    (void)snprintf(text[1], sizeof(text[1]), "%s%s", go ? "Enter: GO  " : "", keys[1]);
    bool fits = screen_text_columns(grid, text[0]) <= grid->columns - 2;
    (void)screen_grid_put_cut(grid, row, 1, grid->columns - 2, SCREEN_STYLE_PLAIN,
                              text[fits ? 0 : 1]);
}

/* ------------------------------------------------------------------ sentences without room */

struct notices {
    const struct screen_site *sites[JIG_SITES_MAX];
    int count;
};

static int urgency_of(const struct screen_site *site)
{
    return screen_look(screen_site_outcome(site))->urgency;
}

/* The most urgent first, as they come otherwise. */
static void add_notice(struct notices *notices, const struct screen_site *site)
{
    int i = notices->count++;
    for (; i > 0 && urgency_of(notices->sites[i - 1]) < urgency_of(site); i--)
        notices->sites[i] = notices->sites[i - 1];
    notices->sites[i] = site;
}

static void tell_notice(const struct screen_site *site, char text[NOTICE_BYTES])
{
    const struct screen_look *look = screen_look(screen_site_outcome(site));
    struct screen_advice advice;
    screen_site_advise(site, &advice);
    (void)snprintf(text, NOTICE_BYTES, "Site %d %s%s%s: %s", site->jig_site->site, look->words[0],
                   advice.bin[0] != '\0' ? ", " : "", advice.bin, advice.text);
}

/* Sentences one below the other, as many as have room as a whole, at least one: draws them and
 * returns how many. Without a grid to draw on it only counts. */
static int draw_turn(const struct screen_grid *measure, struct screen_grid *grid,
                     struct screen_rect rect, const struct notices *notices, int first)
{
    int index = first;
    for (; index < notices->count; index++) {
        char text[NOTICE_BYTES];
        tell_notice(notices->sites[index], text);
        int rows = screen_text_rows(measure, text, rect.columns);
        if (rows > rect.rows && index > first)
            break;
        if (grid != NULL)
            (void)screen_grid_put_wrapped(grid, &rect, SCREEN_STYLE_PLAIN, text);
        rect.row += rows;
        rect.rows -= rows;
    }
    return index - first;
}

static int count_turns(const struct screen_grid *grid, const struct screen_rect *rect,
                       const struct notices *notices)
{
    int turns = 0;
    for (int first = 0; first < notices->count; turns++)
        first += draw_turn(grid, NULL, *rect, notices, first);
    return turns;
}

/* When there are more sentences than room, they take turns; "2/3" says which one it is. */
static bool draw_notice_rows(struct screen_grid *grid, struct screen_rect rect,
                             const struct notices *notices, int64_t now_us)
{
    char mark[24];
    int first = 0;
    if (rect.rows < 1 || notices->count == 0)
        return false;
    if (count_turns(grid, &rect, notices) == 1) {
        (void)draw_turn(grid, grid, rect, notices, 0);
        return false;
    }
    rect.columns -= TURN_COLUMNS;
    int turns = count_turns(grid, &rect, notices);
    int turn = (int)(now_us / SCREEN_TURN_US % turns);
    for (int i = 0; i < turn; i++)
        first += draw_turn(grid, NULL, rect, notices, first);
    (void)draw_turn(grid, grid, rect, notices, first);
    (void)snprintf(mark, sizeof(mark), "%d/%d", turn + 1, turns);
    screen_grid_put_right(grid, rect.row, rect.column + rect.columns, TURN_COLUMNS,
                          SCREEN_STYLE_DIM, mark);
    return true;
}

/* "P PASS F FAIL …": what the letters mean, where there are only letters. */
static void draw_legend(struct screen_grid *grid, struct screen_rect *rect)
{
    char text[ROW_BYTES] = "";
    for (int i = SCREEN_OUTCOME_PASS; i < SCREEN_OUTCOME_COUNT; i++) {
        const struct screen_look *look = screen_look((enum screen_outcome)i);
        char one[40];
        (void)snprintf(one, sizeof(one), "%c %s ", look->letter, look->words[1]);
        append(text, one);
    }
    append(text, "* at work . ready");
    if (rect->rows < 1)
        return;
    rect->rows--;
    (void)screen_grid_put_cut(grid, rect->row + rect->rows, rect->column, rect->columns,
                              SCREEN_STYLE_DIM, text);
}

static bool draw_notices(struct screen_grid *grid, const struct screen_model *model,
                         const struct screen_layout *layout, const struct notices *notices,
                         int64_t now_us)
{
    struct screen_rect rect = layout->notices;
    if (rect.rows > 0 && model->message[0] != '\0') {
        (void)screen_grid_put_cut(grid, rect.row, rect.column, rect.columns, SCREEN_STYLE_BOLD,
                                  model->message);
        rect.row++;
        rect.rows--;
    }
    if (layout->shape != SCREEN_MARKS)
        return draw_notice_rows(grid, rect, notices, now_us);
    bool shares = rect.rows == 1 && notices->count > 0; /* the one row with the legend */
    if (!shares || now_us / SCREEN_TURN_US % 2 == 0)
        draw_legend(grid, &rect);
    return draw_notice_rows(grid, rect, notices, shares ? now_us / 2 : now_us) || shares;
}

/* ------------------------------------------------------------------ a window that is too small */

/* Sites that take part, as many as have room: those that ask for hands first. */
static void take_listed(const struct screen_model *model, struct notices *listed)
{
    for (size_t i = 0; i < model->site_count; i++) {
        if (model->sites[i].wanted)
            add_notice(listed, &model->sites[i]);
    }
}

static void draw_list(struct screen_grid *grid, const struct screen_model *model,
                      const struct screen_layout *layout)
{
    struct notices listed = {.count = 0};
    const struct screen_rect *area = &layout->sites;
    int number = layout->number_columns;
    int least = number + 7;
    int in_row = area->columns / least > 0 ? area->columns / least : 1;
    int rows = area->rows - 1;
    char text[64] = "make the window larger";
    take_listed(model, &listed);
    int shown = rows > 0 ? rows * in_row : 0;
    if (shown < listed.count)
        (void)snprintf(text, sizeof(text), "%d more: make the window larger", listed.count - shown);
    (void)screen_grid_put_cut(grid, area->row, 0, grid->columns, SCREEN_STYLE_BOLD, text);
    for (int i = 0; i < shown && i < listed.count; i++) {
        const struct screen_rect place = {.row = area->row + 1 + i / in_row,
                                          .column = i % in_row * (area->columns / in_row),
                                          .rows = 1,
                                          .columns = area->columns / in_row - 1};
        screen_site_draw_short(grid, listed.sites[i], &place, number);
    }
}

/* ------------------------------------------------------------------ the whole */

static void draw_frame(struct screen_grid *grid, const struct screen_model *model,
                       const struct screen_layout *layout)
{
    if (layout->title_row >= 0)
        draw_title(grid, model, layout->title_row);
    if (layout->status_row >= 0)
        draw_status(grid, model, layout->status_row);
    if (layout->counts_row >= 0)
        draw_counts(grid, model, layout->counts_row);
    if (layout->causes_row >= 0)
        draw_causes(grid, model, layout->causes_row);
    if (layout->keys_row >= 0)
        draw_keys(grid, model, layout->keys_row);
}

bool screen_draw(const struct screen_model *model, int64_t now_us, struct screen_grid *grid)
{
    struct screen_layout layout;
    struct notices notices = {.count = 0};
    screen_grid_clear(grid);
    screen_layout_make(model->run->jig, grid->rows, grid->columns, &layout);
    draw_frame(grid, model, &layout);
    if (layout.shape == SCREEN_LIST) {
        draw_list(grid, model, &layout);
        return false;
    }
    for (size_t i = 0; i < model->site_count; i++) {
        struct screen_rect place;
        screen_layout_site(&layout, model->run->jig, i, &place);
        if (!screen_site_draw(grid, &layout, &model->sites[i], &place))
            add_notice(&notices, &model->sites[i]);
    }
    return draw_notices(grid, model, &layout, &notices, now_us);
}
