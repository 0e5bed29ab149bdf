/* The named rules about boot sections, EEPROM, lock bits, bits that are not there and signatures:
 * each is found where it is broken, in what is written and in what is accepted, and not where it is
 * kept. */
#include "profiles/part_signatures.h"
#include "tests/rules_fixture.h"

/* ---- profiles ---- */

/* 64 bytes of code, 8192 of it, and none. */
#define SHORT "short.bin"
#define LONG "long.bin"
#define BLANK "blank.bin"
#define SHORT_BYTES 64
#define LONG_BYTES 8192

#define APP(file, address)                                                                         \
    "  - {file: " file ", format: bin, address: " #address ", role: application}\n"
#define BOOT(file, address)                                                                        \
    "  - {file: " file ", format: bin, address: " #address ", role: bootloader}\n"
#define WHOLE(file, address) "  - {file: " file ", format: bin, address: " #address "}\n"

struct rule_case {
    const char *part, *images, *rest; /* of a profile */
    const char *detail;               /* what the finding says; NULL: there is none */
};

static void write_code(struct rules_bench *bench, const char *name, size_t bytes)
{
    char *text = calloc(bytes + 1, 1);

    assert_non_null(text);
    for (size_t i = 0; i < bytes; i++)
        text[i] = (char)(1 + i % 127);
    rules_write_file(bench, name, text);
    free(text);
}

static int set_up(void **state)
{
    if (rules_set_up(state) != 0)
        return -1;
    write_code(*state, SHORT, SHORT_BYTES);
    write_code(*state, LONG, LONG_BYTES);
    rules_write_file(*state, BLANK, "\xFF\xFF\xFF\xFF");
    return 0;
}

static void look(struct rules_bench *bench, const struct rule_case *test, const char *more)
{
    char *text = NULL;

    assert_true(asprintf(&text,
                         "format: 1\nprofile: rules\narticle: RULES\nrevision: 1\nvia: isp\n"
                         "part: %s\nimages:\n%s%s\n%s",
                         test->part, test->images, test->rest, more) > 0);
    rules_look(bench, text, 0);
    free(text);
}

static void check_case(struct rules_bench *bench, const char *rule, const struct rule_case *test)
{
    look(bench, test, "");
    const struct fuse_finding *found = rules_found(bench, rule);

    if (test->detail == NULL && found != NULL)
        fail_msg("%s found in %s\n%s%s\n%s", rule, test->part, test->images, test->rest,
                 found->detail);
    if (test->detail != NULL && found == NULL)
        fail_msg("%s not found in %s\n%s%s", rule, test->part, test->images, test->rest);
    if (test->detail != NULL && found != NULL && strstr(found->detail, test->detail) == NULL)
        fail_msg("%s in %s: '%s', expected '%s'", rule, test->part, found->detail, test->detail);
}

static void check_cases(struct rules_bench *bench, const char *rule, const struct rule_case *tests,
                        size_t count)
{
    size_t found = 0;

    for (size_t i = 0; i < count; i++) {
        check_case(bench, rule, &tests[i]);
        found += tests[i].detail != NULL;
    }
    assert_true(found > 0 && found < count);
}
#define CHECK_CASES(rule, tests)                                                                   \
    check_cases(*state, rule, tests, sizeof(tests) / sizeof((tests)[0]))

/* ---- boot sections ---- */

#define LOW_AND_EXTENDED "low: 0xFF, extended: 0xFD, "
#define HIGH_328(high) "fuses: {" LOW_AND_EXTENDED "high: " high "}\nlock: 0xFF"
#define HIGH_32U4(high, extended)                                                                  \
    "fuses: {low: 0x5E, high: " high ", extended: " extended "}\nlock: 0xFF"
#define LOW_AND_HIGH(high) "fuses: {low: 0xFF, high: " high "}\nlock: 0xFF"
#define ACCEPTS(write, accept) "{write: " write ", accept: [" accept "], because: test}"

static void test_bootrst_without_bootloader(void **state)
{
    static const struct rule_case tests[] = {
        {"ATmega328P", APP(SHORT, 0), HIGH_328("0xD8"), "starts at 0x7000, where no image"},
        {"ATmega328P", APP(SHORT, 0), HIGH_328("0xDE"), "starts at 0x7E00"},
        {"ATmega328P", WHOLE(SHORT, 0), HIGH_328("0xDA"), "starts at 0x7800"},
        {"ATmega328P", APP(SHORT, 0), HIGH_328("0xD9"), NULL},
        {"ATmega328P", WHOLE(SHORT, 0x7000), HIGH_328("0xD8"), NULL},
        {"ATmega328P", APP(SHORT, 0) BOOT(SHORT, 0x7E00), HIGH_328("0xDE"), NULL},
        /* One that is elsewhere is the next rule's; a blank one is none. */
        {"ATmega328P", BOOT(SHORT, 0x7000), HIGH_328("0xDE"), NULL},
        {"ATmega328P", WHOLE(SHORT, 0x7000), HIGH_328("0xDE"), NULL},
        {"ATmega328P", APP(SHORT, 0x7000), HIGH_328("0xDE"), "starts at 0x7E00"},
        {"ATmega328P", BOOT(BLANK, 0x7E00), HIGH_328("0xDE"), "starts at 0x7E00"},
        /* An application that reaches the section is not a bootloader. */
        {"ATmega328P", APP(LONG, 0x6000), HIGH_328("0xD8"), "starts at 0x7000"},
        {"ATmega328P", APP(SHORT, 0), HIGH_328(ACCEPTS("0xD9", "0xDE")), "starts at 0x7E00"},
        {"ATmega328P", APP(SHORT, 0), HIGH_328(ACCEPTS("0xD9", "0xDF")), NULL},
        {"ATmega328P", APP(SHORT, 0), HIGH_328("leave"), NULL},
        {"ATmega32U4", WHOLE(SHORT, 0), HIGH_32U4("0xD8", "0xFB"), "starts at 0x7000"},
        {"ATmega32U4", WHOLE(SHORT, 0), HIGH_32U4("0xD9", "0xF3"), NULL},
        {"ATmega8", APP(SHORT, 0), LOW_AND_HIGH("0xD8"), "starts at 0x1800"},
        {"ATmega8", WHOLE(SHORT, 0x1F00), LOW_AND_HIGH("0xDE"), NULL},
        {"ATmega2560", APP(SHORT, 0), HIGH_328("0xD8"), "starts at 0x3E000"},
        {"ATmega2560", BOOT(SHORT, 0x3E000), HIGH_328("0xD8"), NULL},
        {"AT90USB1286", WHOLE(SHORT, 0), HIGH_32U4("0xD8", "0xF3"), "starts at 0x1E000"},
        {"ATmega32A", WHOLE(SHORT, 0), LOW_AND_HIGH("0xC0"), "starts at 0x7000"},
        {"ATmega32A", WHOLE(SHORT, 0x7000), LOW_AND_HIGH("0xC0"), NULL},
        /* BOOTSZ in the extended fuse, and one section that no fuse selects. */
        {"ATmega88", APP(SHORT, 0), "fuses: {low: 0xFF, high: 0xDF, extended: 0xFC}\nlock: 0xFF",
         "starts at 0x1E00"},
        {"ATmega88", BOOT(SHORT, 0x1E00),
         "fuses: {low: 0xFF, high: 0xDF, extended: 0xFC}\nlock: 0xFF", NULL},
        {"ATmega161", APP(SHORT, 0), "fuses: {fuse: 0x9A}\nlock: 0xFF", "starts at 0x3C00"},
        {"ATmega161", WHOLE(SHORT, 0x3C00), "fuses: {fuse: 0x9A}\nlock: 0xFF", NULL},
        {"ATtiny85", APP(SHORT, 0), "fuses: {low: 0x62, high: 0xDF, extended: 0xFE}\nlock: 0xFF",
         NULL},
    };

    CHECK_CASES("bootrst-without-bootloader", tests);
}

