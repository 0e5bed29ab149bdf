/* The plan: what is refused before any wire is touched, and what it says it would do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "station/plan.h"
#include "tests/fake_bench.h"

struct fixture {
    struct fake_station station;
    struct jig_site site;
    struct plan plan;
    struct failure failure;
};

static void open_fixture(struct fixture *fixture, const char *changes)
{
    memset(fixture, 0, sizeof *fixture);
    fake_station_open(&fixture->station, changes);
    fixture->site.site = 2;
    snprintf(fixture->site.programmer, sizeof fixture->site.programmer, "fake");
}

static void close_fixture(struct fixture *fixture)
{
    fake_station_close(&fixture->station);
}

static int make(struct fixture *fixture)
{
    fixture->failure = (struct failure){0};
    return plan_make(fixture->station.profile, &fixture->site, &fixture->plan, &fixture->failure);
}

static void check_refused(struct fixture *fixture, const char *reason)
{
    assert_int_equal(make(fixture), -1);
    assert_int_equal(fixture->failure.code, FAILURE_PLAN_REFUSED);
    if (strstr(fixture->failure.detail, reason) == NULL)
        fail_msg("'%s' does not say '%s'", fixture->failure.detail, reason);
}

static void test_figures(void **state)
{
    struct fixture fixture;

    (void)state;
    open_fixture(&fixture, NULL);
    assert_int_equal(make(&fixture), 0);
    /* 0x40 to 0xBF lies in pages 0 and 1, 0x200 to 0x23F in page 4, of 128 bytes each */
    assert_int_equal(fixture.plan.write_bytes, 3 * 128);
    assert_int_equal(fixture.plan.verify_bytes, 3 * 128);
    assert_int_equal(fixture.plan.floor_us, 3 * 128 * 150);
    /* 1 KiB of EEPROM read back, an erase of 9 ms, RESET low for 20 ms before two sessions */
    assert_int_equal(fixture.plan.attempt_floor_us, 3 * 128 * 150 + 1024 * 50 + 9000 + 2 * 20000);
    assert_true(fixture.plan.eeprom_read);
    close_fixture(&fixture);

    open_fixture(&fixture, "verify: whole\neeprom: keep");
    assert_int_equal(make(&fixture), 0);
    assert_int_equal(fixture.plan.verify_bytes, 0x8000);
    assert_false(fixture.plan.eeprom_read);
    close_fixture(&fixture);
}

static void test_unknown_programmer(void **state)
{
    struct fixture fixture;

    (void)state;
    open_fixture(&fixture, NULL);
    snprintf(fixture.site.programmer, sizeof fixture.site.programmer, "nothing");
    check_refused(&fixture, "'nothing'");
    close_fixture(&fixture);
}

static void test_supply(void **state)
{
    struct fixture fixture;

    (void)state;
    open_fixture(&fixture, NULL);
    fixture.site.supply_mv = 3300;
    check_refused(&fixture, "3300 mV");
    fixture.site.supply_mv = 5000;
    assert_int_equal(make(&fixture), 0);
    close_fixture(&fixture);
}

/* Where the profile says no supply, the site's is held against the brown-out level. */
static void test_brown_out_at_the_site(void **state)
{
    struct fixture fixture;

    (void)state;
    open_fixture(&fixture, "board: {clock: crystal 16 MHz}\n"
                           "fuses: {low: 0xFF, high: 0xDE, extended: 0xFC}");
    assert_int_equal(make(&fixture), 0);
    fixture.site.supply_mv = 5000;
    assert_int_equal(make(&fixture), 0);
    fixture.site.supply_mv = 3300;
    assert_int_equal(make(&fixture), -1);
    assert_int_equal(fixture.failure.code, FAILURE_RULE_REFUSED);
    assert_non_null(strstr(fixture.failure.detail, "rule brown-out: extended 0xFC: "));
    close_fixture(&fixture);
}

/* SCK of the fake driver: 125 kHz, below clock/4 for clocks above 500 kHz, below clock/6 from 12
 * MHz. */
