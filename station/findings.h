/* What the rules have against a profile, for people and for programs. */
#ifndef STATION_FINDINGS_H
#define STATION_FINDINGS_H

#include <stdio.h>

#include "profiles/fuse_rules.h"
#include "reports/json.h"

/* One paragraph for each finding, or a line that there is none. */
void findings_print(const struct profile *profile, const struct fuse_findings *findings, FILE *out);
/* The same as an array of objects; the caller's. */
struct json_array *findings_to_json(const struct profile *profile,
                                    const struct fuse_findings *findings);

/* All rules that there are, each with what it does and why: a paragraph each, or a line of JSON
 * each. FAILURE_INTERNAL when a line could not be written. */
int findings_print_rules(bool json, FILE *out, struct failure *failure);

#endif
