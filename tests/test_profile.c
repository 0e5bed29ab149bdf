/* Board profiles: what is taken, the shipped ones, and every mistake with its place. */
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiles/profile.h"

#define PARTS TEST_SOURCE_DIR "/profiles/parts"
#define BOARDS TEST_SOURCE_DIR "/profiles/boards"

#define IMAGES_TEXT                                                                                \
    "images:\n"                                                                                    \
    "  - {file: app.hex, role: application}\n"                                                     \
    "  - {file: boot.hex, role: bootloader}\n"
#define FUSES_TEXT                                                                                 \
    "fuses:\n"                                                                                     \
    "  low: 0x5E\n"                                                                                \
    "  high: {write: 0xD9, accept: [0x99], because: JTAG is off anyway}\n"                         \
    "  extended: 0xC3\n"

static const char good[] =
    "format: 1\n"
    "profile: planck-rev4\n"
    "article: KB-0417-B\n"
    "revision: 3\n"
    "via: isp\n"
    "part: ATmega32U4\n"
    "signature: 1E 95 87\n"
    "board: {clock: crystal 16 MHz, supply: 5 V}\n" IMAGES_TEXT FUSES_TEXT "lock: 0xFF\n"
    "eeprom: erase\n"
    "retry: {contact: 2, verify: 1}\n";

/* "abc" at 0, "xyz" at 0x7000. */
#define APP_HEX ":03000000616263D7\n:00000001FF\n"
#define BOOT_HEX ":0370000078797A22\n:00000001FF\n"
#define APP_SHA256 "6a102039912d8c3246d0aacfff2fa04dd8d8737331ef123c124807b517c364a4"
#define BOOT_SHA256 "f80b49ec4e8cd5ec27d357542422e0537a72fb65af840a43c58ddfa01b74b3fa"

/* A directory with profile.yaml and its images. */
struct bench {
    char directory[64];
    char path[80];
};

static void write_file(const struct bench *bench, const char *name, const char *text)
{
    char path[160];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", bench->directory, name);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof(*bench));

    assert_non_null(bench);
    snprintf(bench->directory, sizeof(bench->directory), "/tmp/test-profile-XXXXXX");
    assert_non_null(mkdtemp(bench->directory));
    snprintf(bench->path, sizeof(bench->path), "%s/profile.yaml", bench->directory);
    write_file(bench, "app.hex", APP_HEX);
    write_file(bench, "boot.hex", BOOT_HEX);
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;
    char pattern[160];
    glob_t files;

    snprintf(pattern, sizeof(pattern), "%s/*", bench->directory);
    if (glob(pattern, 0, NULL, &files) == 0) {
        for (size_t i = 0; i < files.gl_pathc; i++)
            unlink(files.gl_pathv[i]);
        globfree(&files);
    }
    rmdir(bench->directory);
    free(bench);
    return 0;
}

static char *replace(const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from);
    char *made = NULL;

    if (!at)
        fail_msg("no \"%s\" in the text", from);
    assert_true(asprintf(&made, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from)) > 0);
    return made;
}

static int load_text(const struct bench *bench, const char *text, struct profile **profile,
                     struct failure *failure)
{
    write_file(bench, "profile.yaml", text);
    return profile_load(bench->path, PARTS, profile, failure);
}

static struct profile *load_good(const struct bench *bench, const char *from, const char *to)
{
    char *text = replace(good, from, to);
    struct profile *profile = NULL;
    struct failure failure = {0};

    if (load_text(bench, text, &profile, &failure) != 0)
        fail_msg("%s", failure.detail);
    free(text);
    return profile;
}

/* ---- what is taken ---- */

static void test_good(void **state)
{
    struct profile *profile = load_good(*state, "", "");
    const struct profile_byte_rule *high = profile_rule(profile, PART_FUSE_HIGH);

    assert_string_equal(profile->name, "planck-rev4");
    assert_string_equal(profile->article, "KB-0417-B");
    assert_string_equal(profile->revision, "3");
    assert_string_equal(profile->via, "isp");
    assert_string_equal(profile->part->name, "ATmega32U4");
    assert_string_equal(profile->clock_text, "crystal 16 MHz");
    assert_int_equal(profile->clock_hz, 16000000);
    assert_int_equal(profile->supply_mv, 5000);
    assert_int_equal(profile->source_count, 2);
    assert_string_equal(profile->sources[1].role, "bootloader");
    assert_string_equal(profile->sources[1].sha256, BOOT_SHA256);
    assert_int_equal(profile->sources[1].byte_count, 3);
    assert_int_equal(profile->sources[1].first_address, 0x7000);
    assert_int_equal(profile->sources[1].last_address, 0x7002);
    assert_int_equal(profile->flash->count, 6);
    assert_memory_equal(profile->flash->data + 0x7000, "xyz", 3);
    assert_int_equal(high->write, 0xD9);
    assert_int_equal(high->accept_count, 1);
    assert_int_equal(high->accept[0], 0x99);
    assert_string_equal(high->because, "JTAG is off anyway");
    assert_int_equal(profile_rule(profile, PART_FUSE_EXTENDED)->write, 0xC3);
    assert_int_equal(profile_rule(profile, PART_LOCK)->write, 0xFF);
    assert_null(profile_rule(profile, PART_FLASH));
    assert_int_equal(profile->eeprom_policy, PROFILE_EEPROM_ERASE);
    assert_int_equal(profile->retry_contact, 2);
    assert_int_equal(profile->retry_verify, 1);
    assert_false(profile->verify_whole);
    profile_free(profile);
}

static void test_defaults(void **state)
{
    struct profile *profile =
        load_good(*state, "eeprom: erase\nretry: {contact: 2, verify: 1}\n", "");

    assert_int_equal(profile->eeprom_policy, PROFILE_EEPROM_ERASE);
    assert_int_equal(profile->if_already, PROFILE_IF_ALREADY_REDO);
    assert_int_equal(profile->retry_contact, 3);
    assert_int_equal(profile->retry_verify, 0);
    assert_false(profile->verify_whole);
    profile_free(profile);
    profile =
        load_good(*state, "signature: 1E 95 87\nboard: {clock: crystal 16 MHz, supply: 5 V}\n", "");
    assert_int_equal(profile->clock_hz, 0);
    assert_int_equal(profile->supply_mv, 0);
    assert_string_equal(profile->clock_text, "");
    profile_free(profile);
}

