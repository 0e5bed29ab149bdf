#include "jigs/simbench/stk500v2_firmware.h"

#include <string.h>

#define FRAME_BYTES 4
#define MS_NS 1000000
#define EXTENDED_ADDRESS 0x80000000u /* in LOAD ADDRESS: send 4D before the next byte */
#define HIGH_BYTE 0x08               /* in 20/28 and 40/48 */

/* --- time and lines --- */

static bool is_stopped(const struct stk500v2_firmware *firmware)
{
    return firmware->gone || firmware->hung;
}

static int64_t now_us(const struct stk500v2_firmware *firmware)
{
    return firmware->lines->now_us(firmware->lines->context);
}

static void spend_ns(const struct stk500v2_firmware *firmware, int64_t duration_ns)
{
    firmware->lines->spend_ns(firmware->lines->context, duration_ns);
}

static bool has_time(const struct stk500v2_firmware *firmware)
{
    return !is_stopped(firmware) && now_us(firmware) < firmware->deadline_us;
}

void stk500v2_delay_ms(struct stk500v2_firmware *firmware, unsigned duration_ms)
{
    for (unsigned i = 0; i < duration_ms && has_time(firmware); i++) {
        spend_ns(firmware, MS_NS);
    }
}

/* Polarity 1 is that of an AVR: reset is low. */
void stk500v2_hold_reset(struct stk500v2_firmware *firmware, bool reset)
{
    bool low_active = stk500v2_parameter(firmware, STK500V2_RESET_POLARITY) != 0;
    if (!is_stopped(firmware)) {
        firmware->frame_count = reset ? 0 : firmware->frame_count;
        firmware->lines->drive_reset(firmware->lines->context, reset && low_active);
    }
}

/* --- SPI --- */

/* Bytes go out one by one; the board hears whole instructions. Of one that is not whole yet the
 * answer is what most instructions answer: the byte before. */
void stk500v2_shift(struct stk500v2_firmware *firmware, const uint8_t *mosi, uint8_t *miso,
                    size_t count)
{
    uint8_t answer[FRAME_BYTES];
    const struct stk500v2_lines *lines = firmware->lines;
    for (size_t i = 0; i < count; i++) {
        size_t place = firmware->frame_count++;
        firmware->frame[place] = mosi[i];
        miso[i] = place == 0 ? 0xFF : firmware->frame[place - 1];
        if (is_stopped(firmware)) {
            firmware->frame_count = 0;
            continue;
        }
        spend_ns(firmware, INT64_C(8000000000) / firmware->sck_hz + firmware->kind->byte_ns);
        if (firmware->frame_count < FRAME_BYTES) {
            continue;
        }
        firmware->frame_count = 0;
        firmware->gone =
            !lines->transfer(lines->context, firmware->frame, answer, firmware->sck_hz);
        for (size_t back = 0; back < FRAME_BYTES && back <= i && !firmware->gone; back++) {
            miso[i - back] = answer[FRAME_BYTES - 1 - back];
        }
    }
}

uint8_t stk500v2_frame(struct stk500v2_firmware *firmware, uint8_t a, uint8_t b, uint8_t c,
                       uint8_t d)
{
    const uint8_t mosi[FRAME_BYTES] = {a, b, c, d};
    uint8_t miso[FRAME_BYTES];
    stk500v2_shift(firmware, mosi, miso, sizeof mosi);
    return miso[FRAME_BYTES - 1];
}

static uint8_t address_frame(struct stk500v2_firmware *firmware, uint8_t opcode, uint16_t address,
                             uint8_t data)
{
    return stk500v2_frame(firmware, opcode, (uint8_t)(address >> 8), (uint8_t)address, data);
}

static void load_extended(struct stk500v2_firmware *firmware)
{
    if (firmware->loads_extended) {
        stk500v2_frame(firmware, 0x4D, 0, (uint8_t)(firmware->address >> 16), 0);
        firmware->loads_extended = false;
    }
}

/* --- parameters --- */

static size_t parameter_index(const struct stk500v2_kind *kind, uint8_t id)
{
    size_t i = 0;
    while (i < kind->parameter_count && kind->parameters[i].id != id) {
        i++;
    }
    return i;
}

