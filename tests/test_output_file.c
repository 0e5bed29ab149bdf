/* A file appears complete or not at all, and nothing is left lying about. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "station/output_file.h"

struct folder {
    char directory[64];
    char path[96];
};

static int make_folder(void **state)
{
    struct folder *folder = calloc(1, sizeof *folder);

    strcpy(folder->directory, "/tmp/gangflash-output-XXXXXX");
    if (mkdtemp(folder->directory) == NULL)
        return -1;
    snprintf(folder->path, sizeof folder->path, "%s/out.yaml", folder->directory);
    *state = folder;
    return 0;
}

static int remove_folder(void **state)
{
    struct folder *folder = *state;

    (void)unlink(folder->path);
    int result = rmdir(folder->directory); /* fails when something was left */
    free(folder);
    return result;
}

static void assert_content(const struct folder *folder, const char *expected)
{
    char text[64] = "";
    FILE *file = fopen(folder->path, "r");

    assert_non_null(file);
    assert_int_equal(fread(text, 1, sizeof text, file), strlen(expected));
    fclose(file);
    assert_string_equal(text, expected);
}

static void a_new_file_is_written(void **state)
{
    const struct folder *folder = *state;
    struct failure failure = {0};

    assert_int_equal(output_file_write(folder->path, false, "one", 3, &failure), 0);
    assert_content(folder, "one");
    assert_int_equal(output_file_write(folder->path, false, "two", 3, &failure), -1);
    assert_int_equal(failure.code, FAILURE_USAGE);
    assert_content(folder, "one");
}

static void one_that_is_replaced_keeps_its_permissions(void **state)
{
    const struct folder *folder = *state;
    struct stat there;

    assert_int_equal(output_file_write(folder->path, false, "one", 3, NULL), 0);
    assert_int_equal(chmod(folder->path, 0604), 0);
    assert_int_equal(output_file_write(folder->path, true, "second", 6, NULL), 0);
    assert_content(folder, "second");
    assert_int_equal(stat(folder->path, &there), 0);
    assert_int_equal(there.st_mode & 07777, 0604);
}

static void what_is_staged_is_not_there_yet(void **state)
{
    const struct folder *folder = *state;
    struct output_file file = {.path = folder->path};

    assert_int_equal(output_file_stage(&file, "one", 3, NULL), 0);
    assert_int_not_equal(access(folder->path, F_OK), 0);
    output_file_discard(&file);
    assert_int_not_equal(access(folder->path, F_OK), 0);

    assert_int_equal(output_file_stage(&file, "one", 3, NULL), 0);
    assert_int_equal(output_file_commit(&file, NULL), 0);
    assert_content(folder, "one");
    output_file_discard(&file); /* takes back nothing that has its name */
    assert_content(folder, "one");
}

static void a_file_that_came_meanwhile_stays(void **state)
{
    const struct folder *folder = *state;
    struct output_file file = {.path = folder->path};
    struct failure failure = {0};

    assert_int_equal(output_file_stage(&file, "one", 3, NULL), 0);
    FILE *other = fopen(folder->path, "w");
    assert_non_null(other);
    assert_true(fputs("other", other) >= 0);
    assert_int_equal(fclose(other), 0);
    assert_int_equal(output_file_commit(&file, &failure), -1);
    assert_int_equal(failure.code, FAILURE_USAGE);
    assert_content(folder, "other");
}

static void nowhere_to_write_is_said(void **state)
{
    struct failure failure = {0};

    (void)state;
    assert_int_equal(output_file_write("/nowhere/out.yaml", false, "one", 3, &failure), -1);
    assert_int_equal(failure.code, FAILURE_USAGE);
    assert_non_null(strstr(failure.detail, "/nowhere/out.yaml"));
}

#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FOLDER(a_new_file_is_written),
        WITH_FOLDER(one_that_is_replaced_keeps_its_permissions),
        WITH_FOLDER(what_is_staged_is_not_there_yet),
        WITH_FOLDER(a_file_that_came_meanwhile_stays),
        cmocka_unit_test(nowhere_to_write_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
