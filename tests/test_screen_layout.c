/* Where everything stands on the screen: for every number of sites and many sizes nothing overlaps,
 * nothing is outside, and every site has room for its number and its verdict. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "station/screen_layout.h"

static const struct {
    int columns, rows;
} sizes[] = {{80, 24}, {81, 25}, {100, 30}, {120, 40}, {132, 24}, {80, 60}, {200, 60}, {300, 100}};

/* Below what is promised: nothing but safety is asked for. */
static const struct {
    int columns, rows;
} small_sizes[] = {{1, 1},  {2, 2},  {3, 1},   {1, 100}, {300, 1}, {300, 3},
                   {10, 4}, {20, 5}, {60, 12}, {79, 23}, {80, 8},  {40, 24}};

/* A jig of sites 1…count, in rows of so many; 0: without a layout. */
static void make_jig(struct jig *jig, int count, int in_row)
{
    *jig = (struct jig){.site_count = (size_t)count};
    jig->sites = calloc((size_t)count, sizeof *jig->sites);
    assert_non_null(jig->sites);
    for (int i = 0; i < count; i++) {
        jig->sites[i].site = i + 1;
        if (in_row == 0)
            continue;
        jig->sites[i].layout_row = i / in_row + 1;
        jig->sites[i].layout_column = i % in_row + 1;
    }
    if (in_row != 0) {
        jig->layout_rows = (count + in_row - 1) / in_row;
        jig->layout_columns = count < in_row ? count : in_row;
    }
}

/* Marks a rectangle as taken: inside the screen, and nobody's before. */
static void take(unsigned char *taken, int rows, int columns, const struct screen_rect *rect)
{
    assert_true(rect->row >= 0 && rect->column >= 0);
    assert_true(rect->rows >= 0 && rect->columns >= 0);
    assert_true(rect->row + rect->rows <= rows);
    assert_true(rect->column + rect->columns <= columns);
    for (int row = rect->row; row < rect->row + rect->rows; row++)
        for (int column = rect->column; column < rect->column + rect->columns; column++)
            assert_int_equal(taken[row * columns + column]++, 0);
}

static void take_row(unsigned char *taken, int rows, int columns, int row)
{
    const struct screen_rect rect = {row, 0, 1, columns};

    if (row >= 0)
        take(taken, rows, columns, &rect);
}

static void check_site(const struct screen_layout *layout, const struct screen_rect *rect)
{
    static const int letters[] = {[SCREEN_MARKS] = 2, [SCREEN_CELLS] = 5, [SCREEN_LINES] = 12};

    assert_true(rect->rows >= 1);
    if (layout->shape == SCREEN_BLOCKS)
        assert_true(rect->rows >= 4 && rect->columns >= 18);
    else
        assert_true(rect->columns >= layout->number_columns + letters[layout->shape]);
}

static void check(const struct jig *jig, int rows, int columns, struct screen_layout *layout)
{
    unsigned char *taken = calloc((size_t)rows, (size_t)columns);

    assert_non_null(taken);
    screen_layout_make(jig, rows, columns, layout);
    take_row(taken, rows, columns, layout->title_row);
    take_row(taken, rows, columns, layout->status_row);
    take_row(taken, rows, columns, layout->counts_row);
    take_row(taken, rows, columns, layout->causes_row);
    take_row(taken, rows, columns, layout->keys_row);
    if (layout->shape == SCREEN_LIST) {
        take(taken, rows, columns, &layout->sites);
        assert_true(layout->sites.rows >= 1);
    } else {
        take(taken, rows, columns, &layout->notices);
        for (size_t i = 0; i < jig->site_count; i++) {
            struct screen_rect rect;

            screen_layout_site(layout, jig, i, &rect);
            take(taken, rows, columns, &rect);
            check_site(layout, &rect);
        }
    }
    free(taken);
}

static void every_site_has_its_place(void **state)
{
    (void)state;
    for (int count = 1; count <= JIG_SITES_MAX; count++) {
        struct jig jig;

        make_jig(&jig, count, 0);
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            struct screen_layout layout;

            check(&jig, sizes[i].rows, sizes[i].columns, &layout);
            assert_int_not_equal(layout.shape, SCREEN_LIST);
            if (count <= 128)
                assert_true(layout.shape >= SCREEN_CELLS);
            /* Only for the sake of words does anything else go. */
            if (count <= 128)
                assert_true(layout.causes_row > 0 && layout.notices.rows >= 2);
        }
        free(jig.sites);
    }
}

