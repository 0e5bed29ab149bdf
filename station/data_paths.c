#include "station/data_paths.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiles/document.h"

#define SHIPPED_MAX 256

static char *format_path(const char *directory, const char *tail)
{
    char *path = NULL;
    if (asprintf(&path, "%s/%s", directory, tail) < 0)
        return NULL;
    return path;
}

/* The directory this program lies in, or with `up` 1 the one above; "." when the system does not
 * tell. */
static void own_directory(char directory[PATH_MAX], int up)
{
    ssize_t length = readlink("/proc/self/exe", directory, PATH_MAX - 1);
    directory[length < 0 ? 0 : length] = '\0';
    for (int i = 0; i <= up; i++) {
        char *slash = strrchr(directory, '/');
        if (slash == NULL) {
            (void)snprintf(directory, PATH_MAX, "%s", up == 0 ? "." : "..");
            return;
        }
        *slash = '\0';
    }
}

char *data_paths_directory(void)
{
    const char *given = getenv("GANGFLASH_DATA");
    if (given != NULL && given[0] != '\0')
        return strdup(given);
    char own[PATH_MAX];
    own_directory(own, 1);
    return format_path(own, "share/gangflash");
}

char *data_paths_shipped_parts(void)
{
    char *directory = data_paths_directory();
    char *parts = directory != NULL ? format_path(directory, "parts") : NULL;
    free(directory);
    return parts;
}

char *data_paths_schema(const char *kind)
{
    char *directory = data_paths_directory(), *path = NULL;
    if (directory != NULL && asprintf(&path, "%s/%s.schema.json", directory, kind) < 0)
        path = NULL;
    free(directory);
    return path;
}

char *data_paths_schema_comment(const char *kind)
{
    char *path = data_paths_schema(kind), *comment = NULL;
    if (path == NULL)
        return NULL;
    /* Editors look for it in their own directory, and take it up to a blank. */
    bool is_good = path[0] == '/' && strpbrk(path, " \t\n") == NULL && access(path, R_OK) == 0;
    if (asprintf(&comment, "%s%s", is_good ? "yaml-language-server: $schema=" : "",
                 is_good ? path : "") < 0)
        comment = NULL;
    free(path);
    return comment;
}

int data_paths_parts(char **directories, struct failure *failure)
{
    char *shipped = data_paths_shipped_parts();
    *directories = NULL;
    int result = shipped != NULL ? part_directories(shipped, directories, failure)
                                 : failure_set(failure, FAILURE_OUT_OF_MEMORY, "out of memory");
    free(shipped);
    return result;
}

bool data_paths_is_shipped_part(const struct part *part)
{
    char *shipped = data_paths_shipped_parts();
    size_t length = shipped != NULL ? strlen(shipped) : 0;
    bool is = length > 0 && part->path != NULL && strncmp(part->path, shipped, length) == 0 &&
              strchr(part->path + length + 1, '/') == NULL;
    free(shipped);
    return is;
}

char *data_paths_program(const char *name)
{
    char own[PATH_MAX];
    own_directory(own, 0);
    return format_path(own, name);
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text);
    size_t end_length = strlen(end);
    return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

static bool is_bare_name(const char *typed)
{
    return strchr(typed, '/') == NULL && !ends_with(typed, ".yaml") && !ends_with(typed, ".yml");
}

/* The names of the *.yaml files in a directory, NULL-ended; the caller frees the strings. */
static size_t list_shipped(const char *directory, char *names[SHIPPED_MAX + 1])
{
    size_t count = 0;
    DIR *listing = opendir(directory);
    while (listing != NULL && count < SHIPPED_MAX) {
        const struct dirent *entry = readdir(listing);
        if (entry == NULL)
            break;
        if (ends_with(entry->d_name, ".yaml"))
            names[count++] = strndup(entry->d_name, strlen(entry->d_name) - strlen(".yaml"));
    }
    if (listing != NULL)
        (void)closedir(listing);
    names[count] = NULL;
    return count;
}

