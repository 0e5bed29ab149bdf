/* The fuse gate, proved on the wire of USB programmers: what goes wrong in the transfer of a fuse
 * write, in its reply, and in the packets of pages full of what looks like fuse writes. Judged by
 * the board's own counters of what it was sent.
 *
 * A fuse write stands in the setup packet of its transfer, whose bits the bench does not turn: what
 * such a bit would make of each request is counted out in test_usbasp.c and test_usbtiny.c, and
 * jigs/drivers/usb_isp.h says what the promise is there.
 *
 * Every driver is a row of the table. `test_gate_wire_usb DRIVER` tries one; without a name, all.
 */
#include "tests/gate_wire.h"

static const struct wire_programmer programmers[] = {
    {.driver = "usbasp", .model = "usbasp-2011"},
    {.driver = "usbtiny", .model = "usbtinyisp"},
    {.driver = "avrispmkii", .model = "avrispmkii"},
};
enum { PROGRAMMERS = sizeof programmers / sizeof programmers[0] };

/* The transfer of a fuse write is refused, ends early, is NAKed for ever, or its programmer hangs,
 * starts anew or is unplugged; so for the one after it: no other value comes of it. */
static void a_fuse_write_that_fails_never_makes_another_value(void **state)
{
    static const char *const faults[] = {"stall", "short-reply", "nak",
                                         "hang",  "reset",       "port-gone, for: 200 ms"};
    add_mishaps(&cases, programmer_of(state), &atmega328p, faults, 6);
    add_mishaps(&cases, programmer_of(state), &at90s8535, faults, 6);
    add_mishaps(&cases, programmer_of(state), &at90s4433, faults, 6);
    run_and_clear(&cases);
}

/* Of the four bytes of the reply to a fuse write the first may be anything, two are what the board
 * heard, the last is nothing: each is lost, each bit turned. */
static void a_garbled_reply_never_makes_another_value(void **state)
{
    enum { REPLY_BYTES = 3, REPLY_WAYS = 9 };
    for (int i = 0; i < BYTES_MAX * REPLY_BYTES * REPLY_WAYS; i++) {
        int byte = i % BYTES_MAX, way = i / BYTES_MAX % REPLY_WAYS;
        int offset = i / BYTES_MAX / REPLY_WAYS;
        struct wire_case *made =
            add_case(&cases, programmer_of(state), &atmega328p, meets_its_fault);
        char fault[32] = "lost-byte";
        if (way > 0)
            snprintf(fault, sizeof fault, "flip, mask: 0x%02X", 1 << (way - 1));
        snprintf(made->fault, sizeof made->fault,
                 "{site: 1, fault: %s, wire: from-programmer, match: \"%s\", offset: %d, times: 1}",
                 fault, instruction_of(&atmega328p, byte), offset);
    }
    run_and_clear(&cases);
}

/* Images whose bytes are fuse writes and chip erases, whole and with a packet of their pages lost,
 * twice or with a bit turned. */
static void an_image_full_of_fuse_writes_sends_none(void **state)
{
    static const struct wire_hostile images[] = {
        {{0xAC, 0xA0, 0x00, 0x20}, 4}, {{0xAC, 0x80}, 2}, {{0x00, 0xAC, 0xE0}, 3}};
    static const char *const ways[] = {"", "flip, wire: to-programmer", "duplicate-packet",
                                       "lost-byte, wire: to-programmer"};
    static const int offsets[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 64, 127, 128, 200};
    enum { IMAGES = 3, PACKET_WAYS = 4, OFFSETS = sizeof offsets / sizeof offsets[0] };
    for (int i = 0; i < IMAGES * PACKET_WAYS * OFFSETS; i++) {
        int image = i % IMAGES, way = i / IMAGES % PACKET_WAYS;
        int offset = offsets[i / IMAGES / PACKET_WAYS];
        struct wire_case *made = add_case(&cases, programmer_of(state), &atmega328p,
                                          way == 0 ? passes_with_all_writes : is_sent_nothing_else);
        memcpy(made->pattern, images[image].pattern, sizeof made->pattern);
        made->pattern_count = images[image].count;
        if (way > 0)
            snprintf(made->fault, sizeof made->fault, "{site: 1, fault: %s, offset: %d, times: 1}",
                     ways[way], offset);
    }
    run_and_clear(&cases);
}

/* Garbled packets of all kinds, some in every board's work: the board is sent nothing else, and
 * what it took all the same passes only if it is right. */
static void packets_garbled_by_chance_never_make_another_value(void **state)
{
    static const char *const faults[] = {
        "flip, wire: from-programmer, rate: 0.002", "lost-byte, wire: from-programmer, rate: 0.001",
        "flip, wire: to-programmer, rate: 0.005", "lost-byte, wire: to-programmer, rate: 0.002",
        "duplicate-packet, rate: 0.005"};
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        struct wire_case *made = add_case(&cases, programmer_of(state), &atmega328p, is_harmless);
        snprintf(made->fault, sizeof made->fault, "{site: 1, fault: %s}", faults[i]);
    }
    run_and_clear(&cases);
}

static int try_programmer(const struct wire_programmer *kind)
{
    struct wire_programmer same = *kind; /* a state is not const */
    void *state = &same;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(without_a_fault_all_are_written, state),
        cmocka_unit_test_prestate(a_fuse_write_that_fails_never_makes_another_value, state),
        cmocka_unit_test_prestate(a_garbled_reply_never_makes_another_value, state),
        cmocka_unit_test_prestate(an_image_full_of_fuse_writes_sends_none, state),
        cmocka_unit_test_prestate(packets_garbled_by_chance_never_make_another_value, state),
    };
    return cmocka_run_group_tests_name(kind->driver, tests, NULL, NULL);
}

int main(int argc, char **argv)
{
    return try_programmers(programmers, PROGRAMMERS, argc > 1 ? argv[1] : NULL, try_programmer);
}
