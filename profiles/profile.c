#include "profiles/profile.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/fuse_words.h"
#include "profiles/profile_clock.h"
#include "profiles/profile_reader.h"

/* ---- text ---- */

/* Control characters, also those of Latin-1 that terminals obey: C2 80 to C2 9F in UTF-8. */
static bool is_printable(const char *text)
{
    const unsigned char *byte = (const unsigned char *)text;

    for (; *byte; byte++)
        if (*byte < 0x20 || *byte == 0x7F || (byte[0] == 0xC2 && byte[1] < 0xA0))
            return false;
    return true;
}

int profile_read_text(struct profile_reader *reader, const struct document_node *node, char *field,
                      size_t field_bytes)
{
    const char *text = NULL;

    if (document_text(reader->document, node, &text, reader->failure) != 0)
        return -1;
    if (!is_printable(text))
        return document_fail(reader->document, node, reader->failure,
                             "found a control character, expected one line of text");
    if (strlen(text) >= field_bytes)
        return document_fail(reader->document, node, reader->failure,
                             "found text of %zu bytes, expected at most %zu", strlen(text),
                             field_bytes - 1);
    memcpy(field, text, strlen(text) + 1);
    return 0;
}

/* Of what is not ASCII, all but the signs of U+0080 to U+00BF and U+2000 to U+2FFF counts: blanks,
 * dashes, arrows. The schema has the same ranges. */
static bool has_letter_or_digit(const char *text)
{
    for (const unsigned char *byte = (const unsigned char *)text; *byte; byte++)
        if (isalnum(*byte) || (*byte > 0xC2 && *byte != 0xE2))
            return true;
    return false;
}

int profile_read_reason(struct profile_reader *reader, const struct document_node *node,
                        char *field, size_t field_bytes)
{
    if (profile_read_text(reader, node, field, field_bytes) != 0)
        return -1;
    if (has_letter_or_digit(field))
        return 0;
    return document_fail(reader->document, node, reader->failure,
                         "found '%s', expected a reason in words", field);
}

static int need_text(struct profile_reader *reader, const struct document_node *root,
                     const char *key, char *field, size_t field_bytes)
{
    const struct document_node *node = NULL;

    if (document_need(reader->document, root, key, &node, reader->failure) != 0)
        return -1;
    return profile_read_text(reader, node, field, field_bytes);
}

struct profile_position profile_position_of(const struct document_node *node)
{
    struct profile_position position;

    document_position(node, &position.line, &position.column);
    return position;
}

/* ---- who it is ---- */

static int read_format(struct profile_reader *reader, const struct document_node *root)
{
    const struct document_node *node = NULL;
    int64_t format = 0;

    if (document_need(reader->document, root, "format", &node, reader->failure) != 0)
        return -1;
    return document_integer(reader->document, node, 1, 1, &format, reader->failure);
}

static int read_names(struct profile_reader *reader, const struct document_node *root)
{
    struct profile *profile = reader->profile;

    if (need_text(reader, root, "profile", profile->name, sizeof(profile->name)) != 0 ||
        need_text(reader, root, "article", profile->article, sizeof(profile->article)) != 0)
        return -1;
    return need_text(reader, root, "revision", profile->revision, sizeof(profile->revision));
}

static int read_via(struct profile_reader *reader, const struct document_node *root)
{
    /* The first one is what this version can do. */
    static const char *const ways[] = {"isp",          "dfu",        "caterina",
                                       "halfkay",      "qmk-hid",    "bootloadhid",
                                       "usbasploader", "serialupdi", NULL};
    const struct document_node *node = NULL;
    int index = 0;

    if (document_need(reader->document, root, "via", &node, reader->failure) != 0 ||
        document_choice(reader->document, node, ways, &index, reader->failure) != 0)
        return -1;
    if (index != 0)
        return document_fail(reader->document, node, reader->failure,
                             "'%s' is not supported by this version, expected isp", ways[index]);
    snprintf(reader->profile->via, sizeof(reader->profile->via), "%s", ways[index]);
    return 0;
}

static int check_signature(struct profile_reader *reader, const struct document_node *root)
{
    const struct document_node *node = document_find(root, "signature");
    const struct part *part = reader->profile->part;
    uint8_t given[3];

    if (!node)
        return 0;
    if (document_bytes(reader->document, node, given, sizeof(given), reader->failure) != 0)
        return -1;
    if (memcmp(given, part->signature, sizeof(given)) == 0)
        return 0;
    return document_fail(reader->document, node, reader->failure,
                         "found %02X %02X %02X, expected %02X %02X %02X, the signature of %s",
                         given[0], given[1], given[2], part->signature[0], part->signature[1],
                         part->signature[2], part->name);
}

