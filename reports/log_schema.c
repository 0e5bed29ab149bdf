#include "reports/log_schema.h"

#include <stdio.h>
#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])
#define SQL_BYTES 1024

struct table {
    const char *name;
    const char *sql;
    const char *same_key; /* finds a row that already has the new row's key; NULL: has none */
};

struct object {
    const char *name;
    const char *sql;
};

/* clang-format off: SQL has lines of its own. */

/* STRICT: SQLite then keeps the types, so a number stays a number. Times are microseconds since
 * 1970 UTC. */
#define BEFORE " (sequence INTEGER PRIMARY KEY, station TEXT NOT NULL, "
#define AFTER ", previous_hash TEXT NOT NULL, hash TEXT NOT NULL, encoding INTEGER NOT NULL"
#define END ") STRICT"

static const struct table tables[LOG_TABLE_COUNT] = {
    [LOG_TABLE_ATTEMPT_OPENED] =
        {"attempt_opened",
         "CREATE TABLE attempt_opened" BEFORE
         "attempt INTEGER NOT NULL UNIQUE, previous_attempt INTEGER, "
         "lot TEXT, cycle INTEGER NOT NULL, site INTEGER NOT NULL, "
         "programmer TEXT, programmer_firmware TEXT, "
         "profile TEXT, article TEXT, revision TEXT, profile_sha256 TEXT, image_sha256 TEXT, "
         "part TEXT, part_sha256 TEXT, expected_signature TEXT, signature TEXT, "
         "operator TEXT, purpose TEXT, started_at_us INTEGER NOT NULL, "
         "software TEXT, jig TEXT, jig_sha256 TEXT" AFTER END,
         "attempt = NEW.attempt"},
    [LOG_TABLE_ATTEMPT_CLOSED] =
        {"attempt_closed",
         "CREATE TABLE attempt_closed" BEFORE
         "attempt INTEGER NOT NULL UNIQUE REFERENCES attempt_opened(attempt), "
         "ended_at_us INTEGER NOT NULL, "
         "verdict TEXT NOT NULL CHECK (verdict IN "
         "('pass', 'fail', 'refused', 'unverified', 'empty', 'interrupted')), "
         "failure TEXT, detail TEXT, "
         "touched TEXT NOT NULL CHECK (touched IN "
         "('none', 'erased', 'written', 'fused', 'locked')), "
         "tries INTEGER, verification TEXT, readback_sha256 TEXT, sck_hz INTEGER" AFTER END,
         "attempt = NEW.attempt"},
    [LOG_TABLE_FUSE_INTENT] =
        {"fuse_intent",
         "CREATE TABLE fuse_intent" BEFORE
         "attempt INTEGER NOT NULL REFERENCES attempt_opened(attempt), fuse TEXT NOT NULL, "
         "found INTEGER, asked INTEGER" AFTER ", UNIQUE (attempt, fuse)" END,
         "attempt = NEW.attempt AND fuse = NEW.fuse"},
    [LOG_TABLE_FUSE_RESULT] =
        {"fuse_result",
         "CREATE TABLE fuse_result" BEFORE "attempt INTEGER NOT NULL, fuse TEXT NOT NULL, "
         "decision TEXT NOT NULL CHECK (decision IN "
         "('written', 'already', 'accepted', 'left', 'refused', 'unknown')), "
         "read_back INTEGER" AFTER ", UNIQUE (attempt, fuse), "
         "FOREIGN KEY (attempt, fuse) REFERENCES fuse_intent(attempt, fuse)" END,
         "attempt = NEW.attempt AND fuse = NEW.fuse"},
    [LOG_TABLE_STEP] =
        {"step",
         "CREATE TABLE step" BEFORE
         "attempt INTEGER NOT NULL REFERENCES attempt_opened(attempt), step TEXT NOT NULL, "
         "started_at_us INTEGER NOT NULL, duration_us INTEGER NOT NULL, bytes INTEGER NOT NULL, "
         "failure TEXT" AFTER END,
         NULL},
    [LOG_TABLE_EVENT] = {"event",
                         "CREATE TABLE event" BEFORE
                         "at_us INTEGER NOT NULL, kind TEXT NOT NULL, detail TEXT" AFTER END,
                         NULL},
    [LOG_TABLE_LOT] = {"lot",
                       "CREATE TABLE lot" BEFORE
                       "lot TEXT NOT NULL UNIQUE, profile_sha256 TEXT NOT NULL, "
                       "count INTEGER NOT NULL, bound_at_us INTEGER NOT NULL" AFTER END,
                       "lot = NEW.lot"},
};

