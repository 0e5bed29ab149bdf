#!/usr/bin/env bash
# Debian's avrdude is the judge of the models with STK500 version 2 firmware: it must be able to
# erase, write, verify and read parts through them, and the boards must then hold what it was told.
. "${SOURCE:?}/tests/peers/simbench.bash"
need_avrdude

# model, part, avrdude's programmer and name of the part, bytes of flash and EEPROM, fuses and lock
sites='stk500-v2 ATmega328P stk500v2 m328p 16384 512 low=247,high=209,extended=252,lock=207
stk500-v2 ATmega2560 stk500v2 m2560 140000 64 low=247,high=209,extended=252,lock=207
stk500-v2 ATmega32A stk500v2 m32a 4096 128 low=63,high=209,lock=207
stk500-v2 ATtiny85 stk500v2 t85 8192 128 low=226,high=215,extended=254,lock=252
mega2560-isp ATmega328P stk500v2 m328p 4096 64 low=247,high=209,extended=252,lock=207
mega2560-isp ATmega2560 wiring m2560 4096 64 low=247,high=209,extended=252,lock=207
mega2560-isp ATtiny2313 stk500v2 t2313 2048 128 low=228,high=219,extended=255,lock=252
scratchmonkey ATmega32A stk500v2 m32a 4096 128 low=63,high=209,lock=207'

# write_jig LINES : a site for each
write_jig() {
    local site=0 model part
    {
        printf 'format: 1\njig: peers\nbench: simulated\nsites:\n'
        while read -r model part _; do
            site=$((site + 1))
            echo "  - {site: $site, programmer: stk500v2, model: $model, board: $part," \
                "crystal: 16 MHz}"
        done <<<"$1"
    } >"$work/jig.yaml"
}

# run SITE PROGRAMMER ARGUMENT… : avrdude, at its own baud rate
run() {
    local site=$1 programmer=$2
    shift 2
    run_avrdude "$work/avrdude.log" -c "$programmer" -P "${place[$site]}" "$@" ||
        fail "avrdude -c $programmer $*
$(cat "$work/avrdude.log")"
}

# names low=247,… : as avrdude's arguments, into the array `arguments`
names() {
    local pair name
    arguments=()
    for pair in ${1//,/ }; do
        name=${pair%%=*}
        case $name in
        lock) ;;
        *) name=${name:0:1}fuse ;;
        esac
        arguments+=(-U "$name:w:${pair#*=}:m")
    done
}

# first_bytes FILE COUNT : as the bench records memories
first_bytes() {
    od -An -v -tx1 -N "$2" "$1" | tr -d ' \n'
}

# try SITE MODEL PART PROGRAMMER NAME FLASH EEPROM FUSES
try() {
    local site=$1 what="$2, $3" programmer=$4 name=$5 pair
    random_hex "$6" "$site" flash
    random_hex "$7" "$((site + 10))" eeprom
    run "$site" "$programmer" -p "$name" -e -U flash:w:"$work/flash.hex":i \
        -U eeprom:w:"$work/eeprom.hex":i
    run "$site" "$programmer" -p "$name" -U signature:r:"$work/signature":h \
        -U eeprom:r:"$work/eeprom.bin":r
    read_record "$site"
    expect_field flash "$(<"$work/flash.bytes")" "$what"
    expect_field eeprom "$(<"$work/eeprom.bytes")" "$what"
    [ "$(first_bytes "$work/eeprom.bin" "$7")" = "$(<"$work/eeprom.bytes")" ] ||
        fail "$what: avrdude reads another EEPROM"

    names "$8"
    run "$site" "$programmer" -p "$name" "${arguments[@]}"
    read_record "$site"
    for pair in ${8//,/ }; do
        expect_field "${pair%=*}" "${pair#*=}" "$what"
    done
    expect_field erases 1 "$what"
    expect_field ignored_busy 0 "$what"
    expect_field too_fast 0 "$what"
    # An erase opens it again.
    run "$site" "$programmer" -p "$name" -e
    read_record "$site"
    expect_field lock 255 "$what"
    expect_field flash "" "$what"
    echo "$what: written, read and compared"
}

write_jig "$sites"
start_bench "$work/jig.yaml" fast
site=0
while read -r -a row; do
    site=$((site + 1))
    try "$site" "${row[@]}"
done <<<"$sites"
! avrdude -q -q -c stk500v2 -P "${place[1]}" -p m168 -n >"$work/avrdude.log" 2>&1 ||
    fail "a part of another name"
stop_bench

# With the times of the real thing, waits are needed.
sites='stk500-v2 ATmega328P
scratchmonkey ATmega328P'
write_jig "$sites"
start_bench "$work/jig.yaml" real
random_hex 1024 1 flash
for site in 1 2; do
    # ScratchMonkey answers while the last page is still being written: what avrdude read or wrote at
    # once would come some 100 us too early or not, and so it does on a real one.
    run "$site" stk500v2 -p m328p -e -V -U flash:w:"$work/flash.hex":i
    run "$site" stk500v2 -p m328p -U flash:v:"$work/flash.hex":i -U lfuse:w:0xf7:m
    read_record "$site"
    expect_field flash "$(<"$work/flash.bytes")" "site $site at real pace"
    expect_field low 247 "site $site at real pace"
    expect_field ignored_busy 0 "site $site at real pace"
    expect_field receive_lost 0 "site $site at real pace"
done
stop_bench
