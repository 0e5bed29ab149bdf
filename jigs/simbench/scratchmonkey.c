#include "jigs/simbench/scratchmonkey.h"

#define RESET_MS 50 /* before RESET falls, and after; whatever the command says */
#define READY_US 100000
#define FRAME_BYTES 4
/* Software SPI: a bit of 4 us, twice as long with each step; it tries those of 16 to 512 us. */
#define FIRST_BIT_US 16
#define LAST_BIT_US 512
/* Longer than any part writes: by then its loop is one without end. */
#define ENDLESS_US 5000000

static bool is_stopped(const struct stk500v2_firmware *firmware)
{
    return firmware->gone || firmware->hung;
}

static int64_t now_us(const struct stk500v2_firmware *firmware)
{
    return firmware->lines->now_us(firmware->lines->context);
}

/* Dividers of the SPI unit at 16 MHz. */
static int64_t sck_hz(uint8_t duration)
{
    return duration == 0 ? 2000000 : duration == 1 ? 500000 : 125000;
}

/* --- ENTER --- */

static bool synchronise(struct stk500v2_firmware *firmware)
{
    const uint8_t *body = firmware->body;
    uint8_t miso[FRAME_BYTES];
    stk500v2_delay_ms(firmware, RESET_MS);
    stk500v2_hold_reset(firmware, true);
    stk500v2_delay_ms(firmware, RESET_MS);
    stk500v2_shift(firmware, body + 8, miso, FRAME_BYTES);
    return body[7] >= 1 && body[7] <= FRAME_BYTES && miso[body[7] - 1] == body[6];
}

/* The host is not told that SPI is slow now. */
static uint8_t enter(struct stk500v2_firmware *firmware)
{
    firmware->sck_hz = sck_hz(stk500v2_parameter(firmware, STK500V2_SCK_DURATION));
    if (synchronise(firmware)) {
        return STK500V2_OK;
    }
    for (int bit_us = FIRST_BIT_US; bit_us <= LAST_BIT_US && !is_stopped(firmware); bit_us *= 2) {
        firmware->sck_hz = 1000000 / bit_us;
        stk500v2_hold_reset(firmware, false);
        if (synchronise(firmware)) {
            return STK500V2_OK;
        }
    }
    return STK500V2_FAILED;
}

/* --- waiting --- */

/* Takes every answer that is not 0 for "ready": a part that is busy, but not one that is. */
static uint8_t wait_ready(struct stk500v2_firmware *firmware)
{
    int64_t until_us = now_us(firmware) + READY_US;
    while (!is_stopped(firmware) && now_us(firmware) < until_us) {
        if (stk500v2_frame(firmware, 0xF0, 0, 0, 0) != 0) {
            return STK500V2_OK;
        }
    }
    return STK500V2_BUSY_TIMEOUT;
}

/* Looks at the first byte only, and as long as it takes. */
static void wait_value(struct stk500v2_firmware *firmware, uint16_t address, uint8_t value)
{
    int64_t endless_us = now_us(firmware) + ENDLESS_US;
    while (!is_stopped(firmware) &&
           stk500v2_frame(firmware, firmware->body[7], (uint8_t)(address >> 8), (uint8_t)address,
                          0) == value) {
        firmware->hung = now_us(firmware) >= endless_us;
    }
}

static uint8_t wait_for(struct stk500v2_firmware *firmware, uint8_t mode, uint16_t address,
                        uint8_t value)
{
    bool can_poll = firmware->body[10] != value;
    if ((mode & STK500V2_MODE_WORD_DELAY) != 0 ||
        ((mode & STK500V2_MODE_WORD_VALUE) != 0 && !can_poll)) {
        stk500v2_delay_ms(firmware, firmware->body[4]);
    }
    if ((mode & STK500V2_MODE_WORD_VALUE) != 0 && can_poll) {
        wait_value(firmware, address, value);
    }
    return (mode & STK500V2_MODE_WORD_READY) != 0 ? wait_ready(firmware) : STK500V2_OK;
}

/* --- blocks --- */

/* 4D goes out when the two uppermost bytes of the address differ, which then become equal; a carry
 * into the lower of them makes them differ again. */
static void load_extended(struct stk500v2_firmware *firmware)
{
    uint8_t high = (uint8_t)(firmware->address >> 24), low = (uint8_t)(firmware->address >> 16);
    if (high != low) {
        stk500v2_frame(firmware, 0x4D, 0, low & 0x7F, 0);
        low |= 0x80;
        firmware->address =
            (uint32_t)low << 24 | (uint32_t)low << 16 | (firmware->address & 0xFFFF);
    }
    firmware->loads_extended = false; /* it has no such flag */
}

/* All bytes, or words, and one wait after them, also where each one is written by itself: later
 * ones get lost. What does not fit into a message is the end of the sketch. */
static uint8_t program(struct stk500v2_firmware *firmware)
{
    const uint8_t *body = firmware->body;
    size_t length = (size_t)body[1] << 8 | body[2];
    bool flash = body[0] == STK500V2_PROGRAM_FLASH;
    uint8_t mode = body[3];
    if (length > STK500V2_BODY_MAX - 10 || (flash && length % 2 != 0)) {
        firmware->hung = true;
        return STK500V2_FAILED;
    }
    load_extended(firmware);
    uint16_t start = (uint16_t)firmware->address;
    for (size_t i = 0; i < length && !is_stopped(firmware); i++) {
        uint8_t high = flash && i % 2 == 1 ? 0x08 : 0;
        stk500v2_frame(firmware, body[5] | high, (uint8_t)(firmware->address >> 8),
                       (uint8_t)firmware->address, body[10 + i]);
        firmware->address += !flash || i % 2 == 1;
    }
    if ((mode & STK500V2_MODE_PAGED) != 0 && (mode & STK500V2_MODE_COMMIT) != 0) {
        stk500v2_frame(firmware, body[6], (uint8_t)(start >> 8), (uint8_t)start, 0);
        mode >>= 3; /* from the page's bits to the word's */
    } else if ((mode & STK500V2_MODE_PAGED) != 0) {
        mode = 0;
    }
    return wait_for(firmware, mode, start, flash ? body[8] : body[9]);
}

/* --- the kind --- */

static const struct stk500v2_parameter parameters[] = {
    {0x80, 2, false},                                 /* build */
    {0x81, 0, false},  {0x90, 0, false},              /* hardware */
    {0x91, 2, false},                                 /* firmware */
    {0x92, 0, false},  {STK500V2_VTARGET, 50, false}, /* whatever it is */
    {0x95, 50, false}, {0x96, 0, true},
    {0x97, 0, true},   {STK500V2_SCK_DURATION, 2, true},
    {0x9A, 0, false},  {STK500V2_RESET_POLARITY, 1, false},
    {0x9F, 0, true},
};

const struct stk500v2_kind scratchmonkey_kind = {
    .name = "SCRATCHMONKEY",
    .parameters = parameters,
    .parameter_count = sizeof parameters / sizeof *parameters,
    .sck_hz = sck_hz,
    .command_ns = 50000, /* assumed */
    .byte_ns = 2000,     /* assumed: a call, and the loop around the SPI unit */
    .budget_us = ENDLESS_US,
    .hangs_without_spi = true,
    .ignores_protection = true,
    .enter = enter,
    .program = program,
    .wait_ready = wait_ready,
};
