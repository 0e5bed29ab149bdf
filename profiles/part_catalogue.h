/* All parts that are known, to find one by its signature. */
#ifndef PROFILES_PART_CATALOGUE_H
#define PROFILES_PART_CATALOGUE_H

#include "profiles/part.h"

struct part_catalogue {
    struct part_list list;
    struct part **parts; /* as many as the list; NULL: its file is wrong */
};

/* Loads every part of `directories`, as for part_load(); `wrong` is told of each file that is
 * wrong. Free with part_catalogue_free(), also after a failure. */
int part_catalogue_load(const char *directories, struct part_catalogue *catalogue,
                        void (*wrong)(void *context, const struct failure *failure), void *context,
                        struct failure *failure);
void part_catalogue_free(struct part_catalogue *catalogue);

/* The next part from `*at` on (0 at first) that has the signature; NULL: there are no more. */
const struct part *part_catalogue_next(const struct part_catalogue *catalogue,
                                       const uint8_t signature[3], size_t *at);

#endif
