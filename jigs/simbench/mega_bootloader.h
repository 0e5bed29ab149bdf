/* The bootloader of an Arduino Mega2560: it speaks STK500 version 2, too, but about the Mega
 * itself. Source of the behaviour: stk500boot as shipped with the Arduino core; nothing of it is
 * copied. */
#ifndef JIGS_SIMBENCH_MEGA_BOOTLOADER_H
#define JIGS_SIMBENCH_MEGA_BOOTLOADER_H

#include "jigs/simbench/stk500v2_firmware.h"

/* After a reset it waits so long for a first byte, whatever it is… */
#define MEGA_BOOTLOADER_FIRST_US 1000000
/* …and when one came, so long for each further one: a count to eight million. */
#define MEGA_BOOTLOADER_NEXT_US 9000000

extern const struct stk500v2_kind mega_bootloader_kind;

#endif
