#include "station/command_profile.h"

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
    {"output", "FILE", "the file to write; default standard output",
     COMMAND_KEEP(struct config, output), .letter = 'o'},
    {"force", NULL, "replace the file if it is there", COMMAND_KEEP(struct config, force)},
    COMMAND_OPTION_HELP,
    {0},
};

static int take_operands(void *context, int count, char **operands, struct failure *failure)
{
    static const char *const actions[] = {"new", NULL};
    struct config *config = context;
    int action = 0;
    if (count == 0)
        return failure_set(failure, FAILURE_USAGE, "profile: say new, and a part");
    if (command_choice("profile", operands[0], actions, &action, failure) != 0)
        return -1;
    if (count == 1)
        return failure_set(failure, FAILURE_USAGE,
                           "profile new: PART is missing, as in ATmega328P");
    if (count > 2)
        return failure_set(failure, FAILURE_USAGE, "'%s' is one argument too many", operands[2]);
    config->part = operands[1];
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

static int run(const void *context, struct failure *failure)
{
    const struct config *config = context;
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

const struct command command_profile = {
    .name = "profile",
    .usage = "new PART [OPTION]...",
    .summary = "write a profile to start from",
    .details = "With every key that a profile may have, and the part's fuses as they leave the\n"
               "factory, in words.",
    .options = options,
    .config_bytes = sizeof(struct config),
    .take_operands = take_operands,
    .run = run,
};
