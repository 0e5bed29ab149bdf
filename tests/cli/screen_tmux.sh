# The screen, in a real terminal: article, lot, keys, resizing at any time, and the terminal as it
# was after every end.
set -eu
. "$SOURCE/tests/cli/common/cli.bash"
. "$SOURCE/tests/cli/common/screen.bash"
bench
log=$work/log.sqlite
jig="--jig $work/bench.yaml --log $log"

open_session 80 24 $jig --lot S-1 --count 4
wait_for 30 row_shows 2 "armed 1-2"
shows "ready for a board" || fail "the sites"
row_shows 1 "DEMO-0001  revision 1  profile demo on ATmega328P" || fail "the article"
row_shows 1 "lot S-1  4 to go" || fail "the lot"
row_shows 22 "passed 0  failed 0  refused 0  empty 0" || fail "the counts"
row_shows 23 "failures: none" || fail "the causes"
row_shows 24 "Enter: GO" || fail "the keys"
press Enter
wait_for 30 row_shows 22 "passed 2  failed 0"
row_shows 1 "2 to go" || fail "what remains"
# Resized while nothing happens, wide, narrow and back.
wait_for 30 row_shows 2 "armed 1-2"
resize 120 40
wait_for 10 row_shows 40 "Enter: GO"
wait_for 10 row_shows 38 "passed 2"
wait_for 10 row_shows 1 "2 to go"
resize 60 12
wait_for 10 shows "last: PASS"
wait_for 10 row_shows 12 "Enter: GO"
resize 200 60
wait_for 10 row_shows 60 "Enter: GO"
resize 9 2
wait_for 10 row_shows 1 "1 more"
wait_for 10 row_shows 2 "1 pass"
resize 1 1
wait_for 10 shows_not "pass"
resize 80 24
wait_for 10 row_shows 24 "Enter: GO"
# What somebody else wrote onto the terminal goes with Ctrl-L.
printf '\033[10;5Hgarbage' >"$(tmux display-message -p -t test '#{pane_tty}')"
wait_for 10 shows "garbage"
press C-l
wait_for 10 shows_not "garbage"
press Enter
left_with 0
shows "lot S-1: 4 of 4 boards have passed" || fail "the summary after the screen"
equal "$(query "$log" "select count(*) from attempts where verdict = 'pass'")" 4 "passes"
end_session

# Resized in mid-run the work goes on; q ends when it is done.
open_session 80 24 $jig --bench-pace real
wait_for 30 row_shows 2 "armed 1-2"
press Enter
wait_for 60 shows "writing flash"
row_shows 2 "at work 1-2" || fail "who is at work"
wait_for 30 shows "█░"
shows "s left" || fail "the time"
for size in "60 12" "20 4" "2 1" "200 60" "80 24"; do
    # shellcheck disable=SC2086
    resize $size
    wait_for 10 test "$(tmux display-message -p -t test '#{window_width} #{window_height}')" = "$size"
done
press q
wait_for 30 row_shows 24 "q: finish"
wait_for 30 shows "the run ends when those in work are finished"
left_with 0
shows "2 boards: 2 passed" || fail "the boards that were in work"
end_session

# q and Ctrl-C with nothing, and with boards, in work
open_session 80 24 $jig
wait_for 30 row_shows 2 "armed 1-2"
press q
left_with 1
end_session
open_session 80 24 $jig --bench-pace real
wait_for 30 row_shows 2 "armed 1-2"
press Enter
wait_for 60 shows "writing flash"
press C-c
left_with 130
shows "INTERRUPTED" || fail "what became of the boards"
end_session

# A run that does not come about leaves the terminal as it was, too.
cat >"$work/missing.yaml" <<END_OF_JIG
jig: missing
sites:
  - {site: 1, programmer: stk500v1, at: "serial:/dev/gangflash-is-not-there"}
END_OF_JIG
open_session 80 24 --jig "$work/missing.yaml" --log "$log"
left_with 4
shows "place-missing" || fail "the reason"
end_session
# ...and so does a signal.
open_session 80 24 $jig
wait_for 30 row_shows 2 "armed 1-2"
kill -TERM "$(pgrep -P "$(tmux display-message -p -t test '#{pane_pid}')")"
left_with 1
end_session

# A terminal that cannot do it gets plain lines.
environment="TERM=dumb"
open_session 100 30 $jig --count 2
wait_for 30 shows "Enter is GO"
press Enter
wait_for 30 shows "2 boards: 2 passed"
end_session
