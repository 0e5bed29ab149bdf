#include "station/command_jig.h"

#include <getopt.h>

#include "station/jig_actions.h"

enum option_key {
    KEY_BENCH = 256, /* none has a letter */
    KEY_PROBE,
    KEY_ALL,
    KEY_SITES,
    KEY_CLOCK,
    KEY_AT,
    KEY_STICKER,
    KEY_LOG,
    KEY_JSON,
    KEY_BENCH_PACE,
    KEY_BENCH_RECORD
};

static const struct command_option options[] = {
    {"bench", KEY_BENCH, "JIG",
     "list, learn: what is plugged into this simulated\n"
     "bench, instead of into this machine"},
    {"probe", KEY_PROBE, NULL,
     "list, learn: open all serial ports and ask what is\n"
     "there; that resets many an Arduino"},
    {"all", KEY_ALL, NULL, "learn: take what is plugged in, in order of places"},
    {"sites", KEY_SITES, "LIST", "test: only these sites, for example 1,3-5"},
    {"clock", KEY_CLOCK, "CLOCK",
     "test: what the boards run at, for example '16 MHz';\n"
     "without it SCK is slow enough for new ones"},
    {"at", KEY_AT, "PLACE", "replace: the new unit is at another place"},
    {"sticker", KEY_STICKER, "TEXT", "replace: the number on the new unit"},
    {"log", KEY_LOG, "FILE",
     "replace: the log; default $GANGFLASH_LOG, else\n"
     "$XDG_STATE_HOME/gangflash/log.sqlite"},
    {"json", KEY_JSON, NULL, "print JSON objects, one per line"},
    {"bench-pace", KEY_BENCH_PACE, "PACE", "simulated benches only: real or fast"},
    {"bench-record", KEY_BENCH_RECORD, "FILE",
     "simulated benches only: what each simulated board\n"
     "was sent, as JSON lines"},
    COMMAND_OPTION_HELP,
    {0},
};

#define FOR(action) (1U << (action))

static const struct action {
    const char *name;
    const char *operands[3]; /* what must follow, for messages; ends with NULL */
    int (*run)(const struct jig_config *config, int *status, struct failure *failure);
} actions[] = {
    [JIG_LIST] = {"list", {NULL}, jig_list},
    [JIG_TEST] = {"test", {"FILE", NULL}, jig_test},
    [JIG_LEARN] = {"learn", {"FILE", NULL}, jig_learn},
    [JIG_REPLACE] = {"replace", {"FILE", "SITE", NULL}, jig_replace},
};
static const char *const action_names[] = {"list", "test", "learn", "replace", NULL};

static int set_clock(struct jig_config *config, const char *argument, struct failure *failure)
{
    if (jig_frequency_from_text(argument, &config->clock_hz) == 0)
        return 0;
    return failure_set(failure, FAILURE_USAGE,
                       "--clock: '%s' is no frequency from " JIG_CLOCKS ", as in '16 MHz'",
                       argument);
}

static int set_option(void *context, int key, const char *argument, struct failure *failure)
{
    struct jig_config *config = context;
    static const char *const paces[] = {"real", "fast", NULL};
    int index = 0;
    switch (key) {
    case KEY_BENCH:
        config->bench = argument;
        return 0;
    case KEY_PROBE:
        config->probe = true;
        return 0;
    case KEY_ALL:
        config->all = true;
        return 0;
    case KEY_SITES:
        config->sites = argument;
        return 0;
    case KEY_CLOCK:
        return set_clock(config, argument, failure);
    case KEY_AT:
        config->at = argument;
        return 0;
    case KEY_STICKER:
        return command_name("--sticker", argument, &config->sticker, failure);
    case KEY_LOG:
        config->log = argument;
        return 0;
    case KEY_JSON:
        config->json = true;
        return 0;
    case KEY_BENCH_PACE:
        config->bench_pace = argument;
        return command_choice("--bench-pace", argument, paces, &index, failure);
    default: /* KEY_BENCH_RECORD */
        config->bench_record = argument;
        return 0;
    }
}

