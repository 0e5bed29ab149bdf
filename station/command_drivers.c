#include "station/command_drivers.h"

#include <inttypes.h>
#include <string.h>

#include "jigs/driver_guide.h"
#include "jigs/programmer_list.h"
#include "profiles/document.h"
#include "reports/json.h"

#define LINE_COLUMNS 80
#define LABEL_COLUMNS 12
#define NAMES_MAX 64

struct config {
    const char *name; /* NULL: all drivers */
    bool json;
};

static const struct command_option options[] = {
    {"json", NULL, "print JSON objects, one per line", COMMAND_KEEP(struct config, json)},
    COMMAND_OPTION_HELP,
    {0},
};

/* ------------------------------------------------------------------ lines for people */

/* `text` cut at its spaces, so that no line is too long; the first begins with `first`, the others
 * as deep. A word that is longer than a line stays whole. */
static void print_wrapped(const char *first, const char *text)
{
    size_t left = strlen(first), column = left;
    printf("%s", first);
    while (*text != '\0') {
        size_t word = strcspn(text, " ");
        if (column > left && column + 1 + word > LINE_COLUMNS) {
            printf("\n%*s", (int)left, "");
            column = left;
        }
        column += (size_t)printf("%s%.*s", column > left ? " " : "", (int)word, text);
        text += word;
        text += strspn(text, " ");
    }
    printf("\n");
}

/* "  SCK         125 kHz"; an empty label stands below the one before it. */
static void print_labelled(const char *label, const char *text)
{
    char first[64];
    (void)snprintf(first, sizeof(first), "  %-*s", LABEL_COLUMNS, label);
    print_wrapped(first, text);
}

static void print_section(const char *title, const char *const *texts)
{
    printf("%s:\n", title);
    for (; *texts != NULL; texts++)
        print_wrapped("  - ", *texts);
}

/* Adds to a list in `text`, as far as there is room: a test holds the guides to it. */
static void add_item(char *text, size_t text_bytes, const char *item, const char *separator)
{
    size_t used = strlen(text);
    (void)snprintf(text + used, text_bytes - used, "%s%s", used > 0 ? separator : "", item);
}

/* ------------------------------------------------------------------ what it can do */

/* "USB 16C0:05DC \"USBasp\", 16C0:092F", "serial:, tcp: or pty:, 19200 baud" */
static void place_text(const struct programmer_driver *driver, char *text, size_t text_bytes)
{
    char item[96];
    if (driver->link == PROGRAMMER_STREAM) {
        (void)snprintf(text, text_bytes, "serial:, tcp: or pty:, %u baud unless the jig says else",
                       driver->default_baud);
        return;
    }
    (void)snprintf(text, text_bytes, "USB ");
    for (size_t i = 0; i < driver->usb_id_count; i++) {
        const struct programmer_usb_id *id = &driver->usb_ids[i];
        bool named = id->product_name != NULL;
        (void)snprintf(item, sizeof(item), "%04X:%04X%s%s%s", id->vendor, id->product,
                       named ? " \"" : "", named ? id->product_name : "", named ? "\"" : "");
        add_item(text, text_bytes, item, i > 0 ? ", " : "");
    }
}

static void sck_text(const struct programmer_driver *driver, char *text, size_t text_bytes)
{
    char slowest[24], fastest[24];
    programmer_frequency_to_text(driver->sck_hz != 0 ? driver->sck_hz : driver->sck_slowest_hz,
                                 slowest, sizeof(slowest));
    programmer_frequency_to_text(driver->sck_fastest_hz, fastest, sizeof(fastest));
    if (driver->sck_hz != 0)
        (void)snprintf(text, text_bytes, "%s%s, fixed%s", driver->sck_is_bound ? "at most " : "",
                       slowest, driver->sck_is_bound ? ", but not known" : "");
    else
        (void)snprintf(text, text_bytes, "%s to %s, chosen by the board's clock", slowest, fastest);
}

static void flash_text(const struct programmer_driver *driver, char *text, size_t text_bytes)
{
    if (driver->flash_bytes_max == 0)
        (void)snprintf(text, text_bytes, "all of every part");
    else
        (void)snprintf(text, text_bytes, "up to %" PRIu32 " KiB", driver->flash_bytes_max / 1024);
}

static void print_abilities(const struct programmer_driver *driver,
                            const struct driver_guide *guide)
{
    char text[512];
    place_text(driver, text, sizeof(text));
    print_labelled("place", text);
    sck_text(driver, text, sizeof(text));
    print_labelled("SCK", text);
    flash_text(driver, text, sizeof(text));
    print_labelled("flash", text);
    print_labelled("blocks", guide->blocks);
    print_labelled("EEPROM", guide->eeprom);
}

/* ------------------------------------------------------------------ what it was tried on */

static const char *hardware_text(const struct driver_guide *guide)
{
    return guide->hardware != NULL ? guide->hardware : "none yet";
}

