#include "reports/log_reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "reports/json.h"
#include "reports/log_chain.h"
#include "reports/log_rows.h"
#include "reports/record.h"
#include "reports/text.h"

#define COLUMNS_MAX 12
#define CELL_BYTES 512

struct log_reader {
    struct database *database;
};

/* --- opening --- */

static int open_as(const char *path, enum database_mode mode, struct database **database,
                   struct failure *failure)
{
    bool empty;
    if (database_open(path, mode, database, failure) < 0) {
        return -1;
    }
    int result = log_schema_identify(*database, path, &empty, failure);
    if (result == 0 && empty) {
        result = failure_set(failure, FAILURE_LOG, "this file is empty, not a log: %s", path);
    }
    if (result < 0) {
        database_close(*database);
    }
    return result;
}

/* SQLite cannot read a log in a read-only directory the usual way, because it makes files beside
 * it; when no write-ahead log lies there, the file alone is the whole log. */
static bool stands_alone(const char *path)
{
    char wal[4096];
    return snprintf(wal, sizeof wal, "%s-wal", path) < (int)sizeof wal && access(wal, F_OK) < 0 &&
           errno == ENOENT;
}

int log_reader_open(const char *path, struct log_reader **reader, struct failure *failure)
{
    struct log_reader *opened = calloc(1, sizeof *opened);
    if (opened == NULL) {
        return failure_set(failure, FAILURE_OUT_OF_MEMORY, "reading %s", path);
    }
    int result = open_as(path, DATABASE_READ, &opened->database, failure);
    if (result < 0 && stands_alone(path)) {
        result = open_as(path, DATABASE_LOOK, &opened->database, failure);
    }
    if (result < 0) {
        free(opened);
        return -1;
    }
    *reader = opened;
    return 0;
}

void log_reader_close(struct log_reader *reader)
{
    if (reader != NULL) {
        database_close(reader->database);
        free(reader);
    }
}

/* --- the two ways to print rows --- */

/* A query and what is bound to its ?1, ?2, … */
struct query {
    const char *sql;
    const struct database_value *values;
    int count;
};

typedef int (*row_fn)(void *context, const struct database_statement *row);

static int for_each_row(struct log_reader *reader, const struct query *query, row_fn visit,
                        void *context, struct failure *failure)
{
    struct database_statement *statement;
    if (database_prepare(reader->database, query->sql, &statement, failure) < 0) {
        return -1;
    }
    int row = database_bind(statement, query->values, query->count, failure);
    while (row == 0 && (row = database_step(statement, failure)) == 1) {
        row = 0;
        if (visit(context, statement) < 0) {
            row = failure_set(failure, FAILURE_LOG, "cannot write what was read: %s",
                              strerror(errno));
        }
    }
    database_finalize(statement);
    return row;
}

struct table {
    FILE *out;
    const char *indent;
    int widths[COLUMNS_MAX];
    bool title_printed;
};

static int count_characters(const char *text)
{
    int count = 0;
    for (; *text != '\0'; text += text_character_bytes(text)) {
        count++; /* text_copy() made it, so every character is well-formed */
    }
    return count;
}

static void cell_text(struct database_value value, char text[CELL_BYTES])
{
    if (value.type == DATABASE_INTEGER) {
        (void)snprintf(text, CELL_BYTES, "%lld", (long long)value.integer);
    } else {
        text_copy(text, CELL_BYTES, value.type == DATABASE_NULL ? "-" : value.text);
    }
}

static void widen(int *width, const char *text)
{
    int needed = count_characters(text);
    *width = needed > *width ? needed : *width;
}

static int measure_row(void *context, const struct database_statement *row)
{
    struct table *table = context;
    for (int i = 0; i < database_column_count(row) && i < COLUMNS_MAX; i++) {
        char text[CELL_BYTES];
        cell_text(database_column(row, i), text);
        widen(&table->widths[i], text);
        widen(&table->widths[i], database_column_name(row, i));
    }
    return 0;
}

static void print_cell(const struct table *table, int column, int columns, const char *text,
                       bool to_the_right)
{
    int pad = table->widths[column] - count_characters(text);
    bool last = column == columns - 1;
    (void)fprintf(table->out, "%s%*s%s%*s", column == 0 ? table->indent : "  ",
                  to_the_right ? pad : 0, "", text, to_the_right || last ? 0 : pad, "");
}