static int fail_not_shipped(const char *typed, const char *directory, enum failure_code code,
                            struct failure *failure)
{
    char *names[SHIPPED_MAX + 1];
    size_t count = list_shipped(directory, names);
    const char *nearest = document_nearest(typed, (const char *const *)names);
    if (nearest != NULL)
        failure_set(failure, code, "there is no '%s' in %s; did you mean '%s'?", typed, directory,
                    nearest);
    else
        failure_set(failure, code, "there is no '%s' in %s; for a file, write its path", typed,
                    directory);
    for (size_t i = 0; i < count; i++)
        free(names[i]);
    return -1;
}

static int find_shipped(const char *typed, const char *directory, enum failure_code code,
                        char **path, struct failure *failure)
{
    if (asprintf(path, "%s/%s.yaml", directory, typed) < 0) {
        *path = NULL;
        return failure_set(failure, FAILURE_OUT_OF_MEMORY, "out of memory");
    }
    if (access(*path, F_OK) == 0)
        return 0;
    free(*path);
    *path = NULL;
    return fail_not_shipped(typed, directory, code, failure);
}

int data_paths_find(const char *typed, const char *folder, enum failure_code code, char **path,
                    struct failure *failure)
{
    *path = NULL;
    if (!is_bare_name(typed)) {
        *path = strdup(typed);
        return *path != NULL ? 0 : failure_set(failure, FAILURE_OUT_OF_MEMORY, "out of memory");
    }
    char *data = data_paths_directory();
    char *directory = data != NULL ? format_path(data, folder) : NULL;
    int result = directory != NULL ? find_shipped(typed, directory, code, path, failure)
                                   : failure_set(failure, FAILURE_OUT_OF_MEMORY, "out of memory");
    free(directory);
    free(data);
    return result;
}

/* The log that is used when none is named. */
static char *default_log(void)
{
    const char *from_environment = getenv("GANGFLASH_LOG");
    if (from_environment != NULL && from_environment[0] != '\0')
        return strdup(from_environment);
    const char *state = getenv("XDG_STATE_HOME");
    if (state != NULL && state[0] == '/') /* the specification: a relative one is ignored */
        return format_path(state, "gangflash/log.sqlite");
    const char *home = getenv("HOME");
    const struct passwd *user = home == NULL ? getpwuid(getuid()) : NULL;
    if (user != NULL)
        home = user->pw_dir;
    return home != NULL ? format_path(home, ".local/state/gangflash/log.sqlite") : NULL;
}

int data_paths_log(const char *given, char **path, struct failure *failure)
{
    *path = given != NULL ? strdup(given) : default_log();
    if (*path != NULL)
        return 0;
    return failure_set(failure, FAILURE_USAGE,
                       "no home directory to keep the log in: name a file with --log");
}

int data_paths_make_log_directory(const char *given, const char *path, struct failure *failure)
{
    if (given != NULL)
        return 0;
    char *directory = strdup(path);
    if (directory == NULL)
        return failure_set(failure, FAILURE_OUT_OF_MEMORY, "out of memory");
    int result = 0;
    for (char *slash = strchr(directory + 1, '/'); slash != NULL && result == 0;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(directory, 0777) != 0 && errno != EEXIST)
            result = failure_set(failure, FAILURE_LOG, "%s: cannot make the directory: %s",
                                 directory, strerror(errno));
        *slash = '/';
    }
    free(directory);
    return result;
}

int data_paths_load_part(const char *command, const char *name, struct part **part,
                         struct failure *failure)
{
    char *directories = NULL, path[PATH_MAX];
    struct failure why = {0};
    int result = data_paths_parts(&directories, failure);
    if (result == 0 && part_load(directories, name, part, &why) != 0)
        result = part_find(directories, name, path, sizeof(path))
                     ? failure_set(failure, why.code, "%s", why.detail)
                     : failure_set(failure, FAILURE_USAGE, "%s: %s", command, why.detail);
    free(directories);
    return result;
}
