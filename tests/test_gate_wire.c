/* The fuse gate, proved on the wire: the whole way from profile to simulated board, with bytes that
 * vanish or turn over at every position of a fuse write and of a page, and with images full of what
 * looks like fuse writes. Judged by the board's own counters of what it was sent. */
#include "tests/gate_wire.h"

static const struct wire_programmer uno = {"stk500v1", "arduino-uno-isp", 19200};
static const struct wire_part *const parts[] = {&atmega328p, &at90s8535, &at90s4433};
enum { PARTS_TRIED = 3, COMMAND_BYTES = 6 };

static void without_a_fault_all_are_written(void **state)
{
    (void)state;
    struct wire_case cases[PARTS_TRIED];
    for (int i = 0; i < PARTS_TRIED; i++)
        cases[i] = (struct wire_case){&uno, parts[i], HARMLESS, "", passes_with_all_writes};
    run_cases(cases, PARTS_TRIED);
}

static struct wire_case fuse_write_case(const struct wire_part *part, const char *fault, int byte,
                                        int offset)
{
    struct wire_case made = {&uno, part, HARMLESS, "", meets_its_fault};
    snprintf(made.fault, sizeof made.fault,
             "{site: 1, fault: %s, wire: to-programmer, match: \"%s\", offset: %d, times: 1}",
             fault, part->bytes[byte].write, offset);
    return made;
}

/* 56 AC A0 00 value end: whichever byte is lost, the board is sent the profile's value or none. */
static void a_lost_byte_never_makes_another_value(void **state)
{
    (void)state;
    struct wire_case cases[PARTS_TRIED * BYTES_MAX * COMMAND_BYTES];
    size_t count = 0;
    for (int part = 0; part < PARTS_TRIED; part++)
        for (int byte = 0; byte < parts[part]->count; byte++)
            for (int offset = 0; offset < COMMAND_BYTES; offset++)
                cases[count++] = fuse_write_case(parts[part], "lost-byte", byte, offset);
    run_cases(cases, count);
}

/* At most positions the board is sent the profile's value or none; where the sketch executes what
 * was turned, it never passes. */
static void a_turned_bit_is_harmless_or_found(void **state)
{
    (void)state;
    enum { SECOND_BYTE = 2, VALUE = 4 };
    static struct wire_case cases[PARTS_TRIED * BYTES_MAX * COMMAND_BYTES * 8];
    size_t count = 0;
    for (int part = 0; part < PARTS_TRIED; part++)
        for (int i = 0; parts[part] != &at90s8535 && i < parts[part]->count * COMMAND_BYTES * 8;
             i++) {
            int bit = i % 8, offset = i / 8 % COMMAND_BYTES;
            char fault[24];
            snprintf(fault, sizeof fault, "flip, mask: 0x%02X", 1 << bit);
            cases[count] = fuse_write_case(parts[part], fault, i / 8 / COMMAND_BYTES, offset);
            if (offset == SECOND_BYTE || (offset == VALUE && parts[part] == &atmega328p))
                cases[count].judge = is_no_false_pass;
            count++;
        }
    run_cases(cases, count);
}

static void a_turned_bit_in_a_reply_never_makes_another_value(void **state)
{
    (void)state;
    struct wire_case cases[8];
    for (int bit = 0; bit < 8; bit++) {
        cases[bit] = (struct wire_case){&uno, &atmega328p, HARMLESS, "", is_sent_nothing_else};
        snprintf(cases[bit].fault, sizeof cases[bit].fault,
                 "{site: 1, fault: flip, wire: from-programmer, rate: 0.01, mask: 0x%02X}",
                 1 << bit);
    }
    run_cases(cases, 8);
}

/* Images whose bytes are fuse writes, chip erases and the sketch's own command for them, whole and
 * with a byte lost or turned in the frame of their first page. */
