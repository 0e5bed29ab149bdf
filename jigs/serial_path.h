/* The lasting names of serial ports: udev makes one for each port that a USB adapter has, by where
 * it is plugged in (/dev/serial/by-path), while /dev/ttyUSB0 is whichever came first. */
#ifndef JIGS_SERIAL_PATH_H
#define JIGS_SERIAL_PATH_H

#include <stdbool.h>
#include <stddef.h>

#define SERIAL_PATH_DIRECTORY "/dev/serial/by-path"

/* The name in `directory` that leads to `device`, the first in order where there are several; with
 * the directory in front. False, and "", when there is none. */
bool serial_path_find(const char *directory, const char *device, char *name, size_t name_bytes);

#endif
