/* The screen: puts the grid of screen_draw.c on a terminal, and reads keys. The only file that
 * includes ncurses. */
#include <curses.h>
#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "jigs/operation.h"
#include "station/screen_draw.h"

#define REDRAW_EVERY_US 80000
#define KEY_CONTROL_C 3
#define KEY_CONTROL_L 12

struct screen {
    struct view view;
    SCREEN *terminal;
    attr_t attributes[SCREEN_STYLE_COUNT];
    struct screen_model model;
    struct screen_grid grid;
    bool changed;
    bool takes_turns; /* and so changes by itself */
    int64_t drawn_us;
};

/* ------------------------------------------------------------------ drawing */

/* What is blank was erased before. */
static void paint_row(const struct screen *screen, int row)
{
    const struct screen_grid *grid = &screen->grid;
    for (int column = 0; column < grid->columns; column++) {
        const struct screen_cell *cell = screen_grid_cell(grid, row, column);
        bool blank = cell->text[0] == L' ' && cell->style == SCREEN_STYLE_PLAIN;
        if (blank || cell->text[0] == L'\0')
            continue;
        (void)attrset((int)screen->attributes[cell->style]);
        (void)mvaddwstr(row, column, cell->text);
    }
}

static void draw(struct screen *screen)
{
    int64_t now_us = operation_now_us();
    if ((screen->grid.rows != LINES || screen->grid.columns != COLS) &&
        screen_grid_resize(&screen->grid, LINES, COLS) != 0)
        return; /* no memory for it now; the next event tries again */
    screen->takes_turns = screen_draw(&screen->model, now_us, &screen->grid);
    (void)erase();
    for (int row = 0; row < screen->grid.rows; row++)
        paint_row(screen, row);
    (void)attrset(A_NORMAL);
    (void)refresh();
    screen->changed = false;
    screen->drawn_us = now_us;
}

static void screen_show(struct view *view, const struct station_event *event)
{
    struct screen *screen = (struct screen *)view;
    screen_model_show(&screen->model, event);
    screen->changed = true;
}

static void screen_tick(struct view *view)
{
    struct screen *screen = (struct screen *)view;
    int64_t now_us = operation_now_us();
    if (screen->takes_turns && now_us / SCREEN_TURN_US != screen->drawn_us / SCREEN_TURN_US)
        screen->changed = true;
    if (screen->changed && now_us - screen->drawn_us >= REDRAW_EVERY_US)
        draw(screen);
}

static void screen_resize(struct view *view)
{
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0)
        (void)resizeterm(size.ws_row, size.ws_col);
    (void)clear();
    draw((struct screen *)view);
}

static bool screen_needs_hands(struct view *view)
{
    return screen_model_needs_hands(&((const struct screen *)view)->model);
}

/* ------------------------------------------------------------------ keys */

static void redraw(struct screen *screen)
{
    (void)clearok(curscr, TRUE);
    draw(screen);
}

static enum view_key screen_read_key(struct view *view)
{
    struct screen *screen = (struct screen *)view;
    for (;;) {
        int key = getch();
        switch (key) {
        case ERR:
            return VIEW_KEY_NONE;
        case '\r':
        case '\n':
        case KEY_ENTER:
            if (screen->model.run->go == SCHEDULER_GO_ENTER || screen->model.ended)
                return VIEW_KEY_GO;
            break;
        case 'q':
        case 'Q':
            return VIEW_KEY_END;
        case KEY_CONTROL_C:
            return VIEW_KEY_STOP;
        case KEY_CONTROL_L:
            redraw(screen);
            break;
        default:
            break;
        }
    }
}

/* ------------------------------------------------------------------ opening and closing */

static void free_screen(struct screen *screen)
{
    screen_grid_free(&screen->grid);
    screen_model_free(&screen->model);
    free(screen);
}

static void screen_close(struct view *view)
{
    struct screen *screen = (struct screen *)view;
    (void)endwin();
    delscreen(screen->terminal);
    free_screen(screen);
}

/* Without colours, what needs hands is in reverse video and a pass is not. */
static void prepare_attributes(struct screen *screen)
{
    static const struct {
        short foreground, background; /* both the same: the terminal's own */
        attr_t always, without_colors;
    } looks[SCREEN_STYLE_COUNT] = {
        [SCREEN_STYLE_BOLD] = {0, 0, A_BOLD, 0},
        [SCREEN_STYLE_DIM] = {0, 0, A_DIM, 0},
        [SCREEN_STYLE_TITLE] = {COLOR_WHITE, COLOR_BLUE, A_BOLD, A_REVERSE},
        [SCREEN_STYLE_GOOD] = {COLOR_WHITE, COLOR_GREEN, A_BOLD, 0},
        [SCREEN_STYLE_BAD] = {COLOR_WHITE, COLOR_RED, A_BOLD, A_REVERSE},
        [SCREEN_STYLE_WARNING] = {COLOR_BLACK, COLOR_YELLOW, 0, A_BOLD | A_REVERSE},
        [SCREEN_STYLE_DOUBT] = {COLOR_WHITE, COLOR_MAGENTA, A_BOLD, A_REVERSE},
    };
    bool colors = has_colors() && start_color() == OK;
    for (int style = 0; style < SCREEN_STYLE_COUNT; style++) {
        bool plain = looks[style].foreground == looks[style].background;
        attr_t attribute = looks[style].always;
        if (colors && !plain &&
            init_pair((short)style, looks[style].foreground, looks[style].background) == OK)
            attribute |= (attr_t)COLOR_PAIR(style);
        else
            attribute |= looks[style].without_colors;
        screen->attributes[style] = attribute;
    }
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
    prepare_attributes(screen);
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
    screen->grid.utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    if (screen_model_create(&screen->model, run) == 0)
        screen->terminal = newterm(NULL, stdout, stdin);
    if (screen->terminal == NULL) {
        free_screen(screen);
        return NULL;
    }
    prepare_terminal(screen);
    screen->view = (struct view){.show = screen_show,
                                 .tick = screen_tick,
                                 .read_key = screen_read_key,
                                 .resize = screen_resize,
                                 .needs_hands = screen_needs_hands,
                                 .close = screen_close};
    screen->changed = true;
    return &screen->view;
}
