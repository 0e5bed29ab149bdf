/* The screen: a block per site, over the whole terminal, by ncurses. The only file that includes
 * it. Works from 80 by 24 up; when the sites do not fit as blocks they become lines. */
#include <curses.h>
#include <inttypes.h>
#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#include "jigs/operation.h"
#include "station/view.h"

#define BLOCK_COLUMNS_MIN 38
#define BLOCK_ROWS_MIN 3
#define BLOCK_ROWS_MAX 6
#define LINE_COLUMNS_MIN 26
#define HEADER_ROWS 2 /* title, message */
#define FOOTER_ROWS 2 /* counts, keys */
#define TEXT_COLUMNS_MAX 512
#define REDRAW_EVERY_US 80000
#define KEY_CONTROL_C 3

enum color { COLOR_PLAIN, COLOR_GOOD, COLOR_BAD, COLOR_WARNING, COLOR_DOUBT, COLOR_TITLE };

struct screen_site {
    const struct jig_site *jig_site;
    enum site_state state;
    const char *step; /* NULL: none yet */
    int permille;
    int64_t left_us;
    bool judged; /* verdict and failure are of the board that is in, or was in last */
    bool known;  /* its verdict was logged */
    enum verdict verdict;
    enum failure_code failure;
    char detail[FAILURE_DETAIL_BYTES];
};

struct layout {
    int columns;
    int block_columns;
    int block_rows; /* 1: lines instead of blocks */
    size_t shown;
};

struct screen {
    struct view view;
    const struct view_run *run;
    SCREEN *terminal;
    bool utf8;
    bool colors;
    bool changed;
    int64_t drawn_us;
    char message[256];
    struct station_counts counts;
    struct screen_site *sites;
    size_t site_count;
};

/* ------------------------------------------------------------------ text */

/* `text` as wide characters, cut to `columns`; what the locale does not have becomes '?'. Returns
 * the columns used. */
static int widen(const char *text, int columns, wchar_t out[TEXT_COLUMNS_MAX + 1])
{
    mbstate_t state = {0};
    int used = 0;
    int count = 0;
    while (*text != '\0' && count < TEXT_COLUMNS_MAX) {
        wchar_t character = L'?';
        size_t length = mbrtowc(&character, text, MB_CUR_MAX, &state);
        if (length == (size_t)-1 || length == (size_t)-2) {
            state = (mbstate_t){0};
            character = L'?';
            length = 1;
        }
        int width = wcwidth(character);
        if (width < 0) {
            character = L'?';
            width = 1;
        }
        if (used + width > columns)
            break;
        out[count++] = character;
        used += width;
        text += length;
    }
    out[count] = L'\0';
    return used;
}

/* Puts text at a place, cut and padded to `columns`. */
static void put(int row, int column, int columns, const char *text)
{
    wchar_t wide[TEXT_COLUMNS_MAX + 1];
    if (columns > TEXT_COLUMNS_MAX)
        columns = TEXT_COLUMNS_MAX;
    if (columns <= 0)
        return;
    int used = widen(text, columns, wide);
    (void)mvaddwstr(row, column, wide);
    for (; used < columns; used++)
        (void)addch(' ');
}

static void put_right(int row, int column, int columns, const char *text)
{
    wchar_t wide[TEXT_COLUMNS_MAX + 1];
    int used = widen(text, columns < TEXT_COLUMNS_MAX ? columns : TEXT_COLUMNS_MAX, wide);
    (void)mvaddwstr(row, column + columns - used, wide);
}

/* Text broken between words over at most `rows` rows. */
static void put_wrapped(int row, int rows, int column, int columns, const char *text)
{
    for (int i = 0; i < rows && *text != '\0'; i++) {
        int length = (int)strlen(text);
        if (length > columns) {
            length = columns;
            while (length > 0 && text[length] != ' ')
                length--;
            if (length == 0)
                length = columns;
        }
        char line[TEXT_COLUMNS_MAX];
        (void)snprintf(line, sizeof(line), "%.*s", length, text);
        put(row + i, column, columns, line);
        text += length;
        text += strspn(text, " ");
    }
}

