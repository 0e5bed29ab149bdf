/* Any bytes as a YAML document and a board profile. A failure must carry a code and
 * say where; a profile that is taken and that the rules let pass must keep its board reachable, or
 * accept that it does not. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/document.h"
#include "profiles/fuse_rules.h"
#include "profiles/profile.h"

/* Beside the shipped profiles, so that a mutant can find the demonstration image. */
#define NAME TEST_SOURCE_DIR "/profiles/boards/fuzz.yaml"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int condition)
{
    if (!condition)
        abort();
}

static void check_failure(const struct failure *failure)
{
    check(failure->code != FAILURE_NONE);
    check(strchr(failure->detail, ':') != NULL);
}

/* A door that is shut was accepted to be. */
static void check_door(const struct profile *profile, struct part_bit door, const char *rule,
                       enum part_memory memory, uint8_t value)
{
    check(door.memory != memory || !part_bit_programmed(door, value) ||
          profile_find_risk(profile, rule) != NULL);
}

static void check_byte(const struct profile *profile, enum part_memory memory, uint8_t value)
{
    const struct part *part = profile->part;

    check_door(profile, part->rstdisbl, "rstdisbl", memory, value);
    check_door(profile, part->dwen, "dwen", memory, value);
    check(part->spien.memory != memory || part_bit_programmed(part->spien, value));
}

static void check_profile(const struct profile *profile)
{
    struct fuse_findings findings = {0};
    struct failure failure = {0};
    bool passes;

    check(profile->flash && profile->flash->count > 0);
    check(fuse_rules_apply(profile, 0, &findings, &failure) == 0);
    passes = fuse_findings_judge(profile, &findings, &failure) == 0;
    fuse_findings_free(&findings);
    if (!passes) {
        check_failure(&failure);
        return;
    }
    for (enum part_memory memory = PART_FUSE_LOW; memory <= PART_LOCK; memory++) {
        const struct profile_byte_rule *rule = profile_rule(profile, memory);

        check((rule != NULL) == (part_byte(profile->part, memory) != NULL));
        if (!rule || rule->leave)
            continue;
        check_byte(profile, memory, rule->write);
        for (size_t i = 0; i < rule->accept_count; i++)
            check_byte(profile, memory, rule->accept[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct document *document = NULL;
    struct profile *profile = NULL;
    struct failure failure = {0};

    if (document_parse("fuzz.yaml", text, size, FAILURE_JIG_INVALID, &document, &failure) != 0) {
        check_failure(&failure);
        check(document == NULL);
        return 0;
    }
    document_free(document);
    if (profile_parse(NAME, text, size, TEST_SOURCE_DIR "/profiles/parts", &profile, &failure) == 0)
        check_profile(profile);
    else
        check_failure(&failure);
    profile_free(profile);
    return 0;
}
