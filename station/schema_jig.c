/* What the schema of jig files says of programmers, models and faults. */
#include <string.h>

#include "jigs/jig.h"
#include "jigs/programmer.h"
#include "station/schema.h"

static struct json_object *schema_of_programmers(void)
{
    struct json_object *schema = json_object_create();
    struct json_array *names = json_array_create(), *titles = json_array_create();
    size_t count = 0;
    const struct programmer_driver *const *drivers = programmer_drivers(&count);

    for (size_t i = 0; i < count; i++) {
        json_append_text(names, drivers[i]->name);
        json_append_text(titles, drivers[i]->title);
    }
    json_add_array(schema, "enum", names);
    json_add_array(schema, "enumDescriptions", titles); /* VS Code and its kin show these */
    return schema;
}

/* {"enum": […]} of the models for one programmer; of all where it is NULL. */
static struct json_object *schema_of_models(const char *programmer)
{
    struct json_object *schema = json_object_create();
    struct json_array *names = json_array_create();
    const char *model, *of = NULL;

    for (size_t i = 0; (model = jig_model_at(i, &of)) != NULL; i++)
        if (programmer == NULL || strcmp(programmer, of) == 0)
            json_append_text(names, model);
    json_add_array(schema, "enum", names);
    return schema;
}

static struct json_object *programmer_rule(const struct programmer_driver *driver)
{
    struct json_object *then = json_object_create(), *properties = json_object_create();
    struct json_array *names = json_array_create();
    bool is_usb = driver->link == PROGRAMMER_USB;

    json_add_object(properties, "at", schema_reference(is_usb ? "usb_place" : "stream_place"));
    json_add_object(properties, "model", schema_of_models(driver->name));
    if (is_usb) {
        schema_forbid(properties, "baud");
        schema_forbid(properties, "port");
    }
    json_add_object(then, "properties", properties);
    json_append_text(names, driver->name);
    return schema_where("programmer", names, then);
}

static struct json_object *programmer_rules(void)
{
    struct json_object *schema = json_object_create();
    struct json_array *rules = json_array_create();
    size_t count = 0;
    const struct programmer_driver *const *drivers = programmer_drivers(&count);

    for (size_t i = 0; i < count; i++)
        json_append_object(rules, programmer_rule(drivers[i]));
    json_add_array(schema, "allOf", rules);
    return schema;
}

static struct json_object *schema_of_fault_kinds(void)
{
    struct json_object *schema = json_object_create();
    struct json_array *names = json_array_create();

    for (int kind = 0; kind < JIG_FAULT_KINDS; kind++)
        json_append_text(names, jig_fault_kind_name((enum jig_fault_kind)kind));
    json_add_array(schema, "enum", names);
    return schema;
}

/* Which keys describe a fault of this kind. */
static struct json_object *fault_rule(enum jig_fault_kind kind)
{
    struct json_object *then = json_object_create(), *key_names = json_object_create();
    struct json_array *names = json_array_create(), *keys = json_array_create(),
                      *required = json_array_create();
    const char *key;
    bool is_needed = false;

    json_append_text(keys, "fault");
    json_append_text(keys, "site");
    json_append_text(keys, "board");
    for (size_t i = 0; (key = jig_fault_key_at(kind, i, &is_needed)) != NULL; i++) {
        json_append_text(keys, key);
        if (is_needed)
            json_append_text(required, key);
    }
    json_add_array(key_names, "enum", keys);
    json_add_object(then, "propertyNames", key_names);
    json_add_array(then, "required", required);
    json_append_text(names, jig_fault_kind_name(kind));
    return schema_where("fault", names, then);
}

static struct json_object *fault_rules(void)
{
    struct json_object *schema = json_object_create();
    struct json_array *rules = json_array_create();

    for (int kind = 0; kind < JIG_FAULT_KINDS; kind++)
        json_append_object(rules, fault_rule((enum jig_fault_kind)kind));
    json_add_array(schema, "allOf", rules);
    return schema;
}

void schema_complete_jig(struct json_object *schema, const struct part_catalogue *parts)
{
    struct json_object *definitions = json_take_object(schema, "definitions");

    json_add_object(definitions, "part", schema_of_parts(parts));
    json_add_object(definitions, "programmer", schema_of_programmers());
    json_add_object(definitions, "model", schema_of_models(NULL));
    json_add_object(definitions, "fault_kind", schema_of_fault_kinds());
    json_add_object(definitions, "programmer_rules", programmer_rules());
    json_add_object(definitions, "fault_rules", fault_rules());
    json_add_object(schema, "definitions", definitions);
}
