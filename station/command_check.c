#include "station/command_check.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/profile_clock.h"
#include "reports/json.h"
#include "station/data_paths.h"
#include "station/findings.h"
#include "station/plan_order.h"
#include "station/plan_sites.h"
#include "station/plan_speed.h"

struct config {
    const char *profile;
    const char *jig; /* NULL: none */
    bool json;
    bool rules; /* what there is, of no profile */
};

struct check {
    const struct job *job;
    struct fuse_findings findings;
    struct plan plan;        /* of no site: what is shown without a jig */
    const bool *site_wanted; /* one per jig site; NULL: all */
    bool json;
};

static const struct command_option options[] = {
    {"jig", "JIG", "also what each site of this jig would do", COMMAND_KEEP(struct config, jig)},
    {"json", NULL, "print one JSON object; with --rules one per rule",
     COMMAND_KEEP(struct config, json)},
    {"rules", NULL, "list the rules that profiles are judged by, of no PROFILE",
     COMMAND_KEEP(struct config, rules)},
    COMMAND_OPTION_HELP,
    {0},
};

/* ------------------------------------------------------------------ for people */

static void print_source(const struct profile_image_source *source)
{
    printf("  %s, %s%s%s\n    sha256 %s\n    0x%05" PRIX32 " to 0x%05" PRIX32 ", %" PRIu32
           " bytes\n",
           source->path, image_format_title(source->format), source->role != NULL ? ", " : "",
           source->role != NULL ? source->role : "", source->sha256, source->first_address,
           source->last_address, source->byte_count);
}

static void print_images(const struct profile *profile)
{
    printf("images:\n");
    for (size_t i = 0; i < profile->source_count; i++)
        print_source(&profile->sources[i]);
    printf("  together %" PRIu32 " of %" PRIu32 " bytes of flash:\n", profile->flash->count,
           profile->flash->size);
    struct image_range range;
    for (uint32_t from = 0; image_next_range(profile->flash, from, &range); from = range.end)
        printf("    0x%05" PRIX32 " to 0x%05" PRIX32 ", %" PRIu32 " bytes\n", range.start,
               range.end - 1, range.end - range.start);
}

static void print_rule(const struct profile *profile, enum part_memory memory)
{
    const struct part_byte *byte = part_byte(profile->part, memory);
    const struct profile_byte_rule *rule = profile_rule(profile, memory);
    if (byte == NULL || rule == NULL)
        return;
    if (rule->leave) {
        printf("  %-10s  left as found\n", byte->name);
        return;
    }
    printf("  %-10s  0x%02X, compared on the bits 0x%02X", byte->name, rule->write, byte->mask);
    for (size_t i = 0; i < rule->accept_count; i++)
        printf("%s0x%02X", i == 0 ? "; also accepted when found: " : ", ", rule->accept[i]);
    if (byte->factory_default >= 0)
        printf("; new parts have 0x%02X", (unsigned)byte->factory_default);
    printf("\n");
    if (rule->because[0] != '\0')
        printf("              because: %s\n", rule->because);
    command_print_meaning(profile->part, memory, rule->write);
}