#define ISO_TIME(column)                                                                           \
    "strftime('%Y-%m-%dT%H:%M:%S', " column " / 1000000, 'unixepoch') || "                         \
    "printf('.%06dZ', " column " % 1000000)"
#define LAST_OF(table) "(SELECT ifnull(max(sequence), 0) FROM " table ")"

static const struct object objects[] = {
    {"attempt_opened_lot",
     "CREATE INDEX attempt_opened_lot ON attempt_opened(lot) WHERE lot IS NOT NULL"},
    {"attempt_opened_previous",
     "CREATE INDEX attempt_opened_previous ON attempt_opened(previous_attempt) "
     "WHERE previous_attempt IS NOT NULL"},
    {"attempt_closed_verdict", "CREATE INDEX attempt_closed_verdict ON attempt_closed(verdict)"},
    {"step_attempt", "CREATE INDEX step_attempt ON step(attempt)"},
    {"chain_next",
     "CREATE VIEW chain_next(sequence) AS SELECT 1 + max(" LAST_OF("attempt_opened") ", " LAST_OF("attempt_closed") ", " LAST_OF(
         "fuse_intent") ", " LAST_OF("fuse_result") ", " LAST_OF("step") ", " LAST_OF("event") ","
                                                                                               " " LAST_OF(
                                                                                                   "lot") ")"},
    {"attempts",
     "CREATE VIEW attempts(station, attempt, lot, cycle, site, programmer, "
     "programmer_firmware, profile, article, revision, profile_sha256, image_sha256, part, "
     "part_sha256, expected_signature, signature, operator, purpose, started_at, ended_at, "
     "verdict, failure, detail, touched, tries, verification, readback_sha256, sck_hz, "
     "software, jig, jig_sha256, previous_attempt) AS "
     "SELECT o.station, o.attempt, lot, cycle, site, programmer, "
     "programmer_firmware, profile, article, revision, profile_sha256, image_sha256, part, "
     "part_sha256, expected_signature, signature, operator, purpose, " ISO_TIME(
         "started_at_us") ", " ISO_TIME("ended_at_us") ", "
                                                       "verdict, failure, detail, touched, tries, "
                                                       "verification, readback_sha256, sck_hz, "
                                                       "software, jig, jig_sha256, "
                                                       "previous_attempt "
                                                       "FROM attempt_opened o LEFT JOIN "
                                                       "attempt_closed c ON c.attempt = o.attempt"},
    {"fuse_writes",
     "CREATE VIEW fuse_writes(station, attempt, fuse, found, asked, decision, read_back) AS "
     "SELECT i.station, i.attempt, i.fuse, found, asked, ifnull(decision, 'unknown'), "
     "read_back FROM fuse_intent i LEFT JOIN fuse_result r "
     "ON r.attempt = i.attempt AND r.fuse = i.fuse"},
    {"steps",
     "CREATE VIEW steps(station, attempt, step, started_at, duration_us, bytes, failure) AS "
     "SELECT station, attempt, step, " ISO_TIME("started_at_us") ", duration_us, bytes, "
                                                                 "failure FROM step"},
    {"events", "CREATE VIEW events(station, event, at, kind, detail) AS "
               "SELECT station, sequence, " ISO_TIME("at_us") ", kind, detail FROM event"},
};

/* clang-format on */

/* Each table's triggers. A new row must be the next of the whole log and have a new key, so that
 * INSERT OR REPLACE, which deletes without asking the DELETE trigger, is stopped as well. */
static const struct {
    const char *suffix;
    const char *moment;
    const char *condition;
} triggers[] = {
    {"no_update", "BEFORE UPDATE", ""},
    {"no_delete", "BEFORE DELETE", ""},
    {"only_append", "BEFORE INSERT", " WHEN NEW.sequence IS NOT (SELECT sequence FROM chain_next)"},
};

struct trigger_text {
    char name[64];
    char sql[SQL_BYTES];
};

