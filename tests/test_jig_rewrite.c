/* Another place for a site: one value in the file is changed and nothing else, or it is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "jigs/jig_rewrite.h"

static int rewrite(const char *text, int site, const char *at, char **rewritten,
                   struct failure *failure)
{
    struct place place;
    size_t bytes = 0;

    assert_int_equal(place_parse(at, &place, NULL), 0);
    int result = jig_rewrite_place("test.yaml", text, strlen(text), site, &place, rewritten, &bytes,
                                   failure);
    if (result == 0)
        assert_int_equal(bytes, strlen(*rewritten));
    return result;
}

static void assert_rewritten(const char *text, int site, const char *at, const char *expected)
{
    struct failure failure = {0};
    char *rewritten = NULL;

    if (rewrite(text, site, at, &rewritten, &failure) != 0)
        fail_msg("%s: %s", text, failure.detail);
    assert_string_equal(rewritten, expected);
    free(rewritten);
}

static void assert_refused(const char *text, int site, const char *at, enum failure_code code,
                           const char *says)
{
    struct failure failure = {0};
    char *rewritten = NULL;

    assert_int_equal(rewrite(text, site, at, &rewritten, &failure), -1);
    assert_null(rewritten);
    if (failure.code != code || strstr(failure.detail, says) == NULL)
        fail_msg("%s: found %s '%s', expected '%s'", text, failure_lookup(failure.code)->name,
                 failure.detail, says);
}

#define HEAD "# a jig, usb:1-1 \xC3\xA4\njig: a  # usb:1-1\nsites:\n"

static void only_that_place_is_changed(void **state)
{
    (void)state;
    assert_rewritten(
        HEAD "  - {site: 1, programmer: usbasp, at: usb:1-1.4, supply: 5 V} # usb:1-1\n"
             "  - {site: 2, programmer: usbtiny, at: usb:1-1}   # old\n\n# end",
        2, "usb:2-1.10",
        HEAD "  - {site: 1, programmer: usbasp, at: usb:1-1.4, supply: 5 V} # usb:1-1\n"
             "  - {site: 2, programmer: usbtiny, at: usb:2-1.10}   # old\n\n# end");
    assert_rewritten(HEAD "  - {at: usb:1-1, site: 1, programmer: usbasp}", 1, "usb:1-2",
                     HEAD "  - {at: usb:1-2, site: 1, programmer: usbasp}");
    /* The site whose number it is, not the one that stands there. */
    assert_rewritten("jig: a\nsites:\n- {site: 2, programmer: usbasp, at: usb:1-1}\n"
                     "- {site: 1, programmer: usbasp, at: usb:1-2}\n",
                     1, "usb:1-3",
                     "jig: a\nsites:\n- {site: 2, programmer: usbasp, at: usb:1-1}\n"
                     "- {site: 1, programmer: usbasp, at: usb:1-3}\n");
}

static void all_ways_to_write_a_list_are_known(void **state)
{
    (void)state;
    assert_rewritten(
        HEAD "  - site: 1\n    programmer: usbasp\n    at: usb:1-1   # here\n", 1, "usb:serial=x y",
        HEAD "  - site: 1\n    programmer: usbasp\n    at: \"usb:serial=x y\"   # here\n");
    assert_rewritten(HEAD "  - at: usb:1-1\n    site: 1\n    programmer: usbasp", 1, "usb:1-2",
                     HEAD "  - at: usb:1-2\n    site: 1\n    programmer: usbasp");
    assert_rewritten("jig: a\nsites: [{site: 1, programmer: usbasp, at:\n usb:1-1}]", 1, "usb:1-2",
                     "jig: a\nsites: [{site: 1, programmer: usbasp, at:\n usb:1-2}]");
    assert_rewritten(HEAD "  - {\"site\": 1, 'programmer': usbasp, \"at\": usb:1-1}\n", 1,
                     "usb:1-2", HEAD "  - {\"site\": 1, 'programmer': usbasp, \"at\": usb:1-2}\n");
}

