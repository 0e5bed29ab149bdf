#include "jigs/place_holder.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef bool (*descriptor_matches)(int folder, long process, const char *name, const char *device);

/* The first line of a file in /proc; empty when it cannot be read. */
static void read_line(const char *path, char *line, int line_bytes)
{
    FILE *file = fopen(path, "re");

    line[0] = '\0';
    if (file == NULL)
        return;
    if (fgets(line, line_bytes, file) == NULL)
        line[0] = '\0';
    line[strcspn(line, "\n")] = '\0';
    fclose(file);
}

static bool link_is(int folder, const char *name, const char *text, bool only_end)
{
    char target[PATH_MAX];
    ssize_t length = readlinkat(folder, name, target, sizeof target - 1);
    size_t wanted = strlen(text);

    if (length < 0 || (size_t)length < wanted)
        return false;
    target[length] = '\0';
    return strcmp(only_end ? target + length - wanted : target, text) == 0;
}

static bool is_device(int folder, long process, const char *name, const char *device)
{
    (void)process;
    return link_is(folder, name, device, false);
}

/* Is it the master of the pseudo terminal /dev/pts/N? All masters are /dev/ptmx; proc(5) tells
 * their number as "tty-index" in fdinfo. */
static bool is_master(int folder, long process, const char *name, const char *device)
{
    char path[64], line[64];
    FILE *file;
    bool found = false;

    if (!link_is(folder, name, "/ptmx", true))
        return false;
    snprintf(path, sizeof path, "/proc/%ld/fdinfo/%.16s", process, name);
    file = fopen(path, "re");
    while (file != NULL && !found && fgets(line, sizeof line, file) != NULL)
        found = strncmp(line, "tty-index:", 10) == 0 &&
                strtol(line + 10, NULL, 10) == strtol(device + strlen("/dev/pts/"), NULL, 10);
    if (file != NULL)
        fclose(file);
    return found;
}

static bool process_has(long process, const char *device, descriptor_matches matches)
{
    char path[64];
    bool found = false;
    struct dirent *entry;

    snprintf(path, sizeof path, "/proc/%ld/fd", process);
    DIR *folder = opendir(path);
    if (folder == NULL)
        return false;
    while (!found && (entry = readdir(folder)) != NULL)
        found = matches(dirfd(folder), process, entry->d_name, device);
    closedir(folder);
    return found;
}

static bool holds(long process, const char *device)
{
    if (!process_has(process, device, is_device))
        return false;
    return strncmp(device, "/dev/pts/", 9) != 0 || !process_has(process, device, is_master);
}

bool place_holder_find(const char *device, char *text, size_t text_bytes)
{
    bool found = false;
    struct dirent *entry;
    DIR *processes = opendir("/proc");

    if (processes == NULL)
        return false;
    while (!found && (entry = readdir(processes)) != NULL) {
        long process = strtol(entry->d_name, NULL, 10);

        if (!isdigit((unsigned char)entry->d_name[0]) || process == getpid() ||
            !holds(process, device))
            continue;
        char path[64], command[64];
        snprintf(path, sizeof path, "/proc/%ld/comm", process);
        read_line(path, command, sizeof command);
        snprintf(text, text_bytes, "process %ld (%s)", process, command);
        found = true;
    }
    closedir(processes);
    return found;
}
