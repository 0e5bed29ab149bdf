#!/bin/sh
# Runs the tests inside the machine, as its first process, and turns it off. Every test gets BUILD and
# SOURCE, and a time of its own; what it leaves behind is cleared away. Its word and its time go to
# qemu/job/result in the build tree, its output to qemu/job/NAME.log.
export SOURCE="$1" BUILD="$2"
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp TERM=dumb LC_ALL=C.UTF-8
job=$BUILD/qemu/job

# The devices of the machine itself are of no interest: udev need not look at them.
start_udev() {
    mkdir -p /run/udev/rules.d
    cp "$SOURCE"/jigs/udev/*.rules /run/udev/rules.d/ 2>/dev/null
    /lib/systemd/systemd-udevd --daemon
}

# One emulated CPU for sixty programmers, their boards and the station: with Debian's time slices some
# thread would get no turn for seconds, and a programmer that does not answer for one counts as silent.
use_short_time_slices() {
    mount -t debugfs debugfs /sys/kernel/debug || return
    echo 200000 >/sys/kernel/debug/sched/latency_ns
    echo 100000 >/sys/kernel/debug/sched/min_granularity_ns
    echo 0 >/sys/kernel/debug/sched/wakeup_granularity_ns
}

# start_test NAME SCRIPT SECONDS : in a control group of its own
start_test() {
    sh -c 'echo $$ >"$1/cgroup.procs" && exec timeout -k 5 "$3" bash "$SOURCE/$2"' \
        sh "$group" "$2" "$3" >"$job/$1.log" 2>&1 </dev/null
}

# clear_away : whatever a test started or plugged in. `detach` fails if something stays.
clear_away() {
    echo 1 >"$group/cgroup.kill"
    "$BUILD/bin/usbip_attach" detach all >>"$job/$1.log" 2>&1
}

# run_test NAME SCRIPT
run_test() {
    begun=$(date +%s)
    limit=$(sed -n 's/^# limit: \([0-9]*\) s$/\1/p' "$SOURCE/$2")
    limit=$((${limit:-60} * patience))
    start_test "$1" "$2" "$limit"
    status=$?
    clear_away "$1" || [ "$status" -ne 0 ] || status="0, but devices stay plugged in"
    took=$(($(date +%s) - begun))
    case $status in
    0) echo "passed: $1 ($took s)" ;;
    77) echo "skipped: $1 ($(tail -n 1 "$job/$1.log"))" ;;
    124 | 137) echo "FAILED: $1 (not done in $limit s)" ;;
    *) echo "FAILED: $1 (exit status $status, $took s)" ;;
    esac >>"$job/result"
}

# The limits of the tests are for a machine that does nothing else; an emulated CPU that gets a part of a
# core only is that much slower.
patience=4
group=/sys/fs/cgroup/test
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir "$group"
busybox ip link set lo up
use_short_time_slices
start_udev >"$job/udev.log" 2>&1
while read -r script; do
    run_test "$(basename "$script" .sh)" "$script"
done <"$job/tests"
echo "end" >>"$job/result"
sync
busybox reboot -f
