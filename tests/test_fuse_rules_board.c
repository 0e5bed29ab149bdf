/* The rules about the board: its clock, its supply, its pins; each on several parts, for written
 * and for accepted values, and where nothing is known. */
#include "tests/rules_fixture.h"

struct look {
    const char *part, *board; /* NULL: the profile has no `board` */
    const char *fuses;        /* all of the part's; the lock byte is left */
    const char *words;        /* of the finding; NULL: there must be none */
};

static void look_at(struct rules_bench *bench, const struct look *look, const char *more)
{
    char text[1024];

    rules_write_hex(bench, "app.hex", 0, 64, 0x12);
    snprintf(text, sizeof(text),
             "format: 1\nprofile: p\narticle: a\nrevision: b\nvia: isp\npart: %s\n"
             "images:\n  - file: app.hex\neeprom: erase\n%s%s%s\nfuses: %s\nlock: leave\n%s",
             look->part, look->board ? "board: {" : "", look->board ? look->board : "",
             look->board ? "}" : "", look->fuses, more);
    rules_look(bench, text, 0);
}

static void check(struct rules_bench *bench, const struct look *look, const char *rule)
{
    const struct fuse_finding *finding = rules_found(bench, rule);

    if (!look->words && finding)
        fail_msg("%s, %s, %s: %s finds '%s'", look->part, look->board, look->fuses, rule,
                 finding->detail);
    if (look->words && !finding)
        fail_msg("%s, %s, %s: %s finds nothing", look->part, look->board, look->fuses, rule);
    if (look->words && finding && !strstr(finding->detail, look->words))
        fail_msg("%s: '%s' lacks '%s'", look->part, finding->detail, look->words);
}

static void check_all(struct rules_bench *bench, const char *rule, const struct look *looks,
                      size_t count)
{
    bool refuses = fuse_rules_find(rule)->severity == FUSE_RULE_REFUSES;

    for (size_t i = 0; i < count; i++) {
        struct failure failure = {0};

        look_at(bench, &looks[i], "");
        check(bench, &looks[i], rule);
        if (!looks[i].words || !refuses)
            continue;
        assert_int_equal(fuse_rules_judge(bench->profile, 0, &failure), -1);
        assert_int_equal(failure.code, FAILURE_RULE_REFUSED);
    }
}

#define CHECK_ALL(rule, looks) check_all(*state, rule, looks, sizeof(looks) / sizeof((looks)[0]))

/* ---- the clock ---- */

#define ATMEGA328P(low) "{low: " low ", high: 0xD9, extended: leave}"
#define ATMEGA32A(low, high) "{low: " low ", high: " high "}"
#define ATTINY85(low) "{low: " low ", high: 0xDF, extended: 0xFF}"

/* Values of which nobody says what clock they give. */
static void test_clock_unknown(void **state)
{
    static const struct look looks[] = {
        {"ATmega328P", NULL, ATMEGA328P("0xE1"),
         "nobody says what clock it gives: gangflash fuses ATmega328P SUT_CKSEL"},
        {"ATmega64HVE2", NULL, "{low: 0xD7, high: 0xF9}", NULL},
        {"ATmega64HVE2", NULL, "{low: 0xD6, high: 0xF9}", "OSCSEL0 is a value that the datasheet"},
        {"ATtiny841", "clock: internal 512 kHz", "{low: 0xE4, high: 0xDF, extended: 0x7F}", NULL},
        {"ATtiny841", "clock: internal 512 kHz", "{low: 0xE4, high: 0xDF, extended: 0x1F}",
         "but ULPOSCSEL is a value that the datasheet does not have"},
        {"ATtiny841", NULL, "{low: 0xE4, high: 0xDF, extended: 0x3F}", "correct ULPOSCSEL"},
        {"ATtiny841", NULL, "{low: 0xE2, high: 0xDF, extended: 0x1F}", NULL}, /* not chosen */
    };

    CHECK_ALL("clock-source", looks);
}

