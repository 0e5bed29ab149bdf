#include "station/command.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/document.h"
#include "profiles/fuse_words.h"
#include "reports/record.h"

enum command_status command_status_of(enum failure_code code)
{
    switch (code) {
    case FAILURE_NONE:
        return COMMAND_PASSED;
    case FAILURE_USAGE:
        return COMMAND_USAGE;
    case FAILURE_PROFILE_INVALID:
    case FAILURE_PART_INVALID:
    case FAILURE_IMAGE_INVALID:
    case FAILURE_IMAGE_OVERLAP:
    case FAILURE_IMAGE_OUT_OF_RANGE:
    case FAILURE_IMAGE_CHANGED:
    case FAILURE_IMAGE_DISAGREES:
    case FAILURE_IMAGE_UNREADABLE:
    case FAILURE_IMAGE_UNKNOWN:
    case FAILURE_JIG_INVALID:
    case FAILURE_PLAN_REFUSED:
    case FAILURE_RULE_REFUSED:
    case FAILURE_LOT_REFUSED:
        return COMMAND_REFUSED;
    case FAILURE_LOG:
    case FAILURE_LOG_IN_USE:
    case FAILURE_CLOCK:
        return COMMAND_LOG_FAULT;
    case FAILURE_INTERRUPTED:
        return COMMAND_INTERRUPTED;
    default:
        break;
    }
    switch (failure_lookup(code)->blame) {
    case FAILURE_BLAME_BOARD:
    case FAILURE_BLAME_CONTACT:
    case FAILURE_BLAME_PROFILE:
        return COMMAND_BOARDS_FAILED;
    default:
        return COMMAND_BENCH_FAULT;
    }
}

enum command_status command_status_of_load(enum failure_code code)
{
    return code == FAILURE_PLACE_TWICE ? COMMAND_REFUSED : command_status_of(code);
}

/* What getopt_long() says of an option: its letter, or from this number on its place in the table.
 */
#define CODE_FIRST 256
#define CODE_END (-1) /* of getopt_long() */

/* What one parse of argv has come to. */
struct command_parse {
    bool seen[COMMAND_OPTIONS_MAX]; /* by place in the command's table */
    bool ended;
    size_t at;            /* the last one's place */
    const char *argument; /* of it; NULL: it takes none */
};

static size_t count_options(const struct command *command)
{
    size_t count = 0;
    while (command->options[count].name != NULL && count < COMMAND_OPTIONS_MAX)
        count++;
    return count;
}

static int option_code(const struct command *command, size_t at)
{
    char letter = command->options[at].letter;
    return letter != '\0' ? letter : CODE_FIRST + (int)at;
}

/* Its place in the table; count_options() for a letter that no option has. */
static size_t find_option(const struct command *command, int code)
{
    size_t at = 0;
    while (at < count_options(command) && option_code(command, at) != code)
        at++;
    return at;
}

static int fail_unknown_option(const struct command *command, const char *text,
                               struct failure *failure)
{
    const char *names[COMMAND_OPTIONS_MAX + 1] = {NULL};
    for (size_t i = 0; i < count_options(command); i++)
        names[i] = command->options[i].name;

    char name[64];
    const char *start = text + strspn(text, "-");
    (void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(start, "="), start);
    const char *nearest = document_nearest(name, names);
    if (nearest != NULL)
        return failure_set(failure, FAILURE_USAGE, "%s: unknown option '%s'; did you mean '--%s'?",
                           command->name, text, nearest);
    return failure_set(failure, FAILURE_USAGE,
                       "%s: unknown option '%s'; 'gangflash help %s' lists them", command->name,
                       text, command->name);
}

/* getopt_long() has answered ':' or '?'. */
static int fail_option(const struct command *command, int answer, char **argv,
                       struct failure *failure)
{
    size_t at = find_option(command, optopt);
    if (at < count_options(command))
        return failure_set(failure, FAILURE_USAGE, "%s: option '--%s' %s", command->name,
                           command->options[at].name,
                           answer == ':' ? "needs a value" : "takes no value");
    const char letter[] = {'-', (char)optopt, '\0'};
    return fail_unknown_option(command, optopt == 0 ? argv[optind - 1] : letter, failure);
}

