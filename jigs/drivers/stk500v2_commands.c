#include "jigs/drivers/stk500v2_commands.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "jigs/isp.h"

/* AVR068, "Commands" */
enum {
    SET_PARAMETER = 0x02,
    GET_PARAMETER = 0x03,
    LOAD_ADDRESS = 0x06,
    ENTER = 0x10,
    LEAVE = 0x11,
    PROGRAM_FLASH = 0x13,
    READ_FLASH = 0x14,
    PROGRAM_EEPROM = 0x15,
    READ_EEPROM = 0x16,
    SPI_MULTI = 0x1D
};

enum {
    PARAMETER_HARDWARE = 0x90,
    PARAMETER_MAJOR = 0x91,
    PARAMETER_MINOR = 0x92,
    PARAMETER_SUPPLY = 0x94, /* tenths of a volt */
    PARAMETER_SCK_DURATION = 0x98,
    PARAMETER_RESET_POLARITY = 0x9E
};
#define POLARITY_AVR 1 /* low: reset */

enum {
    STATUS_OK = 0x00,
    STATUS_TIMEOUT = 0x80,
    STATUS_BUSY_TIMEOUT = 0x81,
    STATUS_FAILED = 0xC0,
    STATUS_UNKNOWN = 0xC9,
    STATUS_ILLEGAL = 0xCA
};
#define REPLY_CHECKSUM_ERROR 0xB0 /* in the place of the command's number */

/* How to wait for a page, or for each byte */
enum {
    MODE_PAGED = 0x01,
    MODE_BYTE_DELAY = 0x02,
    MODE_BYTE_READY = 0x08,
    MODE_PAGE_DELAY = 0x10,
    MODE_PAGE_READY = 0x40,
    MODE_COMMIT = 0x80
};

#define EXTENDED_ADDRESS 0x80000000U /* in LOAD ADDRESS: the programmer sends 4D */
#define SEGMENT_BYTES 0x20000U       /* which is good for so many bytes */
#define BLOCK_BYTES 256
#define BLOCK_HEADER 10
/* Programmers give up after a second (LUFA's does); half of it is enough for a block on SPI. */
#define BLOCK_TIME_US 500000
/* Parts that write EEPROM byte by byte take up to 20 ms for each. Not a length of which 10 more
 * are a multiple of 64: there LUFA would wait for an empty packet that nobody sends. */
#define EEPROM_RUN_BYTES 16

#define REPLY_SILENCE_US 2000000
#define ENTER_SILENCE_US 10000000
#define LET_GO_TIME_US 2500000
#define LET_GO_TRIES 2
#define PULSE_US 2000 /* RESET high between two sessions: see usb_isp.c */

/* ENTER in milliseconds: all of it, after RESET went low ("wait for at least 20 ms", ATmega328P,
 * 8271J, 28.8.2), besides; and how often AC 53 is tried with new pulses of RESET, which LUFA's
 * firmware needs: it does not wait the first time. */
#define ENTER_TIME_MS 250
#define ENTER_SETTLE_MS 21
#define ENTER_DELAY_MS 2
#define ENTER_LOOPS 4

#define SUPPLY_LEAST 27 /* 2.7 V */

static struct stk500v2 *self(struct programmer *programmer)
{
    return (struct stk500v2 *)programmer;
}

int64_t stk500v2_spi_us(int64_t sck_hz, int64_t bytes)
{
    return sck_hz > 0 ? bytes * 32 * 1000000 / sck_hz : 0;
}

/* Some 16 cycles for the loop around the SPI unit. */
int64_t stk500v2_own_us(int64_t crystal_hz, int64_t bytes)
{
    return bytes * 4 * 16 * 1000000 / crystal_hz;
}

/* ---- commands and replies ---- */

static int fail_status(const struct stk500v2_command *command, uint8_t status,
                       struct failure *failure)
{
    uint8_t asked = command->body[0];
    bool writes = asked == PROGRAM_FLASH || asked == PROGRAM_EEPROM;

