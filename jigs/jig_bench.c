/* The simulated bench in a jig file: models instead of places, and faults. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jigs/jig_reader.h"

#define FAULTS_MAX 1000
#define LONGEST_SWAP_US 600000000
#define COUNT_MAX 1000000000

/* ---- the bench and its sites ---- */

static int read_bench_map(struct jig_reader *reader, const struct document_node *map)
{
    static const char *const keys[] = {"simulated", "pace", "seed", "swap", "boards", NULL};
    static const char *const paces[] = {"real", "fast", NULL};
    struct jig_bench *bench = &reader->jig->bench;
    const struct document_node *node = NULL;
    int64_t seed = 0;
    int pace = 0;

    if (document_check_keys(reader->document, map, keys, reader->failure) != 0 ||
        document_need(reader->document, map, "simulated", &node, reader->failure) != 0 ||
        document_boolean(reader->document, node, &bench->simulated, reader->failure) != 0)
        return -1;
    if (!bench->simulated && document_count(map) > 1)
        return document_fail(reader->document, map, reader->failure,
                             "a bench that is not simulated has no further settings");
    node = document_find(map, "pace");
    if (node != NULL && document_choice(reader->document, node, paces, &pace, reader->failure) != 0)
        return -1;
    if (jig_read_integer(reader, map, "seed", 0, INT64_MAX, &seed) != 0 ||
        jig_read_duration(reader, map, "swap", LONGEST_SWAP_US, &bench->swap_us) != 0 ||
        jig_read_integer(reader, map, "boards", 0, COUNT_MAX, &bench->boards) != 0)
        return -1;
    bench->real_pace = pace == 0;
    bench->seed = (uint64_t)seed;
    return 0;
}

int jig_read_bench(struct jig_reader *reader, const struct document_node *root)
{
    static const char *const kinds[] = {"simulated", NULL};
    const struct document_node *node = document_find(root, "bench");
    int kind = 0;

    if (node == NULL)
        return 0;
    if (document_node_kind(node) == DOCUMENT_MAPPING)
        return read_bench_map(reader, node);
    if (document_choice(reader->document, node, kinds, &kind, reader->failure) != 0)
        return -1;
    reader->jig->bench.simulated = true;
    reader->jig->bench.real_pace = true;
    return 0;
}

/* "16 MHz", "32768 Hz", "7.3728 MHz". */
static int read_frequency(struct jig_reader *reader, const struct document_node *node, int64_t *hz)
{
    static const struct {
        const char *unit;
        double hz;
    } units[] = {{" Hz", 1}, {" kHz", 1e3}, {" MHz", 1e6}};
    const char *text = NULL;
    char *end = NULL;

    if (document_text(reader->document, node, &text, reader->failure) != 0)
        return -1;
    size_t digits = strspn(text, "0123456789.");
    double value = digits > 0 ? strtod(text, &end) : 0;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (digits > 0 && end == text + digits && strcmp(end, units[i].unit) == 0 &&
            value * units[i].hz >= 32768 && value * units[i].hz <= 20e6) {
            *hz = llround(value * units[i].hz);
            return 0;
        }
    return document_fail(
        reader->document, node, reader->failure,
        "found '%.40s', expected a frequency from 32768 Hz to 20 MHz, as in 16 MHz", text);
}

int jig_read_simulated_site(struct jig_reader *reader, const struct document_node *map,
                            struct jig_site *site)
{
    static const char *const models[] = {"arduino-uno-isp", "pro-micro-isp", "teensy-2.0-isp",
                                         NULL};
    const struct document_node *model = NULL, *board = NULL;
    const struct document_node *crystal = document_find(map, "crystal");
    int index = 0;

    if (document_need(reader->document, map, "model", &model, reader->failure) != 0 ||
        document_choice(reader->document, model, models, &index, reader->failure) != 0 ||
        document_need(reader->document, map, "board", &board, reader->failure) != 0 ||
        jig_read_text(reader, board, site->board, sizeof site->board) != 0)
        return -1;
    memcpy(site->model, models[index], strlen(models[index]) + 1);
    return crystal != NULL ? read_frequency(reader, crystal, &site->crystal_hz) : 0;
}

/* ---- faults ---- */

/* What each kind of fault is described by, besides site, board and fault. */
static const struct {
    const char *name;
    bool on_wire; /* wire, rate, match, offset, times; mask for flips */
    bool takes_mask, takes_part, takes_after;
} fault_kinds[] = {
    [JIG_FAULT_NO_BOARD] = {.name = "no-board"},
    [JIG_FAULT_WRONG_PART] = {.name = "wrong-part", .takes_part = true},
    [JIG_FAULT_FLIP] = {.name = "flip", .on_wire = true, .takes_mask = true},
    [JIG_FAULT_LOST_BYTE] = {.name = "lost-byte", .on_wire = true},
    [JIG_FAULT_HANG] = {.name = "hang", .takes_after = true},
    [JIG_FAULT_DEAD] = {.name = "dead", .takes_after = true},
};

static int read_kind(struct jig_reader *reader, const struct document_node *map,
                     struct jig_fault *fault)
{
    const char *names[sizeof fault_kinds / sizeof fault_kinds[0] + 1] = {NULL};
    const struct document_node *node = NULL;
    int index = 0;

