/* What clock a part runs on: by hand for parts of every kind, then every value of the clock fuses
 * of every part that is shipped, against the simulated boards' own idea of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "jigs/simbench/avr_clock.h"
#include "profiles/part_clock.h"
#include "tests/shipped_parts.h"

#define MHZ 1000000

static struct part *load(const char *name)
{
    struct failure failure = {0};
    struct part *part = NULL;

    if (part_load(SHIPPED_PARTS_DIRECTORY, name, &part, &failure) != 0)
        fail_msg("%s", failure.detail);
    return part;
}

/* That of parts without clock fuses does not matter. */
static uint8_t *clock_byte(const struct part *part, uint8_t bytes[PART_FUSE_AND_LOCK_COUNT])
{
    return &bytes[part->cksel.mask != 0 ? part->cksel.memory - PART_FIRST_FUSE : 0];
}

static const struct {
    const char *part;
    uint8_t byte; /* that which has the clock fuses */
    int64_t board_hz;
    struct part_clock clock;
} by_hand[] = {
    /* RC oscillators */
    {"ATmega328P", 0x62, 0, {1 * MHZ, true}},
    {"ATmega328P", 0x62, 16 * MHZ, {1 * MHZ, true}},
    {"ATmega328P", 0xE2, 16 * MHZ, {8 * MHZ, true}},
    {"ATmega328P", 0xE3, 16 * MHZ, {128000, true}},
    {"ATmega328P", 0x63, 16 * MHZ, {16000, true}},
    {"ATmega8", 0xE1, 0, {1 * MHZ, true}},
    {"ATmega8", 0xE4, 0, {8 * MHZ, true}},
    {"ATmega2560", 0x62, 0, {1 * MHZ, true}},
    {"ATmega2560", 0xE2, 0, {8 * MHZ, true}},
    {"ATmega32U4", 0x52, 16 * MHZ, {1 * MHZ, true}},
    {"ATtiny13A", 0x6A, 0, {1200000, true}},
    {"ATtiny13A", 0x79, 0, {4800000, true}},
    {"ATtiny12", 0x52, 0, {1 * MHZ, false}},
    {"ATmega163", 0x02, 0, {1 * MHZ, false}},
    {"ATtiny15", 0x5C, 0, {1600000, true}},
    {"ATtiny15", 0x5F, 0, {1600000, true}},
    {"ATtiny841", 0x44, 0, {4000, true}},
    {"ATtiny1634", 0xE4, 0, {32000, true}},
    /* PLLs */
    {"ATtiny85", 0xE1, 0, {16 * MHZ, true}},
    {"ATtiny85", 0xE3, 0, {1600000, true}},
    {"ATmega64M1", 0xE1, 8 * MHZ, {8 * MHZ, false}},
    /* crystals and clocks from outside */
    {"ATmega328P", 0xFF, 16 * MHZ, {16 * MHZ, true}},
    {"ATmega328P", 0x7F, 16 * MHZ, {2 * MHZ, true}},
    {"ATmega32U4", 0x5E, 16 * MHZ, {2 * MHZ, true}},
    {"ATmega328P", 0xE0, 12 * MHZ, {12 * MHZ, true}},
    {"ATmega328P", 0xFF, 0, {8 * MHZ, false}},
    {"ATmega328P", 0x7F, 0, {1 * MHZ, false}},
    {"ATmega328P", 0xFD, 0, {3 * MHZ, false}},
    {"ATmega328P", 0xFB, 0, {900000, false}},
    {"ATmega328P", 0xF9, 0, {400000, false}},
    {"ATmega328P", 0xF7, 0, {400000, false}},
    {"ATmega8", 0xFF, 0, {1 * MHZ, false}},
    {"ATmega328P", 0xE5, 16 * MHZ, {32768, true}},
    {"ATmega8", 0xE8, 0, {8 * MHZ, false}},
    {"ATmega8", 0xE8, 10 * MHZ, {10 * MHZ, false}},
    /* nobody knows */
    {"ATmega328P", 0xE0, 0, {0, false}},
    {"ATmega328P", 0x60, 0, {0, false}},
    {"ATmega328P", 0xC1, 16 * MHZ, {0, false}},
    {"AT90S8515", 0xFF, 0, {0, false}},
    {"ATmega32HVE2", 0xD6, 0, {0, false}},
    /* without clock fuses, or names for them */
    {"AT90S8515", 0xFF, 8 * MHZ, {8 * MHZ, true}},
    {"ATmega16HVA", 0xFF, 8 * MHZ, {1 * MHZ, true}},
    {"ATmega32HVE2", 0xD7, 0, {1 * MHZ, true}},
};

