# Clock first, the whole station on a bench whose boards run at their new clock only when they were let
# go and entered again: a new board, a stop and a lost contact between clock fuses and flash, and the
# same board once more.
set -eu
. "$SOURCE/tests/cli/common/cli.bash"
log=$work/log.sqlite

python3 - "$work/app.hex" <<'END'
import random, sys
data = random.Random(1).randbytes(28672)
with open(sys.argv[1], "w") as out:
    for at in range(0, len(data), 16):
        row = bytes([16]) + at.to_bytes(2, "big") + b"\0" + data[at:at + 16]
        out.write(":%s%02X\n" % (row.hex().upper(), -sum(row) & 0xFF))
    out.write(":00000001FF\n")
END
# profile NAME SPEED
profile() {
    cat >"$work/$1.yaml" <<END
format: 1
profile: $1
article: CLOCK
revision: 1
via: isp
part: ATmega328P
board: {clock: crystal 16 MHz, supply: 5 V}
images: [{file: app.hex}]
fuses: {low: 0xFF, high: 0xD9, extended: 0xFD}
lock: 0xFF
eeprom: erase
retry: {contact: 0, verify: 0}
speed: $2
END
}
profile first clock-first
profile slow as-found

# jig PROGRAMMER MODEL [FAULT] : one site
jig() {
    {
        echo "jig: clock"
        echo "bench: {simulated: true, pace: ${pace:-fast}, seed: 1}"
        echo "contact: {present: 0 ms, gone: 0 ms, poll: 10 ms}"
        echo "sites:"
        echo "  - {site: 1, programmer: $1, model: $2, board: ATmega328P, crystal: 16 MHz${found:+, found: {$found\}}}"
        [ $# -lt 3 ] || printf 'faults:\n  - {%s}\n' "$3"
    } >"$work/clock.yaml"
}
# of FILTER : of the record of the first board
of() {
    jq -rs ".[0] | $1" "$work/record"
}
# last COLUMNS : of the last attempt
last() {
    query "$log" "select $1 from attempts order by attempt desc limit 1"
}
steps() {
    query "$log" "select group_concat(step, ' ') from (select step from steps where attempt =
        (select max(attempt) from attempts) order by started_at)"
}
flash_one() {
    local wanted=$1
    shift
    rm -f "$work/record"
    expect "$wanted" "$gangflash" flash "$work/first.yaml" --jig "$work/clock.yaml" --go now \
        --count 1 --log "$log" --bench-record "$work/record" "$@"
}

# A new board: each fuse once, and no instruction faster than the clock that it had then.
while read -r programmer model; do
    jig "$programmer" "$model"
    flash_one 0
    equal "$(steps)" "attach identify read open erase clock flash verify fuses reenter recheck release" \
        "steps with $programmer"
    equal "$(of '[.fuse_writes[] | "\(.fuse) \(.value) \(.count)"] | join(", ")')" \
        "low 255 1, extended 253 1" "fuse writes with $programmer"
    equal "$(of '"\(.clock_hz) \(.counts.too_fast) \(.counts.erases) \(.counts.flash_pages)"')" \
        "16000000 0 1 224" "the board of $programmer"
    [ "$(last sck_hz)" -ge 1500000 ] || fail "SCK of $programmer: $(last sck_hz)"
    equal "$(query "$log" "select group_concat(fuse || ' ' || found || ' ' || asked || ' ' || decision ||
        ' ' || read_back, ', ') from (select * from fuse_writes where fuse in ('low', 'extended') and
        attempt = (select max(attempt) from attempts) order by fuse desc)")" \
        "low 98 255 written 255, extended 255 253 written 253" "fuse rows with $programmer"
done <<END
avrispmkii avrispmkii
usbasp usbasp-2011
stk500v2 stk500-v2
END
# A board that has these fuses needs no such step; nor does an SCK that is fixed.
found="low: 0xFF"
jig usbasp usbasp-2011
flash_one 0
steps | grep -q clock && fail "clock fuses that were there already: $(steps)"
found=
jig stk500v1 arduino-uno-isp
flash_one 0
steps | grep -q clock && fail "SCK is fixed: $(steps)"

# Both ways in the plan.
jig avrispmkii avrispmkii
for speed in first slow; do
    expect 0 "$gangflash" check "$work/$speed.yaml" --jig "$work/clock.yaml"
    says out "clock first is faster"
    expect 0 "$gangflash" flash "$work/$speed.yaml" --jig "$work/clock.yaml" --dry-run --json
    jq -e '.sites[0] | .faster == "clock-first" and .as_found_us > 3.5 * .clock_first_us' \
        "$work/out" >/dev/null || fail "the plan as JSON, $speed"
done
jq -e '.speed == "as-found" and .clock_hz_clock_first == 16000000' "$work/out" >/dev/null ||
    fail "the profile as JSON"
sed '/^board/d' "$work/first.yaml" >"$work/unsaid.yaml"
expect 3 "$gangflash" check "$work/unsaid.yaml"
says err "unsaid.yaml:12:8: found clock-first, expected as-found"

