/* What the screen shows, looked at on a grid without a terminal: every verdict in words, in letters
 * and in a pattern of its own, held as long as its board is in; counts, causes, sentences; hostile
 * names; windows of every size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <locale.h>

#include "station/screen_big.h"
#include "station/screen_draw.h"
#include "station/screen_layout.h"

#define ROW_BYTES 8192

struct fixture {
    struct part part;
    struct profile profile;
    struct jig jig;
    bool wanted[JIG_SITES_MAX];
    struct cause_tally causes;
    struct view_run run;
    struct screen_model model;
    struct screen_grid grid;
};

static void open_fixture(struct fixture *fixture, int sites, int in_row)
{
    memset(fixture, 0, sizeof *fixture);
    strcpy(fixture->part.name, "ATmega328P");
    strcpy(fixture->profile.name, "demo");
    strcpy(fixture->profile.article, "DEMO-0001");
    strcpy(fixture->profile.revision, "1");
    fixture->profile.part = &fixture->part;
    fixture->jig.sites = calloc((size_t)sites, sizeof *fixture->jig.sites);
    assert_non_null(fixture->jig.sites);
    fixture->jig.site_count = (size_t)sites;
    for (int i = 0; i < sites; i++) {
        fixture->wanted[i] = true;
        fixture->jig.sites[i].site = i + 1;
        strcpy(fixture->jig.sites[i].programmer, "stk500v1");
        if (in_row > 0) {
            fixture->jig.sites[i].layout_row = i / in_row + 1;
            fixture->jig.sites[i].layout_column = i % in_row + 1;
            fixture->jig.layout_rows = (sites + in_row - 1) / in_row;
            fixture->jig.layout_columns = in_row;
        }
    }
    fixture->run = (struct view_run){.profile = &fixture->profile,
                                     .jig = &fixture->jig,
                                     .site_wanted = fixture->wanted,
                                     .lot = "A-1007",
                                     .operator_name = "Kim",
                                     .log_path = "log",
                                     .causes = &fixture->causes};
    fixture->grid.utf8 = true;
    assert_int_equal(screen_model_create(&fixture->model, &fixture->run), 0);
}

static void close_fixture(struct fixture *fixture)
{
    screen_model_free(&fixture->model);
    screen_grid_free(&fixture->grid);
    free(fixture->jig.sites);
}

/* ---- events ---- */

static void show(struct fixture *fixture, const struct station_event *event)
{
    cause_tally_add(&fixture->causes, event);
    screen_model_show(&fixture->model, event);
}

static void set_state(struct fixture *fixture, int site, enum site_state state)
{
    const struct station_event event = {.kind = STATION_EVENT_SITE,
                                        .site = site,
                                        .state = state,
                                        .failure = {state == SITE_OUT || state == SITE_WAITING
                                                        ? FAILURE_PROGRAMMER_SILENT
                                                        : FAILURE_NONE,
                                                    "no answer"}};

    show(fixture, &event);
}

static void set_all(struct fixture *fixture, enum site_state state)
{
    for (size_t i = 0; i < fixture->jig.site_count; i++)
        if (fixture->wanted[i])
            set_state(fixture, (int)i + 1, state);
}

static void progress(struct fixture *fixture, int site, const char *step, int permille, int tries)
{
    const struct station_event event = {.kind = STATION_EVENT_PROGRESS,
                                        .site = site,
                                        .step = step,
                                        .permille = permille,
                                        .left_us = 4100000,
                                        .tries = tries};

    show(fixture, &event);
}

static void judge_record(struct fixture *fixture, int site, const struct record_attempt *record)
{
    enum verdict verdict = record->verdict;
    struct station_event event = {.kind = verdict == VERDICT_NONE ? STATION_EVENT_UNKNOWN
                                                                  : STATION_EVENT_VERDICT,
                                  .site = site,
                                  .counts = fixture->model.counts,
                                  .failure = {.code = record->failure},
                                  .record = *record};

    memcpy(event.failure.detail, record->detail, sizeof event.failure.detail);
    show(fixture, &event);
    set_state(fixture, site,
              verdict == VERDICT_NONE ? SITE_STOPPED
                                      : (verdict == VERDICT_EMPTY ? SITE_ARMED : SITE_HELD));
}

static void judge(struct fixture *fixture, int site, enum verdict verdict, enum failure_code code,
                  const char *detail)
{
    struct record_attempt record = {.verdict = verdict, .failure = code, .tries = 1};

    snprintf(record.detail, sizeof record.detail, "%s", detail);
    judge_record(fixture, site, &record);
}

static void say(struct fixture *fixture, int site, const char *text)
{
    struct station_event event = {.kind = STATION_EVENT_MESSAGE, .site = site};

    snprintf(event.text, sizeof event.text, "%s", text);
    show(fixture, &event);
}

/* ---- looking ---- */

static bool draw_at(struct fixture *fixture, int columns, int rows, int64_t now_us)
{
    assert_int_equal(screen_grid_resize(&fixture->grid, rows, columns), 0);
    return screen_draw(&fixture->model, now_us, &fixture->grid);
}

static void draw(struct fixture *fixture, int columns, int rows)
{
    (void)draw_at(fixture, columns, rows, 0);
}

static const char *row_text(const struct fixture *fixture, int row, char text[ROW_BYTES])
{
    size_t used = 0;

    for (int column = 0; column < fixture->grid.columns; column++) {
        const struct screen_cell *cell = screen_grid_cell(&fixture->grid, row, column);

        for (const wchar_t *at = cell->text; *at != L'\0'; at++) {
            assert_true(used + MB_CUR_MAX < ROW_BYTES);
            int bytes = wctomb(text + used, *at);
            assert_true(bytes > 0);
            used += (size_t)bytes;
        }
    }
    text[used] = '\0';
    return text;
}

