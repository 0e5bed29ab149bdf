#include "profiles/document.h"

#include <ctype.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "profiles/byte_text.h"
#include "profiles/text_file.h"

#define DEPTH_MAX 16
#define NODES_MAX 20000
#define NAME_COMPARED_MAX 48 /* longer names are not looked at for typing errors */

struct document_node {
    enum document_kind kind;
    size_t line, column; /* from 1 */
    bool plain;          /* a scalar without quotes */
    char *text;          /* of a scalar */
    /* Items of a sequence; of a mapping key, value, key, value, … */
    struct document_node **children;
    size_t child_count;
    size_t child_capacity;
    struct document_node *next; /* in the order of creation, for freeing */
};

struct storage {
    struct document_node *nodes;
    size_t node_count;
};

/* A parse under way. The parser's recursion is bounded by DEPTH_MAX. */
struct reader {
    yaml_parser_t parser;
    struct document *document;
    const char *text;
    size_t bytes;
    struct failure *failure;
};

/* ---- messages ---- */

static int fail_at(const struct document *document, size_t line, size_t column,
                   struct failure *failure, const char *text)
{
    return failure_set(failure, document->code, "%s:%zu:%zu: %s",
                       text_file_shown_path(document->path), line, column, text);
}

static int fail_memory(const struct document *document, struct failure *failure)
{
    return failure_set(failure, FAILURE_OUT_OF_MEMORY, "%s: out of memory",
                       text_file_shown_path(document->path));
}

int document_fail(const struct document *document, const struct document_node *node,
                  struct failure *failure, const char *format, ...)
{
    char text[FAILURE_DETAIL_BYTES];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    return fail_at(document, node ? node->line : 1, node ? node->column : 1, failure, text);
}

int document_fail_as(const struct document *document, const struct document_node *node,
                     enum failure_code code, struct failure *failure, const char *format, ...)
{
    char text[FAILURE_DETAIL_BYTES];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    return failure_set(failure, code, "%s:%zu:%zu: %s", text_file_shown_path(document->path),
                       node->line, node->column, text);
}

/* What YAML has for nothing. */
static bool is_nothing(const struct document_node *node)
{
    static const char *const words[] = {"", "~", "null", "Null", "NULL"};

    for (size_t i = 0; node->plain && i < sizeof words / sizeof *words; i++)
        if (strcmp(node->text, words[i]) == 0)
            return true;
    return false;
}

static const char *kind_name(const struct document_node *node)
{
    if (node->kind == DOCUMENT_SEQUENCE)
        return "a list";
    if (node->kind == DOCUMENT_MAPPING)
        return "a mapping";
    return is_nothing(node) ? "nothing" : "text";
}

/* What was found, for messages: the text of a scalar in quotes, else what kind of thing it is. */
static const char *found(const struct document_node *node, char *text, size_t text_bytes)
{
    if (node->kind == DOCUMENT_SCALAR && (node->text[0] != '\0' || !node->plain))
        snprintf(text, text_bytes, "'%.40s'%s", node->text, strlen(node->text) > 40 ? "…" : "");
    else
        snprintf(text, text_bytes, "%s", kind_name(node));
    return text;
}

/* ---- reading the tree ---- */

enum document_kind document_node_kind(const struct document_node *node)
{
    return node->kind;
}

void document_position(const struct document_node *node, int *line, int *column)
{
    *line =
        (int)node->line; /* a document of DOCUMENT_BYTES_MAX cannot have more than an int holds */
    *column = (int)node->column;
}

size_t document_count(const struct document_node *node)
{
    if (!node || node->kind == DOCUMENT_SCALAR)
        return 0;
    return node->kind == DOCUMENT_MAPPING ? node->child_count / 2 : node->child_count;
}

const struct document_node *document_item(const struct document_node *sequence, size_t index)
{
    if (!sequence || sequence->kind != DOCUMENT_SEQUENCE || index >= sequence->child_count)
        return NULL;
    return sequence->children[index];
}

const char *document_pair(const struct document_node *map, size_t index,
                          const struct document_node **key, const struct document_node **value)
{
    if (!map || map->kind != DOCUMENT_MAPPING || index >= map->child_count / 2)
        return NULL;
    if (key)
        *key = map->children[2 * index];
    if (value)
        *value = map->children[2 * index + 1];
    return map->children[2 * index]->text;
}

