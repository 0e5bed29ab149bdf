#!/usr/bin/env bash
# Real production images, the bootloaders of Debian's arduino-core-avr, written by avrdude with the
# fuses that belong to them.
. "${SOURCE:?}/tests/peers/simbench.bash"
. "$SOURCE/tests/cli/common/hex.bash"
need_avrdude

images=/usr/share/arduino/hardware/arduino/avr/bootloaders
[ -d "$images" ] || {
    echo "arduino-core-avr is not installed"
    exit 77
}

cat >"$work/jig.yaml" <<'JIG'
format: 1
jig: peers
bench: simulated
sites:
  - {site: 1, programmer: stk500v1, model: arduino-uno-isp, board: ATmega328P, crystal: 16 MHz}
  - {site: 2, programmer: stk500v1, model: pro-micro-isp, board: ATmega2560, crystal: 16 MHz}
JIG
start_bench "$work/jig.yaml" fast

# try_image SITE NAME IMAGE EXTENDED HIGH LOW
try_image() {
    talk stk500v1 "$1" -p "$2" -e -U "efuse:w:$4:m" -U "hfuse:w:$5:m" -U "lfuse:w:$6:m"
    talk stk500v1 "$1" -p "$2" -U "flash:w:$3:i" -U lock:w:0xCF:m
    # avrdude's own reading of the file, as one binary
    talk stk500v1 "$1" -p "$2" -U "flash:v:$3:i" -U "flash:r:$work/back.bin:r"
    read_record "$1"
    expect_field flash "$(trimmed_hex "$work/back.bin")" "$2"
    expect_field extended "$((0xF8 | $4))" "$2"
    expect_field high "$(($5))" "$2"
    expect_field low "$(($6))" "$2"
    expect_field lock "$((0xCF))" "$2"
    expect_field clock_hz 16000000 "$2"
}

# (Not optiboot_atmega328.hex: as Debian 12 builds it, it reaches beyond the end of the flash.)
try_image 1 m328p "$images/atmega/ATmegaBOOT_168_atmega328.hex" 0xFD 0xDA 0xFF
try_image 2 m2560 "$images/stk500v2/stk500boot_v2_mega2560.hex" 0xFD 0xD8 0xFF
stop_bench
