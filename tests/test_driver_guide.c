/* Every driver has a guide, and what a guide says of the bench, of tests and of jig files is true.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "jigs/driver_guide.h"
#include "jigs/jig.h"
#include "jigs/programmer.h"

/* Room that the summary of `gangflash drivers` has for a list. */
#define LIST_BYTES 500
#define MANUAL_BYTES 65536

typedef void check_guide(const struct programmer_driver *driver, const struct driver_guide *guide);

static void for_each_driver(check_guide *check)
{
    size_t count = 0;
    const struct programmer_driver *const *drivers = programmer_drivers(&count);

    assert_true(count >= 3);
    for (size_t i = 0; i < count; i++) {
        const struct driver_guide *guide = driver_guide_find(drivers[i]->name);

        if (guide == NULL)
            fail_msg("driver %s has no guide", drivers[i]->name);
        else
            check(drivers[i], guide);
    }
}

static void check_text(const char *driver, const char *what, const char *text)
{
    if (text == NULL || text[0] == '\0')
        fail_msg("%s: no %s", driver, what);
    for (; text != NULL && *text != '\0'; text++)
        if (*text < ' ' || *text > '~')
            fail_msg("%s: %s has a character 0x%02X", driver, what, (unsigned char)*text);
}

static void check_texts(const char *driver, const char *what, const char *const *texts)
{
    if (texts == NULL || texts[0] == NULL)
        fail_msg("%s: nothing about %s", driver, what);
    for (; texts != NULL && *texts != NULL; texts++)
        check_text(driver, what, *texts);
}

static void check_all_texts(const struct programmer_driver *driver,
                            const struct driver_guide *guide)
{
    check_text(driver->name, "blocks", guide->blocks);
    check_text(driver->name, "EEPROM", guide->eeprom);
    for (int i = 0; i < DRIVER_GUIDE_PINS; i++)
        check_text(driver->name, driver_guide_pin_names[i], guide->pins[i]);
    check_texts(driver->name, "devices", guide->devices);
    check_texts(driver->name, "wiring", guide->wiring);
    check_texts(driver->name, "quirks", guide->quirks);
    check_texts(driver->name, "permission", guide->permission);
    check_texts(driver->name, "examples", guide->examples);
    check_texts(driver->name, "silence", guide->silent);
}

static void every_driver_is_explained(void **state)
{
    (void)state;
    for_each_driver(check_all_texts);
    assert_null(driver_guide_find("usbas"));
}

/* ---- models ---- */

static bool names_model(const struct driver_guide *guide, const char *model)
{
    for (const struct driver_guide_model *row = guide->models; row->name != NULL; row++)
        if (strcmp(row->name, model) == 0)
            return true;
    return false;
}

static void check_models(const struct programmer_driver *driver, const struct driver_guide *guide)
{
    size_t bytes = 0;
    int usable = 0;

    for (const struct driver_guide_model *row = guide->models; row->name != NULL; row++) {
        const char *programmer = jig_model_programmer(row->name);

        if (programmer == NULL || strcmp(programmer, driver->name) != 0)
            fail_msg("%s: the bench has no model %s for it", driver->name, row->name);
        check_text(driver->name, row->name, row->what);
        bytes += strlen(row->name) + strlen(", ");
        usable += row->refused ? 0 : 1;
    }
    assert_true(usable > 0);
    assert_true(bytes < LIST_BYTES);
}

static void models_are_those_of_the_bench(void **state)
{
    const char *programmer = NULL, *model;
    size_t count = 0;

    (void)state;
    for_each_driver(check_models);
    while ((model = jig_model_at(count, &programmer)) != NULL) {
        const struct driver_guide *guide = driver_guide_find(programmer);

        if (guide == NULL || !names_model(guide, model))
            fail_msg("the guide of %s does not name the model %s", programmer, model);
        count++;
    }
    assert_true(count >= 19);
}

