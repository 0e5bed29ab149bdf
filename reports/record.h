/* The record of one attempt: what the log keeps, the screen shows and --json prints. Plain data;
 * depends on nothing but the failure codes. */
#ifndef REPORTS_RECORD_H
#define REPORTS_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reports/failure.h"

/* The log stores the names. */
enum verdict {
    VERDICT_NONE = 0, /* not known yet */
    VERDICT_PASS,
    VERDICT_FAIL,
    VERDICT_REFUSED,    /* nothing was changed on the board */
    VERDICT_UNVERIFIED, /* the hardware cannot read back */
    VERDICT_EMPTY,      /* no board */
    VERDICT_INTERRUPTED
};

/* How far a board was changed, in rising order. A board counts as touched before the instruction
 * that could change it is sent, not after it was confirmed. */
enum touched {
    TOUCHED_NONE = 0,
    TOUCHED_ERASED,
    TOUCHED_WRITTEN, /* flash or EEPROM */
    TOUCHED_FUSED,
    TOUCHED_LOCKED
};

enum fuse_decision {
    FUSE_DECISION_WRITTEN = 0, /* sent, and read back as asked */
    FUSE_DECISION_ALREADY,     /* found as asked: not sent */
    FUSE_DECISION_ACCEPTED,    /* found as another value the profile accepts: not sent */
    FUSE_DECISION_LEFT,        /* the profile says `leave` */
    FUSE_DECISION_REFUSED,     /* the gate refused it, or the attempt ended before it was sent */
    FUSE_DECISION_UNKNOWN      /* may have been sent; what the board holds is not known */
};

/* Never NULL; a number that is none of the enum's gives "none", "none" and "unknown". */
const char *verdict_name(enum verdict verdict);
const char *touched_name(enum touched touched);
const char *fuse_decision_name(enum fuse_decision decision);
/* The reverse, by stored name; -1 if there is no such name. */
int verdict_by_name(const char *name);

#define RECORD_TEXT_BYTES 128
#define RECORD_DIGEST_BYTES 65 /* SHA-256 as lower-case hex and a NUL */
#define RECORD_FUSES_MAX 5     /* low, high, extended, lock, and one to spare */
#define RECORD_RISKS_MAX 8

/* One fuse or the lock byte of one attempt. */
struct record_fuse {
    char fuse[12]; /* "low", "high", "extended", "fuse", "lock" */
    int found;     /* 0…255; -1: was not read */
    int asked;     /* -1: the profile leaves it */
    enum fuse_decision decision;
    int read_back; /* -1: not read back */
};

/* A rule over profiles that an engineer set aside for this board, and why. */
struct record_risk {
    char rule[40];
    char because[RECORD_TEXT_BYTES];
};

/* The steps of an attempt in their order. `touched`: what a board may have suffered from the moment
 * the step began. Whoever finds an attempt cut short concludes from this table how far it got. */
struct record_step_fact {
    const char *name;
    enum touched touched;
    bool rare; /* few attempts have it: not to be counted on */
};
const struct record_step_fact *record_step_table(int *count);
/* Place in the table; -1 if there is no such step. */
int record_step_index(const char *name);

struct record_step {
    const char *step;      /* a step's constant name: "identify", "erase", … */
    int64_t started_at_us; /* wall clock, microseconds since 1970 UTC */
    int64_t duration_us;
    uint32_t bytes;
    enum failure_code failure;
};

/* Strings are NUL-terminated; an empty one is stored as NULL. Times are wall clock microseconds
 * since 1970 UTC. */
struct record_attempt {
    int64_t attempt;          /* given by the log at opening; 0 before */
    int64_t previous_attempt; /* of the same board, when it was not taken out; 0: none */
    char lot[RECORD_TEXT_BYTES];
    int64_t cycle;
    int site;
    char programmer[32];
    char programmer_firmware[RECORD_TEXT_BYTES];
    char profile[RECORD_TEXT_BYTES];
    char article[RECORD_TEXT_BYTES];
    char revision[32];
    char profile_sha256[RECORD_DIGEST_BYTES];
    char image_sha256[RECORD_DIGEST_BYTES];
    char part[32];
    char part_sha256[RECORD_DIGEST_BYTES];
    char expected_signature[12]; /* "1E 95 0F" */
    char signature[12];          /* as read; empty: none was read */
    char operator_name[RECORD_TEXT_BYTES];
    char purpose[16]; /* "production" or "retest" */
    int64_t started_at_us;
    int64_t ended_at_us;
    enum verdict verdict;
    enum failure_code failure;
    char detail[FAILURE_DETAIL_BYTES];
    enum touched touched;
    int tries;
    char verification[16]; /* "image", "whole", "already", "none" */
    char readback_sha256[RECORD_DIGEST_BYTES];
    int64_t sck_hz; /* while the memories were written and read; 0: not known */
    char software[RECORD_TEXT_BYTES];
    char jig[RECORD_TEXT_BYTES];
    char jig_sha256[RECORD_DIGEST_BYTES];
    struct record_fuse fuses[RECORD_FUSES_MAX];
    int fuse_count;
    struct record_risk risks[RECORD_RISKS_MAX]; /* no column: events of the log tell */
    int risk_count;
    bool clock_first; /* clock fuses go before the flash; no column: an event of the log tells */
    /* Set by the log with the closing row: so many more boards of the lot have passed now. 0: the
     * board counted before, too, or does not count; -1: it counts no more. Without a lot, every
     * pass is one. No column. */
    int lot_change;
    bool eeprom_owed; /* cleared, and not back; no column: the log tells by its eeprom- events */
};

/* Copies `text` into a fixed field, cut at a UTF-8 boundary; control characters and malformed bytes
 * become '?'. NULL counts as empty. */
void record_set_text(char *field, size_t field_bytes, const char *text);
/* "2024-03-01T12:00:00.000000Z": the log's form of a time, ISO 8601, UTC. */
#define RECORD_TIME_BYTES 32
void record_time_text(int64_t wall_us, char text[RECORD_TIME_BYTES]);
/* "1E 95 0F" */
void record_set_signature(char field[12], const uint8_t signature[3]);

#endif
