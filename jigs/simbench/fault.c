#include "jigs/simbench/fault.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WIRE_COUNT (JIG_WIRE_FROM_BOARD + 1)
#define NOWHERE (-1)

struct fault_state {
    const struct jig_fault *fault;
    bool active;     /* concerns the board whose turn it is */
    int64_t due;     /* position on its wire that it will hit; NOWHERE */
    int64_t matches; /* instructions that began with its pattern */
    int64_t since;   /* instructions since the one that it counts from; NOWHERE: before it */
    bool strikes;    /* the present instruction */
    int64_t applied; /* in this turn */
};

/* What passed on a wire, so that a pattern is found across chunks. */
struct fault_wire {
    int64_t position; /* bytes that passed in this turn */
    uint8_t tail[JIG_PATTERN_MAX];
    size_t tail_count;
    bool watched; /* a fault is active on it */
};

/* What one chunk becomes. */
struct fault_marks {
    uint8_t turn[FAULT_CHUNK_MAX]; /* bits */
    bool lose[FAULT_CHUNK_MAX];
    bool twice[FAULT_CHUNK_MAX];
    /* Bytes that come before the one at this place of the chunk. */
    const uint8_t *besides;
    size_t besides_count, besides_at;
};

/* What the programmer said to the host's last write and to the one before; and what of the host's
 * bytes comes back. */
struct fault_talk {
    uint8_t reply[FAULT_REPLY_MAX], old_reply[FAULT_REPLY_MAX], echo[FAULT_CHUNK_MAX];
    size_t reply_count, old_reply_count, echo_count;
    int64_t cut_until_us; /* the monotonic clock; 0: the line is whole */
};

struct fault_set {
    uint64_t random;
    struct fault_talk talk;
    struct fault_wire wires[WIRE_COUNT];
    bool watches_instructions;
    bool strikes; /* any at the present instruction */
    int64_t late_us;
    bool twice;
    size_t count;
    struct fault_state states[];
};

/* SplitMix64 (Steele, Lea, Flood 2014): a seed gives the same faults everywhere. */
static uint64_t next_random(struct fault_set *set)
{
    set->random += 0x9E3779B97F4A7C15u;
    uint64_t value = set->random;
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9u;
    value = (value ^ (value >> 27)) * 0x94D049BB133111EBu;
    return value ^ (value >> 31);
}

static double next_fraction(struct fault_set *set)
{
    return (double)(next_random(set) >> 11) / 9007199254740992.0; /* 2 to the 53rd */
}

struct fault_set *fault_set_create(const struct jig_bench *bench, int site, uint64_t seed)
{
    struct fault_set *set =
        calloc(1, sizeof *set + bench->fault_count * sizeof(struct fault_state));
    if (set == NULL) {
        return NULL;
    }
    set->random = seed ^ ((uint64_t)site << 32);
    for (size_t i = 0; i < bench->fault_count; i++) {
        if (bench->faults[i].site == 0 || bench->faults[i].site == site) {
            set->states[set->count++].fault = &bench->faults[i];
        }
    }
    fault_set_begin(set, 0);
    return set;
}

void fault_set_free(struct fault_set *set)
{
    free(set);
}

static bool is_by_position(const struct jig_fault *fault)
{
    return jig_fault_is_on_wire(fault->kind) && fault->rate <= 0;
}

/* Bytes that the fault waits for; those of another kind are what it brings. */
static size_t match_count(const struct jig_fault *fault)
{
    return fault->kind == JIG_FAULT_WRONG_MODE ? 0 : fault->pattern_count;
}

static bool looks_at_both_ways(enum jig_fault_kind kind)
{
    return kind == JIG_FAULT_CUT || kind == JIG_FAULT_OLD_REPLY;
}

/* What happens to a board happens once; what happens to its contact, as often as the fault says. */
static bool is_spent(const struct fault_state *state)
{
    const struct jig_fault *fault = state->fault;
    bool once = fault->kind == JIG_FAULT_HANG || fault->kind == JIG_FAULT_DEAD ||
                fault->kind == JIG_FAULT_POWER_LOSS || fault->kind == JIG_FAULT_PULLED;
    return once ? state->applied > 0 : fault->times != 0 && state->applied >= fault->times;
}

