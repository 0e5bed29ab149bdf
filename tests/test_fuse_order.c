/* The order of fuse writes, by hand: where it matters, and where there is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "profiles/fuse_order.h"
#include "tests/shipped_parts.h"

#define MHZ 1000000

struct row {
    const char *part;
    uint8_t found[4], wanted[4]; /* low, high, extended, lock */
    int64_t crystal_hz;          /* 0: not said */
    const char *order;           /* NULL: refused… */
    const char *why;             /* …with these words */
    size_t before, clock;        /* writes before the new entry, and until the new clock */
};

static const struct row rows[] = {
    /* nothing to write; one; and where the order does not matter */
    {"ATmega328P", {0x62, 0xD9, 0xFF, 0xFF}, {0x62, 0xD9, 0xFF, 0xFF}, 0, "", "", 0, 0},
    {"ATmega328P", {0x62, 0xD9, 0xFF, 0xFF}, {0x62, 0xDE, 0xFF, 0xFF}, 0, "high", "", 1, 0},
    {"ATmega328P",
     {0x62, 0xD9, 0xFF, 0xFF},
     {0xFF, 0xDE, 0xFD, 0xCF},
     16 * MHZ,
     "low high extended lock",
     "",
     3,
     1},
    /* CKOPT first, towards a crystal that does not swing without it; and last on the way back */
    {"ATmega8", {0xE1, 0xD9, 0xFF, 0xFF}, {0x3F, 0xC9, 0xFF, 0xFF}, 16 * MHZ, "high low", "", 2, 2},
    {"ATmega8", {0x3F, 0xC9, 0xFF, 0xFF}, {0xE1, 0xD9, 0xFF, 0xFF}, 16 * MHZ, "low high", "", 2, 2},
    /* the same where the profile does not say what the board has: the RC oscillator is sure */
    {"ATmega8", {0xE1, 0xD9, 0xFF, 0xFF}, {0x3F, 0xC9, 0xFF, 0xFF}, 0, "high low", "", 2, 2},
    /* 8 MHz swing either way */
    {"ATmega8", {0xE1, 0xD9, 0xFF, 0xFF}, {0x3F, 0xC9, 0xFF, 0xFF}, 8 * MHZ, "low high", "", 2, 2},
    /* from one crystal setting to another with CKOPT changed */
    {"ATmega8", {0x3F, 0xC9, 0xFF, 0xFF}, {0x2E, 0xD9, 0xFF, 0xFF}, 8 * MHZ, "low high", "", 2, 2},
    {"ATmega8",
     {0x3F, 0xC9, 0xFF, 0xFF},
     {0x2E, 0xD9, 0xFF, 0xFF},
     0,
     NULL,
     "low 0x2E, high 0xC9 would choose a clock that is not known",
     0,
     0},
    /* The extended fuse may go anywhere. */
    {"ATmega128",
     {0xE1, 0x99, 0xFD, 0xFF},
     {0x3F, 0x89, 0xFF, 0xFF},
     16 * MHZ,
     "high low extended",
     "",
     3,
     2},
    /* doors last: before lock bits that forbid it, else behind them */
    {"ATmega328P",
     {0x62, 0xD9, 0xFF, 0xFF},
     {0xFF, 0x59, 0xFD, 0xFC},
     16 * MHZ,
     "low extended high lock",
     "",
     2,
     1},
    {"ATmega328P",
     {0x62, 0xD9, 0xFF, 0xFF},
     {0xFF, 0x99, 0xFD, 0xCF},
     16 * MHZ,
     "low extended lock high",
     "",
     2,
     1},
    /* one that stands beside CKSEL */
    {"ATtiny12", {0x52, 0xFF, 0xFF, 0xFF}, {0x42, 0xFF, 0xFF, 0xFF}, 0, "low", "", 0, 0},
    /* a door that shares its byte with CKOPT */
    {"ATmega8",
     {0xE1, 0xD9, 0xFF, 0xFF},
     {0x3F, 0x49, 0xFF, 0xFF},
     16 * MHZ,
     NULL,
     "a crystal or resonator of 3 to 8 MHz, and the board's 16 MHz; high comes last since it turns "
     "RSTDISBL on",
     0,
     0},
    {"ATmega8", {0x3F, 0xC9, 0xFF, 0xFF}, {0x3F, 0x49, 0xFF, 0xFF}, 16 * MHZ, "high", "", 0, 0},
    /* CKDIV8 in another byte than the oscillator, which has one setting that is known */
    {"ATmega16HVB", {0xDD, 0xE9, 0xFF, 0xFF}, {0x9D, 0xF9, 0xFF, 0xFF}, 0, "low high", "", 2, 2},
};

static struct part *load(const char *name)
{
    struct failure failure = {0};
    struct part *part = NULL;

    if (part_load(SHIPPED_PARTS_DIRECTORY, name, &part, &failure) != 0)
        fail_msg("%s", failure.detail);
    return part;
}

static struct fuse_order_case case_of(const struct row *row, const struct part *part)
{
    struct fuse_order_case board = {.part = part,
                                    .has_crystal = row->crystal_hz != 0,
                                    .board_hz = row->crystal_hz,
                                    .reach_hz = 1 * MHZ};

    for (int i = 0; i < PART_FUSE_AND_LOCK_COUNT; i++) {
        board.found[i] = row->found[i];
        board.wanted[i] = row->wanted[i];
        board.writes[i] = row->found[i] != row->wanted[i];
        board.given[i] = true;
    }
    return board;
}

static void write_order(const struct fuse_order *order, char *text, size_t text_bytes)
{
    static const char *const names[] = {"low", "high", "extended", "lock"};
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; i < order->count; i++)
        used += (size_t)snprintf(text + used, text_bytes - used, "%s%s", i > 0 ? " " : "",
                                 names[order->writes[i] - PART_FIRST_FUSE]);
}

