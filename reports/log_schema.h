/* What a log file holds: its tables, the views for auditors, the triggers that make it
 * append-only. The SQL text is in log_schema.c, and in every log file (`sqlite3 LOG .schema`).
 *
 * Every table begins with the columns sequence, station and ends with previous_hash, hash,
 * encoding; `sequence` is one count over all tables. */
#ifndef REPORTS_LOG_SCHEMA_H
#define REPORTS_LOG_SCHEMA_H

#include <stdbool.h>

#include "reports/database.h"

#define LOG_APPLICATION_ID 0x47464C47 /* "GFLG": PRAGMA application_id of a log */
#define LOG_USER_VERSION 1            /* PRAGMA user_version: of the schema */

enum log_table {
    LOG_TABLE_ATTEMPT_OPENED,
    LOG_TABLE_ATTEMPT_CLOSED,
    LOG_TABLE_FUSE_INTENT,
    LOG_TABLE_FUSE_RESULT,
    LOG_TABLE_STEP,
    LOG_TABLE_EVENT,
    LOG_TABLE_LOT,
    LOG_TABLE_COUNT
};

/* Columns that every table has: two in front, three at the end. */
#define LOG_COLUMNS_BEFORE 2
#define LOG_COLUMNS_AFTER 3
#define LOG_COLUMNS_MAX 40

const char *log_schema_table_name(enum log_table table);

/* Makes a new file a log, in one transaction. */
int log_schema_create(struct database *database, struct failure *failure);
/* FAILURE_LOG when the file is no log of ours or of another version. `*empty` is set when there is
 * nothing in it at all: a file that is to become a log. */
int log_schema_identify(struct database *database, const char *path, bool *empty,
                        struct failure *failure);
/* FAILURE_LOG when a table, view, index or trigger is missing or was altered. */
int log_schema_check(struct database *database, struct failure *failure);

#endif
