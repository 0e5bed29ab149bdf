#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "jigs/contact_test.h"
#include "profiles/part_catalogue.h"
#include "reports/json.h"
#include "reports/record.h"
#include "station/command.h"
#include "station/jig_actions.h"

/* At the slowest SCK there is an instruction takes 64 ms. */
#define TEST_TIME_US 60000000
#define PROGRESS_STEP 10

/* What is found at one site. */
struct result {
    const struct jig_site *site;
    char place[300];
    char firmware[64];         /* "": the programmer did not answer */
    struct failure programmer; /* what is wrong with it; NONE: nothing */
    struct contact_report contact;
    char parts[400]; /* with this signature, separated by ", "; "": none is known */
};

struct testing {
    struct jig_session session;
    struct part_catalogue catalogue;
    int sites, good; /* tried so far */
    int status;
    int site; /* for the line that tells how far it has come */
    bool tells;
};

/* ------------------------------------------------------------------ judging */

/* A signature that no part has may be the same wire broken in the same way a hundred times. */
static bool is_good(const struct result *result)
{
    return result->programmer.code == FAILURE_NONE && result->contact.grade == CONTACT_GOOD &&
           result->parts[0] != '\0';
}

static const char *grade_name(const struct result *result)
{
    if (result->programmer.code != FAILURE_NONE)
        return failure_lookup(result->programmer.code)->name;
    if (result->contact.grade == CONTACT_GOOD && result->parts[0] == '\0')
        return "unknown-part";
    return contact_grade_name(result->contact.grade);
}

static void name_parts(const struct testing *testing, struct result *result)
{
    const struct part *part;
    size_t at = 0, used = 0;
    if (result->contact.grade == CONTACT_NO_BOARD)
        return;
    while ((part = part_catalogue_next(&testing->catalogue, result->contact.signature, &at)) !=
           NULL) {
        int length = snprintf(result->parts + used, sizeof(result->parts) - used, "%s%s",
                              used > 0 ? ", " : "", part->name);
        used += length > 0 ? (size_t)length : 0;
        if (used >= sizeof(result->parts))
            return;
    }
}

static void count(struct testing *testing, const struct result *result)
{
    testing->sites++;
    if (is_good(result))
        testing->good++;
    else if (result->programmer.code != FAILURE_NONE)
        testing->status = COMMAND_BENCH_FAULT;
    else if (testing->status == COMMAND_PASSED)
        testing->status = COMMAND_BOARDS_FAILED;
}

/* ------------------------------------------------------------------ for people */

static void print_signature(const struct result *result)
{
    char text[12];
    record_set_signature(text, result->contact.signature);
    printf("signature %s, %s", text,
           result->parts[0] != '\0' ? result->parts : "which no known part has");
}

static void print_grade(const struct result *result)
{
    const struct contact_report *contact = &result->contact;
    printf("site %d: ", result->site->site);
    if (result->programmer.code != FAILURE_NONE) {
        printf("%s: %s\n", grade_name(result), result->programmer.detail);
        return;
    }
    if (contact->grade == CONTACT_NO_BOARD) {
        printf("no board: nothing answers\n");
        return;
    }
    printf(is_good(result)                  ? "good: "
           : contact->grade == CONTACT_GOOD ? "unknown part: "
                                            : "bad contact: ");
    print_signature(result);
    printf("; %d of %d readings alike\n", contact->alike, CONTACT_TEST_READINGS);
}

static void print_advice(const struct result *result, bool clock_known)
{
    const struct contact_report *contact = &result->contact;
    const char *advice = NULL;
    if (result->programmer.code != FAILURE_NONE)
        advice = failure_lookup(result->programmer.code)->operator_sentence;
    else if (contact->grade == CONTACT_NO_BOARD)
        advice =
            "Put a board in; if there is one, reseat it, and check its supply and the needles.";
    else if (contact->grade == CONTACT_UNSTABLE)
        advice = "Reseat the board and test again; if it stays so, check the needles of this site.";
    else if (result->parts[0] == '\0')
        advice = "Reseat the board and test again; if it stays so, a wire may be broken, or the "
                 "board carries no AVR that is programmed over ISP.";
    if (contact->failure.code != FAILURE_NONE)
        printf("  %s: %s\n", failure_lookup(contact->failure.code)->name, contact->failure.detail);
    if (result->programmer.code == FAILURE_PROGRAMMER_TOO_OLD && !clock_known)
        advice = "If the board runs faster than a new one, say so with --clock.";
    if (advice != NULL)
        printf("  %s\n", advice);
    if (result->programmer.code == FAILURE_PROGRAMMER_SILENT)
        printf("  What else to look at says: gangflash drivers %s\n", result->site->programmer);
}