/* The first row that has the text; -1: none. */
static int find(const struct fixture *fixture, const char *text)
{
    char row[ROW_BYTES];

    for (int i = 0; i < fixture->grid.rows; i++)
        if (strstr(row_text(fixture, i, row), text) != NULL)
            return i;
    return -1;
}

static void print_grid(const struct fixture *fixture)
{
    char row[ROW_BYTES];

    for (int i = 0; i < fixture->grid.rows; i++)
        print_error("|%s|\n", row_text(fixture, i, row));
}

static void assert_shows(const struct fixture *fixture, const char *text)
{
    if (find(fixture, text) >= 0)
        return;
    print_grid(fixture);
    fail_msg("does not show: %s", text);
}

static void assert_hides(const struct fixture *fixture, const char *text)
{
    if (find(fixture, text) < 0)
        return;
    print_grid(fixture);
    fail_msg("shows: %s", text);
}

static struct screen_rect place_of(const struct fixture *fixture, int site,
                                   struct screen_layout *layout)
{
    struct screen_rect rect;

    screen_layout_make(&fixture->jig, fixture->grid.rows, fixture->grid.columns, layout);
    screen_layout_site(layout, &fixture->jig, (size_t)site - 1, &rect);
    return rect;
}

static bool same_cells(const struct screen_grid *grid, const struct screen_grid *picture, int row,
                       int column)
{
    for (int y = 0; y < picture->rows; y++)
        for (int x = 0; x < picture->columns; x++)
            if (screen_grid_cell(grid, row + y, column + x)->text[0] !=
                screen_grid_cell(picture, y, x)->text[0])
                return false;
    return true;
}

/* Does this picture stand somewhere in the rectangle? */
static bool has_picture(const struct screen_grid *grid, const struct screen_rect *rect,
                        const struct screen_grid *picture)
{
    for (int row = rect->row; row + picture->rows <= rect->row + rect->rows; row++)
        for (int column = rect->column; column + picture->columns <= rect->column + rect->columns;
             column++)
            if (same_cells(grid, picture, row, column))
                return true;
    return false;
}

/* The height of the word's letters in the site's place; 0: it is not there in big letters. */
static int big_rows(const struct fixture *fixture, int site, const char *word)
{
    struct screen_layout layout;
    struct screen_rect rect = place_of(fixture, site, &layout);

    for (int dot_rows = rect.rows / SCREEN_BIG_ROWS; dot_rows > 0; dot_rows--) {
        for (int dots = dot_rows; dots <= 2 * dot_rows; dots++) {
            struct screen_grid picture = {.utf8 = fixture->grid.utf8};
            bool found = false;

            if (screen_big_columns(word) * dots > rect.columns)
                continue;
            assert_int_equal(screen_grid_resize(&picture, SCREEN_BIG_ROWS * dot_rows,
                                                screen_big_columns(word) * dots),
                             0);
            screen_big_draw(&picture, 0, 0, word, dots, dot_rows, SCREEN_STYLE_PLAIN);
            found = has_picture(&fixture->grid, &rect, &picture);
            screen_grid_free(&picture);
            if (found)
                return SCREEN_BIG_ROWS * dot_rows;
        }
    }
    return 0;
}

/* The site's place as text, its rows one after the other. */
static const char *site_text(const struct fixture *fixture, int site, char text[ROW_BYTES])
{
    struct screen_layout layout;
    struct screen_rect rect = place_of(fixture, site, &layout);
    size_t used = 0;

    for (int row = rect.row; row < rect.row + rect.rows; row++)
        for (int column = rect.column; column < rect.column + rect.columns; column++) {
            wchar_t code = screen_grid_cell(&fixture->grid, row, column)->text[0];

            if (code != L'\0' && used + MB_CUR_MAX < ROW_BYTES)
                used += (size_t)wctomb(text + used, code);
        }
    text[used] = '\0';
    return text;
}

static bool site_shows(const struct fixture *fixture, int site, const char *text)
{
    char place[ROW_BYTES];

    return strstr(site_text(fixture, site, place), text) != NULL;
}

/* ---- tests ---- */

static void before_go_it_says_what_is_armed(void **state)
{
    struct fixture fixture;
    struct station_event started = {.kind = STATION_EVENT_STARTED,
                                    .counts = {.lot_count = 24, .lot_passed = 8}};

    (void)state;
    open_fixture(&fixture, 8, 4);
    fixture.wanted[5] = false;
    screen_model_free(&fixture.model);
    assert_int_equal(screen_model_create(&fixture.model, &fixture.run), 0);
    show(&fixture, &started);
    set_all(&fixture, SITE_CLAIMING);
    set_all(&fixture, SITE_ARMED);
    draw(&fixture, 80, 24);
    assert_int_equal(find(&fixture, "DEMO-0001  revision 1  profile demo on ATmega328P"), 0);
    assert_int_equal(find(&fixture, "lot A-1007  16 to go"), 0);
    assert_int_equal(find(&fixture, "armed 1-5 7-8   not in use 6"), 1);
    assert_int_equal(find(&fixture, "Enter: GO   q: finish"), 23);
    assert_true(site_shows(&fixture, 5, "ready for a board"));
    assert_true(site_shows(&fixture, 6, "not in use"));
    struct screen_layout layout;
    struct screen_rect rect = place_of(&fixture, 6, &layout);
    assert_int_equal(screen_grid_cell(&fixture.grid, rect.row, rect.column)->style,
                     SCREEN_STYLE_DIM);
    fixture.run.go = SCHEDULER_GO_CONTACT;
    draw(&fixture, 80, 24);
    assert_hides(&fixture, "GO");
    close_fixture(&fixture);
}