static void check_row(const struct row *row)
{
    struct part *part = load(row->part);
    struct fuse_order_case board = case_of(row, part);
    struct fuse_order order;
    struct failure failure = {0};
    char text[64];
    int result = fuse_order_find(&board, &order, &failure);

    if (row->order == NULL) {
        assert_int_equal(result, -1);
        assert_int_equal(failure.code, FAILURE_NO_SAFE_ORDER);
        if (strstr(failure.detail, row->why) == NULL)
            fail_msg("%s does not say: %s", failure.detail, row->why);
    } else {
        if (result != 0)
            fail_msg("%s: %s", row->part, failure.detail);
        write_order(&order, text, sizeof text);
        assert_string_equal(text, row->order);
        assert_int_equal(order.before, row->before);
        assert_int_equal(fuse_order_clock_writes(&board, &order), row->clock);
    }
    part_free(part);
}

static void test_by_hand(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        check_row(&rows[i]);
}

/* A byte that is left may choose what nobody judged: then the end must be known to run, too. */
static void test_left(void **state)
{
    struct part *part = load("ATmega8");
    const struct row row = {
        "ATmega8", {0xE1, 0xD9, 0xFF, 0xFF}, {0x3F, 0xD9, 0xFF, 0xFF}, 16 * MHZ, "low", "", 1, 1};
    struct fuse_order_case board = case_of(&row, part);
    struct fuse_order order;
    struct failure failure = {0};

    (void)state;
    assert_int_equal(fuse_order_find(&board, &order, &failure), 0);
    board.given[1] = false;
    assert_int_equal(fuse_order_find(&board, &order, &failure), -1);
    assert_non_null(strstr(failure.detail, "of 3 to 8 MHz, and the board's 16 MHz"));
    board.board_hz = 8 * MHZ;
    assert_int_equal(fuse_order_find(&board, &order, &failure), 0);
    part_free(part);
}

static void test_lock_leaves_fuses(void **state)
{
    struct part *part = load("ATmega328P");
    struct part *old = load("ATtiny12"); /* its lock bits stand one higher */

    (void)state;
    assert_true(fuse_order_lock_leaves_fuses(part, 0xFF));
    assert_true(fuse_order_lock_leaves_fuses(part, 0xCF));
    assert_false(fuse_order_lock_leaves_fuses(part, 0xFE));
    assert_false(fuse_order_lock_leaves_fuses(part, 0xFC));
    assert_true(fuse_order_lock_leaves_fuses(old, 0xFF));
    assert_false(fuse_order_lock_leaves_fuses(old, 0xFD));
    part_free(part);
    part_free(old);
}

/* Where the brown-out's mode and its level stand in two bytes (high: level, extended: mode), no
 * write leaves a level above the supply turned on. */
static void test_brown_out(void **state)
{
    static const struct {
        uint8_t found[4], wanted[4];
        int64_t supply_mv;
        const char *order, *why; /* as above */
    } cases[] = {
        /* to 4.3 V, turned off */
        {{0x62, 0xDE, 0xFD, 0xFF}, {0x62, 0xDC, 0xFF, 0xFF}, 3300, "extended high", ""},
        {{0x62, 0xDE, 0xFD, 0xFF}, {0x62, 0xDC, 0xFF, 0xFF}, 0, "extended high", ""},
        {{0x62, 0xDE, 0xFD, 0xFF}, {0x62, 0xDC, 0xFF, 0xFF}, 5000, "high extended", ""},
        /* only asleep */
        {{0x62, 0xDE, 0xF7, 0xFF}, {0x62, 0xDC, 0xFF, 0xFF}, 3300, "extended high", ""},
        /* and back */
        {{0x62, 0xDC, 0xFF, 0xFF}, {0x62, 0xDE, 0xFD, 0xFF}, 3300, "high extended", ""},
        /* a value that is none */
        {{0x62, 0xDE, 0xFD, 0xFF}, {0x62, 0xD8, 0xFF, 0xFF}, 5000, "extended high", ""},
        /* the level stands beside a door, which comes last */
        {{0x62, 0xDC, 0xFF, 0xFF}, {0x62, 0x5E, 0xFD, 0xFF}, 5000, "extended high", ""},
        {{0x62, 0xDC, 0xFF, 0xFF},
         {0x62, 0x5E, 0xFD, 0xFF},
         3300,
         NULL,
         "once extended is written, low 0x62, high 0xDC, extended 0xFD would choose a brown-out "
         "level of 4.3 V, and the supply is 3.3 V"},
    };
    static const char *const parts[] = {"ATtiny441", "ATtiny841", "ATtiny1634"};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0] * 3; i++) {
        struct part *part = load(parts[i % 3]);
        struct row row = {.crystal_hz = 0};
        struct fuse_order_case board;
        struct fuse_order order;
        struct failure failure = {0};
        char text[64];

        memcpy(row.found, cases[i / 3].found, sizeof row.found);
        memcpy(row.wanted, cases[i / 3].wanted, sizeof row.wanted);
        board = case_of(&row, part);
        board.supply_mv = cases[i / 3].supply_mv;
        if (fuse_order_find(&board, &order, &failure) == 0) {
            write_order(&order, text, sizeof text);
            assert_non_null(cases[i / 3].order);
            assert_string_equal(text, cases[i / 3].order);
        } else {
            assert_null(cases[i / 3].order);
            assert_non_null(strstr(failure.detail, cases[i / 3].why));
        }
        part_free(part);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_left),
        cmocka_unit_test(test_brown_out),
        cmocka_unit_test(test_lock_leaves_fuses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