static void test_leave_and_whole(void **state)
{
    struct profile *profile = load_good(*state, "extended: 0xC3\nlock: 0xFF\neeprom: erase",
                                        "extended: leave\nlock: {write: 0xCF, because: shop rule}\n"
                                        "verify: whole\neeprom: keep");

    assert_true(profile_rule(profile, PART_FUSE_EXTENDED)->leave);
    assert_false(profile_rule(profile, PART_LOCK)->leave);
    assert_int_equal(profile_rule(profile, PART_LOCK)->write, 0xCF);
    assert_true(profile->verify_whole);
    assert_int_equal(profile->eeprom_policy, PROFILE_EEPROM_KEEP);
    profile_free(profile);
}

#define HIGH_TEXT "{write: 0xD9, accept: [0x99], because: JTAG is off anyway}"
#define HIGH_WORDS                                                                                 \
    "BOOTRST: off, BOOTSZ: 2048 words, EESAVE: off, WDTON: off, SPIEN: on, JTAGEN: off, "          \
    "OCDEN: off"

/* The same byte as a number, as fields, as both; and what is accepted as the fields that differ. */
static void test_fuses_in_words(void **state)
{
    static const char *const highs[] = {
        "{" HIGH_WORDS ", accept: [{JTAGEN: on}], because: JTAG is off anyway}",
        "{write: 0xD9, BOOTSZ: 2048 words, JTAGEN: off, accept: [{JTAGEN: on}], because: x}",
        "{write: 0xD9, accept: [{JTAGEN: on, BOOTSZ: 2048W_3800}], because: JTAG is off anyway}",
    };

    for (size_t i = 0; i < sizeof(highs) / sizeof(highs[0]); i++) {
        struct profile *profile = load_good(*state, HIGH_TEXT, highs[i]);
        const struct profile_byte_rule *high = profile_rule(profile, PART_FUSE_HIGH);

        assert_int_equal(high->write, 0xD9);
        assert_int_equal(high->accept_count, 1);
        assert_int_equal(high->accept[0], 0x99);
        profile_free(profile);
    }
    /* Bits that do not exist are written as 1. */
    struct profile *profile =
        load_good(*state, "extended: 0xC3", "extended: {BODLEVEL: 2.6 V, HWBE: on}");
    assert_int_equal(profile_rule(profile, PART_FUSE_EXTENDED)->write, 0xF3);
    profile_free(profile);
}

static void test_clocks(void **state)
{
    static const struct {
        const char *text;
        int64_t hz;
    } clocks[] = {{"internal 8 MHz", 8000000},   {"external 18.432 MHz", 18432000},
                  {"crystal 32.768 kHz", 32768}, {"resonator 14.7456 MHz", 14745600},
                  {"internal 128 kHz", 128000},  {"internal 32 kHz", 32000},
                  {"rc-network 1 MHz", 1000000}};

    for (size_t i = 0; i < sizeof(clocks) / sizeof(clocks[0]); i++) {
        struct profile *profile = load_good(*state, "crystal 16 MHz", clocks[i].text);

        assert_int_equal(profile->clock_hz, clocks[i].hz);
        profile_free(profile);
    }
}

static void test_rework(void **state)
{
    static const struct {
        const char *text;
        enum profile_eeprom eeprom;
        enum profile_if_already if_already;
        bool keeps;
    } tests[] = {
        {"eeprom: keep", PROFILE_EEPROM_KEEP, PROFILE_IF_ALREADY_REDO, true},
        {"eeprom: {keep: refuse}", PROFILE_EEPROM_KEEP, PROFILE_IF_ALREADY_REDO, true},
        {"eeprom: {keep: restore}\nif_already: pass", PROFILE_EEPROM_RESTORE,
         PROFILE_IF_ALREADY_PASS, true},
        {"eeprom: erase\nif_already: refuse", PROFILE_EEPROM_ERASE, PROFILE_IF_ALREADY_REFUSE,
         false},
        {"eeprom: {file: app.hex}\nif_already: redo", PROFILE_EEPROM_FILE, PROFILE_IF_ALREADY_REDO,
         false},
    };

    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        struct profile *profile = load_good(*state, "eeprom: erase", tests[i].text);

        assert_int_equal(profile->eeprom_policy, tests[i].eeprom);
        assert_int_equal(profile->if_already, tests[i].if_already);
        assert_int_equal(profile_keeps_eeprom(profile), tests[i].keeps);
        profile_free(profile);
    }
}

static void test_eeprom_file(void **state)
{
    struct profile *plain = load_good(*state, "", "");
    struct profile *profile =
        load_good(*state, "eeprom: erase", "eeprom: {file: app.hex, sha256: " APP_SHA256 "}");

    assert_int_equal(profile->eeprom_policy, PROFILE_EEPROM_FILE);
    assert_int_equal(profile->eeprom->size, 1024);
    assert_memory_equal(profile->eeprom->data, "abc", 3);
    assert_non_null(strstr(profile->eeprom_source.path, "/app.hex"));
    assert_string_equal(profile->eeprom_source.sha256, APP_SHA256);
    assert_int_equal(profile->eeprom_source.format, IMAGE_FORMAT_HEX);
    assert_int_equal(profile->eeprom_source.byte_count, 3);
    assert_int_equal(profile->eeprom_source.last_address, 2);
    assert_null(plain->eeprom_source.path);
    assert_int_equal(strlen(profile->image_sha256), 64);
    assert_string_not_equal(profile->image_sha256, plain->image_sha256);
    assert_string_not_equal(profile->sha256, plain->sha256);
    profile_free(profile);
    profile_free(plain);
}

/* The digest is of what is written, not of how the files say it. */
static void test_image_digest(void **state)
{
    const struct bench *bench = *state;
    struct profile *two = load_good(bench, "", ""), *one;

    write_file(bench, "both.hex", ":0370000078797A22\n:03000000616263D7\n:00000001FF\n");
    one = load_good(
        bench, "  - {file: app.hex, role: application}\n  - {file: boot.hex, role: bootloader}",
        "  - file: both.hex");
    assert_string_equal(one->image_sha256, two->image_sha256);
    profile_free(one);
    profile_free(two);
}

