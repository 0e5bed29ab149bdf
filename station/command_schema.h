/* gangflash schema: JSON Schemas of profiles and jig files, for editors. */
#ifndef STATION_COMMAND_SCHEMA_H
#define STATION_COMMAND_SCHEMA_H

#include "station/command.h"

extern const struct command command_schema;

#endif
