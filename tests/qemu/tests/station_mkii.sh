#!/usr/bin/env bash
# The AVRISP mkII and its clones by libusb's bulk transfers, each a device of a real kernel: boards are
# flashed, also by a unit whose second connection hangs until it is reset, and by clones that have one
# serial number between them.
. "${SOURCE:?}/tests/qemu/lane.bash"

bench_of avrispmkii/avrispmkii avrispmkii/avrispmkii-lufa avrispmkii/avrispmkii-lufa-libusb \
    avrispmkii/avrispmkii-second-connect avrispmkii/avrispmkii-lufa
plug 1 2 3 4 5
for site in 2 3 5; do
    equal "$(device_says "$site" serial)" 000200012345 "serial number of site $site"
done
jig_of 1 2 3 4 5
flash 0 --go now --count 5
for site in 1 2 3 4 5; do
    demo_board "$site"
    echo "lamp $site fail" >&"$bench_in"
done
rm "$work/log"
flash 0 --go now --count 5
for site in 1 2 3 4 5; do
    demo_board "$site"
done
stop_bench