static void work_is_told_in_words_and_by_a_bar(void **state)
{
    struct fixture fixture;

    (void)state;
    open_fixture(&fixture, 2, 0);
    set_all(&fixture, SITE_ARMED);
    set_state(&fixture, 1, SITE_WORKING);
    progress(&fixture, 1, "flash", 500, 1);
    draw(&fixture, 80, 24);
    assert_shows(&fixture, "armed 2   at work 1");
    assert_true(site_shows(&fixture, 1, "writing flash"));
    assert_true(site_shows(&fixture, 1, "4.1 s left   50 %"));
    assert_true(site_shows(&fixture, 1, "███████████████████░░░░░░░░░░░░░░░░░░░░"));
    assert_hides(&fixture, "try");
    progress(&fixture, 1, "verify", 1000, 3);
    draw(&fixture, 80, 24);
    assert_true(site_shows(&fixture, 1, "verifying, try 3"));
    assert_false(site_shows(&fixture, 1, "░"));
    /* The next board begins at nothing. */
    judge(&fixture, 1, VERDICT_PASS, FAILURE_NONE, "");
    set_state(&fixture, 1, SITE_ARMED);
    set_state(&fixture, 1, SITE_WORKING);
    draw(&fixture, 80, 24);
    assert_true(site_shows(&fixture, 1, "  0 %"));
    assert_false(site_shows(&fixture, 1, "left"));
    close_fixture(&fixture);
}

static void every_step_has_words(void **state)
{
    int count = 0;
    const struct record_step_fact *steps = record_step_table(&count);

    (void)state;
    for (int i = 0; i < count; i++)
        if (view_step_words(steps[i].name) == steps[i].name)
            fail_msg("no words for people for the step %s", steps[i].name);
    assert_string_equal(view_step_words("juggle"), "juggle");
}

/* What an outcome looks like, by site number. */
static const struct {
    enum verdict verdict;
    enum failure_code code;
    enum screen_outcome outcome;
    const char *word, *bin, *sentence;
} cases[] = {
    {VERDICT_PASS, FAILURE_NONE, SCREEN_OUTCOME_PASS, "PASS", "", "take the board out"},
    {VERDICT_FAIL, FAILURE_VERIFY_MISMATCH, SCREEN_OUTCOME_FAIL, "FAIL", "reject bin",
     "Put the board in the reject bin"},
    {VERDICT_FAIL, FAILURE_CONTACT_LOST, SCREEN_OUTCOME_FAIL, "FAIL", "reseat",
     "Take the board out, put it back"},
    {VERDICT_FAIL, FAILURE_PROGRAMMER_SILENT, SCREEN_OUTCOME_FAIL, "FAIL", "check programmer",
     "Unplug this site's programmer"},
    {VERDICT_FAIL, FAILURE_INTERNAL, SCREEN_OUTCOME_FAIL, "FAIL", "stop",
     "Stop and give this message"},
    {VERDICT_REFUSED, FAILURE_SIGNATURE_MISMATCH, SCREEN_OUTCOME_REFUSED, "REFUSED", "reject bin",
     "it carries another part"},
    {VERDICT_REFUSED, FAILURE_FUSE_REFUSED, SCREEN_OUTCOME_REFUSED, "REFUSED", "hold the lot",
     "call the engineer"},
    {VERDICT_REFUSED, FAILURE_EEPROM_WOULD_BE_LOST, SCREEN_OUTCOME_REFUSED, "REFUSED", "set aside",
     "Set the board aside"},
    {VERDICT_UNVERIFIED, FAILURE_NONE, SCREEN_OUTCOME_UNVERIFIED, "UNVERIFIED", "ask the engineer",
     "cannot read it back"},
    {VERDICT_EMPTY, FAILURE_NO_BOARD, SCREEN_OUTCOME_EMPTY, "EMPTY", "", "Put a board in"},
    {VERDICT_EMPTY, FAILURE_BOARD_BEHIND_DOOR, SCREEN_OUTCOME_EMPTY, "EMPTY", "set aside",
     "Set the board aside if it was in"},
    {VERDICT_INTERRUPTED, FAILURE_INTERRUPTED, SCREEN_OUTCOME_INTERRUPTED, "INTERRUPTED",
     "set aside", "Set the board aside"},
    {VERDICT_NONE, FAILURE_LOG, SCREEN_OUTCOME_UNKNOWN, "UNKNOWN", "quarantine",
     "Put the board into quarantine"},
};

/* One site each: the word in large letters, or at least in capitals in a band; where the board
 * goes; the sentence and what was found; and a pattern that no other outcome has. */
static void every_outcome_fills_its_block(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture fixture;

        open_fixture(&fixture, 1, 0);
        set_all(&fixture, SITE_WORKING);
        judge(&fixture, 1, cases[i].verdict, cases[i].code, "found 12 at 0x34");
        draw(&fixture, 80, 24);
        if (big_rows(&fixture, 1, cases[i].word) < SCREEN_BIG_ROWS) {
            print_grid(&fixture);
            fail_msg("no big %s", cases[i].word);
        }
        assert_shows(&fixture, cases[i].sentence);
        if (cases[i].bin[0] != '\0')
            assert_shows(&fixture, cases[i].bin);
        if (cases[i].code != FAILURE_NONE)
            assert_shows(&fixture, "0x34)");
        assert_true(site_shows(&fixture, 1, screen_look(cases[i].outcome)->pattern_utf8));
        close_fixture(&fixture);
    }
}

