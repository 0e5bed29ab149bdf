#!/bin/bash
# The benchmark: prints figures, judges nothing. Ratios are taken within one run.
#
# usage: bash tests/bench/run.sh [one] [many] [fast] [usb] [serial] [mixed] [kernel] [clock]  (default: all)
#   BUILD=DIR   where bin/gangflash and bin/simbench are (default: build/bench, built if missing)
#
#   one   one UART site at real pace, 28 KiB of random bytes, ATmega32U4, against the floor and
#         against avrdude on the same site
#   many  32 such sites in one cycle: against one alone, the station's CPU and memory
#   fast  64 sites without pace, 1 KiB: durable boards per second and what limits them
#   usb   USB programmers at real pace, 28 KiB of random bytes, ATmega328P at 16 MHz: a USBasp, a
#         USBtinyISP and an AVRISP mkII against their floors, 16 in one cycle against one alone; simbench is reached
#         over loopback, without a kernel's USB
#   serial  serial programmers at real pace, the same board and bytes: each against its floor and
#         against avrdude on the same site
#   mixed 4 USBasp, 4 USBtinyISP, 4 AVRISP mkII and 4 STK500 in one cycle, against the slowest of
#         them alone
#   kernel  the same as usb over a kernel's USB and libusb, and against avrdude there: in the machine of
#         tests/qemu/run.sh, whose CPU is emulated
#   clock  a new ATmega328P, 1 MHz, that gets a crystal of 16 MHz, 28 KiB: `speed: clock-first` against
#         as found, and against avrdude in two calls, the way people do it by hand: the clock fuse at a
#         slow -B, then the flash at a fast one; for USB programmers again in the machine of
#         tests/qemu/run.sh
set -eu
source=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD:-$source/build/bench}
work=$(mktemp -d)
bench_pid=

stop_bench() {
    if [ -n "$bench_pid" ]; then
        kill "$bench_pid" 2>/dev/null || true
        wait "$bench_pid" 2>/dev/null || true
        bench_pid=
    fi
}
trap 'stop_bench; rm -rf "$work"' EXIT

if [ ! -x "$build/bin/gangflash" ]; then
    cmake -S "$source" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo >/dev/null
    cmake --build "$build" >/dev/null
fi
gangflash=$build/bin/gangflash
. "$source/tests/bench/usb.bash"

# start_bench JIG PACE : starts simbench; its places as "SITE PLACE" lines in $work/places
start_bench() {
    mkfifo "$work/bench.in" 2>/dev/null || true
    rm -f "$work/bench.out" # an earlier bench's would look ready
    "$build/bin/simbench" "$1" --pace "$2" --stay <>"$work/bench.in" >"$work/bench.out" &
    bench_pid=$!
    for _ in $(seq 200); do
        grep -qs '^ready' "$work/bench.out" && break
        sleep 0.05
    done
    grep -qs '^ready' "$work/bench.out" || { echo "simbench did not start" >&2; exit 4; }
    sed -n 's/^site \([0-9]*\) \(.*\)/\1 \2/p' "$work/bench.out" >"$work/places"
}

# make_jig NAME : a jig of real places from $work/places
make_jig() {
    {
        echo "jig: $1"
        echo "sites:"
        while read -r site place; do
            echo "  - {site: $site, programmer: stk500v1, at: \"$place\", baud: 19200}"
        done <"$work/places"
    } >"$work/$1-jig.yaml"
}

seconds_of_attempts() { # LOG : site, seconds
    sqlite3 -separator ' ' "$1" "SELECT site, round((julianday(ended_at)-julianday(started_at))*86400,3)
        FROM attempts ORDER BY site"
}