/* Two values would be one too many: which of them was meant is not for the program to guess. */
static int note_option(const struct command *command, size_t at, struct command_parse *parse,
                       struct failure *failure)
{
    const struct command_option *option = &command->options[at];
    if (option->argument != NULL && parse->seen[at])
        return failure_set(failure, FAILURE_USAGE, "%s: option '--%s' is given twice",
                           command->name, option->name);
    parse->seen[at] = true;
    parse->at = at;
    parse->argument = optarg;
    return 0;
}

static int next_option(const struct command *command, int argc, char **argv,
                       struct command_parse *parse, struct failure *failure)
{
    struct option table[COMMAND_OPTIONS_MAX + 1] = {0};
    char letters[2 * COMMAND_OPTIONS_MAX + 2] = ":";
    for (size_t i = 0; i < count_options(command); i++) {
        const struct command_option *option = &command->options[i];
        table[i] = (struct option){
            .name = option->name,
            .has_arg = option->argument != NULL ? required_argument : no_argument,
            .val = option_code(command, i),
        };
        if (option->letter != '\0')
            (void)snprintf(letters + strlen(letters), sizeof(letters) - strlen(letters), "%c%s",
                           option->letter, option->argument != NULL ? ":" : "");
    }

    int code = getopt_long(argc, argv, letters, table, NULL);
    parse->ended = code == CODE_END;
    if (parse->ended)
        return 0;
    if (code == ':' || code == '?')
        return fail_option(command, code, argv, failure);
    return note_option(command, find_option(command, code), parse, failure);
}

static int keep_option(const struct command_option *option, const char *argument, void *config,
                       struct failure *failure)
{
    char *member = (char *)config + option->member;
    switch (option->keeping) {
    case COMMAND_KEEP_BY_TAKE:
        return option->take(config, argument, failure);
    case COMMAND_KEEP_FLAG:
        *(bool *)(void *)member = true;
        return 0;
    case COMMAND_KEEP_TEXT:
        *(const char **)(void *)member = argument;
        return 0;
    default: /* COMMAND_KEEP_HELP */
        return 1;
    }
}

/* Operands are left, from optind on. 1: help was asked for. */
static int read_options(const struct command *command, int argc, char **argv, void *config,
                        struct failure *failure)
{
    struct command_parse parse = {0};

    optind = 0; /* makes glibc start over */
    opterr = 0;
    for (;;) {
        if (next_option(command, argc, argv, &parse, failure) != 0)
            return -1;
        if (parse.ended)
            return 0;
        int result = keep_option(&command->options[parse.at], parse.argument, config, failure);
        if (result != 0)
            return result;
    }
}

/* The exit status, or -1. */
static int read_and_run(const struct command *command, int argc, char **argv, void *config,
                        struct failure *failure)
{
    int result = read_options(command, argc, argv, config, failure);
    if (result < 0)
        return -1;
    if (result > 0) {
        command_print_help(command, stdout);
        return COMMAND_PASSED;
    }
    if (command->take_operands(config, argc - optind, argv + optind, failure) != 0)
        return -1;
    return command->run(config, failure);
}

int command_run(const struct command *command, int argc, char **argv)
{
    struct failure failure = {0};
    void *config = calloc(1, command->config_bytes);
    int status = config != NULL ? read_and_run(command, argc, argv, config, &failure)
                                : failure_set(&failure, FAILURE_OUT_OF_MEMORY, "a command");
    free(config);
    return status < 0 ? command_report(&failure) : status;
}

int command_number(const char *option, const char *text, int64_t minimum, int64_t maximum,
                   int64_t *value, struct failure *failure)
{
    char *end = NULL;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || number < minimum || number > maximum)
        return failure_set(failure, FAILURE_USAGE, "%s: '%s' is not a number from %lld to %lld",
                           option, text, (long long)minimum, (long long)maximum);
    *value = number;
    return 0;
}

int command_name(const char *option, const char *text, const char **name, struct failure *failure)
{
    *name = text;
    if (text[0] == '\0' || strlen(text) >= RECORD_TEXT_BYTES)
        return failure_set(failure, FAILURE_USAGE, "%s: a name has 1 to %d bytes", option,
                           RECORD_TEXT_BYTES - 1);
    for (const char *at = text; *at != '\0'; at++) {
        if ((unsigned char)*at < ' ' || *at == 0x7F)
            return failure_set(failure, FAILURE_USAGE, "%s: a name has no control characters",
                               option);
    }
    return 0;
}