static void print_profile(const struct profile *profile)
{
    static const char *const eeprom[] = {
        [PROFILE_EEPROM_KEEP] = "keep: an erase that would clear it is refused",
        [PROFILE_EEPROM_RESTORE] = "keep: saved before an erase that clears it, and put back",
        [PROFILE_EEPROM_ERASE] = "erase: must read blank",
        [PROFILE_EEPROM_FILE] = "written and read back",
    };
    static const char *const already[] = {
        [PROFILE_IF_ALREADY_REDO] = "done anew",
        [PROFILE_IF_ALREADY_PASS] = "passes",
        [PROFILE_IF_ALREADY_REFUSE] = "refused",
    };
    const uint8_t *signature = profile->part->signature;
    printf("profile %s: %s\n  sha256 %s\n  article %s, revision %s\n", profile->name, profile->path,
           profile->sha256, profile->article, profile->revision);
    printf("  part %s, signature %02X %02X %02X, via %s\n    part file sha256 %s\n",
           profile->part->name, signature[0], signature[1], signature[2], profile->via,
           profile->part->sha256);
    if (!data_paths_is_shipped_part(profile->part))
        printf("    your own part file %s\n", profile->part->path);
    if (profile->clock_text[0] != '\0')
        printf("  board clock %s\n", profile->clock_text);
    if (profile->supply_mv != 0)
        printf("  board supply %" PRId64 " mV\n", profile->supply_mv);
    print_images(profile);
    printf("fuses and lock bits:\n");
    for (int i = 0; i < PART_FUSE_AND_LOCK_COUNT; i++)
        print_rule(profile, (enum part_memory)(PART_FIRST_FUSE + i));
    printf("eeprom: %s\n", eeprom[profile->eeprom_policy]);
    if (profile->eeprom != NULL)
        print_source(&profile->eeprom_source);
    printf("verification: every byte written is read back%s\n",
           profile->verify_whole ? ", and the rest of the flash must read blank" : "");
    printf("a board that is programmed already: %s\n", already[profile->if_already]);
    plan_print_speed_of_profile(profile, stdout);
    printf("retries: contact %d, verify %d\n", profile->retry_contact, profile->retry_verify);
}

static void print_site(const struct jig_site *site, const char *place, const struct plan *plan,
                       const struct failure *failure)
{
    printf("site %d: %s at %s\n", site->site, site->programmer, place);
    if (failure->code != FAILURE_NONE)
        printf("  REFUSED %s: %s\n", failure_lookup(failure->code)->name, failure->detail);
    else
        plan_print_steps(plan, stdout);
}

/* ------------------------------------------------------------------ for programs */

static struct json_object *source_to_json(const struct profile_image_source *source)
{
    struct json_object *image = json_object_create();
    json_add_text(image, "file", source->path);
    json_add_text(image, "format", image_format_names[source->format]);
    json_add_text(image, "role", source->role);
    json_add_text(image, "sha256", source->sha256);
    json_add_integer(image, "bytes", source->byte_count);
    json_add_integer(image, "first_address", source->first_address);
    json_add_integer(image, "last_address", source->last_address);
    return image;
}

static struct json_array *images_to_json(const struct profile *profile)
{
    struct json_array *images = json_array_create();
    for (size_t i = 0; i < profile->source_count; i++)
        json_append_object(images, source_to_json(&profile->sources[i]));
    return images;
}

static struct json_object *rule_to_json(const struct profile *profile, enum part_memory memory)
{
    const struct part_byte *byte = part_byte(profile->part, memory);
    const struct profile_byte_rule *rule = profile_rule(profile, memory);
    struct json_object *object = json_object_create();
    json_add_text(object, "fuse", byte->name);
    json_add_integer(object, "mask", byte->mask);
    json_add_bool(object, "leave", rule->leave);
    if (rule->leave)
        return object;
    json_add_integer(object, "write", rule->write);
    struct json_array *accept = json_array_create();
    for (size_t i = 0; i < rule->accept_count; i++)
        json_append_integer(accept, rule->accept[i]);
    json_add_array(object, "accept", accept);
    json_add_text(object, "because", rule->because[0] != '\0' ? rule->because : NULL);
    char meaning[512];
    part_describe_byte(profile->part, memory, rule->write, meaning, sizeof(meaning));
    json_add_text(object, "meaning", meaning);
    return object;
}