static int print_row(void *context, const struct database_statement *row)
{
    struct table *table = context;
    int columns = database_column_count(row);
    columns = columns < COLUMNS_MAX ? columns : COLUMNS_MAX;
    for (int i = 0; !table->title_printed && i < columns; i++) {
        print_cell(table, i, columns, database_column_name(row, i),
                   database_column(row, i).type == DATABASE_INTEGER);
    }
    if (!table->title_printed) {
        (void)fputc('\n', table->out);
        table->title_printed = true;
    }
    for (int i = 0; i < columns; i++) {
        char text[CELL_BYTES];
        struct database_value value = database_column(row, i);
        cell_text(value, text);
        print_cell(table, i, columns, text, value.type == DATABASE_INTEGER);
    }
    return fputc('\n', table->out) == EOF ? -1 : 0;
}

/* Aligned, under the columns' names; nothing when there are no rows. Runs the query twice, so it
 * needs one snapshot around it. */
static int print_table(struct log_reader *reader, const struct query *query, const char *indent,
                       FILE *out, struct failure *failure)
{
    struct table table = {.out = out, .indent = indent};
    if (for_each_row(reader, query, measure_row, &table, failure) < 0) {
        return -1;
    }
    return for_each_row(reader, query, print_row, &table, failure);
}

static void add_columns(struct json_object *object, const struct database_statement *row)
{
    for (int i = 0; i < database_column_count(row); i++) {
        const char *name = database_column_name(row, i);
        struct database_value value = database_column(row, i);
        if (value.type == DATABASE_INTEGER) {
            json_add_integer(object, name, value.integer);
        } else {
            json_add_text(object, name, value.text); /* NULL becomes null */
        }
    }
}

static int print_json_row(void *context, const struct database_statement *row)
{
    struct json_object *object = json_object_create();
    add_columns(object, row);
    return json_object_write_line(object, context);
}

static int append_json_row(void *context, const struct database_statement *row)
{
    struct json_object *object = json_object_create();
    add_columns(object, row);
    json_append_object(context, object);
    return 0;
}

static int finish_output(FILE *out, int result, struct failure *failure)
{
    if (result == 0 && (fflush(out) != 0 || ferror(out) != 0)) {
        return failure_set(failure, FAILURE_LOG, "cannot write what was read: %s", strerror(errno));
    }
    return result;
}

/* --- listing --- */

#define LIST_FILTER                                                                                \
    " FROM attempts a WHERE (?1 IS NULL OR lot = ?1)"                                              \
    " AND (?2 IS NULL OR ifnull(verdict, 'open') = ?2) AND (?3 = 0 OR site = ?3)"                  \
    " ORDER BY attempt DESC LIMIT ?4) ORDER BY attempt"

static const char list_json_sql[] = "SELECT * FROM (SELECT *" LIST_FILTER;
static const char list_table_sql[] =
    "SELECT * FROM (SELECT attempt, substr(started_at, 1, 19) || 'Z' AS time, lot, site, article,"
    " ifnull(verdict, 'open') AS verdict, failure,"
    " (SELECT printf('%7.2f', (c.ended_at_us - o.started_at_us) / 1e6)"
    "  FROM attempt_opened o JOIN attempt_closed c ON c.attempt = o.attempt"
    "  WHERE o.attempt = a.attempt) AS seconds" LIST_FILTER;

static int print_rows(struct log_reader *reader, const struct query *query, bool json, FILE *out,
                      struct failure *failure)
{
    if (json) {
        return for_each_row(reader, query, print_json_row, out, failure);
    }
    if (database_exec(reader->database, "BEGIN", failure) < 0) {
        return -1;
    }
    int result = print_table(reader, query, "", out, failure);
    database_rollback(reader->database);
    return finish_output(out, result, failure);
}

static int note_row(void *context, const struct database_statement *row)
{
    (void)row;
    *(bool *)context = true;
    return 0;
}

/* That nothing of a lot failed is not to be read from a lot that was misspelt. */
static int check_lot(struct log_reader *reader, const char *lot, struct failure *failure)
{
    const struct database_value key = database_text(lot);
    const struct query query = {"SELECT lot FROM lot WHERE lot = ?1 UNION "
                                "SELECT lot FROM attempt_opened WHERE lot = ?1",
                                &key, 1};
    bool found = lot == NULL;
    if (!found && for_each_row(reader, &query, note_row, &found, failure) < 0) {
        return -1;
    }
    return found ? 0 : failure_set(failure, FAILURE_USAGE, "the log has no lot '%s'", lot);
}

