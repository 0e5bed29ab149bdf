#include "station/command_image.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiles/image_file.h"
#include "station/data_paths.h"
#include "station/image_compose.h"
#include "station/image_diff.h"
#include "station/image_info.h"
#include "station/job.h"

#define FILES_MAX 64 /* at once in memory: without a part each may take 16 MiB */

enum action { IMAGE_INFO, IMAGE_COMPOSE, IMAGE_DIFF };
static const char *const action_names[] = {"info", "compose", "diff", NULL};

struct config {
    enum action action;
    char **files;
    int file_count;
    const char *part, *profile, *format, *address, *output, *memory;
    bool force;
    bool json;
};

#define FOR_INFO 1U
#define FOR_COMPOSE 2U
#define FOR_DIFF 4U

static const struct command_option options[] = {
    {"part", "PART", "the AVR type: its sizes, fuses, boot sections",
     COMMAND_KEEP(struct config, part)},
    {"format", "FORMAT",
     "info: read as auto, hex, elf, srec or bin;\n"
     "compose: write hex, srec or bin; without it,\n"
     "as the name of the output says",
     COMMAND_KEEP(struct config, format)},
    {"address", "ADDRESS", "info: where raw binaries belong", COMMAND_KEEP(struct config, address)},
    {"profile", "PROFILE", "info: the image that this profile composes",
     COMMAND_KEEP(struct config, profile)},
    {"json", NULL, "info: print JSON objects, one per line", COMMAND_KEEP(struct config, json)},
    {"output", "FILE", "compose: the file to write", COMMAND_KEEP(struct config, output),
     .letter = 'o'},
    {"memory", "MEMORY", "compose: flash or eeprom; default flash",
     COMMAND_KEEP(struct config, memory)},
    {"force", NULL, "compose: replace the output if it is there",
     COMMAND_KEEP(struct config, force)},
    COMMAND_OPTION_HELP,
    {0},
};

/* ------------------------------------------------------------------ what was typed */

/* An option belongs to some actions only. */
static int check_actions(const struct config *config, struct failure *failure)
{
    const struct {
        const char *name;
        bool given;
        unsigned actions;
    } rows[] = {
        {"format", config->format != NULL, FOR_INFO | FOR_COMPOSE},
        {"address", config->address != NULL, FOR_INFO},
        {"profile", config->profile != NULL, FOR_INFO},
        {"json", config->json, FOR_INFO},
        {"output", config->output != NULL, FOR_COMPOSE},
        {"memory", config->memory != NULL, FOR_COMPOSE},
        {"force", config->force, FOR_COMPOSE},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].given && !(rows[i].actions & 1U << config->action))
            return failure_set(failure, FAILURE_USAGE, "image %s: --%s is not for it",
                               action_names[config->action], rows[i].name);
    return 0;
}

static int check_files(const struct config *config, struct failure *failure)
{
    const char *action = action_names[config->action];
    if (config->action == IMAGE_INFO && config->profile != NULL) {
        if (config->file_count > 0 || config->part != NULL)
            return failure_set(failure, FAILURE_USAGE,
                               "image info: --profile stands for its files and its part");
        return 0;
    }
    if (config->file_count == 0)
        return failure_set(failure, FAILURE_USAGE, "image %s: FILE is missing", action);
    if (config->action != IMAGE_INFO && config->file_count > FILES_MAX)
        return failure_set(failure, FAILURE_USAGE, "image %s: at most %d files at once", action,
                           FILES_MAX);
    if (config->action == IMAGE_DIFF && config->file_count != 2)
        return failure_set(failure, FAILURE_USAGE, "image diff: give two files, found %d",
                           config->file_count);
    if (config->action == IMAGE_COMPOSE && config->output == NULL)
        return failure_set(failure, FAILURE_USAGE, "image compose: --output is missing");
    return 0;
}

static int take_operands(void *context, int count, char **operands, struct failure *failure)
{
    struct config *config = context;
    int action = 0;
    if (count == 0)
        return failure_set(failure, FAILURE_USAGE, "image: say info, compose or diff");
    if (command_choice("image", operands[0], action_names, &action, failure) != 0)
        return -1;
    config->action = (enum action)action;
    config->files = operands + 1;
    config->file_count = count - 1;
    return check_actions(config, failure) != 0 ? -1 : check_files(config, failure);
}