print_floor() { # PAGES PAGE_BYTES VERIFY_BYTES : parts of the floor, last line "floor SECONDS"
    awk -v pages="$1" -v page="$2" -v verify="$3" 'BEGIN {
        byte = 10 / 19200 * 1000
        wire = (page + 5) * byte; ahead = 63 * byte
        spi = page * 0.256; commit = 30 + 0.256
        per_page = wire - ahead + spi + commit
        printf "  a byte on the wire                    %8.3f ms (10 bits at 19200 baud)\n", byte
        printf "  a page: %3d bytes on the wire         %8.3f ms\n", page + 5, wire
        printf "          63 of them sent ahead        -%8.3f ms\n", ahead
        printf "          %3d SPI instructions          %8.3f ms (256 us each at 125 kHz)\n", page, spi
        printf "          commit                        %8.3f ms (30 ms and one instruction)\n", commit
        printf "          in all                        %8.3f ms\n", per_page
        printf "  %d pages written                     %8.3f s\n", pages, pages * per_page / 1000
        printf "  %d bytes read back                 %8.3f s (SPI overlaps the wire)\n", verify, verify * byte / 1000
        printf "floor %.3f\n", (pages * per_page + verify * byte) / 1000
    }'
}

bench_one() {
    echo "== one UART site, real pace, ATmega32U4, 28 KiB of random bytes"
    make_image random28k 28672 one
    make_profile one ATmega32U4 random28k 0x5E 0xD9 0xF3
    start_bench "$source/jigs/benches/sim-1-uart.yaml" real
    make_jig one
    place=$(sed -n '1s/^[0-9]* pty://p' "$work/places")
    print_floor 224 128 28672 | tee "$work/floor"
    floor=$(sed -n 's/^floor //p' "$work/floor")

    "$gangflash" flash "$work/one.yaml" --jig "$work/one-jig.yaml" --go now \
        --log "$work/one.sqlite" >"$work/one.out" || { cat "$work/one.out"; exit 1; }
    ours=$(seconds_of_attempts "$work/one.sqlite" | cut -d' ' -f2)
    sqlite3 -separator ' ' "$work/one.sqlite" \
        "SELECT '  step ' || step, round(duration_us/1e6,3) || ' s' FROM steps"
    echo "$ours" >"$work/one.seconds"

    printf 'remove 1\ninsert 1\n' >"$work/bench.in"
    # Opening the port resets an Arduino, and avrdude would then talk to its bootloader. At the bench
    # a capacitor prevents that; here the port is held open and the reset waited out.
    exec 8<>"$place"
    sleep 4
    begin=$(date +%s.%N)
    avrdude -q -q -c stk500v1 -P "$place" -b 19200 -p m32u4 -e \
        -U "flash:w:$work/random28k.hex:i" -U lfuse:w:0x5E:m -U hfuse:w:0xD9:m -U efuse:w:0xF3:m \
        >"$work/avrdude.out" 2>&1 || { cat "$work/avrdude.out"; exit 1; }
    theirs=$(awk -v a="$begin" -v b="$(date +%s.%N)" 'BEGIN { printf "%.3f", b - a }')
    exec 8>&-
    stop_bench
    awk -v t="$ours" -v f="$floor" -v a="$theirs" 'BEGIN {
        printf "gangflash %.3f s, floor %.3f s: T / floor = %.3f (goal: at most 1.10)\n", t, f, t / f
        printf "avrdude   %.3f s on the same site: %.3f times as long (goal: at least 1.2)\n", a, a / t }'
}

