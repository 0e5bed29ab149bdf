/* What answers at a serial port, where anything may be, is found by asking each driver. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "jigs/simbench/bench.h"
#include "station/jig_session.h"

/* What `jig list --probe` would find with this model at a port, told that `driver` may be there. */
static void ask(const char *programmer, const char *model, const char *driver,
                struct programmer_found *found, struct failure *failure)
{
    struct jig_session session = {0};
    struct bench_options options = {.parts_directory = TEST_SOURCE_DIR "/profiles/parts"};
    struct programmer *claimed = NULL;
    struct bench *bench = NULL;
    char text[300];

    *failure = (struct failure){0};
    assert_int_equal(interrupt_begin(&session.interrupt, failure), 0);
    snprintf(text, sizeof text,
             "jig: port\nbench: {simulated: true, pace: fast}\nsites:\n"
             "  - {site: 1, programmer: %s, model: %s, board: ATmega328P}\n",
             programmer, model);
    struct jig *jig = NULL;
    assert_int_equal(jig_parse("port", text, strlen(text), &jig, failure), 0);
    options.jig = jig;
    assert_int_equal(bench_start(&options, &bench, failure), 0);
    *found = (struct programmer_found){.driver = programmer_driver_by_name(driver)};
    assert_int_equal(place_parse(bench_place(bench, 1), &found->place, failure), 0);
    if (jig_session_ask(&session, found, &claimed, failure) != 0)
        assert_null(claimed);
    else
        assert_ptr_equal(claimed->driver, found->driver);
    programmer_destroy(claimed);
    assert_int_equal(bench_stop(bench), 0);
    jig_free(jig);
    interrupt_end(session.interrupt);
}

static void check_found(const char *programmer, const char *model, const char *driver)
{
    struct programmer_found found;
    struct failure failure;

    ask(programmer, model, driver, &found, &failure);
    if (failure.code != FAILURE_NONE || strcmp(found.driver->name, programmer) != 0)
        fail_msg("%s: found %s, %s", model, found.driver->name, failure.detail);
}

static void the_driver_that_is_answered_is_found(void **state)
{
    (void)state;
    check_found("stk500v2", "stk500-v2", "stk500v1");
    check_found("stk500v1", "pro-micro-isp", "avr910");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_driver_that_is_answered_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
