/* Any bytes as a jig file. A failure must carry a code and say where; a jig that is taken must keep
 * what its readers rely on. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "jigs/jig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int condition)
{
    if (!condition)
        abort();
}

static void check_sites(const struct jig *jig)
{
    check(jig->site_count > 0 && jig->site_count <= JIG_SITES_MAX);
    for (size_t i = 0; i < jig->site_count; i++) {
        const struct jig_site *site = &jig->sites[i];

        check(site->site >= 1 && site->site <= JIG_SITES_MAX);
        check(jig_find_site(jig, site->site) == site);
        check(site->line >= 1 && site->column >= 1);
        check((site->place.kind == PLACE_NONE) == jig->bench.simulated);
        check((site->model[0] != '\0') == jig->bench.simulated);
    }
}

/* A layout has every site, each at a place of its own. */
static void check_layout(const struct jig *jig)
{
    check((jig->layout_rows == 0) == (jig->layout_columns == 0));
    for (size_t i = 0; i < jig->site_count; i++) {
        const struct jig_site *site = &jig->sites[i];

        check((site->layout_row == 0) == (jig->layout_rows == 0));
        check(site->layout_row >= 0 && site->layout_row <= jig->layout_rows);
        check(site->layout_column >= 0 && site->layout_column <= jig->layout_columns);
        for (size_t j = 0; j < i && jig->layout_rows != 0; j++)
            check(site->layout_row != jig->sites[j].layout_row ||
                  site->layout_column != jig->sites[j].layout_column);
    }
}

static void check_faults(const struct jig *jig)
{
    for (size_t i = 0; i < jig->bench.fault_count; i++) {
        const struct jig_fault *fault = &jig->bench.faults[i];

        check(jig->bench.simulated);
        check(fault->site == 0 || jig_find_site(jig, fault->site) != NULL);
        check(fault->rate >= 0 && fault->rate <= 1);
        check(fault->pattern_count <= JIG_PATTERN_MAX);
        check(fault->offset >= 0 || (fault->offset >= -64 && fault->pattern_count != 0));
        check(fault->times >= 0 && fault->after >= 0);
        check(fault->nth >= 1 && fault->count >= 1 && fault->duration_us >= 0);
        check(fault->line >= 1 && fault->column >= 1);
        check(fault->kind >= 0 && fault->kind < JIG_FAULT_KINDS);
        check(jig_fault_is_on_wire(fault->kind) || fault->kind == JIG_FAULT_GARBAGE ||
              fault->pattern_count <= 4);
        check((fault->kind == JIG_FAULT_WRONG_PART) == (fault->part[0] != '\0'));
        check((fault->kind == JIG_FAULT_BANNER) == (fault->text[0] != '\0'));
        check((fault->kind == JIG_FAULT_SLOW_WRITE) == (fault->factor > 1));
        check((fault->kind == JIG_FAULT_SLOW_CLOCK) == (fault->clock_hz != 0));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct jig *jig = NULL;
    struct failure failure = {0};

    if (jig_parse("fuzz", (const char *)data, size, &jig, &failure) != 0) {
        check(jig == NULL);
        check(failure.code != FAILURE_NONE);
        check(strchr(failure.detail, ':') != NULL);
        return 0;
    }
    check(failure.code == FAILURE_NONE);
    check_sites(jig);
    check_layout(jig);
    check_faults(jig);
    jig_free(jig);
    return 0;
}