static void test_clock_source(void **state)
{
    static const struct look looks[] = {
        /* crystal and resonator have the same settings */
        {"ATmega328P", "clock: crystal 16 MHz", ATMEGA328P("0xFF"), NULL},
        {"ATmega328P", "clock: resonator 16 MHz", ATMEGA328P("0xFF"), NULL},
        {"ATmega328P", "clock: crystal 16 MHz", ATMEGA328P("0xF7"), NULL}, /* full swing */
        {"ATmega328P", NULL, ATMEGA328P("0xFF"), "does not say what clock the board has"},
        {"ATmega328P", "supply: 5 V", ATMEGA328P("0xF7"), "does not say what clock"},
        {"ATmega328P", "clock: internal 8 MHz", ATMEGA328P("0xFF"),
         "SUT_CKSEL is crystal or resonator 8 MHz or more, but the board's clock is said to be "
         "internal 8 MHz"},
        {"ATmega328P", "clock: external 16 MHz", ATMEGA328P("0xFF"), "external 16 MHz"},
        /* a signal */
        {"ATmega328P", "clock: external 16 MHz", ATMEGA328P("0xE0"), NULL},
        {"ATmega328P", "clock: crystal 16 MHz", ATMEGA328P("0xE0"),
         "clock signal from outside, but the board's clock is said to be crystal 16 MHz"},
        {"ATmega328P", NULL, ATMEGA328P("0xE0"), "does not say what clock"},
        /* its own oscillator */
        {"ATmega328P", NULL, ATMEGA328P("0x62"), NULL},
        {"ATmega328P", "clock: internal 8 MHz", ATMEGA328P("0xE2"), NULL},
        {"ATmega328P", "clock: crystal 16 MHz", ATMEGA328P("0x62"),
         "internal RC oscillator 8 MHz, but the board's clock is said to be crystal 16 MHz; "
         "correct "
         "board: clock or the fuse, or say why in accept_risk"},
        {"ATmega328P", "clock: crystal 16 MHz", ATMEGA328P("0xE3"), "crystal 16 MHz"},
        /* the watch crystal */
        {"ATmega328P", "clock: crystal 32.768 kHz", ATMEGA328P("0xE5"), NULL},
        {"ATmega328P", "clock: crystal 16 MHz", ATMEGA328P("0xE5"), "watch crystal"},
        {"ATmega328P", "clock: resonator 32.768 kHz", ATMEGA328P("0xE5"), "watch crystal"},
        /* what the datasheet does not have, and what is left */
        {"ATmega328P", "clock: crystal 16 MHz", ATMEGA328P("0xE1"), "the datasheet does not have"},
        {"ATmega328P", NULL, ATMEGA328P("leave"), NULL},
        {"ATmega328P", "clock: internal 8 MHz", ATMEGA328P("leave"), NULL},
        /* PLLs: of the ATtiny's own oscillator, and fed from outside */
        {"ATtiny85", NULL, ATTINY85("0xE1"), NULL},
        {"ATtiny85", "clock: internal 16 MHz", ATTINY85("0xF1"), NULL},
        {"ATtiny85", "clock: crystal 16 MHz", ATTINY85("0xE1"), "PLL"},
        {"AT90PWM3B", "clock: crystal 8 MHz", "{low: 0x24, high: 0xDF, extended: 0xFF}", NULL},
        {"AT90PWM3B", "clock: external 8 MHz", "{low: 0x24, high: 0xDF, extended: 0xFF}", "fed by"},
        {"AT90PWM3B", "clock: external 8 MHz", "{low: 0x21, high: 0xDF, extended: 0xFF}", NULL},
        {"AT90PWM3B", "clock: crystal 8 MHz", "{low: 0x21, high: 0xDF, extended: 0xFF}", "fed by"},
        {"ATmega32A", "clock: rc-network 8 MHz", ATMEGA32A("0xE7", "0xD9"), NULL},
        {"ATmega32A", "clock: rc-network 8 MHz", ATMEGA32A("0xFF", "0xD9"), "crystal or resonator"},
        {"ATmega32A", "clock: rc-network 8 MHz", ATMEGA32A("0xE4", "0xD9"), "internal RC"},
        {"ATmega32A", "clock: crystal 8 MHz", ATMEGA32A("0xE7", "0xD9"), "resistor and capacitor"},
        {"ATmega328P", "clock: rc-network 8 MHz", ATMEGA328P("0xFF"), "crystal or resonator"},
        {"ATmega32A", "clock: external 8 MHz", ATMEGA32A("0xE7", "0xD9"), "resistor and capacitor"},
        /* parts whose fuses choose nothing */
        {"AT90S8515", NULL, "{fuse: leave}", NULL},
        {"AT90S8515", "clock: crystal 8 MHz", "{fuse: leave}", NULL},
        {"AT90S8515", "clock: external 8 MHz", "{fuse: leave}", NULL},
        {"AT90S8515", "clock: internal 1 MHz", "{fuse: leave}", "has no oscillator of its own"},
        {"ATmega16HVA", NULL, "{fuse: 0xDF}", NULL},
        {"ATmega16HVA", "clock: crystal 8 MHz", "{fuse: 0xDF}", "its own oscillator only"},
        {"ATmega16HVB", NULL, "{low: 0xDD, high: 0xE9}", NULL},
        {"ATmega16HVB", NULL, "{low: 0xDC, high: 0xE9}", "the datasheet does not have"},
        {"ATmega8U2", "clock: crystal 16 MHz", "{low: 0xFF, high: 0xD9, extended: 0xF4}", NULL},
        {"ATmega8U2", "clock: internal 8 MHz", "{low: 0xFF, high: 0xD9, extended: 0xF4}",
         "crystal or resonator"},
        {"ATmega161", "clock: external 4 MHz", "{fuse: 0xDD}", NULL},
    };

    CHECK_ALL("clock-source", looks);
}

