/* What a jig file says about parts, held against the part files. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "jigs/jig_reader.h"

bool jig_part_has_byte(const struct part *part, enum part_memory memory, bool is_only_fuse)
{
    const struct part_byte *byte = part_byte(part, memory);

    return byte != NULL &&
           (memory != PART_FUSE_LOW || (strcmp(byte->name, "fuse") == 0) == is_only_fuse);
}

void jig_list_bytes(const struct part *part, char *text, size_t text_bytes)
{
    size_t used = 0;

    text[0] = '\0';
    for (enum part_memory memory = PART_FIRST_FUSE; memory <= PART_LOCK; memory++) {
        const struct part_byte *byte = part_byte(part, memory);

        if (byte == NULL || used >= text_bytes)
            continue;
        used += (size_t)snprintf(text + used, text_bytes - used, "%s%s", used > 0 ? ", " : "",
                                 byte->name);
    }
}

static int fail_fault(const struct jig *jig, const struct jig_fault *fault, const char *found,
                      struct failure *failure)
{
    return failure_set(failure, FAILURE_JIG_INVALID, "%s:%d:%d: fault %s: %s", jig->path,
                       fault->line, fault->column, jig_fault_kind_name(fault->kind), found);
}

static int check_wrong_part(const struct jig *jig, const struct jig_fault *fault,
                            const char *directories, struct failure *failure)
{
    struct part *part = NULL;
    struct failure why = {0};

    if (part_load(directories, fault->part, &part, &why) != 0)
        return fail_fault(jig, fault, why.detail, failure);
    part_free(part);
    return 0;
}

/* Does the part have what the fault is about? */
static int check_fault(const struct jig *jig, const struct jig_fault *fault,
                       const struct part *part, struct failure *failure)
{
    uint32_t size = part_memory_size(part, fault->memory);
    char found[160], known[48];

    if (fault->kind == JIG_FAULT_BAD_FUSE &&
        !jig_part_has_byte(part, fault->memory, fault->is_only_fuse)) {
        jig_list_bytes(part, known, sizeof known);
        snprintf(found, sizeof found, "%s has no such fuse, but %s", part->name, known);
        return fail_fault(jig, fault, found, failure);
    }
    if (fault->kind == JIG_FAULT_BAD_PAGE && fault->address >= size) {
        snprintf(found, sizeof found,
                 "found address 0x%" PRIX32 ", but %s of %s has %" PRIu32 " bytes", fault->address,
                 part_memory_name(part, fault->memory), part->name, size);
        return fail_fault(jig, fault, found, failure);
    }
    return 0;
}

static int check_site(const struct jig *jig, const struct jig_site *site, const char *directories,
                      struct failure *failure)
{
    struct jig_contents contents = {NULL, NULL};
    struct part *part = NULL;
    struct failure why = {0};
    int result = 0;

    if (part_load(directories, site->board, &part, &why) != 0)
        return failure_set(failure, FAILURE_JIG_INVALID, "%s:%d:%d: board of site %d: %s",
                           jig->path, site->line, site->column, site->site, why.detail);
    for (size_t i = 0; i < jig->bench.fault_count && result == 0; i++)
        if (jig->bench.faults[i].site == 0 || jig->bench.faults[i].site == site->site)
            result = check_fault(jig, &jig->bench.faults[i], part, failure);
    if (result == 0)
        result = jig_load_found(jig, site, part, &contents, failure);
    jig_free_contents(&contents);
    part_free(part);
    return result;
}

int jig_check_parts(const struct jig *jig, const char *parts_directories, struct failure *failure)
{
    if (!jig->bench.simulated)
        return 0;
    for (size_t i = 0; i < jig->site_count; i++)
        if (check_site(jig, &jig->sites[i], parts_directories, failure) != 0)
            return -1;
    for (size_t i = 0; i < jig->bench.fault_count; i++)
        if (jig->bench.faults[i].kind == JIG_FAULT_WRONG_PART &&
            check_wrong_part(jig, &jig->bench.faults[i], parts_directories, failure) != 0)
            return -1;
    return 0;
}
