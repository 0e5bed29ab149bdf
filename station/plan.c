#include "station/plan.h"

#include <inttypes.h>
#include <string.h>

#include "profiles/fuse_rules.h"
#include "station/plan_clock.h"
#include "station/plan_order.h"
#include "station/plan_speed.h"

static const char *const byte_titles[PART_FUSE_AND_LOCK_COUNT] = {"low fuse", "high fuse",
                                                                  "extended fuse", "lock byte"};

static uint32_t image_end(const struct image *image)
{
    struct image_range range = {0, 0};
    uint32_t end = 0;

    while (image_next_range(image, end, &range))
        end = range.end;
    return end;
}

static uint32_t page_bytes(const struct image *image, uint32_t page_size, bool skip_blank)
{
    struct image_range range = {0, 0};
    uint32_t bytes = 0;

    while (image_next_page_run(image, range.end, page_size, skip_blank, &range))
        bytes += range.end - range.start;
    return bytes;
}

static bool can(const struct programmer_driver *driver, bool has_own)
{
    return has_own || driver->instruct != NULL;
}

static int check_abilities(const struct plan *plan, struct failure *failure)
{
    const struct programmer_driver *driver = plan->driver;
    const struct {
        const char *what;
        bool can;
    } needs[] = {{"identify a part", can(driver, driver->identify != NULL)},
                 {"erase a part", can(driver, driver->erase != NULL)},
                 {"read memories", can(driver, driver->read != NULL)},
                 {"write memories", can(driver, driver->write != NULL)}};

    if (strcmp(plan->profile->via, "isp") != 0)
        return failure_set(failure, FAILURE_PLAN_REFUSED,
                           "the profile is done via %s, programmer %s works via isp",
                           plan->profile->via, driver->name);
    for (size_t i = 0; i < sizeof needs / sizeof needs[0]; i++)
        if (!needs[i].can)
            return failure_set(failure, FAILURE_PLAN_REFUSED, "programmer %s cannot %s",
                               driver->name, needs[i].what);
    return 0;
}

static int check_image(const struct image *image, const char *memory, uint32_t size,
                       struct failure *failure)
{
    uint32_t end = image == NULL ? 0 : image_end(image);

    if (end > size)
        return failure_set(failure, FAILURE_PLAN_REFUSED,
                           "the %s image ends at 0x%" PRIX32 ", the part has %" PRIu32 " bytes",
                           memory, end, size);
    return 0;
}

static int check_memories(const struct plan *plan, struct failure *failure)
{
    const struct profile *profile = plan->profile;
    const struct part *part = profile->part;
    uint32_t limit = plan->driver->flash_bytes_max;
    bool compares = profile->if_already != PROFILE_IF_ALREADY_REDO;
    bool whole = compares || plan->verify_bytes == part->flash.size;
    uint32_t reach = whole ? part->flash.size : image_end(profile->flash);

    if (check_image(profile->flash, "flash", part->flash.size, failure) < 0 ||
        check_image(profile->eeprom, "EEPROM", part->eeprom.size, failure) < 0)
        return -1;
    if (limit != 0 && reach > limit)
        return failure_set(failure, FAILURE_PLAN_REFUSED,
                           "programmer %s reaches %" PRIu32 " bytes of flash, %s takes %" PRIu32,
                           plan->driver->name, limit,
                           compares ? "looking whether a board is done already"
                           : whole  ? "verifying the whole"
                                    : "the image",
                           reach);
    return 0;
}

static int check_supply(const struct plan *plan, struct failure *failure)
{
    int64_t site_mv = plan->site->supply_mv;
    int64_t profile_mv = plan->profile->supply_mv;

    if (site_mv != 0 && profile_mv != 0 && site_mv != profile_mv)
        return failure_set(failure, FAILURE_PLAN_REFUSED,
                           "the site supplies %" PRId64 " mV, the profile's board takes %" PRId64
                           " mV",
                           site_mv, profile_mv);
    return 0;
}

static int64_t floor_of_bytes(const struct plan *plan, int64_t sck_hz, uint32_t read_bytes)
{
    const struct programmer_driver *driver = plan->driver;
    const struct programmer_speed speed = {
        .baud = plan->site->baud != 0 ? plan->site->baud : driver->default_baud, .sck_hz = sck_hz};

    if (driver->floor_us == NULL)
        return 0;
    return driver->floor_us(plan->profile->part, &speed, plan->write_bytes, read_bytes, NULL, 0);
}

int64_t plan_floor_us(const struct plan *plan, int64_t sck_hz)
{
    return floor_of_bytes(plan, sck_hz, plan->verify_bytes);
}

/* "Wait for at least 20 ms" from RESET low to the first instruction: a datasheet's "Serial
 * Programming Algorithm" (ATmega328P, 8271J, 28.8.2). */
#define RESET_US 20000

