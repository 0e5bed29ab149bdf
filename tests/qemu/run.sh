#!/bin/sh
# Runs tests in a machine with USB: qemu, with emulated CPUs, boots Debian's kernel, whose vhci-hcd
# makes the devices that simbench serves over USB/IP look like plugged-in ones. The host's file system
# is the machine's root, read-only; only the build tree can be written. Needs no root but for
# installing what is missing (Debian 12, amd64).
#
# usage: sh tests/qemu/run.sh [TEST…]        TEST: a name from tests/qemu/tests, all without;
#                                            or bench/NAME: tests/bench/NAME.sh
#
#   BUILD=DIRECTORY                  a build tree as it is; without, one is built in build/gcc
#   GANGFLASH_QEMU_KERNEL=DIRECTORY  where the kernel is kept (BUILD/qemu/kernel)
#   GANGFLASH_QEMU_SECONDS=N         how long the machine may take (1800)
#
# Prints a line per test and a closing one. Exit status 0 only if the machine itself wrote that every
# test passed.
set -u
here=$(cd "$(dirname "$0")" && pwd -P)
source=$(cd "$here/../.." && pwd -P)

fail() {
    echo "FAILED: qemu: $*"
    exit 1
}

# A build tree of our own, made from what stands in the source tree now.
own_build() {
    BUILD=$source/build/gcc
    mkdir -p "$BUILD"
    {
        cmake -S "$source" -B "$BUILD" -G Ninja -DCMAKE_C_COMPILER=gcc &&
            cmake --build "$BUILD"
    } >"$BUILD/qemu.build.log" 2>&1 || fail "the build failed:
$(tail -n 40 "$BUILD/qemu.build.log")"
}

# scripts TEST… : where they are in the source tree, one per line; all there are when none is given
scripts() {
    [ $# -gt 0 ] || set -- "$here"/tests/*.sh
    for test in "$@"; do
        case $test in
        bench/*) test=tests/$test.sh ;;
        *) test=tests/qemu/tests/$(basename "$test" .sh).sh ;;
        esac
        [ -e "$source/$test" ] || return 1
        echo "$test"
    done
}

# What the machine is to do (init and guest.sh read it), and room for what it says.
make_job() {
    rm -rf "$job"
    mkdir -p "$job"
    echo "$source" >"$job/source"
    echo "$BUILD" >"$job/build"
    : >"$job/result"
    scripts "$@" >"$job/tests" || fail "no such test: $*"
}

# The value of a path in qemu's options, in which a comma is doubled.
path() {
    printf '%s' "$1" | sed 's/,/,,/g'
}

# It ends by its own reboot (-no-reboot), or after its time. KVM is not used: where it is nested it
# hangs, and so every machine takes alike. One CPU does the same work in half the time of two, which
# wait for each other at every transfer.
boot() {
    share=security_model=none,multidevs=remap
    exec timeout -k 10 "${GANGFLASH_QEMU_SECONDS:-1800}" \
        qemu-system-x86_64 -accel tcg -cpu max -smp 1 -m 1024 \
        -nodefaults -no-user-config -display none -no-reboot -serial stdio \
        -fsdev "local,id=root,path=/,$share,readonly=on" \
        -fsdev "local,id=source,path=$(path "$source"),$share,readonly=on" \
        -fsdev "local,id=build,path=$(path "$BUILD"),$share" \
        -device virtio-9p-pci,fsdev=root,mount_tag=root \
        -device virtio-9p-pci,fsdev=source,mount_tag=source \
        -device virtio-9p-pci,fsdev=build,mount_tag=build \
        -kernel "$kernel/vmlinux" -initrd "$kernel/initramfs" \
        -append "console=ttyS0 loglevel=3 panic=-1 mitigations=off init_on_alloc=0" \
        </dev/null >"$job/console.log" 2>&1
}

# The output of those that failed, and, if the machine did not get to its end, what it said last.
explain() {
    while read -r script; do
        test=$(basename "$script" .sh)
        grep -q "^[A-Za-z]*: $test (" "$job/result" ||
            echo "FAILED: $test (the machine ended before it)"
    done <"$job/tests"
    for test in $(sed -n 's/^FAILED: \([^ ]*\) .*/\1/p' "$job/result"); do
        printf -- '--- %s\n' "$test"
        tail -n 40 "$job/$test.log"
    done
    [ "$ended" -eq 1 ] || { echo "--- console" && tail -n 40 "$job/console.log"; }
}

# Counts the machine's own words; a test without one has failed.
judge() {
    ended=$(grep -c '^end$' "$job/result")
    passed=$(grep -c '^passed: ' "$job/result")
    skipped=$(grep -c '^skipped: ' "$job/result")
    failed=$(($(wc -l <"$job/tests") - passed - skipped))
    [ "$ended" -eq 1 ] || [ "$failed" -gt 0 ] || failed=1
    [ "$failed" -eq 0 ] || explain
    printf 'qemu: %d passed, %d failed' "$passed" "$failed"
    [ "$skipped" -eq 0 ] || printf ', %d skipped' "$skipped"
    printf '\n'
    [ "$failed" -eq 0 ]
}

sh "$source/station/setup.sh" test || fail "what the tests need cannot be installed"
if [ -n "${BUILD:-}" ]; then
    BUILD=$(cd "$BUILD" && pwd -P) || fail "no build tree"
else
    own_build
fi
kernel=${GANGFLASH_QEMU_KERNEL:-$BUILD/qemu/kernel}
job=$BUILD/qemu/job
mkdir -p "$BUILD/qemu"
exec 8>"$BUILD/qemu/lock"
flock 8 # one machine at a time works with a build tree
sh "$here/kernel.sh" "$kernel" >"$BUILD/qemu/kernel.log" 2>&1 || fail "no kernel:
$(cat "$BUILD/qemu/kernel.log")"
make_job "$@"
boot &
# The lines as they come.
tail -n +1 -s 0.2 -f --pid=$! "$job/result" | sed -u '/^end$/d'
judge
