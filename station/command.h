/* What the commands of the program have in common: their table row, options that write their own
 * help, and the one place that turns a failure into an exit status. */
#ifndef STATION_COMMAND_H
#define STATION_COMMAND_H

#include <stdbool.h>
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

struct command_option {
    const char *name;     /* without the dashes; NULL ends a table */
    int key;              /* what command_set_option is told */
    const char *argument; /* its name in the help; NULL: takes none */
    const char *help;     /* lines, separated by \n */
};

#define COMMAND_OPTIONS_MAX 24
#define COMMAND_KEY_HELP 'h'
#define COMMAND_OPTION_HELP                                                                        \
    {                                                                                              \
        "help", COMMAND_KEY_HELP, NULL, "show this help and exit"                                  \
    }

struct command {
    const char *name;
    const char *usage;   /* what follows the name */
    const char *summary; /* one line */
    const char *details; /* paragraphs for the command's own help; lines separated by \n */
    const struct command_option *options;
    const char *letters; /* the keys that are short options, too; NULL: none */
    /* Returns the exit status. argv[0] is the command's name. */
    int (*run)(const struct command *command, int argc, char **argv);
};

/* Sets one option, by its key, in a command's own configuration; `argument` is NULL where it takes
 * none. */
typedef int command_set_option(void *config, int key, const char *argument,
                               struct failure *failure);
/* Gives each option of argv to `set`; operands are left, from optind on. 1: help was asked for.
 * FAILURE_USAGE, with the nearest option there is, for an unknown one, and when an option that
 * takes a value is given twice. */
int command_read_options(const struct command *command, int argc, char **argv,
                         command_set_option *set, void *config, struct failure *failure);

/* A decimal number within the limits, else FAILURE_USAGE that names the option. */
int command_number(const char *option, const char *text, int64_t minimum, int64_t maximum,
                   int64_t *value, struct failure *failure);
/* A name for the log, which keeps RECORD_TEXT_BYTES - 1 bytes and no control characters; else
 * FAILURE_USAGE that names the option. */
int command_name(const char *option, const char *text, const char **name, struct failure *failure);
/* Index in the NULL-ended names, else FAILURE_USAGE that names the nearest. */
int command_choice(const char *option, const char *text, const char *const names[], int *index,
                   struct failure *failure);

/* The one operand a command takes, called PROFILE when it is missing, after the last option. */
int command_take_operand(const struct command *command, int argc, char **argv, const char **operand,
                         struct failure *failure);

void command_print_help(const struct command *command, FILE *out);
void command_print_options(const struct command *command, FILE *out);

/* What a fuse or lock byte of this value means, in words, one field a line, deep below what was
 * printed. */
void command_print_meaning(const struct part *part, enum part_memory memory, uint8_t value);

/* Says on stderr what went wrong, with the operator's sentence, and returns the exit status. */
int command_report(const struct failure *failure);

#endif
