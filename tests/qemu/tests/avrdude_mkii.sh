#!/usr/bin/env bash
# Debian's avrdude, by the kernel's own USB, is the judge of the AVRISP mkII models: they must let it
# erase, write, verify and read flash and EEPROM and set fuses and lock bits. It looks for replies at
# endpoint 82 only, whatever a device's descriptors say, and so cannot judge those that have 83.
# limit: 120 s
. "${SOURCE:?}/tests/qemu/lane.bash"

cat >"$work/jig.yaml" <<'JIG'
format: 1
jig: peers
bench: simulated
sites:
  - {site: 1, programmer: avrispmkii, model: avrispmkii, board: ATmega328P, crystal: 16 MHz, found: {low: 0xFF}}
  - {site: 2, programmer: avrispmkii, model: avrispmkii-lufa, board: ATmega328P, crystal: 16 MHz, found: {low: 0xFF}}
  - {site: 3, programmer: avrispmkii, model: avrispmkii, board: ATmega2560, crystal: 16 MHz, found: {low: 0xFF}}
  - {site: 4, programmer: avrispmkii, model: avrispmkii-second-connect, board: ATtiny85}
  - {site: 5, programmer: avrispmkii, model: avrispmkii-lufa, board: ATmega32A, crystal: 16 MHz, found: {low: 0x3F}}
JIG
start_bench "$work/jig.yaml" fast

judge 1 avrispmkII m328p 2048 avrispmkii
judge 2 avrispmkII m328p 2048 avrispmkii-lufa

# Across 128 KiB.
random_hex 512 3 flash
srec_cat "$work/flash.hex" -intel -offset 0x1FF00 -o "$work/high.hex" -intel
plug 3
equal "$(device_says 3 serial)" 0000A00B0003 "serial number"
avrdude_does avrispmkII -P usb:A00B0003 -p m2560 -e -U "flash:w:$work/high.hex:i"
read_record 3
found=$(field flash)
equal "${found:$((2 * 0x1FF00))}" "$(<"$work/flash.bytes")" "ATmega2560: flash"
unplug 3

# A new part runs at 1 MHz. avrdude resets the bus when it is done, so this unit bears a second connect.
random_hex 512 4 flash
plug 4
avrdude_does avrispmkII -B 10 -p t85 -e -U "flash:w:$work/flash.hex:i"
avrdude_does avrispmkII -B 10 -p t85 -U lfuse:w:0xe2:m
read_record 4
expect_field flash "$(<"$work/flash.bytes")" ATtiny85
expect_field low 226 ATtiny85
expect_field too_fast 0 ATtiny85
unplug 4

# A part that is waited for by its values, with EEPROM byte by byte.
plug 5
random_hex 100 5 eeprom
avrdude_does avrispmkII -p m32a -e -U "flash:w:$work/flash.hex:i" -U "eeprom:w:$work/eeprom.hex:i"
read_record 5
expect_field flash "$(<"$work/flash.bytes")" ATmega32A
expect_field eeprom "$(<"$work/eeprom.bytes")" ATmega32A
unplug 5
stop_bench
