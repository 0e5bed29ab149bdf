#include "jigs/jig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "jigs/jig_reader.h"
#include "jigs/programmer.h"

#define SLOWEST_BAUD 300
#define FASTEST_BAUD 4000000
#define LONGEST_CONTACT_US 60000000

/* ---- small readers ---- */

int jig_read_integer(struct jig_reader *reader, const struct document_node *map, const char *key,
                     int64_t minimum, int64_t maximum, int64_t *value)
{
    const struct document_node *node = document_find(map, key);

    if (node == NULL)
        return 0;
    return document_integer(reader->document, node, minimum, maximum, value, reader->failure);
}

int jig_read_duration(struct jig_reader *reader, const struct document_node *map, const char *key,
                      int64_t maximum_us, int64_t *duration_us)
{
    const struct document_node *node = document_find(map, key);

    if (node == NULL)
        return 0;
    if (document_duration(reader->document, node, duration_us, reader->failure) != 0)
        return -1;
    if (*duration_us > maximum_us)
        return document_fail(
            reader->document, node, reader->failure, "%s: found %lld s, expected at most %lld s",
            key, (long long)(*duration_us / 1000000), (long long)(maximum_us / 1000000));
    return 0;
}

int jig_read_text(struct jig_reader *reader, const struct document_node *node, char *field,
                  size_t field_bytes)
{
    const char *text = NULL;

    if (document_text(reader->document, node, &text, reader->failure) != 0)
        return -1;
    if (text[0] == '\0' || strlen(text) >= field_bytes)
        return document_fail(reader->document, node, reader->failure,
                             "found %zu bytes of text, expected 1 to %zu", strlen(text),
                             field_bytes - 1);
    for (const char *at = text; *at != '\0'; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7F)
            return document_fail(reader->document, node, reader->failure,
                                 "found a control character, expected one line of text");
    memcpy(field, text, strlen(text) + 1);
    return 0;
}

/* ---- sites ---- */

/* Programmers by the names that avrdude has for them: what to write here; NULL: it is none of
 * those. "arduino" is there the bootloader of one, but in a jig it can only be one with ArduinoISP
 * in it.
 */
static const char *hint_for(const char *name)
{
    static const struct {
        const char *theirs, *hint;
    } names[] = {
        {"arduino", "did you mean 'stk500v1'?"},
        {"arduino_as_isp", "did you mean 'stk500v1'?"},
        {"arduinoisp", "expected usbtiny for the Arduino ISP, stk500v1 for the sketch ArduinoISP"},
        {"avrisp", "expected stk500v1 for an ArduinoISP, stk500 or stk500v2 for Atmel's AVRISP"},
        {"avrispv2", "did you mean 'stk500v2'?"},
        {"avrisp2", "did you mean 'avrispmkii'?"},
        {"usbtinyisp", "did you mean 'usbtiny'?"},
        {"bus_pirate", "did you mean 'buspirate'?"},
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcasecmp(name, names[i].theirs) == 0)
            return names[i].hint;
    return NULL;
}

static int read_programmer(struct jig_reader *reader, const struct document_node *map,
                           struct jig_site *site)
{
    const struct document_node *node = NULL;
    size_t count = 0;
    const struct programmer_driver *const *drivers = programmer_drivers(&count);
    const char *names[16] = {NULL};
    int index = 0;

    if (document_need(reader->document, map, "programmer", &node, reader->failure) != 0 ||
        jig_read_text(reader, node, site->programmer, sizeof site->programmer) != 0)
        return -1;
    if (programmer_driver_by_name(site->programmer) != NULL)
        return 0;
    const char *hint = hint_for(site->programmer);
    if (hint != NULL)
        return document_fail(reader->document, node, reader->failure, "found '%.40s', %s",
                             site->programmer, hint);
    for (size_t i = 0; i < count && i + 1 < sizeof names / sizeof names[0]; i++)
        names[i] = drivers[i]->name;
    return document_choice(reader->document, node, names, &index, reader->failure);
}

/* A driver that speaks USB finds no device behind a stream of bytes, and the other way round. */
static int check_link(struct jig_reader *reader, const struct document_node *node,
                      const struct jig_site *site, const char *text)
{
    const struct programmer_driver *driver = programmer_driver_by_name(site->programmer);
    bool wants_usb = driver->link == PROGRAMMER_USB;

    if (place_is_usb(&site->place) == wants_usb)
        return 0;
    return document_fail(reader->document, node, reader->failure,
                         "found '%.100s' for %s, expected %s", text, site->programmer,
                         wants_usb ? "a USB device: usb:BUS-PORT.PORT or usb:serial=TEXT"
                                   : "serial:/dev/…, serial:usb:BUS-PORT.PORT, "
                                     "pty:/dev/pts/N or tcp:HOST:PORT");
}

