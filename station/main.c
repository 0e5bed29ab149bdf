#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "profiles/document.h"
#include "station/command.h"
#include "station/command_check.h"
#include "station/command_drivers.h"
#include "station/command_flash.h"
#include "station/command_fuses.h"
#include "station/command_image.h"
#include "station/command_jig.h"
#include "station/command_log.h"
#include "station/command_parts.h"
#include "station/command_profile.h"
#include "station/command_schema.h"

static const struct command *const commands[] = {
    &command_flash, &command_check,   &command_image, &command_jig,     &command_log,
    &command_parts, &command_profile, &command_fuses, &command_drivers, &command_schema};
#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    }
    return NULL;
}

/* "flash, check and help" */
static void list_commands(const char *conjunction, char *text, size_t text_bytes)
{
    size_t used = 0;
    for (size_t i = 0; i < COMMAND_COUNT && used < text_bytes; i++)
        used += (size_t)snprintf(text + used, text_bytes - used, "%s%s", i > 0 ? ", " : "",
                                 commands[i]->name);
    if (used < text_bytes)
        (void)snprintf(text + used, text_bytes - used, " %s help", conjunction);
}

static int report_unknown_command(const char *name)
{
    const char *names[COMMAND_COUNT + 2] = {NULL};
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        names[i] = commands[i]->name;
    names[COMMAND_COUNT] = "help";

    struct failure failure;
    char all[128];
    list_commands("and", all, sizeof(all));
    const char *nearest = document_nearest(name, names);
    if (nearest != NULL)
        failure_set(&failure, FAILURE_USAGE, "there is no command '%s'; did you mean '%s'?", name,
                    nearest);
    else
        failure_set(&failure, FAILURE_USAGE, "there is no command '%s'; there are %s", name, all);
    return command_report(&failure);
}

static void print_program_help(FILE *out)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        (void)fprintf(out, "%s gangflash %s %s\n", i == 0 ? "Usage:" : "  or: ", commands[i]->name,
                      commands[i]->usage);
    (void)fprintf(out, "  or:  gangflash help [COMMAND]\n"
                       "Mass production flashing station for AVR boards.\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        (void)fprintf(out, "\n%s: %s.\n\nOptions of %s:\n", commands[i]->name, commands[i]->summary,
                      commands[i]->name);
        command_print_options(commands[i], out);
    }
    (void)fprintf(out, "\nWithout a command:\n"
                       "  --help                  show this help and exit\n"
                       "  --version               show the version and exit\n");
}

static int run_help(int argc, char **argv)
{
    if (argc < 2) {
        print_program_help(stdout);
        return COMMAND_PASSED;
    }
    const struct command *command = find_command(argv[1]);
    if (command == NULL)
        return report_unknown_command(argv[1]);
    command_print_help(command, stdout);
    return COMMAND_PASSED;
}

static int run(int argc, char **argv)
{
    if (argc < 2) {
        struct failure failure;
        char all[128];
        list_commands("or", all, sizeof(all));
        failure_set(&failure, FAILURE_USAGE, "a command is missing: %s; see 'gangflash --help'",
                    all);
        return command_report(&failure);
    }
    const char *name = argv[1];
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
        (void)puts(COMMAND_SOFTWARE);
        return COMMAND_PASSED;
    }
    if (strcmp(name, "help") == 0)
        return run_help(argc - 1, argv + 1);
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        return run_help(1, argv);

    const struct command *command = find_command(name);
    if (command == NULL)
        return report_unknown_command(name);
    return command_run(command, argc - 1, argv + 1);
}

/* A standard descriptor that the caller closed would be the number of the next file opened: the log
 * written to by messages, or an event queue read as standard input. The lowest number that is free
 * is the one given; writing to one that is only opened for reading fails, as on a closed one. */
static int fill_standard_descriptors(void)
{
    int descriptor;
    do
        descriptor = open("/dev/null", O_RDONLY);
    while (descriptor >= 0 && descriptor <= STDERR_FILENO);
    return descriptor < 0 ? -1 : close(descriptor);
}

int main(int argc, char **argv)
{
    if (fill_standard_descriptors() != 0)
        return COMMAND_BENCH_FAULT;
    int status = run(argc, argv);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        (void)fputs("gangflash: what was to be printed could not be written\n", stderr);
        if (status == COMMAND_PASSED)
            status = COMMAND_BENCH_FAULT;
    }
    return status;
}
