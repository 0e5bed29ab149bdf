#include "station/flash_run.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "jigs/operation.h"
#include "profiles/fuse_rules.h"
#include "station/bench_process.h"
#include "station/command.h"
#include "station/command_check.h"
#include "station/data_paths.h"
#include "station/identity.h"
#include "station/line_input.h"
#include "station/plan_sites.h"
#include "station/site_list.h"
#include "station/sites_out.h"
#include "station/summary.h"

/* How long the loop sleeps when nothing happens: a screen that was drawn a moment ago may have
 * something to add, plain lines tell how far the work has come. */
#define TICK_MS 100

struct run {
    const struct flash_config *config;
    struct job job;
    struct plan_refusals refusals;
    bool site_wanted[JIG_SITES_MAX];
    char *log_path;
    const char *operator_name;
    struct log *log;
    int64_t lot_count;
    int64_t lot_passed;
    struct log_door cut_at_door[JIG_SITES_MAX]; /* by jig site */
    int64_t left_in[JIG_SITES_MAX]; /* by jig site: attempts whose boards an earlier run left in */
    struct event_queue *events;
    struct bench_process *bench; /* NULL: real hardware */
    struct scheduler *scheduler;
    struct summary *summary;
    struct cause_tally causes;
    struct view_run view_run;
    struct view *view;
    int signals; /* descriptor */
    struct line_input input;
    enum site_state states[JIG_SITES_MAX + 1]; /* by site number */
    bool go_posted;                            /* and neither its cycle nor a refusal came yet */
    int starting; /* sites of a cycle that have not said yet that they work */
    bool stopped;
    bool asked_to_stop; /* it was stopped by an operator, or by a signal */
    bool ended;
    bool programmer_failed; /* some board did not pass for it, which is no fault of the board */
    struct failure fault;   /* what stopped the run, if not an operator */
};

/* ------------------------------------------------------------------ commands */

static void tell(const struct run *run, const char *text)
{
    struct station_event event = {.kind = STATION_EVENT_MESSAGE};
    (void)snprintf(event.text, sizeof(event.text), "%s", text);
    event_queue_push(run->events, &event);
}

static void stop(struct run *run, const char *why)
{
    if (run->stopped) {
        tell(run, "already stopping: waiting until every board is released and logged");
        return;
    }
    run->stopped = true;
    tell(run, why);
    /* Should the log fail here, its faulted callback tells everybody. */
    (void)log_add_event(run->log, "run-stopped", why, NULL);
    scheduler_post_stop(run->scheduler);
}

static void stop_as_asked(struct run *run)
{
    run->asked_to_stop = true;
    if (run->scheduler != NULL) /* else the run is over already */
        stop(run, "stopping: every board is released and logged");
}

static void end(struct run *run)
{
    if (run->ended || run->stopped)
        return;
    run->ended = true;
    tell(run, "no more boards: the run ends when those in work are finished");
    scheduler_post_end(run->scheduler);
}

static void go(struct run *run)
{
    run->go_posted = true;
    scheduler_post_go(run->scheduler);
}

/* ------------------------------------------------------------------ what arrives */

static bool reads_lines(const struct run *run)
{
    return run->view->read_key == NULL && run->config->go == SCHEDULER_GO_ENTER && !run->ended &&
           !run->stopped;
}

static bool is_claiming(const struct run *run)
{
    for (size_t i = 0; i < run->job.jig->site_count; i++)
        if (run->site_wanted[i] && run->states[run->job.jig->sites[i].site] == SITE_CLAIMING)
            return true;
    return false;
}

/* Lines that come from no terminal are taken one per cycle: the next when the boards of the last
 * are out. A person at a terminal may press at any time, once the programmers are open. */