const struct document_node *document_find(const struct document_node *map, const char *key)
{
    const struct document_node *value = NULL;

    for (size_t i = 0; i < document_count(map); i++) {
        const char *name = document_pair(map, i, NULL, &value);

        if (name && strcmp(name, key) == 0)
            return value;
    }
    return NULL;
}

int document_need(const struct document *document, const struct document_node *map, const char *key,
                  const struct document_node **node, struct failure *failure)
{
    char text[80];

    if (!map || map->kind != DOCUMENT_MAPPING)
        return document_fail(document, map, failure, "found %s, expected a mapping with the key %s",
                             map ? found(map, text, sizeof(text)) : "nothing", key);
    *node = document_find(map, key);
    if (!*node)
        return document_fail(document, map, failure, "the key '%s' is missing here", key);
    return 0;
}

static bool is_known(const char *text, const char *const names[])
{
    for (size_t i = 0; names[i]; i++)
        if (strcmp(text, names[i]) == 0)
            return true;
    return false;
}

/* "a, b or c", cut to fit. */
static void join_names(const char *const names[], char *text, size_t text_bytes)
{
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; names[i] && used < text_bytes; i++) {
        const char *between = i == 0 ? "" : names[i + 1] ? ", " : " or ";
        int length = snprintf(text + used, text_bytes - used, "%s%s", between, names[i]);

        used += length > 0 ? (size_t)length : 0;
    }
}

static int fail_unknown(const struct document *document, const struct document_node *node,
                        const char *what, const char *const names[], struct failure *failure)
{
    const char *nearest = document_nearest(node->text, names);
    char list[200];

    if (nearest)
        return document_fail(document, node, failure, "%s '%.40s', did you mean '%s'?", what,
                             node->text, nearest);
    join_names(names, list, sizeof(list));
    return document_fail(document, node, failure, "%s '%.40s', expected %s", what, node->text,
                         list);
}

int document_check_keys(const struct document *document, const struct document_node *map,
                        const char *const known[], struct failure *failure)
{
    char text[80], list[200];
    const struct document_node *key = NULL;

    if (map->kind != DOCUMENT_MAPPING) {
        join_names(known, list, sizeof(list));
        return document_fail(document, map, failure, "found %s, expected a mapping with %s",
                             found(map, text, sizeof(text)), list);
    }
    for (size_t i = 0; i < document_count(map); i++) {
        const char *name = document_pair(map, i, &key, NULL);

        if (!is_known(name, known))
            return fail_unknown(document, key, "unknown key", known, failure);
    }
    return 0;
}

/* ---- scalars ---- */

bool document_is_nothing(const struct document_node *node)
{
    return node->kind == DOCUMENT_SCALAR && is_nothing(node);
}

int document_text(const struct document *document, const struct document_node *node,
                  const char **text, struct failure *failure)
{
    if (node->kind != DOCUMENT_SCALAR || is_nothing(node))
        return document_fail(document, node, failure, "found %s, expected text", kind_name(node));
    *text = node->text;
    return 0;
}

/* Digits only: no leading zeros, which YAML 1.1 reads as octal and people as decimal, and no 0X…,
 * which is text to YAML. */
static bool parse_integer(const char *text, int64_t *value)
{
    bool negative = text[0] == '-';
    const char *digits = negative ? text + 1 : text;
    int base = 10;
    uint64_t total = 0;

    if (digits[0] == '0' && digits[1] == 'x') {
        base = 16;
        digits += 2;
    } else if (digits[0] == '0' && digits[1] != '\0') {
        return false;
    }
    if (digits[0] == '\0')
        return false;
    for (; *digits; digits++) {
        int digit = isdigit((unsigned char)*digits)    ? *digits - '0'
                    : isxdigit((unsigned char)*digits) ? tolower((unsigned char)*digits) - 'a' + 10
                                                       : base;

        if (digit >= base || total > (uint64_t)INT64_MAX / 16 - 1)
            return false;
        total = total * (uint64_t)base + (uint64_t)digit;
    }
    *value = negative ? -(int64_t)total : (int64_t)total;
    return true;
}

