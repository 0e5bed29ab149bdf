#include "reports/log_eeprom.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A gap of blank bytes that is shorter than the text of a new run is written out. */
#define GAP_BYTES_MIN 4

/* --- as text --- */

static uint32_t skip_blank(const uint8_t *bytes, uint32_t size, uint32_t at)
{
    while (at < size && bytes[at] == 0xFF) {
        at++;
    }
    return at;
}

/* Where the run that begins at `start` ends: before the next gap worth its while. */
static uint32_t end_of_run(const uint8_t *bytes, uint32_t size, uint32_t start)
{
    uint32_t end = start + 1;
    for (;;) {
        uint32_t next = skip_blank(bytes, size, end);
        if (next == size || next - end >= GAP_BYTES_MIN) {
            return end;
        }
        end = next + 1;
    }
}

char *log_eeprom_to_text(int64_t attempt, const uint8_t *bytes, uint32_t size)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    if (out == NULL) {
        return NULL;
    }
    (void)fprintf(out, "attempt %lld: EEPROM %u", (long long)attempt, size);
    for (uint32_t start = skip_blank(bytes, size, 0); start < size;) {
        uint32_t end = end_of_run(bytes, size, start);
        (void)fprintf(out, "; %04X ", start);
        for (; start < end; start++) {
            (void)fprintf(out, "%02X", bytes[start]);
        }
        start = skip_blank(bytes, size, end);
    }
    bool failed = ferror(out) != 0;
    if (fclose(out) != 0 || failed) {
        free(text);
        return NULL;
    }
    return text;
}

static int digit_value(char digit)
{
    static const char digits[] = "0123456789ABCDEF";
    const char *found = digit == '\0' ? NULL : strchr(digits, digit);
    return found == NULL ? -1 : (int)(found - digits);
}

/* "; 0010 01020304": the text behind it, NULL when it is no run of this EEPROM. */
static const char *parse_run(const char *text, const struct log_eeprom *eeprom)
{
    uint32_t at = 0;
    if (strncmp(text, "; ", 2) != 0) {
        return NULL;
    }
    for (text += 2; digit_value(*text) >= 0 && at < LOG_EEPROM_BYTES_MAX; text++) {
        at = at * 16 + (uint32_t)digit_value(*text);
    }
    if (*text != ' ') {
        return NULL;
    }
    for (text++; digit_value(text[0]) >= 0; text += 2) {
        if (digit_value(text[1]) < 0 || at >= eeprom->size) {
            return NULL;
        }
        eeprom->bytes[at++] = (uint8_t)(digit_value(text[0]) * 16 + digit_value(text[1]));
    }
    return text;
}

/* "attempt 17: EEPROM 1024": the text behind it, NULL when it is something else. */
static const char *parse_head(const char *text, struct log_eeprom *eeprom)
{
    static const char first[] = "attempt ", second[] = ": EEPROM ";
    char *end = NULL;
    if (strncmp(text, first, strlen(first)) != 0) {
        return NULL;
    }
    eeprom->attempt = strtoll(text + strlen(first), &end, 10);
    if (eeprom->attempt <= 0 || strncmp(end, second, strlen(second)) != 0) {
        return NULL;
    }
    long long size = strtoll(end + strlen(second), &end, 10);
    if (size < 1 || size > LOG_EEPROM_BYTES_MAX) {
        return NULL;
    }
    eeprom->size = (uint32_t)size;
    return end;
}

int log_eeprom_from_text(const char *text, struct log_eeprom *eeprom, struct failure *failure)
{
    *eeprom = (struct log_eeprom){0};
    const char *at = parse_head(text, eeprom);
    if (at != NULL) {
        eeprom->bytes = malloc(eeprom->size);
        if (eeprom->bytes == NULL) {
            return failure_set(failure, FAILURE_OUT_OF_MEMORY, "a saved EEPROM");
        }
        memset(eeprom->bytes, 0xFF, eeprom->size);
    }
    while (at != NULL && *at != '\0') {
        at = parse_run(at, eeprom);
    }
    if (at != NULL) {
        return 0;
    }
    free(eeprom->bytes);
    *eeprom = (struct log_eeprom){0};
    return failure_set(failure, FAILURE_LOG,
                       "found '%.40s…', expected a saved EEPROM; keep the log for the engineer",
                       text);
}

/* --- in the database --- */

#define NUMBER "CAST(substr(detail, 9) AS INTEGER)" /* of the attempt: behind "attempt " */
#define SAVED "kind = '" LOG_EEPROM_SAVED "'"
#define OVER "kind IN ('" LOG_EEPROM_RESTORED "', '" LOG_EEPROM_SETTLED "')"

/* ?1 the attempt. The row last written counts. */
static const char load_sql[] = "SELECT detail FROM event WHERE " SAVED " AND " NUMBER " = ?1"
                               " ORDER BY sequence DESC LIMIT 1";