static bool may_press(const struct run *run)
{
    if (is_claiming(run))
        return false;
    if (isatty(STDIN_FILENO))
        return true;
    bool armed = false;
    for (size_t i = 0; i < run->job.jig->site_count; i++) {
        enum site_state state = run->states[run->job.jig->sites[i].site];
        if (!run->site_wanted[i])
            continue;
        bool held = state == SITE_HELD && !run->config->retest;
        if (state == SITE_WORKING || state == SITE_WAITING || held)
            return false;
        armed = armed || state == SITE_ARMED || state == SITE_HELD;
    }
    return armed && !run->go_posted && run->starting == 0;
}

static void take_line(struct run *run)
{
    if (!line_input_has_line(&run->input)) {
        if (run->input.ended)
            end(run);
    } else if (may_press(run)) {
        if (line_input_take(&run->input))
            go(run);
        else
            end(run);
    }
}

static void take_keys(struct run *run)
{
    for (;;) {
        switch (run->view->read_key(run->view)) {
        case VIEW_KEY_GO:
            go(run);
            break;
        case VIEW_KEY_END:
            end(run);
            break;
        case VIEW_KEY_STOP:
            stop_as_asked(run);
            break;
        case VIEW_KEY_NONE:
            return;
        }
    }
}

static void take_signals(struct run *run)
{
    struct signalfd_siginfo info;
    while (read(run->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo != SIGWINCH)
            stop_as_asked(run);
        else if (run->view->resize != NULL)
            run->view->resize(run->view);
    }
}

static void check_bench(struct run *run)
{
    if (run->fault.code != FAILURE_NONE || bench_process_check(run->bench, &run->fault) == 0)
        return;
    stop(run, "the simulated bench has died");
}

static void note_event(struct run *run, const struct station_event *event)
{
    switch (event->kind) {
    case STATION_EVENT_SITE:
        run->states[event->site] = event->state;
        if (event->state == SITE_WORKING && run->starting > 0)
            run->starting--;
        break;
    case STATION_EVENT_CYCLE:
        run->go_posted = false;
        run->starting += event->sites_taking_part;
        break;
    case STATION_EVENT_MESSAGE:
        if (event->site == 0) /* perhaps that no site can start */
            run->go_posted = false;
        break;
    case STATION_EVENT_VERDICT:
        if (command_status_of(event->record.failure) == COMMAND_BENCH_FAULT)
            run->programmer_failed = true;
        break;
    case STATION_EVENT_LOG_FAULT:
        run->fault = event->failure;
        if (run->scheduler != NULL)
            scheduler_post_log_fault(run->scheduler);
        break;
    default:
        break;
    }
    cause_tally_add(&run->causes, event);
    summary_add(run->summary, event);
}

static void show_events(struct run *run)
{
    struct station_event event;
    while (event_queue_pop(run->events, &event)) {
        note_event(run, &event);
        run->view->show(run->view, &event);
    }
    if (run->view->tick != NULL)
        run->view->tick(run->view);
    if (ferror(stdout) && !run->stopped && run->scheduler != NULL)
        stop(run, "stopping: nobody reads the output any more");
}

/* ------------------------------------------------------------------ the loop */

enum { WAIT_EVENTS, WAIT_SIGNALS, WAIT_INPUT, WAIT_BENCH, WAIT_COUNT };

static void wait_and_take(struct run *run)
{
    bool by_line = reads_lines(run);
    bool has_line = by_line && line_input_has_line(&run->input);
    bool by_key = run->view->read_key != NULL;
    bool bench_lives = run->bench != NULL && run->fault.code == FAILURE_NONE;
    /* poll() passes over descriptors below 0 */
    struct pollfd wanted[WAIT_COUNT] = {
        [WAIT_EVENTS] = {event_queue_descriptor(run->events), POLLIN, 0},
        [WAIT_SIGNALS] = {run->signals, POLLIN, 0},
        [WAIT_INPUT] = {(by_line && !has_line) || by_key ? STDIN_FILENO : -1, POLLIN, 0},
        [WAIT_BENCH] = {bench_lives ? bench_process_descriptor(run->bench) : -1, POLLIN, 0},
    };
    (void)poll(wanted, WAIT_COUNT, has_line && may_press(run) ? 0 : TICK_MS);
    if (wanted[WAIT_SIGNALS].revents != 0)
        take_signals(run);
    if (wanted[WAIT_INPUT].revents != 0 && by_key)
        take_keys(run);
    if (wanted[WAIT_INPUT].revents != 0 && by_line)
        line_input_fill(&run->input);
    if (by_line)
        take_line(run);
    if (wanted[WAIT_BENCH].revents != 0)
        check_bench(run);
}

