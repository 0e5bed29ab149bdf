/* The shipped profiles keep the rules, or say which risk they accept: with an image whose
 * bootloader is where the profile says, none refuses; with one that has none there, one does. */
#include <glob.h>

#include "profiles/fuse_words.h"
#include "tests/rules_fixture.h"

#define BOARDS TEST_SOURCE_DIR "/profiles/boards"
#define CODE_BYTES 64

/* ---- a profile whose image is not there ---- */

static void read_text(const char *path, char *text, size_t bytes)
{
    FILE *file = fopen(path, "r");

    assert_non_null(file);
    size_t length = fread(text, 1, bytes - 1, file);
    assert_true(length < bytes - 1);
    text[length] = '\0';
    assert_int_equal(fclose(file), 0);
}

/* Any image will do: its digest is taken away. */
static void forget_digest(char *text)
{
    char *digest = strstr(text, "sha256: ");

    if (digest != NULL)
        memset(digest, ' ', strcspn(digest, "\n,}"));
}

/* "file: production.hex" */
static void find_image_name(const char *text, char *name, size_t bytes)
{
    const char *at = strstr(text, "\nimages:");

    assert_non_null(at);
    at = strstr(at, "file: ");
    assert_non_null(at);
    at += strlen("file: ");
    snprintf(name, bytes, "%.*s", (int)strcspn(at, " ,}\n"), at);
}

/* Where the written fuses let the boot section start. */
static uint32_t section_start(const struct profile *profile)
{
    enum part_memory memory;
    const struct part_field *field = fuse_words_find(profile->part, "BOOTSZ", &memory);

    assert_non_null(field);
    const struct profile_byte_rule *rule = profile_rule(profile, memory);

    for (int i = 0; i < profile->part->boot_section_count; i++)
        if (profile->part->boot_sections[i].bootsz_value == fuse_words_code(field, rule->write))
            return profile->part->boot_sections[i].start_byte_address;
    fail_msg("%s: no section", profile->name);
    return 0;
}

static bool is_bootloader_needed(const struct profile *profile)
{
    struct part_bit bootrst = profile->part->bootrst;

    return (profile->sources[0].role != NULL &&
            strcmp(profile->sources[0].role, "bootloader") == 0) ||
           part_bit_programmed(bootrst, profile_rule(profile, bootrst.memory)->write);
}

static void check_kept(const struct rules_bench *bench)
{
    for (size_t i = 0; i < bench->findings.count; i++) {
        const struct fuse_finding *finding = &bench->findings.list[i];

        if (fuse_finding_refuses(finding))
            fail_msg("%s: rule %s: %s", bench->profile->name, finding->rule->name, finding->detail);
        if (strcmp(finding->rule->name, "unused-risk") == 0)
            fail_msg("%s: %s", bench->profile->name, finding->detail);
    }
}

/* "The bootloader in it begins at byte address 0x7000." */
static void check_comment(const char *text, const char *name, uint32_t start)
{
    static const char words[] = "begins at byte address";
    char plain[4096];
    size_t used = 0;
    unsigned said = 0;

    for (const char *at = text; *at != '\0' && used < sizeof plain - 1; at++)
        if (strncmp(at, "\n# ", 3) == 0) {
            plain[used++] = ' ';
            at += 2;
        } else {
            plain[used++] = *at;
        }
    plain[used] = '\0';
    const char *place = strstr(plain, words);
    if (place == NULL)
        return;
    assert_int_equal(sscanf(place + strlen(words), " %x", &said), 1);
    if (said != start)
        fail_msg("%s: its comment says 0x%X, the fuses 0x%X", name, said, start);
}

static void check_profile(struct rules_bench *bench, const char *path)
{
    char text[4096], image[64];

    read_text(path, text, sizeof text);
    forget_digest(text);
    find_image_name(text, image, sizeof image);
    if (strchr(image, '/') != NULL) { /* the demonstration's is there */
        struct failure failure = {0};

        rules_forget(bench);
        assert_int_equal(profile_load(path, SHIPPED_PARTS_DIRECTORY, &bench->profile, &failure), 0);
        assert_int_equal(fuse_rules_apply(bench->profile, 0, &bench->findings, &failure), 0);
        check_kept(bench);
        return;
    }
    rules_write_hex(bench, image, 0, CODE_BYTES, 0x12);
    rules_look(bench, text, 0);
    uint32_t start = section_start(bench->profile);
    bool needed = is_bootloader_needed(bench->profile);
    bool missed = rules_found(bench, "bootrst-without-bootloader") != NULL ||
                  rules_found(bench, "bootloader-not-at-section") != NULL;

    if (needed != missed)
        fail_msg("%s: no bootloader is %s", path, missed ? "refused" : "taken");
    rules_write_hex(bench, image, start, CODE_BYTES, 0x12);
    rules_look(bench, text, 0);
    check_kept(bench);
    check_comment(text, bench->profile->name, start);
}

static void test_shipped(void **state)
{
    glob_t found = {0};

    assert_int_equal(glob(BOARDS "/*.yaml", 0, NULL, &found), 0);
    assert_true(found.gl_pathc > 15);
    for (size_t i = 0; i < found.gl_pathc; i++)
        check_profile(*state, found.gl_pathv[i]);
    globfree(&found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_shipped, rules_set_up, rules_tear_down)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
