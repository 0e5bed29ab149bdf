#include "station/attempt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/fuse_gate.h"
#include "station/attempt_steps.h"

/* A step may take ten times what it should, and this long on top: a driver that has to get a
 * programmer back into step needs seconds for it. */
#define DEADLINE_FACTOR 10
#define DEADLINE_MARGIN_US 10000000
#define LOOK_DEADLINE_US 10000000
#define PROGRESS_INTERVAL_US 100000
/* How long a part that is still busy after ten times its datasheet's time is asked on, and how
 * often, until it is taken for one that is not there. */
#define BUSY_PATIENCE_US 1000000
#define BUSY_LOOK_US 50000
/* Before this much is done the pace so far says little about the rest. */
#define PERMILLE_TO_JUDGE_PACE 50

/* What attempt_run() needs beside the attempt itself. */
struct run {
    struct attempt attempt;
    const struct attempt_step *table;
    int step_count;
    int step;                  /* index of the running one */
    struct record_step *ended; /* not given to the log yet */
    int ended_count;
    struct failure log_fault; /* the first one; NONE: the log takes rows */
    int contact_retries, verify_retries;
    bool looked_again;
    int64_t began_us;
    int64_t told_us;    /* when PROGRESS was pushed last */
    bool told_going_on; /* although it is to stop */
};

/* The bar */

static int64_t expected_until(const struct run *run, int step)
{
    int64_t sum_us = 0;

    for (int i = 0; i < step; i++)
        if (!run->table[i].anew || !run->attempt.already)
            sum_us += run->table[i].expected_us(&run->attempt);
    return sum_us;
}

static void fill_progress(const struct run *run, struct station_event *event)
{
    const struct attempt *attempt = &run->attempt;
    int64_t all_us = expected_until(run, run->step_count);
    int64_t done_us = expected_until(run, run->step);
    int64_t elapsed_us = operation_now_us() - run->began_us;

    if (attempt->step_total > 0)
        done_us +=
            run->table[run->step].expected_us(attempt) * attempt->step_bytes / attempt->step_total;
    event->permille = all_us > 0 ? (int)(done_us * 1000 / all_us) : 0;
    event->left_us = -1;
    if (event->permille >= PERMILLE_TO_JUDGE_PACE)
        event->left_us = elapsed_us * (1000 - event->permille) / event->permille;
    else if (attempt->plan->floor_us > 0)
        event->left_us = all_us - done_us;
}

static bool log_failed(const struct run *run)
{
    return run->log_fault.code != FAILURE_NONE;
}

/* What began to take the way into a board ends it: nobody can finish the board later. And where
 * clock fuses went before the flash, the flash follows. So neither a stop nor a log that takes no
 * more rows ends the work there: the opening row says what may have become of the board. */
static bool may_be_stopped(const struct attempt *attempt)
{
    return attempt->door == NULL && !attempt->owes_flash;
}

static void push_progress(struct run *run, enum station_event_kind kind)
{
    const struct record_attempt *record = &run->attempt.record;
    struct station_event event = {.kind = kind,
                                  .site = record->site,
                                  .cycle = record->cycle,
                                  .step = run->table[run->step].name,
                                  .tries = record->tries};

    fill_progress(run, &event);
    event_queue_push(run->attempt.options->events, &event);
}

static bool is_to_stop(const struct run *run)
{
    const atomic_bool *cancel = run->attempt.options->cancel;

    return log_failed(run) || (cancel != NULL && atomic_load(cancel));
}

/* Says once that a stop was heard, and why nothing stops yet. */
static void tell_going_on(struct run *run)
{
    const struct attempt *attempt = &run->attempt;
    struct station_event event = {.kind = STATION_EVENT_MESSAGE, .site = attempt->record.site};

    if (!attempt->owes_flash || run->told_going_on || !is_to_stop(run))
        return;
    run->told_going_on = true;
    snprintf(event.text, sizeof event.text,
             "site %d: its clock fuses are written, so it stops when its flash is verified",
             attempt->record.site);
    event_queue_push(attempt->options->events, &event);
}

