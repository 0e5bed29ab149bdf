/* gangflash image: what is in image files, a production image joined from several, the difference
 * of two. */
#ifndef STATION_COMMAND_IMAGE_H
#define STATION_COMMAND_IMAGE_H

#include "station/command.h"

extern const struct command command_image;

#endif
