/* Reading YAML: what is taken, and every kind of thing that is refused, with its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiles/document.h"

static struct document *parse(const char *text)
{
    struct document *document = NULL;
    struct failure failure = {0};

    if (document_parse("a.yaml", text, strlen(text), FAILURE_PROFILE_INVALID, &document,
                       &failure) != 0)
        fail_msg("%s", failure.detail);
    assert_non_null(document);
    return document;
}

static void assert_holds(const struct failure *failure, enum failure_code code, const char *start,
                         const char *reason)
{
    assert_int_equal(failure->code, code);
    if (strncmp(failure->detail, start, strlen(start)) != 0 || !strstr(failure->detail, reason))
        fail_msg("found \"%s\", expected \"%s … %s\"", failure->detail, start, reason);
}

static void test_tree(void **state)
{
    struct document *document =
        parse("name: board # comment\nlist: [1, 0x10, -3]\nmap:\n  a: 'x y'\n  b: true\n");
    const struct document_node *list = document_find(document->root, "list");
    const struct document_node *map = document_find(document->root, "map"), *key = NULL;
    const char *text = NULL;
    int64_t number = 0;
    bool flag = false;

    (void)state;
    assert_int_equal(document_node_kind(document->root), DOCUMENT_MAPPING);
    assert_int_equal(document_count(document->root), 3);
    assert_int_equal(document_text(document, document_find(document->root, "name"), &text, NULL),
                     0);
    assert_string_equal(text, "board");
    assert_int_equal(document_count(list), 3);
    assert_int_equal(document_integer(document, document_item(list, 1), 0, 255, &number, NULL), 0);
    assert_int_equal(number, 16);
    assert_int_equal(document_integer(document, document_item(list, 2), -5, 5, &number, NULL), 0);
    assert_int_equal(number, -3);
    assert_null(document_item(list, 3));
    assert_string_equal(document_pair(map, 1, &key, NULL), "b");
    assert_int_equal(document_boolean(document, document_find(map, "b"), &flag, NULL), 0);
    assert_true(flag);
    assert_null(document_find(map, "c"));
    assert_null(document_find(list, "c"));
    assert_null(document_pair(map, 2, NULL, NULL));
    document_free(document);
}

static void test_digest_is_of_the_file(void **state)
{
    struct document *document = parse("\xEF\xBB\xBF"
                                      "a: 1\n");

    (void)state;
    /* printf '\xEF\xBB\xBFa: 1\n' | sha256sum */
    assert_string_equal(document->sha256,
                        "a2251b91194014d42d50b16b68de4f25014caa6d9f3c6c3c5a0f3c240080cf6a");
    document_free(document);
}

static void test_bytes_durations_choices(void **state)
{
    static const char *const names[] = {"keep", "erase", NULL};
    struct document *document = parse("a: 1E 95 87\nb: [0x1E, 149, 0x87]\nc: 400 ms\nd: 2 s\n"
                                      "e: 250 us\nf: erase\n");
    const struct document_node *root = document->root;
    uint8_t bytes[3] = {0}, same[3] = {0};
    int64_t us = 0;
    int index = 0;

    (void)state;
    assert_int_equal(document_bytes(document, document_find(root, "a"), bytes, 3, NULL), 0);
    assert_int_equal(document_bytes(document, document_find(root, "b"), same, 3, NULL), 0);
    assert_memory_equal(bytes, same, 3);
    assert_int_equal(bytes[2], 0x87);
    assert_int_equal(document_duration(document, document_find(root, "c"), &us, NULL), 0);
    assert_int_equal(us, 400000);
    assert_int_equal(document_duration(document, document_find(root, "d"), &us, NULL), 0);
    assert_int_equal(us, 2000000);
    assert_int_equal(document_duration(document, document_find(root, "e"), &us, NULL), 0);
    assert_int_equal(us, 250);
    assert_int_equal(document_choice(document, document_find(root, "f"), names, &index, NULL), 0);
    assert_int_equal(index, 1);
    document_free(document);
}

/* ---- what is refused by the reader itself ---- */