static void loop(struct run *run)
{
    while (!scheduler_finished(run->scheduler)) {
        wait_and_take(run);
        show_events(run);
    }
    show_events(run);
}

/* ------------------------------------------------------------------ opening */

static int load(struct run *run, struct failure *failure)
{
    const struct flash_config *config = run->config;
    if (job_load(config->profile, config->jig, &run->job, failure) != 0 ||
        site_list_parse(config->sites, run->job.jig, run->site_wanted, failure) != 0)
        return -1;
    if (!run->job.jig->bench.simulated &&
        (config->bench_pace != NULL || config->bench_record != NULL))
        return failure_set(failure, FAILURE_USAGE,
                           "--bench-pace and --bench-record are for simulated benches; jig %s is "
                           "none",
                           run->job.jig->name);
    return 0;
}

/* Signals are taken from a descriptor by the main thread; the threads that are started later
 * inherit the mask. It stays until the program ends, which is right after the run: a second Ctrl-C
 * that waits by then must take away neither the summary nor the exit status. */
static int open_signals(struct run *run, struct failure *failure)
{
    sigset_t wanted;
    (void)sigemptyset(&wanted);
    (void)sigaddset(&wanted, SIGINT);
    (void)sigaddset(&wanted, SIGTERM);
    (void)sigaddset(&wanted, SIGHUP);
    (void)sigaddset(&wanted, SIGWINCH);
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    (void)sigaction(SIGPIPE, &ignore, NULL);
    (void)pthread_sigmask(SIG_BLOCK, &wanted, NULL);
    run->signals = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
    if (run->signals < 0)
        return failure_set(failure, FAILURE_INTERNAL, "signalfd: %s", strerror(errno));
    return 0;
}

static void publish(void *context, const struct record_attempt *record)
{
    const struct run *run = context;
    if (run->scheduler != NULL) /* set before any attempt can be */
        scheduler_publish(run->scheduler, record);
}

static void log_faulted(void *context, const struct failure *failure)
{
    const struct run *run = context;
    const struct station_event event = {.kind = STATION_EVENT_LOG_FAULT, .failure = *failure};
    event_queue_push(run->events, &event);
}

static int bind_lot(struct run *run, struct failure *failure)
{
    const struct flash_config *config = run->config;
    run->lot_count = config->count;
    if (config->lot == NULL)
        return 0;
    if (log_bind_lot(run->log, config->lot, run->job.profile->sha256,
                     run->job.profile->image_sha256, config->count, &run->lot_count,
                     &run->lot_passed, failure) != 0)
        return -1;
    if (run->lot_count > 0 && run->lot_passed >= run->lot_count)
        return failure_set(failure, FAILURE_LOT_REFUSED,
                           "lot %s is complete: %lld of %lld boards have passed", config->lot,
                           (long long)run->lot_passed, (long long)run->lot_count);
    return 0;
}

static int open_log(struct run *run, struct failure *failure)
{
    char station[IDENTITY_STATION_BYTES];
    identity_station_name(station);
    if (data_paths_log(run->config->log, &run->log_path, failure) != 0 ||
        data_paths_make_log_directory(run->config->log, run->log_path, failure) != 0)
        return -1;
    const struct log_options options = {
        .path = run->log_path,
        .station = station,
        .software = COMMAND_SOFTWARE,
        .publish = publish,
        .faulted = log_faulted,
        .context = run,
    };
    if (log_open(&options, &run->log, &run->view_run.recovered, failure) != 0)
        return -1;
    return bind_lot(run, failure);
}

