/* The fuse gate: every shipped part, every fuse and lock byte, every value found and every value
 * asked, against what the profile calls for; and permits used in every wrong way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "profiles/fuse_gate.h"
#include "tests/shipped_parts.h"

/* A profile of this part that leaves every byte. */
static struct profile *profile_of(const char *part)
{
    struct profile *profile = calloc(1, sizeof(*profile));
    struct failure failure = {0};

    assert_non_null(profile);
    if (part_load(SHIPPED_PARTS_DIRECTORY, part, &profile->part, &failure) != 0)
        fail_msg("%s", failure.detail);
    for (enum part_memory memory = PART_FUSE_LOW; memory <= PART_LOCK; memory++) {
        profile->rules[memory - PART_FIRST_FUSE].exists = part_byte(profile->part, memory) != NULL;
        profile->rules[memory - PART_FIRST_FUSE].leave = true;
    }
    return profile;
}

static struct profile_byte_rule *rule_of(struct profile *profile, enum part_memory memory)
{
    return &profile->rules[memory - PART_FIRST_FUSE];
}

static void set_rule(struct profile *profile, enum part_memory memory, uint8_t write)
{
    rule_of(profile, memory)->leave = false;
    rule_of(profile, memory)->write = write;
}

static struct fuse_gate *open_gate(const struct profile *profile)
{
    struct fuse_gate *gate = fuse_gate_create(profile);

    assert_non_null(gate);
    assert_int_equal(fuse_gate_enter_session(gate, 1, profile->part->signature, NULL), 0);
    return gate;
}

/* ---- every value ---- */

static bool has_bit(struct part_bit bit, enum part_memory memory)
{
    return bit.mask != 0 && bit.memory == memory;
}

/* Would the rule's value take the way into the board? */
static bool shuts_door(const struct part *part, enum part_memory memory, uint8_t value)
{
    return (has_bit(part->spien, memory) && (value & part->spien.mask) != 0) ||
           (has_bit(part->rstdisbl, memory) && (value & part->rstdisbl.mask) == 0) ||
           (has_bit(part->dwen, memory) && (value & part->dwen.mask) == 0);
}

/* One byte on all 256 × 256 values found and asked: a permit only for the value that is called for
 * and needed, and then the permit lets out that value and no other. */
static void check_all_values(struct profile *profile, enum part_memory memory)
{
    const struct profile_byte_rule *rule = rule_of(profile, memory);
    const struct part_byte *byte = part_byte(profile->part, memory);
    struct fuse_gate *gate = open_gate(profile);

    for (int found = 0; found < 256; found++) {
        bool needed = part_byte_is_programmable(profile->part, memory) && rule->exists &&
                      !rule->leave && ((found ^ rule->write) & byte->mask) &&
                      !shuts_door(profile->part, memory, rule->write);

        for (size_t i = 0; i < rule->accept_count && needed; i++)
            needed = ((found ^ rule->accept[i]) & byte->mask) != 0;
        for (int asked = 0; asked < 256; asked++) {
            bool wanted = needed && asked == (uint8_t)(rule->write | ~byte->mask);
            struct fuse_permit *permit = NULL;
            int result =
                fuse_gate_permit_write(gate, memory, (uint8_t)found, (uint8_t)asked, &permit, NULL);

            assert_int_equal(result, wanted ? 0 : -1);
            assert_true((permit != NULL) == wanted);
            for (int value = 0; permit && value < 256; value++)
                if (value != asked)
                    assert_int_equal(
                        fuse_permit_spend_write(permit, 1, memory, (uint8_t)value, 0xFF, NULL), -1);
            if (permit)
                assert_int_equal(
                    fuse_permit_spend_write(permit, 1, memory, (uint8_t)asked, 0xFF, NULL), 0);
        }
    }
    fuse_gate_free(gate);
}

