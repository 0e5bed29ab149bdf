#include "reports/log_recovery.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reports/log_eeprom.h"
#include "reports/log_rows.h"

/* The opening row is written in the step "open": it and those before it were done. */
#define OPENING_STEP "open"
/* Left out where the log does not say that clock fuses go first. */
#define CLOCK_STEP "clock"

struct open_attempts {
    int64_t *attempts;
    int64_t *started_at_us;
    int count;
};

static void free_open(struct open_attempts *open)
{
    free(open->attempts);
    free(open->started_at_us);
}

static int remember_open(struct open_attempts *open, const struct database_statement *statement,
                         struct failure *failure)
{
    size_t bytes = ((size_t)open->count + 1) * sizeof(int64_t);
    int64_t *attempts = realloc(open->attempts, bytes);
    if (attempts != NULL) {
        open->attempts = attempts;
    }
    int64_t *started = realloc(open->started_at_us, bytes);
    if (started != NULL) {
        open->started_at_us = started;
    }
    if (attempts == NULL || started == NULL) {
        return failure_set(failure, FAILURE_OUT_OF_MEMORY, "looking for open attempts");
    }
    attempts[open->count] = database_column(statement, 0).integer;
    started[open->count] = database_column(statement, 1).integer;
    open->count++;
    return 0;
}

/* All of them first: rows must not be added to a table while it is read. */
static int find_open(struct database *database, struct open_attempts *open, struct failure *failure)
{
    struct database_statement *statement;
    if (database_prepare(database,
                         "SELECT attempt, started_at_us FROM attempt_opened o WHERE NOT EXISTS "
                         "(SELECT 1 FROM attempt_closed c WHERE c.attempt = o.attempt) "
                         "ORDER BY attempt",
                         &statement, failure) < 0) {
        return -1;
    }
    int row;
    while ((row = database_step(statement, failure)) == 1) {
        if (remember_open(open, statement, failure) < 0) {
            row = -1;
            break;
        }
    }
    database_finalize(statement);
    return row;
}

static int byte_or_none(struct database_value value)
{
    return value.type == DATABASE_NULL ? -1 : (int)value.integer;
}

static int load_fuses(struct database *database, struct record_attempt *record,
                      struct failure *failure)
{
    struct database_statement *statement;
    struct database_value key = database_integer(record->attempt);
    if (database_prepare(database,
                         "SELECT fuse, found, asked FROM fuse_intent WHERE attempt = ?1 "
                         "ORDER BY sequence",
                         &statement, failure) < 0) {
        return -1;
    }
    int row = database_bind(statement, &key, 1, failure);
    while (row == 0 && record->fuse_count < RECORD_FUSES_MAX &&
           (row = database_step(statement, failure)) == 1) {
        struct record_fuse *fuse = &record->fuses[record->fuse_count++];
        record_set_text(fuse->fuse, sizeof fuse->fuse, database_column(statement, 0).text);
        fuse->found = byte_or_none(database_column(statement, 1));
        fuse->asked = byte_or_none(database_column(statement, 2));
        fuse->decision = FUSE_DECISION_UNKNOWN;
        fuse->read_back = -1;
        row = 0;
    }
    database_finalize(statement);
    return row;
}

/* What the logged steps tell: how far the board got, and when the last one ended. */
struct progress {
    int last; /* place of the last logged step in the table of steps */
    bool last_failed;
    bool opened; /* a step from the opening on was seen */
    enum touched touched;
    int64_t ended_at_us;
};

/* Were clock fuses to be written before the flash? */
static int load_clock_first(struct database *database, struct record_attempt *record,
                            struct failure *failure)
{
    struct database_statement *statement;
    struct database_value key = database_integer(record->attempt);
    int row = database_find(database,
                            "SELECT 1 FROM event WHERE kind = '" LOG_CLOCK_FIRST
                            "' AND detail LIKE 'attempt ' || ?1 || ':%' LIMIT 1",
                            &key, 1, &statement, failure);
    record->clock_first = row == 1;
    database_finalize(statement);
    return row < 0 ? -1 : 0;
}

static void note_step(struct progress *progress, const struct database_statement *statement)
{
    int count;
    const struct record_step_fact *steps = record_step_table(&count);
    int step = record_step_index(database_column(statement, 0).text);
    int64_t ended = database_column(statement, 1).integer + database_column(statement, 2).integer;
    if (ended > progress->ended_at_us) {
        progress->ended_at_us = ended;
    }
    if (step < 0) {
        return; /* of a later version of this program */
    }
    if (steps[step].touched > progress->touched) {
        progress->touched = steps[step].touched;
    }
    /* Steps before the opening tell nothing, since it is known; after it they are a new try's. */
    progress->opened = progress->opened || step >= record_step_index(OPENING_STEP);
    if (progress->opened) {
        progress->last = step;
        progress->last_failed = database_column(statement, 3).type != DATABASE_NULL;
    }
}

static int load_progress(struct database *database, int64_t attempt, struct progress *progress,
                         struct failure *failure)
{
    struct database_statement *statement;
    struct database_value key = database_integer(attempt);
    if (database_prepare(database,
                         "SELECT step, started_at_us, duration_us, failure FROM step "
                         "WHERE attempt = ?1 ORDER BY sequence",
                         &statement, failure) < 0) {
        return -1;
    }
    int row = database_bind(statement, &key, 1, failure);
    while (row == 0 && (row = database_step(statement, failure)) == 1) {
        note_step(progress, statement);
        row = 0;
    }
    database_finalize(statement);
    return row;
}

