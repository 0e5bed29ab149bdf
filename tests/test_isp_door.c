/* The door, exhaustively: below isp.c nothing that writes a fuse, writes lock bits or erases leaves
 * without its permit; with it, exactly the permitted byte does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "jigs/isp.h"
#include "jigs/programmer.h"
#include "tests/shipped_parts.h"
#include "tests/standard_part.h"

enum { SESSION = 7 };

/* A driver that only records what the door lets out. */
struct recorder {
    struct programmer base;
    int sent;
    uint8_t last[4];
};

static int record(struct programmer *programmer, const struct isp_instruction *instruction,
                  uint8_t *reply, const struct operation *operation, struct failure *failure)
{
    struct recorder *recorder = (struct recorder *)programmer;
    uint8_t bytes[4];

    (void)operation;
    *reply = 0;
    if (isp_door_open(programmer->part, instruction, programmer->session, bytes, failure) != 0)
        return -1;
    memcpy(recorder->last, bytes, 4);
    recorder->sent++;
    return 0;
}

static const struct programmer_driver recording = {.name = "recording", .instruct = record};

struct fixture {
    struct part part;
    struct profile profile;
    struct fuse_gate *gate;
    struct recorder recorder;
    struct operation operation;
};

static const uint8_t signature[3] = {0x1E, 0x95, 0x0F};

static void enter(struct fixture *fixture)
{
    assert_int_equal(
        fuse_gate_enter_session(fixture->gate, fixture->recorder.base.session, signature, NULL), 0);
}

static void open_fixture(struct fixture *fixture)
{
    memset(fixture, 0, sizeof *fixture);
    memcpy(fixture->part.signature, signature, 3);
    standard_bytes(&fixture->part);
    for (int i = 0; i < PART_FUSE_AND_LOCK_COUNT; i++)
        fixture->profile.rules[i].exists = true;
    fixture->profile.part = &fixture->part;
    fixture->recorder.base.driver = &recording;
    fixture->recorder.base.part = &fixture->part;
    fixture->recorder.base.session = SESSION;
    fixture->operation.deadline_us = operation_now_us() + 60000000;
    fixture->gate = fuse_gate_create(&fixture->profile);
    assert_non_null(fixture->gate);
    enter(fixture);
}

static struct fuse_permit *permit_for(struct fixture *fixture, enum part_memory memory,
                                      uint8_t value)
{
    struct fuse_permit *permit = NULL;

    fixture->profile.rules[memory - PART_FIRST_FUSE].write = value;
    assert_int_equal(
        fuse_gate_permit_write(fixture->gate, memory, (uint8_t)~value, value, &permit, NULL), 0);
    return permit;
}

static bool leaves(struct fixture *fixture, struct isp_instruction instruction)
{
    struct failure failure = {0};
    uint8_t reply;
    int before = fixture->recorder.sent;
    int result = record(&fixture->recorder.base, &instruction, &reply, NULL, &failure);

    if (result != 0)
        assert_int_equal(failure.code, FAILURE_FUSE_REFUSED);
    assert_int_equal(fixture->recorder.sent - before, result == 0 ? 1 : 0);
    if (result == 0)
        assert_memory_equal(fixture->recorder.last, instruction.bytes, 4);
    return result == 0;
}

static void without_a_permit_only_programming_enable_leaves(void **state)
{
    (void)state;
    struct fixture fixture;

    open_fixture(&fixture);
    for (int second = 0; second < 256; second++)
        for (int value = 0; value < 256; value++) {
            struct isp_instruction instruction = {
                .bytes = {0xAC, (uint8_t)second, 0, (uint8_t)value}};

            if (leaves(&fixture, instruction) != (second == 0x53))
                fail_msg("AC %02X 00 %02X", second, value);
        }
    fuse_gate_free(fixture.gate);
}

static void everything_else_leaves_as_it_is(void **state)
{
    (void)state;
    struct fixture fixture;

    open_fixture(&fixture);
    for (int first = 0; first < 256; first++)
        for (int second = 0; second < 256 && first != 0xAC; second++)
            assert_true(leaves(&fixture, (struct isp_instruction){
                                             .bytes = {(uint8_t)first, (uint8_t)second, 0, 0}}));
    fuse_gate_free(fixture.gate);
}

/* Each fuse and the lock byte, each value that a profile may call for, against each byte that could
 * be sent with the permit for it. */
