/* What the schema of profiles says of parts, their fuse and lock bytes, and the rules. Bytes that
 * are alike in several parts stand in it once, called by the first of these parts; parts that are
 * alike in all of their bytes share one case. */
#include <stdio.h>
#include <string.h>

#include "profiles/fuse_rules.h"
#include "profiles/fuse_words.h"
#include "station/schema.h"

#define NAME_BYTES 64

/* ---- what is alike ---- */

static bool same_values(const struct part_field *a, const struct part_field *b)
{
    if (a->value_count != b->value_count)
        return false;
    for (size_t i = 0; i < a->value_count; i++)
        if (a->values[i].code != b->values[i].code ||
            strcmp(a->values[i].name, b->values[i].name) != 0)
            return false;
    return true;
}

static bool same_byte(const struct part *a, const struct part *b, enum part_memory memory)
{
    const struct part_byte *byte_a = part_byte(a, memory), *byte_b = part_byte(b, memory);

    if (byte_a == NULL || byte_b == NULL)
        return byte_a == byte_b;
    if (strcmp(byte_a->name, byte_b->name) != 0 || byte_a->field_count != byte_b->field_count ||
        byte_a->factory_default != byte_b->factory_default ||
        part_byte_is_programmable(a, memory) != part_byte_is_programmable(b, memory))
        return false;
    for (size_t i = 0; i < byte_a->field_count; i++)
        if (strcmp(byte_a->fields[i].name, byte_b->fields[i].name) != 0 ||
            byte_a->fields[i].mask != byte_b->fields[i].mask ||
            !same_values(&byte_a->fields[i], &byte_b->fields[i]))
            return false;
    return true;
}

/* To the schema, that is: in what a profile may say. */
static bool same_part(const struct part *a, const struct part *b)
{
    for (enum part_memory memory = PART_FIRST_FUSE; memory <= PART_LOCK; memory++)
        if (!same_byte(a, b, memory))
            return false;
    return (a->eeprom.size == 0) == (b->eeprom.size == 0);
}

/* The first part that has the byte just so: the one it is called by. */
static const struct part *first_with_byte(const struct part_catalogue *parts,
                                          const struct part *part, enum part_memory memory)
{
    for (size_t i = 0; i < parts->list.count; i++)
        if (parts->parts[i] != NULL && same_byte(parts->parts[i], part, memory))
            return parts->parts[i];
    return part;
}

static void name_byte(const struct part_catalogue *parts, const struct part *part,
                      enum part_memory memory, char name[NAME_BYTES])
{
    (void)snprintf(name, NAME_BYTES, "%s_%s", first_with_byte(parts, part, memory)->name,
                   part_memory_name(part, memory));
}

/* ---- a byte ---- */

/* Two codes of a field may be called alike; the first one is meant. */
static bool is_named_before(const struct part_field *field, unsigned code, const char *choice)
{
    char other[FUSE_WORDS_CHOICE_BYTES];

    for (unsigned i = 0; i < code; i++) {
        fuse_words_choice(field, (uint8_t)i, other);
        if (fuse_words_is_documented(field, (uint8_t)i) && strcmp(other, choice) == 0)
            return true;
    }
    return false;
}

static struct json_object *schema_of_field(const struct part_field *field)
{
    struct json_object *schema = json_object_create();
    struct json_array *choices = json_array_create(), *meanings = json_array_create();
    char description[32];

    for (unsigned code = 0; code < fuse_words_code_count(field); code++) {
        char choice[FUSE_WORDS_CHOICE_BYTES], meaning[FUSE_WORDS_MEANING_BYTES];

        fuse_words_choice(field, (uint8_t)code, choice);
        if (!fuse_words_is_documented(field, (uint8_t)code) || is_named_before(field, code, choice))
            continue;
        fuse_words_meaning(field, (uint8_t)code, meaning);
        json_append_text(choices, choice);
        json_append_text(meanings, meaning);
    }
    (void)snprintf(description, sizeof description, "The bits 0x%02X.", field->mask);
    json_add_text(schema, "description", description);
    json_add_array(schema, "enum", choices);
    json_add_array(schema, "enumDescriptions", meanings); /* VS Code and its kin show these */
    return schema;
}

/* All fields of the byte, none of which need be given. */
static struct json_object *schema_of_fields(const struct part_byte *byte)
{
    struct json_object *schema = json_object_create(), *properties = json_object_create();

    for (size_t i = 0; i < byte->field_count; i++)
        json_add_object(properties, byte->fields[i].name, schema_of_field(&byte->fields[i]));
    json_add_text(schema, "type", "object");
    json_add_bool(schema, "additionalProperties", false);
    json_add_object(schema, "properties", properties);
    return schema;
}

