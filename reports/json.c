#include "reports/json.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "reports/text.h"

/* `failed` remembers that memory ran out on the way; it travels up to the parent with the child. */
struct json_object {
    json_t *value;
    bool failed;
};

struct json_array {
    json_t *value;
    bool failed;
};

struct json_object *json_object_create(void)
{
    struct json_object *object = calloc(1, sizeof *object);
    if (object == NULL) {
        return NULL;
    }
    object->value = json_object();
    if (object->value == NULL) {
        free(object);
        return NULL;
    }
    return object;
}

struct json_array *json_array_create(void)
{
    struct json_array *array = calloc(1, sizeof *array);
    if (array == NULL) {
        return NULL;
    }
    array->value = json_array();
    if (array->value == NULL) {
        free(array);
        return NULL;
    }
    return array;
}

/* Takes over `value`, which is NULL when memory ran out. */
static void add(struct json_object *object, const char *key, json_t *value)
{
    if (object == NULL) {
        json_decref(value);
        return;
    }
    if (value == NULL || json_object_set_new(object->value, key, value) != 0) {
        object->failed = true;
    }
}

static void append(struct json_array *array, json_t *value)
{
    if (array == NULL) {
        json_decref(value);
        return;
    }
    if (value == NULL || json_array_append_new(array->value, value) != 0) {
        array->failed = true;
    }
}

/* A JSON string; malformed bytes become U+FFFD. */
static json_t *make_text(const char *text)
{
    static const char replacement[] = "\xEF\xBF\xBD";
    if (text == NULL) {
        return json_null();
    }
    char *clean = malloc(3 * strlen(text) + 1);
    size_t used = 0;
    if (clean == NULL) {
        return NULL;
    }
    while (*text != '\0') {
        size_t bytes = text_character_bytes(text);
        memcpy(clean + used, bytes == 0 ? replacement : text, bytes == 0 ? 3 : bytes);
        used += bytes == 0 ? 3 : bytes;
        text += bytes == 0 ? 1 : bytes;
    }
    json_t *value = json_stringn(clean, used);
    free(clean);
    return value;
}

void json_add_text(struct json_object *object, const char *key, const char *value)
{
    add(object, key, make_text(value));
}

void json_add_integer(struct json_object *object, const char *key, int64_t value)
{
    add(object, key, json_integer(value));
}

void json_add_real(struct json_object *object, const char *key, double value)
{
    add(object, key, isfinite(value) ? json_real(value) : json_null());
}

void json_add_bool(struct json_object *object, const char *key, bool value)
{
    add(object, key, json_boolean(value));
}

void json_add_null(struct json_object *object, const char *key)
{
    add(object, key, json_null());
}

void json_add_object(struct json_object *object, const char *key, struct json_object *child)
{
    if (object != NULL && (child == NULL || child->failed)) {
        object->failed = true;
    }
    if (child != NULL) {
        add(object, key, child->value);
        free(child);
    }
}

void json_add_array(struct json_object *object, const char *key, struct json_array *child)
{
    if (object != NULL && (child == NULL || child->failed)) {
        object->failed = true;
    }
    if (child != NULL) {
        add(object, key, child->value);
        free(child);
    }
}

void json_append_object(struct json_array *array, struct json_object *child)
{
    if (array != NULL && (child == NULL || child->failed)) {
        array->failed = true;
    }
    if (child != NULL) {
        append(array, child->value);
        free(child);
    }
}

void json_append_integer(struct json_array *array, int64_t value)
{
    append(array, json_integer(value));
}

void json_append_text(struct json_array *array, const char *value)
{
    append(array, make_text(value));
}

static int write_text(struct json_object *object, size_t flags, FILE *stream)
{
    if (object == NULL) {
        return -1;
    }
    char *text = object->failed ? NULL : json_dumps(object->value, flags);
    json_object_free(object);
    if (text == NULL) {
        return -1;
    }
    /* The line and its end go out in one piece, so lines of two threads do not mix. */
    size_t length = strlen(text);
    text[length] = '\n';
    size_t written = fwrite(text, 1, length + 1, stream);
    free(text);
    return written == length + 1 && fflush(stream) == 0 ? 0 : -1;
}

int json_object_write_line(struct json_object *object, FILE *stream)
{
    /* 15 digits: every decimal number of up to 15 digits comes back as it was written. */
    return write_text(object, JSON_COMPACT | JSON_REAL_PRECISION(15), stream);
}

int json_object_write_indented(struct json_object *object, FILE *stream)
{
    return write_text(object, JSON_INDENT(1) | JSON_REAL_PRECISION(15), stream);
}

void json_object_free(struct json_object *object)
{
    if (object != NULL) {
        json_decref(object->value);
        free(object);
    }
}

int json_object_load(const char *path, struct json_object **object, struct failure *failure)
{
    json_error_t error;
    json_t *value = json_load_file(path, JSON_REJECT_DUPLICATES, &error);

    *object = NULL;
    if (value == NULL) {
        return failure_set(failure, FAILURE_INTERNAL, "%s:%d:%d: %s", path, error.line,
                           error.column, error.text);
    }
    if (!json_is_object(value)) {
        json_decref(value);
        return failure_set(failure, FAILURE_INTERNAL, "%s: no JSON object", path);
    }
    *object = calloc(1, sizeof **object);
    if (*object == NULL) {
        json_decref(value);
        return failure_set(failure, FAILURE_OUT_OF_MEMORY, "%s", path);
    }
    (*object)->value = value;
    return 0;
}

struct json_object *json_take_object(struct json_object *object, const char *key)
{
    json_t *child = object != NULL ? json_object_get(object->value, key) : NULL;
    struct json_object *taken = json_is_object(child) ? calloc(1, sizeof *taken) : NULL;

    if (taken == NULL) {
        return NULL;
    }
    taken->value = json_incref(child);
    (void)json_object_del(object->value, key);
    return taken;
}