static int fail_integer(const struct document *document, const struct document_node *node,
                        int64_t minimum, int64_t maximum, struct failure *failure)
{
    const char *quotes = node->kind == DOCUMENT_SCALAR && !node->plain ? " in quotes" : "";
    char text[80];

    (void)found(node, text, sizeof(text));
    if (minimum == maximum)
        return document_fail(document, node, failure, "found %s%s, expected the number %lld", text,
                             quotes, (long long)minimum);
    return document_fail(document, node, failure,
                         "found %s%s, expected a number from %lld to %lld, or as 0x…", text, quotes,
                         (long long)minimum, (long long)maximum);
}

int document_integer(const struct document *document, const struct document_node *node,
                     int64_t minimum, int64_t maximum, int64_t *value, struct failure *failure)
{
    int64_t parsed = 0;

    if (node->kind != DOCUMENT_SCALAR || !node->plain || !parse_integer(node->text, &parsed) ||
        parsed < minimum || parsed > maximum)
        return fail_integer(document, node, minimum, maximum, failure);
    *value = parsed;
    return 0;
}

int document_byte(const struct document *document, const struct document_node *node,
                  uint8_t minimum, uint8_t maximum, uint8_t *value, struct failure *failure)
{
    char advice[BYTE_TEXT_ADVICE_BYTES] = "", text[80];
    uint8_t parsed = 0;
    bool is_byte = node->kind == DOCUMENT_SCALAR && node->plain &&
                   byte_text_parse(node->text, &parsed, advice);

    if (advice[0] != '\0')
        return document_fail(document, node, failure, "found %s%s", found(node, text, sizeof(text)),
                             advice);
    if (!is_byte || parsed < minimum || parsed > maximum)
        return fail_integer(document, node, minimum, maximum, failure);
    *value = parsed;
    return 0;
}

int document_boolean(const struct document *document, const struct document_node *node, bool *value,
                     struct failure *failure)
{
    char text[80];
    bool is_true = node->kind == DOCUMENT_SCALAR && node->plain && strcmp(node->text, "true") == 0;

    if (!is_true &&
        (node->kind != DOCUMENT_SCALAR || !node->plain || strcmp(node->text, "false") != 0))
        return document_fail(document, node, failure, "found %s, expected true or false",
                             found(node, text, sizeof(text)));
    *value = is_true;
    return 0;
}

/* "1E 95 87": two digits each, one space between. */
static bool parse_bytes(const char *text, uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char pair[3] = {text[0], '\0', '\0'};

        if (!isxdigit((unsigned char)text[0]) || !isxdigit((unsigned char)text[1]))
            return false;
        pair[1] = text[1];
        bytes[i] = (uint8_t)strtoul(pair, NULL, 16);
        text += 2;
        if (i + 1 < count && *text++ != ' ')
            return false;
    }
    return *text == '\0';
}

int document_bytes(const struct document *document, const struct document_node *node,
                   uint8_t *bytes, size_t count, struct failure *failure)
{
    char text[80];

    if (node->kind == DOCUMENT_SCALAR && parse_bytes(node->text, bytes, count))
        return 0;
    if (node->kind != DOCUMENT_SEQUENCE || node->child_count != count)
        return document_fail(document, node, failure,
                             "found %s, expected %zu bytes as in 1E 95 87 or [0x1E, 0x95, 0x87]",
                             found(node, text, sizeof(text)), count);
    for (size_t i = 0; i < count; i++)
        if (document_byte(document, node->children[i], 0, UINT8_MAX, &bytes[i], failure) != 0)
            return -1;
    return 0;
}

