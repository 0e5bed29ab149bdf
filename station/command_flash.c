#include "station/command_flash.h"

#include "station/flash_run.h"

enum option_key {
    KEY_JIG = 256, /* none has a letter */
    KEY_LOT,
    KEY_COUNT,
    KEY_OPERATOR,
    KEY_GO,
    KEY_SITES,
    KEY_RETEST,
    KEY_LOG,
    KEY_JSON,
    KEY_DRY_RUN,
    KEY_BENCH_PACE,
    KEY_BENCH_RECORD
};

static const struct command_option options[] = {
    {"jig", KEY_JIG, "JIG", "the jig: which programmer stands at which place"},
    {"lot", KEY_LOT, "ID",
     "the order these boards belong to; bound at its first\n"
     "use to this profile and its count"},
    {"count", KEY_COUNT, "N",
     "end when N boards of the lot (without a lot: of this\n"
     "run) have passed"},
    {"operator", KEY_OPERATOR, "NAME", "who is at the station; default: the user's name"},
    {"go", KEY_GO, "HOW",
     "enter: a press of Enter starts all armed sites (the\n"
     "default; from standard input that is no terminal,\n"
     "each line is a press, taken when the boards of the\n"
     "one before are out, and its end ends the run);\n"
     "contact: a site starts when its board makes contact;\n"
     "now: every site starts at once"},
    {"sites", KEY_SITES, "LIST", "only these sites, for example 1,3-5"},
    {"retest", KEY_RETEST, NULL, "do boards again that were not taken out"},
    {"log", KEY_LOG, "FILE",
     "the log; default $GANGFLASH_LOG, else\n"
     "$XDG_STATE_HOME/gangflash/log.sqlite"},
    {"json", KEY_JSON, NULL, "print events as JSON objects, one per line"},
    {"dry-run", KEY_DRY_RUN, NULL, "show the plan; open no programmer and no log"},
    {"bench-pace", KEY_BENCH_PACE, "PACE", "simulated benches only: real or fast"},
    {"bench-record", KEY_BENCH_RECORD, "FILE",
     "simulated benches only: what each simulated board\n"
     "was sent, as JSON lines"},
    COMMAND_OPTION_HELP,
    {0},
};

static int set_go(struct flash_config *config, const char *argument, struct failure *failure)
{
    static const char *const names[] = {"enter", "contact", "now", NULL};
    int index = 0;
    if (command_choice("--go", argument, names, &index, failure) != 0)
        return -1;
    config->go = (enum scheduler_go)index;
    return 0;
}

static int set_pace(struct flash_config *config, const char *argument, struct failure *failure)
{
    static const char *const names[] = {"real", "fast", NULL};
    int index = 0;
    config->bench_pace = argument;
    return command_choice("--bench-pace", argument, names, &index, failure);
}

static int set_option(void *context, int key, const char *argument, struct failure *failure)
{
    struct flash_config *config = context;
    switch (key) {
    case KEY_JIG:
        config->jig = argument;
        return 0;
    case KEY_LOT:
        return command_name("--lot", argument, &config->lot, failure);
    case KEY_COUNT:
        return command_number("--count", argument, 1, 1000000000, &config->count, failure);
    case KEY_OPERATOR:
        return command_name("--operator", argument, &config->operator_name, failure);
    case KEY_GO:
        return set_go(config, argument, failure);
    case KEY_SITES:
        config->sites = argument;
        return 0;
    case KEY_RETEST:
        config->retest = true;
        return 0;
    case KEY_LOG:
        config->log = argument;
        return 0;
    case KEY_JSON:
        config->json = true;
        return 0;
    case KEY_DRY_RUN:
        config->dry_run = true;
        return 0;
    case KEY_BENCH_PACE:
        return set_pace(config, argument, failure);
    default: /* KEY_BENCH_RECORD */
        config->bench_record = argument;
        return 0;
    }
}

/* 1: help was asked for. */
static int parse(const struct command *command, int argc, char **argv, struct flash_config *config,
                 struct failure *failure)
{
    int result = command_read_options(command, argc, argv, set_option, config, failure);
    if (result != 0)
        return result;
    if (command_take_operand(command, argc, argv, &config->profile, failure) != 0)
        return -1;
    if (config->jig == NULL)
        return failure_set(failure, FAILURE_USAGE, "flash: --jig is missing");
    return 0;
}

static int run(const struct command *command, int argc, char **argv)
{
    struct failure failure = {0};
    struct flash_config config = {.go = SCHEDULER_GO_ENTER};
    int parsed = parse(command, argc, argv, &config, &failure);
    if (parsed > 0) {
        command_print_help(command, stdout);
        return COMMAND_PASSED;
    }
    if (parsed != 0)
        return command_report(&failure);
    return flash_run(&config);
}

const struct command command_flash = {
    .name = "flash",
    .usage = "PROFILE --jig=JIG [OPTION]...",
    .summary = "program boards, on all sites of a jig at the same time",
    .details = "PROFILE and JIG are paths, or bare names of those that came with the program.\n"
               "Ctrl-C releases every board and says what became of it.",
    .options = options,
    .run = run,
};
