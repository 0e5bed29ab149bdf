#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "reports/digest.h"

/* The examples of FIPS 180-4's SHA-256 ("abc", and the 448-bit one), and the empty message. */
static void test_known_digests(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t bytes[DIGEST_BYTES];
        char text[DIGEST_TEXT_BYTES];
        digest_of(cases[i][0], strlen(cases[i][0]), bytes);
        digest_to_text(bytes, text);
        assert_string_equal(text, cases[i][1]);
    }
}

static void test_pieces_give_the_same(void **state)
{
    (void)state;
    uint8_t whole[DIGEST_BYTES], pieces[DIGEST_BYTES];
    struct digest *digest = digest_start();
    assert_non_null(digest);
    digest_add(digest, "ab", 2);
    digest_add(digest, "", 0);
    digest_add(digest, "c", 1);
    digest_finish(digest, pieces);
    digest_of("abc", 3, whole);
    assert_memory_equal(pieces, whole, DIGEST_BYTES);
}

static void fields(const char *first, const char *second, uint8_t out[DIGEST_BYTES])
{
    struct digest *digest = digest_start();
    assert_non_null(digest);
    digest_add_field(digest, first, strlen(first));
    digest_add_field(digest, second, strlen(second));
    digest_finish(digest, out);
}

static void test_fields_do_not_run_together(void **state)
{
    (void)state;
    static const char encoded[] = "\0\0\0\0\0\0\0\2ab\0\0\0\0\0\0\0\1c";
    uint8_t one[DIGEST_BYTES], other[DIGEST_BYTES];
    fields("ab", "c", one);
    fields("a", "bc", other);
    assert_memory_not_equal(one, other, DIGEST_BYTES);
    digest_of(encoded, sizeof encoded - 1, other);
    assert_memory_equal(one, other, DIGEST_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_digests),
        cmocka_unit_test(test_pieces_give_the_same),
        cmocka_unit_test(test_fields_do_not_run_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
