/* The fuse gate, proved on the wire of USB programmers: what goes wrong in the transfer of a fuse
 * write, in its reply, and in the packets of pages full of what looks like fuse writes. Judged by
 * the board's own counters of what it was sent.
 *
 * A fuse write stands in the setup packet of its transfer, whose bits the bench does not turn: what
 * such a bit would make of each request is counted out in test_usbasp.c and test_usbtiny.c, and
 * jigs/drivers/usb_isp.h says what the promise is there. */
#include "tests/gate_wire.h"

static const struct wire_programmer programmers[] = {{"usbasp", "usbasp-2011", 0},
                                                     {"usbtiny", "usbtinyisp", 0}};
static const struct wire_part *const parts[] = {&atmega328p, &at90s8535, &at90s4433};
enum { PROGRAMMERS = 2, PARTS_TRIED = 3, CASES_MAX = 800 };

static struct wire_case cases[CASES_MAX];

static struct wire_case *add_case(size_t *count, int programmer, const struct wire_part *part,
                                  bool (*judge)(const struct fixture *fixture))
{
    struct wire_case *made = &cases[(*count)++];
    assert_true(*count <= CASES_MAX);
    *made = (struct wire_case){&programmers[programmer], part, HARMLESS, "", judge};
    return made;
}

/* How the instruction that writes one of the part's bytes begins. */
static const char *instruction(const struct wire_part *part, int byte)
{
    return part->bytes[byte].write + strlen("56 ");
}

static void without_a_fault_all_are_written(void **state)
{
    (void)state;
    size_t count = 0;
    for (int i = 0; i < PROGRAMMERS * PARTS_TRIED; i++)
        add_case(&count, i % PROGRAMMERS, parts[i / PROGRAMMERS], passes_with_all_writes);
    run_cases(cases, count);
}

/* The transfer of a fuse write is refused, ends early, is NAKed for ever, or its programmer hangs,
 * starts anew or is unplugged; so for the one after it: no other value comes of it. */
static void a_fuse_write_that_fails_never_makes_another_value(void **state)
{
    (void)state;
    static const char *const faults[] = {"stall", "short-reply", "nak",
                                         "hang",  "reset",       "port-gone, for: 200 ms"};
    enum { FAULTS = sizeof faults / sizeof faults[0] };
    size_t count = 0;
    for (int i = 0; i < PROGRAMMERS * PARTS_TRIED * BYTES_MAX * FAULTS * 2; i++) {
        const struct wire_part *part = parts[i / PROGRAMMERS % PARTS_TRIED];
        int byte = i / PROGRAMMERS / PARTS_TRIED % BYTES_MAX;
        int rest = i / PROGRAMMERS / PARTS_TRIED / BYTES_MAX;
        if (byte >= part->count)
            continue;
        struct wire_case *made = add_case(&count, i % PROGRAMMERS, part, meets_its_fault);
        snprintf(made->fault, sizeof made->fault, "{site: 1, fault: %s, match: \"%s\", after: %d}",
                 faults[rest % FAULTS], instruction(part, byte), rest / FAULTS);
    }
    run_cases(cases, count);
}

/* Of the four bytes of the reply to a fuse write the first may be anything, two are what the board
 * heard, the last is nothing: each is lost, each bit turned. */
static void a_garbled_reply_never_makes_another_value(void **state)
{
    (void)state;
    enum { REPLY_BYTES = 3, WAYS = 9 };
    size_t count = 0;
    for (int i = 0; i < PROGRAMMERS * BYTES_MAX * REPLY_BYTES * WAYS; i++) {
        int byte = i / PROGRAMMERS % BYTES_MAX, way = i / PROGRAMMERS / BYTES_MAX % WAYS;
        int offset = i / PROGRAMMERS / BYTES_MAX / WAYS;
        struct wire_case *made = add_case(&count, i % PROGRAMMERS, &atmega328p, meets_its_fault);
        char fault[32] = "lost-byte";
        if (way > 0)
            snprintf(fault, sizeof fault, "flip, mask: 0x%02X", 1 << (way - 1));
        snprintf(made->fault, sizeof made->fault,
                 "{site: 1, fault: %s, wire: from-programmer, match: \"%s\", offset: %d, times: 1}",
                 fault, instruction(&atmega328p, byte), offset);
    }
    run_cases(cases, count);
}

/* Images whose bytes are fuse writes and chip erases, whole and with a packet of their pages lost,
 * twice or with a bit turned. */
static void an_image_full_of_fuse_writes_sends_none(void **state)
{
    (void)state;
    static const struct {
        uint8_t pattern[8];
        size_t count;
    } images[] = {{{0xAC, 0xA0, 0x00, 0x20}, 4}, {{0xAC, 0x80}, 2}, {{0x00, 0xAC, 0xE0}, 3}};
    static const char *const ways[] = {"", "flip, wire: to-programmer", "duplicate-packet",
                                       "lost-byte, wire: to-programmer"};
    static const int offsets[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 64, 127, 128, 200};
    enum { IMAGES = 3, WAYS = 4, OFFSETS = sizeof offsets / sizeof offsets[0] };
    size_t count = 0;
    for (int i = 0; i < PROGRAMMERS * IMAGES * WAYS * OFFSETS; i++) {
        int image = i / PROGRAMMERS % IMAGES, way = i / PROGRAMMERS / IMAGES % WAYS;
        int offset = offsets[i / PROGRAMMERS / IMAGES / WAYS];
        struct wire_case *made = add_case(&count, i % PROGRAMMERS, &atmega328p,
                                          way == 0 ? passes_with_all_writes : is_sent_nothing_else);
        memcpy(made->pattern, images[image].pattern, sizeof made->pattern);
        made->pattern_count = images[image].count;
        if (way > 0)
            snprintf(made->fault, sizeof made->fault, "{site: 1, fault: %s, offset: %d, times: 1}",
                     ways[way], offset);
    }
    run_cases(cases, count);
}

static bool is_sent_nothing_else_and_no_false_pass(const struct fixture *fixture)
{
    return is_sent_nothing_else(fixture) && is_no_false_pass(fixture);
}

/* Garbled packets of all kinds, some in every board's work: the board is sent nothing else, and
 * what it took all the same passes only if it is right. */
static void packets_garbled_by_chance_never_make_another_value(void **state)
{
    (void)state;
    static const char *const faults[] = {
        "flip, wire: from-programmer, rate: 0.002", "lost-byte, wire: from-programmer, rate: 0.001",
        "flip, wire: to-programmer, rate: 0.005", "lost-byte, wire: to-programmer, rate: 0.002",
        "duplicate-packet, rate: 0.005"};
    enum { FAULTS = sizeof faults / sizeof faults[0] };
    size_t count = 0;
    for (int i = 0; i < PROGRAMMERS * FAULTS; i++) {
        struct wire_case *made =
            add_case(&count, i % PROGRAMMERS, &atmega328p, is_sent_nothing_else_and_no_false_pass);
        snprintf(made->fault, sizeof made->fault, "{site: 1, fault: %s}", faults[i / PROGRAMMERS]);
    }
    run_cases(cases, count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_fault_all_are_written),
        cmocka_unit_test(a_fuse_write_that_fails_never_makes_another_value),
        cmocka_unit_test(a_garbled_reply_never_makes_another_value),
        cmocka_unit_test(an_image_full_of_fuse_writes_sends_none),
        cmocka_unit_test(packets_garbled_by_chance_never_make_another_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
