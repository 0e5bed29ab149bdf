#include "station/command_schema.h"

#include <stdlib.h>
#include <string.h>

#include "station/data_paths.h"
#include "station/output_file.h"
#include "station/schema.h"

/* The files of which there are schemas. */
static const struct {
    const char *name;
    void (*complete)(struct json_object *schema, const struct part_catalogue *parts);
} kinds[] = {{"profile", schema_complete_profile}, {"jig", schema_complete_jig}};
static const char *const kind_names[] = {"profile", "jig", NULL};

struct config {
    int kind;
    const char *output; /* NULL: standard output */
    bool path;
    bool force;
};

static const struct command_option options[] = {
    {"path", NULL, "print where the schema lies that came with the program",
     COMMAND_KEEP(struct config, path)},
    {"output", "FILE", "the file to write; default standard output",
     COMMAND_KEEP(struct config, output), .letter = 'o'},
    {"force", NULL, "replace the file if it is there", COMMAND_KEEP(struct config, force)},
    COMMAND_OPTION_HELP,
    {0},
};

static int take_operands(void *context, int count, char **operands, struct failure *failure)
{
    struct config *config = context;
    if (count == 0)
        return failure_set(failure, FAILURE_USAGE, "schema: say profile or jig");
    if (command_choice("schema", operands[0], kind_names, &config->kind, failure) != 0)
        return -1;
    if (count > 1)
        return failure_set(failure, FAILURE_USAGE, "'%s' is one argument too many", operands[1]);
    if (config->path && config->output != NULL)
        return failure_set(failure, FAILURE_USAGE, "schema: --output is not for --path");
    return 0;
}

static int write_schema(const struct config *config, const char *text, size_t bytes,
                        struct failure *failure)
{
    if (config->output != NULL)
        return output_file_write(config->output, config->force, text, bytes, failure);
    if (fwrite(text, 1, bytes, stdout) == bytes && fflush(stdout) == 0)
        return 0;
    return failure_set(failure, FAILURE_USAGE, "the schema could not be written");
}

/* Takes `schema` over. */
static int print_schema(const struct config *config, struct json_object *schema,
                        struct failure *failure)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *stream = open_memstream(&text, &bytes);
    if (stream == NULL) {
        json_object_free(schema);
        return failure_set(failure, FAILURE_OUT_OF_MEMORY, "a schema");
    }
    int result = json_object_write_indented(schema, stream);
    if (fclose(stream) != 0 || result != 0)
        result = failure_set(failure, FAILURE_OUT_OF_MEMORY, "a schema");
    else
        result = write_schema(config, text, bytes, failure);
    free(text);
    return result;
}

/* A part whose file is wrong is not left out without a word. */
static void take_wrong_part(void *context, const struct failure *why)
{
    struct failure *failure = context;
    if (failure->code == FAILURE_NONE)
        *failure = *why;
}

static int load_parts(struct part_catalogue *parts, struct failure *failure)
{
    char *directories = NULL;
    struct failure wrong = {0};
    if (data_paths_parts(&directories, failure) != 0)
        return -1;
    int result = part_catalogue_load(directories, parts, take_wrong_part, &wrong, failure);
    free(directories);
    if (result == 0 && wrong.code != FAILURE_NONE)
        return failure_set(failure, wrong.code, "%s", wrong.detail);
    return result;
}

static int make_schema(const struct config *config, const char *path, struct failure *failure)
{
    struct part_catalogue parts = {0};
    struct json_object *schema = NULL;
    int result = load_parts(&parts, failure);
    if (result == 0)
        result = json_object_load(path, &schema, failure);
    if (result == 0) {
        kinds[config->kind].complete(schema, &parts);
        result = print_schema(config, schema, failure);
    }
    part_catalogue_free(&parts);
    return result;
}

static int run(const void *context, struct failure *failure)
{
    const struct config *config = context;
    int result = 0;
    char *path = data_paths_schema(kinds[config->kind].name);
    if (path == NULL)
        result = failure_set(failure, FAILURE_OUT_OF_MEMORY, "a path");
    else if (config->path)
        (void)puts(path);
    else
        result = make_schema(config, path, failure);
    free(path);
    return result;
}

const struct command command_schema = {
    .name = "schema",
    .usage = "profile|jig [OPTION]...",
    .summary = "print the JSON Schema of profiles or jig files, for editors",
    .details =
        "With it an editor completes keys, parts, fuse fields and their choices, shows help\n"
        "and marks what is wrong. In a profile's first line, for editors with a\n"
        "yaml-language-server:\n"
        "\n"
        "  # yaml-language-server: $schema=PATH\n"
        "\n"
        "where PATH is what `gangflash schema profile --path` prints. That file knows the\n"
        "parts that came with the program; what this command prints knows your own, too.",
    .options = options,
    .config_bytes = sizeof(struct config),
    .take_operands = take_operands,
    .run = run,
};
