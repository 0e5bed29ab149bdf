#include "station/output_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int fail(const char *path, const char *what, struct failure *failure)
{
    return failure_set(failure, FAILURE_USAGE, "%s: %s: %s", path, what, strerror(errno));
}

static int write_all(int descriptor, const char *bytes, size_t count)
{
    while (count > 0) {
        ssize_t written = write(descriptor, bytes, count);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return -1;
        bytes += written;
        count -= (size_t)written;
    }
    return 0;
}

static int keep_permissions(const struct output_file *file, int descriptor)
{
    struct stat old;
    if (!file->replace || stat(file->path, &old) != 0)
        return 0;
    return fchmod(descriptor, old.st_mode & 07777);
}

/* Closes the descriptor. */
static int fill(const struct output_file *file, int descriptor, const void *bytes, size_t count)
{
    int result = keep_permissions(file, descriptor) == 0 && write_all(descriptor, bytes, count) == 0
                     ? fsync(descriptor)
                     : -1;
    int reason = errno;
    if (close(descriptor) != 0 && result == 0)
        return -1;
    errno = reason;
    return result;
}

int output_file_stage(struct output_file *file, const void *bytes, size_t count,
                      struct failure *failure)
{
    if (asprintf(&file->temporary, "%s.%ld.part", file->path, (long)getpid()) < 0) {
        file->temporary = NULL;
        return failure_set(failure, FAILURE_OUT_OF_MEMORY, "out of memory");
    }
    int descriptor =
        open(file->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (descriptor < 0) {
        (void)fail(file->temporary, "cannot be made", failure);
        free(file->temporary); /* somebody else's, if it is there */
        file->temporary = NULL;
        return -1;
    }
    if (fill(file, descriptor, bytes, count) == 0)
        return 0;
    (void)fail(file->path, "cannot be written", failure);
    output_file_discard(file);
    return -1;
}

/* A file of that name may have come since it was looked for: it is not replaced unasked. */
static int give_name(const struct output_file *file)
{
    if (file->replace)
        return rename(file->temporary, file->path);
    if (renameat2(AT_FDCWD, file->temporary, AT_FDCWD, file->path, RENAME_NOREPLACE) == 0)
        return 0;
    /* Some file systems cannot do that, but can give a second name. */
    if (errno != EINVAL || link(file->temporary, file->path) != 0)
        return -1;
    return unlink(file->temporary);
}

static int sync_directory(const char *path)
{
    char *directory = strdup(path);
    if (directory == NULL)
        return -1;
    char *slash = strrchr(directory, '/');
    if (slash != NULL)
        slash[slash == directory ? 1 : 0] = '\0';
    int descriptor = open(slash != NULL ? directory : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(directory);
    if (descriptor < 0)
        return -1;
    int result = fsync(descriptor);
    (void)close(descriptor);
    return result;
}

int output_file_commit(struct output_file *file, struct failure *failure)
{
    if (give_name(file) != 0) {
        (void)fail(file->path, "cannot be written", failure);
        output_file_discard(file);
        return -1;
    }
    free(file->temporary);
    file->temporary = NULL;
    if (sync_directory(file->path) != 0)
        return fail(file->path, "its directory cannot be synced", failure);
    return 0;
}

void output_file_discard(struct output_file *file)
{
    if (file->temporary != NULL)
        (void)unlink(file->temporary);
    free(file->temporary);
    file->temporary = NULL;
}

int output_file_write(const char *path, bool replace, const void *bytes, size_t count,
                      struct failure *failure)
{
    struct output_file file = {.path = path, .replace = replace};
    if (output_file_stage(&file, bytes, count, failure) != 0)
        return -1;
    return output_file_commit(&file, failure);
}
