#include "station/plan_clock.h"

#include <inttypes.h>
#include <string.h>

/* Those values of a byte with which a board can pass, `values` has room for them all; 0: not known.
 * What the profile leaves counts as it leaves the factory. */
static size_t list_outcomes(const struct profile *profile, enum part_memory memory, uint8_t *values)
{
    const struct part_byte *byte = part_byte(profile->part, memory);
    const struct profile_byte_rule *rule = profile_rule(profile, memory);
    size_t count = 0;

    if (rule == NULL || rule->leave) {
        if (byte == NULL || byte->factory_default < 0)
            return 0;
        values[0] = (uint8_t)byte->factory_default;
        return 1;
    }
    values[count++] = rule->write;
    for (size_t i = 0; i < rule->accept_count; i++)
        values[count++] = rule->accept[i];
    return count;
}

/* The slowest clock that a board which passed may have. */
static struct part_clock find_done_clock(const struct profile *profile, int64_t board_hz)
{
    const struct part *part = profile->part;
    enum part_memory first = part->cksel.mask != 0 ? part->cksel.memory : PART_FUSE_LOW;
    enum part_memory second = part->ckdiv8.mask != 0 ? part->ckdiv8.memory : first;
    uint8_t of_first[PROFILE_ACCEPT_MAX + 1], of_second[PROFILE_ACCEPT_MAX + 1];
    uint8_t bytes[PART_FUSE_AND_LOCK_COUNT] = {0};
    size_t first_count, second_count;
    struct part_clock slowest = {INT64_MAX, true};

    if (part->cksel.mask == 0)
        return part_clock_by_fuses(part, bytes, board_hz);
    first_count = list_outcomes(profile, first, of_first);
    second_count = second != first ? list_outcomes(profile, second, of_second) : 1;
    for (size_t i = 0; i < first_count * second_count; i++) {
        if (second != first)
            bytes[second - PART_FIRST_FUSE] = of_second[i % second_count];
        bytes[first - PART_FIRST_FUSE] = of_first[i / second_count];
        slowest = part_clock_slower(slowest, part_clock_by_fuses(part, bytes, board_hz));
    }
    return first_count * second_count > 0 ? slowest : (struct part_clock){0, false};
}

static int64_t find_sck_hz(const struct plan *plan, struct part_clock clock)
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
    /* "internal 8 MHz" says that there is nothing at the clock pins. */
    bool has_oscillator = strncmp(profile->clock_text, "internal", strlen("internal")) != 0;

    plan->board_hz = has_oscillator ? profile->clock_hz : 0;
    plan->new_clock = part_clock_of_new(profile->part, plan->board_hz);
    plan->done_clock = find_done_clock(profile, plan->board_hz);
    plan->new_sck_hz = find_sck_hz(plan, plan->new_clock);
    plan->done_sck_hz = find_sck_hz(plan, plan->done_clock);
}

/* A clock that is only known to be so fast at least may be fast enough. */
static int check_clock(const struct plan *plan, struct part_clock clock, const char *whose,
                       struct failure *failure)
{
    const struct programmer_driver *driver = plan->driver;
    const struct part *part = plan->profile->part;
    int64_t safe_hz = part_clock_safe_sck_hz(part, clock.hz);

    if (clock.hz == 0 || !clock.exact)
        return 0;
    if (driver->sck_hz == 0 && driver->sck_slowest_hz > safe_hz)
        return failure_set(failure, FAILURE_PLAN_REFUSED,
                           "programmer %s clocks SCK at %" PRId64 " Hz at least, a part at %" PRId64
                           " Hz (%s) takes %" PRId64 " Hz at most",
                           driver->name, driver->sck_slowest_hz, clock.hz, whose, safe_hz);
    if (driver->sck_hz != 0 && !part_clock_takes_sck(part, clock.hz, driver->sck_hz))
        return failure_set(failure, FAILURE_PLAN_REFUSED,
                           "programmer %s clocks SCK at %" PRId64 " Hz, a part at %" PRId64
                           " Hz (%s) takes less than %" PRId64 " Hz",
                           driver->name, driver->sck_hz, clock.hz, whose,
                           part_clock_sck_limit_hz(part, clock.hz));
    return 0;
}

int plan_check_sck(const struct plan *plan, struct failure *failure)
{
    if (check_clock(plan, plan->new_clock, "as it leaves the factory", failure) < 0)
        return -1;
    return check_clock(plan, plan->done_clock, "with the profile's fuses", failure);
}

static void print_frequency(int64_t hz, FILE *out)
{
    if (hz >= 1000000)
        fprintf(out, "%g MHz", (double)hz / 1e6);
    else if (hz >= 1000)
        fprintf(out, "%g kHz", (double)hz / 1e3);
    else
        fprintf(out, "%" PRId64 " Hz", hz);
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