    if (writes && (status == STATUS_TIMEOUT || status == STATUS_BUSY_TIMEOUT))
        return failure_set(failure, FAILURE_BOARD_BUSY,
                           "%s: the programmer gave up waiting for the board (status %02X)",
                           command->name, status);
    return failure_set(failure, FAILURE_PROGRAMMER_REFUSED, "%s: status %02X%s", command->name,
                       status,
                       status == STATUS_UNKNOWN   ? ", it does not know the command"
                       : status == STATUS_ILLEGAL ? ", it does not know the parameter"
                       : status == STATUS_FAILED  ? ", failed"
                                                  : "");
}

static int fail_reply(struct stk500v2 *stk, const struct stk500v2_command *command,
                      struct failure *failure)
{
    const uint8_t *reply = command->reply;

    stk->out_of_step = true;
    if (command->received > 0 && reply[0] == REPLY_CHECKSUM_ERROR)
        return failure_set(failure, FAILURE_PROGRAMMER_OUT_OF_STEP,
                           "%s: the programmer heard a command with a wrong checksum",
                           command->name);
    return failure_set(failure, FAILURE_PROGRAMMER_OUT_OF_STEP,
                       "%s (%02X): %zu bytes of reply that begin with %02X %02X, expected %zu",
                       command->name, command->body[0], command->received,
                       command->received > 0 ? reply[0] : 0, command->received > 1 ? reply[1] : 0,
                       command->expected);
}

static int check_reply(struct stk500v2 *stk, const struct stk500v2_command *command,
                       struct failure *failure)
{
    const uint8_t *reply = command->reply;

    if (command->received < 2 || reply[0] != command->body[0])
        return fail_reply(stk, command, failure);
    if (reply[1] != STATUS_OK)
        return fail_status(command, reply[1], failure);
    if (command->expected != 0 && command->received != command->expected)
        return fail_reply(stk, command, failure);
    if (command->ends_in_status && reply[command->received - 1] != STATUS_OK)
        return fail_status(command, reply[command->received - 1], failure);
    return 0;
}

int stk500v2_ask(struct stk500v2 *stk, struct stk500v2_command *command,
                 const struct operation *operation, struct failure *failure)
{
    struct operation whole = *operation;

    whole.cancel = NULL; /* a command once begun is finished */
    if (stk->out_of_step)
        return failure_set(failure, FAILURE_PROGRAMMER_OUT_OF_STEP,
                           "after a failure only a new session finds back into step");
    if (operation_check(operation, failure) != 0)
        return -1;
    if (command->silence_us == 0)
        command->silence_us = REPLY_SILENCE_US;
    if (stk->transport->exchange(stk, command, &whole, failure) != 0) {
        stk->out_of_step = true;
        return -1;
    }
    return check_reply(stk, command, failure);
}

/* ---- who is it? ---- */

int stk500v2_take_sign_on(struct stk500v2 *stk, const struct stk500v2_command *command,
                          struct failure *failure)
{
    const uint8_t *reply = command->reply;
    size_t length = command->received > 2 ? reply[2] : 0;

    if (check_reply(stk, command, failure) != 0)
        return -1;
    if (length == 0 || command->received != 3 + length || length >= sizeof stk->sign_on)
        return fail_reply(stk, command, failure);
    for (size_t i = 0; i < length; i++) {
        uint8_t byte = reply[3 + i];

        stk->sign_on[i] = '?';
        if (byte >= ' ' && byte <= '~')
            memcpy(&stk->sign_on[i], &byte, 1);
    }
    stk->sign_on[length] = '\0';
    return 0;
}

int stk500v2_sign_on(struct stk500v2 *stk, const struct operation *operation,
                     struct failure *failure)
{
    struct stk500v2_command command = {.name = "sign-on", .body = {STK500V2_SIGN_ON}, .count = 1};

    if (stk500v2_ask(stk, &command, operation, failure) != 0)
        return -1;
    return stk500v2_take_sign_on(stk, &command, failure);
}

int stk500v2_get_parameter(struct stk500v2 *stk, uint8_t parameter, uint8_t *value,
                           const struct operation *operation, struct failure *failure)
{
    struct stk500v2_command command = {
        .name = "get parameter", .body = {GET_PARAMETER, parameter}, .count = 2, .expected = 3};

    *value = 0;
    if (stk500v2_ask(stk, &command, operation, failure) != 0)
        return -1;
    *value = command.reply[2];
    return 0;
}