static const struct {
    const char *text, *place, *reason;
} refused[] = {
    {"", "a.yaml:1:1: ", "the file is empty"},
    {"# only a comment\n", "a.yaml:2:1: ", "the file is empty"},
    {"a:\n\tb: 1\n", "a.yaml:2:1: ", "found a tab, expected spaces"},
    {"a: {b: 1,\n  \tc: 2}\n", "a.yaml:2:3: ", "found a tab, expected spaces"},
    {"a: 1\r\n\tb: 1\r\n", "a.yaml:2:1: ", "found a tab"},
    {"a: 1\r\tb: 1\r", "a.yaml:2:1: ", "found a tab"},
    {"a: 1\nb: 2\na: 3\n", "a.yaml:3:1: ", "the key 'a' is given twice, first at line 1"},
    {"x: {k: 1, l: 2, k: 1}\n", "a.yaml:1:17: ", "the key 'k' is given twice"},
    {"a: &x 1\nb: 2\n", "a.yaml:1:4: ", "found an anchor"},
    {"a: &x [1]\n", "a.yaml:1:4: ", "found an anchor"},
    {"a: &x {b: 1}\n", "a.yaml:1:4: ", "found an anchor"},
    {"a: *x\n", "a.yaml:1:4: ", "found an alias"},
    {"a: !!str 1\n", "a.yaml:1:4: ", "found a tag"},
    {"a: !own [1]\n", "a.yaml:1:4: ", "found a tag"},
    {"a: ! {b: 1}\n", "a.yaml:1:4: ", "found a tag"},
    {"a: 1\n---\nb: 2\n", "a.yaml:2:1: ", "found a second document"},
    {"? [a, b]\n: 1\n", "a.yaml:1:3: ", "found a list, expected a key"},
    {"a: [1, 2\n", "a.yaml:2:1: ", "not YAML: "},
    {"a: b: c\n", "a.yaml:1:5: ", "not YAML: "},
    {"a: 'b\n", "a.yaml:2:1: ", "not YAML: "},
    {"a: \"x\\0y\"\n", "a.yaml:1:4: ", "NUL"},
    {"a: b\nc: \xFF\n", "a.yaml:2:4: ", "not printable UTF-8"},
    {"\xC3\xA4: \xC0\x80\n", "a.yaml:1:4: ", "not printable UTF-8"},
    {"a: \x07\n", "a.yaml:1:4: ", "not printable UTF-8"},
    {"\xFF\xFE"
     "a\n",
     "a.yaml:1:1: ", "not printable UTF-8"},
    {"a: [[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]\n", "a.yaml:1:19: ", "nested deeper than 16"},
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        struct document *document = NULL;
        struct failure failure = {0};

        if (document_parse("a.yaml", refused[i].text, strlen(refused[i].text), FAILURE_JIG_INVALID,
                           &document, &failure) == 0)
            fail_msg("taken: %s", refused[i].text);
        assert_null(document);
        assert_holds(&failure, FAILURE_JIG_INVALID, refused[i].place, refused[i].reason);
    }
}

static void test_deepest_allowed(void **state)
{
    (void)state;
    document_free(parse("a: [[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]\n"));
}

/* The famous one: ten levels of ten references each. It ends at the first anchor. */
static void test_alias_bomb(void **state)
{
    static const char bomb[] = "a: &a [lol,lol,lol,lol,lol,lol,lol,lol,lol]\n"
                               "b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
                               "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
                               "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n";
    struct document *document = NULL;
    struct failure failure = {0};

    (void)state;
    assert_int_equal(document_parse("bomb.yaml", bomb, sizeof(bomb) - 1, FAILURE_PROFILE_INVALID,
                                    &document, &failure),
                     -1);
    assert_holds(&failure, FAILURE_PROFILE_INVALID, "bomb.yaml:1:4: ", "found an anchor");
}

static void test_too_many_nodes(void **state)
{
    const size_t items = 20000;
    char *text = malloc(2 * items + 8);
    struct document *document = NULL;
    struct failure failure = {0};

    (void)state;
    assert_non_null(text);
    text[0] = '[';
    for (size_t i = 0; i < items; i++) {
        text[1 + 2 * i] = '1';
        text[2 + 2 * i] = ',';
    }
    text[1 + 2 * items] = ']';
    text[2 + 2 * items] = '\0';
    assert_int_equal(document_parse("many.yaml", text, strlen(text), FAILURE_PROFILE_INVALID,
                                    &document, &failure),
                     -1);
    assert_holds(&failure, FAILURE_PROFILE_INVALID, "many.yaml:1:40000: ", "more than 20000");
    free(text);
}

/* ---- what is refused when it is asked for ---- */

