#include "jigs/isp.h"

#include <string.h>

#include "jigs/programmer.h"

#define SEGMENT_BYTES 0x20000 /* 128 KiB: what sixteen bits of word address reach */
#define POLL_FIRST_PAUSE_US 100
#define POLL_LONGEST_PAUSE_US 2000

/* ---- instructions ---- */

static struct isp_instruction make(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
    return (struct isp_instruction){.bytes = {a, b, c, d}};
}

static uint8_t word_high(uint32_t byte_address)
{
    return (uint8_t)(byte_address >> 9);
}

static uint8_t word_low(uint32_t byte_address)
{
    return (uint8_t)(byte_address >> 1);
}

struct isp_instruction isp_programming_enable(void)
{
    return make(0xAC, 0x53, 0, 0);
}

struct isp_instruction isp_chip_erase(struct fuse_permit *permit)
{
    struct isp_instruction instruction = make(0xAC, 0x80, 0, 0);

    instruction.permit = permit;
    return instruction;
}

struct isp_instruction isp_poll_ready(void)
{
    return make(0xF0, 0, 0, 0);
}

struct isp_instruction isp_load_extended_address(uint32_t byte_address)
{
    return make(0x4D, 0, (uint8_t)(byte_address / SEGMENT_BYTES), 0);
}

struct isp_instruction isp_read_flash(uint32_t byte_address)
{
    return make((byte_address & 1) != 0 ? 0x28 : 0x20, word_high(byte_address),
                word_low(byte_address), 0);
}

/* The high byte of the address is not looked at: the word's place in the page is in the low one. */
struct isp_instruction isp_load_flash(uint32_t byte_address, uint8_t value)
{
    return make((byte_address & 1) != 0 ? 0x48 : 0x40, 0, word_low(byte_address), value);
}

struct isp_instruction isp_write_flash_page(uint32_t byte_address)
{
    return make(0x4C, word_high(byte_address), word_low(byte_address), 0);
}

struct isp_instruction isp_read_eeprom(uint32_t address)
{
    return make(0xA0, (uint8_t)(address >> 8), (uint8_t)address, 0);
}

struct isp_instruction isp_write_eeprom(uint32_t address, uint8_t value)
{
    return make(0xC0, (uint8_t)(address >> 8), (uint8_t)address, value);
}

struct isp_instruction isp_load_eeprom(uint32_t offset, uint8_t value)
{
    return make(0xC1, 0, (uint8_t)offset, value);
}

struct isp_instruction isp_write_eeprom_page(uint32_t address)
{
    return make(0xC2, (uint8_t)(address >> 8), (uint8_t)address, 0);
}

struct isp_instruction isp_read_signature(uint8_t index)
{
    return make(0x30, 0, index, 0);
}

struct isp_instruction isp_read_calibration(uint8_t index)
{
    return make(0x38, 0, index, 0);
}

/* Index: memory - PART_FIRST_FUSE. */
static const struct {
    uint8_t read[2];
    uint8_t write;
} byte_instructions[PART_FUSE_AND_LOCK_COUNT] = {
    {{0x50, 0x00}, 0xA0}, /* low */
    {{0x58, 0x08}, 0xA8}, /* high */
    {{0x50, 0x08}, 0xA4}, /* extended */
    {{0x58, 0x00}, 0xE0}, /* lock */
};

struct isp_instruction isp_read_byte(enum part_memory memory)
{
    const uint8_t *read = byte_instructions[memory - PART_FIRST_FUSE].read;

    return make(read[0], read[1], 0, 0);
}

struct isp_instruction isp_write_byte(enum part_memory memory, uint8_t value,
                                      struct fuse_permit *permit)
{
    struct isp_instruction instruction =
        make(0xAC, byte_instructions[memory - PART_FIRST_FUSE].write, 0, value);

    instruction.permit = permit;
    return instruction;
}

/* ---- defaults on one instruction at a time ---- */

static int instruct(struct programmer *programmer, struct isp_instruction instruction,
                    uint8_t *reply, const struct operation *operation, struct failure *failure)
{
    return programmer->driver->instruct(programmer, &instruction, reply, operation, failure);
}

