/* The log: every attempt of this station in an append-only SQLite file. One writer thread owns the
 * database, commits requests in groups, and publishes a verdict only after its commit. Rows are
 * chained: each carries the previous row's hash, its own hash (SHA-256 over a canonical encoding)
 * and the version of that encoding.
 *
 * After the first failed write or sync, or when its file was removed or renamed, the log is at
 * fault for good: every later call fails with FAILURE_LOG, nothing is retried, and a verdict that
 * was not committed where the log's path leads is never published. */
#ifndef REPORTS_LOG_H
#define REPORTS_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "reports/record.h"

struct log;
struct log_eeprom; /* reports/log_eeprom.h */

/* Called on the writer thread after a closing row is durable. */
typedef void (*log_publish_fn)(void *context, const struct record_attempt *record);

struct log_options {
    const char *path;
    const char *station;    /* name of this station; rows are keyed by (station, attempt) */
    const char *software;   /* "gangflash 0.1.0" */
    log_publish_fn publish; /* may be NULL */
    /* Called once, on whichever thread found it, when the log is at fault. May be NULL. */
    void (*faulted)(void *context, const struct failure *failure);
    void *context;
};

/* Opens or creates the log and takes its session lock (a lock file beside it). Attempts that a
 * kill left open are closed as `interrupted`, saying how far their board got; `*recovered` receives
 * their number. Fails with FAILURE_LOG (cannot be opened, written or is not a log of ours),
 * FAILURE_LOG_IN_USE, FAILURE_CLOCK (now is earlier than the last row). */
int log_open(const struct log_options *options, struct log **log, int *recovered,
             struct failure *failure);
/* Commits what is queued, writes a closing event, stops the writer, releases the lock. NULL is
 * allowed. Returns -1 if the log is or became at fault. */
int log_close(struct log *log, struct failure *failure);

/* Binds `lot` at its first use to this profile hash and count of passed boards; later uses must
 * agree (count 0: take what is bound, or for a new lot no limit), and so must the images with those
 * that the lot's attempts had: image files may change while the profile that names them does not.
 * Receives the lot's count (0: no limit) and how many boards have passed so far.
 * FAILURE_LOT_REFUSED when bound to something else. Call before any attempt is opened. */
int log_bind_lot(struct log *log, const char *lot, const char *profile_sha256,
                 const char *image_sha256, int64_t count, int64_t *bound_count, int64_t *passed,
                 struct failure *failure);

/* Whether the board of a former run may still lie in `site`: `*attempt` receives the number of this
 * station's last attempt with this lot, jig and site whose verdict is not `empty`, or 0 when there
 * is none or an event of the kind "board-out" with the detail "attempt N" says that its board was
 * taken out. Empty names are allowed. Call before any attempt is opened. */
int log_board_left_in(struct log *log, const char *lot, const char *jig, int site, int64_t *attempt,
                      struct failure *failure);

/* An attempt that a kill cut off behind log_announce_door(). */
struct log_door {
    int64_t attempt; /* 0: none */
    char fuse[16];   /* "RSTDISBL" */
};
/* Whether this station's last attempt in `site` that saw a board was cut off so, and no attempt has
 * told of it since (FAILURE_BOARD_BEHIND_DOOR): then a site that finds no board may hold one that
 * nobody reaches any more. Call before any attempt is opened. */
int log_cut_at_door(struct log *log, const char *jig, int site, struct log_door *door,
                    struct failure *failure);

/* Writes the opening row and the fuse intent in record->fuses; returns when both are durable, with
 * record->attempt set. Before this returned 0 nothing on the board may be changed. */
int log_open_attempt(struct log *log, struct record_attempt *record, struct failure *failure);
/* Queued, not waited for: it is durable not later than the attempt's closing row. */
int log_add_step(struct log *log, int64_t attempt, const struct record_step *step,
                 struct failure *failure);
/* Writes the closing row and what became of each fuse, sets record->lot_change, publishes the
 * record after the commit, and then returns. A record never opened (attempt 0) is opened and closed
 * in one transaction, with the `count` steps given (an opened one has its steps added by
 * log_add_step, pass 0). */
int log_close_attempt(struct log *log, struct record_attempt *record,
                      const struct record_step *steps, int count, struct failure *failure);
/* Keeps what the board's EEPROM holds before the erase that clears it; returns when it is durable.
 * Events of reports/log_eeprom.h say what becomes of it. */
int log_save_eeprom(struct log *log, int64_t attempt, const uint8_t *bytes, uint32_t size,
                    struct failure *failure);
/* Says that the attempt is about to write the fuse that takes the way into its board ("RSTDISBL");
 * returns when that, and every step queued before, is durable. */
int log_announce_door(struct log *log, int64_t attempt, const char *door, struct failure *failure);
/* The EEPROMs that earlier attempts on boards with this part owe, oldest first: the first one of an
 * attempt after `after`. eeprom->attempt 0: there is none. `previous_attempt` is the one on the
 * same board, 0 when none is known. */
int log_next_owed_eeprom(struct log *log, const char *part, int64_t previous_attempt, int64_t after,
                         struct log_eeprom *eeprom, struct failure *failure);
/* Something worth keeping that is no attempt: start, stop, GO, site out, lot bound. Queued. */
int log_add_event(struct log *log, const char *kind, const char *detail, struct failure *failure);

/* How many groups were committed so far and how many requests they held: for the benchmark. */
struct log_statistics {
    int64_t commits;
    int64_t requests;
    int64_t commit_time_us; /* spent in COMMIT */
};
void log_get_statistics(struct log *log, struct log_statistics *statistics);

#endif