static void test_by_hand(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof by_hand / sizeof by_hand[0]; i++) {
        struct part *part = load(by_hand[i].part);
        uint8_t bytes[PART_FUSE_AND_LOCK_COUNT] = {0xFF, 0xFF, 0xFF, 0xFF};
        struct part_clock clock;

        *clock_byte(part, bytes) = by_hand[i].byte;
        clock = part_clock_by_fuses(part, bytes, by_hand[i].board_hz);
        if (clock.hz != by_hand[i].clock.hz || clock.exact != by_hand[i].clock.exact)
            fail_msg("%s, 0x%02X, board %lld Hz: %lld Hz%s", by_hand[i].part, by_hand[i].byte,
                     (long long)by_hand[i].board_hz, (long long)clock.hz,
                     clock.exact ? ", exact" : "");
        part_free(part);
    }
}

static void test_new_parts(void **state)
{
    static const struct {
        const char *part;
        int64_t board_hz;
        struct part_clock clock;
    } cases[] = {
        {"ATmega328P", 16 * MHZ, {1 * MHZ, true}},
        {"ATmega32U4", 16 * MHZ, {1 * MHZ, true}},
        {"ATmega16HVA", 0, {1 * MHZ, true}},
        {"ATmega16U2", 16 * MHZ, {2 * MHZ, true}}, /* a crystal, divided by 8 */
        {"ATmega16U2", 0, {1 * MHZ, false}},
        {"AT90S8515", 4 * MHZ, {4 * MHZ, true}},
        {"AT90S8515", 0, {0, false}},
        {"AT90S2333", 4 * MHZ, {0, false}}, /* its factory fuses are not known */
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct part *part = load(cases[i].part);
        struct part_clock clock = part_clock_of_new(part, cases[i].board_hz);

        if (clock.hz != cases[i].clock.hz || clock.exact != cases[i].clock.exact)
            fail_msg("%s: %lld Hz", cases[i].part, (long long)clock.hz);
        part_free(part);
    }
}

/* What a part file says of a new part agrees with its factory fuses. */
static void check_factory(const char *name, void *context)
{
    struct part *part = load(name);
    uint8_t bytes[PART_FUSE_AND_LOCK_COUNT] = {0};

    (void)context;
    for (int i = 0; i < PART_FUSE_AND_LOCK_COUNT; i++)
        bytes[i] = (uint8_t)part->bytes[i].factory_default;
    if (part->factory_clock_hz != 0) {
        struct part_clock clock = part_clock_by_fuses(part, bytes, 0);

        /* 1.2 MHz, of which the fuses tell 1 MHz or so */
        if (clock.exact ? clock.hz != part->factory_clock_hz : clock.hz > part->factory_clock_hz)
            fail_msg("%s: %lld Hz", name, (long long)clock.hz);
        assert_int_not_equal(clock.hz, 0);
    }
    part_free(part);
}

static void test_factory_agrees(void **state)
{
    (void)state;
    check_shipped_parts(check_factory, NULL);
}

/* Where the models believe in a faster clock: they take these names for what they say. */
static bool is_known_difference(const struct part *part, const char *name)
{
    static const char *const differences[] = {
        "INTRCOSC_6MHZ4",   /* is divided by four */
        "PLLCLK_DIV4",      /* may be programmed to less */
        "PLLCLK_PLLIN_EXT", /* depends on what it is fed with */
        "EXTLOFXTAL_",      /* no crystal but a watch's runs on this */
        "TOSC",             /* 16 MHz, where the model has that crystal */
        "TRXOSC",
    };

    /* their RC oscillator is that of newer parts */
    if (part->ckdiv8.mask == 0 && strncmp(name, "INTRCOSC", 8) == 0)
        return true;
    for (size_t i = 0; i < sizeof differences / sizeof differences[0]; i++)
        if (strncmp(name, differences[i], strlen(differences[i])) == 0)
            return true;
    return false;
}

