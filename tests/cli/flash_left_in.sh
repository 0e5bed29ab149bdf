# A board that was in its site when a run of the lot ended is not counted again by the next run.
set -eu
. "$SOURCE/tests/cli/common/cli.bash"
log=$work/log.sqlite
own_bench
passes() {
    query "$log" "select count(*) from attempts where lot = 'L' and verdict = 'pass'"
}
has_left() {
    [ -n "$(query "$log" "select 1 from event where kind = 'board-out' and detail = 'attempt $1'")" ]
}
one=(--jig "$work/own.yaml" --sites 1 --lot L --count 4 --log "$log")

printf '\n' >"$work/press"
"$gangflash" flash demo "${one[@]}" <"$work/press" >"$work/out" 2>"$work/err" || fail "one press"
equal "$(passes)" 1 "boards that passed"

# In a new run that board waits to be taken out, however boards are started.
first=$(query "$log" "select max(attempt) from attempts")
for go in enter contact now; do
    mkfifo "$work/presses.$go"
    exec 3<>"$work/presses.$go"
    start "$gangflash" flash demo "${one[@]}" --go "$go" <"$work/presses.$go"
    printf '\n' >&3
    wait_for 60 grep -qs "site 1: take the board out first: attempt $first of" "$work/out"
    kill -INT "$station"
    ended 130
    exec 3>&-
    equal "$(passes)" 1 "boards that passed with --go $go"
done

# Seen to be out, it is no more in the way: the next board is done, and counted.
start "$gangflash" flash demo "${one[@]}" --go contact
wait_for 60 grep -qs 'take the board out first' "$work/out"
echo "remove 1" >&9
wait_for 60 has_left "$first"
echo "insert 1" >&9
wait_for 60 grep -qs 'PASS' "$work/out"
kill -INT "$station"
ended 130
equal "$(passes)" 2 "boards that passed after the first was out"

# --retest does the board again and says so; another lot knows nothing of it.
"$gangflash" flash demo "${one[@]}" --retest <"$work/press" >"$work/out" 2>"$work/err" ||
    fail "retest"
equal "$(query "$log" "select purpose || ' ' || previous_attempt from attempts
    order by attempt desc limit 1")" "retest $((first + 1))" "the retest"
"$gangflash" flash demo --jig "$work/own.yaml" --sites 1 --lot M --log "$log" <"$work/press" >"$work/out" 2>"$work/err" ||
    fail "another lot"