uint8_t stk500v2_parameter(const struct stk500v2_firmware *firmware, uint8_t id)
{
    size_t index = parameter_index(firmware->kind, id);
    return index < firmware->kind->parameter_count ? firmware->parameters[index] : 0;
}

static void keep(struct stk500v2_firmware *firmware)
{
    if (firmware->kept != NULL) {
        firmware->kept->written = true;
        firmware->kept->sck_duration = stk500v2_parameter(firmware, STK500V2_SCK_DURATION);
        firmware->kept->reset_polarity = stk500v2_parameter(firmware, STK500V2_RESET_POLARITY);
    }
}

static uint8_t set_parameter(struct stk500v2_firmware *firmware)
{
    size_t index = parameter_index(firmware->kind, firmware->body[1]);
    if (index == firmware->kind->parameter_count || !firmware->kind->parameters[index].writable) {
        return STK500V2_FAILED;
    }
    firmware->parameters[index] = firmware->body[2];
    keep(firmware);
    return STK500V2_OK;
}

/* --- replies --- */

void stk500v2_put(struct stk500v2_firmware *firmware, uint8_t byte)
{
    firmware->reply[firmware->reply_count++] = byte;
}

/* AVR069, "PARAM_VTARGET" and "PARAM_STATUS_TGT_CONN". */
#define NO_TARGET 0x10
#define TARGET_MV 1000 /* less than this is none */

static uint8_t measure(const struct stk500v2_firmware *firmware, size_t index)
{
    uint8_t id = firmware->kind->parameters[index].id;
    bool measured = id == STK500V2_VTARGET || id == STK500V2_CONNECTION;
    if (!measured || !firmware->kind->measures_target) {
        return firmware->parameters[index];
    }
    int64_t supply_mv = firmware->lines->supply_mv(firmware->lines->context);
    return id == STK500V2_VTARGET  ? (uint8_t)(supply_mv / 100)
           : supply_mv < TARGET_MV ? NO_TARGET
                                   : 0;
}

static uint8_t get_parameter(struct stk500v2_firmware *firmware)
{
    size_t index = parameter_index(firmware->kind, firmware->body[1]);
    if (index == firmware->kind->parameter_count) {
        return STK500V2_FAILED;
    }
    stk500v2_put(firmware, measure(firmware, index));
    return STK500V2_OK;
}

static uint8_t sign_on(struct stk500v2_firmware *firmware)
{
    size_t length = strlen(firmware->kind->name);
    stk500v2_put(firmware, (uint8_t)length);
    for (size_t i = 0; i < length; i++) {
        stk500v2_put(firmware, (uint8_t)firmware->kind->name[i]);
    }
    return STK500V2_OK;
}

/* There is nothing short-circuited that it could refuse. */
static uint8_t reset_protection(struct stk500v2_firmware *firmware)
{
    return firmware->kind->ignores_protection ? STK500V2_UNKNOWN : STK500V2_OK;
}

/* --- session --- */

static uint8_t load_address(struct stk500v2_firmware *firmware)
{
    const uint8_t *body = firmware->body;
    firmware->address = (uint32_t)body[1] << 24 | (uint32_t)body[2] << 16 | (uint32_t)body[3] << 8 |
                        (uint32_t)body[4];
    firmware->loads_extended |= (firmware->address & EXTENDED_ADDRESS) != 0;
    return STK500V2_OK;
}

/* One AC 53, with a pause before each byte. */
static bool synchronise(struct stk500v2_firmware *firmware)
{
    const uint8_t *body = firmware->body;
    uint8_t poll_value = body[6], poll_index = body[7];
    uint8_t miso[FRAME_BYTES];
    stk500v2_delay_ms(firmware, FRAME_BYTES * (unsigned)body[5]);
    stk500v2_shift(firmware, body + 8, miso, FRAME_BYTES);
    return !is_stopped(firmware) &&
           (poll_index == 0 || (poll_index <= FRAME_BYTES && miso[poll_index - 1] == poll_value));
}