static void speed_to_json(const struct profile *profile, struct json_object *object)
{
    struct profile_clock_first first;
    char reason[PROFILE_CLOCK_REASON_BYTES];
    json_add_text(object, "speed",
                  profile->speed == PROFILE_SPEED_CLOCK_FIRST ? "clock-first" : "as-found");
    json_add_integer(object, "clock_hz_new",
                     part_clock_of_new(profile->part, profile_board_hz(profile)).hz);
    bool possible = profile_find_clock_first(profile, &first, reason);
    if (possible)
        json_add_integer(object, "clock_hz_clock_first", first.clock.hz);
    else
        json_add_text(object, "clock_first_refused", reason);
}

static struct json_object *profile_to_json(const struct profile *profile)
{
    static const char *const eeprom[] = {
        [PROFILE_EEPROM_KEEP] = "keep",
        [PROFILE_EEPROM_RESTORE] = "restore",
        [PROFILE_EEPROM_ERASE] = "erase",
        [PROFILE_EEPROM_FILE] = "file",
    };
    static const char *const already[] = {
        [PROFILE_IF_ALREADY_REDO] = "redo",
        [PROFILE_IF_ALREADY_PASS] = "pass",
        [PROFILE_IF_ALREADY_REFUSE] = "refuse",
    };
    struct json_object *object = json_object_create();
    char signature[12];
    record_set_signature(signature, profile->part->signature);
    json_add_text(object, "profile", profile->name);
    json_add_text(object, "file", profile->path);
    json_add_text(object, "profile_sha256", profile->sha256);
    json_add_text(object, "article", profile->article);
    json_add_text(object, "revision", profile->revision);
    json_add_text(object, "via", profile->via);
    json_add_text(object, "part", profile->part->name);
    json_add_text(object, "part_file", profile->part->path);
    json_add_bool(object, "part_shipped", data_paths_is_shipped_part(profile->part));
    json_add_text(object, "part_sha256", profile->part->sha256);
    json_add_text(object, "signature", signature);
    json_add_array(object, "images", images_to_json(profile));
    json_add_text(object, "image_sha256", profile->image_sha256);
    struct json_array *fuses = json_array_create();
    for (int i = 0; i < PART_FUSE_AND_LOCK_COUNT; i++) {
        enum part_memory memory = (enum part_memory)(PART_FIRST_FUSE + i);
        if (part_byte(profile->part, memory) != NULL && profile_rule(profile, memory) != NULL)
            json_append_object(fuses, rule_to_json(profile, memory));
    }
    json_add_array(object, "fuses", fuses);
    json_add_text(object, "eeprom", eeprom[profile->eeprom_policy]);
    if (profile->eeprom != NULL)
        json_add_object(object, "eeprom_image", source_to_json(&profile->eeprom_source));
    json_add_text(object, "verification", profile->verify_whole ? "whole" : "image");
    json_add_text(object, "if_already", already[profile->if_already]);
    speed_to_json(profile, object);
    return object;
}

static void order_to_json(const struct plan *plan, struct json_object *object)
{
    const struct part *part = plan->profile->part;
    struct plan_order order;
    plan_find_order_of_new(plan, &order);
    if (order.refused.code != FAILURE_NONE)
        json_add_text(object, "new_board_refused", order.refused.detail);
    if (order.known && order.refused.code == FAILURE_NONE) {
        struct json_array *writes = json_array_create();
        for (size_t i = 0; i < order.order.count; i++)
            json_append_text(writes, part_memory_name(part, order.order.writes[i]));
        json_add_array(object, "order_new_board", writes);
    }
    struct json_object *doors = json_object_create();
    for (enum part_memory memory = PART_FIRST_FUSE; memory < PART_LOCK; memory++)
        if (plan_door(plan, memory) != NULL)
            json_add_text(doors, part_memory_name(part, memory), plan_door(plan, memory));
    json_add_object(object, "doors", doors);
}

