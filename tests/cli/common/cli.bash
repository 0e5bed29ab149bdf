# Common to the tests of the command line: $gangflash, a directory that is removed at the end, and
# commands that say what was expected when it did not come.
set -eu
: "${BUILD:?}" "${SOURCE:?}"
gangflash=$BUILD/bin/gangflash
# Its path stands in YAML, in shell lines and in messages: it has nothing that must be quoted there.
case ${TMPDIR:-} in *[!A-Za-z0-9/._-]*) export TMPDIR=/tmp ;; esac
work=$(mktemp -d)
unset GANGFLASH_LOG GANGFLASH_DATA GANGFLASH_PARTS XDG_CONFIG_HOME POSIXLY_CORRECT
export XDG_STATE_HOME=$work/state HOME=$work LC_ALL=C.UTF-8
own_bench_process=
cleanup() {
    [ -z "$own_bench_process" ] || kill "$own_bench_process" 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT

fail() {
    echo "FAILED: $*" >&2
    for file in "$work"/out "$work"/err; do
        [ ! -s "$file" ] || { echo "--- ${file##*/}" && tail -n 40 "$file"; } >&2
    done
    exit 1
}

# expect STATUS COMMAND… : runs it, output in $work/out and $work/err
expect() {
    local wanted=$1 status=0
    shift
    "$@" >"$work/out" 2>"$work/err" </dev/null || status=$?
    [ "$status" -eq "$wanted" ] || fail "exit status $status, expected $wanted: $*"
}

# says FILE TEXT : $work/FILE (out or err) has this text
says() {
    grep -qF -- "$2" "$work/$1" || fail "$1 does not say: $2"
}

# equal FOUND EXPECTED WHAT
equal() {
    [ "$1" = "$2" ] || fail "$3: found '$1', expected '$2'"
}

# query LOG SQL
query() {
    sqlite3 -batch "$1" "$2"
}

# flash STATUS ARGUMENT… : the demo profile on a fast bench of two sites
flash() {
    local wanted=$1
    shift
    expect "$wanted" "$gangflash" flash demo --jig "$work/bench.yaml" "$@"
}

# start COMMAND… : runs it beside the test, in a process group of its own; its number in $station.
# The files are emptied first, so that nobody waits for words of an earlier run. Descriptors 3 and 9,
# which tests write presses and commands to, stay with the test.
start() {
    : >"$work/out" >"$work/err"
    setsid "$@" >"$work/out" 2>"$work/err" <&0 3>&- 9>&- &
    station=$!
}

# ended STATUS : waits for what was started
ended() {
    local status=0
    wait "$station" || status=$?
    [ "$status" -eq "$1" ] || fail "exit status $status, expected $1"
}

# wait_for SECONDS COMMAND… : until it succeeds
wait_for() {
    local until=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$until" ] || fail "waited in vain for: $*"
        sleep 0.1
    done
}

# bench [FAULT…] : $work/bench.yaml, two sites (or those in $bench_sites) and these faults. What $found
# says, their boards carry already.
found=
bench() {
    {
        echo "jig: test-bench"
        echo "bench: {simulated: true, pace: fast, seed: 1}"
        echo "contact: {present: 0 ms, gone: 0 ms, poll: 10 ms}"
        echo "sites:"
        for site in ${bench_sites:-1 2}; do
            echo "  - {site: $site, programmer: stk500v1, model: arduino-uno-isp, board: ATmega328P," \
                "crystal: 16 MHz${found:+, found: {$found\}}}"
        done
        [ $# -eq 0 ] || echo "faults:"
        [ $# -eq 0 ] || printf '  - {%s}\n' "$@"
    } >"$work/bench.yaml"
}

# own_bench [FAULT…] : the same bench, started by hand, and $work/own.yaml that names its places as
# if they were real ones: nobody swaps its boards, but for lines that are written to descriptor 9.
# Its pace is $own_bench_pace, fast if that is not given.
own_bench() {
    bench "$@"
    rm -f "$work/own.commands" "$work/own.places"
    mkfifo "$work/own.commands"
    "$BUILD/bin/simbench" --parts "$BUILD/share/gangflash/parts" \
        --pace "${own_bench_pace:-fast}" "$work/bench.yaml" \
        <"$work/own.commands" >"$work/own.places" 2>"$work/own.errors" &
    own_bench_process=$!
    exec 9>"$work/own.commands"
    wait_for 60 grep -qs '^ready' "$work/own.places"
    {
        echo "jig: own-bench"
        echo "contact: {present: 0 ms, gone: 0 ms, poll: 10 ms}"
        echo "sites:"
        sed -n 's/^site \([0-9]*\) \(.*\)/  - {site: \1, programmer: stk500v1, at: "\2"}/p' \
            "$work/own.places"
    } >"$work/own.yaml"
}

# own_bench_end : it is gone, with its places
own_bench_end() {
    exec 9>&-
    wait "$own_bench_process" || fail "simbench ended with status $?"
    own_bench_process=
}