static void progressed(void *context, uint32_t done_bytes)
{
    struct run *run = context;
    int64_t now_us = operation_now_us();

    run->attempt.step_bytes = run->attempt.call_start + done_bytes;
    tell_going_on(run);
    if (now_us - run->told_us < PROGRESS_INTERVAL_US)
        return;
    run->told_us = now_us;
    push_progress(run, STATION_EVENT_PROGRESS);
}

/* Steps */

/* Gives the log the steps that ended, once there is an attempt for them to belong to. */
static void hand_over_steps(struct run *run)
{
    const struct attempt *attempt = &run->attempt;
    struct failure failure = {0};

    if (attempt->record.attempt == 0 || log_failed(run))
        return;
    for (int i = 0; i < run->ended_count; i++) {
        if (log_add_step(attempt->options->log, attempt->record.attempt, &run->ended[i], &failure) <
            0) {
            run->log_fault = failure;
            return;
        }
    }
    run->ended_count = 0;
}

static int keep_step(struct run *run, const struct record_step *step, struct failure *failure)
{
    struct record_step *ended =
        realloc(run->ended, (size_t)(run->ended_count + 1) * sizeof *run->ended);

    if (ended == NULL)
        return failure_set(failure, FAILURE_OUT_OF_MEMORY, "the steps of an attempt");
    run->ended = ended;
    run->ended[run->ended_count++] = *step;
    hand_over_steps(run);
    return 0;
}

static bool may_be_contact(enum failure_code code)
{
    return code == FAILURE_VERIFY_MISMATCH || code == FAILURE_FUSE_MISMATCH ||
           code == FAILURE_LOCK_MISMATCH || code == FAILURE_BOARD_BUSY;
}

/* A board whose needle slipped off reads FF, too, and FF is also "busy": before its part is blamed
 * for what it reads, it is asked for its signature. One that is busy indeed gives none before it is
 * ready, so it gets more time. */
static void suspect_contact(struct attempt *attempt, struct failure *why)
{
    int64_t now_us = operation_now_us();
    int64_t until_us = now_us + (why->code == FAILURE_BOARD_BUSY ? BUSY_PATIENCE_US : 0);
    struct operation operation = {.deadline_us = now_us + DEADLINE_MARGIN_US,
                                  .cancel =
                                      may_be_stopped(attempt) ? attempt->options->cancel : NULL};
    struct failure found;
    uint8_t signature[3];

    do {
        found = (struct failure){0};
        if (programmer_identify(attempt->programmer, signature, &operation, &found) == 0 ||
            failure_lookup(found.code)->blame != FAILURE_BLAME_CONTACT)
            return;
        /* The lock bits just written may be why; silence has another reason. */
        if (why->code == FAILURE_LOCK_MISMATCH && found.code != FAILURE_NO_BOARD &&
            programmer_may_hide_signature(attempt->part))
            return;
    } while (operation_now_us() < until_us &&
             operation_sleep_us(&operation, BUSY_LOOK_US, NULL) == 0);
    failure_set(&found, FAILURE_CONTACT_LOST, "the board answers no more (%s); %s", found.detail,
                why->detail);
    *why = found;
}

static void find_cause(struct attempt *attempt, struct failure *why)
{
    if (may_be_contact(why->code))
        suspect_contact(attempt, why);
    /* A board that was there and is not any more is no empty site. */
    if (failure_finds_nobody(why->code) && attempt->record.signature[0] != '\0')
        why->code = FAILURE_CONTACT_LOST;
}

static bool step_may_be_stopped(const struct run *run)
{
    return may_be_stopped(&run->attempt) && run->table[run->step].run != attempt_step_doors;
}