static attr_t color_of(const struct screen *screen, enum color color)
{
    if (screen->colors)
        return (attr_t)COLOR_PAIR(color) | A_BOLD;
    return color == COLOR_PLAIN ? A_NORMAL : A_REVERSE | A_BOLD;
}

/* ------------------------------------------------------------------ one site */

static bool site_shows_verdict(const struct screen_site *site)
{
    if (!site->judged)
        return false;
    switch (site->state) {
    case SITE_HELD:
    case SITE_STOPPED:
        return true;
    case SITE_ARMED: /* the board is out; only that there was none stays worth saying */
        return site->verdict == VERDICT_EMPTY || !site->known;
    default:
        return false;
    }
}

static const char *site_word(const struct screen_site *site)
{
    if (site->state == SITE_OUT)
        return "OUT";
    return view_verdict_word(site->known ? site->verdict : VERDICT_NONE);
}

static enum color site_color(const struct screen_site *site)
{
    if (site->state == SITE_OUT)
        return COLOR_BAD;
    if (!site->known)
        return COLOR_DOUBT;
    switch (site->verdict) {
    case VERDICT_PASS:
        return COLOR_GOOD;
    case VERDICT_FAIL:
        return COLOR_BAD;
    case VERDICT_EMPTY:
        return COLOR_PLAIN;
    default:
        return COLOR_WARNING;
    }
}

static const char *site_line(const struct screen_site *site)
{
    switch (site->state) {
    case SITE_CLAIMING:
        return "opening the programmer";
    case SITE_ARMED:
        return "ready for a board";
    case SITE_WORKING:
        return site->step != NULL ? site->step : "starting";
    case SITE_HELD:
        return "take the board out";
    case SITE_WAITING:
        return "waiting for its programmer";
    case SITE_OUT:
        return "out of service";
    case SITE_STOPPED:
        return "stopped";
    }
    return "";
}

static void draw_bar(const struct screen *screen, int row, int column, int columns, int permille)
{
    int full = columns * permille / 1000;
    for (int i = 0; i < columns; i++) {
        const wchar_t *cell = i < full ? L"█" : L"░";
        if (!screen->utf8)
            cell = i < full ? L"#" : L"-";
        (void)mvaddwstr(row, column + i, cell);
    }
}

static void draw_working(const struct screen *screen, const struct screen_site *site, int row,
                         int column, int columns)
{
    char text[64];
    char left[32] = "";
    put(row, column, columns, site_line(site));
    if (site->left_us >= 0 && site->permille > 0)
        view_duration(site->left_us, left);
    (void)snprintf(text, sizeof(text), "%s%s%3d %%", left, left[0] != '\0' ? " left  " : "",
                   site->permille / 10);
    put_right(row, column, columns, text);
    draw_bar(screen, row + 1, column, columns, site->permille);
}

/* A band over the whole block, so that it is seen from afar. */
static void draw_band(const struct screen *screen, const struct screen_site *site, int row,
                      int column, int columns)
{
    const char *word = site_word(site);
    attr_t attribute = color_of(screen, site_color(site));
    (void)attron(attribute);
    put(row, column, columns, "");
    int indent = (columns - (int)strlen(word)) / 2;
    put(row, column + (indent > 0 ? indent : 0), (int)strlen(word), word);
    (void)attroff(attribute);
}

static void draw_judged(const struct screen *screen, const struct screen_site *site, int row,
                        int rows, int column, int columns)
{
    draw_band(screen, site, row, column, columns);
    if (site->failure == FAILURE_NONE) {
        if (site->state == SITE_HELD)
            put(row + 1, column, columns, site_line(site));
        return;
    }
    char text[FAILURE_DETAIL_BYTES + 256];
    const struct failure_fact *fact = failure_lookup(site->failure);
    (void)snprintf(text, sizeof(text), "%s (%s: %s)", fact->operator_sentence, fact->name,
                   site->detail);
    put_wrapped(row + 1, rows - 1, column, columns, text);
}

