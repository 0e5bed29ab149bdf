/* JSON Schemas of profiles and jig files, for editors: they complete keys and choices, show help
 * and mark what is wrong. What people write stands in profiles/profile.schema.json and
 * jigs/jig.schema.json; what the program's tables and the part files know is added here. The
 * readers of these files stay the judges. A test holds the two together. */
#ifndef STATION_SCHEMA_H
#define STATION_SCHEMA_H

#include "profiles/part_catalogue.h"
#include "reports/json.h"

/* Adds to the schema of profiles: the parts, the fuse and lock bytes of each with their fields and
 * choices, the rules whose risk may be accepted. A schema that has them gets them anew. */
void schema_complete_profile(struct json_object *schema, const struct part_catalogue *parts);
/* Adds to the schema of jig files: programmers and what each allows, models, parts, faults. */
void schema_complete_jig(struct json_object *schema, const struct part_catalogue *parts);

/* For both of them. */

/* {"enum": […]} of all parts. */
struct json_object *schema_of_parts(const struct part_catalogue *parts);
/* {"$ref": "#/definitions/NAME"} */
struct json_object *schema_reference(const char *name);
/* Adds `key`: false to `properties`: it may not be given. */
void schema_forbid(struct json_object *properties, const char *key);
/* {"if": {"properties": {key: {"enum": names}}, "required": [key]}, "then": then} */
struct json_object *schema_where(const char *key, struct json_array *names,
                                 struct json_object *then);

#endif