uint8_t stk500v2_enter(struct stk500v2_firmware *firmware)
{
    const struct stk500v2_kind *kind = firmware->kind;
    const uint8_t *body = firmware->body;
    unsigned settle_ms = body[2];
    if (kind->enter_by_command) {
        firmware->deadline_us = now_us(firmware) + body[1] * 1000;
    }
    firmware->address = 0;
    stk500v2_delay_ms(firmware, body[3]);
    firmware->sck_hz = kind->sck_hz(stk500v2_parameter(firmware, STK500V2_SCK_DURATION));
    stk500v2_hold_reset(firmware, true);
    stk500v2_delay_ms(firmware, settle_ms);
    for (int loops = body[4]; loops > 0 && has_time(firmware); loops--) {
        if (synchronise(firmware)) {
            return STK500V2_OK;
        }
        stk500v2_hold_reset(firmware, false);
        stk500v2_delay_ms(firmware, settle_ms);
        stk500v2_hold_reset(firmware, true);
        stk500v2_delay_ms(firmware, settle_ms);
    }
    return kind->enter_by_command ? STK500V2_TIMEOUT : STK500V2_FAILED;
}

static uint8_t enter(struct stk500v2_firmware *firmware)
{
    return firmware->kind->enter(firmware);
}

static uint8_t leave(struct stk500v2_firmware *firmware)
{
    stk500v2_delay_ms(firmware, firmware->body[1]);
    if (!is_stopped(firmware)) {
        firmware->lines->let_go(firmware->lines->context);
    }
    firmware->sck_hz = 0;
    firmware->frame_count = 0;
    stk500v2_delay_ms(firmware, firmware->body[2]);
    return STK500V2_OK;
}

/* --- waiting for the target --- */

/* A part without this instruction answers "ready" at once. */
uint8_t stk500v2_wait_ready(struct stk500v2_firmware *firmware)
{
    while (has_time(firmware)) {
        if ((stk500v2_frame(firmware, 0xF0, 0, 0, 0) & 1) == 0) {
            return STK500V2_OK;
        }
    }
    return STK500V2_BUSY_TIMEOUT;
}

struct poll {
    uint8_t read_command;
    uint8_t value;    /* that a byte reads as while it is being written */
    uint16_t address; /* of a byte that will be another; 0: none was found */
};

static uint8_t wait_value(struct stk500v2_firmware *firmware, const struct poll *poll)
{
    while (has_time(firmware)) {
        if (address_frame(firmware, poll->read_command, poll->address, 0) != poll->value) {
            return STK500V2_OK;
        }
    }
    return STK500V2_TIMEOUT;
}

/* A mode that names no wait, or several, is none: the next instruction comes at once, and a part
 * that is still writing ignores it. */
static uint8_t wait_for(struct stk500v2_firmware *firmware, uint8_t mode, const struct poll *poll)
{
    bool can_poll = poll->address != 0;
    if (firmware->kind->budget_per_wait) {
        firmware->deadline_us = now_us(firmware) + firmware->kind->budget_us;
    }
    switch (mode & ~(STK500V2_MODE_PAGED | STK500V2_MODE_COMMIT)) {
    case STK500V2_MODE_WORD_READY:
    case STK500V2_MODE_PAGE_READY:
        return firmware->kind->wait_ready(firmware);
    case STK500V2_MODE_WORD_VALUE:
    case STK500V2_MODE_PAGE_VALUE:
        if (can_poll) {
            return wait_value(firmware, poll);
        }
        break;
    case STK500V2_MODE_WORD_DELAY:
    case STK500V2_MODE_PAGE_DELAY:
        break;
    default:
        return STK500V2_OK;
    }
    stk500v2_delay_ms(firmware, firmware->body[4]);
    return STK500V2_OK;
}

/* --- memories --- */

static size_t block_length(const struct stk500v2_firmware *firmware)
{
    return (size_t)firmware->body[1] << 8 | firmware->body[2];
}

/* After each byte of EEPROM and each word of flash. */
static void advance(struct stk500v2_firmware *firmware, bool flash, size_t index)
{
    if (!flash || index % 2 == 1) {
        firmware->address++;
        firmware->loads_extended |= flash && (firmware->address & 0xFFFF) == 0;
    }
}