/* Decimal, or hexadecimal after 0x. */
static bool read_address(const char *text, uint32_t *address)
{
    bool hexadecimal = strncmp(text, "0x", 2) == 0 || strncmp(text, "0X", 2) == 0;
    const char *digits = hexadecimal ? text + 2 : text;
    char *end = NULL;
    if (strspn(digits, hexadecimal ? "0123456789abcdefABCDEF" : "0123456789") != strlen(digits) ||
        digits[0] == '\0')
        return false;
    errno = 0;
    unsigned long long number = strtoull(digits, &end, hexadecimal ? 16 : 10);
    if (errno != 0 || *end != '\0' || number > UINT32_MAX)
        return false;
    *address = (uint32_t)number;
    return true;
}

/* ------------------------------------------------------------------ files */

struct loaded {
    char *path; /* without the @ADDRESS of a raw binary */
    struct image_file file;
};

static void free_loaded(struct loaded *loaded)
{
    image_file_free(&loaded->file);
    free(loaded->path);
    loaded->path = NULL;
}

static int load_part(const char *name, struct part **part, struct failure *failure)
{
    struct failure why = {0};
    char *directories = NULL;
    if (data_paths_parts(&directories, failure) != 0)
        return -1;
    int result = part_load(directories, name, part, &why);
    free(directories);
    if (result == 0)
        return 0;
    if (why.code == FAILURE_PROFILE_INVALID) /* no such part */
        return failure_set(failure, FAILURE_USAGE, "--part: %s", why.detail);
    return failure_set(failure, why.code, "%s", why.detail);
}

/* FILE, or, for a raw binary, FILE@ADDRESS: unless there is a file of that very name. Cuts the
 * address off. */
static int split_address(char *typed, struct image_request *request, struct failure *failure)
{
    char *at = strrchr(typed, '@');
    if (at == NULL || access(typed, F_OK) == 0)
        return 0;
    *at = '\0';
    if (read_address(at + 1, &request->address)) {
        request->format = IMAGE_FORMAT_BIN;
        request->has_address = true;
        return 0;
    }
    if (access(typed, F_OK) == 0)
        return failure_set(failure, FAILURE_USAGE, "%s@%s: '%s' is no address, as in %s@0x7000",
                           typed, at + 1, at + 1, typed);
    *at = '@'; /* part of a name that is not there */
    return 0;
}

static int read_request(const struct config *config, struct image_request *request,
                        struct failure *failure)
{
    int format = IMAGE_FORMAT_AUTO;
    if (config->action != IMAGE_INFO)
        return 0;
    if (config->format != NULL &&
        command_choice("--format", config->format, image_format_names, &format, failure) != 0)
        return -1;
    request->format = (enum image_format)format;
    if (config->address == NULL)
        return 0;
    if (!read_address(config->address, &request->address))
        return failure_set(failure, FAILURE_USAGE, "--address: '%s' is no address, as in 0x7000",
                           config->address);
    request->has_address = true;
    return 0;
}

/* The caller frees, also after a failure. */
static int load_file(const struct config *config, int index, const struct part *part,
                     struct loaded *loaded, struct failure *failure)
{
    struct image_request request = {0};
    *loaded = (struct loaded){.path = strdup(config->files[index])};
    if (loaded->path == NULL)
        return failure_set(failure, FAILURE_OUT_OF_MEMORY, "out of memory");
    if (read_request(config, &request, failure) != 0 ||
        split_address(loaded->path, &request, failure) != 0)
        return -1;
    request.path = loaded->path;
    return image_file_load(&request, part, &loaded->file, failure);
}

/* ------------------------------------------------------------------ info */

static int show(const struct config *config, const struct image_info *info, struct failure *failure)
{
    if (!config->json)
        image_info_print(info, stdout);
    else if (image_info_write_json(info, stdout) != 0)
        return failure_set(failure, FAILURE_INTERNAL, "the JSON object could not be written");
    return 0;
}

static int show_file(const struct config *config, int index, const struct part *part,
                     struct failure *failure)
{
    struct loaded loaded = {0};
    const struct image_file *file = &loaded.file;
    int result = load_file(config, index, part, &loaded, failure);
    if (result == 0) {
        const struct image_info info = {
            .name = loaded.path,
            .format = image_format_names[file->format],
            .format_title = image_format_title(file->format),
            .sha256 = file->sha256,
            .file_bytes = (int64_t)file->bytes,
            .memories = file->memories,
            .part = part,
        };
        result = show(config, &info, failure);
    }
    free_loaded(&loaded);
    return result;
}

