/* simbench: a simulated bench of programmers and boards, made from a jig file. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "jigs/jig.h"
#include "jigs/simbench/bench.h"
#include "profiles/part.h"

/* Exit status, as the station's. */
enum { EXIT_USAGE = 2, EXIT_JIG = 3, EXIT_BENCH = 4 };

#define COMMAND_LINE_MAX 256

struct config {
    const char *jig_path;
    const char *record_path;
    const char *parts; /* directories; NULL: where the station looks */
    int real_pace;     /* -1: as the jig file says */
    bool seed_given;
    uint64_t seed;
    bool stay;
    uint16_t usbip_port; /* 0: the system chooses one */
};

struct program {
    struct config config;
    struct jig *jig;
    struct bench *bench;
    FILE *record;
    int signals; /* SIGINT and SIGTERM arrive here */
    char line[COMMAND_LINE_MAX];
    size_t line_bytes;
    bool line_too_long;
    bool quit;
};

static void print_help(FILE *out)
{
    fputs(
        "Usage: simbench JIG [OPTION]...\n"
        "Puts the sites of a jig file on a simulated bench: each programmer a pseudo terminal\n"
        "or a USB device that is exported over USB/IP on 127.0.0.1, each board a model of an\n"
        "AVR. Prints 'site N PLACE' for each site (pty:PATH, usbip:127.0.0.1:PORT/BUSID), then\n"
        "'ready'.\n"
        "\n"
        "  --pace real|fast  keep the time of the real thing, or none (default: as the jig says)\n"
        "  --seed N          for the faults (default: as the jig says)\n"
        "  --parts DIR[:DIR] the part files (default: the user's own, see gangflash(1), then\n"
        "                    PROGRAM/../share/gangflash/parts)\n"
        "  --record FILE     add a JSON line for each board that leaves the bench\n"
        "  --usbip-port N    TCP port for the USB programmers (default: one that is free)\n"
        "  --stay            go on when the input ends, and when the starter is gone\n"
        "  --help            print this and exit\n"
        "  --version         print the version and exit\n"
        "\n"
        "Lines on the input:\n"
        "  lamp SITE VERDICT [TIME]\n"
        "                     the operator takes the board out and puts the next one in; not one\n"
        "                     that came after TIME (microseconds since 1970)\n"
        "  remove SITE        takes the board out and leaves the place empty\n"
        "  insert SITE        puts the next board in\n"
        "  record SITE        prints the JSON line of the board that is in\n"
        "  quit               stops in order\n"
        "\n"
        "Exit status: 0 stopped in order, 2 usage, 3 jig refused, 4 bench fault.\n",
        out);
}

/* --- configuration --- */

/* The caller frees `directories`. */
static int find_parts(const struct config *config, char **directories, struct failure *failure)
{
    static const char tail[] = "/../share/gangflash/parts";
    char path[PATH_MAX];

    *directories = config->parts != NULL ? strdup(config->parts) : NULL;
    if (config->parts != NULL) {
        return *directories != NULL ? 0
                                    : failure_set(failure, FAILURE_OUT_OF_MEMORY, "out of memory");
    }
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - sizeof tail);
    path[length < 0 ? 0 : length] = '\0';
    char *name = strrchr(path, '/');
    if (name == NULL) {
        return failure_set(failure, FAILURE_BENCH, "cannot find the part files; give --parts DIR");
    }
    memcpy(name, tail, sizeof tail);
    return part_directories(path, directories, failure);
}

static int usage_error(const char *what, const char *found)
{
    fprintf(stderr, "simbench: %s '%s'; see simbench --help\n", what, found);
    return EXIT_USAGE;
}

static int parse_seed(struct config *config, const char *text)
{
    char *end;
    errno = 0;
    config->seed = strtoull(text, &end, 0);
    config->seed_given = true;
    return errno != 0 || end == text || *end != '\0' || *text == '-' ? -1 : 0;
}

static int parse_tcp_port(struct config *config, const char *text)
{
    size_t digits = strspn(text, "0123456789");
    long port = digits == 0 || digits > 5 || text[digits] != '\0' ? 0 : strtol(text, NULL, 10);
    config->usbip_port = (uint16_t)port;
    return port < 1 || port > UINT16_MAX ? -1 : 0;
}

