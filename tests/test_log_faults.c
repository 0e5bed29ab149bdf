/* The log when the disk, the file system or another program is against it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "reports/digest.h"
#include "tests/log_sample.h"

/* --- syncs that fail: these stand in front of the C library's, for SQLite too --- */

enum sync_fault { SYNC_WORKS, SYNC_FAILS, SYNC_FAILS_ON_DATABASE, SYNC_FAILS_ON_DIRECTORY };
static atomic_int sync_fault;

static int sync_or_fail(int descriptor, long call)
{
    char link[64], name[256];
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, name, sizeof name - 1);
    name[length > 0 ? length : 0] = '\0';
    const char *end = strrchr(name, '/');
    struct stat facts;
    int fault = atomic_load(&sync_fault);
    if (fault == SYNC_FAILS ||
        (fault == SYNC_FAILS_ON_DIRECTORY && fstat(descriptor, &facts) == 0 &&
         S_ISDIR(facts.st_mode)) ||
        (fault == SYNC_FAILS_ON_DATABASE && end != NULL && strcmp(end, "/log.db") == 0)) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(call, descriptor);
}

int fdatasync(int descriptor)
{
    return sync_or_fail(descriptor, SYS_fdatasync);
}

int fsync(int descriptor)
{
    return sync_or_fail(descriptor, SYS_fsync);
}

/* --- what the station is told --- */

struct told {
    atomic_int published;
    atomic_int faults;
    struct failure failure;
};

static void on_publish(void *context, const struct record_attempt *record)
{
    (void)record;
    atomic_fetch_add(&((struct told *)context)->published, 1);
}

static void on_fault(void *context, const struct failure *failure)
{
    struct told *told = context;
    told->failure = *failure;
    atomic_fetch_add(&told->faults, 1);
}

/* NULL when it cannot be opened: for a forked child, where no assertion may fail. */
static struct log *try_open(const char *path, struct told *told, struct failure *failure)
{
    struct log_options options = sample_options(path);
    struct log *log = NULL;
    int recovered;
    options.publish = on_publish;
    options.faulted = on_fault;
    options.context = told;
    return log_open(&options, &log, &recovered, failure) == 0 ? log : NULL;
}

static struct log *open_log(const char *path, struct told *told)
{
    struct failure failure = {0};
    struct log *log = try_open(path, told, &failure);
    if (log == NULL) {
        fail_msg("%s", failure.detail);
    }
    return log;
}

static int log_one(struct log *log, struct failure *failure)
{
    struct record_attempt record = sample_record("L1", 1);
    int result = log_open_attempt(log, &record, failure);
    if (result == 0) {
        sample_pass(&record);
        result = log_close_attempt(log, &record, NULL, 0, failure);
    }
    return result;
}

static void expect_open_fails(const char *path, const char *said)
{
    struct log_options options = sample_options(path);
    struct failure failure = {0};
    struct log *log = NULL;
    int recovered;
    assert_int_equal(log_open(&options, &log, &recovered, &failure), -1);
    if (failure.code != FAILURE_LOG || strstr(failure.detail, said) == NULL) {
        fail_msg("code %d, '%s', expected '%s'", failure.code, failure.detail, said);
    }
}

/* Every call fails from now on, with the same words, and the station was told once. */
static void expect_at_fault(struct log *log, struct told *told, const char *said)
{
    struct record_attempt record = sample_record("L1", 1);
    struct record_step step = sample_step("erase");
    struct failure failure = {0};
    int64_t bound, passed;
    assert_int_equal(log_open_attempt(log, &record, &failure), -1);
    assert_int_equal(failure.code, FAILURE_LOG);
    if (strstr(failure.detail, said) == NULL) {
        fail_msg("'%s', expected '%s'", failure.detail, said);
    }
    assert_int_equal(record.attempt, 0);
    assert_int_equal(log_add_step(log, 1, &step, NULL), -1);
    assert_int_equal(log_add_event(log, "go", NULL, NULL), -1);
    assert_int_equal(log_bind_lot(log, "L1", SAMPLE_PROFILE_SHA256, SAMPLE_IMAGE_SHA256, 0, &bound,
                                  &passed, NULL),
                     -1);
    sample_pass(&record);
    assert_int_equal(log_close_attempt(log, &record, NULL, 0, NULL), -1);
    assert_int_equal(atomic_load(&told->faults), 1);
    assert_string_equal(told->failure.detail, failure.detail);
    assert_int_equal(log_close(log, &failure), -1);
    assert_int_equal(failure.code, FAILURE_LOG);
    assert_int_equal(atomic_load(&told->faults), 1);
}