static int open_bench(struct run *run, struct failure *failure)
{
    if (!run->job.jig->bench.simulated)
        return 0;
    char *program = data_paths_program("simbench");
    if (program == NULL)
        return failure_set(failure, FAILURE_OUT_OF_MEMORY, "out of memory");
    const struct bench_process_options options = {
        .program = program,
        .parts_directory = run->job.parts_directory,
        .pace = run->config->bench_pace,
        .record = run->config->bench_record,
    };
    int result = bench_process_start(&options, run->job.jig, &run->bench, failure);
    free(program);
    return result;
}

static int open_view(struct run *run, struct failure *failure)
{
    const struct flash_config *config = run->config;
    int recovered = run->view_run.recovered;
    run->view_run = (struct view_run){
        .profile = run->job.profile,
        .jig = run->job.jig,
        .site_wanted = run->site_wanted,
        .lot = config->lot,
        .operator_name = run->operator_name,
        .log_path = run->log_path,
        .go = config->go,
        .recovered = recovered,
        .causes = &run->causes,
    };
    if (config->json)
        run->view = event_json_open(&run->view_run);
    else if (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO))
        run->view = screen_open(&run->view_run);
    if (run->view == NULL && !config->json)
        run->view = event_text_open(&run->view_run);
    if (run->view == NULL)
        return failure_set(failure, FAILURE_OUT_OF_MEMORY, "out of memory");
    return 0;
}

/* A board of the lot that an earlier run left in is not a new one. The boards of a bench that this
 * run has started are. */
static int find_boards_left_in(struct run *run, struct failure *failure)
{
    const struct jig *jig = run->job.jig;
    if (run->config->lot == NULL || run->bench != NULL)
        return 0;
    for (size_t i = 0; i < jig->site_count; i++) {
        if (run->site_wanted[i] &&
            log_board_left_in(run->log, run->config->lot, jig->name, jig->sites[i].site,
                              &run->left_in[i], failure) != 0)
            return -1;
    }
    return 0;
}

/* Boards that a kill left behind their last door; the same holds of a bench's. */
static int find_doors_cut(struct run *run, struct failure *failure)
{
    const struct jig *jig = run->job.jig;
    for (size_t i = 0; i < jig->site_count && run->bench == NULL; i++) {
        if (run->site_wanted[i] && log_cut_at_door(run->log, jig->name, jig->sites[i].site,
                                                   &run->cut_at_door[i], failure) != 0)
            return -1;
    }
    return 0;
}

/* Who did what, with what, for the auditor. */
static int log_run(const struct run *run, struct failure *failure)
{
    char detail[6 * RECORD_TEXT_BYTES];
    (void)snprintf(detail, sizeof(detail), "profile %s, jig %s, lot %s, operator %s",
                   run->job.profile->name, run->job.jig->name,
                   run->config->lot != NULL ? run->config->lot : "none", run->operator_name);
    return log_add_event(run->log, "run-started", detail, failure);
}

static int open_scheduler(struct run *run, struct failure *failure)
{
    const struct flash_config *config = run->config;
    const struct scheduler_options options = {
        .profile = run->job.profile,
        .jig = run->job.jig,
        .site_wanted = run->site_wanted,
        .go = config->go,
        .lot = config->lot,
        .count = run->lot_count > 0 ? run->lot_count - run->lot_passed : 0,
        .lot_count = run->lot_count,
        .lot_passed = run->lot_passed,
        .retest = config->retest,
        .left_in = run->left_in,
        .cut_at_door = run->cut_at_door,
        .operator_name = run->operator_name,
        .software = COMMAND_SOFTWARE,
        .log = run->log,
        .events = run->events,
        .lamp = run->bench != NULL ? bench_process_lamp : NULL,
        .lamp_context = run->bench,
    };
    if (scheduler_create(&options, &run->scheduler, failure) != 0 || log_run(run, failure) != 0)
        return -1;
    struct station_event started = {.kind = STATION_EVENT_STARTED};
    scheduler_counts(run->scheduler, &started.counts);
    event_queue_push(run->events, &started);
    return scheduler_start(run->scheduler, failure);
}

