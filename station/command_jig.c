#include "station/command_jig.h"

#include "station/jig_actions.h"

static int take_clock(void *context, const char *argument, struct failure *failure)
{
    struct jig_config *config = context;
    if (jig_frequency_from_text(argument, &config->clock_hz) == 0)
        return 0;
    return failure_set(failure, FAILURE_USAGE,
                       "--clock: '%s' is no frequency from " JIG_CLOCKS ", as in '16 MHz'",
                       argument);
}

static int take_sticker(void *context, const char *argument, struct failure *failure)
{
    struct jig_config *config = context;
    return command_name("--sticker", argument, &config->sticker, failure);
}

static int take_pace(void *context, const char *argument, struct failure *failure)
{
    struct jig_config *config = context;
    return command_bench_pace(argument, &config->bench_pace, failure);
}

static const struct command_option options[] = {
    {"bench", "JIG",
     "list, learn: what is plugged into this simulated\n"
     "bench, instead of into this machine",
     COMMAND_KEEP(struct jig_config, bench)},
    {"probe", NULL,
     "list, learn: open all serial ports and ask what is\n"
     "there; that resets many an Arduino",
     COMMAND_KEEP(struct jig_config, probe)},
    {"all", NULL, "learn: take what is plugged in, in order of places",
     COMMAND_KEEP(struct jig_config, all)},
    {"sites", "LIST", "test: only these sites, for example 1,3-5",
     COMMAND_KEEP(struct jig_config, sites)},
    {"clock", "CLOCK",
     "test: what the boards run at, for example '16 MHz';\n"
     "without it SCK is slow enough for new ones",
     .take = take_clock},
    {"at", "PLACE", "replace: the new unit is at another place",
     COMMAND_KEEP(struct jig_config, at)},
    {"sticker", "TEXT", "replace: the number on the new unit", .take = take_sticker},
    {"log", "FILE", "replace: " COMMAND_LOG_HELP, COMMAND_KEEP(struct jig_config, log)},
    {"json", NULL, "print JSON objects, one per line", COMMAND_KEEP(struct jig_config, json)},
    {"bench-pace", "PACE", COMMAND_BENCH_PACE_HELP, .take = take_pace},
    {"bench-record", "FILE", COMMAND_BENCH_RECORD_HELP,
     COMMAND_KEEP(struct jig_config, bench_record)},
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

static int take_operands(void *context, int count, char **operands, struct failure *failure)
{
    struct jig_config *config = context;
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

static int run(const void *context, struct failure *failure)
{
    const struct jig_config *config = context;
    int status = COMMAND_PASSED;
    if (actions[config->action].run(config, &status, failure) == 0)
        return status;
    (void)command_report(failure);
    return (int)command_status_of_load(failure->code);
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
    .config_bytes = sizeof(struct jig_config),
    .take_operands = take_operands,
    .run = run,
};