static void patterns_letters_and_words_differ(void **state)
{
    (void)state;
    for (int i = SCREEN_OUTCOME_PASS; i < SCREEN_OUTCOME_COUNT; i++) {
        const struct screen_look *look = screen_look((enum screen_outcome)i);

        assert_true(screen_big_columns(look->words[0]) > 0);
        assert_true(strlen(look->words[SCREEN_LOOK_WORDS - 1]) <= 4);
        for (int j = SCREEN_OUTCOME_PASS; j < i; j++) {
            const struct screen_look *other = screen_look((enum screen_outcome)j);

            assert_int_not_equal(look->letter, other->letter);
            assert_int_not_equal(look->pattern, other->pattern);
            assert_string_not_equal(look->pattern_utf8, other->pattern_utf8);
            for (int word = 0; word < SCREEN_LOOK_WORDS; word++)
                assert_string_not_equal(look->words[word], other->words[word]);
        }
    }
    assert_string_equal(view_bin(FAILURE_NONE, false), "");
}

/* Eight sites as the jig stands, on the least screen: large PASS and FAIL; the sentence that has no
 * room at its site stands below. */
static void verdicts_are_large_on_80_by_24(void **state)
{
    struct fixture fixture;

    (void)state;
    open_fixture(&fixture, 8, 4);
    set_all(&fixture, SITE_WORKING);
    judge(&fixture, 1, VERDICT_PASS, FAILURE_NONE, "");
    judge(&fixture, 2, VERDICT_FAIL, FAILURE_CONTACT_LOST, "the board answers no more");
    judge(&fixture, 3, VERDICT_REFUSED, FAILURE_SIGNATURE_MISMATCH, "found 1E 95 02");
    set_state(&fixture, 4, SITE_OUT);
    draw(&fixture, 80, 24);
    assert_int_equal(big_rows(&fixture, 1, "PASS"), 5);
    assert_int_equal(big_rows(&fixture, 2, "FAIL"), 5);
    assert_int_equal(big_rows(&fixture, 4, "OUT"), 5);
    assert_true(site_shows(&fixture, 1, "take it out"));
    assert_true(site_shows(&fixture, 2, "reseat"));
    assert_true(site_shows(&fixture, 3, " REFUSED "));
    assert_true(site_shows(&fixture, 3, "reject bin"));
    assert_true(site_shows(&fixture, 4, "site out"));
    assert_false(site_shows(&fixture, 1, "╳"));
    assert_false(site_shows(&fixture, 2, "═"));
    /* Three sentences on three rows: they take turns. */
    assert_true(draw_at(&fixture, 80, 24, 0));
    assert_shows(&fixture, "Site 4 OUT, site out: Unplug this site's programmer");
    assert_shows(&fixture, "1/3");
    assert_true(draw_at(&fixture, 80, 24, SCREEN_TURN_US));
    assert_shows(&fixture, "Site 2 FAIL, reseat: Take the board out, put it back");
    assert_shows(&fixture, "(contact-lost: the board");
    assert_true(draw_at(&fixture, 80, 24, 2 * SCREEN_TURN_US));
    assert_shows(&fixture, "Site 3 REFUSED, reject bin: ");
    assert_shows(&fixture, "(signature-mismatch: found 1E 95 02)");
    /* Where there is room nobody has to wait. */
    assert_false(draw_at(&fixture, 200, 60, 0));
    assert_true(big_rows(&fixture, 2, "FAIL") >= 10);
    assert_true(big_rows(&fixture, 3, "REFUSED") > 0);
    assert_shows(&fixture, "1E 95 02)");
    close_fixture(&fixture);
}

static void a_verdict_is_held_until_its_board_is_out(void **state)
{
    struct fixture fixture;

    (void)state;
    open_fixture(&fixture, 2, 0);
    set_all(&fixture, SITE_WORKING);
    judge(&fixture, 1, VERDICT_FAIL, FAILURE_VERIFY_MISMATCH, "x");
    judge(&fixture, 2, VERDICT_EMPTY, FAILURE_NO_BOARD, "x");
    draw(&fixture, 80, 24);
    assert_true(big_rows(&fixture, 1, "FAIL") > 0);
    assert_shows(&fixture, "take out 1");
    set_state(&fixture, 1, SITE_ARMED);
    set_state(&fixture, 2, SITE_ARMED); /* that there was no board stays worth saying */
    draw(&fixture, 80, 24);
    assert_int_equal(big_rows(&fixture, 1, "FAIL"), 0);
    assert_true(site_shows(&fixture, 1, "last: FAIL"));
    assert_true(site_shows(&fixture, 1, "ready for a board"));
    assert_true(big_rows(&fixture, 2, "EMPTY") > 0);
    set_all(&fixture, SITE_WORKING);
    draw(&fixture, 80, 24);
    assert_true(site_shows(&fixture, 1, "last: FAIL"));
    assert_true(site_shows(&fixture, 2, "last: EMPTY"));
    /* A board that lost its contact looks as if it were out: what to do about it stays. */
    judge(&fixture, 1, VERDICT_FAIL, FAILURE_CONTACT_LOST, "x");
    set_state(&fixture, 1, SITE_ARMED);
    draw(&fixture, 80, 24);
    assert_true(big_rows(&fixture, 1, "FAIL") > 0);
    assert_true(site_shows(&fixture, 1, "reseat"));
    set_state(&fixture, 1, SITE_WORKING);
    /* The run ends: what was shown stays, what was over does not come back. */
    judge(&fixture, 1, VERDICT_PASS, FAILURE_NONE, "");
    set_state(&fixture, 1, SITE_STOPPED);
    judge(&fixture, 2, VERDICT_PASS, FAILURE_NONE, "");
    set_state(&fixture, 2, SITE_ARMED);
    set_state(&fixture, 2, SITE_STOPPED);
    draw(&fixture, 80, 24);
    assert_true(big_rows(&fixture, 1, "PASS") > 0);
    assert_int_equal(big_rows(&fixture, 2, "PASS"), 0);
    assert_true(site_shows(&fixture, 2, "stopped"));
    assert_true(site_shows(&fixture, 2, "last: PASS"));
    close_fixture(&fixture);
}

