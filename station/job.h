/* What a command works on: a profile and a jig, as the person typed them. */
#ifndef STATION_JOB_H
#define STATION_JOB_H

#include "jigs/jig.h"
#include "profiles/profile.h"

struct job {
    char *parts_directory;   /* one or several, as for part_load() */
    struct profile *profile; /* NULL: none was asked for */
    struct jig *jig;         /* the same */
};

/* Paths, or bare names of shipped ones; either may be NULL. Free with job_free(), also after a
 * failure. */
int job_load(const char *profile, const char *jig, struct job *job, struct failure *failure);
void job_free(struct job *job);

#endif
