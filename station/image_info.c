#include "station/image_info.h"

#include <inttypes.h>
#include <string.h>

#include "reports/json.h"
#include "reports/record.h"
#include "station/image_map.h"

#define RANGES_SHOWN 24

/* Names for programs. */
static const char *const memory_names[IMAGE_MEMORY_COUNT] = {"flash", "eeprom", "fuses", "lock",
                                                             "signature"};

static const struct image *image_of(const struct image_info *info, enum image_memory memory)
{
    return info->memories->images[memory];
}

/* As the log has it of a profile that writes just this; empty without a part, since it depends on
 * the sizes of the memories. */
static void find_digest(const struct image_info *info, char text[DIGEST_TEXT_BYTES])
{
    const struct image *eeprom = image_of(info, IMAGE_EEPROM);
    text[0] = '\0';
    if (info->part != NULL)
        image_digest(image_of(info, IMAGE_FLASH), eeprom->count > 0 ? eeprom : NULL, text);
}

/* ------------------------------------------------------------------ fuses */

/* The image's byte for a fuse or the lock byte; false when it gives none. */
static bool find_byte(const struct image_info *info, enum part_memory memory, uint8_t *value)
{
    const struct image *image = image_of(info, memory == PART_LOCK ? IMAGE_LOCK : IMAGE_FUSES);
    uint32_t at = memory == PART_LOCK ? 0 : (uint32_t)(memory - PART_FIRST_FUSE);
    if (at >= image->size || !image->present[at])
        return false;
    *value = image->data[at];
    return true;
}

/* The BOOTSZ that the image's own fuses select; -1 when they do not say. */
static int find_bootsz(const struct image_info *info)
{
    for (enum part_memory memory = PART_FIRST_FUSE; memory < PART_LOCK; memory++) {
        const struct part_byte *byte = part_byte(info->part, memory);
        uint8_t value = 0;
        if (byte == NULL || !find_byte(info, memory, &value))
            continue;
        for (size_t i = 0; i < byte->field_count; i++) {
            unsigned mask = byte->fields[i].mask;
            if (strcmp(byte->fields[i].name, "BOOTSZ") == 0 && mask != 0)
                return (int)((value & mask) / (mask & -mask));
        }
    }
    return -1;
}

/* ------------------------------------------------------------------ boot sections */

struct boot_use {
    uint32_t bytes; /* of the image, in the section */
    uint32_t first; /* their first address */
    bool crossed;   /* a run of the image goes on from before the section into it */
    uint32_t crossed_from;
};

static struct boot_use use_of_section(const struct image *flash,
                                      const struct part_boot_section *section)
{
    const uint32_t start = section->start_byte_address;
    struct boot_use use = {0};
    struct image_range range;
    for (uint32_t from = 0; image_next_range(flash, from, &range); from = range.end) {
        if (range.end <= start)
            continue;
        if (range.start < start) {
            use.crossed = true;
            use.crossed_from = range.start;
            range.start = start;
        }
        if (use.bytes == 0)
            use.first = range.start;
        use.bytes += range.end - range.start;
    }
    return use;
}

/* ------------------------------------------------------------------ for people */

static void print_ranges(const struct image *image, FILE *out)
{
    struct image_range range;
    uint32_t shown = 0, left_out = 0, end = 0;
    for (uint32_t from = 0; image_next_range(image, from, &range); from = range.end) {
        if (shown == RANGES_SHOWN) {
            left_out++;
            continue;
        }
        if (shown > 0)
            fprintf(out, "    gap of %" PRIu32 " bytes\n", range.start - end);
        fprintf(out, "    0x%05" PRIX32 " to 0x%05" PRIX32 ", %" PRIu32 " bytes\n", range.start,
                range.end - 1, range.end - range.start);
        end = range.end;
        shown++;
    }
    if (left_out > 0)
        fprintf(out, "    and %" PRIu32 " more ranges\n", left_out);
}

static void print_array(const struct image_info *info, enum image_memory memory, FILE *out)
{
    const struct image *image = image_of(info, memory);
    if (image->count == 0 && memory != IMAGE_FLASH)
        return;
    fprintf(out, "  %s: %" PRIu32, image_memory_name(memory), image->count);
    if (info->part != NULL)
        fprintf(out, " of %" PRIu32, image->size);
    fprintf(out, " bytes\n");
    print_ranges(image, out);
}

