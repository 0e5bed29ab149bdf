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

/* Of a word's address the part looks only at its place in the page, so only that is sent: for pages
 * of up to 256 bytes it is below 80, and stk500v1.c relies on its never being AC. */
struct isp_instruction isp_load_flash(const struct part *part, uint32_t byte_address, uint8_t value)
{
    uint8_t opcode = (byte_address & 1) != 0 ? 0x48 : 0x40;

    if (part->flash.page_write)
        return make(opcode, 0, word_low(byte_address % part->flash.page_size), value);
    return make(opcode, word_high(byte_address), word_low(byte_address), value);
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

/* The byte and the bit in it where a value's bit n stands. False where it stands nowhere. */
static bool find_place(const struct part_instruction *instruction, int n, int *byte, uint8_t *mask)
{
    if (instruction->place[n] == 0)
        return false;
    *byte = (instruction->place[n] - 1) / 8;
    *mask = (uint8_t)(0x80 >> (instruction->place[n] - 1) % 8);
    return true;
}

struct isp_instruction isp_read_byte(const struct part *part, enum part_memory memory)
{
    const struct part_instruction *read = &part->bytes[memory - PART_FIRST_FUSE].read;

    return make(read->bits[0], read->bits[1], read->bits[2], read->bits[3]);
}

uint8_t isp_byte_of_reply(const struct part *part, enum part_memory memory, uint8_t reply)
{
    const struct part_instruction *read = &part->bytes[memory - PART_FIRST_FUSE].read;
    uint8_t value = 0xFF, mask;
    int byte;

    for (int n = 0; n < 8; n++)
        if (find_place(read, n, &byte, &mask) && byte == 3 && (reply & mask) == 0)
            value &= (uint8_t) ~(1 << n);
    return value;
}

struct isp_instruction isp_write_byte(const struct part *part, enum part_memory memory,
                                      uint8_t value, struct fuse_permit *permit)
{
    const struct part_instruction *write = &part->bytes[memory - PART_FIRST_FUSE].write;
    struct isp_instruction instruction =
        make(write->bits[0], write->bits[1], write->bits[2], write->bits[3]);
    uint8_t mask;
    int byte;

    for (int n = 0; n < 8; n++)
        if ((value >> n & 1) != 0 && find_place(write, n, &byte, &mask))
            instruction.bytes[byte] |= mask;
    instruction.permit = permit;
    return instruction;
}

/* ---- what instructions do ---- */

bool isp_is_blank(const uint8_t *bytes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (bytes[i] != 0xFF)
            return false;
    return true;
}

bool isp_writes_fuse_or_lock(const uint8_t bytes[4])
{
    return bytes[0] == 0xAC && bytes[1] != 0x53 && (bytes[1] & 0xE0) != 0x80;
}

bool isp_changes_board(const uint8_t bytes[4])
{
    switch (bytes[0]) {
    case 0xAC:
        return bytes[1] != 0x53;
    case 0x4C:
    case 0xC0:
    case 0xC2:
        return true;
    default:
        return false;
    }
}

int isp_check_heard(const struct part *part, const uint8_t sent[4], const uint8_t *heard,
                    struct failure *failure)
{
    if (!part->sync_echo || (heard[1] == sent[0] && heard[2] == sent[1]))
        return 0;
    return failure_set(failure, FAILURE_CONTACT_LOST,
                       "sent %02X %02X %02X %02X, of which the board gave back %02X %02X: what it "
                       "heard is not known",
                       sent[0], sent[1], sent[2], sent[3], heard[1], heard[2]);
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

static int64_t with_a_fifth(uint32_t datasheet_us)
{
    return (int64_t)datasheet_us + datasheet_us / 5;
}

int isp_wait_ready(struct programmer *programmer, uint32_t datasheet_us, bool pollable,
                   const struct operation *operation, struct failure *failure)
{
    if (pollable)
        return poll_until_ready(programmer, datasheet_us, operation, failure);
    return operation_sleep_us(operation, with_a_fifth(datasheet_us), failure);
}

struct isp_instruction isp_read_at(enum part_memory memory, uint32_t address)
{
    return memory == PART_FLASH ? isp_read_flash(address) : isp_read_eeprom(address);
}

static const struct part_array *array_of(const struct part *part, enum part_memory memory)
{
    return memory == PART_FLASH ? &part->flash : &part->eeprom;
}

bool isp_can_poll_value(const struct part *part, enum part_memory memory, const uint8_t *bytes,
                        uint32_t count, uint32_t *at)
{
    const struct part_array *array = array_of(part, memory);

    /* Which values a part shows while it writes must be known: FF is only the most common one. */
    if (part->poll_ready || !array->has_unpollable)
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (bytes[i] != 0xFF && bytes[i] != array->unpollable[0] &&
            bytes[i] != array->unpollable[1]) {
            *at = i;
            return true;
        }
    return false;
}

/* Until a byte reads as written, or the time is over. */
static int poll_value(struct programmer *programmer, enum part_memory memory, uint32_t address,
                      uint8_t value, int64_t wait_us, const struct operation *operation,
                      struct failure *failure)
{
    int64_t end_us = operation_now_us() + wait_us;
    int64_t pause_us = POLL_FIRST_PAUSE_US;