static void test_clock_frequency(void **state)
{
    static const struct look looks[] = {
        {"ATmega328P", "clock: crystal 16 MHz", ATMEGA328P("0xFF"), NULL},
        {"ATmega328P", "clock: crystal 8 MHz", ATMEGA328P("0xFF"), NULL},
        {"ATmega328P", "clock: crystal 4 MHz", ATMEGA328P("0xFF"),
         "for 8 to 16 MHz, but the board's clock is said to be crystal 4 MHz; correct board: "
         "clock or the fuse, or say why in accept_risk"},
        {"ATmega328P", "clock: crystal 20 MHz", ATMEGA328P("0xFF"),
         "SUT_CKSEL is crystal or resonator 8 MHz or more, by the datasheet for 8 to 16 MHz"},
        {"ATmega328P", "clock: crystal 20 MHz", ATMEGA328P("0xF7"), NULL},
        {"ATmega328P", "clock: external 20 MHz", ATMEGA328P("0xE0"), NULL},
        {"ATtiny85", "clock: crystal 20 MHz", ATTINY85("0xFF"), NULL},
        {"ATtiny85", "clock: crystal 4 MHz", ATTINY85("0xFF"), "for 8 MHz or more"},
        {"ATmega328P", "clock: resonator 4 MHz", ATMEGA328P("0xFF"), "resonator 4 MHz"},
        {"ATmega328P", "clock: crystal 16 MHz", ATMEGA328P("0xFD"), "for 3 to 8 MHz"},
        {"ATmega328P", "clock: crystal 3 MHz", ATMEGA328P("0xFD"), NULL},
        {"ATmega328P", "clock: crystal 8 MHz", ATMEGA328P("0xFD"), NULL},
        {"ATmega328P", "clock: crystal 4 MHz", ATMEGA328P("0x7D"), NULL}, /* CKDIV8 is behind it */
        {"ATmega328P", "clock: crystal 16 MHz", ATMEGA328P("0xF7"), NULL},
        {"ATmega328P", "clock: crystal 32.768 kHz", ATMEGA328P("0xF7"), "for 0.4 to 20 MHz"},
        {"ATmega328P", "clock: crystal 32.768 kHz", ATMEGA328P("0xE5"), NULL},
        {"ATmega328P", "clock: external 1 MHz", ATMEGA328P("0xE0"), NULL},
        /* one finding for one mistake */
        {"ATmega328P", "clock: internal 4 MHz", ATMEGA328P("0xFF"), NULL},
        {"ATmega328P", NULL, ATMEGA328P("0xFF"), NULL},
        /* its own oscillator: what it makes, or what the part runs at */
        {"ATmega328P", "clock: internal 8 MHz", ATMEGA328P("0xE2"), NULL},
        {"ATmega328P", "clock: internal 8 MHz", ATMEGA328P("0x62"), NULL},
        {"ATmega328P", "clock: internal 1 MHz", ATMEGA328P("0x62"), NULL},
        {"ATmega328P", "clock: internal 1 MHz", ATMEGA328P("0xE2"),
         "the internal oscillator makes 8 MHz, but the board's clock is said to be internal 1 MHz"},
        {"ATmega328P", "clock: internal 2 MHz", ATMEGA328P("0x62"), "which CKDIV8 divides by 8"},
        {"ATmega328P", "clock: internal 8 MHz", ATMEGA328P("0xE3"), "makes 0.128 MHz"},
        {"ATmega328P", "clock: internal 1 MHz", ATMEGA328P("leave"), NULL},
        {"ATmega8", "clock: internal 8 MHz", ATMEGA32A("0xE4", "0xD9"), NULL},
        {"ATmega8", "clock: internal 8 MHz", ATMEGA32A("0xE1", "0xD9"), "makes 1 MHz"},
        {"ATtiny85", "clock: internal 16 MHz", ATTINY85("0xE1"), NULL},
        {"ATtiny85", "clock: internal 8 MHz", ATTINY85("0xE1"), "makes 16 MHz"},
        {"ATtiny85", "clock: internal 16.5 MHz", ATTINY85("0xE1"), NULL}, /* tuned for USB */
        {"ATtiny85", "clock: internal 16.5 MHz", ATTINY85("0xE2"), "makes 8 MHz"},
        {"ATtiny85", "clock: internal 1 MHz", ATTINY85("0x62"), NULL},
        {"ATmega16HVA", "clock: internal 8 MHz", "{fuse: 0xDF}", "makes 1 MHz"},
        {"ATtiny1634", "clock: internal 8 MHz", "{low: 0xE4, high: 0xDF, extended: 0xFF}",
         "makes 0.032 MHz"},
        {"ATtiny441", "clock: internal 64 kHz", "{low: 0xE4, high: 0xDF, extended: 0xDF}", NULL},
        {"ATtiny441", "clock: internal 8 MHz", "{low: 0xE4, high: 0xDF, extended: 0xDF}",
         "makes 0.064 MHz"},
        {"ATtiny441", "clock: internal 8 MHz", "{low: 0xE4, high: 0xDF, extended: leave}", NULL},
        /* CKOPT: another range; left, it may be either */
        {"ATmega32A", "clock: crystal 16 MHz", ATMEGA32A("0x3F", "0xC9"), NULL},
        {"ATmega32A", "clock: crystal 8 MHz", ATMEGA32A("0x3F", "0xD9"), NULL},
        {"ATmega32A", "clock: crystal 12 MHz", ATMEGA32A("0x3F", "0xD9"),
         "with CKOPT off, by the datasheet for 3 to 8 MHz"},
        {"ATmega32A", "clock: crystal 16 MHz", ATMEGA32A("0x3F", "leave"), NULL},
        {"ATmega32A", "clock: rc-network 8 MHz", ATMEGA32A("0xE6", "0xD9"), "for 0.9 to 3 MHz"},
        {"ATmega32A", "clock: rc-network 2 MHz", ATMEGA32A("0xE6", "0xD9"), NULL},
        {"ATtiny441", "clock: internal 32 kHz", "{low: 0xE4, high: 0xDF, extended: 0xFF}", NULL},
        {"ATmega32A", "clock: crystal 455 kHz", ATMEGA32A("0x3F", "leave"), "for "},
        {"ATmega8", "clock: crystal 2 MHz", ATMEGA32A("0xFD", "0xD9"), NULL},
        {"ATmega8", "clock: crystal 4 MHz", ATMEGA32A("0xFD", "0xD9"), "for 0.9 to 3 MHz"},
        /* the transceiver's */
        {"ATmega128RFA1", "clock: crystal 16 MHz", "{low: 0xF6, high: 0xD9, extended: 0xFE}", NULL},
        {"ATmega128RFA1", "clock: crystal 8 MHz", "{low: 0xF6, high: 0xD9, extended: 0xFE}",
         "for 16 MHz"},
    };

    CHECK_ALL("clock-frequency", looks);
}

