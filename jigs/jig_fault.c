/* The faults in a jig file: one table says which keys describe which kind. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "jigs/jig_reader.h"

#define FAULTS_MAX 1000
#define COUNT_MAX 1000000000
#define INSTRUCTION_BYTES 4
#define GARBAGE_MAX 500
#define GARBAGE_BYTES 16 /* unless said otherwise */
#define BEFORE_MAX 64    /* bytes before a match */
#define ADDRESS_MAX 0xFFFFFF
#define FACTOR_MAX 10000
#define LONGEST_LATE_US 60000000
#define LONGEST_GONE_US 600000000

enum {
    KEY_PART = 1 << 0,
    KEY_WIRE = 1 << 1,
    KEY_RATE = 1 << 2,
    KEY_MATCH = 1 << 3,
    KEY_OFFSET = 1 << 4,
    KEY_NTH = 1 << 5,
    KEY_AFTER = 1 << 6,
    KEY_TIMES = 1 << 7,
    KEY_MASK = 1 << 8,
    KEY_MISO = 1 << 9,
    KEY_MEMORY = 1 << 10,
    KEY_ADDRESS = 1 << 11,
    KEY_FUSE = 1 << 12,
    KEY_FACTOR = 1 << 13,
    KEY_CLOCK = 1 << 14,
    KEY_COUNT = 1 << 15,
    KEY_BYTES = 1 << 16,
    KEY_TEXT = 1 << 17,
    KEY_FOR = 1 << 18,

    ON_WIRE = KEY_RATE | KEY_MATCH | KEY_OFFSET | KEY_TIMES,
    ON_INSTRUCTIONS = KEY_MATCH | KEY_NTH | KEY_AFTER
};

/* The names of the keys, in the order of their bits; then those that every fault takes. */
static const char *const keys[] = {"part",  "wire",   "rate",  "match", "offset", "nth",
                                   "after", "times",  "mask",  "miso",  "memory", "address",
                                   "fuse",  "factor", "clock", "count", "bytes",  "text",
                                   "for",   "site",   "board", "fault", NULL};
#define OWN_KEYS 19

