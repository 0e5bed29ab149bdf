/* gangflash profile: new profiles to start from. */
#ifndef STATION_COMMAND_PROFILE_H
#define STATION_COMMAND_PROFILE_H

#include "station/command.h"

extern const struct command command_profile;

#endif