static void draw_block(const struct screen *screen, const struct screen_site *site, int row,
                       int rows, int column, int columns)
{
    char title[64];
    (void)snprintf(title, sizeof(title), "Site %d  %s", site->jig_site->site,
                   site->jig_site->programmer);
    (void)attron(A_BOLD);
    put(row, column, columns, title);
    (void)attroff(A_BOLD);
    if (site->judged && !site_shows_verdict(site) && site->state != SITE_OUT) {
        (void)snprintf(title, sizeof(title), "last: %s", site_word(site));
        put_right(row, column, columns, title);
    }
    if (site->state == SITE_OUT || site_shows_verdict(site))
        draw_judged(screen, site, row + 1, rows - 1, column, columns);
    else if (site->state == SITE_WORKING)
        draw_working(screen, site, row + 1, column, columns);
    else
        put(row + 1, column, columns, site_line(site));
}

static void draw_line(const struct screen *screen, const struct screen_site *site, int row,
                      int column, int columns)
{
    char text[64];
    bool judged = site->state == SITE_OUT || site_shows_verdict(site);
    if (judged)
        (void)snprintf(text, sizeof(text), "%3d %s", site->jig_site->site, site_word(site));
    else if (site->state == SITE_WORKING)
        (void)snprintf(text, sizeof(text), "%3d %3d %% %s", site->jig_site->site,
                       site->permille / 10, site_line(site));
    else
        (void)snprintf(text, sizeof(text), "%3d %s", site->jig_site->site, site_line(site));
    attr_t attribute = judged ? color_of(screen, site_color(site)) : A_NORMAL;
    (void)attron(attribute);
    put(row, column, columns, text);
    (void)attroff(attribute);
}

/* ------------------------------------------------------------------ the whole */

static int at_least_one(int value)
{
    return value > 0 ? value : 1;
}

static struct layout make_layout(const struct screen *screen)
{
    int area = at_least_one(LINES - HEADER_ROWS - FOOTER_ROWS);
    int sites = at_least_one((int)screen->site_count);
    int columns = at_least_one(COLS / BLOCK_COLUMNS_MIN);
    if (columns > sites)
        columns = sites;
    int rows = area / ((sites + columns - 1) / columns);
    if (rows > BLOCK_ROWS_MAX)
        rows = BLOCK_ROWS_MAX;
    if (rows < BLOCK_ROWS_MIN) {
        rows = 1;
        columns = at_least_one(COLS / LINE_COLUMNS_MIN);
    }
    struct layout layout = {.columns = columns,
                            .block_columns = COLS / columns,
                            .block_rows = rows,
                            .shown = screen->site_count};
    size_t places = (size_t)columns * (size_t)area;
    if (rows == 1 && places < layout.shown)
        layout.shown = places;
    return layout;
}

static void draw_sites(const struct screen *screen)
{
    struct layout layout = make_layout(screen);
    for (size_t i = 0; i < layout.shown; i++) {
        int row = HEADER_ROWS + (int)i / layout.columns * layout.block_rows;
        int column = (int)i % layout.columns * layout.block_columns + 1;
        int columns = layout.block_columns - 2;
        if (layout.block_rows == 1)
            draw_line(screen, &screen->sites[i], row, column, columns);
        else
            draw_block(screen, &screen->sites[i], row, layout.block_rows, column, columns);
    }
    if (layout.shown < screen->site_count) {
        char text[80];
        (void)snprintf(text, sizeof(text), "%zu more sites: make the window larger",
                       screen->site_count - layout.shown);
        put_right(1, 0, COLS, text);
    }
}

