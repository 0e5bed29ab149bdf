#include "reports/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "reports/log_chain.h"
#include "reports/log_eeprom.h"
#include "reports/log_lock.h"
#include "reports/log_lot.h"
#include "reports/log_recovery.h"
#include "reports/log_rows.h"

enum request_kind {
    REQUEST_OPEN,
    REQUEST_STEP,
    REQUEST_CLOSE,
    REQUEST_EVENT,
    REQUEST_LOT,
    REQUEST_BOARD,
    REQUEST_DOOR,
    REQUEST_EEPROM
};

/* One call, on its way to the writer. A waited one lies on its caller's stack, any other one is the
 * writer's to free. */
struct request {
    enum request_kind kind;
    struct request *next;
    struct record_attempt *record; /* OPEN, CLOSE */
    const struct record_step *steps;
    int step_count;
    int64_t attempt; /* STEP */
    struct record_step step;
    char *event_kind, *event_detail; /* EVENT; freed with the request */
    struct log_lot *lot;
    struct log_place *place;                /* BOARD, DOOR */
    struct log_door *door;                  /* DOOR */
    const struct log_eeprom_search *search; /* EEPROM */
    int64_t at_us;                          /* EVENT, LOT: when the call was made */

    int64_t attempt_before; /* put back into the record when the group fails */
    int result;
    struct failure failure;
    bool waited;
    bool done;
    pthread_cond_t answered;
};

struct log {
    char *path;
    char *station;
    char *software;
    log_publish_fn publish;
    void (*faulted)(void *context, const struct failure *failure);
    void *context;
    struct log_lock *lock;

    /* the writer's own; before it starts, log_open()'s */
    struct database *database;
    struct log_chain *chain;
    int64_t last_attempt;

    pthread_t writer;
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t wanted;
    struct request *first, *last;
    bool stopping;
    bool at_fault;
    struct failure fault;
    struct log_statistics statistics;
};

