#include "station/command_fuses.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "profiles/byte_text.h"
#include "profiles/document.h"
#include "profiles/fuse_words.h"
#include "reports/json.h"
#include "station/data_paths.h"

#define NAME_BYTES 32
#define NAMES_MAX 64

struct config {
    const char *part;
    char **settings; /* "low=0xFF", "BOOTRST=on" */
    int setting_count;
    bool json;
};

static const struct command_option options[] = {
    {"json", NULL, "print a JSON object", COMMAND_KEEP(struct config, json)},
    COMMAND_OPTION_HELP,
    {0},
};

/* The bytes that are told about: as the part leaves the factory, but for what was asked. */
struct bytes {
    const struct part *part;
    uint8_t value[PART_FUSE_AND_LOCK_COUNT]; /* index: memory - PART_FIRST_FUSE */
};

/* ------------------------------------------------------------------ what was asked */

static void begin(struct bytes *bytes, const struct part *part)
{
    bytes->part = part;
    for (enum part_memory memory = PART_FIRST_FUSE; memory <= PART_LOCK; memory++) {
        const struct part_byte *byte = part_byte(part, memory);
        bool known = byte != NULL && byte->factory_default >= 0;
        bytes->value[memory - PART_FIRST_FUSE] = known ? (uint8_t)byte->factory_default : 0xFF;
    }
}

/* Does the part have a byte of this name? Other tools have other names. */
static bool find_byte(const struct part *part, const char *name, enum part_memory *memory)
{
    for (enum part_memory at = PART_FIRST_FUSE; at <= PART_LOCK; at++)
        if (part_byte(part, at) != NULL && strcmp(part_memory_name(part, at), name) == 0) {
            *memory = at;
            return true;
        }
    return false;
}

static int set_byte(struct bytes *bytes, enum part_memory memory, const char *text,
                    struct failure *failure)
{
    char advice[BYTE_TEXT_ADVICE_BYTES];
    if (byte_text_parse(text, &bytes->value[memory - PART_FIRST_FUSE], advice))
        return 0;
    return failure_set(
        failure, FAILURE_USAGE, "fuses: %s: found '%.40s'%s", part_memory_name(bytes->part, memory),
        text, advice[0] != '\0' ? advice : ", expected a number from 0 to 255, as in 0xDE");
}

static int set_field(struct bytes *bytes, const struct part_field *field, enum part_memory memory,
                     const char *text, struct failure *failure)
{
    uint8_t *value = &bytes->value[memory - PART_FIRST_FUSE];
    struct failure why = {0};
    uint8_t code = 0;
    if (fuse_words_parse(field, text, &code, &why) != 0)
        return failure_set(failure, FAILURE_USAGE, "fuses: %s", why.detail);
    *value = fuse_words_with(field, *value, code);
    return 0;
}

/* The names of a part's bytes and of all of their fields. */
static size_t list_names(const struct part *part, const char *names[NAMES_MAX + 1])
{
    size_t count = 0;
    for (enum part_memory memory = PART_FIRST_FUSE; memory <= PART_LOCK; memory++) {
        const struct part_byte *byte = part_byte(part, memory);
        if (byte != NULL && count < NAMES_MAX)
            names[count++] = byte->name;
        for (size_t i = 0; byte != NULL && i < byte->field_count && count < NAMES_MAX; i++)
            names[count++] = byte->fields[i].name;
    }
    names[count] = NULL;
    return count;
}

static int fail_unknown(const struct part *part, const char *name, struct failure *failure)
{
    const char *names[NAMES_MAX + 1], *nearest = fuse_words_our_name(name);
    size_t count = list_names(part, names);
    char list[400] = "", upper[NAME_BYTES] = "";
    for (size_t i = 0; name[i] != '\0' && i + 1 < sizeof(upper); i++)
        upper[i] = (char)toupper((unsigned char)name[i]);
    if (nearest != NULL)
        return failure_set(failure, FAILURE_USAGE, "fuses: use %s instead of %s", nearest, name);
    const struct part_field *joined = fuse_words_find_joined(part, name);
    nearest = joined != NULL ? joined->name : document_nearest(name, names);
    if (nearest == NULL)
        nearest = document_nearest(upper, names);
    if (nearest != NULL)
        return failure_set(failure, FAILURE_USAGE, "fuses: %s has no '%s', did you mean '%s'?",
                           part->name, name, nearest);
    for (size_t i = 0, used = 0; i < count && used < sizeof(list); i++)
        used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", used > 0 ? ", " : "",
                                 names[i]);
    return failure_set(failure, FAILURE_USAGE, "fuses: %s has no '%s', expected one of %s",
                       part->name, name, list);
}