/* One value of the clock field: never faster than the board really is, and no slower without a
 * reason. */
static void check_value(const struct part *part, const char *name,
                        const uint8_t bytes[PART_FUSE_AND_LOCK_COUNT])
{
    static const int64_t boards_hz[] = {0, 32768, 1 * MHZ, 8 * MHZ, 16 * MHZ, 20 * MHZ};

    for (size_t i = 0; i < sizeof boards_hz / sizeof boards_hz[0]; i++) {
        struct part_clock clock = part_clock_by_fuses(part, bytes, boards_hz[i]);
        int64_t real_hz = avr_clock_hz(part, bytes, boards_hz[i]);

        if (boards_hz[i] != 0 && clock.hz == 0)
            fail_msg("%s: what is %s?", part->name, name);
        if (real_hz == 0)
            continue;
        if (clock.hz > real_hz || (clock.hz < real_hz && !is_known_difference(part, name)))
            fail_msg("%s, %s, board %lld Hz: %lld Hz, the model runs at %lld Hz", part->name, name,
                     (long long)boards_hz[i], (long long)clock.hz, (long long)real_hz);
    }
}

static void check_against_model(const char *name, void *context)
{
    struct part *part = load(name);
    int *values = context;
    const struct part_byte *byte =
        part->cksel.mask != 0 ? part_byte(part, part->cksel.memory) : NULL;

    for (size_t i = 0; byte != NULL && i < byte->field_count; i++) {
        const struct part_field *field = &byte->fields[i];
        uint8_t bytes[PART_FUSE_AND_LOCK_COUNT] = {0xFF, 0xFF, 0xFF, 0xFF};

        if ((field->mask & part->cksel.mask) == 0)
            continue;
        for (size_t value = 0; value < field->value_count; value++) {
            uint8_t *low = clock_byte(part, bytes);
            uint8_t lowest = field->mask & (uint8_t)-field->mask;

            *low = (uint8_t)(~field->mask | field->values[value].code * lowest);
            check_value(part, field->values[value].name, bytes);
            ++*values;
            if (part->ckdiv8.mask == 0)
                continue;
            bytes[part->ckdiv8.memory - PART_FIRST_FUSE] &= (uint8_t)~part->ckdiv8.mask;
            check_value(part, field->values[value].name, bytes);
            bytes[part->ckdiv8.memory - PART_FIRST_FUSE] = 0xFF;
        }
    }
    part_free(part);
}

static void test_every_value_of_every_part(void **state)
{
    int values = 0;

    (void)state;
    check_shipped_parts(check_against_model, &values);
    assert_true(values > 5000);
}

static void test_which_bits(void **state)
{
    struct part *part = load("ATmega328P");
    struct part *old = load("AT90S8515");
    uint8_t mask = 0;

    (void)state;
    assert_true(part_clock_depends_on(part, PART_FUSE_LOW, &mask));
    assert_int_equal(mask, 0xBF);
    assert_false(part_clock_depends_on(part, PART_FUSE_HIGH, &mask));
    assert_int_equal(mask, 0);
    assert_false(part_clock_depends_on(old, PART_FUSE_LOW, NULL));
    part_free(part);
    part_free(old);
}

static void test_other_bits(void **state)
{
    struct part *swings = load("ATmega8");
    struct part *slow = load("ATtiny841");
    uint8_t mask = 0;

    (void)state;
    assert_true(part_clock_depends_on(swings, PART_FUSE_HIGH, &mask));
    assert_int_equal(mask, 0x10); /* CKOPT */
    assert_true(part_clock_depends_on(slow, PART_FUSE_EXTENDED, &mask));
    assert_int_equal(mask, 0xE0); /* ULPOSCSEL */
    part_free(swings);
    part_free(slow);
}