int document_duration(const struct document *document, const struct document_node *node,
                      int64_t *duration_us, struct failure *failure)
{
    static const struct {
        const char *unit;
        int64_t us;
    } units[] = {{" us", 1}, {" ms", 1000}, {" s", 1000000}};
    const int64_t longest_us = INT64_C(24) * 3600 * 1000000;
    char text[80], number[16];
    size_t length = node->kind == DOCUMENT_SCALAR ? strcspn(node->text, " ") : sizeof(number);
    int64_t value = 0;

    if (length < sizeof(number)) {
        memcpy(number, node->text, length);
        number[length] = '\0';
        for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
            if (strcmp(node->text + length, units[i].unit) != 0 || !parse_integer(number, &value) ||
                value < 0 || value > longest_us / units[i].us)
                continue;
            *duration_us = value * units[i].us;
            return 0;
        }
    }
    return document_fail(document, node, failure,
                         "found %s, expected a time as in 250 us, 400 ms or 2 s",
                         found(node, text, sizeof(text)));
}

int document_choice(const struct document *document, const struct document_node *node,
                    const char *const names[], int *index, struct failure *failure)
{
    char list[200], text[80];

    if (node->kind != DOCUMENT_SCALAR || node->text[0] == '\0') {
        join_names(names, list, sizeof(list));
        return document_fail(document, node, failure, "found %s, expected %s",
                             found(node, text, sizeof(text)), list);
    }
    for (int i = 0; names[i]; i++) {
        if (strcmp(node->text, names[i]) == 0) {
            *index = i;
            return 0;
        }
    }
    return fail_unknown(document, node, "found", names, failure);
}

/* ---- typing errors ---- */

/* Letters to insert, remove, replace or swap with a neighbour, case aside, to get from one name to
 * the other. */
static unsigned typing_errors(const char *a, const char *b)
{
    unsigned rows[3][NAME_COMPARED_MAX + 1];
    size_t length = strlen(b);

    for (unsigned j = 0; j <= length; j++)
        rows[0][j] = j;
    for (unsigned i = 1; a[i - 1]; i++) {
        unsigned *row = rows[i % 3], *above = rows[(i + 2) % 3], *two_above = rows[(i + 1) % 3];

        row[0] = i;
        for (size_t j = 1; j <= length; j++) {
            int left = tolower((unsigned char)a[i - 1]), right = tolower((unsigned char)b[j - 1]);
            unsigned best = above[j - 1] + (left != right);

            best = above[j] + 1 < best ? above[j] + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            if (i > 1 && j > 1 && a[i - 2] == b[j - 1] && a[i - 1] == b[j - 2] &&
                two_above[j - 2] + 1 < best)
                best = two_above[j - 2] + 1;
            row[j] = best;
        }
    }
    return rows[strlen(a) % 3][length];
}

/* So many letters at the beginning are the same. */
static size_t common_beginning(const char *a, const char *b)
{
    size_t length = 0;

    while (a[length] && tolower((unsigned char)a[length]) == tolower((unsigned char)b[length]))
        length++;
    return length;
}

/* Fewer errors, or as many and more of the beginning: of "on" and "off", "of" is the latter. */
static bool is_nearer(const char *text, const char *name, const char *than)
{
    unsigned errors = typing_errors(text, name), other = typing_errors(text, than);

    return errors < other ||
           (errors == other && common_beginning(text, name) > common_beginning(text, than));
}

/* Who writes 3 V does not mean 5 V: of quantities only what follows the number may be a slip. */
static bool may_be_meant(const char *text, const char *name)
{
    size_t digits = strspn(name, "0123456789.");

    return digits == 0 ||
           (strspn(text, "0123456789.") == digits && strncmp(text, name, digits) == 0);
}

const char *document_nearest(const char *text, const char *const names[])
{
    const char *nearest = NULL;
    size_t length = strlen(text);
    /* Up to a third of the letters may be wrong. */
    unsigned limit = length < 6 ? 1 : length < 9 ? 2 : 3;

    if (length == 0 || length > NAME_COMPARED_MAX)
        return NULL;
    for (size_t i = 0; names[i]; i++) {
        unsigned errors =
            strlen(names[i]) > NAME_COMPARED_MAX ? UINT_MAX : typing_errors(text, names[i]);

        if (errors <= limit && may_be_meant(text, names[i]) &&
            (!nearest || is_nearer(text, names[i], nearest)))
            nearest = names[i];
    }
    return nearest;
}

/* ---- making the tree ---- */