static int open_all(struct run *run, struct failure *failure)
{
    run->operator_name =
        run->config->operator_name != NULL ? run->config->operator_name : identity_login_name();
    run->events = event_queue_create();
    run->summary = summary_create();
    if (run->events == NULL || run->summary == NULL)
        return failure_set(failure, FAILURE_OUT_OF_MEMORY, "out of memory");
    if (open_signals(run, failure) != 0 || open_log(run, failure) != 0 ||
        open_bench(run, failure) != 0 || find_boards_left_in(run, failure) != 0 ||
        find_doors_cut(run, failure) != 0 || open_view(run, failure) != 0)
        return -1;
    return open_scheduler(run, failure);
}

/* ------------------------------------------------------------------ closing */

static void close_view(struct run *run)
{
    if (run->view != NULL)
        run->view->close(run->view);
    run->view = NULL;
}

/* What stopped the run decides its exit status: a bench that died counts for more than that the run
 * was stopped for it, a log fault for more than either. */
static int exit_status(const struct run *run, int status)
{
    if (run->fault.code != FAILURE_NONE && status != COMMAND_LOG_FAULT)
        return (int)command_status_of(run->fault.code);
    if (status == COMMAND_BOARDS_FAILED && run->programmer_failed)
        return COMMAND_BENCH_FAULT;
    return status;
}

/* Nothing uses the log and the bench any more when the scheduler's threads are gone. */
static void close_work(struct run *run)
{
    struct failure trouble = {0};
    scheduler_destroy(run->scheduler);
    run->scheduler = NULL;
    if (log_close(run->log, &trouble) != 0)
        run->fault = trouble;
    run->log = NULL;
    trouble = (struct failure){0};
    if (bench_process_stop(run->bench, &trouble) != 0 && run->fault.code == FAILURE_NONE)
        run->fault = trouble;
    run->bench = NULL;
}

/* The operator looks at the boards, not at the screen: a verdict that asks for hands is not taken
 * away by the end of the run, but by a key. Whoever asked to stop waits for no screen. */
static void wait_until_seen(struct run *run)
{
    if (run->view->needs_hands == NULL || !run->view->needs_hands(run->view))
        return;
    while (!run->asked_to_stop) {
        struct pollfd wanted[] = {{STDIN_FILENO, POLLIN, 0}, {run->signals, POLLIN, 0}};
        (void)poll(wanted, sizeof(wanted) / sizeof(wanted[0]), TICK_MS);
        if (wanted[1].revents != 0)
            take_signals(run);
        if (wanted[0].revents != 0 &&
            (run->view->read_key(run->view) != VIEW_KEY_NONE || (wanted[0].revents & POLLIN) == 0))
            return;
        run->view->tick(run->view);
    }
}

/* After the loop: what the run came to, told when everything it wrote is safe. */
static int finish(struct run *run)
{
    struct station_event ended = {.kind = STATION_EVENT_ENDED};
    scheduler_counts(run->scheduler, &ended.counts);
    int status = scheduler_exit_status(run->scheduler);
    close_work(run);
    show_events(run);

    ended.at_us = operation_wall_us();
    ended.exit_status = exit_status(run, status);
    ended.failure = run->fault;
    run->view->show(run->view, &ended);
    wait_until_seen(run);
    close_view(run);
    if (!run->config->json)
        summary_print(run->summary, &run->view_run, &ended.counts, stdout);
    if (run->fault.code != FAILURE_NONE)
        (void)command_report(&run->fault);
    return ended.exit_status;
}

