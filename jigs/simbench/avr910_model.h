/* Models of serial programmers that speak AVR910: the firmware of Atmel's application note AVR910,
 * "In-System Programming", as ported to the AT90S2313 at 4 MHz (versions 2.2 to 3.3), and the clone
 * for 7.3728 MHz that added block commands and waits by looking at the flash (version 3.8b of
 * mikrocontroller-projekte.de). Commands, delays and the length of an SCK pulse were read from
 * their listings; nothing of them is copied. */
#ifndef JIGS_SIMBENCH_AVR910_MODEL_H
#define JIGS_SIMBENCH_AVR910_MODEL_H

#include "jigs/simbench/wire_firmware.h"

/* "avr910": byte by byte, 19200 baud. "avr910-block": blocks of up to 64 bytes, 115200 baud. */
extern const struct wire_firmware avr910_models[];
extern const size_t avr910_model_count;

#endif