static const struct {
    const char *part;
    uint8_t low, high; /* or the only one */
    struct part_oscillator oscillator;
} oscillators[] = {
    {"ATmega328P", 0x62, 0xD9, {PART_OSCILLATOR_INTERNAL, 0, 0}},
    {"ATmega328P", 0xE0, 0xD9, {PART_OSCILLATOR_SIGNAL, 0, 0}},
    {"ATmega328P", 0xFF, 0xD9, {PART_OSCILLATOR_CRYSTAL, 8 * MHZ, 16 * MHZ}},
    {"ATmega1284P", 0xFF, 0xD9, {PART_OSCILLATOR_CRYSTAL, 8 * MHZ, 16 * MHZ}},
    {"ATmega1284P", 0xF7, 0xD9, {PART_OSCILLATOR_CRYSTAL, 400000, 20 * MHZ}},
    {"ATmega2560", 0xFF, 0xD9, {PART_OSCILLATOR_CRYSTAL, 8 * MHZ, 16 * MHZ}},
    {"ATmega2560", 0xF7, 0xD9, {PART_OSCILLATOR_CRYSTAL, 400000, 16 * MHZ}},
    {"ATmega64M1", 0xE4, 0xD9, {PART_OSCILLATOR_CRYSTAL, 0, 16 * MHZ}}, /* beside a PLL */
    {"ATtiny85", 0xFF, 0xDF, {PART_OSCILLATOR_CRYSTAL, 8 * MHZ, 0}},
    {"ATmega328P", 0xFD, 0xD9, {PART_OSCILLATOR_CRYSTAL, 3 * MHZ, 8 * MHZ}},
    {"ATmega328P", 0xF9, 0xD9, {PART_OSCILLATOR_CRYSTAL, 400000, 900000}},
    {"ATmega328P", 0xF7, 0xD9, {PART_OSCILLATOR_CRYSTAL, 400000, 20 * MHZ}},
    {"ATmega328P", 0xE5, 0xD9, {PART_OSCILLATOR_WATCH_CRYSTAL, 0, 0}},
    {"ATmega328P", 0xC1, 0xD9, {PART_OSCILLATOR_UNKNOWN, 0, 0}},
    {"ATmega8", 0xFF, 0xD9, {PART_OSCILLATOR_CRYSTAL, 3 * MHZ, 8 * MHZ}},
    {"ATmega8", 0xFF, 0xC9, {PART_OSCILLATOR_CRYSTAL, 1 * MHZ, 16 * MHZ}}, /* CKOPT on */
    {"ATmega8", 0xFA, 0xD9, {PART_OSCILLATOR_CRYSTAL, 400000, 900000}},
    {"ATmega8", 0xFA, 0xC9, {PART_OSCILLATOR_CRYSTAL, 1 * MHZ, 16 * MHZ}},
    {"ATmega8", 0xE1, 0xC9, {PART_OSCILLATOR_INTERNAL, 0, 0}},
    {"ATmega8", 0xE5, 0xD9, {PART_OSCILLATOR_RC_NETWORK, 0, 900000}},
    /* CKOPT stands beside CKSEL */
    {"ATtiny26", 0xBF, 0xF7, {PART_OSCILLATOR_CRYSTAL, 1 * MHZ, 16 * MHZ}},
    {"ATtiny26", 0xFF, 0xF7, {PART_OSCILLATOR_CRYSTAL, 3 * MHZ, 8 * MHZ}},
    /* behind a PLL */
    {"ATmega64M1", 0xE1, 0xD9, {PART_OSCILLATOR_SIGNAL, 0, 0}},
    {"ATtiny841", 0x44, 0xDF, {PART_OSCILLATOR_INTERNAL, 0, 0}},
    {"ATmega16HVA", 0x00, 0x00, {PART_OSCILLATOR_INTERNAL, 0, 0}},
    {"ATmega16HVB", 0xDD, 0xE9, {PART_OSCILLATOR_INTERNAL, 0, 0}},
    {"AT90S8515", 0xFF, 0x00, {PART_OSCILLATOR_EITHER, 0, 0}},
    {"AT90S2343", 0xFF, 0x00, {PART_OSCILLATOR_EITHER, 0, 0}},
    {"AT90S2343", 0xFE, 0x00, {PART_OSCILLATOR_INTERNAL, 0, 0}},
};

