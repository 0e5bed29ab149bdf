#!/usr/bin/env bash
# A bench that gets no turn while avrdude asks whether it is there: avrdude gives up before it has done
# anything to the board, and the helpers of these scripts, seeing just that, run it again. What fails
# otherwise is not tried again.
. "${SOURCE:?}/tests/peers/simbench.bash"
need_avrdude

cat >"$work/jig.yaml" <<'JIG'
format: 1
jig: peers
bench: simulated
sites:
  - {site: 1, programmer: stk500v1, model: pro-micro-isp, board: ATmega328P, crystal: 16 MHz}
JIG
start_bench "$work/jig.yaml" fast
random_hex 256 1 flash

# In place of the command: the bench stands still for avrdude's first run until avrdude says that it
# waited in vain, and `first` is then what became of the board.
runs=0
timeout() {
    local status=0 process
    [ "$2" != avrdude ] || runs=$((runs + 1))
    if [ "$2" != avrdude ] || [ $runs -gt 1 ] || [ "$stands_still" = no ]; then
        command timeout "$@" || status=$?
        return "$status"
    fi
    kill -STOP "$bench_pid"
    command timeout "$@" &
    process=$!
    until grep -q 'attempt 1 of 10: not in sync' "$work/log"; do
        kill -0 "$process" 2>/dev/null || break
        sleep 0.1
    done
    kill -CONT "$bench_pid"
    wait "$process" || status=$?
    read_record 1
    first=$record
    return "$status"
}

stands_still=yes
run_avrdude "$work/log" -c stk500v1 -b 19200 -P "${place[1]}" -p m328p -e \
    -U flash:w:"$work/flash.hex":i || fail "avrdude: $(cat "$work/log")"
[ $runs -ge 2 ] || fail "avrdude bore a bench that stood still"
record=$first
expect_field instructions 0 "the board after the first run"
expect_field flash_pages 0 "the board after the first run"
expect_field erases 0 "the board after the first run"
read_record 1
expect_field erases 1 "the board"
expect_field flash "$(<"$work/flash.bytes")" "the board"

runs=0
stands_still=no
! run_avrdude "$work/log" -c stk500v1 -b 19200 -P "${place[1]}" -p m168 || fail "a part of another name"
grep -q 'signature' "$work/log" || fail "of the other part: $(cat "$work/log")"
[ $runs -eq 1 ] || fail "a part of another name was tried $runs times"
stop_bench