/* What was measured is good for two digits. */
static int64_t two_digits(int64_t number)
{
    int64_t scale = 1;
    for (; number >= 100; scale *= 10)
        number = (number + 5) / 10;
    return number * scale;
}

static void print_sck(const struct contact_report *contact)
{
    char said[24], measured[24];
    int64_t at_least_hz = two_digits(contact_test_sck_at_least_hz(contact));
    programmer_frequency_to_text(contact->sck_hz, said, sizeof(said));
    programmer_frequency_to_text(at_least_hz, measured, sizeof(measured));
    if (contact->sck_hz != 0)
        printf("; SCK %s", said);
    if (at_least_hz == 0)
        return;
    if (contact->sck_hz == 0)
        printf("; SCK about %s or more", measured);
    else if (at_least_hz * 4 > contact->sck_hz * 5)
        printf(" as it says, but flash was read as fast as with %s", measured);
    else
        printf(", measured: about %s or more", measured);
    printf(" (%.1f us a byte of flash)", (double)contact->block_us / contact->block_bytes);
}

static void print_result(const struct result *result, bool clock_known)
{
    const struct contact_report *contact = &result->contact;
    print_grade(result);
    printf("  %s at %s%s%s\n", result->site->programmer, result->place,
           result->firmware[0] != '\0' ? ", " : "", result->firmware);
    if (contact->trip_median_us != 0) {
        printf("  an instruction there and back: median %.2f ms, worst %.2f ms",
               (double)contact->trip_median_us / 1e3, (double)contact->trip_worst_us / 1e3);
        print_sck(contact);
        printf("\n");
    }
    print_advice(result, clock_known);
}

static void progress(void *context, uint32_t done)
{
    const struct testing *testing = context;
    if (testing->tells && done % PROGRESS_STEP == 0)
        (void)fprintf(stderr, "\rsite %d: reading %u of %d ", testing->site, done,
                      CONTACT_TEST_READINGS);
}

/* Only on a terminal. An empty text takes it away. */
static void tell(const struct testing *testing, const char *text)
{
    if (testing->tells)
        (void)fprintf(stderr, "\r\033[K%s", text);
}

/* ------------------------------------------------------------------ for programs */

static void add_time(struct json_object *object, const char *key, int64_t time_us)
{
    if (time_us != 0)
        json_add_integer(object, key, time_us);
    else
        json_add_null(object, key);
}

static struct json_array *parts_to_json(const struct testing *testing, const struct result *result)
{
    struct json_array *parts = json_array_create();
    const struct part *part;
    size_t at = 0;
    while (result->parts[0] != '\0' &&
           (part = part_catalogue_next(&testing->catalogue, result->contact.signature, &at)) !=
               NULL)
        json_append_text(parts, part->name);
    return parts;
}

static void add_contact(struct json_object *object, const struct contact_report *contact)
{
    json_add_integer(object, "readings", contact->readings);
    json_add_integer(object, "alike", contact->alike);
    add_time(object, "round_trip_median_us", contact->trip_median_us);
    add_time(object, "round_trip_worst_us", contact->trip_worst_us);
    add_time(object, "sck_hz", contact->sck_hz);
    add_time(object, "sck_at_least_hz", contact_test_sck_at_least_hz(contact));
    add_time(object, "block_bytes", contact->block_bytes);
    add_time(object, "block_us", contact->block_us);
}