static void an_image_full_of_fuse_writes_sends_none(void **state)
{
    (void)state;
    static const struct wire_case images[] = {
        {&uno, &atmega328p, {0xAC, 0xA0, 0x00, 0x20}, 4, "", passes_with_all_writes},
        {&uno, &atmega328p, {0xAC, 0xE0}, 2, "", passes_with_all_writes},
        {&uno, &atmega328p, {0x56, 0xAC, 0xA0, 0x00, 0x20}, 5, "", passes_with_all_writes},
        {&uno, &atmega328p, {0x56, 0xAC, 0xA8, 0x00, 0x12, 0x20}, 6, "", passes_with_all_writes},
        {&uno, &atmega328p, {0x56, 0xAC, 0xE0, 0x00, 0xC0}, 5, "", passes_with_all_writes},
        {&uno, &atmega328p, {0x56, 0xAC, 0x80, 0x00, 0x20}, 5, "", passes_with_all_writes},
    };
    enum { IMAGES = sizeof images / sizeof images[0], OFFSETS = 14 };
    static const int offsets[OFFSETS] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 64, 127, 130, 131, 132};
    static struct wire_case cases[IMAGES * (1 + 2 * OFFSETS)];
    size_t count = 0;
    for (size_t i = 0; i < IMAGES; i++) {
        cases[count++] = images[i];
        for (size_t o = 0; o < 2 * OFFSETS; o++) {
            cases[count] = images[i];
            cases[count].judge = is_sent_nothing_else;
            snprintf(cases[count++].fault, sizeof cases[0].fault,
                     "{site: 1, fault: %s, wire: to-programmer, match: \"64 00 80 46\", "
                     "offset: %d, times: 1}",
                     o < OFFSETS ? "flip" : "lost-byte", offsets[o % OFFSETS]);
        }
    }
    run_cases(cases, count);
}

/* The same where flash has no pages and each byte goes by an instruction of its own: in the frame
 * of one byte a byte is lost or a bit turned. */
static void bytes_full_of_fuse_writes_send_none(void **state)
{
    (void)state;
    static const struct wire_case images[] = {
        {&uno, &at90s8535, {0xAC, 0xBE}, 2, "", passes_with_all_writes},
        {&uno, &at90s8535, {0x56, 0xAC, 0xBE, 0x00}, 4, "", passes_with_all_writes},
        {&uno, &at90s8535, {0xAC, 0x56, 0xFD}, 3, "", passes_with_all_writes},
        {&uno, &at90s4433, {0x56, 0xAC, 0x80, 0x00, 0x20}, 5, "", passes_with_all_writes},
        {&uno, &at90s4433, {0xA0, 0xAC}, 2, "", passes_with_all_writes},
    };
    enum { IMAGES = sizeof images / sizeof images[0] };
    static struct wire_case cases[IMAGES * (1 + 2 * COMMAND_BYTES)];
    size_t count = 0;
    for (size_t i = 0; i < IMAGES; i++) {
        cases[count++] = images[i];
        for (int o = 0; o < 2 * COMMAND_BYTES; o++) {
            cases[count] = images[i];
            cases[count].judge = meets_its_fault;
            snprintf(cases[count++].fault, sizeof cases[0].fault,
                     "{site: 1, fault: %s, wire: to-programmer, match: \"56 48 00 12\", "
                     "offset: %d, times: 1}",
                     o < COMMAND_BYTES ? "flip" : "lost-byte", o % COMMAND_BYTES);
        }
    }
    run_cases(cases, count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_fault_all_are_written),
        cmocka_unit_test(a_lost_byte_never_makes_another_value),
        cmocka_unit_test(a_turned_bit_is_harmless_or_found),
        cmocka_unit_test(a_turned_bit_in_a_reply_never_makes_another_value),
        cmocka_unit_test(an_image_full_of_fuse_writes_sends_none),
        cmocka_unit_test(bytes_full_of_fuse_writes_send_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
