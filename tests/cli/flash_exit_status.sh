# The table of exit statuses.
set -eu
. "$SOURCE/tests/cli/common/cli.bash"
log=$work/log.sqlite
now=(--go now --count 4 --log "$log")

bench
flash 0 "${now[@]}"
says out "4 boards: 4 passed; yield 100.0 %"
says out "gangflash log list --log $log --last 4"
equal "$(query "$log" "select count(*) from attempts where verdict = 'pass'")" 4 "passes"

# 1: a board that is not what the profile says; its fellow passes.
bench "site: 2, board: 1, fault: wrong-part, part: ATmega32U4"
flash 1 --go now --log "$log"
says out "site 2: REFUSED"
says out "signature-mismatch"
equal "$(query "$log" "select touched from attempts where verdict = 'refused'")" none "touched"
# 1: no board at all
bench "fault: no-board"
flash 1 --go now --log "$log"
says out "2 times no board"

# 2: usage
flash 2 --go sometimes
flash 2 --jig "$work/bench.yaml"
says err "flash: option '--jig' is given twice"
flash 2 --lot A --retest --lot=A
expect 2 "$gangflash" check demo --jig sim-8 --jig sim-8
expect 2 "$gangflash" log list --last 1 --last 2
expect 0 "$gangflash" check demo --json --json

# 3: profile, jig, plan, lot
bench
expect 3 "$gangflash" flash demoo --jig "$work/bench.yaml" --log "$work/other"
printf '\tsites: []\n' >"$work/bad.yaml"
expect 3 "$gangflash" flash demo --jig "$work/bad.yaml" --log "$work/other"
says err "$work/bad.yaml:1:"
sed 's/site: 2,/site: 2, supply: 3.3 V,/' "$work/bench.yaml" >"$work/other.yaml"
expect 3 "$gangflash" flash demo --jig "$work/other.yaml" --log "$work/other"
says err "plan-refused: $work/other.yaml:6:5: site 2: the site supplies 3300 mV"
expect 3 "$gangflash" flash demo --jig "$work/other.yaml" --dry-run
says err "plan-refused: $work/other.yaml:6:5: site 2: "
says out "REFUSED plan-refused: $work/other.yaml:6:5: site 2: "
expect 3 "$gangflash" check demo --jig "$work/other.yaml"
says err "plan-refused: $work/other.yaml:6:5: site 2: "
# ...a site that only a kernel makes a serial port of
sed 's/site: 2,/site: 2, port: usb,/' "$work/bench.yaml" >"$work/other.yaml"
expect 3 "$gangflash" flash demo --jig "$work/other.yaml" --go now --log "$work/other"
says err "jig-invalid: $work/other.yaml:6:5: site 2: found port: usb, which is for simbench"
expect 3 "$gangflash" check demo --jig "$work/other.yaml"
# ...two sites at one place, by one name or by two
for place in /dev/null /dev/../dev/null; do
    cat >"$work/twice.yaml" <<END
jig: twice
sites:
  - {site: 1, programmer: stk500v1, at: "serial:/dev/null"}
  - {site: 2, programmer: stk500v1, at: "serial:$place"}
END
    for command in "flash --go now --log $work/other" "flash --dry-run" check; do
        # shellcheck disable=SC2086
        expect 3 "$gangflash" $command demo --jig "$work/twice.yaml"
        says err "place-twice: $work/twice.yaml:4:"
    done
done
# ...a simulated board, or a fault, of a part that is not known
sed '/site: 2,/s/ATmega328P/ATmega3289/' "$work/bench.yaml" >"$work/part.yaml"
for command in "flash --go now --log $work/other" "flash --dry-run" check; do
    # shellcheck disable=SC2086
    expect 3 "$gangflash" $command demo --jig "$work/part.yaml"
    says err "jig-invalid: $work/part.yaml:6:5: board of site 2: "
    says err "ATmega3289"
done
bench "site: 2, board: 1, fault: wrong-part, part: ATmega3289"
flash 3 --go now --log "$work/other"
says err "jig-invalid: $work/bench.yaml:8:5: fault wrong-part: "
bench
[ ! -e "$work/other" ] || fail "a refused profile or jig made a log"

