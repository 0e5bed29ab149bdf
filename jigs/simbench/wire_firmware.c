#include "jigs/simbench/wire_firmware.h"

#include <string.h>

#include "jigs/simbench/arduino_isp.h"
#include "jigs/simbench/avr910_model.h"
#include "jigs/simbench/buspirate_model.h"
#include "jigs/simbench/stk500_model.h"
#include "jigs/simbench/stk500v2_serial.h"

static const struct {
    const struct wire_firmware *models;
    const size_t *count;
} tables[] = {
    {arduino_isp_models, &arduino_isp_model_count},
    {stk500v2_serial_models, &stk500v2_serial_model_count},
    {avr910_models, &avr910_model_count},
    {buspirate_models, &buspirate_model_count},
    {stk500_models, &stk500_model_count},
};

const struct wire_firmware *wire_firmware_item(size_t index)
{
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        size_t count = *tables[i].count;
        if (index < count) {
            return &tables[i].models[index];
        }
        index -= count;
    }
    return NULL;
}

const struct wire_firmware *wire_firmware_by_name(const char *name)
{
    const struct wire_firmware *firmware;
    for (size_t i = 0; (firmware = wire_firmware_item(i)) != NULL; i++) {
        if (strcmp(firmware->name, name) == 0) {
            return firmware;
        }
    }
    return NULL;
}

bool wire_firmware_transfer(struct wire *wire, const struct isp_port *port, int64_t sck_hz,
                            const uint8_t mosi[4], uint8_t miso[4])
{
    int64_t away_us = 0;
    switch (port->transfer(port->context, mosi, miso, sck_hz, wire_now_us(wire), &away_us)) {
    case ISP_MISHAP_NONE:
        return true;
    case ISP_MISHAP_HANG:
        wire_hang(wire);
        break;
    case ISP_MISHAP_RESET:
        wire_reset(wire);
        break;
    case ISP_MISHAP_UNPLUG:
        wire_unplug(wire, away_us);
        break;
    case ISP_MISHAP_STALL: /* of USB transfers */
    case ISP_MISHAP_SHORT:
    case ISP_MISHAP_NAK:
        break;
    }
    return false;
}
