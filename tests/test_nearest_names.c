/* A name with a typing error in a profile or a jig file: the message has the one that was meant. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "jigs/jig.h"
#include "profiles/profile.h"

#define PARTS TEST_SOURCE_DIR "/profiles/parts"
#define BESIDE TEST_SOURCE_DIR "/profiles/boards/typed.yaml"
#define TEXT_BYTES 2048

/* A good file, in which each case misspells one thing. */
static const char profile_text[] =
    "format: 1\n"
    "profile: typed\n"
    "article: T-1\n"
    "revision: 1\n"
    "via: isp\n"
    "part: ATmega328P\n"
    "board: {clock: crystal 16 MHz, supply: 5 V}\n"
    "images: [{file: demo/demo.hex, role: application, format: hex}]\n"
    "fuses:\n"
    "  low: 0xFF\n"
    "  high: {write: 0xD9, EESAVE: off, accept: [{WDTON: on}], because: all alike}\n"
    "  extended: {BODLEVEL: 2.7 V}\n"
    "lock: leave\n"
    "accept_risk: {rule: dwen, because: of the test}\n"
    "eeprom: {keep: restore}\n"
    "verify: image\n"
    "if_already: refuse\n"
    "retry: {contact: 3}\n";

static const char jig_text[] =
    "jig: typed\n"
    "bench: {simulated: true, pace: fast, seed: 1, swap: 1 s}\n"
    "contact: {present: 1 s}\n"
    "sites:\n"
    "  - {site: 1, programmer: usbasp, model: usbasp-2011, board: ATmega328P, crystal: 16 MHz,\n"
    "     supply: 3.3 V, found: {high: 0xD9}}\n"
    "  - {site: 2, programmer: stk500v1, model: arduino-uno-isp, board: ATtiny85, port: pty}\n"
    "layout: [[1, 2]]\n"
    "faults:\n"
    "  - {fault: bad-page, memory: eeprom, address: 0}\n"
    "  - {fault: stuck-miso, miso: noise}\n"
    "  - {fault: flip, wire: to-board, match: AC}\n"
    "  - {fault: bad-fuse, fuse: lock}\n"
    "  - {fault: wrong-part, part: ATmega88}\n";

struct typing_error {
    const char *right, *typed; /* what stands in the file, and what instead */
    const char *meant;         /* in the message; NULL: the same as `right` */
};

static int judge_profile(const char *text, struct failure *failure)
{
    struct profile *profile = NULL;
    int result = profile_parse(BESIDE, text, strlen(text), PARTS, &profile, failure);

    profile_free(profile);
    return result;
}

static int judge_jig(const char *text, struct failure *failure)
{
    struct jig *jig = NULL;
    int result = jig_parse("typed.yaml", text, strlen(text), &jig, failure);

    if (result == 0)
        result = jig_check_parts(jig, PARTS, failure);
    jig_free(jig);
    return result;
}

/* The first `right` in the file becomes `typed`. */
static void misspell(const char *good, const struct typing_error *error, char text[TEXT_BYTES])
{
    const char *at = strstr(good, error->right);

    if (at == NULL)
        fail_msg("'%s' does not stand in the file", error->right);
    int bytes = snprintf(text, TEXT_BYTES, "%.*s%s%s", (int)(at - good), good, error->typed,
                         at + strlen(error->right));
    assert_in_range(bytes, 1, TEXT_BYTES - 1);
}

static void expect_nearest(const char *good, const struct typing_error *errors, size_t count,
                           int (*judge)(const char *text, struct failure *failure))
{
    struct failure failure = {0};

    if (judge(good, &failure) != 0)
        fail_msg("the good file: %s", failure.detail);
    for (size_t i = 0; i < count; i++) {
        char text[TEXT_BYTES], expected[80];
        const char *meant = errors[i].meant ? errors[i].meant : errors[i].right;

        misspell(good, &errors[i], text);
        if (judge(text, &failure) == 0)
            fail_msg("'%s' was taken", errors[i].typed);
        snprintf(expected, sizeof expected, "did you mean '%s'?", meant);
        if (strstr(failure.detail, expected) == NULL)
            fail_msg("'%s': %s", errors[i].typed, failure.detail);
    }
}

static void test_profile_names(void **state)
{
    static const struct typing_error errors[] = {
        /* keys, in each mapping */
        {"article", "artcile", NULL},
        {"if_already", "if-already", NULL},
        {"accept_risk", "acept_risk", NULL},
        {"clock", "clcok", NULL},
        {"supply", "suply", NULL},
        {"file: demo", "flie: demo", "file"},
        {"role", "rol", NULL},
        {"extended:", "extendet:", "extended"},
        {"write", "wirte", NULL},
        {"accept:", "acept:", "accept"},
        {"rule", "rul", NULL},
        {"because: of", "becuase: of", "because"},
        {"keep", "kepe", NULL},
        {"contact", "contct", NULL},
        /* parts, fields and their choices */
        {"ATmega328P", "ATmega382P", NULL},
        {"ATmega328P", "atmega328p", NULL},
        {"EESAVE", "ESAVE", NULL},
        {"EESAVE", "eesave", NULL},
        {"WDTON", "WTDON", NULL},
        {"BODLEVEL", "BODLEVL", NULL},
        {"2.7 V", "2.7V", NULL},
        {"off", "of", NULL},
        /* choices */
        {"isp", "ips", NULL},
        {"5 V", "5V", NULL},
        {"crystal", "cristal", NULL},
        {"MHz", "Mhz", NULL},
        {"application", "aplication", NULL},
        {"hex}", "hxe}", "hex"},
        {"lock: leave", "lock: laeve", "leave"},
        {"restore", "restor", NULL},
        {"verify: image", "verify: images", "image"},
        {"refuse", "refused", NULL},
        {"{keep: restore}", "kep", "keep"},
        /* rules */
        {"dwen", "dwem", NULL},
        {"dwen", "rstdisble", "rstdisbl"},
    };

    (void)state;
    expect_nearest(profile_text, errors, sizeof errors / sizeof errors[0], judge_profile);
}

