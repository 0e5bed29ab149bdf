#include "station/sites_out.h"

#include "station/site_list.h"

#define LIST_BYTES 100

/* A list that lacks sites would be believed, so one that is long is left to the reader. */
static void explain_without_list(const struct jig *jig, size_t out_count, struct failure *failure)
{
    failure_record(failure, failure->code,
                   "%zu sites of jig %s are out; flash with --sites to leave them out", out_count,
                   jig->name);
}

void sites_out_explain(const struct jig *jig, const bool is_out[JIG_SITES_MAX],
                       const bool site_wanted[JIG_SITES_MAX], struct failure *failure)
{
    struct failure first = *failure;
    bool able[JIG_SITES_MAX] = {false};
    size_t out_count = 0, able_count = 0;
    char out[LIST_BYTES], can[LIST_BYTES];

    for (size_t i = 0; i < jig->site_count; i++) {
        able[i] = site_wanted[i] && !is_out[i];
        able_count += able[i] ? 1 : 0;
        out_count += is_out[i] ? 1 : 0;
    }
    if (out_count > 1 && able_count == 0)
        failure_record(failure, first.code, "all %zu sites that are wanted of jig %s are out",
                       out_count, jig->name);
    else if (able_count == 0)
        return;
    else if (!site_list_to_text(jig, is_out, out, sizeof out) ||
             !site_list_to_text(jig, able, can, sizeof can))
        explain_without_list(jig, out_count, failure);
    else if (out_count > 1)
        failure_record(failure, first.code,
                       "sites %s of jig %s are out; flash with --sites %s to leave them out", out,
                       jig->name, can);
    else
        failure_record(failure, first.code, "%.*s; flash with --sites %s to leave it out",
                       FAILURE_DETAIL_BYTES - LIST_BYTES - 60, first.detail, can);
}