/* Sends a byte into the board's page or cell, and looks whether it could be polled for. */
static void load_byte(struct stk500v2_firmware *firmware, bool flash, size_t index,
                      struct poll *poll)
{
    uint8_t high = flash && index % 2 == 1 ? HIGH_BYTE : 0;
    uint8_t data = firmware->body[10 + index];
    uint16_t address = (uint16_t)firmware->address;
    load_extended(firmware);
    address_frame(firmware, firmware->body[5] | high, address, data);
    if (poll->address == 0 && data != poll->value) {
        poll->address = address;
        poll->read_command = (firmware->body[7] & (uint8_t)~HIGH_BYTE) | high;
    }
}

uint8_t stk500v2_program(struct stk500v2_firmware *firmware)
{
    const uint8_t *body = firmware->body;
    bool flash = body[0] == STK500V2_PROGRAM_FLASH;
    uint8_t mode = body[3];
    struct poll poll = {.value = flash ? body[8] : body[9], .read_command = body[7]};
    uint16_t page = (uint16_t)firmware->address;
    size_t length = block_length(firmware);
    uint8_t status = STK500V2_OK;
    if (length > STK500V2_BLOCK_MAX) {
        return STK500V2_FAILED;
    }
    for (size_t i = 0; i < length && status == STK500V2_OK && !is_stopped(firmware); i++) {
        load_byte(firmware, flash, i, &poll);
        if ((mode & STK500V2_MODE_PAGED) == 0) {
            status = wait_for(firmware, mode, &poll);
            poll.address = 0;
        }
        advance(firmware, flash, i);
    }
    if ((mode & STK500V2_MODE_COMMIT) != 0) {
        address_frame(firmware, body[6], page, 0);
        status = wait_for(firmware, mode, &poll);
    }
    return status;
}

static uint8_t program(struct stk500v2_firmware *firmware)
{
    return firmware->kind->program(firmware);
}

/* The command byte is that of the low byte. LUFA would answer more than 256 bytes, too. */
static uint8_t read_memory(struct stk500v2_firmware *firmware)
{
    bool flash = firmware->body[0] == STK500V2_READ_FLASH;
    size_t length = block_length(firmware);
    if (length > STK500V2_BLOCK_MAX) {
        return STK500V2_FAILED;
    }
    for (size_t i = 0; i < length; i++) {
        uint8_t high = flash && i % 2 == 1 ? HIGH_BYTE : 0;
        load_extended(firmware);
        stk500v2_put(firmware, address_frame(firmware, firmware->body[3] | high,
                                             (uint16_t)firmware->address, 0));
        advance(firmware, flash, i);
    }
    stk500v2_put(firmware, STK500V2_OK);
    return STK500V2_OK;
}

static uint8_t chip_erase(struct stk500v2_firmware *firmware)
{
    const uint8_t *body = firmware->body;
    stk500v2_frame(firmware, body[3], body[4], body[5], body[6]);
    if (body[2] != 0) {
        return firmware->kind->wait_ready(firmware);
    }
    stk500v2_delay_ms(firmware, body[1]);
    return STK500V2_OK;
}

/* --- single instructions --- */

/* The place of the answer counts from 1. */
static uint8_t read_byte(struct stk500v2_firmware *firmware)
{
    uint8_t miso[FRAME_BYTES];
    uint8_t place = firmware->body[1];
    stk500v2_shift(firmware, firmware->body + 2, miso, FRAME_BYTES);
    stk500v2_put(firmware, place >= 1 && place <= FRAME_BYTES ? miso[place - 1] : 0);
    stk500v2_put(firmware, STK500V2_OK);
    return STK500V2_OK;
}

/* Does not wait until it is written. */
static uint8_t write_byte(struct stk500v2_firmware *firmware)
{
    uint8_t miso[FRAME_BYTES];
    stk500v2_shift(firmware, firmware->body + 1, miso, FRAME_BYTES);
    if (firmware->kind->says_ok_twice) {
        stk500v2_put(firmware, STK500V2_OK);
    }
    return STK500V2_OK;
}

