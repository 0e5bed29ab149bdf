/* Watching what is plugged in, one programmer after the other. */
#ifndef JIGS_JIG_LEARN_H
#define JIGS_JIG_LEARN_H

#include <stdbool.h>
#include <stddef.h>

#include "jigs/programmer_list.h"

/* More than hang on any machine; what comes beyond is passed over. */
#define JIG_LEARN_PLACES_MAX 512

struct jig_learner {
    struct {
        struct place place;
        bool taken; /* a site has it: it stays so when it is unplugged */
    } known[JIG_LEARN_PLACES_MAX];
    size_t known_count;
};

/* What is there is what is there now: what comes later is new, and so is what was unplugged and
 * comes again. */
void jig_learner_begin(struct jig_learner *learner, const struct programmer_found *found,
                       size_t count);
/* How many of `found` are new; `*first` is the place of the first one. */
size_t jig_learner_look(struct jig_learner *learner, const struct programmer_found *found,
                        size_t count, size_t *first);
/* The new one at `place` is no longer new; `taken`: by a site. */
void jig_learner_note(struct jig_learner *learner, const struct place *place, bool taken);

#endif
