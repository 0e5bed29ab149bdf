#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiles/image_file.h"
#include "profiles/profile_reader.h"
#include "profiles/text_file.h"

#define IMAGES_MAX 16

/* A file that the profile names. */
struct loaded_file {
    const struct document_node *map;  /* its entry */
    const struct document_node *file; /* its name, where messages about it point */
    struct profile_image_source *source;
    struct image_file contents;
};

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

static const char *file_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static int check_there(struct profile_reader *reader, const struct document_node *file,
                       const char *name, const char *path)
{
    if (access(path, F_OK) == 0)
        return 0;
    return document_fail(reader->document, file, reader->failure,
                         "the image '%s' is missing: put the file that belongs to profile %s at "
                         "%s",
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

static int read_request(struct profile_reader *reader, const struct document_node *map,
                        struct image_request *request)
{
    const struct document_node *format = document_find(map, "format");
    const struct document_node *address = document_find(map, "address");
    int64_t number = 0;
    int index = IMAGE_FORMAT_AUTO;

    if (format &&
        document_choice(reader->document, format, image_format_names, &index, reader->failure) != 0)
        return -1;
    if (address &&
        document_integer(reader->document, address, 0, UINT32_MAX, &number, reader->failure) != 0)
        return -1;
    request->format = (enum image_format)index;
    request->has_address = address != NULL;
    request->address = (uint32_t)number;
    if (request->format == IMAGE_FORMAT_BIN && !address)
        return document_fail(reader->document, map, reader->failure,
                             "the key 'address' is missing: a raw binary has none of its own");
    return 0;
}

static int load_contents(struct profile_reader *reader, struct loaded_file *loaded,
                         const struct image_request *request)
{
    struct failure why = {0};

    if (image_file_load(request, reader->profile->part, &loaded->contents, &why) == 0)
        return 0;
    if (why.code == FAILURE_IMAGE_UNKNOWN)
        return document_fail_as(reader->document, loaded->map, why.code, reader->failure,
                                "%s: expected the key 'address'", why.detail);
    return failure_set(reader->failure, why.code, "%s", why.detail);
}

/* Loads the file that `map` names, and checks it against `map`'s sha256. */
static int load_file(struct profile_reader *reader, const struct document_node *map,
                     bool for_eeprom, struct loaded_file *loaded)
{
    struct image_request request = {.for_eeprom = for_eeprom};
    struct profile_image_source *source = loaded->source;
    char name[PROFILE_TEXT_BYTES];

    loaded->map = map;
    if (document_need(reader->document, map, "file", &loaded->file, reader->failure) != 0 ||
        profile_read_text(reader, loaded->file, name, sizeof(name)) != 0 ||
        read_request(reader, map, &request) != 0)
        return -1;
    source->path = beside(reader->document->path, name);
    if (!source->path)
        return fail_memory(reader);
    request.path = source->path;
    if (check_there(reader, loaded->file, name, source->path) != 0 ||
        load_contents(reader, loaded, &request) != 0)
        return -1;
    memcpy(source->sha256, loaded->contents.sha256, sizeof(source->sha256));
    source->format = loaded->contents.format;
    return check_digest(reader, map, name, source->sha256);
}

static struct image *image_of(const struct loaded_file *loaded, enum image_memory memory)
{
    return loaded->contents.memories->images[memory];
}

/* The memory's image changes hands: the profile keeps it. */
static struct image *take_image(struct loaded_file *loaded, enum image_memory memory)
{
    struct image *image = image_of(loaded, memory);

    loaded->contents.memories->images[memory] = NULL;
    return image;
}

static int fail_no_data(struct profile_reader *reader, const struct loaded_file *loaded,
                        enum image_memory memory)
{
    return document_fail_as(reader->document, loaded->file, FAILURE_IMAGE_INVALID, reader->failure,
                            "found no data for the %s in '%.100s', expected at least one byte",
                            image_memory_name(memory), file_name(loaded->source->path));
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

/* Composes image number `index` with those before it; an overlap is looked for file by file, so
 * that its message can name both. */
static int compose(struct profile_reader *reader, const struct loaded_file files[], size_t index)
{
    const struct profile_image_source *sources = reader->profile->sources;
    const struct image *image = image_of(&files[index], IMAGE_FLASH);
    struct failure failure = {0};

    if (image_compose(reader->profile->flash, image, "", "", &failure) == 0)
        return 0;
    for (size_t i = 0; i < index; i++) {
        struct image *other = image_of(&files[i], IMAGE_FLASH);

        if (image_compose(other, image, file_name(sources[i].path), file_name(sources[index].path),
                          &failure) != 0)
            break;
    }
    return document_fail_as(reader->document, files[index].map, failure.code, reader->failure, "%s",
                            failure.detail);
}

static int read_image(struct profile_reader *reader, const struct document_node *map,
                      struct loaded_file files[], size_t index)
{
    static const char *const keys[] = {"file", "sha256", "role", "format", "address", NULL};
    struct profile *profile = reader->profile;
    struct loaded_file *loaded = &files[index];

    loaded->source = &profile->sources[index];
    profile->source_count = index + 1;
    loaded->source->position = profile_position_of(map);
    if (document_check_keys(reader->document, map, keys, reader->failure) != 0 ||
        read_role(reader, map, loaded->source) != 0 || load_file(reader, map, false, loaded) != 0)
        return -1;
    if (image_of(loaded, IMAGE_FLASH)->count == 0)
        return fail_no_data(reader, loaded, IMAGE_FLASH);
    describe_extent(image_of(loaded, IMAGE_FLASH), loaded->source);
    return compose(reader, files, index);
}

static int read_image_list(struct profile_reader *reader, const struct document_node *root,
                           struct loaded_file files[])
{
    struct profile *profile = reader->profile;
    const struct document_node *list = NULL;
    size_t count;
    int result = 0;

    if (document_need(reader->document, root, "images", &list, reader->failure) != 0)
        return -1;
    profile->images_position = profile_position_of(list);
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
        result = read_image(reader, document_item(list, i), files, i);
    return result;
}

/* ---- EEPROM ---- */

static int read_eeprom_file(struct profile_reader *reader, const struct document_node *map,
                            struct loaded_file *loaded)
{
    static const char *const keys[] = {"file", "sha256", "format", "address", NULL};
    struct profile *profile = reader->profile;

    if (document_check_keys(reader->document, map, keys, reader->failure) != 0)
        return -1;
    if (profile->part->eeprom.size == 0)
        return document_fail(reader->document, map, reader->failure,
                             "found an EEPROM image, but %s has no EEPROM", profile->part->name);
    profile->eeprom_policy = PROFILE_EEPROM_FILE;
    if (load_file(reader, map, true, loaded) != 0)
        return -1;
    if (image_of(loaded, IMAGE_EEPROM)->count == 0)
        return fail_no_data(reader, loaded, IMAGE_EEPROM);
    describe_extent(image_of(loaded, IMAGE_EEPROM), loaded->source);
    return 0;
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

static int read_eeprom_map(struct profile_reader *reader, const struct document_node *map,
                           struct loaded_file *loaded)
{
    static const char *const keys[] = {"keep", "file", "sha256", "format", "address", NULL};

    if (document_find(map, "keep"))
        return read_kept_eeprom(reader, map);
    if (!document_find(map, "file") &&
        document_check_keys(reader->document, map, keys, reader->failure) != 0)
        return -1;
    return read_eeprom_file(reader, map, loaded);
}

static int read_eeprom(struct profile_reader *reader, const struct document_node *root,
                       struct loaded_file *loaded)
{
    static const char *const names[] = {"keep", "erase", NULL};
    static const enum profile_eeprom policies[] = {PROFILE_EEPROM_KEEP, PROFILE_EEPROM_ERASE};
    const struct document_node *node = document_find(root, "eeprom");
    const char *text = NULL;
    int index = 1;

    reader->profile->eeprom_position = profile_position_of(node ? node : root);
    if (node && document_node_kind(node) == DOCUMENT_MAPPING)
        return read_eeprom_map(reader, node, loaded);
    if (node && document_text(reader->document, node, &text, NULL) == 0 &&
        strcmp(text, "restore") == 0)
        return document_fail(reader->document, node, reader->failure,
                             "found 'restore', did you mean {keep: restore}?");
    if (node && document_choice(reader->document, node, names, &index, reader->failure) != 0)
        return -1;
    reader->profile->eeprom_policy = policies[index];
    return 0;
}

/* ---- what a file says besides its flash ---- */

static int fail_disagrees(struct profile_reader *reader, const struct loaded_file *loaded,
                          const char *format, ...) __attribute__((format(printf, 3, 4)));
static int fail_disagrees(struct profile_reader *reader, const struct loaded_file *loaded,
                          const char *format, ...)
{
    char text[FAILURE_DETAIL_BYTES];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    return document_fail_as(reader->document, loaded->file, FAILURE_IMAGE_DISAGREES,
                            reader->failure, "%.80s %s", file_name(loaded->source->path), text);
}

static int check_signature(struct profile_reader *reader, const struct loaded_file *loaded)
{
    const struct part *part = reader->profile->part;
    const uint8_t *expected = part->signature;
    uint8_t found[3];

    if (image_of(loaded, IMAGE_SIGNATURE)->count == 0)
        return 0;
    if (!image_memories_signature(loaded->contents.memories, found))
        return fail_disagrees(reader, loaded, "holds %u bytes of a signature, expected 3",
                              image_of(loaded, IMAGE_SIGNATURE)->count);
    if (memcmp(found, expected, sizeof(found)) == 0)
        return 0;
    return fail_disagrees(reader, loaded,
                          "is for a part of signature %02X %02X %02X, expected %02X %02X %02X, "
                          "the signature of %s",
                          found[0], found[1], found[2], expected[0], expected[1], expected[2],
                          part->name);
}

/* What counts is the value that the profile writes: a board is to become what its file says. */
static int check_rule(struct profile_reader *reader, const struct loaded_file *loaded,
                      enum part_memory memory, uint8_t found)
{
    const struct part *part = reader->profile->part;
    const struct profile_byte_rule *rule = profile_rule(reader->profile, memory);
    const char *kind = memory == PART_LOCK ? "byte" : "fuse";

    if (!rule)
        return fail_disagrees(reader, loaded, "holds a %s %s, but %s has none",
                              part_memory_name(part, memory), kind, part->name);
    if (rule->leave)
        return fail_disagrees(reader, loaded,
                              "wants the %s %s to be 0x%02X, but the profile says leave",
                              part_memory_name(part, memory), kind, found);
    if (part_byte_equal(part, memory, found, rule->write))
        return 0;
    return fail_disagrees(reader, loaded,
                          "wants the %s %s to be 0x%02X, but the profile writes 0x%02X",
                          part_memory_name(part, memory), kind, found, rule->write);
}

static int check_fuses(struct profile_reader *reader, const struct loaded_file *loaded)
{
    const struct image *fuses = image_of(loaded, IMAGE_FUSES);
    const struct image *lock = image_of(loaded, IMAGE_LOCK);

    /* With one missing the linker closes up those behind it: which is which could not be told. */
    if (fuses->count > 0 && fuses->count != fuses->size)
        return fail_disagrees(reader, loaded, "holds %u of the %u fuse bytes of %s, expected all",
                              fuses->count, fuses->size, reader->profile->part->name);
    for (uint32_t i = 0; i < fuses->count; i++)
        if (check_rule(reader, loaded, (enum part_memory)(PART_FIRST_FUSE + i), fuses->data[i]) !=
            0)
            return -1;
    return lock->count == 0 ? 0 : check_rule(reader, loaded, PART_LOCK, lock->data[0]);
}

/* The EEPROM's file rules: each byte that another file has for the EEPROM must be in it. */
static int check_eeprom(struct profile_reader *reader, const struct loaded_file *loaded,
                        const struct image *ruling)
{
    const struct image *image = image_of(loaded, IMAGE_EEPROM);

    if (image->count == 0)
        return 0;
    if (!ruling)
        return document_fail(reader->document, loaded->file, reader->failure,
                             "%.80s also holds %u bytes for the EEPROM, which the profile would "
                             "not write: say eeprom: {file: …} with this file or the right one",
                             file_name(loaded->source->path), image->count);
    for (uint32_t i = 0; i < image->size; i++) {
        if (!image->present[i])
            continue;
        if (!ruling->present[i])
            return fail_disagrees(reader, loaded,
                                  "wants the EEPROM at 0x%04X to be 0x%02X, but the profile's "
                                  "EEPROM file leaves it blank",
                                  i, image->data[i]);
        if (ruling->data[i] != image->data[i])
            return fail_disagrees(reader, loaded,
                                  "wants the EEPROM at 0x%04X to be 0x%02X, but the profile's "
                                  "EEPROM file has 0x%02X",
                                  i, image->data[i], ruling->data[i]);
    }
    return 0;
}

/* An EEPROM's layout belongs to one build of the program. Where the file has a program, too, that
 * is the one which the board gets; it need not be all of the flash. */
static int check_build(struct profile_reader *reader, const struct loaded_file *eeprom)
{
    const struct image *own = image_of(eeprom, IMAGE_FLASH), *flash = reader->profile->flash;

    for (uint32_t i = 0; i < own->size; i++) {
        if (!own->present[i] || own->data[i] == flash->data[i])
            continue;
        if (!flash->present[i])
            return fail_disagrees(reader, eeprom,
                                  "is of another build: it has 0x%02X at 0x%05X of the flash, but "
                                  "the profile's images leave it blank",
                                  own->data[i], i);
        return fail_disagrees(reader, eeprom,
                              "is of another build: it has 0x%02X at 0x%05X of the flash, but the "
                              "profile's images have 0x%02X",
                              own->data[i], i, flash->data[i]);
    }
    return 0;
}

static int check_file(struct profile_reader *reader, const struct loaded_file *loaded,
                      const struct image *ruling)
{
    if (check_signature(reader, loaded) != 0 || check_fuses(reader, loaded) != 0)
        return -1;
    return check_eeprom(reader, loaded, ruling);
}

static int check_files(struct profile_reader *reader, struct loaded_file files[],
                       struct loaded_file *eeprom)
{
    const bool has_eeprom = eeprom->contents.memories != NULL;
    const struct image *ruling = has_eeprom ? image_of(eeprom, IMAGE_EEPROM) : NULL;

    for (size_t i = 0; i < IMAGES_MAX && files[i].contents.memories; i++)
        if (check_file(reader, &files[i], ruling) != 0)
            return -1;
    if (!has_eeprom)
        return 0;
    if (check_file(reader, eeprom, ruling) != 0 || check_build(reader, eeprom) != 0)
        return -1;
    reader->profile->eeprom = take_image(eeprom, IMAGE_EEPROM);
    return 0;
}

int profile_read_images(struct profile_reader *reader, const struct document_node *root)
{
    struct loaded_file files[IMAGES_MAX] = {0},
                       eeprom = {.source = &reader->profile->eeprom_source};
    int result = -1;

    if (read_image_list(reader, root, files) == 0 && read_eeprom(reader, root, &eeprom) == 0)
        result = check_files(reader, files, &eeprom);
    for (size_t i = 0; i < IMAGES_MAX; i++)
        image_file_free(&files[i].contents);
    image_file_free(&eeprom.contents);
    if (result == 0)
        image_digest(reader->profile->flash, reader->profile->eeprom,
                     reader->profile->image_sha256);
    return result;
}
