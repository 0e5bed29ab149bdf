#include "station/bench_process.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "jigs/operation.h"

#define READY_DEADLINE_US (30 * 1000000LL)
#define STOP_DEADLINE_US (10 * 1000000LL)
#define STOP_LOOK_US 10000
#define LINE_BYTES 320

struct bench_process {
    pid_t pid;
    int input;  /* its standard input */
    int output; /* its standard output */
    int errors; /* memory file with its standard error */
    char line[LINE_BYTES];
    size_t line_bytes;
};

static void close_descriptor(int *descriptor)
{
    if (*descriptor >= 0)
        (void)close(*descriptor);
    *descriptor = -1;
}

/* The end of what it wrote to standard error, on one line. */
static void last_words(const struct bench_process *process, char *text, size_t text_bytes)
{
    off_t size = lseek(process->errors, 0, SEEK_END);
    off_t start = size > (off_t)text_bytes - 1 ? size - (off_t)text_bytes + 1 : 0;
    ssize_t length = size > 0 ? pread(process->errors, text, text_bytes - 1, start) : 0;
    while (length > 0 && text[length - 1] == '\n')
        length--;
    text[length > 0 ? length : 0] = '\0';
    for (char *at = strchr(text, '\n'); at != NULL; at = strchr(at, '\n'))
        *at = ' ';
}

static int fail_with_words(const struct bench_process *process, struct failure *failure,
                           const char *what)
{
    char words[200];
    last_words(process, words, sizeof(words));
    return failure_set(failure, FAILURE_BENCH, "simbench %s%s%s", what, words[0] ? ": " : "",
                       words);
}

/* ------------------------------------------------------------------ start */

static int set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none;
    sigset_t defaults;
    (void)sigemptyset(&none);
    (void)sigemptyset(&defaults);
    (void)sigaddset(&defaults, SIGPIPE);
    int error = posix_spawnattr_setpgroup(attributes, 0);
    if (error == 0)
        error = posix_spawnattr_setsigmask(attributes, &none);
    if (error == 0)
        error = posix_spawnattr_setsigdefault(attributes, &defaults);
    if (error == 0)
        error = posix_spawnattr_setflags(
            attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    return error;
}

static int set_descriptors(posix_spawn_file_actions_t *actions, int input, int output, int errors)
{
    int error = posix_spawn_file_actions_adddup2(actions, input, STDIN_FILENO);
    if (error == 0)
        error = posix_spawn_file_actions_adddup2(actions, output, STDOUT_FILENO);
    if (error == 0)
        error = posix_spawn_file_actions_adddup2(actions, errors, STDERR_FILENO);
    return error;
}

/* The descriptors given are close-on-exec; the copies at 0, 1 and 2 are not. */
static int spawn(struct bench_process *process, char *const argv[], int input, int output)
{
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t actions;
    int error = posix_spawnattr_init(&attributes);
    if (error != 0)
        return error;
    error = posix_spawn_file_actions_init(&actions);
    if (error != 0)
        goto free_attributes;

    error = set_attributes(&attributes);
    if (error == 0)
        error = set_descriptors(&actions, input, output, process->errors);
    if (error == 0)
        error = posix_spawn(&process->pid, argv[0], &actions, &attributes, argv, environ);

    (void)posix_spawn_file_actions_destroy(&actions);
free_attributes:
    (void)posix_spawnattr_destroy(&attributes);
    return error;
}

static int run_program(struct bench_process *process, char *const argv[], struct failure *failure)
{
    int input[2] = {-1, -1};
    int output[2] = {-1, -1};
    int error = 0;
    process->errors = memfd_create("simbench-errors", MFD_CLOEXEC);
    if (process->errors < 0 || pipe2(input, O_CLOEXEC) != 0 || pipe2(output, O_CLOEXEC) != 0)
        error = errno;
    if (error == 0)
        error = spawn(process, argv, input[0], output[1]);

    close_descriptor(&input[0]);
    close_descriptor(&output[1]);
    process->input = input[1];
    process->output = output[0];
    if (error != 0)
        return failure_set(failure, FAILURE_BENCH, "cannot start %s: %s", argv[0], strerror(error));
    if (fcntl(process->input, F_SETFL, O_NONBLOCK) != 0 ||
        fcntl(process->output, F_SETFL, O_NONBLOCK) != 0)
        return failure_set(failure, FAILURE_BENCH, "cannot talk to simbench: %s", strerror(errno));
    return 0;
}

static int start_program(struct bench_process *process, const struct bench_process_options *options,
                         const struct jig *jig, struct failure *failure)
{
    char *argv[12];
    int count = 0;
    /* posix_spawn() takes char *const[] but changes none of them. */
    union {
        const char *constant;
        char *plain;
    } word[] = {{options->program}, {"--parts"},  {options->parts_directory}, {"--pace"},
                {options->pace},    {"--record"}, {options->record},          {jig->path}};
    argv[count++] = word[0].plain;
    argv[count++] = word[1].plain;
    argv[count++] = word[2].plain;
    if (options->pace != NULL) {
        argv[count++] = word[3].plain;
        argv[count++] = word[4].plain;
    }
    if (options->record != NULL) {
        argv[count++] = word[5].plain;
        argv[count++] = word[6].plain;
    }
    argv[count++] = word[7].plain;
    argv[count] = NULL;
    return run_program(process, argv, failure);
}