static int read_part(struct profile_reader *reader, const struct document_node *root)
{
    const struct document_node *node = NULL;
    struct failure failure = {0};
    char name[PROFILE_TEXT_BYTES];

    if (document_need(reader->document, root, "part", &node, reader->failure) != 0 ||
        profile_read_text(reader, node, name, sizeof(name)) != 0)
        return -1;
    if (part_load(reader->parts_directory, name, &reader->profile->part, &failure) == 0)
        return check_signature(reader, root);
    /* A name that is not known is the profile's fault and belongs to its line. */
    if (failure.code == FAILURE_PROFILE_INVALID)
        return document_fail(reader->document, node, reader->failure, "%s", failure.detail);
    return failure_set(reader->failure, failure.code, "%s", failure.detail);
}

/* ---- the board ---- */

/* "16 MHz", "18.432 MHz", "32.768 kHz" in Hz; -1 when it is none of these. */
static int64_t parse_frequency(const char *text)
{
    static const struct {
        const char *unit;
        int64_t hz;
    } units[] = {{" MHz", 1000000}, {" kHz", 1000}, {" Hz", 1}};
    int64_t whole = 0, fraction = 0, scale = 1;
    const char *at = text;
    size_t i;

    for (; isdigit((unsigned char)*at) && whole < 1000000000; at++)
        whole = whole * 10 + (*at - '0');
    if (at != text && *at == '.')
        for (at++; isdigit((unsigned char)*at) && scale < 1000000; at++, scale *= 10)
            fraction = fraction * 10 + (*at - '0');
    for (i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (strcmp(at, units[i].unit) == 0)
            return at == text ? -1 : whole * units[i].hz + fraction * units[i].hz / scale;
    return -1;
}

/* `word` when it is none of the names but near one: that one. */
static const char *meant_instead(const char *word, const char *const names[])
{
    const char *nearest = document_nearest(word, names);

    return nearest && strcmp(nearest, word) != 0 ? nearest : NULL;
}

static int fail_clock(struct profile_reader *reader, const struct document_node *node)
{
    static const char *const sources[] = {"crystal",   "internal",   "external",
                                          "resonator", "rc-network", NULL};
    static const char *const units[] = {"MHz", "kHz", "Hz", NULL};
    const char *text = reader->profile->clock_text, *unit = strrchr(text, ' ');
    const char *meant = NULL;
    char source[16];

    snprintf(source, sizeof(source), "%.*s", (int)strcspn(text, " "), text);
    meant = meant_instead(source, sources);
    if (!meant && unit)
        meant = meant_instead(unit + 1, units);
    if (meant)
        return document_fail(reader->document, node, reader->failure,
                             "found '%.40s', did you mean '%s'?", text, meant);
    return document_fail(reader->document, node, reader->failure,
                         "found '%.40s', expected crystal, internal, external, resonator or "
                         "rc-network and a frequency from 32 kHz to 20 MHz, as in crystal 16 MHz",
                         text);
}

static int read_clock(struct profile_reader *reader, const struct document_node *node)
{
    static const struct {
        const char *text;
        enum profile_clock_source source;
    } kinds[] = {{"crystal ", PROFILE_CLOCK_CRYSTAL},
                 {"internal ", PROFILE_CLOCK_INTERNAL},
                 {"external ", PROFILE_CLOCK_EXTERNAL},
                 {"resonator ", PROFILE_CLOCK_RESONATOR},
                 {"rc-network ", PROFILE_CLOCK_RC_NETWORK}};
    /* No AVR of this kind runs above 20 MHz, nor from less than the ultra low power oscillator of
     * some ATtiny (ATtiny441/841, 8495). */
    const int64_t slowest_hz = 32000, fastest_hz = 20000000;
    struct profile *profile = reader->profile;
    const char *text = profile->clock_text;

    if (profile_read_text(reader, node, profile->clock_text, sizeof(profile->clock_text)) != 0)
        return -1;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strncmp(text, kinds[i].text, strlen(kinds[i].text)) != 0)
            continue;
        profile->clock_source = kinds[i].source;
        profile->clock_hz = parse_frequency(text + strlen(kinds[i].text));
    }
    if (profile->clock_hz >= slowest_hz && profile->clock_hz <= fastest_hz)
        return 0;
    return fail_clock(reader, node);
}

