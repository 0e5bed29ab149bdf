/* JSON lines, for programs that watch a run: one object per event. Keys are stable; new ones may be
 * added. Keys, values and times of a verdict are those of the log's view `attempts`. */
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>

#include "reports/json.h"
#include "station/view.h"

struct event_json {
    struct view view;
    const struct view_run *run;
};

static const char *const event_names[] = {
    [STATION_EVENT_STARTED] = "started",   [STATION_EVENT_SITE] = "site",
    [STATION_EVENT_CYCLE] = "cycle",       [STATION_EVENT_STEP] = "step",
    [STATION_EVENT_PROGRESS] = "progress", [STATION_EVENT_VERDICT] = "verdict",
    [STATION_EVENT_UNKNOWN] = "unknown",   [STATION_EVENT_LOG_FAULT] = "log-fault",
    [STATION_EVENT_MESSAGE] = "message",   [STATION_EVENT_ENDED] = "ended",
};

static void add_time(struct json_object *object, const char *key, int64_t time_us)
{
    char text[VIEW_TIME_BYTES];
    view_time(time_us, text);
    json_add_text(object, key, text);
}

static void add_failure(struct json_object *object, const struct failure *failure)
{
    if (failure->code == FAILURE_NONE)
        return;
    const struct failure_fact *fact = failure_lookup(failure->code);
    json_add_text(object, "failure", fact->name);
    json_add_text(object, "detail", failure->detail);
    json_add_text(object, "blame", failure_blame_name(fact->blame));
    json_add_text(object, "sentence", fact->operator_sentence);
}

/* A yield over boards some of which are unknown would be a guess. */
static void add_counts(struct json_object *object, const struct station_counts *counts,
                       const struct cause_tally *causes)
{
    struct json_object *child = json_object_create();
    json_add_integer(child, "passed", counts->passed);
    json_add_integer(child, "failed", counts->failed);
    json_add_integer(child, "refused", counts->refused);
    json_add_integer(child, "unverified", counts->unverified);
    json_add_integer(child, "empty", counts->empty);
    json_add_integer(child, "interrupted", counts->interrupted);
    json_add_integer(child, "unknown", causes->unknown);
    json_add_integer(child, "lot_count", counts->lot_count);
    json_add_integer(child, "lot_passed", counts->lot_passed);
    double yield = station_yield_percent(counts);
    if (yield >= 0 && causes->unknown == 0)
        json_add_real(child, "yield_percent", yield);
    else
        json_add_null(child, "yield_percent");
    json_add_real(child, "boards_per_hour", counts->boards_per_hour);
    json_add_object(object, "counts", child);
}

static void add_causes(struct json_object *object, const struct cause_tally *causes)
{
    struct json_array *array = json_array_create();
    for (int i = 0; i < causes->count; i++) {
        const struct failure_fact *fact = failure_lookup(causes->causes[i].code);
        struct json_object *child = json_object_create();
        json_add_text(child, "failure", fact->name);
        json_add_text(child, "blame", failure_blame_name(fact->blame));
        json_add_integer(child, "boards", causes->causes[i].boards);
        json_append_object(array, child);
    }
    json_add_array(object, "causes", array);
}

static void append_risk(struct json_array *risks, const char *rule, const char *because)
{
    struct json_object *risk = json_object_create();
    json_add_text(risk, "rule", rule);
    json_add_text(risk, "because", because);
    json_append_object(risks, risk);
}

static void add_risks_of_run(struct json_object *object, const struct profile *profile)
{
    struct json_array *risks = json_array_create();
    for (size_t i = 0; i < profile->risk_count; i++)
        append_risk(risks, profile->risks[i].rule, profile->risks[i].because);
    json_add_array(object, "risks", risks);
}

static void add_started(struct json_object *object, const struct view_run *run)
{
    static const char *const go[] = {
        [SCHEDULER_GO_ENTER] = "enter",
        [SCHEDULER_GO_CONTACT] = "contact",
        [SCHEDULER_GO_NOW] = "now",
    };
    json_add_text(object, "profile", run->profile->name);
    json_add_text(object, "article", run->profile->article);
    json_add_text(object, "revision", run->profile->revision);
    json_add_text(object, "profile_sha256", run->profile->sha256);
    json_add_text(object, "image_sha256", run->profile->image_sha256);
    json_add_text(object, "part", run->profile->part->name);
    json_add_text(object, "jig", run->jig->name);
    json_add_text(object, "jig_sha256", run->jig->sha256);
    json_add_text(object, "lot", run->lot);
    json_add_text(object, "operator", run->operator_name);
    json_add_text(object, "go", go[run->go]);
    json_add_text(object, "log", run->log_path);
    json_add_integer(object, "recovered", run->recovered);
    add_risks_of_run(object, run->profile);
    struct json_array *sites = json_array_create();
    for (size_t i = 0; i < run->jig->site_count; i++) {
        if (view_site_wanted(run, i))
            json_append_integer(sites, run->jig->sites[i].site);
    }
    json_add_array(object, "sites", sites);
}

/* A byte that was not read or is not asked for is null. */
static void add_byte(struct json_object *object, const char *key, int value)
{
    if (value < 0)
        json_add_null(object, key);
    else
        json_add_integer(object, key, value);
}

static void add_fuses(struct json_object *object, const struct record_attempt *record)
{
    struct json_array *fuses = json_array_create();
    for (int i = 0; i < record->fuse_count; i++) {
        const struct record_fuse *fuse = &record->fuses[i];
        struct json_object *child = json_object_create();
        json_add_text(child, "fuse", fuse->fuse);
        add_byte(child, "found", fuse->found);
        add_byte(child, "asked", fuse->asked);
        json_add_text(child, "decision", fuse_decision_name(fuse->decision));
        add_byte(child, "read_back", fuse->read_back);
        json_append_object(fuses, child);
    }
    json_add_array(object, "fuses", fuses);
}

