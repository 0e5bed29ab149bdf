# A programmer that vanishes in mid-job and comes back at its place; one that does not answer at the
# start, which nobody has to wait for.
set -eu
. "$SOURCE/tests/cli/common/cli.bash"
log=$work/log.sqlite

# state SITE : the last one that the station told
state() {
    jq -r "select(.event == \"site\" and .site == $1) | .state" "$work/out" 2>/dev/null | tail -n 1
}
is_state() {
    kill -0 "$station" 2>/dev/null || fail "the station ended"
    [ "$(state "$1")" = "$2" ]
}

# port N PTY : site N's port leads there now
port() {
    ln -sfn "$2" "$work/port-$1"
}
ports() {
    port 1 "$(sed -n 's/^site 1 pty://p' "$work/own.places")"
    port 2 "$(sed -n 's/^site 2 pty://p' "$work/own.places")"
}
cat >"$work/jig.yaml" <<END
jig: ports
contact: {present: 0 ms, gone: 0 ms, poll: 10 ms}
sites:
  - {site: 1, programmer: stk500v1, at: "pty:$work/port-1"}
  - {site: 2, programmer: stk500v1, at: "pty:$work/port-2"}
END

# Both programmers are lost while the flash is written; they come back, the boards do not count as
# new ones before they were taken out, and the run goes on to its end.
own_bench_pace=real own_bench
ports
start "$gangflash" flash demo --jig "$work/jig.yaml" --go contact --count 2 --log "$log" --json \
    </dev/null
in_work() {
    kill -0 "$station" 2>/dev/null || fail "the station ended"
    [ "$(jq -r 'select(.event == "progress" and .step == "flash") | .site' "$work/out" 2>/dev/null |
        sort -u | wc -l)" = 2 ]
}
wait_for 60 in_work
rm "$work/port-1" "$work/port-2" # as udev does; the names behind them may be given again
own_bench_end
wait_for 60 is_state 1 waiting
wait_for 60 is_state 2 waiting
equal "$(query "$log" "select group_concat(verdict || ' ' || failure || ' ' || touched, ', ')
    from attempts")" "fail programmer-gone written, fail programmer-gone written" "rows"
own_bench
ports
wait_for 60 is_state 1 held
wait_for 60 is_state 2 held
wait_for 60 grep -q 'site 1: take the board out first' "$work/out"
wait_for 60 grep -q 'site 2: take the board out first' "$work/out"
for site in 1 2; do
    echo "remove $site" >&9
    wait_for 60 is_state $site armed
    echo "insert $site" >&9
done
ended 4
equal "$(query "$log" "select group_concat(verdict) from (select verdict from attempts
    order by attempt)")" fail,fail,pass,pass "verdicts"
equal "$(query "$log" "select group_concat(kind || ' ' || n) from (select kind, count(*) as n
    from events where kind like 'programmer-%' group by kind order by kind)")" \
    "programmer-back 2,programmer-lost 2" "events"
own_bench_end

# Ctrl-C does not wait for programmers that do not answer: their claims take seconds.
own_bench
port 2 "$(sed -n 's/^site 2 pty://p' "$work/own.places")"
mkfifo "$work/stay"
python3 "$SOURCE/tests/tools/silent_port.py" <"$work/stay" >"$work/silent" &
silent_port=$!
exec 8>"$work/stay"
wait_for 60 grep -q . "$work/silent"
port 1 "$(cat "$work/silent")"
start "$gangflash" flash demo --jig "$work/jig.yaml" --go contact --log "$log" --json \
    </dev/null 8>&-
wait_for 60 is_state 1 claiming
wait_for 60 is_state 2 claiming
kill -INT "$station"
ended 130
equal "$(state 1)" stopped "site 1 at the end"
exec 8>&-
wait "$silent_port"
