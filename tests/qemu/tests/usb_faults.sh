#!/usr/bin/env bash
# What USB programmers and their boards may be up to, over the kernel's own USB: the rows of the table
# that make sense here, then what is about places.
# limit: 240 s
. "${SOURCE:?}/tests/qemu/lane.bash"
export PYTHONDONTWRITEBYTECODE=1 XDG_STATE_HOME=$work/state
gangflash=$BUILD/bin/gangflash
mkdir "$work/table"
python3 "$SOURCE/tests/tools/usb_lane.py" "$work/table" "$BUILD" || fail "the table"

# flash STATUS ARGUMENT… : the table's profile on the jig of these places
flash() {
    local status=0 expected=$1
    shift
    timeout 240 "$@" "$gangflash" flash "$work/table/plain.yaml" --jig "$work/places.jig" --go now \
        --log "$log" >"$work/out" 2>&1 </dev/null || status=$?
    equal "$status" "$expected" "exit status: $(cat "$work/out")"
}
says() {
    grep -qF -- "$1" "$work/out" || fail "'$1' is not in: $(cat "$work/out")"
}
# places PLACE… : a jig of USBasps
places() {
    local place site=0
    {
        echo "jig: places"
        echo "sites:"
        for place in "$@"; do
            echo "  - {site: $((site += 1)), programmer: usbasp, at: \"$place\"}"
        done
    } >"$work/places.jig"
}
attempts() {
    sqlite3 -batch "$log" "select group_concat(site || ' ' || verdict, ', ') from
        (select * from attempts order by site)"
}
log=$work/log.sqlite

# Two units that nobody can tell from each other, one with a wrong part at it.
cat >"$work/twins.jig" <<END
jig: twins
bench: {simulated: true, pace: fast, seed: 1}
sites:
  - {site: 1, programmer: usbasp, model: usbasp-2011, board: ATmega328P, crystal: 16 MHz}
  - {site: 2, programmer: usbasp, model: usbasp-2011, board: ATmega32U4, crystal: 16 MHz}
END
start_bench "$work/twins.jig" fast
plug 1 2
places "${path[1]}" "${path[2]}"

# No permission: nothing is sent.
chmod 777 "$work" "$work/table"
for_everybody
mkdir -m 777 "$work/nobody"
log=$work/nobody/log.sqlite
flash 4 setpriv --reuid 65534 --regid 65534 --clear-groups env XDG_STATE_HOME="$work/nobody"
says "place-denied"
says "udev"
log=$work/log.sqlite

# Somebody else has one.
mkfifo "$work/hold"
"$BUILD/bin/usb_probe" "${path[1]}" wait <"$work/hold" >"$work/held" 2>&1 &
holder=$!
exec {hold}>"$work/hold"
until grep -q '^open' "$work/held"; do sleep 0.1; done
flash 4 env
says "place-busy: site 1: ${path[1]} is held by process $holder (usb_probe)"
exec {hold}>&-
wait "$holder"
read_record 1
expect_field frames 0 "a board of a programmer that somebody else has"

# The place decides: a verdict is of what stands there, whichever unit it is.
flash 1 env
equal "$(attempts)" "1 pass, 2 refused" "verdicts by place"
unplug 1 2
echo "remove 1" >&"$bench_in"
echo "insert 1" >&"$bench_in"
server=${place[1]#usbip:}
tries=0 # the server notices in its own time that its devices are free again
until "$BUILD/bin/usbip_attach" attach "${server%/*}" "${place[2]##*/}@$(vhci_port 1)" \
    "${place[1]##*/}@$(vhci_port 2)" >"$work/swapped" 2>&1; do
    [ $((tries += 1)) -lt 50 ] || fail "units cannot be swapped: $(cat "$work/swapped")"
    sleep 0.2
done
udevadm settle
equal "$(cat "$work/swapped")" "${place[2]##*/} ${path[1]}
${place[1]##*/} ${path[2]}" "places of swapped units"
log=$work/swapped.sqlite
flash 1 env
equal "$(attempts)" "1 refused, 2 pass" "verdicts by place, of swapped units"
read_record 2
expect_field erases 0 "the wrong part"
[[ $record == *'"in_reset":false'* ]] || fail "the wrong part is held in reset"
read_record 1
expect_field erases 1 "the right part"
[[ $record == *'"in_reset":false'* ]] || fail "the right part is held in reset"
