# One board of each part, and what avrdude must be able to do with it. Sourced after simbench.bash.

# part, avrdude's name, flash and EEPROM bytes, fuses and lock as they must read back
parts='ATmega328P m328p  32768 1024 low=255,high=222,extended=253,lock=207
ATmega32U4 m32u4  32768 1024 low=94,high=217,extended=243,lock=239
ATmega2560 m2560 262144 4096 low=255,high=216,extended=253,lock=207
ATmega32A  m32a   32768 1024 low=31,high=192,lock=207
ATtiny85   t85     8192  512 low=226,high=223,extended=254,lock=252'

# write_jig MODEL FILE: a site for each part
write_jig() {
    local site=0 part
    {
        printf 'format: 1\njig: peers\nbench: simulated\nsites:\n'
        while read -r part _; do
            site=$((site + 1))
            echo "  - {site: $site, programmer: stk500v1, model: $1, board: $part, crystal: 16 MHz}"
        done <<<"$parts"
    } >"$2"
}

# fuse_arguments low=255,high=… : avrdude's -U arguments into the array `arguments`
fuse_arguments() {
    local pair name
    arguments=()
    for pair in ${1//,/ }; do
        case ${pair%=*} in
        low) name=lfuse ;;
        high) name=hfuse ;;
        extended) name=efuse ;;
        lock) name=lock ;;
        esac
        arguments+=(-U "$name:w:${pair#*=}:m")
    done
}

# try_part SITE PART NAME FLASH EEPROM FUSES
try_part() {
    local site=$1 part=$2 name=$3 pair
    random_hex "$4" "$site" flash
    random_hex "$5" "$((site + 10))" eeprom
    talk stk500v1 "$site" -p "$name" -e -U flash:w:"$work/flash.hex":i
    read_record "$site"
    expect_field flash "$(cat "$work/flash.bytes")" "$part"
    expect_field erases 1 "$part"

    # avrdude addresses EEPROM by bytes for an STK500 and by words for `arduino`; the sketch takes
    # words.
    talk arduino "$site" -p "$name" -D -U eeprom:w:"$work/eeprom.hex":i
    read_record "$site"
    expect_field eeprom "$(cat "$work/eeprom.bytes")" "$part"

    fuse_arguments "$6"
    talk stk500v1 "$site" -p "$name" "${arguments[@]}"
    read_record "$site"
    for pair in ${6//,/ }; do
        expect_field "${pair%=*}" "${pair#*=}" "$part"
    done
    # The new fuses act from the next session on: the board must still answer.
    talk stk500v1 "$site" -p "$name" -U flash:r:"$work/back.hex":i
}

# The lock bits of the last part hide its flash: it reads as its word addresses. An erase opens it.
try_lock() {
    local site=$1 name=$2
    talk stk500v1 "$site" -p "$name" -U flash:r:"$work/locked.bin":r
    [ "$(od -An -tx1 -N 8 "$work/locked.bin" | tr -d ' \n')" = 0000010102020303 ] ||
        fail "$name: the locked flash can be read"
    talk stk500v1 "$site" -p "$name" -e -U flash:w:"$work/flash.hex":i
    read_record "$site"
    expect_field lock 255 "$name"
    expect_field flash "$(cat "$work/flash.bytes")" "$name"
}

# try_parts MODEL
try_parts() {
    local site=0 part name flash eeprom fuses last
    write_jig "$1" "$work/jig.yaml"
    start_bench "$work/jig.yaml" fast
    while read -r part name flash eeprom fuses; do
        site=$((site + 1))
        try_part "$site" "$part" "$name" "$flash" "$eeprom" "$fuses"
        echo "$1, $part: written, read and compared"
        last=$name
    done <<<"$parts"
    try_lock "$site" "$last"
    stop_bench
}
