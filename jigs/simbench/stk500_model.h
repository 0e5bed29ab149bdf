/* Models of Atmel's STK500 and AVRISP with their first firmware, protocol version 1. Source of the
 * behaviour: Atmel AVR061, "STK500 Communication Protocol" (rev. 2525), and what avrdude expects of
 * them. As AVR061 has it, no command is carried out without its end byte. What AVR061 leaves open
 * (how long the firmware takes beyond SCK, how many bytes its UART holds) is a guess to its favour.
 */
#ifndef JIGS_SIMBENCH_STK500_MODEL_H
#define JIGS_SIMBENCH_STK500_MODEL_H

#include "jigs/simbench/wire_firmware.h"

/* "stk500", "avrisp": the same at half the clock, and older. */
extern const struct wire_firmware stk500_models[];
extern const size_t stk500_model_count;

#endif
