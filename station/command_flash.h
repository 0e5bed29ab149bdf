/* gangflash flash: boards are programmed, site by site, and every one is logged. */
#ifndef STATION_COMMAND_FLASH_H
#define STATION_COMMAND_FLASH_H

#include "station/command.h"

extern const struct command command_flash;

#endif