static void only_the_permitted_byte_leaves(void **state)
{
    (void)state;
    for (int memory = PART_FUSE_LOW; memory <= PART_LOCK; memory++)
        for (int value = 0; value < 256; value++) {
            struct fixture fixture;
            int left = 0;

            open_fixture(&fixture);
            struct fuse_permit *permit =
                permit_for(&fixture, (enum part_memory)memory, (uint8_t)value);
            for (int other = PART_FUSE_LOW; other <= PART_LOCK; other++)
                for (int sent = 0; sent < 256; sent++) {
                    if (other == memory && sent == value)
                        continue;
                    left += leaves(&fixture, isp_write_byte(&fixture.part, (enum part_memory)other,
                                                            (uint8_t)sent, permit));
                }
            assert_false(leaves(&fixture, isp_chip_erase(permit)));
            assert_int_equal(left, 0);
            struct isp_instruction asked =
                isp_write_byte(&fixture.part, (enum part_memory)memory, (uint8_t)value, permit);
            assert_true(leaves(&fixture, asked));
            assert_false(leaves(&fixture, asked)); /* good once */
            assert_int_equal(fixture.recorder.sent, 1);
            fuse_gate_free(fixture.gate);
        }
}

static void a_permit_ends_with_its_session(void **state)
{
    (void)state;
    for (int memory = PART_FUSE_LOW; memory <= PART_LOCK; memory++) {
        struct fixture fixture;

        open_fixture(&fixture);
        struct fuse_permit *permit = permit_for(&fixture, (enum part_memory)memory, 0x5E);
        struct isp_instruction asked =
            isp_write_byte(&fixture.part, (enum part_memory)memory, 0x5E, permit);
        fixture.recorder.base.session++; /* the programmer went on, the gate did not notice */
        assert_false(leaves(&fixture, asked));
        enter(&fixture);
        assert_false(leaves(&fixture, asked));
        fuse_gate_leave_session(fixture.gate);
        assert_false(leaves(&fixture, asked));
        fuse_gate_free(fixture.gate);
    }
}

static void an_erase_permit_is_for_one_erase(void **state)
{
    (void)state;
    struct fixture fixture;
    struct fuse_permit *permit = NULL;

    open_fixture(&fixture);
    assert_int_equal(fuse_gate_permit_erase(fixture.gate, &permit, NULL), 0);
    for (int memory = PART_FUSE_LOW; memory <= PART_LOCK; memory++)
        for (int value = 0; value < 256; value++)
            assert_false(leaves(&fixture, isp_write_byte(&fixture.part, (enum part_memory)memory,
                                                         (uint8_t)value, permit)));
    assert_true(leaves(&fixture, isp_chip_erase(permit)));
    assert_false(leaves(&fixture, isp_chip_erase(permit)));
    fuse_gate_free(fixture.gate);
}

/* The same by the functions the station calls. */
static void the_defaults_of_isp_go_through_the_door(void **state)
{
    (void)state;
    struct fixture fixture;
    struct failure failure = {0};
    uint8_t value = 0xDE;

    open_fixture(&fixture);
    struct programmer *programmer = &fixture.recorder.base;
    assert_int_equal(
        isp_write(programmer, PART_FUSE_HIGH, 0, &value, 1, NULL, &fixture.operation, &failure),
        -1);
    assert_int_equal(failure.code, FAILURE_FUSE_REFUSED);
    assert_int_equal(isp_erase(programmer, NULL, &fixture.operation, &failure), -1);
    assert_int_equal(failure.code, FAILURE_FUSE_REFUSED);
    assert_int_equal(fixture.recorder.sent, 0);
    struct fuse_permit *permit = permit_for(&fixture, PART_FUSE_HIGH, value);
    assert_int_equal(
        isp_write(programmer, PART_FUSE_HIGH, 0, &value, 1, permit, &fixture.operation, &failure),
        0);
    assert_memory_equal(fixture.recorder.last, "\xAC\xA8\x00\xDE", 4);
    fuse_gate_free(fixture.gate);
}

/* ---- every shipped part ---- */

/* A session on a board of `part`, whose profile calls for nothing yet. */
static void open_part(struct fixture *fixture, struct part *part)
{
    open_fixture(fixture);
    fixture->profile.part = part;
    fixture->recorder.base.part = part;
    fixture->recorder.base.session++;
    assert_int_equal(fuse_gate_enter_session(fixture->gate, fixture->recorder.base.session,
                                             part->signature, NULL),
                     0);
}

/* What the datasheet's template says, once more and in another way than the door does it: does
 * `place` of the instruction, of 32, fit? */
static bool fits(const struct part_instruction *instruction, const uint8_t bytes[4])
{
    for (int place = 0; place < 32; place++) {
        int mask = 0x80 >> place % 8;
        bool is_fixed = (instruction->fixed[place / 8] & mask) != 0;

        if (is_fixed && ((bytes[place / 8] ^ instruction->bits[place / 8]) & mask) != 0)
            return false;
    }
    return true;
}

