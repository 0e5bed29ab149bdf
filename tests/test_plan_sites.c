/* Which sites of a jig cannot do a profile: all of them, by name, and how to go on without them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "station/plan_sites.h"
#include "station/site_list.h"

#define PARTS TEST_SOURCE_DIR "/profiles/parts"
#define DEMO TEST_SOURCE_DIR "/profiles/boards/demo.yaml"

struct fixture {
    struct profile *profile;
    struct jig *jig;
    struct plan_refusals refusals;
    struct failure failure;
};

/* Sites 1 to `count`; those of another supply than the profile's where `is_bad` says so. */
static void open_fixture(struct fixture *fixture, int count, bool (*is_bad)(int site))
{
    char *text = malloc((size_t)count * 80 + 80);
    size_t used = 0;

    memset(fixture, 0, sizeof *fixture);
    assert_non_null(text);
    used += (size_t)sprintf(text, "jig: many\nsites:\n");
    for (int site = 1; site <= count; site++)
        used += (size_t)sprintf(
            text + used, "  - {site: %d, programmer: stk500v1, at: \"tcp:127.0.0.1:%d\"%s}\n", site,
            3000 + site, is_bad(site) ? ", supply: 3.3 V" : "");
    assert_int_equal(jig_parse("many", text, used, &fixture->jig, &fixture->failure), 0);
    assert_int_equal(profile_load(DEMO, PARTS, &fixture->profile, &fixture->failure), 0);
    free(text);
}

static void close_fixture(struct fixture *fixture)
{
    plan_refusals_free(&fixture->refusals);
    profile_free(fixture->profile);
    jig_free(fixture->jig);
}

static int check(struct fixture *fixture, const bool *site_wanted)
{
    plan_refusals_free(&fixture->refusals);
    fixture->failure = (struct failure){0};
    return plan_check_sites(fixture->profile, fixture->jig, site_wanted, &fixture->refusals,
                            &fixture->failure);
}

static void check_says(const struct fixture *fixture, const char *text)
{
    assert_int_equal(fixture->failure.code, FAILURE_PLAN_REFUSED);
    if (strstr(fixture->failure.detail, text) == NULL)
        fail_msg("'%s' does not say '%s'", fixture->failure.detail, text);
}

static bool is_none(int site)
{
    (void)site;
    return false;
}

static bool is_one_of_three(int site)
{
    return site == 2 || site == 3 || site == 6;
}

static bool is_even(int site)
{
    return site % 2 == 0;
}

static bool is_any(int site)
{
    (void)site;
    return true;
}

static void all_that_cannot_are_named(void **state)
{
    struct fixture fixture;

    (void)state;
    open_fixture(&fixture, 8, is_one_of_three);
    assert_int_equal(check(&fixture, NULL), -1);
    check_says(&fixture, "sites 2-3,6 of jig many cannot do profile demo; flash with --sites "
                         "1,4-5,7-8 to do it on the others");
    assert_int_equal(fixture.refusals.count, 3);
    assert_int_equal(fixture.refusals.list[2].site, 6);
    assert_non_null(strstr(fixture.refusals.list[2].failure.detail, "many:8:5: site 6: the site "
                                                                    "supplies 3300 mV"));
    close_fixture(&fixture);
}

static void what_is_not_wanted_is_not_looked_at(void **state)
{
    struct fixture fixture;
    bool wanted[JIG_SITES_MAX] = {[0] = true, [3] = true};

    (void)state;
    open_fixture(&fixture, 8, is_one_of_three);
    assert_int_equal(check(&fixture, wanted), 0);
    assert_int_equal(fixture.refusals.count, 0);
    wanted[5] = true;
    assert_int_equal(check(&fixture, wanted), -1);
    check_says(&fixture, "site 6 of jig many cannot do profile demo; flash with --sites 1,4 ");
    close_fixture(&fixture);

    open_fixture(&fixture, 8, is_none);
    assert_int_equal(check(&fixture, NULL), 0);
    close_fixture(&fixture);
}

static void the_only_site_has_its_own_reason(void **state)
{
    struct fixture fixture;

    (void)state;
    open_fixture(&fixture, 1, is_any);
    assert_int_equal(check(&fixture, NULL), -1);
    check_says(&fixture, "many:3:5: site 1: the site supplies 3300 mV");
    close_fixture(&fixture);

    open_fixture(&fixture, 3, is_any);
    assert_int_equal(check(&fixture, NULL), -1);
    check_says(&fixture, "none of the 3 sites of jig many can do profile demo");
    close_fixture(&fixture);
}

/* A list that lacks sites would be believed. */
static void a_list_is_given_whole_or_not_at_all(void **state)
{
    struct fixture fixture;

    (void)state;
    open_fixture(&fixture, JIG_SITES_MAX, is_even);
    assert_int_equal(check(&fixture, NULL), -1);
    check_says(&fixture, "128 sites of jig many cannot do profile demo; flash with --sites to ");
    assert_int_equal(fixture.refusals.count, 128);
    assert_int_equal(fixture.refusals.list[127].site, 256);
    close_fixture(&fixture);
}

static void lists_are_read_as_they_are_written(void **state)
{
    static const char *const texts[] = {"1", "1-8", "2-3,6", "1,3,5,7", "8"};
    struct fixture fixture;
    bool picked[JIG_SITES_MAX];
    char text[40];

    (void)state;
    open_fixture(&fixture, 8, is_none);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_int_equal(site_list_parse(texts[i], fixture.jig, picked, &fixture.failure), 0);
        assert_true(site_list_to_text(fixture.jig, picked, text, sizeof text));
        assert_string_equal(text, texts[i]);
    }
    assert_true(site_list_to_text(fixture.jig, picked, text, 2));
    assert_false(site_list_to_text(fixture.jig, picked, text, 1));
    close_fixture(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_that_cannot_are_named),
        cmocka_unit_test(what_is_not_wanted_is_not_looked_at),
        cmocka_unit_test(the_only_site_has_its_own_reason),
        cmocka_unit_test(a_list_is_given_whole_or_not_at_all),
        cmocka_unit_test(lists_are_read_as_they_are_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
