# --go contact: a site starts when its board answers, and again with the next one; nobody presses.
set -eu
. "$SOURCE/tests/cli/common/cli.bash"
log=$work/log.sqlite
bench
flash 0 --go contact --count 6 --log "$log" --json
equal "$(query "$log" "select count(*), count(distinct cycle), count(distinct site) from attempts
    where verdict = 'pass'")" "6|6|2" "boards, cycles and sites"

# A board that stays in is done once; the next one when it was gone.
own_bench
start "$gangflash" flash demo --jig "$work/own.yaml" --sites 2 --go contact --count 2 --log "$log" \
    --json </dev/null
state() { # STATE : site 2's last one
    [ "$(jq -r 'select(.event == "site" and .site == 2) | .state' "$work/out" 2>/dev/null |
        tail -n 1)" = "$1" ]
}
wait_for 60 state held
equal "$(query "$log" "select count(*) from attempts")" 7 "attempts while the board is in"
echo "remove 2" >&9
wait_for 60 state armed
echo "insert 2" >&9
ended 0
equal "$(query "$log" "select count(*) from attempts")" 8 "attempts"