static void test_absolute_image_path(void **state)
{
    const struct bench *bench = *state;
    char to[200];
    struct profile *profile;

    snprintf(to, sizeof(to), "file: %s/app.hex", bench->directory);
    profile = load_good(bench, "file: app.hex", to);
    assert_int_equal(profile->flash->count, 6);
    profile_free(profile);
}

/* ---- mistakes ---- */

static const struct {
    const char *from, *to;
    const char *place; /* after the path */
    const char *reason;
} mistakes[] = {
    /* keys */
    {"format: 1\n", "", ":1:1: ", "the key 'format' is missing"},
    {"format: 1", "format: 2", ":1:9: ", "found '2', expected the number 1"},
    {"profile: planck-rev4\n", "", ":1:1: ", "the key 'profile' is missing"},
    {"article: KB-0417-B\n", "", ":1:1: ", "the key 'article' is missing"},
    {"revision: 3\n", "", ":1:1: ", "the key 'revision' is missing"},
    {"via: isp\n", "", ":1:1: ", "the key 'via' is missing"},
    {"part: ATmega32U4\n", "", ":1:1: ", "the key 'part' is missing"},
    {"lock: 0xFF\n", "", ":1:1: ", "the key 'lock' is missing"},
    {"lock: 0xFF\n", "lokc: 0xFF\n", ":16:1: ", "unknown key 'lokc', did you mean 'lock'"},
    {"lock: 0xFF\n", "lock: 0xFF\nlock: 0xFF\n", ":17:1: ", "the key 'lock' is given twice"},
    {"  low: 0x5E\n", "\tlow: 0x5E\n", ":13:1: ", "found a tab"},
    {"lock: 0xFF\n", "lock: 0xFF\nserial: {memory: eeprom}\n",
     ":17:9: ", "serial numbers are not written by this version"},
    {"article: KB-0417-B", "article: [KB]", ":3:10: ", "found a list, expected text"},
    {"article: KB-0417-B", "article:", ":3:9: ", "found nothing, expected text"},
    {"article: KB-0417-B", "article: \"a\\x1Bb\"", ":3:10: ", "control character"},
    {"article: KB-0417-B", "article: \"a\\x9Bb\"", ":3:10: ", "control character"},
    {"revision: 3", "revision: 12345678901234567890123456789012", ":4:11: ", "at most 31"},
    {"via: isp", "via: dfu", ":5:6: ", "'dfu' is not supported by this version, expected isp"},
    {"via: isp", "via: ips", ":5:6: ", "did you mean 'isp'"},
    {"via: isp", "via: jtag", ":5:6: ", "found 'jtag', expected isp"},
    /* part and board */
    {"ATmega32U4", "ATmega32u4", ":6:7: ", "did you mean 'ATmega32U4'"},
    {"ATmega32U4", "ATxmega16", ":6:7: ", "no part 'ATxmega16' is known"},
    {"1E 95 87", "1E 95 0F", ":7:12: ", "found 1E 95 0F, expected 1E 95 87, the signature of"},
    {"1E 95 87", "1E9587", ":7:12: ", "expected 3 bytes"},
    {"crystal 16 MHz", "crystal 16MHz", ":8:16: ", "found 'crystal 16MHz', expected crystal"},
    {"crystal 16 MHz", "quartz 16 MHz", ":8:16: ", "as in crystal 16 MHz"},
    {"crystal 16 MHz", "crystal 160 MHz", ":8:16: ", "from 32 kHz to 20 MHz"},
    {"crystal 16 MHz", "crystal  MHz", ":8:16: ", "from 32 kHz to 20 MHz"},
    {"supply: 5 V", "supply: 12 V", ":8:40: ", "found '12 V', expected 5 V or 3.3 V"},
    {"supply: 5 V", "suply: 5 V", ":8:32: ", "did you mean 'supply'"},
    /* fuses */
    {"low: 0x5E", "low: 256", ":13:8: ", "found '256', expected a number from 0 to 255"},
    {"low: 0x5E", "low: 62",
     ":13:8: ", "found '62', which may be hexadecimal or decimal: write 0x62 or 0x3E"},
    {"low: 0x5E", "low: {write: 62}", ":13:16: ", "write 0x62 or 0x3E"},
    {"low: 0x5E", "low: 062", ":13:8: ",
     "found '062', which may be hexadecimal, decimal or octal: write 0x62, 0x3E or 0x32"},
    {"low: 0x5E", "low: 0b01011110", ":13:8: ", "found '0b01011110': write 0x5E"},
    {"low: 0x5E", "low: 5E", ":13:8: ", "found '5E': write 0x5E"},
    {"low: 0x5E", "low: FE", ":13:8: ", "found 'FE': write 0xFE"},
    {"low: 0x5E", "low: 0X5E", ":13:8: ", "found '0X5E': write 0x5E"},
    {"lock: 0xFF", "lock: 15", ":16:7: ", "write 0x15 or 0x0F"},
    {"[0x99]", "[99]", ":14:32: ", "write 0x99 or 0x63"},
    {"low: 0x5E", "low: -1", ":13:8: ", "found '-1', expected a number from 0 to 255, leave"},
    {"low: 0x5E", "low: '0x5E'", ":13:8: ", "in quotes"},
    {"low: 0x5E", "low: leaf", ":13:8: ", "found 'leaf', expected a number from 0 to 255, leave"},
    {"low: 0x5E", "low:", ":13:7: ", "found no value"},
    {"low: 0x5E", "low: [0x5E]", ":13:8: ", "found no value"},
    {"  low: 0x5E\n", "", ":13:3: ", "the fuse 'low' of ATmega32U4 is missing"},
    {"low: 0x5E", "lfuse: 0x5E", ":13:3: ", "unknown key 'lfuse', use low"},
    {"high: {", "hfuse: {", ":14:3: ", "unknown key 'hfuse', use high"},
    {"extended: 0xC3", "efuse: 0xC3", ":15:3: ", "unknown key 'efuse', use extended"},
    {"extended: 0xC3", "extendet: 0xC3", ":15:3: ", "did you mean 'extended'"},
    {"low: 0x5E", "low: 0x5E\n  fuse: 0x5E", ":14:3: ", "but ATmega32U4 has none of that name"},
    {FUSES_TEXT, "", ":1:1: ", "the key 'fuses' is missing"},
    {FUSES_TEXT, "fuses: leave\n", ":12:8: ", "expected a mapping"},
    {"because: JTAG is off anyway", "because: ' '",
     ":14:48: ", "found ' ', expected a reason in words"},
    {", because: JTAG is off anyway", "", ":14:31: ", "'because' with its reason is missing"},
    {"write: 0xD9, ", "", ":14:9: ", "the key 'write' is missing"},
    {"[0x99]", "0x99", ":14:31: ", "expected a list of 1 to 8 values"},
    {"[0x99]", "[]", ":14:31: ", "expected a list of 1 to 8 values"},
    {"[0x99]", "[1, 2, 3, 4, 5, 6, 7, 8, 9]", ":14:31: ", "expected a list of 1 to 8 values"},
    {"[0x99]", "[0x199]", ":14:32: ", "from 0 to 255"},
    {"accept:", "acept:", ":14:23: ", "did you mean 'accept'"},
    {"lock: 0xFF", "lock: 0x1FF", ":16:7: ", "from 0 to 255"},
    /* fuses in words */
    {HIGH_TEXT, "{BOOTRST: off}", ":14:9: ", "BOOTSZ of 'high' is missing: give every field"},
    {HIGH_TEXT, "{write: 0xD9, BOOTRST: on}",
     ":14:32: ", "BOOTRST does not agree with write: in 0xD9 it is off"},
    {HIGH_TEXT, "{write: 0xD9, BOOTSZ: 256 word}", ":14:31: ", "did you mean '256 words'"},
    {HIGH_TEXT, "{write: 0xD9, BOOTS: 256 words}", ":14:23: ", "did you mean 'BOOTSZ'"},
    {HIGH_TEXT, "{write: 0xD9, HWBE: on}", ":14:23: ", "unknown key 'HWBE'"},
    {HIGH_TEXT, "{write: 0xD9, SPIEN: on, SPIEN: on}", ":14:34: ", "given twice"},
    {HIGH_TEXT, "{write: 0xD9, BOOTRST: [on]}", ":14:32: ", "expected text"},
    {HIGH_TEXT, "{write: 0xD9, accept: [{JTAGEN: on, write: 1}], because: x}",
     ":14:45: ", "unknown key 'write'"},
    /* images */
    {IMAGES_TEXT, "", ":1:1: ", "the key 'images' is missing"},
    {IMAGES_TEXT, "images: []\n", ":9:9: ", "expected a list of 1 to 16 images"},
    {"file: app.hex", "file: none.hex",
     ":10:12: ", "the image 'none.hex' is missing: put the file"},
    {"file: app.hex, ", "", ":10:5: ", "the key 'file' is missing"},
    {"role: application", "role: app", ":10:27: ", "found 'app', expected application or"},
    {"role: application", "rolle: application", ":10:21: ", "did you mean 'role'"},
    {"role: application", "sha256: 12", ":10:29: ", "expected the 64 hex digits"},
    {"role: application", "format: bin", ":10:5: ", "the key 'address' is missing"},
    {"role: application", "format: coff", ":10:29: ", "expected auto, hex, elf, srec or bin"},
    {"role: application", "address: -1", ":10:30: ", "from 0 to 4294967295"},
    {"role: application", "adress: 0", ":10:21: ", "did you mean 'address'"},
    {"eeprom: erase", "eeprom: {file: app.hex, format: bin}",
     ":17:9: ", "the key 'address' is missing"},
    {"eeprom: erase", "eeprom: wipe", ":17:9: ", "found 'wipe', expected keep or erase"},
    {"eeprom: erase", "eeprom: {keep: save}",
     ":17:16: ", "found 'save', expected refuse or restore"},
    {"eeprom: erase", "eeprom: {keep: [restore]}", ":17:16: ", "expected"},
    {"eeprom: erase", "eeprom: {keep: restore, file: app.hex}", ":17:25: ", "unknown key 'file'"},
    {"eeprom: erase", "eeprom: {kep: restore}", ":17:10: ", "unknown key 'kep'"},
    {"eeprom: erase", "if_already: skip",
     ":17:13: ", "found 'skip', expected redo, pass or refuse"},
    {"eeprom: erase", "if-already: pass", ":17:1: ", "unknown key 'if-already'"},
    {"eeprom: erase", "if_already: true",
     ":17:13: ", "found 'true', expected redo, pass or refuse"},
    {"eeprom: erase", "eeprom: {sha256: 12}", ":17:9: ", "the key 'file' is missing"},
    {"eeprom: erase", "eeprom: {file: e.hex}", ":17:16: ", "the image 'e.hex' is missing"},
    {"eeprom: erase", "eeprom: {file: app.hex, role: x}", ":17:25: ", "unknown key 'role'"},
    /* the rest */
    {"eeprom: erase", "verify: all", ":17:9: ", "found 'all', expected image or whole"},
    {"contact: 2", "contact: 11", ":18:18: ", "from 0 to 10"},
    {"verify: 1", "verify: 2", ":18:29: ", "from 0 to 1"},
    {"verify: 1", "very: 1", ":18:21: ", "unknown key 'very'"},
};

