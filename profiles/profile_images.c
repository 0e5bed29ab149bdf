#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiles/intel_hex.h"
#include "profiles/profile_reader.h"
#include "profiles/text_file.h"

#define IMAGES_MAX 16

static int fail_memory(struct profile_reader *reader)
{
    return failure_set(reader->failure, FAILURE_OUT_OF_MEMORY, "%s: out of memory",
                       reader->document->path);
}

/* ---- one file ---- */

/* Where a file of the profile is: beside it, unless its path is absolute. The caller frees. */
static char *beside(const char *profile_path, const char *file)
{
    const char *slash = strrchr(profile_path, '/');
    char *path = NULL;

    if (file[0] == '/' || !slash)
        return strdup(file);
    if (asprintf(&path, "%.*s/%s", (int)(slash - profile_path), profile_path, file) < 0)
        return NULL;
    return path;
}

static int check_there(struct profile_reader *reader, const struct document_node *file,
                       const char *name, const char *path)
{
    if (access(path, F_OK) == 0)
        return 0;
    return document_fail(reader->document, file, reader->failure,
                         "the image '%s' is missing: put the Intel HEX file that belongs to "
                         "profile %s at %s",
                         name, reader->profile->name, text_file_shown_path(path));
}

static int check_digest_form(struct profile_reader *reader, const struct document_node *node,
                             const char *text)
{
    size_t length = strlen(text);

    for (size_t i = 0; i < length; i++)
        if (!isxdigit((unsigned char)text[i]))
            length = 0;
    if (length == DIGEST_TEXT_BYTES - 1)
        return 0;
    return document_fail(reader->document, node, reader->failure,
                         "found '%.70s', expected the 64 hex digits of a SHA-256", text);
}

static int check_digest(struct profile_reader *reader, const struct document_node *map,
                        const char *name, const char *found)
{
    const struct document_node *node = document_find(map, "sha256");
    const char *expected = NULL;

    if (!node)
        return 0;
    if (document_text(reader->document, node, &expected, reader->failure) != 0 ||
        check_digest_form(reader, node, expected) != 0)
        return -1;
    if (strcasecmp(expected, found) == 0)
        return 0;
    return document_fail_as(reader->document, node, FAILURE_IMAGE_CHANGED, reader->failure,
                            "found SHA-256 %s, expected %s (%.40s)", found, expected, name);
}

/* Loads the file that `map` names into a new image, and checks it against `map`'s sha256. */
static int load_file(struct profile_reader *reader, const struct document_node *map,
                     uint32_t memory_size, struct profile_image_source *source,
                     struct image **image)
{
    const struct document_node *file = NULL;
    char name[PROFILE_TEXT_BYTES], sha256[DIGEST_TEXT_BYTES] = "";

    *image = NULL;
    if (document_need(reader->document, map, "file", &file, reader->failure) != 0 ||
        profile_read_text(reader, file, name, sizeof(name)) != 0)
        return -1;
    source->path = beside(reader->document->path, name);
    if (!source->path)
        return fail_memory(reader);
    if (check_there(reader, file, name, source->path) != 0 ||
        intel_hex_load(source->path, memory_size, image, sha256, reader->failure) != 0 ||
        check_digest(reader, map, name, sha256) != 0)
        return -1;
    memcpy(source->sha256, sha256, sizeof(sha256));
    if ((*image)->count == 0)
        return document_fail_as(reader->document, file, FAILURE_IMAGE_INVALID, reader->failure,
                                "found no data in '%s', expected at least one byte", name);
    return 0;
}

/* ---- images ---- */

static void describe_extent(const struct image *image, struct profile_image_source *source)
{
    struct image_range range = {0};

    source->byte_count = image->count;
    for (uint32_t at = 0; image_next_range(image, at, &range); at = range.end) {
        if (at == 0)
            source->first_address = range.start;
        source->last_address = range.end - 1;
    }
}

static int read_role(struct profile_reader *reader, const struct document_node *map,
                     struct profile_image_source *source)
{
    static const char *const roles[] = {"application", "bootloader", NULL};
    const struct document_node *node = document_find(map, "role");
    int index = 0;

    if (!node)
        return 0;
    if (document_choice(reader->document, node, roles, &index, reader->failure) != 0)
        return -1;
    source->role = strdup(roles[index]);
    return source->role ? 0 : fail_memory(reader);
}

static const char *file_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* Composes image number `index` with those before it; an overlap is looked for file by file, so
 * that its message can name both. */
static int compose(struct profile_reader *reader, const struct document_node *map,
                   struct image *const images[], size_t index)
{
    const struct profile_image_source *sources = reader->profile->sources;
    struct failure failure = {0};

