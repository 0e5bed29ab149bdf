# The table of what further programmers may be up to (STK500 version 2 and 1, AVR910, Bus Pirate, AVRISP
# mkII): verdict, failure, what was touched, what the board holds and whether it was let go, for each;
# its next board passes, and the sites beside it go on.
set -eu
. "$SOURCE/tests/cli/common/cli.bash"
export PYTHONDONTWRITEBYTECODE=1
table=$SOURCE/tests/tools/driver_faults.py
python3 "$table" make "$work" >"$work/runs"

# run NAME PROFILE COUNT : one jig of the table; ends when the boards have passed that are to pass
run() {
    local status=0
    # The limit is far above what a run takes: it is there for one that does not end.
    timeout --signal KILL 100 "$gangflash" flash "$work/$2.yaml" --jig "$work/$1.jig" --go now \
        --count "$3" --json --log "$work/$1.sqlite" --bench-record "$work/$1.record" \
        </dev/null >"$work/$1.out" 2>"$work/$1.err" || status=$?
    # It was some programmer's fault.
    [ "$status" -eq 4 ] || {
        tail -n 3 "$work/$1.out" "$work/$1.err" | cut -c 1-300 >&2
        fail "$1: exit status $status"
    }
}

# Most of the time is waited, so the runs go on beside each other.
runs=()
while read -r name profile count; do
    run "$name" "$profile" "$count" &
    runs+=($!)
done <"$work/runs"
failed=0
for one in "${runs[@]}"; do
    wait "$one" || failed=1
done
python3 "$table" judge "$work" >"$work/out" || failed=1
[ "$failed" -eq 0 ] || fail "the table"
for log in "$work"/*.sqlite; do
    "$gangflash" log verify --log "$log" >/dev/null 2>"$work/err" || fail "the chain of ${log##*/}"
done
cat "$work/out"