/* One "NAME=VALUE". Whole bytes come first, fields go into them: `whole` says which are meant. */
static int set(struct bytes *bytes, const char *setting, bool whole, struct failure *failure)
{
    const char *equals = strchr(setting, '=');
    enum part_memory memory = PART_FUSE_LOW;
    char name[NAME_BYTES];
    if (equals == NULL || equals == setting)
        return failure_set(failure, FAILURE_USAGE,
                           "fuses: found '%.40s', expected NAME=VALUE, as in high=0xDE or "
                           "BOOTRST=on",
                           setting);
    snprintf(name, sizeof(name), "%.*s", (int)(equals - setting), setting);
    if (find_byte(bytes->part, name, &memory))
        return whole ? set_byte(bytes, memory, equals + 1, failure) : 0;
    const struct part_field *field = fuse_words_find(bytes->part, name, &memory);
    if (field == NULL)
        return fail_unknown(bytes->part, name, failure);
    return whole ? 0 : set_field(bytes, field, memory, equals + 1, failure);
}

static int set_all(struct bytes *bytes, const struct config *config, struct failure *failure)
{
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < config->setting_count; i++)
            if (set(bytes, config->settings[i], pass == 0, failure) != 0)
                return -1;
    return 0;
}

/* ------------------------------------------------------------------ for people */

/* Is the choice another than the factory's? `factory` receives that one's name, "" where it is not
 * known. */
static bool differs(const struct part_byte *byte, const struct part_field *field, uint8_t value,
                    char factory[FUSE_WORDS_CHOICE_BYTES])
{
    factory[0] = '\0';
    if (byte->factory_default < 0)
        return false;
    uint8_t code = fuse_words_code(field, (uint8_t)byte->factory_default);
    fuse_words_choice(field, code, factory);
    return code != fuse_words_code(field, value);
}

static void print_field(const struct part_byte *byte, const struct part_field *field, uint8_t value)
{
    char choice[FUSE_WORDS_CHOICE_BYTES], factory[FUSE_WORDS_CHOICE_BYTES];
    char meaning[FUSE_WORDS_MEANING_BYTES];
    uint8_t code = fuse_words_code(field, value);
    fuse_words_choice(field, code, choice);
    fuse_words_meaning(field, code, meaning);
    printf("    %-10s  %s\n", field->name, choice);
    if (meaning[0] != '\0')
        printf("                %s\n", meaning);
    if (differs(byte, field, value, factory))
        printf("                (from the factory: %s)\n", factory);
}

static void print_byte(const struct bytes *bytes, enum part_memory memory)
{
    const struct part_byte *byte = part_byte(bytes->part, memory);
    uint8_t value = bytes->value[memory - PART_FIRST_FUSE];
    if (byte == NULL)
        return;
    printf("  %s 0x%02X", byte->name, value);
    if (byte->factory_default < 0)
        printf(", the factory's is not known");
    else if (part_byte_equal(bytes->part, memory, value, (uint8_t)byte->factory_default))
        printf(", as from the factory");
    else
        printf(", from the factory 0x%02X", (unsigned)byte->factory_default);
    if (byte->mask != 0xFF)
        printf("; only the bits 0x%02X exist", byte->mask);
    printf("\n");
    for (size_t i = 0; i < byte->field_count; i++)
        print_field(byte, &byte->fields[i], value);
}

static void print_bytes(const struct bytes *bytes)
{
    printf("%s\n", bytes->part->name);
    for (enum part_memory memory = PART_FIRST_FUSE; memory <= PART_LOCK; memory++)
        print_byte(bytes, memory);
}

/* All that there is to choose in a field. */
static void print_choices(const struct part_field *field)
{
    for (unsigned code = 0; code < fuse_words_code_count(field); code++) {
        char choice[FUSE_WORDS_CHOICE_BYTES], meaning[FUSE_WORDS_MEANING_BYTES];
        if (!fuse_words_is_documented(field, (uint8_t)code))
            continue;
        fuse_words_choice(field, (uint8_t)code, choice);
        fuse_words_meaning(field, (uint8_t)code, meaning);
        printf("%s=%s%s%s\n", field->name, choice, meaning[0] != '\0' ? ": " : "", meaning);
    }
}

/* ------------------------------------------------------------------ for programs */

static struct json_object *field_to_json(const struct part_byte *byte,
                                         const struct part_field *field, uint8_t value)
{
    struct json_object *object = json_object_create();
    char choice[FUSE_WORDS_CHOICE_BYTES], factory[FUSE_WORDS_CHOICE_BYTES];
    char meaning[FUSE_WORDS_MEANING_BYTES];
    uint8_t code = fuse_words_code(field, value);
    fuse_words_choice(field, code, choice);
    fuse_words_meaning(field, code, meaning);
    json_add_text(object, "field", field->name);
    json_add_integer(object, "code", code);
    json_add_text(object, "choice", choice);
    json_add_bool(object, "documented", fuse_words_is_documented(field, code));
    json_add_text(object, "meaning", meaning[0] != '\0' ? meaning : NULL);
    json_add_bool(object, "differs_from_factory", differs(byte, field, value, factory));
    json_add_text(object, "factory", factory[0] != '\0' ? factory : NULL);
    return object;
}

