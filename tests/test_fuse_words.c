/* Fuse and lock bytes in words: by hand, then every value of every byte of every part that is
 * shipped, there and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "profiles/clock_words.h"
#include "profiles/fuse_words.h"
#include "tests/shipped_parts.h"

static struct part *load(const char *name)
{
    struct failure failure = {0};
    struct part *part = NULL;

    if (part_load(SHIPPED_PARTS_DIRECTORY, name, &part, &failure) != 0)
        fail_msg("%s", failure.detail);
    return part;
}

/* ---- by hand, from the datasheets ---- */

static const struct {
    const char *part, *field;
    uint8_t byte;
    const char *choice, *meaning;
} by_hand[] = {
    {"ATmega328P", "BOOTRST", 0xDE, "on", "starts in the boot section"},
    {"ATmega328P", "BOOTRST", 0xDF, "off", "starts at address 0"},
    {"ATmega328P", "BOOTSZ", 0xDE, "256 words",
     "the boot section is 512 bytes from byte address 0x7E00 on"},
    {"ATmega328P", "BODLEVEL", 0xFD, "2.7 V", "the part is held in reset below 2.7 V"},
    {"ATmega328P", "BODLEVEL", 0xFF, "off", "a supply that drops is not noticed"},
    {"ATmega328P", "BODLEVEL", 0xFB, "code 0x03", "not documented: do not use it"},
    {"ATmega328P", "SPIEN", 0xD9, "on", "programmers reach the part over ISP"},
    {"ATmega328P", "SUT_CKSEL", 0xFF, "EXTXOSC_8MHZ_XX_16KCK_14CK_65MS",
     "crystal or resonator 8 MHz or more, starts after 16K clocks + 14 clocks + 65 ms"},
    {"ATmega328P", "CKDIV8", 0x62, "on",
     "the clock is divided by 8 until the program says otherwise"},
    {"ATmega328P", "LB", 0xCF, "NO_LOCK", "programmers may read and write all"},
    {"ATmega328P", "BLB1", 0xCF, "LPM_SPM_DISABLE",
     "the application cannot read, nobody write the boot section"},
    {"ATmega2560", "BOOTSZ", 0xD8, "4096 words",
     "the boot section is 8192 bytes from byte address 0x3E000 on"},
    {"AT90CAN128", "TA0SEL", 0xFE, "on", "a mode for factory tests"},
    {"AT90PWM3B", "PSC2RB", 0x7F, "on", "a reset drives the outputs of PSC2"},
    {"ATmega32U4", "HWBE", 0xF3, "on", "the HWB pin held low at reset starts the boot section"},
};

static void choices_by_hand(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof by_hand / sizeof *by_hand; i++) {
        struct part *part = load(by_hand[i].part);
        enum part_memory memory = PART_FLASH;
        const struct part_field *field = fuse_words_find(part, by_hand[i].field, &memory);
        char choice[FUSE_WORDS_CHOICE_BYTES], meaning[FUSE_WORDS_MEANING_BYTES];

        assert_non_null(field);
        assert_true(part_is_fuse_or_lock(memory));
        fuse_words_choice(field, fuse_words_code(field, by_hand[i].byte), choice);
        fuse_words_meaning(field, fuse_words_code(field, by_hand[i].byte), meaning);
        assert_string_equal(choice, by_hand[i].choice);
        assert_string_equal(meaning, by_hand[i].meaning);
        part_free(part);
    }
}

static const struct {
    const char *field, *text;
    int code; /* -1: refused */
    const char *message;
} said[] = {
    {"BOOTSZ", "2048 words", 0, NULL},
    {"BOOTSZ", "2048W_3800", 0, NULL},
    {"BOOTSZ", "256 WORDS", 3, NULL},
    {"BOOTSZ", "4096 words", -1, "expected one of 2048 words, 1024 words"},
    {"BOOTSZ", "small", -1, "expected one of 2048 words, 1024 words, 512 words, 256 words"},
    {"BOOTRST", "on", 0, NULL},
    {"BOOTRST", "OFF", 1, NULL},
    {"BOOTSZ", "4096 bytes", -1, "did you mean '2048 words'?"},
    {"BOOTSZ", "8192 bytes", -1, "256 words (a word is 2 bytes)"},
    {"BOOTSZ", "512", -1, "256 words (a word is 2 bytes)"},
    {"BOOTRST", "0", -1, "BOOTRST has no '0', expected on (programmed, a bit of 0) or off (a "},
    {"RSTDISBL", "1", -1, "expected on (programmed, a bit of 0) or off (a bit of 1)"},
    /* a letter away from "on", and yet the contrary */
    {"RSTDISBL", "no", -1, "RSTDISBL has no 'no', did you mean 'off'?"},
    {"DWEN", "N", -1, "did you mean 'off'?"},
    {"DWEN", "Disabled", -1, "did you mean 'off'?"},
    {"SPIEN", "true", -1, "did you mean 'on'?"},
    {"SPIEN", "yes", -1, "did you mean 'on'?"},
    {"BODLEVEL", "no", -1, "did you mean 'off'?"},
    {"BODLEVEL", "yes", -1, "expected one of 4.3 V, 2.7 V, 1.8 V, off"},
    {"SUT_CKSEL", "crystal", -1, ", …: gangflash fuses PART SUT_CKSEL"},
    {"BODLEVEL", "4.3 V", 4, NULL},
    {"BODLEVEL", "off", 7, NULL},
    {"BODLEVEL", "disabled", 7, NULL},
    {"SUT_CKSEL", "EXTXOSC_8MHZ_XX_16KCK_14CK_65M", -1, "'EXTXOSC_8MHZ_XX_16KCK_14CK_65MS'?"},
};

