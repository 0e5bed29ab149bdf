# The table of faults: verdict, failure, time, what was touched and what the board holds, for each
# kind of fault and for a contact that is lost in each step; and the sites beside them go on.
set -eu
. "$SOURCE/tests/cli/common/cli.bash"
faults=$SOURCE/tests/tools/faults.py
python3 "$faults" make "$work" "$SOURCE" >"$work/runs"

# run NAME PROFILE : one jig of the table, one board per site
run() {
    local status=0
    # The limit is far above what a run takes: it is there for one that does not end.
    timeout --signal KILL 100 "$gangflash" flash "$work/$2.yaml" --jig "$work/$1.jig" --go now \
        --json --log "$work/$1.sqlite" --bench-record "$work/$1.record" \
        </dev/null >"$work/$1.out" 2>"$work/$1.err" || status=$?
    # 1: boards did not pass. 4: it was the programmer's fault.
    [ "$status" -eq 1 ] || [ "$status" -eq 4 ] || {
        cp "$work/$1.out" "$work/out"
        cp "$work/$1.err" "$work/err"
        fail "$1: exit status $status"
    }
}

# Most of the time is waited, so the runs go on beside each other.
runs=()
while read -r name profile; do
    run "$name" "$profile" &
    runs+=($!)
done <"$work/runs"
failed=0
for one in "${runs[@]}"; do
    wait "$one" || failed=1
done
[ "$failed" -eq 0 ] || fail "a run of the table"

python3 "$faults" judge "$work" >"$work/out" || fail "the table"
for log in "$work"/*.sqlite; do
    "$gangflash" log verify --log "$log" >/dev/null 2>"$work/err" || fail "the chain of ${log##*/}"
done
cat "$work/out"
