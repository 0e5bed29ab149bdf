#include "station/image_compose.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiles/intel_hex.h"
#include "profiles/s_record.h"

/* ------------------------------------------------------------------ what to write */

/* The name of the input before number `index` that gives bytes which it gives, too. */
static const char *find_rival(const struct image_compose_input inputs[], size_t index,
                              enum image_memory memory)
{
    const struct image *image = inputs[index].file->memories->images[memory];
    for (size_t i = 0; i < index; i++) {
        const struct image *other = inputs[i].file->memories->images[memory];
        for (uint32_t at = 0; at < image->size && at < other->size; at++)
            if (image->present[at] && other->present[at])
                return inputs[i].path;
    }
    return "another";
}

static int join(const struct image_compose_input inputs[], size_t count, enum image_memory memory,
                struct image *image, struct failure *failure)
{
    struct failure trouble = {0};
    for (size_t i = 0; i < count; i++) {
        const struct image *addition = inputs[i].file->memories->images[memory];
        if (image_compose(image, addition, "", "", &trouble) == 0)
            continue;
        return image_compose(image, addition, find_rival(inputs, i, memory), inputs[i].path,
                             failure);
    }
    if (image->count == 0)
        return failure_set(failure, FAILURE_IMAGE_INVALID, "found no data for the %s in %s%s",
                           image_memory_name(memory), inputs[0].path,
                           count > 1 ? " and the others" : "");
    return 0;
}

/* Fuses, lock bits and signatures belong into a profile, not into an image; EEPROM bytes may be
 * meant. */
static int check_left_out(const struct image_compose_input *input,
                          const struct image_compose_output *output, struct failure *failure)
{
    uint32_t count = input->file->memories->images[IMAGE_EEPROM]->count;
    if (count == 0 || output->is_memory_named)
        return 0;
    return failure_set(failure, FAILURE_USAGE,
                       "%s also holds %" PRIu32 " bytes for the EEPROM: say --memory flash to "
                       "leave them out, or make a file of them with --memory eeprom",
                       input->path, count);
}

static void print_left_out(const struct image_compose_input *input, enum image_memory wanted)
{
    for (enum image_memory memory = IMAGE_FLASH; memory < IMAGE_MEMORY_COUNT; memory++) {
        uint32_t count = input->file->memories->images[memory]->count;
        if (count > 0 && memory != wanted)
            printf("  left out of %s: %s, %" PRIu32 " bytes\n", input->path,
                   image_memory_name(memory), count);
    }
}

static void find_extent(const struct image *image, struct image_range *extent)
{
    struct image_range range = {0};
    *extent = (struct image_range){0};
    for (uint32_t from = 0; image_next_range(image, from, &range); from = range.end) {
        if (extent->end == 0)
            extent->start = range.start;
        extent->end = range.end;
    }
}

static void write_image(const struct image *image, enum image_format format, FILE *out)
{
    struct image_range extent;
    switch (format) {
    case IMAGE_FORMAT_SREC:
        s_record_write(image, 0, out);
        return;
    case IMAGE_FORMAT_BIN: /* what is not present is FF in `data` */
        find_extent(image, &extent);
        (void)fwrite(image->data + extent.start, 1, extent.end - extent.start, out);
        return;
    default:
        intel_hex_write(image, 0, out);
    }
}

/* ------------------------------------------------------------------ the file */

static int fail_output(const char *path, const char *what, struct failure *failure)
{
    return failure_set(failure, FAILURE_USAGE, "%s: %s: %s", path, what, strerror(errno));
}