/* Nobody finds out later, by the board, that this was begun. */
static int announce_door(const struct run *run, struct failure *failure)
{
    const struct attempt *attempt = &run->attempt;

    if (run->table[run->step].run != attempt_step_doors)
        return 0;
    return log_announce_door(attempt->options->log, attempt->record.attempt,
                             attempt_next_door(attempt), failure);
}

static int run_step(struct run *run, struct failure *failure)
{
    const struct attempt_step *step = &run->table[run->step];
    struct attempt *attempt = &run->attempt;
    int64_t began_us = operation_now_us();
    struct operation operation = {
        .deadline_us = began_us + DEADLINE_MARGIN_US + DEADLINE_FACTOR * step->expected_us(attempt),
        .cancel = step_may_be_stopped(run) ? attempt->options->cancel : NULL,
        .progress = progressed,
        .context = run};
    struct record_step ended = {.step = step->name, .started_at_us = operation_wall_us()};
    int result;

    attempt->step_bytes = attempt->step_total = attempt->call_start = 0;
    push_progress(run, STATION_EVENT_STEP);
    result = announce_door(run, failure);
    if (result == 0 && step->run(attempt, &operation, failure) < 0) {
        find_cause(attempt, failure);
        result = -1;
    }
    ended.duration_us = operation_now_us() - began_us;
    ended.bytes = attempt->step_bytes;
    ended.failure = result < 0 ? failure->code : FAILURE_NONE;
    if (result < 0 && failure->code == FAILURE_LOG)
        run->log_fault = *failure;
    return keep_step(run, &ended, failure) < 0 ? -1 : result;
}

static int find_step(const struct run *run, const char *name)
{
    int i = 0;

    while (strcmp(run->table[i].name, name) != 0)
        i++;
    return i;
}

static bool may_try_again(struct run *run, const struct failure *why)
{
    const struct attempt *attempt = &run->attempt;
    const struct failure_fact *fact = failure_lookup(why->code);

    if (attempt->record.touched != TOUCHED_NONE || fact->blame != FAILURE_BLAME_CONTACT)
        return false;
    if (failure_finds_nobody(why->code)) {
        bool looked = run->looked_again || attempt->profile->retry_contact == 0;

        run->looked_again = true;
        return !looked;
    }
    return fact->retriable && run->contact_retries++ < attempt->profile->retry_contact;
}

/* The step to go on with after the running one failed; -1: none. */
static int step_after_failure(struct run *run, const struct failure *why)
{
    struct attempt *attempt = &run->attempt;
    struct failure ignored;

    if (log_failed(run) && may_be_stopped(attempt))
        return -1;
    if (why->code == FAILURE_VERIFY_MISMATCH &&
        run->verify_retries++ < attempt->profile->retry_verify) {
        attempt->record.tries++;
        return find_step(run, "erase");
    }
    if (!may_try_again(run, why))
        return -1;
    /* Whether the programmer confirmed the end of the session shows at the next attach. */
    attempt_let_go(attempt, &ignored);
    return 0;
}

/* Between two steps. -1: the attempt ends here. */
static int check_stop(const struct run *run, struct failure *why)
{
    const struct attempt *attempt = &run->attempt;
    const struct operation now = {.deadline_us = INT64_MAX, .cancel = attempt->options->cancel};

    if (!may_be_stopped(attempt))
        return 0;
    if (log_failed(run))
        return failure_set(why, FAILURE_INTERRUPTED, "no log");
    /* The last step releases a finished board: there is nothing left to cancel. */
    return run->step == run->step_count - 1 ? 0 : operation_check(&now, why);
}

static int run_steps(struct run *run, struct failure *why)
{
    struct attempt *attempt = &run->attempt;

    run->step = 0;
    while (run->step < run->step_count) {
        const struct attempt_step *step = &run->table[run->step];
        int next;

        if (!attempt_wants_step(attempt, step)) {
            run->step++;
            continue;
        }
        *why = (struct failure){0};
        tell_going_on(run);
        if (check_stop(run, why) < 0)
            return -1;
        if (run_step(run, why) == 0) {
            run->step++;
            continue;
        }
        next = step_after_failure(run, why);
        if (next < 0)
            return -1;
        run->step = next;
    }
    return 0;
}