int log_reader_list(struct log_reader *reader, const struct log_list_options *options, FILE *out,
                    struct failure *failure)
{
    const struct database_value values[] = {
        database_text(options->lot), database_text(options->verdict),
        database_integer(options->site),
        database_integer(options->last > 0 ? options->last : -1), /* LIMIT -1 is no limit */
    };
    const struct query query = {options->json ? list_json_sql : list_table_sql, values, 4};
    if (options->verdict != NULL && strcmp(options->verdict, "open") != 0 &&
        verdict_by_name(options->verdict) <= VERDICT_NONE) {
        return failure_set(failure, FAILURE_USAGE,
                           "no verdict is called '%s': pass, fail, refused, unverified, empty, "
                           "interrupted, or open",
                           options->verdict);
    }
    if (check_lot(reader, options->lot, failure) < 0) {
        return -1;
    }
    return print_rows(reader, &query, options->json, out, failure);
}

#define EVENT_FILTER " FROM events ORDER BY event DESC LIMIT ?1) ORDER BY event"

static const char events_json_sql[] = "SELECT * FROM (SELECT *" EVENT_FILTER;
/* What an EEPROM held has more bytes than fit into a line. */
static const char events_table_sql[] =
    "SELECT * FROM (SELECT event, substr(at, 1, 19) || 'Z' AS time, kind,"
    " iif(length(detail) > 400, substr(detail, 1, 400) || ' ...', detail) AS detail" EVENT_FILTER;

int log_reader_events(struct log_reader *reader, int64_t last, bool json, FILE *out,
                      struct failure *failure)
{
    const struct database_value limit = database_integer(last > 0 ? last : -1);
    const struct query query = {json ? events_json_sql : events_table_sql, &limit, 1};
    return print_rows(reader, &query, json, out, failure);
}

/* --- showing one attempt --- */

static const char show_attempt_sql[] = "SELECT * FROM attempts WHERE attempt = ?1";
static const char show_failure_sql[] = "SELECT failure FROM attempts WHERE attempt = ?1";
#define FUSE_ORDER                                                                                 \
    " FROM fuse_writes WHERE attempt = ?1 ORDER BY "                                               \
    "instr('fuse low high extended lock', fuse)"
static const char show_fuses_json_sql[] =
    "SELECT fuse, found, asked, decision, read_back" FUSE_ORDER;
static const char show_fuses_sql[] =
    "SELECT fuse, iif(found IS NULL, '-', printf('%02X', found)) AS found,"
    " iif(asked IS NULL, '-', printf('%02X', asked)) AS asked, decision,"
    " iif(read_back IS NULL, '-', printf('%02X', read_back)) AS \"read back\"" FUSE_ORDER;
/* Written in one go with the opening row: the next 64 rows are more than there can be of them and
 * of the fuses before them. The whole table has some for every board there was. */
#define RISK_BEGIN "('attempt ' || ?1 || ': ')"
#define RISK_TEXT "substr(e.detail, length(" RISK_BEGIN ") + 1)"
#define RISK_BECAUSE "', because: '"
static const char show_risks_sql[] =
    "SELECT substr(" RISK_TEXT ", 1, instr(" RISK_TEXT ", " RISK_BECAUSE ") - 1) AS rule,"
    " substr(" RISK_TEXT ", instr(" RISK_TEXT ", " RISK_BECAUSE ") + length(" RISK_BECAUSE
    ")) AS because FROM event e JOIN attempt_opened o ON o.attempt = ?1"
    " AND e.sequence BETWEEN o.sequence AND o.sequence + 64"
    " WHERE e.kind = '" LOG_RISK_ACCEPTED "' AND instr(e.detail, " RISK_BEGIN ") = 1"
    " ORDER BY e.sequence";
#define STEP_ORDER " FROM steps WHERE attempt = ?1 ORDER BY started_at"
static const char show_steps_json_sql[] =
    "SELECT step, started_at, duration_us, bytes, failure" STEP_ORDER;
static const char show_steps_sql[] =
    "SELECT step, started_at AS started, printf('%9.3f', duration_us / 1e3) AS milliseconds,"
    " bytes, failure" STEP_ORDER;

static int print_columns(void *context, const struct database_statement *row)
{
    FILE *out = context;
    for (int i = 0; i < database_column_count(row); i++) {
        char text[CELL_BYTES];
        cell_text(database_column(row, i), text);
        (void)fprintf(out, "%-20s %s\n", database_column_name(row, i), text);
    }
    return ferror(out) ? -1 : 0;
}