/* 0 where the programmer has no such parameter. */
static int get_if_known(struct stk500v2 *stk, uint8_t parameter, uint8_t *value,
                        const struct operation *operation, struct failure *failure)
{
    struct failure cause = {0};

    if (stk500v2_get_parameter(stk, parameter, value, operation, &cause) == 0 ||
        cause.code == FAILURE_PROGRAMMER_REFUSED)
        return 0;
    return failure_set(failure, cause.code, "%s", cause.detail);
}

int stk500v2_read_versions(struct stk500v2 *stk, const struct operation *operation,
                           struct failure *failure)
{
    if (get_if_known(stk, PARAMETER_HARDWARE, &stk->hardware, operation, failure) != 0 ||
        get_if_known(stk, PARAMETER_MAJOR, &stk->version[0], operation, failure) != 0 ||
        get_if_known(stk, PARAMETER_MINOR, &stk->version[1], operation, failure) != 0)
        return -1;
    snprintf(stk->base.firmware, sizeof stk->base.firmware, "%s %u.%02u, hardware %u", stk->sign_on,
             stk->version[0], stk->version[1], stk->hardware);
    return 0;
}

/* Written only where it is another: some units keep it in their EEPROM. Then read back, because SCK
 * must be the one that was chosen. */
static int set_parameter(struct stk500v2 *stk, const char *name, uint8_t parameter, uint8_t value,
                         const struct operation *operation, struct failure *failure)
{
    uint8_t found;
    struct stk500v2_command command = {
        .name = name, .body = {SET_PARAMETER, parameter, value}, .count = 3, .expected = 2};

    if (stk500v2_get_parameter(stk, parameter, &found, operation, failure) != 0)
        return -1;
    if (found == value)
        return 0;
    if (stk500v2_ask(stk, &command, operation, failure) != 0 ||
        stk500v2_get_parameter(stk, parameter, &found, operation, failure) != 0)
        return -1;
    if (found == value)
        return 0;
    return failure_set(failure, FAILURE_PROGRAMMER_REFUSED, "%s: set to %u, but it stays %u", name,
                       value, found);
}

/* ---- instructions ---- */

/* The one place where four-byte instructions are sent. */
static int emit(struct stk500v2 *stk, const struct isp_instruction *instruction, uint8_t reply[4],
                const struct operation *operation, struct failure *failure)
{
    uint8_t bytes[4];
    struct stk500v2_command command = {.name = "instruction",
                                       .body = {SPI_MULTI, 4, 4, 0},
                                       .count = 8,
                                       .expected = 7,
                                       .ends_in_status = true};

    if (!stk->enabled)
        return failure_set(failure, FAILURE_INTERNAL, "an instruction before the board answered");
    if (isp_door_open(stk->base.part, instruction, stk->base.session, bytes, failure) != 0)
        return -1;
    memcpy(command.body + 4, bytes, 4);
    command.changes_fuses = instruction->permit != NULL;
    command.silence_us = REPLY_SILENCE_US + 2 * stk500v2_spi_us(stk->base.sck_hz, 1);
    if (stk500v2_ask(stk, &command, operation, failure) != 0)
        return -1;
    memcpy(reply, command.reply + 2, 4);
    return isp_changes_board(bytes) ? isp_check_heard(stk->base.part, bytes, reply, failure) : 0;
}

int stk500v2_instruct(struct programmer *programmer, const struct isp_instruction *instruction,
                      uint8_t *reply, const struct operation *operation, struct failure *failure)
{
    uint8_t bytes[4] = {0};
    int result = emit(self(programmer), instruction, bytes, operation, failure);

    *reply = bytes[3];
    return result;
}

static int look_for_echo(struct stk500v2 *stk, bool *there, const struct operation *operation,
                         struct failure *failure)
{
    const struct isp_instruction enable = isp_programming_enable();
    uint8_t reply[4];

    *there = true;
    if (!stk->base.part->sync_echo)
        return 0;
    if (emit(stk, &enable, reply, operation, failure) != 0)
        return -1;
    *there = reply[2] == 0x53;
    return 0;
}

