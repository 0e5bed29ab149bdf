#include "jigs/simbench/board_record.h"

#include <stdio.h>
#include <stdlib.h>

/* Lower-case hex up to the last byte that is not FF. */
static void add_memory(struct json_object *line, const char *key, const uint8_t *bytes,
                       uint32_t size)
{
    static const char digits[] = "0123456789abcdef";
    while (size > 0 && bytes[size - 1] == 0xFF) {
        size--;
    }
    char *text = malloc((size_t)size * 2 + 1);
    if (text == NULL) {
        json_add_null(line, key);
        return;
    }
    for (uint32_t i = 0; i < size; i++) {
        text[2 * i] = digits[bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes[i] & 0x0F];
    }
    text[(size_t)size * 2] = '\0';
    json_add_text(line, key, text);
    free(text);
}

static void add_memories(struct json_object *line, const struct avr_target *target)
{
    uint32_t size;
    const uint8_t *bytes = avr_target_memory(target, PART_FLASH, &size);
    add_memory(line, "flash", bytes, size);
    json_add_integer(line, "flash_size", size);
    bytes = avr_target_memory(target, PART_EEPROM, &size);
    add_memory(line, "eeprom", bytes, size);
    json_add_integer(line, "eeprom_size", size);
    for (int i = 0; i < PART_FUSE_AND_LOCK_COUNT; i++) {
        const struct part_byte *byte = &avr_target_part(target)->bytes[i];
        if (byte->exists) {
            enum part_memory memory = (enum part_memory)(PART_FIRST_FUSE + i);
            json_add_integer(line, byte->name, *avr_target_memory(target, memory, NULL));
        }
    }
    json_add_integer(line, "clock_hz", avr_target_clock_hz(target));
}

static struct json_object *counts_of(const struct bench_board *board)
{
    const struct avr_target_counts *counts = avr_target_counts(board->target);
    struct json_object *object = json_object_create();
    json_add_integer(object, "frames", board->frames);
    json_add_integer(object, "instructions", counts->instructions);
    json_add_integer(object, "enables", counts->enables);
    json_add_integer(object, "erases", counts->erases);
    json_add_integer(object, "flash_pages", counts->flash_pages);
    json_add_integer(object, "eeprom_writes", counts->eeprom_writes);
    json_add_integer(object, "ignored_busy", counts->ignored_busy);
    json_add_integer(object, "busy_reads", counts->busy_reads);
    json_add_integer(object, "ignored_locked", counts->ignored_locked);
    json_add_integer(object, "ignored_unknown", counts->ignored_unknown);
    json_add_integer(object, "too_fast", counts->too_fast);
    return object;
}

/* Every value that was sent to a fuse or the lock byte, taken or not. */
static struct json_array *fuse_writes_of(const struct avr_target *target)
{
    struct json_array *array = json_array_create();
    for (int i = 0; i < PART_FUSE_AND_LOCK_COUNT * 256; i++) {
        enum part_memory memory = (enum part_memory)(PART_FIRST_FUSE + i / 256);
        uint8_t value = (uint8_t)(i % 256);
        int64_t count = avr_target_writes_sent(target, memory, value);
        if (count != 0) {
            struct json_object *item = json_object_create();
            const struct part_byte *byte = &avr_target_part(target)->bytes[i / 256];
            json_add_text(item, "fuse", byte->exists ? byte->name : "none");
            json_add_integer(item, "value", value);
            json_add_integer(item, "count", count);
            json_append_object(array, item);
        }
    }
    return array;
}

static struct json_array *frames_of(const struct avr_target *target)
{
    struct json_array *array = json_array_create();
    const uint8_t *frame;
    for (int i = 0; (frame = avr_target_frame(target, i)) != NULL; i++) {
        char text[12];
        snprintf(text, sizeof text, "%02x%02x%02x%02x", frame[0], frame[1], frame[2], frame[3]);
        json_append_text(array, text);
    }
    return array;
}

static struct json_array *faults_of(const struct fault_set *faults)
{
    struct json_array *array = json_array_create();
    const struct jig_fault *fault;
    int64_t applied;
    for (size_t i = 0; (fault = fault_set_item(faults, i, &applied)) != NULL; i++) {
        struct json_object *item = json_object_create();
        json_add_text(item, "fault", jig_fault_kind_name(fault->kind));
        if (jig_fault_is_on_wire(fault->kind)) {
            json_add_text(item, "wire", jig_fault_wire_name(fault->wire));
        }
        json_add_integer(item, "applied", applied);
        json_append_object(array, item);
    }
    return array;
}

struct json_object *board_record(const struct bench_board *board, const struct fault_set *faults)
{
    struct json_object *line = json_object_create();
    json_add_integer(line, "site", board->site);
    json_add_integer(line, "board", board->number);
    json_add_text(line, "lamp", board->lamp[0] == '\0' ? NULL : board->lamp);
    json_add_text(line, "part",
                  board->target == NULL ? NULL : avr_target_part(board->target)->name);
    json_add_array(line, "faults", faults_of(faults));
    if (board->target != NULL) {
        add_memories(line, board->target);
        json_add_object(line, "counts", counts_of(board));
        json_add_array(line, "fuse_writes", fuse_writes_of(board->target));
        json_add_array(line, "ac_frames", frames_of(board->target));
    }
    json_add_integer(line, "bootloader_pages", board->bootloader_pages);
    json_add_integer(line, "receive_lost", board->receive_lost);
    json_add_bool(line, "in_reset", board->in_reset);
    json_add_integer(line, "in_us", board->in_us);
    json_add_integer(line, "out_us", board->out_us);
    return line;
}
