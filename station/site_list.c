#include "station/site_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int want_site(const struct jig *jig, long number, bool wanted[JIG_SITES_MAX],
                     struct failure *failure)
{
    for (size_t i = 0; i < jig->site_count; i++) {
        if (jig->sites[i].site == number) {
            wanted[i] = true;
            return 0;
        }
    }
    return failure_set(failure, FAILURE_USAGE, "--sites: jig %s has no site %ld", jig->name,
                       number);
}

static bool parse_number(const char **at, long *number)
{
    if (**at < '0' || **at > '9')
        return false;
    char *end = NULL;
    *number = strtol(*at, &end, 10);
    *at = end;
    return *number >= 1 && *number <= JIG_SITES_MAX;
}

/* "3" or "3-5" */
static bool parse_range(const char **at, long *first, long *last)
{
    if (!parse_number(at, first))
        return false;
    *last = *first;
    if (**at != '-')
        return true;
    (*at)++;
    return parse_number(at, last) && *last >= *first;
}

int site_list_parse(const char *text, const struct jig *jig, bool wanted[JIG_SITES_MAX],
                    struct failure *failure)
{
    for (size_t i = 0; i < JIG_SITES_MAX; i++)
        wanted[i] = text == NULL;
    if (text == NULL)
        return 0;
    for (const char *at = text;; at++) {
        long first = 0;
        long last = 0;
        if (!parse_range(&at, &first, &last) || (*at != ',' && *at != '\0'))
            return failure_set(failure, FAILURE_USAGE,
                               "--sites: '%s' is not a list of sites like 1,3-5", text);
        for (long number = first; number <= last; number++) {
            if (want_site(jig, number, wanted, failure) != 0)
                return -1;
        }
        if (*at == '\0')
            return 0;
    }
}

bool site_list_to_text(const struct jig *jig, const bool picked[JIG_SITES_MAX], char *text,
                       size_t text_bytes)
{
    bool by_number[JIG_SITES_MAX + 2] = {false};
    size_t used = 0;
    for (size_t i = 0; i < jig->site_count; i++)
        by_number[jig->sites[i].site] = picked[i];
    text[0] = '\0';
    for (int first = 1, last = 0; first <= JIG_SITES_MAX; first = last + 1) {
        for (last = first; by_number[first] && by_number[last + 1];)
            last++;
        if (!by_number[first])
            continue;
        const char *separator = used > 0 ? "," : "";
        int length =
            first == last
                ? snprintf(text + used, text_bytes - used, "%s%d", separator, first)
                : snprintf(text + used, text_bytes - used, "%s%d-%d", separator, first, last);
        if (length < 0 || (size_t)length >= text_bytes - used)
            return false;
        used += (size_t)length;
    }
    return true;
}