/* 0, or an exit status. */
static int apply_option(struct config *config, int option, const char *value)
{
    switch (option) {
    case 'p':
        config->real_pace = strcmp(value, "real") == 0;
        return config->real_pace || strcmp(value, "fast") == 0
                   ? 0
                   : usage_error("--pace is real or fast, not", value);
    case 's':
        return parse_seed(config, value) == 0 ? 0 : usage_error("no seed:", value);
    case 'u':
        return parse_tcp_port(config, value) == 0 ? 0 : usage_error("no TCP port:", value);
    case 'd':
        config->parts = value;
        return 0;
    case 'r':
        config->record_path = value;
        return 0;
    case 't':
        config->stay = true;
        return 0;
    case 'h':
        print_help(stdout);
        exit(EXIT_SUCCESS);
    case 'v':
        puts("simbench " GANGFLASH_VERSION);
        exit(EXIT_SUCCESS);
    default:
        return EXIT_USAGE; /* getopt has said why */
    }
}

static int parse_config(struct config *config, int argc, char **argv)
{
    static const struct option options[] = {
        {"pace", required_argument, NULL, 'p'},
        {"seed", required_argument, NULL, 's'},
        {"parts", required_argument, NULL, 'd'},
        {"record", required_argument, NULL, 'r'},
        {"usbip-port", required_argument, NULL, 'u'},
        {"stay", no_argument, NULL, 't'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'v'},
        {NULL, 0, NULL, 0},
    };
    config->real_pace = -1;
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        int status = apply_option(config, option, optarg);
        if (status != 0) {
            return status;
        }
    }
    if (optind != argc - 1) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    config->jig_path = argv[optind];
    return 0;
}

/* --- lines on the input --- */

static void report_bad_line(const char *line, const char *why)
{
    fprintf(stderr, "simbench: '%s': %s\n", line, why);
}

/* A line about a site, in words. */
struct site_line {
    const char *line;
    int site;
    const char *verdict, *shown_us; /* NULL: not there */
};

static void do_lamp(struct program *program, const struct site_line *line)
{
    if (line->verdict == NULL) {
        report_bad_line(line->line, "lamp needs SITE VERDICT");
    } else {
        int64_t shown_us = line->shown_us == NULL ? 0 : strtoll(line->shown_us, NULL, 10);
        bench_lamp(program->bench, line->site, line->verdict, shown_us);
    }
}

static void do_remove(struct program *program, const struct site_line *line)
{
    if (bench_remove(program->bench, line->site) != 0) {
        report_bad_line(line->line, "no board is in");
    }
}

static void do_insert(struct program *program, const struct site_line *line)
{
    if (bench_insert(program->bench, line->site) != 0) {
        report_bad_line(line->line, "a board is in already, or there are no more");
    }
}

static void do_record(struct program *program, const struct site_line *line)
{
    if (bench_record_board(program->bench, line->site, stdout) != 0) {
        report_bad_line(line->line, "no board is in");
    }
}

static const struct {
    const char *name;
    void (*run)(struct program *program, const struct site_line *line);
} commands[] = {
    {"lamp", do_lamp},
    {"remove", do_remove},
    {"insert", do_insert},
    {"record", do_record},
};

static void run_site_command(struct program *program, const char *name, const char *site_text,
                             struct site_line *line)
{
    char *end = NULL;
    long site = site_text == NULL ? 0 : strtol(site_text, &end, 10);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(name, commands[i].name) != 0) {
            continue;
        }
        if (site < 1 || site > JIG_SITES_MAX || *end != '\0' ||
            bench_place(program->bench, (int)site) == NULL) {
            report_bad_line(line->line, "no such site");
            return;
        }
        line->site = (int)site;
        commands[i].run(program, line);
        return;
    }
    report_bad_line(line->line, "expected lamp, remove, insert, record or quit");
}

static void run_line(struct program *program, const char *line)
{
    char words[COMMAND_LINE_MAX];
    snprintf(words, sizeof words, "%s", line);
    char *rest = NULL;
    const char *name = strtok_r(words, " \t\r", &rest);
    if (name == NULL) {
        return;
    }
    const char *site = strtok_r(NULL, " \t\r", &rest);
    struct site_line site_line = {.line = line};
    site_line.verdict = strtok_r(NULL, " \t\r", &rest);
    site_line.shown_us = strtok_r(NULL, " \t\r", &rest);
    if (strcmp(name, "quit") == 0) {
        program->quit = true;
    } else {
        run_site_command(program, name, site, &site_line);
    }
}

static void take_byte(struct program *program, char byte)
{
    if (byte != '\n') {
        if (program->line_bytes < COMMAND_LINE_MAX - 1) {
            program->line[program->line_bytes++] = byte;
        } else {
            program->line_too_long = true;
        }
        return;
    }
    program->line[program->line_bytes] = '\0';
    if (program->line_too_long) {
        report_bad_line(program->line, "line too long");
    } else {
        run_line(program, program->line);
    }
    program->line_bytes = 0;
    program->line_too_long = false;
}