#define ACCEPTS(written, accepted)                                                                 \
    "{low: {write: " written ", accept: [" accepted "], because: x}, high: leave, extended: "      \
    "leave}"

static void test_clock_divided(void **state)
{
    static const struct look looks[] = {
        {"ATmega328P", "clock: internal 8 MHz", ATMEGA328P("0x62"),
         "CKDIV8 is on: of internal 8 MHz the part gets 1 MHz until"},
        {"ATmega328P", "clock: internal 1 MHz", ATMEGA328P("0x62"), NULL},
        {"ATmega328P", "clock: internal 8 MHz", ATMEGA328P("0xE2"), NULL},
        {"ATmega328P", NULL, ATMEGA328P("0x62"), NULL},
        {"ATmega328P", "clock: crystal 16 MHz", ATMEGA328P("0x7F"), "the part gets 2 MHz"},
        {"ATmega328P", "clock: crystal 16 MHz", ATMEGA328P("0xFF"), NULL},
        {"ATmega328P", "clock: external 8 MHz", ATMEGA328P("0x60"), "the part gets 1 MHz"},
        {"ATmega328P", "clock: crystal 16 MHz", ATMEGA328P("0x62"), NULL}, /* refused */
        {"ATmega328P", "clock: crystal 16 MHz", ATMEGA328P("leave"), NULL},
        {"ATmega328P", "clock: crystal 16 MHz", ACCEPTS("0xFF", "0x7F"), "2 MHz"},
        {"ATmega32A", "clock: crystal 16 MHz", ATMEGA32A("0x3F", "0xC9"), NULL},
    };

    CHECK_ALL("clock-divided", looks);
}

