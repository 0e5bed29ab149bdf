#include "station/command_parts.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/part_catalogue.h"
#include "reports/json.h"
#include "reports/record.h"
#include "station/data_paths.h"

struct config {
    const char *name; /* NULL: all parts */
    bool json;
};

static const struct command_option options[] = {
    {"json", NULL, "print JSON objects, one per line", COMMAND_KEEP(struct config, json)},
    COMMAND_OPTION_HELP,
    {0},
};

/* ------------------------------------------------------------------ the parts */

/* Where they are, and all that could be loaded, in order of their names. */
struct known {
    char *directories;
    struct part_catalogue catalogue;
    struct failure wrong; /* the first file that is; the others are said at once */
};

static void note_wrong(void *context, const struct failure *failure)
{
    struct known *known = context;
    if (known->wrong.code == FAILURE_NONE)
        known->wrong = *failure;
    else
        (void)command_report(failure);
}

static int load_all(struct known *known, struct failure *failure)
{
    return part_catalogue_load(known->directories, &known->catalogue, note_wrong, known, failure);
}

static int check_all(const struct known *known, struct failure *failure)
{
    if (known->wrong.code == FAILURE_NONE)
        return 0;
    *failure = known->wrong;
    return -1;
}

static const struct part *find_loaded(const struct known *known, const char *name)
{
    for (size_t i = 0; i < known->catalogue.list.count; i++)
        if (strcmp(known->catalogue.list.names[i], name) == 0)
            return known->catalogue.parts[i];
    return NULL;
}

/* The next part from `*at` on that answers with the signature of `part`, too. */
static const struct part *next_twin(const struct known *known, const struct part *part, size_t *at)
{
    const struct part *other;
    do
        other = part_catalogue_next(&known->catalogue, part->signature, at);
    while (other == part);
    return other;
}

/* ------------------------------------------------------------------ for people */

/* "32 KiB", "512 B" */
static const char *size_text(uint32_t bytes, char text[16])
{
    if (bytes >= 1024 && bytes % 1024 == 0)
        (void)snprintf(text, 16, "%" PRIu32 " KiB", bytes / 1024);
    else
        (void)snprintf(text, 16, "%" PRIu32 " B", bytes);
    return text;
}

/* "low high extended"; those that ISP does not reach in parentheses. */
static void fuses_text(const struct part *part, char *text, size_t text_bytes)
{
    size_t used = 0;
    text[0] = '\0';
    for (enum part_memory memory = PART_FIRST_FUSE; memory < PART_LOCK; memory++) {
        if (part_byte(part, memory) == NULL || used >= text_bytes)
            continue;
        bool reached = part_byte_is_programmable(part, memory);
        int length =
            snprintf(text + used, text_bytes - used, "%s%s%s%s", used > 0 ? " " : "",
                     reached ? "" : "(", part_memory_name(part, memory), reached ? "" : ")");
        used += length > 0 ? (size_t)length : 0;
    }
}

static void print_table(const struct part_catalogue *catalogue)
{
    printf("%-14s  %-9s  %8s  %8s  %-17s  %s\n", "PART", "SIGNATURE", "FLASH", "EEPROM", "FUSES",
           "FILE");
    for (size_t i = 0; i < catalogue->list.count; i++) {
        const struct part *part = catalogue->parts[i];
        char flash[16], eeprom[16], fuses[64];
        if (part == NULL)
            continue;
        fuses_text(part, fuses, sizeof(fuses));
        printf("%-14s  %02X %02X %02X   %8s  %8s  %-17s  %s\n", part->name, part->signature[0],
               part->signature[1], part->signature[2], size_text(part->flash.size, flash),
               size_text(part->eeprom.size, eeprom), fuses,
               data_paths_is_shipped_part(part) ? "shipped" : part->path);
    }
}