static int read_place(struct jig_reader *reader, const struct document_node *map,
                      struct jig_site *site)
{
    const struct jig *jig = reader->jig;
    const struct document_node *node = NULL;
    const char *text = NULL;
    struct failure cause = {0};

    if (document_need(reader->document, map, "at", &node, reader->failure) != 0 ||
        document_text(reader->document, node, &text, reader->failure) != 0)
        return -1;
    if (place_parse(text, &site->place, &cause) != 0)
        return document_fail(reader->document, node, reader->failure, "%s", cause.detail);
    if (check_link(reader, node, site, text) != 0)
        return -1;
    for (size_t i = 0; i < jig->site_count; i++)
        if (place_same(&jig->sites[i].place, &site->place))
            return document_fail_as(reader->document, node, FAILURE_PLACE_TWICE, reader->failure,
                                    "site %d is at '%.100s', where site %d of line %d is already",
                                    site->site, text, jig->sites[i].site, jig->sites[i].line);
    return 0;
}

static int read_number(struct jig_reader *reader, const struct document_node *map,
                       struct jig_site *site)
{
    const struct document_node *node = NULL;
    int64_t number = 0;

    if (document_need(reader->document, map, "site", &node, reader->failure) != 0 ||
        document_integer(reader->document, node, 1, JIG_SITES_MAX, &number, reader->failure) != 0)
        return -1;
    const struct jig_site *other = jig_find_site(reader->jig, (int)number);
    if (other != NULL)
        return document_fail(reader->document, node, reader->failure,
                             "site %d stands in line %d already", other->site, other->line);
    site->site = (int)number;
    return 0;
}

static int read_supply(struct jig_reader *reader, const struct document_node *map,
                       struct jig_site *site)
{
    static const char *const supplies[] = {"5 V", "3.3 V", NULL};
    static const int64_t supplies_mv[] = {5000, 3300};
    const struct document_node *node = document_find(map, "supply");
    int index = 0;

    if (node == NULL)
        return 0;
    if (document_choice(reader->document, node, supplies, &index, reader->failure) != 0)
        return -1;
    site->supply_mv = supplies_mv[index];
    return 0;
}

/* Keys that only one of the two kinds of bench has. */
static int refuse_keys(struct jig_reader *reader, const struct document_node *map,
                       const char *const keys[], const char *why)
{
    for (size_t i = 0; keys[i] != NULL; i++) {
        const struct document_node *node = document_find(map, keys[i]);

        if (node != NULL)
            return document_fail(reader->document, node, reader->failure, "%s: %s", keys[i], why);
    }
    return 0;
}

static int read_bench_site(struct jig_reader *reader, const struct document_node *map,
                           struct jig_site *site)
{
    static const char *const simulated_keys[] = {"model",   "port",  "board",
                                                 "crystal", "found", NULL};
    static const char *const real_keys[] = {"at", NULL};

    if (reader->jig->bench.simulated) {
        if (refuse_keys(reader, map, real_keys,
                        "a simulated bench makes its places itself, expected model and board") != 0)
            return -1;
        return jig_read_simulated_site(reader, map, site);
    }
    if (refuse_keys(reader, map, simulated_keys, "only on a simulated bench") != 0)
        return -1;
    return read_place(reader, map, site);
}

static int read_baud(struct jig_reader *reader, const struct document_node *map,
                     struct jig_site *site)
{
    const struct document_node *node = document_find(map, "baud");
    int64_t baud = 0;

    if (node == NULL)
        return 0;
    if (programmer_driver_by_name(site->programmer)->link == PROGRAMMER_USB)
        return document_fail(reader->document, node, reader->failure,
                             "%s is reached over USB, which has no baud rate", site->programmer);
    if (document_integer(reader->document, node, SLOWEST_BAUD, FASTEST_BAUD, &baud,
                         reader->failure) != 0)
        return -1;
    if (baud == PLACE_BOOTLOADER_BAUD && place_is_cdc(&site->place))
        return document_fail(reader->document, node, reader->failure,
                             "%d baud starts the bootloader of many a CDC board, and this site is "
                             "one; expected another baud rate",
                             PLACE_BOOTLOADER_BAUD);
    site->baud = (unsigned)baud;
    return 0;
}

static int read_site(struct jig_reader *reader, const struct document_node *map,
                     struct jig_site *site)
{
    static const char *const keys[] = {"site", "programmer", "at",      "baud",  "supply", "model",
                                       "port", "board",      "crystal", "found", NULL};

    if (document_check_keys(reader->document, map, keys, reader->failure) != 0)
        return -1;
    document_position(map, &site->line, &site->column);
    if (read_number(reader, map, site) != 0 || read_programmer(reader, map, site) != 0 ||
        read_bench_site(reader, map, site) != 0 || read_supply(reader, map, site) != 0)
        return -1;
    return read_baud(reader, map, site);
}

