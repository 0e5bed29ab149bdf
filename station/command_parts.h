/* gangflash parts: the AVR types that the station knows, and the facts of one. */
#ifndef STATION_COMMAND_PARTS_H
#define STATION_COMMAND_PARTS_H

#include "station/command.h"

extern const struct command command_parts;

#endif
