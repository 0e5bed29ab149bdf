/* Whichever write is the last when power or contact goes, a board of a shipped profile can still be
 * reached, and another attempt on it passes: new boards and boards with the values that the profile
 * accepts, on programmers with a fixed SCK and with one that is chosen. */
#include <glob.h>

#include "jigs/simbench/avr_clock.h"
#include "profiles/fuse_words.h"
#include "station/plan_clock.h"
#include "tests/rules_fixture.h"

/* behind cmocka */
#include "tests/cut_bench.h"

#define BOARDS TEST_SOURCE_DIR "/profiles/boards"
#define CODE_BYTES 64

static const struct programmer_driver drivers[] = {
    TARGET_DRIVER("fixed 125 kHz", target_attach_fixed, 125000),
    TARGET_DRIVER("chooses", target_attach_plain, 0),
};

struct tally {
    int profiles, boards, cuts;
};

/* ---- a profile with an image made up for it ---- */

static void read_text(const char *path, char *text, size_t bytes)
{
    FILE *file = fopen(path, "r");
    size_t length;
    char *digest;

    assert_non_null(file);
    length = fread(text, 1, bytes - 1, file);
    assert_true(length < bytes - 1);
    text[length] = '\0';
    assert_int_equal(fclose(file), 0);
    /* of the true image, which is the user's */
    digest = strstr(text, "sha256: ");
    if (digest != NULL)
        memset(digest, ' ', strcspn(digest, "\n,}"));
}

static void find_image_name(const char *text, char *name, size_t bytes)
{
    const char *images = strstr(text, "\nimages:");
    const char *at = images != NULL ? strstr(images, "file: ") : NULL;

    if (at == NULL)
        fail_msg("no image");
    else
        snprintf(name, bytes, "%.*s", (int)strcspn(at + strlen("file: "), " ,}\n"),
                 at + strlen("file: "));
}

static uint32_t section_start(const struct profile *profile)
{
    enum part_memory memory;
    const struct part_field *field = fuse_words_find(profile->part, "BOOTSZ", &memory);
    uint8_t code = fuse_words_code(field, profile_rule(profile, memory)->write);

    for (int i = 0; i < profile->part->boot_section_count; i++)
        if (profile->part->boot_sections[i].bootsz_value == code)
            return profile->part->boot_sections[i].start_byte_address;
    fail_msg("%s: no section", profile->name);
    return 0;
}

/* False: the profile's image is there, of the demonstration. */
static bool load(struct rules_bench *bench, const char *path)
{
    char text[4096], image[64];

    read_text(path, text, sizeof text);
    find_image_name(text, image, sizeof image);
    if (strchr(image, '/') != NULL) {
        struct failure failure = {0};

        rules_forget(bench);
        return profile_load(path, SHIPPED_PARTS_DIRECTORY, &bench->profile, &failure) == 0;
    }
    rules_write_hex(bench, image, 0, CODE_BYTES, 0x12);
    rules_look(bench, text, 0);
    rules_write_hex(bench, image, section_start(bench->profile), CODE_BYTES, 0x12);
    rules_look(bench, text, 0);
    return true;
}

/* ---- every cut of one board ---- */

static void check_cut(const struct cut_board *board, enum cut cut, int write)
{
    const char *name = board->plan->profile->name;
    struct target_programmer *self = cut_open(board);
    struct attempt attempt;
    struct failure failure = {0};

    self->last_write = write;
    self->cut = cut;
    cut_run(board, self, &attempt, &failure);
    assert_true(self->is_cut);
    self = cut_reinsert(board, self);
    if (cut_look(board, self, &failure) < 0)
        fail_msg("%s, %s: lost after write %d: %s", name, board->plan->driver->name, write,
                 failure.detail);
    if (cut_run(board, self, &attempt, &failure) < 0)
        fail_msg("%s, %s: cut off at write %d, then not done: %s", name, board->plan->driver->name,
                 write, failure.detail);
    cut_close(self);
}

static void check_board(const struct cut_board *board, struct tally *tally)
{
    struct target_programmer *self = cut_open(board);
    struct attempt attempt;
    struct failure failure;
    int writes;

    if (cut_run(board, self, &attempt, &failure) < 0)
        fail_msg("%s, %s: %s", board->plan->profile->name, board->plan->driver->name,
                 failure.detail);
    writes = self->writes;
    cut_close(self);
    assert_true(writes > 1);
    for (int write = 1; write <= writes; write++) {
        check_cut(board, CUT_BEHIND, write);
        check_cut(board, CUT_INSIDE, write);
        tally->cuts += 2;
    }
    tally->boards++;
}

/* ---- every board of one profile ---- */

/* A new one; and one for each value that is accepted. */
static void check_found(struct cut_board *board, struct tally *tally)
{
    const struct profile *profile = board->plan->profile;

    for (int at = 0; at < PART_FUSE_AND_LOCK_COUNT; at++)
        board->found[at] = (uint8_t)profile->part->bytes[at].factory_default;
    check_board(board, tally);
    for (int at = 0; at < PART_FUSE_AND_LOCK_COUNT; at++)
        for (size_t i = 0; i < profile->rules[at].accept_count; i++) {
            uint8_t before = board->found[at];

            board->found[at] = profile->rules[at].accept[i];
            check_board(board, tally);
            board->found[at] = before;
        }
}

static void hurry(struct part *part)
{
    part->flash.write_delay_us = part->eeprom.write_delay_us = part->chip_erase_delay_us = 0;
    part->fuse_write_delay_us = part->lock_write_delay_us = 0;
}

static bool is_promised(const struct profile *profile)
{
    uint8_t bytes[PART_FUSE_AND_LOCK_COUNT];

    for (int at = 0; at < PART_FUSE_AND_LOCK_COUNT; at++)
        bytes[at] = profile->rules[at].write;
    return avr_clock_is_promised(profile->part, bytes, profile->clock_hz);
}

static void check_profile(const struct profile *profile, struct tally *tally)
{
    struct jig_site site = {.site = 1};

    hurry(profile->part);
    for (size_t i = 0; i < sizeof drivers / sizeof drivers[0]; i++) {
        struct plan plan = {.profile = profile,
                            .site = &site,
                            .driver = &drivers[i],
                            .write_bytes = CODE_BYTES,
                            .verify_bytes = CODE_BYTES,
                            .eeprom_read = !profile_keeps_eeprom(profile)};
        struct cut_board board = {
            .plan = &plan, .crystal_hz = profile->clock_hz, .weak_crystal = is_promised(profile)};

        plan_find_clocks(&plan);
        check_found(&board, tally);
    }
    tally->profiles++;
}

static void test_shipped(void **state)
{
    struct rules_bench *bench = *state;
    struct tally tally = {0};
    glob_t found = {0};

    assert_int_equal(glob(BOARDS "/*.yaml", 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        assert_true(load(bench, found.gl_pathv[i]));
        check_profile(bench->profile, &tally);
    }
    globfree(&found);
    print_message("%d profiles, %d kinds of boards on programmers, %d cuts\n", tally.profiles,
                  tally.boards, tally.cuts);
    assert_true(tally.profiles >= 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_shipped, rules_set_up, rules_tear_down)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