static int send(struct programmer *programmer, struct isp_instruction instruction,
                const struct operation *operation, struct failure *failure)
{
    uint8_t reply; /* says nothing for these */

    return instruct(programmer, instruction, &reply, operation, failure);
}

int isp_select_segment(struct programmer *programmer, uint32_t byte_address,
                       const struct operation *operation, struct failure *failure)
{
    int64_t segment = byte_address / SEGMENT_BYTES;

    if (!programmer->part->flash.needs_extended_address || programmer->extended_address == segment)
        return 0;
    if (send(programmer, isp_load_extended_address(byte_address), operation, failure) != 0)
        return -1;
    programmer->extended_address = segment;
    return 0;
}

int isp_identify(struct programmer *programmer, uint8_t signature[3],
                 const struct operation *operation, struct failure *failure)
{
    for (uint8_t i = 0; i < 3; i++)
        if (instruct(programmer, isp_read_signature(i), &signature[i], operation, failure) != 0)
            return -1;
    return 0;
}

static int poll_until_ready(struct programmer *programmer, uint32_t datasheet_us,
                            const struct operation *operation, struct failure *failure)
{
    int64_t give_up_us = operation_now_us() + INT64_C(10) * datasheet_us;
    int64_t pause_us = POLL_FIRST_PAUSE_US;
    bool over = false;

    for (;;) {
        uint8_t reply;

        if (instruct(programmer, isp_poll_ready(), &reply, operation, failure) != 0)
            return -1;
        if ((reply & 1) == 0)
            return 0;
        if (over)
            return failure_set(failure, FAILURE_BOARD_BUSY,
                               "still busy after %u ms, expected at most %u us", datasheet_us / 100,
                               datasheet_us);
        if (operation_sleep_us(operation, pause_us, failure) != 0)
            return -1;
        if (pause_us < POLL_LONGEST_PAUSE_US)
            pause_us *= 2;
        over = operation_now_us() >= give_up_us; /* once more after the time, not before it */
    }
}

int isp_wait_ready(struct programmer *programmer, uint32_t datasheet_us, bool pollable,
                   const struct operation *operation, struct failure *failure)
{
    if (pollable)
        return poll_until_ready(programmer, datasheet_us, operation, failure);
    return operation_sleep_us(operation, (int64_t)datasheet_us + datasheet_us / 5, failure);
}

int isp_erase(struct programmer *programmer, struct fuse_permit *permit,
              const struct operation *operation, struct failure *failure)
{
    const struct part *part = programmer->part;

    if (send(programmer, isp_chip_erase(permit), operation, failure) != 0)
        return -1;
    return isp_wait_ready(programmer, part->chip_erase_delay_us,
                          part->poll_ready && part->poll_after_erase, operation, failure);
}

static struct isp_instruction read_instruction(enum part_memory memory, uint32_t address)
{
    switch (memory) {
    case PART_FLASH:
        return isp_read_flash(address);
    case PART_EEPROM:
        return isp_read_eeprom(address);
    case PART_SIGNATURE:
        return isp_read_signature((uint8_t)address);
    case PART_CALIBRATION:
        return isp_read_calibration((uint8_t)address);
    default:
        return isp_read_byte(memory);
    }
}

int isp_read(struct programmer *programmer, enum part_memory memory, uint32_t start, uint8_t *bytes,
             uint32_t count, const struct operation *operation, struct failure *failure)
{
    for (uint32_t i = 0; i < count; i++) {
        if (memory == PART_FLASH &&
            isp_select_segment(programmer, start + i, operation, failure) != 0)
            return -1;
        if (instruct(programmer, read_instruction(memory, start + i), &bytes[i], operation,
                     failure) != 0)
            return -1;
        operation_progress(operation, i + 1);
    }
    return 0;
}

/* One page into erased flash. The page buffer is FF after each page write, so words that stay FF
 * are not loaded; of the others the low byte first, as the datasheet demands. */