/* The value that the instruction carries is `value`, as far as it carries it. */
static bool holds(const struct part_instruction *instruction, const uint8_t bytes[4], uint8_t value)
{
    for (int n = 0; n < 8; n++) {
        int place = instruction->place[n] - 1;

        if (place >= 0 && (bytes[place / 8] >> (7 - place % 8) & 1) != (value >> n & 1))
            return false;
    }
    return true;
}

/* Are these bytes a write of the called-for value to this byte of the part? */
static bool is_permitted(const struct part *part, enum part_memory memory, const uint8_t bytes[4],
                         uint8_t value)
{
    const struct part_byte *byte = part_byte(part, memory);

    return fits(&byte->write, bytes) && holds(&byte->write, bytes, value);
}

/* Every second and fourth byte after AC, with a permit for one value of one byte. No part looks at
 * the third one, so that takes all values on the way. */
static void try_every_ac(struct part *part, enum part_memory memory, uint8_t called_for)
{
    uint8_t value = (uint8_t)(called_for | ~part_byte(part, memory)->mask);
    struct fixture fixture;
    struct fuse_permit *permit = NULL;
    int left = 0;

    open_part(&fixture, part);
    fixture.profile.rules[memory - PART_FIRST_FUSE].write = called_for;
    for (uint32_t i = 0; i < 0x10000; i++) {
        struct isp_instruction instruction = {
            .bytes = {0xAC, (uint8_t)(i >> 8), (uint8_t)(i * 7), (uint8_t)i}};

        if (permit == NULL)
            assert_int_equal(fuse_gate_permit_write(fixture.gate, memory, (uint8_t)~called_for,
                                                    value, &permit, NULL),
                             0);
        instruction.permit = permit;
        bool expected =
            instruction.bytes[1] == 0x53 || is_permitted(part, memory, instruction.bytes, value);
        if (leaves(&fixture, instruction) != expected)
            fail_msg("%s %s %02X: AC %02X %02X %02X", part->name, part_memory_name(part, memory),
                     called_for, instruction.bytes[1], instruction.bytes[2], instruction.bytes[3]);
        if (expected && instruction.bytes[1] != 0x53) {
            permit = NULL; /* spent */
            left++;
        }
    }
    assert_true(left > 0);
    fuse_gate_free(fixture.gate);
}

/* One byte of one part: of 256 values that could be asked for, the profile's leaves and no other.
 */
static void try_byte_of_part(struct part *part, enum part_memory memory, uint8_t called_for)
{
    struct fixture fixture;
    const struct part_byte *byte = part_byte(part, memory);
    uint8_t value = (uint8_t)(called_for | ~byte->mask);

    open_part(&fixture, part);
    fixture.profile.rules[memory - PART_FIRST_FUSE].write = called_for;
    for (int asked = 0; asked < 256; asked++) {
        struct fuse_permit *permit = NULL;
        bool permitted = fuse_gate_permit_write(fixture.gate, memory, (uint8_t)~called_for,
                                                (uint8_t)asked, &permit, NULL) == 0;
        bool left = leaves(&fixture, isp_write_byte(part, memory, (uint8_t)asked, permit));
        bool due = part_byte_is_programmable(part, memory) && asked == value;

        if (left != permitted || left != due)
            fail_msg("%s %s: %02X for %02X", part->name, byte->name, asked, called_for);
        if (left)
            assert_true(is_permitted(part, memory, fixture.recorder.last, value));
    }
    fuse_gate_free(fixture.gate);
}

/* Without a permit nothing leaves that would write or erase, whatever the part calls it. */
static void try_without_permit(struct part *part)
{
    struct fixture fixture;

    open_part(&fixture, part);
    for (uint32_t i = 0; i < 0x10000; i++) {
        struct isp_instruction instruction = {.bytes = {0xAC, (uint8_t)(i >> 8), 0, (uint8_t)i}};

        if (leaves(&fixture, instruction) != (instruction.bytes[1] == 0x53))
            fail_msg("%s: AC %02X 00 %02X", part->name, instruction.bytes[1], instruction.bytes[3]);
    }
    fuse_gate_free(fixture.gate);
}

static struct part *load(const char *name)
{
    struct failure failure = {0};
    struct part *part = NULL;

    if (part_load(SHIPPED_PARTS_DIRECTORY, name, &part, &failure) != 0)
        fail_msg("%s", failure.detail);
    return part;
}