static const struct {
    const char *name;
    unsigned takes, needs;
    bool needs_instruction; /* from the start on it would be another kind */
} kinds[JIG_FAULT_KINDS] = {
    [JIG_FAULT_NO_BOARD] = {"no-board", 0, 0, false},
    [JIG_FAULT_WRONG_PART] = {"wrong-part", KEY_PART, KEY_PART, false},
    [JIG_FAULT_FLIP] = {"flip", KEY_WIRE | ON_WIRE | KEY_MASK, KEY_WIRE, false},
    [JIG_FAULT_LOST_BYTE] = {"lost-byte", KEY_WIRE | ON_WIRE, KEY_WIRE, false},
    [JIG_FAULT_HANG] = {"hang", ON_INSTRUCTIONS, 0, false},
    [JIG_FAULT_DEAD] = {"dead", ON_INSTRUCTIONS | KEY_MISO, 0, false},
    [JIG_FAULT_LOOSE_CONTACT] = {"loose-contact", ON_INSTRUCTIONS | KEY_RATE | KEY_TIMES | KEY_MISO,
                                 0, false},
    [JIG_FAULT_STUCK_MISO] = {"stuck-miso", KEY_MISO, KEY_MISO, false},
    [JIG_FAULT_BAD_PAGE] = {"bad-page", KEY_ADDRESS | KEY_MEMORY | KEY_MASK | KEY_TIMES,
                            KEY_ADDRESS, false},
    [JIG_FAULT_BAD_FUSE] = {"bad-fuse", KEY_FUSE | KEY_MASK | KEY_TIMES, KEY_FUSE, false},
    [JIG_FAULT_SLOW_WRITE] = {"slow-write", KEY_FACTOR, KEY_FACTOR, false},
    [JIG_FAULT_SLOW_CLOCK] = {"slow-clock", KEY_CLOCK, KEY_CLOCK, false},
    [JIG_FAULT_NO_CRYSTAL] = {"no-crystal", 0, 0, false},
    [JIG_FAULT_GARBAGE] = {"garbage", KEY_COUNT | KEY_BYTES | KEY_TIMES, 0, false},
    [JIG_FAULT_BANNER] = {"banner", KEY_TEXT | KEY_TIMES, KEY_TEXT, false},
    [JIG_FAULT_LATE_REPLY] = {"late-reply", ON_WIRE | KEY_FOR, KEY_FOR, false},
    [JIG_FAULT_RESET] = {"reset", ON_INSTRUCTIONS | KEY_TIMES, 0, false},
    [JIG_FAULT_PORT_GONE] = {"port-gone", ON_INSTRUCTIONS | KEY_TIMES | KEY_FOR, KEY_FOR, false},
    [JIG_FAULT_POWER_LOSS] = {"power-loss", ON_INSTRUCTIONS, 0, true},
    [JIG_FAULT_PULLED] = {"pulled", ON_INSTRUCTIONS, 0, true},
    [JIG_FAULT_STALL] = {"stall", ON_INSTRUCTIONS | KEY_TIMES, 0, false},
    [JIG_FAULT_SHORT_REPLY] = {"short-reply", ON_INSTRUCTIONS | KEY_TIMES, 0, false},
    [JIG_FAULT_NAK] = {"nak", ON_INSTRUCTIONS | KEY_TIMES, 0, false},
    [JIG_FAULT_DUPLICATE_PACKET] = {"duplicate-packet", ON_WIRE, 0, false},
    [JIG_FAULT_DOUBLED_BYTE] = {"doubled-byte", KEY_WIRE | ON_WIRE, KEY_WIRE, false},
    [JIG_FAULT_CUT] = {"cut", ON_WIRE | KEY_FOR, KEY_FOR, false},
    [JIG_FAULT_ECHO] = {"echo", ON_WIRE, 0, false},
    [JIG_FAULT_OLD_REPLY] = {"old-reply", ON_WIRE, 0, false},
    [JIG_FAULT_WRONG_MODE] = {"wrong-mode", KEY_BYTES | KEY_OFFSET, KEY_BYTES, false},
    [JIG_FAULT_NO_SUPPLY] = {"no-supply", KEY_MISO, 0, false},
};

const char *jig_fault_kind_name(enum jig_fault_kind kind)
{
    return kinds[kind].name;
}

const char *jig_fault_key_at(enum jig_fault_kind kind, size_t index, bool *is_needed)
{
    for (int i = 0; i < OWN_KEYS; i++) {
        if ((kinds[kind].takes & 1u << i) == 0 || index-- > 0)
            continue;
        *is_needed = (kinds[kind].needs & 1u << i) != 0;
        return keys[i];
    }
    return NULL;
}

static const char *const wires[] = {"to-programmer", "from-programmer", "to-board", "from-board",
                                    NULL};

const char *jig_fault_wire_name(enum jig_fault_wire wire)
{
    return wires[wire];
}

enum jig_fault_link jig_fault_link(enum jig_fault_kind kind)
{
    switch (kind) {
    case JIG_FAULT_GARBAGE:
    case JIG_FAULT_BANNER:
    case JIG_FAULT_DOUBLED_BYTE:
    case JIG_FAULT_CUT:
    case JIG_FAULT_ECHO:
    case JIG_FAULT_OLD_REPLY:
    case JIG_FAULT_WRONG_MODE:
        return JIG_LINK_SERIAL;
    case JIG_FAULT_STALL:
    case JIG_FAULT_SHORT_REPLY:
    case JIG_FAULT_NAK:
    case JIG_FAULT_DUPLICATE_PACKET:
        return JIG_LINK_USB;
    default:
        return JIG_LINK_ANY;
    }
}

bool jig_fault_is_on_wire(enum jig_fault_kind kind)
{
    return (kinds[kind].takes & KEY_OFFSET) != 0;
}

bool jig_fault_is_on_instructions(enum jig_fault_kind kind)
{
    return (kinds[kind].takes & KEY_NTH) != 0;
}

/* ---- kinds and their keys ---- */

static int read_kind(struct jig_reader *reader, const struct document_node *map,
                     struct jig_fault *fault)
{
    const char *names[JIG_FAULT_KINDS + 1] = {NULL};
    const struct document_node *node = NULL;
    int index = 0;

