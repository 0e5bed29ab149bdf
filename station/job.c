#include "station/job.h"

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

/* What hangs on a USB port of the bench as a serial device becomes one in a kernel only. */
static int check_ports(const struct jig *jig, struct failure *failure)
{
    for (size_t i = 0; i < jig->site_count; i++) {
        const struct jig_site *site = &jig->sites[i];
        if (site->usb_port)
            return failure_set(failure, FAILURE_JIG_INVALID,
                               "%s:%d:%d: site %d: found port: usb, which is for simbench and a "
                               "kernel that attaches its devices, expected port: pty",
                               jig->path, site->line, site->column, site->site);
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
    if (result == 0) /* simbench would say so, too, but later */
        result = jig_check_parts(job->jig, job->parts_directory, failure);
    return result == 0 ? check_ports(job->jig, failure) : result;
}

int job_load(const char *profile, const char *jig, struct job *job, struct failure *failure)
{
    *job = (struct job){0};
    if (data_paths_parts(&job->parts_directory, failure) != 0)
        return -1;
    if (profile != NULL && load_profile(profile, job, failure) != 0)
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
