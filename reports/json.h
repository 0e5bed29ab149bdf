/* JSON objects, written with jansson, one per line where nothing else is said. The only file that
 * includes jansson is json.c. */
#ifndef REPORTS_JSON_H
#define REPORTS_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "reports/failure.h"

struct json_object;
struct json_array;

/* NULL when out of memory; every json_ function accepts NULL and then does nothing. */
struct json_object *json_object_create(void);
/* Invalid UTF-8 in `value` is replaced; NULL gives null. */
void json_add_text(struct json_object *object, const char *key, const char *value);
void json_add_integer(struct json_object *object, const char *key, int64_t value);
void json_add_real(struct json_object *object, const char *key, double value);
void json_add_bool(struct json_object *object, const char *key, bool value);
void json_add_null(struct json_object *object, const char *key);
/* The child now belongs to its parent. */
void json_add_object(struct json_object *object, const char *key, struct json_object *child);
void json_add_array(struct json_object *object, const char *key, struct json_array *child);
struct json_array *json_array_create(void);
void json_append_object(struct json_array *array, struct json_object *child);
void json_append_integer(struct json_array *array, int64_t value);
void json_append_text(struct json_array *array, const char *value);

/* Writes the object on one line, keys in the order they were added, frees it and flushes `stream`.
 * -1 when that failed or memory ran out on the way. */
int json_object_write_line(struct json_object *object, FILE *stream);
/* The same on many lines, indented, for people. */
int json_object_write_indented(struct json_object *object, FILE *stream);
void json_object_free(struct json_object *object);

/* Reads an object from a file of ours: FAILURE_INTERNAL where it is not there or is no JSON object.
 */
int json_object_load(const char *path, struct json_object **object, struct failure *failure);
/* Takes an object out of its parent, to be changed and put back; the caller owns it. NULL where
 * there is none. */
struct json_object *json_take_object(struct json_object *object, const char *key);

#endif
