#!/usr/bin/env bash
# Every part that both know, judged by Debian's avrdude with its own part table: it reads signature,
# fuses and lock bits, erases, writes flash and EEPROM (both ends, and across each 64 KiB), verifies,
# turns one harmless bit of each fuse over and back. Then the bench's own record must agree. And where
# the two part tables differ, tests/data/avrdude_disagreements.txt must know.
#
# EVERY=10 programs each tenth part only, for builds in which that would take too long; without it a
# build with a sanitizer does the same (it reads the build's CMake cache).
. "${SOURCE:?}/tests/peers/simbench.bash"
need_avrdude
tool=$SOURCE/tests/tools/avrdude_parts.py
known=$SOURCE/tests/data/avrdude_disagreements.txt

if [ -z "${EVERY:-}" ]; then
    EVERY=1
    grep -q '^GANGFLASH_SANITIZE:[A-Z]*=.' "$BUILD/CMakeCache.txt" && EVERY=10
fi

avrdude -p '*/At' >"$work/table" 2>/dev/null
"$BUILD/bin/part_facts" "$BUILD/share/gangflash/parts" >"$work/facts" || fail "the part files"

# Each line of the list: part, fact, ours, avrdude's, which was taken and why.
if avrdude -v 2>&1 | grep -q 'Version 7\.1$'; then
    python3 "$tool" differences "$work/table" "$work/facts" | LC_ALL=C sort >"$work/found"
    grep -v '^#' "$known" | cut -f 1-4 | LC_ALL=C sort >"$work/listed"
    diff "$work/listed" "$work/found" >"$work/unlisted" ||
        fail "part tables differ otherwise than listed (< listed, > found):
$(cat "$work/unlisted")"
    echo "$(wc -l <"$work/found") differences to avrdude's part table, all known"
else
    echo "another avrdude than 7.1: its part table is not compared"
fi

# run_job SITE ARGUMENT…
run_job() {
    local site=$1
    shift
    run_avrdude "$work/avrdude.$site.log" -P "$(sed -n "s/^$site //p" "$work/places")" -b 19200 "$@" &&
        return 0
    echo "FAILED: avrdude $*"
    cat "$work/avrdude.$site.log"
    return 255 # xargs stops
}

python3 "$tool" prepare "$work/table" "$work/facts" "$work" "$EVERY" || fail "no jobs"
start_bench "$work/jig.yaml" fast --record "$work/record"
for site in "${!place[@]}"; do
    echo "$site ${place[$site]}"
done >"$work/places"
export -f run_job run_avrdude not_in_sync
export work
xargs -P 2 -L 1 bash -c 'run_job "$@"' run_job <"$work/jobs" >"$work/failures" 2>&1 ||
    fail "$(cat "$work/failures")"
stop_bench
python3 "$tool" judge "$work/table" "$work/facts" "$work" || fail "boards are not as asked for"
