/* For the tests of the log: a directory of its own for each test, and a record to log. */
#ifndef TESTS_LOG_SAMPLE_H
#define TESTS_LOG_SAMPLE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "reports/database.h"
#include "reports/log.h"
#include "reports/log_reader.h"

#define SAMPLE_PROFILE_SHA256 "1111111111111111111111111111111111111111111111111111111111111111"
#define SAMPLE_IMAGE_SHA256 "2222222222222222222222222222222222222222222222222222222222222222"
#define OTHER_PROFILE_SHA256 "2222222222222222222222222222222222222222222222222222222222222222"

struct sample {
    char directory[64];
    char path[96];
};

static inline int sample_make(void **state)
{
    struct sample *sample = calloc(1, sizeof *sample);
    if (sample == NULL) {
        return -1;
    }
    strcpy(sample->directory, "/tmp/gangflash-test-XXXXXX");
    if (mkdtemp(sample->directory) == NULL) {
        free(sample);
        return -1;
    }
    (void)snprintf(sample->path, sizeof sample->path, "%s/log.db", sample->directory);
    *state = sample;
    return 0;
}

static inline int sample_remove(void **state)
{
    static const char *const names[] = {"log.db",      "log.db-wal", "log.db-shm", "log.db-journal",
                                        "log.db.lock", "link.db",    "other.db",   "out.txt"};
    struct sample *sample = *state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[128];
        (void)snprintf(path, sizeof path, "%s/%s", sample->directory, names[i]);
        (void)unlink(path);
    }
    int result = rmdir(sample->directory);
    free(sample);
    return result;
}

static inline int64_t sample_now_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static inline struct log_options sample_options(const char *path)
{
    return (struct log_options){.path = path, .station = "bench-2", .software = "gangflash 0.1.0"};
}

/* A board that was opened: low and lock are to be written, high is right already. */
static inline struct record_attempt sample_record(const char *lot, int site)
{
    struct record_attempt record = {
        .cycle = 7,
        .site = site,
        .programmer = "stk500v1",
        .programmer_firmware = "ArduinoISP 1.18",
        .profile = "planck-rev4",
        .article = "KB-0417-B",
        .revision = "3",
        .profile_sha256 = SAMPLE_PROFILE_SHA256,
        .image_sha256 = SAMPLE_IMAGE_SHA256,
        .part = "ATmega32U4",
        .expected_signature = "1E 95 87",
        .signature = "1E 95 87",
        .operator_name = "J\xC3\xBCrgen",
        .purpose = "production",
        .started_at_us = sample_now_us(),
        .tries = 1,
        .jig = "bench-2",
        .fuses = {{"low", 0x62, 0x5E, FUSE_DECISION_WRITTEN, -1},
                  {"high", 0xD9, 0xD9, FUSE_DECISION_ALREADY, -1},
                  {"lock", 0xFF, 0xCF, FUSE_DECISION_WRITTEN, -1}},
        .fuse_count = 3,
    };
    record_set_text(record.lot, sizeof record.lot, lot);
    return record;
}

/* What an attempt that went well adds at its end. */
static inline void sample_pass(struct record_attempt *record)
{
    record->verdict = VERDICT_PASS;
    record->touched = TOUCHED_LOCKED;
    record->ended_at_us = record->started_at_us;
    record_set_text(record->verification, sizeof record->verification, "image");
    record->fuses[0].read_back = 0x5E;
    record->fuses[2].read_back = 0xCF;
}

static inline struct record_step sample_step(const char *name)
{
    return (struct record_step){name, sample_now_us(), 1500, 128, FAILURE_NONE};
}

/* First column of the first row, as text; "(none)" when there is no row, "(null)" for NULL. Reads
 * through a connection of its own. */
static inline char *sample_query(const char *path, const char *sql)
{
    static _Thread_local char text[512];
    struct database *database;
    struct database_statement *statement;
    struct failure failure = {0};
    if (database_open(path, DATABASE_READ, &database, &failure) < 0) {
        (void)snprintf(text, sizeof text, "(%s)", failure.detail);
        return text;
    }
    strcpy(text, "(none)");
    if (database_prepare(database, sql, &statement, &failure) < 0) {
        (void)snprintf(text, sizeof text, "(%s)", failure.detail);
    } else {
        if (database_step(statement, &failure) == 1) {
            struct database_value value = database_column(statement, 0);
            if (value.type == DATABASE_INTEGER) {
                (void)snprintf(text, sizeof text, "%lld", (long long)value.integer);
            } else {
                (void)snprintf(text, sizeof text, "%s",
                               value.type == DATABASE_NULL ? "(null)" : value.text);
            }
        }
        database_finalize(statement);
    }
    database_close(database);
    return text;
}

/* Runs SQL as anybody with the sqlite3 program could. */
static inline int sample_exec(const char *path, const char *sql, struct failure *failure)
{
    struct database *database;
    if (database_open(path, DATABASE_CREATE, &database, failure) < 0) {
        return -1;
    }
    int result = database_exec(database, sql, failure);
    database_close(database);
    return result;
}

/* 0 when every hash fits; what was found is in `failure`. */
static inline int sample_verify(const char *path, struct failure *failure)
{
    struct log_reader *reader;
    FILE *nowhere = fopen("/dev/null", "w");
    if (nowhere == NULL || log_reader_open(path, &reader, failure) < 0) {
        return -1;
    }
    int result = log_reader_verify(reader, NULL, false, nowhere, failure);
    log_reader_close(reader);
    (void)fclose(nowhere);
    return result;
}

#endif