/* A profile with the error is refused in words that have `meant` in them. */
static void expect_told(const struct typing_error errors[], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct failure failure = {0};
        char text[TEXT_BYTES];

        misspell(profile_text, &errors[i], text);
        assert_int_equal(judge_profile(text, &failure), -1);
        if (strstr(failure.detail, errors[i].meant) == NULL)
            fail_msg("'%s': %s", errors[i].typed, failure.detail);
    }
}

/* What is spelt right, but stands at another byte than its own. */
static void test_fields_of_another_byte(void **state)
{
    static const struct typing_error errors[] = {
        {"EESAVE: off", "CKOUT: off", "CKOUT of ATmega328P is a field of 'low'"},
        {"{WDTON: on}", "{BODLEVEL: off}", "BODLEVEL of ATmega328P is a field of 'extended'"},
        {"BODLEVEL: 2.7 V", "lb: NO_LOCK", "LB of ATmega328P is a field of 'lock'"},
        {"low: 0xFF", "CKOUT: off", "CKOUT of ATmega328P is a field of 'low'"},
        {"low: 0xFF", "lfuse: 0xFF", "use low"},
        {"low: 0xFF", "lockfuse: 0xFF", "the lock byte stands beside 'fuses'"},
        {"low: 0xFF", "lock: 0xFF", "the lock byte stands beside 'fuses'"},
        {"low: 0xFF", "low: {CKSEL: 15}",
         "a part of SUT_CKSEL: gangflash fuses ATmega328P SUT_CKSEL"},
        {"lock: leave", "lockbits: leave", "unknown key 'lockbits', use lock"},
        {"lock: leave", "low: 0xFF", "as low it belongs to 'fuses', with blanks before it"},
        {"lock: leave", "efuse: 0xFF", "as extended it belongs to 'fuses', with blanks before it"},
        {"{keep: restore}", "restore", "did you mean {keep: restore}?"},
    };

    (void)state;
    expect_told(errors, sizeof errors / sizeof errors[0]);
}

/* Another quantity is no typing error: nobody is told to take it. */
static void test_quantities(void **state)
{
    static const struct typing_error errors[] = {
        {"5 V", "3 V", "found '3 V', expected 5 V or 3.3 V"},
        {"5 V", "3.0 V", "found '3.0 V', expected 5 V or 3.3 V"},
        {"2.7 V", "2.8 V", "has no '2.8 V', expected one of "},
    };

    (void)state;
    expect_told(errors, sizeof errors / sizeof errors[0]);
}

static void test_jig_names(void **state)
{
    static const struct typing_error errors[] = {
        /* keys, in each mapping */
        {"contact", "conatct", NULL},
        {"layout", "layuot", NULL},
        {"simulated", "simulate", NULL},
        {"swap", "swpa", NULL},
        {"present", "presnt", NULL},
        {"programmer", "programer", NULL},
        {"crystal", "cristal", NULL},
        {"high", "hihg", NULL},
        {"memory", "memroy", NULL},
        /* programmers, models, parts */
        {"programmer: usbasp", "programmer: usbsap", "usbasp"},
        {"programmer: usbasp", "programmer: usbtinyisp", "usbtiny"},
        {"programmer: usbasp", "programmer: avrisp2", "avrispmkii"},
        {"programmer: stk500v1", "programmer: arduino", "stk500v1"},
        {"stk500v1", "stk500-v1", NULL},
        {"usbasp-2011", "usbasp2011", NULL},
        {"arduino-uno-isp", "arduino-uno-ips", NULL},
        {"ATmega328P", "ATmega328p", NULL},
        {"ATmega88", "ATmega8_8", NULL},
        /* choices */
        {"fast", "fats", NULL},
        {"3.3 V", "3.3V", NULL},
        {"pty", "pyt", NULL},
        {"bad-page", "bad_page", NULL},
        {"stuck-miso", "stuk-miso", NULL},
        {"eeprom", "eprom", NULL},
        {"noise", "niose", NULL},
        {"to-board", "toboard", NULL},
        {"fuse: lock", "fuse: lokc", "lock"},
    };

    (void)state;
    expect_nearest(jig_text, errors, sizeof errors / sizeof errors[0], judge_jig);
}

/* Two programmers go by that name elsewhere. */
static void test_avrisp(void **state)
{
    static const struct typing_error error = {"programmer: stk500v1", "programmer: avrisp", NULL};
    struct failure failure = {0};
    char text[TEXT_BYTES];

    (void)state;
    misspell(jig_text, &error, text);
    assert_int_equal(judge_jig(text, &failure), -1);
    assert_non_null(strstr(failure.detail, "found 'avrisp', expected stk500v1 for an ArduinoISP, "
                                           "stk500 or stk500v2 for Atmel's AVRISP"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_profile_names), cmocka_unit_test(test_fields_of_another_byte),
        cmocka_unit_test(test_quantities),    cmocka_unit_test(test_jig_names),
        cmocka_unit_test(test_avrisp),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
