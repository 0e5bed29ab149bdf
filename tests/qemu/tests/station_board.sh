#!/usr/bin/env bash
# The station programs a board through each generation of a USBasp and a USBtinyISP, all of them by
# port path, and one by its serial number; what only looks like one it refuses by name.
# limit: 120 s
. "${SOURCE:?}/tests/qemu/lane.bash"

bench_of usbasp/usbasp-2011 usbasp/usbasp-2011-slow-jumper usbasp/usbasp-2011-protostack \
    usbasp/nibobee usbasp/usbasp-3mhz usbtiny/usbtinyisp usbtiny/pocket-avr usbtiny/arduino-isp \
    usbasp/usbasp-dioannidis usbasp/usbasp-2009 usbasp/usbasp-2005 usbasp/usbasploader \
    usbasp/usbhid-lookalike usbasp/vusb-ledcontrol usbtiny/trinket-bootloader usbtiny/trinket-disguised
plug $(seq 16)
jig_of $(seq 9)
sed -i 's/\(site: 9,.*at:\) "[^"]*"/\1 "usb:serial=0000"/' "$work/jig.yaml"
flash 0 --go now --count 9
equal "$(query "select count(*) from attempts where verdict = 'pass' and signature = '1E 95 0F'")" \
    9 "boards that passed"
for site in $(seq 9); do
    demo_board "$site"
done

# refused SITE TEXT : the station will not work with this programmer, and says why
refused() {
    jig_of "$1"
    flash 4 --go now --count 1
    cat "$work/out" "$work/err" >"$work/both"
    says both "$2"
    read_record "$1"
    expect_field flash "" "site $1"
    expect_field low 98 "site $1"
}
# Their one SCK is too fast for a new board.
refused 10 "SCK fixed at 375 kHz, which is too fast"
refused 11 "SCK fixed at 375 kHz, which is too fast"
refused 12 USBaspLoader
refused 13 USBHID
refused 14 LEDControl
refused 15 "the bootloader of a Trinket"
refused 16 "the bootloader of a Trinket"
stop_bench
