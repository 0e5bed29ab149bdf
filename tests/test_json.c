#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "reports/json.h"

static void expect_line(struct json_object *object, const char *expected)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *stream = open_memstream(&text, &bytes);
    assert_non_null(stream);
    assert_int_equal(json_object_write_line(object, stream), 0);
    (void)fclose(stream);
    assert_string_equal(text, expected);
    free(text);
}

static void test_all_types_in_order(void **state)
{
    (void)state;
    struct json_object *object = json_object_create();
    json_add_text(object, "z", "a \"quoted\"\nline");
    json_add_integer(object, "i", INT64_MIN);
    json_add_real(object, "r", 0.1);
    json_add_real(object, "nan", NAN);
    json_add_bool(object, "b", true);
    json_add_null(object, "n");
    json_add_text(object, "t", NULL);
    expect_line(object, "{\"z\":\"a \\\"quoted\\\"\\nline\",\"i\":-9223372036854775808,\"r\":0.1,"
                        "\"nan\":null,\"b\":true,\"n\":null,\"t\":null}\n");
}

static void test_children(void **state)
{
    (void)state;
    struct json_object *object = json_object_create();
    struct json_object *child = json_object_create();
    struct json_array *array = json_array_create();
    json_add_integer(child, "x", 1);
    json_append_object(array, child);
    json_append_integer(array, 2);
    json_append_text(array, "three");
    json_add_array(object, "list", array);
    json_add_object(object, "empty", json_object_create());
    expect_line(object, "{\"list\":[{\"x\":1},2,\"three\"],\"empty\":{}}\n");
}

static void test_malformed_text_is_replaced(void **state)
{
    (void)state;
    struct json_object *object = json_object_create();
    json_add_text(object, "t", "J\xC3\xBCrgen \xC3 \xFF");
    expect_line(object, "{\"t\":\"J\xC3\xBCrgen \xEF\xBF\xBD \xEF\xBF\xBD\"}\n");
}

static void test_null_is_allowed_and_remembered(void **state)
{
    (void)state;
    json_add_text(NULL, "t", "x");
    json_add_object(NULL, "o", json_object_create());
    json_add_array(NULL, "a", json_array_create());
    json_append_object(NULL, json_object_create());
    json_append_integer(NULL, 1);
    json_object_free(NULL);
    assert_int_equal(json_object_write_line(NULL, stdout), -1);
    /* a child that could not be made makes the whole line fail, not lack a key */
    struct json_object *object = json_object_create();
    json_add_object(object, "o", NULL);
    assert_int_equal(json_object_write_line(object, stdout), -1);
    struct json_object *outer = json_object_create();
    struct json_array *array = json_array_create();
    json_append_object(array, NULL);
    json_add_array(outer, "a", array);
    assert_int_equal(json_object_write_line(outer, stdout), -1);
}

static int load(const char *text, struct json_object **object, struct failure *failure)
{
    char path[] = "/tmp/gangflash-json-XXXXXX";
    int descriptor = mkstemp(path);

    assert_true(descriptor >= 0);
    assert_int_equal(write(descriptor, text, strlen(text)), strlen(text));
    close(descriptor);
    int result = json_object_load(path, object, failure);
    unlink(path);
    return result;
}

/* What is read is changed and put back. */
static void test_a_file_is_changed(void **state)
{
    struct json_object *object = NULL, *inner;

    (void)state;
    assert_int_equal(load("{\"a\": 1, \"inner\": {\"b\": 2, \"c\": 3}, \"d\": 4}", &object, NULL),
                     0);
    assert_null(json_take_object(object, "a"));
    assert_null(json_take_object(object, "none"));
    inner = json_take_object(object, "inner");
    json_add_integer(inner, "b", 5);
    json_add_object(object, "inner", inner);
    expect_line(object, "{\"a\":1,\"d\":4,\"inner\":{\"b\":5,\"c\":3}}\n");
}

static void test_bad_files(void **state)
{
    struct json_object *object = NULL;
    struct failure failure = {0};

    (void)state;
    assert_int_equal(load("{\n\"a\": }", &object, &failure), -1);
    assert_int_equal(failure.code, FAILURE_INTERNAL);
    assert_non_null(strstr(failure.detail, ":2:6: "));
    assert_int_equal(load("[1]", &object, &failure), -1);
    assert_non_null(strstr(failure.detail, "no JSON object"));
    assert_null(object);
    assert_int_equal(json_object_load("/nonexistent/a.json", &object, &failure), -1);
    assert_non_null(strstr(failure.detail, "/nonexistent/a.json"));
}

static void test_a_full_disk_is_seen(void **state)
{
    (void)state;
    FILE *full = fopen("/dev/full", "w");
    if (full == NULL) {
        skip();
    }
    struct json_object *object = json_object_create();
    json_add_integer(object, "x", 1);
    assert_int_equal(json_object_write_line(object, full), -1);
    (void)fclose(full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_types_in_order),
        cmocka_unit_test(test_children),
        cmocka_unit_test(test_malformed_text_is_replaced),
        cmocka_unit_test(test_null_is_allowed_and_remembered),
        cmocka_unit_test(test_a_file_is_changed),
        cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_a_full_disk_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
