/* Whichever write is the last when power or contact goes, the board can still be reached: random
 * profiles of random parts on random boards, each cut off at every single write. The steps are the
 * station's own, the board is the simulated target, whose crystal starts only where the datasheet
 * promises it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "jigs/simbench/avr_clock.h"
#include "profiles/fuse_rules.h"
#include "station/plan_clock.h"
#include "tests/cut_bench.h"
#include "tests/shipped_parts.h"

/* GANGFLASH_SEED and GANGFLASH_PROFILES in the environment choose others. */
#define SEED 20240611
#define PROFILES 10000
#define PARTS_MAX 256
#define DRAWS 400 /* until a board that can be reached, a profile that is allowed */
#define PAGE_BYTES 32

static const struct programmer_driver drivers[] = {
    TARGET_DRIVER("fixed 125 kHz", target_attach_fixed, 125000),
    TARGET_DRIVER("chooses", target_attach_plain, 0),
    TARGET_DRIVER("chooses, tries slower", target_attach_patient, 0),
};

struct tally {
    int profiles, mattered, clock_first, doors, refused, careful, cuts, attempts;
    int last_was[PART_MEMORY_COUNT + 1]; /* cuts by what the last write was for; last: the erase */
};

struct lab {
    uint64_t random;
    struct part *parts[PARTS_MAX];
    int part_count;
    struct part *split[PARTS_MAX]; /* those whose clock stands in more than one byte */
    int split_count;
    struct tally tally;
};

/* One drawn profile, and the board as it is put in. */
struct draw {
    struct part part; /* a copy with small memories that are written at once */
    struct image *image;
    struct profile profile;
    struct jig_site site;
    struct plan plan;
    struct cut_board board;
};

/* splitmix64 (Steele, Lea, Flood, 2014) */
static uint64_t next_random(struct lab *lab)
{
    uint64_t z = lab->random += 0x9E3779B97F4A7C15;

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
}

static unsigned below(struct lab *lab, unsigned count)
{
    return (unsigned)(next_random(lab) % count);
}

static bool one_in(struct lab *lab, unsigned count)
{
    return below(lab, count) == 0;
}

/* ---- drawing ---- */

static void shrink(struct part *part)
{
    part->flash.page_size = part->flash.page_write ? PAGE_BYTES : 1;
    part->flash.size = PAGE_BYTES * 4;
    part->flash.write_delay_us = 0;
    part->eeprom.size = 0;
    part->chip_erase_delay_us = part->fuse_write_delay_us = part->lock_write_delay_us = 0;
}

/* Any; but oftener one on which the order may matter. */
static const struct part *pick_part(struct lab *lab)
{
    if (one_in(lab, 4))
        return lab->split[below(lab, (unsigned)lab->split_count)];
    return lab->parts[below(lab, (unsigned)lab->part_count)];
}

static void draw_part(struct lab *lab, struct draw *draw)
{
    draw->part = *pick_part(lab);
    shrink(&draw->part);
    draw->profile.part = &draw->part;
    draw->profile.flash = draw->image;
    draw->plan = (struct plan){.profile = &draw->profile,
                               .site = &draw->site,
                               .driver = &drivers[below(lab, 3)],
                               .write_bytes = PAGE_BYTES,
                               .verify_bytes = PAGE_BYTES};
    draw->board.plan = &draw->plan;
    draw->board.weak_crystal = true;
}

static void draw_clock(struct lab *lab, struct draw *draw)
{
    static const int64_t clocks_hz[] = {32768,    455000,   1000000, 2000000,  3686400,
                                        4000000,  7372800,  8000000, 11059200, 12000000,
                                        16000000, 18432000, 20000000};
    bool needs_one = draw->part.cksel.mask == 0 && draw->part.factory_clock_hz == 0;
    int64_t clock_hz = clocks_hz[below(lab, sizeof clocks_hz / sizeof clocks_hz[0])];

    if (!needs_one && one_in(lab, 3))
        return;
    draw->profile.clock_hz = clock_hz;
    if (!needs_one && one_in(lab, 4)) {
        draw->board.signal_hz = clock_hz;
        draw->profile.clock_source = PROFILE_CLOCK_EXTERNAL;
        snprintf(draw->profile.clock_text, sizeof draw->profile.clock_text, "external");
        return;
    }
    draw->board.crystal_hz = clock_hz;
    draw->profile.clock_source = one_in(lab, 4) ? PROFILE_CLOCK_RESONATOR : PROFILE_CLOCK_CRYSTAL;
    snprintf(draw->profile.clock_text, sizeof draw->profile.clock_text, "crystal");
}

