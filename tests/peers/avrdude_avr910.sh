#!/usr/bin/env bash
# Debian's avrdude is the judge of the models that speak AVR910: through each it erases, writes,
# verifies and reads flash, EEPROM, fuses and lock bits, and the board must then hold what avrdude
# was told to write.
. "${SOURCE:?}/tests/peers/simbench.bash"
. "$SOURCE/tests/peers/few_parts.bash"
need_avrdude

# avrdude has no device code for the younger parts; that of one with the same pages does.
parts='ATmega328P m328p 4096 64 lfuse=255,hfuse=222,efuse=253,lock=207 -x devcode=0x72
ATmega32A  m32a   4096 64 lfuse=31,hfuse=192,lock=207 -x devcode=0x72'

try_model avr910 avr910 '-c avr910 -b 19200'
try_model avr910-block avr910 '-c avr910 -b 115200'