static int show_files(const struct config *config, const struct part *part, struct failure *failure)
{
    for (int i = 0; i < config->file_count; i++)
        if (show_file(config, i, part, failure) != 0)
            return -1;
    return 0;
}

/* What the profile composes, as if it were one file. */
static int fill_memories(const struct profile *profile, struct image_memories *memories,
                         struct failure *failure)
{
    struct image *const *images = memories->images;
    if (image_compose(images[IMAGE_FLASH], profile->flash, "", "", failure) != 0 ||
        (profile->eeprom != NULL &&
         image_compose(images[IMAGE_EEPROM], profile->eeprom, "", "", failure) != 0))
        return -1;
    for (enum part_memory memory = PART_FIRST_FUSE; memory <= PART_LOCK; memory++) {
        const struct profile_byte_rule *rule = profile_rule(profile, memory);
        bool lock = memory == PART_LOCK;
        if (rule == NULL || rule->leave)
            continue;
        if (image_put(images[lock ? IMAGE_LOCK : IMAGE_FUSES],
                      lock ? 0 : (uint32_t)(memory - PART_FIRST_FUSE), &rule->write, 1,
                      profile->path, failure) != 0)
            return -1;
    }
    return 0;
}

static int show_profile(const struct config *config, struct failure *failure)
{
    struct job job = {0};
    struct image_memories *memories = NULL;
    int result = job_load(config->profile, NULL, &job, failure);
    if (result == 0) {
        memories = image_memories_create(job.profile->part, IMAGE_FLASH);
        if (memories == NULL)
            result = failure_set(failure, FAILURE_OUT_OF_MEMORY, "out of memory");
        else
            result = fill_memories(job.profile, memories, failure);
    }
    if (result == 0) {
        const struct image_info info = {
            .name = job.profile->path,
            .format = "profile",
            .format_title = "profile",
            .sha256 = job.profile->sha256,
            .file_bytes = -1,
            .memories = memories,
            .part = job.profile->part,
        };
        result = show(config, &info, failure);
    }
    image_memories_free(memories);
    job_free(&job);
    return result;
}

/* ------------------------------------------------------------------ compose */

/* What the end of a file's name says of its format; AUTO: nothing. */
static enum image_format format_by_name(const char *path)
{
    static const struct {
        const char *ending;
        enum image_format format;
    } endings[] = {
        {".hex", IMAGE_FORMAT_HEX},  {".ihex", IMAGE_FORMAT_HEX},  {".ihx", IMAGE_FORMAT_HEX},
        {".eep", IMAGE_FORMAT_HEX},  {".srec", IMAGE_FORMAT_SREC}, {".s19", IMAGE_FORMAT_SREC},
        {".s28", IMAGE_FORMAT_SREC}, {".s37", IMAGE_FORMAT_SREC},  {".mot", IMAGE_FORMAT_SREC},
        {".bin", IMAGE_FORMAT_BIN},
    };
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot != NULL && i < sizeof(endings) / sizeof(endings[0]); i++)
        if (strcasecmp(dot, endings[i].ending) == 0)
            return endings[i].format;
    return IMAGE_FORMAT_AUTO;
}

static int read_output(const struct config *config, struct image_compose_output *output,
                       struct failure *failure)
{
    static const char *const formats[] = {"hex", "srec", "bin", NULL};
    static const enum image_format values[] = {IMAGE_FORMAT_HEX, IMAGE_FORMAT_SREC,
                                               IMAGE_FORMAT_BIN};
    static const char *const memories[] = {"flash", "eeprom", NULL};
    int format = 0, memory = 0;
    *output = (struct image_compose_output){.path = config->output,
                                            .format = format_by_name(config->output),
                                            .is_memory_named = config->memory != NULL,
                                            .replace = config->force};
    if (config->memory != NULL &&
        command_choice("--memory", config->memory, memories, &memory, failure) != 0)
        return -1;
    output->memory = memory == 0 ? IMAGE_FLASH : IMAGE_EEPROM;
    if (config->format != NULL) {
        if (command_choice("--format", config->format, formats, &format, failure) != 0)
            return -1;
        output->format = values[format];
    }
    if (output->format == IMAGE_FORMAT_AUTO)
        return failure_set(failure, FAILURE_USAGE,
                           "--output: the name '%s' does not tell the format: say --format hex, "
                           "srec or bin",
                           config->output);
    return 0;
}

