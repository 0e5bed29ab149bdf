#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "jigs/jig_learn.h"
#include "jigs/jig_write.h"
#include "reports/json.h"
#include "reports/text.h"
#include "station/command.h"
#include "station/data_paths.h"
#include "station/jig_actions.h"
#include "station/line_input.h"
#include "station/output_file.h"

#define LOOK_MS 300
/* udev gives a device its permissions and names a while after it was plugged in; of a device with
 * several parts, one comes after the other. */
#define SETTLE_US 1500000

struct learning {
    struct jig_session session;
    struct jig_write_site sites[JIG_SITES_MAX];
    size_t count;
    struct jig_learner learner;
    struct line_input input;
    size_t told_fresh; /* so many were told to have appeared at once */
};

/* ------------------------------------------------------------------ one programmer */

static const char *place_text(const struct place *place, char text[300])
{
    place_to_text(place, text, 300);
    return text;
}

static int tell_site(const struct learning *learning, const struct jig_write_site *site,
                     struct failure *failure)
{
    char place[300];
    (void)place_text(&site->place, place);
    if (!learning->session.config->json) {
        printf("site %d: %s at %s, %s\n", site->site, site->driver->name, place, site->comment);
        (void)fflush(stdout);
        return 0;
    }
    struct json_object *object = json_object_create();
    json_add_integer(object, "site", site->site);
    json_add_text(object, "programmer", site->driver->name);
    json_add_text(object, "place", place);
    json_add_text(object, "firmware", site->comment);
    if (json_object_write_line(object, stdout) == 0)
        return 0;
    return failure_set(failure, FAILURE_INTERNAL, "the JSON object could not be written");
}

static void tell_left_out(const struct programmer_found *found, const char *why)
{
    char place[300];
    (void)fprintf(stderr, "%s is left out: %s\n", place_text(&found->place, place), why);
}

static int add_site(struct learning *learning, const struct programmer_found *found,
                    const char *firmware, struct failure *failure)
{
    struct jig_write_site *site = &learning->sites[learning->count++];
    *site = (struct jig_write_site){.site = (int)learning->count,
                                    .driver = found->driver,
                                    .place = found->place,
                                    .baud = found->baud};
    (void)snprintf(site->comment, sizeof(site->comment), "%s", firmware);
    return tell_site(learning, site, failure);
}

/* 1: it is a site now. 0: it is none, which was told. */
static int take(struct learning *learning, struct programmer_found *found, struct failure *failure)
{
    struct failure trouble = {0};
    struct programmer *programmer = NULL;
    char firmware[64];
    if (!found->lasting) {
        tell_left_out(found, "the system does not say where it is plugged in, and its number is "
                             "another one the next time");
        return 0;
    }
    if (learning->count == JIG_SITES_MAX) {
        tell_left_out(found, "a jig has no more sites");
        return 0;
    }
    if (jig_session_ask(&learning->session, found, &programmer, &trouble) != 0) {
        if (jig_session_check(&learning->session, failure) != 0)
            return -1;
        tell_left_out(found, trouble.detail);
        return 0;
    }
    (void)snprintf(firmware, sizeof(firmware), "%s", programmer->firmware);
    programmer_destroy(programmer);
    return add_site(learning, found, firmware, failure) == 0 ? 1 : -1;
}

/* ------------------------------------------------------------------ what is there */

/* A port of the machine's own may lead to anything; one on USB is an adapter or an Arduino. */
static bool is_candidate(const struct learning *learning, const struct programmer_found *found)
{
    return found->by_id || found->on_usb || learning->session.config->probe;
}

static int take_all(struct learning *learning, struct failure *failure)
{
    struct programmer_found *found = NULL;
    size_t count = 0;
    int result = jig_session_list(&learning->session, &found, &count, failure);
    for (size_t i = 0; i < count && result == 0; i++) {
        if (!is_candidate(learning, &found[i]))
            tell_left_out(&found[i], "it is not on USB; --probe asks there, too");
        else if (take(learning, &found[i], failure) < 0)
            result = -1;
    }
    free(found);
    return result;
}

/* ------------------------------------------------------------------ what is plugged in */