static void expect_passes(const char *path, int count)
{
    char wanted[16];
    struct failure failure = {0};
    (void)snprintf(wanted, sizeof wanted, "%d", count);
    assert_string_equal(sample_query(path, "SELECT count(*) FROM attempts WHERE verdict = 'pass'"),
                        wanted);
    if (sample_verify(path, &failure) < 0) {
        fail_msg("%s", failure.detail);
    }
}

/* --- another program --- */

static void test_locked_by_another_program(void **state)
{
    const struct sample *sample = *state;
    struct told told = {0};
    struct database *other;
    struct log *log = open_log(sample->path, &told);
    assert_int_equal(log_one(log, NULL), 0);
    assert_int_equal(database_open(sample->path, DATABASE_WRITE, &other, NULL), 0);
    assert_int_equal(database_exec(other, "BEGIN EXCLUSIVE", NULL), 0);
    assert_int_equal(log_one(log, NULL), -1); /* SQLite waits for 2 s first */
    database_close(other);
    expect_at_fault(log, &told, "locked"); /* also after the other one has let go */
    assert_int_equal(atomic_load(&told.published), 1);
    expect_passes(sample->path, 1);
}

static void test_locked_at_the_start(void **state)
{
    const struct sample *sample = *state;
    struct told told = {0};
    struct database *other;
    assert_int_equal(log_close(open_log(sample->path, &told), NULL), 0);
    assert_int_equal(database_open(sample->path, DATABASE_WRITE, &other, NULL), 0);
    assert_int_equal(database_exec(other, "BEGIN EXCLUSIVE", NULL), 0);
    expect_open_fails(sample->path, "locked");
    database_close(other);
    assert_int_equal(log_close(open_log(sample->path, &told), NULL), 0);
}

static void test_rows_of_somebody_else_are_a_fault(void **state)
{
    const struct sample *sample = *state;
    struct told told = {0};
    struct failure failure = {0};
    struct log *log = open_log(sample->path, &told);
    if (sample_exec(sample->path,
                    "INSERT INTO event SELECT sequence, 'x', 0, 'x', NULL, 'x', 'x', 1 "
                    "FROM chain_next",
                    &failure) < 0) {
        fail_msg("%s", failure.detail);
    }
    assert_int_equal(log_one(log, NULL), -1);
    expect_at_fault(log, &told, "append-only");
    assert_int_equal(sample_verify(sample->path, &failure), -1);
    expect_open_fails(sample->path, "altered"); /* the last row does not fit */
}

/* --- syncs --- */

static void test_a_failed_sync_of_the_commit(void **state)
{
    const struct sample *sample = *state;
    struct told told = {0};
    struct record_attempt record = sample_record("L1", 1);
    struct failure failure = {0};
    struct log *log = open_log(sample->path, &told);
    assert_int_equal(log_one(log, NULL), 0);
    assert_int_equal(log_open_attempt(log, &record, NULL), 0);
    sample_pass(&record);
    atomic_store(&sync_fault, SYNC_FAILS);
    assert_int_equal(log_close_attempt(log, &record, NULL, 0, &failure), -1);
    atomic_store(&sync_fault, SYNC_WORKS);
    assert_non_null(strstr(failure.detail, "disk I/O error"));
    assert_non_null(strstr(failure.detail, sample->path));
    assert_int_equal(record.attempt, 2);
    assert_int_equal(atomic_load(&told.published), 1); /* the doubtful verdict is nobody's */
    expect_at_fault(log, &told, "disk I/O error");
    assert_int_equal(atomic_load(&told.published), 1);
}

/* SQLite's own checkpoints would hide this one, and lose rows with it. */
static void test_a_failed_sync_of_a_checkpoint(void **state)
{
    const struct sample *sample = *state;
    struct told told = {0};
    char detail[8000];
    struct log *log = open_log(sample->path, &told);
    memset(detail, 'x', sizeof detail - 1);
    detail[sizeof detail - 1] = '\0';
    atomic_store(&sync_fault, SYNC_FAILS_ON_DATABASE);
    int result = 0, written = 0;
    for (int i = 0; i < 200 && result == 0; i++) {
        for (int k = 0; k < 50 && result == 0; k++) {
            result = log_add_event(log, "ballast", detail, NULL);
        }
        result = result < 0 ? result : log_one(log, NULL);
        written += result == 0;
    }
    assert_int_equal(result, -1);
    expect_at_fault(log, &told, "disk I/O error");
    atomic_store(&sync_fault, SYNC_WORKS);
    assert_int_equal(atomic_load(&told.published), written);
    expect_passes(sample->path, written); /* they are still in the write-ahead log */
}

