# gangflash parts: all of them, the facts of one; and a directory of one's own, which wins wherever
# a part is loaded.
set -eu
. "$SOURCE/tests/cli/common/cli.bash"
shipped=$BUILD/share/gangflash/parts

expect 0 "$gangflash" parts
equal "$(wc -l <"$work/out")" $(($(ls "$shipped" | wc -l) + 1)) "lines of the table"
[ "$(wc -l <"$work/out")" -ge 186 ] || fail "fewer than 185 parts"
grep -Eq '^ATmega328P +1E 95 0F +32 KiB +1 KiB +low high extended +shipped$' "$work/out" ||
    fail "the line of ATmega328P"
grep -Eq '^AT90S1200 +1E 90 01 +1 KiB +64 B +\(fuse\) +shipped$' "$work/out" ||
    fail "the line of AT90S1200"
sed 1d "$work/out" | LC_ALL=C sort -c || fail "the table is not in order"

expect 0 "$gangflash" parts ATmega88
says out "ATmega88, signature 1E 93 0A, which is also that of ATA6612C, ATmega88A"
says out "8 KiB, written in pages of 64 bytes, 4.5 ms each"
says out "a new part runs at 1 MHz (CKDIV8 counted): SCK below 250 kHz"
says out "low         0x62, bits 0xFF"
says out "              SUT_CKSEL INTRCOSC_8MHZ_6CK_14CK_65MS"
says out "BOOTSZ 0    0x01800 to 0x01FFF, 2048 bytes"
expect 0 "$gangflash" parts AT90S1200
says out "written byte by byte"
says out "it does not tell when it is ready"
says out "it gives no answer to AC 53"
says out "neither read nor written over ISP"
says out "not read over ISP, so a profile leaves it"
expect 0 "$gangflash" parts AT90S2333
says out "not known, bits 0x3F"
expect 0 "$gangflash" parts ATmega161
says out "fixed       0x03C00 to 0x03FFF, 1024 bytes"
expect 0 "$gangflash" parts ATmega2560 --json
equal "$(jq -r '[.part, .signature, .flash.bytes, .eeprom.page_bytes, .shipped, .fuses[1].fuse,
    .fuses[1].factory, .boot_sections[3].bytes] | join(" ")' "$work/out")" \
    "ATmega2560 1E 98 01 262144 8 true high 153 8192" "parts --json"
expect 0 "$gangflash" parts --json
equal "$(jq -s 'length' "$work/out")" "$(ls "$shipped" | wc -l)" "objects of parts --json"
equal "$(jq -rs 'map(select(.part == "AT90S1200"))[0] | [.factory_clock_hz, .fuse_write_us] | @json' \
    "$work/out")" "[null,null]" "what is not known"

# The first directory that has the part wins.
mkdir -p "$work/.config/gangflash/parts" "$work/config/gangflash/parts" "$work/a" "$work/b"
own() { # own DIRECTORY PAGE-SIZE
    sed "s/page_size: 128/page_size: $2/" "$shipped/ATmega328P.yaml" >"$1/ATmega328P.yaml"
}
page() { # page EXPECTED WHAT
    expect 0 "$gangflash" parts ATmega328P --json
    equal "$(jq .flash.page_bytes "$work/out")" "$1" "$2"
}
page 128 "the shipped one"
own "$work/.config/gangflash/parts" 64
page 64 "~/.config"
expect 0 "$gangflash" check demo
says out "your own part file $work/.config/gangflash/parts/ATmega328P.yaml"
expect 0 "$gangflash" check demo --json
equal "$(jq -r .part_shipped "$work/out")" false "part_shipped"
expect 0 "$gangflash" parts
grep -q "^ATmega328P .*low high extended  $work/.config/gangflash/parts/ATmega328P.yaml$" "$work/out" ||
    fail "the table does not name the own file"
export XDG_CONFIG_HOME=$work/config
page 128 "an empty own directory"
own "$work/config/gangflash/parts" 32
page 32 "XDG_CONFIG_HOME"
own "$work/b" 16
export GANGFLASH_PARTS=$work/a:$work/b
page 16 "GANGFLASH_PARTS"
own "$work/a" 256
page 256 "the first of GANGFLASH_PARTS"

# A part that did not come along, on a bench of such boards: simbench looks there, too.
sed 's/^part: .*/part: ATmega328P_ours/; s/^signature: .*/signature: 1E 95 AA/' \
    "$shipped/ATmega328P.yaml" >"$work/b/ATmega328P_ours.yaml"
sed "s|file: demo/demo.hex|file: $shipped/../boards/demo/demo.hex|; s/^part: .*/part: ATmega328P_ours/
    /^signature:/d" "$shipped/../boards/demo.yaml" >"$work/ours.yaml"
bench
rm "$work/a/ATmega328P.yaml" "$work/b/ATmega328P.yaml"
sed -i 's/board: ATmega328P/board: ATmega328P_ours/' "$work/bench.yaml"
expect 0 "$gangflash" flash "$work/ours.yaml" --jig "$work/bench.yaml" --go now --count 2
equal "$(query "$work/state/gangflash/log.sqlite" \
    "select distinct part || ' ' || signature from attempts where verdict = 'pass'")" \
    "ATmega328P_ours 1E 95 AA" "passed boards"
"$BUILD/bin/simbench" "$work/bench.yaml" <<<quit >"$work/out" 2>"$work/err" ||
    fail "simbench does not find the part"

# What is wrong is said, not passed over.
echo "colour: green" >>"$work/config/gangflash/parts/ATmega328P.yaml"
expect 3 "$gangflash" check demo
says err "$work/config/gangflash/parts/ATmega328P.yaml:"
says err "unknown key 'colour'"
expect 3 "$gangflash" parts ATmega328P
says err "unknown key 'colour'"
[ ! -s "$work/out" ] || fail "facts of a wrong file are shown"
expect 3 "$gangflash" parts
says err "unknown key 'colour'"
grep -q '^ATmega328PB ' "$work/out" || fail "the other parts are not listed"
! grep -q '^ATmega328P ' "$work/out" || fail "a wrong part is listed"
rm "$work/config/gangflash/parts/ATmega328P.yaml"
mkdir "$work/config/gangflash/parts/ATmega328P.yaml"
expect 3 "$gangflash" check demo
says err "$work/config/gangflash/parts/ATmega328P.yaml"
expect 0 env GANGFLASH_PARTS= XDG_CONFIG_HOME= HOME= "$gangflash" check demo
expect 3 env GANGFLASH_PARTS="$work/a:$work/absent" "$gangflash" check demo
says err "GANGFLASH_PARTS: '$work/absent' is no directory"
expect 3 env GANGFLASH_PARTS="$work/absent" "$BUILD/bin/simbench" "$work/bench.yaml"
says err "GANGFLASH_PARTS: '$work/absent' is no directory"