/* Keeps the attempt's failure; finding a row at all tells that there is
 * such an attempt. */
struct found_attempt {
    bool found;
    enum failure_code code; /* NONE: it did not fail */
    enum log_eeprom_state eeprom;
};

static int note_attempt(void *context, const struct database_statement *row)
{
    struct found_attempt *attempt = context;
    const struct failure_fact *fact = failure_by_name(database_column(row, 0).text);
    attempt->found = true;
    attempt->code = fact == NULL ? FAILURE_NONE : fact->code;
    return 0;
}

/* An EEPROM that is owed comes before whatever the attempt failed of. */
static const char *sentence_of(const struct found_attempt *known)
{
    bool owed = known->eeprom == LOG_EEPROM_OWED;
    return known->code == FAILURE_NONE && !owed ? NULL : failure_sentence(known->code, owed);
}

static int add_attempt(void *context, const struct database_statement *row)
{
    add_columns(context, row);
    return 0;
}

/* What became of the EEPROM that an attempt saved: for programs, and for people. */
static const struct {
    const char *name;
    const char *sentence;
} eeprom_states[] = {
    [LOG_EEPROM_NONE] = {NULL, NULL},
    [LOG_EEPROM_KEPT] = {"kept", "saved, but not erased"},
    [LOG_EEPROM_BACK] = {"back", "saved before the erase, and put back or settled"},
    [LOG_EEPROM_OWED] = {"owed", "saved before the erase, and not put back as far as is known"},
};

/* What an attempt has several of. `result` is what came before. */
static int add_array(struct log_reader *reader, const struct query *query, const char *name,
                     struct json_object *object, int result, struct failure *failure)
{
    struct json_array *array = json_array_create();
    if (result == 0) {
        result = for_each_row(reader, query, append_json_row, array, failure);
    }
    json_add_array(object, name, array);
    return result;
}

static int show_json(struct log_reader *reader, const struct database_value *key,
                     const struct found_attempt *known, FILE *out, struct failure *failure)
{
    const struct query attempt = {show_attempt_sql, key, 1};
    const struct query risks = {show_risks_sql, key, 1};
    const struct query fuses = {show_fuses_json_sql, key, 1};
    const struct query steps = {show_steps_json_sql, key, 1};
    struct json_object *object = json_object_create();
    int result = for_each_row(reader, &attempt, add_attempt, object, failure);
    result = add_array(reader, &risks, "risks", object, result, failure);
    json_add_text(object, "eeprom_saved", eeprom_states[known->eeprom].name);
    json_add_text(object, "operator_sentence", sentence_of(known));
    result = add_array(reader, &fuses, "fuses", object, result, failure);
    result = add_array(reader, &steps, "steps", object, result, failure);
    if (result < 0) {
        json_object_free(object);
        return -1;
    }
    if (json_object_write_line(object, out) < 0) {
        return failure_set(failure, FAILURE_LOG, "cannot write what was read: %s", strerror(errno));
    }
    return 0;
}

static int print_risk(void *context, const struct database_statement *row)
{
    char rule[CELL_BYTES], because[CELL_BYTES];
    cell_text(database_column(row, 0), rule);
    cell_text(database_column(row, 1), because);
    return fprintf(context, "%-20s %s, because: %s\n", "accepted risk", rule, because) < 0 ? -1 : 0;
}

static int show_text(struct log_reader *reader, const struct database_value *key,
                     const struct found_attempt *known, FILE *out, struct failure *failure)
{
    const struct query attempt = {show_attempt_sql, key, 1};
    const struct query risks = {show_risks_sql, key, 1};
    const struct query fuses = {show_fuses_sql, key, 1};
    const struct query steps = {show_steps_sql, key, 1};
    if (for_each_row(reader, &attempt, print_columns, out, failure) < 0 ||
        for_each_row(reader, &risks, print_risk, out, failure) < 0) {
        return -1;
    }
    (void)fputs("\nfuses and lock\n", out);
    if (print_table(reader, &fuses, "  ", out, failure) < 0) {
        return -1;
    }
    (void)fputs("\nsteps\n", out);
    if (print_table(reader, &steps, "  ", out, failure) < 0) {
        return -1;
    }
    if (known->eeprom != LOG_EEPROM_NONE) {
        (void)fprintf(out, "\nEEPROM: %s; " LOG_EEPROM_RESCUE "\n",
                      eeprom_states[known->eeprom].sentence, (long long)key->integer);
    }
    if (sentence_of(known) != NULL) {
        (void)fprintf(out, "\nwhat to do: %s\n", sentence_of(known));
    }
    return 0;
}

