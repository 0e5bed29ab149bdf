/* Models of serial programmers with STK500 version 2 firmware: frames on the wire around what
 * stk500v2_firmware.h does with their bodies. Frames: AVR068, "Message format". */
#ifndef JIGS_SIMBENCH_STK500V2_SERIAL_H
#define JIGS_SIMBENCH_STK500V2_SERIAL_H

#include "jigs/simbench/wire_firmware.h"

/* "stk500-v2": an STK500 or the first AVRISP on RS-232 with firmware of version 2. Opening its port
 * does not reset it, and it keeps parameters in EEPROM. "mega2560-isp": an Arduino Mega with a
 * sketch that behaves as an STK500; opening its port resets it, and at
 * real pace its bootloader runs first, which speaks the same language. "scratchmonkey": the
 * ScratchMonkey sketch on an Arduino Uno, with its own ways. */
extern const struct wire_firmware stk500v2_serial_models[];
extern const size_t stk500v2_serial_model_count;

#endif
