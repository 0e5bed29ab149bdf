#include "jigs/simbench/mega_bootloader.h"

#include <string.h>

static uint8_t sign_on(struct stk500v2_firmware *firmware)
{
    const char *name = firmware->kind->name;
    stk500v2_put(firmware, (uint8_t)strlen(name));
    for (; *name != '\0'; name++) {
        stk500v2_put(firmware, (uint8_t)*name);
    }
    return STK500V2_OK;
}

/* Nothing that was set is kept. */
static uint8_t get_parameter(struct stk500v2_firmware *firmware)
{
    static const uint8_t values[][2] = {{0x90, 0x0F}, {0x91, 0x02}, {0x92, 0x0A}};
    uint8_t value = 0;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        value = values[i][0] == firmware->body[1] ? values[i][1] : value;
    }
    stk500v2_put(firmware, value);
    return STK500V2_OK;
}

/* Its own flash: the sketch is short. */
static uint8_t read_memory(struct stk500v2_firmware *firmware)
{
    size_t length = (size_t)firmware->body[1] << 8 | firmware->body[2];
    for (size_t i = 0; i < length && i < STK500V2_BLOCK_MAX; i++) {
        stk500v2_put(firmware, 0xFF);
    }
    stk500v2_put(firmware, STK500V2_OK);
    return STK500V2_OK;
}

/* The Mega's own signature; of the rest, nothing. */
static uint8_t multi(struct stk500v2_firmware *firmware)
{
    static const uint8_t signature[] = {0x1E, 0x98, 0x01};
    const uint8_t *sent = firmware->body + 4;
    bool of_signature = sent[0] == 0x30 && sent[2] < sizeof signature;
    stk500v2_put(firmware, 0);
    stk500v2_put(firmware, sent[0]);
    stk500v2_put(firmware, 0);
    stk500v2_put(firmware, of_signature ? signature[sent[2]] : 0);
    stk500v2_put(firmware, STK500V2_OK);
    return STK500V2_OK;
}

static uint8_t answer(struct stk500v2_firmware *firmware)
{
    switch (firmware->body[0]) {
    case STK500V2_SIGN_ON:
        return sign_on(firmware);
    case STK500V2_GET_PARAMETER:
        return get_parameter(firmware);
    case STK500V2_READ_FLASH:
    case STK500V2_READ_EEPROM:
        return read_memory(firmware);
    case STK500V2_MULTI:
        return multi(firmware);
    case STK500V2_SET_PARAMETER:
    case STK500V2_LOAD_ADDRESS:
    case STK500V2_ENTER:
    case STK500V2_LEAVE:
    case STK500V2_PROGRAM_FLASH:
    case STK500V2_PROGRAM_EEPROM:
        return STK500V2_OK;
    default:
        return STK500V2_FAILED;
    }
}

const struct stk500v2_kind mega_bootloader_kind = {
    .name = "AVRISP_2",
    .command_ns = 50000, /* assumed */
    .answer = answer,
};
