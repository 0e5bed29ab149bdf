/* What the ScratchMonkey sketch does otherwise than AVR068: delays of its own at ENTER, a slow SPI
 * made by software when the first AC 53 fails, and a ready test with the sense turned round. Source
 * of the behaviour: ScratchMonkey 2.0; nothing of it is copied. */
#ifndef JIGS_SIMBENCH_SCRATCHMONKEY_H
#define JIGS_SIMBENCH_SCRATCHMONKEY_H

#include "jigs/simbench/stk500v2_firmware.h"

extern const struct stk500v2_kind scratchmonkey_kind;

#endif
