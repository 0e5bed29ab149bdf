# gangflash check: what would be done, and what is wrong; nothing is touched.
set -eu
. "$SOURCE/tests/cli/common/cli.bash"
bench

expect 0 "$gangflash" check demo
says out "part ATmega328P, signature 1E 95 0F"
says out "demo/demo.hex, Intel HEX, application"
says out "together 3198 of 32768 bytes of flash"
says out "low         0xFF, compared on the bits 0xFF"
says out "extended    0xFD, compared on the bits 0x07"
says out "CKDIV8 off"
says out "SPIEN on"

expect 0 "$gangflash" check demo --jig "$work/bench.yaml"
says out "site 1: stk500v1 at the simulated bench"
says out "site 2: stk500v1 at the simulated bench"

expect 0 "$gangflash" check demo --jig "$work/bench.yaml" --json
equal "$(jq -r '[.profile, .part, (.sites | length), .fuses[2].fuse, .fuses[2].mask] | join(" ")' \
    "$work/out")" "demo ATmega328P 2 extended 7" "check --json"
equal "$(jq -r '.sites[0].write_bytes % 128' "$work/out")" 0 "whole pages"

# refused PROFILE TEXT
refused() {
    expect 3 "$gangflash" check "$@"
    shift
    says err "$1"
}
expect 3 "$gangflash" check dmo
says err "did you mean 'demo'?"
says err "Nothing was touched: correct it and check again."
expect 3 "$gangflash" check "$work/absent.yaml"
says err "$work/absent.yaml"
expect 3 "$gangflash" check demo --jig sim-9
says err "did you mean 'sim-8'?"

data=$BUILD/share/gangflash/boards
cp "$data/demo/demo.hex" "$work"
sed "s|file: demo/demo.hex|file: $work/demo.hex|" "$data/demo.yaml" >"$work/own.yaml"
expect 0 "$gangflash" check "$work/own.yaml"
echo "colour: green" >>"$work/own.yaml"
expect 3 "$gangflash" check "$work/own.yaml"
says err "$work/own.yaml:$(wc -l <"$work/own.yaml"):1:"
sed -i '$d' "$work/own.yaml"

# What the rules have against it is shown whole, refused, and accepted by name only.
expect 0 "$gangflash" check "$work/own.yaml"
says out "warning shared-signature, $work/own.yaml:1:1:"
sed -e 's/^part: .*/part: ATmega2560/' -e '/^signature:/d' "$work/own.yaml" >"$work/other.yaml"
expect 0 "$gangflash" check "$work/other.yaml"
says out "rules: none has anything against it"
sed "s/^\( *high\): .*/\1: 0x1F/" "$work/own.yaml" >"$work/doors.yaml"
line=$(grep -n '^ *high:' "$work/doors.yaml" | cut -d: -f1)
expect 3 "$gangflash" check "$work/doors.yaml"
says out "REFUSED rstdisbl, $work/doors.yaml:$line:"
says out "REFUSED dwen, $work/doors.yaml:$line:"
says err "rule-refused: $work/doors.yaml:$line:"
says err "1 more: gangflash check shows all"
echo "accept_risk: {rule: dwen, because: debugged in the field}" >>"$work/doors.yaml"
expect 3 "$gangflash" check "$work/doors.yaml" --json
equal "$(jq -r '[.findings[] | select(.severity == "refused") | .rule, .refuses, .accepted_because] | map(tostring) | join(" ")' \
    "$work/out")" "rstdisbl true null dwen false debugged in the field" "findings"
expect 3 "$gangflash" flash "$work/doors.yaml" --jig "$work/bench.yaml"
says err "rule rstdisbl: high 0x1F"
sed -i "s/0x1F/0x9F/" "$work/doors.yaml"
expect 0 "$gangflash" check "$work/doors.yaml"
says out "risk accepted dwen"
says out "accepted because: debugged in the field"

# In what order a new board's bytes are written, and that there is none where CKOPT is left, is known
# without a jig.
says out "order on a new board, which can be reached after each: low, extended, then high, which takes the way in"
sed -e 's/^part: .*/part: ATmega32A/' -e '/^signature:/d' -e '/^ *extended:/d' -e '/^accept_risk:/d' \
    -e 's/^\( *high\): .*/\1: 0xC9/' -e 's/^\( *low\): .*/\1: 0x3F/' "$work/doors.yaml" >"$work/ckopt.yaml"
expect 0 "$gangflash" check "$work/ckopt.yaml"
says out "order on a new board, which can be reached after each: high, low"
expect 0 "$gangflash" check "$work/ckopt.yaml" --json
equal "$(jq -c '[.order_new_board, .doors]' "$work/out")" '[["high","low"],{}]' "the order"
sed -i 's/^\( *high\): .*/\1: leave/' "$work/ckopt.yaml"
expect 3 "$gangflash" check "$work/ckopt.yaml"
says out "a new board is refused before the erase: once low is written"
says err "profile-invalid: $work/ckopt.yaml:$(grep -n '^ *high:' "$work/ckopt.yaml" | cut -d: -f1):9: each new board would be refused before its erase: once low is written"
says err "fuse high acts on the clock and is left as found: give its value, too"
expect 3 "$gangflash" check "$work/ckopt.yaml" --json
equal "$(jq -r '.new_board_refused | startswith("once low is written")' "$work/out")" true "no order"

sed -i '1s/./;/' "$work/demo.hex"
expect 3 "$gangflash" check "$work/own.yaml"
says err "demo.hex"

# The tables of other boards that came along cannot be checked before their image is there, and say
# where to put it.
expect 3 "$gangflash" check optiboot-atmega328p
says err "optiboot_atmega328.hex"

# A site that cannot do it is told, and so are the others.
sed 's/site: 2,/site: 2, supply: 3.3 V,/' "$work/bench.yaml" \
    >"$work/other.yaml"
expect 3 "$gangflash" check demo --jig "$work/other.yaml"
says out "site 1: stk500v1"
says out "REFUSED plan-refused"
expect 3 "$gangflash" check demo --jig "$work/other.yaml" --json
equal "$(jq -r '.sites[1].failure' "$work/out")" plan-refused "the refused site"

[ ! -e "$work/state" ] || fail "check made a log"
