/* Boards that are cut off behind or inside one write, put in again, and tried again: with the
 * station's own steps, but without its log. Include cmocka before. */
#ifndef TESTS_CUT_BENCH_H
#define TESTS_CUT_BENCH_H

#include "profiles/fuse_gate.h"
#include "profiles/fuse_order.h"
#include "station/attempt_steps.h"
#include "tests/target_programmer.h"

struct cut_board {
    const struct plan *plan;
    int64_t crystal_hz, signal_hz;           /* what it has at the clock pins; 0: none */
    bool weak_crystal;                       /* starts only where the datasheet promises it */
    uint8_t found[PART_FUSE_AND_LOCK_COUNT]; /* index: memory - PART_FIRST_FUSE */
};

static inline struct target_programmer *cut_open(const struct cut_board *board)
{
    const struct avr_target_defects defects = {.weak_crystal = board->weak_crystal};
    const struct part *part = board->plan->profile->part;
    struct programmer *programmer = programmer_create(board->plan->driver);
    struct target_programmer *self = (struct target_programmer *)programmer;

    assert_non_null(programmer);
    self->target = avr_target_create(part, board->crystal_hz, false);
    assert_non_null(self->target);
    for (int at = 0; at < PART_FUSE_AND_LOCK_COUNT; at++)
        if (part->bytes[at].exists)
            avr_target_preset(self->target, (enum part_memory)(PART_FIRST_FUSE + at),
                              &board->found[at], 1);
    avr_target_set_defects(self->target, &defects);
    if (board->signal_hz != 0)
        avr_target_feed_clock(self->target, board->signal_hz);
    return self;
}

static inline void cut_close(struct target_programmer *self)
{
    avr_target_free(self->target);
    programmer_destroy(&self->programmer);
}

/* The same board, put in again: what was interrupted is over. */
static inline struct target_programmer *cut_reinsert(const struct cut_board *board,
                                                     struct target_programmer *self)
{
    struct target_programmer *again = cut_open(board);

    for (enum part_memory memory = PART_FLASH; memory <= PART_LOCK; memory++) {
        uint32_t size;
        const uint8_t *bytes = avr_target_memory(self->target, memory, &size);

        if (bytes != NULL)
            avr_target_preset(again->target, memory, bytes, size);
    }
    cut_close(self);
    return again;
}

static inline int cut_run_steps(struct attempt *attempt, struct failure *failure)
{
    const struct operation operation = {.deadline_us = INT64_MAX};
    int count, result = 0;
    const struct attempt_step *steps = attempt_step_table(&count);

    for (int i = 0; i < count && result == 0; i++)
        if (strcmp(steps[i].name, "open") != 0 && attempt_wants_step(attempt, &steps[i]))
            result = steps[i].run(attempt, &operation, failure);
    if (result == 0 && !attempt_is_proved(attempt))
        result = failure_set(failure, FAILURE_INTERNAL, "not proved");
    return result;
}

/* `attempt` receives how it ended. 0: a pass. */
static inline int cut_run(const struct cut_board *board, struct target_programmer *self,
                          struct attempt *attempt, struct failure *failure)
{
    const struct attempt_options options = {.plan = board->plan, .programmer = &self->programmer};
    struct failure ignored;
    int result;

    memset(attempt, 0, sizeof *attempt);
    attempt->options = &options;
    attempt->plan = board->plan;
    attempt->profile = board->plan->profile;
    attempt->part = board->plan->profile->part;
    attempt->programmer = &self->programmer;
    attempt->gate = fuse_gate_create(attempt->profile);
    assert_non_null(attempt->gate);
    *failure = (struct failure){0};
    result = cut_run_steps(attempt, failure);
    attempt_let_go(attempt, &ignored);
    fuse_gate_free(attempt->gate);
    attempt->options = NULL;
    attempt->gate = NULL;
    return result;
}

/* What the next try begins with: does the board answer? */
static inline int cut_look(const struct cut_board *board, struct target_programmer *self,
                           struct failure *failure)
{
    const struct operation operation = {.deadline_us = INT64_MAX};
    uint8_t signature[3];
    int result = attempt_begin_look(&self->programmer, board->plan, &operation, failure);

    if (result == 0)
        result = programmer_identify(&self->programmer, signature, &operation, failure);
    return result == 0 ? programmer_release(&self->programmer, failure) : -1;
}

/* Is some bit programmed that takes the way in? */
static inline bool cut_took_door(const struct cut_board *board,
                                 const struct target_programmer *self)
{
    for (enum part_memory memory = PART_FIRST_FUSE; memory < PART_LOCK; memory++) {
        const uint8_t *byte = avr_target_memory(self->target, memory, NULL);

        if (byte != NULL && fuse_order_door(board->plan->profile->part, memory, *byte) != NULL)
            return true;
    }
    return false;
}

#endif
