/* A programmer with STK500 version 2 firmware for tests of the drivers: a command's body in, a
 * reply's body out, with a small board behind it. Include cmocka before. */
#ifndef TESTS_FAKE_STK500V2_H
#define TESTS_FAKE_STK500V2_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define FAKE_FLASH_MAX 0x40000
#define FAKE_COMMANDS_MAX 20000
#define FAKE_BODY_MAX 275

struct fake_stk500v2 {
    const char *name;
    atomic_bool bootloader; /* says AVRISP_2 and keeps no parameter, until it is told to leave */
    atomic_int fails;       /* status of the next program command; 0: OK */
    uint8_t parameters[256], sets[256];
    uint8_t slowest_setting; /* the least value of parameter 98 at which the board answers */
    bool no_board;
    uint8_t commands[FAKE_COMMANDS_MAX]; /* numbers, in order */
    int command_count;
    uint8_t last[FAKE_BODY_MAX], last_enter[12], last_block[FAKE_BODY_MAX];
    size_t last_count;
    bool entered;
    uint32_t address; /* of a word or of a byte of EEPROM */
    uint32_t extended;
    uint8_t flash[FAKE_FLASH_MAX], page[256], eeprom[4096], eeprom_page[8];
    uint8_t fuse_writes[64][2]; /* second byte and value */
    int fuse_write_count, erases, singles;
};

static inline void fake_stk500v2_init(struct fake_stk500v2 *unit, const char *name)
{
    unit->name = name;
    memset(unit->flash, 0xFF, sizeof unit->flash);
    memset(unit->page, 0xFF, sizeof unit->page);
    unit->parameters[0x90] = 2;
    unit->parameters[0x91] = 2;
    unit->parameters[0x92] = 10;
    unit->parameters[0x94] = 50;
    unit->parameters[0x98] = 200;
}

static inline int fake_stk500v2_count(const struct fake_stk500v2 *unit, uint8_t command)
{
    int count = 0;

    for (int i = 0; i < unit->command_count; i++)
        count += unit->commands[i] == command;
    return count;
}

/* ---- its board ---- */

static inline void fake_stk500v2_write_fuse(struct fake_stk500v2 *unit, const uint8_t bytes[4])
{
    if ((bytes[1] & 0xE0) == 0x80) {
        unit->erases++;
        memset(unit->flash, 0xFF, sizeof unit->flash);
    } else if (bytes[1] != 0x53 && (bytes[1] & 0x80) != 0 && unit->fuse_write_count < 64) {
        unit->fuse_writes[unit->fuse_write_count][0] = bytes[1];
        unit->fuse_writes[unit->fuse_write_count++][1] = bytes[3];
    }
}

static inline void fake_stk500v2_commit(struct fake_stk500v2 *unit, uint16_t word)
{
    uint32_t address = unit->extended * 0x20000U + (word & 0xFFC0U) * 2;

    for (uint32_t i = 0; i < 128; i++)
        unit->flash[address + i] &= unit->page[i];
    memset(unit->page, 0xFF, sizeof unit->page);
}

static inline uint8_t fake_stk500v2_execute(struct fake_stk500v2 *unit, const uint8_t bytes[4])
{
    uint16_t word = (uint16_t)(bytes[1] << 8 | bytes[2]);
    uint32_t at = unit->extended * 0x20000U + word * 2U;

    switch (bytes[0]) {
    case 0xAC:
        fake_stk500v2_write_fuse(unit, bytes);
        return 0;
    case 0x4D:
        unit->extended = bytes[2];
        return 0;
    case 0x40:
    case 0x48:
        unit->page[(word * 2U + (bytes[0] == 0x48)) % 128] = bytes[3];
        return 0;
    case 0x4C:
        fake_stk500v2_commit(unit, word);
        return 0;
    case 0x20:
    case 0x28:
        return unit->flash[at + (bytes[0] == 0x28)];
    case 0xA0:
        return unit->eeprom[word % sizeof unit->eeprom];
    case 0xC0:
        unit->eeprom[word % sizeof unit->eeprom] = bytes[3];
        return 0;
    case 0xC1:
        unit->eeprom_page[bytes[2] % 4] = bytes[3];
        return 0;
    case 0xC2:
        memcpy(unit->eeprom + word / 4 * 4 % sizeof unit->eeprom, unit->eeprom_page, 4);
        return 0;
    case 0x30:
        return (const uint8_t[]){0x1E, 0x95, 0x0F, 0xFF}[bytes[2] & 3];
    default:
        return 0;
    }
}

static inline bool fake_stk500v2_board_answers(const struct fake_stk500v2 *unit)
{
    return !unit->no_board && unit->entered && unit->parameters[0x98] >= unit->slowest_setting;
}

/* ---- its commands ---- */

