#include "station/image_compose.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "profiles/intel_hex.h"
#include "profiles/s_record.h"
#include "station/output_file.h"

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

static int write_file(const struct image *image, const struct image_compose_output *output,
                      struct failure *failure)
{
    char *bytes = NULL;
    size_t count = 0;
    FILE *out = open_memstream(&bytes, &count);
    if (out == NULL)
        return failure_set(failure, FAILURE_OUT_OF_MEMORY, "out of memory");
    write_image(image, output->format, out);
    int result = ferror(out) != 0 ? -1 : 0;
    if (fclose(out) != 0 || result != 0)
        result = failure_set(failure, FAILURE_OUT_OF_MEMORY, "out of memory");
    else
        result = output_file_write(output->path, output->replace, bytes, count, failure);
    free(bytes);
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
