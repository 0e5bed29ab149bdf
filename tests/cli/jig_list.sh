# jig list: the programmers of a simulated bench are found, opened and let go; no board is touched.
set -eu
. "$SOURCE/tests/cli/common/cli.bash"
bench
expect 0 "$gangflash" jig list --bench "$work/bench.yaml" --bench-record "$work/record"
says out "stk500v1, Arduino as ISP"
says out "firmware ArduinoISP 1.18"
says out "can do SCK 125 kHz"
equal "$(grep -c '^pty:' "$work/out")" 2 "places"
equal "$(jq -s '[.[].counts.frames] | add' "$work/record")" 0 "frames sent to boards"

expect 0 "$gangflash" jig list --bench "$work/bench.yaml" --json
equal "$(jq -r '[.programmer, .certain, .opened, .firmware, .sck_fastest_hz, .failure] | @text' \
    "$work/out" | sort -u)" '["stk500v1",true,true,"ArduinoISP 1.18",125000,null]' "JSON"
equal "$(jq -r .place "$work/out" | sort -u | wc -l)" 2 "places in JSON"

# One that does not answer is told, and the others are listed.
bench "site: 1, fault: lost-byte, wire: to-programmer, rate: 1"
expect 0 "$gangflash" jig list --bench "$work/bench.yaml"
says out "programmer-silent: "
says out "firmware ArduinoISP 1.18"

# What is plugged in here, whatever it is; nothing is opened that is not known.
expect 0 "$gangflash" jig list
expect 0 "$gangflash" jig list --json
equal "$(jq -r 'select(.opened and (.certain | not)) | .place' "$work/out")" "" \
    "ports that were opened unasked"

own_bench
expect 2 "$gangflash" jig list --bench "$work/own.yaml"
says err "jig own-bench is no simulated bench"
own_bench_end
expect 3 "$gangflash" jig list --bench sim-9
says err "sim-8"