bench_many() {
    echo "== 32 UART sites in one cycle, real pace, ATmega32U4, 28 KiB of random bytes"
    make_image random28k 28672 one
    make_profile many ATmega32U4 random28k 0x5E 0xD9 0xF3
    start_bench "$source/jigs/benches/sim-32-uart.yaml" real
    make_jig many
    command time -f '%U %S %e %M' -o "$work/time" "$gangflash" flash "$work/many.yaml" \
        --jig "$work/many-jig.yaml" --go now --log "$work/many.sqlite" >"$work/many.out" ||
        { tail -n 20 "$work/many.out"; exit 1; }
    bench_cpu=$(awk '{ print ($14 + $15) / 100 }' "/proc/$bench_pid/stat")
    stop_bench
    cycle=$(sqlite3 "$work/many.sqlite" "SELECT round((max(julianday(ended_at))-min(julianday(started_at)))*86400,3) FROM attempts")
    slowest=$(seconds_of_attempts "$work/many.sqlite" | awk '$2 > m { m = $2 } END { print m }')
    alone=$(cat "$work/one.seconds" 2>/dev/null || echo 0)
    read -r user system elapsed memory <"$work/time"
    awk -v c="$cycle" -v s="$slowest" -v a="$alone" 'BEGIN {
        printf "cycle %.3f s, slowest site in it %.3f s", c, s
        if (a > 0) printf ", one alone %.3f s: cycle / alone = %.3f (goal: at most 1.05)", a, c / a
        print "" }'
    awk -v u="$user" -v s="$system" -v e="$elapsed" -v m="$memory" -v b="$bench_cpu" 'BEGIN {
        printf "station: %.2f s user + %.2f s system in %.1f s: %.1f %% of a core (goal: at most 20)\n", u, s, e, (u + s) / e * 100
        printf "station: %.1f MiB resident at most (goal: at most 64)\n", m / 1024
        printf "simbench beside it: %.1f %% of a core\n", b / e * 100 }'
}

bench_fast() {
    count=${FAST_BOARDS:-5000}
    echo "== 64 sites, no pace, 1 KiB image, $count boards"
    make_image random1k 1024 fast
    make_profile fast ATmega32U4 random1k 0x5E 0xD9 0xF3
    head -n 1 /proc/stat >"$work/stat"
    command time -f '%U %S %e %M' -o "$work/time" "$gangflash" flash "$work/fast.yaml" \
        --jig "$source/jigs/benches/sim-64-fast.yaml" --go now --lot fast --count "$count" \
        --log "$work/fast.sqlite" --json >"$work/fast.out" &
    run=$!
    sleep 1
    bench=$(pgrep -n -x simbench || true)
    bench_cpu=0
    while kill -0 $run 2>/dev/null; do
        now=$(awk '{ print ($14 + $15) / 100 }' "/proc/$bench/stat" 2>/dev/null || true)
        [ -z "$now" ] || bench_cpu=$now
        sleep 0.2
    done
    wait $run || { tail -n 20 "$work/fast.out"; exit 1; }
    head -n 1 /proc/stat >>"$work/stat"
    read -r user system elapsed memory <"$work/time"
    sqlite3 "$work/fast.sqlite" "SELECT count(*), sum(verdict='pass'),
        (max(julianday(ended_at))-min(julianday(started_at)))*86400 FROM attempts" |
        awk -F'|' '{ printf "%d boards, %d passed, in %.2f s: %.0f durable boards per second (aim: 500)\n", $1, $2, $3, $1 / $3 }'
    awk -v u="$user" -v s="$system" -v e="$elapsed" -v m="$memory" -v b="$bench_cpu" 'BEGIN {
        total = u + s
        printf "CPU: %.0f %% of one core in all; simbench %.0f %%, station about %.0f %% (%d cores here)\n", total / e * 100, b / e * 100, (total - b) / e * 100, '"$(nproc)"'
    }'
    # Fields of /proc/stat: user nice system idle iowait irq softirq (proc(5)).
    awk '{ idle[NR] = $5 + $6; kernel[NR] = $4 + $7 + $8; all[NR] = 0
           for (i = 2; i <= 9; i++) all[NR] += $i }
         END { t = all[2] - all[1]
               printf "the whole machine: %.0f %% busy, %.0f %% in the kernel (system calls, and the threads that carry bytes between pseudo terminals)\n",
                   (1 - (idle[2] - idle[1]) / t) * 100, (kernel[2] - kernel[1]) / t * 100 }' "$work/stat"
    sqlite3 -separator ' ' "$work/fast.sqlite" "SELECT '  step ' || step,
        'mean ' || round(avg(duration_us)/1e3,2) || ' ms' FROM steps GROUP BY step"
    sqlite3 -separator ' ' "$work/fast.sqlite" "SELECT '  ' || kind, detail FROM events WHERE kind = 'log-closed'"
}