static uint8_t mask_of(const struct draw *draw, int at)
{
    return draw->part.bytes[at].exists ? draw->part.bytes[at].mask : 0;
}

/* Of LB the datasheets have three of the four values. */
static uint8_t mode_of_datasheet(const struct part *part, uint8_t lock)
{
    const struct part_byte *byte = &part->bytes[PART_LOCK - PART_FIRST_FUSE];

    for (size_t i = 0; i < byte->field_count; i++) {
        uint8_t mask = byte->fields[i].mask;

        if (strcmp(byte->fields[i].name, "LB") == 0 && (lock & mask) == (mask & -mask))
            lock |= mask;
    }
    return lock;
}

/* Any value but one that no board that is reached can have. */
static uint8_t draw_byte(struct lab *lab, const struct draw *draw, int at)
{
    const struct part *part = &draw->part;
    uint8_t value = (uint8_t)(next_random(lab) | (uint8_t)~mask_of(draw, at));
    const struct part_bit doors[] = {part->rstdisbl, part->dwen};

    if (part->spien.memory - PART_FIRST_FUSE == (unsigned)at)
        value &= (uint8_t)~part->spien.mask;
    for (int i = 0; i < 2; i++)
        if (doors[i].memory - PART_FIRST_FUSE == (unsigned)at)
            value |= doors[i].mask;
    return at == PART_LOCK - PART_FIRST_FUSE ? mode_of_datasheet(part, value) : value;
}

static int64_t clock_hz_of(const struct draw *draw, const uint8_t *bytes)
{
    if (draw->board.signal_hz != 0)
        return avr_clock_of_signal_hz(&draw->part, bytes, draw->board.signal_hz);
    if (!avr_clock_is_promised(&draw->part, bytes, draw->board.crystal_hz))
        return 0;
    return avr_clock_hz(&draw->part, bytes, draw->board.crystal_hz);
}

static bool runs(const struct draw *draw, const uint8_t *bytes)
{
    return clock_hz_of(draw, bytes) != 0;
}

/* Bytes with which the board runs. */
static bool draw_bytes(struct lab *lab, const struct draw *draw, uint8_t *bytes)
{
    for (int i = 0; i < DRAWS; i++) {
        for (int at = 0; at < PART_FUSE_AND_LOCK_COUNT; at++)
            bytes[at] = draw_byte(lab, draw, at);
        if (runs(draw, bytes))
            return true;
    }
    return false;
}

static void accept_risk(struct profile *profile, const char *rule)
{
    struct profile_risk *risk = &profile->risks[profile->risk_count];

    if (profile->risk_count == PROFILE_RISKS_MAX)
        return;
    profile->risk_count++;
    snprintf(risk->rule, sizeof risk->rule, "%s", rule);
    snprintf(risk->because, sizeof risk->because, "drawn");
}

static void draw_door(struct lab *lab, struct draw *draw)
{
    const struct part *part = &draw->part;
    bool is_pin = one_in(lab, 2);
    struct part_bit door = is_pin ? part->rstdisbl : part->dwen;
    struct profile_byte_rule *rule;

    if (door.mask == 0 || !one_in(lab, 8))
        return;
    rule = &draw->profile.rules[door.memory - PART_FIRST_FUSE];
    if (rule->leave)
        return;
    rule->write &= (uint8_t)~door.mask;
    accept_risk(&draw->profile, is_pin ? "rstdisbl" : "dwen");
}

static void draw_rule(struct lab *lab, struct draw *draw, int at, uint8_t value)
{
    struct profile_byte_rule *rule = &draw->profile.rules[at];

    *rule = (struct profile_byte_rule){.exists = draw->part.bytes[at].exists, .write = value};
    rule->leave = one_in(lab, 8) ||
                  !part_byte_is_programmable(&draw->part, (enum part_memory)(PART_FIRST_FUSE + at));
    if (!rule->leave && one_in(lab, 8)) {
        rule->accept[0] = one_in(lab, 2) ? draw->board.found[at] : draw_byte(lab, draw, at);
        rule->accept_count = 1;
    }
}

