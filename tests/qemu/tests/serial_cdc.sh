#!/usr/bin/env bash
# Serial programmers at their USB ports: the kernel's cdc-acm makes ttyACM nodes of them, on which
# Debian's avrdude programs boards. What DTR and 1200 baud do, and a plug that is pulled.
. "${SOURCE:?}/tests/qemu/lane.bash"

cat >"$work/jig.yaml" <<'JIG'
jig: peers
bench: {simulated: true, seed: 1}
sites:
  - {site: 1, programmer: stk500v1, model: arduino-uno-isp, port: usb, board: ATmega328P, crystal: 16 MHz, found: {low: 0xFF}}
  - {site: 2, programmer: stk500v1, model: pro-micro-isp, port: usb, board: ATmega328P, crystal: 16 MHz, found: {low: 0xFF}}
  - {site: 3, programmer: stk500v1, model: teensy-2.0-isp, port: usb, board: ATmega328P, crystal: 16 MHz, found: {low: 0xFF}}
  - {site: 4, programmer: stk500v1, model: teensy-2.0-isp, port: usb, board: ATmega328P, crystal: 16 MHz, found: {low: 0xFF}}
faults:
  - {fault: port-gone, site: 4, match: 30 00 00, for: 1 s}
JIG
start_bench "$work/jig.yaml" "${pace:-real}"

# node SITE : its ttyACM node, once there is one
node() {
    local directory=/sys/bus/usb/devices/${path[$1]#usb:}
    until compgen -G "$directory:1.0/tty/ttyACM*" >/dev/null; do sleep 0.05; done
    udevadm settle
    echo "/dev/$(basename "$directory":1.0/tty/ttyACM*)"
}

# gone SITE / back SITE : its device leaves the bus; the bench offers it again, and it is plugged in
gone() {
    while [ -e "/sys/bus/usb/devices/${path[$1]#usb:}" ]; do sleep 0.05; done
}
back() {
    until plug_again "$1"; do sleep 0.2; done
}
plug_again() {
    local server=${place[$1]#usbip:}
    "$BUILD/bin/usbip_attach" attach "${server%/*}" "${place[$1]##*/}@$(vhci_port "$1")" \
        >"$work/plugged" 2>/dev/null
}

# program SITE : avrdude writes flash and a fuse and reads them back, and the bench has it on its record
program() {
    avrdude_does stk500v1 -P "$(node "$1")" -b 19200 -p m328p -e -U "flash:w:$work/flash.hex:i" \
        -U hfuse:w:0xd1:m
    read_record "$1"
    expect_field flash "$(<"$work/flash.bytes")" "site $1"
    expect_field high 209 "site $1"
    expect_field receive_lost 0 "site $1"
}

random_hex 128 1 flash
plug 1 2 3 4
expected=("" "2341:0043 Arduino Uno/" "1b4f:9206 SparkFun Pro Micro/"
    "16c0:0483 USB Serial/12345" "16c0:0483 USB Serial/12345")
for site in 1 2 3 4; do
    equal "$(device_says "$site" idVendor):$(device_says "$site" idProduct) $(device_says \
        "$site" product)/$(device_says "$site" serial)" "${expected[$site]}" "site $site"
done

# An Uno: opening its port resets it, unless DTR has stayed up since.
place[1]=$(node 1)
wake 1
stty -F "$(node 1)" -hupcl
exec {kept_open}>&-
program 1
program 2
program 3
# Pulled in mid-work; avrdude goes on and on with a port that is no more.
timeout 40 avrdude -q -q -c stk500v1 -P "$(node 4)" -b 19200 -p m328p -U hfuse:w:0xd1:m \
    >"$work/avrdude.log" 2>&1 &
gone 4
kill %%
back 4
program 4

# Closed at 1200 baud, the Pro Micro goes to its bootloader, a Teensy does not.
for site in 2 3; do
    stty -F "$(node "$site")" 1200
done
gone 2
program 3
back 2
program 2
stop_bench