/* The verdict */

static bool is_refusal(enum failure_code code)
{
    return code == FAILURE_SIGNATURE_MISMATCH || code == FAILURE_EEPROM_WOULD_BE_LOST ||
           code == FAILURE_ALREADY_PROGRAMMED || code == FAILURE_NO_SAFE_ORDER ||
           failure_lookup(code)->blame == FAILURE_BLAME_PROFILE;
}

static enum verdict verdict_of_failure(const struct record_attempt *record)
{
    if (record->failure == FAILURE_INTERRUPTED)
        return VERDICT_INTERRUPTED;
    if (record->touched != TOUCHED_NONE)
        return VERDICT_FAIL;
    if (failure_finds_nobody(record->failure) || record->failure == FAILURE_BOARD_BEHIND_DOOR)
        return VERDICT_EMPTY;
    return is_refusal(record->failure) ? VERDICT_REFUSED : VERDICT_FAIL;
}

/* What is out of the ordinary about a pass. */
static void note_pass(struct attempt *attempt)
{
    struct record_attempt *record = &attempt->record;

    if (attempt->already)
        record_set_text(record->detail, sizeof record->detail, "already programmed");
    else if (attempt->kept_eeprom != NULL && attempt->kept_from != 0)
        snprintf(record->detail, sizeof record->detail,
                 "EEPROM put back as attempt %lld had saved it", (long long)attempt->kept_from);
    else if (attempt_keeps_unseen(attempt))
        record_set_text(record->detail, sizeof record->detail,
                        "EEPROM kept, but not proved: the lock bits hid it");
}

/* Whoever has the board in hand must know that pressing GO again is no use, whatever the end. */
static void note_door(const struct attempt *attempt, char *detail, size_t detail_bytes)
{
    char text[2 * FAILURE_DETAIL_BYTES];

    if (attempt->door == NULL)
        return;
    snprintf(text, sizeof text, "%s %s: %sthis station cannot reach the board any more%s%s",
             attempt->door, attempt->door_was_read ? "was turned on" : "may have been turned on",
             attempt->door_was_read ? "" : "then ", detail[0] != '\0' ? "; " : "", detail);
    record_set_text(detail, detail_bytes, text);
}

/* A contact that goes behind a door does not come back when the board is put in again. */
static void name_unproved_door(const struct attempt *attempt, struct failure *why)
{
    if (attempt->door != NULL && failure_lookup(why->code)->blame == FAILURE_BLAME_CONTACT)
        why->code = FAILURE_DOOR_UNPROVED;
}

/* Only the log knows that the site may hold a board. */
static void name_cut_door(const struct attempt *attempt, struct failure *why)
{
    const struct log_door *door = attempt->options->cut_at_door;

    if (door == NULL || why->code != FAILURE_NO_BOARD)
        return;
    failure_set(why, FAILURE_BOARD_BEHIND_DOOR,
                "%s; attempt %lld was cut off at this site when it turned on %s: a board that is "
                "still in may be finished, but perhaps for its lock bits; whether its program runs "
                "tells, or a high-voltage programmer",
                why->detail, (long long)door->attempt, door->fuse);
}

static void judge(struct run *run, int result, struct failure *why)
{
    struct record_attempt *record = &run->attempt.record;

    record->ended_at_us = operation_wall_us();
    if (result == 0) {
        record->verdict = VERDICT_PASS;
        note_pass(&run->attempt);
        note_door(&run->attempt, record->detail, sizeof record->detail);
        return;
    }
    if (why->code == FAILURE_NONE)
        failure_set(why, FAILURE_INTERNAL, "step %s failed without a reason",
                    run->table[run->step].name);
    name_unproved_door(&run->attempt, why);
    name_cut_door(&run->attempt, why);
    record->failure = why->code;
    record_set_text(record->detail, sizeof record->detail, why->detail);
    note_door(&run->attempt, record->detail, sizeof record->detail);
    record->verdict = verdict_of_failure(record);
}

