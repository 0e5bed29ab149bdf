# Fuses that take the way into a board, with the risk accepted: last of all, before lock bits that
# would forbid them and behind others, read back before the board is let go, and said. And a board
# that could be lost between two writes is not begun.
set -eu
. "$SOURCE/tests/cli/common/cli.bash"
gone="this station cannot reach the board any more"
printf ':0400000067616E675F\n:00000001FF\n' >"$work/app.hex"

# profile PART LOW HIGH EXTENDED LOCK RULE
profile() {
    cat >"$work/doors.yaml" <<END
format: 1
profile: doors
article: DOORS
revision: 1
via: isp
part: $1
board: {clock: crystal 16 MHz, supply: 5 V}
images: [{file: app.hex}]
fuses: {low: $2, high: $3${4:+, extended: $4}}
lock: $5
accept_risk:
  - {rule: $6, because: one more pin}
  - {rule: lock-forbids, because: test}
END
    case $5 in
    0xFF | 0xCF) sed -i '/lock-forbids/d' "$work/doors.yaml" ;;
    esac
}

# of FILTER : of the record of the first board
of() {
    jq -rs ".[0] | $1" "$work/record"
}

# judge STATUS [ARGUMENT…] : one board
judge() {
    local status=$1
    shift
    rm -f "$work/record" "$work/try.sqlite"
    expect "$status" "$gangflash" flash "$work/doors.yaml" --jig "$work/bench.yaml" --sites 1 --go now \
        --log "$work/try.sqlite" --bench-record "$work/record" "$@"
}

# in_order FRAMES WHAT
in_order() {
    equal "$(of '.ac_frames | join(" ")')" "$1" "$2"
}

bench
profile ATmega328P 0xFF 0x59 0xFD 0xFC rstdisbl
expect 0 "$gangflash" check "$work/doors.yaml" --jig "$work/bench.yaml"
says out "which can be reached after each: low, extended, then high, which takes the way in, then lock"
says out " 10  lock and last doors"
says out "high turns RSTDISBL on: this station cannot reach the board again"
expect 0 "$gangflash" check "$work/doors.yaml" --jig "$work/bench.yaml" --json
equal "$(jq -c '.sites[0] | [.order_new_board, .doors, .new_board_refused]' "$work/out")" \
    '[["low","extended","high","lock"],{"high":"RSTDISBL"},null]' "the order for programs"
judge 0
says out "RSTDISBL was turned on: $gone"
in_order "ac800000 aca000ff aca400fd aca80059 ace000fc" "the door before a lock that forbids it"
equal "$(query "$work/try.sqlite" "select verdict || ' ' || detail from attempts")" \
    "pass RSTDISBL was turned on: $gone" "the log"
equal "$(query "$work/try.sqlite" "select group_concat(read_back) from
    (select read_back from fuse_writes where fuse in ('high', 'lock') order by fuse)")" "89,252" "read back"

profile ATmega328P 0xFF 0x99 0xFD 0xCF dwen
judge 0
says out "DWEN was turned on: $gone"
in_order "ac800000 aca000ff aca400fd ace000cf aca80099" "the door behind a lock that leaves it"

profile ATmega328P 0xFF 0x99 0xFD 0xFF dwen
judge 0
in_order "ac800000 aca000ff aca400fd aca80099" "the door alone"

# Without the risk accepted nothing begins.
sed -i '/rule: dwen/d; /accept_risk/d' "$work/doors.yaml"
judge 3
says err "rule dwen"

# Contact goes right behind the door: a fail that says why the next GO will find nothing.
profile ATmega328P 0xFF 0x59 0xFD 0xFC rstdisbl
bench "fault: dead, match: AC A8 00 59, after: 1"
judge 1
says out "RSTDISBL may have been turned on: then $gone"
in_order "ac800000 aca000ff aca400fd aca80059" "up to the door"
says out "Set this board aside"
! grep -q "press GO" "$work/out" || fail "advice that a board out of reach cannot follow"
equal "$(query "$work/try.sqlite" "select verdict || ' ' || failure || ' ' || touched from attempts")" \
    "fail door-unproved fused" "a door that was not proved"
bench "fault: dead, match: AC A4 00 FD, after: 1"
judge 1
! grep -qF "$gone" "$work/out" || fail "a door that was not sent is said to be shut"
equal "$(query "$work/try.sqlite" "select failure from attempts")" contact-lost "before the door"

# Such a board left in its site is no board any more.
own_bench
printf '\n\n' >"$work/press"
profile ATmega328P 0xFF 0x59 0xFD 0xFF rstdisbl
"$gangflash" flash "$work/doors.yaml" --jig "$work/own.yaml" --sites 1 --log "$work/own.sqlite" \
    <"$work/press" >"$work/out" 2>"$work/err" || fail "a pass and an empty place"
equal "$(query "$work/own.sqlite" "select group_concat(verdict) from attempts")" "pass,empty" "verdicts"
own_bench_end

# CKOPT stands beside RSTDISBL: the crystal would be without its swing until the last write.
found=
bench
sed -i 's/ATmega328P/ATmega8/' "$work/bench.yaml"
profile ATmega8 0x3F 0x49 "" 0xFF rstdisbl
expect 0 "$gangflash" check "$work/doors.yaml" --jig "$work/bench.yaml"
says out "a new board is refused before the erase: once low is written, low 0x3F, high 0xD9"
expect 0 "$gangflash" check "$work/doors.yaml" --jig "$work/bench.yaml" --json
equal "$(jq -r '.sites[0] | .order_new_board, (.new_board_refused | startswith("once low is"))' \
    "$work/out" | xargs)" "null true" "the refusal for programs"
judge 1
says out "do it without that first"
equal "$(query "$work/try.sqlite" "select verdict || ' ' || failure || ' ' || touched from attempts")" \
    "refused no-safe-order none" "a board that could be lost"
equal "$(of .counts.erases)" 0 "erases"
profile ATmega8 0x3F 0xC9 "" 0xFF rstdisbl
sed -i '/rstdisbl/d; /accept_risk/d' "$work/doors.yaml"
judge 0
in_order "ac800000 aca800c9 aca0003f" "CKOPT first"
sed -i 's/crystal: 16 MHz/crystal: 16 MHz, found: {low: 0x3F, high: 0xC9}/' "$work/bench.yaml"
profile ATmega8 0x3F 0x49 "" 0xFF rstdisbl
judge 0
in_order "ac800000 aca80049" "the door of a board that has its clock"
