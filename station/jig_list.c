#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "reports/json.h"
#include "station/command.h"
#include "station/jig_actions.h"

/* One programmer, or what may be one. */
struct row {
    struct programmer_found *found; /* asking may find another driver */
    char place[300];
    char abilities[96];
    bool opened;
    char firmware[64];      /* "": it was not opened, or did not answer */
    int64_t sck_hz;         /* the only SCK that this one has; 0: as the driver says */
    struct failure failure; /* why it did not answer */
};

/* To open a serial port resets many an Arduino, and asking sends bytes to whatever is there. */
static bool is_to_be_opened(const struct jig_session *session, const struct programmer_found *found)
{
    return found->by_id || session->config->probe;
}

static void look(const struct jig_session *session, struct row *row)
{
    struct programmer *programmer = NULL;
    place_to_text(&row->found->place, row->place, sizeof(row->place));
    row->opened = is_to_be_opened(session, row->found);
    bool answers =
        row->opened && jig_session_ask(session, row->found, &programmer, &row->failure) == 0;
    programmer_abilities_to_text(row->found->driver, row->abilities, sizeof(row->abilities));
    if (!answers)
        return;
    (void)snprintf(row->firmware, sizeof(row->firmware), "%s", programmer->firmware);
    row->sck_hz = programmer->sck_hz;
    programmer_destroy(programmer);
}

/* Are its USB ids a programmer's, or has it answered as one? */
static bool is_certain(const struct row *row)
{
    return row->found->by_id || row->firmware[0] != '\0';
}

static void print_kind(const struct row *row)
{
    const struct programmer_found *found = row->found;
    printf("%s\n  %s%s, %s", row->place, is_certain(row) ? "" : "perhaps ", found->driver->name,
           found->driver->title);
    if (found->on_usb)
        printf("; %04X:%04X", found->vendor, found->product);
    if (found->description[0] != '\0')
        printf("%s%s", found->on_usb ? " " : "; ", found->description);
    printf("\n");
    if (!found->lasting)
        printf("  this place is another one when it is plugged in again: the system does not say "
               "where that is\n");
}

static void print_sck(const struct row *row)
{
    char sck[24];
    if (row->sck_hz == 0 || row->found->driver->sck_hz != 0)
        return;
    programmer_frequency_to_text(row->sck_hz, sck, sizeof(sck));
    printf("; this one: SCK %s only", sck);
}

/* A serial port that does not answer is not at fault: it need not be a programmer. */
static void print_trouble(const struct row *row)
{
    const struct failure_fact *fact = failure_lookup(row->failure.code);
    bool answers = row->failure.code != FAILURE_PROGRAMMER_SILENT &&
                   row->failure.code != FAILURE_PROGRAMMER_UNKNOWN;
    printf("  %s: %s\n", fact->name, row->failure.detail);
    if (is_certain(row) || answers)
        printf("  %s\n", fact->operator_sentence);
    else
        printf("  no programmer that this station knows, then\n");
}

static void print_row(const struct row *row)
{
    print_kind(row);
    if (row->firmware[0] != '\0') {
        printf("  firmware %s\n  can do %s", row->firmware, row->abilities);
        print_sck(row);
        printf("\n");
    } else if (row->opened) {
        print_trouble(row);
    } else if (row->found->denied) {
        printf("  this user may not open it: join the group dialout and log in again\n");
    } else {
        printf("  not opened: --probe resets what is there and asks whether it is one\n");
    }
}

static void add_abilities(struct json_object *object, const struct row *row)
{
    const struct programmer_driver *driver = row->found->driver;
    bool fixed = row->sck_hz != 0 || driver->sck_hz != 0;
    int64_t only_hz = row->sck_hz != 0 ? row->sck_hz : driver->sck_hz;
    if (driver->sck_is_bound)
        json_add_null(object, "sck_slowest_hz");
    else
        json_add_integer(object, "sck_slowest_hz", fixed ? only_hz : driver->sck_slowest_hz);
    json_add_integer(object, "sck_fastest_hz", fixed ? only_hz : driver->sck_fastest_hz);
    if (driver->flash_bytes_max != 0)
        json_add_integer(object, "flash_bytes_max", driver->flash_bytes_max);
    else
        json_add_null(object, "flash_bytes_max");
}

static int print_json(const struct row *row)
{
    const struct programmer_found *found = row->found;
    struct json_object *object = json_object_create();
    bool failed = row->failure.code != FAILURE_NONE;
    char ids[16];
    (void)snprintf(ids, sizeof(ids), "%04X:%04X", found->vendor, found->product);
    json_add_text(object, "place", row->place);
    json_add_text(object, "programmer", found->driver->name);
    json_add_bool(object, "certain", is_certain(row));
    json_add_text(object, "usb_ids", found->on_usb ? ids : NULL);
    json_add_text(object, "description", found->description);
    json_add_bool(object, "lasting", found->lasting);
    json_add_bool(object, "denied", found->denied);
    json_add_bool(object, "opened", row->opened);
    json_add_text(object, "firmware", row->firmware[0] != '\0' ? row->firmware : NULL);
    add_abilities(object, row);
    json_add_text(object, "failure", failed ? failure_lookup(row->failure.code)->name : NULL);
    json_add_text(object, "detail", failed ? row->failure.detail : NULL);
    return json_object_write_line(object, stdout);
}

static int show(const struct jig_session *session, struct programmer_found *found,
                struct failure *failure)
{
    struct row row = {.found = found};
    if (jig_session_check(session, failure) != 0)
        return -1;
    look(session, &row);
    if (jig_session_check(session, failure) != 0) /* then what was found out is no answer */
        return -1;
    if (!session->config->json)
        print_row(&row);
    else if (print_json(&row) != 0)
        return failure_set(failure, FAILURE_INTERNAL, "the JSON object could not be written");
    (void)fflush(stdout);
    return 0;
}

static int show_all(const struct jig_session *session, struct failure *failure)
{
    struct programmer_found *found = NULL;
    size_t count = 0;
    int result = jig_session_list(session, &found, &count, failure);
    for (size_t i = 0; i < count && result == 0; i++)
        result = show(session, &found[i], failure);
    if (result == 0 && count == 0 && !session->config->json)
        printf("no programmer is plugged in, as far as this machine tells\n");
    free(found);
    return result;
}

int jig_list(const struct jig_config *config, int *status, struct failure *failure)
{
    struct jig_session session;
    int result = jig_session_open(&session, config, config->bench, failure);
    if (result == 0)
        result = show_all(&session, failure);
    if (jig_session_close(&session, result == 0 ? failure : NULL) != 0)
        result = -1;
    *status = COMMAND_PASSED;
    return result;
}