static void test_bootloader_not_at_section(void **state)
{
    static const struct rule_case tests[] = {
        {"ATmega328P", BOOT(SHORT, 0x7000), HIGH_328("0xDE"),
         "short.bin begins at 0x7000, expected 0x7E00, where the boot section starts; with BOOTSZ "
         "2048 words it would"},
        {"ATmega328P", BOOT(SHORT, 0x7E00), HIGH_328("0xD8"), "with BOOTSZ 256 words it would"},
        {"ATmega328P", BOOT(SHORT, 0x7100), HIGH_328("0xD8"), "begins at 0x7100, expected 0x7000"},
        {"ATmega328P", BOOT(SHORT, 0x7E00), HIGH_328("0xDE"), NULL},
        /* Whatever starts it: SPM works in the section alone. */
        {"ATmega328P", BOOT(SHORT, 0x7000), HIGH_328("0xDF"), "begins at 0x7000"},
        {"ATmega328P", BOOT(SHORT, 0x7E00), HIGH_328("leave"), NULL},
        {"ATmega328P", BOOT(SHORT, 0x7E00), HIGH_328(ACCEPTS("0xDE", "0xDC")), "expected 0x7C00"},
        {"ATmega328P", BOOT(SHORT, 0x3F00), HIGH_328("0xDE"),
         "begins at 0x3F00, expected 0x7E00, where the boot section starts; that is in words"},
        {"ATmega328P", BOOT(SHORT, 0x7E00), HIGH_328(ACCEPTS("0xDE", "0xDF")), NULL},
        /* Two files that make one bootloader. */
        {"ATmega328P", BOOT(SHORT, 0x7F00) BOOT(SHORT, 0x7E00), HIGH_328("0xDE"), NULL},
        /* A file that holds both: something begins later, or goes on across. */
        {"ATmega328P", WHOLE(SHORT, 0) WHOLE(SHORT, 0x7D00), HIGH_328("0xD8"),
         "what the images have in the boot section begins at 0x7D00, expected 0x7000"},
        {"ATmega328P", WHOLE(LONG, 0x6000), HIGH_328("0xD8"), "without a gap"},
        {"ATmega328P", WHOLE(LONG, 0x5000) WHOLE(SHORT, 0x7000), HIGH_328("0xD8"), "without a gap"},
        {"ATmega328P", WHOLE(LONG, 0x4F80) WHOLE(SHORT, 0x7000), HIGH_328("0xD8"), NULL},
        {"ATmega328P", WHOLE(SHORT, 0x6FC0) WHOLE(SHORT, 0x7000), HIGH_328("0xD8"), NULL},
        {"ATmega328P", WHOLE(LONG, 0x6000), HIGH_328("0xD9"), NULL},
        {"ATmega32U4", BOOT(SHORT, 0x6000), HIGH_32U4("0xD9", "0xF3"), "expected 0x7000"},
        {"ATmega32U4", BOOT(SHORT, 0x7000), HIGH_32U4("0xD9", "0xF3"), NULL},
        {"ATmega8", BOOT(SHORT, 0x1800), LOW_AND_HIGH("0xDC"), "expected 0x1E00"},
        {"ATmega8", BOOT(SHORT, 0x1800), LOW_AND_HIGH("0xD8"), NULL},
        {"ATmega2560", BOOT(SHORT, 0x3E000), HIGH_328("0xDC"), "with BOOTSZ 4096 words it would"},
        {"ATmega2560", BOOT(SHORT, 0x3E000), HIGH_328("0xD8"), NULL},
        {"AT90USB1286", BOOT(SHORT, 0x1F000), HIGH_32U4("0xD9", "0xF3"), "expected 0x1E000"},
        {"ATmega32A", BOOT(SHORT, 0x7000), LOW_AND_HIGH("0xC2"), "expected 0x7800"},
        {"ATmega161", BOOT(SHORT, 0x3000), "fuses: {fuse: 0x9A}\nlock: 0xFF",
         "begins at 0x3000, expected 0x3C00, where the boot section starts"},
        {"ATtiny85", BOOT(SHORT, 0x1800),
         "fuses: {low: 0x62, high: 0xDF, extended: 0xFE}\nlock: 0xFF", NULL},
    };

    CHECK_CASES("bootloader-not-at-section", tests);
}

