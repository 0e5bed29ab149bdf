/* A model of the Bus Pirate, hardware v3 (behind an FTDI adapter) and v4 (USB of its own), as far
 * as programs that program an AVR with it come to see it: its terminal, the binary bit-bang mode
 * and the binary SPI mode, with the habits of three generations of firmware. Source of the
 * behaviour: the documentation of the binary modes and the firmware itself (SPI.c, binIO.c of
 * versions 5 and 6); nothing of them is copied. */
#ifndef JIGS_SIMBENCH_BUSPIRATE_MODEL_H
#define JIGS_SIMBENCH_BUSPIRATE_MODEL_H

#include "jigs/simbench/wire_firmware.h"

/* In what a unit was left by whoever used it last; the bench's seed chooses. */
enum buspirate_left {
    BUSPIRATE_LEFT_IN_TERMINAL,
    BUSPIRATE_LEFT_IN_MENU,
    BUSPIRATE_LEFT_IN_BIT_BANG,
    BUSPIRATE_LEFT_IN_SPI,
    BUSPIRATE_LEFT_IN_TRANSFER,        /* within 10|n */
    BUSPIRATE_LEFT_IN_WRITE_THEN_READ, /* 05 waits for 4096 bytes */
    BUSPIRATE_LEFT_COUNT
};
/* What a seed chooses, so that tests can have each. */
enum buspirate_left buspirate_left_by_seed(uint64_t seed);

/* "buspirate-v3" (firmware 6), "-v3-16ms" (the same behind an adapter whose latency timer nobody
 * has set), "-v3-old" (5, without 04, 05 and 06), "-v3-community" (7, streams), "buspirate-v4". */
extern const struct wire_firmware buspirate_models[];
extern const size_t buspirate_model_count;

#endif