static int64_t clock_us(clockid_t clock)
{
    struct timespec now;
    (void)clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* --- what the writer does with each kind of request, inside a transaction --- */

static int write_opening(struct log *log, struct request *request, struct failure *failure)
{
    struct record_attempt *record = request->record;
    record->attempt = ++log->last_attempt;
    if (record->software[0] == '\0') {
        record_set_text(record->software, sizeof record->software, log->software);
    }
    return log_rows_add_opened(log->chain, record, failure);
}

static int write_step(struct log *log, struct request *request, struct failure *failure)
{
    return log_rows_add_step(log->chain, request->attempt, &request->step, failure);
}

static int write_closing(struct log *log, struct request *request, struct failure *failure)
{
    struct record_attempt *record = request->record;
    if (record->attempt == 0 && write_opening(log, request, failure) < 0) {
        return -1;
    }
    for (int i = 0; i < request->step_count; i++) {
        if (log_rows_add_step(log->chain, record->attempt, &request->steps[i], failure) < 0) {
            return -1;
        }
    }
    if (log_rows_add_closed(log->chain, record, failure) < 0) {
        return -1;
    }
    return log_lot_note_closed(log->database, record, failure);
}

static int write_event(struct log *log, struct request *request, struct failure *failure)
{
    if (log_rows_add_event(log->chain, request->at_us, request->event_kind, request->event_detail,
                           failure) < 0) {
        return -1;
    }
    return log_eeprom_note_event(log->database, request->event_kind, failure);
}

static int write_lot(struct log *log, struct request *request, struct failure *failure)
{
    return log_lot_bind(log->database, log->chain, request->lot, request->at_us, failure);
}

static int find_board(struct log *log, struct request *request, struct failure *failure)
{
    return log_lot_find_board(log->database, request->place, failure);
}

static int find_door(struct log *log, struct request *request, struct failure *failure)
{
    return log_lot_find_door(log->database, request->place, request->door, failure);
}

static int find_eeprom(struct log *log, struct request *request, struct failure *failure)
{
    return log_eeprom_find_owed(log->database, request->search, failure);
}

static int (*const writers[])(struct log *, struct request *, struct failure *) = {
    [REQUEST_OPEN] = write_opening, [REQUEST_STEP] = write_step,    [REQUEST_CLOSE] = write_closing,
    [REQUEST_EVENT] = write_event,  [REQUEST_LOT] = write_lot,      [REQUEST_BOARD] = find_board,
    [REQUEST_DOOR] = find_door,     [REQUEST_EEPROM] = find_eeprom,
};

/* --- the writer thread --- */

/* The file is in doubt: nothing more is written to it, and everybody is told. */
static void become_faulty(struct log *log, const struct failure *failure)
{
    log_chain_close(log->chain);
    log->chain = NULL;
    database_abandon(log->database);
    log->database = NULL;
    pthread_mutex_lock(&log->mutex);
    log->at_fault = true;
    log->fault = *failure;
    log->fault.code = FAILURE_LOG; /* whatever it was, to the station it means: no log */
    pthread_mutex_unlock(&log->mutex);
    if (log->faulted != NULL) {
        log->faulted(log->context, &log->fault);
    }
}

/* One transaction for all of them. A lot that is refused is an answer; every other failure is the
 * log's. */
static int write_group(struct log *log, struct request *group, struct failure *failure)
{
    if (database_begin(log->database, failure) < 0) {
        return -1;
    }
    for (struct request *request = group; request != NULL; request = request->next) {
        request->result = writers[request->kind](log, request, &request->failure);
        if (request->result < 0 && request->failure.code != FAILURE_LOT_REFUSED) {
            *failure = request->failure;
            return -1;
        }
    }
    int64_t began_us = clock_us(CLOCK_MONOTONIC);
    int result = database_commit(log->database, failure);
    if (result == 0) {
        result = database_check_place(log->database, failure); /* durable, but where? */
    }
    pthread_mutex_lock(&log->mutex);
    log->statistics.commit_time_us += clock_us(CLOCK_MONOTONIC) - began_us;
    log->statistics.commits += result == 0;
    pthread_mutex_unlock(&log->mutex);
    return result;
}

static void fail_group(struct log *log, struct request *group)
{
    for (struct request *request = group; request != NULL; request = request->next) {
        if (request->record != NULL) {
            request->record->attempt = request->attempt_before;
        }
        request->result = -1;
        request->failure = log->fault;
    }
}

static void publish_group(struct log *log, const struct request *group)
{
    for (const struct request *request = group; request != NULL; request = request->next) {
        if (request->kind == REQUEST_CLOSE && log->publish != NULL) {
            log->publish(log->context, request->record);
        }
    }
}

static void free_request(struct request *request)
{
    free(request->event_kind);
    free(request->event_detail);
    free(request);
}

/* Wakes who waits. A woken caller's request is gone the moment the mutex is free. */
static void answer_group(struct log *log, struct request *group)
{
    pthread_mutex_lock(&log->mutex);
    while (group != NULL) {
        struct request *next = group->next;
        log->statistics.requests++;
        if (group->waited) {
            group->done = true;
            pthread_cond_signal(&group->answered);
        } else {
            free_request(group);
        }
        group = next;
    }
    pthread_mutex_unlock(&log->mutex);
}

/* Everything that is queued, oldest first; NULL when the writer is to end. */
static struct request *take_group(struct log *log)
{
    pthread_mutex_lock(&log->mutex);
    while (log->first == NULL && !log->stopping) {
        pthread_cond_wait(&log->wanted, &log->mutex);
    }
    struct request *group = log->first;
    log->first = NULL;
    log->last = NULL;
    pthread_mutex_unlock(&log->mutex);
    return group;
}

static void serve_group(struct log *log, struct request *group)
{
    struct failure failure = {0};
    if (log->database != NULL) {
        if (write_group(log, group, &failure) < 0) {
            become_faulty(log, &failure);
        } else {
            publish_group(log, group);
        }
    }
    if (log->database == NULL) {
        fail_group(log, group);
    }
    answer_group(log, group);
    /* After the answers, so that nobody waits for it. */
    if (log->database != NULL &&
        database_checkpoint(log->database, DATABASE_CHECKPOINT_WHEN_DUE, &failure) < 0) {
        become_faulty(log, &failure);
    }
}

static void *run_writer(void *context)
{
    struct log *log = context;
    struct request *group;
    while ((group = take_group(log)) != NULL) {
        serve_group(log, group);
    }
    return NULL;
}

/* --- the queue, from the callers' side --- */

/* With the mutex held. -1 when the log is at fault; then the request stays the caller's. */
static int hand_over(struct log *log, struct request *request, struct failure *failure)
{
    if (log->at_fault) {
        if (failure != NULL) {
            *failure = log->fault;
        }
        return -1;
    }
    *(log->last == NULL ? &log->first : &log->last->next) = request;
    log->last = request;
    pthread_cond_signal(&log->wanted);
    return 0;
}

/* Takes over a request on the heap. */
static int submit(struct log *log, struct request *request, struct failure *failure)
{
    pthread_mutex_lock(&log->mutex);
    int result = hand_over(log, request, failure);
    pthread_mutex_unlock(&log->mutex);
    if (result < 0) {
        free_request(request);
    }
    return result;
}

/* Comes back with the answer; the request may lie on the stack. */
static int submit_and_wait(struct log *log, struct request *request, struct failure *failure)
{
    request->waited = true;
    request->attempt_before = request->record != NULL ? request->record->attempt : 0;
    if (pthread_cond_init(&request->answered, NULL) != 0) {
        return failure_set(failure, FAILURE_OUT_OF_MEMORY, "waiting for the log");
    }
    pthread_mutex_lock(&log->mutex);
    int result = hand_over(log, request, failure);
    while (result == 0 && !request->done) {
        pthread_cond_wait(&request->answered, &log->mutex);
    }
    pthread_mutex_unlock(&log->mutex);
    if (result == 0 && request->result < 0) {
        result = -1;
        if (failure != NULL) {
            *failure = request->failure;
        }
    }
    (void)pthread_cond_destroy(&request->answered);
    return result;
}

int log_bind_lot(struct log *log, const char *lot, const char *profile_sha256,
                 const char *image_sha256, int64_t count, int64_t *bound_count, int64_t *passed,
                 struct failure *failure)
{
    struct log_lot binding = {lot, profile_sha256, image_sha256, count, 0, 0};
    struct request request = {.kind = REQUEST_LOT, .lot = &binding};
    request.at_us = clock_us(CLOCK_REALTIME);
    if (lot[0] == '\0' || profile_sha256[0] == '\0' || image_sha256[0] == '\0' || count < 0) {
        return failure_set(failure, FAILURE_USAGE,
                           "a lot needs a name, a profile and a count of 0 or more");
    }
    if (submit_and_wait(log, &request, failure) < 0) {
        return -1;
    }
    *bound_count = binding.bound_count;
    *passed = binding.passed;
    return 0;
}

int log_board_left_in(struct log *log, const char *lot, const char *jig, int site, int64_t *attempt,
                      struct failure *failure)
{
    struct log_place place = {log->station, lot, jig, site, 0};
    struct request request = {.kind = REQUEST_BOARD, .place = &place};
    if (submit_and_wait(log, &request, failure) < 0) {
        return -1;
    }
    *attempt = place.attempt;
    return 0;
}

int log_cut_at_door(struct log *log, const char *jig, int site, struct log_door *door,
                    struct failure *failure)
{
    struct log_place place = {log->station, NULL, jig, site, 0};
    struct request request = {.kind = REQUEST_DOOR, .place = &place, .door = door};
    return submit_and_wait(log, &request, failure);
}

int log_open_attempt(struct log *log, struct record_attempt *record, struct failure *failure)
{
    struct request request = {.kind = REQUEST_OPEN, .record = record};
    if (record->attempt != 0) {
        return failure_set(failure, FAILURE_INTERNAL, "attempt %lld is opened twice",
                           (long long)record->attempt);
    }
    return submit_and_wait(log, &request, failure);
}

int log_add_step(struct log *log, int64_t attempt, const struct record_step *step,
                 struct failure *failure)
{
    struct request *request = calloc(1, sizeof *request);
    if (request == NULL) {
        return failure_set(failure, FAILURE_OUT_OF_MEMORY, "logging step %s", step->step);
    }
    request->kind = REQUEST_STEP;
    request->attempt = attempt;
    request->step = *step;
    return submit(log, request, failure);
}

int log_close_attempt(struct log *log, struct record_attempt *record,
                      const struct record_step *steps, int count, struct failure *failure)
{
    struct request request = {
        .kind = REQUEST_CLOSE, .record = record, .steps = steps, .step_count = count};
    if (record->verdict == VERDICT_NONE) {
        return failure_set(failure, FAILURE_INTERNAL, "attempt %lld is closed without a verdict",
                           (long long)record->attempt);
    }
    return submit_and_wait(log, &request, failure);
}

static int add_event_and_wait(struct log *log, const char *kind, const char *detail,
                              struct failure *failure)
{
    struct request request = {.kind = REQUEST_EVENT, .at_us = clock_us(CLOCK_REALTIME)};
    int result = -1;
    request.event_kind = strdup(kind);
    request.event_detail = strdup(detail);
    if (request.event_kind == NULL || request.event_detail == NULL) {
        (void)failure_set(failure, FAILURE_OUT_OF_MEMORY, "logging event %s", kind);
    } else {
        result = submit_and_wait(log, &request, failure);
    }
    free(request.event_kind);
    free(request.event_detail);
    return result;
}

int log_save_eeprom(struct log *log, int64_t attempt, const uint8_t *bytes, uint32_t size,
                    struct failure *failure)
{
    char *detail = log_eeprom_to_text(attempt, bytes, size);
    if (detail == NULL) {
        return failure_set(failure, FAILURE_OUT_OF_MEMORY, "saving an EEPROM");
    }
    int result = add_event_and_wait(log, LOG_EEPROM_SAVED, detail, failure);
    free(detail);
    return result;
}

int log_announce_door(struct log *log, int64_t attempt, const char *door, struct failure *failure)
{
    char detail[64];
    (void)snprintf(detail, sizeof detail, "attempt %" PRId64 ": %s", attempt, door);
    return add_event_and_wait(log, LOG_LAST_DOOR, detail, failure);
}

int log_next_owed_eeprom(struct log *log, const char *part, int64_t previous_attempt, int64_t after,
                         struct log_eeprom *eeprom, struct failure *failure)
{
    const struct log_eeprom_search search = {part, previous_attempt, after, eeprom};
    struct request request = {.kind = REQUEST_EEPROM, .search = &search};
    *eeprom = (struct log_eeprom){0};
    return submit_and_wait(log, &request, failure);
}

int log_add_event(struct log *log, const char *kind, const char *detail, struct failure *failure)
{
    struct request *request = calloc(1, sizeof *request);
    if (request != NULL) {
        request->event_kind = strdup(kind);
        request->event_detail = strdup(detail == NULL ? "" : detail);
    }
    if (request == NULL || request->event_kind == NULL || request->event_detail == NULL) {
        if (request != NULL) {
            free_request(request);
        }
        return failure_set(failure, FAILURE_OUT_OF_MEMORY, "logging event %s", kind);
    }
    request->kind = REQUEST_EVENT;
    request->at_us = clock_us(CLOCK_REALTIME);
    return submit(log, request, failure);
}

void log_get_statistics(struct log *log, struct log_statistics *statistics)
{
    pthread_mutex_lock(&log->mutex);
    *statistics = log->statistics;
    pthread_mutex_unlock(&log->mutex);
}

/* --- opening and closing --- */

static int fail_path(const char *path, struct failure *failure)
{
    return failure_set(failure, FAILURE_LOG,
                       "%s; check that the directory exists and that this user may write there: "
                       "%s",
                       strerror(errno), path);
}

/* The directory a path lies in, to be freed. */
static char *directory_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL) {
        return strdup(".");
    }
    return slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