    for (int i = 0; i < JIG_FAULT_KINDS; i++)
        names[i] = kinds[i].name;
    if (document_need(reader->document, map, "fault", &node, reader->failure) != 0 ||
        document_choice(reader->document, node, names, &index, reader->failure) != 0)
        return -1;
    fault->kind = (enum jig_fault_kind)index;
    return 0;
}

static int check_fault_keys(struct jig_reader *reader, const struct document_node *map,
                            enum jig_fault_kind kind)
{
    for (int i = 0; i < OWN_KEYS; i++) {
        const struct document_node *node = document_find(map, keys[i]);

        if (node != NULL && (kinds[kind].takes & 1u << i) == 0)
            return document_fail(reader->document, node, reader->failure,
                                 "%s says nothing about a fault of kind %s", keys[i],
                                 kinds[kind].name);
        if ((kinds[kind].needs & 1u << i) != 0 &&
            document_need(reader->document, map, keys[i], &node, reader->failure) != 0)
            return -1;
    }
    return 0;
}

/* ---- values ---- */

/* Digits with a point: above `least` and up to `most`. */
static int read_decimal(struct jig_reader *reader, const struct document_node *map, const char *key,
                        double least, double most, const char *expected, double *number)
{
    const struct document_node *node = document_find(map, key);
    const char *text = NULL;
    char *end = NULL;

    if (node == NULL)
        return 0;
    if (document_text(reader->document, node, &text, reader->failure) != 0)
        return -1;
    size_t digits = strspn(text, "0123456789.");
    double value = digits > 0 ? strtod(text, &end) : 0;
    if (digits == 0 || end != text + digits || *end != '\0' || value <= least || value > most)
        return document_fail(reader->document, node, reader->failure, "found '%.40s', expected %s",
                             text, expected);
    *number = value;
    return 0;
}

/* "56 AC A0": as many bytes as there are. */
static int read_pattern(struct jig_reader *reader, const struct document_node *map, const char *key,
                        size_t most, struct jig_fault *fault)
{
    const struct document_node *node = document_find(map, key);
    const char *text = NULL;
    size_t count = 0;

    if (node == NULL)
        return 0;
    if (document_text(reader->document, node, &text, reader->failure) != 0)
        return -1;
    for (const char *at = text; *at != '\0'; count++) {
        at += strspn(at, " ");
        at += strcspn(at, " ");
    }
    if (count == 0 || count > most)
        return document_fail(reader->document, node, reader->failure,
                             "found %zu bytes, expected 1 to %zu, as in \"56 AC A0\"", count, most);
    fault->pattern_count = count;
    return document_bytes(reader->document, node, fault->pattern, count, reader->failure);
}

static int read_choice(struct jig_reader *reader, const struct document_node *map, const char *key,
                       const char *const names[], int *index)
{
    const struct document_node *node = document_find(map, key);

    if (node == NULL)
        return 0;
    return document_choice(reader->document, node, names, index, reader->failure);
}

static int read_wire(struct jig_reader *reader, const struct document_node *map,
                     struct jig_fault *fault)
{
    bool of_replies = fault->kind == JIG_FAULT_LATE_REPLY || fault->kind == JIG_FAULT_OLD_REPLY;
    int index = of_replies ? JIG_WIRE_FROM_PROGRAMMER : JIG_WIRE_TO_PROGRAMMER;

    if (read_choice(reader, map, "wire", wires, &index) != 0)
        return -1;
    if (fault->kind == JIG_FAULT_DOUBLED_BYTE && index > JIG_WIRE_FROM_PROGRAMMER)
        return document_fail(reader->document, document_find(map, "wire"), reader->failure,
                             "expected to-programmer or from-programmer: a serial line's");
    fault->wire = (enum jig_fault_wire)index;
    return 0;
}

static int read_miso(struct jig_reader *reader, const struct document_node *map,
                     struct jig_fault *fault)
{
    static const char *const levels[] = {"high", "low", "noise", NULL};
    int index = 0;

    if (read_choice(reader, map, "miso", levels, &index) != 0)
        return -1;
    fault->miso = (enum jig_miso)index;
    return 0;
}