static void a_jig_stands_as_it_is(void **state)
{
    static const struct {
        int count, in_row;
    } jigs[] = {{1, 1}, {8, 4}, {8, 2}, {32, 8}, {64, 8}, {10, 5}, {16, 1}};

    (void)state;
    for (size_t i = 0; i < sizeof jigs / sizeof jigs[0]; i++) {
        struct jig jig;

        make_jig(&jig, jigs[i].count, jigs[i].in_row);
        for (size_t j = 0; j < sizeof sizes / sizeof sizes[0]; j++) {
            struct screen_layout layout;

            check(&jig, sizes[j].rows, sizes[j].columns, &layout);
            assert_true(layout.as_on_jig);
            assert_true(layout.shape >= SCREEN_CELLS);
            for (size_t site = 1; site < jig.site_count; site++) {
                struct screen_rect rect, before;

                screen_layout_site(&layout, &jig, site - 1, &before);
                screen_layout_site(&layout, &jig, site, &rect);
                if (jig.sites[site].layout_row == jig.sites[site - 1].layout_row)
                    assert_true(rect.row == before.row && rect.column > before.column);
                else
                    assert_true(rect.row > before.row && rect.column <= before.column);
            }
        }
        free(jig.sites);
    }
}

/* Two rows with an aisle between them, and a gap. */
static void gaps_stay_free(void **state)
{
    struct jig jig;
    struct screen_layout layout;
    struct screen_rect first, second, third;

    (void)state;
    make_jig(&jig, 3, 1);
    jig.layout_rows = 3;
    jig.layout_columns = 3;
    jig.sites[0] = (struct jig_site){.site = 1, .layout_row = 1, .layout_column = 1};
    jig.sites[1] = (struct jig_site){.site = 2, .layout_row = 1, .layout_column = 3};
    jig.sites[2] = (struct jig_site){.site = 3, .layout_row = 3, .layout_column = 2};
    check(&jig, 24, 80, &layout);
    assert_true(layout.as_on_jig);
    screen_layout_site(&layout, &jig, 0, &first);
    screen_layout_site(&layout, &jig, 1, &second);
    screen_layout_site(&layout, &jig, 2, &third);
    assert_int_equal(second.column, first.column + 2 * layout.site_columns);
    assert_int_equal(third.row, first.row + 2 * layout.site_rows);
    assert_int_equal(third.column, first.column + layout.site_columns);
    free(jig.sites);
}

/* Sixteen in a row have no room for words on 80 columns: then in the order of the fixture. */
static void a_jig_too_wide_stands_in_its_order(void **state)
{
    struct jig jig;
    struct screen_layout layout;
    struct screen_rect first, last;

    (void)state;
    make_jig(&jig, 16, 16);
    jig.sites[0].site = 16; /* the fixture's order is not that of the numbers */
    jig.sites[15].site = 1;
    check(&jig, 24, 80, &layout);
    assert_false(layout.as_on_jig);
    assert_int_equal(layout.shape, SCREEN_BLOCKS);
    screen_layout_site(&layout, &jig, 0, &first);
    screen_layout_site(&layout, &jig, 15, &last);
    assert_true(first.row < last.row);
    check(&jig, 24, 300, &layout);
    assert_true(layout.as_on_jig);
    free(jig.sites);
}

static void few_sites_are_large(void **state)
{
    static const struct {
        int count, columns, rows;
        int site_columns, site_rows; /* at least */
    } cases[] = {
        {1, 80, 24, 80, 17}, {2, 80, 24, 40, 17}, {8, 80, 24, 20, 8}, {8, 200, 60, 50, 17}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct jig jig;
        struct screen_layout layout;

        make_jig(&jig, cases[i].count, 0);
        check(&jig, cases[i].rows, cases[i].columns, &layout);
        assert_int_equal(layout.shape, SCREEN_BLOCKS);
        assert_true(layout.site_columns >= cases[i].site_columns);
        assert_true(layout.site_rows >= cases[i].site_rows);
        free(jig.sites);
    }
}

static void tiny_windows_do_no_harm(void **state)
{
    (void)state;
    for (int count = 1; count <= JIG_SITES_MAX; count += count < 10 ? 1 : 41) {
        for (int in_row = 0; in_row <= count && in_row <= 16; in_row += 4) {
            struct jig jig;

            make_jig(&jig, count, in_row);
            for (size_t i = 0; i < sizeof small_sizes / sizeof small_sizes[0]; i++) {
                struct screen_layout layout;

                check(&jig, small_sizes[i].rows, small_sizes[i].columns, &layout);
            }
            free(jig.sites);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_site_has_its_place),
        cmocka_unit_test(a_jig_stands_as_it_is),
        cmocka_unit_test(gaps_stay_free),
        cmocka_unit_test(a_jig_too_wide_stands_in_its_order),
        cmocka_unit_test(few_sites_are_large),
        cmocka_unit_test(tiny_windows_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
