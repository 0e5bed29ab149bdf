#include "reports/log_chain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reports/text.h"

struct log_chain {
    struct database *database;
    char *station;
    int64_t sequence; /* of the last row; 0: none yet */
    char head[DIGEST_TEXT_BYTES];
    struct database_statement *insert[LOG_TABLE_COUNT];
    int columns[LOG_TABLE_COUNT];
};

static void add_value(struct digest *digest, const struct database_value *value)
{
    static const char tags[] = {[DATABASE_NULL] = 'N',
                                [DATABASE_INTEGER] = 'I',
                                [DATABASE_TEXT] = 'T',
                                [DATABASE_OTHER] = 'X'};
    digest_add(digest, &tags[value->type], 1);
    if (value->type == DATABASE_INTEGER) {
        uint8_t bytes[8];
        for (int i = 0; i < 8; i++) {
            bytes[i] = (uint8_t)((uint64_t)value->integer >> (56 - 8 * i));
        }
        digest_add_field(digest, bytes, sizeof bytes);
    } else {
        digest_add_field(digest, value->text == NULL ? "" : value->text, value->bytes);
    }
}

/* `row` holds all columns of the table; the hash among them is not looked at. */
static int hash_row(enum log_table table, const struct database_value *row, int count,
                    char hash[DIGEST_TEXT_BYTES], struct failure *failure)
{
    struct database_value name = database_text(log_schema_table_name(table));
    uint8_t bytes[DIGEST_BYTES];
    struct digest *digest = digest_start();
    if (digest == NULL) {
        return failure_set(failure, FAILURE_OUT_OF_MEMORY, "hashing a row of the log");
    }
    add_value(digest, &name);
    add_value(digest, &row[0]);         /* sequence */
    add_value(digest, &row[count - 3]); /* previous_hash */
    add_value(digest, &row[count - 1]); /* encoding */
    for (int i = 1; i < count - LOG_COLUMNS_AFTER; i++) {
        add_value(digest, &row[i]);
    }
    digest_finish(digest, bytes);
    digest_to_text(bytes, hash);
    return 0;
}

/* Number of columns; 0 when no table of ours has so few or so many. */
static int read_row(const struct database_statement *statement,
                    struct database_value row[LOG_COLUMNS_MAX])
{
    int count = database_column_count(statement);
    memset(row, 0, LOG_COLUMNS_MAX * sizeof *row);
    if (count <= LOG_COLUMNS_BEFORE + LOG_COLUMNS_AFTER || count > LOG_COLUMNS_MAX) {
        return 0;
    }
    for (int i = 0; i < count; i++) {
        row[i] = database_column(statement, i);
    }
    return count;
}

static bool is_text(const struct database_value *value, const char *text)
{
    return value->type == DATABASE_TEXT && value->bytes == strlen(text) &&
           memcmp(value->text, text, value->bytes) == 0;
}

/* SELECT * FROM table ORDER BY sequence [DESC LIMIT 1] */
static int prepare_rows(struct database *database, enum log_table table, const char *tail,
                        struct database_statement **statement, struct failure *failure)
{
    char sql[128];
    (void)snprintf(sql, sizeof sql, "SELECT * FROM %s ORDER BY sequence%s",
                   log_schema_table_name(table), tail);
    return database_prepare(database, sql, statement, failure);
}

/* When the table's last row is the last so far, takes it as the chain's end. */
static int take_last_row(struct log_chain *chain, enum log_table table, struct failure *failure)
{
    struct database_statement *statement;
    struct database_value row[LOG_COLUMNS_MAX];
    char hash[DIGEST_TEXT_BYTES];
    if (prepare_rows(chain->database, table, " DESC LIMIT 1", &statement, failure) < 0) {
        return -1;
    }
    int result = database_step(statement, failure);
    int count = read_row(statement, row);
    chain->columns[table] = count;
    if (result == 1 && count > 0 && row[0].integer > chain->sequence) {
        result = hash_row(table, row, count, hash, failure);
        if (result == 0 && !is_text(&row[count - 2], hash)) {
            result = failure_set(failure, FAILURE_LOG,
                                 "row %lld (%s) of this log was altered; keep the file for the "
                                 "engineer and start a new log",
                                 (long long)row[0].integer, log_schema_table_name(table));
        }
        if (result == 0) {
            chain->sequence = row[0].integer;
            memcpy(chain->head, hash, sizeof hash);
        }
    }
    database_finalize(statement);
    return result < 0 ? -1 : 0;
}

static int prepare_insert(struct log_chain *chain, enum log_table table, struct failure *failure)
{
    char sql[128 + 2 * LOG_COLUMNS_MAX];
    int used = snprintf(sql, sizeof sql, "INSERT INTO %s VALUES (?", log_schema_table_name(table));
    for (int i = 1; i < chain->columns[table] && i < LOG_COLUMNS_MAX; i++) {
        sql[used++] = ',';
        sql[used++] = '?';
    }
    sql[used++] = ')';
    sql[used] = '\0';
    return database_prepare(chain->database, sql, &chain->insert[table], failure);
}

int log_chain_open(struct database *database, const char *station, struct log_chain **chain,
                   struct failure *failure)
{
    struct log_chain *opened = calloc(1, sizeof *opened);
    if (opened == NULL || (opened->station = strdup(station)) == NULL) {
        free(opened);
        return failure_set(failure, FAILURE_OUT_OF_MEMORY, "opening the log");
    }
    text_copy(opened->station, strlen(station) + 1, station);
    opened->database = database;
    memcpy(opened->head, LOG_CHAIN_FIRST, sizeof opened->head);
    for (int table = 0; table < LOG_TABLE_COUNT; table++) {
        if (take_last_row(opened, (enum log_table)table, failure) < 0 ||
            prepare_insert(opened, (enum log_table)table, failure) < 0) {
            log_chain_close(opened);
            return -1;
        }
    }
    *chain = opened;
    return 0;
}

