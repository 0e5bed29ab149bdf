/* A site's place changed in the text of a jig file. Every other byte stays: comments, order, and
 * how the lines end. */
#ifndef JIGS_JIG_REWRITE_H
#define JIGS_JIG_REWRITE_H

#include <stddef.h>

#include "jigs/jig.h"

/* Gives `site` another place; `name` stands in messages. The result is read back, and everything
 * but that place must be what it was. FAILURE_JIG_INVALID when it is not, when the text is no jig
 * file, when it is a simulated bench, or when the place is written in a way that is not found again
 * for sure; FAILURE_PLACE_TWICE when another site is there; FAILURE_USAGE when there is no such
 * site. The caller frees. */
int jig_rewrite_place(const char *name, const char *text, size_t bytes, int site,
                      const struct place *place, char **rewritten, size_t *rewritten_bytes,
                      struct failure *failure);

#endif
