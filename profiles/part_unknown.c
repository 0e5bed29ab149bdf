#include "profiles/part_unknown.h"

const struct part *part_unknown(void)
{
    static const struct part part = {
        .name = "an unknown part",
        .flash = {.size = PART_UNKNOWN_FLASH_BYTES, .page_size = 1},
        /* All but a few of the oldest give the echo, and without it nobody could tell whether SCK
         * is slow enough. */
        .sync_echo = true,
        /* "SCK must be below f/4, below f/6 from 12 MHz on" (the datasheets' chapter on serial
         * programming). */
        .sck_divider = 4,
        .sck_divider_from_12mhz = 6,
    };

    return &part;
}
