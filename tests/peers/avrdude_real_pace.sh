#!/usr/bin/env bash
# avrdude against the models at the pace of the real thing: bootloader, bauds, busy times.
. "${SOURCE:?}/tests/peers/simbench.bash"
need_avrdude
cat >"$work/jig.yaml" <<'JIG'
format: 1
jig: peers
bench: simulated
sites:
  - {site: 1, programmer: stk500v1, model: arduino-uno-isp, board: ATmega32U4, crystal: 16 MHz}
  - {site: 2, programmer: stk500v1, model: teensy-2.0-isp, board: ATmega32A, crystal: 16 MHz}
JIG
start_bench "$work/jig.yaml" real
random_hex 512 1 flash

wake 1
talk stk500v1 1 -p m32u4 -e -U flash:w:"$work/flash.hex":i -U lfuse:w:0x5e:m -U hfuse:w:0xd9:m
read_record 1
expect_field flash "$(cat "$work/flash.bytes")" ATmega32U4
expect_field low 94 ATmega32U4
expect_field high 217 ATmega32U4
expect_field ignored_busy 0 ATmega32U4
expect_field receive_lost 0 ATmega32U4
expect_field bootloader_pages 0 ATmega32U4

talk stk500v1 2 -p m32a -e -U flash:w:"$work/flash.hex":i -U lfuse:w:0x1f:m
read_record 2
expect_field flash "$(cat "$work/flash.bytes")" ATmega32A
expect_field low 31 ATmega32A
expect_field ignored_busy 0 ATmega32A
stop_bench
