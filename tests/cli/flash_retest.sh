# A board that was not taken out is not done again, unless --retest says so.
set -eu
. "$SOURCE/tests/cli/common/cli.bash"
log=$work/log.sqlite
own_bench
attempts() {
    query "$log" "select count(*) from attempts where site = 1"
}

# The end of input ends the run although the boards are still in.
printf '\n' >"$work/press"
"$gangflash" flash demo --jig "$work/own.yaml" --sites 1 --log "$log" <"$work/press" \
    >"$work/out" 2>"$work/err" || fail "one press"
equal "$(attempts)" 1 "attempts after one press"

# A second press waits until the board is out.
mkfifo "$work/presses"
exec 3<>"$work/presses"
start "$gangflash" flash demo --jig "$work/own.yaml" --sites 1 --log "$log" <"$work/presses"
printf '\n\n' >&3
wait_for 60 grep -qs 'PASS' "$work/out"
equal "$(grep -c 'cycle' "$work/out")" 1 "cycles while the board is in"
echo "remove 1" >&9
wait_for 60 grep -qs 'cycle 2' "$work/out"
wait_for 60 grep -qs 'EMPTY' "$work/out"
echo "insert 1" >&9
exec 3>&-
ended 0

# With --retest it is done again, and the log says that it is the same board.
printf '\n\n' >"$work/press"
"$gangflash" flash demo --jig "$work/own.yaml" --sites 1 --retest --log "$log" <"$work/press" \
    >"$work/out" 2>"$work/err" || fail "retest"
equal "$(query "$log" "select purpose || ' ' || (previous_attempt is null) from attempts
    order by attempt desc limit 2" | tr '\n' ',')" "retest 0,production 1," "the last two"

# In a lot it stays one board: what the station says at the end is what the log counts.
printf '\n\n\n' >"$work/press"
status=0
"$gangflash" flash demo --jig "$work/own.yaml" --sites 1 --retest --lot A --count 3 --log "$log" \
    <"$work/press" >"$work/out" 2>"$work/err" || status=$?
equal "$status" 0 "exit status when one board was done three times"
says out "lot A: 1 of 3 boards have passed"