/* Every kind of fuse and lock byte there is among the shipped parts. */
static void try_part(const char *name, void *context)
{
    static const uint8_t values[] = {0x20, 0xDA};
    struct shipped_bytes *seen = context;
    struct part *part = load(name);
    bool is_new = false;

    /* Which values take the way into a board is the gate's business (test_fuse_gate.c): here every
     * value may be called for. */
    part->spien = part->rstdisbl = part->dwen = (struct part_bit){.mask = 0};
    for (enum part_memory memory = PART_FUSE_LOW; memory <= PART_LOCK; memory++) {
        if (part_byte(part, memory) == NULL || !is_new_kind(seen, part, memory))
            continue;
        is_new = true;
        for (int value = 0; part_byte(part, memory)->writable && value < 256; value++)
            try_byte_of_part(part, memory, (uint8_t)value);
        for (size_t i = 0; part_byte_is_programmable(part, memory) && i < sizeof values; i++)
            try_every_ac(part, memory, values[i]);
    }
    if (is_new)
        try_without_permit(part);
    part_free(part);
}

static void on_every_shipped_part_only_the_profiles_byte_leaves(void **state)
{
    (void)state;
    struct shipped_bytes *seen = calloc(1, sizeof *seen);

    assert_non_null(seen);
    check_shipped_parts(try_part, seen);
    free(seen);
}

/* The same four bytes are a fuse write on one part and nothing on another; and what writes the low
 * fuse of nearly all parts writes zeros into the one fuse of an AT90S4433. */
static void what_is_meant_for_one_part_does_not_leave_for_another(void **state)
{
    (void)state;
    struct part *modern = load("ATmega328P"), *old = load("AT90S4433");
    struct fuse_permit *permit = NULL;
    struct fixture fixture;

    open_part(&fixture, old);
    fixture.profile.rules[0].write = 0xDE;
    assert_int_equal(fuse_gate_permit_write(fixture.gate, PART_FUSE_LOW, 0xC0, 0xDE, &permit, NULL),
                     0);
    assert_false(leaves(&fixture, isp_write_byte(modern, PART_FUSE_LOW, 0xDE, permit)));
    assert_true(leaves(&fixture, isp_write_byte(old, PART_FUSE_LOW, 0xDE, permit)));
    assert_memory_equal(fixture.recorder.last, "\xAC\xBE\x00\x00", 4);
    fuse_gate_free(fixture.gate);

    open_part(&fixture, modern);
    fixture.profile.rules[0].write = 0xDE;
    assert_int_equal(fuse_gate_permit_write(fixture.gate, PART_FUSE_LOW, 0x62, 0xDE, &permit, NULL),
                     0);
    assert_false(leaves(&fixture, isp_write_byte(old, PART_FUSE_LOW, 0xDE, permit)));
    fuse_gate_free(fixture.gate);
    part_free(modern);
    part_free(old);
}

/* Part files of users' own: one whose instruction could be taken for two things, or begins in
 * another way, opens nothing. */
static void a_doubtful_instruction_does_not_leave(void **state)
{
    (void)state;
    struct fixture fixture;

    open_fixture(&fixture);
    fixture.part.bytes[1].write = fixture.part.bytes[0].write;
    struct fuse_permit *permit = permit_for(&fixture, PART_FUSE_LOW, 0x5E);
    assert_false(leaves(&fixture, isp_write_byte(&fixture.part, PART_FUSE_LOW, 0x5E, permit)));
    fixture.part.bytes[1].write.bits[1] = 0x80; /* chip erase */
    permit = permit_for(&fixture, PART_FUSE_HIGH, 0x5E);
    assert_false(leaves(&fixture, isp_write_byte(&fixture.part, PART_FUSE_HIGH, 0x5E, permit)));
    fixture.part.bytes[1].write.bits[0] = 0x55;
    struct isp_instruction asked = isp_write_byte(&fixture.part, PART_FUSE_HIGH, 0x5E, NULL);
    assert_false(leaves(&fixture, asked));
    asked.permit = permit;
    assert_true(leaves(&fixture, asked));
    memset(fixture.part.bytes[2].write.place, 0, 8);
    permit = permit_for(&fixture, PART_FUSE_EXTENDED, 0x5E);
    assert_false(leaves(&fixture, isp_write_byte(&fixture.part, PART_FUSE_EXTENDED, 0x5E, permit)));
    fuse_gate_free(fixture.gate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_permit_only_programming_enable_leaves),
        cmocka_unit_test(everything_else_leaves_as_it_is),
        cmocka_unit_test(only_the_permitted_byte_leaves),
        cmocka_unit_test(on_every_shipped_part_only_the_profiles_byte_leaves),
        cmocka_unit_test(what_is_meant_for_one_part_does_not_leave_for_another),
        cmocka_unit_test(a_doubtful_instruction_does_not_leave),
        cmocka_unit_test(a_permit_ends_with_its_session),
        cmocka_unit_test(an_erase_permit_is_for_one_erase),
        cmocka_unit_test(the_defaults_of_isp_go_through_the_door),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
