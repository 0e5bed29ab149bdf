#!/bin/sh
# Builds Gangflash and runs every test: installs what is missing (Debian 12), then
#   1. the style: clang-format, clang-tidy
#   2. gcc, as it is installed: all tests but the gate on the wire
#   3. clang with ASan and UBSan: all tests but avrdude on every part
#   4. clang with TSan: the scheduler and the log
#   5. libFuzzer: each parser, a while (FUZZ_SECONDS, default 60)
#   6. qemu: what needs a kernel with USB, in a machine of its own (tests/qemu/run.sh)
# Ends with one line: how many tests passed and failed, and were skipped if any were. Exit status 0
# only if none failed.
#
# usage: sh tests/run.sh [stage …]      stages: style gcc asan tsan fuzz qemu
set -u
source=$(cd "$(dirname "$0")/.." && pwd)
work=${GANGFLASH_TEST_BUILD:-$source/build}
jobs=$(nproc)
passed=0
failed=0
skipped=0

say() {
    printf '\n=== %s\n' "$*"
}

# build NAME CMAKE-ARGUMENT… : configures and builds into $work/NAME
build() {
    name=$1
    shift
    if cmake -S "$source" -B "$work/$name" -G Ninja "$@" >"$work/$name.configure.log" 2>&1 &&
        cmake --build "$work/$name" -j "$jobs" >"$work/$name.build.log" 2>&1; then
        return 0
    fi
    tail -n 40 "$work/$name.configure.log" "$work/$name.build.log" 2>/dev/null
    echo "FAILED: build $name"
    failed=$((failed + 1))
    return 1
}

# run_tests NAME CTEST-ARGUMENT… : runs ctest in $work/NAME and counts
run_tests() {
    name=$1
    shift
    ctest --test-dir "$work/$name" --output-on-failure --no-tests=error -j "$jobs" "$@" \
        >"$work/$name.tests.log" 2>&1
    status=$?
    sed -n '/^ *[0-9]*\/[0-9]* Test/p; /tests passed/p' "$work/$name.tests.log"
    counts=$(sed -n 's/.*tests passed, \([0-9]*\) tests failed out of \([0-9]*\).*/\1 \2/p' \
        "$work/$name.tests.log")
    if [ -z "$counts" ]; then
        cat "$work/$name.tests.log"
        failed=$((failed + 1))
        return
    fi
    bad=${counts% *}
    all=${counts#* }
    # ctest counts a skipped test among those that passed.
    left_out=$(grep -c '^ *[0-9]*/[0-9]* Test .*\*\*\*Skipped' "$work/$name.tests.log")
    passed=$((passed + all - bad - left_out))
    failed=$((failed + bad))
    skipped=$((skipped + left_out))
    if [ "$status" -ne 0 ]; then
        [ "$bad" -ne 0 ] || failed=$((failed + 1))
        sed -n '/^ *Start/d; /Passed/d; p' "$work/$name.tests.log" | tail -n 200
    fi
}

sources() {
    (cd "$source" && find reports profiles jigs station tests -name '*.[ch]' | sort)
}

check() { # check NAME COMMAND…
    name=$1
    shift
    if "$@" >"$work/$name.log" 2>&1; then
        echo "passed: $name"
        passed=$((passed + 1))
    else
        tail -n 60 "$work/$name.log"
        echo "FAILED: $name"
        failed=$((failed + 1))
    fi
}

format_is_right() {
    cd "$source" && sources | xargs clang-format --dry-run --Werror
}

tidy_is_silent() {
    # Not the tests, nor the demonstration firmware, which is built by avr-gcc.
    cd "$source" && sources | grep '\.c$' | grep -v -e '^tests/' -e '^profiles/boards/' |
        xargs -P "$jobs" -n 1 clang-tidy --quiet -p "$work/asan"
}

stage_style() {
    say "style"
    check clang-format format_is_right
    build asan $asan_options && check clang-tidy tidy_is_silent
}

stage_gcc() {
    say "gcc: all tests but the gate on the wire"
    # The soak has more boards here than where sanitizers make all slow. SOAK_BOARDS=20000 takes minutes
    # and a machine with nothing else to do.
    # What takes long and is the same with any compiler is run once, with or without sanitizers.
    build gcc -DCMAKE_C_COMPILER=gcc &&
        SOAK_BOARDS=${SOAK_BOARDS:-1000} run_tests gcc -E '^test_gate_wire_'
}

stage_asan() {
    say "clang, ASan and UBSan: all tests but avrdude on every part"
    build asan $asan_options && run_tests asan -E '^peers_avrdude_parts$'
}

stage_tsan() {
    say "clang, TSan: scheduler and log"
    build tsan -DCMAKE_C_COMPILER=clang -DGANGFLASH_SANITIZE=thread &&
        run_tests tsan -R 'test_(scheduler|event|log|log_faults|log_reader|bench|arduino_isp)$'
}

stage_fuzz() {
    say "libFuzzer: parsers"
    build fuzz -DCMAKE_C_COMPILER=clang -DGANGFLASH_SANITIZE=address,undefined \
        -DGANGFLASH_FUZZ=ON && FUZZ_SECONDS=${FUZZ_SECONDS:-60} run_tests fuzz -R '^fuzz_'
}

# Its last line is "qemu: 12 passed, 0 failed, 1 skipped".
stage_qemu() {
    say "qemu: USB over Debian's kernel"
    build gcc -DCMAKE_C_COMPILER=gcc || return
    BUILD="$work/gcc" sh "$source/tests/qemu/run.sh" | tee "$work/qemu.tests.log"
    counts=$(sed -n '$s/^qemu: \([0-9]*\) passed, \([0-9]*\) failed\(.*\)/\1 \2 \3/p' \
        "$work/qemu.tests.log")
    if [ -z "$counts" ]; then
        failed=$((failed + 1))
        return
    fi
    passed=$((passed + ${counts%% *}))
    counts=${counts#* }
    failed=$((failed + ${counts%% *}))
    left_out=$(echo "${counts#* }" | tr -dc 0-9)
    skipped=$((skipped + ${left_out:-0}))
}

asan_options="-DCMAKE_C_COMPILER=clang -DGANGFLASH_SANITIZE=address,undefined"
mkdir -p "$work"
sh "$source/station/setup.sh" test || exit 1
[ $# -gt 0 ] || set -- style gcc asan tsan fuzz qemu
for stage in "$@"; do
    case $stage in
    style | gcc | asan | tsan | fuzz | qemu) "stage_$stage" ;;
    *)
        echo "unknown stage '$stage': style gcc asan tsan fuzz qemu" >&2
        exit 2
        ;;
    esac
done

printf '\n%d passed, %d failed' "$passed" "$failed"
[ "$skipped" -eq 0 ] || printf ', %d skipped' "$skipped"
printf '\n'
[ "$failed" -eq 0 ]