static void assert_refused(const struct bench *bench, const char *text, enum failure_code code,
                           const char *place, const char *reason)
{
    struct profile *profile = NULL;
    struct failure failure = {0};
    char start[160];

    snprintf(start, sizeof(start), "%s%s", bench->path, place);
    if (load_text(bench, text, &profile, &failure) == 0)
        fail_msg("taken, expected %s %s", place, reason);
    assert_null(profile);
    if (failure.code != code || strncmp(failure.detail, start, strlen(start)) != 0 ||
        !strstr(failure.detail, reason))
        fail_msg("found %d \"%s\", expected %d \"%s… %s\"", failure.code, failure.detail, code,
                 start, reason);
}

static void test_mistakes(void **state)
{
    for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
        char *text = replace(good, mistakes[i].from, mistakes[i].to);

        assert_refused(*state, text, FAILURE_PROFILE_INVALID, mistakes[i].place,
                       mistakes[i].reason);
        free(text);
    }
}

/* Every key of the good profile removed or written twice, one after the other. */
static void test_every_line_twice(void **state)
{
    for (const char *line = good; *line;) {
        size_t length = (size_t)(strchr(line, '\n') - line) + 1;
        char *text = NULL;
        struct profile *profile = NULL;
        struct failure failure = {0};

        assert_true(asprintf(&text, "%.*s%.*s%s", (int)(line + length - good), good, (int)length,
                             line, line + length) > 0);
        assert_int_equal(load_text(*state, text, &profile, &failure), -1);
        assert_non_null(strstr(failure.detail, "profile.yaml:"));
        free(text);
        line += length;
    }
}