static void ask(const struct learning *learning)
{
    (void)fprintf(stderr, "site %zu: plug in the programmer for it; Enter when there are no more\n",
                  learning->count + 1);
}

/* Enter, or the end of standard input. */
static bool was_ended(struct learning *learning)
{
    struct pollfd wanted = {STDIN_FILENO, POLLIN, 0};
    if (poll(&wanted, 1, LOOK_MS) > 0)
        line_input_fill(&learning->input);
    return learning->input.ended || line_input_has_line(&learning->input);
}

static void tell_too_many(struct learning *learning, size_t fresh)
{
    if (fresh != learning->told_fresh && fresh > 1)
        (void)fprintf(stderr,
                      "%zu appeared at once, and nobody can tell which is for site %zu: unplug all "
                      "but one\n",
                      fresh, learning->count + 1);
    learning->told_fresh = fresh;
}

/* 1: there is one that is new and has settled; it is in `found`. */
static int look(struct learning *learning, struct programmer_found *found, struct failure *failure)
{
    struct programmer_found *all = NULL;
    size_t count = 0, first = 0;
    if (jig_session_list(&learning->session, &all, &count, failure) != 0)
        return -1;
    size_t fresh = jig_learner_look(&learning->learner, all, count, &first);
    if (fresh == 1)
        *found = all[first];
    free(all);
    tell_too_many(learning, fresh);
    return fresh == 1 ? 1 : 0;
}

/* Looks twice: what was new at first may have another name by now, or company. */
static int look_for_new(struct learning *learning, struct programmer_found *found,
                        struct failure *failure)
{
    const struct operation operation =
        jig_session_operation(&learning->session, SETTLE_US + 1000000);
    int result = look(learning, found, failure);
    if (result != 1)
        return result;
    if (operation_sleep_us(&operation, SETTLE_US, failure) != 0)
        return -1;
    return look(learning, found, failure);
}

static int begin_watching(struct learning *learning, struct failure *failure)
{
    struct programmer_found *found = NULL;
    size_t count = 0, plugged = 0;
    if (jig_session_list(&learning->session, &found, &count, failure) != 0)
        return -1;
    jig_learner_begin(&learning->learner, found, count);
    for (size_t i = 0; i < count; i++)
        plugged += is_candidate(learning, &found[i]);
    free(found);
    if (plugged > 0)
        (void)fprintf(stderr,
                      "%zu plugged in already: unplug and plug in again what is for this jig, or "
                      "say --all\n",
                      plugged);
    return 0;
}

static int take_each(struct learning *learning, struct failure *failure)
{
    if (begin_watching(learning, failure) != 0)
        return -1;
    ask(learning);
    while (!was_ended(learning)) {
        struct programmer_found found;
        if (jig_session_check(&learning->session, failure) != 0)
            return -1;
        int fresh = look_for_new(learning, &found, failure);
        if (fresh < 0)
            return -1;
        if (fresh == 0)
            continue;
        int taken = take(learning, &found, failure);
        if (taken < 0)
            return -1;
        jig_learner_note(&learning->learner, &found.place, taken == 1);
        ask(learning);
    }
    return 0;
}

/* ------------------------------------------------------------------ the file */

/* bench-2 of path/bench-2.yaml. NULL: out of memory. */
static char *jig_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *file = slash != NULL ? slash + 1 : path;
    const char *dot = strrchr(file, '.');
    bool is_yaml =
        dot != NULL && dot != file && (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0);
    return strndup(file, is_yaml ? (size_t)(dot - file) : strlen(file));
}

/* Nobody is to plug in sixteen programmers for a file that cannot be made then. */
static int check_name(const char *path, struct failure *failure)
{
    char fit[sizeof((struct jig *)NULL)->name];
    char *name = jig_name(path);
    if (name == NULL)
        return failure_set(failure, FAILURE_OUT_OF_MEMORY, "out of memory");
    text_copy(fit, sizeof(fit), name);
    bool fits = name[0] != '\0' && strcmp(name, fit) == 0;
    free(name);
    return fits ? 0
                : failure_set(failure, FAILURE_USAGE,
                              "jig learn: the jig is named like its file, and '%.100s' is no name "
                              "of 1 to %zu bytes without control characters",
                              path, sizeof(fit) - 1);
}