static void words_by_hand(void **state)
{
    struct part *part = load("ATmega328P");

    (void)state;
    for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
        struct failure failure = {0};
        enum part_memory memory;
        uint8_t code = 0x55;
        const struct part_field *field = fuse_words_find(part, said[i].field, &memory);
        int result = fuse_words_parse(field, said[i].text, &code, &failure);

        if (said[i].code >= 0) {
            assert_int_equal(result, 0);
            assert_int_equal(code, said[i].code);
            continue;
        }
        assert_int_equal(result, -1);
        assert_int_equal(failure.code, FAILURE_USAGE);
        if (strstr(failure.detail, said[i].message) == NULL)
            fail_msg("'%s' does not say '%s'", failure.detail, said[i].message);
    }
    part_free(part);
}

static void names_of_other_tools(void **state)
{
    (void)state;
    assert_string_equal(fuse_words_our_name("lfuse"), "low");
    assert_string_equal(fuse_words_our_name("HFUSE"), "high");
    assert_string_equal(fuse_words_our_name("efuse"), "extended");
    assert_string_equal(fuse_words_our_name("ext"), "extended");
    assert_string_equal(fuse_words_our_name("low_fuse"), "low");
    assert_null(fuse_words_our_name("low"));
}

/* ---- every part ---- */

/* A code's own words give it back, or one with the same words. */
static void check_words(const struct part *part, const struct part_field *field, uint8_t code)
{
    char choice[FUSE_WORDS_CHOICE_BYTES], again[FUSE_WORDS_CHOICE_BYTES];
    char meaning[FUSE_WORDS_MEANING_BYTES];
    struct failure failure = {0};
    uint8_t parsed = 0;

    fuse_words_choice(field, code, choice);
    fuse_words_meaning(field, code, meaning);
    if (!fuse_words_is_documented(field, code)) {
        assert_int_not_equal(fuse_words_parse(field, choice, &parsed, &failure), 0);
        return;
    }
    assert_int_equal(fuse_words_parse(field, choice, &parsed, &failure), 0);
    fuse_words_choice(field, parsed, again);
    assert_string_equal(choice, again);
    if (strstr(meaning, "_") != NULL)
        fail_msg("%s %s 0x%02X: '%s' is not in words", part->name, field->name, code, meaning);
}

static void check_fields(const struct part *part, enum part_memory memory)
{
    const struct part_byte *byte = part_byte(part, memory);

    for (size_t i = 0; byte != NULL && i < byte->field_count; i++) {
        const struct part_field *field = &byte->fields[i];
        enum part_memory found;

        assert_ptr_equal(fuse_words_find(part, field->name, &found), field);
        assert_int_equal(found, memory);
        for (unsigned code = 0; code < fuse_words_code_count(field); code++)
            check_words(part, field, (uint8_t)code);
    }
}

/* From a byte into codes, and from the codes into another byte. */
static void check_byte(const struct part *part, enum part_memory memory, uint8_t value)
{
    const struct part_byte *byte = part_byte(part, memory);
    uint8_t made = (uint8_t)~value;

    for (size_t i = 0; i < byte->field_count; i++)
        made = fuse_words_with(&byte->fields[i], made, fuse_words_code(&byte->fields[i], value));
    if (!part_byte_equal(part, memory, made, value))
        fail_msg("%s %s: 0x%02X came back as 0x%02X", part->name, byte->name, value, made);
}

static void check_part(const struct part *part)
{
    for (enum part_memory memory = PART_FIRST_FUSE; memory <= PART_LOCK; memory++) {
        check_fields(part, memory);
        for (unsigned value = 0; part_byte(part, memory) != NULL && value <= 0xFF; value++)
            check_byte(part, memory, (uint8_t)value);
    }
}

static void every_value_of_every_part(void **state)
{
    struct failure failure = {0};
    struct part_list list;

    (void)state;
    assert_int_equal(part_list(SHIPPED_PARTS_DIRECTORY, &list, &failure), 0);
    assert_true(list.count >= 185);
    for (size_t i = 0; i < list.count; i++) {
        struct part *part = load(list.names[i]);

        check_part(part);
        part_free(part);
    }
    part_list_free(&list);
}

static void unknown_clock_words_stay(void **state)
{
    char text[80];

    (void)state;
    assert_false(clock_words("EXTXOSC_WHATEVER", text, sizeof text));
    assert_string_equal(text, "EXTXOSC_WHATEVER");
    assert_true(clock_words("EXTRCOSC_XX_0MHZ9_18CK_4MS", text, sizeof text));
    assert_string_equal(text,
                        "resistor and capacitor outside up to 0.9 MHz, starts after 18 clocks + "
                        "4 ms");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(choices_by_hand),          cmocka_unit_test(words_by_hand),
        cmocka_unit_test(names_of_other_tools),     cmocka_unit_test(every_value_of_every_part),
        cmocka_unit_test(unknown_clock_words_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
