#include "jigs/jig_learn.h"

#include <string.h>

/* By what is written: two names of one port are looked at as two places. */
static bool is_same(const struct place *a, const struct place *b)
{
    return a->kind == b->kind && strcmp(a->path, b->path) == 0 && a->port == b->port &&
           strcmp(a->bus_id, b->bus_id) == 0;
}

static bool is_found(const struct place *place, const struct programmer_found *found, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (is_same(&found[i].place, place))
            return true;
    return false;
}

static bool is_known(const struct jig_learner *learner, const struct place *place)
{
    for (size_t i = 0; i < learner->known_count; i++)
        if (is_same(&learner->known[i].place, place))
            return true;
    return false;
}

static void forget_unplugged(struct jig_learner *learner, const struct programmer_found *found,
                             size_t count)
{
    size_t kept = 0;

    for (size_t i = 0; i < learner->known_count; i++)
        if (learner->known[i].taken || is_found(&learner->known[i].place, found, count))
            learner->known[kept++] = learner->known[i];
    learner->known_count = kept;
}

void jig_learner_begin(struct jig_learner *learner, const struct programmer_found *found,
                       size_t count)
{
    learner->known_count = 0;
    for (size_t i = 0; i < count; i++)
        jig_learner_note(learner, &found[i].place, false);
}

size_t jig_learner_look(struct jig_learner *learner, const struct programmer_found *found,
                        size_t count, size_t *first)
{
    size_t fresh = 0;

    forget_unplugged(learner, found, count);
    for (size_t i = count; i > 0; i--) {
        if (is_known(learner, &found[i - 1].place))
            continue;
        *first = i - 1;
        fresh++;
    }
    return fresh;
}

void jig_learner_note(struct jig_learner *learner, const struct place *place, bool taken)
{
    if (learner->known_count == JIG_LEARN_PLACES_MAX)
        return;
    learner->known[learner->known_count].place = *place;
    learner->known[learner->known_count].taken = taken;
    learner->known_count++;
}
