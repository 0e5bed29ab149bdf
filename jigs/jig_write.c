#include "jigs/jig_write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jigs/jig.h"
#include "reports/text.h"

bool jig_write_quoted(const char *text, char *quoted, size_t quoted_bytes)
{
    size_t used = 0;

    if (quoted_bytes < 3)
        return false;
    quoted[used++] = '"';
    for (; *text != '\0'; text++) {
        bool escaped = *text == '"' || *text == '\\';

        if (used + escaped + 3 > quoted_bytes) /* the byte, a quote and the end */
            return false;
        if (escaped)
            quoted[used++] = '\\';
        quoted[used++] = *text;
    }
    quoted[used++] = '"';
    quoted[used] = '\0';
    return true;
}

/* A path is at most 255 bytes, each escaped at worst. */
void jig_write_place(const struct place *place, char text[JIG_WRITE_PLACE_BYTES])
{
    char plain[300];

    place_to_text(place, plain, sizeof plain);
    if (place->kind == PLACE_USB)
        snprintf(text, JIG_WRITE_PLACE_BYTES, "%s", plain);
    else
        jig_write_quoted(plain, text, JIG_WRITE_PLACE_BYTES);
}

/* A letter, then letters, digits, '-', '_' and '.': needs no quotes in YAML. */
static bool is_plain(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    size_t length = strspn(text, letters);

    return length > 0 &&
           strspn(text + length, "0123456789-_.abcdefghijklmnopqrstuvwxyz"
                                 "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == strlen(text + length);
}

static void write_comment(const char *lines, FILE *out)
{
    while (*lines != '\0') {
        size_t length = strcspn(lines, "\n");

        fprintf(out, "# %.*s\n", (int)length, lines);
        lines += length + (lines[length] == '\n' ? 1 : 0);
    }
}

static void write_site(const struct jig_write_site *site, FILE *out)
{
    char place[JIG_WRITE_PLACE_BYTES], comment[sizeof site->comment];

    jig_write_place(&site->place, place);
    fprintf(out, "  - {site: %d, programmer: %s, at: %s", site->site, site->driver->name, place);
    if (site->baud != 0)
        fprintf(out, ", baud: %u", site->baud);
    fputc('}', out);
    text_copy(comment, sizeof comment, site->comment);
    if (comment[0] != '\0')
        fprintf(out, "  # %s", comment);
    fputc('\n', out);
}

static bool is_same_site(const struct jig_write_site *wanted, const struct jig_site *found)
{
    return found->site == wanted->site && strcmp(found->programmer, wanted->driver->name) == 0 &&
           found->baud == wanted->baud && found->place.kind == wanted->place.kind &&
           strcmp(found->place.path, wanted->place.path) == 0 &&
           found->place.port == wanted->place.port &&
           strcmp(found->place.bus_id, wanted->place.bus_id) == 0;
}

static int check(const struct jig_write *write, const char *text, size_t bytes,
                 struct failure *failure)
{
    struct jig *jig = NULL;

    if (jig_parse(write->name, text, bytes, &jig, failure) != 0)
        return -1;
    bool same = strcmp(jig->name, write->name) == 0 && jig->site_count == write->count;
    for (size_t i = 0; same && i < write->count; i++)
        same = is_same_site(&write->sites[i], &jig->sites[i]);
    jig_free(jig);
    return same ? 0
                : failure_set(failure, FAILURE_JIG_INVALID,
                              "jig '%.80s': what would be written is read back as something else",
                              write->name);
}

static int make_text(const struct jig_write *write, char **text, size_t *bytes,
                     struct failure *failure)
{
    char name[2 * sizeof((struct jig *)NULL)->name + 4];
    FILE *out = open_memstream(text, bytes);

    if (out == NULL)
        return failure_set(failure, FAILURE_OUT_OF_MEMORY, "a jig file");
    if (!jig_write_quoted(write->name, name, sizeof name))
        snprintf(name, sizeof name, "\"\""); /* is refused as a name */
    write_comment(write->comment, out);
    fprintf(out, "jig: %s\nsites:\n", is_plain(write->name) ? write->name : name);
    for (size_t i = 0; i < write->count; i++)
        write_site(&write->sites[i], out);
    bool failed = ferror(out) != 0;
    if (fclose(out) != 0 || failed)
        return failure_set(failure, FAILURE_OUT_OF_MEMORY, "a jig file");
    return 0;
}

int jig_write_text(const struct jig_write *write, char **text, struct failure *failure)
{
    size_t bytes = 0;

    *text = NULL;
    if (make_text(write, text, &bytes, failure) == 0 && check(write, *text, bytes, failure) == 0)
        return 0;
    free(*text);
    *text = NULL;
    return -1;
}
