/* gangflash fuses: fuse and lock bytes of a part in words, and words as bytes. */
#ifndef STATION_COMMAND_FUSES_H
#define STATION_COMMAND_FUSES_H

#include "station/command.h"

extern const struct command command_fuses;

#endif
