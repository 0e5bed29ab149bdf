# The simulated bench as a process: its options, and what happens when it dies or is not there.
set -eu
. "$SOURCE/tests/cli/common/cli.bash"
log=$work/log.sqlite
bench

flash 0 --go now --count 4 --log "$log" --bench-record "$work/record"
jq -es 'length >= 4' "$work/record" >/dev/null || fail "the bench's record"

# It dies in mid-run.
start "$gangflash" flash demo --jig "$work/bench.yaml" --bench-pace real --go now --count 100 \
    --log "$log" </dev/null
wait_for 60 grep -qs 'cycle 1' "$work/out"
kill -KILL "$(ps -o pid= --ppid "$station" | tr -d ' ')"
ended 4
says err "bench"
equal "$(query "$log" "select count(*) from attempts where verdict is null")" 0 "open attempts"

# Its options are not for hardware.
cat >"$work/real.yaml" <<END
jig: real
sites:
  - {site: 1, programmer: stk500v1, at: "serial:/dev/gangflash-is-not-there"}
END
expect 2 "$gangflash" flash demo --jig "$work/real.yaml" --bench-pace fast
says err "simulated benches"

# It is not installed beside the program.
mkdir "$work/bin"
cp "$gangflash" "$work/bin"
export GANGFLASH_DATA=$BUILD/share/gangflash
expect 4 "$work/bin/gangflash" flash demo --jig "$work/bench.yaml" --log "$log"
says err "$work/bin/simbench"