int command_choice(const char *option, const char *text, const char *const names[], int *index,
                   struct failure *failure)
{
    for (int i = 0; names[i] != NULL; i++) {
        if (strcmp(names[i], text) == 0) {
            *index = i;
            return 0;
        }
    }
    char all[128] = "";
    for (int i = 0; names[i] != NULL; i++) {
        size_t used = strlen(all);
        (void)snprintf(all + used, sizeof(all) - used, "%s%s", i == 0 ? "" : ", ", names[i]);
    }
    const char *nearest = document_nearest(text, names);
    return failure_set(failure, FAILURE_USAGE, "%s: '%s' is none of %s%s%s%s", option, text, all,
                       nearest != NULL ? "; did you mean '" : "", nearest != NULL ? nearest : "",
                       nearest != NULL ? "'?" : "");
}

int command_bench_pace(const char *text, const char **pace, struct failure *failure)
{
    static const char *const names[] = {"real", "fast", NULL};
    int index = 0;
    *pace = text;
    return command_choice("--bench-pace", text, names, &index, failure);
}

int command_take_operand(const char *name, int count, char **operands, const char **operand,
                         struct failure *failure)
{
    if (count == 0)
        return failure_set(failure, FAILURE_USAGE, "%s: PROFILE is missing", name);
    if (count > 1)
        return failure_set(failure, FAILURE_USAGE, "%s: '%s' is one argument too many", name,
                           operands[1]);
    *operand = operands[0];
    return 0;
}

static void print_option(const struct command_option *option, FILE *out)
{
    char left[64];
    const char letter[] = {'-', option->letter, ',', ' ', '\0'};
    bool told = option->letter != '\0' && option->keeping != COMMAND_KEEP_HELP;
    (void)snprintf(left, sizeof(left), "%s--%s%s%s", told ? letter : "", option->name,
                   option->argument ? "=" : "", option->argument ? option->argument : "");
    (void)fprintf(out, "  %-22s  ", left);
    for (const char *line = option->help; line != NULL;) {
        size_t length = strcspn(line, "\n");
        (void)fprintf(out, "%.*s\n", (int)length, line);
        line = line[length] == '\n' ? line + length + 1 : NULL;
        if (line != NULL)
            (void)fprintf(out, "  %-22s  ", "");
    }
}

void command_print_options(const struct command *command, FILE *out)
{
    for (const struct command_option *option = command->options; option->name != NULL; option++)
        print_option(option, out);
}

void command_print_help(const struct command *command, FILE *out)
{
    (void)fprintf(out, "Usage: gangflash %s %s\n%s.\n", command->name, command->usage,
                  command->summary);
    if (command->details != NULL)
        (void)fprintf(out, "\n%s\n", command->details);
    (void)fprintf(out, "\nOptions:\n");
    command_print_options(command, out);
}

void command_print_meaning(const struct part *part, enum part_memory memory, uint8_t value)
{
    const struct part_byte *byte = part_byte(part, memory);
    for (size_t i = 0; byte != NULL && i < byte->field_count; i++) {
        const struct part_field *field = &byte->fields[i];
        uint8_t code = fuse_words_code(field, value);
        char choice[FUSE_WORDS_CHOICE_BYTES], meaning[FUSE_WORDS_MEANING_BYTES];
        fuse_words_choice(field, code, choice);
        fuse_words_meaning(field, code, meaning);
        printf("              %s %s%s%s\n", field->name, choice, meaning[0] != '\0' ? ": " : "",
               meaning);
    }
}

int command_report(const struct failure *failure)
{
    const struct failure_fact *fact = failure_lookup(failure->code);
    if (failure->code == FAILURE_USAGE)
        (void)fprintf(stderr, "gangflash: %s\n", failure->detail);
    else
        (void)fprintf(stderr, "gangflash: %s: %s\n%s\n", fact->name, failure->detail,
                      fact->operator_sentence);
    return (int)command_status_of(failure->code);
}