/* From blocks to single letters: each site tells its number and what it came to; the last verdict
 * stays beside what comes next. */
static void every_shape_tells_number_and_verdict(void **state)
{
    static const struct {
        int sites, in_row, columns, rows;
        enum screen_shape shape;
        const char *fail, *pass, *last;
    } shapes[] = {
        {64, 0, 80, 24, SCREEN_LINES, "12 FAIL reject bin", "13 PASS ═", "14 ready  last PASS"},
        {64, 8, 80, 24, SCREEN_CELLS, "12 FAIL", "13 PASS", "last PASS"},
        {128, 0, 80, 24, SCREEN_CELLS, " 12 FAIL", " 13 PASS", " 14 pass"},
        {256, 0, 80, 24, SCREEN_MARKS, " 12F ", " 13P ", " 14.p"},
        {64, 8, 200, 60, SCREEN_BLOCKS, "reject bin", "take the board out", "last: PASS"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        struct fixture fixture;
        struct screen_layout layout;
        char number[16];

        open_fixture(&fixture, shapes[i].sites, shapes[i].in_row);
        set_all(&fixture, SITE_WORKING);
        judge(&fixture, 12, VERDICT_FAIL, FAILURE_VERIFY_MISMATCH, "x");
        judge(&fixture, 13, VERDICT_PASS, FAILURE_NONE, "");
        judge(&fixture, 14, VERDICT_PASS, FAILURE_NONE, "");
        set_state(&fixture, 14, SITE_ARMED);
        draw(&fixture, shapes[i].columns, shapes[i].rows);
        (void)place_of(&fixture, 1, &layout);
        assert_int_equal(layout.shape, shapes[i].shape);
        if (!site_shows(&fixture, 12, shapes[i].fail) ||
            !site_shows(&fixture, 13, shapes[i].pass) ||
            !site_shows(&fixture, 14, shapes[i].last)) {
            print_grid(&fixture);
            fail_msg("shape %d", (int)shapes[i].shape);
        }
        for (int site = 1; site <= shapes[i].sites; site++) {
            snprintf(number, sizeof number, "%d", site);
            assert_true(site_shows(&fixture, site, number));
        }
        if (shapes[i].shape != SCREEN_MARKS) {
            assert_shows(&fixture, "failures: 1 verify-mismatch");
            assert_shows(&fixture, "Put the board in the reject bin");
        }
        close_fixture(&fixture);
    }
}

static void counts_and_causes(void **state)
{
    struct fixture fixture;

    (void)state;
    open_fixture(&fixture, 8, 4);
    fixture.model.counts = (struct station_counts){
        .passed = 6, .failed = 3, .refused = 1, .empty = 2, .boards_per_hour = 3507.3};
    draw(&fixture, 80, 24);
    assert_int_equal(
        find(&fixture, "passed 6  failed 3  refused 1  empty 2  yield 60.0 %  3507 boards/hour"),
        21);
    assert_int_equal(find(&fixture, "failures: none"), 22);
    judge(&fixture, 1, VERDICT_FAIL, FAILURE_CONTACT_LOST, "x");
    judge(&fixture, 2, VERDICT_FAIL, FAILURE_VERIFY_MISMATCH, "x");
    judge(&fixture, 3, VERDICT_FAIL, FAILURE_VERIFY_MISMATCH, "x");
    draw(&fixture, 80, 24);
    assert_int_equal(find(&fixture, "failures: 2 verify-mismatch  1 contact-lost"), 22);
    draw(&fixture, 60, 24);
    assert_shows(&fixture, "60.0 %  3507/h");
    judge(&fixture, 4, VERDICT_NONE, FAILURE_LOG, "disk full");
    draw(&fixture, 80, 24);
    assert_shows(&fixture, "passed 6  failed 3  unknown 1");
    assert_hides(&fixture, "%");
    close_fixture(&fixture);
}

static void messages_stay_until_they_are_done(void **state)
{
    struct fixture fixture;
    const struct station_event cycle = {.kind = STATION_EVENT_CYCLE};
    const struct station_event fault = {.kind = STATION_EVENT_LOG_FAULT,
                                        .failure = {FAILURE_LOG, "disk full"}};
    struct station_event ended = {.kind = STATION_EVENT_ENDED, .failure = {FAILURE_LOG, ""}};

    (void)state;
    open_fixture(&fixture, 8, 4);
    say(&fixture, 3, "site 3: take the board out first"); /* pressed GO; the others start */
    show(&fixture, &cycle);
    set_state(&fixture, 2, SITE_WORKING);
    draw(&fixture, 80, 24);
    assert_shows(&fixture, "site 3: take the board out first");
    set_state(&fixture, 3, SITE_ARMED);
    draw(&fixture, 80, 24);
    assert_hides(&fixture, "take the board out first");
    say(&fixture, 0, "no site can start");
    draw(&fixture, 80, 24);
    assert_shows(&fixture, "no site can start");
    show(&fixture, &cycle);
    draw(&fixture, 80, 24);
    assert_hides(&fixture, "no site can start");
    show(&fixture, &fault);
    draw(&fixture, 80, 24);
    assert_shows(&fixture, "LOG FAULT: disk full. No further board is touched.");
    show(&fixture, &ended);
    draw(&fixture, 80, 24);
    assert_shows(&fixture, "The run is over. Enter: leave");
    assert_shows(&fixture, "LOG FAULT");
    say(&fixture, 0, "no more boards");
    ended.failure.code = FAILURE_NONE;
    show(&fixture, &ended);
    draw(&fixture, 80, 24);
    assert_hides(&fixture, "no more boards");
    close_fixture(&fixture);
}

static void accept_risk(struct fixture *fixture, const char *rule, const char *because)
{
    struct profile_risk *risk = &fixture->profile.risks[fixture->profile.risk_count++];

    snprintf(risk->rule, sizeof risk->rule, "%s", rule);
    snprintf(risk->because, sizeof risk->because, "%s", because);
}

/* Why until the first GO, which all the time. */
static void accepted_risks_are_shown(void **state)
{
    struct fixture fixture;
    const struct station_event started = {.kind = STATION_EVENT_STARTED};
    const struct station_event cycle = {.kind = STATION_EVENT_CYCLE};

    (void)state;
    open_fixture(&fixture, 8, 4);
    show(&fixture, &started);
    draw(&fixture, 80, 24);
    assert_hides(&fixture, "RISK");
    accept_risk(&fixture, "dwen", "the debugger is wanted");
    accept_risk(&fixture, "clock-frequency", "as its maker has it");
    show(&fixture, &started);
    set_all(&fixture, SITE_ARMED);
    draw(&fixture, 80, 24);
    assert_shows(&fixture, "ACCEPTED RISK dwen, because: the debugger is wanted");
    assert_shows(&fixture, "armed 1-8");
    assert_shows(&fixture, "RISK dwen, clock-frequency");
    show(&fixture, &cycle);
    draw(&fixture, 80, 24);
    assert_hides(&fixture, "because");
    assert_shows(&fixture, "RISK dwen, clock-frequency");
    close_fixture(&fixture);
}

/* Put back and done again it would only be refused: the engineer has what its EEPROM held. */
static void a_board_that_lacks_its_eeprom_goes_to_the_engineer(void **state)
{
    struct fixture fixture;

    (void)state;
    open_fixture(&fixture, 1, 0);
    set_all(&fixture, SITE_WORKING);
    judge_record(&fixture, 1,
                 &(struct record_attempt){.verdict = VERDICT_FAIL,
                                          .failure = FAILURE_CONTACT_LOST,
                                          .detail = "no answer",
                                          .eeprom_owed = true,
                                          .tries = 1});
    draw(&fixture, 80, 24);
    assert_shows(&fixture, "set aside");
    assert_shows(&fixture, "Set the board aside for the engineer: its EEPROM was cleared");
    assert_shows(&fixture, "(contact-lost: no answer)");
    assert_hides(&fixture, "reseat");
    assert_hides(&fixture, "press GO");
    close_fixture(&fixture);
}

static void a_board_that_was_done_already_passes_and_says_so(void **state)
{
    struct fixture fixture;

    (void)state;
    open_fixture(&fixture, 8, 4);
    set_all(&fixture, SITE_WORKING);
    judge_record(&fixture, 1,
                 &(struct record_attempt){.verdict = VERDICT_PASS,
                                          .verification = "already",
                                          .detail = "already programmed",
                                          .tries = 1});
    judge(&fixture, 2, VERDICT_PASS, FAILURE_NONE, "EEPROM put back");
    draw(&fixture, 80, 24);
    assert_int_equal(big_rows(&fixture, 1, "PASS"), 5);
    assert_true(site_shows(&fixture, 1, "unchanged"));
    assert_false(site_shows(&fixture, 2, "unchanged"));
    draw(&fixture, 200, 60);
    assert_true(site_shows(&fixture, 1, "already programmed; take the board out"));
    assert_true(site_shows(&fixture, 2, "EEPROM put back; take the board out"));
    assert_false(screen_model_needs_hands(&fixture.model));
    close_fixture(&fixture);
}

static void a_lost_programmer_is_shown_unless_a_board_needs_hands(void **state)
{
    struct fixture fixture;

    (void)state;
    open_fixture(&fixture, 2, 0);
    set_all(&fixture, SITE_ARMED);
    set_state(&fixture, 1, SITE_WAITING);
    judge(&fixture, 2, VERDICT_FAIL, FAILURE_PROGRAMMER_SILENT, "no answer");
    set_state(&fixture, 2, SITE_WAITING);
    draw(&fixture, 80, 24);
    assert_shows(&fixture, "waiting 1-2");
    assert_true(big_rows(&fixture, 1, "WAITING") > 0);
    assert_true(site_shows(&fixture, 1, "for programmer"));
    assert_true(big_rows(&fixture, 2, "FAIL") > 0);
    set_state(&fixture, 1, SITE_ARMED);
    set_state(&fixture, 2, SITE_HELD);
    draw(&fixture, 80, 24);
    assert_true(site_shows(&fixture, 1, "ready for a board"));
    assert_true(big_rows(&fixture, 2, "FAIL") > 0);
    set_state(&fixture, 2, SITE_OUT);
    draw(&fixture, 80, 24);
    assert_true(big_rows(&fixture, 2, "OUT") > 0);
    assert_true(site_shows(&fixture, 2, "site out"));
    close_fixture(&fixture);
}

static void only_verdicts_that_need_hands_are_waited_for(void **state)
{
    struct fixture fixture;

    (void)state;
    open_fixture(&fixture, 3, 0);
    set_all(&fixture, SITE_WORKING);
    judge(&fixture, 1, VERDICT_PASS, FAILURE_NONE, "");
    judge(&fixture, 2, VERDICT_EMPTY, FAILURE_NO_BOARD, "");
    assert_false(screen_model_needs_hands(&fixture.model));
    judge(&fixture, 3, VERDICT_FAIL, FAILURE_VERIFY_MISMATCH, "");
    assert_true(screen_model_needs_hands(&fixture.model));
    set_state(&fixture, 3, SITE_ARMED); /* it was taken out */
    assert_false(screen_model_needs_hands(&fixture.model));
    judge(&fixture, 1, VERDICT_NONE, FAILURE_LOG, "");
    assert_true(screen_model_needs_hands(&fixture.model));
    close_fixture(&fixture);
}

/* What a name can do to a terminal, it does not do here. */
static void hostile_names_do_no_harm(void **state)
{
    struct fixture fixture;

    (void)state;
    open_fixture(&fixture, 8, 4);
    strcpy(fixture.profile.article, "基板\x1b[2J\n\xff\xe2\x80\xae\xc2\x9b"
                                    "e\u0301-7");
    say(&fixture, 0,
        "a\x07"
        "b\xe2\x80\x8b"
        "c");
    set_all(&fixture, SITE_ARMED);
    draw(&fixture, 80, 24);
    assert_int_equal(find(&fixture, " 基板?[2J????e\u0301-7  revision 1"), 0);
    assert_shows(&fixture, "a?b?c");
    assert_shows(&fixture, "lot A-1007");
    /* A wide character and its right half take two cells, and the row ends where all rows do. */
    assert_true(screen_grid_cell(&fixture.grid, 0, 1)->text[0] == L'基');
    assert_true(screen_grid_cell(&fixture.grid, 0, 2)->text[0] == L'\0');
    assert_true(screen_grid_cell(&fixture.grid, 0, 3)->text[0] == L'板');
    for (int columns = 1; columns < 60; columns++)
        draw(&fixture, columns, 24);
    /* Where the terminal has only ASCII, there is only ASCII. */
    fixture.grid.utf8 = false;
    set_all(&fixture, SITE_WORKING);
    progress(&fixture, 1, "flash", 300, 1);
    judge(&fixture, 2, VERDICT_FAIL, FAILURE_VERIFY_MISMATCH, "found µ");
    judge(&fixture, 3, VERDICT_PASS, FAILURE_NONE, "");
    draw(&fixture, 80, 24);
    for (int row = 0; row < 24; row++)
        for (int column = 0; column < 80; column++) {
            const struct screen_cell *cell = screen_grid_cell(&fixture.grid, row, column);

            assert_in_range(cell->text[0], L' ', L'~');
            assert_int_equal(cell->text[1], L'\0');
        }
    assert_true(big_rows(&fixture, 2, "FAIL") > 0);
    assert_true(site_shows(&fixture, 2, "XXX"));
    assert_true(site_shows(&fixture, 3, "==="));
    assert_shows(&fixture, " ???[2J");
    close_fixture(&fixture);
}

static void half_a_wide_character_is_never_left(void **state)
{
    struct screen_grid grid = {.utf8 = true};

    (void)state;
    assert_int_equal(screen_grid_resize(&grid, 1, 6), 0);
    assert_int_equal(screen_grid_put(&grid, 0, 0, 6, SCREEN_STYLE_PLAIN, "基板板"), 6);
    assert_int_equal(screen_grid_put(&grid, 0, 1, 1, SCREEN_STYLE_PLAIN, "x"), 1);
    assert_int_equal(screen_grid_put(&grid, 0, 2, 1, SCREEN_STYLE_PLAIN, "y"), 1);
    assert_true(screen_grid_cell(&grid, 0, 0)->text[0] == L' ');
    assert_true(screen_grid_cell(&grid, 0, 1)->text[0] == L'x');
    assert_true(screen_grid_cell(&grid, 0, 2)->text[0] == L'y');
    assert_true(screen_grid_cell(&grid, 0, 3)->text[0] == L' ');
    assert_true(screen_grid_cell(&grid, 0, 4)->text[0] == L'板');
    assert_int_equal(screen_grid_put(&grid, 0, 5, 1, SCREEN_STYLE_PLAIN, "板"), 0);
    assert_int_equal(screen_grid_put(&grid, 0, 5, 9, SCREEN_STYLE_PLAIN, "板"), 0);
    assert_int_equal(screen_grid_put(&grid, 7, 0, 9, SCREEN_STYLE_PLAIN, "a"), 0);
    assert_int_equal(screen_grid_put(&grid, 0, -1, 9, SCREEN_STYLE_PLAIN, "a"), 0);
    screen_grid_free(&grid);
}

static void a_window_too_small_lists_what_needs_hands_first(void **state)
{
    struct fixture fixture;

    (void)state;
    open_fixture(&fixture, 64, 8);
    set_all(&fixture, SITE_ARMED);
    judge(&fixture, 60, VERDICT_FAIL, FAILURE_VERIFY_MISMATCH, "x");
    judge(&fixture, 61, VERDICT_NONE, FAILURE_LOG, "x");
    draw(&fixture, 30, 6);
    assert_shows(&fixture, "55 more: make the window");
    assert_int_equal(find(&fixture, "61 UNKN"), 2);
    assert_int_equal(find(&fixture, "60 FAIL"), 2);
    close_fixture(&fixture);
}

/* Every size and every state together: the address sanitizer watches. */
static void every_size_can_be_drawn(void **state)
{
    static const int counts[] = {1, 3, 8, 64, 256};

    (void)state;
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        struct fixture fixture;

        open_fixture(&fixture, counts[i], counts[i] >= 8 ? 8 : 0);
        if (i % 2 == 0)
            accept_risk(&fixture, "bootrst-without-bootloader", "it is loaded later");
        set_all(&fixture, SITE_WORKING);
        for (int site = 1; site <= counts[i]; site++) {
            size_t which = (size_t)site % (sizeof cases / sizeof cases[0] + 2);

            if (which == 0)
                progress(&fixture, site, "flash", 371, 2);
            else if (which == 1)
                set_state(&fixture, site, SITE_OUT);
            else
                judge(&fixture, site, cases[which - 2].verdict, cases[which - 2].code,
                      "a detail of some length, with a word of its own");
        }
        say(&fixture, 1, "site 1: take the board out first");
        for (int rows = 1; rows < 60; rows += rows < 26 ? 1 : 7)
            for (int columns = 1; columns < 130; columns += columns < 22 ? 1 : 13)
                (void)draw_at(&fixture, columns, rows, (int64_t)rows * columns * 1000000);
        close_fixture(&fixture);
    }
}