# 4: a place that is missing; one that another process holds
cat >"$work/missing.yaml" <<END
jig: missing
sites:
  - {site: 1, programmer: stk500v1, at: "serial:/dev/gangflash-is-not-there"}
END
expect 4 "$gangflash" flash demo --jig "$work/missing.yaml" --go now --log "$log"
says err "place-missing"
says err "/dev/gangflash-is-not-there"
# ...of several that are out each is named, and how to do without them
own_bench
cat "$work/own.yaml" - >"$work/several.yaml" <<END
  - {site: 3, programmer: usbasp, at: "usb:9-9.9"}
  - {site: 7, programmer: stk500v1, at: "tcp:127.0.0.1:1"}
  - {site: 9, programmer: stk500v1, at: "serial:/dev/gangflash-is-not-there"}
END
several=(flash demo --jig "$work/several.yaml" --go now --log "$log")
expect 4 "$gangflash" "${several[@]}"
says err "place-missing: site 3: usb:9-9.9"
says err "programmer-gone: site 7: tcp:127.0.0.1:1"
says err "place-missing: site 9: serial:/dev/gangflash-is-not-there"
says err "sites 3,7,9 of jig own-bench are out; flash with --sites 1-2 to leave them out"
expect 4 "$gangflash" "${several[@]}" --sites 1-3
says err "site 3: usb:9-9.9: nothing is plugged in there; flash with --sites 1-2 to leave it out"
expect 4 "$gangflash" "${several[@]}" --sites 3,9
says err "all 2 sites that are wanted of jig own-bench are out"
expect 4 "$gangflash" "${several[@]}" --json
says out '"detail":"sites 3,7,9 of jig own-bench are out; '
mkfifo "$work/held"
"$gangflash" flash demo --jig "$work/own.yaml" --log "$work/holder" <"$work/held" \
    >"$work/holder.out" 2>&1 &
holder=$!
exec 4>"$work/held"
wait_for 60 grep -qs 'Enter is GO' "$work/holder.out"
expect 4 "$gangflash" flash demo --jig "$work/own.yaml" --go now --log "$log"
says err "place-busy"
exec 4>&-
wait "$holder" || [ $? -eq 1 ] || fail "the holder of the place"
# 4: a programmer that does not answer fails its site; the other goes on.
bench "site: 1, board: 1, fault: hang, after: 100"
flash 4 --go now --log "$log"
says out "programmer-silent"
says out "site 2: PASS"

# 5: a log that cannot be written, that is no log of ours, that another station has open
flash 5 --go now --log "$work/absent/log.sqlite"
says err "$work/absent/log.sqlite"
echo "this is no database" >"$work/text"
flash 5 --go now --log "$work/text"
bench
mkfifo "$work/presses"
"$gangflash" flash demo --jig "$work/bench.yaml" --log "$log" <"$work/presses" >"$work/first" 2>&1 &
first=$!
exec 3>"$work/presses"
wait_for 60 grep -qs 'Enter is GO' "$work/first"
flash 5 --go now --log "$log"
says err "log-in-use"
exec 3>&-
wait "$first" || [ $? -eq 1 ] || fail "the first station"

# 5: the disk is full while boards are in work; nothing is shown as passed that is not logged
if mkdir "$work/small" && mount -t tmpfs -o size=500k none "$work/small" 2>/dev/null
then
    trap 'umount "$work/small"; cleanup' EXIT
    flash 5 --go now --count 100000 --log "$work/small/log.sqlite"
    says out "LOG FAULT"
    unknown=$(grep -c '^site [0-9]*: UNKNOWN' "$work/out" || true)
    [ "$unknown" -eq 0 ] || says out ", $unknown unknown: quarantine"
    [ "$unknown" -eq 0 ] || ! grep -q 'yield' "$work/out" || fail "a yield of unknown boards"
    shown=$(grep -c ': PASS attempt' "$work/out" || true)
    [ "$shown" -gt 0 ] || fail "no board before the disk was full"
    cp "$work/small/"log.sqlite* "$work"
    equal "$(query "$work/log.sqlite" "select count(*) from attempts where verdict = 'pass'")" \
        "$shown" "passes shown and logged"
fi