# A stop while the flash is written, at real pace so that there is time for it: the flash is finished
# and verified first, which is said.
pace=real
for signal in INT TERM; do
    jig avrispmkii avrispmkii
    rm -f "$work/record"
    start "$gangflash" flash "$work/first.yaml" --jig "$work/clock.yaml" --go now --count 9 \
        --log "$log" --json --bench-record "$work/record" </dev/null
    in_flash() {
        grep -qs '"step":"flash"' "$work/out"
    }
    wait_for 60 in_flash
    kill -"$signal" "$station"
    ended 130
    says out "its clock fuses are written, so it stops when its flash is verified"
    equal "$(last "verdict || ' ' || touched || ' ' || detail")" \
        "interrupted fused stopped at the step fuses" "a stop by $signal"
    equal "$(query "$log" "select step || ' ' || ifnull(failure, 'done') from steps where attempt =
        (select max(attempt) from attempts) order by started_at desc limit 1")" "verify done" "its last step"
    equal "$(of .counts.flash_pages)" 224 "pages of a board that was stopped by $signal"
done
# A log that is gone from under it: the same, but nobody learns a verdict. The stop's event meets it.
mkdir "$work/elsewhere"
jig avrispmkii avrispmkii
rm -f "$work/record"
start "$gangflash" flash "$work/first.yaml" --jig "$work/clock.yaml" --go now --count 9 \
    --log "$work/lost.sqlite" --json --bench-record "$work/record" </dev/null
wait_for 60 in_flash
mv "$work"/lost.sqlite* "$work/elsewhere"
kill -INT "$station"
ended 5
says out "its clock fuses are written, so it stops when its flash is verified"
equal "$(jq -rs '[.[] | select(.event == "unknown" or .event == "verdict")][-1] |
    "\(.event) \(.verdict) \(.failure) \(.detail | endswith("; stopped at the step fuses"))"' "$work/out")" \
    "unknown unknown log true" "a board whose log is gone"
equal "$(of .counts.flash_pages)" 224 "pages of a board whose log is gone"
equal "$(query "$work/elsewhere/lost.sqlite" "select count(*) from attempts where verdict is not null")" \
    0 "verdicts of a log that is gone"
pace=fast

# Contact or supply lost right after the clock fuse, and at the first entry with it: the board fails as
# fused; put in again, as it was left, it passes.
for trouble in 'fault: dead, match: "AC A0", after: 1' 'fault: power-loss, match: "AC A0", after: 1' \
    'fault: dead, match: "40 00", nth: 3'; do
    jig stk500v2 stk500-v2 "site: 1, board: 1, $trouble"
    flash_one 1
    equal "$(query "$log" "select verdict || ' ' || failure || ' ' || touched from attempts
        where verdict <> 'pass' order by attempt desc limit 1")" "fail contact-lost fused" "$trouble"
    says out "its clock fuses may be written, its flash is not"
    equal "$(of .low)" 255 "low fuse after $trouble"
    found="low: $(of .low), high: $(of .high), extended: $(of .extended)"
    jig stk500v2 stk500-v2
    flash_one 0
    found=
done
# No crystal on the board.
jig stk500v2 stk500-v2 "board: 1, fault: no-crystal"
flash_one 1
says out "perhaps that clock does not run"
says out "its clock fuses may be written, its flash is not"

# The programmer's port goes away right after the clock fuse, and comes back: the very same board.
jig stk500v2 stk500-v2 'fault: port-gone, match: "AC A0", after: 2, for: 300 ms'
mkfifo "$work/commands"
"$BUILD/bin/simbench" --parts "$BUILD/share/gangflash/parts" "$work/clock.yaml" \
    <"$work/commands" >"$work/places" 2>"$work/errors" &
own_bench_process=$!
exec 9>"$work/commands"
wait_for 60 grep -qs '^ready' "$work/places"
sed -n 's/^site 1 \(.*\)/{jig: own, sites: [{site: 1, programmer: stk500v2, at: "\1"}]}/p' \
    "$work/places" >"$work/own.yaml"
expect 4 "$gangflash" flash "$work/first.yaml" --jig "$work/own.yaml" --go now --log "$log" --lot one
equal "$(last "verdict || ' ' || touched")" "fail fused" "port gone after the clock fuse"
wait_for 60 test -e "$(sed -n 's/^site 1 pty://p' "$work/places")"
expect 0 "$gangflash" flash "$work/first.yaml" --jig "$work/own.yaml" --go now --log "$log" --lot one \
    --retest
equal "$(last "verdict || ' ' || (previous_attempt is not null)")" "pass 1" "the same board"
steps | grep -q clock && fail "the same board had its clock fuses: $(steps)"
own_bench_end

# A killed station: the next start says that the fuses may have been written.
pace=real
jig avrispmkii avrispmkii
start "$gangflash" flash "$work/first.yaml" --jig "$work/clock.yaml" --go now --log "$log" --json </dev/null
wait_for 60 in_flash
kill -KILL "$station"
wait "$station" 2>/dev/null || true
pace=fast
jig avrispmkii avrispmkii
killed=$(query "$log" "select max(attempt) from attempts")
flash_one 0
equal "$(query "$log" "select verdict || ' ' || touched from attempts where attempt = $killed")" \
    "interrupted fused" "a killed station"
equal "$(query "$log" "select count(*) from events where kind = 'clock-first' and
    detail like 'attempt $killed:%'")" 1 "its event"
expect 0 "$gangflash" log verify --log "$log"
