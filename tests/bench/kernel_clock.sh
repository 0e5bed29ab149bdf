#!/usr/bin/env bash
# Clock first over a real kernel and libusb, in the machine with USB, against avrdude in two calls: started
# by tests/bench/run.sh clock, which prints what this writes. Judges nothing, but ends with an error
# when something could not be measured. As in kernel.sh avrdude's start is taken off, twice.
# limit: 400 s
. "${SOURCE:?}/tests/qemu/lane.bash"
gangflash=$BUILD/bin/gangflash
. "$SOURCE/tests/bench/usb.bash"

seconds_since() {
    awk -v a="$1" -v b="$(date +%s.%N)" 'BEGIN { printf "%.3f", b - a }'
}

another_board() {
    printf 'remove 1\ninsert 1\n' >&"$bench_in"
}

# bench_clock PROGRAMMER NAME SLOW FAST : NAME is avrdude's, SLOW and FAST are its -B
bench_clock() {
    local seconds=() usb_low=$usb_new_low usb_profile speed begin start theirs
    make_usb_bench clock "$1"
    start_bench "$work/clock-bench.yaml" real
    plug 1
    make_usb_jig clock "${path[1]}"
    for speed in as-found clock-first; do
        usb_profile=usb-$speed
        flash_usb clock || fail "$1, $speed, did not pass"
        seconds+=("$(clock_seconds clock)")
        another_board
    done
    print_clock "$1" "${seconds[@]}"
    begin=$(date +%s.%N)
    avrdude -c '?' >/dev/null 2>&1
    start=$(seconds_since "$begin")
    begin=$(date +%s.%N)
    avrdude_does "$2" -B "$3" -p m328p -U lfuse:w:0xFF:m
    avrdude_does "$2" -B "$4" -p m328p -e -U "flash:w:$work/random28k.hex:i" \
        -U lfuse:v:0xFF:m -U hfuse:v:0xD9:m
    theirs=$(seconds_since "$begin")
    read_record 1
    expect_field low 255 "the board of avrdude"
    print_clock_avrdude "-c $2 -B $3, then -B $4" "$theirs" \
        "$(awk -v s="$start" 'BEGIN { print 2 * s }')" "${seconds[1]}"
    unplug 1
    stop_bench
}

make_clock_profiles
bench_clock avrispmkii avrispmkII 8 0.5
bench_clock usbasp usbasp 10 0.5