void log_chain_close(struct log_chain *chain)
{
    if (chain != NULL) {
        for (int table = 0; table < LOG_TABLE_COUNT; table++) {
            database_finalize(chain->insert[table]);
        }
        free(chain->station);
        free(chain);
    }
}

int log_chain_append(struct log_chain *chain, enum log_table table,
                     const struct database_value *values, int count, struct failure *failure)
{
    struct database_value row[LOG_COLUMNS_MAX];
    char hash[DIGEST_TEXT_BYTES];
    int columns = count + LOG_COLUMNS_BEFORE + LOG_COLUMNS_AFTER;
    if (columns != chain->columns[table]) {
        return failure_set(failure, FAILURE_INTERNAL, "%d columns for %s, which has %d", columns,
                           log_schema_table_name(table), chain->columns[table]);
    }
    row[0] = database_integer(chain->sequence + 1);
    row[1] = database_text(chain->station);
    memcpy(&row[LOG_COLUMNS_BEFORE], values, (size_t)count * sizeof *values);
    row[columns - 3] = database_text(chain->head);
    row[columns - 1] = database_integer(LOG_CHAIN_ENCODING);
    if (hash_row(table, row, columns, hash, failure) < 0) {
        return -1;
    }
    row[columns - 2] = database_text(hash);
    if (database_run(chain->insert[table], row, columns, failure) < 0) {
        return -1;
    }
    chain->sequence++;
    memcpy(chain->head, hash, sizeof hash);
    return 0;
}

/* One cursor per table; the next row of the log is the lowest among them. */
struct walk {
    struct database_statement *rows[LOG_TABLE_COUNT];
    int64_t next[LOG_TABLE_COUNT]; /* sequence of the row the cursor stands on; -1: at its end */
};

static int walk_step(struct walk *walk, int table, struct failure *failure)
{
    int found = database_step(walk->rows[table], failure);
    walk->next[table] = found == 1 ? database_column(walk->rows[table], 0).integer : -1;
    return found < 0 ? -1 : 0;
}

static void walk_close(struct walk *walk)
{
    for (int table = 0; table < LOG_TABLE_COUNT; table++) {
        database_finalize(walk->rows[table]);
    }
}

static int walk_open(struct walk *walk, struct database *database, struct failure *failure)
{
    memset(walk, 0, sizeof *walk);
    for (int table = 0; table < LOG_TABLE_COUNT; table++) {
        if (prepare_rows(database, (enum log_table)table, "", &walk->rows[table], failure) < 0 ||
            walk_step(walk, table, failure) < 0) {
            walk_close(walk);
            return -1;
        }
    }
    return 0;
}

/* -1 at the end of the log. */
static int walk_lowest(const struct walk *walk)
{
    int lowest = -1;
    for (int table = 0; table < LOG_TABLE_COUNT; table++) {
        if (walk->next[table] >= 0 && (lowest < 0 || walk->next[table] < walk->next[lowest])) {
            lowest = table;
        }
    }
    return lowest;
}

/* Does the row follow on what `report` has seen so far? */
static int check_row(const struct database_statement *statement, enum log_table table,
                     struct log_chain_report *report, struct failure *failure)
{
    struct database_value row[LOG_COLUMNS_MAX];
    char hash[DIGEST_TEXT_BYTES];
    int count = read_row(statement, row);
    if (count > 0 && hash_row(table, row, count, hash, failure) < 0) {
        return -1;
    }
    if (count == 0) {
        report->complaint = "stands in a table whose columns were altered";
    } else if (row[count - 1].integer != LOG_CHAIN_ENCODING) {
        report->complaint = "is in an encoding that this program does not know";
    } else if (row[0].integer != report->rows + 1) {
        report->complaint = "is not the next one: a row before it is missing, or stands twice";
    } else if (!is_text(&row[count - 3], report->head)) {
        report->complaint = "does not follow on the row before it: previous_hash differs";
    } else if (!is_text(&row[count - 2], hash)) {
        report->complaint = "was changed: its hash is not the hash of what it says";
    }
    if (report->complaint == NULL) {
        report->rows++;
        memcpy(report->head, hash, sizeof hash);
        return 0;
    }
    report->broken = true;
    report->sequence = row[0].integer;
    text_copy(report->table, sizeof report->table, log_schema_table_name(table));
    return 0;
}

int log_chain_verify(struct database *database, const char *noted, struct log_chain_report *report,
                     struct failure *failure)
{
    struct walk walk;
    memset(report, 0, sizeof *report);
    memcpy(report->head, LOG_CHAIN_FIRST, sizeof report->head);
    if (walk_open(&walk, database, failure) < 0) {
        return -1;
    }
    int result = 0;
    int table;
    while (result == 0 && !report->broken && (table = walk_lowest(&walk)) >= 0) {
        result = check_row(walk.rows[table], (enum log_table)table, report, failure);
        if (noted != NULL && !report->broken && strcmp(report->head, noted) == 0) {
            report->noted_sequence = report->rows;
        }
        if (result == 0) {
            result = walk_step(&walk, table, failure);
        }
    }
    walk_close(&walk);
    return result;
}