/* Files without a role: a block that begins where a section of the part may, after a gap. */
static void test_bootloader_of_whole_image(void **state)
{
    static const struct rule_case tests[] = {
        /* HWBE alone starts it; BOOTSZ is another's, or the other half's. */
        {"ATmega32U4", WHOLE(LONG, 0) WHOLE(SHORT, 0x7000), HIGH_32U4("0xDB", "0xF3"),
         "what looks like the bootloader in short.bin begins at 0x7000, expected 0x7800, where the "
         "boot section starts; with BOOTSZ 2048 words it would; if it is none, give the"},
        {"ATmega32U4", WHOLE(LONG, 0x4000) WHOLE(SHORT, 0x7000), HIGH_32U4("0xDD", "0xF3"),
         "expected 0x7C00"},
        {"ATmega32U4", WHOLE(SHORT, 0x6F40) WHOLE(SHORT, 0x7000), HIGH_32U4("0xDF", "0xF3"),
         "expected 0x7E00"},
        {"ATmega32U4", WHOLE(SHORT, 0x7E00), HIGH_32U4("0xD9", "0xF3"),
         "with BOOTSZ 256 words it would"},
        {"ATmega32U4", WHOLE(SHORT, 0x7000), HIGH_32U4("0xD9", "0xF3"), NULL},
        {"ATmega32U4", WHOLE(SHORT, 0x7000), HIGH_32U4(ACCEPTS("0xD9", "0xDB"), "0xF3"),
         "expected 0x7800"},
        {"AT90USB1286", WHOLE(SHORT, 0x1E000), HIGH_32U4("0xDB", "0xF3"), "expected 0x1F000"},
        {"AT90USB1286", WHOLE(SHORT, 0x1E000), HIGH_32U4("0xD9", "0xF3"), NULL},
        /* BOOTRST starts it. In 4 KiB of it something stands wherever the section is. */
        {"ATmega328P", WHOLE(SHORT, 0) WHOLE(LONG, 0x6000), HIGH_328("0xDE"), "without a gap"},
        {"ATmega328P", WHOLE(SHORT, 0x7000), HIGH_328("0xDE"), "with BOOTSZ 2048 words it would"},
        {"ATmega328P", WHOLE(SHORT, 0x7000) WHOLE(SHORT, 0x7900), HIGH_328("0xDA"),
         "begins at 0x7000, expected 0x7800"},
        {"ATmega328P", WHOLE(SHORT, 0) WHOLE(SHORT, 0x7C00), HIGH_328("0xD8"),
         "begins at 0x7C00, expected 0x7000"},
        {"ATmega328P", WHOLE(SHORT, 0x7000) WHOLE(SHORT, 0x7E00), HIGH_328("0xDE"), NULL},
        /* Whether HWBE is on is not known: what starts at a reset may be the wrong place. */
        {"ATmega32U4", WHOLE(SHORT, 0x7000), HIGH_32U4("0xDB", "leave"), "expected 0x7800"},
        /* No reset starts it; it is said to be the application; no gap; no section is there. */
        {"ATmega32U4", WHOLE(SHORT, 0x7000), HIGH_32U4("0xDB", "0xFB"), NULL},
        {"ATmega328P", WHOLE(SHORT, 0x7000), HIGH_328("0xDF"), NULL},
        {"ATmega32U4", APP(SHORT, 0x7000), HIGH_32U4("0xDB", "0xF3"), NULL},
        {"ATmega32U4", WHOLE(LONG, 0x5000) WHOLE(SHORT, 0x7000), HIGH_32U4("0xDB", "0xF3"), NULL},
        {"ATmega32U4", WHOLE(SHORT, 0x6F50) WHOLE(SHORT, 0x7000), HIGH_32U4("0xDB", "0xF3"), NULL},
        {"ATmega32U4", WHOLE(SHORT, 0x7002), HIGH_32U4("0xDB", "0xF3"), NULL},
        {"ATmega32U4", WHOLE(SHORT, 0x6FF0), HIGH_32U4("0xDB", "0xF3"), NULL},
        {"ATmega32U4", WHOLE(BLANK, 0x7000), HIGH_32U4("0xDB", "0xF3"), NULL},
        {"ATmega32U4", WHOLE(SHORT, 0x7000), HIGH_32U4("leave", "0xF3"), NULL},
    };

    CHECK_CASES("bootloader-not-at-section", tests);
}

/* One that vectors enter may begin later in the section than a reset would. */
static void test_bootloader_by_vectors(void **state)
{
    static const struct rule_case later = {
        "ATmega328P", BOOT(SHORT, 0x7E80), HIGH_328("0xDF"),
        "begins at 0x7E80, expected 0x7E00, where the boot section starts; where the application's "
        "vectors enter it (urboot), accept_risk takes it"};
    static const struct rule_case others[] = {
        {"ATmega328P", BOOT(SHORT, 0x7E80), HIGH_328("0xDE"), NULL}, /* a reset enters it */
        {"ATmega328P", BOOT(SHORT, 0x7D80), HIGH_328("0xDF"), NULL}, /* SPM does not work there */
    };
    struct rules_bench *bench = *state;

    check_case(bench, "bootloader-not-at-section", &later);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        look(bench, &others[i], "");
        assert_non_null(rules_found(bench, "bootloader-not-at-section"));
        assert_null(strstr(rules_found(bench, "bootloader-not-at-section")->detail, "urboot"));
    }
}

