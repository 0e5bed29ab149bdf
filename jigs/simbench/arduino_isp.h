/* A model of the ArduinoISP sketch, version 1.18, with all its habits: no timeout anywhere, the
 * universal instruction carried out before its end byte is looked at, one buffer of 256 bytes that
 * nothing guards. Source of the behaviour: the sketch as shipped with the Arduino IDE (examples,
 * 11.ArduinoISP); nothing of it is copied. */
#ifndef JIGS_SIMBENCH_ARDUINO_ISP_H
#define JIGS_SIMBENCH_ARDUINO_ISP_H

#include "jigs/simbench/wire_firmware.h"

/* 16 MHz / 128: the sketch asks for 1/6 MHz, and that is the next step below. */
#define ARDUINO_ISP_SCK_HZ 125000

/* "arduino-uno-isp" has a UART behind an adapter whose DTR resets the board, the others have USB of
 * their own. */
extern const struct wire_firmware arduino_isp_models[];
extern const size_t arduino_isp_model_count;

#endif