    if (image_compose(reader->profile->flash, images[index], "", "", &failure) == 0)
        return 0;
    for (size_t i = 0; i < index; i++)
        if (image_compose(images[i], images[index], file_name(sources[i].path),
                          file_name(sources[index].path), &failure) != 0)
            break;
    return document_fail_as(reader->document, map, failure.code, reader->failure, "%s",
                            failure.detail);
}

static int read_image(struct profile_reader *reader, const struct document_node *map,
                      struct image *images[], size_t index)
{
    static const char *const keys[] = {"file", "sha256", "role", NULL};
    struct profile *profile = reader->profile;
    struct profile_image_source *source = &profile->sources[index];

    profile->source_count = index + 1;
    if (document_check_keys(reader->document, map, keys, reader->failure) != 0 ||
        read_role(reader, map, source) != 0 ||
        load_file(reader, map, profile->part->flash.size, source, &images[index]) != 0)
        return -1;
    describe_extent(images[index], source);
    return compose(reader, map, images, index);
}

static int read_image_list(struct profile_reader *reader, const struct document_node *root)
{
    struct profile *profile = reader->profile;
    struct image *images[IMAGES_MAX] = {NULL};
    const struct document_node *list = NULL;
    size_t count;
    int result = 0;

    if (document_need(reader->document, root, "images", &list, reader->failure) != 0)
        return -1;
    count = document_count(list);
    if (document_node_kind(list) != DOCUMENT_SEQUENCE || count == 0 || count > IMAGES_MAX)
        return document_fail(reader->document, list, reader->failure,
                             "expected a list of 1 to %d images, as in - {file: app.hex}",
                             IMAGES_MAX);
    profile->flash = image_create(profile->part->flash.size);
    profile->sources = calloc(count, sizeof(*profile->sources));
    if (!profile->flash || !profile->sources)
        return fail_memory(reader);
    for (size_t i = 0; i < count && result == 0; i++)
        result = read_image(reader, document_item(list, i), images, i);
    for (size_t i = 0; i < count; i++)
        image_free(images[i]);
    return result;
}

/* ---- EEPROM ---- */

static int read_eeprom_file(struct profile_reader *reader, const struct document_node *map)
{
    static const char *const keys[] = {"file", "sha256", NULL};
    struct profile *profile = reader->profile;
    struct profile_image_source source = {0};
    int result;

    if (document_check_keys(reader->document, map, keys, reader->failure) != 0)
        return -1;
    if (profile->part->eeprom.size == 0)
        return document_fail(reader->document, map, reader->failure,
                             "found an EEPROM image, but %s has no EEPROM", profile->part->name);
    profile->eeprom_policy = PROFILE_EEPROM_FILE;
    result = load_file(reader, map, profile->part->eeprom.size, &source, &profile->eeprom);
    free(source.path);
    return result;
}

/* {keep: refuse} or {keep: restore}: what is done where the erase would clear it. */
static int read_kept_eeprom(struct profile_reader *reader, const struct document_node *map)
{
    static const char *const keys[] = {"keep", NULL};
    static const char *const names[] = {"refuse", "restore", NULL};
    static const enum profile_eeprom policies[] = {PROFILE_EEPROM_KEEP, PROFILE_EEPROM_RESTORE};
    struct profile *profile = reader->profile;
    int index = 0;

    if (document_check_keys(reader->document, map, keys, reader->failure) != 0 ||
        document_choice(reader->document, document_find(map, "keep"), names, &index,
                        reader->failure) != 0)
        return -1;
    if (profile->part->eeprom.size == 0)
        return document_fail(reader->document, map, reader->failure,
                             "found an EEPROM to keep, but %s has no EEPROM", profile->part->name);
    profile->eeprom_policy = policies[index];
    return 0;
}

static int read_eeprom(struct profile_reader *reader, const struct document_node *root)
{
    static const char *const names[] = {"keep", "erase", NULL};
    static const enum profile_eeprom policies[] = {PROFILE_EEPROM_KEEP, PROFILE_EEPROM_ERASE};
    const struct document_node *node = document_find(root, "eeprom");
    int index = 1;

    if (node && document_node_kind(node) == DOCUMENT_MAPPING)
        return document_find(node, "keep") ? read_kept_eeprom(reader, node)
                                           : read_eeprom_file(reader, node);
    if (node && document_choice(reader->document, node, names, &index, reader->failure) != 0)
        return -1;
    reader->profile->eeprom_policy = policies[index];
    return 0;
}

int profile_read_images(struct profile_reader *reader, const struct document_node *root)
{
    if (read_image_list(reader, root) != 0 || read_eeprom(reader, root) != 0)
        return -1;
    image_digest(reader->profile->flash, reader->profile->eeprom, reader->profile->image_sha256);
    return 0;
}