static void test_application_in_boot_section(void **state)
{
    static const struct rule_case tests[] = {
        {"ATmega328P", APP(LONG, 0x5100) BOOT(SHORT, 0x7E00), HIGH_328("0xD8"),
         "long.bin reaches 0x70FF, expected below 0x7000"},
        {"ATmega328P", WHOLE(LONG, 0x5100) BOOT(SHORT, 0x7E00), HIGH_328("0xD8"), "below 0x7000"},
        {"ATmega328P", APP(LONG, 0x5000) BOOT(SHORT, 0x7000), HIGH_328("0xD8"), NULL},
        {"ATmega328P", APP(LONG, 0x5100) BOOT(SHORT, 0x7E00), HIGH_328("0xDE"), NULL},
        {"ATmega328P", APP(LONG, 0x5100) BOOT(SHORT, 0x7E00), HIGH_328(ACCEPTS("0xDE", "0xD8")),
         "below 0x7000"},
        /* No bootloader: it may have all of the flash. */
        {"ATmega328P", APP(LONG, 0x6000), HIGH_328("0xD9"), NULL},
        {"ATmega32U4", APP(SHORT, 0x7F00) BOOT(SHORT, 0x7000), HIGH_32U4("0xD8", "0xFB"),
         "reaches 0x7F3F"},
        {"ATmega8", APP(SHORT, 0x17C0) BOOT(SHORT, 0x1800), LOW_AND_HIGH("0xD8"), NULL},
        {"ATmega8", APP(SHORT, 0x17E0) BOOT(SHORT, 0x1E00), LOW_AND_HIGH("0xD8"),
         "reaches 0x181F, expected below 0x1800"},
        {"ATmega2560", APP(LONG, 0x3D000) BOOT(SHORT, 0x3FC00), HIGH_328("0xD8"),
         "reaches 0x3EFFF"},
        {"ATmega161", APP(SHORT, 0x3BF0) BOOT(SHORT, 0x3D00), "fuses: {fuse: 0x9A}\nlock: 0xFF",
         "below 0x3C00"},
    };

    CHECK_CASES("application-in-boot-section", tests);
}

static void test_bootloader_unreached(void **state)
{
    static const struct rule_case tests[] = {
        {"ATmega328P", BOOT(SHORT, 0x7E00), HIGH_328("0xDF"), "BOOTRST is off, so only"},
        {"ATmega328P", BOOT(SHORT, 0x7E00), HIGH_328("0xDE"), NULL},
        {"ATmega328P", BOOT(SHORT, 0x7E00), HIGH_328("leave"), NULL},
        {"ATmega328P", BOOT(SHORT, 0x7E00), HIGH_328(ACCEPTS("0xDE", "0xDF")), "only the"},
        /* Without a role what looks like one is, wherever the section is. */
        {"ATmega328P", WHOLE(SHORT, 0x7E00), HIGH_328("0xDF"),
         "start what begins at 0x7E00 in short.bin: turn BOOTRST on unless it does, or is no"},
        {"ATmega328P", WHOLE(SHORT, 0x7E00), HIGH_328("0xD9"), "what begins at 0x7E00"},
        {"ATmega328P", WHOLE(SHORT, 0x7E00), HIGH_328("0xDE"), NULL},
        {"ATmega328P", WHOLE(SHORT, 0x7D00), HIGH_328("0xDF"), NULL},
        {"ATmega328P", APP(SHORT, 0x7E00), HIGH_328("0xDF"), NULL},
        {"ATmega32U4", WHOLE(SHORT, 0x7000), HIGH_32U4("0xD9", "0xFB"), "what begins at 0x7000"},
        {"ATmega32U4", WHOLE(SHORT, 0x7000), HIGH_32U4("0xDB", "0xFB"), "what begins at 0x7000"},
        {"ATmega32U4", WHOLE(SHORT, 0x7000), HIGH_32U4("0xD9", "0xF3"), NULL},
        {"ATmega32U4", BOOT(SHORT, 0x7000), HIGH_32U4("0xD9", "0xFB"), "and so is HWBE"},
        {"ATmega32U4", BOOT(SHORT, 0x7000), HIGH_32U4("0xD9", "0xF3"), NULL},
        {"ATmega32U4", BOOT(SHORT, 0x7000), HIGH_32U4("0xD9", "leave"), NULL},
        {"ATmega32A", BOOT(SHORT, 0x7000), LOW_AND_HIGH("0xD1"), "short.bin"},
    };

    CHECK_CASES("bootloader-unreached", tests);
}

/* ---- lock bits of the sections ---- */

#define LOCK_328(high, lock) "fuses: {" LOW_AND_EXTENDED "high: " high "}\nlock: " lock

static void test_lock_hides(void **state)
{
    static const struct rule_case tests[] = {
        {"ATmega328P", BOOT(SHORT, 0x7E00), LOCK_328("0xDE", "0xFB"), "BLB0 forbids SPM"},
        {"ATmega328P", BOOT(SHORT, 0x7E00), LOCK_328("0xDE", "0xF3"), "BLB0 forbids SPM"},
        {"ATmega328P", BOOT(SHORT, 0x7E00), LOCK_328("0xDE", "0xF7"), "to read the application"},
        /* What protects the bootloader is right. */
        {"ATmega328P", BOOT(SHORT, 0x7E00), LOCK_328("0xDE", "0xEF"), NULL},
        {"ATmega328P", BOOT(SHORT, 0x7E00), LOCK_328("0xDE", "0xCF"), NULL},
        {"ATmega328P", BOOT(SHORT, 0x7E00), LOCK_328("0xDE", "0xFC"), NULL},
        {"ATmega328P", BOOT(SHORT, 0x7E00), LOCK_328("0xDE", "leave"), NULL},
        {"ATmega328P", BOOT(SHORT, 0x7E00), LOCK_328("0xDE", ACCEPTS("0xCF", "0xCB")),
         "BLB0 forbids SPM"},
        {"ATmega328P", BOOT(SHORT, 0x7E00), LOCK_328("0xDE", ACCEPTS("0xCF", "0xFF")), NULL},
        {"ATmega328P", BOOT(SHORT, 0x7E00), LOCK_328("leave", "0xFB"), "BLB0 forbids SPM"},
        /* A file that holds both. */
        {"ATmega328P", WHOLE(SHORT, 0x7000), LOCK_328("0xD8", "0xFB"), "BLB0 forbids SPM"},
        {"ATmega32U4", WHOLE(SHORT, 0x7000),
         "fuses: {low: 0x5E, high: 0xD9, extended: 0xF3}\nlock: 0xFB", "BLB0 forbids SPM"},
        {"ATmega32U4", WHOLE(SHORT, 0x7000),
         "fuses: {low: 0x5E, high: 0xD9, extended: 0xFB}\nlock: 0xFB", NULL},
        /* No bootloader: a program in both sections, or in one. */
        {"ATmega328P", APP(LONG, 0x6000), LOCK_328("0xD9", "0xF7"), "BLB0 forbids LPM across"},
        {"ATmega328P", APP(LONG, 0x6000), LOCK_328("0xD9", "0xCF"),
         "BLB1 forbids LPM across 0x7000"},
        {"ATmega328P", APP(LONG, 0x6000), LOCK_328("0xD9", "0xEB"), NULL},
        {"ATmega328P", APP(LONG, 0x5000), LOCK_328("0xD9", "0xC3"), NULL},
        {"ATmega8", BOOT(SHORT, 0x1800), "fuses: {low: 0xFF, high: 0xD8}\nlock: 0xFB",
         "BLB0 forbids SPM"},
        {"ATmega2560", BOOT(SHORT, 0x3E000), LOCK_328("0xD8", "0xCF"), NULL},
        {"ATmega2560", BOOT(SHORT, 0x3E000), LOCK_328("0xD8", "0xC3"), "BLB0 forbids SPM"},
        {"ATtiny85", BOOT(SHORT, 0x1800),
         "fuses: {low: 0x62, high: 0xDF, extended: 0xFE}\nlock: 0xFC", NULL},
    };

    CHECK_CASES("lock-hides", tests);
}

