#include <ctype.h>
#include <string.h>

#include "profiles/byte_text.h"
#include "profiles/fuse_words.h"
#include "profiles/profile_reader.h"

#define KEYS_MAX 24 /* of a byte: eight fields at most, and a few of its rule */

static const char *const fuse_keys[] = {"low", "high", "extended", "fuse", NULL};

static int read_value(struct profile_reader *reader, const struct document_node *node,
                      uint8_t *value)
{
    return document_byte(reader->document, node, 0, UINT8_MAX, value, reader->failure);
}

/* ---- fields by name ---- */

/* One field's choice, into its bits of `value`. */
static int read_field(struct profile_reader *reader, const struct part_field *field,
                      const struct document_node *node, uint8_t *value)
{
    struct failure why = {0};
    const char *text = NULL;
    uint8_t code = 0;

    if (document_text(reader->document, node, &text, reader->failure) != 0)
        return -1;
    if (fuse_words_parse(field, text, &code, &why) != 0)
        return document_fail(reader->document, node, reader->failure, "%s", why.detail);
    *value = fuse_words_with(field, *value, code);
    return 0;
}

/* All fields that `map` names, into `value`; `given` receives their bits. */
static int read_fields(struct profile_reader *reader, const struct document_node *map,
                       enum part_memory memory, uint8_t *value, uint8_t *given)
{
    const struct part_byte *byte = part_byte(reader->profile->part, memory);

    *given = 0;
    for (size_t i = 0; i < byte->field_count; i++) {
        const struct document_node *node = document_find(map, byte->fields[i].name);

        if (node && read_field(reader, &byte->fields[i], node, value) != 0)
            return -1;
        if (node)
            *given |= byte->fields[i].mask;
    }
    return 0;
}

/* A byte and fields stand together: they say the same. */
static int check_agreement(struct profile_reader *reader, const struct document_node *map,
                           enum part_memory memory, uint8_t written, uint8_t named)
{
    const struct part_byte *byte = part_byte(reader->profile->part, memory);

    for (size_t i = 0; i < byte->field_count; i++) {
        const struct part_field *field = &byte->fields[i];
        const struct document_node *node = document_find(map, field->name);
        char choice[FUSE_WORDS_CHOICE_BYTES];

        if (!node || ((written ^ named) & field->mask) == 0)
            continue;
        fuse_words_choice(field, fuse_words_code(field, written), choice);
        return document_fail(reader->document, node, reader->failure,
                             "%s does not agree with write: in 0x%02X it is %s", field->name,
                             written, choice);
    }
    return 0;
}

/* Fields alone make the byte: then each is given, for one that is left out would be guessed. */
static int check_all_named(struct profile_reader *reader, const struct document_node *map,
                           enum part_memory memory, uint8_t given)
{
    const struct part_byte *byte = part_byte(reader->profile->part, memory);

    for (size_t i = 0; i < byte->field_count; i++)
        if ((byte->fields[i].mask & ~given) != 0)
            return document_fail(reader->document, map, reader->failure,
                                 "%s of '%s' is missing: give every field, or the byte as write",
                                 byte->fields[i].name, byte->name);
    return 0;
}

/* The byte as `write` gives it, as fields do, or as both do. */
static int read_written(struct profile_reader *reader, const struct document_node *map,
                        enum part_memory memory, uint8_t *value)
{
    const struct document_node *write = document_find(map, "write");
    uint8_t named = 0xFF, given = 0; /* bits that do not exist are written as 1 */

    if (write && read_value(reader, write, value) != 0)
        return -1;
    if (write)
        named = *value;
    if (read_fields(reader, map, memory, &named, &given) != 0)
        return -1;
    if (write)
        return check_agreement(reader, map, memory, *value, named);
    if (given == 0)
        return document_need(reader->document, map, "write", &write, reader->failure);
    *value = named;
    return check_all_named(reader, map, memory, given);
}

/* A key that is a field of another byte: it is not misspelt, but at the wrong place. */
static int check_belongs(struct profile_reader *reader, const struct document_node *map,
                         enum part_memory memory)
{
    const struct part *part = reader->profile->part;
    const struct document_node *key = NULL;

    for (size_t i = 0; i < document_count(map); i++) {
        enum part_memory owner = memory;
        const char *name = document_pair(map, i, &key, NULL);
        const struct part_field *field = name ? fuse_words_find(part, name, &owner) : NULL;

        if (field && owner != memory)
            return document_fail(reader->document, key, reader->failure,
                                 "unknown key '%.40s', %s of %s is a field of '%s'", name,
                                 field->name, part->name, part_memory_name(part, owner));
        field = name && !field ? fuse_words_find_joined(part, name) : NULL;
        if (field)
            return document_fail(reader->document, key, reader->failure,
                                 "unknown key '%.40s', it is a part of %s: gangflash fuses %s %s "
                                 "says what there is",
                                 name, field->name, part->name, field->name);
    }
    return 0;
}

