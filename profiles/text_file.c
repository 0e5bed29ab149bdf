#include "profiles/text_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_SHOWN_MAX 100

const char *text_file_shown_path(const char *path)
{
    size_t length = strlen(path);

    return length > PATH_SHOWN_MAX ? path + length - PATH_SHOWN_MAX : path;
}

static int read_all(int descriptor, const char *path, char *bytes, size_t bytes_max, size_t *count,
                    enum failure_code code, struct failure *failure)
{
    size_t have = 0;

    while (have < bytes_max) {
        ssize_t got = read(descriptor, bytes + have, bytes_max - have);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return failure_set(failure, code, "%s: cannot be read: %s", path, strerror(errno));
        if (got == 0)
            break;
        have += (size_t)got;
    }
    bytes[have] = '\0';
    *count = have;
    return 0;
}

static int check_file(int descriptor, const char *path, size_t bytes_max, size_t *size,
                      enum failure_code code, struct failure *failure)
{
    struct stat status;

    if (fstat(descriptor, &status) != 0)
        return failure_set(failure, code, "%s: cannot be read: %s", path, strerror(errno));
    if (!S_ISREG(status.st_mode))
        return failure_set(failure, code, "%s:1:1: is not a regular file", path);
    if (status.st_size < 0 || (size_t)status.st_size > bytes_max)
        return failure_set(failure, code, "%s:1:1: has %lld bytes, expected at most %zu", path,
                           (long long)status.st_size, bytes_max);
    *size = (size_t)status.st_size;
    return 0;
}

int text_file_read(const char *path, size_t bytes_max, enum failure_code code, char **bytes,
                   size_t *count, struct failure *failure)
{
    size_t size = 0;
    char *buffer = NULL;
    int result = -1;
    const char *shown = text_file_shown_path(path);
    /* O_NONBLOCK: opening a pipe that nobody writes to must not wait. */
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    *bytes = NULL;
    *count = 0;
    if (descriptor < 0)
        return failure_set(failure, code, "%s: cannot be opened: %s", shown, strerror(errno));
    if (check_file(descriptor, shown, bytes_max, &size, code, failure) != 0)
        goto close_descriptor;
    buffer = malloc(size + 1);
    if (!buffer) {
        failure_set(failure, FAILURE_OUT_OF_MEMORY, "%s: out of memory", shown);
        goto close_descriptor;
    }
    if (read_all(descriptor, shown, buffer, size, count, code, failure) != 0) {
        free(buffer);
        goto close_descriptor;
    }
    *bytes = buffer;
    result = 0;
close_descriptor:
    close(descriptor);
    return result;
}
