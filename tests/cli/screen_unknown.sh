# The log is lost while boards are in work: the screen says so, sends the boards to quarantine, shows no
# pass, and stays until somebody has seen it.
set -eu
. "$SOURCE/tests/cli/common/cli.bash"
. "$SOURCE/tests/cli/common/screen.bash"
bench
mkdir "$work/elsewhere"
log=$work/log.sqlite

open_session 80 24 --jig "$work/bench.yaml" --log "$log" --bench-pace real
wait_for 30 row_shows 2 "armed 1-2"
press Enter
wait_for 60 shows "writing flash"
mv "$log"* "$work/elsewhere"
wait_for 60 row_shows 24 "The run is over. Enter: leave"
wait_for 30 shows "LOG FAULT: "
row_shows 22 "passed 0  failed 0  unknown 2" || fail "the counts"
row_shows 23 "failures: 2 log" || fail "the causes"
shows_not "yield" || fail "a yield of unknown boards"
area_shows "quarantine" 3 18 1 40
area_shows "quarantine" 3 18 41 40
area_shows "█ █ █  █ █ █ █  █ ███ █   █ █  █" 3 18 1 40
area_shows "???" 3 18 1 40
shows_not "PASS" || fail "a pass that is not logged"
press Enter
left_with 5
shows "2 unknown: quarantine" || fail "the summary"
end_session