static void test_nothing_is_no_text(void **state)
{
    static const char *const values[] = {"", "~", "null", "Null", "NULL"};
    const char *text = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        char file[40];
        struct document *document;
        struct failure failure = {0};

        snprintf(file, sizeof(file), "a: %s\nb: '%s'\n", values[i], values[i]);
        document = parse(file);
        assert_true(document_is_nothing(document_find(document->root, "a")));
        assert_int_equal(
            document_text(document, document_find(document->root, "a"), &text, &failure), -1);
        assert_non_null(strstr(failure.detail, "found nothing, expected text"));
        assert_false(document_is_nothing(document_find(document->root, "b")));
        assert_int_equal(document_text(document, document_find(document->root, "b"), &text, NULL),
                         0);
        assert_string_equal(text, values[i]);
        document_free(document);
    }
}

static void test_unknown_keys(void **state)
{
    static const char *const known[] = {"article", "revision", NULL};
    static const struct {
        const char *text, *place, *reason;
    } cases[] = {
        {"article: 1\nartikel: 2\n",
         "a.yaml:2:1: ", "unknown key 'artikel', did you mean 'article'"},
        {"revison: 1\n", "a.yaml:1:1: ", "did you mean 'revision'"},
        {"  raticle: 1\n", "a.yaml:1:3: ", "did you mean 'article'"},
        {"zebra: 1\n", "a.yaml:1:1: ", "unknown key 'zebra', expected article or revision"},
        {"- a\n", "a.yaml:1:1: ", "found a list, expected a mapping with article or revision"},
        {"text\n", "a.yaml:1:1: ", "found 'text', expected a mapping"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct document *document = parse(cases[i].text);
        struct failure failure = {0};

        assert_int_equal(document_check_keys(document, document->root, known, &failure), -1);
        assert_holds(&failure, FAILURE_PROFILE_INVALID, cases[i].place, cases[i].reason);
        document_free(document);
    }
}

static void test_missing_key(void **state)
{
    struct document *document = parse("a: 1\nb: {c: 2}\n");
    const struct document_node *node = NULL;
    struct failure failure = {0};

    (void)state;
    assert_int_equal(document_need(document, document->root, "a", &node, &failure), 0);
    assert_int_equal(
        document_need(document, document_find(document->root, "b"), "d", &node, &failure), -1);
    assert_holds(&failure, FAILURE_PROFILE_INVALID, "a.yaml:2:4: ", "the key 'd' is missing");
    assert_int_equal(
        document_need(document, document_find(document->root, "a"), "d", &node, &failure), -1);
    assert_holds(&failure, FAILURE_PROFILE_INVALID, "a.yaml:1:4: ", "expected a mapping");
    document_free(document);
}

static void test_wrong_numbers(void **state)
{
    static const char *const values[] = {"256",
                                         "-1",
                                         "0x100",
                                         "ten",
                                         "0X10",
                                         "'5'",
                                         "010",
                                         "0x",
                                         "5 5",
                                         "1.5",
                                         "[1]",
                                         "",
                                         "99999999999999999999",
                                         "{a: 1}"};
    char text[80];

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        struct document *document;
        struct failure failure = {0};
        int64_t value = 77;

        snprintf(text, sizeof(text), "a: %s\n", values[i]);
        document = parse(text);
        assert_int_equal(document_integer(document, document_find(document->root, "a"), 0, 255,
                                          &value, &failure),
                         -1);
        assert_int_equal(value, 77);
        assert_holds(&failure, FAILURE_PROFILE_INVALID,
                     "a.yaml:1:", "expected a number from 0 to 255");
        document_free(document);
    }
}

