# Debian's ser2net, raw, between the station and a programmer: it flashes a board; a second station is
# told that somebody has the port; when the connection is cut in mid-board the attempt fails, and the
# next one goes on as soon as the server is back.
set -eu
. "$SOURCE/tests/cli/common/cli.bash"
server=$(command -v ser2net || echo /usr/sbin/ser2net)
[ -x "$server" ] || {
    echo "ser2net is not installed"
    exit 77
}
log=$work/log.sqlite
server_process=
trap 'stop_server; cleanup' EXIT

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
listens() {
    kill -0 "$server_process" 2>/dev/null || fail "ser2net: $(cat "$work/server.log")"
    grep -qi "$(printf ' 0100007F:%04X 00000000:0000 0A ' "$port")" /proc/net/tcp
}
# start_server DEVICE
start_server() {
    cat >"$work/ser2net.yaml" <<END
connection: &programmer
  accepter: tcp,127.0.0.1,$port
  connector: serialdev,$1,19200n81,local
END
    "$server" -n -u -c "$work/ser2net.yaml" >"$work/server.log" 2>&1 3>&- 8>&- 9>&- &
    server_process=$!
    wait_for 20 listens
}
stop_server() {
    [ -z "$server_process" ] || kill -KILL "$server_process" 2>/dev/null || true
    [ -z "$server_process" ] || wait "$server_process" 2>/dev/null || true
    server_process=
}
device() {
    sed -n 's/^site 1 pty://p' "$work/own.places"
}
# the last state of the site
is_state() {
    kill -0 "$station" 2>/dev/null || fail "the station ended"
    [ "$(jq -r 'select(.event == "site") | .state' "$work/out" 2>/dev/null | tail -n 1)" = "$1" ]
}
in_work() {
    kill -0 "$station" 2>/dev/null || fail "the station ended"
    [ -n "$(jq -r 'select(.event == "progress" and .step == "flash") | .site' "$work/out" 2>/dev/null)" ]
}

cat >"$work/jig.yaml" <<END
jig: network
contact: {present: 0 ms, gone: 0 ms, poll: 10 ms}
sites:
  - {site: 1, programmer: stk500v1, at: "tcp:127.0.0.1:$port"}
END

# Nobody listens there.
expect 4 "$gangflash" flash demo --jig "$work/jig.yaml" --log "$log" --go contact
says out "site 1 is OUT: programmer-gone: tcp:127.0.0.1:$port: connect: Connection refused"

bench_sites=1
own_bench
start_server "$(device)"
expect 0 "$gangflash" flash demo --jig "$work/jig.yaml" --log "$log" --go contact --count 1
equal "$(query "$log" "select verdict || ' ' || programmer_firmware from attempts")" \
    "pass ArduinoISP 1.18" "first board"
stop_server
own_bench_end

# The connection is cut while the flash is written. A ser2net that somebody is connected to lets nobody
# else in.
own_bench_pace=real own_bench
start_server "$(device)"
start "$gangflash" flash demo --jig "$work/jig.yaml" --log "$log" --go contact --count 1 --json
wait_for 60 in_work
expect_second() {
    timeout 30 "$gangflash" flash demo --jig "$work/jig.yaml" --log "$work/second" --go contact --count 1 \
        >"$work/second.out" 2>"$work/second.err" </dev/null && fail "a second one was let in"
    grep -q "site 1 is OUT: programmer-[a-z-]*: tcp:127.0.0.1:$port" "$work/second.out" ||
        fail "second: $(cat "$work/second.out")"
}
expect_second
wait_for 30 in_work
stop_server
wait_for 30 is_state waiting
equal "$(query "$log" "select verdict || ' ' || failure || ' ' || touched from attempts
    where verdict != 'pass'")" "fail programmer-gone written" "board that was cut off"
start_server "$(device)"
wait_for 40 is_state held
echo "remove 1" >&9
wait_for 30 is_state armed
echo "insert 1" >&9
ended 4
equal "$(query "$log" "select group_concat(verdict) from (select verdict from attempts
    order by attempt)")" pass,fail,pass "verdicts"
equal "$(query "$log" "select group_concat(kind) from (select kind from events
    where kind like 'programmer-%')")" "programmer-lost,programmer-back" "events"
stop_server
own_bench_end
