#!/usr/bin/env bash
# Debian's avrdude is the judge: it must be able to erase, write, verify and read every part through
# the model of a programmer with native USB, and the board must then hold what avrdude was told to write.
. "${SOURCE:?}/tests/peers/simbench.bash"
. "${SOURCE:?}/tests/peers/parts.bash"
need_avrdude
try_parts pro-micro-isp