static void test_wrong_scalars(void **state)
{
    static const char *const names[] = {"keep", "erase", NULL};
    struct document *document = parse("a: 1E 95\nb: yes\nc: 4 m\nd: errase\ne:\nf: 5\n");
    const struct document_node *root = document->root;
    struct failure failure = {0};
    const char *text = NULL;
    uint8_t bytes[3];
    int64_t us;
    bool flag;
    int index;

    (void)state;
    assert_int_equal(document_bytes(document, document_find(root, "a"), bytes, 3, &failure), -1);
    assert_holds(&failure, FAILURE_PROFILE_INVALID, "a.yaml:1:4: ", "found '1E 95', expected 3");
    assert_int_equal(document_boolean(document, document_find(root, "b"), &flag, &failure), -1);
    assert_holds(&failure, FAILURE_PROFILE_INVALID, "a.yaml:2:4: ", "expected true or false");
    assert_int_equal(document_duration(document, document_find(root, "c"), &us, &failure), -1);
    assert_holds(&failure, FAILURE_PROFILE_INVALID, "a.yaml:3:4: ", "expected a time");
    assert_int_equal(document_choice(document, document_find(root, "d"), names, &index, &failure),
                     -1);
    assert_holds(&failure, FAILURE_PROFILE_INVALID, "a.yaml:4:4: ", "did you mean 'erase'");
    assert_int_equal(document_text(document, document_find(root, "e"), &text, &failure), -1);
    assert_holds(&failure, FAILURE_PROFILE_INVALID, "a.yaml:5:3: ", "found nothing");
    assert_int_equal(document_duration(document, document_find(root, "f"), &us, &failure), -1);
    document_free(document);
}

static void test_nearest(void **state)
{
    static const char *const names[] = {"low", "high", "extended", NULL};

    (void)state;
    assert_string_equal(document_nearest("lwo", names), "low");
    assert_string_equal(document_nearest("hihg", names), "high");
    assert_string_equal(document_nearest("Extendet", names), "extended");
    assert_null(document_nearest("middle", names));
    assert_null(document_nearest("", names));
    assert_null(
        document_nearest("a-name-much-longer-than-anything-that-could-be-a-typing-error", names));
}

/* ---- files ---- */

static void test_huge_file_is_not_read(void **state)
{
    char directory[] = "/tmp/test-document-XXXXXX", path[64], start[80];
    struct document *document = NULL;
    struct failure failure = {0};
    FILE *file;

    (void)state;
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/huge.yaml", directory);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(ftruncate(fileno(file), 100 * 1000 * 1000), 0);
    fclose(file);
    assert_int_equal(document_load(path, FAILURE_PROFILE_INVALID, &document, &failure), -1);
    snprintf(start, sizeof(start), "%s:1:1: ", path);
    assert_holds(&failure, FAILURE_PROFILE_INVALID, start,
                 "has 100000000 bytes, expected at most 1048576");
    unlink(path);
    rmdir(directory);
}

/* Opening a pipe that nobody writes to would wait for ever. */
static void test_only_regular_files(void **state)
{
    char directory[] = "/tmp/test-document-XXXXXX", path[64];
    struct document *document = NULL;
    struct failure failure = {0};

    (void)state;
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/pipe.yaml", directory);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(document_load(path, FAILURE_PROFILE_INVALID, &document, &failure), -1);
    assert_holds(&failure, FAILURE_PROFILE_INVALID, path, "is not a regular file");
    assert_int_equal(document_load(directory, FAILURE_PROFILE_INVALID, &document, &failure), -1);
    assert_holds(&failure, FAILURE_PROFILE_INVALID, directory, "is not a regular file");
    unlink(path);
    assert_int_equal(document_load(path, FAILURE_PROFILE_INVALID, &document, &failure), -1);
    assert_holds(&failure, FAILURE_PROFILE_INVALID, path, "cannot be opened: No such file");
    rmdir(directory);
}

/* A long path is cut at its front, never the reason. */
static void test_long_path(void **state)
{
    char name[600];
    struct document *document = NULL;
    struct failure failure = {0};

    (void)state;
    memset(name, 'x', sizeof(name));
    snprintf(name + sizeof(name) - 8, 8, "/a.yaml");
    assert_int_equal(
        document_parse(name, "a: *b\n", 6, FAILURE_PROFILE_INVALID, &document, &failure), -1);
    assert_holds(&failure, FAILURE_PROFILE_INVALID, "xx", "x/a.yaml:1:4: found an alias");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tree),
        cmocka_unit_test(test_digest_is_of_the_file),
        cmocka_unit_test(test_bytes_durations_choices),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_deepest_allowed),
        cmocka_unit_test(test_alias_bomb),
        cmocka_unit_test(test_too_many_nodes),
        cmocka_unit_test(test_nothing_is_no_text),
        cmocka_unit_test(test_unknown_keys),
        cmocka_unit_test(test_missing_key),
        cmocka_unit_test(test_wrong_numbers),
        cmocka_unit_test(test_wrong_scalars),
        cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_huge_file_is_not_read),
        cmocka_unit_test(test_only_regular_files),
        cmocka_unit_test(test_long_path),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
