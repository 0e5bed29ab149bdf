#!/usr/bin/env bash
# Debian's avrdude, by the kernel's own USB, is the judge of the USBtinyISP models: each must let it
# erase, write, verify and read flash and EEPROM and set fuses and lock bits.
# limit: 120 s
. "${SOURCE:?}/tests/qemu/lane.bash"

cat >"$work/jig.yaml" <<'JIG'
format: 1
jig: peers
bench: simulated
sites:
  - {site: 1, programmer: usbtiny, model: usbtinyisp, board: ATmega328P, crystal: 16 MHz, found: {low: 0xFF}}
  - {site: 2, programmer: usbtiny, model: pocket-avr, board: ATmega328P, crystal: 16 MHz, found: {low: 0xFF}}
  - {site: 3, programmer: usbtiny, model: arduino-isp, board: ATmega328P, crystal: 16 MHz, found: {low: 0xFF}}
  - {site: 4, programmer: usbtiny, model: usbtinyisp, board: ATmega328P}
JIG
start_bench "$work/jig.yaml" fast

judge 1 usbtiny m328p 8192 usbtinyisp
judge 2 usbtiny m328p 2048 pocket-avr
judge 3 arduinoisp m328p 2048 arduino-isp

# A new part runs at 1 MHz: a bit of 1 µs is too short for it, one of 10 µs is not.
plug 4
! avrdude_as usbtiny -B 1 -p m328p -U "signature:r:$work/signature:h" || fail "400 kHz at 1 MHz"
avrdude_does usbtiny -B 10 -p m328p -U "signature:r:$work/signature:h"
equal "$(<"$work/signature")" 0x1e,0x95,0xf "signature"
! avrdude_as usbtiny -p m168 -U "signature:r:$work/signature:h" || fail "a part of another name"
unplug 4
stop_bench