void fault_set_begin(struct fault_set *set, int64_t board)
{
    memset(set->wires, 0, sizeof set->wires);
    set->watches_instructions = set->strikes = false;
    set->late_us = 0;
    set->twice = false;
    memset(&set->talk, 0, sizeof set->talk);
    for (size_t i = 0; i < set->count; i++) {
        struct fault_state *state = &set->states[i];
        const struct jig_fault *fault = state->fault;
        bool on_instructions = jig_fault_is_on_instructions(fault->kind);
        state->active =
            (fault->board == 0 || fault->board == board) && (board != 0 || !on_instructions);
        state->applied = 0;
        state->matches = 0;
        state->since = NOWHERE;
        state->strikes = false;
        state->due = is_by_position(fault) && match_count(fault) == 0 ? fault->offset : NOWHERE;
        set->watches_instructions |= state->active && on_instructions;
        if (state->active && jig_fault_is_on_wire(fault->kind)) {
            set->wires[fault->wire].watched = true;
        }
        if (state->active && looks_at_both_ways(fault->kind)) {
            set->wires[JIG_WIRE_TO_PROGRAMMER].watched = true;
            set->wires[JIG_WIRE_FROM_PROGRAMMER].watched = true;
        }
    }
}

/* The byte at `index` of the chunk; before it (index < 0) come the last bytes of earlier ones. */
static int byte_at(const struct fault_wire *wire, const uint8_t *bytes, size_t count, int64_t index)
{
    if (index >= 0) {
        return index < (int64_t)count ? bytes[index] : NOWHERE;
    }
    int64_t in_tail = (int64_t)wire->tail_count + index;
    return in_tail >= 0 ? wire->tail[in_tail] : NOWHERE;
}

static bool pattern_begins(const struct jig_fault *fault, const struct fault_wire *wire,
                           const uint8_t *bytes, size_t count, int64_t start)
{
    for (size_t i = 0; i < match_count(fault); i++) {
        if (byte_at(wire, bytes, count, start + (int64_t)i) != fault->pattern[i]) {
            return false;
        }
    }
    return match_count(fault) != 0;
}

static bool is_hit(struct fault_set *set, struct fault_state *state, const uint8_t *bytes,
                   size_t count, int64_t index)
{
    const struct jig_fault *fault = state->fault;
    const struct fault_wire *wire = &set->wires[fault->wire];
    if (is_spent(state)) {
        return false;
    }
    if (!is_by_position(fault)) {
        return next_fraction(set) < fault->rate;
    }
    if (fault->offset < 0) {
        return pattern_begins(fault, wire, bytes, count, index - fault->offset);
    }
    if (state->due < wire->position + index && pattern_begins(fault, wire, bytes, count, index)) {
        state->due = wire->position + index + fault->offset;
    }
    return state->due == wire->position + index;
}

/* A pattern that began in an earlier chunk and is whole only now. */
static void look_back(struct fault_set *set, struct fault_state *state, const uint8_t *bytes,
                      size_t count)
{
    const struct jig_fault *fault = state->fault;
    const struct fault_wire *wire = &set->wires[fault->wire];
    for (int64_t start = 1 - (int64_t)match_count(fault); start < 0; start++) {
        if (fault->offset >= 0 && state->due < wire->position &&
            pattern_begins(fault, wire, bytes, count, start)) {
            state->due = wire->position + start + fault->offset;
        }
    }
}

static void keep_tail(struct fault_wire *wire, const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (wire->tail_count == sizeof wire->tail) {
            memmove(wire->tail, wire->tail + 1, sizeof wire->tail - 1);
            wire->tail_count--;
        }
        wire->tail[wire->tail_count++] = bytes[i];
    }
    wire->position += (int64_t)count;
}

/* Brings bytes before the one at `index`. One fault of a chunk may. */
static void mark_besides(struct fault_marks *marks, size_t index, const uint8_t *bytes,
                         size_t count)
{
    marks->besides = bytes;
    marks->besides_count = count;
    marks->besides_at = index;
}