static void check_part(const char *part, void *context)
{
    struct profile *profile = profile_of(part);
    struct shipped_bytes *seen = context;

    for (enum part_memory memory = 0; memory < PART_MEMORY_COUNT; memory++) {
        if (!part_is_fuse_or_lock(memory)) {
            struct fuse_gate *gate = open_gate(profile);
            struct fuse_permit *permit = NULL;

            assert_int_equal(fuse_gate_permit_write(gate, memory, 0, 0xFF, &permit, NULL), -1);
            assert_null(permit);
            fuse_gate_free(gate);
            continue;
        }
        if (part_byte(profile->part, memory) && !is_new_kind(seen, profile->part, memory))
            continue;
        check_all_values(profile, memory); /* left */
        set_rule(profile, memory, 0xA5); /* of most parts' high fuse SPIEN off, so never written */
        check_all_values(profile, memory);
        set_rule(profile, memory, 0xC5);
        check_all_values(profile, memory);
        rule_of(profile, memory)->accept_count = 2;
        rule_of(profile, memory)->accept[0] = 0xA4;
        rule_of(profile, memory)->accept[1] = 0x5A;
        check_all_values(profile, memory);
        memset(rule_of(profile, memory), 0, sizeof(struct profile_byte_rule)); /* no rule at all */
        check_all_values(profile, memory);
    }
    profile_free(profile);
}

static void test_every_value(void **state)
{
    (void)state;
    struct shipped_bytes *seen = calloc(1, sizeof(*seen));

    assert_non_null(seen);
    check_shipped_parts(check_part, seen);
    free(seen);
}

static void test_decide(void **state)
{
    struct profile *profile = profile_of("ATmega32U4");
    uint8_t value = 0;

    (void)state;
    set_rule(profile, PART_FUSE_EXTENDED, 0xC3); /* mask 0F: reads back as F3 */
    rule_of(profile, PART_FUSE_EXTENDED)->accept[0] = 0xFB;
    rule_of(profile, PART_FUSE_EXTENDED)->accept_count = 1;
    assert_int_equal(fuse_gate_decide(profile, PART_FUSE_EXTENDED, 0xF4, &value),
                     FUSE_DECISION_WRITTEN);
    assert_int_equal(value, 0xF3);
    assert_int_equal(fuse_gate_decide(profile, PART_FUSE_EXTENDED, 0xF3, &value),
                     FUSE_DECISION_ALREADY);
    assert_int_equal(fuse_gate_decide(profile, PART_FUSE_EXTENDED, 0x03, &value),
                     FUSE_DECISION_ALREADY);
    assert_int_equal(fuse_gate_decide(profile, PART_FUSE_EXTENDED, 0x0B, &value),
                     FUSE_DECISION_ACCEPTED);
    assert_int_equal(fuse_gate_decide(profile, PART_FUSE_LOW, 0x62, &value), FUSE_DECISION_LEFT);
    assert_int_equal(fuse_gate_decide(profile, PART_FLASH, 0x62, &value), FUSE_DECISION_LEFT);
    profile_free(profile);
}

/* ---- permits in wrong hands ---- */

struct bench {
    struct profile *profile;
    struct fuse_gate *gate;
    struct fuse_permit *write; /* of low, 5E, in session 1 */
    struct fuse_permit *erase;
};

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof(*bench));

    assert_non_null(bench);
    bench->profile = profile_of("ATmega32U4");
    set_rule(bench->profile, PART_FUSE_LOW, 0x5E);
    set_rule(bench->profile, PART_FUSE_HIGH, 0x5E);
    bench->gate = open_gate(bench->profile);
    assert_int_equal(
        fuse_gate_permit_write(bench->gate, PART_FUSE_LOW, 0x62, 0x5E, &bench->write, NULL), 0);
    assert_int_equal(fuse_gate_permit_erase(bench->gate, &bench->erase, NULL), 0);
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;

    fuse_gate_free(bench->gate);
    profile_free(bench->profile);
    free(bench);
    return 0;
}

static void assert_refused_write(struct fuse_permit *permit, uint32_t session,
                                 enum part_memory memory, uint8_t value, const char *reason)
{
    struct failure failure = {0};

    assert_int_equal(fuse_permit_spend_write(permit, session, memory, value, 0xFF, &failure), -1);
    assert_int_equal(failure.code, FAILURE_FUSE_REFUSED);
    if (!strstr(failure.detail, reason))
        fail_msg("found \"%s\", expected \"%s\"", failure.detail, reason);
}

static void assert_refused_erase(struct fuse_permit *permit, uint32_t session, const char *reason)
{
    struct failure failure = {0};

    assert_int_equal(fuse_permit_spend_erase(permit, session, &failure), -1);
    assert_int_equal(failure.code, FAILURE_FUSE_REFUSED);
    if (!strstr(failure.detail, reason))
        fail_msg("found \"%s\", expected \"%s\"", failure.detail, reason);
}

