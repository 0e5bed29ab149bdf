/* The steps of one attempt and what they share. For attempt.c alone. */
#ifndef STATION_ATTEMPT_STEPS_H
#define STATION_ATTEMPT_STEPS_H

#include "station/attempt.h"

/* One fuse or the lock byte on this board. */
struct attempt_byte {
    uint8_t found;
    uint8_t value;    /* to send, where it is to be written */
    uint8_t expected; /* what the next reading must show */
    bool exists;
    bool to_write;
    struct record_fuse *record;
};

struct attempt {
    const struct attempt_options *options;
    const struct plan *plan;
    const struct profile *profile;
    const struct part *part;
    struct programmer *programmer;
    struct fuse_gate *gate;
    struct record_attempt record;
    struct attempt_byte bytes[PART_FUSE_AND_LOCK_COUNT]; /* index: memory - PART_FIRST_FUSE */
    bool eeprom_survives_erase;
    bool verified;

    uint32_t step_bytes; /* done in the running step */
    uint32_t step_total; /* to do in it; 0: not counted */
    uint32_t call_start; /* step_bytes when the running call to the programmer began */
};

struct attempt_step {
    const char *name;
    /* NULL: always. */
    bool (*wanted)(const struct attempt *attempt);
    /* About how long it takes on slow hardware: its share of the bar, and its deadline. */
    int64_t (*expected_us)(const struct attempt *attempt);
    int (*run)(struct attempt *attempt, const struct operation *operation, struct failure *failure);
};

/* All steps in their order. */
const struct attempt_step *attempt_step_table(int *count);
/* Ends the programming session, if there is one, with all its permits. */
int attempt_let_go(struct attempt *attempt, struct failure *failure);
/* Is there a reading for all that a pass claims? */
bool attempt_is_proved(const struct attempt *attempt);

#endif
