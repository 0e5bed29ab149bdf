#include "station/findings.h"

static const char *judgement(const struct fuse_finding *finding)
{
    if (fuse_finding_refuses(finding))
        return "REFUSED";
    return finding->risk != NULL ? "risk accepted" : "warning";
}

static void print_finding(const struct profile *profile, const struct fuse_finding *finding,
                          FILE *out)
{
    fprintf(out, "  %s %s, %s:%d:%d", judgement(finding), finding->rule->name, profile->path,
            finding->position.line, finding->position.column);
    if (part_is_fuse_or_lock(finding->memory))
        fprintf(out, ", %s 0x%02X%s", part_memory_name(profile->part, finding->memory),
                finding->value, finding->is_accepted_value ? " accepted as found" : "");
    fprintf(out, ":\n    %s\n    %s\n", finding->detail, finding->rule->reason);
    if (finding->risk != NULL)
        fprintf(out, "    accepted because: %s\n", finding->risk->because);
}

void findings_print(const struct profile *profile, const struct fuse_findings *findings, FILE *out)
{
    fprintf(out, "rules: %s\n", findings->count > 0 ? "" : "none has anything against it");
    for (size_t i = 0; i < findings->count; i++)
        print_finding(profile, &findings->list[i], out);
}

/* ---- the rules ---- */

static const char *severity(const struct fuse_rule *rule)
{
    return rule->severity == FUSE_RULE_REFUSES ? "refused" : "warned";
}

static void print_rule(const struct fuse_rule *rule, FILE *out)
{
    bool unbending = rule->severity == FUSE_RULE_REFUSES && !rule->may_be_accepted;

    fprintf(out, "%s: %s%s\n    %s\n", rule->name, severity(rule),
            unbending ? ", and no accept_risk changes that" : "", rule->reason);
}

static int print_rule_as_json(const struct fuse_rule *rule, FILE *out)
{
    struct json_object *object = json_object_create();

    json_add_text(object, "rule", rule->name);
    json_add_text(object, "severity", severity(rule));
    json_add_bool(object, "may_be_accepted", rule->may_be_accepted);
    json_add_text(object, "reason", rule->reason);
    return json_object_write_line(object, out);
}

int findings_print_rules(bool json, FILE *out, struct failure *failure)
{
    size_t count = 0;
    const struct fuse_rule *rules = fuse_rules_table(&count);

    for (size_t i = 0; i < count; i++) {
        if (!json)
            print_rule(&rules[i], out);
        else if (print_rule_as_json(&rules[i], out) != 0)
            return failure_set(failure, FAILURE_INTERNAL, "the rules could not be written");
    }
    return 0;
}

/* ---- for programs ---- */

static struct json_object *finding_to_json(const struct profile *profile,
                                           const struct fuse_finding *finding)
{
    struct json_object *object = json_object_create();

    json_add_text(object, "rule", finding->rule->name);
    json_add_text(object, "severity", severity(finding->rule));
    json_add_bool(object, "refuses", fuse_finding_refuses(finding));
    if (part_is_fuse_or_lock(finding->memory)) {
        json_add_text(object, "fuse", part_memory_name(profile->part, finding->memory));
        json_add_integer(object, "value", finding->value);
        json_add_bool(object, "accepted_value", finding->is_accepted_value);
    }
    json_add_integer(object, "line", finding->position.line);
    json_add_integer(object, "column", finding->position.column);
    json_add_text(object, "detail", finding->detail);
    json_add_text(object, "reason", finding->rule->reason);
    json_add_text(object, "accepted_because",
                  finding->risk != NULL ? finding->risk->because : NULL);
    return object;
}

struct json_array *findings_to_json(const struct profile *profile,
                                    const struct fuse_findings *findings)
{
    struct json_array *array = json_array_create();

    for (size_t i = 0; i < findings->count; i++)
        json_append_object(array, finding_to_json(profile, &findings->list[i]));
    return array;
}
