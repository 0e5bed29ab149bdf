#include "reports/database.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define BUSY_TIMEOUT_MS 2000
/* A checkpoint costs two syncs, so it is made seldom; 4000 pages of 4 KiB keep the write-ahead log
 * at about 16 MiB. */
#define CHECKPOINT_PAGES 4000

struct database {
    sqlite3 *handle;
    char *path;
    int wal_pages; /* in the write-ahead log after the last commit */
    bool wal_known;
    dev_t wal_device;
    ino_t wal_inode;
};

struct database_statement {
    sqlite3_stmt *handle;
    struct database *database;
};

/* What to do about it, by SQLite's primary result code. */
static const struct {
    int code;
    const char *advice;
} advices[] = {
    {SQLITE_FULL, "free space on this disk"},
    {SQLITE_BUSY, "another program has locked the log: close it"},
    {SQLITE_LOCKED, "another program has locked the log: close it"},
    {SQLITE_READONLY, "make the file and its directory writable for this user"},
    {SQLITE_PERM, "make the file and its directory writable for this user"},
    {SQLITE_CANTOPEN, "check that the directory exists and that this user may write there"},
    {SQLITE_IOERR, "check the disk: its space, limits and health"},
    {SQLITE_CORRUPT, "keep this file for the engineer and start a new log"},
    {SQLITE_NOTADB, "name another file with --log: this one is not a log"},
    {SQLITE_CONSTRAINT, "something else wrote to this log: keep it for the engineer"},
};

static int fail(const struct database *database, int code, struct failure *failure)
{
    const char *advice = "keep this file for the engineer";
    const char *message = sqlite3_errstr(code);
    for (size_t i = 0; i < sizeof advices / sizeof advices[0]; i++) {
        if (advices[i].code == (code & 0xFF)) {
            advice = advices[i].advice;
        }
    }
    if (database->handle != NULL && sqlite3_errcode(database->handle) != SQLITE_OK) {
        message = sqlite3_errmsg(database->handle);
    }
    (void)failure_set(failure, FAILURE_LOG, "%s (SQLite %d); %s: %s", message, code, advice,
                      database->path);
    return -1;
}

/* SQLite calls this after each commit. */
static int note_wal_pages(void *context, sqlite3 *handle, const char *name, int pages)
{
    struct database *database = context;
    (void)handle;
    (void)name;
    database->wal_pages = pages;
    return SQLITE_OK;
}

/* file:PATH?immutable=1; immutable means: trust that nobody changes it, take no locks. */
static char *immutable_uri(const char *path)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                "-._~/";
    static const char tail[] = "?immutable=1";
    char *uri = malloc(sizeof "file:" + 3 * strlen(path) + sizeof tail);
    if (uri == NULL) {
        return NULL;
    }
    char *at = stpcpy(uri, "file:");
    for (; *path != '\0'; path++) {
        if (strchr(plain, *path) != NULL) {
            *at++ = *path;
        } else {
            at += sprintf(at, "%%%02X", (unsigned)(unsigned char)*path);
        }
    }
    memcpy(at, tail, sizeof tail);
    return uri;
}

static int open_handle(struct database *database, enum database_mode mode)
{
    static const int mode_flags[] = {
        [DATABASE_LOOK] = SQLITE_OPEN_READONLY | SQLITE_OPEN_URI,
        [DATABASE_READ] = SQLITE_OPEN_READONLY,
        [DATABASE_WRITE] = SQLITE_OPEN_READWRITE,
        [DATABASE_CREATE] = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
    };
    int flags = mode_flags[mode] | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    if (mode != DATABASE_LOOK) {
        return sqlite3_open_v2(database->path, &database->handle, flags, NULL);
    }
    char *uri = immutable_uri(database->path);
    if (uri == NULL) {
        return SQLITE_NOMEM;
    }
    int code = sqlite3_open_v2(uri, &database->handle, flags, NULL);
    free(uri);
    return code;
}

int database_open(const char *path, enum database_mode mode, struct database **database,
                  struct failure *failure)
{
    struct database *opened = calloc(1, sizeof *opened);
    if (opened == NULL || (opened->path = strdup(path)) == NULL) {
        free(opened);
        return failure_set(failure, FAILURE_OUT_OF_MEMORY, "opening %s", path);
    }
    int code = open_handle(opened, mode);
    if (code != SQLITE_OK) {
        (void)fail(opened, code, failure);
        database_close(opened);
        return -1;
    }
    (void)sqlite3_busy_timeout(opened->handle, BUSY_TIMEOUT_MS);
    *database = opened;
    return 0;
}

