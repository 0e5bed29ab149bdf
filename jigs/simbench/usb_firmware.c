#include "jigs/simbench/usb_firmware.h"

#include <string.h>

#include "jigs/simbench/avrispmkii_model.h"
#include "jigs/simbench/trinket_model.h"
#include "jigs/simbench/usbasp_model.h"
#include "jigs/simbench/usbasploader_model.h"
#include "jigs/simbench/usbtiny_model.h"

static const struct {
    const struct usb_firmware *models;
    const size_t *count;
} tables[] = {
    {usbasp_models, &usbasp_model_count},
    {usbtiny_models, &usbtiny_model_count},
    {usbasploader_models, &usbasploader_model_count},
    {trinket_models, &trinket_model_count},
    {avrispmkii_models, &avrispmkii_model_count},
};

const struct usb_firmware *usb_firmware_item(size_t index)
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

const struct usb_firmware *usb_firmware_by_name(const char *name)
{
    const struct usb_firmware *firmware;
    for (size_t i = 0; (firmware = usb_firmware_item(i)) != NULL; i++) {
        if (strcmp(firmware->name, name) == 0) {
            return firmware;
        }
    }
    return NULL;
}
