#include "jigs/driver_guide.h"

#include <stddef.h>
#include <string.h>

extern const struct driver_guide avr910_guide;
extern const struct driver_guide avrispmkii_guide;
extern const struct driver_guide buspirate_guide;
extern const struct driver_guide stk500_guide;
extern const struct driver_guide stk500v1_guide;
extern const struct driver_guide stk500v2_guide;
extern const struct driver_guide usbasp_guide;
extern const struct driver_guide usbtiny_guide;

static const struct driver_guide *const guides[] = {
    &avr910_guide,   &avrispmkii_guide, &buspirate_guide, &stk500_guide,
    &stk500v1_guide, &stk500v2_guide,   &usbasp_guide,    &usbtiny_guide,
};

const char *const driver_guide_pin_names[DRIVER_GUIDE_PINS] = {"MISO", "VCC",   "SCK",
                                                               "MOSI", "RESET", "GND"};

const struct driver_guide *driver_guide_find(const char *driver)
{
    for (size_t i = 0; i < sizeof guides / sizeof guides[0]; i++)
        if (strcmp(guides[i]->driver, driver) == 0)
            return guides[i];
    return NULL;
}