    for (size_t i = 0; i < sizeof fault_kinds / sizeof fault_kinds[0]; i++)
        names[i] = fault_kinds[i].name;
    if (document_need(reader->document, map, "fault", &node, reader->failure) != 0 ||
        document_choice(reader->document, node, names, &index, reader->failure) != 0)
        return -1;
    fault->kind = (enum jig_fault_kind)index;
    return 0;
}

static int check_fault_keys(struct jig_reader *reader, const struct document_node *map,
                            enum jig_fault_kind kind)
{
    const struct {
        const char *key;
        bool taken;
    } keys[] = {
        {"wire", fault_kinds[kind].on_wire},    {"rate", fault_kinds[kind].on_wire},
        {"match", fault_kinds[kind].on_wire},   {"offset", fault_kinds[kind].on_wire},
        {"times", fault_kinds[kind].on_wire},   {"mask", fault_kinds[kind].takes_mask},
        {"part", fault_kinds[kind].takes_part}, {"after", fault_kinds[kind].takes_after},
    };

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const struct document_node *node = document_find(map, keys[i].key);

        if (node != NULL && !keys[i].taken)
            return document_fail(reader->document, node, reader->failure,
                                 "%s says nothing about a fault of kind %s", keys[i].key,
                                 fault_kinds[kind].name);
    }
    return 0;
}

static int read_rate(struct jig_reader *reader, const struct document_node *node, double *rate)
{
    const char *text = NULL;
    char *end = NULL;

    if (document_text(reader->document, node, &text, reader->failure) != 0)
        return -1;
    size_t digits = strspn(text, "0123456789.");
    double value = digits > 0 ? strtod(text, &end) : 0;
    if (digits == 0 || end != text + digits || *end != '\0' || value <= 0 || value > 1)
        return document_fail(reader->document, node, reader->failure,
                             "found '%.40s', expected a rate above 0 and up to 1, as in 0.001",
                             text);
    *rate = value;
    return 0;
}

/* "56 AC A0": as many bytes as there are. */
static int read_pattern(struct jig_reader *reader, const struct document_node *node,
                        struct jig_fault *fault)
{
    const char *text = NULL;
    size_t count = 0;

    if (document_text(reader->document, node, &text, reader->failure) != 0)
        return -1;
    for (const char *at = text; *at != '\0'; count++) {
        at += strspn(at, " ");
        at += strcspn(at, " ");
    }
    if (count == 0 || count > JIG_PATTERN_MAX)
        return document_fail(reader->document, node, reader->failure,
                             "found %zu bytes, expected 1 to %d, as in \"56 AC A0\"", count,
                             JIG_PATTERN_MAX);
    fault->pattern_count = count;
    return document_bytes(reader->document, node, fault->pattern, count, reader->failure);
}

static int read_wire_fault(struct jig_reader *reader, const struct document_node *map,
                           struct jig_fault *fault)
{
    static const char *const wires[] = {"to-programmer", "from-programmer", "to-board",
                                        "from-board", NULL};
    const struct document_node *wire = NULL;
    const struct document_node *rate = document_find(map, "rate");
    const struct document_node *match = document_find(map, "match");
    const struct document_node *offset = document_find(map, "offset");
    int64_t mask = 0;
    int index = 0;

    if (document_need(reader->document, map, "wire", &wire, reader->failure) != 0 ||
        document_choice(reader->document, wire, wires, &index, reader->failure) != 0)
        return -1;
    fault->wire = (enum jig_fault_wire)index;
    if ((rate != NULL) == (match != NULL || offset != NULL))
        return document_fail(reader->document, map, reader->failure,
                             "expected either a rate, or a position by match and offset");
    fault->times = rate != NULL ? 0 : 1; /* by position: once, unless said otherwise */
    if ((rate != NULL && read_rate(reader, rate, &fault->rate) != 0) ||
        (match != NULL && read_pattern(reader, match, fault) != 0) ||
        jig_read_integer(reader, map, "offset", 0, COUNT_MAX, &fault->offset) != 0 ||
        jig_read_integer(reader, map, "mask", 1, 0xFF, &mask) != 0 ||
        jig_read_integer(reader, map, "times", 0, COUNT_MAX, &fault->times) != 0)
        return -1;
    fault->mask = (uint8_t)mask;
    return 0;
}

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

static int read_fault(struct jig_reader *reader, const struct document_node *map,
                      struct jig_fault *fault)
{
    static const char *const keys[] = {"site",  "board",  "fault", "part",  "wire",  "rate",
                                       "match", "offset", "mask",  "times", "after", NULL};
    const struct document_node *part = NULL;

    if (document_check_keys(reader->document, map, keys, reader->failure) != 0 ||
        read_kind(reader, map, fault) != 0 || check_fault_keys(reader, map, fault->kind) != 0 ||
        read_fault_site(reader, map, fault) != 0 ||
        jig_read_integer(reader, map, "board", 1, COUNT_MAX, &fault->board) != 0 ||
        jig_read_integer(reader, map, "after", 0, COUNT_MAX, &fault->after) != 0)
        return -1;
    if (fault_kinds[fault->kind].on_wire)
        return read_wire_fault(reader, map, fault);
    if (!fault_kinds[fault->kind].takes_part)
        return 0;
    if (document_need(reader->document, map, "part", &part, reader->failure) != 0)
        return -1;
    return jig_read_text(reader, part, fault->part, sizeof fault->part);
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