static void test_good_once(void **state)
{
    struct bench *bench = *state;

    assert_int_equal(fuse_permit_spend_write(bench->write, 1, PART_FUSE_LOW, 0x5E, 0xFF, NULL), 0);
    assert_refused_write(bench->write, 1, PART_FUSE_LOW, 0x5E, "used before");
    assert_int_equal(fuse_permit_spend_erase(bench->erase, 1, NULL), 0);
    assert_refused_erase(bench->erase, 1, "used before");
}

/* Only what an instruction carries is compared, and one that carries nothing is for nothing. */
static void test_carried(void **state)
{
    struct bench *bench = *state;

    assert_int_equal(fuse_permit_spend_write(bench->write, 1, PART_FUSE_LOW, 0x5E, 0x00, NULL), -1);
    assert_int_equal(fuse_permit_spend_write(bench->write, 1, PART_FUSE_LOW, 0xFF, 0x21, NULL), -1);
    assert_int_equal(fuse_permit_spend_write(bench->write, 1, PART_FUSE_LOW, 0x7E, 0x20, NULL), -1);
    assert_int_equal(fuse_permit_spend_write(bench->write, 1, PART_FUSE_LOW, 0xFE, 0x1F, NULL), 0);
    assert_refused_write(bench->write, 1, PART_FUSE_LOW, 0x5E, "used before");
}

static void test_wrong_use(void **state)
{
    struct bench *bench = *state;

    assert_refused_write(NULL, 1, PART_FUSE_LOW, 0x5E, "there is no permit");
    assert_refused_erase(NULL, 1, "there is no permit");
    assert_refused_write(bench->write, 1, PART_FUSE_HIGH, 0x5E, "something else");
    assert_refused_write(bench->write, 1, PART_LOCK, 0x5E, "something else");
    assert_refused_write(bench->write, 1, PART_FLASH, 0x5E, "is no fuse");
    assert_refused_write(bench->write, 1, PART_MEMORY_COUNT, 0x00, "is no fuse");
    assert_refused_write(bench->write, 1, PART_FUSE_LOW, 0x5F, "another value");
    assert_refused_write(bench->write, 2, PART_FUSE_LOW, 0x5E, "another programming session");
    assert_refused_write(bench->write, 0, PART_FUSE_LOW, 0x5E, "another programming session");
    assert_refused_erase(bench->write, 1, "something else");
    assert_refused_erase(bench->erase, 2, "another programming session");
    for (enum part_memory memory = 0; memory <= PART_MEMORY_COUNT; memory++)
        assert_int_equal(fuse_permit_spend_write(bench->erase, 1, memory, 0, 0xFF, NULL), -1);
    /* None of these has used them up. */
    assert_int_equal(fuse_permit_spend_write(bench->write, 1, PART_FUSE_LOW, 0x5E, 0xFF, NULL), 0);
    assert_int_equal(fuse_permit_spend_erase(bench->erase, 1, NULL), 0);
}

static void test_leaving_voids(void **state)
{
    struct bench *bench = *state;
    struct fuse_permit *permit = NULL;

    fuse_gate_leave_session(bench->gate);
    assert_refused_write(bench->write, 1, PART_FUSE_LOW, 0x5E, "another programming session");
    assert_refused_erase(bench->erase, 1, "another programming session");
    assert_int_equal(fuse_gate_permit_write(bench->gate, PART_FUSE_LOW, 0x62, 0x5E, &permit, NULL),
                     -1);
    assert_int_equal(fuse_gate_permit_erase(bench->gate, &permit, NULL), -1);
    assert_null(permit);
    /* A session that is over cannot be entered again. */
    assert_int_equal(fuse_gate_enter_session(bench->gate, 1, bench->profile->part->signature, NULL),
                     -1);
    assert_int_equal(fuse_gate_permit_erase(bench->gate, &permit, NULL), -1);
}

static void test_next_session_voids(void **state)
{
    struct bench *bench = *state;
    const uint8_t *signature = bench->profile->part->signature;
    struct fuse_permit *permit = NULL;
    struct failure failure = {0};

    assert_int_equal(fuse_gate_enter_session(bench->gate, 2, signature, NULL), 0);
    assert_refused_write(bench->write, 1, PART_FUSE_LOW, 0x5E, "another programming session");
    assert_refused_write(bench->write, 2, PART_FUSE_LOW, 0x5E, "another programming session");
    assert_refused_erase(bench->erase, 2, "another programming session");
    assert_int_equal(fuse_gate_permit_write(bench->gate, PART_FUSE_LOW, 0x62, 0x5E, &permit, NULL),
                     0);
    assert_int_equal(fuse_permit_spend_write(permit, 2, PART_FUSE_LOW, 0x5E, 0xFF, NULL), 0);
    /* Sessions count up; session 0 is none. */
    assert_int_equal(fuse_gate_enter_session(bench->gate, 1, signature, &failure), -1);
    assert_int_equal(failure.code, FAILURE_FUSE_REFUSED);
    assert_int_equal(fuse_gate_permit_erase(bench->gate, &permit, NULL), -1);
}

