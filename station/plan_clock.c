#include "station/plan_clock.h"

#include <inttypes.h>

#include "profiles/profile_clock.h"

int64_t plan_sck_hz(const struct plan *plan, struct part_clock clock)
{
    const struct programmer_driver *driver = plan->driver;
    int64_t sck_hz = part_clock_safe_sck_hz(plan->profile->part, clock.hz);

    if (driver->sck_hz != 0)
        return driver->sck_hz;
    if (sck_hz < driver->sck_slowest_hz)
        return driver->sck_slowest_hz;
    return sck_hz < driver->sck_fastest_hz ? sck_hz : driver->sck_fastest_hz;
}

void plan_find_clocks(struct plan *plan)
{
    const struct profile *profile = plan->profile;

    plan->board_hz = profile_board_hz(profile);
    plan->new_clock = part_clock_of_new(profile->part, plan->board_hz);
    plan->done_clock = profile_done_clock(profile);
    plan->new_sck_hz = plan_sck_hz(plan, plan->new_clock);
    plan->done_sck_hz = plan_sck_hz(plan, plan->done_clock);
}

/* Whose clock, and what the engineer can do about it. */
struct owner {
    const char *whose, *advice;
};

static int check_clock(const struct plan *plan, struct part_clock clock, const struct owner *owner,
                       struct failure *failure)
{
    const struct programmer_driver *driver = plan->driver;
    const struct part *part = plan->profile->part;
    const char *at = clock.exact ? "at" : "that may be as slow as";
    int64_t safe_hz = part_clock_safe_sck_hz(part, clock.hz);

    if (clock.hz == 0)
        return 0;
    if (driver->sck_hz == 0 && driver->sck_slowest_hz > safe_hz)
        return failure_set(failure, FAILURE_PLAN_REFUSED,
                           "programmer %s clocks SCK at %" PRId64 " Hz at least, a part %s %" PRId64
                           " Hz (%s) takes %" PRId64 " Hz at most%s",
                           driver->name, driver->sck_slowest_hz, at, clock.hz, owner->whose,
                           safe_hz, owner->advice);
    if (driver->sck_hz != 0 && !part_clock_takes_sck(part, clock.hz, driver->sck_hz))
        return failure_set(failure, FAILURE_PLAN_REFUSED,
                           "programmer %s clocks SCK at %" PRId64 " Hz, a part %s %" PRId64
                           " Hz (%s) takes less than %" PRId64 " Hz%s",
                           driver->name, driver->sck_hz, at, clock.hz, owner->whose,
                           part_clock_sck_limit_hz(part, clock.hz), owner->advice);
    return 0;
}

/* A clock that a board comes with and that is only known to be so fast at least may be fast enough:
 * each board is looked at. But none is written a clock with which the next try may not find it. */
int plan_check_sck(const struct plan *plan, struct failure *failure)
{
    static const struct owner new_board = {"as it leaves the factory",
                                           "; do it with a programmer whose SCK is slower"};
    static const struct owner known = {"with the profile's fuses",
                                       "; give fuses for a faster clock, or do it with a "
                                       "programmer whose SCK is slower"};
    static const struct owner not_said = {"with the profile's fuses",
                                          "; say the board's clock (board: {clock: ...}), or do it "
                                          "with a programmer whose SCK is slower"};
    bool may_say = !plan->done_clock.exact && plan->board_hz == 0;

    if (plan->new_clock.exact && check_clock(plan, plan->new_clock, &new_board, failure) < 0)
        return -1;
    return check_clock(plan, plan->done_clock, may_say ? &not_said : &known, failure);
}

static void print_frequency(int64_t hz, FILE *out)
{
    char text[PART_CLOCK_TEXT_BYTES];

    part_clock_text(hz, text);
    fputs(text, out);
}

static void print_board(const char *which, struct part_clock clock, int64_t sck_hz, FILE *out)
{
    fprintf(out, "       %s: ", which);
    if (clock.hz == 0) {
        fputs("its clock is not known (the profile may say it, board: clock), so SCK is ", out);
    } else {
        fputs(clock.exact ? "" : "at least ", out);
        print_frequency(clock.hz, out);
        fputs(", SCK at most ", out);
    }
    print_frequency(sck_hz, out);
    fputs("\n", out);
}

void plan_print_sck(const struct plan *plan, FILE *out)
{
    if (plan->driver->sck_hz != 0)
        return;
    fputs("     SCK by the clock that its fuses give the board:\n", out);
    print_board("a new board", plan->new_clock, plan->new_sck_hz, out);
    print_board("with the profile's fuses", plan->done_clock, plan->done_sck_hz, out);
}
