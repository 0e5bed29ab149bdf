#!/usr/bin/env bash
# Debian's avrdude is the judge of the models of STK500 and AVRISP with their first firmware: through
# each it erases, writes, verifies and reads flash, EEPROM, fuses and lock bits, and the board must
# then hold what avrdude was told to write.
. "${SOURCE:?}/tests/peers/simbench.bash"
. "$SOURCE/tests/peers/few_parts.bash"
need_avrdude

parts='ATmega328P m328p 4096 64 lfuse=255,hfuse=222,efuse=253,lock=207
ATmega32A  m32a  4096 64 lfuse=31,hfuse=192,lock=207
ATmega2560 m2560 4096 64 lfuse=255,hfuse=216,efuse=253,lock=207'

try_model stk500 stk500 '-c stk500v1 -b 115200'
try_model avrisp stk500 '-c stk500v1 -b 115200'