static int read_uses(struct profile_reader *reader, const struct document_node *list)
{
    static const char *const names[] = {"jtag-pins", "hwb-pin", NULL};
    bool *const uses[] = {&reader->profile->uses_jtag_pins, &reader->profile->uses_hwb_pin};

    if (document_node_kind(list) != DOCUMENT_SEQUENCE)
        return document_fail(reader->document, list, reader->failure,
                             "expected a list of the pins that the board uses, as in [jtag-pins]");
    for (size_t i = 0; i < document_count(list); i++) {
        int index = 0;

        if (document_choice(reader->document, document_item(list, i), names, &index,
                            reader->failure) != 0)
            return -1;
        *uses[index] = true;
    }
    return 0;
}

static int read_board(struct profile_reader *reader, const struct document_node *root)
{
    static const char *const keys[] = {"clock", "supply", "uses", NULL};
    static const char *const supplies[] = {"5 V", "3.3 V", NULL};
    static const int64_t supplies_mv[] = {5000, 3300};
    const struct document_node *board = document_find(root, "board"), *clock, *supply, *uses;
    int index = 0;

    reader->profile->board_position = profile_position_of(board ? board : root);
    if (!board)
        return 0;
    if (document_check_keys(reader->document, board, keys, reader->failure) != 0)
        return -1;
    clock = document_find(board, "clock");
    if (clock && read_clock(reader, clock) != 0)
        return -1;
    uses = document_find(board, "uses");
    if (uses && read_uses(reader, uses) != 0)
        return -1;
    supply = document_find(board, "supply");
    if (!supply)
        return 0;
    if (document_choice(reader->document, supply, supplies, &index, reader->failure) != 0)
        return -1;
    reader->profile->supply_mv = supplies_mv[index];
    return 0;
}

/* ---- how it is done ---- */

static int read_verify(struct profile_reader *reader, const struct document_node *root)
{
    static const char *const names[] = {"image", "whole", NULL};
    const struct document_node *node = document_find(root, "verify");
    int index = 0;

    if (node && document_choice(reader->document, node, names, &index, reader->failure) != 0)
        return -1;
    reader->profile->verify_whole = index == 1;
    return 0;
}

static int read_if_already(struct profile_reader *reader, const struct document_node *root)
{
    static const char *const names[] = {"redo", "pass", "refuse", NULL};
    static const enum profile_if_already choices[] = {
        PROFILE_IF_ALREADY_REDO, PROFILE_IF_ALREADY_PASS, PROFILE_IF_ALREADY_REFUSE};
    const struct document_node *node = document_find(root, "if_already");
    int index = 0;

    if (node && document_choice(reader->document, node, names, &index, reader->failure) != 0)
        return -1;
    reader->profile->if_already = choices[index];
    return 0;
}

/* Where the clock fuses may not go first, the line that asks for it is at fault. */
static int read_speed(struct profile_reader *reader, const struct document_node *root)
{
    static const char *const names[] = {"as-found", "clock-first", NULL};
    const struct document_node *node = document_find(root, "speed");
    struct profile_clock_first first;
    char reason[PROFILE_CLOCK_REASON_BYTES];
    int index = 0;

    if (node && document_choice(reader->document, node, names, &index, reader->failure) != 0)
        return -1;
    if (index == 0)
        return 0;
    reader->profile->speed = PROFILE_SPEED_CLOCK_FIRST;
    if (profile_find_clock_first(reader->profile, &first, reason))
        return 0;
    return document_fail(reader->document, node, reader->failure,
                         "found clock-first, expected as-found: %s", reason);
}

static int read_tries(struct profile_reader *reader, const struct document_node *map,
                      const char *key, int maximum, int *tries)
{
    const struct document_node *node = document_find(map, key);
    int64_t value = *tries;

    if (node && document_integer(reader->document, node, 0, maximum, &value, reader->failure) != 0)
        return -1;
    *tries = (int)value;
    return 0;
}

static int read_retry(struct profile_reader *reader, const struct document_node *root)
{
    static const char *const keys[] = {"contact", "verify", NULL};
    const struct document_node *map = document_find(root, "retry");

    reader->profile->retry_contact = 3;
    reader->profile->retry_verify = 0;
    if (!map)
        return 0;
    if (document_check_keys(reader->document, map, keys, reader->failure) != 0 ||
        read_tries(reader, map, "contact", 10, &reader->profile->retry_contact) != 0)
        return -1;
    return read_tries(reader, map, "verify", 1, &reader->profile->retry_verify);
}

static int refuse_serial(struct profile_reader *reader, const struct document_node *root)
{
    const struct document_node *serial = document_find(root, "serial");

    if (!serial)
        return 0;
    return document_fail(reader->document, serial, reader->failure,
                         "serial numbers are not written by this version: remove 'serial'");
}

/* ---- the file ---- */

/* What belongs to `fuses` and stands beside it, most often for want of blanks before it; and the
 * lock byte by the names that it has elsewhere. */