int log_reader_show(struct log_reader *reader, int64_t attempt, bool json, FILE *out,
                    struct failure *failure)
{
    const struct database_value key = database_integer(attempt);
    const struct query query = {show_failure_sql, &key, 1};
    struct found_attempt known = {false, FAILURE_NONE, LOG_EEPROM_NONE};
    if (database_exec(reader->database, "BEGIN", failure) < 0) {
        return -1;
    }
    int result = for_each_row(reader, &query, note_attempt, &known, failure);
    if (result == 0 && !known.found) {
        result =
            failure_set(failure, FAILURE_USAGE, "the log has no attempt %lld", (long long)attempt);
    } else if (result == 0) {
        result = log_eeprom_look(reader->database, attempt, &known.eeprom, failure);
    }
    if (result == 0) {
        result = (json ? show_json : show_text)(reader, &key, &known, out, failure);
    }
    database_rollback(reader->database);
    return finish_output(out, result, failure);
}

int log_reader_eeprom(struct log_reader *reader, int64_t attempt, struct log_eeprom *eeprom,
                      enum log_eeprom_state *state, struct failure *failure)
{
    if (log_eeprom_look(reader->database, attempt, state, failure) < 0 ||
        log_eeprom_load(reader->database, attempt, eeprom, failure) < 0) {
        return -1;
    }
    if (eeprom->attempt == 0) {
        return failure_set(failure, FAILURE_USAGE, "attempt %lld saved no EEPROM, or is not there",
                           (long long)attempt);
    }
    return 0;
}

/* --- checking --- */

static int print_report(const struct log_chain_report *report, const char *complaint, bool json,
                        FILE *out)
{
    if (json) {
        struct json_object *object = json_object_create();
        json_add_bool(object, "fits", !report->broken);
        json_add_integer(object, "rows", report->rows);
        json_add_text(object, "head", report->head);
        if (report->noted_sequence > 0) {
            json_add_integer(object, "noted_sequence", report->noted_sequence);
        }
        if (report->broken) {
            json_add_integer(object, "sequence", report->sequence);
            json_add_text(object, "table", report->table);
            json_add_text(object, "complaint", complaint);
        }
        return json_object_write_line(object, out);
    }
    if (report->broken) {
        return fprintf(out, "%s\n%lld rows before it fit\n", complaint, (long long)report->rows);
    }
    if (report->noted_sequence > 0 &&
        fprintf(out, "the noted head is row %lld\n", (long long)report->noted_sequence) < 0) {
        return -1;
    }
    return fprintf(out, "%lld rows, all fit; head %s\n", (long long)report->rows, report->head);
}

/* Reads the chain, and then whether tables, views and triggers are as they were made. */
static int check_all(struct log_reader *reader, const char *noted, struct log_chain_report *report,
                     struct failure *complaint, struct failure *failure)
{
    if (log_chain_verify(reader->database, noted, report, failure) < 0) {
        return -1;
    }
    if (report->broken) {
        (void)failure_set(complaint, FAILURE_LOG, "row %lld (%s) %s", (long long)report->sequence,
                          report->table, report->complaint);
    } else if (log_schema_check(reader->database, complaint) < 0) {
        report->broken = true;
        text_copy(report->table, sizeof report->table, "sqlite_schema");
    } else if (noted != NULL && report->noted_sequence == 0) {
        report->broken = true;
        (void)failure_set(complaint, FAILURE_LOG,
                          "no row has the noted head %s: rows were cut off at the end since, or it "
                          "is another log",
                          noted);
    }
    return 0;
}

int log_reader_verify(struct log_reader *reader, const char *noted, bool json, FILE *out,
                      struct failure *failure)
{
    struct log_chain_report report;
    struct failure complaint = {0};
    if (database_exec(reader->database, "BEGIN", failure) < 0) {
        return -1;
    }
    int result = check_all(reader, noted, &report, &complaint, failure);
    database_rollback(reader->database);
    if (result == 0 && print_report(&report, complaint.detail, json, out) < 0) {
        result =
            failure_set(failure, FAILURE_LOG, "cannot write what was read: %s", strerror(errno));
    }
    if (result == 0 && report.broken) {
        result = failure_set(failure, FAILURE_LOG, "%s; keep the log for the engineer",
                             complaint.detail);
    }
    return finish_output(out, result, failure);
}