/* `memory` of a bad page, `fuse` of a bad fuse. */
static int read_memory(struct jig_reader *reader, const struct document_node *map,
                       struct jig_fault *fault)
{
    static const char *const memories[] = {"flash", "eeprom", NULL};
    static const char *const fuses[] = {"low", "high", "extended", "lock", "fuse", NULL};
    int memory = 0, fuse = 0;

    if (read_choice(reader, map, "memory", memories, &memory) != 0 ||
        read_choice(reader, map, "fuse", fuses, &fuse) != 0)
        return -1;
    fault->is_only_fuse = fuse == 4;
    if (fault->is_only_fuse)
        fuse = 0;
    fault->memory = fault->kind == JIG_FAULT_BAD_FUSE ? (enum part_memory)(PART_FIRST_FUSE + fuse)
                                                      : (enum part_memory)(PART_FLASH + memory);
    return 0;
}

/* Only what is matched has something before it. */
static int64_t least_offset(const struct document_node *map)
{
    return document_find(map, "match") != NULL ? -BEFORE_MAX : 0;
}

/* By a rate, or by a position, of which there is always one. */
static int read_position(struct jig_reader *reader, const struct document_node *map,
                         struct jig_fault *fault)
{
    bool on_wire = jig_fault_is_on_wire(fault->kind);
    bool by_rate = (kinds[fault->kind].takes & KEY_RATE) != 0;
    bool has_rate = document_find(map, "rate") != NULL;
    bool has_position = document_find(map, "match") != NULL ||
                        document_find(map, "offset") != NULL || document_find(map, "after") != NULL;

    if (on_wire && by_rate && has_rate == has_position)
        return document_fail(reader->document, map, reader->failure,
                             "expected either a rate, or a position by match and offset");
    if (by_rate && has_rate == has_position)
        return document_fail(reader->document, map, reader->failure,
                             "expected either a rate, or an instruction by match, nth and after");
    if (kinds[fault->kind].needs_instruction && !has_position)
        return document_fail(reader->document, map, reader->failure,
                             "expected an instruction by match, nth and after");
    if (document_find(map, "nth") != NULL && document_find(map, "match") == NULL)
        return document_fail(reader->document, document_find(map, "nth"), reader->failure,
                             "nth says nothing without match");
    fault->nth = 1;
    fault->times = !has_rate && (on_wire || jig_fault_is_on_instructions(fault->kind));
    if (read_decimal(reader, map, "rate", 0, 1, "a rate above 0 and up to 1, as in 0.001",
                     &fault->rate) != 0 ||
        read_pattern(reader, map, "match", on_wire ? JIG_PATTERN_MAX : INSTRUCTION_BYTES, fault) !=
            0 ||
        jig_read_integer(reader, map, "offset", least_offset(map), COUNT_MAX, &fault->offset) !=
            0 ||
        jig_read_integer(reader, map, "nth", 1, COUNT_MAX, &fault->nth) != 0 ||
        jig_read_integer(reader, map, "after", 0, COUNT_MAX, &fault->after) != 0)
        return -1;
    return jig_read_integer(reader, map, "times", 0, COUNT_MAX, &fault->times);
}

static int read_numbers(struct jig_reader *reader, const struct document_node *map,
                        struct jig_fault *fault)
{
    bool late = fault->kind == JIG_FAULT_LATE_REPLY || fault->kind == JIG_FAULT_CUT;
    int64_t mask = fault->kind == JIG_FAULT_FLIP ? 0 : 0xFF, address = 0;
    const struct document_node *clock = document_find(map, "clock");

    if (jig_read_integer(reader, map, "mask", 1, 0xFF, &mask) != 0 ||
        jig_read_integer(reader, map, "address", 0, ADDRESS_MAX, &address) != 0 ||
        read_decimal(reader, map, "factor", 1, FACTOR_MAX, "a factor above 1 and up to 10000",
                     &fault->factor) != 0 ||
        jig_read_duration(reader, map, "for", late ? LONGEST_LATE_US : LONGEST_GONE_US,
                          &fault->duration_us) != 0)
        return -1;
    fault->mask = (uint8_t)mask;
    fault->address = (uint32_t)address;
    return clock != NULL ? jig_read_frequency(reader, clock, &fault->clock_hz) : 0;
}