/* "cancelled" says little to whoever has the board in hand. */
static void name_interrupted_step(const struct run *run, struct failure *why)
{
    if (why->code == FAILURE_INTERRUPTED)
        failure_set(why, why->code, "stopped at the step %s", run->table[run->step].name);
}

/* A board that fails without its flash, but with fuses that another tool may not expect. */
static void name_owed_flash(const struct attempt *attempt, struct failure *why)
{
    if (attempt->owes_flash && attempt->record.touched >= TOUCHED_FUSED)
        failure_set(
            why, why->code,
            "%s; its clock fuses may be written, its flash is not: put in again, it is done "
            "again",
            why->detail);
}

/* Ends the session on the way out; when even that fails, the detail says so as well, but gives no
 * reason twice. */
static void release_target(struct run *run, struct failure *why)
{
    struct failure failure = {0};
    char detail[FAILURE_DETAIL_BYTES];

    if (attempt_let_go(&run->attempt, &failure) == 0)
        return;
    record_set_text(detail, sizeof detail, why->detail);
    if (failure.code == why->code)
        failure_set(why, why->code, "%s; for this the target may not be released either", detail);
    else
        failure_set(why, why->code, "%s; the target may not be released: %s", detail,
                    failure.detail);
}

/* Behind what befell the log: how far the board got, for whoever has it in hand. */
static void add_how_far(const struct attempt *attempt, struct failure *failure)
{
    const struct record_attempt *record = &attempt->record;
    char board[FAILURE_DETAIL_BYTES] = "";

    if (record->failure != FAILURE_NONE && record->failure != FAILURE_LOG)
        record_set_text(board, sizeof board, record->detail);
    else
        note_door(attempt, board, sizeof board);
    if (board[0] != '\0')
        failure_set(failure, failure->code, "%s; %s", failure->detail, board);
}

static void push_unknown(const struct run *run, const struct failure *failure)
{
    struct station_event event = {.kind = STATION_EVENT_UNKNOWN,
                                  .site = run->attempt.record.site,
                                  .cycle = run->attempt.record.cycle,
                                  .failure = *failure,
                                  .record = run->attempt.record};

    add_how_far(&run->attempt, &event.failure);
    event.record.failure = event.failure.code;
    record_set_text(event.record.detail, sizeof event.record.detail, event.failure.detail);
    event_queue_push(run->attempt.options->events, &event);
}

static void add_risks(struct record_attempt *record, const struct profile *profile)
{
    _Static_assert(RECORD_RISKS_MAX == PROFILE_RISKS_MAX, "the log keeps each risk");
    for (size_t i = 0; i < profile->risk_count; i++) {
        struct record_risk *risk = &record->risks[i];

        record_set_text(risk->rule, sizeof risk->rule, profile->risks[i].rule);
        record_set_text(risk->because, sizeof risk->because, profile->risks[i].because);
    }
    record->risk_count = (int)profile->risk_count;
}

static void fill_record(struct attempt *attempt)
{
    struct record_attempt *record = &attempt->record;
    const struct profile *profile = attempt->profile;
    const struct part *part = attempt->part;

#define FILL(field, text) record_set_text(record->field, sizeof record->field, text)
    FILL(programmer_firmware, attempt->programmer->firmware);
    FILL(profile, profile->name);
    FILL(article, profile->article);
    FILL(revision, profile->revision);
    FILL(profile_sha256, profile->sha256);
    FILL(image_sha256, profile->image_sha256);
    FILL(part, part->name);
    FILL(part_sha256, part->sha256);
    FILL(verification, "none");
#undef FILL
    add_risks(record, profile);
    record_set_signature(record->expected_signature, part->signature);
    /* Where SCK is chosen, each session has its own. */
    record->sck_hz = attempt->programmer->driver->sck_hz != 0 ? attempt->programmer->sck_hz : 0;
    record->started_at_us = operation_wall_us();
}

