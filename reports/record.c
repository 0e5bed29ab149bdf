#include "reports/record.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "reports/text.h"

#define COUNT_OF(array) ((int)(sizeof(array) / sizeof(array)[0]))

static const char *const verdict_names[] = {
    [VERDICT_NONE] = "none",
    [VERDICT_PASS] = "pass",
    [VERDICT_FAIL] = "fail",
    [VERDICT_REFUSED] = "refused",
    [VERDICT_UNVERIFIED] = "unverified",
    [VERDICT_EMPTY] = "empty",
    [VERDICT_INTERRUPTED] = "interrupted",
};

static const char *const touched_names[] = {
    [TOUCHED_NONE] = "none",   [TOUCHED_ERASED] = "erased", [TOUCHED_WRITTEN] = "written",
    [TOUCHED_FUSED] = "fused", [TOUCHED_LOCKED] = "locked",
};

static const char *const decision_names[] = {
    [FUSE_DECISION_WRITTEN] = "written",   [FUSE_DECISION_ALREADY] = "already",
    [FUSE_DECISION_ACCEPTED] = "accepted", [FUSE_DECISION_LEFT] = "left",
    [FUSE_DECISION_REFUSED] = "refused",   [FUSE_DECISION_UNKNOWN] = "unknown",
};

static const struct record_step_fact steps[] = {
    {"attach", TOUCHED_NONE, false},    {"identify", TOUCHED_NONE, false},
    {"read", TOUCHED_NONE, false},      {"speed", TOUCHED_NONE, false},
    {"compare", TOUCHED_NONE, false},   {"keep", TOUCHED_NONE, false},
    {"open", TOUCHED_NONE, false},      {"erase", TOUCHED_ERASED, false},
    {"clock", TOUCHED_FUSED, false},    {"flash", TOUCHED_WRITTEN, false},
    {"eeprom", TOUCHED_WRITTEN, false}, {"verify", TOUCHED_NONE, false},
    {"fuses", TOUCHED_FUSED, false},    {"reenter", TOUCHED_NONE, false},
    {"recheck", TOUCHED_NONE, false},   {"doors", TOUCHED_FUSED, true},
    {"lock", TOUCHED_LOCKED, false},    {"last-doors", TOUCHED_FUSED, true},
    {"release", TOUCHED_NONE, false},
};

static const char *name_at(const char *const names[], int count, unsigned index,
                           const char *otherwise)
{
    return index < (unsigned)count ? names[index] : otherwise;
}

const char *verdict_name(enum verdict verdict)
{
    return name_at(verdict_names, COUNT_OF(verdict_names), (unsigned)verdict, "none");
}

const char *touched_name(enum touched touched)
{
    return name_at(touched_names, COUNT_OF(touched_names), (unsigned)touched, "none");
}

const char *fuse_decision_name(enum fuse_decision decision)
{
    return name_at(decision_names, COUNT_OF(decision_names), (unsigned)decision, "unknown");
}

int verdict_by_name(const char *name)
{
    for (int i = 0; name != NULL && i < COUNT_OF(verdict_names); i++) {
        if (strcmp(verdict_names[i], name) == 0) {
            return i;
        }
    }
    return -1;
}

const struct record_step_fact *record_step_table(int *count)
{
    *count = COUNT_OF(steps);
    return steps;
}

int record_step_index(const char *name)
{
    for (int i = 0; name != NULL && i < COUNT_OF(steps); i++) {
        if (strcmp(steps[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

void record_set_text(char *field, size_t field_bytes, const char *text)
{
    text_copy(field, field_bytes, text);
}

void record_time_text(int64_t wall_us, char text[RECORD_TIME_BYTES])
{
    int64_t fraction_us = wall_us % 1000000;
    if (fraction_us < 0) {
        fraction_us += 1000000;
    }
    time_t seconds = (time_t)((wall_us - fraction_us) / 1000000);
    struct tm utc;
    char date[RECORD_TIME_BYTES];
    if (gmtime_r(&seconds, &utc) == NULL ||
        strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &utc) == 0) {
        text_copy(text, RECORD_TIME_BYTES, "?");
        return;
    }
    (void)snprintf(text, RECORD_TIME_BYTES, "%.23s.%06uZ", date, (unsigned)fraction_us % 1000000U);
}

void record_set_signature(char field[12], const uint8_t signature[3])
{
    (void)snprintf(field, 12, "%02X %02X %02X", signature[0], signature[1], signature[2]);
}