static void draw_header(const struct screen *screen)
{
    const struct view_run *run = screen->run;
    char left[3 * PROFILE_TEXT_BYTES];
    char right[160] = "";
    (void)snprintf(left, sizeof(left), " %s  revision %s  profile %s on %s", run->profile->article,
                   run->profile->revision, run->profile->name, run->profile->part->name);
    int64_t remaining = station_remaining(&screen->counts);
    if (remaining >= 0)
        (void)snprintf(right, sizeof(right), "  lot %s  %" PRId64 " to go ",
                       run->lot != NULL ? run->lot : "none", remaining);
    else
        (void)snprintf(right, sizeof(right), "  lot %s ", run->lot != NULL ? run->lot : "none");
    attr_t attribute = color_of(screen, COLOR_TITLE);
    (void)attron(attribute);
    put(0, 0, COLS, left);
    put_right(0, 0, COLS, right);
    (void)attroff(attribute);
    put(1, 1, COLS - 1, screen->message);
}

static void draw_footer(const struct screen *screen)
{
    const struct station_counts *counts = &screen->counts;
    char text[200];
    char yield[32] = "";
    if (station_yield_percent(counts) >= 0)
        (void)snprintf(yield, sizeof(yield), "  yield %.1f %%", station_yield_percent(counts));
    (void)snprintf(text, sizeof(text),
                   "passed %" PRId64 "  failed %" PRId64 "  refused %" PRId64 "  empty %" PRId64
                   "%s  %.0f boards/hour",
                   counts->passed, counts->failed, counts->refused, counts->empty, yield,
                   counts->boards_per_hour);
    (void)attron(A_BOLD);
    put(LINES - 2, 1, COLS - 1, text);
    (void)attroff(A_BOLD);
    put(LINES - 1, 1, COLS - 2,
        screen->run->go == SCHEDULER_GO_ENTER
            ? "Enter: GO   q: finish the boards in work and end   Ctrl-C: stop now"
            : "q: finish the boards in work and end   Ctrl-C: stop now");
}

static void draw(struct screen *screen)
{
    (void)erase();
    draw_header(screen);
    draw_sites(screen);
    draw_footer(screen);
    (void)refresh();
    screen->changed = false;
    screen->drawn_us = operation_now_us();
}

/* ------------------------------------------------------------------ events */

static struct screen_site *find_site(struct screen *screen, int number)
{
    for (size_t i = 0; i < screen->site_count; i++) {
        if (screen->sites[i].jig_site->site == number)
            return &screen->sites[i];
    }
    return NULL;
}

static void judge(struct screen_site *site, const struct station_event *event)
{
    site->judged = true;
    site->known = event->kind == STATION_EVENT_VERDICT;
    site->verdict = event->record.verdict;
    site->failure = site->known ? event->record.failure : event->failure.code;
    memcpy(site->detail, site->known ? event->record.detail : event->failure.detail,
           sizeof(site->detail));
}

static void change_state(struct screen_site *site, const struct station_event *event)
{
    if (event->state == SITE_WORKING && site->state != SITE_WORKING) {
        site->step = NULL;
        site->permille = 0;
        site->left_us = -1;
    }
    site->state = event->state;
    if (event->state == SITE_OUT) {
        site->failure = event->failure.code;
        memcpy(site->detail, event->failure.detail, sizeof(site->detail));
    }
}

static void show_on_site(struct screen_site *site, const struct station_event *event)
{
    switch (event->kind) {
    case STATION_EVENT_SITE:
        change_state(site, event);
        break;
    case STATION_EVENT_STEP:
        site->step = event->step;
        break;
    case STATION_EVENT_PROGRESS:
        site->step = event->step;
        site->permille = event->permille;
        site->left_us = event->left_us;
        break;
    case STATION_EVENT_VERDICT:
    case STATION_EVENT_UNKNOWN:
        judge(site, event);
        break;
    default:
        break;
    }
}

static void screen_show(struct view *view, const struct station_event *event)
{
    struct screen *screen = (struct screen *)view;
    struct screen_site *site = event->site != 0 ? find_site(screen, event->site) : NULL;
    if (site != NULL)
        show_on_site(site, event);
    switch (event->kind) {
    case STATION_EVENT_VERDICT:
    case STATION_EVENT_CYCLE:
    case STATION_EVENT_STARTED:
        screen->counts = event->counts;
        break;
    case STATION_EVENT_MESSAGE:
        (void)snprintf(screen->message, sizeof(screen->message), "%s", event->text);
        break;
    case STATION_EVENT_LOG_FAULT:
        (void)snprintf(screen->message, sizeof(screen->message), "LOG FAULT: %.200s",
                       event->failure.detail);
        break;
    default:
        break;
    }
    screen->changed = true;
}