# bench_usb_sites NAME PROGRAMMER… : one cycle of these sites
bench_usb_sites() {
    make_usb_bench "$@"
    start_bench "$work/$1-bench.yaml" real
    mapfile -t places <<<"$(cut -d' ' -f2 "$work/places")"
    make_usb_jig "$1" "${places[@]}"
    flash_usb "$1" || exit 1
    bench_cpu=$(awk '{ print ($14 + $15) / 100 }' "/proc/$bench_pid/stat")
    stop_bench
}

# bench_usb_many TEXT PROGRAMMER…
bench_usb_many() {
    echo "-- $1 in one cycle"
    shift
    bench_usb_sites sixteen "$@"
    print_usb_cycle sixteen "$@"
    awk -v b="$bench_cpu" '{ printf "simbench beside it: %.1f %% of a core\n", b / $3 * 100 }' "$work/time"
}

bench_usb() {
    local eight=(usbasp usbasp usbasp usbasp usbasp usbasp usbasp usbasp)
    echo "== USB programmers over loopback, real pace, ATmega328P, 28 KiB of random bytes"
    make_usb_profile
    for programmer in usbasp usbtiny avrispmkii; do
        echo "-- $programmer, one site"
        bench_usb_sites $programmer $programmer
        print_usb_one $programmer $programmer
    done
    bench_usb_many "16 usbasp" "${eight[@]}" "${eight[@]}"
    bench_usb_many "8 usbasp and 8 usbtiny" "${eight[@]}" "${eight[@]/usbasp/usbtiny}"
}

# bench_avrdude PROGRAMMER GOAL OPTION… : another board at the only site, done by avrdude over the same
# pseudo terminal as T was
bench_avrdude() {
    local programmer=$1 goal=$2 place begin theirs
    shift 2
    place=$(sed -n '1s/^[0-9]* pty://p' "$work/places")
    printf 'remove 1\ninsert 1\n' >"$work/bench.in"
    begin=$(date +%s.%N)
    timeout 900 avrdude -q -q -P "$place" "$@" -p m328p -e -U "flash:w:$work/random28k.hex:i" \
        -U lfuse:v:0xFF:m -U hfuse:v:0xD9:m >"$work/avrdude.out" 2>&1 ||
        { tail -n 5 "$work/avrdude.out"; echo "avrdude $* failed"; return; }
    theirs=$(awk -v a="$begin" -v b="$(date +%s.%N)" 'BEGIN { printf "%.3f", b - a }')
    awk -v o="$*" -v a="$theirs" -v t="$(cat "$work/alone-$programmer")" -v g="$goal" 'BEGIN {
        printf "avrdude %s: %.3f s: %.3f times as long as T (goal: at least %s)\n", o, a, a / t, g }'
}

# bench_serial_one PROGRAMMER GOAL OPTIONS… : OPTIONS of avrdude, each a word of several
bench_serial_one() {
    local programmer=$1 goal=$2 options
    shift 2
    echo "-- $programmer, one site"
    make_usb_bench "$programmer" "$programmer"
    start_bench "$work/$programmer-bench.yaml" real
    make_usb_jig "$programmer" "$(cut -d' ' -f2 "$work/places")"
    flash_usb "$programmer" || exit 1
    print_usb_one "$programmer" "$programmer"
    for options in "$@"; do
        # shellcheck disable=SC2086
        bench_avrdude "$programmer" "$goal" $options
    done
    stop_bench
}

# Of avrdude as it is by itself, and told to be as fast as it can be told.
bench_serial() {
    echo "== serial programmers, real pace, ATmega328P, 28 KiB of random bytes"
    make_usb_profile
    bench_serial_one stk500v2 1.1 "-c stk500v2" "-c stk500v2 -B 0.6"
    bench_serial_one buspirate 1.5 "-c buspirate" "-c buspirate -x spifreq=3"
    [ -z "$("$gangflash" drivers | grep "^stk500:")" ] || bench_serial_one stk500 1 "-c stk500v1" "-c stk500v1 -B 0.6"
    bench_serial_one avr910 1 "-c avr910 -b 19200 -x devcode=0x72"
}

