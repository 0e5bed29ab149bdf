#include "station/schema.h"

#include <stdio.h>

struct json_object *schema_of_parts(const struct part_catalogue *parts)
{
    struct json_object *schema = json_object_create();
    struct json_array *names = json_array_create();

    for (size_t i = 0; i < parts->list.count; i++)
        json_append_text(names, parts->list.names[i]);
    json_add_array(schema, "enum", names);
    return schema;
}

struct json_object *schema_reference(const char *name)
{
    struct json_object *schema = json_object_create();
    char path[128];

    (void)snprintf(path, sizeof path, "#/definitions/%s", name);
    json_add_text(schema, "$ref", path);
    return schema;
}

void schema_forbid(struct json_object *properties, const char *key)
{
    json_add_bool(properties, key, false);
}

struct json_object *schema_where(const char *key, struct json_array *names,
                                 struct json_object *then)
{
    struct json_object *rule = json_object_create(), *condition = json_object_create();
    struct json_object *properties = json_object_create(), *choice = json_object_create();
    struct json_array *required = json_array_create();

    json_add_array(choice, "enum", names);
    json_add_object(properties, key, choice);
    json_add_object(condition, "properties", properties);
    json_append_text(required, key);
    json_add_array(condition, "required", required);
    json_add_object(rule, "if", condition);
    json_add_object(rule, "then", then);
    return rule;
}