static int print_json(const struct testing *testing, const struct result *result)
{
    struct json_object *object = json_object_create();
    const struct failure *trouble =
        result->programmer.code != FAILURE_NONE ? &result->programmer : &result->contact.failure;
    bool has_board =
        result->programmer.code == FAILURE_NONE && result->contact.grade != CONTACT_NO_BOARD;
    char signature[12];
    record_set_signature(signature, result->contact.signature);
    json_add_integer(object, "site", result->site->site);
    json_add_text(object, "programmer", result->site->programmer);
    json_add_text(object, "place", result->place);
    json_add_text(object, "firmware", result->firmware[0] != '\0' ? result->firmware : NULL);
    json_add_bool(object, "good", is_good(result));
    json_add_text(object, "grade", grade_name(result));
    json_add_text(object, "signature", has_board ? signature : NULL);
    json_add_array(object, "parts", parts_to_json(testing, result));
    add_contact(object, &result->contact);
    json_add_text(object, "failure",
                  trouble->code != FAILURE_NONE ? failure_lookup(trouble->code)->name : NULL);
    json_add_text(object, "detail", trouble->code != FAILURE_NONE ? trouble->detail : NULL);
    return json_object_write_line(object, stdout);
}

/* ------------------------------------------------------------------ testing */

static void test_programmer(struct testing *testing, struct programmer *programmer,
                            struct result *result)
{
    struct operation operation = jig_session_operation(&testing->session, TEST_TIME_US);
    operation.progress = progress;
    operation.context = testing;
    (void)snprintf(result->firmware, sizeof(result->firmware), "%s", programmer->firmware);
    if (contact_test(programmer, testing->session.config->clock_hz, &operation, &result->contact,
                     &result->programmer) == 0)
        name_parts(testing, result);
}

static void find_out(struct testing *testing, struct result *result)
{
    const struct jig_site *site = result->site;
    struct programmer *programmer = NULL;
    char text[64];
    (void)snprintf(text, sizeof(text), "site %d: opening its programmer ", site->site);
    tell(testing, text);
    testing->site = site->site;
    place_to_text(&site->place, result->place, sizeof(result->place));
    if (jig_session_claim(&testing->session, programmer_driver_by_name(site->programmer),
                          &site->place, site->baud, &programmer, &result->programmer) == 0)
        test_programmer(testing, programmer, result);
    programmer_destroy(programmer);
    tell(testing, "");
}

static int test_site(struct testing *testing, const struct jig_site *site, struct failure *failure)
{
    struct result result = {.site = site};
    find_out(testing, &result);
    /* Interrupted, it found out nothing. */
    if (jig_session_check(&testing->session, failure) != 0)
        return -1;
    count(testing, &result);
    if (!testing->session.config->json)
        print_result(&result, testing->session.config->clock_hz != 0);
    else if (print_json(testing, &result) != 0)
        return failure_set(failure, FAILURE_INTERNAL, "the JSON object could not be written");
    (void)fflush(stdout);
    return 0;
}

static int test_sites(struct testing *testing, struct failure *failure)
{
    const struct jig *jig = testing->session.job.jig;
    for (size_t i = 0; i < jig->site_count; i++)
        if (testing->session.site_wanted[i] && test_site(testing, &jig->sites[i], failure) != 0)
            return -1;
    if (!testing->session.config->json)
        printf("%d of %d sites good\n", testing->good, testing->sites);
    return 0;
}

/* ------------------------------------------------------------------ the action */

/* One's own part file that is wrong takes no part in this; it is said. */
static void note_wrong_part(void *context, const struct failure *failure)
{
    (void)context;
    (void)command_report(failure);
}

int jig_test(const struct jig_config *config, int *status, struct failure *failure)
{
    struct testing testing = {.status = COMMAND_PASSED, .tells = isatty(STDERR_FILENO) != 0};
    int result = jig_session_open(&testing.session, config, config->file, failure);
    if (result == 0)
        result = part_catalogue_load(testing.session.job.parts_directory, &testing.catalogue,
                                     note_wrong_part, NULL, failure);
    if (result == 0)
        result = test_sites(&testing, failure);
    if (jig_session_close(&testing.session, result == 0 ? failure : NULL) != 0)
        result = -1;
    part_catalogue_free(&testing.catalogue);
    *status = testing.status;
    return result;
}