static int read_texts(struct jig_reader *reader, const struct document_node *map,
                      struct jig_fault *fault)
{
    const struct document_node *part = document_find(map, "part");
    const struct document_node *text = document_find(map, "text");
    const struct document_node *count = document_find(map, "count");

    if (count != NULL && document_find(map, "bytes") != NULL)
        return document_fail(reader->document, count, reader->failure,
                             "expected either bytes, or a count of bytes by chance");
    fault->count = GARBAGE_BYTES;
    if (jig_read_integer(reader, map, "count", 1, GARBAGE_MAX, &fault->count) != 0 ||
        read_pattern(reader, map, "bytes", JIG_PATTERN_MAX, fault) != 0)
        return -1;
    if (part != NULL && jig_read_text(reader, part, fault->part, sizeof fault->part) != 0)
        return -1;
    return text != NULL ? jig_read_text(reader, text, fault->text, sizeof fault->text) : 0;
}

/* ---- a fault ---- */

static int read_fault_site(struct jig_reader *reader, const struct document_node *map,
                           struct jig_fault *fault)
{
    const struct document_node *node = document_find(map, "site");
    int64_t site = 0;

    if (node == NULL)
        return 0;
    if (document_integer(reader->document, node, 1, JIG_SITES_MAX, &site, reader->failure) != 0)
        return -1;
    if (jig_find_site(reader->jig, (int)site) == NULL)
        return document_fail(reader->document, node, reader->failure, "there is no site %lld",
                             (long long)site);
    fault->site = (int)site;
    return 0;
}

/* A fault of a board that never comes would be none. */
static int read_fault_board(struct jig_reader *reader, const struct document_node *map,
                            struct jig_fault *fault)
{
    int64_t boards = reader->jig->bench.boards;

    if (jig_read_integer(reader, map, "board", 1, COUNT_MAX, &fault->board) != 0)
        return -1;
    if (boards == 0 || fault->board <= boards)
        return 0;
    return document_fail(reader->document, document_find(map, "board"), reader->failure,
                         "found board %lld, expected at most %lld: the bench has no more boards at "
                         "a site",
                         (long long)fault->board, (long long)boards);
}

static int read_fault(struct jig_reader *reader, const struct document_node *map,
                      struct jig_fault *fault)
{
    if (document_check_keys(reader->document, map, keys, reader->failure) != 0 ||
        read_kind(reader, map, fault) != 0 || check_fault_keys(reader, map, fault->kind) != 0 ||
        read_fault_site(reader, map, fault) != 0 || read_fault_board(reader, map, fault) != 0)
        return -1;
    document_position(map, &fault->line, &fault->column);
    if (read_position(reader, map, fault) != 0 || read_wire(reader, map, fault) != 0 ||
        read_miso(reader, map, fault) != 0 || read_memory(reader, map, fault) != 0 ||
        read_numbers(reader, map, fault) != 0)
        return -1;
    return read_texts(reader, map, fault);
}

int jig_read_faults(struct jig_reader *reader, const struct document_node *root)
{
    const struct document_node *list = document_find(root, "faults");
    struct jig_bench *bench = &reader->jig->bench;

    if (list == NULL)
        return 0;
    if (!bench->simulated)
        return document_fail(reader->document, list, reader->failure,
                             "faults: only on a simulated bench");
    size_t count = document_count(list);
    if (document_node_kind(list) != DOCUMENT_SEQUENCE || count > FAULTS_MAX)
        return document_fail(reader->document, list, reader->failure,
                             "faults: expected a list of at most %d faults", FAULTS_MAX);
    bench->faults = calloc(count > 0 ? count : 1, sizeof *bench->faults);
    if (bench->faults == NULL)
        return failure_set(reader->failure, FAILURE_OUT_OF_MEMORY, "%s", reader->jig->path);
    for (; bench->fault_count < count; bench->fault_count++)
        if (read_fault(reader, document_item(list, bench->fault_count),
                       &bench->faults[bench->fault_count]) != 0)
            return -1;
    return 0;
}