/* What would be wrong with the board's firmware is accepted; nothing about reaching it. */
static bool is_allowed(struct draw *draw)
{
    static const char *const about_reaching[] = {"spien",        "rstdisbl",        "dwen",
                                                 "clock-source", "clock-frequency", "brown-out"};
    struct fuse_findings findings;
    struct failure failure = {0};
    bool allowed = true;

    assert_int_equal(fuse_rules_apply(&draw->profile, 0, &findings, &failure), 0);
    for (size_t i = 0; i < findings.count && allowed; i++) {
        allowed =
            !fuse_finding_refuses(&findings.list[i]) || findings.list[i].rule->may_be_accepted;
        for (size_t n = 0; n < sizeof about_reaching / sizeof about_reaching[0] && allowed; n++)
            allowed = !fuse_finding_refuses(&findings.list[i]) ||
                      strcmp(findings.list[i].rule->name, about_reaching[n]) != 0;
    }
    fuse_findings_free(&findings);
    return allowed;
}

/* Without its doors, which come when the board is done, the end must run too. */
static bool end_runs(const struct draw *draw)
{
    uint8_t bytes[PART_FUSE_AND_LOCK_COUNT];

    for (int at = 0; at < PART_FUSE_AND_LOCK_COUNT; at++)
        if (draw->profile.rules[at].leave ||
            fuse_gate_decide(&draw->profile, (enum part_memory)(PART_FIRST_FUSE + at),
                             draw->board.found[at], &bytes[at]) != FUSE_DECISION_WRITTEN)
            bytes[at] = draw->board.found[at];
    return runs(draw, bytes);
}

static bool draw_profile(struct lab *lab, struct draw *draw)
{
    uint8_t wanted[PART_FUSE_AND_LOCK_COUNT];
    struct failure failure = {0};

    draw->profile.risk_count = 0;
    draw->profile.speed = one_in(lab, 2) ? PROFILE_SPEED_CLOCK_FIRST : PROFILE_SPEED_AS_FOUND;
    if (!draw_bytes(lab, draw, wanted))
        return false;
    for (int at = 0; at < PART_FUSE_AND_LOCK_COUNT; at++)
        draw_rule(lab, draw, at, wanted[at]);
    draw_door(lab, draw);
    plan_find_clocks(&draw->plan);
    return is_allowed(draw) && end_runs(draw) && plan_check_sck(&draw->plan, &failure) == 0;
}

/* ---- the proof ---- */

static void describe(const struct draw *draw, char *text, size_t text_bytes)
{
    const uint8_t *found = draw->board.found;
    const struct profile_byte_rule *rules = draw->profile.rules;

    snprintf(text, text_bytes,
             "%s, crystal %ld Hz, signal %ld Hz, %s, found %02X %02X %02X %02X, asked %02X%s "
             "%02X%s %02X%s %02X%s",
             draw->part.name, (long)draw->board.crystal_hz, (long)draw->board.signal_hz,
             draw->plan.driver->name, found[0], found[1], found[2], found[3], rules[0].write,
             rules[0].leave ? "(left)" : "", rules[1].write, rules[1].leave ? "(left)" : "",
             rules[2].write, rules[2].leave ? "(left)" : "", rules[3].write,
             rules[3].leave ? "(left)" : "");
}

#define FAIL(draw, ...)                                                                            \
    do {                                                                                           \
        char which[256], what[512];                                                                \
        describe(draw, which, sizeof which);                                                       \
        snprintf(what, sizeof what, __VA_ARGS__);                                                  \
        fail_msg("%s: %s", which, what);                                                           \
    } while (0)

/* A fully locked part of the oldest kind hides its signature for good: it can be entered, which its
 * lock byte shows, but is nobody's next board. */
static bool hides_signature(const struct draw *draw, const struct target_programmer *self)
{
    const uint8_t *lock = avr_target_memory(self->target, PART_LOCK, NULL);

    return lock != NULL && programmer_may_hide_signature(&draw->part) &&
           (*lock & mask_of(draw, 3)) == 0;
}

static void check_answers(const struct draw *draw, struct target_programmer *self, int write)
{
    struct failure failure = {0};

    if (cut_look(&draw->board, self, &failure) < 0)
        FAIL(draw, "after write %d it does not answer at %ld Hz, its clock is %ld Hz: %s", write,
             (long)self->programmer.sck_hz, (long)avr_target_clock_hz(self->target),
             failure.detail);
}