static void test_fuses_of_other_parts(void **state)
{
    static const char from[] = "part: ATmega32U4\nsignature: 1E 95 87\n";
    char *text = replace(good, from, "part: ATmega32A\n"), *other;
    struct profile *profile = NULL;

    assert_refused(*state, text, FAILURE_PROFILE_INVALID,
                   ":14:3: ", "found the fuse 'extended', but ATmega32A has none of that name");
    other = replace(text, "  extended: 0xC3\n", "");
    assert_int_equal(load_text(*state, other, &profile, NULL), 0);
    assert_null(profile_rule(profile, PART_FUSE_EXTENDED));
    profile_free(profile);
    free(text);
    free(other);
}

/* A part whose fuses ISP does not reach, and whose lock byte it can only write: a profile need not
 * speak of them, and must not ask for a value. */
static void test_fuses_out_of_reach(void **state)
{
    static const char from[] = "part: ATmega32U4\nsignature: 1E 95 87\n";
    static const struct {
        const char *fuses, *lock, *place, *reason;
    } wrong[] = {
        {"fuses: {fuse: 0xDF}\n", "", ":11:15: ",
         "'fuse' of AT90S8515 cannot be read or written over ISP: leave it out, or say leave"},
        {"fuses: {low: leave}\n", "", ":11:9: ", "AT90S8515 has none of that name"},
        {"", "lock: 0xFF\n",
         ":11:7: ", "'lock' of AT90S8515 cannot be read over ISP, so no value could be verified"},
        {"", "lock: {write: 0xFC}\n", ":11:7: ", "leave it out, or say leave"},
    };
    static const char *const right[] = {"", "fuses: {}\n", "fuses: {fuse: leave}\nlock: leave\n"};
    char *text = replace(good, from, "part: AT90S8515\n");
    char *bare = replace(text, FUSES_TEXT, "");
    char *open = replace(bare, "lock: 0xFF\n", "@");
    struct failure failure = {0};

    write_file(*state, "boot.hex", ":011000007877\n:00000001FF\n"); /* within its 8 KiB */
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char keys[200], *made;

        snprintf(keys, sizeof(keys), "%s%s", wrong[i].fuses, wrong[i].lock);
        made = replace(open, "@", keys);
        assert_refused(*state, made, FAILURE_PROFILE_INVALID, wrong[i].place, wrong[i].reason);
        free(made);
    }
    for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
        char *made = replace(open, "@", right[i]);
        struct profile *profile = NULL;

        if (load_text(*state, made, &profile, &failure) != 0)
            fail_msg("%s", failure.detail);
        assert_true(profile_rule(profile, PART_FUSE_LOW)->leave);
        assert_true(profile_rule(profile, PART_LOCK)->leave);
        profile_free(profile);
        free(made);
    }
    free(text);
    free(bare);
    free(open);
}

/* ---- images ---- */

static void test_image_digest_differs(void **state)
{
    char *text = replace(good, "role: application", "sha256: " BOOT_SHA256);
    char *upper = replace(good, "role: application", "sha256: '" APP_SHA256 "'");
    struct profile *profile = NULL;

    assert_refused(*state, text, FAILURE_IMAGE_CHANGED,
                   ":10:29: ", "found SHA-256 " APP_SHA256 ", expected " BOOT_SHA256 " (app.hex)");
    for (char *at = strstr(upper, "sha256: '") + 9; *at != '\''; at++)
        *at = (char)(*at >= 'a' && *at <= 'f' ? *at - 'a' + 'A' : *at);
    assert_int_equal(load_text(*state, upper, &profile, NULL), 0);
    profile_free(profile);
    free(text);
    free(upper);
}

static void test_images_overlap(void **state)
{
    write_file(*state, "boot.hex", ":03000100626364D3\n:00000001FF\n");
    assert_refused(*state, good, FAILURE_IMAGE_OVERLAP,
                   ":11:5: ", "app.hex and boot.hex both give the bytes 0x0001 to 0x0002");
}

static void test_same_image_twice(void **state)
{
    char *text = replace(good, "boot.hex", "app.hex");

    assert_refused(*state, text, FAILURE_IMAGE_OVERLAP,
                   ":11:5: ", "app.hex and app.hex both give the bytes 0x0000 to 0x0002");
    free(text);
}

static void test_empty_image(void **state)
{
    write_file(*state, "boot.hex", ":00000001FF\n");
    assert_refused(*state, good, FAILURE_IMAGE_INVALID,
                   ":11:12: ", "found no data for the flash in 'boot.hex'");
}

/* HEX problems name the HEX file and its line. */
static void test_damaged_images(void **state)
{
    static const struct {
        const char *hex;
        enum failure_code code;
        const char *place;
    } cases[] = {
        {":0370000078797A23\n:00000001FF\n", FAILURE_IMAGE_INVALID, "/boot.hex:1: bad checksum"},
        {":0370000078797A22\n:000000", FAILURE_IMAGE_INVALID, "/boot.hex:2: the record is cut off"},
        {":0370000078797A22\n", FAILURE_IMAGE_INVALID, "/boot.hex:1: the file ends here without"},
        {":0370000078797A22\n:0370000078797A22\n:00000001FF\n", FAILURE_IMAGE_OVERLAP,
         "/boot.hex:2: the byte at 0x7000"},
        {":020000040001F9\n:0370000078797A22\n:00000001FF\n", FAILURE_IMAGE_OUT_OF_RANGE,
         "/boot.hex:2: bytes 0x17000 to 0x17002, expected below 0x8000"},
    };
    struct bench *bench = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct profile *profile = NULL;
        struct failure failure = {0};
        char start[160];

        snprintf(start, sizeof(start), "%s%s", bench->directory, cases[i].place);
        write_file(bench, "boot.hex", cases[i].hex);
        assert_int_equal(load_text(bench, good, &profile, &failure), -1);
        assert_int_equal(failure.code, cases[i].code);
        if (strncmp(failure.detail, start, strlen(start)) != 0)
            fail_msg("found \"%s\", expected \"%s\"", failure.detail, start);
    }
}

