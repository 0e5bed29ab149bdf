/* Prints what the part files say, one JSON line per part, for a comparison with other tables:
 * part_facts DIRECTORY */
#include <stdio.h>

#include "profiles/part.h"
#include "reports/json.h"

static void add_array(struct json_object *line, const char *key, const struct part_array *array)
{
    struct json_object *object = json_object_create();

    json_add_integer(object, "size", array->size);
    json_add_integer(object, "page_size", array->page_size);
    json_add_bool(object, "page_write", array->page_write);
    json_add_integer(object, "write_us", array->write_delay_us);
    json_add_bool(object, "extended_address", array->needs_extended_address);
    if (array->has_unpollable) {
        char text[12];

        snprintf(text, sizeof text, "0x%02x 0x%02x", array->unpollable[0], array->unpollable[1]);
        json_add_text(object, "unpollable", text);
    }
    json_add_object(line, key, object);
}

/* 32 places: 0, 1, x, and a to h for the value's bits 0 to 7. */
static void add_instruction(struct json_object *object, const char *key,
                            const struct part_instruction *instruction)
{
    char text[33] = {0};

    for (int place = 0; place < 32; place++) {
        int mask = 0x80 >> place % 8;

        text[place] = 'x';
        if ((instruction->fixed[place / 8] & mask) != 0)
            text[place] = (instruction->bits[place / 8] & mask) != 0 ? '1' : '0';
    }
    for (int n = 0; n < 8; n++)
        if (instruction->place[n] != 0)
            text[instruction->place[n] - 1] = (char)('a' + n);
    json_add_text(object, key, text);
}

/* The bits of a fuse that no test may turn over and still expect an answer. */
static uint8_t dangerous_bits(const struct part *part, enum part_memory memory)
{
    const struct part_bit bits[] = {part->spien, part->rstdisbl, part->dwen, part->cksel,
                                    part->ckdiv8};
    uint8_t mask = 0;

    for (size_t i = 0; i < sizeof bits / sizeof bits[0]; i++)
        if (bits[i].memory == memory)
            mask |= bits[i].mask;
    return mask;
}

static void add_bytes(struct json_object *line, const struct part *part)
{
    struct json_array *array = json_array_create();

    for (enum part_memory memory = PART_FIRST_FUSE; memory <= PART_LOCK; memory++) {
        const struct part_byte *byte = part_byte(part, memory);
        struct json_object *object;

        if (byte == NULL)
            continue;
        object = json_object_create();
        json_add_text(object, "name", byte->name);
        json_add_integer(object, "mask", byte->mask);
        json_add_integer(object, "dangerous", dangerous_bits(part, memory));
        json_add_integer(object, "spien", part->spien.memory == memory ? part->spien.mask : 0);
        if (byte->factory_default >= 0)
            json_add_integer(object, "factory", byte->factory_default);
        if (byte->readable)
            add_instruction(object, "read", &byte->read);
        if (byte->writable)
            add_instruction(object, "write", &byte->write);
        json_append_object(array, object);
    }
    json_add_array(line, "bytes", array);
}

static int print_part(const char *directory, const char *name, struct failure *failure)
{
    struct json_object *line;
    struct part *part;
    char signature[16];

    if (part_load(directory, name, &part, failure) != 0)
        return -1;
    line = json_object_create();
    snprintf(signature, sizeof signature, "0x%02x 0x%02x 0x%02x", part->signature[0],
             part->signature[1], part->signature[2]);
    json_add_text(line, "part", part->name);
    json_add_text(line, "signature", signature);
    add_array(line, "flash", &part->flash);
    add_array(line, "eeprom", &part->eeprom);
    json_add_integer(line, "chip_erase_us", part->chip_erase_delay_us);
    json_add_integer(line, "fuse_us", part->fuse_write_delay_us);
    json_add_integer(line, "lock_us", part->lock_write_delay_us);
    json_add_integer(line, "calibration", part->calibration_bytes);
    json_add_bool(line, "poll_ready", part->poll_ready);
    add_bytes(line, part);
    part_free(part);
    if (json_object_write_line(line, stdout) == 0)
        return 0;
    return failure_set(failure, FAILURE_OUT_OF_MEMORY, "%s could not be printed", name);
}

int main(int argc, char **argv)
{
    struct failure failure = {0};
    struct part_list list = {0};
    int result;

    if (argc != 2) {
        (void)fprintf(stderr, "usage: part_facts DIRECTORY\n");
        return 2;
    }
    result = part_list(argv[1], &list, &failure);
    for (size_t i = 0; result == 0 && i < list.count; i++)
        result = print_part(argv[1], list.names[i], &failure);
    part_list_free(&list);
    if (result != 0)
        (void)fprintf(stderr, "%s\n", failure.detail);
    return result == 0 ? 0 : 1;
}