/* False at the end of the input. */
static bool read_input(struct program *program)
{
    char bytes[1024];
    ssize_t count = read(STDIN_FILENO, bytes, sizeof bytes);
    for (ssize_t i = 0; i < count && !program->quit; i++) {
        take_byte(program, bytes[i]);
    }
    return count > 0 || (count < 0 && errno == EINTR);
}

static void serve(struct program *program)
{
    bool listens = true;
    while (!program->quit) {
        struct pollfd looks[] = {
            {.fd = program->signals, .events = POLLIN},
            {.fd = listens ? STDIN_FILENO : -1, .events = POLLIN},
        };
        if (poll(looks, 2, -1) < 0 && errno != EINTR) {
            return;
        }
        if (looks[0].revents != 0) {
            return;
        }
        if (looks[1].revents != 0) {
            listens = read_input(program);
            program->quit |= !listens && !program->config.stay;
        }
    }
}

/* --- start and stop --- */

/* Before any thread is there, so that all of them leave the signals to the descriptor. */
static int catch_signals(struct program *program)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    signal(SIGPIPE, SIG_IGN);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0) {
        return -1;
    }
    program->signals = signalfd(-1, &set, SFD_CLOEXEC);
    if (program->signals >= 0 && !program->config.stay) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
    }
    return program->signals < 0 ? -1 : 0;
}

static int open_record(struct program *program)
{
    if (program->config.record_path == NULL) {
        return 0;
    }
    program->record = fopen(program->config.record_path, "ae");
    if (program->record == NULL) {
        fprintf(stderr, "simbench: %s: %s\n", program->config.record_path, strerror(errno));
        return EXIT_USAGE;
    }
    return 0;
}

static int load_jig(struct program *program, struct failure *failure)
{
    if (jig_load(program->config.jig_path, &program->jig, failure) != 0) {
        return -1;
    }
    if (!program->jig->bench.simulated) {
        return failure_set(failure, FAILURE_JIG_INVALID, "%s: this jig has no simulated bench",
                           program->config.jig_path);
    }
    return 0;
}

static int start(struct program *program, struct failure *failure)
{
    char *parts = NULL;
    if (load_jig(program, failure) != 0 || find_parts(&program->config, &parts, failure) != 0) {
        return -1;
    }
    const struct config *config = &program->config;
    const struct bench_options options = {
        .jig = program->jig,
        .parts_directory = parts,
        .real_pace = config->real_pace < 0 ? program->jig->bench.real_pace : config->real_pace != 0,
        .seed = config->seed_given ? config->seed : program->jig->bench.seed,
        .usbip_port = config->usbip_port,
        .record = program->record,
    };
    int result = bench_start(&options, &program->bench, failure); /* loads all it needs */
    free(parts);
    return result;
}

/* Bad input of the engineer, or something that the machine could not do? */
static int status_of(const struct failure *failure)
{
    switch (failure->code) {
    case FAILURE_JIG_INVALID:
    case FAILURE_PART_INVALID:
    case FAILURE_PLACE_TWICE:
        return EXIT_JIG;
    default:
        return EXIT_BENCH;
    }
}

static void announce(const struct program *program)
{
    for (size_t i = 0; i < program->jig->site_count; i++) {
        int site = program->jig->sites[i].site;
        printf("site %d %s\n", site, bench_place(program->bench, site));
    }
    puts("ready");
    fflush(stdout);
}

static int run(struct program *program)
{
    int status = open_record(program);
    if (status != 0) {
        return status;
    }
    struct failure failure = {0};
    if (catch_signals(program) != 0) {
        fprintf(stderr, "simbench: signals: %s\n", strerror(errno));
        return EXIT_BENCH;
    }
    if (start(program, &failure) != 0) {
        fprintf(stderr, "simbench: %s\n", failure.detail);
        return status_of(&failure);
    }
    announce(program);
    serve(program);
    if (bench_stop(program->bench) != 0) {
        fprintf(stderr, "simbench: the record could not be written\n");
        return EXIT_BENCH;
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct program program = {.signals = -1};
    int status = parse_config(&program.config, argc, argv);
    if (status == 0) {
        status = run(&program);
    }
    jig_free(program.jig);
    if (program.record != NULL && fclose(program.record) != 0 && status == 0) {
        fprintf(stderr, "simbench: %s: %s\n", program.config.record_path, strerror(errno));
        status = EXIT_BENCH;
    }
    if (program.signals >= 0) {
        close(program.signals);
    }
    return status;
}
