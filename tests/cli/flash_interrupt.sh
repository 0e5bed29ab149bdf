# SIGINT in mid-run: every row is closed, what became of each board is said, exit status 130, and no
# bench is left behind.
set -eu
. "$SOURCE/tests/cli/common/cli.bash"
log=$work/log.sqlite
bench

# At real pace a board takes seconds, so the signal comes while both are in work. It goes to the
# whole process group, as a terminal's Ctrl-C does.
start "$gangflash" flash demo --jig "$work/bench.yaml" --bench-pace real --go now --count 100 \
    --log "$log" --json </dev/null
in_work() {
    kill -0 "$station" 2>/dev/null || fail "the station ended"
    [ "$(jq -r 'select(.event == "progress" and .step == "flash") | .site' "$work/out" 2>/dev/null |
        sort -u | wc -l)" = 2 ]
}
wait_for 60 in_work
bench_process=$(ps -o pid= --ppid "$station")
kill -INT -- "-$station"
ended 130
equal "$(query "$log" "select count(*) from attempts where verdict is null")" 0 "open attempts"
equal "$(query "$log" "select count(distinct site) from attempts where verdict = 'interrupted'")" \
    2 "interrupted sites"
equal "$(query "$log" "select distinct touched from attempts where verdict = 'interrupted'")" \
    written "how far the boards got"
equal "$(jq -rs '.[-1] | [.event, .exit_status, .counts.interrupted] | join(" ")' "$work/out")" \
    "ended 130 2" "last event"
equal "$(jq -rs '[.[] | select(.event == "verdict" and .verdict == "interrupted")] | length' \
    "$work/out")" 2 "verdicts shown"
kill -0 $bench_process 2>/dev/null && fail "simbench is still there"
equal "$(query "$log" "select group_concat(kind) from (select kind from events order by event)")" \
    "log-opened,run-started,go,run-stopped,log-closed" "events"

# Idle: the same status, with the summary in words.
mkfifo "$work/presses"
exec 3<>"$work/presses"
start "$gangflash" flash demo --jig "$work/bench.yaml" --log "$log" <"$work/presses"
wait_for 60 grep -qs 'Enter is GO' "$work/out"
kill -TERM "$station"
ended 130
exec 3>&-
says out "stopping"
says out "The log is $log"

# Somebody presses on and on: neither the last words nor the exit status are lost for it.
exec 3<>"$work/presses"
start "$gangflash" flash demo --jig "$work/bench.yaml" --log "$log" <"$work/presses"
wait_for 60 grep -qs 'Enter is GO' "$work/out"
while kill -TERM "$station" 2>/dev/null; do :; done
ended 130
exec 3>&-
says out "The log is $log"

# Nobody reads the output any more: the run stops in order.
"$gangflash" flash demo --jig "$work/bench.yaml" --go now --count 1000 --log "$log" --json \
    2>"$work/err" </dev/null | head -n 1 >"$work/out"
status=${PIPESTATUS[0]}
equal "$status" 130 "exit status when the output is gone"
equal "$(query "$log" "select count(*) from attempts where verdict is null")" 0 "open attempts"

# Killed: the attempts stay open, and the next start closes them, saying how far the boards got.
start "$gangflash" flash demo --jig "$work/bench.yaml" --bench-pace real --go now --count 100 \
    --log "$log" --json </dev/null
wait_for 60 in_work
bench_process=$(ps -o pid= --ppid "$station")
kill -KILL "$station"
wait "$station" 2>/dev/null || true
bench_gone() {
    ! kill -0 $bench_process 2>/dev/null
}
wait_for 60 bench_gone
equal "$(query "$log" "select count(*) from attempts where verdict is null")" 2 "open attempts"
flash 0 --go now --count 2 --log "$log"
says out "2 attempts that an earlier run left open were closed as interrupted"
equal "$(query "$log" "select count(*) from attempts where verdict is null")" 0 "open attempts"
expect 0 "$gangflash" log verify --log "$log"
