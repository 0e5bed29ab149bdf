/* The fuse gate, proved on the wire of serial programmers: the whole way from profile to simulated
 * board, with bytes that vanish, come twice or turn over at every place of a fuse write and of a
 * page, in both directions, and with images full of what looks like fuse writes. Judged by the
 * board's own counters of what it was sent.
 *
 * Every driver is a row of the table. `test_gate_wire DRIVER` tries one; without a name, all. */
#include "tests/gate_wire.h"

static const struct wire_programmer programmers[] = {
    /* The sketch puts a universal command's four bytes on the SPI bus when they are in, and looks
     * at the end byte then: what has become another instruction by then is executed. */
    {.driver = "stk500v1",
     .model = "arduino-uno-isp",
     .baud = 19200,
     .begin = "56 ",
     .before = 1,
     .after = 1,
     .executes_turned = AT_1 | AT_3,
     .executes_doubled = AT_1 | AT_2,
     .page = "64 00 80 46",
     .page_first = 0,
     .page_last = 12,
     .hostile = {{{0xAC, 0xA0, 0x00, 0x20}, 4},
                 {{0x56, 0xAC, 0xA0, 0x00, 0x20}, 5},
                 {{0x56, 0xAC, 0xE0, 0x00, 0xC0}, 5},
                 {{0x56, 0xAC, 0x80, 0x00, 0x20}, 5}},
     .hostile_count = 4},
    /* 1B, sequence, length, 0E, the command for single instructions; behind it the checksum. */
    {.driver = "stk500v2",
     .model = "stk500-v2",
     .begin = "1D 04 04 00 ",
     .before = 9,
     .after = 1,
     .page = "13 00 80",
     .page_first = -5,
     .page_last = 14,
     .hostile =
         {{{0x1B, 0x01, 0x00, 0x08, 0x0E, 0x1D, 0x04, 0x04, 0x00, 0xAC, 0xA0, 0x00, 0x20, 0x2D},
           14},
          {{0x1B, 0x07, 0x00, 0x05, 0x0E, 0x19, 0xAC, 0xE0, 0x00, 0x00, 0x42}, 11},
          {{0x1B, 0x07, 0x00, 0x07, 0x0E, 0x12, 0x01, 0x01, 0xAC, 0x80, 0x00, 0x00, 0x2B}, 13}},
     .hostile_count = 3},
    /* '.' and four bytes, which are executed when they are in; the driver awaits a silence behind
     * AC and behind the 00, as no answer may come there. */
    {.driver = "avr910",
     .model = "avr910",
     .begin = "2E ",
     .before = 1,
     .byte_by_byte = true,
     .executes_turned = AT_1 | AT_3,
     .executes_doubled = AT_1 | AT_2,
     .page = "63 6C",
     .page_first = 0,
     .page_last = 12,
     .hostile = {{"le flame feel l", 15}, {{'l', 0xC0, 'f', 0x20, '.', 0xAC, 0xE0, 0x00, 0xC0}, 9}},
     .hostile_count = 2},
    /* 13 and four bytes, each on the SPI bus as it comes and awaited; a page is 05, its length, and
       loads. */
    {.driver = "buspirate",
     .model = "buspirate-v3",
     .begin = "13 ",
     .before = 1,
     .byte_by_byte = true,
     .executes_turned = AT_1 | AT_3,
     .executes_doubled = AT_1 | AT_2,
     .page = "05 02 04",
     .page_first = 0,
     .page_last = 16,
     .hostile = {{{0x13, 0xAC, 0xA0, 0x00, 0x20}, 5},
                 {{0xAC, 0xE0, 0x13, 0xC0}, 4},
                 {{0x05, 0x00, 0x04, 0x00, 0x00, 0xAC, 0xA0, 0x00, 0x20}, 9}},
     .hostile_count = 3},
    /* Spoken to like the sketch until it is known to look at the end byte first. */
    {.driver = "stk500",
     .model = "stk500",
     .begin = "56 ",
     .before = 1,
     .after = 1,
     .executes_turned = AT_1 | AT_3,
     .executes_doubled = AT_1 | AT_2,
     .page = "64 00 80 46",
     .page_first = 0,
     .page_last = 12,
     .hostile = {{{0x56, 0xAC, 0xA0, 0x00, 0x20}, 5},
                 {{0x52, 0x20, 0x65, 0x20}, 4},
                 {{0x63}, 1}}, /* the page's end byte and what recovery feeds */
     .hostile_count = 3},
};
enum { PROGRAMMERS = sizeof programmers / sizeof programmers[0] };

static void a_garbled_fuse_write_never_makes_another_value(void **state)
{
    add_frames(&cases, programmer_of(state), &atmega328p);
    run_and_clear(&cases);
}

/* The oldest parts carry their bits in the second byte. */
static void a_lost_byte_never_makes_another_value(void **state)
{
    const struct wire_programmer *kind = programmer_of(state);
    for (int place = -kind->before; place < 4 + kind->after; place++)
        for (int byte = 0; byte < 2; byte++) {
            add_way(&cases, kind, &at90s8535, byte, place, WAY_LOST);
            add_way(&cases, kind, &at90s4433, byte, place, WAY_LOST);
        }
    run_and_clear(&cases);
}

static void a_mishap_in_a_fuse_write_never_makes_another_value(void **state)
{
    static const char *const faults[] = {"hang", "reset", "port-gone, for: 200 ms"};
    add_mishaps(&cases, programmer_of(state), &atmega328p, faults, 3);
    run_and_clear(&cases);
}

static void a_garbled_reply_never_makes_another_value(void **state)
{
    add_replies(&cases, programmer_of(state), &atmega328p);
    add_noise(&cases, programmer_of(state), &atmega328p);
    run_and_clear(&cases);
}

static void an_image_full_of_fuse_writes_sends_none(void **state)
{
    add_hostile_images(&cases, programmer_of(state), &atmega328p);
    run_and_clear(&cases);
}

/* The same where flash has no pages and each byte goes by an instruction of its own. */
static void bytes_full_of_fuse_writes_send_none(void **state)
{
    const struct wire_programmer *kind = programmer_of(state);
    for (int i = 0; i < kind->hostile_count; i++)
        for (int part = 0; part < 2; part++) {
            struct wire_case *made =
                add_case(&cases, kind, part == 0 ? &at90s8535 : &at90s4433, passes_with_all_writes);
            memcpy(made->pattern, kind->hostile[i].pattern, sizeof made->pattern);
            made->pattern_count = kind->hostile[i].count;
        }
    run_and_clear(&cases);
}

static int try_programmer(const struct wire_programmer *kind)
{
    struct wire_programmer same = *kind; /* a state is not const */
    void *state = &same;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(without_a_fault_all_are_written, state),
        cmocka_unit_test_prestate(a_garbled_fuse_write_never_makes_another_value, state),
        cmocka_unit_test_prestate(a_lost_byte_never_makes_another_value, state),
        cmocka_unit_test_prestate(a_mishap_in_a_fuse_write_never_makes_another_value, state),
        cmocka_unit_test_prestate(a_garbled_reply_never_makes_another_value, state),
        cmocka_unit_test_prestate(an_image_full_of_fuse_writes_sends_none, state),
        cmocka_unit_test_prestate(bytes_full_of_fuse_writes_send_none, state),
    };
    return cmocka_run_group_tests_name(kind->driver, tests, NULL, NULL);
}

int main(int argc, char **argv)
{
    return try_programmers(programmers, PROGRAMMERS, argc > 1 ? argv[1] : NULL, try_programmer);
}
