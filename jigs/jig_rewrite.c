#include "jigs/jig_rewrite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jigs/jig_write.h"
#include "profiles/document.h"

#define BYTE_ORDER_MARK "\xEF\xBB\xBF"

/* Where the value of `at:` stands in the text, with its quotes. */
struct span {
    size_t start, length;
    char quote; /* '"', '\'' or 0: none */
};

/* ---- finding it ---- */

static const struct document_node *find_site(const struct document *document, int site)
{
    const struct document_node *sites = document_find(document->root, "sites");
    int64_t number = 0;

    for (size_t i = 0; i < document_count(sites); i++) {
        const struct document_node *map = document_item(sites, i);
        const struct document_node *node = document_find(map, "site");

        if (node != NULL &&
            document_integer(document, node, 1, JIG_SITES_MAX, &number, NULL) == 0 &&
            number == site)
            return map;
    }
    return NULL;
}

/* The offset of a line and column, which count from 1, the column in characters. Lines end as in
 * the document's reader; should they not, the text there is not the one that is looked for. */
static bool find_offset(const char *text, size_t bytes, int line, int column, size_t *offset)
{
    size_t mark = strlen(BYTE_ORDER_MARK);
    size_t at = bytes >= mark && memcmp(text, BYTE_ORDER_MARK, mark) == 0 ? mark : 0;

    for (; line > 1 && at < bytes; at++)
        if (text[at] == '\n' || (text[at] == '\r' && (at + 1 == bytes || text[at + 1] != '\n')))
            line--;
    for (; column > 1 && at < bytes; column--) {
        at++;
        while (at < bytes && ((unsigned char)text[at] & 0xC0) == 0x80)
            at++;
    }
    *offset = at;
    return line == 1 && column == 1 && at < bytes;
}

static bool single_quoted(const char *text, char *quoted, size_t quoted_bytes)
{
    if (strchr(text, '\'') != NULL || strlen(text) + 3 > quoted_bytes)
        return false;
    snprintf(quoted, quoted_bytes, "'%s'", text);
    return true;
}

/* What may follow a plain value on its line. */
static bool ends_plain(const char *text, size_t bytes, size_t at)
{
    return at == bytes || strchr(" \r\n,}", text[at]) != NULL;
}

/* Only the usual ways to write a text are known here; one that is written otherwise is not found.
 */
static bool write_as(char quote, const char *value, char written[JIG_WRITE_PLACE_BYTES])
{
    if (quote == '"')
        return jig_write_quoted(value, written, JIG_WRITE_PLACE_BYTES);
    if (quote == '\'')
        return single_quoted(value, written, JIG_WRITE_PLACE_BYTES);
    return snprintf(written, JIG_WRITE_PLACE_BYTES, "%s", value) < JIG_WRITE_PLACE_BYTES;
}

static bool find_value(const char *text, size_t bytes, const char *value, struct span *span)
{
    char first = text[span->start], expected[JIG_WRITE_PLACE_BYTES];

    if (first == '"' || first == '\'')
        span->quote = first;
    if (!write_as(span->quote, value, expected))
        return false;
    span->length = strlen(expected);
    return span->length <= bytes - span->start &&
           memcmp(text + span->start, expected, span->length) == 0 &&
           (span->quote != 0 || ends_plain(text, bytes, span->start + span->length));
}

static int find_span(const struct document *document, const char *text, size_t bytes, int site,
                     struct span *span, struct failure *failure)
{
    const struct document_node *map = find_site(document, site), *at = document_find(map, "at");
    const char *value = NULL;
    int line = 0, column = 0;

    if (map == NULL || at == NULL)
        return failure_set(failure, FAILURE_JIG_INVALID, "%s: site %d has no place to be changed",
                           document->path, site);
    if (document_text(document, at, &value, failure) != 0)
        return -1;
    document_position(at, &line, &column);
    if (find_offset(text, bytes, line, column, &span->start) &&
        find_value(text, bytes, value, span))
        return 0;
    return document_fail(document, at, failure,
                         "the place of site %d is not written in a way that can be changed for "
                         "sure: change it by hand",
                         site);
}

/* ---- changing it ---- */

static void write_value(const struct place *place, char quote, char value[JIG_WRITE_PLACE_BYTES])
{
    char plain[300];

    place_to_text(place, plain, sizeof plain);
    if (quote == '"')
        jig_write_quoted(plain, value, JIG_WRITE_PLACE_BYTES);
    else if (quote == 0 || !single_quoted(plain, value, JIG_WRITE_PLACE_BYTES))
        jig_write_place(place, value);
}