/* Several peers may be the same program in different ways. */
static void list_peers(const struct driver_guide *guide, char *text, size_t text_bytes)
{
    (void)snprintf(text, text_bytes, "other people's programs: ");
    size_t begin = strlen(text);
    for (const struct driver_guide_peer *peer = guide->peers; peer->program != NULL; peer++)
        if (strstr(text + begin, peer->program) == NULL)
            add_item(text + begin, text_bytes - begin, peer->program, ", ");
    if (text[begin] == '\0')
        add_item(text, text_bytes, "none yet", "");
}

static void print_tried(const struct driver_guide *guide)
{
    char models[512] = "", refused[256] = "", text[600];
    for (const struct driver_guide_model *model = guide->models; model->name != NULL; model++)
        if (model->refused)
            add_item(refused, sizeof(refused), model->name, ", ");
        else
            add_item(models, sizeof(models), model->name, ", ");
    (void)snprintf(text, sizeof(text), "models of the simulated bench: %s", models);
    print_labelled("tried on", text);
    if (refused[0] != '\0') {
        (void)snprintf(text, sizeof(text), "models that it refuses: %s", refused);
        print_labelled("", text);
    }
    list_peers(guide, text, sizeof(text));
    print_labelled("", text);
    (void)snprintf(text, sizeof(text), "real hardware: %s", hardware_text(guide));
    print_labelled("", text);
}

static void print_summary(const struct programmer_driver *driver, const struct driver_guide *guide)
{
    printf("%s: %s\n", driver->name, driver->title);
    print_abilities(driver, guide);
    print_tried(guide);
}

static void print_model(const struct driver_guide_model *model)
{
    char first[48], text[256];
    (void)snprintf(first, sizeof(first), "  %-24s  ", model->name);
    (void)snprintf(text, sizeof(text), "%s%s", model->what, model->refused ? ": refused" : "");
    print_wrapped(first, text);
}

static void print_all_tried(const struct driver_guide *guide)
{
    printf("tried on models of the simulated bench:\n");
    for (const struct driver_guide_model *model = guide->models; model->name != NULL; model++)
        print_model(model);
    printf("other people's programs that work with these models:\n");
    for (const struct driver_guide_peer *peer = guide->peers; peer->program != NULL; peer++)
        printf("  %s, %s (%s)\n", peer->program, peer->how, peer->test);
    if (guide->peers->program == NULL)
        printf("  none yet\n");
    print_wrapped("real hardware: ", hardware_text(guide));
}

static void print_wiring(const struct driver_guide *guide)
{
    char label[32];
    printf("wiring, from the board's six-pin ISP connector to the programmer:\n");
    for (int i = 0; i < DRIVER_GUIDE_PINS; i++) {
        (void)snprintf(label, sizeof(label), "%d %s", i + 1, driver_guide_pin_names[i]);
        print_labelled(label, guide->pins[i]);
    }
    for (const char *const *text = guide->wiring; *text != NULL; text++)
        print_wrapped("  - ", *text);
}

static void print_guide(const struct programmer_driver *driver, const struct driver_guide *guide)
{
    printf("%s: %s\n", driver->name, driver->title);
    print_abilities(driver, guide);
    print_section("devices", guide->devices);
    print_wiring(guide);
    print_section("quirks", guide->quirks);
    print_section("permission", guide->permission);
    printf("in a jig file, below sites:\n");
    for (const char *const *example = guide->examples; *example != NULL; example++)
        printf("  - %s\n", *example);
    print_section("when it does not answer", guide->silent);
    print_all_tried(guide);
}

/* ------------------------------------------------------------------ for programs */

static struct json_array *texts_to_json(const char *const *texts)
{
    struct json_array *array = json_array_create();
    for (; *texts != NULL; texts++)
        json_append_text(array, *texts);
    return array;
}

static struct json_array *ids_to_json(const struct programmer_driver *driver)
{
    struct json_array *array = json_array_create();
    for (size_t i = 0; i < driver->usb_id_count; i++) {
        struct json_object *object = json_object_create();
        char id[16];
        (void)snprintf(id, sizeof(id), "%04X:%04X", driver->usb_ids[i].vendor,
                       driver->usb_ids[i].product);
        json_add_text(object, "id", id);
        json_add_text(object, "product", driver->usb_ids[i].product_name);
        json_append_object(array, object);
    }
    return array;
}

static void add_abilities(struct json_object *object, const struct programmer_driver *driver,
                          const struct driver_guide *guide)
{
    bool fixed = driver->sck_hz != 0;
    json_add_text(object, "link", driver->link == PROGRAMMER_USB ? "usb" : "stream");
    json_add_array(object, "usb_ids", ids_to_json(driver));
    if (driver->link == PROGRAMMER_STREAM)
        json_add_integer(object, "baud", driver->default_baud);
    else
        json_add_null(object, "baud");
    json_add_bool(object, "sck_fixed", fixed);
    if (driver->sck_is_bound)
        json_add_null(object, "sck_slowest_hz");
    else
        json_add_integer(object, "sck_slowest_hz", fixed ? driver->sck_hz : driver->sck_slowest_hz);
    json_add_integer(object, "sck_fastest_hz", fixed ? driver->sck_hz : driver->sck_fastest_hz);
    if (driver->flash_bytes_max != 0)
        json_add_integer(object, "flash_bytes_max", driver->flash_bytes_max);
    else
        json_add_null(object, "flash_bytes_max");
    json_add_text(object, "blocks", guide->blocks);
    json_add_text(object, "eeprom", guide->eeprom);
}