/* A list of bytes, or of fields that differ. */
static struct json_object *schema_of_accept(const char *fields)
{
    struct json_object *schema = json_object_create(), *items = json_object_create();
    struct json_array *all = json_array_create(), *kinds = json_array_create();

    json_append_object(kinds, schema_reference("value"));
    json_append_object(kinds, schema_reference(fields));
    json_add_array(items, "anyOf", kinds);
    json_append_object(all, schema_reference("accept"));
    json_add_array(schema, "allOf", all);
    json_add_object(schema, "items", items);
    return schema;
}

/* The byte as `write` gives it, or every field of it, or both. */
static struct json_array *ways_to_write(const struct part_byte *byte)
{
    struct json_array *ways = json_array_create(), *write = json_array_create(),
                      *fields = json_array_create();
    struct json_object *by_byte = json_object_create(), *by_fields = json_object_create();

    json_append_text(write, "write");
    json_add_array(by_byte, "required", write);
    json_append_object(ways, by_byte);
    for (size_t i = 0; i < byte->field_count; i++)
        json_append_text(fields, byte->fields[i].name);
    json_add_array(by_fields, "required", fields);
    if (byte->field_count > 0)
        json_append_object(ways, by_fields);
    else
        json_object_free(by_fields);
    return ways;
}

static struct json_object *schema_of_mapping(const struct part_byte *byte, const char *fields)
{
    struct json_object *schema = json_object_create(), *properties = json_object_create();
    struct json_object *dependencies = json_object_create();
    struct json_array *because = json_array_create();
    char path[2 * NAME_BYTES];

    json_add_object(properties, "write", schema_reference("write"));
    for (size_t i = 0; i < byte->field_count; i++) {
        (void)snprintf(path, sizeof path, "%s/properties/%s", fields, byte->fields[i].name);
        json_add_object(properties, byte->fields[i].name, schema_reference(path));
    }
    json_add_object(properties, "accept", schema_of_accept(fields));
    json_add_object(properties, "because", schema_reference("because"));
    json_append_text(because, "because");
    json_add_array(dependencies, "accept", because);
    json_add_text(schema, "type", "object");
    json_add_bool(schema, "additionalProperties", false);
    json_add_object(schema, "properties", properties);
    json_add_object(schema, "dependencies", dependencies);
    json_add_array(schema, "anyOf", ways_to_write(byte));
    return schema;
}

static struct json_object *schema_of_leave(void)
{
    struct json_object *schema = json_object_create();
    struct json_array *names = json_array_create();

    json_append_text(names, "leave");
    json_add_array(schema, "enum", names);
    return schema;
}

static void describe_byte(const struct part_byte *byte, struct json_object *schema)
{
    char text[96];
    int used = snprintf(text, sizeof text, "The %s %s.", byte->name,
                        strcmp(byte->name, "lock") == 0 ? "byte" : "fuse");

    if (strcmp(byte->name, "fuse") == 0)
        used = snprintf(text, sizeof text, "The part's only fuse.");
    if (byte->factory_default >= 0)
        (void)snprintf(text + used, sizeof text - (size_t)used, " A new part has 0x%02X.",
                       (unsigned)byte->factory_default);
    json_add_text(schema, "description", text);
}

/* Two definitions: the byte, and NAME_fields, which it refers to. */
static void define_byte(struct json_object *definitions, const struct part *part,
                        enum part_memory memory)
{
    const struct part_byte *byte = part_byte(part, memory);
    struct json_object *schema = json_object_create();
    struct json_array *kinds = json_array_create();
    char name[NAME_BYTES], fields[NAME_BYTES + 8];

    (void)snprintf(name, sizeof name, "%s_%s", part->name, byte->name);
    (void)snprintf(fields, sizeof fields, "%s_fields", name);
    json_append_object(kinds, schema_reference("value"));
    json_append_object(kinds, schema_of_leave());
    json_append_object(kinds, schema_of_mapping(byte, fields));
    describe_byte(byte, schema);
    json_add_array(schema, "anyOf", kinds);
    json_add_object(definitions, name, schema);
    json_add_object(definitions, fields, schema_of_fields(byte));
}

/* ---- the parts ---- */

static struct json_object *schema_of_part_byte(const struct part_catalogue *parts,
                                               const struct part *part, enum part_memory memory)
{
    char name[NAME_BYTES];

    if (!part_byte_is_programmable(part, memory))
        return schema_reference("left_byte");
    name_byte(parts, part, memory, name);
    return schema_reference(name);
}

