# The table of what USB programmers may be up to: verdict, failure, time, what was touched, what the
# board holds and whether it was let go, for each; its next board passes, and the sites beside it go
# on. Then what a table of sites cannot say: places.
set -eu
. "$SOURCE/tests/cli/common/cli.bash"
. "$SOURCE/tests/cli/common/fault_table.bash"
try_table "$SOURCE/tests/tools/usb_faults.py" "1 4"

# usb_bench PART-AT-1 PART-AT-2 [OPTION…] : a bench that stays, with two USBasps of which none has a
# serial number; $work/places.jig names their places. Lines on descriptor 9 move its boards.
usb_bench() {
    local site
    rm -f "$work/own.commands" "$work/own.places" # an earlier bench's would look ready
    mkfifo "$work/own.commands"
    {
        echo "jig: twins"
        echo "bench: {simulated: true, pace: fast, seed: 1}"
        echo "sites:"
        for site in 1 2; do
            echo "  - {site: $site, programmer: usbasp, model: usbasp-2011, board: ${!site}," \
                "crystal: 16 MHz}"
        done
    } >"$work/bench.jig"
    "$BUILD/bin/simbench" --parts "$BUILD/share/gangflash/parts" "$work/bench.jig" "${@:3}" \
        <"$work/own.commands" >"$work/own.places" 2>"$work/own.errors" &
    own_bench_process=$!
    exec 9>"$work/own.commands"
    wait_for 60 grep -qs '^ready' "$work/own.places"
    {
        echo "jig: places"
        echo "contact: {present: 0 ms, gone: 0 ms, poll: 10 ms}"
        echo "sites:"
        sed -n 's/^site \([0-9]*\) \(.*\)/  - {site: \1, programmer: usbasp, at: "\2"}/p' \
            "$work/own.places"
    } >"$work/places.jig"
}
state() {
    jq -r "select(.event == \"site\" and .site == $1) | .state" "$work/out" 2>/dev/null | tail -n 1
}
is_state() {
    kill -0 "$station" 2>/dev/null || fail "the station ended"
    [ "$(state "$1")" = "$2" ]
}
log=$work/places.log

# Somebody else has one of them: then nobody knows what else he does here, and no board is touched;
# without that site the run goes on.
usb_bench ATmega328P ATmega328P
place=$(sed -n 's/^site 1 //p' "$work/own.places")
mkfifo "$work/hold"
"$BUILD/bin/usb_probe" "$place" wait <"$work/hold" >"$work/held" 2>&1 9>&- &
holder=$!
exec 8>"$work/hold"
wait_for 60 grep -q '^open' "$work/held"
expect 4 "$gangflash" flash "$work/plain.yaml" --jig "$work/places.jig" --go now --log "$log"
says err "place-busy: site 1: $place: another client has it"
equal "$(query "$log" "select count(*) from attempts")" 0 "attempts beside a programmer that is held"
expect 0 "$gangflash" flash "$work/plain.yaml" --jig "$work/places.jig" --go now --sites 2 --log "$log"
exec 8>&-
wait "$holder"

# Two sites at one place.
sed "s|/1-2\"|/1-1\"|" "$work/places.jig" >"$work/twice.jig"
expect 3 "$gangflash" flash "$work/plain.yaml" --jig "$work/twice.jig" --go now --log "$log"
says err "place-twice: $work/twice.jig:5:"
own_bench_end

# Units that nobody can tell from each other, swapped while the station waits for them: the place
# decides, and each verdict is of what stands at its place.
rm -f "$log"
usb_bench ATmega328P ATmega32U4
start "$gangflash" flash "$work/plain.yaml" --jig "$work/places.jig" --go contact --log "$log" \
    --json </dev/null
wait_for 60 is_state 1 held
wait_for 60 is_state 2 held
exec 9>&-
wait "$own_bench_process"
wait_for 60 is_state 1 waiting
wait_for 60 is_state 2 waiting
port=$(sed -n 's|.*usbip:127.0.0.1:\([0-9]*\)/1-1".*|\1|p' "$work/places.jig")
usb_bench ATmega32U4 ATmega328P --usbip-port "$port"
for site in 1 2; do
    wait_for 60 is_state $site held
    echo "remove $site" >&9
    wait_for 60 is_state $site armed
    echo "insert $site" >&9
    wait_for 60 is_state $site held
done
kill -INT "$station"
ended 130
printf 'record %d\n' 1 2 >&9
own_bench_end
equal "$(query "$log" "select group_concat(site || ' ' || verdict, ', ') from
    (select * from attempts order by attempt > 2, site)")" \
    "1 pass, 2 refused, 1 refused, 2 pass" "verdicts by place"
equal "$(grep '^{' "$work/own.places" | jq -r '"\(.site) \(.part) \(.counts.flash_pages) \(.in_reset)"')" \
    "1 ATmega32U4 0 false
2 ATmega328P 8 false" "the boards of swapped programmers"

# Above 64 KiB a USBtiny would write to the beginning of the flash: refused before anything is opened.
python3 - >"$work/high.hex" <<'END'
print(":020000040001F9")
print(":0100000055AA")
print(":00000001FF")
END
cat >"$work/high.yaml" <<'END'
{format: 1, profile: high, article: HIGH, revision: 1, via: isp, part: ATmega2560,
 board: {clock: crystal 16 MHz}, images: [{file: high.hex}], fuses: {low: 0xF7, high: 0x99, extended: 0xFD}, lock: 0xFF, eeprom: erase}
END
cat >"$work/high.jig" <<'END'
jig: high
sites:
  - {site: 1, programmer: usbtiny, at: "usb:1-1"}
END
expect 3 "$gangflash" flash "$work/high.yaml" --jig "$work/high.jig" --go now --log "$log"
says err plan-refused
says err "programmer usbtiny reaches 65536 bytes of flash"
