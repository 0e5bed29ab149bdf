/* `found:` of a site on a simulated bench: what its boards carry already when they are put in. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jigs/jig_reader.h"
#include "profiles/image_file.h"

#define PATH_BYTES 256

/* Beside the jig file, unless absolute. */
static char *beside(const char *jig_path, const char *file)
{
    const char *slash = strrchr(jig_path, '/');
    char *path = NULL;

    if (file[0] == '/' || slash == NULL)
        return strdup(file);
    if (asprintf(&path, "%.*s/%s", (int)(slash - jig_path), jig_path, file) < 0)
        return NULL;
    return path;
}

static int read_file(struct jig_reader *reader, const struct document_node *map, const char *key,
                     char **path)
{
    const struct document_node *node = document_find(map, key);
    char name[PATH_BYTES];

    if (node == NULL)
        return 0;
    if (jig_read_text(reader, node, name, sizeof name) != 0)
        return -1;
    *path = beside(reader->jig->path, name);
    return *path != NULL
               ? 0
               : failure_set(reader->failure, FAILURE_OUT_OF_MEMORY, "%s", reader->jig->path);
}

static int read_byte(struct jig_reader *reader, const struct document_node *map, const char *key,
                     enum part_memory memory, struct jig_found *found)
{
    int index = (int)memory - PART_FIRST_FUSE;
    const struct document_node *node = document_find(map, key);

    if (node == NULL)
        return 0;
    found->given[index] = true;
    return document_byte(reader->document, node, 0, UINT8_MAX, &found->bytes[index],
                         reader->failure);
}

static int check_only_fuse(struct jig_reader *reader, const struct document_node *found)
{
    static const char *const others[] = {"low", "high", "extended"};
    const struct document_node *fuse = document_find(found, "fuse");

    for (size_t i = 0; fuse != NULL && i < sizeof others / sizeof others[0]; i++)
        if (document_find(found, others[i]) != NULL)
            return document_fail(reader->document, fuse, reader->failure,
                                 "found fuse beside %s, but it is the name of a part's only fuse",
                                 others[i]);
    return 0;
}

int jig_read_found(struct jig_reader *reader, const struct document_node *map,
                   struct jig_site *site)
{
    static const char *const keys[] = {"flash", "eeprom",   "low",  "fuse",
                                       "high",  "extended", "lock", NULL};
    static const struct {
        const char *key;
        enum part_memory memory;
    } bytes[] = {{"low", PART_FUSE_LOW},
                 {"fuse", PART_FUSE_LOW}, /* a part's only one */
                 {"high", PART_FUSE_HIGH},
                 {"extended", PART_FUSE_EXTENDED},
                 {"lock", PART_LOCK}};
    const struct document_node *found = document_find(map, "found");

    if (found == NULL)
        return 0;
    if (document_check_keys(reader->document, found, keys, reader->failure) != 0 ||
        read_file(reader, found, "flash", &site->found.flash) != 0 ||
        read_file(reader, found, "eeprom", &site->found.eeprom) != 0 ||
        check_only_fuse(reader, found) != 0)
        return -1;
    site->found.is_only_fuse = document_find(found, "fuse") != NULL;
    for (size_t i = 0; i < sizeof bytes / sizeof bytes[0]; i++)
        if (read_byte(reader, found, bytes[i].key, bytes[i].memory, &site->found) != 0)
            return -1;
    return 0;
}

void jig_free_found(struct jig_found *found)
{
    free(found->flash);
    free(found->eeprom);
}

static int fail_found(const struct jig *jig, const struct jig_site *site, const char *why,
                      struct failure *failure)
{
    return failure_set(failure, FAILURE_JIG_INVALID, "%s:%d:%d: found on site %d: %s", jig->path,
                       site->line, site->column, site->site, why);
}

static int load_image(const char *path, const struct part *part, enum image_memory memory,
                      struct image **image, struct failure *failure)
{
    const struct image_request request = {.path = path, .for_eeprom = memory == IMAGE_EEPROM};
    struct image_file file = {0};
    int result = 0;

    if (path == NULL)
        return 0;
    result = image_file_load(&request, part, &file, failure);
    if (result == 0) {
        *image = file.memories->images[memory];
        file.memories->images[memory] = NULL;
    }
    image_file_free(&file);
    return result;
}

static int check_bytes(const struct jig_found *found, const struct part *part,
                       struct failure *failure)
{
    static const char *const names[] = {"low", "high", "extended", "lock"};
    char known[48];

    jig_list_bytes(part, known, sizeof known);
    for (int i = 0; i < PART_FUSE_AND_LOCK_COUNT; i++)
        if (found->given[i] &&
            !jig_part_has_byte(part, (enum part_memory)(PART_FIRST_FUSE + i), found->is_only_fuse))
            return failure_set(failure, FAILURE_JIG_INVALID, "%s has no byte '%s', but %s",
                               part->name, found->is_only_fuse && i == 0 ? "fuse" : names[i],
                               known);
    return 0;
}

int jig_load_found(const struct jig *jig, const struct jig_site *site, const struct part *part,
                   struct jig_contents *contents, struct failure *failure)
{
    struct failure why = {0};

    *contents = (struct jig_contents){NULL, NULL};
    if (check_bytes(&site->found, part, &why) == 0 &&
        load_image(site->found.flash, part, IMAGE_FLASH, &contents->flash, &why) == 0 &&
        load_image(site->found.eeprom, part, IMAGE_EEPROM, &contents->eeprom, &why) == 0)
        return 0;
    jig_free_contents(contents);
    return fail_found(jig, site, why.detail, failure);
}

void jig_free_contents(struct jig_contents *contents)
{
    image_free(contents->flash);
    image_free(contents->eeprom);
    *contents = (struct jig_contents){NULL, NULL};
}
