/* The steps of one attempt and what they share. For attempt.c and the files of the steps alone:
 * attempt_steps.c, attempt_clock.c, attempt_clock_first.c, attempt_eeprom.c, attempt_fuses.c,
 * attempt_verify.c. */
#ifndef STATION_ATTEMPT_STEPS_H
#define STATION_ATTEMPT_STEPS_H

#include "profiles/fuse_order.h"
#include "station/attempt.h"

#define ATTEMPT_BLANK 0xFF

/* One fuse or the lock byte on this board. */
struct attempt_byte {
    uint8_t found;
    uint8_t value;    /* to send, where it is to be written */
    uint8_t expected; /* what the next reading must show */
    bool exists;
    bool to_write; /* and was not yet */
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
    struct fuse_order order; /* of the bytes that are to be written; from the reading on */
    size_t clock_writes; /* so many of its first ones may go before the flash, see clock_first */
    const char *door;    /* sent, so that the board may be out of reach: "RSTDISBL"; NULL: none */
    bool door_was_read;  /* it was read back behind that: it is on */
    bool eeprom_survives_erase; /* as EESAVE was found */
    uint8_t *kept_eeprom;  /* owned; what the erase clears and is to be put back; NULL: nothing */
    uint8_t *found_eeprom; /* owned; what an EEPROM that is kept held before the erase, and must
                              hold in the end; NULL: kept_eeprom says it, or nothing does */
    int64_t kept_from;  /* the attempt that saved it, when it was not read from the board itself */
    bool kept_is_saved; /* durable, so that the board may be erased */
    bool kept_is_owed;  /* the board may be erased, and it was not read back since */
    bool compared;      /* the board was looked at for what it carries already, and… */
    bool already;       /* …carries exactly this profile */
    bool verified;
    bool fuses_read;  /* in this try */
    bool was_sped_up; /* some try went on at another SCK than it began with, and… */
    bool stays_slow;  /* …failed, so that this one does not */
    bool owes_flash;  /* clock fuses were sent before the flash, and it is not verified yet */

    uint32_t step_bytes; /* done in the running step */
    uint32_t step_total; /* to do in it; 0: not counted */
    uint32_t call_start; /* step_bytes when the running call to the programmer began */
};

typedef int (*attempt_step_fn)(struct attempt *attempt, const struct operation *operation,
                               struct failure *failure);

struct attempt_step {
    const char *name;
    bool anew; /* left out for a board that is found already programmed */
    /* NULL: always. */
    bool (*wanted)(const struct attempt *attempt);
    /* About how long it takes on slow hardware: its share of the bar, and its deadline. */
    int64_t (*expected_us)(const struct attempt *attempt);
    attempt_step_fn run;
};

/* All steps in their order. */
const struct attempt_step *attempt_step_table(int *count);
bool attempt_wants_step(const struct attempt *attempt, const struct attempt_step *step);
/* Ends the programming session, if there is one, with all its permits. */
int attempt_let_go(struct attempt *attempt, struct failure *failure);
/* Is there a reading for all that a pass claims? */
bool attempt_is_proved(const struct attempt *attempt);

/* What the files of the steps share. */

struct attempt_byte *attempt_byte_of(struct attempt *attempt, enum part_memory memory);
/* Do the lock bits as found let flash and EEPROM be read? Else what reads is no content. */
bool attempt_can_read_memories(const struct attempt *attempt);
/* Reads the signature twice and lets the gate judge it: permits can be had from here on. */
int attempt_identify(struct attempt *attempt, const struct operation *operation,
                     struct failure *failure);
int attempt_read_byte(struct attempt *attempt, enum part_memory memory, uint8_t *value,
                      const struct operation *operation, struct failure *failure);
/* What of the board is not as it was found. */
void attempt_mark_touched(struct attempt *attempt, enum touched touched);
/* Ends the session and begins another: fuses written in it act, permits made in it are void. */
int attempt_reenter(struct attempt *attempt, const struct operation *operation,
                    struct failure *failure);
int attempt_read_memory(struct attempt *attempt, enum part_memory memory, uint32_t start,
                        uint8_t *bytes, uint32_t count, const struct operation *operation,
                        struct failure *failure);
int attempt_write_memory(struct attempt *attempt, enum part_memory memory, uint32_t start,
                         const uint8_t *bytes, uint32_t count, const struct operation *operation,
                         struct failure *failure);

/* attempt_clock.c */

/* Begins a session at an SCK for the clock that the board has now. Every session of an attempt
 * begins here. */
int attempt_begin_session(struct attempt *attempt, const struct operation *operation,
                          struct failure *failure);
/* The same for any board that may be there, outside an attempt. */
int attempt_begin_look(struct programmer *programmer, const struct plan *plan,
                       const struct operation *operation, struct failure *failure);