static struct json_object *byte_to_json(const struct part_byte *byte, uint8_t value)
{
    struct json_object *object = json_object_create();
    struct json_array *fields = json_array_create();
    for (size_t i = 0; i < byte->field_count; i++)
        json_append_object(fields, field_to_json(byte, &byte->fields[i], value));
    json_add_text(object, "fuse", byte->name);
    json_add_integer(object, "value", value);
    json_add_integer(object, "mask", byte->mask);
    if (byte->factory_default >= 0)
        json_add_integer(object, "factory", byte->factory_default);
    else
        json_add_null(object, "factory");
    json_add_array(object, "fields", fields);
    return object;
}

static struct json_object *bytes_to_json(const struct bytes *bytes)
{
    struct json_object *object = json_object_create();
    struct json_array *fuses = json_array_create();
    for (enum part_memory memory = PART_FIRST_FUSE; memory <= PART_LOCK; memory++)
        if (part_byte(bytes->part, memory) != NULL)
            json_append_object(fuses, byte_to_json(part_byte(bytes->part, memory),
                                                   bytes->value[memory - PART_FIRST_FUSE]));
    json_add_text(object, "part", bytes->part->name);
    json_add_array(object, "fuses", fuses);
    return object;
}

static struct json_object *choices_to_json(const struct part *part, const struct part_field *field)
{
    struct json_object *object = json_object_create();
    struct json_array *choices = json_array_create();
    for (unsigned code = 0; code < fuse_words_code_count(field); code++) {
        char choice[FUSE_WORDS_CHOICE_BYTES], meaning[FUSE_WORDS_MEANING_BYTES];
        struct json_object *one;
        if (!fuse_words_is_documented(field, (uint8_t)code))
            continue;
        fuse_words_choice(field, (uint8_t)code, choice);
        fuse_words_meaning(field, (uint8_t)code, meaning);
        one = json_object_create();
        json_add_integer(one, "code", code);
        json_add_text(one, "choice", choice);
        json_add_text(one, "meaning", meaning[0] != '\0' ? meaning : NULL);
        json_append_object(choices, one);
    }
    json_add_text(object, "part", part->name);
    json_add_text(object, "field", field->name);
    json_add_array(object, "choices", choices);
    return object;
}

static int print_json(struct json_object *object, struct failure *failure)
{
    if (json_object_write_line(object, stdout) == 0)
        return 0;
    return failure_set(failure, FAILURE_INTERNAL, "the JSON object could not be written");
}

/* ------------------------------------------------------------------ the command */

/* One field alone, without a choice: what there is to choose. */
static int show_choices(const struct part *part, const struct config *config,
                        struct failure *failure)
{
    enum part_memory memory;
    const struct part_field *field = fuse_words_find(part, config->settings[0], &memory);
    if (field == NULL)
        return fail_unknown(part, config->settings[0], failure);
    if (config->json)
        return print_json(choices_to_json(part, field), failure);
    print_choices(field);
    return 0;
}

static int show_bytes(const struct part *part, const struct config *config, struct failure *failure)
{
    struct bytes bytes;
    begin(&bytes, part);
    if (set_all(&bytes, config, failure) != 0)
        return -1;
    if (config->json)
        return print_json(bytes_to_json(&bytes), failure);
    print_bytes(&bytes);
    return 0;
}

static int take_operands(void *context, int count, char **operands, struct failure *failure)
{
    struct config *config = context;
    if (count == 0)
        return failure_set(failure, FAILURE_USAGE, "fuses: PART is missing, as in ATmega328P");
    config->part = operands[0];
    config->settings = operands + 1;
    config->setting_count = count - 1;
    return 0;
}

static int run(const void *context, struct failure *failure)
{
    const struct config *config = context;
    struct part *part = NULL;
    if (data_paths_load_part("fuses", config->part, &part, failure) != 0)
        return -1;
    bool choices = config->setting_count == 1 && strchr(config->settings[0], '=') == NULL;
    int result = choices ? show_choices(part, config, failure) : show_bytes(part, config, failure);
    part_free(part);
    return result;
}

const struct command command_fuses = {
    .name = "fuses",
    .usage =
        "[OPTION]... PART [low=BYTE] [high=BYTE] [extended=BYTE] [lock=BYTE] [FIELD=CHOICE]...",
    .summary = "say what fuse and lock bytes mean, and which bytes mean what you want",
    .details =
        "Without bytes and fields: what the part is like when it leaves the factory. A byte\n"
        "that is given takes the factory's place; a field then changes its bits in it.\n"
        "BYTE is as in 0x62; here and in a profile 62 alone, which may be 0x3E, is refused.\n"
        "CHOICE is on or off, or one of the field's own, as in BOOTSZ='2048 words' or\n"
        "BODLEVEL='2.7 V'. On is programmed, which is a bit of 0.",
    .options = options,
    .config_bytes = sizeof(struct config),
    .take_operands = take_operands,
    .run = run,
};