/* Links are followed, so that one file has one lock. NULL: FAILURE_LOG. */
static char *resolve_path(const char *path, struct failure *failure)
{
    char *resolved = realpath(path, NULL);
    if (resolved != NULL) {
        return resolved;
    }
    const char *slash = strrchr(path, '/');
    char *directory = directory_of(path);
    char *parent = directory == NULL ? NULL : realpath(directory, NULL);
    free(directory);
    if (parent == NULL ||
        asprintf(&resolved, "%s/%s", parent, slash == NULL ? path : slash + 1) < 0) {
        (void)fail_path(path, failure);
        resolved = NULL;
    }
    free(parent);
    return resolved;
}

/* A file name survives a power cut only when its directory was synced. */
static int sync_directory(const char *path, struct failure *failure)
{
    char *directory = directory_of(path);
    int descriptor = directory == NULL ? -1 : open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int result = descriptor < 0 || fsync(descriptor) < 0 ? fail_path(path, failure) : 0;
    if (descriptor >= 0) {
        (void)close(descriptor);
    }
    free(directory);
    return result;
}

/* Looks at the file as it lies there; what is no log of ours is not opened for writing at all. */
static int look_first(const char *path, struct failure *failure)
{
    struct database *database;
    struct stat facts;
    bool empty;
    if (stat(path, &facts) < 0) {
        return errno == ENOENT ? 0 : fail_path(path, failure);
    }
    if (!S_ISREG(facts.st_mode)) {
        return failure_set(failure, FAILURE_LOG, "not a file; name another one with --log: %s",
                           path);
    }
    /* Lock and write-ahead log go by the name: under two names two stations would write at once. */
    if (facts.st_nlink > 1) {
        return failure_set(failure, FAILURE_LOG,
                           "this file has %llu names (hard links), and two stations could write "
                           "to it at once; remove the others, or copy it: %s",
                           (unsigned long long)facts.st_nlink, path);
    }
    if (database_open(path, DATABASE_LOOK, &database, failure) < 0) {
        return -1;
    }
    int result = log_schema_identify(database, path, &empty, failure);
    database_close(database);
    return result;
}

