/* Profiles as text, and what the rules have against them. For the tests of the rules. */
#ifndef TESTS_RULES_FIXTURE_H
#define TESTS_RULES_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiles/fuse_rules.h"
#include "tests/shipped_parts.h"

#define RULES_FILES_MAX 8

struct rules_bench {
    char directory[64], path[96];
    char files[RULES_FILES_MAX][96];
    size_t file_count;
    struct profile *profile; /* of the last text */
    struct fuse_findings findings;
};

/* Puts a file beside the profile; one of that name is written anew. */
static void rules_write_file(struct rules_bench *bench, const char *name, const char *text)
{
    char path[96];
    bool is_new = true;
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", bench->directory, name);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    for (size_t i = 0; i < bench->file_count; i++)
        is_new = is_new && strcmp(bench->files[i], path) != 0;
    if (!is_new)
        return;
    assert_true(bench->file_count < RULES_FILES_MAX);
    memcpy(bench->files[bench->file_count++], path, sizeof(path));
}

/* An Intel HEX file of `count` bytes `value` from `address` on. */
__attribute__((unused)) static void rules_write_hex(struct rules_bench *bench, const char *name,
                                                    uint32_t address, size_t count, uint8_t value)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *file = open_memstream(&text, &bytes);

    assert_non_null(file);
    for (size_t done = 0; done < count; done += 16) {
        uint32_t at = address + (uint32_t)done;
        size_t length = count - done < 16 ? count - done : 16;
        unsigned sum = (unsigned)length + (at >> 8 & 0xFF) + (at & 0xFF);

        fprintf(file, ":02000004%04X%02X\n", (unsigned)(at >> 16),
                -(2 + 4 + (at >> 24) + (at >> 16)) & 0xFF);
        fprintf(file, ":%02X%04X00", (unsigned)length, (unsigned)(at & 0xFFFF));
        for (size_t i = 0; i < length; i++, sum += value)
            fprintf(file, "%02X", value);
        fprintf(file, "%02X\n", -sum & 0xFF);
    }
    fputs(":00000001FF\n", file);
    assert_int_equal(fclose(file), 0);
    rules_write_file(bench, name, text);
    free(text);
}

static int rules_set_up(void **state)
{
    struct rules_bench *bench = calloc(1, sizeof(*bench));

    assert_non_null(bench);
    snprintf(bench->directory, sizeof(bench->directory), "/tmp/test-rules-XXXXXX");
    assert_non_null(mkdtemp(bench->directory));
    snprintf(bench->path, sizeof(bench->path), "%s/profile.yaml", bench->directory);
    *state = bench;
    return 0;
}

static void rules_forget(struct rules_bench *bench)
{
    fuse_findings_free(&bench->findings);
    profile_free(bench->profile);
    bench->profile = NULL;
}

static int rules_tear_down(void **state)
{
    struct rules_bench *bench = *state;

    rules_forget(bench);
    for (size_t i = 0; i < bench->file_count; i++)
        unlink(bench->files[i]);
    rmdir(bench->directory);
    free(bench);
    return 0;
}

/* Loads the profile and lets the rules look at it. */
static void rules_look(struct rules_bench *bench, const char *text, int64_t site_supply_mv)
{
    struct failure failure = {0};

    rules_forget(bench);
    rules_write_file(bench, "profile.yaml", text);
    if (profile_load(bench->path, SHIPPED_PARTS_DIRECTORY, &bench->profile, &failure) != 0 ||
        fuse_rules_apply(bench->profile, site_supply_mv, &bench->findings, &failure) != 0)
        fail_msg("%s", failure.detail);
}

/* What the rule of this name found; NULL: nothing. */
__attribute__((unused)) static const struct fuse_finding *
rules_found(const struct rules_bench *bench, const char *rule)
{
    assert_non_null(fuse_rules_find(rule));
    for (size_t i = 0; i < bench->findings.count; i++)
        if (strcmp(bench->findings.list[i].rule->name, rule) == 0)
            return &bench->findings.list[i];
    return NULL;
}

#endif
