/* The parts that are shipped, for tests that hold each of them to something. */
#ifndef TESTS_SHIPPED_PARTS_H
#define TESTS_SHIPPED_PARTS_H

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "profiles/part.h"

#define SHIPPED_PARTS_DIRECTORY TEST_SOURCE_DIR "/profiles/parts"

/* The fuse and lock bytes already seen: many parts have the same, and what takes long is done once
 * for each kind. */
struct shipped_bytes {
    struct part_byte kinds[256];
    enum part_memory memories[256];
    size_t count;
};

static inline bool is_new_kind(struct shipped_bytes *seen, const struct part *part,
                               enum part_memory memory)
{
    const struct part_byte *byte = part_byte(part, memory);

    for (size_t i = 0; i < seen->count; i++) {
        const struct part_byte *kind = &seen->kinds[i];

        if (seen->memories[i] == memory && kind->mask == byte->mask &&
            kind->readable == byte->readable && kind->writable == byte->writable &&
            memcmp(&kind->read, &byte->read, sizeof(kind->read)) == 0 &&
            memcmp(&kind->write, &byte->write, sizeof(kind->write)) == 0)
            return false;
    }
    assert_true(seen->count < 256);
    seen->memories[seen->count] = memory;
    seen->kinds[seen->count++] = *byte;
    return true;
}

/* Calls `check` with the name of each part there is a file for. Include cmocka before. */
static inline void check_shipped_parts(void (*check)(const char *name, void *context),
                                       void *context)
{
    DIR *directory = opendir(SHIPPED_PARTS_DIRECTORY);
    char name[64];
    int count = 0;

    assert_non_null(directory);
    for (struct dirent *entry = readdir(directory); entry; entry = readdir(directory)) {
        const char *dot = strrchr(entry->d_name, '.');

        if (!dot || strcmp(dot, ".yaml") != 0)
            continue;
        snprintf(name, sizeof(name), "%.*s", (int)(dot - entry->d_name), entry->d_name);
        check(name, context);
        count++;
    }
    closedir(directory);
    assert_true(count >= 185);
}

#endif