static void print_array(const struct part_array *array, const char *name)
{
    char size[16];
    printf("  %-10s  %s, ", name, size_text(array->size, size));
    if (array->page_write)
        printf("written in pages of %" PRIu32 " bytes", array->page_size);
    else
        printf("written byte by byte");
    printf(", %g ms each%s\n", array->write_delay_us / 1000.0,
           array->needs_extended_address ? ", by extended addresses" : "");
}

static void print_memories(const struct part *part)
{
    printf("memories:\n");
    print_array(&part->flash, "flash");
    if (part->eeprom.size != 0)
        print_array(&part->eeprom, "EEPROM");
    if (part->calibration_bytes != 0)
        printf("  calibration bytes: %u\n", part->calibration_bytes);
}

static void print_unpollable(const struct part_array *array, const char *name)
{
    if (!array->has_unpollable)
        return;
    printf("  %s: whether 0x%02X", name, array->unpollable[0]);
    if (array->unpollable[0] != array->unpollable[1])
        printf(" or 0x%02X", array->unpollable[1]);
    printf(" is written cannot be told by reading it back\n");
}

static void print_waits(const struct part *part)
{
    printf("waits, at most: chip erase %g ms", part->chip_erase_delay_us / 1000.0);
    if (part->fuse_write_delay_us != 0)
        printf(", fuse %g ms", part->fuse_write_delay_us / 1000.0);
    printf(", lock bits %g ms\n", part->lock_write_delay_us / 1000.0);
    if (part->poll_ready)
        printf("  it tells when it is ready (F0 00 00)%s\n",
               part->poll_after_erase ? "" : ", but not after a chip erase");
    else
        printf("  it does not tell when it is ready (no F0 00 00)\n");
    print_unpollable(&part->flash, "flash");
    print_unpollable(&part->eeprom, "EEPROM");
}

static void print_speed(const struct part *part)
{
    printf("SCK: below 1/%u of the part's clock", part->sck_divider);
    if (part->sck_divider_from_12mhz != part->sck_divider)
        printf(", from 12 MHz on below 1/%u", part->sck_divider_from_12mhz);
    printf("\n");
    if (part->factory_clock_hz != 0)
        printf("  a new part runs at %g MHz%s: SCK below %g kHz\n",
               (double)part->factory_clock_hz / 1e6,
               part->factory_ckdiv8 ? " (CKDIV8 counted)" : "",
               (double)part->factory_clock_hz / 1000.0 / part->sck_divider);
    else
        printf("  what clock a new part runs at depends on the board, or is not known%s\n",
               part->factory_ckdiv8 ? "; CKDIV8 divides it by 8" : "");
    if (!part->sync_echo)
        printf("  it gives no answer to AC 53: only its signature tells that it listens\n");
}

static void print_byte(const struct part *part, enum part_memory memory)
{
    const struct part_byte *byte = part_byte(part, memory);
    if (byte == NULL)
        return;
    printf("  %-10s  ", byte->name);
    if (byte->factory_default >= 0)
        printf("0x%02X, bits 0x%02X", (unsigned)byte->factory_default, byte->mask);
    else
        printf("not known, bits 0x%02X", byte->mask);
    if (!byte->readable && !byte->writable)
        printf("; neither read nor written over ISP");
    else if (!byte->readable || !byte->writable)
        printf("; not %s over ISP, so a profile leaves it", byte->readable ? "written" : "read");
    printf("\n");
    if (byte->factory_default >= 0)
        command_print_meaning(part, memory, (uint8_t)byte->factory_default);
}

static void print_boot_sections(const struct part *part)
{
    if (part->boot_section_count == 0)
        return;
    printf("boot sections:\n");
    for (int i = 0; i < part->boot_section_count; i++) {
        const struct part_boot_section *section = &part->boot_sections[i];
        if (part->boot_section_count > 1)
            printf("  BOOTSZ %u    ", section->bootsz_value);
        else
            printf("  fixed       ");
        printf("0x%05" PRIX32 " to 0x%05" PRIX32 ", %" PRIu32 " bytes\n",
               section->start_byte_address, part->flash.size - 1, section->size_bytes);
    }
}