static void print_raw(const struct image_info *info, enum image_memory memory, FILE *out)
{
    const struct image *image = image_of(info, memory);
    if (image->count == 0)
        return;
    fprintf(out, "  %s:", image_memory_name(memory));
    for (uint32_t at = 0; at < image->size; at++)
        if (image->present[at])
            fprintf(out, " %02X", image->data[at]);
    fprintf(out, "\n");
}

static void print_decoded(const struct image_info *info, FILE *out)
{
    for (enum part_memory memory = PART_FIRST_FUSE; memory <= PART_LOCK; memory++) {
        uint8_t value = 0;
        char meaning[512];
        if (part_byte(info->part, memory) == NULL || !find_byte(info, memory, &value))
            continue;
        part_describe_byte(info->part, memory, value, meaning, sizeof(meaning));
        fprintf(out, "  %s 0x%02X: %s\n", part_memory_name(info->part, memory), value, meaning);
    }
}

static void print_signature(const struct image_info *info, FILE *out)
{
    uint8_t signature[3];
    if (!image_memories_signature(info->memories, signature)) {
        print_raw(info, IMAGE_SIGNATURE, out);
        return;
    }
    fprintf(out, "  signature: %02X %02X %02X", signature[0], signature[1], signature[2]);
    if (info->part != NULL && memcmp(signature, info->part->signature, sizeof(signature)) == 0)
        fprintf(out, ", as %s has it", info->part->name);
    else if (info->part != NULL)
        fprintf(out, ", NOT that of %s, which is %02X %02X %02X", info->part->name,
                info->part->signature[0], info->part->signature[1], info->part->signature[2]);
    fprintf(out, "\n");
}

static void print_section_use(const struct image_info *info,
                              const struct part_boot_section *section, FILE *out)
{
    struct boot_use use = use_of_section(image_of(info, IMAGE_FLASH), section);
    fprintf(out, "  BOOTSZ %d%s, 0x%05" PRIX32 " to 0x%05" PRIX32 ": ", section->bootsz_value,
            find_bootsz(info) == section->bootsz_value ? " (as these fuses say)" : "",
            section->start_byte_address, section->start_byte_address + section->size_bytes - 1);
    if (use.crossed)
        fprintf(out, "%" PRIu32 " bytes in it, the run from 0x%05" PRIX32 " reaches into it\n",
                use.bytes, use.crossed_from);
    else if (use.bytes > 0)
        fprintf(out, "%" PRIu32 " bytes in it, from 0x%05" PRIX32 "\n", use.bytes, use.first);
    else
        fprintf(out, "nothing in it\n");
}

/* How much of a memory to draw: all of the part's; without a part up to the next power of two. */
static uint32_t drawn_size(const struct image_info *info, enum image_memory memory)
{
    const struct image *image = image_of(info, memory);
    struct image_range range;
    uint32_t size = 1024;
    if (info->part != NULL)
        return image->size;
    for (uint32_t from = 0; image_next_range(image, from, &range); from = range.end)
        while (size < range.end)
            size *= 2;
    return size;
}

static void print_maps(const struct image_info *info, FILE *out)
{
    struct image_map map = image_map_for(out, drawn_size(info, IMAGE_FLASH));
    char name[16];
    image_map_print(&map, "flash", image_of(info, IMAGE_FLASH));
    for (int i = 0; info->part != NULL && i < info->part->boot_section_count; i++) {
        (void)snprintf(name, sizeof(name), "BOOTSZ %d", info->part->boot_sections[i].bootsz_value);
        image_map_print_section(&map, name, &info->part->boot_sections[i]);
    }
    image_map_print_legend(&map);
    if (image_of(info, IMAGE_EEPROM)->count == 0)
        return;
    map = image_map_for(out, drawn_size(info, IMAGE_EEPROM));
    image_map_print(&map, "EEPROM", image_of(info, IMAGE_EEPROM));
    image_map_print_legend(&map);
}

