#include "station/plan_sites.h"

#include <stdlib.h>
#include <string.h>

#include "station/site_list.h"

#define LIST_BYTES 100

static bool is_wanted(const bool *site_wanted, size_t index)
{
    return site_wanted == NULL || site_wanted[index];
}

static int find_refused(const struct profile *profile, const struct jig *jig,
                        const bool *site_wanted, struct plan_refusals *refusals,
                        struct failure *failure)
{
    refusals->list = calloc(jig->site_count + 1, sizeof *refusals->list);
    if (refusals->list == NULL)
        return failure_set(failure, FAILURE_OUT_OF_MEMORY, "plans of %zu sites", jig->site_count);
    for (size_t i = 0; i < jig->site_count; i++) {
        struct plan_refusal *refusal = &refusals->list[refusals->count];
        struct plan plan;

        if (!is_wanted(site_wanted, i) ||
            plan_make_on_jig(profile, jig, &jig->sites[i], &plan, &refusal->failure) == 0)
            continue;
        refusal->site = jig->sites[i].site;
        refusals->count++;
    }
    return 0;
}

static bool is_refused(const struct plan_refusals *refusals, int site)
{
    for (size_t i = 0; i < refusals->count; i++)
        if (refusals->list[i].site == site)
            return true;
    return false;
}

/* What is long is not said in part: a list that lacks sites would be believed. */
static int fail_together(const struct profile *profile, const struct jig *jig,
                         const bool *site_wanted, const struct plan_refusals *refusals,
                         struct failure *failure)
{
    bool refused[JIG_SITES_MAX] = {false}, able[JIG_SITES_MAX] = {false};
    char cannot[LIST_BYTES], can[LIST_BYTES];
    enum failure_code code = refusals->list[0].failure.code;
    size_t able_count = 0;

    for (size_t i = 0; i < jig->site_count; i++) {
        refused[i] = is_refused(refusals, jig->sites[i].site);
        able[i] = is_wanted(site_wanted, i) && !refused[i];
        able_count += able[i] ? 1 : 0;
    }
    if (able_count == 0)
        return failure_set(failure, code, "none of the %zu sites of jig %s can do profile %s",
                           refusals->count, jig->name, profile->name);
    if (!site_list_to_text(jig, refused, cannot, sizeof cannot) ||
        !site_list_to_text(jig, able, can, sizeof can))
        return failure_set(failure, code,
                           "%zu sites of jig %s cannot do profile %s; flash with --sites to leave "
                           "them out",
                           refusals->count, jig->name, profile->name);
    return failure_set(
        failure, code,
        "site%s %s of jig %s cannot do profile %s; flash with --sites %s to do it on "
        "the other%s",
        refusals->count > 1 ? "s" : "", cannot, jig->name, profile->name, can,
        able_count > 1 ? "s" : "");
}

int plan_check_sites(const struct profile *profile, const struct jig *jig, const bool *site_wanted,
                     struct plan_refusals *refusals, struct failure *failure)
{
    size_t wanted = 0;

    *refusals = (struct plan_refusals){0};
    for (size_t i = 0; i < jig->site_count; i++)
        wanted += is_wanted(site_wanted, i) ? 1 : 0;
    if (find_refused(profile, jig, site_wanted, refusals, failure) != 0)
        return -1;
    if (refusals->count == 0)
        return 0;
    if (wanted > 1)
        return fail_together(profile, jig, site_wanted, refusals, failure);
    *failure = refusals->list[0].failure;
    return -1;
}

void plan_refusals_print(const struct plan_refusals *refusals, const struct failure *together,
                         FILE *out)
{
    if (refusals->count == 0 || strcmp(refusals->list[0].failure.detail, together->detail) == 0)
        return;
    for (size_t i = 0; i < refusals->count; i++) {
        const struct failure *failure = &refusals->list[i].failure;

        fprintf(out, "gangflash: %s: %s\n", failure_lookup(failure->code)->name, failure->detail);
    }
}

void plan_refusals_free(struct plan_refusals *refusals)
{
    free(refusals->list);
    *refusals = (struct plan_refusals){0};
}

int64_t plan_lowest_supply_mv(const struct jig *jig, const bool *site_wanted, bool *all_state_it)
{
    int64_t lowest_mv = 0;
    *all_state_it = true;
    for (size_t i = 0; i < jig->site_count; i++) {
        int64_t supply_mv = jig->sites[i].supply_mv;
        if (site_wanted != NULL && !site_wanted[i])
            continue;
        if (supply_mv == 0)
            *all_state_it = false;
        else if (lowest_mv == 0 || supply_mv < lowest_mv)
            lowest_mv = supply_mv;
    }
    return lowest_mv;
}
