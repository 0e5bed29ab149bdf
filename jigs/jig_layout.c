/* `layout:` of a jig file: rows of site numbers as they stand on the fixture. */
#include <string.h>

#include "jigs/jig_reader.h"

/* Every one of 256 sites may stand in a row, or in a column, of its own. */
#define LAYOUT_LINE_MAX JIG_SITES_MAX

/* Where nothing stands: 0, or what YAML has for nothing. */
static bool is_gap(const struct jig_reader *reader, const struct document_node *node)
{
    static const char *const gaps[] = {"0", "-"};
    struct failure ignored = {0};
    const char *text = NULL;

    if (document_is_nothing(node))
        return true;
    if (document_node_kind(node) != DOCUMENT_SCALAR ||
        document_text(reader->document, node, &text, &ignored) != 0)
        return false;
    for (size_t i = 0; i < sizeof gaps / sizeof gaps[0]; i++)
        if (strcmp(text, gaps[i]) == 0)
            return true;
    return false;
}

static int read_place_of_site(struct jig_reader *reader, const struct document_node *node, int row,
                              int column)
{
    struct jig *jig = reader->jig;
    int64_t number = 0;

    if (is_gap(reader, node))
        return 0;
    if (document_integer(reader->document, node, 0, JIG_SITES_MAX, &number, reader->failure) != 0)
        return -1;
    for (size_t i = 0; i < jig->site_count; i++) {
        struct jig_site *site = &jig->sites[i];

        if (site->site != number)
            continue;
        if (site->layout_row != 0)
            return document_fail(reader->document, node, reader->failure,
                                 "site %d stands in row %d, column %d of the layout already",
                                 site->site, site->layout_row, site->layout_column);
        site->layout_row = row;
        site->layout_column = column;
        return 0;
    }
    return document_fail(reader->document, node, reader->failure,
                         "found %lld, expected the number of a site, or 0 where there is none",
                         (long long)number);
}

static int read_row(struct jig_reader *reader, const struct document_node *list, int row)
{
    struct jig *jig = reader->jig;
    size_t count = document_count(list);

    if (document_node_kind(list) != DOCUMENT_SEQUENCE || count == 0 || count > LAYOUT_LINE_MAX)
        return document_fail(reader->document, list, reader->failure,
                             "expected a row of 1 to %d site numbers, as in [1, 2, 3, 4]",
                             LAYOUT_LINE_MAX);
    for (size_t i = 0; i < count; i++)
        if (read_place_of_site(reader, document_item(list, i), row, (int)i + 1) != 0)
            return -1;
    if ((int)count > jig->layout_columns)
        jig->layout_columns = (int)count;
    return 0;
}

int jig_read_layout(struct jig_reader *reader, const struct document_node *root)
{
    struct jig *jig = reader->jig;
    const struct document_node *list = document_find(root, "layout");

    if (list == NULL)
        return 0;
    size_t count = document_count(list);
    if (document_node_kind(list) != DOCUMENT_SEQUENCE || count == 0 || count > LAYOUT_LINE_MAX)
        return document_fail(reader->document, list, reader->failure,
                             "layout: expected a list of 1 to %d rows of site numbers, as in "
                             "[[1, 2], [3, 4]]",
                             LAYOUT_LINE_MAX);
    for (size_t i = 0; i < count; i++)
        if (read_row(reader, document_item(list, i), (int)i + 1) != 0)
            return -1;
    jig->layout_rows = (int)count;
    for (size_t i = 0; i < jig->site_count; i++)
        if (jig->sites[i].layout_row == 0)
            return document_fail(reader->document, list, reader->failure,
                                 "layout: site %d of line %d is not in it", jig->sites[i].site,
                                 jig->sites[i].line);
    return 0;
}