/* ------------------------------------------------------------------ its lines */

/* Reads one line into process->line. 1: there is one, 0: not yet, -1: it has ended. */
static int read_line(struct bench_process *process)
{
    for (;;) {
        if (process->line_bytes == sizeof(process->line) - 1)
            process->line_bytes = 0; /* longer than anything it should say */
        char *at = process->line + process->line_bytes;
        ssize_t got = read(process->output, at, 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == EAGAIN)
            return 0;
        if (got <= 0)
            return -1;
        if (*at == '\n') {
            *at = '\0';
            process->line_bytes = 0;
            return 1;
        }
        process->line_bytes++;
    }
}

static int wait_line(struct bench_process *process, int64_t deadline_us, struct failure *failure)
{
    for (;;) {
        int result = read_line(process);
        if (result > 0)
            return 0;
        if (result < 0)
            return fail_with_words(process, failure, "ended before it was ready");
        int64_t left_us = deadline_us - operation_now_us();
        if (left_us <= 0)
            return fail_with_words(process, failure, "did not get ready in time");
        struct pollfd wanted = {.fd = process->output, .events = POLLIN};
        (void)poll(&wanted, 1, (int)(left_us / 1000) + 1);
    }
}

/* "site N PLACE" */
static int take_site_line(struct jig *jig, const char *line, struct failure *failure)
{
    int number = 0;
    int used = 0;
    if (sscanf(line, "site %d %n", &number, &used) != 1 || used == 0)
        return failure_set(failure, FAILURE_BENCH, "simbench said '%s', expected 'site N PLACE'",
                           line);
    for (size_t i = 0; i < jig->site_count; i++) {
        if (jig->sites[i].site == number) {
            if (place_parse(line + used, &jig->sites[i].place, failure) != 0)
                return failure_set(failure, FAILURE_BENCH,
                                   "simbench said '%s', which names no place", line);
            return 0;
        }
    }
    return failure_set(failure, FAILURE_BENCH, "simbench speaks of site %d, which the jig has not",
                       number);
}

static int wait_ready(struct bench_process *process, struct jig *jig, struct failure *failure)
{
    int64_t deadline_us = operation_now_us() + READY_DEADLINE_US;
    for (;;) {
        if (wait_line(process, deadline_us, failure) != 0)
            return -1;
        if (strcmp(process->line, "ready") == 0)
            break;
        if (take_site_line(jig, process->line, failure) != 0)
            return -1;
    }
    for (size_t i = 0; i < jig->site_count; i++) {
        if (jig->sites[i].place.kind == PLACE_NONE)
            return failure_set(failure, FAILURE_BENCH, "simbench gave site %d no place",
                               jig->sites[i].site);
    }
    return 0;
}

int bench_process_start(const struct bench_process_options *options, struct jig *jig,
                        struct bench_process **process, struct failure *failure)
{
    *process = NULL;
    struct bench_process *fresh = calloc(1, sizeof(*fresh));
    if (fresh == NULL)
        return failure_set(failure, FAILURE_OUT_OF_MEMORY, "out of memory");
    fresh->input = fresh->output = fresh->errors = -1;
    if (start_program(fresh, options, jig, failure) != 0 || wait_ready(fresh, jig, failure) != 0) {
        (void)bench_process_stop(fresh, NULL);
        return -1;
    }
    *process = fresh;
    return 0;
}

/* ------------------------------------------------------------------ while it runs */

void bench_process_lamp(void *context, int site, const char *verdict)
{
    const struct bench_process *process = context;
    char line[64];
    int length = snprintf(line, sizeof(line), "lamp %d %s %" PRId64 "\n", site, verdict,
                          operation_wall_us());
    /* Shorter than PIPE_BUF, so it goes as one piece or not at all; when the bench is gone or takes
     * nothing, bench_process_check() tells. */
    if (length > 0 && (size_t)length < sizeof(line) &&
        write(process->input, line, (size_t)length) != length)
        return;
}

int bench_process_descriptor(const struct bench_process *process)
{
    return process->output;
}

int bench_process_check(struct bench_process *process, struct failure *failure)
{
    int result;
    do
        result = read_line(process);
    while (result > 0);
    if (result < 0)
        return fail_with_words(process, failure, "ended by itself");
    return 0;
}

/* ------------------------------------------------------------------ stop */

/* Waits for its end until the deadline, then kills it. Returns its wait status, -1 if killed. */
static int wait_end(pid_t pid)
{
    int status = 0;
    const struct operation wait = {.deadline_us = operation_now_us() + STOP_DEADLINE_US};
    for (;;) {
        pid_t ended = waitpid(pid, &status, WNOHANG);
        if (ended == pid)
            return status;
        if (ended < 0 && errno != EINTR)
            return -1;
        if (operation_sleep_us(&wait, STOP_LOOK_US, NULL) != 0)
            break;
    }
    (void)kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return -1;
}

int bench_process_stop(struct bench_process *process, struct failure *failure)
{
    if (process == NULL)
        return 0;
    int result = 0;
    close_descriptor(&process->input);
    if (process->pid > 0) {
        int status = wait_end(process->pid);
        if (status == -1)
            result = fail_with_words(process, failure, "did not end and was killed");
        else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
            result = fail_with_words(process, failure, "ended with an error");
    }
    close_descriptor(&process->output);
    close_descriptor(&process->errors);
    free(process);
    return result;
}
