#include "jigs/serial_path.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Does the link lead to `device`, a path without links? */
static bool leads_to(const char *link, const char *device)
{
    char target[PATH_MAX];

    return realpath(link, target) != NULL && strcmp(target, device) == 0;
}

bool serial_path_find(const char *directory, const char *device, char *name, size_t name_bytes)
{
    char real[PATH_MAX], link[PATH_MAX];
    const struct dirent *entry;
    DIR *folder = opendir(directory);

    name[0] = '\0';
    if (folder == NULL)
        return false;
    if (realpath(device, real) == NULL)
        real[0] = '\0'; /* it went meanwhile */
    while ((entry = readdir(folder)) != NULL) {
        int length = snprintf(link, sizeof link, "%s/%s", directory, entry->d_name);

        if (length < 0 || (size_t)length >= sizeof link || (size_t)length >= name_bytes ||
            !leads_to(link, real) || (name[0] != '\0' && strcmp(link, name) >= 0))
            continue;
        memcpy(name, link, (size_t)length + 1);
    }
    closedir(folder);
    return name[0] != '\0';
}
