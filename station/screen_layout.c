#include "station/screen_layout.h"

#include "station/screen_big.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* The least a site of each shape needs, the gap to its neighbour included. */
#define BLOCK_COLUMNS 19
#define BLOCK_ROWS 4
#define LINE_COLUMNS 20 /* "256 FAIL reject bin " */
#define CELL_WORD 7     /* after the number: " ready " */
#define MARK_LETTERS 3  /* after the number: what is seen, the last one, and a gap */
#define CELL_ROWS_MAX 3 /* the word, what to do, a gap */
/* A window below this gets a list whatever it has to show. */
#define LEAST_ROWS 5
#define LEAST_COLUMNS 20

/* What stands around the sites, from the one with most. Only for the sake of the sites' words does
 * any of it go. */
static const struct frame {
    bool status, causes, keys;
    int notices;
} frames[] = {{true, true, true, 2}, {true, false, true, 1}, {false, false, true, 1}, {0}};

static int frame_rows(const struct frame *frame)
{
    return 2 + (frame->status ? 1 : 0) + (frame->causes ? 1 : 0) + (frame->keys ? 1 : 0) +
           frame->notices; /* title and counts are always there */
}

static int number_columns(const struct jig *jig)
{
    int columns = 1;
    for (size_t i = 0; i < jig->site_count; i++) {
        if (jig->sites[i].site > 9 && columns < 2)
            columns = 2;
        if (jig->sites[i].site > 99)
            columns = 3;
    }
    return columns;
}

/* How sites stand: a shape, and so many in a row. */
struct plan {
    enum screen_shape shape; /* LIST: they cannot */
    int columns;
    int site_columns, site_rows;
};

static enum screen_shape shape_that_fits(int site_columns, int site_rows, int number)
{
    if (site_rows >= BLOCK_ROWS && site_columns >= BLOCK_COLUMNS)
        return SCREEN_BLOCKS;
    if (site_rows < 1 || site_columns < number + MARK_LETTERS)
        return SCREEN_LIST;
    if (site_columns >= LINE_COLUMNS)
        return SCREEN_LINES;
    return site_columns >= number + CELL_WORD ? SCREEN_CELLS : SCREEN_MARKS;
}

static struct plan plan_grid(int rows, int columns, int grid_rows, int grid_columns, int number)
{
    struct plan plan = {.columns = grid_columns,
                        .site_columns = columns / grid_columns,
                        .site_rows = rows / grid_rows};
    plan.shape = shape_that_fits(plan.site_columns, plan.site_rows, number);
    if (plan.shape == SCREEN_CELLS && plan.site_rows > CELL_ROWS_MAX)
        plan.site_rows = CELL_ROWS_MAX;
    if (plan.shape == SCREEN_LINES || plan.shape == SCREEN_MARKS)
        plan.site_rows = 1;
    return plan;
}

/* How much of a block's purpose a block of this size serves: the size of its letters first, then
 * room for sentences, which want columns more than rows. */
static int block_value(const struct plan *plan)
{
    int letters = (plan->site_rows - 2) / SCREEN_BIG_ROWS;
    int fitting = (plan->site_columns - 2) / screen_big_columns("PASS");
    int room = plan->site_columns < 4 * plan->site_rows ? plan->site_columns : 4 * plan->site_rows;
    return 1000 * (letters < fitting ? letters : fitting) + room;
}

static bool is_better(const struct plan *plan, const struct plan *best)
{
    if (plan->shape != best->shape)
        return plan->shape > best->shape;
    /* Of lines and cells the widest, which come first. */
    return plan->shape == SCREEN_BLOCKS && block_value(plan) > block_value(best);
}

/* Sites in their order, so many in a row as makes most of the room. */
static struct plan plan_flow(int rows, int columns, int sites, int number)
{
    struct plan best = {.shape = SCREEN_LIST, .columns = 1};
    for (int in_row = 1; in_row <= sites && in_row <= columns; in_row++) {
        struct plan plan = plan_grid(rows, columns, (sites + in_row - 1) / in_row, in_row, number);
        if (is_better(&plan, &best))
            best = plan;
    }
    return best;
}

