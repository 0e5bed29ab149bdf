# Real production images of Debian's arduino-core-avr, by the shipped profiles, on simulated boards:
# what the boards hold at the end is the image and the fuses, byte by byte.
set -eu
. "$SOURCE/tests/cli/common/cli.bash"
. "$SOURCE/tests/cli/common/hex.bash"

images=/usr/share/arduino/hardware/arduino/avr/bootloaders
[ -d "$images" ] || {
    echo "arduino-core-avr is not installed"
    exit 77
}
cp "$SOURCE"/profiles/boards/*.yaml "$work"

# bench_of PART MODEL
bench_of() {
    cat >"$work/bench.yaml" <<END
jig: real-images
bench: {simulated: true, pace: fast, seed: 3}
contact: {present: 0 ms, gone: 0 ms, poll: 10 ms}
sites:
  - {site: 1, programmer: stk500v1, model: $2, board: $1, crystal: 16 MHz}
  - {site: 2, programmer: stk500v1, model: arduino-uno-isp, board: $1, crystal: 16 MHz}
END
}

# flash_of FILE.hex BYTES : the memory of BYTES after it was written, blank end cut off, as hex
flash_of() {
    avr-objcopy -I ihex -O binary --gap-fill 0xFF "$1" "$work/image.bin"
    start=$(avr-objdump -h "$1" 2>/dev/null | awk '$2 ~ /^\.sec/ { print $4; exit }')
    {
        head -c "$((0x$start))" /dev/zero | tr '\0' '\377'
        cat "$work/image.bin"
    } >"$work/memory.bin"
    trimmed_hex "$work/memory.bin"
}

# board_holds N FILE.hex LOW HIGH EXTENDED LOCK : the N-th record
board_holds() {
    jq -es --argjson n "$1" '.[$n] | [.flash, .low, .high, .extended, .lock] | @tsv' -r \
        "$work/record" >"$work/held"
    printf '%s\t%d\t%d\t%d\t%d\n' "$(flash_of "$2")" "$3" "$4" "$5" "$6" >"$work/wanted"
    cmp -s "$work/wanted" "$work/held" || fail "board $1 differs from $2"
}

# program PROFILE PART MODEL : two boards
program() {
    bench_of "$2" "$3"
    rm -f "$work/record"
    expect 0 "$gangflash" flash "$work/$1" --jig "$work/bench.yaml" --go now \
        --log "$work/log.sqlite" --bench-record "$work/record"
    equal "$(jq -s length "$work/record")" 2 "boards in the bench's record"
}

# ATmega2560: a bootloader above 128 KiB.
cp "$images/stk500v2/stk500boot_v2_mega2560.hex" "$work"
program stk500v2-atmega2560.yaml ATmega2560 pro-micro-isp
board_holds 0 "$work/stk500boot_v2_mega2560.hex" 0xFF 0xD8 0xFD 0xCF
board_holds 1 "$work/stk500boot_v2_mega2560.hex" 0xFF 0xD8 0xFD 0xCF

# ATmega328P: the file of this name that Debian 12 builds reaches beyond the end of the flash, which
# is just what must not get onto a board.
cp "$images/optiboot/optiboot_atmega328.hex" "$work"
expect 3 "$gangflash" check "$work/optiboot-atmega328p.yaml"
says err "optiboot_atmega328.hex:33: "
# The bootloader of older boards begins at another address, which is seen; with its own BOOTSZ all
# is written.
cp "$images/atmega/ATmegaBOOT_168_atmega328.hex" "$work/optiboot_atmega328.hex"
expect 3 "$gangflash" check "$work/optiboot-atmega328p.yaml"
says err "SHA-256"
sed -i '/sha256:/d' "$work/optiboot-atmega328p.yaml"
expect 3 "$gangflash" check "$work/optiboot-atmega328p.yaml"
says err "rule bootloader-not-at-section: high 0xDE: "
says err "begins at 0x7800, expected 0x7E00, where the boot section starts; with BOOTSZ 1024 words it would"
sed -i 's/high: 0xDE/high: 0xDA/' "$work/optiboot-atmega328p.yaml"
program optiboot-atmega328p.yaml ATmega328P arduino-uno-isp
board_holds 1 "$work/optiboot_atmega328.hex" 0xFF 0xDA 0xFD 0xCF

# ATmega32U4 with the Atmel-DFU fuses; its image is the user's: any will do here.
image=$(sed -n 's/^ *- *{\{0,1\}file: *\([^,} ]*\).*/\1/p' "$work/atmel-dfu-atmega32u4.yaml")
cp "$SOURCE/profiles/boards/demo/demo.hex" "$work/$image"
program atmel-dfu-atmega32u4.yaml ATmega32U4 teensy-2.0-isp
board_holds 0 "$work/$image" 0x5E 0x99 0xF3 0xFF # a high fuse of 99 is accepted
equal "$(query "$work/log.sqlite" "SELECT group_concat(DISTINCT decision) FROM fuse_writes
    WHERE fuse='high' AND attempt IN (SELECT attempt FROM attempts WHERE part='ATmega32U4')")" \
    accepted "a high fuse of 99"

# ATmega32A: no RDY/BSY polling, no extended fuse; ATtiny85: its own page size.
for row in "ATmega32A 0x1F 0xC1" "ATtiny85 0xE2 0xDF"; do
    read -r part low high <<<"$row"
    fuses="low: $low, high: $high"
    [ "$part" = ATmega32A ] || fuses="$fuses, extended: 0xFF"
    board="clock: crystal 16 MHz"
    [ "$part" = ATmega32A ] || board="clock: internal 8 MHz"
    cat >"$work/$part.yaml" <<END
format: 1
profile: $part
article: TEST
revision: 1
via: isp
part: $part
board: {$board}
images:
  - {file: demo.hex}
fuses: {$fuses}
lock: 0xFF
eeprom: {file: words.hex}
END
    cp "$SOURCE/profiles/boards/demo/demo.hex" "$work"
    printf 'What an EEPROM may hold' >"$work/words"
    avr-objcopy -I binary -O ihex "$work/words" "$work/words.hex"
    program "$part.yaml" "$part" arduino-uno-isp
    equal "$(jq -sr '.[0].flash' "$work/record")" "$(flash_of "$work/demo.hex")" "$part flash"
    equal "$(jq -sr '.[0].eeprom' "$work/record")" \
        "$(printf 'What an EEPROM may hold' | od -An -v -tx1 | tr -d ' \n')" "$part EEPROM"
done
