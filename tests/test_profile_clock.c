/* Clock first by the profile alone: where the clock fuses may not go before the flash, and what
 * clock a new board then has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiles/profile_clock.h"

#define PARTS TEST_SOURCE_DIR "/profiles/parts"
#define MHZ 1000000
#define M328P(low)                                                                                 \
    "part: ATmega328P\nfuses: {low: " low ", high: 0xD9, extended: 0xFD}\nlock: 0xFF\n"
#define TINY13(low) "part: ATtiny13\nfuses: {low: " low ", high: 0xFF}\nlock: 0xFF\n"
#define CRYSTAL "board: {clock: crystal 16 MHz}\n"

static char directory[64];

static int set_up(void **state)
{
    char path[96];
    FILE *file;

    (void)state;
    snprintf(directory, sizeof directory, "/tmp/test-profile-clock-XXXXXX");
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/app.hex", directory);
    file = fopen(path, "w");
    if (file == NULL || fputs(":03000000616263D7\n:00000001FF\n", file) < 0 || fclose(file) != 0)
        return -1;
    return 0;
}

static int tear_down(void **state)
{
    char path[96];

    (void)state;
    snprintf(path, sizeof path, "%s/app.hex", directory);
    return unlink(path) != 0 || rmdir(directory) != 0 ? -1 : 0;
}

/* `lines` behind what every profile has; the speed is the line behind them. */
static int load(const char *lines, const char *speed, struct profile **profile,
                struct failure *failure)
{
    char path[96], text[1024];
    int bytes = snprintf(text, sizeof text,
                         "format: 1\nprofile: clock\narticle: A\nrevision: 1\nvia: isp\n"
                         "images: [{file: app.hex}]\n%s\n%s%s",
                         strstr(lines, "eeprom:") == NULL ? "eeprom: erase" : "", lines, speed);

    snprintf(path, sizeof path, "%s/profile.yaml", directory);
    return profile_parse(path, text, (size_t)bytes, PARTS, profile, failure);
}

static int count_lines(const char *text)
{
    int count = 0;

    for (; *text != '\0'; text++)
        count += *text == '\n';
    return count;
}

static const struct {
    const char *lines, *reason;
} refused[] = {
    {M328P("0xFF"), "'board: clock' does not say which it has"},
    {M328P("0xFF") "board: {supply: 5 V}\n", "'board: clock' does not say which it has"},
    {M328P("0xFF") "board: {clock: internal 8 MHz}\n", "does not say that it has one"},
    {M328P("leave") CRYSTAL, "fuse low chooses the clock, and is left as found"},
    {M328P("0xE3") CRYSTAL, "the clock is 128 kHz, slower than the 1 MHz of a new board"},
    {"part: ATmega328P\nfuses: {low: 0xFF, high: 0xD9, extended: 0xFD}\nlock: 0xFF\n"
     "board: {clock: crystal 32.768 kHz}\n",
     "slower than the 1 MHz of a new board"},
    /* its low fuse has EESAVE, too */
    {TINY13("0x7A") "retry: {verify: 1}\n", "has EESAVE, too"},
    {TINY13("0x3A") "eeprom: {keep: restore}\n", "has EESAVE, too"},
    {TINY13("0x3A") "eeprom: keep\n", "has EESAVE, too"},
    {"part: ATmega8\nfuses: {low: 0xFF, high: 0xD1}\nlock: 0xFF\neeprom: {keep: restore}\n" CRYSTAL,
     "fuse high chooses the clock and has EESAVE, too"},
    {"part: AT90S8515\n" CRYSTAL, "AT90S8515 has no fuses that choose its clock"},
    {"part: AT90S1200\nfuses: {fuse: leave}\n" CRYSTAL, "is left as found"},
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct profile *profile = NULL;
        struct failure failure = {0};
        char place[160];

        if (load(refused[i].lines, "speed: as-found\n", &profile, &failure) != 0)
            fail_msg("%s: %s", refused[i].lines, failure.detail);
        assert_int_equal(profile->speed, PROFILE_SPEED_AS_FOUND);
        profile_free(profile);
        if (load(refused[i].lines, "speed: clock-first\n", &profile, &failure) == 0)
            fail_msg("taken: %s", refused[i].lines);
        snprintf(place, sizeof place, "%s/profile.yaml:%d:8: ", directory,
                 8 + count_lines(refused[i].lines));
        assert_int_equal(failure.code, FAILURE_PROFILE_INVALID);
        if (strncmp(failure.detail, place, strlen(place)) != 0 ||
            strstr(failure.detail, refused[i].reason) == NULL)
            fail_msg("'%s', expected '%s… %s'", failure.detail, place, refused[i].reason);
    }
}