static int splice(const char *text, size_t bytes, const struct span *span,
                  const struct place *place, char **rewritten, size_t *rewritten_bytes,
                  struct failure *failure)
{
    char value[JIG_WRITE_PLACE_BYTES];

    write_value(place, span->quote, value);
    size_t length = strlen(value), rest = span->start + span->length;
    char *made = malloc(bytes - span->length + length + 1);
    if (made == NULL)
        return failure_set(failure, FAILURE_OUT_OF_MEMORY, "a jig file");
    memcpy(made, text, span->start);
    memcpy(made + span->start, value, length);
    memcpy(made + span->start + length, text + rest, bytes - rest);
    *rewritten_bytes = bytes - span->length + length;
    made[*rewritten_bytes] = '\0';
    *rewritten = made;
    return 0;
}

/* ---- making sure ---- */

static bool is_same_place(const struct place *a, const struct place *b)
{
    return a->kind == b->kind && strcmp(a->path, b->path) == 0 && a->port == b->port &&
           strcmp(a->bus_id, b->bus_id) == 0;
}

static bool is_same_site(const struct jig_site *a, const struct jig_site *b)
{
    return a->site == b->site && a->line == b->line && a->baud == b->baud &&
           a->supply_mv == b->supply_mv && a->layout_row == b->layout_row &&
           a->layout_column == b->layout_column && strcmp(a->programmer, b->programmer) == 0;
}

static bool is_same_but_for(const struct jig *old, const struct jig *fresh, int site,
                            const struct place *place)
{
    bool same = strcmp(old->name, fresh->name) == 0 && old->site_count == fresh->site_count &&
                old->contact_present_us == fresh->contact_present_us &&
                old->contact_gone_us == fresh->contact_gone_us &&
                old->contact_poll_us == fresh->contact_poll_us;

    for (size_t i = 0; same && i < old->site_count; i++) {
        const struct jig_site *before = &old->sites[i], *now = &fresh->sites[i];

        same = is_same_site(before, now) &&
               is_same_place(&now->place, before->site == site ? place : &before->place);
    }
    return same;
}

static int check(const char *name, const struct jig *old, const char *text, size_t bytes, int site,
                 const struct place *place, struct failure *failure)
{
    struct jig *fresh = NULL;

    if (jig_parse(name, text, bytes, &fresh, failure) != 0)
        return -1;
    bool same = is_same_but_for(old, fresh, site, place);
    jig_free(fresh);
    return same ? 0
                : failure_set(failure, FAILURE_JIG_INVALID,
                              "%.100s: the place of site %d cannot be changed for sure: change it "
                              "by hand",
                              name, site);
}

/* ---- all of it ---- */

static int check_site(const struct jig *jig, int site, struct failure *failure)
{
    if (jig->bench.simulated)
        return failure_set(failure, FAILURE_JIG_INVALID,
                           "jig %s is a simulated bench, which makes its places itself", jig->name);
    if (jig_find_site(jig, site) == NULL)
        return failure_set(failure, FAILURE_USAGE, "jig %s has no site %d", jig->name, site);
    return 0;
}

static int rewrite(const struct jig *jig, const char *text, size_t bytes, int site,
                   const struct place *place, char **rewritten, size_t *rewritten_bytes,
                   struct failure *failure)
{
    struct document *document = NULL;
    struct span span = {0};

    if (document_parse(jig->path, text, bytes, FAILURE_JIG_INVALID, &document, failure) != 0)
        return -1;
    int result = find_span(document, text, bytes, site, &span, failure);
    document_free(document);
    if (result != 0 || splice(text, bytes, &span, place, rewritten, rewritten_bytes, failure) != 0)
        return -1;
    if (check(jig->path, jig, *rewritten, *rewritten_bytes, site, place, failure) == 0)
        return 0;
    free(*rewritten);
    *rewritten = NULL;
    return -1;
}

int jig_rewrite_place(const char *name, const char *text, size_t bytes, int site,
                      const struct place *place, char **rewritten, size_t *rewritten_bytes,
                      struct failure *failure)
{
    struct jig *jig = NULL;

    *rewritten = NULL;
    *rewritten_bytes = 0;
    if (jig_parse(name, text, bytes, &jig, failure) != 0)
        return -1;
    int result = check_site(jig, site, failure);
    if (result == 0)
        result = rewrite(jig, text, bytes, site, place, rewritten, rewritten_bytes, failure);
    jig_free(jig);
    return result;
}
