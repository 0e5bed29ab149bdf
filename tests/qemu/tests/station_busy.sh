#!/usr/bin/env bash
# Two stations cannot fight for one programmer: the second is told who holds it, and gets it when the
# first is gone.
. "${SOURCE:?}/tests/qemu/lane.bash"

bench_of usbasp/usbasp-2011 usbtiny/usbtinyisp
plug 1 2
jig_of 1 2
mkfifo "$work/presses"
exec 8<>"$work/presses"
start "$gangflash" flash demo --jig "$work/jig.yaml" --log "$work/first" --go enter --json \
    <"$work/presses" 8>&-
armed() {
    [ "$(grep -c '"state":"armed"' "$work/out")" = 2 ]
}
wait_for 150 armed
mv "$work/out" "$work/first.out"
flash 4 --go now --count 2
says err "place-busy"
says err "is held by process $station (gangflash)"
exec 8>&-
wait "$station"
flash 0 --go now --count 2
demo_board 1
demo_board 2
stop_bench
