#include "station/screen_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int screen_model_create(struct screen_model *model, const struct view_run *run)
{
    *model = (struct screen_model){.run = run};
    model->sites = calloc(run->jig->site_count, sizeof(*model->sites));
    if (model->sites == NULL)
        return -1;
    model->site_count = run->jig->site_count;
    for (size_t i = 0; i < model->site_count; i++)
        model->sites[i] = (struct screen_site){
            .jig_site = &run->jig->sites[i], .wanted = view_site_wanted(run, i), .left_us = -1};
    return 0;
}

void screen_model_free(struct screen_model *model)
{
    free(model->sites);
    *model = (struct screen_model){0};
}

/* ------------------------------------------------------------------ events */

static struct screen_site *find_site(struct screen_model *model, int number)
{
    for (size_t i = 0; i < model->site_count; i++) {
        if (model->sites[i].jig_site->site == number)
            return &model->sites[i];
    }
    return NULL;
}

static enum screen_outcome outcome_of(enum verdict verdict)
{
    switch (verdict) {
    case VERDICT_PASS:
        return SCREEN_OUTCOME_PASS;
    case VERDICT_FAIL:
        return SCREEN_OUTCOME_FAIL;
    case VERDICT_REFUSED:
        return SCREEN_OUTCOME_REFUSED;
    case VERDICT_UNVERIFIED:
        return SCREEN_OUTCOME_UNVERIFIED;
    case VERDICT_EMPTY:
        return SCREEN_OUTCOME_EMPTY;
    case VERDICT_INTERRUPTED:
        return SCREEN_OUTCOME_INTERRUPTED;
    case VERDICT_NONE:
        break;
    }
    return SCREEN_OUTCOME_UNKNOWN;
}

static void judge(struct screen_site *site, const struct station_event *event)
{
    const struct record_attempt *record = &event->record;
    bool known = event->kind == STATION_EVENT_VERDICT;
    site->outcome = known ? outcome_of(record->verdict) : SCREEN_OUTCOME_UNKNOWN;
    site->outcome_tries = record->tries;
    site->shown = true;
    site->failure = event->failure;
    site->eeprom_owed = known && record->eeprom_owed;
    site->unchanged = known && strcmp(record->verification, "already") == 0;
    if (known) {
        site->failure.code = record->failure;
        memcpy(site->failure.detail, record->detail, sizeof(site->failure.detail));
    }
}

/* A site is armed when its board was taken out. A board that makes no contact looks like that, too:
 * what is to be done about it stays until the next one is begun. */
static bool stays_when_armed(const struct screen_site *site)
{
    return site->outcome == SCREEN_OUTCOME_UNKNOWN ||
           failure_lookup(site->failure.code)->blame == FAILURE_BLAME_CONTACT;
}

static void change_state(struct screen_site *site, const struct station_event *event)
{
    if (event->state == SITE_WORKING && site->state != SITE_WORKING) {
        site->step = NULL;
        site->tries = 0;
        site->permille = 0;
        site->left_us = -1;
        site->shown = false;
    }
    if (event->state == SITE_ARMED && !stays_when_armed(site))
        site->shown = false;
    if (event->state == SITE_OUT || event->state == SITE_WAITING)
        site->trouble = event->failure;
    site->state = event->state;
}

static void show_on_site(struct screen_site *site, const struct station_event *event)
{
    switch (event->kind) {
    case STATION_EVENT_SITE:
        change_state(site, event);
        break;
    case STATION_EVENT_PROGRESS:
        site->permille = event->permille;
        site->left_us = event->left_us;
        site->step = event->step;
        site->tries = event->tries;
        break;
    case STATION_EVENT_STEP:
        site->step = event->step;
        site->tries = event->tries;
        break;
    case STATION_EVENT_VERDICT:
    case STATION_EVENT_UNKNOWN:
        judge(site, event);
        break;
    default:
        break;
    }
}

/* What was said of a site is done when something happens there; what was said of all, at the next
 * GO. */
static bool message_is_done(const struct screen_model *model, const struct station_event *event)
{
    bool happens = event->kind == STATION_EVENT_SITE || event->kind == STATION_EVENT_CYCLE;
    return happens && event->site == model->message_site;
}

/* Until the first GO; the rules' names stay on the screen. */
static void tell_risks(struct screen_model *model)
{
    const struct profile *profile = model->run->profile;
    if (profile->risk_count == 0)
        return;
    (void)snprintf(model->message, sizeof(model->message), "ACCEPTED RISK %s, because: %s",
                   profile->risks[0].rule, profile->risks[0].because);
    model->message_site = 0;
}