static void test_sck(void **state)
{
    struct fixture fixture;
    struct profile *profile;

    (void)state;
    open_fixture(&fixture, NULL);
    profile = fixture.station.profile;
    profile->clock_hz = 500000;
    check_refused(&fixture, "500000 Hz (with the profile's fuses) takes less than 125000 Hz");
    profile->clock_hz = 500001;
    assert_int_equal(make(&fixture), 0);

    /* CKDIV8, bit 7 of the low fuse, written or only accepted */
    profile->clock_hz = 4000000;
    assert_int_equal(make(&fixture), 0);
    profile->rules[0].write = 0x7F;
    check_refused(&fixture, "500000 Hz");
    profile->rules[0].write = 0xFF;
    profile->rules[0].accept[0] = 0x7F;
    profile->rules[0].accept_count = 1;
    check_refused(&fixture, "500000 Hz");
    profile->rules[0].accept_count = 0;
    /* an oscillator of its own, whatever the board has: 8 MHz, divided or not, and 128 kHz */
    profile->rules[0].write = 0x62;
    profile->clock_hz = 100000;
    assert_int_equal(make(&fixture), 0);
    profile->rules[0].write = 0xE3;
    profile->clock_hz = 16000000;
    check_refused(&fixture, "128000 Hz (with the profile's fuses)");
    profile->rules[0].leave = true; /* as it leaves the factory: 1 MHz */
    assert_int_equal(make(&fixture), 0);
    profile->part->bytes[0].factory_default = 0xE3;
    check_refused(&fixture, "128000 Hz (with the profile's fuses)");

    profile->part->factory_clock_hz = 127000;
    check_refused(&fixture, "127000 Hz (as it leaves the factory)");
    close_fixture(&fixture);
}

/* What the profile writes counts at its lower end, but where nothing at all is known of it. */
static void test_sck_not_known(void **state)
{
    struct fixture fixture;
    struct profile *profile;

    (void)state;
    open_fixture(&fixture, NULL);
    profile = fixture.station.profile;
    profile->clock_hz = 0;
    assert_int_equal(make(&fixture), 0);
    profile->rules[0].write = 0xF9; /* a resonator of 0.4 to 0.9 MHz */
    check_refused(&fixture, "a part that may be as slow as 400000 Hz (with the profile's fuses) "
                            "takes less than 100000 Hz; say the board's clock (board: {clock:");
    assert_int_equal(fixture.plan.done_clock.hz, 400000);
    profile->rules[0].write = 0xE0; /* an external clock */
    assert_int_equal(make(&fixture), 0);
    assert_int_equal(fixture.plan.done_clock.hz, 0);
    close_fixture(&fixture);
}

/* The oscillator of 32 to 512 kHz, at 125 kHz of SCK: the first board written so would never be
 * reached again. */
static void test_ultra_low_power(void **state)
{
    static const struct {
        const char *fuses, *refused;
    } rows[] = {
        {"fuses: {low: 0xE4, high: 0xDF, extended: 0xFF}",
         "a part at 32000 Hz (with the profile's fuses) takes less than 8000 Hz; give fuses for a "
         "faster clock"},
        {"fuses: {low: 0x64, high: 0xDF, extended: 0x7F}", "a part at 64000 Hz"},
        {"fuses: {low: 0xE4, high: 0xDF, extended: leave}", "a part at 32000 Hz"},
        {"fuses: {low: 0xE4, high: 0xDF, extended: 0x1F}", "may be as slow as 32000 Hz"},
        {"fuses: {low: 0xE4, high: 0xDF, extended: {write: 0x7F, accept: [0xFF], because: x}}",
         "a part at 32000 Hz"},
        {"fuses: {low: 0xE4, high: 0xDF, extended: 0x7F}", NULL},
    };
    struct fixture fixture;
    char changes[256];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        snprintf(changes, sizeof changes, "part: ATtiny841\n%s", rows[i].fuses);
        open_fixture(&fixture, changes);
        if (rows[i].refused != NULL)
            check_refused(&fixture, rows[i].refused);
        else if (make(&fixture) != 0)
            fail_msg("%s: %s", rows[i].fuses, fixture.failure.detail);
        close_fixture(&fixture);
    }
}

/* CKOPT stands in the byte that is left, off on a new board: with the low fuse alone its 16 MHz
 * crystal would not be driven. */
