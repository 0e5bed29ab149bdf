/* gangflash log: what is in the log. */
#ifndef STATION_COMMAND_LOG_H
#define STATION_COMMAND_LOG_H

#include "station/command.h"

extern const struct command command_log;

#endif