static int open_database(struct log *log, struct failure *failure)
{
    bool empty;
    if (database_open(log->path, DATABASE_CREATE, &log->database, failure) < 0 ||
        database_exec(log->database, "PRAGMA foreign_keys=ON", failure) < 0 ||
        log_schema_identify(log->database, log->path, &empty, failure) < 0) {
        return -1;
    }
    /* Made before the write-ahead log is there, so that the file itself tells from its first
     * moment on what it is. */
    if (empty && log_schema_create(log->database, failure) < 0) {
        return -1;
    }
    if (database_use_wal(log->database, failure) < 0 ||
        log_schema_check(log->database, failure) < 0 ||
        log_eeprom_prepare(log->database, failure) < 0) {
        return -1;
    }
    return sync_directory(log->path, failure);
}

/* The time of the newest row of each table; a fuse row has none of its own. */
static const char last_time_sql[] =
    "SELECT max(at) FROM ("
    "SELECT * FROM (SELECT started_at_us AS at FROM attempt_opened ORDER BY sequence DESC LIMIT 1) "
    "UNION ALL "
    "SELECT * FROM (SELECT ended_at_us FROM attempt_closed ORDER BY sequence DESC LIMIT 1) "
    "UNION ALL SELECT * FROM (SELECT started_at_us FROM step ORDER BY sequence DESC LIMIT 1) "
    "UNION ALL SELECT * FROM (SELECT at_us FROM event ORDER BY sequence DESC LIMIT 1) "
    "UNION ALL SELECT * FROM (SELECT bound_at_us FROM lot ORDER BY sequence DESC LIMIT 1))";

