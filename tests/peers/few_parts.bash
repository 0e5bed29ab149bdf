# A few boards through each model of a programmer, by avrdude. Sourced after simbench.bash, by
# scripts that set `parts`: a line each of part, avrdude's name, flash bytes to write, EEPROM bytes,
# fuses and lock as they must read back, and what else avrdude must be told about the part.

# try_part SITE OPTIONS PART NAME FLASH EEPROM FUSES MORE : the options are avrdude's, for the programmer
try_part() {
    local site=$1 part=$3 name=$4 pair key
    local -a options arguments=()
    read -r -a options <<<"$2 $8"
    run() {
        run_avrdude "$work/avrdude.log" -p "$name" -P "${place[$site]}" "${options[@]}" "$@" || {
            cat "$work/avrdude.log" >&2
            fail "avrdude $part $*"
        }
    }
    random_hex "$5" "$site" flash
    random_hex "$6" "$((site + 10))" eeprom
    run -e -U flash:w:"$work/flash.hex":i
    read_record "$site"
    [ "${record#*"\"flash\":\"$(cat "$work/flash.bytes")"}" != "$record" ] ||
        fail "$part: the flash is not as written"
    expect_field erases 1 "$part"
    run -D -U eeprom:w:"$work/eeprom.hex":i
    read_record "$site"
    [ "${record#*"\"eeprom\":\"$(cat "$work/eeprom.bytes")"}" != "$record" ] ||
        fail "$part: the EEPROM is not as written"
    for pair in ${7//,/ }; do
        arguments+=(-U "${pair%=*}:w:${pair#*=}:m")
    done
    run "${arguments[@]}"
    read_record "$site"
    for pair in ${7//,/ }; do
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

# try_model MODEL PROGRAMMER OPTIONS : a site for each part
try_model() {
    local site=0 part name flash eeprom fuses more
    {
        printf 'format: 1\njig: peers\nbench: simulated\nsites:\n'
        while read -r part _; do
            site=$((site + 1))
            echo "  - {site: $site, programmer: $2, model: $1, board: $part, crystal: 16 MHz}"
        done <<<"$parts"
    } >"$work/jig.yaml"
    start_bench "$work/jig.yaml" fast
    site=0
    while read -r part name flash eeprom fuses more; do
        site=$((site + 1))
        try_part "$site" "$3" "$part" "$name" "$flash" "$eeprom" "$fuses" "$more"
        echo "$1, $part: written, read and compared"
    done <<<"$parts"
    stop_bench
}