/* On a board that has the profile's fuses already. Besides the flash: EEPROM read back, byte by
 * byte as flash is; the erase; and before each session RESET is low. One session finds the board;
 * where SCK can be chosen, one goes at that of the clock which was found; one sees at the end that
 * this clock runs. */
static int64_t attempt_floor_us(const struct plan *plan)
{
    const struct part *part = plan->profile->part;
    int sessions = plan->driver->sck_hz == 0 ? 3 : 2;
    uint32_t read_bytes = plan->verify_bytes + (plan->eeprom_read ? part->eeprom.size : 0);
    int64_t floor_us = floor_of_bytes(plan, plan->done_sck_hz, read_bytes);

    return floor_us > 0 ? floor_us + sessions * RESET_US + part->chip_erase_delay_us : 0;
}

uint32_t plan_write_bytes(const struct profile *profile)
{
    return page_bytes(profile->flash, profile->part->flash.page_size, true);
}

uint32_t plan_verify_bytes(const struct profile *profile)
{
    const struct part_array *flash = &profile->part->flash;

    return profile->verify_whole ? flash->size
                                 : page_bytes(profile->flash, flash->page_size, false);
}

static void measure(struct plan *plan)
{
    const struct profile *profile = plan->profile;

    plan->eeprom_read = profile->part->eeprom.size > 0 && !profile_keeps_eeprom(profile);
    plan->write_bytes = plan_write_bytes(profile);
    plan->verify_bytes = plan_verify_bytes(profile);
    plan_find_clocks(plan);
    plan->floor_us = plan_floor_us(plan, plan->new_sck_hz);
    plan->done_floor_us = plan_floor_us(plan, plan->done_sck_hz);
    plan->attempt_floor_us = attempt_floor_us(plan);
    plan_find_speed(plan);
}

int plan_make(const struct profile *profile, const struct jig_site *site, struct plan *plan,
              struct failure *failure)
{
    *plan = (struct plan){.profile = profile, .site = site};
    plan->driver = programmer_driver_by_name(site->programmer);
    if (plan->driver == NULL)
        return failure_set(failure, FAILURE_PLAN_REFUSED, "there is no programmer named '%s'",
                           site->programmer);
    if (check_abilities(plan, failure) < 0)
        return -1;
    measure(plan);
    if (check_memories(plan, failure) < 0 || check_supply(plan, failure) < 0 ||
        fuse_rules_judge(profile, site->supply_mv, failure) < 0)
        return -1;
    if (plan_check_sck(plan, failure) < 0)
        return -1;
    return plan_check_new_board(plan, failure);
}

int plan_make_on_jig(const struct profile *profile, const struct jig *jig,
                     const struct jig_site *site, struct plan *plan, struct failure *failure)
{
    struct failure why = {0};

    if (plan_make(profile, site, plan, &why) == 0)
        return 0;
    if (jig->path == NULL)
        return failure_set(failure, why.code, "site %d: %s", site->site, why.detail);
    return failure_set(failure, why.code, "%s:%d:%d: site %d: %s", jig->path, site->line,
                       site->column, site->site, why.detail);
}

static void print_byte(const struct plan *plan, enum part_memory memory, FILE *out)
{
    const struct part *part = plan->profile->part;
    const struct part_byte *byte = part_byte(part, memory);
    const struct profile_byte_rule *rule = profile_rule(plan->profile, memory);
    char meaning[256];

    if (byte == NULL || rule == NULL)
        return;
    fprintf(out, "       %-13s ", byte_titles[memory - PART_FIRST_FUSE]);
    if (rule->leave) {
        fprintf(out, "left as it is%s\n",
                memory == PART_LOCK ? " after the erase, which clears it" : "");
        return;
    }
    part_describe_byte(part, memory, rule->write, meaning, sizeof meaning);
    fprintf(out, "0x%02X  of bits 0x%02X: %s\n", rule->write, byte->mask, meaning);
    for (size_t i = 0; i < rule->accept_count; i++) {
        part_describe_byte(part, memory, rule->accept[i], meaning, sizeof meaning);
        fprintf(out, "       %-13s 0x%02X  accepted as found%s%s: %s\n", "", rule->accept[i],
                rule->because[0] != '\0' ? ", because " : "", rule->because, meaning);
    }
}

static void print_already(const struct plan *plan, FILE *out)
{
    static const char *const what[] = {
        [PROFILE_IF_ALREADY_REDO] = NULL,
        [PROFILE_IF_ALREADY_PASS] = "passes as it is",
        [PROFILE_IF_ALREADY_REFUSE] = "is refused",
    };
    const struct profile *profile = plan->profile;

    if (what[profile->if_already] != NULL)
        fprintf(out,
                "     a board that carries all of this already, %" PRIu32
                " bytes of flash%s read twice, %s\n",
                profile->part->flash.size, plan->eeprom_read ? " and its EEPROM" : "",
                what[profile->if_already]);
}