static int check_places(struct profile_reader *reader, const struct document_node *root)
{
    static const char *const names[] = {"low", "high", "extended", NULL};
    const struct document_node *key = NULL;

    for (size_t i = 0; i < document_count(root); i++) {
        const char *name = document_pair(root, i, &key, NULL);
        const char *ours = name ? fuse_words_our_name(name) : NULL;

        if (ours && strcmp(ours, "lock") == 0)
            return document_fail(reader->document, key, reader->failure,
                                 "unknown key '%.40s', use lock", name);
        for (size_t at = 0; name && !ours && names[at]; at++)
            if (strcmp(name, names[at]) == 0)
                ours = name;
        if (ours)
            return document_fail(reader->document, key, reader->failure,
                                 "unknown key '%.40s' here: as %s it belongs to 'fuses', with "
                                 "blanks before it",
                                 name, ours);
    }
    return 0;
}

static int read_profile(struct profile_reader *reader)
{
    static const char *const keys[] = {"format", "profile",     "article", "revision", "via",
                                       "part",   "signature",   "board",   "images",   "fuses",
                                       "lock",   "accept_risk", "eeprom",  "verify",   "if_already",
                                       "speed",  "retry",       NULL};
    /* The part before what depends on it; the images late, since they take longest; the speed hangs
     * on what becomes of the EEPROM. */
    static int (*const steps[])(struct profile_reader *, const struct document_node *) = {
        read_format,         read_names,         read_via,    read_part,       read_board,
        profile_read_fuses,  profile_read_risks, read_verify, read_if_already, read_retry,
        profile_read_images, read_speed};
    const struct document_node *root = reader->document->root;

    if (refuse_serial(reader, root) != 0 || check_places(reader, root) != 0 ||
        document_check_keys(reader->document, root, keys, reader->failure) != 0)
        return -1;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
        if (steps[i](reader, root) != 0)
            return -1;
    return 0;
}

static int profile_from_document(const struct document *document, const char *parts_directory,
                                 struct profile **profile, struct failure *failure)
{
    struct profile_reader reader = {
        .document = document, .parts_directory = parts_directory, .failure = failure};

    reader.profile = calloc(1, sizeof(*reader.profile));
    if (reader.profile)
        reader.profile->path = strdup(document->path);
    if (!reader.profile || !reader.profile->path) {
        profile_free(reader.profile);
        return failure_set(failure, FAILURE_OUT_OF_MEMORY, "%s: out of memory", document->path);
    }
    memcpy(reader.profile->sha256, document->sha256, sizeof(reader.profile->sha256));
    if (read_profile(&reader) != 0) {
        profile_free(reader.profile);
        return -1;
    }
    *profile = reader.profile;
    return 0;
}

int profile_parse(const char *path, const char *text, size_t bytes, const char *parts_directory,
                  struct profile **profile, struct failure *failure)
{
    struct document *document = NULL;
    int result;

    *profile = NULL;
    if (document_parse(path, text, bytes, FAILURE_PROFILE_INVALID, &document, failure) != 0)
        return -1;
    result = profile_from_document(document, parts_directory, profile, failure);
    document_free(document);
    return result;
}

int profile_load(const char *path, const char *parts_directory, struct profile **profile,
                 struct failure *failure)
{
    struct document *document = NULL;
    int result;

    *profile = NULL;
    if (document_load(path, FAILURE_PROFILE_INVALID, &document, failure) != 0)
        return -1;
    result = profile_from_document(document, parts_directory, profile, failure);
    document_free(document);
    return result;
}

void profile_free(struct profile *profile)
{
    if (!profile)
        return;
    for (size_t i = 0; i < profile->source_count; i++) {
        free(profile->sources[i].path);
        free(profile->sources[i].role);
    }
    free(profile->sources);
    free(profile->eeprom_source.path);
    image_free(profile->flash);
    image_free(profile->eeprom);
    part_free(profile->part);
    free(profile->path);
    free(profile);
}

const struct profile_byte_rule *profile_rule(const struct profile *profile, enum part_memory memory)
{
    if (!part_is_fuse_or_lock(memory) || !profile->rules[memory - PART_FIRST_FUSE].exists)
        return NULL;
    return &profile->rules[memory - PART_FIRST_FUSE];
}

const struct profile_risk *profile_find_risk(const struct profile *profile, const char *rule)
{
    for (size_t i = 0; i < profile->risk_count; i++)
        if (strcmp(profile->risks[i].rule, rule) == 0)
            return &profile->risks[i];
    return NULL;
}

bool profile_keeps_eeprom(const struct profile *profile)
{
    return profile->eeprom_policy == PROFILE_EEPROM_KEEP ||
           profile->eeprom_policy == PROFILE_EEPROM_RESTORE;
}