static void test_a_directory_that_cannot_be_synced(void **state)
{
    const struct sample *sample = *state;
    atomic_store(&sync_fault, SYNC_FAILS_ON_DIRECTORY);
    expect_open_fails(sample->path, "Input/output error");
    atomic_store(&sync_fault, SYNC_WORKS);
    struct told told = {0};
    assert_int_equal(log_close(open_log(sample->path, &told), NULL), 0);
}

/* --- the file goes away --- */

static void make_path(const struct sample *sample, const char *name, char path[128])
{
    (void)snprintf(path, 128, "%s/%s", sample->directory, name);
}

/* A closing row that reaches a file which nobody finds is no pass. */
static void expect_loss_is_seen(struct log *log, struct told *told, const char *said)
{
    struct record_attempt record = sample_record("L1", 1);
    struct failure failure = {0};
    sample_pass(&record);
    assert_int_equal(log_close_attempt(log, &record, NULL, 0, &failure), -1);
    assert_int_equal(failure.code, FAILURE_LOG);
    assert_int_equal(record.attempt, 0);
    assert_int_equal(atomic_load(&told->published), 1);
    expect_at_fault(log, told, said);
    assert_int_equal(atomic_load(&told->published), 1);
}

static void lose_file(const struct sample *sample, const char *name, const char *new_name,
                      const char *said)
{
    struct told told = {0};
    char path[128], new_path[128];
    struct log *log = open_log(sample->path, &told);
    assert_int_equal(log_one(log, NULL), 0);
    make_path(sample, name, path);
    if (new_name == NULL) {
        assert_int_equal(unlink(path), 0);
    } else {
        make_path(sample, new_name, new_path);
        assert_int_equal(rename(path, new_path), 0);
    }
    expect_loss_is_seen(log, &told, said);
}

static void test_the_log_file_is_removed(void **state)
{
    lose_file(*state, "log.db", NULL, "the log file was removed or renamed while it was in use");
}

static void test_the_log_file_is_renamed(void **state)
{
    lose_file(*state, "log.db", "other.db", "the log file was removed or renamed");
}

static void test_the_write_ahead_log_is_removed(void **state)
{
    lose_file(*state, "log.db-wal", NULL, "log.db-wal");
}

/* Another file under the same name is as bad as none. */
static void test_the_write_ahead_log_is_replaced(void **state)
{
    const struct sample *sample = *state;
    struct told told = {0};
    char path[128], other[128];
    struct log *log = open_log(sample->path, &told);
    assert_int_equal(log_one(log, NULL), 0);
    make_path(sample, "log.db-wal", path);
    make_path(sample, "other.db", other);
    FILE *file = fopen(other, "w");
    assert_non_null(file);
    (void)fclose(file);
    assert_int_equal(rename(other, path), 0);
    expect_loss_is_seen(log, &told, "log.db-wal");
}

static void test_closing_a_log_whose_file_is_gone(void **state)
{
    const struct sample *sample = *state;
    struct told told = {0};
    struct failure failure = {0};
    struct log *log = open_log(sample->path, &told);
    assert_int_equal(log_one(log, NULL), 0);
    assert_int_equal(unlink(sample->path), 0);
    assert_int_equal(log_close(log, &failure), -1);
    assert_int_equal(failure.code, FAILURE_LOG);
    assert_non_null(strstr(failure.detail, "removed or renamed"));
}

/* --- no room --- */

/* Logs until it fails; 0 when all was as it should be. */
static int fill_up(struct log *log, struct told *told, const char *said)
{
    struct failure failure = {0};
    int passed = 0;
    if (log == NULL) {
        return 9;
    }
    while (log_one(log, &failure) == 0) {
        if (++passed > 100000) {
            return 10;
        }
    }
    if (failure.code != FAILURE_LOG || strstr(failure.detail, said) == NULL) {
        (void)fprintf(stderr, "'%s'\n", failure.detail);
        return 11;
    }
    if (atomic_load(&told->published) != passed || atomic_load(&told->faults) != 1) {
        return 12;
    }
    if (log_one(log, NULL) == 0 || log_close(log, NULL) == 0) {
        return 13;
    }
    return passed == 0 ? 14 : 0;
}