static void print_part(const struct known *known, const struct part *part)
{
    const struct part *twin;
    size_t at = 0;
    printf("%s, signature %02X %02X %02X", part->name, part->signature[0], part->signature[1],
           part->signature[2]);
    for (bool first = true; (twin = next_twin(known, part, &at)) != NULL; first = false)
        printf("%s%s", first ? ", which is also that of " : ", ", twin->name);
    printf("\n  %s%s\n  sha256 %s\n", part->path,
           data_paths_is_shipped_part(part) ? "" : " (your own)", part->sha256);
    print_memories(part);
    print_waits(part);
    print_speed(part);
    printf("fuses and lock bits of a new part:\n");
    for (enum part_memory memory = PART_FIRST_FUSE; memory <= PART_LOCK; memory++)
        print_byte(part, memory);
    print_boot_sections(part);
}

/* ------------------------------------------------------------------ for programs */

static struct json_object *array_to_json(const struct part_array *array)
{
    struct json_object *object = json_object_create();
    json_add_integer(object, "bytes", array->size);
    json_add_integer(object, "page_bytes", array->page_size);
    json_add_bool(object, "page_write", array->page_write);
    json_add_integer(object, "write_us", array->write_delay_us);
    return object;
}

static struct json_object *byte_to_json(const struct part *part, enum part_memory memory)
{
    const struct part_byte *byte = part_byte(part, memory);
    struct json_object *object = json_object_create();
    char meaning[512];
    json_add_text(object, "fuse", byte->name);
    json_add_integer(object, "mask", byte->mask);
    json_add_bool(object, "readable", byte->readable);
    json_add_bool(object, "writable", byte->writable);
    if (byte->factory_default < 0) {
        json_add_null(object, "factory");
        json_add_null(object, "meaning");
        return object;
    }
    part_describe_byte(part, memory, (uint8_t)byte->factory_default, meaning, sizeof(meaning));
    json_add_integer(object, "factory", byte->factory_default);
    json_add_text(object, "meaning", meaning);
    return object;
}

static struct json_array *boot_sections_to_json(const struct part *part)
{
    struct json_array *sections = json_array_create();
    for (int i = 0; i < part->boot_section_count; i++) {
        struct json_object *section = json_object_create();
        if (part->boot_section_count > 1)
            json_add_integer(section, "bootsz", part->boot_sections[i].bootsz_value);
        else
            json_add_null(section, "bootsz");
        json_add_integer(section, "bytes", part->boot_sections[i].size_bytes);
        json_add_integer(section, "start", part->boot_sections[i].start_byte_address);
        json_append_object(sections, section);
    }
    return sections;
}

static void add_programming(struct json_object *object, const struct part *part)
{
    json_add_integer(object, "chip_erase_us", part->chip_erase_delay_us);
    if (part->fuse_write_delay_us != 0)
        json_add_integer(object, "fuse_write_us", part->fuse_write_delay_us);
    else
        json_add_null(object, "fuse_write_us");
    json_add_integer(object, "lock_write_us", part->lock_write_delay_us);
    json_add_bool(object, "poll_ready", part->poll_ready);
    json_add_bool(object, "poll_after_erase", part->poll_after_erase);
    json_add_bool(object, "sync_echo", part->sync_echo);
    json_add_integer(object, "sck_divider", part->sck_divider);
    json_add_integer(object, "sck_divider_from_12mhz", part->sck_divider_from_12mhz);
    if (part->factory_clock_hz != 0)
        json_add_integer(object, "factory_clock_hz", part->factory_clock_hz);
    else
        json_add_null(object, "factory_clock_hz");
    json_add_bool(object, "factory_ckdiv8", part->factory_ckdiv8);
}