bench_mixed() {
    local programmers=() programmer
    echo "== a mixed jig in one cycle, real pace, ATmega328P, 28 KiB of random bytes"
    make_usb_profile
    for programmer in usbasp usbtiny avrispmkii stk500v2; do
        programmers+=("$programmer" "$programmer" "$programmer" "$programmer")
        [ -s "$work/alone-$programmer" ] && continue
        echo "-- $programmer, one site"
        bench_usb_sites "$programmer" "$programmer"
        print_usb_one "$programmer" "$programmer"
    done
    bench_usb_many "4 usbasp, 4 usbtiny, 4 avrispmkii, 4 stk500v2" "${programmers[@]}"
}

# The load in the machine is its own; what stands here is that of this computer.
bench_kernel() {
    echo "== USB programmers over a kernel and libusb, real pace, ATmega328P, 28 KiB of random bytes"
    (while :; do load_now; sleep 5; done) >"$work/loads" &
    local loads=$! status=0
    GANGFLASH_QEMU_SECONDS=${GANGFLASH_QEMU_SECONDS:-600} BUILD=$build sh "$source/tests/qemu/run.sh" bench/kernel >"$work/qemu.out" || status=$?
    kill $loads
    [ "$status" -ne 0 ] || cat "$build/qemu/job/kernel.log"
    cat "$work/qemu.out"
    echo "load of this computer meanwhile, every 5 s: $(tr '\n' ' ' <"$work/loads")"
    [ "$status" -eq 0 ] || exit 1
}

# bench_clock_one PROGRAMMER : leaves simbench running, for avrdude
bench_clock_one() {
    local seconds=() usb_low=$usb_new_low usb_profile speed
    make_usb_bench clock "$1"
    start_bench "$work/clock-bench.yaml" real
    make_usb_jig clock "$(cut -d' ' -f2 "$work/places")"
    for speed in as-found clock-first; do
        usb_profile=usb-$speed
        flash_usb clock || exit 1
        seconds+=("$(clock_seconds clock)")
        printf 'remove 1\ninsert 1\n' >"$work/bench.in"
    done
    clock_first=${seconds[1]}
    print_clock "$1" "${seconds[@]}"
}

bench_clock() {
    local place begin theirs status=0 clock_first
    echo "== clock first, real pace, a new ATmega328P with a crystal of 16 MHz, 28 KiB of random bytes"
    make_clock_profiles
    for programmer in avrispmkii usbasp; do
        bench_clock_one $programmer
        stop_bench
    done
    bench_clock_one stk500v2
    place=$(sed -n '1s/^[0-9]* pty://p' "$work/places")
    begin=$(date +%s.%N)
    { avrdude -q -q -c stk500v2 -P "$place" -B 8 -p m328p -U lfuse:w:0xFF:m &&
        avrdude -q -q -c stk500v2 -P "$place" -B 0.6 -p m328p -e -U "flash:w:$work/random28k.hex:i" \
            -U lfuse:v:0xFF:m -U hfuse:v:0xD9:m; } >"$work/avrdude.out" 2>&1 ||
        { tail -n 5 "$work/avrdude.out"; exit 1; }
    theirs=$(awk -v a="$begin" -v b="$(date +%s.%N)" 'BEGIN { printf "%.3f", b - a }')
    stop_bench
    print_clock_avrdude "-c stk500v2 -B 8, then -B 0.6" "$theirs" 0 "$clock_first"
    GANGFLASH_QEMU_SECONDS=${GANGFLASH_QEMU_SECONDS:-600} BUILD=$build sh "$source/tests/qemu/run.sh" bench/kernel_clock \
        >"$work/qemu.out" || status=$?
    [ "$status" -ne 0 ] || cat "$build/qemu/job/kernel_clock.log"
    cat "$work/qemu.out"
    [ "$status" -eq 0 ] || exit 1
}

[ $# -gt 0 ] || set -- one many fast usb serial mixed kernel clock
for part in "$@"; do
    case $part in
    one | many | fast | usb | serial | mixed | kernel | clock) "bench_$part" ;;
    *) echo "unknown part '$part': one many fast usb serial mixed kernel clock" >&2; exit 2 ;;
    esac
done
