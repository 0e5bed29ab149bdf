#!/usr/bin/env bash
# Debian's avrdude, by the kernel's own USB, is the judge of the USBasp models: each generation must
# let it erase, write, verify and read flash and EEPROM and set fuses and lock bits. What is none it
# must not take for one.
# limit: 180 s
. "${SOURCE:?}/tests/qemu/lane.bash"

cat >"$work/jig.yaml" <<'JIG'
format: 1
jig: peers
bench: simulated
sites:
  - {site: 1, programmer: usbasp, model: usbasp-2011, board: ATmega328P, crystal: 16 MHz, found: {low: 0xFF}}
  - {site: 2, programmer: usbasp, model: usbasp-2011-protostack, board: ATmega328P, crystal: 16 MHz, found: {low: 0xFF}}
  - {site: 3, programmer: usbasp, model: usbasp-2009, board: ATmega328P, crystal: 16 MHz, found: {low: 0xFF}}
  - {site: 4, programmer: usbasp, model: usbasp-2005, board: ATmega328P, crystal: 16 MHz, found: {low: 0xFF}}
  - {site: 5, programmer: usbasp, model: nibobee, board: ATmega328P, crystal: 16 MHz, found: {low: 0xFF}}
  - {site: 6, programmer: usbasp, model: usbasp-dioannidis, board: ATmega328P, crystal: 16 MHz, found: {low: 0xFF}}
  - {site: 7, programmer: usbasp, model: usbasp-3mhz, board: ATmega328P, crystal: 16 MHz, found: {low: 0xFF}}
  - {site: 8, programmer: usbasp, model: usbasp-2011-slow-jumper, board: ATmega328P}
  - {site: 9, programmer: usbasp, model: usbasp-2011, board: ATmega328P}
  - {site: 10, programmer: usbasp, model: usbasp-2011, board: ATmega2560, crystal: 16 MHz, found: {low: 0xFF}}
  - {site: 11, programmer: usbasp, model: usbhid-lookalike, board: ATmega328P}
  - {site: 12, programmer: usbasp, model: vusb-ledcontrol, board: ATmega328P}
JIG
start_bench "$work/jig.yaml" fast

judge 1 usbasp m328p 8192 usbasp-2011
judge 2 usbasp-clone m328p 2048 usbasp-2011-protostack
judge 3 usbasp m328p 2048 usbasp-2009
judge 4 usbasp m328p 2048 usbasp-2005
judge 5 nibobee m328p 2048 nibobee
judge 6 usbasp m328p 2048 usbasp-dioannidis
judge 7 usbasp m328p 2048 usbasp-3mhz

# A new part runs at 1 MHz: 375 kHz is too fast for it, 8 kHz by jumper or 93.75 kHz by choice is not.
plug 8
avrdude_does usbasp -p m328p -U "signature:r:$work/signature:h"
equal "$(<"$work/signature")" 0x1e,0x95,0xf "signature with the jumper"
unplug 8
plug 9
avrdude_does usbasp -B 10 -p m328p -U "signature:r:$work/signature:h"
equal "$(<"$work/signature")" 0x1e,0x95,0xf "signature at 93.75 kHz"
! avrdude_as usbasp -B 10 -p m168 -U "signature:r:$work/signature:h" || fail "a part of another name"
! avrdude_as usbasp -p m328p -U "signature:r:$work/signature:h" || fail "375 kHz at 1 MHz"
unplug 9

# Across 64 Ki words, where the firmware has to send the extended address by itself.
random_hex 1024 10 low
random_hex 512 11 high
srec_cat "$work/low.hex" -intel '(' "$work/high.hex" -intel -offset 0x1FF00 ')' \
    -o "$work/flash.hex" -intel || fail "srec_cat"
plug 10
avrdude_does usbasp -p m2560 -e -U "flash:w:$work/flash.hex:i"
read_record 10
flash=$(field flash)
[[ ${#flash} -eq $((2 * (0x1FF00 + 512))) && $flash = "$(<"$work/low.bytes")"* &&
    $flash = *"$(<"$work/high.bytes")" ]] || fail "ATmega2560: flash ${flash:0:200}…${flash: -200}"
unplug 10

for site in 11 12; do
    plug "$site"
    ! avrdude_as usbasp -p m328p -U "signature:r:$work/signature:h" || fail "site $site is no USBasp"
    grep -q 'cannot find USB device' "$work/avrdude.log" || fail "$(cat "$work/avrdude.log")"
    unplug "$site"
done
stop_bench
