#!/usr/bin/env bash
# The figures of USB programmers over a real kernel and libusb, in the machine with USB: started by
# tests/bench/run.sh kernel, which prints what this writes. Judges nothing, but ends with an error when
# something could not be measured.
#
# avrdude and the station do the same to the same board one after the other: look at its fuses, erase
# it, write 28 KiB, read them back. Of avrdude's time its start, which an emulated CPU makes long, is
# taken off: how long it needs to read its configuration.
# limit: 400 s
. "${SOURCE:?}/tests/qemu/lane.bash"
gangflash=$BUILD/bin/gangflash
. "$SOURCE/tests/bench/usb.bash"

seconds_since() {
    awk -v a="$1" -v b="$(date +%s.%N)" 'BEGIN { printf "%.3f", b - a }'
}

# another_board SITE
another_board() {
    printf 'remove %d\ninsert %d\n' "$1" "$1" >&"$bench_in"
}

# print_avrdude PROGRAMMER OPTION… : a new board at site 1
print_avrdude() {
    local programmer=$1 name=$1 begin all start
    [ "$name" != avrispmkii ] || name=avrispmkII # as avrdude has it
    shift
    another_board 1
    begin=$(date +%s.%N)
    avrdude -c '?' >/dev/null 2>&1
    start=$(seconds_since "$begin")
    begin=$(date +%s.%N)
    avrdude_does "$name" "$@" -p m328p -e -U "flash:w:$work/random28k.hex:i" \
        -U lfuse:v:0xFF:m -U hfuse:v:0xD9:m
    all=$(seconds_since "$begin")
    read_record 1
    expect_field erases 1 "the board of avrdude"
    awk -v o="-c $programmer${*:+ $*}" -v all="$all" -v start="$start" -v goal="$goal" \
        -v t="$(cat "$work/alone-$programmer")" 'BEGIN {
        printf "avrdude %s: %.3f s and %.3f s to start: %.3f times as long as T (goal: at least %s)\n",
            o, all - start, start, (all - start) / t, goal }'
}

# bench_one PROGRAMMER GOAL
bench_one() {
    goal=$2
    echo "-- $1, one site"
    make_usb_bench "$1" "$1"
    start_bench "$work/$1-bench.yaml" real
    plug 1
    make_usb_jig "$1" "${path[1]}"
    flash_usb "$1" || fail "$1 did not pass"
    print_usb_one "$1" "$1"
    case $1 in
    usbasp) print_avrdude usbasp -B 0.5 ;; # 1.5 MHz
    usbtiny)
        print_avrdude usbtiny
        print_avrdude usbtiny -B 1
        ;;
    avrispmkii) print_avrdude avrispmkii -B 0.5 ;; # 2 MHz
    esac
    unplug 1
    stop_bench
}

# print_busy : what the machine's only CPU did between the lines `before` and `after` of /proc/stat
# (proc(5)); near 100 % it is what limits a cycle.
print_busy() {
    local all=0 idle=$((after[4] + after[5] - before[4] - before[5])) i
    for i in 1 2 3 4 5 6 7 8; do
        all=$((all + after[i] - before[i]))
    done
    echo "the emulated CPU meanwhile: $((100 * (all - idle) / all)) % busy, with the station's start and end"
}

# bench_sixteen NAME PROGRAMMER… : a site for each
bench_sixteen() {
    local name=$1 sites places=()
    shift
    echo "-- $name in one cycle"
    make_usb_bench sixteen "$@"
    start_bench "$work/sixteen-bench.yaml" real
    mapfile -t sites <<<"$(seq $#)"
    plug "${sites[@]}"
    for site in "${sites[@]}"; do
        places+=("${path[$site]}")
    done
    make_usb_jig sixteen "${places[@]}"
    read -r -a before </proc/stat
    flash_usb sixteen
    read -r -a after </proc/stat
    print_usb_cycle sixteen "$@"
    print_busy
    unplug "${sites[@]}"
    stop_bench
}

make_usb_profile
bench_one usbasp 1.1
bench_one usbtiny 1.5
bench_one avrispmkii 1
eight=(usbasp usbasp usbasp usbasp usbasp usbasp usbasp usbasp)
bench_sixteen "16 usbasp" "${eight[@]}" "${eight[@]}"
bench_sixteen "8 usbasp and 8 usbtiny" "${eight[@]}" "${eight[@]/usbasp/usbtiny}"