/* The byte's fields, and whatever else may stand beside them. */
static int check_keys(struct profile_reader *reader, const struct document_node *map,
                      enum part_memory memory, const char *const others[])
{
    const struct part_byte *byte = part_byte(reader->profile->part, memory);
    const char *keys[KEYS_MAX + 1] = {NULL};
    size_t count = 0;

    for (size_t i = 0; others[i] && count < KEYS_MAX; i++)
        keys[count++] = others[i];
    for (size_t i = 0; i < byte->field_count && count < KEYS_MAX; i++)
        keys[count++] = byte->fields[i].name;
    if (check_belongs(reader, map, memory) != 0)
        return -1;
    return document_check_keys(reader->document, map, keys, reader->failure);
}

/* ---- a rule ---- */

/* A byte, or fields in which it differs from the one that is written. */
static int read_accepted(struct profile_reader *reader, const struct document_node *node,
                         enum part_memory memory, uint8_t written, uint8_t *value)
{
    static const char *const none[] = {NULL};
    uint8_t given = 0;

    if (document_node_kind(node) != DOCUMENT_MAPPING)
        return read_value(reader, node, value);
    *value = written;
    if (check_keys(reader, node, memory, none) != 0)
        return -1;
    return read_fields(reader, node, memory, value, &given);
}

static int read_accept(struct profile_reader *reader, const struct document_node *list,
                       enum part_memory memory, struct profile_byte_rule *rule)
{
    size_t count = document_count(list);

    if (document_node_kind(list) != DOCUMENT_SEQUENCE || count == 0 || count > PROFILE_ACCEPT_MAX)
        return document_fail(reader->document, list, reader->failure,
                             "expected a list of 1 to %d values, as in [0x99] or [{JTAGEN: off}]",
                             PROFILE_ACCEPT_MAX);
    for (size_t i = 0; i < count; i++) {
        rule->accept_positions[i] = profile_position_of(document_item(list, i));
        if (read_accepted(reader, document_item(list, i), memory, rule->write, &rule->accept[i]) !=
            0)
            return -1;
    }
    rule->accept_count = count;
    return 0;
}

static int read_rule_map(struct profile_reader *reader, const struct document_node *map,
                         enum part_memory memory, struct profile_byte_rule *rule)
{
    static const char *const keys[] = {"write", "accept", "because", NULL};
    const struct document_node *accept, *because, *write = document_find(map, "write");

    if (write)
        rule->position = profile_position_of(write);
    if (check_keys(reader, map, memory, keys) != 0 ||
        read_written(reader, map, memory, &rule->write) != 0)
        return -1;
    accept = document_find(map, "accept");
    because = document_find(map, "because");
    if (accept && read_accept(reader, accept, memory, rule) != 0)
        return -1;
    if (because)
        return profile_read_reason(reader, because, rule->because, sizeof(rule->because));
    if (accept)
        return document_fail(reader->document, accept, reader->failure,
                             "accept is given, but the key 'because' with its reason is missing");
    return 0;
}

static int fail_value(struct profile_reader *reader, const struct document_node *node,
                      const char *text)
{
    static const char *const names[] = {"leave", NULL};
    char advice[BYTE_TEXT_ADVICE_BYTES] = "";
    uint8_t byte = 0;

    if (text && document_nearest(text, names))
        return document_fail(reader->document, node, reader->failure,
                             "found '%.40s', did you mean 'leave'?", text);
    if (text && !byte_text_parse(text, &byte, advice) && advice[0] != '\0')
        return document_fail(reader->document, node, reader->failure, "found '%.40s'%s", text,
                             advice);
    return document_fail(reader->document, node, reader->failure,
                         "found %s%.40s%s, expected a number from 0 to 255, leave, fields as in "
                         "{BOOTRST: on, …}, or {write: …, accept: […], because: …}",
                         text ? "'" : "", text ? text : "no value", text ? "'" : "");
}

static int read_rule(struct profile_reader *reader, const struct document_node *node,
                     enum part_memory memory)
{
    struct profile_byte_rule *rule = &reader->profile->rules[memory - PART_FIRST_FUSE];
    const char *text = NULL;

    rule->exists = true;
    rule->position = profile_position_of(node);
    if (document_node_kind(node) == DOCUMENT_MAPPING)
        return read_rule_map(reader, node, memory, rule);
    if (document_node_kind(node) == DOCUMENT_SCALAR &&
        document_text(reader->document, node, &text, NULL) == 0 && strcmp(text, "leave") == 0) {
        rule->leave = true;
        return 0;
    }
    if (text && isdigit((unsigned char)text[0]))
        return read_value(reader, node, &rule->write);
    return fail_value(reader, node, text);
}