static int start(struct run *run, struct failure *why)
{
    struct attempt *attempt = &run->attempt;

    run->began_us = operation_now_us();
    run->table = attempt_step_table(&run->step_count);
    fill_record(attempt);
    attempt->gate = fuse_gate_create(attempt->profile);
    if (attempt->gate == NULL)
        return failure_set(why, FAILURE_OUT_OF_MEMORY, "the fuse gate");
    return 0;
}

/* What the log says of the EEPROM; a log that fails here is found so when the row is closed. */
static void settle_eeprom(struct run *run, struct failure *why)
{
    if (!log_failed(run))
        (void)attempt_settle_eeprom(&run->attempt, why, &run->log_fault);
}

/* -1: the log failed, and nobody knows the verdict. */
static int close_row(struct run *run)
{
    struct attempt *attempt = &run->attempt;
    bool opened = attempt->record.attempt != 0;

    if (!log_failed(run) &&
        log_close_attempt(attempt->options->log, &attempt->record, opened ? NULL : run->ended,
                          opened ? 0 : run->ended_count, &run->log_fault) == 0)
        return 0;
    attempt->record.verdict = VERDICT_NONE;
    push_unknown(run, &run->log_fault);
    return -1;
}

int attempt_run(const struct attempt_options *options, struct record_attempt *result,
                struct failure *failure)
{
    struct run run = {.attempt = {.options = options,
                                  .plan = options->plan,
                                  .profile = options->plan->profile,
                                  .part = options->plan->profile->part,
                                  .programmer = options->programmer,
                                  .record = options->record}};
    struct failure why = {0};
    int status = start(&run, &why);

    if (status == 0)
        status = run_steps(&run, &why);
    if (status == 0 && !attempt_is_proved(&run.attempt))
        status = failure_set(&why, FAILURE_INTERNAL, "all steps ended, but not all was read back");
    if (status < 0) {
        name_interrupted_step(&run, &why);
        name_owed_flash(&run.attempt, &why);
        release_target(&run, &why);
    }
    settle_eeprom(&run, &why);
    judge(&run, status, &why);
    status = close_row(&run);
    if (status < 0 && failure != NULL)
        *failure = run.log_fault;
    *result = run.attempt.record;
    fuse_gate_free(run.attempt.gate);
    free(run.attempt.kept_eeprom);
    free(run.attempt.found_eeprom);
    free(run.ended);
    return status;
}

enum attempt_presence attempt_look(struct programmer *programmer, const struct plan *plan,
                                   const atomic_bool *cancel, struct failure *failure)
{
    struct operation operation = {.deadline_us = operation_now_us() + LOOK_DEADLINE_US,
                                  .cancel = cancel};
    struct failure why = {0};
    struct failure ending = {0};
    uint8_t signature[3];
    int looked = attempt_begin_look(programmer, plan, &operation, &why);

    if (looked == 0)
        looked = programmer_identify(programmer, signature, &operation, &why);
    if (programmer_release(programmer, &ending) < 0 && looked == 0) {
        looked = -1;
        why = ending;
    }
    if (failure != NULL)
        *failure = why;
    if (looked == 0)
        return ATTEMPT_BOARD_PRESENT;
    if (failure_finds_nobody(why.code) || why.code == FAILURE_CONTACT_LOST ||
        why.code == FAILURE_INTERRUPTED)
        return ATTEMPT_BOARD_ABSENT;
    /* Something is in the site, if not well: an attempt will say what. */
    if (why.code == FAILURE_CONTACT_UNSTABLE ||
        failure_lookup(why.code)->blame == FAILURE_BLAME_BOARD)
        return ATTEMPT_BOARD_PRESENT;
    return ATTEMPT_PROGRAMMER_FAILED;
}