static void make_trigger(const struct table *table, size_t kind, struct trigger_text *text)
{
    char key[256] = "";
    if (triggers[kind].condition[0] != '\0' && table->same_key != NULL) {
        (void)snprintf(key, sizeof key, " OR EXISTS (SELECT 1 FROM %s WHERE %s)", table->name,
                       table->same_key);
    }
    (void)snprintf(text->name, sizeof text->name, "%s_%s", table->name, triggers[kind].suffix);
    (void)snprintf(text->sql, sizeof text->sql,
                   "CREATE TRIGGER %s %s ON %s%s%s BEGIN "
                   "SELECT RAISE(ABORT, 'the log is append-only'); END",
                   text->name, triggers[kind].moment, table->name, triggers[kind].condition, key);
}

typedef int (*object_fn)(void *context, const char *name, const char *sql, struct failure *failure);

/* Calls `visit` with everything a log consists of, in the order in which it can be made. */
static int visit_objects(object_fn visit, void *context, struct failure *failure)
{
    for (size_t i = 0; i < COUNT_OF(tables); i++) {
        if (visit(context, tables[i].name, tables[i].sql, failure) < 0) {
            return -1;
        }
    }
    for (size_t i = 0; i < COUNT_OF(objects); i++) {
        if (visit(context, objects[i].name, objects[i].sql, failure) < 0) {
            return -1;
        }
    }
    for (size_t i = 0; i < COUNT_OF(tables) * COUNT_OF(triggers); i++) {
        struct trigger_text trigger;
        make_trigger(&tables[i / COUNT_OF(triggers)], i % COUNT_OF(triggers), &trigger);
        if (visit(context, trigger.name, trigger.sql, failure) < 0) {
            return -1;
        }
    }
    return 0;
}

const char *log_schema_table_name(enum log_table table)
{
    return tables[table].name;
}

static int create_object(void *context, const char *name, const char *sql, struct failure *failure)
{
    (void)name;
    return database_exec(context, sql, failure);
}

int log_schema_create(struct database *database, struct failure *failure)
{
    char identity[128];
    (void)snprintf(identity, sizeof identity, "PRAGMA application_id=%d; PRAGMA user_version=%d",
                   LOG_APPLICATION_ID, LOG_USER_VERSION);
    if (database_begin(database, failure) < 0) {
        return -1;
    }
    if (visit_objects(create_object, database, failure) < 0 ||
        database_exec(database, identity, failure) < 0 || database_commit(database, failure) < 0) {
        database_rollback(database);
        return -1;
    }
    return 0;
}

int log_schema_identify(struct database *database, const char *path, bool *empty,
                        struct failure *failure)
{
    int64_t application, version, object_count;
    if (database_query_integer(database, "PRAGMA application_id", &application, failure) < 0 ||
        database_query_integer(database, "PRAGMA user_version", &version, failure) < 0 ||
        database_query_integer(database, "SELECT count(*) FROM sqlite_schema", &object_count,
                               failure) < 0) {
        return -1;
    }
    *empty = application == 0 && version == 0 && object_count == 0;
    if (*empty) {
        return 0;
    }
    if (application != LOG_APPLICATION_ID) {
        return failure_set(failure, FAILURE_LOG,
                           "this is a database of another program; name another file with --log: "
                           "%s",
                           path);
    }
    if (version != LOG_USER_VERSION) {
        return failure_set(failure, FAILURE_LOG,
                           "this log has version %lld, this program writes and reads %d; use the "
                           "program that made it, or another file with --log: %s",
                           (long long)version, LOG_USER_VERSION, path);
    }
    return 0;
}

static int check_object(void *context, const char *name, const char *sql, struct failure *failure)
{
    struct database_statement *statement = context;
    struct database_value key = database_text(name);
    if (database_bind(statement, &key, 1, failure) < 0) {
        return -1;
    }
    int row = database_step(statement, failure);
    if (row < 0) {
        return -1;
    }
    bool same = false;
    if (row == 1) {
        struct database_value found = database_column(statement, 0);
        same = found.type == DATABASE_TEXT && strcmp(found.text, sql) == 0;
    }
    database_reset(statement);
    if (!same) {
        return failure_set(failure, FAILURE_LOG, "%s of this log %s", name,
                           row == 1 ? "was altered" : "is missing");
    }
    return 0;
}

int log_schema_check(struct database *database, struct failure *failure)
{
    struct database_statement *statement;
    if (database_prepare(database, "SELECT sql FROM sqlite_schema WHERE name = ?1", &statement,
                         failure) < 0) {
        return -1;
    }
    int result = visit_objects(check_object, statement, failure);
    database_finalize(statement);
    return result;
}
