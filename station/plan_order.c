#include "station/plan_order.h"

#include "profiles/fuse_gate.h"
#include "profiles/profile_clock.h"

/* No part runs at more ("Absolute Maximum Ratings" in all of the datasheets: 6 V). */
#define HIGHEST_SUPPLY_MV 5500

void plan_of_profile(const struct profile *profile, struct plan *plan)
{
    *plan = (struct plan){.profile = profile};
    plan->board_hz = profile_board_hz(profile);
    plan->new_clock = part_clock_of_new(profile->part, plan->board_hz);
    plan->done_clock = profile_done_clock(profile);
}

static int64_t supply_mv(const struct plan *plan)
{
    if (plan->profile->supply_mv != 0)
        return plan->profile->supply_mv;
    return plan->site != NULL ? plan->site->supply_mv : HIGHEST_SUPPLY_MV;
}

/* What a try begins with is safe for a clock of so many Hz. */
static int64_t reach_hz(const struct plan *plan)
{
    const struct programmer_driver *driver = plan->driver;
    const struct part *part = plan->profile->part;
    int64_t start_hz = part_clock_slower(plan->new_clock, plan->done_clock).hz;

    if (driver == NULL)
        return start_hz;
    if (driver->sck_hz != 0)
        return part_clock_least_for_sck_hz(part, driver->sck_hz);
    return start_hz != 0 ? start_hz : part_clock_for_slow_sck_hz(part, driver->sck_slowest_hz);
}

static void ask_byte(const struct profile *profile, enum part_memory memory, uint8_t found,
                     struct fuse_order_case *board)
{
    const struct profile_byte_rule *rule = profile_rule(profile, memory);
    int at = (int)memory - PART_FIRST_FUSE;
    uint8_t value;

    board->given[at] = rule != NULL && !rule->leave;
    board->found[at] = board->wanted[at] = memory == PART_LOCK ? UINT8_MAX : found;
    if (!part_byte_is_programmable(profile->part, memory))
        return;
    board->writes[at] =
        fuse_gate_decide(profile, memory, board->found[at], &value) == FUSE_DECISION_WRITTEN;
    if (board->writes[at])
        board->wanted[at] = value;
}

static struct fuse_order_case ask(const struct plan *plan, const uint8_t *found)
{
    const struct profile *profile = plan->profile;
    enum profile_clock_source source = profile->clock_source;
    struct fuse_order_case board = {.part = profile->part,
                                    .has_crystal = source == PROFILE_CLOCK_CRYSTAL ||
                                                   source == PROFILE_CLOCK_RESONATOR,
                                    .has_signal = source == PROFILE_CLOCK_EXTERNAL,
                                    .board_hz = plan->board_hz,
                                    .supply_mv = supply_mv(plan),
                                    .reach_hz = reach_hz(plan)};

    for (enum part_memory memory = PART_FIRST_FUSE; memory <= PART_LOCK; memory++)
        ask_byte(profile, memory, found[memory - PART_FIRST_FUSE], &board);
    return board;
}

/* Is there a byte among the last writes that takes the way in? */
static const char *find_door(const struct fuse_order_case *board, const struct fuse_order *order)
{
    const char *door = NULL;

    for (size_t i = order->before; i < order->count && door == NULL; i++)
        door = fuse_order_door(board->part, order->writes[i],
                               board->wanted[order->writes[i] - PART_FIRST_FUSE]);
    return door;
}

/* The oldest parts hide their signature when they are fully locked, and must be entered anew to
 * show that it is they who do: no door lets them. */
static int check_proof(const struct fuse_order_case *board, const struct fuse_order *order,
                       struct failure *failure)
{
    const char *door = find_door(board, order);
    uint8_t lock = board->wanted[PART_LOCK - PART_FIRST_FUSE];

    if (door == NULL || !programmer_may_hide_signature(board->part) ||
        (lock & part_byte(board->part, PART_LOCK)->mask) != 0)
        return 0;
    return failure_set(failure, FAILURE_NO_SAFE_ORDER,
                       "%s fully locked hides its signature, and with %s on it is not entered "
                       "again: neither could be proved",
                       board->part->name, door);
}

int plan_find_order(const struct plan *plan, const uint8_t found[PART_FUSE_AND_LOCK_COUNT],
                    struct fuse_order *order, struct failure *failure)
{
    struct fuse_order_case board = ask(plan, found);

    if (fuse_order_find(&board, order, failure) < 0)
        return -1;
    return check_proof(&board, order, failure);
}