/* What is compared of the EEPROM. */
static const char *eeprom_verification(const struct plan *plan)
{
    if (plan->eeprom_read)
        return "; the whole EEPROM";
    if (plan->profile->part->eeprom.size == 0)
        return "";
    return "; the EEPROM\n     with what it held before, unless lock bits hid it";
}

static void print_kept_eeprom(const struct plan *plan, FILE *out)
{
    bool restores = plan->profile->eeprom_policy == PROFILE_EEPROM_RESTORE;

    if (plan->profile->part->eesave.mask != 0)
        fputs("EEPROM: the erase keeps it where EESAVE is found on; else ", out);
    else
        fprintf(out, "EEPROM: %s has no EESAVE, so the erase clears it; ",
                plan->profile->part->name);
    fputs(restores ? "it is read twice and saved\n"
                     "     in the log before the erase, put back now and verified; refused where "
                     "lock bits hide it\n"
                   : "a board is refused\n     before the erase, unless it reads blank, twice\n",
          out);
}

static void print_eeprom(const struct plan *plan, FILE *out)
{
    const struct profile *profile = plan->profile;
    uint32_t size = profile->part->eeprom.size;

    if (size == 0)
        fputs("EEPROM: the part has none\n", out);
    else if (profile_keeps_eeprom(profile))
        print_kept_eeprom(plan, out);
    else if (profile->eeprom_policy == PROFILE_EEPROM_FILE)
        fprintf(out,
                "EEPROM: write %" PRIu32 " bytes, the other bytes of %" PRIu32 " blank\n"
                "       %s\n",
                profile->eeprom->count, size, profile->eeprom_source.path);
    else
        fprintf(out, "EEPROM: blank, all %" PRIu32 " bytes\n", size);
}

static void print_flash(const struct plan *plan, FILE *out)
{
    const struct profile *profile = plan->profile;
    const struct part_array *array = &profile->part->flash;

    if (!array->page_write)
        fprintf(out,
                "flash: write %" PRIu32 " bytes of image byte by byte, but for those that are FF\n",
                profile->flash->count);
    else
        fprintf(out,
                "flash: write %" PRIu32 " bytes of image as %" PRIu32 " pages of %" PRIu32
                " bytes, blank pages skipped\n",
                profile->flash->count, plan->write_bytes / array->page_size, array->page_size);
    for (size_t i = 0; i < profile->source_count; i++) {
        const struct profile_image_source *source = &profile->sources[i];

        fprintf(out, "       %s%s%s: %" PRIu32 " bytes, 0x%05" PRIX32 "-0x%05" PRIX32 "\n",
                source->path, source->role != NULL ? ", " : "",
                source->role != NULL ? source->role : "", source->byte_count, source->first_address,
                source->last_address);
    }
}

static void print_floor(const struct plan *plan, FILE *out)
{
    if (plan->floor_us == 0)
        return;
    fprintf(out, "  shortest possible time for the flash: %.1f s", (double)plan->floor_us / 1e6);
    if (plan->done_floor_us != plan->floor_us)
        fprintf(out, " on a new board, %.1f s on one that has the profile's fuses",
                (double)plan->done_floor_us / 1e6);
    fputs("\n", out);
}

void plan_print_steps(const struct plan *plan, FILE *out)
{
    const struct profile *profile = plan->profile;
    const struct part *part = profile->part;
    bool whole = plan->verify_bytes == part->flash.size;

    fprintf(out, "site %d, programmer %s (%s)\n", plan->site->site, plan->driver->name,
            plan->driver->title);
    fprintf(out, "  1  identify: %s, signature %02X %02X %02X, read twice; another is refused\n",
            part->name, part->signature[0], part->signature[1], part->signature[2]);
    fputs("  2  read every fuse and the lock byte\n", out);
    plan_print_sck(plan, out);
    print_already(plan, out);
    fputs("  3  log what was found and what is asked, durably\n", out);
    fputs("  4  erase the chip\n", out);
    plan_print_speed(plan, out);
    fputs("  5  ", out);
    print_flash(plan, out);
    fputs("  6  ", out);
    print_eeprom(plan, out);
    fprintf(out, "  7  verify: %" PRIu32 " bytes of flash read back and compared%s%s\n",
            plan->verify_bytes, whole ? ", the rest must be blank" : "", eeprom_verification(plan));
    fputs("  8  fuses: written only where they differ, read back\n", out);
    for (int memory = PART_FIRST_FUSE; memory < PART_LOCK; memory++)
        print_byte(plan, (enum part_memory)memory, out);
    plan_print_order(plan, "       ", out);
    fputs("  9  leave programming mode and enter again: signature and all bytes read back\n", out);
    fputs(plan_has_doors(plan) ? " 10  lock and last doors\n" : " 10  lock, last\n", out);
    print_byte(plan, PART_LOCK, out);
    plan_print_doors(plan, out);
    fputs(" 11  release the board; log the verdict, durably\n", out);
    print_floor(plan, out);
}
