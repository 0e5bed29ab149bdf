#include <string.h>

#include "profiles/fuse_rules.h"
#include "profiles/profile_reader.h"

static int fail_unknown(struct profile_reader *reader, const struct document_node *node,
                        const char *name)
{
    const char *nearest = fuse_rules_nearest(name);

    return document_fail(reader->document, node, reader->failure,
                         "there is no rule '%.40s'%s%s%s; gangflash check --rules lists them", name,
                         nearest ? ", did you mean '" : "", nearest ? nearest : "",
                         nearest ? "'?" : "");
}

/* Only what would be refused needs to be accepted, and some rules take no exception. */
static int check_acceptable(struct profile_reader *reader, const struct document_node *node,
                            const char *name)
{
    const struct fuse_rule *rule = fuse_rules_find(name);

    if (!rule)
        return fail_unknown(reader, node, name);
    if (rule->severity == FUSE_RULE_WARNS)
        return document_fail(reader->document, node, reader->failure,
                             "the rule %s only warns: there is nothing to accept, remove it", name);
    if (!rule->may_be_accepted)
        return document_fail(reader->document, node, reader->failure,
                             "the rule %s takes no exception: %s", name, rule->reason);
    if (profile_find_risk(reader->profile, name))
        return document_fail(reader->document, node, reader->failure, "the rule %s is given twice",
                             name);
    return 0;
}

static int read_risk(struct profile_reader *reader, const struct document_node *map)
{
    static const char *const keys[] = {"rule", "because", NULL};
    struct profile *profile = reader->profile;
    struct profile_risk risk = {.position = profile_position_of(map)};
    const struct document_node *rule = NULL, *because = NULL;

    if (document_check_keys(reader->document, map, keys, reader->failure) != 0 ||
        document_need(reader->document, map, "rule", &rule, reader->failure) != 0 ||
        profile_read_text(reader, rule, risk.rule, sizeof(risk.rule)) != 0 ||
        check_acceptable(reader, rule, risk.rule) != 0 ||
        document_need(reader->document, map, "because", &because, reader->failure) != 0 ||
        profile_read_reason(reader, because, risk.because, sizeof(risk.because)) != 0)
        return -1;
    profile->risks[profile->risk_count++] = risk;
    return 0;
}

int profile_read_risks(struct profile_reader *reader, const struct document_node *root)
{
    const struct document_node *node = document_find(root, "accept_risk");
    size_t count;

    if (!node)
        return 0;
    count = document_count(node);
    if (document_node_kind(node) == DOCUMENT_MAPPING)
        return read_risk(reader, node);
    if (document_node_kind(node) != DOCUMENT_SEQUENCE || count == 0 || count > PROFILE_RISKS_MAX)
        return document_fail(reader->document, node, reader->failure,
                             "expected {rule: …, because: …}, or a list of 1 to %d of them",
                             PROFILE_RISKS_MAX);
    for (size_t i = 0; i < count; i++)
        if (read_risk(reader, document_item(node, i)) != 0)
            return -1;
    return 0;
}