static void test_eeprom_image_too_large(void **state)
{
    char *text = replace(good, "eeprom: erase", "eeprom: {file: boot.hex}");
    struct profile *profile = NULL;
    struct failure failure = {0};

    assert_int_equal(load_text(*state, text, &profile, &failure), -1);
    assert_int_equal(failure.code, FAILURE_IMAGE_OUT_OF_RANGE);
    assert_non_null(strstr(failure.detail, "boot.hex:1: bytes 0x7000 to 0x7002, expected below "
                                           "0x0400"));
    free(text);
}

/* ---- files of other formats, and what they say besides the flash ---- */

static void test_formats(void **state)
{
    const struct bench *bench = *state;
    struct profile *hex = load_good(bench, "", ""), *profile;

    assert_int_equal(hex->sources[1].format, IMAGE_FORMAT_HEX);
    write_file(bench, "boot.s19", "S106700078797A1E\nS9030000FC\n");
    profile = load_good(bench, "boot.hex", "boot.s19");
    assert_int_equal(profile->sources[1].format, IMAGE_FORMAT_SREC);
    assert_string_equal(profile->image_sha256, hex->image_sha256);
    profile_free(profile);
    write_file(bench, "boot.bin", "xyz");
    profile = load_good(bench, "boot.hex", "boot.bin, format: bin, address: 0x7000");
    assert_int_equal(profile->sources[1].format, IMAGE_FORMAT_BIN);
    assert_string_equal(profile->image_sha256, hex->image_sha256);
    profile_free(profile);
    profile_free(hex);
}

static void test_raw_binary_is_not_guessed(void **state)
{
    struct profile *profile = NULL;
    struct failure failure = {0};

    write_file(*state, "boot.hex", "xyz");
    assert_int_equal(load_text(*state, good, &profile, &failure), -1);
    assert_int_equal(failure.code, FAILURE_IMAGE_UNKNOWN);
    assert_non_null(strstr(failure.detail, "/profile.yaml:11:5: "));
    assert_non_null(strstr(failure.detail, "/boot.hex:1: begins with the bytes 78 79: neither"));
    assert_non_null(strstr(failure.detail, "a raw binary is never guessed, it needs an address: "
                                           "expected the key 'address'"));
}

/* "xyz" at 0x7000 as in BOOT_HEX, and what else `records` say. */
static void write_boot(const struct bench *bench, const char *records)
{
    char text[400];

    snprintf(text, sizeof(text), ":0370000078797A22\n%s:00000001FF\n", records);
    write_file(bench, "boot.hex", text);
}

#define AT_EEPROM ":02000004008179\n"
#define AT_FUSES ":02000004008278\n"
#define AT_LOCK ":02000004008377\n"
#define AT_SIGNATURE ":02000004008476\n"
#define EE_AB AT_EEPROM ":0200000041427B\n"

/* Of the extended fuse only the bits 0 to 3 exist: F3 and the profile's C3 are one value. */
static void test_file_that_agrees(void **state)
{
    const struct bench *bench = *state;
    struct profile *plain = load_good(bench, "", ""), *profile;

    write_boot(bench, AT_FUSES ":030000005ED9F3D3\n" AT_LOCK ":01000000FF00\n" AT_SIGNATURE
                               ":0300000087951EC3\n");
    profile = load_good(bench, "", "");
    assert_string_equal(profile->image_sha256, plain->image_sha256);
    profile_free(profile);
    profile_free(plain);
}

static const struct {
    const char *records;
    const char *from, *to;
    enum failure_code code;
    const char *reason;
} disagreeing[] = {
    {AT_FUSES ":03000000FFD9C362\n", "", "", FAILURE_IMAGE_DISAGREES,
     "boot.hex wants the low fuse to be 0xFF, but the profile writes 0x5E"},
    /* What is accepted when found is not what the file wants. */
    {AT_FUSES ":030000005E99C343\n", "", "", FAILURE_IMAGE_DISAGREES,
     "boot.hex wants the high fuse to be 0x99, but the profile writes 0xD9"},
    {AT_FUSES ":030000005ED9CBFB\n", "", "", FAILURE_IMAGE_DISAGREES,
     "boot.hex wants the extended fuse to be 0xCB, but the profile writes 0xC3"},
    {AT_FUSES ":030000005ED9F3D3\n", "low: 0x5E", "low: leave", FAILURE_IMAGE_DISAGREES,
     "boot.hex wants the low fuse to be 0x5E, but the profile says leave"},
    {AT_FUSES ":020000005ED9C7\n", "", "", FAILURE_IMAGE_DISAGREES,
     "boot.hex holds 2 of the 3 fuse bytes of ATmega32U4, expected all"},
    {AT_LOCK ":01000000CF30\n", "", "", FAILURE_IMAGE_DISAGREES,
     "boot.hex wants the lock byte to be 0xCF, but the profile writes 0xFF"},
    {AT_SIGNATURE ":030000000F951E3B\n", "", "", FAILURE_IMAGE_DISAGREES,
     "is for a part of signature 1E 95 0F, expected 1E 95 87, the signature of ATmega32U4"},
    {AT_SIGNATURE ":020000000F955A\n", "", "", FAILURE_IMAGE_DISAGREES,
     "boot.hex holds 2 bytes of a signature, expected 3"},
    {EE_AB, "", "", FAILURE_PROFILE_INVALID,
     "boot.hex also holds 2 bytes for the EEPROM, which the profile would not write"},
    {EE_AB, "eeprom: erase", "eeprom: keep", FAILURE_PROFILE_INVALID, "say eeprom: {file: "},
    {EE_AB, "eeprom: erase", "eeprom: {file: app.hex}", FAILURE_IMAGE_DISAGREES,
     "wants the EEPROM at 0x0000 to be 0x41, but the profile's EEPROM file has 0x61"},
    {AT_EEPROM ":0200100041426B\n", "eeprom: erase", "eeprom: {file: app.hex}",
     FAILURE_IMAGE_DISAGREES,
     "wants the EEPROM at 0x0010 to be 0x41, but the profile's EEPROM file leaves it blank"},
};