/* Does the intent ask for a write in the steps "clock" and "fuses" (or, of the lock byte, in
 * "lock")? The chip erase before it sets the lock byte to FF, whatever was found. */
static bool intends_write(const struct record_attempt *record, bool of_lock)
{
    for (int i = 0; i < record->fuse_count; i++) {
        const struct record_fuse *fuse = &record->fuses[i];
        bool is_lock = strcmp(fuse->fuse, "lock") == 0;
        int before = is_lock ? 0xFF : fuse->found;
        if (is_lock == of_lock && fuse->asked >= 0 && fuse->asked != before) {
            return true;
        }
    }
    return false;
}

/* The level of the first step after the last one that changes the board further than is known, and
 * of those before it that few attempts have. */
static enum touched touched_at_most(const struct progress *progress,
                                    const struct record_attempt *record)
{
    int count;
    const struct record_step_fact *steps = record_step_table(&count);
    enum touched most = progress->touched;
    for (int i = progress->last + 1; i < count; i++) {
        enum touched touched = steps[i].touched;
        bool left_out = strcmp(steps[i].name, CLOCK_STEP) == 0 && !record->clock_first;
        bool skipped = left_out || (touched == TOUCHED_FUSED && !intends_write(record, false)) ||
                       (touched == TOUCHED_LOCKED && !intends_write(record, true));
        if (!skipped && touched > most) {
            most = touched;
            if (!steps[i].rare) {
                break;
            }
        }
    }
    return most;
}

/* Says in words and in `touched` how far the board got. Which steps were wanted is not logged, so
 * the next one is not named. */
static void conclude(const struct progress *progress, struct record_attempt *record)
{
    int count;
    const struct record_step_fact *steps = record_step_table(&count);
    const char *before = "; the last step in the log is", *after = "; later ones may be done";
    record->touched = progress->touched;
    record->ended_at_us = progress->ended_at_us;
    if (progress->last_failed) {
        before = " after step";
        after = " had failed";
    } else if (progress->last + 1 == count) {
        before = " after the last step,";
        after = ", before the verdict was logged";
    } else {
        record->touched = touched_at_most(progress, record);
    }
    (void)snprintf(record->detail, sizeof record->detail, "the station was cut off%s '%s'%s",
                   before, steps[progress->last].name, after);
}

/* Names the bit that may have taken the way into the board: one that does not answer any more is
 * no board to the next attempt. */
static int name_door(struct database *database, struct record_attempt *record,
                     struct failure *failure)
{
    struct database_statement *statement;
    struct database_value key = database_integer(record->attempt);
    size_t length = strlen(record->detail);
    int row = database_find(
        database,
        "SELECT substr(detail, length('attempt ' || ?1 || ': ') + 1) FROM event "
        "WHERE kind = '" LOG_LAST_DOOR "' AND detail LIKE 'attempt ' || ?1 || ': %' LIMIT 1",
        &key, 1, &statement, failure);
    if (row == 1) {
        (void)snprintf(record->detail + length, sizeof record->detail - length,
                       "; %s may have been turned on: then this station cannot reach the board any "
                       "more",
                       database_column(statement, 0).text);
    }
    database_finalize(statement);
    return row < 0 ? -1 : 0;
}

/* Names the way to an EEPROM that was saved and may be cleared by now. */
static int name_rescue(struct database *database, struct record_attempt *record,
                       struct failure *failure)
{
    enum log_eeprom_state state;
    size_t length = strlen(record->detail);
    if (log_eeprom_look(database, record->attempt, &state, failure) < 0) {
        return -1;
    }
    if (state == LOG_EEPROM_OWED && record->touched != TOUCHED_NONE) {
        (void)snprintf(record->detail + length, sizeof record->detail - length,
                       "; its EEPROM may be cleared, what it held: " LOG_EEPROM_RESCUE,
                       (long long)record->attempt);
    }
    return 0;
}

static int close_one(struct database *database, struct log_chain *chain, int64_t attempt,
                     int64_t started_at_us, struct failure *failure)
{
    struct record_attempt *record = calloc(1, sizeof *record);
    struct progress progress = {.last = record_step_index(OPENING_STEP),
                                .touched = TOUCHED_NONE,
                                .ended_at_us = started_at_us};
    if (record == NULL) {
        return failure_set(failure, FAILURE_OUT_OF_MEMORY, "closing attempt %lld",
                           (long long)attempt);
    }
    record->attempt = attempt;
    record->verdict = VERDICT_INTERRUPTED;
    record->failure = FAILURE_INTERRUPTED;
    int result = load_fuses(database, record, failure);
    if (result == 0) {
        result = load_progress(database, attempt, &progress, failure);
    }
    if (result == 0) {
        result = load_clock_first(database, record, failure);
    }
    if (result == 0) {
        conclude(&progress, record);
        result = name_door(database, record, failure);
    }
    if (result == 0) {
        result = name_rescue(database, record, failure);
    }
    if (result == 0) {
        result = log_rows_add_closed(chain, record, failure);
    }
    free(record);
    return result;
}

int log_recovery_run(struct database *database, struct log_chain *chain, int *recovered,
                     struct failure *failure)
{
    struct open_attempts open = {NULL, NULL, 0};
    int result = find_open(database, &open, failure);
    for (int i = 0; result == 0 && i < open.count; i++) {
        result = close_one(database, chain, open.attempts[i], open.started_at_us[i], failure);
    }
    *recovered = result == 0 ? open.count : 0;
    free_open(&open);
    return result;
}