/* See the top. Also what a bootloader could not give that answers in the programmer's place. */
static int check_still_there(struct stk500v2 *stk, const struct operation *operation,
                             struct failure *failure)
{
    bool there;

    if (look_for_echo(stk, &there, operation, failure) != 0)
        return -1;
    if (there)
        return 0;
    return failure_set(failure, FAILURE_CONTACT_LOST,
                       "the board does not give back AC 53 any more: what was read or written "
                       "before is not known");
}

/* ---- sessions ---- */

void stk500v2_offer_sck(struct stk500v2 *stk, int64_t sck_hz, uint8_t setting)
{
    stk->sck_hz[stk->sck_count] = sck_hz;
    stk->sck_setting[stk->sck_count++] = setting;
}

static int leave(struct stk500v2 *stk, const struct operation *operation, struct failure *failure)
{
    struct stk500v2_command command = {
        .name = "leave", .body = {LEAVE, 1, 1}, .count = 3, .expected = 2};

    if (stk->out_of_step && stk->transport->recover(stk, operation, failure) != 0)
        return -1;
    return stk500v2_ask(stk, &command, operation, failure);
}

int stk500v2_let_go(struct stk500v2 *stk, const struct operation *operation,
                    struct failure *failure)
{
    struct operation steady = *operation;
    int result = stk->engaged ? -1 : 0;

    /* What ended the session, be it the operation's time, does not keep the board in reset. */
    steady.cancel = NULL;
    if (steady.deadline_us < operation_now_us() + LET_GO_TIME_US)
        steady.deadline_us = operation_now_us() + LET_GO_TIME_US;
    stk->enabled = false;
    for (int i = 0; i < LET_GO_TRIES && result != 0 && stk->engaged; i++)
        result = leave(stk, &steady, failure);
    if (result != 0)
        return -1;
    if (stk->engaged)
        stk->let_go_us = operation_now_us();
    stk->engaged = false;
    return 0;
}

int stk500v2_release(struct programmer *programmer, const struct operation *operation,
                     struct failure *failure)
{
    return stk500v2_let_go(self(programmer), operation, failure);
}

static int begin_session(struct stk500v2 *stk, const struct operation *operation,
                         struct failure *failure)
{
    char before[sizeof stk->sign_on];

    memcpy(before, stk->sign_on, sizeof before);
    stk->next_address = -1;
    if ((stk->out_of_step && stk->transport->recover(stk, operation, failure) != 0) ||
        stk500v2_let_go(stk, operation, failure) != 0 ||
        (stk->transport->signs_on_again && stk500v2_sign_on(stk, operation, failure) != 0))
        return -1;
    if (strcmp(before, stk->sign_on) != 0)
        return failure_set(failure, FAILURE_PROGRAMMER_UNKNOWN,
                           "signs on as '%s', but was '%s' before", stk->sign_on, before);
    return operation_sleep_us(operation, stk->let_go_us + PULSE_US - operation_now_us(), failure);
}

/* An empty place has no supply either. */
static int check_supply(struct stk500v2 *stk, const struct operation *operation,
                        struct failure *failure)
{
    uint8_t supply;

    if (!stk->measures_supply)
        return 0;
    if (stk500v2_get_parameter(stk, PARAMETER_SUPPLY, &supply, operation, failure) != 0)
        return -1;
    if (supply >= SUPPLY_LEAST)
        return 0;
    return failure_set(failure, FAILURE_NO_SUPPLY,
                       "target not powered, or no board: the programmer measures %u.%u V at the "
                       "board's supply, expected at least 2.7 V",
                       supply / 10U, supply % 10U);
}

int stk500v2_set_polarity(struct stk500v2 *stk, const struct operation *operation,
                          struct failure *failure)
{
    if (!stk->chooses_polarity)
        return 0;
    return set_parameter(stk, "polarity of RESET", PARAMETER_RESET_POLARITY, POLARITY_AVR,
                         operation, failure);
}

