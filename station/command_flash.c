#include "station/command_flash.h"

#include "station/flash_run.h"

static int take_lot(void *context, const char *argument, struct failure *failure)
{
    struct flash_config *config = context;
    return command_name("--lot", argument, &config->lot, failure);
}

static int take_count(void *context, const char *argument, struct failure *failure)
{
    struct flash_config *config = context;
    return command_number("--count", argument, 1, 1000000000, &config->count, failure);
}

static int take_operator(void *context, const char *argument, struct failure *failure)
{
    struct flash_config *config = context;
    return command_name("--operator", argument, &config->operator_name, failure);
}

static int take_go(void *context, const char *argument, struct failure *failure)
{
    static const char *const names[] = {"enter", "contact", "now", NULL};
    struct flash_config *config = context;
    int index = 0;
    if (command_choice("--go", argument, names, &index, failure) != 0)
        return -1;
    config->go = (enum scheduler_go)index;
    return 0;
}

static int take_pace(void *context, const char *argument, struct failure *failure)
{
    struct flash_config *config = context;
    return command_bench_pace(argument, &config->bench_pace, failure);
}

static const struct command_option options[] = {
    {"jig", "JIG", "the jig: which programmer stands at which place",
     COMMAND_KEEP(struct flash_config, jig)},
    {"lot", "ID",
     "the order these boards belong to; bound at its first\n"
     "use to this profile and its count",
     .take = take_lot},
    {"count", "N",
     "end when N boards of the lot (without a lot: of this\n"
     "run) have passed",
     .take = take_count},
    {"operator", "NAME", "who is at the station; default: the user's name", .take = take_operator},
    {"go", "HOW",
     "enter: a press of Enter starts all armed sites (the\n"
     "default; from standard input that is no terminal,\n"
     "each line is a press, taken when the boards of the\n"
     "one before are out, and its end ends the run);\n"
     "contact: a site starts when its board makes contact;\n"
     "now: every site starts at once",
     .take = take_go},
    {"sites", "LIST", "only these sites, for example 1,3-5",
     COMMAND_KEEP(struct flash_config, sites)},
    {"retest", NULL, "do boards again that were not taken out",
     COMMAND_KEEP(struct flash_config, retest)},
    {"log", "FILE", COMMAND_LOG_HELP, COMMAND_KEEP(struct flash_config, log)},
    {"json", NULL, "print events as JSON objects, one per line",
     COMMAND_KEEP(struct flash_config, json)},
    {"dry-run", NULL, "show the plan; open no programmer and no log",
     COMMAND_KEEP(struct flash_config, dry_run)},
    {"bench-pace", "PACE", COMMAND_BENCH_PACE_HELP, .take = take_pace},
    {"bench-record", "FILE", COMMAND_BENCH_RECORD_HELP,
     COMMAND_KEEP(struct flash_config, bench_record)},
    COMMAND_OPTION_HELP,
    {0},
};

static int take_operands(void *context, int count, char **operands, struct failure *failure)
{
    struct flash_config *config = context;
    if (command_take_operand("flash", count, operands, &config->profile, failure) != 0)
        return -1;
    if (config->jig == NULL)
        return failure_set(failure, FAILURE_USAGE, "flash: --jig is missing");
    return 0;
}

static int run(const void *context, struct failure *failure)
{
    (void)failure; /* what failed is said while screen and log are open */
    return flash_run(context);
}

const struct command command_flash = {
    .name = "flash",
    .usage = "PROFILE --jig=JIG [OPTION]...",
    .summary = "program boards, on all sites of a jig at the same time",
    .details = "PROFILE and JIG are paths, or bare names of those that came with the program.\n"
               "Ctrl-C releases every board and says what became of it.",
    .options = options,
    .config_bytes = sizeof(struct flash_config),
    .take_operands = take_operands,
    .run = run,
};
