#!/usr/bin/env bash
# Every USB model, plugged in: the kernel reads from it what the real device would say. The table is
# written by hand: ids, version, speed in Mbit/s, bytes in a packet, interface class, texts.
. "${SOURCE:?}/tests/qemu/lane.bash"

# model|programmer|ids and version|interface class|manufacturer|product|serial
devices='usbasp-2011|usbasp|16c0:05dc 0104|00|www.fischl.de|USBasp|
usbasp-2011-slow-jumper|usbasp|16c0:05dc 0104|00|www.fischl.de|USBasp|
usbasp-2011-protostack|usbasp|16c0:05dc 0104|00|Protostack Pty Ltd|USBasp|
usbasp-2009|usbasp|16c0:05dc 0102|00|www.fischl.de|USBasp|
usbasp-2005|usbasp|03eb:c7b4 0100|00|www.fischl.de|USBasp|
nibobee|usbasp|16c0:092f 0104|00|www.nicai-systems.com|NIBObee|
usbasp-dioannidis|usbasp|16c0:05dc 0111|ff|www.fischl.de|USBasp|0000
usbasp-3mhz|usbasp|16c0:05dc 0104|00|www.fischl.de|USBasp|
usbasploader|usbasp|16c0:05dc 0201|00|www.fischl.de|USBasp|
usbhid-lookalike|usbasp|03eb:c8b4 0100|03|zhifengsoft|USBHID|
vusb-ledcontrol|usbasp|16c0:05dc 0100|00|obdev.at|LEDControl|
usbtinyisp|usbtiny|1781:0c9f 0104|ff||USBtiny|
pocket-avr|usbtiny|1781:0c9f 0107|ff||USBtiny|
arduino-isp|usbtiny|2341:0049 0104|ff||Arduino ISP|
trinket-bootloader|usbtiny|1781:0c9f 0105|00|Adafruit|Trinket|
trinket-disguised|usbtiny|1781:0c9f 0105|00||USBtiny|'

{
    printf 'format: 1\njig: enumerate\nbench: simulated\nsites:\n'
    site=0
    while IFS='|' read -r model programmer _; do
        site=$((site + 1))
        echo "  - {site: $site, programmer: $programmer, model: $model, board: ATmega328P}"
    done <<<"$devices"
} >"$work/jig.yaml"
start_bench "$work/jig.yaml" fast
plug $(seq "${#place[@]}")

site=0
while IFS='|' read -r model _ ids class manufacturer product serial; do
    site=$((site + 1))
    found="$(device_says $site idVendor):$(device_says $site idProduct) $(device_says $site bcdDevice)"
    equal "$found" "$ids" "$model: ids and version"
    equal "$(device_says $site speed)" 1.5 "$model: speed"
    equal "$(device_says $site bMaxPacketSize0)" 8 "$model: packets"
    equal "$(device_says $site manufacturer)" "$manufacturer" "$model: manufacturer"
    equal "$(device_says $site product)" "$product" "$model: product"
    equal "$(device_says $site serial)" "$serial" "$model: serial"
    interface=/sys/bus/usb/devices/${path[$site]#usb:}:1.0
    [ -d "$interface" ] || fail "$model: no interface"
    equal "$(<"$interface/bInterfaceClass")" "$class" "$model: class of the interface"
    echo "$model: ${path[$site]}"
done <<<"$devices"

unplug $(seq "${#place[@]}")
for site in "${!path[@]}"; do
    [ ! -e "/sys/bus/usb/devices/${path[$site]#usb:}" ] || fail "${path[$site]} stays"
done
stop_bench