/* A board that does not answer is no failure here. */
static int enter(struct stk500v2 *stk, bool *entered, const struct operation *operation,
                 struct failure *failure)
{
    const struct isp_instruction enable = isp_programming_enable();
    bool echo = stk->base.part->sync_echo;
    struct failure cause = {0};
    struct stk500v2_command command = {.name = "enter",
                                       .body = {ENTER, ENTER_TIME_MS, ENTER_SETTLE_MS,
                                                ENTER_DELAY_MS, ENTER_LOOPS, 0, 0x53,
                                                echo ? 3 : 0}, /* of the answer's bytes, from 1 */
                                       .count = 12,
                                       .expected = 2,
                                       .silence_us = ENTER_SILENCE_US};

    if (isp_door_open(stk->base.part, &enable, stk->base.session, command.body + 8, failure) != 0)
        return -1;
    stk->engaged = true;
    *entered = stk500v2_ask(stk, &command, operation, &cause) == 0;
    if (*entered || (cause.code == FAILURE_PROGRAMMER_REFUSED &&
                     (command.reply[1] == STATUS_FAILED || command.reply[1] == STATUS_TIMEOUT)))
        return 0;
    return failure_set(failure, cause.code, "%s", cause.detail);
}

/* Parameter 98 acts at ENTER. */
static int try_sck(struct stk500v2 *stk, size_t sck, const struct operation *operation,
                   struct failure *failure)
{
    bool entered = false;

    if (stk500v2_let_go(stk, operation, failure) != 0 ||
        set_parameter(stk, "SCK duration", PARAMETER_SCK_DURATION, stk->sck_setting[sck], operation,
                      failure) != 0 ||
        operation_sleep_us(operation, stk->let_go_us + PULSE_US - operation_now_us(), failure) !=
            0 ||
        enter(stk, &entered, operation, failure) != 0)
        return -1;
    stk->base.sck_hz = stk->sck_hz[sck];
    stk->enabled = entered;
    return entered ? look_for_echo(stk, &stk->enabled, operation, failure) : 0;
}

static int step_down(struct stk500v2 *stk, size_t first, const struct operation *operation,
                     struct failure *failure)
{
    size_t now = first;

    for (size_t next = first; next < stk->sck_count;
         next = programmer_next_sck(stk->sck_hz, stk->sck_count, now)) {
        now = next;
        if (try_sck(stk, now, operation, failure) != 0)
            return -1;
        if (stk->enabled)
            return 0;
    }
    stk->base.sck_hz = stk->sck_hz[first];
    return failure_set(failure, FAILURE_NO_BOARD,
                       "no answer to AC 53, at SCK from %" PRId64 " down to %" PRId64 " Hz",
                       stk->sck_hz[first], stk->sck_hz[now]);
}

int stk500v2_attach(struct programmer *programmer, const struct operation *operation,
                    struct failure *failure)
{
    struct stk500v2 *stk = self(programmer);
    size_t first = programmer_pick_sck(programmer, stk->sck_hz, stk->sck_count);

    if (first == stk->sck_count)
        return failure_set(
            failure, FAILURE_PROGRAMMER_REFUSED,
            "the slowest SCK of %s, %" PRId64 " Hz, is too fast for a board at %" PRId64
            " Hz: this site needs another programmer",
            stk->sign_on, stk->sck_hz[stk->sck_count - 1], programmer_target_hz(programmer));
    if (begin_session(stk, operation, failure) == 0 && check_supply(stk, operation, failure) == 0 &&
        stk500v2_set_polarity(stk, operation, failure) == 0 &&
        step_down(stk, first, operation, failure) == 0)
        return 0;
    (void)stk500v2_release(programmer, operation, NULL); /* the reason stands already */
    return -1;
}

/* ---- blocks ---- */

/* After a failure nobody knows where the programmer's counter stands. */
static int count_on(struct stk500v2 *stk, uint32_t count, int result)
{
    stk->next_address = result == 0 ? stk->next_address + count : -1;
    return result;
}

/* Words of flash, bytes of EEPROM. The programmer counts on by itself; only at the end of what one
 * extended address reaches it is told again. What it sends then no longer is what was loaded by
 * single instructions. */