static struct json_object *part_to_json(const struct known *known, const struct part *part)
{
    struct json_object *object = json_object_create();
    struct json_array *twins = json_array_create(), *fuses = json_array_create();
    const struct part *twin;
    char signature[12];
    size_t at = 0;
    record_set_signature(signature, part->signature);
    while ((twin = next_twin(known, part, &at)) != NULL)
        json_append_text(twins, twin->name);
    for (enum part_memory memory = PART_FIRST_FUSE; memory <= PART_LOCK; memory++)
        if (part_byte(part, memory) != NULL)
            json_append_object(fuses, byte_to_json(part, memory));
    json_add_text(object, "part", part->name);
    json_add_text(object, "file", part->path);
    json_add_bool(object, "shipped", data_paths_is_shipped_part(part));
    json_add_text(object, "part_sha256", part->sha256);
    json_add_text(object, "signature", signature);
    json_add_array(object, "same_signature", twins);
    json_add_object(object, "flash", array_to_json(&part->flash));
    if (part->eeprom.size != 0)
        json_add_object(object, "eeprom", array_to_json(&part->eeprom));
    else
        json_add_null(object, "eeprom");
    json_add_integer(object, "calibration_bytes", part->calibration_bytes);
    add_programming(object, part);
    json_add_array(object, "fuses", fuses);
    json_add_array(object, "boot_sections", boot_sections_to_json(part));
    return object;
}

/* ------------------------------------------------------------------ the command */

static int print_json(const struct known *known, const struct part *part, struct failure *failure)
{
    if (json_object_write_line(part_to_json(known, part), stdout) == 0)
        return 0;
    return failure_set(failure, FAILURE_INTERNAL, "the JSON object could not be written");
}

static int show_all(struct known *known, bool json, struct failure *failure)
{
    const struct part_catalogue *catalogue = &known->catalogue;
    if (load_all(known, failure) != 0)
        return -1;
    if (!json)
        print_table(catalogue);
    for (size_t i = 0; json && i < catalogue->list.count; i++)
        if (catalogue->parts[i] != NULL && print_json(known, catalogue->parts[i], failure) != 0)
            return -1;
    return check_all(known, failure);
}

/* Fails, with the nearest name there is. */
static int fail_unknown(const struct known *known, const char *name, struct failure *failure)
{
    struct part *none = NULL;
    struct failure why = {0};
    (void)part_load(known->directories, name, &none, &why);
    part_free(none);
    return failure_set(failure, FAILURE_USAGE, "parts: %s", why.detail);
}

/* All are loaded for one, too: which others have its signature is one of its facts. */
static int show_one(struct known *known, const struct config *config, struct failure *failure)
{
    char path[PATH_MAX];
    if (!part_find(known->directories, config->name, path, sizeof(path)))
        return fail_unknown(known, config->name, failure);
    if (load_all(known, failure) != 0)
        return -1;
    const struct part *part = find_loaded(known, config->name);
    if (part == NULL)
        return check_all(known, failure);
    if (!config->json)
        print_part(known, part);
    else if (print_json(known, part, failure) != 0)
        return -1;
    return check_all(known, failure);
}

static int take_operands(void *context, int count, char **operands, struct failure *failure)
{
    struct config *config = context;
    return count > 0 ? command_take_operand("parts", count, operands, &config->name, failure) : 0;
}

static int run(const void *context, struct failure *failure)
{
    const struct config *config = context;
    struct known known = {0};
    int result = data_paths_parts(&known.directories, failure);
    if (result == 0)
        result = config->name != NULL ? show_one(&known, config, failure)
                                      : show_all(&known, config->json, failure);
    part_catalogue_free(&known.catalogue);
    free(known.directories);
    return result;
}

const struct command command_parts = {
    .name = "parts",
    .usage = "[NAME] [OPTION]...",
    .summary = "list the AVR types that are known, or the facts of one",
    .details =
        "A file in a directory of your own wins over the one that came with the program: one\n"
        "named in $GANGFLASH_PARTS (several are separated by colons), then\n"
        "$XDG_CONFIG_HOME/gangflash/parts (default ~/.config/gangflash/parts).",
    .options = options,
    .config_bytes = sizeof(struct config),
    .take_operands = take_operands,
    .run = run,
};
