#!/usr/bin/env bash
# Sixteen USBasps at once, by port path, then eight of them beside eight USBtinyISPs.
# limit: 150 s
. "${SOURCE:?}/tests/qemu/lane.bash"

# gang PROGRAMMER/MODEL… : one cycle with all of them
gang() {
    bench_of "$@"
    plug $(seq $#)
    jig_of $(seq $#)
    rm -f "$work/log"*
    flash 0 --go now --count $#
    equal "$(query "select count(distinct site) from attempts where verdict = 'pass'")" $# \
        "sites that passed"
    for site in $(seq $#); do
        demo_board "$site"
    done
    unplug $(seq $#)
    stop_bench
    echo "$#: $*"
}

eight="usbasp/usbasp-2011 usbasp/usbasp-2011 usbasp/usbasp-2011 usbasp/usbasp-2011
    usbasp/usbasp-2011 usbasp/usbasp-2011 usbasp/usbasp-2011 usbasp/usbasp-2011"
# shellcheck disable=SC2086  # one word per programmer
gang $eight $eight
# shellcheck disable=SC2086
gang $eight ${eight//usbasp\/usbasp-2011/usbtiny/usbtinyisp}
