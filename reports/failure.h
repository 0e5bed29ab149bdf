/* What can go wrong, said the same way everywhere: one code with a stable name, who is to blame,
 * and one sentence for the person at the screen. Depends on nothing. */
#ifndef REPORTS_FAILURE_H
#define REPORTS_FAILURE_H

#include <stdbool.h>

/* The log stores the stable names; numbers and names are append only: never renumber, rename or
 * reuse one. */
enum failure_code {
    FAILURE_NONE = 0,

    /* what the engineer wrote */
    FAILURE_USAGE = 1,
    FAILURE_PROFILE_INVALID = 2,
    FAILURE_PART_INVALID = 3,
    FAILURE_IMAGE_INVALID = 4, /* not what its format says: checksum, truncated, no end record */
    FAILURE_IMAGE_OVERLAP = 5, /* two records or two images claim one address */
    FAILURE_IMAGE_OUT_OF_RANGE = 6, /* bytes beyond the memory */
    FAILURE_IMAGE_CHANGED = 7,      /* SHA-256 differs from the profile's */
    FAILURE_JIG_INVALID = 8,
    FAILURE_PLAN_REFUSED = 9,      /* this profile cannot be done on this site */
    FAILURE_LOT_REFUSED = 10,      /* the lot is bound to another profile or count */
    FAILURE_IMAGE_DISAGREES = 11,  /* a memory, fuse or signature in it is not the profile's */
    FAILURE_IMAGE_UNREADABLE = 12, /* not there, no permission, a directory, too large */
    FAILURE_RULE_REFUSED = 14,     /* what the profile says breaks a named rule */
    FAILURE_IMAGE_UNKNOWN = 13, /* no format told by content, no address as a raw binary needs it */

    /* the board */
    FAILURE_SIGNATURE_MISMATCH = 20,
    FAILURE_FUSE_REFUSED = 21,  /* the gate: a write the profile does not call for */
    FAILURE_FUSE_MISMATCH = 22, /* a fuse does not read back as written */
    FAILURE_LOCK_MISMATCH = 23,
    FAILURE_VERIFY_MISMATCH = 24,
    FAILURE_BOARD_BUSY = 25,           /* still busy long after the datasheet's time */
    FAILURE_EEPROM_WOULD_BE_LOST = 26, /* profile keeps the EEPROM, an erase would clear it */
    FAILURE_ALREADY_PROGRAMMED = 27,   /* carries exactly this profile, which says to refuse it */
    FAILURE_NO_SAFE_ORDER = 28, /* its fuses can only be written through a state that loses it */
    FAILURE_DOOR_UNPROVED = 29, /* contact lost behind RSTDISBL or DWEN: it cannot be looked at */

    /* the contact between programmer and board */
    FAILURE_NO_BOARD = 40,
    FAILURE_CONTACT_UNSTABLE = 41,
    FAILURE_CONTACT_LOST = 42,      /* was there, is gone, in mid-job */
    FAILURE_BOARD_BEHIND_DOOR = 43, /* no board, or the one that a kill left behind such a fuse */
    FAILURE_NO_SUPPLY = 44, /* measured: no board, or one without supply; nothing was sent to it */

    /* the programmer and its link */
    FAILURE_PROGRAMMER_SILENT = 60,
    FAILURE_PROGRAMMER_GONE = 61,        /* its device vanished */
    FAILURE_PROGRAMMER_UNKNOWN = 62,     /* something answers, but not this programmer's language */
    FAILURE_PROGRAMMER_OUT_OF_STEP = 63, /* a reply that does not fit what was asked */
    FAILURE_PROGRAMMER_REFUSED = 64,     /* the programmer says it could not do it */
    FAILURE_PLACE_MISSING = 65,
    FAILURE_PLACE_BUSY = 66,         /* another process holds it */
    FAILURE_PLACE_TWICE = 67,        /* two sites name one place */
    FAILURE_PLACE_DENIED = 68,       /* no permission */
    FAILURE_BENCH = 69,              /* the simulated bench did not start or died */
    FAILURE_PROGRAMMER_STALLED = 70, /* a USB device refuses a request: its endpoint stalls */
    FAILURE_PROGRAMMER_TOO_OLD = 71, /* its firmware lacks what the board needs */

    /* the station */
    FAILURE_LOG = 80,
    FAILURE_LOG_IN_USE = 81,
    FAILURE_CLOCK = 82, /* the clock stands before the log's last row */
    FAILURE_INTERRUPTED = 83,
    FAILURE_DEADLINE = 84,
    FAILURE_OUT_OF_MEMORY = 85,
    FAILURE_INTERNAL = 86
};

/* Whose business a failure is; it decides the bin a board goes to. */
enum failure_blame {
    FAILURE_BLAME_NOBODY,
    FAILURE_BLAME_BOARD,      /* reject bin */
    FAILURE_BLAME_CONTACT,    /* reseat and try again */
    FAILURE_BLAME_PROGRAMMER, /* call the engineer, the site is out */
    FAILURE_BLAME_PROFILE,    /* hold the lot */
    FAILURE_BLAME_STATION     /* stop */
};

struct failure_fact {
    enum failure_code code;
    const char *name; /* stable, for log and --json: "signature-mismatch" */
    enum failure_blame blame;
    bool retriable;                /* may be tried again by itself before the board was touched */
    const char *operator_sentence; /* what to do next */
};

#define FAILURE_DETAIL_BYTES 320

struct failure {
    enum failure_code code;
    char detail[FAILURE_DETAIL_BYTES]; /* one line: where, what was found, what was expected */
};

/* Records a failure. The detail is cut to fit, control characters in it are replaced by '?'. A NULL
 * `failure` is allowed. */
void failure_record(struct failure *failure, enum failure_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static inline int failure_result(void)
{
    return -1;
}
/* failure_record(), and -1, so that `return failure_set(failure, code, "…", …)` reads as one step.
 * A macro, because compilers and analysers are to see that the result is never 0. */
#define failure_set(...) (failure_record(__VA_ARGS__), failure_result())

/* Never NULL: an unknown code gives FAILURE_INTERNAL's row. */
const struct failure_fact *failure_lookup(enum failure_code code);
/* There is no board, as far as anybody can tell. */
bool failure_finds_nobody(enum failure_code code);
/* What the operator is to do. `eeprom_owed`: the erase cleared an EEPROM that is not back; then
 * that comes before whatever else failed. */
const char *failure_sentence(enum failure_code code, bool eeprom_owed);
/* By stable name; NULL if there is none. */
const struct failure_fact *failure_by_name(const char *name);
/* "board", "contact", … */
const char *failure_blame_name(enum failure_blame blame);
/* The whole table, for tests and help, FAILURE_NONE ("none") first; `count` receives the number of
 * rows. */
const struct failure_fact *failure_table(int *count);

#endif
