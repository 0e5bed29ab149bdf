#!/usr/bin/env bash
# Debian's avrdude is the judge: through each model of a Bus Pirate it must be able to erase, write,
# verify and read a board, and the board must then hold what avrdude was told to write.
. "${SOURCE:?}/tests/peers/simbench.bash"
. "${SOURCE:?}/tests/peers/parts.bash"
need_avrdude

# The seed chooses the mode that a unit was left in: with this one the terminal. avrdude leaves no
# menu, nor a command that waits for more than 20 bytes.
seed=5

# avrdude says when it found 05; it takes the community's for none.
# try MODEL BOARD AVRDUDE'S-NAME FUSES FINDS-05 [OPTION...]
try() {
    local model=$1 board=$2 name=$3 fuses=$4 finds=$5 found=no pair
    shift 5
    cat >"$work/jig.yaml" <<END
format: 1
jig: peers
bench: simulated
sites:
  - {site: 1, programmer: buspirate, model: $model, board: $board, crystal: 16 MHz}
END
    start_bench "$work/jig.yaml" fast --seed "$seed"
    random_hex 512 1 flash
    random_hex 16 2 eeprom
    fuse_arguments "$fuses"
    talk buspirate 1 -v "$@" -p "$name" -e -U flash:w:"$work/flash.hex":i \
        -U eeprom:w:"$work/eeprom.hex":i
    grep -q "paged flash write enabled" "$work/avrdude.log" && found=yes
    [ "$found" = "$finds" ] || fail "$model: avrdude found 05: $found, expected $finds"
    read_record 1
    expect_field flash "$(cat "$work/flash.bytes")" "$model"
    expect_field eeprom "$(cat "$work/eeprom.bytes")" "$model"
    expect_field erases 1 "$model"
    talk buspirate 1 -p "$name" "${arguments[@]}"
    read_record 1
    for pair in ${fuses//,/ }; do
        expect_field "${pair%=*}" "${pair#*=}" "$model"
    done
    talk buspirate 1 -p "$name" -U eeprom:v:"$work/eeprom.hex":i
    read_record 1
    [[ $record == *'"in_reset":false'* ]] || fail "$model: the board is still in reset"
    stop_bench
}

try buspirate-v3 ATmega328P m328p low=255,high=222,extended=253 yes
try buspirate-v3-old ATtiny85 t85 low=226,high=223,extended=254 no
# Without 05 but with 06 avrdude 7.1 runs into a null pointer, unless it is told to leave 06 alone.
try buspirate-v3-community ATmega328P m328p low=255,high=222,extended=253 no -x nopagedread
try buspirate-v4 ATmega32U4 m32u4 low=94,high=217,extended=243 yes
