/* A thin typed layer over SQLite: open, run, prepared statements with typed values, transactions,
 * checkpoints whose failure is seen. The only file that includes sqlite3.h is database.c.
 *
 * Every failure here is FAILURE_LOG, with SQLite's message, what to do about it, and the path. One
 * thread at a time uses a database and its statements. */
#ifndef REPORTS_DATABASE_H
#define REPORTS_DATABASE_H

#include <stddef.h>
#include <stdint.h>

#include "reports/failure.h"

struct database;
struct database_statement;

enum database_type {
    DATABASE_NULL,
    DATABASE_INTEGER,
    DATABASE_TEXT,
    DATABASE_OTHER /* a real or a blob; only ever read, from a file that was tampered with */
};

struct database_value {
    enum database_type type;
    int64_t integer;
    const char *text; /* TEXT and OTHER */
    size_t bytes;     /* of `text`, without a terminating NUL */
};

struct database_value database_integer(int64_t value);
/* `text` is not copied: it must live until the statement has run. NULL gives NULL. */
struct database_value database_text(const char *text);

enum database_mode {
    DATABASE_LOOK,  /* reads the file as it lies there; touches neither it nor files beside it */
    DATABASE_READ,  /* reads beside a writer */
    DATABASE_WRITE, /* must exist */
    DATABASE_CREATE /* is made when it does not exist */
};

int database_open(const char *path, enum database_mode mode, struct database **database,
                  struct failure *failure);
/* Finalize all statements first. NULL is allowed. */
void database_close(struct database *database);
/* The same without the checkpoint SQLite makes at the last close: for a file that is in doubt. */
void database_abandon(struct database *database);

/* Runs one or several statements, throws rows away. */
int database_exec(struct database *database, const char *sql, struct failure *failure);
/* First column of the first row as a number; 0 when there is no row or it is NULL. */
int database_query_integer(struct database *database, const char *sql, int64_t *value,
                           struct failure *failure);
/* From now on every commit is synced to the disk and readers are not blocked. Checkpoints are made
 * by database_checkpoint() alone: SQLite's own ones hide a failed sync. */
int database_use_wal(struct database *database, struct failure *failure);

int database_prepare(struct database *database, const char *sql,
                     struct database_statement **statement, struct failure *failure);
/* NULL is allowed. */
void database_finalize(struct database_statement *statement);
/* Binds ?1, ?2, … and makes the statement ready to be stepped from its beginning. */
int database_bind(struct database_statement *statement, const struct database_value *values,
                  int count, struct failure *failure);
/* 1: there is a row; 0: no more; -1: failed. */
int database_step(struct database_statement *statement, struct failure *failure);
/* Prepare, bind, one step: 1, 0 or -1 as from that. Finalize `*statement` in any case. */
int database_find(struct database *database, const char *sql, const struct database_value *values,
                  int count, struct database_statement **statement, struct failure *failure);
void database_reset(struct database_statement *statement);
/* Bind, step to the end, reset. */
int database_run(struct database_statement *statement, const struct database_value *values,
                 int count, struct failure *failure);
int database_column_count(const struct database_statement *statement);
const char *database_column_name(const struct database_statement *statement, int column);
/* Valid until the statement's next step or reset. */
struct database_value database_column(const struct database_statement *statement, int column);

int database_begin(struct database *database, struct failure *failure); /* takes the write lock */
int database_commit(struct database *database, struct failure *failure);
void database_rollback(struct database *database);

enum database_checkpoint {
    DATABASE_CHECKPOINT_WHEN_DUE, /* when the write-ahead log has grown to some thousand pages */
    DATABASE_CHECKPOINT_NOW       /* before closing, which then only removes the write-ahead log */
};
/* Moves committed rows from the write-ahead log to the database file. Waits for nobody: what a
 * reader still needs stays for the next time, which is no failure. */
int database_checkpoint(struct database *database, enum database_checkpoint extent,
                        struct failure *failure);

/* Fails when the path no longer names the open file, or not the write-ahead log that was there at
 * the first call: what was committed to them is then out of everybody's reach. Call after a commit
 * in WAL mode; the first call takes down which write-ahead log it is. */
int database_check_place(struct database *database, struct failure *failure);

#endif