static void test_file_that_disagrees(void **state)
{
    const struct bench *bench = *state;

    for (size_t i = 0; i < sizeof(disagreeing) / sizeof(disagreeing[0]); i++) {
        char *text = replace(good, disagreeing[i].from, disagreeing[i].to);

        write_boot(bench, disagreeing[i].records);
        assert_refused(bench, text, disagreeing[i].code, ":11:12: ", disagreeing[i].reason);
        free(text);
    }
}

/* The file of flash and EEPROM may be named for both; or another that has the same and more. */
static void test_eeprom_in_an_image(void **state)
{
    const struct bench *bench = *state;
    struct profile *profile;

    write_boot(bench, EE_AB);
    profile = load_good(bench, "eeprom: erase", "eeprom: {file: boot.hex}");
    assert_int_equal(profile->eeprom->count, 2);
    assert_memory_equal(profile->eeprom->data, "AB", 2);
    assert_int_equal(profile->flash->count, 6);
    profile_free(profile);
    write_file(bench, "ee.hex", ":0300000041424337\n:00000001FF\n");
    profile = load_good(bench, "eeprom: erase", "eeprom: {file: ee.hex}");
    assert_memory_equal(profile->eeprom->data, "ABC", 3);
    profile_free(profile);
    /* The program of the application alone, and a blank byte behind it. */
    write_file(bench, "ee.hex", ":04000000616263FFD7\n" EE_AB ":00000001FF\n");
    write_boot(bench, "");
    profile = load_good(bench, "eeprom: erase", "eeprom: {file: ee.hex}");
    assert_memory_equal(profile->eeprom->data, "AB", 2);
    profile_free(profile);
}

/* The EEPROM's file is asked, too. */
static void test_eeprom_file_that_disagrees(void **state)
{
    char *text = replace(good, "eeprom: erase", "eeprom: {file: ee.hex}");

    write_file(*state, "ee.hex", EE_AB AT_LOCK ":01000000CF30\n:00000001FF\n");
    assert_refused(*state, text, FAILURE_IMAGE_DISAGREES,
                   ":17:16: ", "ee.hex wants the lock byte to be 0xCF");
    write_file(*state, "ee.hex", AT_LOCK ":01000000FF00\n:00000001FF\n");
    assert_refused(*state, text, FAILURE_IMAGE_INVALID,
                   ":17:16: ", "found no data for the EEPROM in 'ee.hex'");
    /* The images have "abc" at 0, and nothing behind it. */
    write_file(*state, "ee.hex", ":03000000616264D6\n" EE_AB ":00000001FF\n");
    assert_refused(*state, text, FAILURE_IMAGE_DISAGREES, ":17:16: ",
                   "ee.hex is of another build: it has 0x64 at 0x00002 of the flash, but the "
                   "profile's images have 0x63");
    write_file(*state, "ee.hex", ":040000006162636373\n" EE_AB ":00000001FF\n");
    assert_refused(*state, text, FAILURE_IMAGE_DISAGREES, ":17:16: ",
                   "it has 0x63 at 0x00003 of the flash, but the profile's images leave it blank");
    free(text);
}

static void test_huge_files(void **state)
{
    const struct bench *bench = *state;
    struct profile *profile = NULL;
    struct failure failure = {0};
    char path[160];

    write_file(bench, "profile.yaml", good);
    snprintf(path, sizeof(path), "%s/boot.hex", bench->directory);
    assert_int_equal(truncate(path, 100 * 1000 * 1000), 0);
    assert_int_equal(profile_load(bench->path, PARTS, &profile, &failure), -1);
    assert_int_equal(failure.code, FAILURE_IMAGE_UNREADABLE);
    assert_non_null(strstr(failure.detail, "/boot.hex:1:1: has 100000000 bytes"));
    assert_int_equal(truncate(bench->path, 100 * 1000 * 1000), 0);
    assert_int_equal(profile_load(bench->path, PARTS, &profile, &failure), -1);
    assert_int_equal(failure.code, FAILURE_PROFILE_INVALID);
    assert_non_null(strstr(failure.detail, "/profile.yaml:1:1: has 100000000 bytes"));
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    write_file(bench, "profile.yaml", good);
    assert_int_equal(profile_load(bench->path, PARTS, &profile, &failure), -1);
    assert_non_null(strstr(failure.detail, "/boot.hex:1:1: is not a regular file"));
}

/* A part file that is wrong is not the profile's fault, and says so. */
static void test_broken_part_file(void **state)
{
    const struct bench *bench = *state;
    struct profile *profile = NULL;
    struct failure failure = {0};
    char path[160];

    write_file(bench, "ATmega32U4.yaml", "format: 1\npart: ATmega32U4\n");
    write_file(bench, "profile.yaml", good);
    snprintf(path, sizeof(path), "%s/ATmega32U4.yaml:1:1: the key 'signature' is missing",
             bench->directory);
    assert_int_equal(profile_load(bench->path, bench->directory, &profile, &failure), -1);
    assert_int_equal(failure.code, FAILURE_PART_INVALID);
    assert_non_null(strstr(failure.detail, path));
}

/* ---- the shipped ones ---- */

static void assert_rules(const struct profile *profile, int low, int high, int extended, int lock)
{
    assert_int_equal(profile_rule(profile, PART_FUSE_LOW)->write, low);
    assert_int_equal(profile_rule(profile, PART_FUSE_HIGH)->write, high);
    if (extended >= 0)
        assert_int_equal(profile_rule(profile, PART_FUSE_EXTENDED)->write, extended);
    else
        assert_null(profile_rule(profile, PART_FUSE_EXTENDED));
    assert_int_equal(profile_rule(profile, PART_LOCK)->write, lock);
}

static void test_demo(void **state)
{
    struct profile *profile = NULL;
    struct failure failure = {0};

    (void)state;
    if (profile_load(BOARDS "/demo.yaml", PARTS, &profile, &failure) != 0)
        fail_msg("%s", failure.detail);
    assert_string_equal(profile->article, "DEMO-0001");
    assert_in_range(profile->flash->count, 3 * 1024, 4 * 1024);
    assert_rules(profile, 0xFF, 0xD9, 0xFD, 0xFF);
    profile_free(profile);
}