/* ?1 the attempt. Its board's later attempts belong to it. */
static const char look_sql[] =
    "WITH RECURSIVE later(attempt) AS (SELECT ?1"
    " UNION SELECT n.attempt FROM attempt_opened n JOIN later ON n.previous_attempt = "
    "later.attempt) "
    "SELECT EXISTS (SELECT 1 FROM event WHERE " SAVED " AND " NUMBER " = ?1),"
    " EXISTS (SELECT 1 FROM attempt_closed WHERE attempt = ?1 AND touched = 'none'),"
    " EXISTS (SELECT 1 FROM event WHERE " OVER " AND " NUMBER " IN later)";

/* What may be owed: the writer's own table, so that nobody has to go through all events for each
 * board. What a later attempt on a board put back is done for the earlier ones. */
static const char prepare_sql[] =
    "PRAGMA temp_store=MEMORY;"
    "CREATE TEMP TABLE owed(attempt INTEGER PRIMARY KEY, event INTEGER NOT NULL);"
    "WITH RECURSIVE done(attempt) AS (SELECT " NUMBER " FROM event WHERE " OVER
    "  UNION SELECT previous_attempt FROM attempt_opened JOIN done USING (attempt)"
    "  WHERE previous_attempt IS NOT NULL) "
    "INSERT INTO owed SELECT " NUMBER " AS number, max(sequence) FROM event"
    " WHERE " SAVED " AND number NOT IN done GROUP BY number";

/* ?1 the event */
static const char saved_sql[] =
    "INSERT OR REPLACE INTO owed SELECT " NUMBER ", sequence FROM event WHERE sequence = ?1";
static const char over_sql[] =
    "WITH RECURSIVE done(attempt) AS (SELECT " NUMBER " FROM event WHERE sequence = ?1"
    " UNION SELECT previous_attempt FROM attempt_opened JOIN done USING (attempt)"
    " WHERE previous_attempt IS NOT NULL) "
    "DELETE FROM owed WHERE attempt IN done";

/* ?1 the part, ?2 the previous attempt on the board, ?3 after which attempt. Attempts without a
 * closing row are at work and owe nothing yet. */
static const char owed_sql[] =
    "WITH RECURSIVE earlier(attempt) AS (SELECT ?2"
    " UNION SELECT previous_attempt FROM attempt_opened JOIN earlier USING (attempt)"
    " WHERE previous_attempt IS NOT NULL) "
    "SELECT event.detail, attempt IN earlier FROM owed JOIN event ON event.sequence = owed.event"
    " JOIN attempt_opened USING (attempt) JOIN attempt_closed USING (attempt) "
    "WHERE part = ?1 AND attempt > ?3 AND touched <> 'none' "
    "ORDER BY attempt LIMIT 1";

int log_eeprom_load(struct database *database, int64_t attempt, struct log_eeprom *eeprom,
                    struct failure *failure)
{
    const struct database_value key = database_integer(attempt);
    struct database_statement *statement;
    *eeprom = (struct log_eeprom){0};
    int result = database_find(database, load_sql, &key, 1, &statement, failure);
    if (result == 1) {
        result = log_eeprom_from_text(database_column(statement, 0).text, eeprom, failure);
    }
    database_finalize(statement);
    return result;
}

int log_eeprom_look(struct database *database, int64_t attempt, enum log_eeprom_state *state,
                    struct failure *failure)
{
    const struct database_value key = database_integer(attempt);
    struct database_statement *statement;
    *state = LOG_EEPROM_NONE;
    int result = database_find(database, look_sql, &key, 1, &statement, failure);
    if (result == 1 && database_column(statement, 0).integer != 0) {
        bool untouched = database_column(statement, 1).integer != 0;
        bool back = database_column(statement, 2).integer != 0;
        *state = untouched ? LOG_EEPROM_KEPT : back ? LOG_EEPROM_BACK : LOG_EEPROM_OWED;
    }
    database_finalize(statement);
    return result < 0 ? -1 : 0;
}

int log_eeprom_prepare(struct database *database, struct failure *failure)
{
    return database_exec(database, prepare_sql, failure);
}

int log_eeprom_note_event(struct database *database, const char *kind, struct failure *failure)
{
    bool saved = strcmp(kind, LOG_EEPROM_SAVED) == 0;
    struct database_statement *statement;
    struct database_value key = {.type = DATABASE_INTEGER};
    if (!saved && strcmp(kind, LOG_EEPROM_RESTORED) != 0 && strcmp(kind, LOG_EEPROM_SETTLED) != 0) {
        return 0;
    }
    if (database_query_integer(database, "SELECT max(sequence) FROM event", &key.integer, failure) <
        0) {
        return -1;
    }
    int result =
        database_find(database, saved ? saved_sql : over_sql, &key, 1, &statement, failure);
    database_finalize(statement);
    return result;
}

int log_eeprom_find_owed(struct database *database, const struct log_eeprom_search *search,
                         struct failure *failure)
{
    const struct database_value values[] = {
        database_text(search->part),
        database_integer(search->previous_attempt),
        database_integer(search->after),
    };
    struct database_statement *statement;
    *search->eeprom = (struct log_eeprom){0};
    int result = database_find(database, owed_sql, values, 3, &statement, failure);
    if (result == 1) {
        result = log_eeprom_from_text(database_column(statement, 0).text, search->eeprom, failure);
        search->eeprom->same_board = result == 0 && database_column(statement, 1).integer != 0;
    }
    database_finalize(statement);
    return result;
}