static int compose(const struct config *config, const struct part *part, struct failure *failure)
{
    const size_t count = (size_t)config->file_count;
    struct loaded files[FILES_MAX] = {0};
    struct image_compose_input inputs[FILES_MAX];
    struct image_compose_output output;
    int result = read_output(config, &output, failure);
    for (size_t i = 0; i < count && result == 0; i++) {
        result = load_file(config, (int)i, part, &files[i], failure);
        inputs[i] = (struct image_compose_input){.path = files[i].path, .file = &files[i].file};
    }
    if (result == 0)
        result = image_compose_files(inputs, count, &output, failure);
    for (size_t i = 0; i < count; i++)
        free_loaded(&files[i]);
    return result;
}

/* ------------------------------------------------------------------ diff */

/* 1: they differ. */
static int compare(const struct config *config, const struct part *part, struct failure *failure)
{
    struct loaded files[2] = {0};
    int result = load_file(config, 0, part, &files[0], failure);
    if (result == 0)
        result = load_file(config, 1, part, &files[1], failure);
    if (result == 0) {
        const struct image_diff_side a = {files[0].path, files[0].file.memories};
        const struct image_diff_side b = {files[1].path, files[1].file.memories};
        result = image_diff_print(&a, &b, stdout) ? 0 : 1;
    }
    free_loaded(&files[0]);
    free_loaded(&files[1]);
    return result;
}

/* ------------------------------------------------------------------ the command */

/* 1: two files differ. */
static int act(const struct config *config, struct failure *failure)
{
    static int (*const actions[])(const struct config *, const struct part *, struct failure *) = {
        [IMAGE_INFO] = show_files, [IMAGE_COMPOSE] = compose, [IMAGE_DIFF] = compare};
    struct part *part = NULL;
    if (config->profile != NULL)
        return show_profile(config, failure);
    if (config->part != NULL && load_part(config->part, &part, failure) != 0)
        return -1;
    int result = actions[config->action](config, part, failure);
    part_free(part);
    return result;
}

/* What to do, for somebody who looks at files: there is no lot to hold. NULL: the detail says all.
 */
static const char *advice(enum failure_code code)
{
    static const struct {
        enum failure_code code;
        const char *sentence;
    } rows[] = {
        {FAILURE_IMAGE_INVALID, "This file is damaged or not a finished image."},
        {FAILURE_IMAGE_UNREADABLE, "Check the name of the file, and that it may be read."},
        {FAILURE_IMAGE_UNKNOWN,
         "If it is a raw binary, say where it belongs: FILE@ADDRESS, as in boot.bin@0x7000."},
        {FAILURE_IMAGE_OVERLAP, "Leave one of the two out, or link it to other addresses."},
        {FAILURE_IMAGE_OUT_OF_RANGE, "Check the part, and the address of a raw binary."},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].code == code)
            return rows[i].sentence;
    return NULL;
}

static int report(const struct failure *failure)
{
    const struct failure_fact *fact = failure_lookup(failure->code);
    const char *sentence = advice(failure->code);
    if (failure->code == FAILURE_USAGE || fact->blame != FAILURE_BLAME_PROFILE)
        return command_report(failure);
    (void)fprintf(stderr, "gangflash: %s: %s\n", fact->name, failure->detail);
    if (sentence != NULL)
        (void)fprintf(stderr, "%s\n", sentence);
    return (int)command_status_of(failure->code);
}

static int run(const void *context, struct failure *failure)
{
    int result = act(context, failure);
    if (result < 0)
        return report(failure);
    return result == 0 ? COMMAND_PASSED : COMMAND_BOARDS_FAILED;
}

const struct command command_image = {
    .name = "image",
    .usage = "info|compose|diff FILE... [OPTION]...",
    .summary = "show, join or compare image files",
    .details = "info tells what each file holds and draws it to scale; with --part also what it\n"
               "means for that part, and whether it reaches into a boot section. compose joins\n"
               "files into one production image; bytes that two of them give are refused. diff\n"
               "compares two files: exit status 0 says equal, 1 different, 2 or 3 trouble.\n"
               "\n"
               "A FILE is Intel HEX, Motorola S-record or ELF, found by its content. A raw binary\n"
               "is never guessed: say FILE@ADDRESS, as in boot.bin@0x7000.",
    .options = options,
    .config_bytes = sizeof(struct config),
    .take_operands = take_operands,
    .run = run,
};