static int aim(struct stk500v2 *stk, enum part_memory memory, uint32_t start,
               const struct operation *operation, struct failure *failure)
{
    bool extended = memory == PART_FLASH && stk->base.part->flash.needs_extended_address;
    uint32_t address = memory == PART_FLASH ? start / 2 : start;
    struct stk500v2_command command = {.name = "load address", .count = 5, .expected = 2};

    if (stk->next_memory == memory && stk->next_address == (int64_t)start &&
        !(extended && start % SEGMENT_BYTES == 0))
        return 0;
    if (extended) {
        address |= EXTENDED_ADDRESS;
        stk->base.extended_address = -1;
    }
    command.body[0] = LOAD_ADDRESS;
    for (int i = 0; i < 4; i++)
        command.body[1 + i] = (uint8_t)(address >> (24 - 8 * i));
    stk->next_memory = memory;
    stk->next_address = start;
    return count_on(stk, 0, stk500v2_ask(stk, &command, operation, failure));
}

/* The longest block that SPI carries in time: an even number of bytes. */
static uint32_t block_bytes_max(const struct stk500v2 *stk)
{
    int64_t bytes = stk->base.sck_hz * BLOCK_TIME_US / 1000000 / 32 / 2 * 2;

    return bytes > BLOCK_BYTES ? BLOCK_BYTES : bytes < 32 ? 32 : (uint32_t)bytes;
}

static int64_t block_silence_us(const struct stk500v2 *stk, uint32_t count)
{
    return REPLY_SILENCE_US + 2 * stk500v2_spi_us(stk->base.sck_hz, count);
}

/* ---- reading ---- */

static int read_block(struct stk500v2 *stk, enum part_memory memory, uint32_t start, uint8_t *bytes,
                      uint32_t count, const struct operation *operation, struct failure *failure)
{
    bool flash = memory == PART_FLASH;
    struct stk500v2_command command = {.name = flash ? "reading flash" : "reading EEPROM",
                                       .body = {flash ? READ_FLASH : READ_EEPROM,
                                                (uint8_t)(count >> 8), (uint8_t)count,
                                                flash ? 0x20 : 0xA0},
                                       .count = 4,
                                       .expected = count + 3,
                                       .ends_in_status = true,
                                       .silence_us = block_silence_us(stk, count)};

    if (aim(stk, memory, start, operation, failure) != 0 ||
        count_on(stk, count, stk500v2_ask(stk, &command, operation, failure)) != 0)
        return -1;
    memcpy(bytes, command.reply + 2, count);
    return 0;
}

static uint32_t piece_bytes(const struct stk500v2 *stk, enum part_memory memory, uint32_t start,
                            uint32_t left)
{
    uint32_t most = block_bytes_max(stk), segment_left = SEGMENT_BYTES - start % SEGMENT_BYTES;

    if (memory == PART_FLASH && most > segment_left)
        most = segment_left;
    return left < most ? left : most;
}

static int read_blocks(struct stk500v2 *stk, enum part_memory memory, uint32_t start,
                       uint8_t *bytes, uint32_t count, const struct operation *operation,
                       struct failure *failure)
{
    uint32_t before = memory == PART_FLASH ? start % 2 : 0; /* flash is read in words */

    for (uint32_t at = 0; at < count;) {
        uint8_t block[BLOCK_BYTES];
        uint32_t address = start + at - before;
        uint32_t wanted = piece_bytes(stk, memory, address, before + count - at);
        uint32_t asked = memory == PART_FLASH ? wanted + wanted % 2 : wanted;

        if (read_block(stk, memory, address, block, asked, operation, failure) != 0)
            return -1;
        memcpy(bytes + at, block + before, wanted - before);
        at += wanted - before;
        before = 0;
        operation_progress(operation, at);
    }
    return check_still_there(stk, operation, failure);
}

int stk500v2_read(struct programmer *programmer, enum part_memory memory, uint32_t start,
                  uint8_t *bytes, uint32_t count, const struct operation *operation,
                  struct failure *failure)
{
    if (memory == PART_FLASH || memory == PART_EEPROM)
        return read_blocks(self(programmer), memory, start, bytes, count, operation, failure);
    return isp_read(programmer, memory, start, bytes, count, operation, failure);
}

/* ---- writing ---- */

struct waiting {
    uint8_t mode;
    uint8_t delay_ms; /* what the programmer is told */
    int64_t here_us;  /* from its reply until the end of the next command may reach it */
};

static int64_t with_a_fifth(uint32_t datasheet_us)
{
    return (int64_t)datasheet_us + datasheet_us / 5;
}