static struct json_object *site_to_json(const struct jig_site *site, const char *place,
                                        const struct plan *plan, const struct failure *failure)
{
    struct json_object *object = json_object_create();
    json_add_integer(object, "site", site->site);
    json_add_text(object, "programmer", site->programmer);
    json_add_text(object, "at", place);
    if (failure->code != FAILURE_NONE) {
        json_add_text(object, "failure", failure_lookup(failure->code)->name);
        json_add_text(object, "detail", failure->detail);
        return object;
    }
    json_add_integer(object, "write_bytes", plan->write_bytes);
    json_add_integer(object, "verify_bytes", plan->verify_bytes);
    json_add_integer(object, "floor_us", plan->floor_us);
    json_add_integer(object, "floor_us_with_fuses", plan->done_floor_us);
    json_add_integer(object, "attempt_floor_us", plan->attempt_floor_us);
    json_add_integer(object, "sck_hz", plan->new_sck_hz);
    json_add_integer(object, "sck_hz_with_fuses", plan->done_sck_hz);
    order_to_json(plan, object);
    json_add_text(object, "faster", plan_faster_name(plan));
    if (!plan->speed.possible)
        return object;
    json_add_integer(object, "sck_hz_clock_first", plan->speed.sck_hz);
    json_add_integer(object, "as_found_us", plan->speed.as_found_us);
    json_add_integer(object, "clock_first_us", plan->speed.clock_first_us);
    return object;
}

/* ------------------------------------------------------------------ the command */

static void show_site(const struct check *check, const struct jig_site *site,
                      struct json_array *sites)
{
    struct failure trouble = {0};
    struct plan plan;
    char place[300] = "the simulated bench";
    if (site->place.kind != PLACE_NONE)
        place_to_text(&site->place, place, sizeof(place));
    (void)plan_make_on_jig(check->job->profile, check->job->jig, site, &plan, &trouble);
    if (check->json)
        json_append_object(sites, site_to_json(site, place, &plan, &trouble));
    else
        print_site(site, place, &plan, &trouble);
}

/* Every site, also after a bad one: the engineer wants to know all that is wrong. */
static int check_sites(const struct check *check, struct json_array *sites, struct failure *failure)
{
    const struct jig *jig = check->job->jig;
    struct plan_refusals refusals;
    for (size_t i = 0; i < jig->site_count; i++)
        if (check->site_wanted == NULL || check->site_wanted[i])
            show_site(check, &jig->sites[i], sites);
    int result = plan_check_sites(check->job->profile, jig, check->site_wanted, &refusals, failure);
    if (result != 0)
        plan_refusals_print(&refusals, failure, stderr);
    plan_refusals_free(&refusals);
    return result;
}

/* The first byte that acts on the clock and is left as found, else the first that acts on it. */
static struct profile_position position_of_clock(const struct profile *profile)
{
    struct profile_position position = profile->board_position;
    for (int i = PART_LOCK - PART_FIRST_FUSE; i >= 0; i--) {
        enum part_memory memory = (enum part_memory)(PART_FIRST_FUSE + i);
        const struct profile_byte_rule *rule = profile_rule(profile, memory);
        if (rule == NULL || !part_clock_depends_on(profile->part, memory, NULL))
            continue;
        position = rule->position;
        if (rule->leave)
            break;
    }
    return position;
}

/* Without a jig: what no site could do is the profile's fault. */
static int judge_order(const struct check *check, struct failure *failure)
{
    const struct profile *profile = check->job->profile;
    struct profile_position at = position_of_clock(profile);
    struct failure why = {0};
    if (plan_check_new_board(&check->plan, &why) == 0)
        return 0;
    return failure_set(failure, FAILURE_PROFILE_INVALID, "%s:%d:%d: %s", profile->path, at.line,
                       at.column, why.detail);
}

/* What is wrong with the profile itself is not said again for each site. */
static int judge(const struct check *check, struct json_array *sites, struct failure *failure)
{
    if (fuse_rules_judge(check->job->profile, 0, failure) != 0)
        return -1;
    if (check->job->jig != NULL)
        return check_sites(check, sites, failure);
    return judge_order(check, failure);
}

