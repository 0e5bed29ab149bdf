#include "station/plan_speed.h"

#include <string.h>

#include "profiles/profile_clock.h"
#include "station/plan_clock.h"
#include "station/plan_order.h"

/* "Wait for at least 20 ms and enable serial programming" after RESET went low, in every AVR
 * datasheet's "Serial Programming Algorithm". */
#define REENTRY_US 20000
#define INSTRUCTION_BITS 32
/* Around a fuse byte's write: the signature, the byte, its write and the byte again, each at least
 * once. */
#define INSTRUCTIONS_PER_FUSE 6
/* Less than this in a thousand is no difference. */
#define SAME_PERMILLE 10

static bool chooses_sck(const struct plan *plan)
{
    return plan->driver->sck_hz == 0;
}

static int64_t instructions_us(int64_t count, int64_t sck_hz)
{
    return count * INSTRUCTION_BITS * INT64_C(1000000) / sck_hz;
}

/* What goes before the flash besides the erase: `count` fuse bytes at the old clock, programming
 * mode again. */
static int64_t clock_us(const struct part *part, size_t count, int64_t old_sck_hz)
{
    if (count == 0)
        return 0;
    return (int64_t)count * part->fuse_write_delay_us +
           instructions_us((int64_t)count * INSTRUCTIONS_PER_FUSE, old_sck_hz) + REENTRY_US;
}

/* Of a new board, in the order that keeps it reachable. */
static size_t list_first_writes(const struct plan *plan, enum part_memory *writes)
{
    const struct part *part = plan->profile->part;
    uint8_t found[PART_FUSE_AND_LOCK_COUNT];
    struct fuse_order order;
    size_t count;

    for (int i = 0; i < PART_FUSE_AND_LOCK_COUNT; i++) {
        if (part->bytes[i].exists && part->bytes[i].factory_default < 0)
            return 0;
        found[i] = (uint8_t)part->bytes[i].factory_default;
    }
    if (plan_find_order(plan, found, &order, NULL) < 0)
        return 0;
    count = plan_clock_writes(plan, found, &order);
    if (count > order.before)
        return 0;
    memcpy(writes, order.writes, count * sizeof *writes);
    return count;
}

void plan_find_speed(struct plan *plan)
{
    const struct part *part = plan->profile->part;
    struct plan_speed *speed = &plan->speed;
    struct profile_clock_first first;

    if (!profile_find_clock_first(plan->profile, &first, NULL))
        return;
    speed->byte_count = list_first_writes(plan, speed->bytes);
    if (speed->byte_count == 0)
        return;
    speed->possible = true;
    speed->clock = first.clock;
    speed->sck_hz = plan_sck_hz(plan, first.clock);
    if (plan->floor_us == 0)
        return;
    speed->as_found_us = part->chip_erase_delay_us + plan->floor_us;
    speed->clock_first_us = part->chip_erase_delay_us +
                            clock_us(part, speed->byte_count, plan->new_sck_hz) +
                            plan_floor_us(plan, speed->sck_hz);
}

static const char *compare(int64_t as_found_us, int64_t clock_first_us)
{
    int64_t least_us = as_found_us / 1000 * SAME_PERMILLE;

    if (clock_first_us + least_us < as_found_us)
        return "clock-first";
    return as_found_us + least_us < clock_first_us ? "as-found" : "same";
}

const char *plan_faster_name(const struct plan *plan)
{
    if (!plan->speed.possible || !chooses_sck(plan))
        return "same";
    if (plan->speed.as_found_us == 0)
        return NULL;
    return compare(plan->speed.as_found_us, plan->speed.clock_first_us);
}

/* ------------------------------------------------------------------ for people */

static void print_both(int64_t as_found_us, int64_t clock_first_us, FILE *out)
{
    const char *faster = compare(as_found_us, clock_first_us);

    fprintf(out, "as found %.2f s at least, clock first %.2f s: ", (double)as_found_us / 1e6,
            (double)clock_first_us / 1e6);
    if (strcmp(faster, "same") == 0)
        fputs("no difference", out);
    else
        fprintf(out, "%s is faster",
                strcmp(faster, "clock-first") == 0 ? "clock first" : "as found");
}

