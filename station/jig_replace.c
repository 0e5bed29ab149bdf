#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "jigs/jig_rewrite.h"
#include "profiles/document.h"
#include "profiles/text_file.h"
#include "reports/json.h"
#include "reports/log.h"
#include "station/command.h"
#include "station/data_paths.h"
#include "station/identity.h"
#include "station/jig_actions.h"
#include "station/output_file.h"

#define EVENT_REPLACED "programmer-replaced"

struct replacing {
    struct jig_session session;
    const struct jig_site *site;
    struct place place;  /* where the new unit is */
    bool moves;          /* somewhere else */
    char path[PATH_MAX]; /* of the jig file, without links */
    char *text;          /* moves: the new one */
    size_t bytes;
    char firmware[64];
    struct log *log;
    char *log_path;
};

/* ------------------------------------------------------------------ what is to be done */

static int find_site(struct replacing *replacing, struct failure *failure)
{
    const struct jig_config *config = replacing->session.config;
    const struct jig *jig = replacing->session.job.jig;
    replacing->site = jig_find_site(jig, (int)config->site);
    if (replacing->site == NULL)
        return failure_set(failure, FAILURE_USAGE, "jig replace: jig %s has no site %d", jig->name,
                           (int)config->site);
    replacing->place = replacing->site->place;
    return 0;
}

static int find_place(struct replacing *replacing, struct failure *failure)
{
    const char *at = replacing->session.config->at;
    struct failure cause = {0};
    char old[300], wanted[300];
    if (at == NULL)
        return 0;
    if (replacing->session.bench != NULL)
        return failure_set(failure, FAILURE_USAGE,
                           "--at: jig %s is a simulated bench, which makes its places itself",
                           replacing->session.job.jig->name);
    if (place_parse(at, &replacing->place, &cause) != 0)
        return failure_set(failure, FAILURE_USAGE, "--at: %s", cause.detail);
    place_to_text(&replacing->site->place, old, sizeof(old));
    place_to_text(&replacing->place, wanted, sizeof(wanted));
    replacing->moves = strcmp(old, wanted) != 0;
    return 0;
}

/* The log is to name the file that was there before the one that is made of it. */
static int check_unchanged(const struct jig *jig, const char *text, size_t bytes,
                           struct failure *failure)
{
    uint8_t digest[DIGEST_BYTES];
    char sha256[DIGEST_TEXT_BYTES];
    digest_of(text, bytes, digest);
    digest_to_text(digest, sha256);
    if (strcmp(sha256, jig->sha256) == 0)
        return 0;
    return failure_set(failure, FAILURE_JIG_INVALID,
                       "%s was changed while it was read: do it again", jig->path);
}

/* The file itself is replaced, not a link to it. */
static int make_text(struct replacing *replacing, struct failure *failure)
{
    const struct jig *jig = replacing->session.job.jig;
    char *text = NULL;
    size_t bytes = 0;
    if (!replacing->moves)
        return 0;
    if (realpath(jig->path, replacing->path) == NULL)
        return failure_set(failure, FAILURE_JIG_INVALID, "%s is not there any more", jig->path);
    if (text_file_read(replacing->path, DOCUMENT_BYTES_MAX, FAILURE_JIG_INVALID, &text, &bytes,
                       failure) != 0)
        return -1;
    int result = check_unchanged(jig, text, bytes, failure);
    if (result == 0)
        result = jig_rewrite_place(jig->path, text, bytes, replacing->site->site, &replacing->place,
                                   &replacing->text, &replacing->bytes, failure);
    free(text);
    return result;
}

/* The unit must be there and answer as what the jig file says. */
static int try_unit(struct replacing *replacing, struct failure *failure)
{
    const struct jig_site *site = replacing->site;
    struct programmer *programmer = NULL;
    if (jig_session_claim(&replacing->session, programmer_driver_by_name(site->programmer),
                          &replacing->place, site->baud, &programmer, failure) != 0)
        return -1;
    (void)snprintf(replacing->firmware, sizeof(replacing->firmware), "%s", programmer->firmware);
    programmer_destroy(programmer);
    return 0;
}

/* ------------------------------------------------------------------ the log */

static int open_log(struct replacing *replacing, struct failure *failure)
{
    const char *given = replacing->session.config->log;
    char station[IDENTITY_STATION_BYTES];
    int recovered = 0;
    identity_station_name(station);
    if (data_paths_log(given, &replacing->log_path, failure) != 0 ||
        data_paths_make_log_directory(given, replacing->log_path, failure) != 0)
        return -1;
    const struct log_options options = {
        .path = replacing->log_path, .station = station, .software = COMMAND_SOFTWARE};
    return log_open(&options, &replacing->log, &recovered, failure);
}