#define CAN_128(extended) "fuses: {low: 0x62, high: 0x99, extended: " extended "}\nlock: 0xFF"

static void test_test_bit(void **state)
{
    static const struct rule_case tests[] = {
        {"AT90CAN128", APP(SHORT, 0), CAN_128("0xFF"), NULL},
        {"AT90CAN128", APP(SHORT, 0), CAN_128("0xFE"), "TA0SEL is on; give TA0SEL off"},
        {"AT90CAN128", APP(SHORT, 0), CAN_128("{TA0SEL: on, BODLEVEL: off}"), "TA0SEL is on"},
        {"AT90CAN128", APP(SHORT, 0), CAN_128("leave"), NULL},
        {"AT90CAN128", APP(SHORT, 0), CAN_128(ACCEPTS("0xFF", "0xFE")), "TA0SEL is on"},
        {"ATmega328P", APP(SHORT, 0), HIGH_328("0xD9"), NULL},
    };

    CHECK_CASES("test-bit", tests);
}

static void test_selfprgen(void **state)
{
    static const struct rule_case tests[] = {
        {"ATtiny85", BOOT(SHORT, 0x1800),
         "fuses: {low: 0x62, high: 0xDF, extended: 0xFF}\nlock: 0xFF", "SELFPRGEN is off"},
        {"ATtiny85", BOOT(SHORT, 0x1800),
         "fuses: {low: 0x62, high: 0xDF, extended: 0xFE}\nlock: 0xFF", NULL},
        {"ATtiny85", BOOT(SHORT, 0x1800),
         "fuses: {low: 0x62, high: 0xDF, extended: leave}\nlock: 0xFF", NULL},
        {"ATtiny85", BOOT(SHORT, 0x1800),
         "fuses: {low: 0x62, high: 0xDF, extended: " ACCEPTS("0xFE", "0xFF") "}\nlock: 0xFF",
         "SELFPRGEN is off"},
        {"ATtiny85", APP(SHORT, 0), "fuses: {low: 0x62, high: 0xDF, extended: 0xFF}\nlock: 0xFF",
         NULL},
        {"ATmega328P", BOOT(SHORT, 0x7E00), HIGH_328("0xDE"), NULL},
    };

    CHECK_CASES("selfprgen", tests);
}

/* ---- EEPROM ---- */

#define EEPROM_328(high, eeprom) HIGH_328(high) "\neeprom: " eeprom

static void test_eesave(void **state)
{
    static const struct rule_case tests[] = {
        {"ATmega328P", APP(SHORT, 0), EEPROM_328("0xD9", "keep"), "EESAVE is off, but the EEPROM"},
        {"ATmega328P", APP(SHORT, 0), EEPROM_328("0xD1", "keep"), NULL},
        {"ATmega328P", APP(SHORT, 0), EEPROM_328("leave", "keep"), NULL},
        {"ATmega328P", APP(SHORT, 0), EEPROM_328(ACCEPTS("0xD1", "0xD9"), "keep"), "EESAVE is off"},
        {"ATmega328P", APP(SHORT, 0), EEPROM_328(ACCEPTS("0xD1", "0xD3"), "keep"), NULL},
        /* Nothing of it is to be kept, or the station itself puts it back. */
        {"ATmega328P", APP(SHORT, 0), EEPROM_328("0xD9", "{keep: restore}"), NULL},
        {"ATmega328P", APP(SHORT, 0), EEPROM_328("0xD9", "erase"), NULL},
        {"ATmega328P", APP(SHORT, 0), EEPROM_328("0xD1", "erase"), NULL},
        {"ATmega328P", APP(SHORT, 0),
         EEPROM_328("0xD9", "{file: short.bin, format: bin, address: 0}"), NULL},
        {"ATmega8", APP(SHORT, 0), LOW_AND_HIGH("0xD9") "\neeprom: {keep: refuse}", "EESAVE"},
        {"ATmega8", APP(SHORT, 0), LOW_AND_HIGH("0xD1") "\neeprom: {keep: refuse}", NULL},
        {"ATtiny85", APP(SHORT, 0),
         "fuses: {low: 0x62, high: 0xDF, extended: 0xFF}\nlock: 0xFF\neeprom: keep",
         "EESAVE is off"},
        {"ATmega2560", APP(SHORT, 0), HIGH_328("0xD9") "\neeprom: keep", "EESAVE is off"},
        /* No fuse keeps it there. */
        {"ATmega161", APP(SHORT, 0), "fuses: {fuse: 0xDA}\nlock: 0xFF\neeprom: keep", NULL},
    };

    CHECK_CASES("eesave", tests);
}