static inline size_t fake_stk500v2_sign_on(const struct fake_stk500v2 *unit, uint8_t *answer)
{
    const char *name = unit->bootloader ? "AVRISP_2" : unit->name;

    size_t length = 0;

    for (; name[length] != '\0'; length++)
        answer[3 + length] = (uint8_t)name[length];
    answer[2] = (uint8_t)length;
    return 3 + length;
}

static inline size_t fake_stk500v2_multi(struct fake_stk500v2 *unit, const uint8_t *body,
                                         uint8_t *answer)
{
    const uint8_t *tx = body + 4;

    unit->singles++;
    memset(answer + 2, 0xFF, 4);
    if (fake_stk500v2_board_answers(unit)) {
        uint8_t value = fake_stk500v2_execute(unit, tx);

        answer[2] = 0xFF;
        answer[3] = tx[0];
        answer[4] = tx[1];
        answer[5] = tx[0] == 0xAC ? tx[2] : value;
    }
    answer[6] = 0;
    return 7;
}

static inline void fake_stk500v2_load_address(struct fake_stk500v2 *unit, const uint8_t *body)
{
    unit->address = (uint32_t)body[2] << 16 | (uint32_t)body[3] << 8 | body[4];
    if ((body[1] & 0x80) != 0)
        unit->extended = unit->address >> 16;
}

static inline size_t fake_stk500v2_program(struct fake_stk500v2 *unit, const uint8_t *body,
                                           size_t count, uint8_t *answer)
{
    bool flash = body[0] == 0x13;
    uint16_t start = (uint16_t)unit->address;

    memcpy(unit->last_block, body, count);
    for (size_t i = 0; i + 10 < count; i++) {
        uint8_t high = flash && i % 2 == 1 ? 8 : 0;
        const uint8_t bytes[4] = {body[5] | high, (uint8_t)(unit->address >> 8),
                                  (uint8_t)unit->address, body[10 + i]};

        fake_stk500v2_execute(unit, bytes);
        unit->address += !flash || i % 2 == 1;
    }
    if ((body[3] & 0x80) != 0)
        fake_stk500v2_execute(unit,
                              (const uint8_t[]){body[6], (uint8_t)(start >> 8), (uint8_t)start, 0});
    answer[1] = (uint8_t)atomic_exchange(&unit->fails, 0);
    return 2;
}

static inline size_t fake_stk500v2_read_memory(struct fake_stk500v2 *unit, const uint8_t *body,
                                               uint8_t *answer)
{
    bool flash = body[0] == 0x14;
    size_t count = (size_t)(body[1] << 8 | body[2]);

    for (size_t i = 0; i < count; i++) {
        uint8_t high = flash && i % 2 == 1 ? 8 : 0;
        const uint8_t bytes[4] = {body[3] | high, (uint8_t)(unit->address >> 8),
                                  (uint8_t)unit->address, 0};

        answer[2 + i] =
            fake_stk500v2_board_answers(unit) ? fake_stk500v2_execute(unit, bytes) : 0xFF;
        unit->address += !flash || i % 2 == 1;
    }
    answer[2 + count] = 0;
    return 3 + count;
}

static inline size_t fake_stk500v2_obey(struct fake_stk500v2 *unit, const uint8_t *body,
                                        size_t count, uint8_t *answer)
{
    answer[0] = body[0];
    answer[1] = 0;
    switch (body[0]) {
    case 0x01:
        return fake_stk500v2_sign_on(unit, answer);
    case 0x02:
        unit->sets[body[1]]++;
        if (!unit->bootloader)
            unit->parameters[body[1]] = body[2];
        return 2;
    case 0x03:
        answer[2] = unit->bootloader ? 0 : unit->parameters[body[1]];
        return 3;
    case 0x06:
        fake_stk500v2_load_address(unit, body);
        return 2;
    case 0x10:
        memcpy(unit->last_enter, body, 12);
        unit->entered = true;
        unit->address = 0;
        answer[1] = fake_stk500v2_board_answers(unit) ? 0 : 0xC0;
        return 2;
    case 0x11:
        unit->bootloader = false; /* as Arduino's ends */
        unit->entered = false;
        return 2;
    case 0x13:
    case 0x15:
        return fake_stk500v2_program(unit, body, count, answer);
    case 0x14:
    case 0x16:
        return fake_stk500v2_read_memory(unit, body, answer);
    case 0x1D:
        return fake_stk500v2_multi(unit, body, answer);
    default:
        answer[1] = 0xC9;
        return 2;
    }
}

/* Carries out a body; returns how long the answer's is. */
static inline size_t fake_stk500v2_run(struct fake_stk500v2 *unit, const uint8_t *body,
                                       size_t count, uint8_t *answer)
{
    if (unit->command_count < FAKE_COMMANDS_MAX)
        unit->commands[unit->command_count++] = body[0];
    memcpy(unit->last, body, count);
    unit->last_count = count;
    return fake_stk500v2_obey(unit, body, count, answer);
}

#endif