/* Reading the signature again in the same session starts over, too. */
static void test_same_session_again(void **state)
{
    struct bench *bench = *state;

    assert_int_equal(fuse_gate_enter_session(bench->gate, 1, bench->profile->part->signature, NULL),
                     0);
    assert_refused_write(bench->write, 1, PART_FUSE_LOW, 0x5E, "another programming session");
}

static void test_foreign_signature(void **state)
{
    struct bench *bench = *state;
    struct fuse_permit *permit = NULL;

    for (int i = 0; i < 3; i++) {
        for (int bit = 0; bit < 8; bit++) {
            struct failure failure = {0};
            uint8_t signature[3];

            memcpy(signature, bench->profile->part->signature, 3);
            signature[i] ^= (uint8_t)(1 << bit);
            assert_int_equal(fuse_gate_enter_session(bench->gate, (uint32_t)(2 + 8 * i + bit),
                                                     signature, &failure),
                             -1);
            assert_int_equal(failure.code, FAILURE_SIGNATURE_MISMATCH);
            assert_non_null(strstr(failure.detail, "expected 1E 95 87 (ATmega32U4)"));
            assert_int_equal(
                fuse_gate_permit_write(bench->gate, PART_FUSE_LOW, 0x62, 0x5E, &permit, NULL), -1);
            assert_int_equal(fuse_gate_permit_erase(bench->gate, &permit, NULL), -1);
            assert_null(permit);
            assert_refused_write(bench->write, 1, PART_FUSE_LOW, 0x5E, "another programming");
        }
    }
}

static void test_before_any_session(void **state)
{
    struct bench *bench = *state;
    struct fuse_gate *gate = fuse_gate_create(bench->profile);
    struct fuse_permit *permit = NULL;
    struct failure failure = {0};

    assert_int_equal(fuse_gate_permit_erase(gate, &permit, &failure), -1);
    assert_int_equal(failure.code, FAILURE_FUSE_REFUSED);
    assert_int_equal(fuse_gate_permit_write(gate, PART_FUSE_LOW, 0x62, 0x5E, &permit, NULL), -1);
    assert_int_equal(fuse_gate_enter_session(gate, 0, bench->profile->part->signature, NULL), -1);
    assert_int_equal(fuse_gate_permit_erase(gate, &permit, NULL), -1);
    assert_null(permit);
    fuse_gate_free(gate);
    fuse_gate_free(NULL);
}

/* What the operator and the log are told. */
static void test_messages(void **state)
{
    struct bench *bench = *state;
    struct fuse_permit *permit = NULL;
    struct failure failure = {0};

    assert_int_equal(
        fuse_gate_permit_write(bench->gate, PART_FUSE_LOW, 0x62, 0xDE, &permit, &failure), -1);
    assert_string_equal(failure.detail, "low: DE was asked for, the profile calls for 5E");
    assert_int_equal(
        fuse_gate_permit_write(bench->gate, PART_FUSE_LOW, 0x5E, 0x5E, &permit, &failure), -1);
    assert_string_equal(failure.detail, "low, found 5E: the profile calls for no write (already)");
    assert_int_equal(fuse_gate_permit_write(bench->gate, PART_LOCK, 0xFF, 0x0F, &permit, &failure),
                     -1);
    assert_string_equal(failure.detail, "lock, found FF: the profile calls for no write (left)");
}

#define BENCH_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_value),
        cmocka_unit_test(test_decide),
        BENCH_TEST(test_good_once),
        BENCH_TEST(test_wrong_use),
        BENCH_TEST(test_carried),
        BENCH_TEST(test_wrong_use),
        BENCH_TEST(test_leaving_voids),
        BENCH_TEST(test_next_session_voids),
        BENCH_TEST(test_same_session_again),
        BENCH_TEST(test_foreign_signature),
        BENCH_TEST(test_before_any_session),
        BENCH_TEST(test_messages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