    for (;;) {
        uint8_t reply;

        if (instruct(programmer, isp_read_at(memory, address), &reply, operation, failure) != 0)
            return -1;
        int64_t left_us = end_us - operation_now_us();
        if (reply == value || left_us <= 0)
            return 0;
        if (operation_sleep_us(operation, pause_us < left_us ? pause_us : left_us, failure) != 0)
            return -1;
        if (pause_us < POLL_LONGEST_PAUSE_US)
            pause_us *= 2;
    }
}

int isp_wait_written(struct programmer *programmer, enum part_memory memory, uint32_t start,
                     const uint8_t *bytes, uint32_t count, const struct operation *operation,
                     struct failure *failure)
{
    const struct part *part = programmer->part;
    uint32_t datasheet_us = array_of(part, memory)->write_delay_us;
    uint32_t at;

    if (!isp_can_poll_value(part, memory, bytes, count, &at))
        return isp_wait_ready(programmer, datasheet_us, part->poll_ready, operation, failure);
    return poll_value(programmer, memory, start + at, bytes[at], with_a_fifth(datasheet_us),
                      operation, failure);
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

static struct isp_instruction read_instruction(const struct part *part, enum part_memory memory,
                                               uint32_t address)
{
    switch (memory) {
    case PART_FLASH:
    case PART_EEPROM:
        return isp_read_at(memory, address);
    case PART_SIGNATURE:
        return isp_read_signature((uint8_t)address);
    case PART_CALIBRATION:
        return isp_read_calibration((uint8_t)address);
    default:
        return isp_read_byte(part, memory);
    }
}

/* Some of the oldest parts do not let their fuses or lock bits be read, or written. */
static int fail_inaccessible(const struct part *part, enum part_memory memory, const char *verb,
                             struct failure *failure)
{
    return failure_set(failure, FAILURE_INTERNAL, "%s of %s cannot be %s over ISP",
                       part_memory_name(part, memory), part->name, verb);
}

int isp_read(struct programmer *programmer, enum part_memory memory, uint32_t start, uint8_t *bytes,
             uint32_t count, const struct operation *operation, struct failure *failure)
{
    const struct part_byte *byte = part_byte(programmer->part, memory);

    if (byte != NULL && !byte->readable)
        return fail_inaccessible(programmer->part, memory, "read", failure);
    for (uint32_t i = 0; i < count; i++) {
        if (memory == PART_FLASH &&
            isp_select_segment(programmer, start + i, operation, failure) != 0)
            return -1;
        if (instruct(programmer, read_instruction(programmer->part, memory, start + i), &bytes[i],
                     operation, failure) != 0)
            return -1;
        if (part_is_fuse_or_lock(memory))
            bytes[i] = isp_byte_of_reply(programmer->part, memory, bytes[i]);
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
            if (send(programmer, isp_load_flash(part, address + i + half, bytes[i + half]),
                     operation, failure) != 0)
                return -1;
    }
    if (blank)
        return 0;
    if (isp_select_segment(programmer, address, operation, failure) != 0 ||
        send(programmer, isp_write_flash_page(address), operation, failure) != 0)
        return -1;
    return isp_wait_written(programmer, PART_FLASH, address, bytes, part->flash.page_size,
                            operation, failure);
}

/* Each byte takes at once what it is given, but for FF, which erased flash is anyway. */
static int write_flash_bytes(struct programmer *programmer, uint32_t start, const uint8_t *bytes,
                             uint32_t count, const struct operation *operation,
                             struct failure *failure)
{
    for (uint32_t i = 0; i < count; i++) {
        if (bytes[i] != 0xFF &&
            (send(programmer, isp_load_flash(programmer->part, start + i, bytes[i]), operation,
                  failure) != 0 ||
             isp_wait_written(programmer, PART_FLASH, start + i, bytes + i, 1, operation,
                              failure) != 0))
            return -1;
        operation_progress(operation, i + 1);
    }
    return 0;
}

static int write_flash(struct programmer *programmer, uint32_t start, const uint8_t *bytes,
                       uint32_t count, const struct operation *operation, struct failure *failure)
{
    uint32_t page_size = programmer->part->flash.page_size;

    if (!programmer->part->flash.page_write)
        return write_flash_bytes(programmer, start, bytes, count, operation, failure);
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
    return isp_wait_written(programmer, PART_EEPROM, address, bytes, count, operation, failure);
}

int isp_write_eeprom_pieces(struct programmer *programmer, uint32_t start, const uint8_t *bytes,
                            uint32_t count, isp_write_piece *write_piece,
                            const struct operation *operation, struct failure *failure)
{
    for (uint32_t at = 0; at < count;) {
        uint32_t piece = eeprom_piece(programmer->part, start + at, count - at);

        if (write_piece(programmer, start + at, bytes + at, piece, operation, failure) != 0)
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
        return isp_write_eeprom_pieces(programmer, start, bytes, count, write_eeprom_piece,
                                       operation, failure);
    if (!part_is_fuse_or_lock(memory))
        return failure_set(failure, FAILURE_INTERNAL, "this memory cannot be written");
    if (!part_byte_is_programmable(part, memory))
        return fail_inaccessible(part, memory, "written and read back", failure);
    if (send(programmer, isp_write_byte(part, memory, bytes[0], permit), operation, failure) != 0)
        return -1;
    return isp_wait_ready(
        programmer, memory == PART_LOCK ? part->lock_write_delay_us : part->fuse_write_delay_us,
        part->poll_ready, operation, failure);
}