static void test_clock_slow(void **state)
{
    static const struct look looks[] = {
        {"ATmega328P", NULL, ATMEGA328P("0xE3"), "makes 128 kHz, and the profile does not say"},
        {"ATmega328P", NULL, ATMEGA328P("0xE2"), NULL},
        {"ATmega328P", NULL, ATMEGA328P("0x62"), NULL},
        {"ATmega328P", NULL, ATMEGA328P("leave"), NULL},
        {"ATmega328P", "clock: internal 128 kHz", ATMEGA328P("0xE3"), NULL},
        {"ATmega328P", "clock: internal 8 MHz", ATMEGA328P("0xE3"), NULL}, /* refused */
        {"ATmega8", NULL, ATMEGA32A("0xE1", "0xD9"), NULL},                /* 1 MHz */
        {"ATtiny1634", NULL, "{low: 0xE4, high: 0xDF, extended: 0xFF}", "makes 32 kHz"},
        {"ATmega16HVA", NULL, "{fuse: 0xDF}", NULL},
    };

    CHECK_ALL("clock-slow", looks);
}

static void test_clock_differs(void **state)
{
    static const struct look looks[] = {
        {"ATmega328P", "clock: internal 8 MHz", ACCEPTS("0xE2", "0x62"),
         "with it a board starts at 1 MHz, with what is written at 8 MHz, and both pass"},
        {"ATmega328P", NULL, ACCEPTS("0x62", "0xE2"), "starts at 8 MHz"},
        {"ATmega328P", "clock: crystal 16 MHz", ACCEPTS("0xFF", "0x7F"), "starts at 2 MHz"},
        {"ATmega328P", "clock: crystal 16 MHz", ACCEPTS("0xFF", "0xF7"), NULL},
        {"ATmega328P", "clock: internal 8 MHz", ACCEPTS("0xE2", "0xC2"), NULL}, /* SUT */
        {"ATmega328P", "clock: internal 8 MHz", ATMEGA328P("0xE2"), NULL},
        {"ATmega328P", NULL, ATMEGA328P("leave"), NULL},
        {"ATmega8", "clock: internal 8 MHz",
         "{low: {write: 0xE4, accept: [0xE3], because: x}, high: 0xD9}", "starts at 4 MHz"},
    };

    CHECK_ALL("clock-differs", looks);
}

/* ---- the supply ---- */

static void test_brown_out(void **state)
{
    static const struct look looks[] = {
        {"ATmega328P", "supply: 3.3 V", "{low: leave, high: 0xD9, extended: 0xFC}",
         "BODLEVEL is typically 4.3 V and may be 4.5 V, but the supply is 3.3 V: give BODLEVEL 2.7 "
         "V "
         "or lower, or BODLEVEL off, or correct the supply"},
        {"ATmega328P", "supply: 5 V", "{low: leave, high: 0xD9, extended: 0xFC}", NULL},
        {"ATmega328P", "supply: 3.3 V", "{low: leave, high: 0xD9, extended: 0xFD}", NULL},
        {"ATmega328P", "supply: 3.3 V", "{low: leave, high: 0xD9, extended: 0xFF}", NULL},
        {"ATmega328P", "supply: 3.3 V", "{low: leave, high: 0xD9, extended: 0xF8}",
         "the datasheet does not have, so it may be a level above any supply: give BODLEVEL 2.7 V "
         "or lower, or BODLEVEL off"},
        {"ATmega328P", "supply: 5 V", "{low: leave, high: 0xD9, extended: 0xF8}", "any supply"},
        {"ATmega328P", NULL, "{low: leave, high: 0xD9, extended: 0xF8}",
         "any supply: give another BODLEVEL, or BODLEVEL off"},
        {"ATmega328P", NULL, "{low: leave, high: 0xD9, extended: 0xFC}", NULL},
        {"ATmega328P", "supply: 3.3 V", "{low: leave, high: 0xD9, extended: leave}", NULL},
        {"ATmega32U4", "supply: 3.3 V", "{low: leave, high: 0xD9, extended: 0xFA}", "3.4 V"},
        {"ATmega32U4", "supply: 3.3 V", "{low: leave, high: 0xD9, extended: 0xFB}", NULL},
        {"ATmega16U2", "supply: 3.3 V", "{low: leave, high: 0xD9, extended: 0xF4}", NULL}, /* 3.0 */
        {"ATmega16U2", "supply: 3.3 V", "{low: leave, high: 0xD9, extended: 0xF3}", "3.5 V"},
        {"AT90PWM3B", "supply: 5 V", "{low: leave, high: 0xDE, extended: leave}", NULL}, /* 4.5 */
        {"AT90PWM3B", "supply: 3.3 V", "{low: leave, high: 0xDE, extended: leave}", "4.5 V"},
        /* BODEN, and a wider spread */
        {"ATmega32A", "supply: 3.3 V", ATMEGA32A("0x21", "leave"),
         "may be 4.5 V, but the supply is 3.3 V: give BODLEVEL 2.7 V or lower, or BODEN off, or"},
        {"ATmega32A", "supply: 3.3 V", ATMEGA32A("0x61", "leave"), NULL}, /* BODEN off */
        {"ATmega32A", "supply: 3.3 V", ATMEGA32A("0xA1", "leave"), NULL}, /* 2.7 V */
        {"ATmega32A", "supply: 5 V", ATMEGA32A("0x21", "leave"), NULL},
        {"AT90S4433", "supply: 3.3 V", "{fuse: leave}", NULL},
        /* a mode of its own, off in both of them */
        {"ATtiny841", "supply: 3.3 V", "{low: leave, high: 0xDC, extended: 0xFF}", NULL},
        {"ATtiny841", "supply: 3.3 V", "{low: leave, high: 0xDC, extended: 0xFD}",
         "give BODLEVEL 2.7 V or lower, or BODACT and BODPD BOD_DISABLED, or correct"},
        {"ATtiny841", "supply: 3.3 V", "{low: leave, high: 0xDC, extended: 0xF7}", "4.3 V"},
        {"ATtiny841", "supply: 3.3 V", "{low: leave, high: 0xDC, extended: leave}", "4.3 V"},
        {"ATtiny841", "supply: 3.3 V", "{low: leave, high: 0xDF, extended: leave}", NULL},
        {"ATtiny841", NULL, "{low: leave, high: 0xDF, extended: 0xFD}", "any supply"},
        {"ATtiny841", NULL, "{low: leave, high: 0xDF, extended: 0xFF}", NULL},
    };

    CHECK_ALL("brown-out", looks);
}

