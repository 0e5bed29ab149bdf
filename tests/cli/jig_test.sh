# jig test: every site is tried on the board that sits there, and nothing on any board is changed.
set -eu
. "$SOURCE/tests/cli/common/cli.bash"
record=$work/record

# untouched : the boards are as they were, and of all that changes fuses nothing was sent
untouched() {
    [ -s "$record" ] || fail "no record"
    equal "$(jq -r 'select(.counts != null) | [.counts.erases, .counts.flash_pages,
        .counts.eeprom_writes, .counts.ignored_locked, .counts.ignored_unknown,
        .counts.ignored_busy, (.fuse_writes | length), .flash, .eeprom] | @text' "$record" |
        sort -u)" '[0,0,0,0,0,0,0,"",""]' "what became of the boards"
    equal "$(jq -r '.ac_frames[]?' "$record" | sort -u)" "" "what was sent that begins with AC"
}

cat >"$work/every.yaml" <<'END'
jig: every-programmer
bench: {simulated: true, pace: fast, seed: 1}
sites:
  - {site: 1, programmer: stk500v1, model: arduino-uno-isp, board: ATmega328P, crystal: 16 MHz}
  - {site: 2, programmer: usbasp, model: usbasp-2011, board: ATmega32U4}
  - {site: 3, programmer: usbtiny, model: usbtinyisp, board: ATtiny85}
  - {site: 5, programmer: usbasp, model: usbasp-dioannidis, board: ATmega2560}
END
expect 0 "$gangflash" jig test "$work/every.yaml" --bench-record "$record" --json
untouched
equal "$(jq -r '[.site, .good, .grade, .signature, .readings, .alike, .failure] | @text' \
    "$work/out")" '[1,true,"good","1E 95 0F",100,100,null]
[2,true,"good","1E 95 87",100,100,null]
[3,true,"good","1E 93 0B",100,100,null]
[5,true,"good","1E 98 01",100,100,null]' "results"
equal "$(jq -r '.parts | join(",")' "$work/out" | tr '\n' ' ')" \
    "ATA6614Q,ATmega328P ATmega32U4 ATtiny85 ATmega2560 " "parts"
equal "$(jq -r '[.round_trip_median_us > 0, .round_trip_worst_us >= .round_trip_median_us,
    .sck_hz > 0, .sck_at_least_hz > 0, .block_bytes > 0] | all' "$work/out" | sort -u)" true \
    "measurements"
expect 0 "$gangflash" jig test "$work/every.yaml" --sites 2,5
says out "site 2: good: signature 1E 95 87, ATmega32U4; 100 of 100 readings alike"
says out "an instruction there and back: median"
says out "2 of 2 sites good"

# What is not good is told, and the other sites are tried. A board says so much as it can.
for programmer in "stk500v1, model: arduino-uno-isp" "usbasp, model: usbasp-2011" \
    "usbtiny, model: usbtinyisp"; do
    {
        echo "jig: trouble"
        echo "bench: {simulated: true, pace: fast, seed: 3}"
        echo "sites:"
        for site in 1 2 3 4 5; do
            echo "  - {site: $site, programmer: $programmer, board: ATmega328P}"
        done
        echo "faults:"
        echo "  - {site: 1, fault: no-board}"
        echo "  - {site: 2, fault: loose-contact, rate: 0.02}"
        echo "  - {site: 3, fault: dead, after: 100, match: 30 00 00 00}"
        echo "  - {site: 4, fault: flip, wire: from-board, match: 95, offset: 0, mask: 0x40}"
    } >"$work/trouble.yaml"
    rm -f "$record"
    expect 1 "$gangflash" jig test "$work/trouble.yaml" --bench-record "$record" --json
    untouched
    equal "$(jq -r '[.site, .good] | @text' "$work/out" | tr '\n' ' ')" \
        "[1,false] [2,false] [3,false] [4,false] [5,true] " "sites of $programmer"
    equal "$(jq -r .grade "$work/out" | tr '\n' ' ')" "no-board unstable unstable unstable good " \
        "grades of $programmer"
    jq -es 'any(.[]; .site == 1 and .signature == null and .parts == [])' "$work/out" >/dev/null ||
        fail "an empty site has a signature"
    jq -es 'any(.[]; .site == 4 and .alike == 99 and .signature == "1E 95 0F")' "$work/out" \
        >/dev/null || fail "one reading of a hundred: $(cat "$work/out")"
    jq -es 'any(.[]; .site == 3 and .alike < 100 and .signature == "1E 95 0F")' "$work/out" \
        >/dev/null || fail "a board that went"
done
expect 1 "$gangflash" jig test "$work/trouble.yaml"
says out "site 1: no board: nothing answers"
says out "site 4: bad contact: signature 1E 95 0F"
says out "99 of 100 readings alike"
says out "check the needles of this site"
says out "1 of 5 sites good"

# A wire that is broken in the same way each time gives a signature that nobody has.
bench "site: 1, fault: stuck-miso, miso: noise" \
    "site: 2, fault: flip, wire: from-board, match: 95, mask: 0x20, times: 100"
expect 1 "$gangflash" jig test "$work/bench.yaml" --json
equal "$(jq -r .good "$work/out" | sort -u)" false "broken wires"
equal "$(jq -r 'select(.site == 2) | .grade' "$work/out")" unknown-part "a signature of no part"

# A programmer that does not answer is the programmer's fault; the others are tried.
bench "site: 1, fault: lost-byte, wire: to-programmer, rate: 1"
expect 4 "$gangflash" jig test "$work/bench.yaml"
says out "site 1: programmer-silent"
says out "What else to look at says: gangflash drivers stk500v1"
says out "site 2: good"
says out "1 of 2 sites good"

# A board that is slower than was said is found all the same, where SCK can be chosen.
expect 0 "$gangflash" jig test "$work/every.yaml" --sites 2,3 --clock "16 MHz" --json
equal "$(jq -r '.sck_hz <= 250000' "$work/out" | sort -u)" true "SCK that was stepped down"

# Firmware with one SCK alone is used where the board is said to be fast enough.
cat >"$work/old.yaml" <<'END'
jig: old
bench: {simulated: true, pace: fast, seed: 1}
sites:
  - {site: 1, programmer: usbasp, model: usbasp-2009, board: ATmega328P, crystal: 16 MHz,
     found: {low: 0xFF}}
END
expect 4 "$gangflash" jig test "$work/old.yaml"
says out "say so with --clock"
expect 0 "$gangflash" jig test "$work/old.yaml" --clock "16 MHz"
says out "SCK 375 kHz"
expect 2 "$gangflash" jig test "$work/old.yaml" --clock 16
says err "--clock: '16' is no frequency"

# Ctrl-C: the board is released, and it is no verdict.
own_bench_pace=real own_bench
start "$gangflash" jig test "$work/own.yaml"
wait_for 60 grep -q "site 1" "$work/out"
kill -INT "$station"
ended 130
says err "interrupted"
expect 0 "$gangflash" jig test "$work/own.yaml" --sites 2

# Somebody presses on and on: neither the last words nor the exit status are lost for it.
start "$gangflash" jig test "$work/own.yaml"
wait_for 30 grep -q "site 1" "$work/out"
while kill -TERM "$station" 2>/dev/null; do :; done
ended 130
says err "interrupted"
own_bench_end

expect 2 "$gangflash" jig test "$work/bench.yaml" --sites 3
expect 3 "$gangflash" jig test "$work/nothing.yaml"