/* An option belongs to some actions only. */
static int check_options(const struct jig_config *config, struct failure *failure)
{
    const struct {
        const char *name;
        bool given;
        unsigned actions;
    } rows[] = {
        {"bench", config->bench != NULL, FOR(JIG_LIST) | FOR(JIG_LEARN)},
        {"probe", config->probe, FOR(JIG_LIST) | FOR(JIG_LEARN)},
        {"all", config->all, FOR(JIG_LEARN)},
        {"sites", config->sites != NULL, FOR(JIG_TEST)},
        {"clock", config->clock_hz != 0, FOR(JIG_TEST)},
        {"at", config->at != NULL, FOR(JIG_REPLACE)},
        {"sticker", config->sticker != NULL, FOR(JIG_REPLACE)},
        {"log", config->log != NULL, FOR(JIG_REPLACE)},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].given && !(rows[i].actions & FOR(config->action)))
            return failure_set(failure, FAILURE_USAGE, "jig %s: --%s is not for it",
                               actions[config->action].name, rows[i].name);
    return 0;
}

static int take_operands(struct jig_config *config, int count, char **operands,
                         struct failure *failure)
{
    int index = 0;
    if (count == 0)
        return failure_set(failure, FAILURE_USAGE, "jig: say list, test, learn or replace");
    if (command_choice("jig", operands[0], action_names, &index, failure) != 0)
        return -1;
    config->action = (enum jig_action)index;
    const struct action *action = &actions[index];
    int needed = 0;
    while (action->operands[needed] != NULL)
        needed++;
    if (count - 1 < needed)
        return failure_set(failure, FAILURE_USAGE, "jig %s: %s is missing", action->name,
                           action->operands[count - 1]);
    if (count - 1 > needed)
        return failure_set(failure, FAILURE_USAGE, "jig %s: '%s' is one argument too many",
                           action->name, operands[needed + 1]);
    config->file = needed > 0 ? operands[1] : NULL;
    if (needed > 1 && command_number("jig replace: SITE", operands[2], 1, JIG_SITES_MAX,
                                     &config->site, failure) != 0)
        return -1;
    return check_options(config, failure);
}

/* 1: help was asked for. */
static int parse(const struct command *command, int argc, char **argv, struct jig_config *config,
                 struct failure *failure)
{
    int result = command_read_options(command, argc, argv, set_option, config, failure);
    if (result != 0)
        return result;
    return take_operands(config, argc - optind, argv + optind, failure);
}

static int run(const struct command *command, int argc, char **argv)
{
    struct failure failure = {0};
    struct jig_config config = {0};
    int status = COMMAND_PASSED;
    int result = parse(command, argc, argv, &config, &failure);
    if (result > 0) {
        command_print_help(command, stdout);
        return COMMAND_PASSED;
    }
    if (result == 0)
        result = actions[config.action].run(&config, &status, &failure);
    if (result == 0)
        return status;
    (void)command_report(&failure);
    return (int)command_status_of_load(failure.code);
}

const struct command command_jig = {
    .name = "jig",
    .usage = "list|test FILE|learn FILE|replace FILE SITE [OPTION]...",
    .summary = "find the programmers, and make, try and keep jig files",
    .details = "list shows every programmer that is plugged in: its place as a jig file names it,\n"
               "its firmware and what it can do. USB programmers are opened for a moment; no\n"
               "board is touched.\n"
               "\n"
               "test opens each site of the jig FILE, a path or the bare name of one that came\n"
               "with the program, and looks at the board that sits there: its signature is read\n"
               "100 times, and how alike the readings are grades the contact; it names the part,\n"
               "and measures how long an instruction takes there and back, and SCK. Nothing is\n"
               "written; the board is reset and then released. Exit status 0 says that every\n"
               "site is good.\n"
               "\n"
               "learn makes a new jig FILE: on a terminal it asks for one programmer after the\n"
               "other to be plugged in, site by site, until Enter; else, and with --all, it takes\n"
               "those that are there.\n"
               "\n"
               "replace says that another unit is at a site: it must answer; with --at its place\n"
               "is changed in the jig FILE, in which all else stays; and the log is told, with\n"
               "the number on its sticker.",
    .options = options,
    .run = run,
};