static void test_no_new_board(void **state)
{
    static const char board[] = "part: ATmega32A\nboard: {clock: crystal 16 MHz}\n"
                                "fuses: {low: 0x3F, high: %s}";
    struct fixture fixture;
    char changes[256];

    (void)state;
    snprintf(changes, sizeof changes, board, "leave");
    open_fixture(&fixture, changes);
    check_refused(&fixture, "each new board would be refused before its erase: once low is");
    check_refused(&fixture, "fuse high acts on the clock and is left as found: give its value");
    close_fixture(&fixture);

    snprintf(changes, sizeof changes, board, "0xC9");
    open_fixture(&fixture, changes);
    assert_int_equal(make(&fixture), 0);
    close_fixture(&fixture);
}

/* Where SCK is chosen a profile is refused only when the slowest is too fast: 500 Hz, a sixth of 3
 * kHz. */
static void test_sck_chosen(void **state)
{
    struct fixture fixture;
    struct profile *profile;

    (void)state;
    open_fixture(&fixture, NULL);
    snprintf(fixture.site.programmer, sizeof fixture.site.programmer, "fake-sck");
    profile = fixture.station.profile;
    assert_int_equal(make(&fixture), 0);
    assert_int_equal(fixture.plan.new_clock.hz, 1000000);
    assert_int_equal(fixture.plan.new_sck_hz, 166666);
    assert_int_equal(fixture.plan.done_clock.hz, 16000000);
    assert_int_equal(fixture.plan.done_sck_hz, 1500000); /* its fastest */
    assert_int_equal(fixture.plan.floor_us, 768 * INT64_C(32000000) / 166666);
    assert_int_equal(fixture.plan.done_floor_us, 768 * INT64_C(32000000) / 1500000);

    profile->rules[0].write = 0xE3;
    profile->rules[0].accept[0] = 0x63; /* 16 kHz: the slowest that may pass */
    profile->rules[0].accept_count = 1;
    assert_int_equal(make(&fixture), 0);
    assert_int_equal(fixture.plan.done_clock.hz, 16000);
    assert_int_equal(fixture.plan.done_sck_hz, 2666);
    profile->rules[0].write = 0xE0;
    profile->rules[0].accept_count = 0;
    profile->clock_hz = 0;
    assert_int_equal(make(&fixture), 0);
    assert_int_equal(fixture.plan.done_sck_hz, 500);

    profile->clock_hz = 3000;
    assert_int_equal(make(&fixture), 0);
    assert_int_equal(fixture.plan.done_sck_hz, 500);
    profile->clock_hz = 2999;
    check_refused(&fixture, "SCK at 500 Hz at least, a part at 2999 Hz (with the profile's fuses) "
                            "takes 499 Hz at most");
    close_fixture(&fixture);
}

static void test_via(void **state)
{
    struct fixture fixture;

    (void)state;
    open_fixture(&fixture, NULL);
    snprintf(fixture.station.profile->via, sizeof fixture.station.profile->via, "dfu");
    check_refused(&fixture, "via dfu");
    close_fixture(&fixture);
}

/* The fake driver reaches 128 KiB. */
static void test_flash_limit(void **state)
{
    struct fixture fixture;

    (void)state;
    open_fixture(&fixture, "part: ATmega2560\nfuses: {low: 0xFF, high: 0xD8, extended: 0xFD}");
    assert_int_equal(make(&fixture), 0);
    fixture.station.profile->verify_whole = true;
    check_refused(&fixture, "reaches 131072 bytes");
    fixture.station.profile->verify_whole = false;
    fixture.station.profile->if_already = PROFILE_IF_ALREADY_PASS;
    check_refused(&fixture, "looking whether a board is done already takes 262144");
    close_fixture(&fixture);
}

/* The one that chooses SCK reaches 64 KiB: of a larger part those may be used. */
static void test_flash_limit_of_image(void **state)
{
    struct fixture fixture;
    uint8_t *present;

    (void)state;
    open_fixture(&fixture, "part: ATmega1284P\nfuses: {low: 0xFF, high: 0xD8, extended: 0xFD}");
    snprintf(fixture.site.programmer, sizeof fixture.site.programmer, "fake-sck");
    present = fixture.station.profile->flash->present;
    present[0xFFFF] = 1;
    assert_int_equal(make(&fixture), 0);
    present[0x10000] = 1;
    check_refused(&fixture,
                  "programmer fake-sck reaches 65536 bytes of flash, the image takes 65537");
    close_fixture(&fixture);
}

static void test_image_beyond_flash(void **state)
{
    struct fixture fixture;

    (void)state;
    open_fixture(&fixture, NULL);
    fixture.station.profile->part->flash.size = 0x200;
    check_refused(&fixture, "ends at 0x240");
    close_fixture(&fixture);
}

