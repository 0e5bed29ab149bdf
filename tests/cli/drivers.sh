# gangflash drivers: all of them, what they can do and what they were tried on; the guide of one.
set -eu
. "$SOURCE/tests/cli/common/cli.bash"

expect 0 "$gangflash" drivers
cp "$work/out" "$work/drivers"
says out 'USBtinyISP and others with USBtiny firmware'
says out 'USB 16C0:05DC "USBasp", 16C0:092F, 03EB:C7B4'
says out "125 kHz, fixed"
says out "500 Hz to 1.5 MHz, chosen by the board's clock"
says out "up to 64 KiB"
says out "models that it refuses: trinket-bootloader, trinket-disguised"
[ "$(awk '{ print length }' "$work/out" | sort -n | tail -n 1)" -le 80 ] || fail "a line is too long"

expect 0 "$gangflash" drivers --json
equal "$(jq -r .driver "$work/out")" "$(sed -n 's/^\([a-z0-9]*\): .*/\1/p' "$work/drivers")" \
    "drivers as text and as JSON"
equal "$(grep -c '^ *real hardware: none yet$' "$work/drivers")" \
    "$(jq -s 'map(select(.hardware == null)) | length' "$work/out")" "drivers never tried on real hardware"
# The drivers that a jig file takes are these, and no others.
cat >"$work/jig.yaml" <<END
jig: none
sites:
  - {site: 1, programmer: none, at: "tcp:127.0.0.1:3001"}
END
mapfile -t names < <(jq -r .driver "$work/out")
expect 3 "$gangflash" check demo --jig "$work/jig.yaml"
for name in "${names[@]}"; do
    says err "$name"
done

for name in "${names[@]}"; do
    expect 0 "$gangflash" drivers "$name"
    for text in "$name: " "wiring, from the board's six-pin ISP connector" "5 RESET" "quirks:" \
        "permission:" "in a jig file, below sites:" "when it does not answer:" "real hardware: "; do
        says out "$text"
    done
    cp "$work/out" "$work/guide"
    expect 0 "$gangflash" drivers "$name" --json
    cp "$work/out" "$work/json"
    equal "$(jq -r '.driver, (.pins | keys | length)' "$work/json" | tr '\n' ' ')" "$name 6 " \
        "drivers $name --json"
    # What stands there for a jig file is taken as it stands.
    { echo "jig: $name"; echo "sites:"; grep '^  - {site: ' "$work/guide"; } >"$work/$name.yaml"
    expect 0 "$gangflash" check demo --jig "$work/$name.yaml"
    jq -r '.models[].model' "$work/json" | while read -r model; do
        grep -Eq "^  $model +[^ ]" "$work/guide" || fail "the guide of $name does not name $model"
    done
    grep -q "{.driver = \"$name\"" "$SOURCE"/tests/test_gate_wire*.c ||
        fail "no row of the gate's test on the wire is for $name"
    jq -r '.peers[].test' "$work/json" | while read -r test; do
        [ -f "$SOURCE/$test" ] || fail "there is no $test"
        grep -qF "($test)" "$work/guide" || fail "the guide of $name does not name $test"
    done
done
expect 0 "$gangflash" drivers usbtiny
says out "usb:1-1.4.2"
says out "the same without the name that gives it away:"
expect 0 "$gangflash" drivers avr910
says out "SCK         at most 217 kHz, fixed, but not known"
expect 0 "$gangflash" drivers avr910 --json
equal "$(jq -c '[.sck_fixed, .sck_slowest_hz, .sck_fastest_hz]' "$work/out")" "[true,null,217000]" \
    "an SCK that is only a bound"
