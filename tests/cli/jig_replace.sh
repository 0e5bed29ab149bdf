# jig replace: another unit at a site is tried, the jig file changed in that one place, and logged.
set -eu
. "$SOURCE/tests/cli/common/cli.bash"
log=$work/log.sqlite

# events : details of what was logged about it
events() {
    query "$log" "select detail from events where kind = 'programmer-replaced'"
}

own_bench
first=$(sed -n 's/^site 1 //p' "$work/own.places")
second=$(sed -n 's/^site 2 //p' "$work/own.places")
{
    echo "# bench for replacing, at $first"
    echo "jig: bench-r"
    echo "sites:"
    echo "  - {site: 3, programmer: stk500v1, at: \"$first\", supply: 5 V}   # $first, left"
} >"$work/jig.yaml"
cp "$work/jig.yaml" "$work/before"
chmod 640 "$work/jig.yaml"
ln -s jig.yaml "$work/link.yaml"

# At the same place: nothing to be changed.
expect 0 "$gangflash" jig replace "$work/jig.yaml" 3 --sticker "P 17/b" --log "$log"
says out "site 3: stk500v1 at $first, ArduinoISP 1.18, sticker P 17/b"
says out "logged as programmer-replaced in $log"
cmp "$work/jig.yaml" "$work/before"
sha=$(sha256sum <"$work/before" | cut -d ' ' -f 1)
equal "$(events)" "jig bench-r, site 3: another stk500v1 at $first, ArduinoISP 1.18, sticker P 17/b, \
by $(id -un); jig file SHA-256 $sha" "the event"

# At another place: that place, and not a byte more. A link stays one.
expect 0 "$gangflash" jig replace "$work/link.yaml" 3 --at "$second" --log "$log" --json
sed "s|at: \"$first\"|at: \"$second\"|" "$work/before" | cmp - "$work/jig.yaml"
[ -L "$work/link.yaml" ] || fail "the link was replaced"
equal "$(stat -c %a "$work/jig.yaml")" 640 "permissions"
equal "$(jq -r '[.site, .programmer, .place, .old_place, .rewritten, .firmware, .sticker] | @text' \
    "$work/out")" "[3,\"stk500v1\",\"$second\",\"$first\",true,\"ArduinoISP 1.18\",null]" "JSON"
new=$(sha256sum <"$work/jig.yaml" | cut -d ' ' -f 1)
equal "$(events | tail -n 1)" "jig bench-r, site 3: another stk500v1 at $second instead of $first, \
ArduinoISP 1.18, no sticker, by $(id -un); jig file SHA-256 $sha becomes $new" "the event"
expect 0 "$gangflash" log events --log "$log"
says out "programmer-replaced  jig bench-r, site 3: another stk500v1"
says out "sticker P 17/b"
equal "$("$gangflash" log events --log "$log" --json --last 3 | jq -r .kind | grep -c replaced)" 1 \
    "events of the last session"
expect 0 "$gangflash" log verify --log "$log"
expect 0 "$gangflash" jig test "$work/jig.yaml"

# A unit that does not answer is none; the file and the log stay as they are.
cp "$work/jig.yaml" "$work/before"
# refused STATUS TEXT ARGUMENT…
refused() {
    local status=$1 text=$2
    shift 2
    expect "$status" "$gangflash" jig replace "$work/jig.yaml" "$@" --log "$log"
    says err "$text"
    cmp "$work/jig.yaml" "$work/before"
    equal "$(events | wc -l)" 2 "events"
}
refused 4 "place-missing" 3 --at pty:/dev/pts/nobody
refused 3 "expected serial:" 3 --at usb:1-1
refused 2 "jig bench-r has no site 1" 1 --at "$first"
refused 2 "--at: 'nowhere' is no place" 3 --at nowhere
refused 2 "--sticker: a name has no control characters" 3 --sticker $'a\nb'
sed -i "s|at: \"pty:|at: \"\\\\x70ty:|" "$work/jig.yaml"
cp "$work/jig.yaml" "$work/before"
refused 3 "change it by hand" 3 --at "$first"
own_bench_end

# While a station works with this log, nothing is changed under its hands.
bench
mkfifo "$work/presses"
"$gangflash" flash demo --jig "$work/bench.yaml" --log "$log" <"$work/presses" >"$work/first" 2>&1 &
first=$!
exec 3>"$work/presses"
wait_for 60 grep -qs 'Enter is GO' "$work/first"
expect 5 "$gangflash" jig replace "$work/bench.yaml" 1 --log "$log"
says err "log-in-use"
exec 3>&-
wait "$first" || [ $? -eq 1 ] || fail "the first station"

# On a simulated bench a unit may be replaced, but its places are its own.
expect 0 "$gangflash" jig replace "$work/bench.yaml" 1 --sticker A1 --log "$log" \
    --bench-record "$work/record"
equal "$(events | wc -l)" 3 "events"
equal "$(jq -s '[.[].counts.frames] | add' "$work/record")" 0 "frames sent to boards"
expect 2 "$gangflash" jig replace "$work/bench.yaml" 1 --at pty:/dev/pts/0 --log "$log"
says err "--at: jig test-bench is a simulated bench"
[ -z "$(ls "$work" | grep '\.part$' || true)" ] || fail "half a file was left"