static void test_supply_not_said(void **state)
{
    static const struct look looks[] = {
        {"ATmega328P", NULL, "{low: leave, high: 0xD9, extended: 0xFC}",
         "BODLEVEL is typically 4.3 V and may be 4.5 V, but neither the profile nor the site says "
         "the supply: give it, as in board: {supply: 5 V}"},
        {"ATmega328P", NULL, "{low: leave, high: 0xD9, extended: 0xFD}", "2.7 V"},
        {"ATmega328P", NULL, "{low: leave, high: 0xD9, extended: 0xFE}", NULL}, /* 1.8 V */
        {"ATmega328P", NULL, "{low: leave, high: 0xD9, extended: 0xFF}", NULL}, /* off */
        {"ATmega328P", NULL, "{low: leave, high: 0xD9, extended: 0xF8}", NULL}, /* refused */
        {"ATmega328P", NULL, "{low: leave, high: 0xD9, extended: leave}", NULL},
        {"ATmega328P", "supply: 5 V", "{low: leave, high: 0xD9, extended: 0xFC}", NULL},
        {"ATmega328P", "supply: 3.3 V", "{low: leave, high: 0xD9, extended: 0xFC}", NULL},
        {"ATmega32A", NULL, ATMEGA32A("0x21", "leave"), "4 V"},
        {"ATmega32A", NULL, ATMEGA32A("0x61", "leave"), NULL}, /* BODEN off */
    };

    CHECK_ALL("supply-not-said", looks);
}

/* A supply that only the site states counts, unless the profile says another. */
static void test_supply_of_the_site(void **state)
{
    static const struct look silent = {"ATmega328P", NULL,
                                       "{low: leave, high: 0xD9, extended: 0xFC}", "4.3 V"};
    static const struct look speaks = {"ATmega328P", "supply: 5 V",
                                       "{low: leave, high: 0xD9, extended: 0xFC}", NULL};
    struct rules_bench *bench = *state;
    struct failure failure = {0};

    look_at(bench, &silent, "");
    assert_int_equal(fuse_rules_judge(bench->profile, 0, &failure), 0);
    assert_non_null(rules_found(bench, "supply-not-said"));
    assert_int_equal(fuse_rules_judge(bench->profile, 5000, &failure), 0);
    assert_int_equal(fuse_rules_judge(bench->profile, 3300, &failure), -1);
    assert_non_null(strstr(failure.detail, "rule brown-out: extended 0xFC: "));
    look_at(bench, &speaks, "");
    assert_int_equal(fuse_rules_judge(bench->profile, 3300, &failure), 0);
}

/* ---- what only warns ---- */