/* What is done first, as the profile says. */
static void print_chosen(const struct plan *plan, FILE *out)
{
    char clock[PART_CLOCK_TEXT_BYTES], sck[PART_CLOCK_TEXT_BYTES];

    if (!chooses_sck(plan)) {
        fputs("     clock first brings nothing here, since SCK is fixed: the clock fuses are "
              "written with the others\n",
              out);
        return;
    }
    if (!plan->speed.possible) {
        fputs("     clock first: nothing to write to a new board\n", out);
        return;
    }
    part_clock_text(plan->speed.clock.hz, clock);
    part_clock_text(plan->speed.sck_hz, sck);
    fputs("     clock first: fuse ", out);
    for (size_t i = 0; i < plan->speed.byte_count; i++)
        fprintf(out, "%s%s", i > 0 ? ", " : "",
                part_memory_name(plan->profile->part, plan->speed.bytes[i]));
    fprintf(out,
            " where it chooses another clock; leave programming mode and enter again:\n"
            "       a new board then has %s%s, SCK at most %s. From here on a stop waits until the "
            "flash is verified\n",
            plan->speed.clock.exact ? "" : "about ", clock, sck);
}

void plan_print_speed(const struct plan *plan, FILE *out)
{
    bool first = plan->profile->speed == PROFILE_SPEED_CLOCK_FIRST;

    if (first)
        print_chosen(plan, out);
    if (!plan->speed.possible || !chooses_sck(plan) || plan->speed.as_found_us == 0)
        return;
    fputs(first ? "       erase and flash of a new board: "
                : "     erase and flash of a new board: ",
          out);
    print_both(plan->speed.as_found_us, plan->speed.clock_first_us, out);
    fputs("\n", out);
}

/* The least that any programmer needs: the bits of the instructions, and the part's own waits. */
static int64_t least_us(const struct profile *profile, int64_t sck_hz)
{
    const struct part_array *flash = &profile->part->flash;
    int64_t write_bytes = plan_write_bytes(profile);
    int64_t waits = flash->page_write ? write_bytes / flash->page_size : write_bytes;

    return profile->part->chip_erase_delay_us +
           instructions_us(write_bytes + plan_verify_bytes(profile), sck_hz) +
           waits * flash->write_delay_us;
}

void plan_print_speed_of_profile(const struct profile *profile, FILE *out)
{
    const struct part *part = profile->part;
    struct profile_clock_first first;
    int64_t new_sck_hz =
        part_clock_safe_sck_hz(part, part_clock_of_new(part, profile_board_hz(profile)).hz);
    char slow[PART_CLOCK_TEXT_BYTES], fast[PART_CLOCK_TEXT_BYTES];
    char reason[PROFILE_CLOCK_REASON_BYTES];

    fprintf(out, "speed: %s\n",
            profile->speed == PROFILE_SPEED_CLOCK_FIRST
                ? "clock-first: the clock fuses are written before the flash"
                : "as-found: the clock fuses are written with the others, after the flash");
    if (!profile_find_clock_first(profile, &first, reason)) {
        fprintf(out, "  clock-first is not possible: %s\n", reason);
        return;
    }
    if (first.byte_count == 0 || new_sck_hz == 0)
        return;
    part_clock_text(new_sck_hz, slow);
    part_clock_text(part_clock_safe_sck_hz(part, first.clock.hz), fast);
    fprintf(out,
            "  SCK for a new board, where the programmer has it: as found %s, clock first %s\n"
            "  erase and flash of a new board, by that alone: ",
            slow, fast);
    print_both(least_us(profile, new_sck_hz),
               least_us(profile, part_clock_safe_sck_hz(part, first.clock.hz)) +
                   clock_us(part, first.byte_count, new_sck_hz),
               out);
    fputs("\n", out);
}