static int wait_for(pid_t child)
{
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int fill_to_file_size_limit(const char *path)
{
    struct told told = {0};
    const struct rlimit limit = {400000, 400000};
    struct log *log = try_open(path, &told, NULL);
    (void)signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &limit) < 0) {
        return 20;
    }
    return fill_up(log, &told, "disk I/O error");
}

static void test_a_file_size_limit(void **state)
{
    const struct sample *sample = *state;
    struct told told = {0};
    struct failure failure = {0};
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        _exit(fill_to_file_size_limit(sample->path));
    }
    assert_int_equal(wait_for(child), 0);
    struct log *log = open_log(sample->path, &told); /* with room, it goes on */
    assert_int_equal(log_one(log, NULL), 0);
    assert_int_equal(log_close(log, NULL), 0);
    if (sample_verify(sample->path, &failure) < 0) {
        fail_msg("%s", failure.detail);
    }
}

#define NO_MOUNT 77

/* A file system of 1 MiB that nobody else sees; false where this user may not make one. */
static bool mount_small(const char *directory)
{
    return geteuid() == 0 && unshare(CLONE_NEWNS) == 0 &&
           mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("none", directory, "tmpfs", 0, "size=1m") == 0;
}

static int fill_small_disk(const struct sample *sample)
{
    struct told told = {0}, again = {0};
    if (!mount_small(sample->directory)) {
        return NO_MOUNT;
    }
    int result = fill_up(try_open(sample->path, &told, NULL), &told, "full");
    if (result != 0) {
        return result;
    }
    /* what was told is there */
    char wanted[16];
    (void)snprintf(wanted, sizeof wanted, "%d", atomic_load(&told.published));
    if (strcmp(sample_query(sample->path, "SELECT count(*) FROM attempts WHERE verdict = 'pass'"),
               wanted) != 0) {
        return 21;
    }
    if (mount("none", sample->directory, "tmpfs", MS_REMOUNT, "size=8m") < 0) {
        return 22;
    }
    struct log *log = try_open(sample->path, &again, NULL);
    return log != NULL && log_one(log, NULL) == 0 && log_close(log, NULL) == 0 &&
                   sample_verify(sample->path, NULL) == 0
               ? 0
               : 23;
}

static void test_a_full_disk(void **state)
{
    const struct sample *sample = *state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        _exit(fill_small_disk(sample));
    }
    int result = wait_for(child);
    if (result == NO_MOUNT) {
        skip();
    }
    assert_int_equal(result, 0);
}

/* --- no right to write --- */

static void test_a_place_where_no_file_can_be_made(void **state)
{
    const struct sample *sample = *state;
    char path[128];
    (void)snprintf(path, sizeof path, "%s/missing/log.db", sample->directory);
    expect_open_fails(path, "No such file or directory");
    expect_open_fails("/proc/log.db", "check that the directory exists"); /* for root, too */
    expect_open_fails(sample->directory, "not a file");
}

static int open_read_only(const struct sample *sample)
{
    struct log_options options = sample_options(sample->path);
    struct told told = {0};
    struct failure failure = {0};
    struct log *log;
    struct log_reader *reader;
    int recovered;
    if (!mount_small(sample->directory)) {
        return NO_MOUNT;
    }
    log = try_open(sample->path, &told, NULL);
    if (log == NULL || log_one(log, NULL) < 0 || log_close(log, NULL) < 0 ||
        mount("none", sample->directory, "tmpfs", MS_REMOUNT | MS_RDONLY, NULL) < 0) {
        return 30;
    }
    if (log_open(&options, &log, &recovered, &failure) == 0 || failure.code != FAILURE_LOG ||
        strstr(failure.detail, "Read-only") == NULL) {
        return 31;
    }
    /* an auditor reads it there nevertheless */
    if (log_reader_open(sample->path, &reader, &failure) < 0) {
        return 32;
    }
    log_reader_close(reader);
    return sample_verify(sample->path, &failure) == 0 ? 0 : 33;
}

static void test_a_read_only_file_system(void **state)
{
    const struct sample *sample = *state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        _exit(open_read_only(sample));
    }
    int result = wait_for(child);
    if (result == NO_MOUNT) {
        skip();
    }
    assert_int_equal(result, 0);
}

/* --- files that are not ours --- */