static struct plan plan_sites(const struct jig *jig, int rows, int columns, bool *as_on_jig)
{
    int number = number_columns(jig);
    struct plan flow = plan_flow(rows, columns, (int)jig->site_count, number);
    *as_on_jig = false;
    if (jig->layout_rows == 0)
        return flow;
    struct plan grid = plan_grid(rows, columns, jig->layout_rows, jig->layout_columns, number);
    *as_on_jig = grid.shape >= SCREEN_CELLS || grid.shape > flow.shape ||
                 (grid.shape == SCREEN_MARKS && flow.shape == SCREEN_MARKS);
    return *as_on_jig ? grid : flow;
}

static void place_frame(const struct frame *frame, struct screen_layout *layout, int rows,
                        int columns, int site_area)
{
    int row = rows;
    layout->keys_row = frame->keys ? --row : -1;
    layout->causes_row = frame->causes ? --row : -1;
    layout->counts_row = --row;
    layout->title_row = 0;
    layout->status_row = frame->status ? 1 : -1;
    layout->sites = (struct screen_rect){
        .row = frame->status ? 2 : 1, .column = 0, .rows = site_area, .columns = columns};
    /* What the sites leave over is for sentences. */
    layout->notices.row = layout->sites.row + site_area;
    layout->notices.rows = row - layout->notices.row;
    layout->notices.column = 1;
    layout->notices.columns = columns - 2;
}

static void make_list(struct screen_layout *layout, int rows, int columns)
{
    *layout = (struct screen_layout){.shape = SCREEN_LIST,
                                     .title_row = rows > 2 ? 0 : -1,
                                     .status_row = -1,
                                     .counts_row = rows > 3 ? rows - 1 : -1,
                                     .causes_row = -1,
                                     .keys_row = -1,
                                     .columns = 1,
                                     .number_columns = layout->number_columns};
    layout->sites.row = rows > 2 ? 1 : 0;
    layout->sites.rows = (rows > 3 ? rows - 1 : rows) - layout->sites.row;
    layout->sites.columns = columns;
}

static int grid_rows(const struct jig *jig, const struct plan *plan, bool as_on_jig)
{
    if (as_on_jig)
        return jig->layout_rows;
    return ((int)jig->site_count + plan->columns - 1) / plan->columns;
}

void screen_layout_make(const struct jig *jig, int rows, int columns, struct screen_layout *layout)
{
    struct plan best = {.shape = SCREEN_LIST};
    const struct frame *frame = &frames[0];
    *layout = (struct screen_layout){.number_columns = number_columns(jig)};
    for (size_t i = 0; i < COUNT_OF(frames) && best.shape < SCREEN_CELLS; i++) {
        bool as_on_jig = false;
        int area = rows - frame_rows(&frames[i]);
        if (area < 1)
            continue;
        struct plan plan = plan_sites(jig, area, columns, &as_on_jig);
        if (plan.shape > best.shape) {
            best = plan;
            frame = &frames[i];
            layout->as_on_jig = as_on_jig;
        }
    }
    if (best.shape == SCREEN_LIST || rows < LEAST_ROWS || columns < LEAST_COLUMNS) {
        make_list(layout, rows, columns);
        return;
    }
    layout->shape = best.shape;
    layout->columns = best.columns;
    layout->site_columns = best.site_columns;
    layout->site_rows = best.site_rows;
    place_frame(frame, layout, rows, columns,
                best.site_rows * grid_rows(jig, &best, layout->as_on_jig));
}

/* How many sites come before this one in the order of the fixture, or of their numbers. */
static int rank_of(const struct jig *jig, const struct jig_site *site)
{
    int rank = 0;
    for (size_t i = 0; i < jig->site_count; i++) {
        const struct jig_site *other = &jig->sites[i];
        bool before = other->site < site->site;
        if (other->layout_row != site->layout_row)
            before = other->layout_row < site->layout_row;
        else if (other->layout_column != site->layout_column)
            before = other->layout_column < site->layout_column;
        rank += before ? 1 : 0;
    }
    return rank;
}

void screen_layout_site(const struct screen_layout *layout, const struct jig *jig, size_t index,
                        struct screen_rect *rect)
{
    const struct jig_site *site = &jig->sites[index];
    int rank = layout->as_on_jig ? 0 : rank_of(jig, site);
    int row = layout->as_on_jig ? site->layout_row - 1 : rank / layout->columns;
    int column = layout->as_on_jig ? site->layout_column - 1 : rank % layout->columns;
    *rect = (struct screen_rect){.row = layout->sites.row + row * layout->site_rows,
                                 .column = layout->sites.column + column * layout->site_columns,
                                 .rows = layout->site_rows,
                                 .columns = layout->site_columns - 1}; /* the gap */
}
