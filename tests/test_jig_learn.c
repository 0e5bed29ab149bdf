/* Which of the programmers that are plugged in is the new one? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "jigs/jig_learn.h"

#define PLUGGED_MAX 4

/* What is plugged in: the texts of places, ending with NULL. */
static size_t plugged(const char *const places[], struct programmer_found found[PLUGGED_MAX])
{
    size_t count = 0;

    for (; places[count] != NULL; count++) {
        memset(&found[count], 0, sizeof found[count]);
        assert_int_equal(place_parse(places[count], &found[count].place, NULL), 0);
    }
    return count;
}

#define PLACES(...) ((const char *const[]){__VA_ARGS__, NULL})
#define NOTHING ((const char *const[]){NULL})

static void begin(struct jig_learner *learner, const char *const places[])
{
    struct programmer_found found[PLUGGED_MAX];

    jig_learner_begin(learner, found, plugged(places, found));
}

/* How many are new; the first must be `place`. */
static size_t look(struct jig_learner *learner, const char *const places[], const char *place)
{
    struct programmer_found found[PLUGGED_MAX];
    size_t first = 99;
    size_t fresh = jig_learner_look(learner, found, plugged(places, found), &first);
    char text[300];

    if (fresh > 0) {
        place_to_text(&found[first].place, text, sizeof text);
        assert_string_equal(text, place);
    }
    return fresh;
}

static void note(struct jig_learner *learner, const char *place, bool taken)
{
    struct place parsed;

    assert_int_equal(place_parse(place, &parsed, NULL), 0);
    jig_learner_note(learner, &parsed, taken);
}

static void what_comes_is_new(void **state)
{
    (void)state;
    struct jig_learner learner;

    begin(&learner, PLACES("usb:1-1", "serial:/dev/ttyS0"));
    assert_int_equal(look(&learner, PLACES("usb:1-1", "serial:/dev/ttyS0"), ""), 0);
    assert_int_equal(look(&learner, PLACES("usb:1-1", "usb:1-2", "serial:/dev/ttyS0"), "usb:1-2"),
                     1);
    /* It stays new until somebody notes it. */
    assert_int_equal(look(&learner, PLACES("usb:1-1", "usb:1-2"), "usb:1-2"), 1);
    note(&learner, "usb:1-2", true);
    assert_int_equal(look(&learner, PLACES("usb:1-1", "usb:1-2"), ""), 0);
    assert_int_equal(look(&learner, PLACES("usb:1-1", "usb:1-2", "usb:1-3", "usb:1-4"), "usb:1-3"),
                     2);
}

static void what_was_unplugged_is_new_again(void **state)
{
    (void)state;
    struct jig_learner learner;

    begin(&learner, PLACES("usb:1-1", "usb:1-2"));
    assert_int_equal(look(&learner, PLACES("usb:1-2"), ""), 0);
    assert_int_equal(look(&learner, PLACES("usb:1-1", "usb:1-2"), "usb:1-1"), 1);

    /* One that did not answer may be plugged in once more… */
    note(&learner, "usb:1-1", false);
    assert_int_equal(look(&learner, PLACES("usb:1-1", "usb:1-2"), ""), 0);
    assert_int_equal(look(&learner, PLACES("usb:1-2"), ""), 0);
    assert_int_equal(look(&learner, PLACES("usb:1-1", "usb:1-2"), "usb:1-1"), 1);

    /* …one that is a site's is known for good. */
    note(&learner, "usb:1-1", true);
    assert_int_equal(look(&learner, NOTHING, ""), 0);
    assert_int_equal(look(&learner, PLACES("usb:1-1"), ""), 0);
    assert_int_equal(look(&learner, PLACES("usb:1-1", "usb:1-2"), "usb:1-2"), 1);
}

static void there_may_be_more_than_anybody_has(void **state)
{
    (void)state;
    static struct programmer_found found[JIG_LEARN_PLACES_MAX + 1];
    struct jig_learner learner;
    size_t first = 0;

    for (size_t i = 0; i <= JIG_LEARN_PLACES_MAX; i++) {
        found[i].place.kind = PLACE_SERIAL;
        snprintf(found[i].place.path, sizeof found[i].place.path, "/dev/ttyUSB%zu", i);
    }
    jig_learner_begin(&learner, found, JIG_LEARN_PLACES_MAX + 1);
    assert_int_equal(learner.known_count, JIG_LEARN_PLACES_MAX);
    assert_int_equal(jig_learner_look(&learner, found, JIG_LEARN_PLACES_MAX, &first), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_comes_is_new),
        cmocka_unit_test(what_was_unplugged_is_new_again),
        cmocka_unit_test(there_may_be_more_than_anybody_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