static struct document_node *node_create(struct reader *reader, enum document_kind kind,
                                         const yaml_mark_t *mark)
{
    struct storage *storage = reader->document->storage;
    struct document_node *node;

    if (storage->node_count >= NODES_MAX) {
        char text[80];

        snprintf(text, sizeof(text), "more than %d keys and values, expected fewer", NODES_MAX);
        fail_at(reader->document, mark->line + 1, mark->column + 1, reader->failure, text);
        return NULL;
    }
    node = calloc(1, sizeof(*node));
    if (!node) {
        fail_memory(reader->document, reader->failure);
        return NULL;
    }
    node->kind = kind;
    node->line = mark->line + 1;
    node->column = mark->column + 1;
    node->next = storage->nodes;
    storage->nodes = node;
    storage->node_count++;
    return node;
}

static int node_add(struct reader *reader, struct document_node *parent,
                    struct document_node *child)
{
    if (parent->child_count == parent->child_capacity) {
        size_t capacity = parent->child_capacity ? 2 * parent->child_capacity : 8;
        struct document_node **children =
            realloc(parent->children, capacity * sizeof(struct document_node *));

        if (!children)
            return fail_memory(reader->document, reader->failure);
        parent->children = children;
        parent->child_capacity = capacity;
    }
    parent->children[parent->child_count++] = child;
    return 0;
}

/* libyaml counts the bytes up to a bad character, not its line. */
static int fail_at_offset(struct reader *reader, size_t offset, const char *problem)
{
    size_t line = 1, column = 1;

    for (size_t i = 0; i < offset && i < reader->bytes; i++) {
        unsigned char byte = (unsigned char)reader->text[i];

        if (byte == '\n') {
            line++;
            column = 1;
        } else if ((byte & 0xC0) != 0x80) {
            column++;
        }
    }
    return document_fail(reader->document, &(struct document_node){.line = line, .column = column},
                         reader->failure, "found a byte that is not printable UTF-8 text (%s)",
                         problem);
}

static int fail_parser(struct reader *reader)
{
    const yaml_parser_t *parser = &reader->parser;
    struct document_node place = {.line = parser->problem_mark.line + 1,
                                  .column = parser->problem_mark.column + 1};

    if (parser->error == YAML_MEMORY_ERROR)
        return fail_memory(reader->document, reader->failure);
    if (parser->error == YAML_READER_ERROR)
        return fail_at_offset(reader, parser->problem_offset, parser->problem);
    if (!parser->context)
        return document_fail(reader->document, &place, reader->failure, "not YAML: %s",
                             parser->problem);
    return document_fail(reader->document, &place, reader->failure,
                         "not YAML: %s, %s that began at line %zu", parser->problem,
                         parser->context, parser->context_mark.line + 1);
}

static int next_event(struct reader *reader, yaml_event_t *event)
{
    return yaml_parser_parse(&reader->parser, event) ? 0 : fail_parser(reader);
}

static int refuse(struct reader *reader, const yaml_event_t *event, const char *text)
{
    return fail_at(reader->document, event->start_mark.line + 1, event->start_mark.column + 1,
                   reader->failure, text);
}

static int check_plain_features(struct reader *reader, const yaml_event_t *event)
{
    const yaml_char_t *anchor = NULL, *tag = NULL;

    if (event->type == YAML_ALIAS_EVENT)
        return refuse(reader, event, "found an alias (*name), expected the value itself");
    if (event->type == YAML_SCALAR_EVENT) {
        anchor = event->data.scalar.anchor;
        tag = event->data.scalar.tag;
    } else if (event->type == YAML_SEQUENCE_START_EVENT) {
        anchor = event->data.sequence_start.anchor;
        tag = event->data.sequence_start.tag;
    } else if (event->type == YAML_MAPPING_START_EVENT) {
        anchor = event->data.mapping_start.anchor;
        tag = event->data.mapping_start.tag;
    }
    if (anchor)
        return refuse(reader, event, "found an anchor (&name), expected a plain value");
    if (tag)
        return refuse(reader, event, "found a tag (!name), expected a plain value");
    return 0;
}

static struct document_node *scalar_create(struct reader *reader, const yaml_event_t *event)
{
    const char *value = (const char *)event->data.scalar.value;
    struct document_node *node = node_create(reader, DOCUMENT_SCALAR, &event->start_mark);

