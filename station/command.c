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

#define KEY_END (-1) /* of getopt_long() */
#define KEY_FAILED (-2)

/* What one parse of argv has come to. */
struct command_parse {
    bool seen[COMMAND_OPTIONS_MAX]; /* by place in the command's table */
    const char *argument;           /* of the last option; NULL: it takes none */
};

/* May the option be said by its key, as in -o? */
static bool is_letter(const struct command *command, const struct command_option *option)
{
    return command->letters != NULL && strchr(command->letters, option->key) != NULL;
}

static size_t count_options(const struct command *command)
{
    size_t count = 0;
    while (command->options[count].name != NULL && count < COMMAND_OPTIONS_MAX)
        count++;
    return count;
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
        failure_set(failure, FAILURE_USAGE, "%s: unknown option '%s'; did you mean '--%s'?",
                    command->name, text, nearest);
    else
        failure_set(failure, FAILURE_USAGE,
                    "%s: unknown option '%s'; 'gangflash help %s' lists them", command->name, text,
                    command->name);
    return KEY_FAILED;
}

static const char *option_name(const struct command *command, int key)
{
    for (size_t i = 0; i < count_options(command); i++) {
        if (command->options[i].key == key)
            return command->options[i].name;
    }
    return "?";
}

/* Two values would be one too many: which of them was meant is not for the program to guess. */
static int note_option(const struct command *command, int key, struct command_parse *parse,
                       struct failure *failure)
{
    for (size_t i = 0; i < count_options(command); i++) {
        const struct command_option *option = &command->options[i];
        if (option->key != key || option->argument == NULL)
            continue;
        if (parse->seen[i]) {
            failure_set(failure, FAILURE_USAGE, "%s: option '--%s' is given twice", command->name,
                        option->name);
            return KEY_FAILED;
        }
        parse->seen[i] = true;
    }
    return key;
}

/* The next option's key, KEY_END or KEY_FAILED. */
static int next_option(const struct command *command, int argc, char **argv,
                       struct command_parse *parse, struct failure *failure)
{
    struct option table[COMMAND_OPTIONS_MAX + 1] = {0};
    char letters[2 * COMMAND_OPTIONS_MAX + 3] = ":h";
    for (size_t i = 0; i < count_options(command); i++) {
        const struct command_option *option = &command->options[i];
        table[i] = (struct option){
            .name = option->name,
            .has_arg = option->argument != NULL ? required_argument : no_argument,
            .val = option->key,
        };
        if (is_letter(command, option))
            (void)snprintf(letters + strlen(letters), sizeof(letters) - strlen(letters), "%c%s",
                           option->key, option->argument != NULL ? ":" : "");
    }

    int key = getopt_long(argc, argv, letters, table, NULL);
    parse->argument = optarg;
    if (key == ':') {
        failure_set(failure, FAILURE_USAGE, "%s: option '--%s' needs a value", command->name,
                    option_name(command, optopt));
        return KEY_FAILED;
    }
    if (key != '?')
        return note_option(command, key, parse, failure);
    for (size_t i = 0; i < count_options(command); i++) {
        if (command->options[i].key == optopt) {
            failure_set(failure, FAILURE_USAGE, "%s: option '--%s' takes no value", command->name,
                        command->options[i].name);
            return KEY_FAILED;
        }
    }
    if (optopt == 0)
        return fail_unknown_option(command, argv[optind - 1], failure);
    const char letter[] = {'-', (char)optopt, '\0'};
    return fail_unknown_option(command, letter, failure);
}

int command_read_options(const struct command *command, int argc, char **argv,
                         command_set_option *set, void *config, struct failure *failure)
{
    struct command_parse parse = {0};

    optind = 0; /* makes glibc start over */
    opterr = 0;
    for (;;) {
        int key = next_option(command, argc, argv, &parse, failure);
        if (key == KEY_END)
            return 0;
        if (key == COMMAND_KEY_HELP)
            return 1;
        if (key == KEY_FAILED || set(config, key, parse.argument, failure) != 0)
            return -1;
    }
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

int command_take_operand(const struct command *command, int argc, char **argv, const char **operand,
                         struct failure *failure)
{
    if (optind >= argc)
        return failure_set(failure, FAILURE_USAGE, "%s: PROFILE is missing", command->name);
    if (optind + 1 < argc)
        return failure_set(failure, FAILURE_USAGE, "%s: '%s' is one argument too many",
                           command->name, argv[optind + 1]);
    *operand = argv[optind];
    return 0;
}

static void print_option(const struct command *command, const struct command_option *option,
                         FILE *out)
{
    char left[64];
    const char letter[] = {'-', (char)option->key, ',', ' ', '\0'};
    (void)snprintf(left, sizeof(left), "%s--%s%s%s", is_letter(command, option) ? letter : "",
                   option->name, option->argument ? "=" : "",
                   option->argument ? option->argument : "");
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
        print_option(command, option, out);
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