/* The picture in the README is what the screen shows. */
static void make_readme_scene(struct fixture *fixture)
{
    static const struct {
        int site, permille;
        int64_t left_us;
    } working[] = {{1, 107, 7300000}, {2, 107, 7400000}, {4, 95, 7100000}};
    struct station_event progressed = {.kind = STATION_EVENT_PROGRESS, .step = "flash"};

    fixture->run.go = SCHEDULER_GO_NOW;
    set_all(fixture, SITE_WORKING);
    for (int site = 1; site <= 8; site++)
        judge(fixture, site, VERDICT_PASS, FAILURE_NONE, "");
    set_all(fixture, SITE_ARMED);
    set_all(fixture, SITE_WORKING);
    for (size_t i = 0; i < sizeof working / sizeof working[0]; i++) {
        progressed.site = working[i].site;
        progressed.permille = working[i].permille;
        progressed.left_us = working[i].left_us;
        show(fixture, &progressed);
    }
    judge(fixture, 3, VERDICT_REFUSED, FAILURE_SIGNATURE_MISMATCH,
          "found signature 1E 95 02, expected 1E 95 0F (ATmega328P)");
    judge(fixture, 6, VERDICT_FAIL, FAILURE_CONTACT_LOST, "the board answers no more");
    for (int site = 5; site <= 8; site++)
        if (site != 6)
            judge(fixture, site, VERDICT_PASS, FAILURE_NONE, "");
    fixture->model.counts = (struct station_counts){.passed = 11,
                                                    .failed = 1,
                                                    .refused = 1,
                                                    .lot_count = 24,
                                                    .lot_passed = 11,
                                                    .boards_per_hour = 4595};
    (void)draw_at(fixture, 80, 24, SCREEN_TURN_US);
}

