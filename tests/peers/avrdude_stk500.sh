#!/usr/bin/env bash
# Debian's avrdude is the judge of the models of STK500 and AVRISP with their first firmware: through
# each it erases, writes, verifies and reads flash, EEPROM, fuses and lock bits, and the board must
# then hold what avrdude was told to write.
. "${SOURCE:?}/tests/peers/simbench.bash"
need_avrdude

# part, avrdude's name, flash bytes to write, EEPROM bytes, fuses and lock as they must read back
parts='ATmega328P m328p 4096 64 lfuse=255,hfuse=222,efuse=253,lock=207
ATmega32A  m32a  4096 64 lfuse=31,hfuse=192,lock=207
ATmega2560 m2560 4096 64 lfuse=255,hfuse=216,efuse=253,lock=207'

# try_part SITE PART NAME FLASH EEPROM FUSES
try_part() {
    local site=$1 part=$2 name=$3 pair key
    local -a arguments=()
    run() {
        timeout 100 avrdude -q -q -c stk500v1 -p "$name" -P "${place[$site]}" \
            -b 115200 "$@" >"$work/avrdude.log" 2>&1 || {
            cat "$work/avrdude.log" >&2
            fail "avrdude $part $*"
        }
    }
    random_hex "$4" "$site" flash
    random_hex "$5" "$((site + 10))" eeprom
    run -e -U flash:w:"$work/flash.hex":i
    read_record "$site"
    [ "${record#*"\"flash\":\"$(cat "$work/flash.bytes")"}" != "$record" ] ||
        fail "$part: the flash is not as written"
    expect_field erases 1 "$part"
    run -D -U eeprom:w:"$work/eeprom.hex":i
    read_record "$site"
    [ "${record#*"\"eeprom\":\"$(cat "$work/eeprom.bytes")"}" != "$record" ] ||
        fail "$part: the EEPROM is not as written"
    for pair in ${6//,/ }; do
        arguments+=(-U "${pair%=*}:w:${pair#*=}:m")
    done
    run "${arguments[@]}"
    read_record "$site"
    for pair in ${6//,/ }; do
        key=${pair%=*}
        case $key in
        lfuse) key=low ;;
        hfuse) key=high ;;
        efuse) key=extended ;;
        esac
        expect_field "$key" "${pair#*=}" "$part"
    done
    run -U flash:r:"$work/back.bin":r
}

# try_model MODEL
try_model() {
    local site=0 part name flash eeprom fuses
    {
        printf 'format: 1\njig: peers\nbench: simulated\nsites:\n'
        while read -r part _; do
            site=$((site + 1))
            echo "  - {site: $site, programmer: stk500, model: $1, board: $part, crystal: 16 MHz}"
        done <<<"$parts"
    } >"$work/jig.yaml"
    start_bench "$work/jig.yaml" fast
    site=0
    while read -r part name flash eeprom fuses; do
        site=$((site + 1))
        try_part "$site" "$part" "$name" "$flash" "$eeprom" "$fuses"
        echo "$1, $part: written, read and compared"
    done <<<"$parts"
    stop_bench
}

try_model stk500
try_model avrisp