static void test_eesave_elsewhere(void **state)
{
    static const struct rule_case tests[] = {
        {"ATmega328P", APP(SHORT, 0), EEPROM_328("0xD9", "{keep: restore}"), "other programmers"},
        {"ATmega328P", APP(SHORT, 0), EEPROM_328("0xD1", "{keep: restore}"), NULL},
        {"ATmega328P", APP(SHORT, 0), EEPROM_328("0xD1", "erase"), "outlives the erase"},
        {"ATmega328P", APP(SHORT, 0), EEPROM_328("0xD9", "erase"), NULL},
        {"ATmega328P", APP(SHORT, 0), EEPROM_328("leave", "erase"), NULL},
        {"ATmega328P", APP(SHORT, 0), EEPROM_328("0xD9", "keep"), NULL},
        {"ATmega328P", APP(SHORT, 0), EEPROM_328(ACCEPTS("0xD9", "0xD1"), "erase"), "outlives"},
        {"ATmega32A", WHOLE(SHORT, 0x7000), LOW_AND_HIGH("0xC0") "\neeprom: erase", "outlives"},
        {"ATmega161", APP(SHORT, 0), "fuses: {fuse: 0xDA}\nlock: 0xFF\neeprom: erase", NULL},
    };

    CHECK_CASES("eesave-elsewhere", tests);
}

/* ---- the lock byte ---- */

static void test_lock_forbids(void **state)
{
    static const struct rule_case tests[] = {
        {"ATmega328P", APP(SHORT, 0), LOCK_328("0xD9", "0xFC") "\nif_already: pass",
         "LB hides the memories, but if_already: pass"},
        {"ATmega328P", APP(SHORT, 0), LOCK_328("0xD9", "0xFC") "\nif_already: refuse",
         "if_already: refuse"},
        {"ATmega328P", APP(SHORT, 0), LOCK_328("0xD9", "0xFC") "\nif_already: redo", NULL},
        {"ATmega328P", APP(SHORT, 0), LOCK_328("0xD9", "0xFD") "\nif_already: pass", "LB hides"},
        {"ATmega328P", APP(SHORT, 0), LOCK_328("0xD9", "0xFE") "\nif_already: pass", NULL},
        {"ATmega328P", APP(SHORT, 0), LOCK_328("0xD9", "0xFF") "\nif_already: pass", NULL},
        {"ATmega328P", APP(SHORT, 0), LOCK_328("0xD9", "leave") "\nif_already: pass", NULL},
        {"ATmega328P", APP(SHORT, 0),
         LOCK_328("0xD9", ACCEPTS("0xFF", "0xFC")) "\nif_already: pass", "LB hides"},
        {"ATmega328P", APP(SHORT, 0),
         LOCK_328("0xD9", ACCEPTS("0xFF", "0xFE")) "\nif_already: pass", NULL},
        {"ATmega328P", APP(SHORT, 0), LOCK_328("0xD9", "0xFC") "\neeprom: {keep: restore}",
         "LB hides the EEPROM, which is to be kept"},
        {"ATmega328P", APP(SHORT, 0), LOCK_328("0xD9", "0xFC") "\neeprom: keep", "LB hides"},
        {"ATmega328P", APP(SHORT, 0), LOCK_328("0xD1", "0xFC") "\neeprom: {keep: restore}", NULL},
        {"ATmega328P", APP(SHORT, 0), LOCK_328("leave", "0xFC") "\neeprom: {keep: restore}", NULL},
        {"ATmega328P", APP(SHORT, 0), LOCK_328("0xD9", "0xFE") "\neeprom: {keep: restore}", NULL},
        {"ATmega328P", APP(SHORT, 0), LOCK_328("0xD9", "0xFC") "\neeprom: erase", NULL},
        /* No EESAVE: whatever is locked is lost. */
        {"ATmega161", APP(SHORT, 0), "fuses: {fuse: 0xDA}\nlock: 0xFC\neeprom: {keep: restore}",
         "LB hides the EEPROM"},
        {"ATmega8", APP(SHORT, 0), "fuses: {low: 0xFF, high: 0xD9}\nlock: 0xFC\nif_already: pass",
         "LB hides"},
        {"ATtiny85", APP(SHORT, 0), "fuses: {low: 0x62, high: 0x9F, extended: 0xFF}\nlock: 0xFE",
         "DWEN is on, but debugWIRE"},
        {"ATtiny85", APP(SHORT, 0), "fuses: {low: 0x62, high: 0x9F, extended: 0xFF}\nlock: 0xFF",
         NULL},
        {"ATtiny85", APP(SHORT, 0), "fuses: {low: 0x62, high: 0xDF, extended: 0xFF}\nlock: 0xFE",
         NULL},
    };

    CHECK_CASES("lock-forbids", tests);
}

static void test_lock_mode(void **state)
{
    static const struct rule_case tests[] = {
        {"ATmega328P", APP(SHORT, 0), LOCK_328("0xD9", "0xFD"), "LB is 01, which is none of the"},
        {"ATmega328P", APP(SHORT, 0), LOCK_328("0xD9", "0xFD") "\nif_already: redo", "LB is 01"},
        {"ATmega328P", APP(SHORT, 0), LOCK_328("0xD9", ACCEPTS("0xFF", "0xCD")), "LB is 01"},
        {"ATmega328P", APP(SHORT, 0), LOCK_328("0xD9", "0xFC"), NULL},
        {"ATmega328P", APP(SHORT, 0), LOCK_328("0xD9", "0xFE"), NULL},
        {"ATmega328P", APP(SHORT, 0), LOCK_328("0xD9", "0xFF"), NULL},
        {"ATmega328P", APP(SHORT, 0), LOCK_328("0xD9", "leave"), NULL},
        {"ATtiny85", APP(SHORT, 0), "fuses: {low: 0x62, high: 0xDF, extended: 0xFF}\nlock: 0xFD",
         "LB is 01"},
        /* LB one bit further left. */
        {"ATtiny12", APP(SHORT, 0), "fuses: {fuse: 0x52}\nlock: 0xFB", "LB is 01"},
        {"ATtiny12", APP(SHORT, 0), "fuses: {fuse: 0x52}\nlock: 0xFD", NULL},
    };

    CHECK_CASES("lock-mode", tests);
}

