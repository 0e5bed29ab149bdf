#include "station/job.h"

#include <stdio.h>
#include <stdlib.h>

#include "station/data_paths.h"

static int load_profile(const char *typed, struct job *job, struct failure *failure)
{
    char *path = NULL;
    if (data_paths_find(typed, "boards", FAILURE_PROFILE_INVALID, &path, failure) != 0)
        return -1;
    int result = profile_load(path, job->parts_directory, &job->profile, failure);
    free(path);
    return result;
}

/* simbench needs the part files of its boards; that one is missing is the jig file's fault, and
 * told before anything is opened. */
static int check_part(const struct job *job, const char *name, const char *where,
                      struct failure *failure)
{
    struct part *part = NULL;
    struct failure why = {0};
    int result = part_load(job->parts_directory, name, &part, &why);
    part_free(part);
    if (result != 0)
        return failure_set(failure, FAILURE_JIG_INVALID, "%s: %s", where, why.detail);
    return 0;
}

static int check_bench_parts(const struct job *job, struct failure *failure)
{
    const struct jig *jig = job->jig;
    char where[FAILURE_DETAIL_BYTES];
    for (size_t i = 0; i < jig->site_count; i++) {
        const struct jig_site *site = &jig->sites[i];
        (void)snprintf(where, sizeof(where), "%s:%d:%d: board of site %d", jig->path, site->line,
                       site->column, site->site);
        if (check_part(job, site->board, where, failure) != 0)
            return -1;
    }
    for (size_t i = 0; i < jig->bench.fault_count; i++) {
        const struct jig_fault *fault = &jig->bench.faults[i];
        (void)snprintf(where, sizeof(where), "%s: part of fault %zu", jig->path, i + 1);
        if (fault->kind == JIG_FAULT_WRONG_PART &&
            check_part(job, fault->part, where, failure) != 0)
            return -1;
    }
    return 0;
}

static int load_jig(const char *typed, struct job *job, struct failure *failure)
{
    char *path = NULL;
    if (data_paths_find(typed, "benches", FAILURE_JIG_INVALID, &path, failure) != 0)
        return -1;
    int result = jig_load(path, &job->jig, failure);
    free(path);
    if (result == 0 && job->jig->bench.simulated)
        result = check_bench_parts(job, failure);
    return result;
}

int job_load(const char *profile, const char *jig, struct job *job, struct failure *failure)
{
    *job = (struct job){0};
    if (data_paths_parts(&job->parts_directory, failure) != 0 ||
        load_profile(profile, job, failure) != 0)
        return -1;
    return jig != NULL ? load_jig(jig, job, failure) : 0;
}

void job_free(struct job *job)
{
    jig_free(job->jig);
    profile_free(job->profile);
    free(job->parts_directory);
    *job = (struct job){0};
}
