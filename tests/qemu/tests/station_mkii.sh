#!/usr/bin/env bash
# The AVRISP mkII and its clones by libusb's bulk transfers, each a device of a real kernel: boards are
# flashed, also by a unit whose second connection hangs until it is reset.
. "${SOURCE:?}/tests/qemu/lane.bash"

bench_of avrispmkii/avrispmkii avrispmkii/avrispmkii-lufa avrispmkii/avrispmkii-lufa-libusb \
    avrispmkii/avrispmkii-second-connect
plug 1 2 3 4
jig_of 1 2 3 4
flash 0 --go now --count 4
for site in 1 2 3 4; do
    demo_board "$site"
    echo "lamp $site fail" >&"$bench_in"
done
rm "$work/log"
flash 0 --go now --count 4
for site in 1 2 3 4; do
    demo_board "$site"
done
stop_bench