static void check_printed(struct fixture *fixture, const char *const expected[])
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);

    assert_int_equal(make(fixture), 0);
    plan_print_steps(&fixture->plan, out);
    assert_int_equal(fclose(out), 0);
    for (const char *at = text; at != NULL && *expected != NULL; expected++) {
        at = strstr(at, *expected);
        if (at == NULL)
            fail_msg("'%s' is missing or out of order in:\n%s", *expected, text);
    }
    free(text);
}

static void test_printed(void **state)
{
    static const char *const usual[] = {"site 2",
                                        "1E 95 0F",
                                        "erase the chip",
                                        "192 bytes of image as 3 pages of 128 bytes",
                                        "EEPROM: blank, all 1024 bytes",
                                        "384 bytes of flash read back",
                                        "low fuse",
                                        "0xFF",
                                        "high fuse",
                                        "0xDE",
                                        "BOOTRST",
                                        "extended fuse",
                                        "0xFD  of bits 0x07",
                                        "enter again",
                                        "lock byte",
                                        "0xCF",
                                        "release",
                                        "shortest possible time",
                                        NULL};
    static const char *const others[] = {
        "EEPROM: the erase keeps it where EESAVE is found on; else a board "
        "is refused",
        "unless it reads blank",
        "the rest must be blank",
        "left as it is",
        "0xDE",
        "0xD9  accepted as found, because test",
        NULL};
    static const char *const rework[] = {"read every fuse and the lock byte",
                                         "a board that carries all of this already, 32768 bytes of "
                                         "flash read twice, is refused",
                                         "log what was found",
                                         "else it is read twice and saved",
                                         "put back now and verified",
                                         NULL};
    static const char *const already[] = {
        "32768 bytes of flash and its EEPROM read twice, passes as it is", "log what was found",
        NULL};
    static const char *const sck[] = {
        "SCK by the clock",
        "a new board: 1 MHz, SCK at most 166.666 kHz",
        "with the profile's fuses: 16 MHz, SCK at most 1.5 MHz",
        "log what was found",
        "for the flash: 0.1 s on a new board, 0.0 s on one that has the profile's fuses",
        NULL};
    static const char *const sck_not_known[] = {
        "with the profile's fuses: its clock is not known (the profile may say it, board: clock), "
        "so SCK is 500 Hz",
        NULL};
    static const char *const sck_at_least[] = {
        "with the profile's fuses: at least 8 MHz, SCK at most 1.33333 MHz", NULL};
    struct fixture fixture;

    (void)state;
    open_fixture(&fixture, NULL);
    check_printed(&fixture, usual);
    snprintf(fixture.site.programmer, sizeof fixture.site.programmer, "fake-sck");
    check_printed(&fixture, sck);
    fixture.station.profile->clock_hz = 0;
    check_printed(&fixture, sck_at_least);
    fixture.station.profile->rules[0].write = 0xE0;
    check_printed(&fixture, sck_not_known);
    close_fixture(&fixture);
    open_fixture(&fixture, "eeprom: {keep: restore}\nif_already: refuse");
    check_printed(&fixture, rework);
    close_fixture(&fixture);
    open_fixture(&fixture, "if_already: pass");
    check_printed(&fixture, already);
    close_fixture(&fixture);
    open_fixture(&fixture, "eeprom: keep\nverify: whole\nfuses:\n  low: leave\n"
                           "  high: {write: 0xDE, accept: [0xD9], because: test}\n"
                           "  extended: 0xFD");
    check_printed(&fixture, others);
    close_fixture(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_figures),
        cmocka_unit_test(test_unknown_programmer),
        cmocka_unit_test(test_supply),
        cmocka_unit_test(test_brown_out_at_the_site),
        cmocka_unit_test(test_sck),
        cmocka_unit_test(test_sck_not_known),
        cmocka_unit_test(test_ultra_low_power),
        cmocka_unit_test(test_no_new_board),
        cmocka_unit_test(test_sck_chosen),
        cmocka_unit_test(test_via),
        cmocka_unit_test(test_flash_limit),
        cmocka_unit_test(test_flash_limit_of_image),
        cmocka_unit_test(test_image_beyond_flash),
        cmocka_unit_test(test_printed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