static int write_flash_page(struct programmer *programmer, uint32_t address, const uint8_t *bytes,
                            const struct operation *operation, struct failure *failure)
{
    const struct part *part = programmer->part;
    bool blank = true;

    for (uint32_t i = 0; i < part->flash.page_size; i += 2) {
        if (bytes[i] == 0xFF && bytes[i + 1] == 0xFF)
            continue;
        blank = false;
        for (uint32_t half = 0; half < 2; half++)
            if (send(programmer, isp_load_flash(address + i + half, bytes[i + half]), operation,
                     failure) != 0)
                return -1;
    }
    if (blank)
        return 0;
    if (isp_select_segment(programmer, address, operation, failure) != 0 ||
        send(programmer, isp_write_flash_page(address), operation, failure) != 0)
        return -1;
    return isp_wait_ready(programmer, part->flash.write_delay_us, part->poll_ready, operation,
                          failure);
}

static int write_flash(struct programmer *programmer, uint32_t start, const uint8_t *bytes,
                       uint32_t count, const struct operation *operation, struct failure *failure)
{
    uint32_t page_size = programmer->part->flash.page_size;

    for (uint32_t at = 0; at < count; at += page_size) {
        if (write_flash_page(programmer, start + at, bytes + at, operation, failure) != 0)
            return -1;
        operation_progress(operation, at + page_size);
    }
    return 0;
}

/* How many bytes from `address` on go into one write: to the page's end, or one. */
static uint32_t eeprom_piece(const struct part *part, uint32_t address, uint32_t count)
{
    uint32_t piece = 1;

    if (part->eeprom.page_write)
        piece = part->eeprom.page_size - address % part->eeprom.page_size;
    return piece < count ? piece : count;
}

static int write_eeprom_piece(struct programmer *programmer, uint32_t address, const uint8_t *bytes,
                              uint32_t count, const struct operation *operation,
                              struct failure *failure)
{
    const struct part *part = programmer->part;
    uint32_t offset = part->eeprom.page_write ? address % part->eeprom.page_size : 0;

    if (!part->eeprom.page_write) {
        if (send(programmer, isp_write_eeprom(address, bytes[0]), operation, failure) != 0)
            return -1;
    } else {
        for (uint32_t i = 0; i < count; i++)
            if (send(programmer, isp_load_eeprom(offset + i, bytes[i]), operation, failure) != 0)
                return -1;
        if (send(programmer, isp_write_eeprom_page(address - offset), operation, failure) != 0)
            return -1;
    }
    return isp_wait_ready(programmer, part->eeprom.write_delay_us, part->poll_ready, operation,
                          failure);
}

static int write_eeprom(struct programmer *programmer, uint32_t start, const uint8_t *bytes,
                        uint32_t count, const struct operation *operation, struct failure *failure)
{
    for (uint32_t at = 0; at < count;) {
        uint32_t piece = eeprom_piece(programmer->part, start + at, count - at);

        if (write_eeprom_piece(programmer, start + at, bytes + at, piece, operation, failure) != 0)
            return -1;
        at += piece;
        operation_progress(operation, at);
    }
    return 0;
}

int isp_write(struct programmer *programmer, enum part_memory memory, uint32_t start,
              const uint8_t *bytes, uint32_t count, struct fuse_permit *permit,
              const struct operation *operation, struct failure *failure)
{
    const struct part *part = programmer->part;

    if (memory == PART_FLASH)
        return write_flash(programmer, start, bytes, count, operation, failure);
    if (memory == PART_EEPROM)
        return write_eeprom(programmer, start, bytes, count, operation, failure);
    if (!part_is_fuse_or_lock(memory))
        return failure_set(failure, FAILURE_INTERNAL, "this memory cannot be written");
    if (send(programmer, isp_write_byte(memory, bytes[0], permit), operation, failure) != 0)
        return -1;
    return isp_wait_ready(
        programmer, memory == PART_LOCK ? part->lock_write_delay_us : part->fuse_write_delay_us,
        part->poll_ready, operation, failure);
}
