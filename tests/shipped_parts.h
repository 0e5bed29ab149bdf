/* The parts that are shipped, for tests that hold each of them to something. */
#ifndef TESTS_SHIPPED_PARTS_H
#define TESTS_SHIPPED_PARTS_H

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#define SHIPPED_PARTS_DIRECTORY TEST_SOURCE_DIR "/profiles/parts"

/* Calls `check` with the name of each part there is a file for. Include cmocka before. */
static void check_shipped_parts(void (*check)(const char *name))
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
        check(name);
        count++;
    }
    closedir(directory);
    assert_true(count >= 5);
}

#endif