size_t plan_clock_writes(const struct plan *plan, const uint8_t found[PART_FUSE_AND_LOCK_COUNT],
                         const struct fuse_order *order)
{
    struct fuse_order_case board = ask(plan, found);

    return fuse_order_clock_writes(&board, order);
}

/* False: some byte's is not known. */
static bool list_factory_bytes(const struct part *part, uint8_t bytes[PART_FUSE_AND_LOCK_COUNT])
{
    for (int i = 0; i < PART_FUSE_AND_LOCK_COUNT; i++) {
        if (part->bytes[i].exists && part->bytes[i].factory_default < 0)
            return false;
        bytes[i] = (uint8_t)part->bytes[i].factory_default;
    }
    return true;
}

/* The first byte that acts on the clock and that the profile leaves as found; NULL: none. */
static const char *find_left_clock(const struct profile *profile)
{
    for (enum part_memory memory = PART_FIRST_FUSE; memory < PART_LOCK; memory++) {
        const struct profile_byte_rule *rule = profile_rule(profile, memory);

        if (part_clock_depends_on(profile->part, memory, NULL) && (rule == NULL || rule->leave))
            return part_memory_name(profile->part, memory);
    }
    return NULL;
}

static const char *door_of(const struct profile *profile, enum part_memory memory)
{
    const struct profile_byte_rule *rule = profile_rule(profile, memory);

    return rule == NULL || rule->leave ? NULL : fuse_order_door(profile->part, memory, rule->write);
}

/* A door beside clock fuses is the second of two profiles: the first one gave its boards the clock.
 */
static bool is_second_pass(const struct profile *profile)
{
    for (enum part_memory memory = PART_FIRST_FUSE; memory < PART_LOCK; memory++)
        if (door_of(profile, memory) != NULL && part_clock_depends_on(profile->part, memory, NULL))
            return true;
    return false;
}

int plan_check_new_board(const struct plan *plan, struct failure *failure)
{
    const char *left = find_left_clock(plan->profile);
    uint8_t found[PART_FUSE_AND_LOCK_COUNT];
    struct fuse_order order;
    struct failure why = {0};

    if (is_second_pass(plan->profile) || !list_factory_bytes(plan->profile->part, found) ||
        plan_find_order(plan, found, &order, &why) == 0)
        return 0;
    if (left != NULL)
        return failure_set(failure, FAILURE_PLAN_REFUSED,
                           "each new board would be refused before its erase: %s; fuse %s acts on "
                           "the clock and is left as found: give its value, too",
                           why.detail, left);
    return failure_set(failure, FAILURE_PLAN_REFUSED,
                       "each new board would be refused before its erase: %s", why.detail);
}

void plan_find_order_of_new(const struct plan *plan, struct plan_order *order)
{
    uint8_t found[PART_FUSE_AND_LOCK_COUNT];

    *order = (struct plan_order){.known = list_factory_bytes(plan->profile->part, found)};
    if (order->known && plan_find_order(plan, found, &order->order, &order->refused) < 0)
        order->order.count = 0;
}

const char *plan_door(const struct plan *plan, enum part_memory memory)
{
    return door_of(plan->profile, memory);
}

void plan_print_order(const struct plan *plan, const char *indent, FILE *out)
{
    const struct part *part = plan->profile->part;
    struct plan_order order;
    bool reachable = true;

    plan_find_order_of_new(plan, &order);
    if (order.refused.code != FAILURE_NONE)
        fprintf(out, "%sa new board is refused before the erase: %s\n", indent,
                order.refused.detail);
    for (size_t i = 0; i < order.order.count; i++) {
        enum part_memory memory = order.order.writes[i];

        reachable = reachable && plan_door(plan, memory) == NULL;
        if (i == 0)
            fprintf(out, "%sorder on a new board%s:", indent,
                    reachable ? ", which can be reached after each" : "");
        else
            fputs(reachable ? "," : ", then", out);
        fprintf(out, " %s%s", part_memory_name(part, memory),
                plan_door(plan, memory) != NULL ? ", which takes the way in" : "");
    }
    if (order.order.count > 0)
        fputs("\n", out);
}

bool plan_has_doors(const struct plan *plan)
{
    for (enum part_memory memory = PART_FIRST_FUSE; memory < PART_LOCK; memory++)
        if (plan_door(plan, memory) != NULL)
            return true;
    return false;
}

void plan_print_doors(const struct plan *plan, FILE *out)
{
    for (enum part_memory memory = PART_FIRST_FUSE; memory < PART_LOCK; memory++)
        if (plan_door(plan, memory) != NULL)
            fprintf(out, "       %s turns %s on: this station cannot reach the board again\n",
                    part_memory_name(plan->profile->part, memory), plan_door(plan, memory));
}