static const struct {
    const char *lines;
    int64_t clock_hz;
    size_t byte_count; /* written to a new board */
} taken[] = {
    {M328P("0xFF") CRYSTAL, 16 * MHZ, 1},
    {M328P("0x7F") CRYSTAL, 2 * MHZ, 1}, /* divided by 8 */
    {M328P("0xE2"), 8 * MHZ, 1},         /* its own oscillator */
    {M328P("0x62"), MHZ, 0},             /* as new */
    {"part: ATmega328P\nfuses: {low: {write: 0xFF, accept: [0x62], because: x}, high: 0xD9, "
     "extended: 0xFD}\nlock: 0xFF\n" CRYSTAL,
     MHZ, 0},
    {TINY13("0x7A"), 9600000, 1},
    {TINY13("0x7A") "retry: {verify: 0}\n", 9600000, 1},
    {M328P("0xFF") "eeprom: {keep: restore}\n" CRYSTAL, 16 * MHZ, 1},
};

static void test_taken(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++) {
        struct profile *profile = NULL;
        struct failure failure = {0};
        struct profile_clock_first first;

        if (load(taken[i].lines, "speed: clock-first\n", &profile, &failure) != 0)
            fail_msg("%s: %s", taken[i].lines, failure.detail);
        assert_int_equal(profile->speed, PROFILE_SPEED_CLOCK_FIRST);
        assert_true(profile_find_clock_first(profile, &first, NULL));
        if (first.clock.hz != taken[i].clock_hz || first.byte_count != taken[i].byte_count)
            fail_msg("%s: %lld Hz by %zu bytes", taken[i].lines, (long long)first.clock.hz,
                     first.byte_count);
        if (first.byte_count > 0)
            assert_int_equal(first.bytes[0], PART_FUSE_LOW);
        profile_free(profile);
    }
}

/* The byte that holds a door as well must wait for the end. */
static void test_door_in_the_byte(void **state)
{
    struct profile *profile = NULL;
    struct failure failure = {0};
    struct profile_clock_first first;
    char reason[PROFILE_CLOCK_REASON_BYTES];

    (void)state;
    assert_int_equal(load(M328P("0xFF") CRYSTAL, "", &profile, &failure), 0);
    profile->part->rstdisbl = (struct part_bit){PART_FUSE_LOW, 0x40};
    assert_true(profile_find_clock_first(profile, &first, reason));
    profile->rules[0].write = 0xBF;
    assert_false(profile_find_clock_first(profile, &first, reason));
    assert_non_null(strstr(reason, "also turns RSTDISBL on"));
    profile->part->rstdisbl.mask = 0;
    profile->part->dwen = (struct part_bit){PART_FUSE_LOW, 0x40};
    assert_false(profile_find_clock_first(profile, &first, reason));
    assert_non_null(strstr(reason, "also turns DWEN on"));
    profile_free(profile);
}

static void test_default_and_names(void **state)
{
    struct profile *profile = NULL;
    struct failure failure = {0};

    (void)state;
    assert_int_equal(load(M328P("0xFF") CRYSTAL, "", &profile, &failure), 0);
    assert_int_equal(profile->speed, PROFILE_SPEED_AS_FOUND);
    profile_free(profile);
    assert_int_equal(load(M328P("0xFF") CRYSTAL, "speed: clockfirst\n", &profile, &failure), -1);
    assert_non_null(strstr(failure.detail, "did you mean 'clock-first'"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_taken),
        cmocka_unit_test(test_door_in_the_byte),
        cmocka_unit_test(test_default_and_names),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