static void test_jtag_pins(void **state)
{
    static const struct look looks[] = {
        {"ATmega32U4", "uses: [jtag-pins]", "{low: leave, high: 0x99, extended: leave}",
         "JTAGEN is on"},
        {"ATmega32U4", "uses: [hwb-pin, jtag-pins]", "{low: leave, high: 0x99, extended: leave}",
         "JTAGEN is on"},
        {"ATmega32U4", "uses: [jtag-pins]", "{low: leave, high: 0xD9, extended: leave}", NULL},
        {"ATmega32U4", "uses: [hwb-pin]", "{low: leave, high: 0x99, extended: leave}", NULL},
        {"ATmega32U4", NULL, "{low: leave, high: 0x99, extended: leave}", NULL},
        {"ATmega32U4", "uses: [jtag-pins]", "{low: leave, high: leave, extended: leave}", NULL},
        {"ATmega32A", "uses: [jtag-pins]", ATMEGA32A("leave", "0x99"), "JTAGEN is on"},
        {"ATmega328P", "uses: [jtag-pins]", ATMEGA328P("leave"), NULL},
    };

    CHECK_ALL("jtag-pins", looks);
}

static void test_watchdog(void **state)
{
    static const struct look looks[] = {
        {"ATmega328P", NULL, "{low: leave, high: 0xC9, extended: leave}", "WDTON is on"},
        {"ATmega328P", NULL, "{low: leave, high: 0xD9, extended: leave}", NULL},
        {"ATmega328P", NULL, "{low: leave, high: leave, extended: leave}", NULL},
        {"ATmega8", NULL, ATMEGA32A("leave", "0x99"), "WDTON is on"},
        {"ATmega128", NULL, "{low: leave, high: leave, extended: 0xFE}", "WDTON is on"},
        {"ATmega32A", NULL, ATMEGA32A("leave", "0xC0"), NULL}, /* has none */
    };

    CHECK_ALL("watchdog", looks);
}

static void test_ocd(void **state)
{
    static const struct look looks[] = {
        {"ATmega32U4", NULL, "{low: leave, high: 0x59, extended: leave}", "OCDEN is on"},
        {"ATmega32U4", NULL, "{low: leave, high: 0x99, extended: leave}", NULL},
        {"ATmega32A", NULL, ATMEGA32A("leave", "0x59"), "OCDEN is on"},
        {"ATmega328P", NULL, ATMEGA328P("leave"), NULL},
    };

    CHECK_ALL("ocd", looks);
}

static void test_hwbe(void **state)
{
    static const char boot[] = "{low: leave, high: 0xD9, extended: 0xF3}";
    static const struct look looks[] = {
        {"ATmega32U4", NULL, boot, "no image has a bootloader"},
        {"ATmega32U4", NULL, "{low: leave, high: 0xD9, extended: 0xFB}", NULL},  /* off */
        {"ATmega32U4", NULL, "{low: leave, high: 0xD8, extended: 0xF3}", NULL},  /* BOOTRST */
        {"ATmega32U4", NULL, "{low: leave, high: leave, extended: 0xF3}", NULL}, /* not known */
        {"ATmega32U4", NULL, "{low: leave, high: 0xD9, extended: leave}", NULL},
        {"AT90USB162", NULL, "{low: leave, high: 0xD9, extended: 0xF4}", "no image has"},
        {"ATmega328P", NULL, "{low: leave, high: 0xD9, extended: 0xF4}", NULL},
    };
    static const struct look uses = {"ATmega32U4", "uses: [hwb-pin]", boot, "uses the pin HWB"};
    struct rules_bench *bench = *state;

    CHECK_ALL("hwbe", looks);
    check_all(bench, "hwbe", &uses, 1);
}

/* With a bootloader where BOOTSZ points to. */
static void test_hwbe_with_bootloader(void **state)
{
    static const struct {
        const char *board, *high;
        bool is_found;
    } cases[] = {
        {"", "0xD9", false}, {"", "0xDB", true}, {"board: {uses: [hwb-pin]}", "0xD9", true}};
    struct rules_bench *bench = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[512];

        rules_write_hex(bench, "boot.hex", 0x7000, 64, 0x12);
        snprintf(text, sizeof(text),
                 "format: 1\nprofile: p\narticle: a\nrevision: b\nvia: isp\npart: ATmega32U4\n"
                 "images:\n  - {file: boot.hex, role: bootloader}\neeprom: erase\n%s\n"
                 "fuses: {low: leave, high: %s, extended: 0xF3}\nlock: leave\n",
                 cases[i].board, cases[i].high);
        rules_look(bench, text, 0);
        assert_int_equal(rules_found(bench, "hwbe") != NULL, cases[i].is_found);
    }
}

/* ---- accepted values, accepted risks ---- */