/* The manual as it is written, but for its backslashes. */
static char *read_manual(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = calloc(1, MANUAL_BYTES);
    size_t used = 0;

    assert_non_null(file);
    assert_non_null(text);
    for (int c; (c = fgetc(file)) != EOF && used < MANUAL_BYTES - 1;)
        if (c != '\\')
            text[used++] = (char)c;
    fclose(file);
    return text;
}

static bool is_part_of_name(char c)
{
    return c != '\0' && strchr("abcdefghijklmnopqrstuvwxyz0123456789-", c) != NULL;
}

static bool has_word(const char *text, const char *word)
{
    size_t length = strlen(word);

    for (const char *at = text; (at = strstr(at, word)) != NULL; at++)
        if ((at == text || !is_part_of_name(at[-1])) && !is_part_of_name(at[length]))
            return true;
    return false;
}

static void the_manual_names_every_model(void **state)
{
    char *text = read_manual(TEST_SOURCE_DIR "/station/man/simbench.h2m");
    char *models = strstr(text, "[models]"), *end = strstr(text, "[faults]");
    const char *programmer = NULL, *model;

    (void)state;
    assert_non_null(models);
    assert_non_null(end);
    *end = '\0';
    for (size_t i = 0; (model = jig_model_at(i, &programmer)) != NULL; i++)
        if (!has_word(models, model))
            fail_msg("simbench(1) does not name the model %s of %s", model, programmer);
    free(text);
}

/* ---- peers ---- */

static bool is_test_of_peers(const char *path)
{
    return strncmp(path, "tests/peers/", strlen("tests/peers/")) == 0 ||
           strncmp(path, "tests/qemu/tests/", strlen("tests/qemu/tests/")) == 0;
}

static void check_peers(const struct programmer_driver *driver, const struct driver_guide *guide)
{
    char path[512];

    for (const struct driver_guide_peer *peer = guide->peers; peer->program != NULL; peer++) {
        check_text(driver->name, "program", peer->program);
        check_text(driver->name, "how", peer->how);
        snprintf(path, sizeof path, "%s/%s", TEST_SOURCE_DIR, peer->test);
        if (!is_test_of_peers(peer->test) || access(path, R_OK) != 0)
            fail_msg("%s: there is no test of peers %s", driver->name, peer->test);
    }
}

static void peer_tests_exist(void **state)
{
    (void)state;
    for_each_driver(check_peers);
}

/* ---- jig files ---- */

static void check_examples(const struct programmer_driver *driver, const struct driver_guide *guide)
{
    char text[512];
    struct failure failure = {0};

    for (const char *const *example = guide->examples; *example != NULL; example++) {
        struct jig *jig = NULL;

        snprintf(text, sizeof text, "jig: example\nsites:\n  - %s\n", *example);
        if (jig_parse("example", text, strlen(text), &jig, &failure) != 0)
            fail_msg("%s: %s: %s", driver->name, *example, failure.detail);
        assert_int_equal(jig->site_count, 1);
        assert_string_equal(jig->sites[0].programmer, driver->name);
        jig_free(jig);
    }
}

/* All examples of a driver stand side by side, too: they are sites of one jig. */
static void check_examples_together(const struct programmer_driver *driver,
                                    const struct driver_guide *guide)
{
    char text[2048] = "jig: example\nsites:\n";
    struct failure failure = {0};
    struct jig *jig = NULL;

    for (const char *const *example = guide->examples; *example != NULL; example++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "  - %s\n", *example);
    if (jig_parse("examples", text, strlen(text), &jig, &failure) != 0)
        fail_msg("%s: %s", driver->name, failure.detail);
    jig_free(jig);
}

static void examples_are_sites_of_jig_files(void **state)
{
    (void)state;
    for_each_driver(check_examples);
    for_each_driver(check_examples_together);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_driver_is_explained),
        cmocka_unit_test(models_are_those_of_the_bench),
        cmocka_unit_test(the_manual_names_every_model),
        cmocka_unit_test(peer_tests_exist),
        cmocka_unit_test(examples_are_sites_of_jig_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