    if (!node)
        return NULL;
    node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    node->text = strdup(value);
    if (!node->text) {
        fail_memory(reader->document, reader->failure);
        return NULL;
    }
    if (strlen(value) != event->data.scalar.length) {
        refuse(reader, event, "found text with a NUL character in it");
        return NULL;
    }
    return node;
}

/* A scalar, or the empty beginning of a list or mapping; NULL with a failure for anything else. */
static struct document_node *begin_node(struct reader *reader, const yaml_event_t *event)
{
    if (check_plain_features(reader, event) != 0)
        return NULL;
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return scalar_create(reader, event);
    case YAML_SEQUENCE_START_EVENT:
        return node_create(reader, DOCUMENT_SEQUENCE, &event->start_mark);
    case YAML_MAPPING_START_EVENT:
        return node_create(reader, DOCUMENT_MAPPING, &event->start_mark);
    default:
        refuse(reader, event, "found nothing, expected a value");
        return NULL;
    }
}

/* Keys by text, equal ones in the file's order. */
static int compare_keys(const void *left, const void *right)
{
    const struct document_node *a = *(struct document_node *const *)left;
    const struct document_node *b = *(struct document_node *const *)right;
    int order = strcmp(a->text, b->text);

    if (order != 0)
        return order;
    if (a->line != b->line)
        return a->line < b->line ? -1 : 1;
    return a->column < b->column ? -1 : a->column > b->column;
}

static int check_duplicates(struct reader *reader, const struct document_node *map)
{
    size_t count = map->child_count / 2;
    struct document_node **keys = calloc(count ? count : 1, sizeof(struct document_node *));
    int result = 0;

    if (!keys)
        return fail_memory(reader->document, reader->failure);
    for (size_t i = 0; i < count; i++)
        keys[i] = map->children[2 * i];
    qsort(keys, count, sizeof(struct document_node *), compare_keys);
    for (size_t i = 1; i < count && result == 0; i++)
        if (strcmp(keys[i - 1]->text, keys[i]->text) == 0)
            result = document_fail(reader->document, keys[i], reader->failure,
                                   "the key '%.40s' is given twice, first at line %zu",
                                   keys[i]->text, keys[i - 1]->line);
    free(keys);
    return result;
}

static int end_node(struct reader *reader, const struct document_node *node)
{
    return node->kind == DOCUMENT_MAPPING ? check_duplicates(reader, node) : 0;
}

/* Puts a node into the innermost open list or mapping. */
static int attach_node(struct reader *reader, struct document_node *parent,
                       struct document_node *node)
{
    if (!parent) {
        reader->document->root = node;
        return 0;
    }
    if (parent->kind == DOCUMENT_MAPPING && parent->child_count % 2 == 0 &&
        node->kind != DOCUMENT_SCALAR)
        return document_fail(reader->document, node, reader->failure, "found %s, expected a key",
                             kind_name(node));
    return node_add(reader, parent, node);
}

/* Takes one event; `depth` lists and mappings are open. */
static int take_event(struct reader *reader, const yaml_event_t *event,
                      struct document_node *open[DEPTH_MAX], int *depth)
{
    struct document_node *node;

    if (event->type == YAML_SEQUENCE_END_EVENT || event->type == YAML_MAPPING_END_EVENT)
        return end_node(reader, open[--*depth]);
    node = begin_node(reader, event);
    if (!node)
        return -1;
    if (attach_node(reader, *depth > 0 ? open[*depth - 1] : NULL, node) != 0)
        return -1;
    if (node->kind == DOCUMENT_SCALAR)
        return 0;
    if (*depth == DEPTH_MAX)
        return document_fail(reader->document, node, reader->failure,
                             "lists and mappings nested deeper than %d", DEPTH_MAX);
    open[(*depth)++] = node;
    return 0;
}

static int read_root(struct reader *reader)
{
    struct document_node *open[DEPTH_MAX];
    int depth = 0;
    yaml_event_t event;

    do {
        int result;

        if (next_event(reader, &event) != 0)
            return -1;
        result = take_event(reader, &event, open, &depth);
        yaml_event_delete(&event);
        if (result != 0)
            return -1;
    } while (depth > 0);
    return 0;
}