static void test_oscillators(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof oscillators / sizeof oscillators[0]; i++) {
        struct part *part = load(oscillators[i].part);
        const uint8_t bytes[PART_FUSE_AND_LOCK_COUNT] = {oscillators[i].low, oscillators[i].high,
                                                         0xFF, 0xFF};
        struct part_oscillator found = part_clock_oscillator(part, bytes);

        if (found.kind != oscillators[i].oscillator.kind ||
            found.lowest_hz != oscillators[i].oscillator.lowest_hz ||
            found.highest_hz != oscillators[i].oscillator.highest_hz)
            fail_msg("row %zu, %s: kind %d, from %ld to %ld Hz", i, oscillators[i].part,
                     (int)found.kind, (long)found.lowest_hz, (long)found.highest_hz);
        part_free(part);
    }
}

/* A clock without which the part is not known to run is never taken for its own. */
static void check_oscillators_of(const char *name, void *context)
{
    struct part *part = load(name);
    uint8_t bytes[PART_FUSE_AND_LOCK_COUNT] = {0};

    for (int value = 0; value < 256; value++) {
        struct part_oscillator oscillator;

        *clock_byte(part, bytes) = (uint8_t)value;
        oscillator = part_clock_oscillator(part, bytes);
        if (oscillator.kind == PART_OSCILLATOR_INTERNAL && avr_clock_hz(part, bytes, 0) == 0)
            fail_msg("%s 0x%02X: internal, but the model does not run", part->name, value);
        ++*(int *)context;
    }
    part_free(part);
}

static void test_internal_everywhere(void **state)
{
    int values = 0;

    (void)state;
    check_shipped_parts(check_oscillators_of, &values);
    assert_true(values > 40000);
}

static void test_slower(void **state)
{
    struct part_clock exact = {8 * MHZ, true}, range = {8 * MHZ, false}, unknown = {0, false};

    (void)state;
    assert_true(part_clock_slower(exact, range).exact);
    assert_true(part_clock_slower(range, exact).exact);
    assert_int_equal(part_clock_slower(exact, unknown).hz, 0);
    assert_int_equal(part_clock_slower(unknown, exact).hz, 0);
}

static void test_sck(void **state)
{
    struct part part = {.sck_divider = 4, .sck_divider_from_12mhz = 6};

    (void)state;
    assert_true(part_clock_takes_sck(&part, 1 * MHZ, 249999));
    assert_false(part_clock_takes_sck(&part, 1 * MHZ, 250000));
    assert_true(part_clock_takes_sck(&part, 12 * MHZ, 1999999));
    assert_false(part_clock_takes_sck(&part, 12 * MHZ, 2 * MHZ));
    assert_int_equal(part_clock_safe_sck_hz(&part, 1 * MHZ), 166666);
    assert_int_equal(part_clock_safe_sck_hz(&part, 12 * MHZ), 1999999); /* below a sixth */
    assert_int_equal(part_clock_safe_sck_hz(&part, 16 * MHZ), 2666666);
    assert_int_equal(part_clock_safe_sck_hz(&part, 0), 0);
    assert_int_equal(part_clock_sck_limit_hz(&part, 1 * MHZ), 250000);
    assert_int_equal(part_clock_for_slow_sck_hz(&part, 500), 3001);
    part.sck_divider = 10; /* a part that takes less than all others */
    assert_int_equal(part_clock_safe_sck_hz(&part, 1 * MHZ), 99999);
    assert_int_equal(part_clock_for_slow_sck_hz(&part, 500), 5001);
    assert_int_equal(part_clock_safe_sck_hz(&part, 5001), 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_hand),        cmocka_unit_test(test_new_parts),
        cmocka_unit_test(test_factory_agrees), cmocka_unit_test(test_every_value_of_every_part),
        cmocka_unit_test(test_which_bits),     cmocka_unit_test(test_other_bits),
        cmocka_unit_test(test_oscillators),    cmocka_unit_test(test_internal_everywhere),
        cmocka_unit_test(test_slower),         cmocka_unit_test(test_sck),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