static int check_clock(struct log *log, int64_t now_us, struct failure *failure)
{
    int64_t last_us;
    char now_text[RECORD_TIME_BYTES], last_text[RECORD_TIME_BYTES];
    if (database_query_integer(log->database, last_time_sql, &last_us, failure) < 0) {
        return -1;
    }
    if (now_us >= last_us) {
        return 0;
    }
    record_time_text(now_us, now_text);
    record_time_text(last_us, last_text);
    return failure_set(failure, FAILURE_CLOCK,
                       "the clock says %s, but the log's last row is of %s: %s", now_text,
                       last_text, log->path);
}

/* The first transaction: it shows that the log can be written. */
static int begin_session(struct log *log, int *recovered, struct failure *failure)
{
    int64_t now_us = clock_us(CLOCK_REALTIME);
    char detail[RECORD_TEXT_BYTES + 64];
    if (database_begin(log->database, failure) < 0 ||
        log_chain_open(log->database, log->station, &log->chain, failure) < 0 ||
        check_clock(log, now_us, failure) < 0 ||
        database_query_integer(log->database, "SELECT max(attempt) FROM attempt_opened",
                               &log->last_attempt, failure) < 0 ||
        log_recovery_run(log->database, log->chain, recovered, failure) < 0) {
        return -1;
    }
    (void)snprintf(detail, sizeof detail, "%.*s; attempts closed as interrupted: %d",
                   RECORD_TEXT_BYTES - 1, log->software, *recovered);
    if (log_rows_add_event(log->chain, now_us, "log-opened", detail, failure) < 0) {
        return -1;
    }
    if (database_commit(log->database, failure) < 0) {
        return -1;
    }
    return database_check_place(log->database, failure);
}

