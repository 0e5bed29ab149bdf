/* Images: bytes with holes, composed, and cut into runs and pages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "profiles/image.h"

static struct image *image_with(uint32_t size, uint32_t address, const char *bytes)
{
    struct image *image = image_create(size);

    assert_non_null(image);
    assert_int_equal(
        image_put(image, address, (const uint8_t *)bytes, strlen(bytes), "test:1", NULL), 0);
    return image;
}

static void test_put(void **state)
{
    struct image *image = image_with(64, 60, "abcd");
    struct failure failure = {0};
    uint8_t before[64];

    (void)state;
    assert_int_equal(image->count, 4);
    assert_int_equal(image->data[63], 'd');
    assert_int_equal(image->data[59], 0xFF);
    assert_false(image->present[59]);
    memcpy(before, image->data, sizeof(before));
    assert_int_equal(image_put(image, 58, (const uint8_t *)"xyz", 3, "a.hex:7", &failure), -1);
    assert_int_equal(failure.code, FAILURE_IMAGE_OVERLAP);
    assert_string_equal(failure.detail, "a.hex:7: the byte at 0x003C was given before");
    assert_int_equal(image_put(image, 50, before, 20, "a.hex:8", &failure), -1);
    assert_int_equal(failure.code, FAILURE_IMAGE_OUT_OF_RANGE);
    assert_non_null(strstr(failure.detail, "a.hex:8: bytes 0x0032 to 0x0045"));
    assert_int_equal(image_put(image, UINT32_MAX, before, 2, "a.hex:9", &failure), -1);
    assert_int_equal(failure.code, FAILURE_IMAGE_OUT_OF_RANGE);
    assert_memory_equal(before, image->data, sizeof(before));
    assert_int_equal(image->count, 4);
    image_free(image);
}

static void test_compose(void **state)
{
    struct image *image = image_with(64, 0, "app"), *boot = image_with(64, 32, "boot");
    struct image *other = image_with(64, 30, "xxxx"), *large = image_with(128, 0, "");
    struct failure failure = {0};

    (void)state;
    assert_int_equal(image_compose(image, boot, "app.hex", "boot.hex", &failure), 0);
    assert_int_equal(image->count, 7);
    assert_memory_equal(image->data + 32, "boot", 4);
    assert_int_equal(image_compose(image, other, "app.hex", "other.hex", &failure), -1);
    assert_int_equal(failure.code, FAILURE_IMAGE_OVERLAP);
    assert_string_equal(failure.detail,
                        "app.hex and other.hex both give the bytes 0x0020 to 0x0021");
    assert_int_equal(image->data[30], 0xFF);
    assert_int_equal(image_compose(image, large, "app.hex", "large.hex", &failure), -1);
    assert_int_equal(failure.code, FAILURE_IMAGE_OUT_OF_RANGE);
    image_free(image);
    image_free(boot);
    image_free(other);
    image_free(large);
}

static void test_ranges(void **state)
{
    struct image *image = image_with(64, 3, "abc");
    struct image_range range;

    (void)state;
    assert_int_equal(image_put(image, 62, (const uint8_t *)"yz", 2, "t:1", NULL), 0);
    assert_true(image_next_range(image, 0, &range));
    assert_int_equal(range.start, 3);
    assert_int_equal(range.end, 6);
    assert_true(image_next_range(image, 4, &range));
    assert_int_equal(range.start, 4);
    assert_true(image_next_range(image, range.end, &range));
    assert_int_equal(range.start, 62);
    assert_int_equal(range.end, 64);
    assert_false(image_next_range(image, range.end, &range));
    image_free(image);
}

static void test_page_runs(void **state)
{
    struct image *image = image_with(60, 7, "ab"); /* pages of 8: 0 and 1; the last has 4 bytes */
    struct image_range range;

    (void)state;
    assert_int_equal(image_put(image, 24, (const uint8_t *)"\xFF\xFF", 2, "t:1", NULL), 0);
    assert_int_equal(image_put(image, 59, (const uint8_t *)"z", 1, "t:2", NULL), 0);
    assert_true(image_next_page_run(image, 0, 8, true, &range));
    assert_int_equal(range.start, 0);
    assert_int_equal(range.end, 16);
    assert_true(image_next_page_run(image, range.end, 8, true, &range));
    assert_int_equal(range.start, 56);
    assert_int_equal(range.end, 60);
    assert_false(image_next_page_run(image, range.end, 8, true, &range));
    /* Not after an erase: the page of given FF bytes counts, too. */
    assert_true(image_next_page_run(image, 16, 8, false, &range));
    assert_int_equal(range.start, 24);
    assert_int_equal(range.end, 32);
    /* From within a page: that page was the caller's already. */
    assert_true(image_next_page_run(image, 1, 8, true, &range));
    assert_int_equal(range.start, 8);
    assert_false(image_next_page_run(image, 0, 0, true, &range));
    image_free(image);
}

static void test_digest(void **state)
{
    struct image *image = image_with(64, 3, "abc"), *larger = image_with(128, 3, "abc");
    struct image *moved = image_with(64, 4, "abc"), *empty = image_with(64, 0, "");
    char text[DIGEST_TEXT_BYTES], other[DIGEST_TEXT_BYTES];

    (void)state;
    image_digest(image, NULL, text);
    /* printf '\0\0\0\100\0\0\0\3\0\0\0\3abc' | sha256sum */
    assert_string_equal(text, "b506bf409b5af0f35bef716ce565ea3d6ec6762a3e5584591ba27054631f075b");
    image_digest(larger, NULL, other);
    assert_string_not_equal(text, other);
    image_digest(image, moved, other);
    /* the same, then '\0\0\0\100\0\0\0\4\0\0\0\3abc' */
    assert_string_equal(other, "7995ca3c252e359c46beb8d5780dc785b3f957f9f5f1649852236d026246e938");
    image_digest(moved, NULL, other);
    assert_string_not_equal(text, other);
    image_digest(empty, NULL, other);
    assert_string_not_equal(text, other);
    image_free(image);
    image_free(larger);
    image_free(moved);
    image_free(empty);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_put),    cmocka_unit_test(test_compose),
        cmocka_unit_test(test_ranges), cmocka_unit_test(test_page_runs),
        cmocka_unit_test(test_digest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