/* ---- bits and signatures ---- */

#define FUSES_128(extended) "fuses: {low: 0xFF, high: 0xD9, extended: " extended "}\nlock: 0xFF"

static void test_compatibility(void **state)
{
    static const struct rule_case tests[] = {
        {"ATmega128", APP(SHORT, 0), FUSES_128("0xFD"),
         "M103C is on: the part behaves as an ATmega103: no extended I/O, another stack; give "
         "M103C "
         "off"},
        {"ATmega128A", APP(SHORT, 0), FUSES_128("leave"),
         "M103C is left as found, and on from the factory: the part behaves"},
        {"ATmega64", APP(SHORT, 0), FUSES_128(ACCEPTS("0xFF", "0xFD")), "M103C is on"},
        {"ATmega64", APP(SHORT, 0), FUSES_128("0xFF"), NULL},
        {"ATmega162", APP(SHORT, 0), FUSES_128("0xEF"), "M161C is on"},
        {"ATmega162", APP(SHORT, 0), FUSES_128("leave"), NULL},
        {"ATmega8515", APP(SHORT, 0), LOW_AND_HIGH("0x59"), "S8515C is on"},
        {"ATmega8515", APP(SHORT, 0), LOW_AND_HIGH("0xD9"), NULL},
        {"ATmega8515", APP(SHORT, 0), LOW_AND_HIGH("leave"), NULL},
        {"ATmega8535", APP(SHORT, 0), LOW_AND_HIGH("0x59"), "S8535C is on"},
        {"ATmega8535", APP(SHORT, 0), LOW_AND_HIGH("0xD9"), NULL},
        {"ATmega328P", APP(SHORT, 0), HIGH_328("0xD9"), NULL},
    };

    CHECK_CASES("compatibility", tests);
}

static void test_missing_bits(void **state)
{
    static const struct rule_case tests[] = {
        {"ATmega328P", APP(SHORT, 0), "fuses: {low: 0xFF, high: 0xD9, extended: 0x05}\nlock: 0xFF",
         "0x05 gives 0 for the bits 0xF8, which extended of ATmega328P does not have: expected "
         "0xFD"},
        {"ATmega328P", APP(SHORT, 0), HIGH_328("0xD9"), NULL},
        {"ATmega328P", APP(SHORT, 0), LOCK_328("0xD9", "0x0F"), "expected 0xCF"},
        {"ATmega328P", APP(SHORT, 0), LOCK_328("0xD9", "0x7F"), "bits 0x80"},
        {"ATmega328P", APP(SHORT, 0), LOCK_328("0xD9", "0xBF"), "bits 0x40"},
        {"ATmega328P", APP(SHORT, 0),
         "fuses: {low: 0xFF, high: 0xD9, extended: " ACCEPTS("0xFD", "0x07") "}\nlock: 0xFF",
         "expected 0xFF"},
        {"ATmega32U4", APP(SHORT, 0), HIGH_32U4("0xD9", "0xC3"), "expected 0xF3"},
        {"ATmega32U4", APP(SHORT, 0), HIGH_32U4("0xD9", "0xF3"), NULL},
        {"ATtiny85", APP(SHORT, 0), "fuses: {low: 0x62, high: 0xDF, extended: 0x01}\nlock: 0xFF",
         "bits 0xFE"},
        {"ATtiny85", APP(SHORT, 0), "fuses: {low: 0x62, high: 0xDF, extended: leave}\nlock: 0x03",
         "bits 0xFC, which lock of ATtiny85"},
        {"ATmega8", APP(SHORT, 0), "fuses: {low: 0x00, high: 0xD9}\nlock: 0xC0", NULL},
    };

    CHECK_CASES("missing-bits", tests);
}

static void test_shared_signature(void **state)
{
    static const struct rule_case tests[] = {
        {"ATmega328P", APP(SHORT, 0), HIGH_328("0xD9"),
         "1E 95 0F is also the signature of ATA6614Q and LGT8F328P: the station cannot"},
        {"AT90USB1286", APP(SHORT, 0), HIGH_32U4("0xD9", "0xF3"), "of AT90USB1287: "},
        {"ATmega8", APP(SHORT, 0), LOW_AND_HIGH("0xD9"), "ATmega8A"},
        {"ATmega32A", APP(SHORT, 0), LOW_AND_HIGH("0xD9"), "of ATmega32: "},
        {"ATA5505", APP(SHORT, 0), "fuses: {low: 0x62, high: 0xDF, extended: 0xFF}\nlock: 0xFF",
         "ATA6617C, ATA664251 and ATtiny167"},
        {"ATmega32U4", APP(SHORT, 0), HIGH_32U4("0xD9", "0xF3"), NULL},
        {"ATmega2560", APP(SHORT, 0), HIGH_328("0xD9"), NULL},
        {"ATtiny85", APP(SHORT, 0), "fuses: {low: 0x62, high: 0xDF, extended: 0xFF}\nlock: 0xFF",
         NULL},
    };

    CHECK_CASES("shared-signature", tests);
}

/* ---- the table of signatures is the part files' ---- */

struct signatures {
    char names[256][64];
    uint8_t bytes[256][3];
    size_t count;
};

static void note_signature(const char *name, void *context)
{
    struct signatures *all = context;
    struct part *part = NULL;
    struct failure failure = {0};

    assert_true(all->count < 256);
    if (part_load(SHIPPED_PARTS_DIRECTORY, name, &part, &failure) != 0)
        fail_msg("%s", failure.detail);
    snprintf(all->names[all->count], sizeof all->names[0], "%s", name);
    memcpy(all->bytes[all->count++], part->signature, 3);
    part_free(part);
}

/* Is `name` one of those in "A, B and C"? */
static bool names(const char *text, const char *name)
{
    size_t length = strlen(name);

    for (const char *at = strstr(text, name); at != NULL; at = strstr(at + 1, name))
        if ((at == text || at[-1] == ' ') && strchr(", ", at[length]) != NULL)
            return true;
    return false;
}

