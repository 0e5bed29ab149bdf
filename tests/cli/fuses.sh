# gangflash fuses: bytes in words, and words as bytes.
set -eu
. "$SOURCE/tests/cli/common/cli.bash"

expect 0 "$gangflash" fuses ATmega328P
says out "low 0x62, as from the factory"
says out "extended 0xFF, as from the factory; only the bits 0x07 exist"
[ "$(grep -c 'from the factory:' "$work/out")" = 0 ] || fail "a new part differs from a new part"

expect 0 "$gangflash" fuses ATmega328P low=0xFF high=0xDE extended=0xFD
says out "low 0xFF, from the factory 0x62"
says out "crystal or resonator 8 MHz or more, starts after 16K clocks + 14 clocks + 65 ms"
says out "BOOTRST     on"
says out "the boot section is 512 bytes from byte address 0x7E00 on"
says out "(from the factory: 2048 words)"
says out "the part is held in reset below 2.7 V"

# Fields go into the byte that is given, wherever they stand.
expect 0 "$gangflash" fuses ATmega328P BOOTRST=on "BOOTSZ=256 words" high=0xD9 --json
equal "$(jq -r '[.part, .fuses[1].fuse, .fuses[1].value, .fuses[1].factory] | join(" ")' \
    "$work/out")" "ATmega328P high 222 217" "the byte of BOOTRST and BOOTSZ"
equal "$(jq -r '.fuses[1].fields[] | select(.field == "BOOTSZ") |
    [.code, .choice, .differs_from_factory, .factory] | @json' "$work/out")" \
    '[3,"256 words",true,"2048 words"]' "the field"
expect 0 "$gangflash" fuses ATmega328P extended=0xFB --json
equal "$(jq -r '.fuses[2].fields[0] | [.choice, .documented, .meaning] | @json' "$work/out")" \
    '["code 0x03",false,"not documented: do not use it"]' "a code that nobody documented"

expect 0 "$gangflash" fuses AT90S2333
says out "the factory's is not known"

expect 0 "$gangflash" fuses ATmega328P bodlevel
says out "BODLEVEL=2.7 V: the part is held in reset below 2.7 V"
equal "$(wc -l <"$work/out")" 4 "choices of BODLEVEL"
expect 0 "$gangflash" fuses ATmega328P BODLEVEL --json
equal "$(jq -r '[.field, .choices[1].code, .choices[1].choice] | @json' "$work/out")" \
    '["BODLEVEL",5,"2.7 V"]' "choices --json"