void image_info_print(const struct image_info *info, FILE *out)
{
    char digest[DIGEST_TEXT_BYTES];
    fprintf(out, "%s: %s", info->name, info->format_title);
    if (info->file_bytes >= 0)
        fprintf(out, ", %" PRId64 " bytes", info->file_bytes);
    fprintf(out, "\n  sha256 %s\n", info->sha256);
    find_digest(info, digest);
    if (digest[0] != '\0')
        fprintf(out, "  image_sha256 %s, on %s\n", digest, info->part->name);
    if (info->memories->has_start)
        fprintf(out, "  start address 0x%05" PRIX32 "\n", info->memories->start);
    print_array(info, IMAGE_FLASH, out);
    print_array(info, IMAGE_EEPROM, out);
    if (info->part != NULL) {
        print_decoded(info, out);
    } else {
        print_raw(info, IMAGE_FUSES, out);
        print_raw(info, IMAGE_LOCK, out);
    }
    print_signature(info, out);
    print_maps(info, out);
    for (int i = 0; info->part != NULL && i < info->part->boot_section_count; i++)
        print_section_use(info, &info->part->boot_sections[i], out);
}

/* ------------------------------------------------------------------ for programs */

static struct json_object *memory_to_json(const struct image_info *info, enum image_memory memory)
{
    const struct image *image = image_of(info, memory);
    struct json_object *object = json_object_create();
    struct json_array *ranges = json_array_create();
    struct image_range range;
    json_add_text(object, "memory", memory_names[memory]);
    json_add_integer(object, "bytes", image->count);
    for (uint32_t from = 0; image_next_range(image, from, &range); from = range.end) {
        struct json_object *row = json_object_create();
        json_add_integer(row, "first_address", range.start);
        json_add_integer(row, "last_address", range.end - 1);
        json_append_object(ranges, row);
    }
    json_add_array(object, "ranges", ranges);
    return object;
}

static struct json_object *byte_to_json(const struct image_info *info, enum part_memory memory,
                                        uint8_t value)
{
    struct json_object *object = json_object_create();
    char meaning[512];
    part_describe_byte(info->part, memory, value, meaning, sizeof(meaning));
    json_add_text(object, "fuse", part_memory_name(info->part, memory));
    json_add_integer(object, "value", value);
    json_add_text(object, "meaning", meaning);
    return object;
}

static struct json_object *section_to_json(const struct image_info *info,
                                           const struct part_boot_section *section)
{
    struct boot_use use = use_of_section(image_of(info, IMAGE_FLASH), section);
    struct json_object *object = json_object_create();
    json_add_integer(object, "bootsz", section->bootsz_value);
    json_add_bool(object, "selected", find_bootsz(info) == section->bootsz_value);
    json_add_integer(object, "first_address", section->start_byte_address);
    json_add_integer(object, "last_address",
                     (int64_t)section->start_byte_address + section->size_bytes - 1);
    json_add_integer(object, "bytes", use.bytes);
    json_add_bool(object, "crossed", use.crossed);
    return object;
}

static void add_part(const struct image_info *info, struct json_object *object)
{
    struct json_array *bytes = json_array_create(), *sections = json_array_create();
    char digest[DIGEST_TEXT_BYTES];
    find_digest(info, digest);
    json_add_text(object, "part", info->part->name);
    json_add_text(object, "image_sha256", digest);
    for (enum part_memory memory = PART_FIRST_FUSE; memory <= PART_LOCK; memory++) {
        uint8_t value = 0;
        if (part_byte(info->part, memory) != NULL && find_byte(info, memory, &value))
            json_append_object(bytes, byte_to_json(info, memory, value));
    }
    json_add_array(object, "fuses", bytes);
    for (int i = 0; i < info->part->boot_section_count; i++)
        json_append_object(sections, section_to_json(info, &info->part->boot_sections[i]));
    json_add_array(object, "boot_sections", sections);
}

int image_info_write_json(const struct image_info *info, FILE *out)
{
    struct json_object *object = json_object_create();
    struct json_array *memories = json_array_create();
    uint8_t signature[3];
    char text[12];
    json_add_text(object, "file", info->name);
    json_add_text(object, "format", info->format);
    if (info->file_bytes >= 0)
        json_add_integer(object, "file_bytes", info->file_bytes);
    json_add_text(object, "sha256", info->sha256);
    if (info->memories->has_start)
        json_add_integer(object, "start_address", info->memories->start);
    for (enum image_memory memory = IMAGE_FLASH; memory < IMAGE_MEMORY_COUNT; memory++)
        if (image_of(info, memory)->count > 0)
            json_append_object(memories, memory_to_json(info, memory));
    json_add_array(object, "memories", memories);
    if (image_memories_signature(info->memories, signature)) {
        record_set_signature(text, signature);
        json_add_text(object, "signature", text);
    }
    if (info->part != NULL)
        add_part(info, object);
    return json_object_write_line(object, out);
}