static void close_all(struct run *run)
{
    close_work(run);
    close_view(run);
    summary_free(run->summary);
    event_queue_free(run->events);
    if (run->signals >= 0)
        (void)close(run->signals);
    free(run->log_path);
    plan_refusals_free(&run->refusals);
    job_free(&run->job);
}

/* Each site that cannot do the profile, for programs. */
static void show_refusals(const struct run *run)
{
    for (size_t i = 0; i < run->refusals.count; i++) {
        const struct plan_refusal *refusal = &run->refusals.list[i];
        struct station_event event = {.kind = STATION_EVENT_MESSAGE,
                                      .at_us = operation_wall_us(),
                                      .site = refusal->site,
                                      .text = "this site cannot do the profile",
                                      .failure = refusal->failure};
        run->view->show(run->view, &event);
    }
}

/* The run did not start. Programs that read --json are told on standard output, too. */
static int report_refusal(struct run *run, int status, const struct failure *failure)
{
    close_view(run);
    if (run->config->json && (run->view = event_json_open(&run->view_run)) != NULL) {
        show_refusals(run);
        const struct station_event ended = {
            .kind = STATION_EVENT_ENDED,
            .at_us = operation_wall_us(),
            .exit_status = status,
            .failure = *failure,
        };
        run->view->show(run->view, &ended);
    }
    plan_refusals_print(&run->refusals, failure, stderr);
    if (run->summary != NULL)
        summary_print_sites_out(run->summary, stderr);
    (void)command_report(failure);
    return status;
}

/* What nothing breaks is no risk: it is not shown as one, nor logged with boards. */
static int drop_unused_risks(struct run *run, struct failure *failure)
{
    bool all_state_it;
    int64_t supply_mv = plan_lowest_supply_mv(run->job.jig, run->site_wanted, &all_state_it);
    return fuse_rules_drop_unused_risks(run->job.profile, supply_mv, failure);
}

/* Every site that is out is to be mended before the next start, so all of them are named. */
static int fail_unclaimed(const struct run *run, struct failure *failure)
{
    bool is_out[JIG_SITES_MAX] = {false};
    for (size_t i = 0; i < run->job.jig->site_count; i++)
        is_out[i] = run->states[run->job.jig->sites[i].site] == SITE_OUT;
    sites_out_explain(run->job.jig, is_out, run->site_wanted, failure);
    return -1;
}

static int run_boards(struct run *run, int *status, struct failure *failure)
{
    /* What is wrong with the profile itself is said once, not by every site. Every plan is made
     * here before anything is opened; the scheduler makes its own again. */
    if (fuse_rules_judge(run->job.profile, 0, failure) != 0 ||
        plan_check_sites(run->job.profile, run->job.jig, run->site_wanted, &run->refusals,
                         failure) != 0 ||
        drop_unused_risks(run, failure) != 0 || open_all(run, failure) != 0)
        return -1;
    loop(run);
    if (scheduler_refused(run->scheduler, failure) != 0)
        return fail_unclaimed(run, failure);
    *status = finish(run);
    return 0;
}

int flash_run(const struct flash_config *config)
{
    struct failure failure = {0};
    struct run *run = calloc(1, sizeof(*run));
    if (run == NULL) {
        failure_set(&failure, FAILURE_OUT_OF_MEMORY, "out of memory");
        return command_report(&failure);
    }
    run->config = config;
    run->view_run.causes = &run->causes;
    run->signals = -1;

    int status = COMMAND_PASSED;
    if (load(run, &failure) != 0)
        status = report_refusal(run, (int)command_status_of_load(failure.code), &failure);
    else if ((config->dry_run
                  ? command_check_print(&run->job, run->site_wanted, config->json, &failure)
                  : run_boards(run, &status, &failure)) != 0)
        status = report_refusal(run, (int)command_status_of(failure.code), &failure);
    close_all(run);
    free(run);
    return status;
}
