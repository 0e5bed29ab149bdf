# A stop, a kill and a lost programmer just before, at and just after the write of RSTDISBL: the board
# can be reached or is as the profile says, its row is closed by now or by the next start, and says what
# is known of the door, no more and no less.
set -eu
. "$SOURCE/tests/cli/common/cli.bash"
log=$work/log.sqlite
was="RSTDISBL was turned on: this station cannot reach the board any more"
may="RSTDISBL may have been turned on: then this station cannot reach the board any more"
printf ':0400000067616E675F\n:00000001FF\n' >"$work/app.hex"
cat >"$work/doors.yaml" <<END
format: 1
profile: doors
article: DOORS
revision: 1
via: isp
part: ATmega328P
board: {clock: crystal 16 MHz, supply: 5 V}
images: [{file: app.hex}]
fuses: {low: 0xFF, high: 0x59, extended: 0xFD}
lock: 0xFC
accept_risk:
  - {rule: rstdisbl, because: one more pin}
  - {rule: lock-forbids, because: test}
END
bench_sites=1
own_bench
pty=$(sed -n 's/^site 1 pty://p' "$work/own.places")

# board : the new board is put in
board() {
    printf 'remove 1\ninsert 1\n' >&9
}
# of FILTER : of the board that is in
of() {
    local before
    before=$(wc -l <"$work/own.places")
    echo "record 1" >&9
    wait_for 60 recorded "$before"
    tail -n 1 "$work/own.places" | jq -r "$1"
}
recorded() {
    [ "$(wc -l <"$work/own.places")" -gt "$1" ]
}
# last COLUMNS : of the last attempt that was opened
last() {
    query "$log" "select $1 from attempts order by attempt desc limit 1"
}

# run STATUS MOMENT ACTION [ARGUMENT…] : one board, and this happens to it at the door
run() {
    local status=$1 moment=$2 action=$3 relay
    shift 3
    rm -f "$work/port" "$work/station"
    python3 "$SOURCE/tests/tools/door_relay.py" "$pty" "$work/port" "$work/station" "$work/out" \
        aca80059 "$moment" "$action" 9>&- &
    relay=$!
    wait_for 60 test -e "$work/port"
    echo "{jig: relay, sites: [{site: 1, programmer: stk500v1, at: \"tcp:127.0.0.1:$(cat "$work/port")\"}]}" \
        >"$work/relay.yaml"
    # It writes its own number, since it needs one before the relay does.
    start sh -c 'echo $$ >"$0/station" && exec "$@"' "$work" "$gangflash" flash "$work/doors.yaml" \
        --jig "$work/relay.yaml" --go now --log "$log" "$@" </dev/null
    ended "$status" 2>/dev/null
    wait $relay || fail "the relay at the door, $moment $action"
}
# same_board STATUS : once more, without trouble
sed 's/^jig: .*/jig: relay/' "$work/own.yaml" >"$work/direct.yaml"
same_board() {
    expect "$1" "$gangflash" flash "$work/doors.yaml" --jig "$work/direct.yaml" --go now --log "$log"
}

# Whoever is heard once the door is open is too late for this board: it is finished.
for case in "before INT" "at INT+INT" "at TERM" "after INT"; do
    board
    run 130 $case --count 9
    equal "$(last "verdict || ' ' || detail")" "pass $was" "the row after $case"
    equal "$(of '"\(.high) \(.lock) \(.in_reset)"')" "89 252 false" "the board after $case"
    says out "stopping: every board is released and logged"
done
says out "$was"

for moment in before at after; do
    # The programmer goes.
    board
    run 4 $moment drop
    equal "$(last "verdict || ' ' || failure || ' ' || touched")" "fail programmer-gone fused" "lost $moment"
    last detail | grep -qF "$may" || fail "lost $moment: $(last detail)"
    equal "$(query "$log" "select decision || ifnull(read_back, '') from fuse_writes where fuse = 'high' and
        attempt = (select max(attempt) from attempts)")" unknown "the door's row, lost $moment"
    check_same_board() {
        if [ $moment = before ]; then
            equal "$(of .high)" 217 "a door that was not sent"
            same_board 0
            equal "$(last verdict)" pass "the board that lost its $1 before the door"
        else
            same_board 1
            equal "$(last "verdict || ' ' || failure")" "empty $2" "the board that lost its $1 $moment the door"
        fi
        equal "$(of .high)" 89 "the door in the end"
    }
    check_same_board programmer no-board

    # The station is killed; the next start says so.
    board
    run 137 $moment KILL
    equal "$(last "ifnull(verdict, 'open')")" open "a killed station"
    killed=$(last attempt)
    check_same_board station board-behind-door
    cut_off="attempt $killed was cut off"
    says out "site 1: $cut_off when it turned on RSTDISBL: should its board not answer, set it aside"
    if [ $moment != before ]; then
        says out "Set the board aside if it was in when the station was cut off"
        last detail | grep -qF "; $cut_off at this site when it turned on RSTDISBL" ||
            fail "killed $moment: $(last detail)"
    fi
    # That is said once, or until a board was seen there.
    echo "remove 1" >&9
    same_board 1
    equal "$(last "verdict || ' ' || failure")" "empty no-board" "the empty site, killed $moment"
    ! grep -q "was cut off" "$work/out" || fail "killed $moment: cut off for ever"
    equal "$(query "$log" "select verdict || ' ' || touched from attempts where attempt = $killed")" \
        "interrupted locked" "killed $moment"
    query "$log" "select detail from attempts where attempt = $killed" | grep -qF "; $may" ||
        fail "killed $moment: $(query "$log" "select detail from attempts where attempt = $killed")"
done
own_bench_end
expect 0 "$gangflash" log verify --log "$log"
