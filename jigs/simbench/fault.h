/* The faults of a site, from a seed: which bytes turn over, vanish or come late, at which
 * instruction something happens. One thread at a time uses a set. */
#ifndef JIGS_SIMBENCH_FAULT_H
#define JIGS_SIMBENCH_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "jigs/jig.h"

#define FAULT_CHUNK_MAX 1024
#define FAULT_REPLY_MAX 320 /* of an old reply that comes again; what is longer is cut off */
/* What so many bytes of a stream may become. */
#define FAULT_STREAM_ROOM(count) (2 * (count) + FAULT_REPLY_MAX + JIG_PATTERN_MAX)

struct fault_set;

/* The bench's faults as far as they concern this site. NULL when out of memory. */
struct fault_set *fault_set_create(const struct jig_bench *bench, int site, uint64_t seed);
void fault_set_free(struct fault_set *set);

/* A board's turn begins: its faults act from here on, all counts start again. Board 0: nobody's
 * turn, only faults of every board act, and none on instructions. */
void fault_set_begin(struct fault_set *set, int64_t board);

/* Bytes pass along a wire, at most FAULT_CHUNK_MAX at a time. Changes them in place; lost bytes are
 * taken out, or become `filler` on a wire where the receiver clocks (filler >= 0). Returns how many
 * are left. A pattern is found within one call and across calls, but a byte that went by in an
 * earlier call is past changing. */
size_t fault_set_pass(struct fault_set *set, enum jig_fault_wire wire, uint8_t *bytes, size_t count,
                      int filler);
/* The same for a serial line, where bytes may become more: `bytes` has room for
 * FAULT_STREAM_ROOM(count). */
size_t fault_set_pass_stream(struct fault_set *set, enum jig_fault_wire wire, uint8_t *bytes,
                             size_t count);
/* What comes back to the host of all that it sent since the last call; `most` at most. */
size_t fault_set_take_echo(struct fault_set *set, uint8_t *bytes, size_t most);
/* How late the bytes are that passed since the last call: the longest of their faults. */
int64_t fault_set_take_lateness_us(struct fault_set *set);
/* Is one of the bytes that passed since the last call to arrive twice, with those it travels with?
 */
bool fault_set_take_twice(struct fault_set *set);

/* The programmer begins an instruction: which faults happen to it is asked for afterwards, kind by
 * kind. */
void fault_set_instruction(struct fault_set *set, const uint8_t bytes[4]);
/* The fault of this kind that happens to the present instruction, counted as applied; NULL: none.
 */
const struct jig_fault *fault_set_strikes(struct fault_set *set, enum jig_fault_kind kind);

/* The first fault of a kind that concerns this board and has not been applied as often as it may;
 * NULL if there is none. */
const struct jig_fault *fault_set_find(const struct fault_set *set, enum jig_fault_kind kind);
/* Counts a fault that something else applied. */
void fault_set_applied(struct fault_set *set, const struct jig_fault *fault);
/* Bits that a write to `count` bytes from `start` on does not change, because a page or fuse is
 * bad; counted as applied. */
uint8_t fault_set_bad_bits(struct fault_set *set, enum part_memory memory, uint32_t start,
                           uint32_t count);
/* Bytes by chance. */
uint8_t fault_set_noise(struct fault_set *set);

/* The index-th fault of this board and how often it was applied; NULL after the last. */
const struct jig_fault *fault_set_item(const struct fault_set *set, size_t index, int64_t *applied);

#endif