static struct json_object *schema_of_part_fuses(const struct part_catalogue *parts,
                                                const struct part *part)
{
    static const char *const names[] = {"low", "high", "extended", "fuse"};
    struct json_object *schema = json_object_create(), *properties = json_object_create();
    struct json_array *required = json_array_create();

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        schema_forbid(properties, names[i]);
    for (enum part_memory memory = PART_FIRST_FUSE; memory < PART_LOCK; memory++) {
        if (part_byte(part, memory) == NULL)
            continue;
        json_add_object(properties, part_memory_name(part, memory),
                        schema_of_part_byte(parts, part, memory));
        if (part_byte_is_programmable(part, memory))
            json_append_text(required, part_memory_name(part, memory));
    }
    json_add_object(schema, "properties", properties);
    json_add_array(schema, "required", required);
    return schema;
}

static bool has_programmable_fuse(const struct part *part)
{
    for (enum part_memory memory = PART_FIRST_FUSE; memory < PART_LOCK; memory++)
        if (part_byte_is_programmable(part, memory))
            return true;
    return false;
}

/* What a profile for this part, and for those like it, must be. */
static struct json_object *schema_of_part(const struct part_catalogue *parts,
                                          const struct part *part)
{
    struct json_object *schema = json_object_create(), *properties = json_object_create();
    struct json_array *required = json_array_create();

    json_add_object(properties, "fuses", schema_of_part_fuses(parts, part));
    if (part_byte(part, PART_LOCK) != NULL)
        json_add_object(properties, "lock", schema_of_part_byte(parts, part, PART_LOCK));
    if (part->eeprom.size == 0)
        json_add_object(properties, "eeprom", schema_reference("no_eeprom"));
    if (has_programmable_fuse(part))
        json_append_text(required, "fuses");
    if (part_byte_is_programmable(part, PART_LOCK))
        json_append_text(required, "lock");
    json_add_object(schema, "properties", properties);
    json_add_array(schema, "required", required);
    return schema;
}

/* Those from `first` on that are like it; NULL where one before it is. */
static struct json_array *names_of_alike(const struct part_catalogue *parts, size_t first)
{
    struct json_array *names = NULL;

    for (size_t i = 0; i < parts->list.count; i++) {
        if (parts->parts[i] == NULL || !same_part(parts->parts[i], parts->parts[first]))
            continue;
        if (i < first)
            return NULL;
        if (i == first)
            names = json_array_create();
        json_append_text(names, parts->list.names[i]);
    }
    return names;
}

static struct json_array *part_rules(const struct part_catalogue *parts)
{
    struct json_array *rules = json_array_create();

    for (size_t i = 0; i < parts->list.count; i++) {
        struct json_array *names = parts->parts[i] != NULL ? names_of_alike(parts, i) : NULL;

        if (names != NULL)
            json_append_object(rules,
                               schema_where("part", names, schema_of_part(parts, parts->parts[i])));
    }
    return rules;
}

static void define_bytes(struct json_object *definitions, const struct part_catalogue *parts)
{
    for (size_t i = 0; i < parts->list.count; i++)
        for (enum part_memory memory = PART_FIRST_FUSE; memory <= PART_LOCK; memory++)
            if (parts->parts[i] != NULL && part_byte_is_programmable(parts->parts[i], memory) &&
                first_with_byte(parts, parts->parts[i], memory) == parts->parts[i])
                define_byte(definitions, parts->parts[i], memory);
}

/* ---- the rest ---- */

static struct json_object *schema_of_rules(void)
{
    struct json_object *schema = json_object_create();
    struct json_array *names = json_array_create(), *reasons = json_array_create();
    size_t count = 0;
    const struct fuse_rule *rules = fuse_rules_table(&count);

    for (size_t i = 0; i < count; i++) {
        if (!rules[i].may_be_accepted)
            continue;
        json_append_text(names, rules[i].name);
        json_append_text(reasons, rules[i].reason);
    }
    json_add_array(schema, "enum", names);
    json_add_array(schema, "enumDescriptions", reasons);
    return schema;
}

static struct json_object *schema_of_formats(void)
{
    struct json_object *schema = json_object_create();
    struct json_array *names = json_array_create();

    for (size_t i = 0; image_format_names[i] != NULL; i++)
        json_append_text(names, image_format_names[i]);
    json_add_array(schema, "enum", names);
    return schema;
}

void schema_complete_profile(struct json_object *schema, const struct part_catalogue *parts)
{
    struct json_object *definitions = json_take_object(schema, "definitions");

    json_add_object(definitions, "format_name", schema_of_formats());
    json_add_object(definitions, "part", schema_of_parts(parts));
    json_add_object(definitions, "rule", schema_of_rules());
    define_bytes(definitions, parts);
    json_add_array(schema, "allOf", part_rules(parts));
    json_add_object(schema, "definitions", definitions);
}