static void test_accepted_values(void **state)
{
    static const struct {
        const char *rule, *part, *board, *fuses, *value;
    } cases[] = {
        {"clock-source", "ATmega328P", "clock: crystal 16 MHz",
         "{low: {write: 0xFF, accept: [0x7F, 0xE2], because: x}, high: leave, extended: leave}",
         "0xE2"},
        {"clock-frequency", "ATmega328P", "clock: crystal 16 MHz",
         "{low: {write: 0xFF, accept: [0xFD], because: x}, high: leave, extended: leave}", "0xFD]"},
        {"brown-out", "ATmega328P", "supply: 3.3 V",
         "{low: leave, high: leave, extended: {write: 0xFD, accept: [0xFC], because: x}}", "0xFC"},
        {"jtag-pins", "ATmega32U4", "uses: [jtag-pins]",
         "{low: leave, high: {write: 0xD9, accept: [{JTAGEN: on}], because: x}, extended: leave}",
         "{JTAGEN"},
        {"watchdog", "ATmega328P", "supply: 5 V",
         "{low: leave, high: {write: 0xD9, accept: [0xC9], because: x}, extended: leave}", "0xC9"},
        {"ocd", "ATmega32U4", "supply: 5 V",
         "{low: leave, high: {write: 0xD9, accept: [0x59], because: x}, extended: leave}", "0x59"},
        {"hwbe", "ATmega32U4", "supply: 5 V",
         "{low: leave, high: 0xD9, extended: {write: 0xFB, accept: [0xF3], because: x}}", "0xF3"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct look look = {cases[i].part, cases[i].board, cases[i].fuses, ""};
        const char *value = strstr(cases[i].fuses, cases[i].value);
        const struct fuse_finding *finding;

        look_at(*state, &look, "");
        check(*state, &look, cases[i].rule);
        finding = rules_found(*state, cases[i].rule);
        assert_true(finding->is_accepted_value);
        assert_int_equal(finding->position.line, 11);
        assert_int_equal(finding->position.column,
                         strlen("fuses: ") + (size_t)(value - cases[i].fuses) + 1);
    }
}

/* CKOPT stands in another byte than CKSEL: what is accepted of one is looked at with the other. */
static void test_combinations(void **state)
{
    static const struct look look = {"ATmega32A", "clock: crystal 16 MHz",
                                     "{low: 0x3F, high: {write: 0xC9, accept: [0xD9], because: x}}",
                                     "with CKOPT off"};

    look_at(*state, &look, "");
    check(*state, &look, "clock-frequency");
}

static void test_risks(void **state)
{
    static const struct {
        const char *rule;
        struct look look;
    } cases[] = {
        {"clock-source", {"ATmega328P", NULL, ATMEGA328P("0xFF"), ""}},
        {"clock-frequency", {"ATmega328P", "clock: crystal 4 MHz", ATMEGA328P("0xFF"), ""}},
        {"brown-out",
         {"ATmega328P", "supply: 3.3 V", "{low: leave, high: leave, extended: 0xFC}", ""}},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct rules_bench *bench = *state;
        struct failure failure = {0};
        char risk[96];

        snprintf(risk, sizeof(risk), "accept_risk: {rule: %s, because: it is known}\n",
                 cases[i].rule);
        look_at(bench, &cases[i].look, risk);
        check(bench, &cases[i].look, cases[i].rule);
        assert_false(fuse_finding_refuses(rules_found(bench, cases[i].rule)));
        assert_int_equal(fuse_rules_judge(bench->profile, 0, &failure), 0);
    }
}

static void test_uses_is_read(void **state)
{
    static const struct {
        const char *uses, *message;
    } cases[] = {{"[jtag-pin]", "did you mean 'jtag-pins'"}, {"jtag-pins", "as in [jtag-pins]"}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct rules_bench *bench = *state;
        struct profile *profile = NULL;
        struct failure failure = {0};
        char text[512];

        snprintf(text, sizeof(text),
                 "format: 1\nprofile: p\narticle: a\nrevision: b\nvia: isp\npart: ATmega32U4\n"
                 "board: {uses: %s}\n",
                 cases[i].uses);
        rules_write_file(bench, "profile.yaml", text);
        assert_int_equal(profile_load(bench->path, SHIPPED_PARTS_DIRECTORY, &profile, &failure),
                         -1);
        if (!strstr(failure.detail, cases[i].message))
            fail_msg("'%s' lacks '%s'", failure.detail, cases[i].message);
    }
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, rules_set_up, rules_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_clock_source),  TEST(test_clock_unknown),   TEST(test_clock_frequency),
        TEST(test_clock_divided), TEST(test_clock_slow),      TEST(test_clock_differs),
        TEST(test_brown_out),     TEST(test_supply_not_said), TEST(test_supply_of_the_site),
        TEST(test_jtag_pins),     TEST(test_watchdog),        TEST(test_ocd),
        TEST(test_hwbe),          TEST(test_accepted_values), TEST(test_hwbe_with_bootloader),
        TEST(test_combinations),  TEST(test_risks),           TEST(test_uses_is_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