void database_close(struct database *database)
{
    if (database != NULL) {
        (void)sqlite3_close_v2(database->handle);
        free(database->path);
        free(database);
    }
}

void database_abandon(struct database *database)
{
    if (database != NULL) {
        (void)sqlite3_db_config(database->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        database_close(database);
    }
}

int database_exec(struct database *database, const char *sql, struct failure *failure)
{
    int code = sqlite3_exec(database->handle, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? 0 : fail(database, code, failure);
}

int database_query_integer(struct database *database, const char *sql, int64_t *value,
                           struct failure *failure)
{
    struct database_statement *statement;
    if (database_prepare(database, sql, &statement, failure) < 0) {
        return -1;
    }
    int row = database_step(statement, failure);
    *value = row == 1 ? sqlite3_column_int64(statement->handle, 0) : 0;
    database_finalize(statement);
    return row < 0 ? -1 : 0;
}

int database_use_wal(struct database *database, struct failure *failure)
{
    struct database_statement *statement;
    if (database_prepare(database, "PRAGMA journal_mode=WAL", &statement, failure) < 0) {
        return -1;
    }
    int row = database_step(statement, failure);
    struct database_value mode = {0};
    if (row == 1) {
        mode = database_column(statement, 0);
    }
    bool is_wal = mode.type == DATABASE_TEXT && strcmp(mode.text, "wal") == 0;
    database_finalize(statement);
    if (row < 0) {
        return -1;
    }
    if (!is_wal) {
        return failure_set(failure, FAILURE_LOG,
                           "this file system does not allow a write-ahead log; put the log on a "
                           "local disk: %s",
                           database->path);
    }
    (void)sqlite3_wal_hook(database->handle, note_wal_pages, database); /* replaces SQLite's own */
    return database_exec(database, "PRAGMA synchronous=FULL", failure);
}

int database_prepare(struct database *database, const char *sql,
                     struct database_statement **statement, struct failure *failure)
{
    struct database_statement *prepared = calloc(1, sizeof *prepared);
    *statement = NULL;
    if (prepared == NULL) {
        return failure_set(failure, FAILURE_OUT_OF_MEMORY, "preparing a statement");
    }
    prepared->database = database;
    int code = sqlite3_prepare_v3(database->handle, sql, -1, SQLITE_PREPARE_PERSISTENT,
                                  &prepared->handle, NULL);
    if (code != SQLITE_OK) {
        free(prepared);
        (void)fail(database, code, failure);
        return -1;
    }
    *statement = prepared;
    return 0;
}

void database_finalize(struct database_statement *statement)
{
    if (statement != NULL) {
        (void)sqlite3_finalize(statement->handle);
        free(statement);
    }
}

static int bind_one(sqlite3_stmt *statement, int index, const struct database_value *value)
{
    switch (value->type) {
    case DATABASE_INTEGER:
        return sqlite3_bind_int64(statement, index, value->integer);
    case DATABASE_TEXT:
        return sqlite3_bind_text64(statement, index, value->text, value->bytes, SQLITE_STATIC,
                                   SQLITE_UTF8);
    case DATABASE_NULL:
    case DATABASE_OTHER:
        break;
    }
    return sqlite3_bind_null(statement, index);
}

int database_bind(struct database_statement *statement, const struct database_value *values,
                  int count, struct failure *failure)
{
    database_reset(statement);
    for (int i = 0; i < count; i++) {
        int code = bind_one(statement->handle, i + 1, &values[i]);
        if (code != SQLITE_OK) {
            return fail(statement->database, code, failure);
        }
    }
    return 0;
}

int database_step(struct database_statement *statement, struct failure *failure)
{
    int code = sqlite3_step(statement->handle);
    if (code == SQLITE_ROW) {
        return 1;
    }
    return code == SQLITE_DONE ? 0 : fail(statement->database, code, failure);
}

int database_find(struct database *database, const char *sql, const struct database_value *values,
                  int count, struct database_statement **statement, struct failure *failure)
{
    if (database_prepare(database, sql, statement, failure) < 0 ||
        database_bind(*statement, values, count, failure) < 0) {
        return -1;
    }
    return database_step(*statement, failure);
}

void database_reset(struct database_statement *statement)
{
    (void)sqlite3_reset(statement->handle); /* repeats the code that the last step gave */
}

int database_run(struct database_statement *statement, const struct database_value *values,
                 int count, struct failure *failure)
{
    if (database_bind(statement, values, count, failure) < 0) {
        return -1;
    }
    int row;
    do {
        row = database_step(statement, failure);
    } while (row == 1);
    database_reset(statement);
    return row;
}

int database_column_count(const struct database_statement *statement)
{
    return sqlite3_column_count(statement->handle);
}

const char *database_column_name(const struct database_statement *statement, int column)
{
    return sqlite3_column_name(statement->handle, column);
}

struct database_value database_column(const struct database_statement *statement, int column)
{
    struct database_value value = {DATABASE_NULL, 0, NULL, 0};
    switch (sqlite3_column_type(statement->handle, column)) {
    case SQLITE_NULL:
        break;
    case SQLITE_INTEGER:
        value.type = DATABASE_INTEGER;
        value.integer = sqlite3_column_int64(statement->handle, column);
        break;
    case SQLITE_TEXT:
        value.type = DATABASE_TEXT;
        break;
    default:
        value.type = DATABASE_OTHER;
        break;
    }
    if (value.type == DATABASE_TEXT || value.type == DATABASE_OTHER) {
        value.text = (const char *)sqlite3_column_text(statement->handle, column);
        value.bytes = (size_t)sqlite3_column_bytes(statement->handle, column);
    }
    if (value.text == NULL) {
        value.bytes = 0;
        value.text = value.type == DATABASE_NULL ? NULL : "";
    }
    return value;
}

struct database_value database_integer(int64_t value)
{
    return (struct database_value){DATABASE_INTEGER, value, NULL, 0};
}

struct database_value database_text(const char *text)
{
    if (text == NULL) {
        return (struct database_value){DATABASE_NULL, 0, NULL, 0};
    }
    return (struct database_value){DATABASE_TEXT, 0, text, strlen(text)};
}

int database_begin(struct database *database, struct failure *failure)
{
    return database_exec(database, "BEGIN IMMEDIATE", failure);
}

int database_commit(struct database *database, struct failure *failure)
{
    return database_exec(database, "COMMIT", failure);
}

void database_rollback(struct database *database)
{
    (void)database_exec(database, "ROLLBACK", NULL); /* fails when SQLite has rolled back itself */
}

int database_checkpoint(struct database *database, enum database_checkpoint extent,
                        struct failure *failure)
{
    if (extent == DATABASE_CHECKPOINT_WHEN_DUE && database->wal_pages < CHECKPOINT_PAGES) {
        return 0;
    }
    int code =
        sqlite3_wal_checkpoint_v2(database->handle, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    return code == SQLITE_OK || (code & 0xFF) == SQLITE_BUSY ? 0 : fail(database, code, failure);
}

/* SQLite itself asks this only of the database file. */
static bool wal_has_moved(struct database *database)
{
    char *path = NULL;
    struct stat facts;
    if (asprintf(&path, "%s-wal", database->path) < 0) {
        return true; /* not known is not good enough */
    }
    int found = stat(path, &facts);
    free(path);
    if (found < 0) {
        return true;
    }
    if (!database->wal_known) {
        database->wal_known = true;
        database->wal_device = facts.st_dev;
        database->wal_inode = facts.st_ino;
    }
    return facts.st_dev != database->wal_device || facts.st_ino != database->wal_inode;
}

int database_check_place(struct database *database, struct failure *failure)
{
    int moved = 0;
    int code = sqlite3_file_control(database->handle, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
    if (code != SQLITE_OK) {
        return fail(database, code, failure);
    }
    if (moved || wal_has_moved(database)) {
        return failure_set(failure, FAILURE_LOG,
                           "the log file%s was removed or renamed while it was in use; what was "
                           "logged last may be lost: %s%s",
                           moved ? "" : "'s write-ahead log", database->path, moved ? "" : "-wal");
    }
    return 0;
}