static int check_new(const char *path, struct failure *failure)
{
    struct stat there;
    if (lstat(path, &there) == 0)
        return failure_set(failure, FAILURE_USAGE,
                           "jig learn: %s is there already, and no jig file is overwritten", path);
    if (errno != ENOENT)
        return failure_set(failure, FAILURE_USAGE, "jig learn: %s: %s", path, strerror(errno));
    return check_name(path, failure);
}

/* What stands above the sites. The caller frees; NULL when out of memory. */
static char *make_comment(void)
{
    char day[16], *comment = NULL;
    time_t now = time(NULL);
    struct tm date;
    char *schema = data_paths_schema_comment("jig");
    if (schema == NULL)
        return NULL;
    (void)strftime(day, sizeof(day), "%Y-%m-%d", localtime_r(&now, &date));
    if (asprintf(
            &comment,
            "%s%sMade by gangflash jig learn on %s. A site is a place: whatever programmer is\n"
            "plugged in there. Behind each stands the firmware that was found there.\n"
            "To be added where it is known: how the sites stand on the fixture, as in\n"
            "layout: [[1, 2], [3, 4]], and for a site its supply, as in supply: 5 V.",
            schema, schema[0] != '\0' ? "\n" : "", day) < 0)
        comment = NULL;
    free(schema);
    return comment;
}

static int make_text(const struct learning *learning, const char *path, char **text,
                     struct failure *failure)
{
    char *name = jig_name(path), *comment = make_comment();
    if (name == NULL || comment == NULL) {
        free(name);
        free(comment);
        return failure_set(failure, FAILURE_OUT_OF_MEMORY, "out of memory");
    }
    const struct jig_write write = {
        .name = name, .comment = comment, .sites = learning->sites, .count = learning->count};
    int result = jig_write_text(&write, text, failure);
    free(name);
    free(comment);
    return result;
}

/* The places of a bench go when it does, which is now. */
static void tell_written(const struct learning *learning, const char *path)
{
    const char *bench = learning->session.config->bench;
    (void)fprintf(stderr, "%s: %zu site%s; ", path, learning->count,
                  learning->count == 1 ? "" : "s");
    if (bench == NULL)
        (void)fprintf(stderr, "try it with: gangflash jig test %s\n", path);
    else
        (void)fprintf(stderr,
                      "it shows what a jig file looks like, but its places ended with the "
                      "simulated bench; try that one with: gangflash jig test %s\n",
                      bench);
}

static int write_file(const struct learning *learning, const char *path, struct failure *failure)
{
    char *text = NULL;
    if (learning->count == 0)
        return failure_set(failure, FAILURE_PLACE_MISSING,
                           "no programmer answered: %s was not made", path);
    if (make_text(learning, path, &text, failure) != 0)
        return -1;
    int result = output_file_write(path, false, text, strlen(text), failure);
    free(text);
    if (result == 0)
        tell_written(learning, path);
    return result;
}

/* ------------------------------------------------------------------ the action */

static bool is_watched(const struct jig_config *config)
{
    return !config->all && config->bench == NULL && isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

static int learn(struct learning *learning, struct failure *failure)
{
    const struct jig_config *config = learning->session.config;
    if (is_watched(config) ? take_each(learning, failure) != 0 : take_all(learning, failure) != 0)
        return -1;
    if (jig_session_check(&learning->session, failure) != 0)
        return -1;
    return write_file(learning, config->file, failure);
}

int jig_learn(const struct jig_config *config, int *status, struct failure *failure)
{
    struct learning *learning = calloc(1, sizeof(*learning));
    if (learning == NULL)
        return failure_set(failure, FAILURE_OUT_OF_MEMORY, "out of memory");
    int result = check_new(config->file, failure);
    if (result == 0) {
        result = jig_session_open(&learning->session, config, config->bench, failure);
        if (result == 0)
            result = learn(learning, failure);
        if (jig_session_close(&learning->session, result == 0 ? failure : NULL) != 0)
            result = -1;
    }
    free(learning);
    *status = COMMAND_PASSED;
    return result;
}
