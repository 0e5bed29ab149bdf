# Lots: bound at first use to profile and count, and counted over restarts.
set -eu
. "$SOURCE/tests/cli/common/cli.bash"
log=$work/log.sqlite
bench "site: 1, board: 1, fault: wrong-part, part: ATmega32U4"
passed() {
    query "$log" "select count(*) from attempts where lot = 'A' and verdict = 'pass'"
}

# The first press: one board passes, one does not; the lot counts those that passed.
printf '\n' >"$work/one-press"
status=0
"$gangflash" flash demo --jig "$work/bench.yaml" --lot A --count 4 --log "$log" \
    <"$work/one-press" >"$work/out" 2>"$work/err" || status=$?
equal "$status" 1 "exit status after one press"
says out "lot A: 1 of 4 boards have passed"

# The second run takes the count from the log, does the three that are left and no more.
bench
flash 0 --go now --lot A --log "$log"
says out "lot A: 4 of 4 boards have passed"
equal "$(passed)" 4 "passed boards of the lot"

# A lot that is complete, has another count or another profile is refused, nothing is touched.
before=$(query "$log" "select count(*) from attempts")
flash 3 --go now --lot A --log "$log"
says err "lot A is complete"
flash 3 --go now --lot A --count 5 --log "$log"
says err "lot-refused"
data=$BUILD/share/gangflash/boards
sed "s|file: demo/demo.hex|file: $data/demo/demo.hex|; s|^revision: .*|revision: 99|" \
    "$data/demo.yaml" >"$work/other.yaml"
flash 0 --go now --lot B --count 1 --log "$log"
expect 3 "$gangflash" flash "$work/other.yaml" --jig "$work/bench.yaml" --go now --lot B --log "$log"
says err "lot-refused"
equal "$(query "$log" "select count(*) from attempts where lot = 'A'")" "$before" "attempts of the lot"
equal "$(query "$log" "select count(*) from attempts where lot is null")" 0 "attempts of no lot"

# Without a lot --count is of this run.
flash 0 --go now --count 3 --sites 2 --log "$log"
equal "$(query "$log" "select count(*), min(site), max(site) from attempts where lot is null")" \
    "3|2|2" "a run without lot"

# An image file that changes under a profile that does not say what is in it: the lot is refused,
# whose boards would carry two programs. Its own image, put back, goes on.
cp "$data/demo/demo.hex" "$work/unpinned.hex"
sed "s|file: demo/demo.hex|file: unpinned.hex|; /sha256:/d" "$data/demo.yaml" >"$work/unpinned.yaml"
expect 0 "$gangflash" flash "$work/unpinned.yaml" --jig "$work/bench.yaml" --go now --lot C \
    --sites 1 --log "$log"
printf ':0100000000FF\n:00000001FF\n' >"$work/unpinned.hex"
expect 3 "$gangflash" flash "$work/unpinned.yaml" --jig "$work/bench.yaml" --go now --lot C \
    --sites 1 --log "$log"
says err "an image file has changed since"
equal "$(query "$log" "select count(*) from attempts where lot = 'C'")" 1 "attempts of the lot"
cp "$data/demo/demo.hex" "$work/unpinned.hex"
expect 0 "$gangflash" flash "$work/unpinned.yaml" --jig "$work/bench.yaml" --go now --lot C \
    --sites 1 --log "$log"
