/* gangflash drivers: the programmers that the station can drive, and how to use one. */
#ifndef STATION_COMMAND_DRIVERS_H
#define STATION_COMMAND_DRIVERS_H

#include "station/command.h"

extern const struct command command_drivers;

#endif