static void quotes_stay_as_they_are(void **state)
{
    (void)state;
    assert_rewritten(HEAD "- {site: 1, programmer: usbasp, at: \"usb:1-1\"}", 1, "usb:1-2",
                     HEAD "- {site: 1, programmer: usbasp, at: \"usb:1-2\"}");
    assert_rewritten(HEAD "- {site: 1, programmer: usbasp, at: 'usb:1-1'}", 1, "usb:1-2",
                     HEAD "- {site: 1, programmer: usbasp, at: 'usb:1-2'}");
    assert_rewritten(HEAD "- {site: 1, programmer: usbasp, at: 'usb:1-1'}", 1, "usb:serial=a'b",
                     HEAD "- {site: 1, programmer: usbasp, at: \"usb:serial=a'b\"}");
    assert_rewritten(HEAD "- {site: 1, programmer: usbasp, at: \"usb:serial=a\\\"b\"}", 1,
                     "usb:1-2", HEAD "- {site: 1, programmer: usbasp, at: \"usb:1-2\"}");
    assert_rewritten(HEAD "- {site: 1, programmer: stk500v1, at: serial:/dev/ttyS0}", 1,
                     "serial:/dev/serial/by-path/pci-0000:00:14.0-usb-0:1.1:1.0",
                     HEAD "- {site: 1, programmer: stk500v1, "
                          "at: \"serial:/dev/serial/by-path/pci-0000:00:14.0-usb-0:1.1:1.0\"}");
}

static void lines_may_end_as_they_like(void **state)
{
    (void)state;
    assert_rewritten("\xEF\xBB\xBFjig: a\r\nsites:\r\n- site: 1\r\n  programmer: usbasp\r\n"
                     "  at: usb:1-1\r\n",
                     1, "usb:1-2",
                     "\xEF\xBB\xBFjig: a\r\nsites:\r\n- site: 1\r\n  programmer: usbasp\r\n"
                     "  at: usb:1-2\r\n");
    assert_rewritten(
        "\xEF\xBB\xBF{jig: \xC3\xA4\xE2\x82\xAC, sites: [{site: 1, programmer: usbasp, "
        "at: usb:1-1}]}",
        1, "usb:1-2",
        "\xEF\xBB\xBF{jig: \xC3\xA4\xE2\x82\xAC, sites: [{site: 1, programmer: usbasp, "
        "at: usb:1-2}]}");
    assert_rewritten("jig: a\rsites:\r- {site: 1, programmer: usbasp, at: usb:1-1}\r", 1, "usb:1-2",
                     "jig: a\rsites:\r- {site: 1, programmer: usbasp, at: usb:1-2}\r");
}

static void what_is_not_sure_is_refused(void **state)
{
    (void)state;
    static const char by_hand[] = "change it by hand";

    assert_refused(HEAD "- {site: 1, programmer: usbasp, at: \"usb:1-\\x31\"}", 1, "usb:1-2",
                   FAILURE_JIG_INVALID, by_hand);
    assert_refused(HEAD "- site: 1\n  programmer: usbasp\n  at: >-\n    usb:1-1\n", 1, "usb:1-2",
                   FAILURE_JIG_INVALID, by_hand);
    assert_refused(HEAD "- {site: 1, programmer: usbasp, at: 'usb:serial=a''b'}", 1, "usb:1-2",
                   FAILURE_JIG_INVALID, by_hand);
    /* A line that ends in a way of which only YAML knows shifts all that follow. */
    assert_refused("jig: a # \xE2\x80\xA8\nsites:\n- site: 1\n  programmer: usbasp\n  at: usb:1-1",
                   1, "usb:1-2", FAILURE_JIG_INVALID, "");
}

static void what_would_not_do_is_refused(void **state)
{
    (void)state;
    static const char two[] = HEAD "- {site: 1, programmer: usbasp, at: usb:1-1}\n"
                                   "- {site: 2, programmer: usbasp, at: usb:1-2}\n";

    assert_refused(two, 1, "usb:1-2", FAILURE_PLACE_TWICE, "test.yaml:5:");
    assert_refused(two, 3, "usb:1-3", FAILURE_USAGE, "jig a has no site 3");
    assert_refused(two, 1, "serial:/dev/ttyS0", FAILURE_JIG_INVALID, "expected a USB device");
    assert_refused("jig: a\nsites: []\n", 1, "usb:1-1", FAILURE_JIG_INVALID, "test.yaml:2:");
    assert_refused("jig: a\nbench: simulated\nsites:\n- {site: 1, programmer: usbasp, "
                   "model: usbasp-2011, board: ATmega8}\n",
                   1, "usb:1-1", FAILURE_JIG_INVALID, "is a simulated bench");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_that_place_is_changed),
        cmocka_unit_test(all_ways_to_write_a_list_are_known),
        cmocka_unit_test(quotes_stay_as_they_are),
        cmocka_unit_test(lines_may_end_as_they_like),
        cmocka_unit_test(what_is_not_sure_is_refused),
        cmocka_unit_test(what_would_not_do_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
