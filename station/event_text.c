/* Plain lines, for logs, pipes and terminals that cannot do more: one per thing that matters, and
 * how far the work has come every few seconds. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jigs/operation.h"
#include "station/view.h"

#define PROGRESS_EVERY_US (5 * 1000000LL)

struct text_site {
    bool working;
    bool waiting;
    int permille;
};

struct event_text {
    struct view view;
    const struct view_run *run;
    int64_t progress_us; /* when progress was told last */
    struct station_counts counts;
    struct text_site sites[JIG_SITES_MAX + 1]; /* by site number */
};

static void show_started(const struct event_text *text)
{
    static const char *const how[] = {
        [SCHEDULER_GO_ENTER] = "Enter is GO; end of input ends the run",
        [SCHEDULER_GO_CONTACT] = "a site starts when its board makes contact",
        [SCHEDULER_GO_NOW] = "every site starts at once",
    };
    const struct view_run *run = text->run;
    printf("article %s, revision %s: profile %s on %s\n", run->profile->article,
           run->profile->revision, run->profile->name, run->profile->part->name);
    printf("jig %s, %zu sites; lot %s; operator %s; log %s\n", run->jig->name, view_site_count(run),
           run->lot != NULL ? run->lot : "none", run->operator_name, run->log_path);
    if (run->recovered > 0)
        printf("%d attempts that an earlier run left open were closed as interrupted\n",
               run->recovered);
    for (size_t i = 0; i < run->profile->risk_count; i++)
        printf("ACCEPTED RISK %s, because: %s\n", run->profile->risks[i].rule,
               run->profile->risks[i].because);
    printf("%s\n", how[run->go]);
}

static void show_site(struct event_text *text, const struct station_event *event)
{
    struct text_site *site = &text->sites[event->site];
    bool working = event->state == SITE_WORKING;
    if (working && !site->working)
        site->permille = 0;
    site->working = working;
    if (event->state == SITE_OUT || event->state == SITE_WAITING)
        printf("site %d: %s %s: %s. %s\n", event->site,
               event->state == SITE_OUT ? "OUT" : "WAITING for its programmer:",
               failure_lookup(event->failure.code)->name, event->failure.detail,
               failure_lookup(event->failure.code)->operator_sentence);
    else if (site->waiting)
        printf("site %d: its programmer is back\n", event->site);
    site->waiting = event->state == SITE_WAITING;
}

static void show_verdict(struct event_text *text, const struct station_event *event)
{
    const struct record_attempt *record = &event->record;
    char duration[32];
    view_duration(record->ended_at_us - record->started_at_us, duration);
    printf("site %d: %s attempt %" PRId64 " in %s", record->site,
           view_verdict_word(record->verdict), record->attempt, duration);
    if (record->failure != FAILURE_NONE)
        printf(" %s: %s. %s", failure_lookup(record->failure)->name, record->detail,
               view_sentence(record));
    else if (record->detail[0] != '\0')
        printf(": %s", record->detail);
    printf("\n");
    text->sites[record->site].working = false;
    text->counts = event->counts;
}

static void show_unknown(struct event_text *text, const struct station_event *event)
{
    printf("site %d: UNKNOWN the verdict could not be logged: %s. Put the board into "
           "quarantine.\n",
           event->site, event->failure.detail);
    text->sites[event->site].working = false;
}

static void show_progress(struct event_text *text)
{
    int working = 0;
    int64_t sum = 0;
    for (size_t i = 0; i <= JIG_SITES_MAX; i++) {
        working += text->sites[i].working ? 1 : 0;
        sum += text->sites[i].working ? text->sites[i].permille : 0;
    }
    if (working == 0)
        return;
    printf("%d at work, %" PRId64 " %% on average; %" PRId64 " passed so far", working,
           sum / working / 10, text->counts.passed);
    int64_t remaining = station_remaining(&text->counts);
    if (remaining >= 0 && text->counts.lot_count > 0)
        printf(", %" PRId64 " to go", remaining);
    printf("\n");
}

static void text_tick(struct view *view)
{
    struct event_text *text = (struct event_text *)view;
    int64_t now_us = operation_now_us();
    if (now_us - text->progress_us >= PROGRESS_EVERY_US) {
        text->progress_us = now_us;
        show_progress(text);
    }
    (void)fflush(stdout); /* who reads along wants whole events; main() looks for errors */
}

static void text_show(struct view *view, const struct station_event *event)
{
    struct event_text *text = (struct event_text *)view;
    switch (event->kind) {
    case STATION_EVENT_STARTED:
        show_started(text);
        break;
    case STATION_EVENT_SITE:
        show_site(text, event);
        break;
    case STATION_EVENT_CYCLE:
        text->counts = event->counts;
        if (event->site == 0) /* else a site began alone, and its verdict will tell */
            printf("cycle %" PRId64 ": GO, %d site%s\n", event->cycle, event->sites_taking_part,
                   event->sites_taking_part == 1 ? "" : "s");
        break;
    case STATION_EVENT_PROGRESS:
        text->sites[event->site].permille = event->permille;
        break;
    case STATION_EVENT_VERDICT:
        show_verdict(text, event);
        break;
    case STATION_EVENT_UNKNOWN:
        show_unknown(text, event);
        break;
    case STATION_EVENT_LOG_FAULT:
        printf("LOG FAULT: %s. No further board is touched.\n", event->failure.detail);
        break;
    case STATION_EVENT_MESSAGE:
        printf("%s\n", event->text);
        break;
    case STATION_EVENT_STEP:
    case STATION_EVENT_ENDED:
        break;
    }
}

static void text_close(struct view *view)
{
    free(view);
}

struct view *event_text_open(const struct view_run *run)
{
    struct event_text *text = calloc(1, sizeof(*text));
    if (text == NULL)
        return NULL;
    text->view = (struct view){.show = text_show, .tick = text_tick, .close = text_close};
    text->run = run;
    text->progress_us = operation_now_us();
    return &text->view;
}