static size_t count_names(const char *text)
{
    size_t count = text[0] != '\0';

    for (const char *at = text; *at != '\0'; at++)
        count += *at == ',' || strncmp(at, " and ", 5) == 0;
    return count;
}

static void test_signatures_of_all_parts(void **state)
{
    static const char *const clones[] = {"LGT8F88P", "LGT8F168P", "LGT8F328P"};
    static struct signatures all;

    (void)state;
    all.count = 0;
    check_shipped_parts(note_signature, &all);
    for (size_t i = 0; i < all.count; i++) {
        char others[120];
        size_t expected = 0;
        bool any = part_signatures_others(all.bytes[i], all.names[i], others, sizeof others);

        for (size_t j = 0; j < all.count; j++) {
            bool same = j != i && memcmp(all.bytes[i], all.bytes[j], 3) == 0;

            if (names(others, all.names[j]) != same)
                fail_msg("%s and %s: '%s'", all.names[i], all.names[j], others);
            expected += same;
        }
        for (size_t j = 0; j < sizeof clones / sizeof *clones; j++)
            expected += names(others, clones[j]);
        if (count_names(others) != expected || any != (expected > 0))
            fail_msg("%s: '%s', expected %zu", all.names[i], others, expected);
    }
}

/* ---- severities, and risks that are accepted ---- */

static void test_severities(void **state)
{
    static const char *const refused[] = {"bootrst-without-bootloader",
                                          "bootloader-not-at-section",
                                          "application-in-boot-section",
                                          "lock-hides",
                                          "selfprgen",
                                          "eesave",
                                          "lock-forbids",
                                          "lock-mode",
                                          "test-bit"};
    static const char *const warned[] = {"bootloader-unreached", "eesave-elsewhere",
                                         "compatibility", "missing-bits", "shared-signature"};

    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        assert_int_equal(fuse_rules_find(refused[i])->severity, FUSE_RULE_REFUSES);
        assert_true(fuse_rules_find(refused[i])->may_be_accepted);
    }
    for (size_t i = 0; i < sizeof warned / sizeof *warned; i++)
        assert_int_equal(fuse_rules_find(warned[i])->severity, FUSE_RULE_WARNS);
}

/* A refused rule holds the lot until it is accepted by name; then the finding says which risk. */
#define CRYSTAL "board: {clock: crystal 16 MHz}\n"

static void test_accepted_risk(void **state)
{
    static const struct rule_case keep = {"ATmega328P", APP(SHORT, 0), EEPROM_328("0xD9", "keep"),
                                          NULL};
    struct rules_bench *bench = *state;
    struct failure failure = {0};

    look(bench, &keep, CRYSTAL);
    assert_int_equal(fuse_findings_judge(bench->profile, &bench->findings, &failure), -1);
    assert_int_equal(failure.code, FAILURE_RULE_REFUSED);
    assert_non_null(strstr(failure.detail, "rule eesave: high 0xD9: EESAVE is off"));
    look(bench, &keep, CRYSTAL "accept_risk: {rule: eesave, because: boards are blank}\n");
    assert_int_equal(fuse_findings_judge(bench->profile, &bench->findings, &failure), 0);
    assert_string_equal(rules_found(bench, "eesave")->risk->because, "boards are blank");
}

/* Where it stands: the byte's value, written or accepted, or the image. */
static void test_places(void **state)
{
    static const struct {
        struct rule_case test;
        const char *rule;
        int line, column;
    } tests[] = {
        {{"ATmega328P", BOOT(SHORT, 0x7000),
          "fuses:\n  low: 0xFF\n  high: 0xDE\n"
          "  extended: 0xFD\nlock: 0xFF",
          NULL},
         "bootloader-not-at-section",
         11,
         9},
        {{"ATmega328P", BOOT(SHORT, 0x7E00),
          "fuses:\n  low: 0xFF\n  extended: 0xFD\n"
          "  high: {write: 0xDE, accept: [0xDF, 0xDC], because: test}\nlock: 0xFF",
          NULL},
         "bootloader-not-at-section",
         12,
         38},
        {{"ATmega328P", BOOT(SHORT, 0x7000) APP(SHORT, 0x7100), HIGH_328("0xD8"), NULL},
         "application-in-boot-section",
         9,
         5},
        {{"ATmega161", BOOT(SHORT, 0x3000), "fuses: {fuse: 0x9A}\nlock: 0xFF", NULL},
         "bootloader-not-at-section",
         8,
         5},
        {{"ATmega328P", APP(SHORT, 0), LOCK_328("0xD9", "0xFC") "\neeprom: {keep: restore}", NULL},
         "lock-forbids",
         11,
         9},
        {{"ATmega128", APP(SHORT, 0),
          "fuses:\n  low: 0xFF\n  high: 0xD9\n  extended: leave\nlock: 0xFF", NULL},
         "compatibility",
         12,
         13},
    };
    struct rules_bench *bench = *state;

    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++) {
        look(bench, &tests[i].test, "");
        const struct fuse_finding *found = rules_found(bench, tests[i].rule);

        assert_non_null(found);
        if (found->position.line != tests[i].line || found->position.column != tests[i].column)
            fail_msg("%s: %d:%d, expected %d:%d", tests[i].rule, found->position.line,
                     found->position.column, tests[i].line, tests[i].column);
    }
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, rules_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_bootrst_without_bootloader),
        TEST(test_bootloader_not_at_section),
        TEST(test_bootloader_of_whole_image),
        TEST(test_bootloader_by_vectors),
        TEST(test_application_in_boot_section),
        TEST(test_bootloader_unreached),
        TEST(test_lock_hides),
        TEST(test_selfprgen),
        TEST(test_test_bit),
        TEST(test_eesave),
        TEST(test_eesave_elsewhere),
        TEST(test_lock_forbids),
        TEST(test_lock_mode),
        TEST(test_compatibility),
        TEST(test_missing_bits),
        TEST(test_shared_signature),
        TEST(test_signatures_of_all_parts),
        TEST(test_severities),
        TEST(test_accepted_risk),
        TEST(test_places),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