static void add_risks(struct json_object *object, const struct record_attempt *record)
{
    struct json_array *risks = json_array_create();
    for (int i = 0; i < record->risk_count; i++)
        append_risk(risks, record->risks[i].rule, record->risks[i].because);
    json_add_array(object, "risks", risks);
}

/* The record's texts, named as the columns of the log's view `attempts`. */
static const struct {
    const char *key;
    size_t offset;
} record_texts[] = {
#define RECORD_TEXT(key, field)                                                                    \
    {                                                                                              \
        key, offsetof(struct record_attempt, field)                                                \
    }
    RECORD_TEXT("lot", lot),
    RECORD_TEXT("programmer", programmer),
    RECORD_TEXT("programmer_firmware", programmer_firmware),
    RECORD_TEXT("profile", profile),
    RECORD_TEXT("article", article),
    RECORD_TEXT("revision", revision),
    RECORD_TEXT("profile_sha256", profile_sha256),
    RECORD_TEXT("image_sha256", image_sha256),
    RECORD_TEXT("part", part),
    RECORD_TEXT("part_sha256", part_sha256),
    RECORD_TEXT("expected_signature", expected_signature),
    RECORD_TEXT("signature", signature),
    RECORD_TEXT("operator", operator_name),
    RECORD_TEXT("purpose", purpose),
    RECORD_TEXT("verification", verification),
    RECORD_TEXT("readback_sha256", readback_sha256),
    RECORD_TEXT("software", software),
    RECORD_TEXT("jig", jig),
    RECORD_TEXT("jig_sha256", jig_sha256),
#undef RECORD_TEXT
};

static void add_record(struct json_object *object, const struct record_attempt *record)
{
    if (record->attempt != 0)
        json_add_integer(object, "attempt", record->attempt);
    else
        json_add_null(object, "attempt");
    for (size_t i = 0; i < sizeof(record_texts) / sizeof(record_texts[0]); i++) {
        const char *text = (const char *)record + record_texts[i].offset;
        json_add_text(object, record_texts[i].key, text[0] != '\0' ? text : NULL);
    }
    add_time(object, "started_at", record->started_at_us);
    add_time(object, "ended_at", record->ended_at_us);
    json_add_text(object, "verdict",
                  record->verdict == VERDICT_NONE ? "unknown" : verdict_name(record->verdict));
    const struct failure_fact *fact = failure_lookup(record->failure);
    json_add_text(object, "failure", record->failure == FAILURE_NONE ? NULL : fact->name);
    json_add_text(object, "detail", record->detail[0] != '\0' ? record->detail : NULL);
    json_add_text(object, "sentence", view_sentence(record));
    json_add_text(object, "touched", touched_name(record->touched));
    json_add_integer(object, "tries", record->tries);
    json_add_integer(object, "sck_hz", record->sck_hz);
    if (record->previous_attempt != 0)
        json_add_integer(object, "previous_attempt", record->previous_attempt);
    add_fuses(object, record);
    add_risks(object, record);
}

static void add_facts(struct json_object *object, const struct event_json *json,
                      const struct station_event *event)
{
    switch (event->kind) {
    case STATION_EVENT_STARTED:
        add_started(object, json->run);
        break;
    case STATION_EVENT_SITE:
        json_add_text(object, "state", site_state_name(event->state));
        add_failure(object, &event->failure);
        break;
    case STATION_EVENT_CYCLE:
        json_add_integer(object, "sites_taking_part", event->sites_taking_part);
        add_counts(object, &event->counts, json->run->causes);
        break;
    case STATION_EVENT_STEP:
        json_add_text(object, "step", event->step);
        json_add_integer(object, "tries", event->tries);
        break;
    case STATION_EVENT_PROGRESS:
        json_add_text(object, "step", event->step);
        json_add_integer(object, "tries", event->tries);
        json_add_integer(object, "permille", event->permille);
        if (event->left_us >= 0)
            json_add_integer(object, "left_us", event->left_us);
        break;
    case STATION_EVENT_VERDICT:
        add_record(object, &event->record);
        add_counts(object, &event->counts, json->run->causes);
        break;
    case STATION_EVENT_UNKNOWN:
        add_record(object, &event->record);
        break;
    case STATION_EVENT_LOG_FAULT:
        add_failure(object, &event->failure);
        break;
    case STATION_EVENT_MESSAGE:
        json_add_text(object, "text", event->text);
        add_failure(object, &event->failure);
        break;
    case STATION_EVENT_ENDED:
        add_counts(object, &event->counts, json->run->causes);
        add_causes(object, json->run->causes);
        json_add_integer(object, "exit_status", event->exit_status);
        add_failure(object, &event->failure);
        break;
    }
}

static void json_show(struct view *view, const struct station_event *event)
{
    const struct event_json *json = (const struct event_json *)view;
    struct json_object *object = json_object_create();
    json_add_text(object, "event", event_names[event->kind]);
    add_time(object, "at", event->at_us);
    if (event->site != 0)
        json_add_integer(object, "site", event->site);
    if (event->cycle != 0)
        json_add_integer(object, "cycle", event->cycle);
    add_facts(object, json, event);
    /* A failed write stays in the stream's error flag, which the run and main() look at. */
    (void)json_object_write_line(object, stdout);
}

static void json_close(struct view *view)
{
    free(view);
}

struct view *event_json_open(const struct view_run *run)
{
    struct event_json *json = calloc(1, sizeof(*json));
    if (json == NULL)
        return NULL;
    json->view = (struct view){.show = json_show, .close = json_close};
    json->run = run;
    return &json->view;
}
