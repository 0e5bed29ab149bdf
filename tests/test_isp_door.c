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
    if (isp_door_open(instruction, programmer->session, bytes, failure) != 0)
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
    static const char *const names[] = {"low", "high", "extended", "lock"};

    memset(fixture, 0, sizeof *fixture);
    memcpy(fixture->part.signature, signature, 3);
    for (int i = 0; i < PART_FUSE_AND_LOCK_COUNT; i++) {
        fixture->part.bytes[i].exists = true;
        fixture->part.bytes[i].mask = 0xFF;
        strcpy(fixture->part.bytes[i].name, names[i]);
        fixture->profile.rules[i].exists = true;
    }
    part_use_standard_instructions(&fixture->part);
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
                    left += leaves(&fixture,
                                   isp_write_byte((enum part_memory)other, (uint8_t)sent, permit));
                }
            assert_false(leaves(&fixture, isp_chip_erase(permit)));
            assert_int_equal(left, 0);
            struct isp_instruction asked =
                isp_write_byte((enum part_memory)memory, (uint8_t)value, permit);
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
        struct isp_instruction asked = isp_write_byte((enum part_memory)memory, 0x5E, permit);
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
            assert_false(
                leaves(&fixture, isp_write_byte((enum part_memory)memory, (uint8_t)value, permit)));
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

/* One byte of one part: of 256 values that could be asked for, the profile's leaves and no other.
 */
static void try_byte_of_part(struct part *part, enum part_memory memory, uint8_t called_for)
{
    struct fixture fixture;
    uint8_t mask = part_byte(part, memory)->mask;

    open_fixture(&fixture);
    fixture.profile.part = part;
    fixture.profile.rules[memory - PART_FIRST_FUSE].write = called_for;
    assert_int_equal(fuse_gate_enter_session(fixture.gate, ++fixture.recorder.base.session,
                                             part->signature, NULL),
                     0);
    for (int asked = 0; asked < 256; asked++) {
        struct fuse_permit *permit = NULL;
        bool permitted = fuse_gate_permit_write(fixture.gate, memory, (uint8_t)~called_for,
                                                (uint8_t)asked, &permit, NULL) == 0;
        bool left = leaves(&fixture, isp_write_byte(memory, (uint8_t)asked, permit));

        bool due =
            part_byte_is_programmable(part, memory) && asked == (uint8_t)(called_for | ~mask);

        if (left != permitted || left != due)
            fail_msg("%s %s: %02X for %02X", part->name, part_memory_name(part, memory), asked,
                     called_for);
    }
    fuse_gate_free(fixture.gate);
}

static void try_part(const char *name, void *context)
{
    struct shipped_bytes *seen = context;
    struct failure failure = {0};
    struct part *part = NULL;

    if (part_load(SHIPPED_PARTS_DIRECTORY, name, &part, &failure) != 0)
        fail_msg("%s", failure.detail);
    for (enum part_memory memory = PART_FUSE_LOW; memory <= PART_LOCK; memory++)
        if (part_byte(part, memory) != NULL && is_new_kind(seen, part, memory))
            for (int value = 0; value < 256; value++)
                try_byte_of_part(part, memory, (uint8_t)value);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_permit_only_programming_enable_leaves),
        cmocka_unit_test(everything_else_leaves_as_it_is),
        cmocka_unit_test(only_the_permitted_byte_leaves),
        cmocka_unit_test(on_every_shipped_part_only_the_profiles_byte_leaves),
        cmocka_unit_test(a_permit_ends_with_its_session),
        cmocka_unit_test(an_erase_permit_is_for_one_erase),
        cmocka_unit_test(the_defaults_of_isp_go_through_the_door),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