static int read_sites(struct jig_reader *reader, const struct document_node *root)
{
    const struct document_node *list = NULL;
    struct jig *jig = reader->jig;

    if (document_need(reader->document, root, "sites", &list, reader->failure) != 0)
        return -1;
    size_t count = document_count(list);
    if (document_node_kind(list) != DOCUMENT_SEQUENCE || count == 0 || count > JIG_SITES_MAX)
        return document_fail(reader->document, list, reader->failure,
                             "sites: expected a list of 1 to %d sites", JIG_SITES_MAX);
    jig->sites = calloc(count, sizeof *jig->sites);
    if (jig->sites == NULL)
        return failure_set(reader->failure, FAILURE_OUT_OF_MEMORY, "%s", jig->path);
    for (size_t i = 0; i < count; i++) {
        if (read_site(reader, document_item(list, i), &jig->sites[i]) != 0) {
            jig_free_found(&jig->sites[i].found);
            return -1;
        }
        jig->site_count++; /* after it was compared with those before it */
    }
    return 0;
}

/* ---- the whole ---- */

static int read_contact(struct jig_reader *reader, const struct document_node *root)
{
    static const char *const keys[] = {"present", "gone", "poll", NULL};
    const struct document_node *map = document_find(root, "contact");
    struct jig *jig = reader->jig;

    jig->contact_present_us = 500000;
    jig->contact_gone_us = 1000000;
    jig->contact_poll_us = 200000;
    if (map == NULL)
        return 0;
    if (document_check_keys(reader->document, map, keys, reader->failure) != 0)
        return -1;
    if (jig_read_duration(reader, map, "present", LONGEST_CONTACT_US, &jig->contact_present_us) !=
            0 ||
        jig_read_duration(reader, map, "gone", LONGEST_CONTACT_US, &jig->contact_gone_us) != 0)
        return -1;
    return jig_read_duration(reader, map, "poll", LONGEST_CONTACT_US, &jig->contact_poll_us);
}

static int read_jig(struct jig_reader *reader)
{
    static const char *const keys[] = {"format", "jig",    "bench",  "contact",
                                       "sites",  "layout", "faults", NULL};
    const struct document_node *root = reader->document->root, *name = NULL;
    int64_t format = 1;

    if (document_check_keys(reader->document, root, keys, reader->failure) != 0 ||
        jig_read_integer(reader, root, "format", 1, 1, &format) != 0 ||
        document_need(reader->document, root, "jig", &name, reader->failure) != 0 ||
        jig_read_text(reader, name, reader->jig->name, sizeof reader->jig->name) != 0 ||
        jig_read_bench(reader, root) != 0 || read_contact(reader, root) != 0 ||
        read_sites(reader, root) != 0 || jig_read_layout(reader, root) != 0)
        return -1;
    return jig_read_faults(reader, root);
}

static int read_document(const char *path, const struct document *document, struct jig **jig,
                         struct failure *failure)
{
    struct jig *made = calloc(1, sizeof *made);
    struct jig_reader reader = {.jig = made, .document = document, .failure = failure};

    if (made == NULL || (made->path = strdup(path)) == NULL) {
        jig_free(made);
        return failure_set(failure, FAILURE_OUT_OF_MEMORY, "%s", path);
    }
    memcpy(made->sha256, document->sha256, sizeof made->sha256);
    if (read_jig(&reader) != 0) {
        jig_free(made);
        return -1;
    }
    *jig = made;
    return 0;
}

int jig_load(const char *path, struct jig **jig, struct failure *failure)
{
    struct document *document = NULL;

    if (document_load(path, FAILURE_JIG_INVALID, &document, failure) != 0)
        return -1;
    int result = read_document(path, document, jig, failure);
    document_free(document);
    return result;
}

int jig_parse(const char *name, const char *text, size_t bytes, struct jig **jig,
              struct failure *failure)
{
    struct document *document = NULL;

    if (document_parse(name, text, bytes, FAILURE_JIG_INVALID, &document, failure) != 0)
        return -1;
    int result = read_document(name, document, jig, failure);
    document_free(document);
    return result;
}

void jig_free(struct jig *jig)
{
    if (jig == NULL)
        return;
    for (size_t i = 0; i < jig->site_count; i++)
        jig_free_found(&jig->sites[i].found);
    free(jig->path);
    free(jig->sites);
    free(jig->bench.faults);
    free(jig);
}

const struct jig_site *jig_find_site(const struct jig *jig, int site)
{
    for (size_t i = 0; i < jig->site_count; i++)
        if (jig->sites[i].site == site)
            return &jig->sites[i];
    return NULL;
}
