/* What the commands of the program have in common: a table row each, options that say where they
 * are kept and write their own help, and the one place that turns a failure into an exit status. */
#ifndef STATION_COMMAND_H
#define STATION_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "profiles/part.h"
#include "reports/failure.h"

#define COMMAND_SOFTWARE "gangflash " GANGFLASH_VERSION

enum command_status {
    COMMAND_PASSED = 0,
    COMMAND_BOARDS_FAILED = 1,
    COMMAND_USAGE = 2,
    COMMAND_REFUSED = 3, /* profile, jig, plan or lot */
    COMMAND_BENCH_FAULT = 4,
    COMMAND_LOG_FAULT = 5,
    COMMAND_INTERRUPTED = 130
};

/* The exit status that a failure stands for. */
enum command_status command_status_of(enum failure_code code);
/* The same for what failed while files were read: two sites at one place are a fault of the jig
 * file there, not of the bench. */
enum command_status command_status_of_load(enum failure_code code);

/* What becomes of an option in the configuration of its command. */
enum command_keeping {
    COMMAND_KEEP_BY_TAKE, /* the option's own `take` judges and keeps it */
    COMMAND_KEEP_FLAG,    /* a bool becomes true */
    COMMAND_KEEP_TEXT,    /* a const char * points to the argument */
    COMMAND_KEEP_HELP     /* nothing else is read or done any more */
};

struct command_option {
    const char *name;     /* without the dashes; NULL ends a table */
    const char *argument; /* its name in the help; NULL: takes none */
    const char *help;     /* lines, separated by \n */
    enum command_keeping keeping;
    char letter;   /* its short form, as in -o; 0: none */
    size_t member; /* where in the configuration a flag or text is */
    int (*take)(void *config, const char *argument, struct failure *failure);
};

/* The end of an option's row: it is kept in a member, which is a bool or a const char *. */
#define COMMAND_KEEP(type, name)                                                                   \
    .keeping = COMMAND_KEEPING(((type *)NULL)->name), .member = offsetof(type, name)
#define COMMAND_KEEPING(member)                                                                    \
    _Generic((member), bool : COMMAND_KEEP_FLAG, const char * : COMMAND_KEEP_TEXT)

#define COMMAND_OPTIONS_MAX 24
/* Its letter is taken, but not told. */
#define COMMAND_OPTION_HELP                                                                        \
    {                                                                                              \
        "help", NULL, "show this help and exit", .keeping = COMMAND_KEEP_HELP, .letter = 'h'       \
    }

/* Help of options that several commands have. */
#define COMMAND_LOG_HELP                                                                           \
    "the log; default $GANGFLASH_LOG, else\n$XDG_STATE_HOME/gangflash/log.sqlite"
#define COMMAND_BENCH_PACE_HELP "simulated benches only: real or fast"
#define COMMAND_BENCH_RECORD_HELP                                                                  \
    "simulated benches only: what each simulated board\nwas sent, as JSON lines"

struct command {
    const char *name;
    const char *usage;   /* what follows the name */
    const char *summary; /* one line */
    const char *details; /* paragraphs for the command's own help; lines separated by \n */
    const struct command_option *options;
    size_t config_bytes; /* of the configuration, which is all zero before options are kept in it */
    /* Keeps what is no option, and judges all that was given together. */
    int (*take_operands)(void *config, int count, char **operands, struct failure *failure);
    /* Does it. Returns the exit status, or -1 with a failure that is still to be reported. */
    int (*run)(const void *config, struct failure *failure);
};

/* Reads what was typed and does it, or prints the help that was asked for; argv[0] is the command's
 * name. Returns the exit status. An unknown option is refused with the nearest there is, and so is
 * one that takes a value and is given twice. */
int command_run(const struct command *command, int argc, char **argv);

/* A decimal number within the limits, else FAILURE_USAGE that names the option. */
int command_number(const char *option, const char *text, int64_t minimum, int64_t maximum,
                   int64_t *value, struct failure *failure);
/* A name for the log, which keeps RECORD_TEXT_BYTES - 1 bytes and no control characters; else
 * FAILURE_USAGE that names the option. */
int command_name(const char *option, const char *text, const char **name, struct failure *failure);
/* Index in the NULL-ended names, else FAILURE_USAGE that names the nearest. */
int command_choice(const char *option, const char *text, const char *const names[], int *index,
                   struct failure *failure);
/* What --bench-pace says. */
int command_bench_pace(const char *text, const char **pace, struct failure *failure);

/* The one operand of the command `name`, called PROFILE when it is missing. */
int command_take_operand(const char *name, int count, char **operands, const char **operand,
                         struct failure *failure);

void command_print_help(const struct command *command, FILE *out);
void command_print_options(const struct command *command, FILE *out);

/* What a fuse or lock byte of this value means, in words, one field a line, deep below what was
 * printed. */
void command_print_meaning(const struct part *part, enum part_memory memory, uint8_t value);

/* Says on stderr what went wrong, with the operator's sentence, and returns the exit status. */
int command_report(const struct failure *failure);

#endif