static int64_t clock_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* A fault hits the byte at `index` of the chunk. */
static void mark_hit(struct fault_set *set, const struct jig_fault *fault, const uint8_t *bytes,
                     size_t index, struct fault_marks *marks)
{
    struct fault_talk *talk = &set->talk;
    switch (fault->kind) {
    case JIG_FAULT_LOST_BYTE:
        marks->lose[index] = true;
        break;
    case JIG_FAULT_LATE_REPLY:
        set->late_us = fault->duration_us > set->late_us ? fault->duration_us : set->late_us;
        break;
    case JIG_FAULT_DUPLICATE_PACKET:
        set->twice = true;
        break;
    case JIG_FAULT_DOUBLED_BYTE:
        marks->twice[index] = true;
        break;
    case JIG_FAULT_CUT:
        talk->cut_until_us = clock_us() + fault->duration_us;
        memset(marks->lose + index, true, sizeof marks->lose - index);
        break;
    case JIG_FAULT_ECHO:
        if (talk->echo_count < sizeof talk->echo) {
            talk->echo[talk->echo_count++] = bytes[index];
        }
        break;
    case JIG_FAULT_OLD_REPLY:
        mark_besides(marks, index, talk->old_reply, talk->old_reply_count);
        break;
    case JIG_FAULT_WRONG_MODE:
        mark_besides(marks, index, fault->pattern, fault->pattern_count);
        break;
    default:
        marks->turn[index] ^=
            fault->mask != 0 ? fault->mask : (uint8_t)(1u << (next_random(set) % 8));
    }
}

/* Marks what this fault does to the chunk. */
static void mark_hits(struct fault_set *set, struct fault_state *state, const uint8_t *bytes,
                      size_t count, struct fault_marks *marks)
{
    look_back(set, state, bytes, count);
    for (size_t i = 0; i < count; i++) {
        if (is_hit(set, state, bytes, count, (int64_t)i)) {
            state->applied++;
            mark_hit(set, state->fault, bytes, i, marks);
        }
    }
}

/* Is the line cut? Then nothing of the chunk arrives. */
static bool is_cut(struct fault_set *set, enum jig_fault_wire wire)
{
    struct fault_talk *talk = &set->talk;
    if (talk->cut_until_us == 0 || wire > JIG_WIRE_FROM_PROGRAMMER) {
        return false;
    }
    if (clock_us() >= talk->cut_until_us) {
        talk->cut_until_us = 0;
    }
    return talk->cut_until_us != 0;
}

/* What the programmer says until the host writes again is one reply. */
static void keep_talk(struct fault_set *set, enum jig_fault_wire wire, const uint8_t *bytes,
                      size_t count)
{
    struct fault_talk *talk = &set->talk;
    if (wire == JIG_WIRE_TO_PROGRAMMER && talk->reply_count != 0) {
        memcpy(talk->old_reply, talk->reply, talk->reply_count);
        talk->old_reply_count = talk->reply_count;
        talk->reply_count = 0;
    } else if (wire == JIG_WIRE_FROM_PROGRAMMER) {
        size_t room = sizeof talk->reply - talk->reply_count;
        size_t kept = count < room ? count : room;
        memcpy(talk->reply + talk->reply_count, bytes, kept);
        talk->reply_count += kept;
    }
}

static void mark_all(struct fault_set *set, enum jig_fault_wire wire, const uint8_t *bytes,
                     size_t count, struct fault_marks *marks)
{
    for (size_t i = 0; i < set->count; i++) {
        struct fault_state *state = &set->states[i];
        if (state->active && jig_fault_is_on_wire(state->fault->kind) &&
            state->fault->wire == wire) {
            mark_hits(set, state, bytes, count, marks);
        }
    }
}

size_t fault_set_pass(struct fault_set *set, enum jig_fault_wire wire, uint8_t *bytes, size_t count,
                      int filler)
{
    if (!set->wires[wire].watched) {
        return count;
    }
    struct fault_marks marks = {0};
    mark_all(set, wire, bytes, count, &marks);
    keep_tail(&set->wires[wire], bytes, count);
    size_t left = 0;
    for (size_t i = 0; i < count; i++) {
        if (!marks.lose[i]) {
            bytes[left++] = bytes[i] ^ marks.turn[i];
        } else if (filler >= 0) {
            bytes[left++] = (uint8_t)filler;
        }
    }
    return left;
}

size_t fault_set_pass_stream(struct fault_set *set, enum jig_fault_wire wire, uint8_t *bytes,
                             size_t count)
{
    if (!set->wires[wire].watched || count == 0) {
        return count;
    }
    if (is_cut(set, wire)) {
        return 0;
    }
    struct fault_marks marks = {0};
    mark_all(set, wire, bytes, count, &marks);
    keep_tail(&set->wires[wire], bytes, count);
    uint8_t made[FAULT_STREAM_ROOM(FAULT_CHUNK_MAX)];
    size_t left = 0;
    for (size_t i = 0; i < count; i++) {
        if (marks.besides != NULL && marks.besides_at == i) {
            memcpy(made + left, marks.besides, marks.besides_count);
            left += marks.besides_count;
        }
        for (int copies = marks.lose[i] ? 0 : marks.twice[i] ? 2 : 1; copies > 0; copies--) {
            made[left++] = bytes[i] ^ marks.turn[i];
        }
    }
    keep_talk(set, wire, bytes, count);
    memcpy(bytes, made, left);
    return left;
}

