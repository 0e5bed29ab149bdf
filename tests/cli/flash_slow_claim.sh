# Programmers that are held up for seconds while they are claimed: the whole bench is stopped meanwhile,
# as a machine under load may do; no site is lost by it.
set -eu
. "$SOURCE/tests/cli/common/cli.bash"
station=
trap '[ -z "$station" ] || kill "$station" 2>/dev/null || true; cleanup' EXIT
cat >"$work/jig.yaml" <<END
jig: slow
bench: {simulated: true, pace: fast, seed: 1}
sites:
  - {site: 1, programmer: stk500v1, model: pro-micro-isp, board: ATmega328P}
  - {site: 2, programmer: stk500v2, model: stk500-v2, board: ATmega328P}
  - {site: 3, programmer: stk500, model: stk500, board: ATmega328P}
  - {site: 4, programmer: avr910, model: avr910, board: ATmega328P}
  - {site: 5, programmer: buspirate, model: buspirate-v3, board: ATmega328P}
  - {site: 6, programmer: avrispmkii, model: avrispmkii, board: ATmega328P}
  - {site: 7, programmer: usbasp, model: usbasp-2011, board: ATmega328P}
  - {site: 8, programmer: usbtiny, model: usbtinyisp, board: ATmega328P}
END

states() {
    jq -rs 'map(select(.event == "site")) | group_by(.site) | map(last.state) | group_by(.) |
        map("\(length) \(first)") | join(", ")' "$work/out" 2>/dev/null
}
are() {
    kill -0 "$station" 2>/dev/null || fail "the station ended"
    [ "$(states)" = "$1" ]
}
# That claims began, not that they go on: they may be over before anybody looks.
claims_began() {
    kill -0 "$station" 2>/dev/null || fail "the station ended"
    grep -q '"state":"claiming"' "$work/out"
}
# run_with_stop AFTER : no press comes at all, so what is held up is claims
run_with_stop() {
    mkfifo "$work/presses"
    exec 3<>"$work/presses"
    start "$gangflash" flash demo --jig "$work/jig.yaml" --go enter --log "$work/log.sqlite" --json <&3
    wait_for 60 claims_began
    bench=$(ps -o pid= --ppid "$station" | tr -d ' ')
    sleep "$1"
    kill -STOP "$bench"
    sleep 2.5
    kill -CONT "$bench"
    wait_for 60 are "8 armed"
    kill -INT "$station"
    ended 130
    exec 3>&-
    rm "$work/presses"
    ! grep -q '"state":"out"' "$work/out" || fail "a site is out"
}
run_with_stop 0
run_with_stop 0.3
