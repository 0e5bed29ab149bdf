/* A part of which nothing is known but that it is an AVR with an ISP port: enough to begin a
 * programming session on any board, and to read what every such part has. It has no fuses, no lock
 * byte and no EEPROM, so there is nothing of the kind that could be asked of it. */
#ifndef PROFILES_PART_UNKNOWN_H
#define PROFILES_PART_UNKNOWN_H

#include "profiles/part.h"

/* All of them have so much flash, which can be read; it does not tell how it is written. */
#define PART_UNKNOWN_FLASH_BYTES 1024

const struct part *part_unknown(void);

#endif