static void screen_tick(struct view *view)
{
    struct screen *screen = (struct screen *)view;
    if (screen->changed && operation_now_us() - screen->drawn_us >= REDRAW_EVERY_US)
        draw(screen);
}

static enum view_key screen_read_key(struct view *view)
{
    const struct screen *screen = (const struct screen *)view;
    for (;;) {
        int key = getch();
        switch (key) {
        case ERR:
            return VIEW_KEY_NONE;
        case '\r':
        case '\n':
        case KEY_ENTER:
            if (screen->run->go == SCHEDULER_GO_ENTER)
                return VIEW_KEY_GO;
            break;
        case 'q':
        case 'Q':
            return VIEW_KEY_END;
        case KEY_CONTROL_C:
            return VIEW_KEY_STOP;
        default:
            break;
        }
    }
}

static void screen_resize(struct view *view)
{
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0)
        (void)resizeterm(size.ws_row, size.ws_col);
    (void)clear();
    draw((struct screen *)view);
}

/* ------------------------------------------------------------------ opening and closing */

static void screen_close(struct view *view)
{
    struct screen *screen = (struct screen *)view;
    (void)endwin();
    delscreen(screen->terminal);
    free(screen->sites);
    free(screen);
}

static void prepare_colors(struct screen *screen)
{
    screen->colors = has_colors() && start_color() == OK;
    if (!screen->colors)
        return;
    (void)init_pair(COLOR_GOOD, COLOR_WHITE, COLOR_GREEN);
    (void)init_pair(COLOR_BAD, COLOR_WHITE, COLOR_RED);
    (void)init_pair(COLOR_WARNING, COLOR_BLACK, COLOR_YELLOW);
    (void)init_pair(COLOR_DOUBT, COLOR_WHITE, COLOR_MAGENTA);
    (void)init_pair(COLOR_TITLE, COLOR_WHITE, COLOR_BLUE);
}

/* Raw: Ctrl-C arrives as a key, and neither Ctrl-Z nor Ctrl-S can stop a station in mid-write. */
static void prepare_terminal(struct screen *screen)
{
    (void)raw();
    (void)noecho();
    (void)nonl();
    (void)keypad(stdscr, TRUE);
    (void)nodelay(stdscr, TRUE);
    (void)curs_set(0);
    (void)set_escdelay(25);
    prepare_colors(screen);
}

static int take_sites(struct screen *screen, const struct view_run *run)
{
    screen->sites = calloc(view_site_count(run) + 1, sizeof(*screen->sites));
    if (screen->sites == NULL)
        return -1;
    for (size_t i = 0; i < run->jig->site_count; i++) {
        if (view_site_wanted(run, i))
            screen->sites[screen->site_count++] =
                (struct screen_site){.jig_site = &run->jig->sites[i], .left_us = -1};
    }
    return 0;
}

struct view *screen_open(const struct view_run *run)
{
    const char *type = getenv("TERM");
    if (type == NULL || type[0] == '\0' || strcmp(type, "dumb") == 0)
        return NULL;
    struct screen *screen = calloc(1, sizeof(*screen));
    if (screen == NULL)
        return NULL;
    (void)setlocale(LC_CTYPE, "");
    screen->run = run;
    screen->utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    if (take_sites(screen, run) == 0)
        screen->terminal = newterm(NULL, stdout, stdin);
    if (screen->terminal == NULL) {
        free(screen->sites);
        free(screen);
        return NULL;
    }
    prepare_terminal(screen);
    screen->view = (struct view){.show = screen_show,
                                 .tick = screen_tick,
                                 .read_key = screen_read_key,
                                 .resize = screen_resize,
                                 .close = screen_close};
    screen->changed = true;
    return &screen->view;
}
