/* A profile to start from: every key there is, what it is for, and the part's fuses as they leave
 * the factory, in words. */
#ifndef PROFILES_PROFILE_NEW_H
#define PROFILES_PROFILE_NEW_H

#include <stdio.h>

#include "profiles/part.h"

/* Writes it to `out`, whose error indicator tells what went wrong there. Once the image that it
 * names is put beside it, the profile loads as it is. */
void profile_write_new(const struct part *part, FILE *out);

#endif
