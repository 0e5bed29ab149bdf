/* Where a part's file is found: the first of several directories that has it wins. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "profiles/part_foreign.h"
#include "profiles/part_reader.h"

#define PARTS_LISTED_MAX 1024

static bool is_part_name(const char *name)
{
    size_t length = strlen(name);

    for (size_t i = 0; i < length; i++)
        if (!isalnum((unsigned char)name[i]) && name[i] != '-' && name[i] != '_')
            return false;
    return length > 0 && length < sizeof(((struct part *)NULL)->name);
}

/* The next directory of the list: its length, and `*list` moved behind its colon; false at the end.
 * Empty ones are passed over. */
static bool next_directory(const char **list, const char **directory, int *length)
{
    while (**list == ':')
        (*list)++;
    *directory = *list;
    *length = (int)strcspn(*list, ":");
    *list += *length;
    return *length > 0;
}

/* ---- the user's own ---- */

/* One that is named must be there: a slip of the pen would bring the shipped files back unseen. */
static int check_named(const char *named, struct failure *failure)
{
    const char *directory;
    int length;

    while (next_directory(&named, &directory, &length)) {
        char path[PATH_MAX];
        struct stat status;

        if (snprintf(path, sizeof(path), "%.*s", length, directory) < (int)sizeof(path) &&
            stat(path, &status) == 0 && S_ISDIR(status.st_mode))
            continue;
        return failure_set(failure, FAILURE_PART_INVALID,
                           "GANGFLASH_PARTS: '%.*s' is no directory of part files", length,
                           directory);
    }
    return 0;
}

/* The user's configuration directory (XDG base directory specification: a relative one is ignored),
 * as a beginning and what is to be put behind it; false where there is none. */
static bool find_configuration(const char **start, const char **end)
{
    const char *home = getenv("HOME");

    *start = getenv("XDG_CONFIG_HOME");
    *end = "/gangflash/parts:";
    if (*start && (*start)[0] == '/')
        return true;
    *start = home;
    *end = "/.config/gangflash/parts:";
    return home && home[0] == '/';
}

int part_directories(const char *shipped, char **directories, struct failure *failure)
{
    const char *named = getenv("GANGFLASH_PARTS"), *start, *end;

    *directories = NULL;
    if (!named)
        named = "";
    if (!find_configuration(&start, &end))
        start = end = "";
    if (check_named(named, failure) != 0)
        return -1;
    if (asprintf(directories, "%s:%s%s%s", named, start, end, shipped) >= 0)
        return 0;
    *directories = NULL;
    return failure_set(failure, FAILURE_OUT_OF_MEMORY, "no memory for the directories of parts");
}

/* ---- listing ---- */

static bool is_listed(const struct part_list *list, const char *name, size_t length)
{
    for (size_t i = 0; i < list->count; i++)
        if (strlen(list->names[i]) == length && strncmp(list->names[i], name, length) == 0)
            return true;
    return false;
}

/* Adds the name of a part file, without its ending. */
static void list_file(struct part_list *list, const char *file)
{
    static const char ending[] = ".yaml";
    size_t length = strlen(file);
    char *name;

    if (list->count == PARTS_LISTED_MAX || length < sizeof(ending) ||
        strcmp(file + length - (sizeof(ending) - 1), ending) != 0)
        return;
    length -= sizeof(ending) - 1;
    if (is_listed(list, file, length))
        return;
    name = strndup(file, length);
    if (name && is_part_name(name))
        list->names[list->count++] = name;
    else
        free(name);
}

static void list_directory(struct part_list *list, const char *directory)
{
    DIR *stream = opendir(directory);

    if (!stream)
        return;
    for (struct dirent *entry = readdir(stream); entry; entry = readdir(stream))
        list_file(list, entry->d_name);
    closedir(stream);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int part_list(const char *directories, struct part_list *list, struct failure *failure)
{
    const char *directory;
    int length;

    list->count = 0;
    list->names = calloc(PARTS_LISTED_MAX + 1, sizeof(*list->names));
    if (!list->names)
        return failure_set(failure, FAILURE_OUT_OF_MEMORY, "no memory for the list of parts");
    while (next_directory(&directories, &directory, &length)) {
        char path[PATH_MAX];

        if (snprintf(path, sizeof(path), "%.*s", length, directory) < (int)sizeof(path))
            list_directory(list, path);
    }
    qsort(list->names, list->count, sizeof(*list->names), compare_names);
    return 0;
}

void part_list_free(struct part_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->names[i]);
    free(list->names);
    *list = (struct part_list){0};
}

/* ---- loading ---- */

static int fail_no_part(const char *directories, const char *name, struct failure *failure)
{
    const char *interface = part_foreign_interface(name), *nearest;
    struct part_list list;

    if (part_list(directories, &list, failure) != 0)
        return -1;
    nearest = part_foreign_name(name, (const char *const *)list.names);
    if (!nearest)
        nearest = document_nearest(name, (const char *const *)list.names);
    if (interface)
        failure_set(failure, FAILURE_PROFILE_INVALID,
                    "no part '%.40s' is known: it is programmed over %s, and this version does "
                    "those with ISP, which 'gangflash parts' lists",
                    name, interface);
    else if (nearest)
        failure_set(failure, FAILURE_PROFILE_INVALID,
                    "no part '%.40s' is known, did you mean '%s'?", name, nearest);
    else
        failure_set(failure, FAILURE_PROFILE_INVALID,
                    "no part '%.40s' is known; 'gangflash parts' lists the %zu that are", name,
                    list.count);
    part_list_free(&list);
    return -1;
}

static bool is_absent(const char *path)
{
    struct stat status;

    return lstat(path, &status) != 0 && (errno == ENOENT || errno == ENOTDIR);
}

bool part_find(const char *directories, const char *name, char *path, size_t path_bytes)
{
    const char *directory;
    int length;

    while (is_part_name(name) && next_directory(&directories, &directory, &length)) {
        int used = snprintf(path, path_bytes, "%.*s/%s.yaml", length, directory, name);

        /* Whatever stands there is the one: what cannot be read is not passed over. */
        if (used > 0 && (size_t)used < path_bytes && !is_absent(path))
            return true;
    }
    return false;
}

static int check_name(const struct document *document, const char *name, const struct part *part,
                      struct failure *failure)
{
    if (strcmp(part->name, name) == 0)
        return 0;
    return document_fail(document, document_find(document->root, "part"), failure,
                         "found the part %s in a file named for %s", part->name, name);
}

int part_load(const char *directories, const char *name, struct part **part,
              struct failure *failure)
{
    char path[PATH_MAX];
    struct document *document = NULL;
    int result;

    *part = NULL;
    if (!part_find(directories, name, path, sizeof(path)))
        return fail_no_part(directories, name, failure);
    if (document_load(path, FAILURE_PART_INVALID, &document, failure) != 0)
        return -1;
    result = part_from_document(document, part, failure);
    if (result == 0)
        result = check_name(document, name, *part, failure);
    if (result == 0 && !((*part)->path = strdup(path)))
        result = failure_set(failure, FAILURE_OUT_OF_MEMORY, "%s: out of memory", path);
    if (result != 0) {
        part_free(*part);
        *part = NULL;
    }
    document_free(document);
    return result;
}
