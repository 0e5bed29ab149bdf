#include "station/jig_session.h"

#include <stdio.h>
#include <stdlib.h>

#include "station/data_paths.h"
#include "station/site_list.h"

/* Opening a port resets many an Arduino, whose bootloader then takes two seconds of its own. */
#define CLAIM_TIME_US 30000000

static int start_bench(struct jig_session *session, struct failure *failure)
{
    const struct jig_config *config = session->config;
    char *program = data_paths_program("simbench");
    if (program == NULL)
        return failure_set(failure, FAILURE_OUT_OF_MEMORY, "out of memory");
    const struct bench_process_options options = {
        .program = program,
        .parts_directory = session->job.parts_directory,
        .pace = config->bench_pace,
        .record = config->bench_record,
    };
    int result = bench_process_start(&options, session->job.jig, &session->bench, failure);
    free(program);
    return result;
}

static int check_bench_options(const struct jig_session *session, struct failure *failure)
{
    const struct jig_config *config = session->config;
    const struct jig *jig = session->job.jig;
    bool simulated = jig != NULL && jig->bench.simulated;
    if (config->bench != NULL && !simulated)
        return failure_set(failure, FAILURE_USAGE, "--bench: jig %s is no simulated bench",
                           jig->name);
    if (!simulated && (config->bench_pace != NULL || config->bench_record != NULL))
        return failure_set(failure, FAILURE_USAGE,
                           "--bench-pace and --bench-record are for simulated benches");
    return 0;
}

int jig_session_open(struct jig_session *session, const struct jig_config *config,
                     const char *typed, struct failure *failure)
{
    *session = (struct jig_session){.config = config};
    if (job_load(NULL, typed, &session->job, failure) != 0 ||
        check_bench_options(session, failure) != 0)
        return -1;
    if (typed != NULL &&
        site_list_parse(config->sites, session->job.jig, session->site_wanted, failure) != 0)
        return -1;
    if (interrupt_begin(&session->interrupt, failure) != 0)
        return -1;
    if (typed == NULL || !session->job.jig->bench.simulated)
        return 0;
    return start_bench(session, failure);
}

int jig_session_close(struct jig_session *session, struct failure *failure)
{
    int result = bench_process_stop(session->bench, failure);
    interrupt_end(session->interrupt);
    job_free(&session->job);
    session->bench = NULL;
    session->interrupt = NULL;
    return result;
}

static int list_bench(const struct jig *jig, struct programmer_found **found, size_t *count,
                      struct failure *failure)
{
    *count = 0;
    *found = calloc(jig->site_count + 1, sizeof(**found));
    if (*found == NULL)
        return failure_set(failure, FAILURE_OUT_OF_MEMORY, "out of memory");
    for (size_t i = 0; i < jig->site_count; i++) {
        const struct jig_site *site = &jig->sites[i];
        (*found)[i] = (struct programmer_found){
            .driver = programmer_driver_by_name(site->programmer),
            .place = site->place,
            .baud = site->baud,
            .by_id = true,
            .lasting = true,
        };
        (void)snprintf((*found)[i].description, sizeof((*found)[i].description), "simulated: %s",
                       site->model);
    }
    *count = jig->site_count;
    return 0;
}

int jig_session_list(const struct jig_session *session, struct programmer_found **found,
                     size_t *count, struct failure *failure)
{
    return session->bench != NULL ? list_bench(session->job.jig, found, count, failure)
                                  : programmer_list(found, count, failure);
}

int jig_session_check(const struct jig_session *session, struct failure *failure)
{
    const struct operation operation = jig_session_operation(session, CLAIM_TIME_US);
    return operation_check(&operation, failure);
}

struct operation jig_session_operation(const struct jig_session *session, int64_t duration_us)
{
    return (struct operation){.deadline_us = operation_now_us() + duration_us,
                              .cancel = interrupt_flag(session->interrupt)};
}

int jig_session_claim(const struct jig_session *session, const struct programmer_driver *driver,
                      const struct place *place, unsigned baud, struct programmer **programmer,
                      struct failure *failure)
{
    const struct programmer_settings settings = {.place = *place, .baud = baud};
    const struct operation operation = jig_session_operation(session, CLAIM_TIME_US);
    int owed_value = -1;
    return programmer_open_patiently(driver, &settings, &owed_value, &operation, programmer,
                                     failure);
}

/* Somebody else may be there. */
static bool may_be_another(const struct failure *failure)
{
    return failure->code == FAILURE_PROGRAMMER_SILENT ||
           failure->code == FAILURE_PROGRAMMER_UNKNOWN ||
           failure->code == FAILURE_PROGRAMMER_OUT_OF_STEP;
}

/* Once only: of the many that may be there, each is asked. */
static int claim_once(const struct jig_session *session, const struct programmer_driver *driver,
                      const struct programmer_found *found, struct programmer **programmer,
                      struct failure *failure)
{
    const struct programmer_settings settings = {.place = found->place, .baud = found->baud};
    const struct operation operation = jig_session_operation(session, CLAIM_TIME_US);
    int owed_value = -1;
    return programmer_open(driver, &settings, &owed_value, &operation, programmer, failure);
}

int jig_session_ask(const struct jig_session *session, struct programmer_found *found,
                    struct programmer **programmer, struct failure *failure)
{
    size_t count = 0;
    const struct programmer_driver *const *drivers = programmer_drivers(&count);
    struct failure trouble = {0};
    if (found->by_id)
        return jig_session_claim(session, found->driver, &found->place, found->baud, programmer,
                                 failure);
    if (claim_once(session, found->driver, found, programmer, failure) == 0)
        return 0;
    for (size_t i = 0; i < count && may_be_another(failure); i++) {
        if (drivers[i]->link != PROGRAMMER_STREAM || drivers[i] == found->driver)
            continue;
        if (claim_once(session, drivers[i], found, programmer, &trouble) == 0) {
            found->driver = drivers[i];
            *failure = (struct failure){0};
            return 0;
        }
        if (!may_be_another(&trouble)) {
            *failure = trouble;
            return -1;
        }
    }
    return -1;
}