/* The profiles whose image is the user's: all but the image is right, and the message says what to
 * put where. */
static void remove_file(const struct bench *bench, const char *name)
{
    char path[160];

    snprintf(path, sizeof(path), "%s/%s", bench->directory, name);
    assert_int_equal(unlink(path), 0);
}

static size_t count_shipped(void)
{
    glob_t found = {0};

    assert_int_equal(glob(BOARDS "/*.yaml", 0, NULL, &found), 0);
    size_t count = found.gl_pathc;
    globfree(&found);
    return count;
}

static void test_shipped_without_image(void **state)
{
    static const struct {
        const char *name, *image;
        int low, high, extended, lock;
    } shipped[] = {
        {"optiboot-atmega328p", "optiboot_atmega328.hex", 0xFF, 0xDE, 0xFD, 0xCF},
        {"stk500v2-atmega2560", "stk500boot_v2_mega2560.hex", 0xFF, 0xD8, 0xFD, 0xCF},
        {"atmel-dfu-atmega32u4", "production.hex", 0x5E, 0xD9, 0xF3, 0xFF},
        {"atmel-dfu-atmega16u4", "production.hex", 0x5E, 0xD9, 0xF3, 0xFF},
        {"atmel-dfu-at90usb646", "production.hex", 0x5E, 0xDB, 0xF3, 0xFF},
        {"atmel-dfu-at90usb1286", "production.hex", 0x5E, 0xD9, 0xF3, 0xFF},
        {"caterina-pro-micro-3v3", "production.hex", 0xFF, 0xD8, 0xFE, 0xFF},
        {"caterina-pro-micro-5v", "production.hex", 0xFF, 0xD8, 0xFB, 0xFF},
        {"caterina-lilypad-usb", "production.hex", 0xFF, 0xD8, 0xFE, 0xFF},
        {"caterina-a-star-32u4", "production.hex", 0xFF, 0xD0, 0xF8, 0xFF},
        {"caterina-feather-32u4", "production.hex", 0xFF, 0xD8, 0xFB, 0xFF},
        {"caterina-itsybitsy-32u4-3v3", "production.hex", 0xFF, 0xD8, 0xFB, 0xFF},
        {"caterina-itsybitsy-32u4-5v", "production.hex", 0xFF, 0xD8, 0xFB, 0xFF},
        {"caterina-leonardo", "production.hex", 0xFF, 0xD8, 0xFB, 0xFF},
        {"caterina-micro", "production.hex", 0xFF, 0xD8, 0xFB, 0xFF},
        {"qmk-hid-atmega32u4", "production.hex", 0x5E, 0xD9, 0xF3, 0xFF},
        {"usbasploader-atmega328p", "production.hex", 0xD7, 0xD0, 0xFC, 0xFF},
        {"bootloadhid-atmega32a", "production.hex", 0x0F, 0xD0, -1, 0xFF},
        {"usbasploader-atmega32a", "production.hex", 0x1F, 0xC0, -1, 0xFF},
    };

    assert_int_equal(count_shipped(), sizeof(shipped) / sizeof(shipped[0]) + 1); /* and the demo */
    for (size_t i = 0; i < sizeof(shipped) / sizeof(shipped[0]); i++) {
        char path[300], text[4096], expected[200], *digest;
        struct profile *profile = NULL;
        struct failure failure = {0};
        FILE *file;

        snprintf(path, sizeof(path), "%s/%s.yaml", BOARDS, shipped[i].name);
        file = fopen(path, "r");
        assert_non_null(file);
        text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
        fclose(file);
        assert_int_equal(load_text(*state, text, &profile, &failure), -1);
        snprintf(expected, sizeof(expected), "the image '%s' is missing", shipped[i].image);
        assert_non_null(strstr(failure.detail, expected));
        assert_non_null(strstr(failure.detail, shipped[i].name));
        /* With some image there, and its digest taken away, it loads. */
        write_file(*state, shipped[i].image, APP_HEX);
        digest = strstr(text, "sha256: ");
        if (digest) {
            assert_int_equal(load_text(*state, text, &profile, &failure), -1);
            assert_int_equal(failure.code, FAILURE_IMAGE_CHANGED);
            memset(digest, ' ', strcspn(digest, "\n"));
        }
        if (load_text(*state, text, &profile, &failure) != 0)
            fail_msg("%s", failure.detail);
        assert_rules(profile, shipped[i].low, shipped[i].high, shipped[i].extended,
                     shipped[i].lock);
        profile_free(profile);
        remove_file(*state, shipped[i].image);
    }
}

#define BENCH_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH_TEST(test_good),
        BENCH_TEST(test_defaults),
        BENCH_TEST(test_leave_and_whole),
        BENCH_TEST(test_fuses_in_words),
        BENCH_TEST(test_clocks),
        BENCH_TEST(test_rework),
        BENCH_TEST(test_eeprom_file),
        BENCH_TEST(test_image_digest),
        BENCH_TEST(test_absolute_image_path),
        BENCH_TEST(test_mistakes),
        BENCH_TEST(test_every_line_twice),
        BENCH_TEST(test_fuses_of_other_parts),
        BENCH_TEST(test_fuses_out_of_reach),
        BENCH_TEST(test_image_digest_differs),
        BENCH_TEST(test_images_overlap),
        BENCH_TEST(test_same_image_twice),
        BENCH_TEST(test_empty_image),
        BENCH_TEST(test_damaged_images),
        BENCH_TEST(test_eeprom_image_too_large),
        BENCH_TEST(test_formats),
        BENCH_TEST(test_raw_binary_is_not_guessed),
        BENCH_TEST(test_file_that_agrees),
        BENCH_TEST(test_file_that_disagrees),
        BENCH_TEST(test_eeprom_in_an_image),
        BENCH_TEST(test_eeprom_file_that_disagrees),
        BENCH_TEST(test_huge_files),
        BENCH_TEST(test_broken_part_file),
        BENCH_TEST(test_demo),
        BENCH_TEST(test_shipped_without_image),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
