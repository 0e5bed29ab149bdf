/* gangflash jig: which programmers are there, and jig files made, tried and kept. */
#ifndef STATION_COMMAND_JIG_H
#define STATION_COMMAND_JIG_H

#include "station/command.h"

extern const struct command command_jig;

#endif
