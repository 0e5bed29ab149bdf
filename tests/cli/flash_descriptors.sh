# Standard descriptors that the caller closed are not given to anything else; a run without boards.
set -eu
. "$SOURCE/tests/cli/common/cli.bash"
log=$work/log.sqlite
bench

# Closed standard input is one that has ended. The time limit only keeps a hang from lasting.
status=0
timeout 60 "$gangflash" flash demo --jig "$work/bench.yaml" --log "$log" <&- \
    >"$work/out" 2>"$work/err" || status=$?
equal "$status" 1 "exit status with closed input"
says out "0 boards: no board was there"
! grep -q 'log list' "$work/out" || fail "a run without verdicts shows those of another"

# With all of them closed the boards are done and logged all the same, and nothing else is written
# into the log.
status=0
timeout 60 "$gangflash" flash demo --jig "$work/bench.yaml" --go now --json --log "$log" \
    <&- >&- 2>&- || status=$?
[ "$status" -ne 124 ] || fail "hangs with closed descriptors"
expect 0 "$gangflash" log verify --log "$log"