/* What the last write wrote; PART_MEMORY_COUNT: it was the erase. */
static enum part_memory last_written(const struct draw *draw, const struct target_programmer *self)
{
    uint8_t value, carried;

    if (self->last_frame[0] != 0xAC)
        return PART_FLASH;
    for (enum part_memory memory = PART_FIRST_FUSE; memory <= PART_LOCK; memory++)
        if (part_byte_is_programmable(&draw->part, memory) &&
            part_instruction_decode(&draw->part.bytes[memory - PART_FIRST_FUSE].write,
                                    self->last_frame, &value, &carried))
            return memory;
    return PART_MEMORY_COUNT;
}

static void check_cut(struct lab *lab, const struct draw *draw, int write)
{
    struct target_programmer *self = cut_open(&draw->board);
    struct attempt attempt;
    struct failure failure;

    self->last_write = write;
    self->cut = one_in(lab, 3) ? CUT_INSIDE : CUT_BEHIND;
    cut_run(&draw->board, self, &attempt, &failure);
    assert_true(self->is_cut);
    lab->tally.cuts++;
    lab->tally.last_was[last_written(draw, self)]++;
    self = cut_reinsert(&draw->board, self);
    if (cut_took_door(&draw->board, self)) {
        assert_int_equal(avr_target_clock_hz(self->target), 0);
    } else if (hides_signature(draw, self)) {
        assert_true(avr_target_clock_hz(self->target) > 0);
    } else {
        check_answers(draw, self, write);
        lab->tally.attempts++;
        if (cut_run(&draw->board, self, &attempt, &failure) < 0)
            FAIL(draw, "after write %d another attempt fails: %s", write, failure.detail);
    }
    cut_close(self);
}

/* The slowest clock at which the next try finds the board, as far as it is not the one found. */
static int64_t least_hz(const struct draw *draw)
{
    int64_t sck_hz = draw->plan.driver->sck_hz;

    if (sck_hz != 0)
        return sck_hz * draw->part.sck_divider;
    return part_clock_slower(draw->plan.new_clock, draw->plan.done_clock).hz;
}

/* Is the board lost when of these fuses, a bit for each, the values that are to be written act? */
static bool is_lost(const struct draw *draw, unsigned written)
{
    int64_t found_hz = clock_hz_of(draw, draw->board.found);
    uint8_t bytes[PART_FUSE_AND_LOCK_COUNT];

    memcpy(bytes, draw->board.found, sizeof bytes);
    for (int at = 0; at < PART_LOCK - PART_FIRST_FUSE; at++)
        if ((written >> at & 1) != 0)
            fuse_gate_decide(&draw->profile, (enum part_memory)(PART_FIRST_FUSE + at),
                             draw->board.found[at], &bytes[at]);
    return !runs(draw, bytes) ||
           clock_hz_of(draw, bytes) < (found_hz < least_hz(draw) ? found_hz : least_hz(draw));
}

/* The fuses that are to be written and are no doors, a bit for each. */
static unsigned ordinary_fuses(const struct draw *draw)
{
    unsigned fuses = 0;

    for (int at = 0; at < PART_LOCK - PART_FIRST_FUSE; at++) {
        enum part_memory memory = (enum part_memory)(PART_FIRST_FUSE + at);
        uint8_t value;

        if (fuse_gate_decide(&draw->profile, memory, draw->board.found[at], &value) ==
                FUSE_DECISION_WRITTEN &&
            fuse_order_door(&draw->part, memory, value) == NULL)
            fuses |= 1U << at;
    }
    return fuses;
}

static bool order_matters(const struct draw *draw)
{
    unsigned all = ordinary_fuses(draw);

    for (unsigned some = (all - 1) & all; some != 0; some = (some - 1) & all)
        if (is_lost(draw, some))
            return true;
    return false;
}

/* From `written` on, some order never loses the board. */
static bool is_possible(const struct draw *draw, unsigned written)
{
    unsigned all = ordinary_fuses(draw);

    if (written == all)
        return true;
    for (unsigned bit = 1; bit <= all; bit <<= 1)
        if ((all & ~written & bit) != 0 && !is_lost(draw, written | bit) &&
            is_possible(draw, written | bit))
            return true;
    return false;
}

