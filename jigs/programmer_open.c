/* Opening a programmer: claiming it with a new instance, and again when its answer may be late,
 * or it has left for a moment. */
#include <stddef.h>

#include "jigs/programmer.h"

/* Drivers of serial programmers look for them about as long themselves, for the sake of Arduinos
 * that were reset; so their silence is believed the first time. */
#define LOOK_US 4000000
/* What has answered, if only with an old answer, is there. The last of such claims ends a few
 * seconds after this: about ten in all, which an operator may be let wait. */
#define ANSWERED_US 6000000
/* At least, however long each took: the machine may be under load. */
#define ANSWERED_TRIES 3
#define OUT_OF_STEP_TRIES 2
#define PAUSE_US 100000

struct tries {
    int64_t begun_us;
    int count;
    bool answered; /* in any of them… */
    bool answers;  /* …in the last one */
    bool gone;     /* it was opened in one of them, and left */
};

static int open_once(const struct programmer_driver *driver,
                     const struct programmer_settings *settings, int *owed_value,
                     struct tries *tries, const struct operation *operation,
                     struct programmer **programmer, struct failure *failure)
{
    struct programmer *made = programmer_create(driver);
    int result;

    *programmer = NULL;
    if (made == NULL)
        return failure_set(failure, FAILURE_OUT_OF_MEMORY, "a programmer");
    made->owed_value = *owed_value;
    result = programmer_claim(made, settings, operation, failure);
    tries->count++;
    tries->answers = made->answered;
    tries->answered |= made->answered;
    if (result == 0) {
        *programmer = made;
        return 0;
    }
    *owed_value = made->owed_value;
    programmer_destroy(made);
    return -1;
}

int programmer_open(const struct programmer_driver *driver,
                    const struct programmer_settings *settings, int *owed_value,
                    const struct operation *operation, struct programmer **programmer,
                    struct failure *failure)
{
    struct tries tries = {0};

    return open_once(driver, settings, owed_value, &tries, operation, programmer, failure);
}

/* A TCP server that refuses has the same code, but nothing was there. */
static bool has_left(const struct tries *tries, const struct programmer_settings *settings,
                     const struct failure *failure)
{
    return failure->code == FAILURE_PROGRAMMER_GONE &&
           (tries->answers || settings->place.kind != PLACE_TCP);
}

/* One that has left may be on its way back: its place comes first, then the right to open it. */
static bool may_be_back(const struct tries *tries, const struct failure *failure)
{
    return tries->gone &&
           (failure->code == FAILURE_PROGRAMMER_GONE || failure->code == FAILURE_PLACE_MISSING ||
            failure->code == FAILURE_PLACE_DENIED);
}

/* A wrong or refused answer is none of these. */
static bool may_be_late(const struct tries *tries, const struct failure *failure)
{
    return failure->code == FAILURE_PROGRAMMER_SILENT ||
           failure->code == FAILURE_PROGRAMMER_OUT_OF_STEP ||
           failure->code == FAILURE_PROGRAMMER_STALLED || may_be_back(tries, failure);
}

static bool is_worth_another(const struct tries *tries, const struct failure *failure)
{
    int64_t taken_us = operation_now_us() - tries->begun_us;
    bool out_of_step = failure->code == FAILURE_PROGRAMMER_OUT_OF_STEP;
    bool was_there = tries->answered || tries->gone || out_of_step;

    if (!may_be_late(tries, failure))
        return false;
    if (tries->answers && tries->count < ANSWERED_TRIES)
        return true;
    if (out_of_step && tries->count < OUT_OF_STEP_TRIES)
        return true;
    return taken_us < (was_there ? ANSWERED_US : LOOK_US);
}

static int fail_at_last(const struct tries *tries, const struct failure *cause,
                        struct failure *failure)
{
    int64_t taken_us = operation_now_us() - tries->begun_us;
    /* The jig file did not name a wrong place. */
    bool missed = tries->gone && cause->code == FAILURE_PLACE_MISSING;

    if (!may_be_late(tries, cause))
        return failure_set(failure, cause->code, "%s", cause->detail);
    return failure_set(failure, missed ? FAILURE_PROGRAMMER_GONE : cause->code,
                       "%s; looked for %.1f s%s", cause->detail, (double)taken_us / 1e6,
                       tries->answered ? ", and it had answered before"
                       : tries->gone   ? ", and it had been there before"
                                       : "");
}

int programmer_open_patiently(const struct programmer_driver *driver,
                              const struct programmer_settings *settings, int *owed_value,
                              const struct operation *operation, struct programmer **programmer,
                              struct failure *failure)
{
    struct tries tries = {.begun_us = operation_now_us()};

    for (;;) {
        struct failure cause = {0};

        if (open_once(driver, settings, owed_value, &tries, operation, programmer, &cause) == 0)
            return 0;
        tries.gone |= has_left(&tries, settings, &cause);
        if (!is_worth_another(&tries, &cause))
            return fail_at_last(&tries, &cause, failure);
        if (operation_sleep_us(operation, PAUSE_US, failure) != 0)
            return -1;
    }
}
