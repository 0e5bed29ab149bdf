#include "station/command_profile.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/profile_new.h"
#include "station/data_paths.h"
#include "station/output_file.h"

struct config {
    const char *part;
    const char *output; /* NULL: standard output */
    bool force;
};

static const struct command_option options[] = {
    {"output", 'o', "FILE", "the file to write; default standard output"},
    {"force", 'f', NULL, "replace the file if it is there"},
    COMMAND_OPTION_HELP,
    {0},
};

static int set_option(void *context, int key, const char *argument, struct failure *failure)
{
    struct config *config = context;
    (void)failure;
    if (key == 'o')
        config->output = argument;
    else
        config->force = true;
    return 0;
}

/* 1: help was asked for. */
static int parse(const struct command *command, int argc, char **argv, struct config *config,
                 struct failure *failure)
{
    static const char *const actions[] = {"new", NULL};
    int action = 0;
    int result = command_read_options(command, argc, argv, set_option, config, failure);
    if (result != 0)
        return result;
    if (optind >= argc)
        return failure_set(failure, FAILURE_USAGE, "profile: say new, and a part");
    if (command_choice("profile", argv[optind], actions, &action, failure) != 0)
        return -1;
    if (optind + 1 >= argc)
        return failure_set(failure, FAILURE_USAGE,
                           "profile new: PART is missing, as in ATmega328P");
    if (optind + 2 < argc)
        return failure_set(failure, FAILURE_USAGE, "'%s' is one argument too many",
                           argv[optind + 2]);
    config->part = argv[optind + 1];
    return 0;
}

static int write_profile(const struct config *config, const char *text, size_t bytes,
                         struct failure *failure)
{
    if (config->output != NULL)
        return output_file_write(config->output, config->force, text, bytes, failure);
    if (fwrite(text, 1, bytes, stdout) == bytes && fflush(stdout) == 0)
        return 0;
    return failure_set(failure, FAILURE_USAGE, "the profile could not be written");
}

static void write_new(const struct part *part, const char *comment, FILE *out)
{
    if (comment[0] != '\0')
        (void)fprintf(out, "# %s\n", comment);
    profile_write_new(part, out);
}

static int make_profile(const struct config *config, struct failure *failure)
{
    struct part *part = NULL;
    char *text = NULL;
    size_t bytes = 0;
    if (data_paths_load_part("profile", config->part, &part, failure) != 0)
        return -1;
    char *comment = data_paths_schema_comment("profile");
    FILE *stream = comment != NULL ? open_memstream(&text, &bytes) : NULL;
    if (stream != NULL)
        write_new(part, comment, stream);
    free(comment);
    part_free(part);
    int result = -1;
    if (stream == NULL || fclose(stream) != 0)
        failure_set(failure, FAILURE_OUT_OF_MEMORY, "a new profile");
    else
        result = write_profile(config, text, bytes, failure);
    free(text);
    return result;
}

static int run(const struct command *command, int argc, char **argv)
{
    struct failure failure = {0};
    struct config config = {0};
    int result = parse(command, argc, argv, &config, &failure);
    if (result > 0) {
        command_print_help(command, stdout);
        return COMMAND_PASSED;
    }
    if (result == 0)
        result = make_profile(&config, &failure);
    return result == 0 ? COMMAND_PASSED : command_report(&failure);
}

const struct command command_profile = {
    .name = "profile",
    .usage = "new PART [OPTION]...",
    .summary = "write a profile to start from",
    .details = "With every key that a profile may have, and the part's fuses as they leave the\n"
               "factory, in words.",
    .options = options,
    .letters = "o",
    .run = run,
};