static void digest_file(const char *path, char text[DIGEST_TEXT_BYTES])
{
    static char bytes[1 << 16];
    uint8_t digest[DIGEST_BYTES];
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t count = fread(bytes, 1, sizeof bytes, file);
    (void)fclose(file);
    digest_of(bytes, count, digest);
    digest_to_text(digest, text);
}

static void expect_untouched(const struct sample *sample, const char *said)
{
    char before[DIGEST_TEXT_BYTES], after[DIGEST_TEXT_BYTES], beside[128];
    static const char *const endings[] = {"-wal", "-shm", "-journal", ".lock"};
    digest_file(sample->path, before);
    expect_open_fails(sample->path, said);
    digest_file(sample->path, after);
    assert_string_equal(before, after);
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        (void)snprintf(beside, sizeof beside, "%s%s", sample->path, endings[i]);
        assert_int_equal(access(beside, F_OK), -1);
    }
}

static void test_a_text_file_is_not_touched(void **state)
{
    const struct sample *sample = *state;
    FILE *file = fopen(sample->path, "w");
    assert_non_null(file);
    for (int i = 0; i < 100; i++) {
        (void)fprintf(file, "profile: planck-rev4, and no database at all\n");
    }
    (void)fclose(file);
    expect_untouched(sample, "not a database");
}

static void test_another_database_is_not_touched(void **state)
{
    const struct sample *sample = *state;
    assert_int_equal(sample_exec(sample->path, "CREATE TABLE t(x); INSERT INTO t VALUES (1)", NULL),
                     0);
    expect_untouched(sample, "another program");
}

static void test_another_version_is_not_touched(void **state)
{
    const struct sample *sample = *state;
    struct told told = {0};
    char lock[128];
    assert_int_equal(log_close(open_log(sample->path, &told), NULL), 0);
    assert_int_equal(
        sample_exec(sample->path, "PRAGMA user_version = 2; PRAGMA journal_mode = DELETE", NULL),
        0);
    (void)snprintf(lock, sizeof lock, "%s.lock", sample->path);
    assert_int_equal(unlink(lock), 0);
    expect_untouched(sample, "version 2");
}

static void test_an_altered_schema_is_refused(void **state)
{
    const struct sample *sample = *state;
    struct told told = {0};
    assert_int_equal(log_close(open_log(sample->path, &told), NULL), 0);
    assert_int_equal(sample_exec(sample->path, "DROP TRIGGER step_no_delete", NULL), 0);
    expect_open_fails(sample->path, "step_no_delete of this log is missing");
}

static void test_an_empty_file_becomes_a_log(void **state)
{
    const struct sample *sample = *state;
    struct told told = {0};
    FILE *file = fopen(sample->path, "w");
    assert_non_null(file);
    (void)fclose(file);
    struct log *log = open_log(sample->path, &told);
    assert_int_equal(log_one(log, NULL), 0);
    assert_int_equal(log_close(log, NULL), 0);
    expect_passes(sample->path, 1);
}

#define WITH_SAMPLE(test) cmocka_unit_test_setup_teardown(test, sample_make, sample_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SAMPLE(test_locked_by_another_program),
        WITH_SAMPLE(test_locked_at_the_start),
        WITH_SAMPLE(test_rows_of_somebody_else_are_a_fault),
        WITH_SAMPLE(test_a_failed_sync_of_the_commit),
        WITH_SAMPLE(test_a_failed_sync_of_a_checkpoint),
        WITH_SAMPLE(test_a_directory_that_cannot_be_synced),
        WITH_SAMPLE(test_the_log_file_is_removed),
        WITH_SAMPLE(test_the_log_file_is_renamed),
        WITH_SAMPLE(test_the_write_ahead_log_is_removed),
        WITH_SAMPLE(test_the_write_ahead_log_is_replaced),
        WITH_SAMPLE(test_closing_a_log_whose_file_is_gone),
        WITH_SAMPLE(test_a_file_size_limit),
        WITH_SAMPLE(test_a_full_disk),
        WITH_SAMPLE(test_a_place_where_no_file_can_be_made),
        WITH_SAMPLE(test_a_read_only_file_system),
        WITH_SAMPLE(test_a_text_file_is_not_touched),
        WITH_SAMPLE(test_another_database_is_not_touched),
        WITH_SAMPLE(test_another_version_is_not_touched),
        WITH_SAMPLE(test_an_altered_schema_is_refused),
        WITH_SAMPLE(test_an_empty_file_becomes_a_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