static void add_tried(struct json_object *object, const struct driver_guide *guide)
{
    struct json_array *models = json_array_create(), *peers = json_array_create();
    for (const struct driver_guide_model *model = guide->models; model->name != NULL; model++) {
        struct json_object *item = json_object_create();
        json_add_text(item, "model", model->name);
        json_add_text(item, "what", model->what);
        json_add_bool(item, "refused", model->refused);
        json_append_object(models, item);
    }
    for (const struct driver_guide_peer *peer = guide->peers; peer->program != NULL; peer++) {
        struct json_object *item = json_object_create();
        json_add_text(item, "program", peer->program);
        json_add_text(item, "how", peer->how);
        json_add_text(item, "test", peer->test);
        json_append_object(peers, item);
    }
    json_add_array(object, "models", models);
    json_add_array(object, "peers", peers);
    json_add_text(object, "hardware", guide->hardware);
}

static struct json_object *driver_to_json(const struct programmer_driver *driver,
                                          const struct driver_guide *guide)
{
    struct json_object *object = json_object_create(), *pins = json_object_create();
    for (int i = 0; i < DRIVER_GUIDE_PINS; i++)
        json_add_text(pins, driver_guide_pin_names[i], guide->pins[i]);
    json_add_text(object, "driver", driver->name);
    json_add_text(object, "title", driver->title);
    add_abilities(object, driver, guide);
    add_tried(object, guide);
    json_add_array(object, "devices", texts_to_json(guide->devices));
    json_add_object(object, "pins", pins);
    json_add_array(object, "wiring", texts_to_json(guide->wiring));
    json_add_array(object, "quirks", texts_to_json(guide->quirks));
    json_add_array(object, "permission", texts_to_json(guide->permission));
    json_add_array(object, "examples", texts_to_json(guide->examples));
    json_add_array(object, "silent", texts_to_json(guide->silent));
    return object;
}

/* ------------------------------------------------------------------ the command */

typedef void print_driver(const struct programmer_driver *driver, const struct driver_guide *guide);

static int show(const struct programmer_driver *driver, bool json, print_driver *print,
                struct failure *failure)
{
    const struct driver_guide *guide = driver_guide_find(driver->name);
    if (guide == NULL)
        return failure_set(failure, FAILURE_INTERNAL, "there is no guide for programmer %s",
                           driver->name);
    if (!json)
        print(driver, guide);
    else if (json_object_write_line(driver_to_json(driver, guide), stdout) != 0)
        return failure_set(failure, FAILURE_INTERNAL, "the JSON object could not be written");
    return 0;
}

static int show_all(bool json, struct failure *failure)
{
    size_t count = 0;
    const struct programmer_driver *const *drivers = programmer_drivers(&count);
    for (size_t i = 0; i < count; i++) {
        if (!json && i > 0)
            printf("\n");
        if (show(drivers[i], json, print_summary, failure) != 0)
            return -1;
    }
    return 0;
}

static int fail_unknown(const char *name, struct failure *failure)
{
    const char *names[NAMES_MAX + 1] = {NULL};
    size_t count = 0;
    const struct programmer_driver *const *drivers = programmer_drivers(&count);
    for (size_t i = 0; i < count && i < NAMES_MAX; i++)
        names[i] = drivers[i]->name;
    const char *nearest = document_nearest(name, names);
    return failure_set(failure, FAILURE_USAGE, "drivers: there is no driver '%s'%s%s%s", name,
                       nearest != NULL ? "; did you mean '" : "", nearest != NULL ? nearest : "",
                       nearest != NULL ? "'?" : "");
}

static int show_one(const struct config *config, struct failure *failure)
{
    const struct programmer_driver *driver = programmer_driver_by_name(config->name);
    if (driver == NULL)
        return fail_unknown(config->name, failure);
    return show(driver, config->json, print_guide, failure);
}

static int take_operands(void *context, int count, char **operands, struct failure *failure)
{
    struct config *config = context;
    return count > 0 ? command_take_operand("drivers", count, operands, &config->name, failure) : 0;
}

static int run(const void *context, struct failure *failure)
{
    const struct config *config = context;
    return config->name != NULL ? show_one(config, failure) : show_all(config->json, failure);
}

const struct command command_drivers = {
    .name = "drivers",
    .usage = "[NAME] [OPTION]...",
    .summary = "list the programmers that can be used, or explain one",
    .details =
        "With NAME: wiring, quirks, permissions, sites for a jig file, and what to do when it\n"
        "does not answer.",
    .options = options,
    .config_bytes = sizeof(struct config),
    .take_operands = take_operands,
    .run = run,
};