/* The writer takes no signals: they are the main thread's. */
static int start_writer(struct log *log, struct failure *failure)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&log->writer, NULL, run_writer, log);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0) {
        return failure_set(failure, FAILURE_OUT_OF_MEMORY, "cannot start the log's thread: %s",
                           strerror(error));
    }
    return 0;
}

static void free_log(struct log *log)
{
    log_chain_close(log->chain);
    database_abandon(log->database);
    log_lock_release(log->lock);
    (void)pthread_cond_destroy(&log->wanted);
    (void)pthread_mutex_destroy(&log->mutex);
    free(log->path);
    free(log->station);
    free(log->software);
    free(log);
}

static struct log *create_log(const struct log_options *options, struct failure *failure)
{
    struct log *log = calloc(1, sizeof *log);
    if (log == NULL) {
        (void)failure_set(failure, FAILURE_OUT_OF_MEMORY, "opening the log");
        return NULL;
    }
    (void)pthread_mutex_init(&log->mutex, NULL); /* cannot fail on Linux with these attributes */
    (void)pthread_cond_init(&log->wanted, NULL);
    log->publish = options->publish;
    log->faulted = options->faulted;
    log->context = options->context;
    log->station = strdup(options->station);
    log->software = strdup(options->software);
    log->path = resolve_path(options->path, failure);
    if (log->path == NULL || log->station == NULL || log->software == NULL) {
        if (log->path != NULL) {
            (void)failure_set(failure, FAILURE_OUT_OF_MEMORY, "opening the log");
        }
        free_log(log);
        return NULL;
    }
    return log;
}

int log_open(const struct log_options *options, struct log **log, int *recovered,
             struct failure *failure)
{
    struct log *opened = create_log(options, failure);
    if (opened == NULL) {
        return -1;
    }
    /* The look comes first: beside a file that is not ours no lock file is made either. */
    if (look_first(opened->path, failure) < 0 ||
        log_lock_take(opened->path, &opened->lock, failure) < 0 ||
        open_database(opened, failure) < 0 || begin_session(opened, recovered, failure) < 0 ||
        start_writer(opened, failure) < 0) {
        free_log(opened);
        return -1;
    }
    *log = opened;
    return 0;
}

static void stop_writer(struct log *log)
{
    pthread_mutex_lock(&log->mutex);
    log->stopping = true;
    pthread_cond_signal(&log->wanted);
    pthread_mutex_unlock(&log->mutex);
    (void)pthread_join(log->writer, NULL);
}

/* Leaves one file behind, without a write-ahead log beside it unless somebody still reads. */
static int finish_database(struct log *log, struct failure *failure)
{
    if (log->database == NULL) {
        return failure_set(failure, log->fault.code, "%s", log->fault.detail);
    }
    log_chain_close(log->chain);
    log->chain = NULL;
    if (database_checkpoint(log->database, DATABASE_CHECKPOINT_NOW, failure) < 0 ||
        database_check_place(log->database, failure) < 0) {
        return -1; /* free_log() abandons it */
    }
    database_close(log->database);
    log->database = NULL;
    return 0;
}

int log_close(struct log *log, struct failure *failure)
{
    char kind[] = "log-closed";
    char detail[128];
    struct log_statistics statistics;
    struct request request = {.kind = REQUEST_EVENT, .event_kind = kind, .event_detail = detail};
    if (log == NULL) {
        return 0;
    }
    log_get_statistics(log, &statistics);
    (void)snprintf(detail, sizeof detail,
                   "%" PRId64 " requests in %" PRId64 " commits, %" PRId64 " ms spent in COMMIT",
                   statistics.requests, statistics.commits, statistics.commit_time_us / 1000);
    request.at_us = clock_us(CLOCK_REALTIME);
    (void)submit_and_wait(log, &request, NULL); /* a fault shows below */
    stop_writer(log);
    int result = finish_database(log, failure);
    free_log(log);
    return result;
}
