/* Both ways of a new board in the plan: at the clock found, and with the clock fuses first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "station/plan_speed.h"
#include "tests/fake_bench.h"

#define MHZ 1000000

struct fixture {
    struct fake_station station;
    struct jig_site site;
    struct plan plan;
};

static void open_fixture(struct fixture *fixture, const char *programmer, const char *changes)
{
    struct failure failure = {0};

    memset(fixture, 0, sizeof *fixture);
    fake_station_open(&fixture->station, changes);
    fixture->site.site = 2;
    snprintf(fixture->site.programmer, sizeof fixture->site.programmer, "%s", programmer);
    if (plan_make(fixture->station.profile, &fixture->site, &fixture->plan, &failure) != 0)
        fail_msg("%s", failure.detail);
}

static void close_fixture(struct fixture *fixture)
{
    fake_station_close(&fixture->station);
}

/* The fake driver takes 32 clocks of SCK for each of 768 bytes. Before it there is the erase, and
 * for clock first a fuse, six instructions and 20 ms. */
static void test_times(void **state)
{
    struct fixture fixture;
    const struct plan_speed *speed = &fixture.plan.speed;
    int64_t erase_us, fuse_us;

    (void)state;
    open_fixture(&fixture, "fake-sck", NULL);
    erase_us = fixture.station.profile->part->chip_erase_delay_us;
    fuse_us = fixture.station.profile->part->fuse_write_delay_us;
    assert_true(erase_us > 0 && fuse_us > 0);
    assert_true(speed->possible);
    assert_int_equal(speed->clock.hz, 16 * MHZ);
    assert_int_equal(speed->sck_hz, 1500000);
    assert_int_equal(speed->byte_count, 1);
    assert_int_equal(speed->as_found_us, erase_us + 768 * INT64_C(32000000) / 166666);
    assert_int_equal(speed->clock_first_us, erase_us + fuse_us + 6 * INT64_C(32000000) / 166666 +
                                                20000 + 768 * INT64_C(32000000) / 1500000);
    assert_string_equal(plan_faster_name(&fixture.plan), "clock-first");
    close_fixture(&fixture);
}

/* What a profile says and a programmer can, which is faster, and what of it is printed. */
static const struct {
    const char *programmer, *changes;
    bool possible;
    const char *faster;
    const char *printed; /* NULL: nothing */
} cases[] = {
    {"fake-sck", NULL, true, "clock-first",
     "as found 0.16 s at least, clock first 0.05 s: clock "
     "first is faster"},
    {"fake-sck", "speed: clock-first", true, "clock-first",
     "clock first: fuse low where it chooses another clock"},
    {"fake-sck", "speed: clock-first", true, "clock-first",
     "a new board then has 16 MHz, SCK at "
     "most 1.5 MHz"},
    /* 2 MHz are not worth a session for so few bytes */
    {"fake-sck", "speed: clock-first\nfuses: {low: 0x7F, high: 0xDE, extended: 0xFD}", true,
     "clock-first", "clock first is faster"},
    {"fake-sck",
     "speed: clock-first\nboard: {clock: crystal 1.1 MHz}\nfuses: {low: 0xFD, high: 0xDE, "
     "extended: "
     "0xFD}",
     true, "as-found", "as found is faster"},
    {"fake", "speed: clock-first", true, "same", "brings nothing here, since SCK is fixed"},
    {"fake", NULL, true, "same", NULL},
    {"fake-sck", "fuses: {low: leave, high: 0xDE, extended: 0xFD}", false, "same", NULL},
    {"fake-sck", "speed: clock-first\nfuses: {low: 0x62, high: 0xDE, extended: 0xFD}", false,
     "same", "nothing to write to a new board"},
};

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture fixture;
        char *text = NULL;
        size_t bytes = 0;
        FILE *out = open_memstream(&text, &bytes);

        open_fixture(&fixture, cases[i].programmer, cases[i].changes);
        plan_print_speed(&fixture.plan, out);
        assert_int_equal(fclose(out), 0);
        if (fixture.plan.speed.possible != cases[i].possible)
            fail_msg("%s: possible is %d", cases[i].changes, fixture.plan.speed.possible);
        assert_string_equal(plan_faster_name(&fixture.plan), cases[i].faster);
        if (cases[i].printed == NULL)
            assert_string_equal(text, "");
        else if (strstr(text, cases[i].printed) == NULL)
            fail_msg("no '%s' in: %s", cases[i].printed, text);
        free(text);
        close_fixture(&fixture);
    }
}

static void check_profile_says(const char *changes, const char *const expected[])
{
    struct fixture fixture;
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);

    open_fixture(&fixture, "fake-sck", changes);
    plan_print_speed_of_profile(fixture.station.profile, out);
    assert_int_equal(fclose(out), 0);
    for (; *expected != NULL; expected++)
        if (strstr(text, *expected) == NULL)
            fail_msg("no '%s' in: %s", *expected, text);
    free(text);
    close_fixture(&fixture);
}

/* Without a jig. */
static void test_profile_alone(void **state)
{
    static const char *const found[] = {"speed: as-found",
                                        "as found 166.666 kHz, clock first 2.66667 MHz",
                                        "clock first is faster", NULL};
    static const char *const first[] = {"speed: clock-first", "clock first is faster", NULL};
    static const char *const never[] = {"clock-first is not possible: fuse low chooses the clock",
                                        NULL};

    (void)state;
    check_profile_says(NULL, found);
    check_profile_says("speed: clock-first", first);
    check_profile_says("fuses: {low: leave, high: 0xDE, extended: 0xFD}", never);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_profile_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