/* A byte that cannot be both read and written over ISP stays as it is, whether or not the profile
 * says so: a value that was asked for could not be verified. */
static int read_left_rule(struct profile_reader *reader, const struct document_node *node,
                          enum part_memory memory)
{
    const struct part *part = reader->profile->part;
    const struct part_byte *byte = part_byte(part, memory);
    struct profile_byte_rule *rule = &reader->profile->rules[memory - PART_FIRST_FUSE];
    const char *text = NULL;

    rule->exists = true;
    rule->leave = true;
    if (!node ||
        (document_node_kind(node) == DOCUMENT_SCALAR &&
         document_text(reader->document, node, &text, NULL) == 0 && strcmp(text, "leave") == 0))
        return 0;
    return document_fail(reader->document, node, reader->failure,
                         "'%s' of %s cannot be %s: leave it out, or say leave", byte->name,
                         part->name,
                         byte->readable   ? "written over ISP"
                         : byte->writable ? "read over ISP, so no value could be verified"
                                          : "read or written over ISP");
}

/* ---- all of them ---- */

/* The part's fuse of this name; PART_MEMORY_COUNT when it has none. */
static enum part_memory fuse_by_name(const struct part *part, const char *name)
{
    for (enum part_memory memory = PART_FIRST_FUSE; memory < PART_LOCK; memory++)
        if (part_byte(part, memory) && strcmp(part_memory_name(part, memory), name) == 0)
            return memory;
    return PART_MEMORY_COUNT;
}

static bool is_lock(const char *our_name)
{
    return our_name && strcmp(our_name, "lock") == 0;
}

static int check_fuse_names(struct profile_reader *reader, const struct document_node *fuses)
{
    const struct part *part = reader->profile->part;
    const struct document_node *key = NULL;

    for (size_t i = 0; i < document_count(fuses); i++) {
        const char *name = document_pair(fuses, i, &key, NULL);

        if (name && (strcmp(name, "lock") == 0 || is_lock(fuse_words_our_name(name))))
            return document_fail(reader->document, key, reader->failure,
                                 "unknown key '%s' here: the lock byte stands beside 'fuses', as "
                                 "in lock: 0xFF",
                                 name);
        if (name && fuse_words_our_name(name))
            return document_fail(reader->document, key, reader->failure, "unknown key '%s', use %s",
                                 name, fuse_words_our_name(name));
    }
    if (check_belongs(reader, fuses, PART_MEMORY_COUNT) != 0 ||
        document_check_keys(reader->document, fuses, fuse_keys, reader->failure) != 0)
        return -1;
    for (size_t i = 0; i < document_count(fuses); i++) {
        const char *name = document_pair(fuses, i, &key, NULL);

        if (fuse_by_name(part, name) == PART_MEMORY_COUNT)
            return document_fail(reader->document, key, reader->failure,
                                 "found the fuse '%s', but %s has none of that name", name,
                                 part->name);
    }
    return 0;
}

/* `missing` locates the message when the byte is not given. */
static int read_byte(struct profile_reader *reader, const struct document_node *node,
                     const struct document_node *missing, enum part_memory memory)
{
    const struct part *part = reader->profile->part;

    if (!part_byte_is_programmable(part, memory))
        return read_left_rule(reader, node, memory);
    if (!node)
        return document_fail(reader->document, missing, reader->failure,
                             "the fuse '%s' of %s is missing: give its value, or say leave",
                             part_memory_name(part, memory), part->name);
    return read_rule(reader, node, memory);
}

static bool has_programmable_fuse(const struct part *part)
{
    for (enum part_memory memory = PART_FIRST_FUSE; memory < PART_LOCK; memory++)
        if (part_byte_is_programmable(part, memory))
            return true;
    return false;
}

int profile_read_fuses(struct profile_reader *reader, const struct document_node *root)
{
    const struct part *part = reader->profile->part;
    const struct document_node *fuses = document_find(root, "fuses");
    const struct document_node *lock = document_find(root, "lock");

    if (has_programmable_fuse(part) &&
        document_need(reader->document, root, "fuses", &fuses, reader->failure) != 0)
        return -1;
    if (fuses && check_fuse_names(reader, fuses) != 0)
        return -1;
    for (enum part_memory memory = PART_FIRST_FUSE; memory < PART_LOCK; memory++) {
        const struct document_node *node = document_find(fuses, part_memory_name(part, memory));

        if (part_byte(part, memory) && read_byte(reader, node, fuses, memory) != 0)
            return -1;
    }
    if (part_byte_is_programmable(part, PART_LOCK) &&
        document_need(reader->document, root, "lock", &lock, reader->failure) != 0)
        return -1;
    return part_byte(part, PART_LOCK) ? read_byte(reader, lock, root, PART_LOCK) : 0;
}