static void describe(const struct replacing *replacing, char *text, size_t text_bytes)
{
    const struct jig *jig = replacing->session.job.jig;
    const char *sticker = replacing->session.config->sticker;
    uint8_t digest[DIGEST_BYTES];
    char old[300], place[300], sha256[DIGEST_TEXT_BYTES] = "", name[RECORD_TEXT_BYTES];
    place_to_text(&replacing->site->place, old, sizeof(old));
    place_to_text(&replacing->place, place, sizeof(place));
    record_set_text(name, sizeof(name), identity_login_name());
    if (replacing->moves) {
        digest_of(replacing->text, replacing->bytes, digest);
        digest_to_text(digest, sha256);
    }
    (void)snprintf(
        text, text_bytes,
        "jig %s, site %d: another %s at %s%s%s, %s, %s%s, by %s; jig file SHA-256 %s%s%s",
        jig->name, replacing->site->site, replacing->site->programmer, place,
        replacing->moves ? " instead of " : "", replacing->moves ? old : "", replacing->firmware,
        sticker != NULL ? "sticker " : "no sticker", sticker != NULL ? sticker : "", name,
        jig->sha256, replacing->moves ? " becomes " : "", sha256);
}

/* It is durable when this is done. */
static int log_event(struct replacing *replacing, struct failure *failure)
{
    char detail[2048];
    describe(replacing, detail, sizeof(detail));
    int result = log_add_event(replacing->log, EVENT_REPLACED, detail, failure);
    struct failure closing = {0};
    if (log_close(replacing->log, &closing) != 0 && result == 0)
        result = failure_set(failure, closing.code, "%s", closing.detail);
    replacing->log = NULL;
    return result;
}

/* What the log does not know must not be; so the event comes before the file, of which all is on
 * disk by then but its name. */
static int write_down(struct replacing *replacing, struct failure *failure)
{
    struct output_file file = {.path = replacing->path, .replace = true};
    if (replacing->moves &&
        output_file_stage(&file, replacing->text, replacing->bytes, failure) != 0)
        return -1;
    if (log_event(replacing, failure) != 0) {
        output_file_discard(&file);
        return -1;
    }
    return replacing->moves ? output_file_commit(&file, failure) : 0;
}

/* ------------------------------------------------------------------ the result */

static int print_json(const struct replacing *replacing, const char *old, const char *place,
                      struct failure *failure)
{
    struct json_object *object = json_object_create();
    json_add_integer(object, "site", replacing->site->site);
    json_add_text(object, "programmer", replacing->site->programmer);
    json_add_text(object, "place", place);
    json_add_text(object, "old_place", old);
    json_add_bool(object, "rewritten", replacing->moves);
    json_add_text(object, "firmware", replacing->firmware);
    json_add_text(object, "sticker", replacing->session.config->sticker);
    json_add_text(object, "log", replacing->log_path);
    if (json_object_write_line(object, stdout) == 0)
        return 0;
    return failure_set(failure, FAILURE_INTERNAL, "the JSON object could not be written");
}

static int print_result(const struct replacing *replacing, struct failure *failure)
{
    const char *sticker = replacing->session.config->sticker;
    char old[300], place[300];
    place_to_text(&replacing->site->place, old, sizeof(old));
    place_to_text(&replacing->place, place, sizeof(place));
    if (replacing->session.config->json)
        return print_json(replacing, old, place, failure);
    printf("site %d: %s at %s, %s%s%s\n", replacing->site->site, replacing->site->programmer, place,
           replacing->firmware, sticker != NULL ? ", sticker " : "",
           sticker != NULL ? sticker : "");
    if (replacing->moves)
        printf("%s: was at %s\n", replacing->path, old);
    printf("logged as %s in %s\n", EVENT_REPLACED, replacing->log_path);
    return 0;
}

/* ------------------------------------------------------------------ the action */

static int replace(struct replacing *replacing, struct failure *failure)
{
    if (find_site(replacing, failure) != 0 || find_place(replacing, failure) != 0 ||
        make_text(replacing, failure) != 0 || open_log(replacing, failure) != 0 ||
        try_unit(replacing, failure) != 0 || write_down(replacing, failure) != 0)
        return -1;
    return print_result(replacing, failure);
}

int jig_replace(const struct jig_config *config, int *status, struct failure *failure)
{
    struct replacing *replacing = calloc(1, sizeof(*replacing));
    if (replacing == NULL)
        return failure_set(failure, FAILURE_OUT_OF_MEMORY, "out of memory");
    int result = jig_session_open(&replacing->session, config, config->file, failure);
    if (result == 0)
        result = replace(replacing, failure);
    (void)log_close(replacing->log, NULL); /* still open only when something else failed */
    if (jig_session_close(&replacing->session, result == 0 ? failure : NULL) != 0)
        result = -1;
    free(replacing->log_path);
    free(replacing->text);
    free(replacing);
    *status = COMMAND_PASSED;
    return result;
}