/* Refused boards are as they were. */
static void check_refused(struct lab *lab, const struct draw *draw,
                          const struct target_programmer *self)
{
    lab->tally.refused++;
    lab->tally.careful += is_possible(draw, 0);
    if (self->writes != 0)
        FAIL(draw, "refused after %d writes", self->writes);
}

/* False: the board is not one that is reached, so it does not count. */
static bool check_draw(struct lab *lab, struct draw *draw)
{
    struct target_programmer *self = cut_open(&draw->board);
    struct attempt attempt;
    struct failure failure;
    int result = cut_run(&draw->board, self, &attempt, &failure), writes = self->writes;
    bool counts = result == 0;

    if (failure.code == FAILURE_NO_SAFE_ORDER)
        check_refused(lab, draw, self);
    else if (result < 0 && (self->writes > 0 || attempt.fuses_read))
        FAIL(draw, "%s", failure.detail);
    if (counts) {
        lab->tally.mattered += order_matters(draw);
        lab->tally.clock_first += self->fuse_came_first;
        lab->tally.doors += attempt.door != NULL;
        assert_int_equal(attempt.door != NULL, cut_took_door(&draw->board, self));
    }
    cut_close(self);
    for (int write = 1; counts && write <= writes; write++)
        check_cut(lab, draw, write);
    return counts;
}

static bool check_one(struct lab *lab, struct image *image)
{
    struct draw *draw = calloc(1, sizeof *draw);
    bool counts = false;

    assert_non_null(draw);
    draw->image = image;
    draw_part(lab, draw);
    draw_clock(lab, draw);
    if (draw_bytes(lab, draw, draw->board.found))
        for (int i = 0; i < DRAWS && !counts; i++)
            counts = draw_profile(lab, draw) && check_draw(lab, draw);
    free(draw);
    return counts;
}

/* ---- all ---- */

static void load_part(const char *name, void *context)
{
    struct lab *lab = context;
    struct failure failure = {0};

    struct part *part;
    int bytes = 0;

    assert_true(lab->part_count < PARTS_MAX);
    if (part_load(SHIPPED_PARTS_DIRECTORY, name, &part, &failure) != 0)
        fail_msg("%s", failure.detail);
    lab->parts[lab->part_count++] = part;
    for (enum part_memory memory = PART_FIRST_FUSE; memory < PART_LOCK; memory++)
        bytes += part_clock_depends_on(part, memory, NULL);
    if (bytes > 1)
        lab->split[lab->split_count++] = part;
}

static int64_t number_of(const char *variable, int64_t otherwise)
{
    const char *text = getenv(variable);

    return text != NULL ? strtoll(text, NULL, 10) : otherwise;
}

static void report(const struct tally *tally)
{
    print_message(
        "%d profiles and boards, %d of them where another order may lose the board, %d with "
        "clock fuses before the flash, %d with doors; %d more refused before the erase, %d of them "
        "with too much care\n",
        tally->profiles, tally->mattered, tally->clock_first, tally->doors, tally->refused,
        tally->careful);
    print_message("%d cuts: %d at the erase, %d flash, %d low, %d high, %d extended, %d lock; %d "
                  "second attempts passed\n",
                  tally->cuts, tally->last_was[PART_MEMORY_COUNT], tally->last_was[PART_FLASH],
                  tally->last_was[PART_FUSE_LOW], tally->last_was[PART_FUSE_HIGH],
                  tally->last_was[PART_FUSE_EXTENDED], tally->last_was[PART_LOCK], tally->attempts);
}

static void test_every_cut(void **state)
{
    struct lab *lab = calloc(1, sizeof *lab);
    struct image *image = image_create(PAGE_BYTES * 4);
    struct failure failure = {0};
    int64_t profiles = number_of("GANGFLASH_PROFILES", PROFILES);

    (void)state;
    assert_non_null(lab);
    assert_int_equal(image_put(image, 4, (const uint8_t *)"gang", 4, "drawn", &failure), 0);
    lab->random = (uint64_t)number_of("GANGFLASH_SEED", SEED);
    print_message("seed %lld\n", (long long)lab->random);
    check_shipped_parts(load_part, lab);
    while (lab->tally.profiles < profiles)
        lab->tally.profiles += check_one(lab, image);
    report(&lab->tally);
    for (int i = 0; i < lab->part_count; i++)
        part_free(lab->parts[i]);
    image_free(image);
    free(lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_cut)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
