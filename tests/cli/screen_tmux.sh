# The screen, in a real terminal: article, lot, keys, resizing at any time, and the terminal as it
# was after every end.
set -eu
. "$SOURCE/tests/cli/common/cli.bash"
. "$SOURCE/tests/cli/common/screen.bash"
own_bench
log=$work/log.sqlite
jig="--jig $work/bench.yaml --log $log"

# Boards are moved by hand, so that the next ones are there when GO is pressed.
open_session 80 24 --jig "$work/own.yaml" --log "$log" --lot S-1 --count 4
row_shown 2 "armed 1-2"
shown "ready for a board"
row_shown 1 "DEMO-0001  revision 1  profile demo on ATmega328P"
row_shown 1 "lot S-1  4 to go"
row_shown 22 "passed 0  failed 0  refused 0  empty 0"
row_shown 23 "failures: none"
row_shown 24 "Enter: GO"
press Enter
row_shown 22 "passed 2  failed 0"
row_shown 1 "2 to go"
printf 'remove %d\n' 1 2 >&9
row_shown 2 "armed 1-2"
printf '%s\n' "insert 1" "insert 2" "record 1" >&9
wait_for 60 grep -q '^{' "$work/own.places"
# Resized while nothing happens, wide, narrow and back.
resize 120 40
row_shown 40 "Enter: GO"
row_shown 38 "passed 2"
row_shown 1 "2 to go"
resize 60 12
shown "last: PASS"
row_shown 12 "Enter: GO"
resize 200 60
row_shown 60 "Enter: GO"
resize 9 2
row_shown 1 "1 more"
row_shown 2 "1 pass"
resize 1 1
wait_for 60 shows_not "pass"
resize 80 24
row_shown 24 "Enter: GO"
# What somebody else wrote onto the terminal goes with Ctrl-L.
printf '\033[10;5Hgarbage' >"$(tmux display-message -p -t test '#{pane_tty}')"
shown "garbage"
press C-l
wait_for 60 shows_not "garbage"
press Enter
left_with 0
shown "lot S-1: 4 of 4 boards have passed"
equal "$(query "$log" "select count(*) from attempts where verdict = 'pass'")" 4 "passes"
end_session

has_size() { # COLUMNS ROWS
    [ "$(tmux display-message -p -t test '#{window_width} #{window_height}')" = "$1" ]
}
# Resized in mid-run the work goes on; q ends when it is done.
open_session 80 24 $jig --bench-pace real
row_shown 2 "armed 1-2"
press Enter
shown "writing flash"
row_shown 2 "at work 1-2"
shown "█░"
shown "s left"
for size in "60 12" "20 4" "2 1" "200 60" "80 24"; do
    # shellcheck disable=SC2086
    resize $size
    wait_for 60 has_size "$size"
done
press q
row_shown 24 "q: finish"
shown "the run ends when those in work are finished"
left_with 0
shown "2 boards: 2 passed"
end_session

# q and Ctrl-C with nothing, and with boards, in work
open_session 80 24 $jig
row_shown 2 "armed 1-2"
press q
left_with 1
end_session
open_session 80 24 $jig --bench-pace real
row_shown 2 "armed 1-2"
press Enter
shown "writing flash"
press C-c
left_with 130
shown "INTERRUPTED"
end_session

# A run that does not come about leaves the terminal as it was, too.
cat >"$work/missing.yaml" <<END_OF_JIG
jig: missing
sites:
  - {site: 1, programmer: stk500v1, at: "serial:/dev/gangflash-is-not-there"}
END_OF_JIG
open_session 80 24 --jig "$work/missing.yaml" --log "$log"
left_with 4
shown "place-missing"
end_session
# ...and so does a signal.
open_session 80 24 $jig
row_shown 2 "armed 1-2"
kill -TERM "$(pgrep -P "$(tmux display-message -p -t test '#{pane_pid}')")"
left_with 130
end_session

# A terminal that cannot do it gets plain lines.
environment="TERM=dumb"
open_session 100 30 $jig --count 2
shown "Enter is GO"
press Enter
shown "2 boards: 2 passed"
end_session
