#include "reports/log_rows.h"

#include <inttypes.h>
#include <stdio.h>

#define COUNT_OF(array) ((int)(sizeof(array) / sizeof(array)[0]))

static struct database_value text(const char *value)
{
    return database_text(value == NULL || value[0] == '\0' ? NULL : value);
}

static struct database_value number(int64_t value)
{
    return database_integer(value);
}

static struct database_value number_or_null(int64_t value, int64_t means_null)
{
    return value == means_null ? database_text(NULL) : database_integer(value);
}

static struct database_value failure_text(enum failure_code code)
{
    return text(code == FAILURE_NONE ? NULL : failure_lookup(code)->name);
}

static int add_intent(struct log_chain *chain, int64_t attempt, const struct record_fuse *fuse,
                      struct failure *failure)
{
    const struct database_value row[] = {
        number(attempt),
        database_text(fuse->fuse),
        number_or_null(fuse->found, -1),
        number_or_null(fuse->asked, -1),
    };
    return log_chain_append(chain, LOG_TABLE_FUSE_INTENT, row, COUNT_OF(row), failure);
}

static int add_result(struct log_chain *chain, int64_t attempt, const struct record_fuse *fuse,
                      struct failure *failure)
{
    const struct database_value row[] = {
        number(attempt),
        database_text(fuse->fuse),
        text(fuse_decision_name(fuse->decision)),
        number_or_null(fuse->read_back, -1),
    };
    return log_chain_append(chain, LOG_TABLE_FUSE_RESULT, row, COUNT_OF(row), failure);
}

static int add_risk(struct log_chain *chain, const struct record_attempt *record,
                    const struct record_risk *risk, struct failure *failure)
{
    char detail[sizeof *risk + 64];
    (void)snprintf(detail, sizeof detail, "attempt %" PRId64 ": %s, because: %s", record->attempt,
                   risk->rule, risk->because);
    return log_rows_add_event(chain, record->started_at_us, LOG_RISK_ACCEPTED, detail, failure);
}

static int add_clock_first(struct log_chain *chain, const struct record_attempt *record,
                           struct failure *failure)
{
    char detail[64];
    (void)snprintf(detail, sizeof detail, "attempt %" PRId64 ": clock fuses before the flash",
                   record->attempt);
    return log_rows_add_event(chain, record->started_at_us, LOG_CLOCK_FIRST, detail, failure);
}

int log_rows_add_opened(struct log_chain *chain, const struct record_attempt *record,
                        struct failure *failure)
{
    const struct database_value row[] = {
        number(record->attempt),
        number_or_null(record->previous_attempt, 0),
        text(record->lot),
        number(record->cycle),
        number(record->site),
        text(record->programmer),
        text(record->programmer_firmware),
        text(record->profile),
        text(record->article),
        text(record->revision),
        text(record->profile_sha256),
        text(record->image_sha256),
        text(record->part),
        text(record->part_sha256),
        text(record->expected_signature),
        text(record->signature),
        text(record->operator_name),
        text(record->purpose),
        number(record->started_at_us),
        text(record->software),
        text(record->jig),
        text(record->jig_sha256),
    };
    if (log_chain_append(chain, LOG_TABLE_ATTEMPT_OPENED, row, COUNT_OF(row), failure) < 0) {
        return -1;
    }
    for (int i = 0; i < record->fuse_count; i++) {
        if (add_intent(chain, record->attempt, &record->fuses[i], failure) < 0) {
            return -1;
        }
    }
    for (int i = 0; i < record->risk_count && record->verdict != VERDICT_EMPTY; i++) {
        if (add_risk(chain, record, &record->risks[i], failure) < 0) {
            return -1;
        }
    }
    return record->clock_first ? add_clock_first(chain, record, failure) : 0;
}

int log_rows_add_closed(struct log_chain *chain, const struct record_attempt *record,
                        struct failure *failure)
{
    const struct database_value row[] = {
        number(record->attempt),
        number(record->ended_at_us),
        text(verdict_name(record->verdict)),
        failure_text(record->failure),
        text(record->detail),
        text(touched_name(record->touched)),
        number_or_null(record->tries, 0),
        text(record->verification),
        text(record->readback_sha256),
        number_or_null(record->sck_hz, 0),
    };
    for (int i = 0; i < record->fuse_count; i++) {
        if (add_result(chain, record->attempt, &record->fuses[i], failure) < 0) {
            return -1;
        }
    }
    return log_chain_append(chain, LOG_TABLE_ATTEMPT_CLOSED, row, COUNT_OF(row), failure);
}

int log_rows_add_step(struct log_chain *chain, int64_t attempt, const struct record_step *step,
                      struct failure *failure)
{
    const struct database_value row[] = {
        number(attempt),           database_text(step->step), number(step->started_at_us),
        number(step->duration_us), number(step->bytes),       failure_text(step->failure),
    };
    return log_chain_append(chain, LOG_TABLE_STEP, row, COUNT_OF(row), failure);
}

int log_rows_add_event(struct log_chain *chain, int64_t at_us, const char *kind, const char *detail,
                       struct failure *failure)
{
    const struct database_value row[] = {number(at_us), database_text(kind), text(detail)};
    return log_chain_append(chain, LOG_TABLE_EVENT, row, COUNT_OF(row), failure);
}

int log_rows_add_lot(struct log_chain *chain, const char *lot, const char *profile_sha256,
                     int64_t count, int64_t bound_at_us, struct failure *failure)
{
    const struct database_value row[] = {
        text(lot),
        text(profile_sha256),
        number(count),
        number(bound_at_us),
    };
    return log_chain_append(chain, LOG_TABLE_LOT, row, COUNT_OF(row), failure);
}