static int print_for_people(const struct check *check, struct failure *failure)
{
    const struct jig *jig = check->job->jig;
    print_profile(check->job->profile);
    if (jig == NULL)
        plan_print_order(&check->plan, "", stdout);
    findings_print(check->job->profile, &check->findings, stdout);
    if (jig != NULL)
        printf("jig %s: %s\n  sha256 %s\n", jig->name, jig->path, jig->sha256);
    return judge(check, NULL, failure);
}

static int print_for_programs(const struct check *check, struct failure *failure)
{
    const struct jig *jig = check->job->jig;
    struct json_object *object = profile_to_json(check->job->profile);
    struct json_array *sites = jig != NULL ? json_array_create() : NULL;
    if (jig == NULL)
        order_to_json(&check->plan, object);
    json_add_array(object, "findings", findings_to_json(check->job->profile, &check->findings));
    int result = judge(check, sites, failure);
    if (jig != NULL) {
        json_add_text(object, "jig", jig->name);
        json_add_text(object, "jig_sha256", jig->sha256);
        json_add_array(object, "sites", sites);
    }
    if (json_object_write_line(object, stdout) != 0 && result == 0)
        result = failure_set(failure, FAILURE_INTERNAL, "the JSON object could not be written");
    return result;
}

int command_check_print(const struct job *job, const bool *site_wanted, bool json,
                        struct failure *failure)
{
    struct check check = {.job = job, .site_wanted = site_wanted, .json = json};
    bool all_state_it = false;
    plan_of_profile(job->profile, &check.plan);
    int64_t supply_mv =
        job->jig != NULL ? plan_lowest_supply_mv(job->jig, site_wanted, &all_state_it) : 0;
    int result =
        fuse_rules_apply(job->profile, all_state_it ? supply_mv : 0, &check.findings, failure);
    if (result == 0)
        result = json ? print_for_programs(&check, failure) : print_for_people(&check, failure);
    fuse_findings_free(&check.findings);
    return result;
}

static int take_operands(void *context, int count, char **operands, struct failure *failure)
{
    struct config *config = context;
    if (!config->rules)
        return command_take_operand("check", count, operands, &config->profile, failure);
    if (count > 0 || config->jig != NULL)
        return failure_set(failure, FAILURE_USAGE,
                           "--rules lists the rules for every profile: neither PROFILE nor --jig "
                           "goes with it");
    return 0;
}

static int do_check(const struct config *config, struct failure *failure)
{
    struct job job = {0};
    int result;

    if (config->rules)
        return findings_print_rules(config->json, stdout, failure);
    result = job_load(config->profile, config->jig, &job, failure);
    if (result == 0)
        result = command_check_print(&job, NULL, config->json, failure);
    job_free(&job);
    return result;
}

/* Who checks is who corrects, and no lot is at hand: the operator's sentence would be the wrong
 * one. */
static void report(const struct failure *failure)
{
    const struct failure_fact *fact = failure_lookup(failure->code);
    if (fact->blame == FAILURE_BLAME_PROFILE || failure->code == FAILURE_JIG_INVALID)
        (void)fprintf(stderr,
                      "gangflash: %s: %s\nNothing was touched: correct it and check again.\n",
                      fact->name, failure->detail);
    else
        (void)command_report(failure);
}

static int run(const void *context, struct failure *failure)
{
    if (do_check(context, failure) == 0)
        return COMMAND_PASSED;
    report(failure);
    return (int)command_status_of_load(failure->code);
}

const struct command command_check = {
    .name = "check",
    .usage = "PROFILE [OPTION]... | --rules [--json]",
    .summary = "show what a profile would do, fuse byte by fuse byte, touching nothing",
    .details = "PROFILE and JIG are paths, or bare names of those that came with the program.\n"
               "Exit status 3 says that the profile or a site of the jig is refused, and why.",
    .options = options,
    .config_bytes = sizeof(struct config),
    .take_operands = take_operands,
    .run = run,
};