/* The fuses found say that another SCK would be clearly better, or even needed. */
bool attempt_wants_speed(const struct attempt *attempt);
int attempt_step_speed(struct attempt *attempt, const struct operation *operation,
                       struct failure *failure);

/* Is SCK for such a clock worth a session of its own? 0: the clock is not known, so it is not. */
bool attempt_may_be_faster(const struct attempt *attempt, int64_t clock_hz);

/* attempt_clock_first.c */

/* How many writes of the attempt's order give the board its new clock, where the profile wants them
 * before the flash and they can go there; else 0. `found`: its bytes. */
size_t attempt_count_clock_writes(const struct attempt *attempt,
                                  const uint8_t found[PART_FUSE_AND_LOCK_COUNT]);
/* The profile wants it, and it makes the flash of this board faster. */
bool attempt_wants_clock_first(const struct attempt *attempt);
int attempt_step_clock_first(struct attempt *attempt, const struct operation *operation,
                             struct failure *failure);
/* SCK at which the flash will be written and read. */
int64_t attempt_flash_sck_hz(const struct attempt *attempt);

/* attempt_eeprom.c */

/* The profile keeps an EEPROM that the erase would clear. */
bool attempt_clears_kept(const struct attempt *attempt);
/* The profile keeps an EEPROM of which it cannot be read what it holds: a pass does not prove it.
 */
bool attempt_keeps_unseen(const struct attempt *attempt);
/* The EEPROM is to be read before the erase. */
bool attempt_wants_keep(const struct attempt *attempt);
int attempt_step_keep(struct attempt *attempt, const struct operation *operation,
                      struct failure *failure);
/* Fails when the board may be one whose EEPROM an earlier attempt cleared and owes; `*owing` says
 * whether any attempt owes one. For a board that the profile keeps the EEPROM of. */
int attempt_check_owed_eeprom(struct attempt *attempt, bool *owing,
                              const struct operation *operation, struct failure *failure);
/* Makes what is to be put back durable. */
int attempt_save_eeprom(struct attempt *attempt, struct failure *failure);
bool attempt_wants_eeprom(const struct attempt *attempt);
int attempt_step_eeprom(struct attempt *attempt, const struct operation *operation,
                        struct failure *failure);
/* The EEPROM is read back at the end. */
bool attempt_verifies_eeprom(const struct attempt *attempt);
uint8_t attempt_eeprom_target(const struct attempt *attempt, uint32_t at);
/* At the end: says in the log that what was saved stands in the board again, or in `why` how to get
 * it. -1: the log failed. */
int attempt_settle_eeprom(struct attempt *attempt, struct failure *why, struct failure *failure);

/* attempt_fuses.c */

/* Is there one among them that is to be written and was not yet? */
bool attempt_owes_any(const struct attempt *attempt, const enum part_memory *order, size_t count);

/* Writes those of `order` that are to be written and were not yet, in this order, each after the
 * signature was read again, and reads each back in the same session. */
int attempt_write_bytes(struct attempt *attempt, const enum part_memory *order, size_t count,
                        const struct operation *operation, struct failure *failure);
/* Reads a byte back for the record. -1: it cannot be read, or is not `expected`. */
int attempt_check_byte(struct attempt *attempt, enum part_memory memory, uint8_t expected,
                       const struct operation *operation, struct failure *failure);
bool attempt_wants_fuses(const struct attempt *attempt);
int attempt_step_fuses(struct attempt *attempt, const struct operation *operation,
                       struct failure *failure);
/* After a failure: silence after new fuses may be their doing. */
void attempt_suspect_clock(struct attempt *attempt, struct failure *failure);
/* Enters anew and reads everything back: the clock that the fuses choose runs. */
int attempt_step_reenter(struct attempt *attempt, const struct operation *operation,
                         struct failure *failure);
int attempt_step_recheck(struct attempt *attempt, const struct operation *operation,
                         struct failure *failure);
/* Last of all, in that session: the lock byte, and the fuses that take the way into the board,
 * before lock bits that forbid writing fuses, else after them. */
bool attempt_wants_doors_before_lock(const struct attempt *attempt);
bool attempt_wants_doors_after_lock(const struct attempt *attempt);
/* The first one that is to be written: "RSTDISBL". */
const char *attempt_next_door(const struct attempt *attempt);
int attempt_step_doors(struct attempt *attempt, const struct operation *operation,
                       struct failure *failure);
bool attempt_wants_lock(const struct attempt *attempt);
int attempt_step_lock(struct attempt *attempt, const struct operation *operation,
                      struct failure *failure);

/* attempt_verify.c */

int attempt_step_verify(struct attempt *attempt, const struct operation *operation,
                        struct failure *failure);
bool attempt_wants_compare(const struct attempt *attempt);
int attempt_step_compare(struct attempt *attempt, const struct operation *operation,
                         struct failure *failure);

#endif
