/* A jig file that is written is read back as what it was meant to be, or is not written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jigs/jig.h"
#include "jigs/jig_write.h"

static struct jig_write_site site(int number, const char *driver, const char *place,
                                  const char *comment)
{
    struct jig_write_site made = {.site = number, .driver = programmer_driver_by_name(driver)};

    assert_non_null(made.driver);
    assert_int_equal(place_parse(place, &made.place, NULL), 0);
    snprintf(made.comment, sizeof made.comment, "%s", comment);
    return made;
}

static char *written(const char *name, const struct jig_write_site *sites, size_t count)
{
    const struct jig_write write = {
        .name = name, .comment = "first\nsecond", .sites = sites, .count = count};
    struct failure failure = {0};
    char *text = NULL;

    if (jig_write_text(&write, &text, &failure) != 0)
        fail_msg("%s", failure.detail);
    return text;
}

static void assert_refused(const char *name, const struct jig_write_site *sites, size_t count,
                           enum failure_code code)
{
    const struct jig_write write = {.name = name, .comment = "", .sites = sites, .count = count};
    struct failure failure = {0};
    char *text = NULL;

    assert_int_equal(jig_write_text(&write, &text, &failure), -1);
    assert_int_equal(failure.code, code);
    assert_null(text);
}

static void the_file_looks_as_people_write_it(void **state)
{
    (void)state;
    struct jig_write_site sites[] = {
        site(1, "usbasp", "usb:1-1.4.2", "USBasp 1.04"),
        site(2, "stk500v1", "serial:/dev/serial/by-path/pci-0000:00:14.0-usb-0:1.1:1.0", "")};

    sites[1].baud = 115200;
    char *text = written("bench-2", sites, 2);
    assert_string_equal(text, "# first\n# second\njig: bench-2\nsites:\n"
                              "  - {site: 1, programmer: usbasp, at: usb:1-1.4.2}  # USBasp 1.04\n"
                              "  - {site: 2, programmer: stk500v1, "
                              "at: \"serial:/dev/serial/by-path/pci-0000:00:14.0-usb-0:1.1:1.0\", "
                              "baud: 115200}\n");
    free(text);
}

static void whatever_is_in_a_name_is_read_back(void **state)
{
    (void)state;
    static const char *const names[] = {
        "a \"quoted\" one", "back\\slash", "1", "{",  "# no comment", "a: b",
        "B\xC3\xBChne",     "'",           "-", "x,y"};
    static const char *const places[] = {"usb:serial=a\"b\\c, d: {e}", "usb:serial=#1",
                                         "tcp:[::1]:3001", "serial:/dev/a b'c\"d"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct jig_write_site one = site(1, "usbtiny", "usb:1-1", "");

        free(written(names[i], &one, 1)); /* jig_write_text() compares */
    }
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        bool usb = strncmp(places[i], "usb", 3) == 0;
        struct jig_write_site one = site(256, usb ? "usbasp" : "stk500v1", places[i], "");

        free(written("jig", &one, 1));
    }
}

/* What a device says about itself stays a comment. */
static void comments_stay_on_their_line(void **state)
{
    (void)state;
    struct jig_write_site one = site(1, "usbasp", "usb:1-1", "a\nsites: []\r\x1B[31m");
    char *text = written("jig", &one, 1);

    assert_non_null(strstr(text, "}  # a?sites: []??[31m\n"));
    free(text);
}

static void what_would_not_load_is_refused(void **state)
{
    (void)state;
    struct jig_write_site sites[] = {site(1, "usbasp", "usb:1-1", ""),
                                     site(2, "usbtiny", "usb:1-1", "")};
    char long_name[200];

    assert_refused("jig", sites, 2, FAILURE_PLACE_TWICE);
    sites[1] = site(1, "usbtiny", "usb:1-2", "");
    assert_refused("jig", sites, 2, FAILURE_JIG_INVALID);
    sites[1] = site(2, "usbtiny", "serial:/dev/ttyS0", "");
    assert_refused("jig", sites, 2, FAILURE_JIG_INVALID);
    assert_refused("jig", sites, 0, FAILURE_JIG_INVALID);
    assert_refused("", sites, 1, FAILURE_JIG_INVALID);
    assert_refused("a\nb", sites, 1, FAILURE_JIG_INVALID);
    assert_refused("\xFF", sites, 1, FAILURE_JIG_INVALID);
    memset(long_name, 'x', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    assert_refused(long_name, sites, 1, FAILURE_JIG_INVALID);
}

static void quotes_fit_or_are_refused(void **state)
{
    (void)state;
    char quoted[8];

    assert_true(jig_write_quoted("a\"b", quoted, sizeof quoted));
    assert_string_equal(quoted, "\"a\\\"b\"");
    assert_true(jig_write_quoted("abcde", quoted, sizeof quoted));
    assert_string_equal(quoted, "\"abcde\"");
    assert_false(jig_write_quoted("abcdefg", quoted, sizeof quoted));
    assert_false(jig_write_quoted("", quoted, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_file_looks_as_people_write_it),
        cmocka_unit_test(whatever_is_in_a_name_is_read_back),
        cmocka_unit_test(comments_stay_on_their_line),
        cmocka_unit_test(what_would_not_load_is_refused),
        cmocka_unit_test(quotes_fit_or_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