/* The next event must be of this type. */
static int expect_event(struct reader *reader, yaml_event_type_t type, const char *otherwise)
{
    yaml_event_t event;
    int result = 0;

    if (next_event(reader, &event) != 0)
        return -1;
    if (event.type != type)
        result = refuse(reader, &event, otherwise);
    yaml_event_delete(&event);
    return result;
}

static int read_stream(struct reader *reader)
{
    if (expect_event(reader, YAML_STREAM_START_EVENT, "not YAML") != 0 ||
        expect_event(reader, YAML_DOCUMENT_START_EVENT, "the file is empty, expected a mapping") ||
        read_root(reader) != 0 ||
        expect_event(reader, YAML_DOCUMENT_END_EVENT, "found more after the document's end") != 0)
        return -1;
    return expect_event(reader, YAML_STREAM_END_EVENT,
                        "found a second document, expected one per file");
}

/* libyaml takes some tabs in front of a line's text and not others; here none is taken, since what
 * they align with depends on the editor. */
static int check_tabs(struct reader *reader)
{
    size_t line = 1, column = 1;
    bool indenting = true;

    for (size_t i = 0; i < reader->bytes; i++, column++) {
        char byte = reader->text[i];

        if (byte == '\n' || byte == '\r') {
            line += byte == '\n' || i + 1 >= reader->bytes || reader->text[i + 1] != '\n';
            column = 0;
            indenting = true;
        } else if (indenting && byte == '\t') {
            return fail_at(reader->document, line, column, reader->failure,
                           "found a tab, expected spaces to indent with");
        } else if (byte != ' ') {
            indenting = false;
        }
    }
    return 0;
}

static int read_text(struct document *document, const char *text, size_t bytes,
                     struct failure *failure)
{
    struct reader reader = {.document = document, .failure = failure};
    int result;

    if (bytes >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) { /* a byte order mark */
        text += 3;
        bytes -= 3;
    }
    reader.text = text;
    reader.bytes = bytes;
    if (check_tabs(&reader) != 0)
        return -1;
    if (!yaml_parser_initialize(&reader.parser))
        return fail_memory(document, failure);
    yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text, bytes);
    result = read_stream(&reader);
    yaml_parser_delete(&reader.parser);
    return result;
}

int document_parse(const char *name, const char *text, size_t bytes, enum failure_code code,
                   struct document **document, struct failure *failure)
{
    struct document *made = calloc(1, sizeof(*made));
    uint8_t digest[DIGEST_BYTES];

    *document = NULL;
    if (!made)
        return failure_set(failure, FAILURE_OUT_OF_MEMORY, "%s: out of memory", name);
    made->code = code;
    made->path = strdup(name);
    made->storage = calloc(1, sizeof(struct storage));
    if (!made->path || !made->storage) {
        failure_set(failure, FAILURE_OUT_OF_MEMORY, "%s: out of memory", name);
        goto fail;
    }
    if (bytes > DOCUMENT_BYTES_MAX) {
        failure_set(failure, code, "%s:1:1: has %zu bytes, expected at most %d",
                    text_file_shown_path(name), bytes, DOCUMENT_BYTES_MAX);
        goto fail;
    }
    if (read_text(made, text, bytes, failure) != 0)
        goto fail;
    digest_of(text, bytes, digest);
    digest_to_text(digest, made->sha256);
    *document = made;
    return 0;
fail:
    document_free(made);
    return -1;
}

int document_load(const char *path, enum failure_code code, struct document **document,
                  struct failure *failure)
{
    char *text = NULL;
    size_t bytes = 0;
    int result;

    *document = NULL;
    if (text_file_read(path, DOCUMENT_BYTES_MAX, code, &text, &bytes, failure) != 0)
        return -1;
    result = document_parse(path, text, bytes, code, document, failure);
    free(text);
    return result;
}

void document_free(struct document *document)
{
    struct storage *storage;

    if (!document)
        return;
    storage = document->storage;
    while (storage && storage->nodes) {
        struct document_node *node = storage->nodes;

        storage->nodes = node->next;
        free(node->children);
        free(node->text);
        free(node);
    }
    free(storage);
    free(document->path);
    free(document);
}