static uint8_t whole_ms(int64_t duration_us)
{
    int64_t duration_ms = (duration_us + 999) / 1000;

    return (uint8_t)(duration_ms < 255 ? duration_ms : 255);
}

static struct waiting wait_for_page(const struct stk500v2 *stk, const struct part_array *array)
{
    bool by_ready = stk->base.part->poll_ready && !stk->waits_by_itself && !stk->slow_wire;
    int64_t wait_us = with_a_fifth(array->write_delay_us);

    if (by_ready)
        return (struct waiting){MODE_PAGED | MODE_PAGE_READY | MODE_COMMIT,
                                whole_ms(array->write_delay_us), 0};
    if (stk->transport->keeps_back)
        return (struct waiting){MODE_PAGED | MODE_PAGE_DELAY | MODE_COMMIT, 1, wait_us};
    return (struct waiting){MODE_PAGED | MODE_PAGE_DELAY | MODE_COMMIT, whole_ms(wait_us), 0};
}

static struct waiting wait_for_bytes(const struct stk500v2 *stk, const struct part_array *array)
{
    if (stk->base.part->poll_ready)
        return (struct waiting){MODE_BYTE_READY, whole_ms(array->write_delay_us), 0};
    return (struct waiting){MODE_BYTE_DELAY, whole_ms(with_a_fifth(array->write_delay_us)), 0};
}

/* A page, or bytes of EEPROM. */
static int write_block(struct stk500v2 *stk, enum part_memory memory, uint32_t start,
                       const uint8_t *bytes, uint32_t count, struct waiting waiting,
                       const struct operation *operation, struct failure *failure)
{
    const struct part *part = stk->base.part;
    bool flash = memory == PART_FLASH;
    const struct part_array *array = flash ? &part->flash : &part->eeprom;
    bool paged = (waiting.mode & MODE_PAGED) != 0;
    /* The instructions that load, write and read, as AVR068 has them in its examples. */
    const uint8_t header[BLOCK_HEADER] = {flash ? PROGRAM_FLASH : PROGRAM_EEPROM,
                                          (uint8_t)(count >> 8),
                                          (uint8_t)count,
                                          waiting.mode,
                                          waiting.delay_ms,
                                          flash   ? 0x40
                                          : paged ? 0xC1
                                                  : 0xC0,
                                          flash   ? 0x4C
                                          : paged ? 0xC2
                                                  : 0x00,
                                          flash ? 0x20 : 0xA0,
                                          array->has_unpollable ? array->unpollable[0] : 0xFF,
                                          array->has_unpollable ? array->unpollable[1] : 0xFF};
    struct stk500v2_command command = {.name = flash ? "writing flash" : "writing EEPROM",
                                       .count = BLOCK_HEADER + count,
                                       .expected = 2,
                                       .silence_us = block_silence_us(stk, count) +
                                                     (int64_t)(paged ? 1 : count) * 2 *
                                                         array->write_delay_us};

    memcpy(command.body, header, BLOCK_HEADER);
    memcpy(command.body + BLOCK_HEADER, bytes, count);
    if (aim(stk, memory, start, operation, failure) != 0 ||
        count_on(stk, count, stk500v2_ask(stk, &command, operation, failure)) != 0)
        return -1;
    stk->busy_until_us = operation_now_us() + waiting.here_us;
    return 0;
}

/* 1B, sequence number, a length of at most 275, 0E, and a number of those that all have to do with
 * the board: where a frame begins. */
bool stk500v2_looks_like_frame(const uint8_t *bytes, uint32_t count)
{
    for (uint32_t i = 0; i + 4 < count; i++)
        if (bytes[i] == 0x1B && bytes[i + 2] <= 1 && bytes[i + 4] == 0x0E &&
            (i + 5 >= count || (bytes[i + 5] >= 0x10 && bytes[i + 5] <= 0x1D)))
            return true;
    return false;
}

/* A page by single instructions; then the counter of the programmer says nothing. */
static int write_singly(struct stk500v2 *stk, uint32_t start, const uint8_t *bytes, uint32_t count,
                        const struct operation *operation, struct failure *failure)
{
    struct operation quiet = *operation;

    quiet.progress = NULL;
    stk->next_address = -1;
    return isp_write(&stk->base, PART_FLASH, start, bytes, count, NULL, &quiet, failure);
}