static int check_output(const struct image_compose_input inputs[], size_t count,
                        const struct image_compose_output *output, struct failure *failure)
{
    struct stat old, input;
    if (stat(output->path, &old) != 0) {
        if (errno == ENOENT)
            return 0;
        return fail_output(output->path, "cannot be written", failure);
    }
    for (size_t i = 0; i < count; i++)
        if (stat(inputs[i].path, &input) == 0 && input.st_dev == old.st_dev &&
            input.st_ino == old.st_ino)
            return failure_set(failure, FAILURE_USAGE,
                               "%s is one of the files to be joined: it is not overwritten",
                               output->path);
    if (!S_ISREG(old.st_mode))
        return failure_set(failure, FAILURE_USAGE, "%s is not a regular file", output->path);
    if (!output->replace)
        return failure_set(failure, FAILURE_USAGE, "%s is there already; --force has it replaced",
                           output->path);
    return 0;
}

/* Writes, and waits until it is on disk. */
static int fill_file(int descriptor, const struct image *image, enum image_format format)
{
    FILE *out = fdopen(descriptor, "w");
    if (out == NULL) {
        close(descriptor);
        return -1;
    }
    write_image(image, format, out);
    int result = fflush(out) == 0 && ferror(out) == 0 ? fsync(fileno(out)) : -1;
    int reason = errno;
    if (fclose(out) != 0 && result == 0)
        return -1;
    errno = reason;
    return result;
}

/* A file of that name may have come since it was looked for: it is not replaced unasked. */
static int give_name(const char *temporary, const struct image_compose_output *output)
{
    if (output->replace)
        return rename(temporary, output->path);
    if (renameat2(AT_FDCWD, temporary, AT_FDCWD, output->path, RENAME_NOREPLACE) == 0)
        return 0;
    /* Some file systems cannot do that, but can give a second name. */
    if (errno != EINVAL || link(temporary, output->path) != 0)
        return -1;
    return unlink(temporary);
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
    close(descriptor);
    return result;
}

static int write_file(const struct image *image, const struct image_compose_output *output,
                      struct failure *failure)
{
    char *temporary = NULL;
    if (asprintf(&temporary, "%s.%ld.part", output->path, (long)getpid()) < 0)
        return failure_set(failure, FAILURE_OUT_OF_MEMORY, "out of memory");
    int result = 0;
    int descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (descriptor < 0) {
        result = fail_output(temporary, "cannot be made", failure);
    } else if (fill_file(descriptor, image, output->format) != 0 ||
               give_name(temporary, output) != 0) {
        result = fail_output(output->path, "cannot be written", failure);
        (void)unlink(temporary);
    } else if (sync_directory(output->path) != 0) {
        result = fail_output(output->path, "its directory cannot be synced", failure);
    }
    free(temporary);
    return result;
}

static void print_result(const struct image_compose_input inputs[], size_t count,
                         const struct image_compose_output *output, const struct image *image)
{
    struct image_range extent;
    find_extent(image, &extent);
    printf("%s: %s, %" PRIu32 " bytes of %s from 0x%05" PRIX32 " to 0x%05" PRIX32, output->path,
           image_format_title(output->format), image->count, image_memory_name(output->memory),
           extent.start, extent.end - 1);
    if (output->format == IMAGE_FORMAT_BIN)
        printf(", %" PRIu32 " between them filled with FF",
               extent.end - extent.start - image->count);
    printf("\n");
    for (size_t i = 0; i < count; i++)
        print_left_out(&inputs[i], output->memory);
}

int image_compose_files(const struct image_compose_input inputs[], size_t count,
                        const struct image_compose_output *output, struct failure *failure)
{
    for (size_t i = 0; i < count; i++)
        if (check_left_out(&inputs[i], output, failure) != 0)
            return -1;
    if (check_output(inputs, count, output, failure) != 0)
        return -1;
    struct image *image = image_create(inputs[0].file->memories->images[output->memory]->size);
    if (image == NULL)
        return failure_set(failure, FAILURE_OUT_OF_MEMORY, "out of memory");
    int result = join(inputs, count, output->memory, image, failure);
    if (result == 0)
        result = write_file(image, output, failure);
    if (result == 0)
        print_result(inputs, count, output, image);
    image_free(image);
    return result;
}
