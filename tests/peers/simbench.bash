# Helpers for the peers' scripts: a simulated bench, random images, and what the bench recorded.
# Expects BUILD and SOURCE in the environment.

set -u
work=$(mktemp -d)
bench_pid=
trap 'stop_bench; rm -rf "$work"' EXIT

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

need_avrdude() {
    command -v avrdude >/dev/null || {
        echo "avrdude is not installed"
        exit 77
    }
}

# start_bench JIG PACE [OPTION…]: sets place[SITE]
start_bench() {
    local jig=$1 pace=$2
    shift 2
    declare -gA place=()
    coproc BENCH { exec "$BUILD/bin/simbench" "$jig" --pace "$pace" "$@" 2>"$work/simbench.err"; }
    bench_pid=$BENCH_PID
    exec {bench_in}>&"${BENCH[1]}" {bench_out}<&"${BENCH[0]}"
    local word site path
    while read -r -t 60 word site path <&"$bench_out"; do
        [ "$word" = ready ] && return 0
        place[$site]=${path#pty:}
    done
    cat "$work/simbench.err" >&2
    fail "simbench did not start"
}

# What it still has to say is read: it would wait for that, and so would we.
stop_bench() {
    [ -n "$bench_pid" ] || return 0
    echo quit >&"$bench_in" 2>/dev/null
    timeout 60 cat <&"$bench_out" >/dev/null || kill "$bench_pid"
    wait "$bench_pid"
    local status=$?
    bench_pid=
    [ "$status" -eq 0 ] || fail "simbench ended with $status: $(cat "$work/simbench.err")"
}

# read_record SITE: the bench's own word on the board that is in. (The shell's own `read` asks the
# system for each of half a million characters.)
read_record() {
    echo "record $1" >&"$bench_in"
    record=$(timeout 60 head -n 1 <&"$bench_out") && [ -n "$record" ] || fail "no record of site $1"
}

# field NAME: a number or a string of the last record
field() {
    sed -nE "s/.*\"$1\":(\"([^\"]*)\"|([0-9]+)).*/\2\3/p" <<<"$record"
}

expect_field() {
    local found
    found=$(field "$1")
    [ "$found" = "$2" ] ||
        fail "$3: $1 of the board is '${found:0:200}', expected '${2:0:200}'"
}

# random_hex BYTES SEED NAME: NAME.hex (Intel HEX) and NAME.bytes (as the record writes memories)
random_hex() {
    awk -v bytes="$1" -v seed="$2" -v all="$work/$3.bytes" '
        function record(type, address, data, count,    sum, text, i) {
            text = sprintf("%02X%04X%02X", count, address, type)
            sum = count + int(address / 256) + address % 256 + type
            for (i = 0; i < count; i++) {
                text = text sprintf("%02X", data[i])
                sum += data[i]
            }
            printf ":%s%02X\n", text, (256 - sum % 256) % 256
        }
        BEGIN {
            srand(seed)
            for (at = 0; at < bytes; at += 16) {
                if (at % 65536 == 0) {
                    data[0] = 0
                    data[1] = at / 65536
                    record(4, 0, data, 2)
                }
                for (i = 0; i < 16; i++) {
                    data[i] = int(rand() * 255) # never FF: the record leaves those out at the end
                    printf "%02x", data[i] > all
                }
                record(0, at % 65536, data, 16)
            }
            print ":00000001FF"
        }' >"$work/$3.hex"
}

# not_in_sync LOG: avrdude did not get to the board. It asks an STK500 or ArduinoISP twice whether it
# is there, waiting a quarter of a second for each answer, and a third time to know; from a bench that
# gets no turn for so long it takes the late answers for those to what it asks next, and gives up
# before it has read, erased or written anything.
not_in_sync() {
    grep -q 'initialization failed, rc=-1$' "$1" &&
        grep -qE 'protocol expects (sync|OK) byte 0x1[04] but got|: not in sync: resp=0x' "$1"
}

# run_avrdude LOG ARGUMENT…: its words into LOG. When it was not in sync, up to four times more;
# whatever else goes wrong is what it is.
run_avrdude() {
    local log=$1 try status
    shift
    for try in 1 2 3 4 5; do
        status=0
        timeout 250 avrdude -q -q "$@" >"$log" 2>&1 || status=$?
        if [ "$status" -eq 0 ] || ! not_in_sync "$log"; then break; fi
    done
    return "$status"
}

# talk PROGRAMMER SITE ARGUMENT…: one run of avrdude
talk() {
    local programmer=$1 site=$2
    shift 2
    run_avrdude "$work/avrdude.log" -c "$programmer" -P "${place[$site]}" -b 19200 "$@" || {
        cat "$work/avrdude.log" >&2
        fail "avrdude $*"
    }
}

# silence: reads from the open port until nothing came for a while; the last two bytes are in `tail`
silence() {
    local byte
    tail=
    while LC_ALL=C read -r -t 0.3 -N 1 byte <&"$kept_open"; do
        tail=${tail: -1}$byte
    done
}

# wake SITE: opens the port, waits until the sketch answers and keeps the port open, so that no
# later opening resets the board. (On real boards a capacitor at RESET does this.)
wake() {
    local try
    exec {kept_open}<>"${place[$1]}"
    stty raw -echo <&"$kept_open" # else what the sketch says goes back to it
    for try in {1..30}; do
        printf '0 ' >&"$kept_open"
        LC_ALL=C silence
        [ "$tail" = $'\x14\x10' ] && return 0
    done
    fail "the sketch does not answer"
}
