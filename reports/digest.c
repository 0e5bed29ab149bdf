#include "reports/digest.h"

#include <nettle/sha2.h>
#include <stdlib.h>

struct digest {
    struct sha256_ctx context;
};

struct digest *digest_start(void)
{
    struct digest *digest = malloc(sizeof *digest);
    if (digest != NULL) {
        sha256_init(&digest->context);
    }
    return digest;
}

void digest_add(struct digest *digest, const void *bytes, size_t count)
{
    sha256_update(&digest->context, count, bytes);
}

void digest_add_field(struct digest *digest, const void *bytes, size_t count)
{
    uint8_t length[8];
    for (int i = 0; i < 8; i++) {
        length[i] = (uint8_t)((uint64_t)count >> (56 - 8 * i));
    }
    digest_add(digest, length, sizeof length);
    digest_add(digest, bytes, count);
}

void digest_finish(struct digest *digest, uint8_t out[DIGEST_BYTES])
{
    sha256_digest(&digest->context, DIGEST_BYTES, out);
    free(digest);
}

void digest_of(const void *bytes, size_t count, uint8_t out[DIGEST_BYTES])
{
    struct sha256_ctx context;
    sha256_init(&context);
    sha256_update(&context, count, bytes);
    sha256_digest(&context, DIGEST_BYTES, out);
}

void digest_to_text(const uint8_t digest[DIGEST_BYTES], char text[DIGEST_TEXT_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < DIGEST_BYTES; i++) {
        text[2 * i] = digits[digest[i] >> 4];
        text[2 * i + 1] = digits[digest[i] & 0x0F];
    }
    text[2 * DIGEST_BYTES] = '\0';
}
