/* Bytes without a pattern, for memories to be written with: the same ones for the same seed. */
#ifndef TESTS_RANDOM_BYTES_H
#define TESTS_RANDOM_BYTES_H

#include <stddef.h>
#include <stdint.h>

static inline void fill_random(uint8_t *bytes, size_t count, unsigned seed)
{
    for (size_t i = 0; i < count; i++) {
        seed = seed * 1103515245 + 12345;
        bytes[i] = (uint8_t)(seed >> 16);
    }
}

#endif