/* So many bytes out; from the `start`-th answer on, so many back, zeros following as needed. */
static uint8_t multi(struct stk500v2_firmware *firmware)
{
    size_t sent = firmware->body[1], wanted = firmware->body[2], start = firmware->body[3];
    size_t count =
        firmware->kind->multi_stops_early || sent < start + wanted ? start + wanted : sent;
    for (size_t i = 0; i < count;) {
        uint8_t mosi[FRAME_BYTES] = {0}, miso[FRAME_BYTES];
        size_t now = count - i < FRAME_BYTES ? count - i : FRAME_BYTES;
        for (size_t at = 0; at < now; at++) {
            size_t place = 4 + i + at;
            mosi[at] = i + at < sent && place < STK500V2_BODY_MAX ? firmware->body[place] : 0;
        }
        stk500v2_shift(firmware, mosi, miso, now);
        for (size_t at = 0; at < now; at++, i++) {
            if (i >= start && i < start + wanted) {
                stk500v2_put(firmware, miso[at]);
            }
        }
    }
    stk500v2_put(firmware, STK500V2_OK);
    return STK500V2_OK;
}

/* --- all of them --- */

static const struct {
    uint8_t command;
    bool needs_spi;
    uint8_t (*run)(struct stk500v2_firmware *firmware);
} commands[] = {
    {STK500V2_SIGN_ON, false, sign_on},
    {STK500V2_SET_PARAMETER, false, set_parameter},
    {STK500V2_GET_PARAMETER, false, get_parameter},
    {STK500V2_LOAD_ADDRESS, false, load_address},
    {STK500V2_RESET_PROTECTION, false, reset_protection},
    {STK500V2_ENTER, false, enter},
    {STK500V2_LEAVE, false, leave},
    {STK500V2_CHIP_ERASE, true, chip_erase},
    {STK500V2_PROGRAM_FLASH, true, program},
    {STK500V2_READ_FLASH, true, read_memory},
    {STK500V2_PROGRAM_EEPROM, true, program},
    {STK500V2_READ_EEPROM, true, read_memory},
    {STK500V2_PROGRAM_FUSE, true, write_byte},
    {STK500V2_READ_FUSE, true, read_byte},
    {STK500V2_PROGRAM_LOCK, true, write_byte},
    {STK500V2_READ_LOCK, true, read_byte},
    {STK500V2_READ_SIGNATURE, true, read_byte},
    {STK500V2_READ_CALIBRATION, true, read_byte},
    {STK500V2_MULTI, true, multi},
};

static uint8_t run(struct stk500v2_firmware *firmware)
{
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (commands[i].command != firmware->body[0]) {
            continue;
        }
        if (commands[i].needs_spi && firmware->sck_hz == 0) {
            firmware->hung = firmware->kind->hangs_without_spi;
            return STK500V2_FAILED;
        }
        return commands[i].run(firmware);
    }
    return STK500V2_UNKNOWN;
}

void stk500v2_execute(struct stk500v2_firmware *firmware)
{
    firmware->gone = false;
    spend_ns(firmware, firmware->kind->command_ns);
    firmware->deadline_us = now_us(firmware) + firmware->kind->budget_us;
    firmware->reply[0] = firmware->body[0];
    firmware->reply_count = 2;
    const struct stk500v2_kind *kind = firmware->kind;
    uint8_t status = kind->answer != NULL ? kind->answer(firmware) : run(firmware);
    firmware->reply[1] = status;
    if (status != STK500V2_OK) {
        firmware->reply_count = 2;
    }
}

void stk500v2_start(struct stk500v2_firmware *firmware, const struct stk500v2_kind *kind,
                    const struct stk500v2_lines *lines, struct stk500v2_kept *kept)
{
    *firmware = (struct stk500v2_firmware){.kind = kind, .lines = lines, .kept = kept};
    for (size_t i = 0; i < kind->parameter_count; i++) {
        firmware->parameters[i] = kind->parameters[i].value;
    }
    if (kept != NULL && kept->written) {
        firmware->parameters[parameter_index(kind, STK500V2_SCK_DURATION)] = kept->sck_duration;
        firmware->parameters[parameter_index(kind, STK500V2_RESET_POLARITY)] = kept->reset_polarity;
    }
}

/* --- SCK --- */

int64_t stk500v2_sck_of_stk500(uint8_t duration)
{
    static const int64_t fastest_hz[] = {1843200, 460800, 115200, 57600};
    if (duration < sizeof fastest_hz / sizeof *fastest_hz) {
        return fastest_hz[duration];
    }
    return 7372800 / (24 * (int64_t)duration + 20); /* 24 (n + 10/12) */
}