void screen_model_show(struct screen_model *model, const struct station_event *event)
{
    struct screen_site *site = event->site != 0 ? find_site(model, event->site) : NULL;
    if (site != NULL)
        show_on_site(site, event);
    if (message_is_done(model, event))
        model->message[0] = '\0';
    switch (event->kind) {
    case STATION_EVENT_STARTED:
        tell_risks(model);
        model->counts = event->counts;
        break;
    case STATION_EVENT_CYCLE:
    case STATION_EVENT_VERDICT:
        model->counts = event->counts;
        break;
    case STATION_EVENT_MESSAGE:
        (void)snprintf(model->message, sizeof(model->message), "%s", event->text);
        model->message_site = event->site;
        break;
    case STATION_EVENT_LOG_FAULT:
        (void)snprintf(model->message, sizeof(model->message),
                       "LOG FAULT: %.200s. No further board is touched.", event->failure.detail);
        break;
    case STATION_EVENT_ENDED:
        model->counts = event->counts;
        model->ended = true;
        if (event->failure.code == FAILURE_NONE)
            model->message[0] = '\0';
        break;
    default:
        break;
    }
}

/* ------------------------------------------------------------------ what a site shows */

enum screen_outcome screen_site_outcome(const struct screen_site *site)
{
    if (site->state == SITE_OUT && site->wanted)
        return SCREEN_OUTCOME_OUT;
    if (site->shown) /* a board in hand matters more than a programmer */
        return site->outcome;
    return site->state == SITE_WAITING ? SCREEN_OUTCOME_WAITING : SCREEN_OUTCOME_NONE;
}

enum screen_outcome screen_site_last(const struct screen_site *site)
{
    return screen_site_outcome(site) == site->outcome ? SCREEN_OUTCOME_NONE : site->outcome;
}

const char *screen_site_words(const struct screen_site *site)
{
    if (!site->wanted)
        return "not in use";
    switch (site->state) {
    case SITE_CLAIMING:
        return "opening the programmer";
    case SITE_ARMED:
        return "ready for a board";
    case SITE_WORKING:
        return site->step != NULL ? view_step_words(site->step) : "starting";
    case SITE_HELD:
        return "take the board out";
    case SITE_WAITING:
        return "waiting for its programmer";
    case SITE_OUT:
        return "out of service";
    case SITE_STOPPED:
        return "stopped";
    }
    return "";
}

static void advise_of_failure(const struct failure *failure, bool eeprom_owed,
                              struct screen_advice *advice)
{
    (void)snprintf(advice->text, sizeof(advice->text), "%s (%s: %s)",
                   failure_sentence(failure->code, eeprom_owed),
                   failure_lookup(failure->code)->name, failure->detail);
}

/* A pass has a detail when something is out of the ordinary about it. */
static void advise_of_pass(const struct screen_site *site, struct screen_advice *advice)
{
    const char *detail = site->failure.detail;
    char tries[32] = "";
    if (site->outcome_tries > 1)
        (void)snprintf(tries, sizeof(tries), "%d tries; ", site->outcome_tries);
    if (site->unchanged)
        advice->bin = "unchanged";
    (void)snprintf(advice->text, sizeof(advice->text), "%s%s%s%s", detail,
                   detail[0] != '\0' ? "; " : "", tries,
                   site->state == SITE_HELD ? "take the board out" : "");
}

void screen_site_advise(const struct screen_site *site, struct screen_advice *advice)
{
    enum screen_outcome outcome = screen_site_outcome(site);
    advice->text[0] = '\0';
    advice->bin = view_bin(site->failure.code, site->eeprom_owed);
    switch (outcome) {
    case SCREEN_OUTCOME_NONE:
        advice->bin = "";
        break;
    case SCREEN_OUTCOME_PASS:
        advise_of_pass(site, advice);
        break;
    case SCREEN_OUTCOME_UNKNOWN:
        advice->bin = "quarantine";
        (void)snprintf(advice->text, sizeof(advice->text),
                       "Put the board into quarantine: its verdict could not be logged. (%s: %s)",
                       failure_lookup(site->failure.code)->name, site->failure.detail);
        break;
    case SCREEN_OUTCOME_OUT:
        advice->bin = "site out";
        advise_of_failure(&site->trouble, false, advice);
        break;
    case SCREEN_OUTCOME_WAITING:
        advice->bin = "for programmer";
        advise_of_failure(&site->trouble, false, advice);
        break;
    case SCREEN_OUTCOME_UNVERIFIED:
        advice->bin = "ask the engineer";
        (void)snprintf(advice->text, sizeof(advice->text),
                       "Written, but this hardware cannot read it back.");
        break;
    default:
        advise_of_failure(&site->failure, site->eeprom_owed, advice);
        break;
    }
    if (outcome == SCREEN_OUTCOME_EMPTY && site->failure.code != FAILURE_BOARD_BEHIND_DOOR)
        advice->bin = "";
}

bool screen_model_needs_hands(const struct screen_model *model)
{
    for (size_t i = 0; i < model->site_count; i++) {
        enum screen_outcome outcome = screen_site_outcome(&model->sites[i]);
        if (outcome != SCREEN_OUTCOME_EMPTY && screen_look(outcome)->urgency > 0)
            return true;
    }
    return false;
}