size_t fault_set_take_echo(struct fault_set *set, uint8_t *bytes, size_t most)
{
    struct fault_talk *talk = &set->talk;
    size_t count = talk->echo_count < most ? talk->echo_count : most;
    memcpy(bytes, talk->echo, count);
    talk->echo_count = 0;
    return count;
}

int64_t fault_set_take_lateness_us(struct fault_set *set)
{
    int64_t late_us = set->late_us;
    set->late_us = 0;
    return late_us;
}

bool fault_set_take_twice(struct fault_set *set)
{
    bool twice = set->twice;
    set->twice = false;
    return twice;
}

/* --- instructions --- */

/* Does it happen now? Counts from the nth instruction that matches, or from the first of all; the
 * further ones in which it could happen again are those that match, or all. */
static bool happens(struct fault_set *set, struct fault_state *state, const uint8_t bytes[4])
{
    const struct jig_fault *fault = state->fault;
    if (fault->rate > 0) {
        return next_fraction(set) < fault->rate;
    }
    state->since += state->since != NOWHERE;
    if (memcmp(bytes, fault->pattern, fault->pattern_count) == 0) {
        state->matches++;
        bool begins = state->since == NOWHERE || state->applied > 0;
        if (begins && state->matches >= fault->nth) {
            state->since = 0;
        }
    }
    return fault->pattern_count != 0 ? state->since == fault->after : state->matches > fault->after;
}

void fault_set_instruction(struct fault_set *set, const uint8_t bytes[4])
{
    set->strikes = false;
    for (size_t i = 0; set->watches_instructions && i < set->count; i++) {
        struct fault_state *state = &set->states[i];
        state->strikes = state->active && jig_fault_is_on_instructions(state->fault->kind) &&
                         !is_spent(state) && happens(set, state, bytes);
        set->strikes |= state->strikes;
    }
}

const struct jig_fault *fault_set_strikes(struct fault_set *set, enum jig_fault_kind kind)
{
    for (size_t i = 0; set->strikes && i < set->count; i++) {
        struct fault_state *state = &set->states[i];
        if (state->strikes && state->fault->kind == kind) {
            state->applied++;
            return state->fault;
        }
    }
    return NULL;
}

/* --- others --- */

const struct jig_fault *fault_set_find(const struct fault_set *set, enum jig_fault_kind kind)
{
    for (size_t i = 0; i < set->count; i++) {
        if (set->states[i].active && set->states[i].fault->kind == kind &&
            !is_spent(&set->states[i])) {
            return set->states[i].fault;
        }
    }
    return NULL;
}

uint8_t fault_set_bad_bits(struct fault_set *set, enum part_memory memory, uint32_t start,
                           uint32_t count)
{
    uint8_t bits = 0;
    for (size_t i = 0; i < set->count; i++) {
        struct fault_state *state = &set->states[i];
        const struct jig_fault *fault = state->fault;
        bool bad = fault->kind == JIG_FAULT_BAD_FUSE ||
                   (fault->kind == JIG_FAULT_BAD_PAGE && fault->address >= start &&
                    fault->address - start < count);
        if (state->active && bad && fault->memory == memory && !is_spent(state)) {
            state->applied++;
            bits |= fault->mask;
        }
    }
    return bits;
}

uint8_t fault_set_noise(struct fault_set *set)
{
    return (uint8_t)(next_random(set) >> 56);
}

void fault_set_applied(struct fault_set *set, const struct jig_fault *fault)
{
    for (size_t i = 0; i < set->count; i++) {
        if (set->states[i].fault == fault) {
            set->states[i].applied++;
        }
    }
}

const struct jig_fault *fault_set_item(const struct fault_set *set, size_t index, int64_t *applied)
{
    for (size_t i = 0; i < set->count; i++) {
        if (set->states[i].active && index-- == 0) {
            *applied = set->states[i].applied;
            return set->states[i].fault;
        }
    }
    return NULL;
}
