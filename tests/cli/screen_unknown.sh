# The log is lost while boards are in work: the screen says so, sends the boards to quarantine, shows no
# pass, and stays until somebody has seen it.
set -eu
. "$SOURCE/tests/cli/common/cli.bash"
. "$SOURCE/tests/cli/common/screen.bash"
bench
mkdir "$work/elsewhere"
log=$work/log.sqlite

open_session 80 24 --jig "$work/bench.yaml" --log "$log" --bench-pace real
row_shown 2 "armed 1-2"
press Enter
shown "writing flash"
mv "$log"* "$work/elsewhere"
row_shown 24 "The run is over. Enter: leave"
shown "LOG FAULT: "
row_shown 22 "passed 0  failed 0  unknown 2"
row_shown 23 "failures: 2 log"
! row_shows 22 "%" || fail "a yield of unknown boards"
area_shown "quarantine" 3 18 1 40
area_shown "quarantine" 3 18 41 40
area_shown "█ █ █  █ █ █ █  █ ███ █   █ █  █" 3 18 1 40
area_shown "???" 3 18 1 40
shows_not "PASS" || fail "a pass that is not logged"
press Enter
left_with 5
shown "2 unknown: quarantine"
end_session
