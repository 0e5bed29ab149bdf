# The tables of faults: many sites, each with its own trouble, in a few runs of the station beside each
# other; then the table's own judge looks at what boards, log and lamps have. Sourced after cli.bash.
export PYTHONDONTWRITEBYTECODE=1

# run_of_table STATUSES NAME PROFILE [COUNT] : one jig of the table
run_of_table() {
    local status=0 allowed=" $1 " name=$2
    # The limit is far above what a run takes: it is there for one that does not end.
    timeout --signal KILL 400 "$gangflash" flash "$work/$3.yaml" --jig "$work/$name.jig" --go now \
        ${4:+--count "$4"} --json --log "$work/$name.sqlite" --bench-record "$work/$name.record" \
        </dev/null >"$work/$name.out" 2>"$work/$name.err" || status=$?
    [ "${allowed#* "$status" }" != "$allowed" ] || {
        tail -n 3 "$work/$name.out" "$work/$name.err" | cut -c 1-300 >&2
        fail "$name: exit status $status"
    }
}

# end_runs : of those in `runs`, which is empty afterwards
end_runs() {
    local one result=0
    for one in "${runs[@]}"; do
        wait "$one" || result=1
    done
    runs=()
    return "$result"
}

# try_table TABLE STATUSES [WHAT…] : makes the table's jigs (WHAT is for the table), runs them, and has
# all judged; a run ends with one of STATUSES, 1: boards did not pass, 4: it was some programmer's fault
try_table() {
    local table=$1 statuses=$2 log failed=0 runs=()
    python3 "$table" make "$work" "${@:3}" >"$work/runs"
    # Most of the time is waited, so runs go on beside each other: as many as two cores serve in time.
    while read -r name profile count; do
        run_of_table "$statuses" "$name" "$profile" $count &
        runs+=($!)
        [ "${#runs[@]}" -lt 6 ] || end_runs || failed=1
    done <"$work/runs"
    end_runs || failed=1
    python3 "$table" judge "$work" >"$work/out" || failed=1
    [ "$failed" -eq 0 ] || fail "the table"
    for log in "$work"/*.sqlite; do
        "$gangflash" log verify --log "$log" >/dev/null 2>"$work/err" ||
            fail "the chain of ${log##*/}"
    done
    cat "$work/out"
}