static void the_readme_shows_this_screen(void **state)
{
    struct fixture fixture;
    char line[ROW_BYTES], row[ROW_BYTES];
    bool found = false;
    FILE *readme = fopen(TEST_SOURCE_DIR "/README.md", "r");

    (void)state;
    assert_non_null(readme);
    open_fixture(&fixture, 8, 4);
    make_readme_scene(&fixture);
    for (bool heading = false; !found && fgets(line, sizeof line, readme) != NULL;) {
        found = heading && strcmp(line, "```\n") == 0;
        heading = heading || strcmp(line, "## What the operator sees\n") == 0;
    }
    for (int i = 0; i < fixture.grid.rows; i++) {
        assert_non_null(fgets(line, sizeof line, readme));
        line[strcspn(line, "\n")] = '\0';
        (void)row_text(&fixture, i, row);
        for (size_t end = strlen(row); end > 0 && row[end - 1] == ' '; end--)
            row[end - 1] = '\0';
        assert_string_equal(line, row);
    }
    fclose(readme);
    close_fixture(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(before_go_it_says_what_is_armed),
        cmocka_unit_test(work_is_told_in_words_and_by_a_bar),
        cmocka_unit_test(every_step_has_words),
        cmocka_unit_test(every_outcome_fills_its_block),
        cmocka_unit_test(patterns_letters_and_words_differ),
        cmocka_unit_test(verdicts_are_large_on_80_by_24),
        cmocka_unit_test(a_verdict_is_held_until_its_board_is_out),
        cmocka_unit_test(every_shape_tells_number_and_verdict),
        cmocka_unit_test(counts_and_causes),
        cmocka_unit_test(messages_stay_until_they_are_done),
        cmocka_unit_test(accepted_risks_are_shown),
        cmocka_unit_test(a_board_that_lacks_its_eeprom_goes_to_the_engineer),
        cmocka_unit_test(a_board_that_was_done_already_passes_and_says_so),
        cmocka_unit_test(a_lost_programmer_is_shown_unless_a_board_needs_hands),
        cmocka_unit_test(only_verdicts_that_need_hands_are_waited_for),
        cmocka_unit_test(hostile_names_do_no_harm),
        cmocka_unit_test(half_a_wide_character_is_never_left),
        cmocka_unit_test(a_window_too_small_lists_what_needs_hands_first),
        cmocka_unit_test(every_size_can_be_drawn),
        cmocka_unit_test(the_readme_shows_this_screen),
    };

    if (setlocale(LC_CTYPE, "C.UTF-8") == NULL)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