static int write_page(struct stk500v2 *stk, uint32_t start, const uint8_t *bytes,
                      const struct operation *operation, struct failure *failure)
{
    const struct part_array *flash = &stk->base.part->flash;

    if (isp_is_blank(bytes, flash->page_size))
        return 0;
    if (flash->page_size > block_bytes_max(stk) ||
        stk500v2_looks_like_frame(bytes, flash->page_size))
        return write_singly(stk, start, bytes, flash->page_size, operation, failure);
    return write_block(stk, PART_FLASH, start, bytes, flash->page_size, wait_for_page(stk, flash),
                       operation, failure);
}

static int write_pages(struct stk500v2 *stk, uint32_t start, const uint8_t *bytes, uint32_t count,
                       const struct operation *operation, struct failure *failure)
{
    uint32_t page_size = stk->base.part->flash.page_size;

    for (uint32_t at = 0; at < count; at += page_size) {
        if (write_page(stk, start + at, bytes + at, operation, failure) != 0)
            return -1;
        operation_progress(operation, at + page_size);
    }
    return check_still_there(stk, operation, failure);
}

/* Bytes that the programmer writes one by one. */
static int write_eeprom_bytes(struct stk500v2 *stk, uint32_t start, const uint8_t *bytes,
                              uint32_t count, const struct operation *operation,
                              struct failure *failure)
{
    for (uint32_t at = 0; at < count;) {
        uint32_t piece = count - at < EEPROM_RUN_BYTES ? count - at : EEPROM_RUN_BYTES;

        if (write_block(stk, PART_EEPROM, start + at, bytes + at, piece,
                        wait_for_bytes(stk, &stk->base.part->eeprom), operation, failure) != 0)
            return -1;
        at += piece;
        operation_progress(operation, at);
    }
    return 0;
}

/* Programmers write the page at the place where the data began: what begins within a page goes by
 * single instructions. */
static int write_eeprom_piece(struct programmer *programmer, uint32_t address, const uint8_t *bytes,
                              uint32_t count, const struct operation *operation,
                              struct failure *failure)
{
    struct stk500v2 *stk = self(programmer);
    const struct part_array *eeprom = &programmer->part->eeprom;
    struct operation quiet = *operation;

    quiet.progress = NULL;
    if (address % eeprom->page_size == 0 && !stk500v2_looks_like_frame(bytes, count))
        return write_block(stk, PART_EEPROM, address, bytes, count, wait_for_page(stk, eeprom),
                           &quiet, failure);
    return isp_write(programmer, PART_EEPROM, address, bytes, count, NULL, &quiet, failure);
}

static int write_eeprom(struct stk500v2 *stk, uint32_t start, const uint8_t *bytes, uint32_t count,
                        const struct operation *operation, struct failure *failure)
{
    struct programmer *programmer = &stk->base;
    int result;

    if (programmer->part->eeprom.page_write)
        result = isp_write_eeprom_pieces(programmer, start, bytes, count, write_eeprom_piece,
                                         operation, failure);
    else if (stk->waits_by_itself || stk500v2_looks_like_frame(bytes, count))
        result = isp_write(programmer, PART_EEPROM, start, bytes, count, NULL, operation, failure);
    else
        result = write_eeprom_bytes(stk, start, bytes, count, operation, failure);
    return result == 0 ? check_still_there(stk, operation, failure) : -1;
}

/* Flash without pages goes byte by byte: the default waits for each as its part file says. */
int stk500v2_write(struct programmer *programmer, enum part_memory memory, uint32_t start,
                   const uint8_t *bytes, uint32_t count, struct fuse_permit *permit,
                   const struct operation *operation, struct failure *failure)
{
    struct stk500v2 *stk = self(programmer);

    if (memory == PART_EEPROM)
        return write_eeprom(stk, start, bytes, count, operation, failure);
    if (memory == PART_FLASH && programmer->part->flash.page_write)
        return write_pages(stk, start, bytes, count, operation, failure);
    return isp_write(programmer, memory, start, bytes, count, permit, operation, failure);
}
