/* The simulated bench in a jig file: models instead of places. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jigs/jig_reader.h"
#include "jigs/programmer.h"

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

int jig_frequency_from_text(const char *text, int64_t *hz)
{
    static const struct {
        const char *unit;
        double hz;
    } units[] = {{" Hz", 1}, {" kHz", 1e3}, {" MHz", 1e6}};
    char *end = NULL;
    size_t digits = strspn(text, "0123456789.");
    double value = digits > 0 ? strtod(text, &end) : 0;

    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (digits > 0 && end == text + digits && strcmp(end, units[i].unit) == 0 &&
            value * units[i].hz >= JIG_SLOWEST_CLOCK_HZ &&
            value * units[i].hz <= JIG_FASTEST_CLOCK_HZ) {
            *hz = llround(value * units[i].hz);
            return 0;
        }
    return -1;
}

int jig_read_frequency(struct jig_reader *reader, const struct document_node *node, int64_t *hz)
{
    const char *text = NULL;

    if (document_text(reader->document, node, &text, reader->failure) != 0)
        return -1;
    if (jig_frequency_from_text(text, hz) == 0)
        return 0;
    return document_fail(reader->document, node, reader->failure,
                         "found '%.40s', expected a frequency from " JIG_CLOCKS ", as in 16 MHz",
                         text);
}

/* ---- models ---- */

/* The simulated bench has each of these (jigs/simbench), for the driver named beside it. */
static const struct {
    const char *name, *programmer;
} models[] = {
    {"arduino-uno-isp", "stk500v1"},
    {"pro-micro-isp", "stk500v1"},
    {"teensy-2.0-isp", "stk500v1"},
    {"stk500-v2", "stk500v2"},
    {"mega2560-isp", "stk500v2"},
    {"scratchmonkey", "stk500v2"},
    {"stk500", "stk500"},
    {"avrisp", "stk500"},
    {"avr910", "avr910"},
    {"avr910-block", "avr910"},
    {"buspirate-v3", "buspirate"},
    {"buspirate-v3-16ms", "buspirate"},
    {"buspirate-v3-old", "buspirate"},
    {"buspirate-v3-community", "buspirate"},
    {"buspirate-v4", "buspirate"},
    {"usbasp-2011", "usbasp"},
    {"usbasp-2011-slow-jumper", "usbasp"},
    {"usbasp-2011-protostack", "usbasp"},
    {"usbasp-2009", "usbasp"},
    {"usbasp-2005", "usbasp"},
    {"nibobee", "usbasp"},
    {"usbasp-dioannidis", "usbasp"},
    {"usbasp-3mhz", "usbasp"},
    {"usbhid-lookalike", "usbasp"},
    {"vusb-ledcontrol", "usbasp"},
    {"usbasploader", "usbasp"},
    {"usbtinyisp", "usbtiny"},
    {"pocket-avr", "usbtiny"},
    {"arduino-isp", "usbtiny"},
    {"trinket-bootloader", "usbtiny"},
    {"trinket-disguised", "usbtiny"},
    {"avrispmkii", "avrispmkii"},
    {"avrispmkii-second-connect", "avrispmkii"},
    {"avrispmkii-lufa", "avrispmkii"},
    {"avrispmkii-lufa-libusb", "avrispmkii"},
};
#define MODEL_COUNT (sizeof models / sizeof models[0])

const char *jig_model_programmer(const char *model)
{
    for (size_t i = 0; i < MODEL_COUNT; i++)
        if (strcmp(models[i].name, model) == 0)
            return models[i].programmer;
    return NULL;
}

const char *jig_model_at(size_t index, const char **programmer)
{
    if (index >= MODEL_COUNT)
        return NULL;
    *programmer = models[index].programmer;
    return models[index].name;
}

/* One of those that the site's driver is for. */
static int read_model(struct jig_reader *reader, const struct document_node *map,
                      struct jig_site *site)
{
    const char *names[MODEL_COUNT + 1] = {NULL};
    const struct document_node *node = NULL;
    size_t count = 0;
    int index = 0;

    for (size_t i = 0; i < MODEL_COUNT; i++)
        if (strcmp(models[i].programmer, site->programmer) == 0)
            names[count++] = models[i].name;
    if (document_need(reader->document, map, "model", &node, reader->failure) != 0 ||
        document_choice(reader->document, node, names, &index, reader->failure) != 0)
        return -1;
    memcpy(site->model, names[index], strlen(names[index]) + 1);
    return 0;
}

/* Which models have a USB port, the bench knows. */
static int read_port(struct jig_reader *reader, const struct document_node *map,
                     struct jig_site *site)
{
    static const char *const ports[] = {"pty", "usb", NULL};
    const struct document_node *node = document_find(map, "port");
    int port = 0;

    if (node == NULL)
        return 0;
    if (programmer_driver_by_name(site->programmer)->link == PROGRAMMER_USB)
        return document_fail(reader->document, node, reader->failure,
                             "port: only for serial programmers, found %s", site->programmer);
    if (document_choice(reader->document, node, ports, &port, reader->failure) != 0)
        return -1;
    site->usb_port = port == 1;
    return 0;
}

int jig_read_simulated_site(struct jig_reader *reader, const struct document_node *map,
                            struct jig_site *site)
{
    const struct document_node *board = NULL;
    const struct document_node *crystal = document_find(map, "crystal");

    if (read_model(reader, map, site) != 0 ||
        document_need(reader->document, map, "board", &board, reader->failure) != 0 ||
        jig_read_text(reader, board, site->board, sizeof site->board) != 0)
        return -1;
    if (crystal != NULL && jig_read_frequency(reader, crystal, &site->crystal_hz) != 0)
        return -1;
    return read_port(reader, map, site) != 0 ? -1 : jig_read_found(reader, map, site);
}
