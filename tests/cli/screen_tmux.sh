# The screen, in a real terminal: article, keys, verdicts, resizing, and the terminal as it was.
command -v tmux >/dev/null || exit 77
set -eu
. "$SOURCE/tests/cli/common/cli.bash"
bench
log=$work/log.sqlite
socket=$work/tmux
tmux() {
    command tmux -S "$socket" -f /dev/null "$@"
}
trap 'tmux kill-server 2>/dev/null || true; cleanup' EXIT

# open_session COLUMNS ROWS ARGUMENT… : a shell that runs the station and then shows its exit status
open_session() {
    local columns=$1 rows=$2
    shift 2
    tmux new-session -d -s test -x "$columns" -y "$rows" \
        "stty -g >'$work/stty-before'
         '$gangflash' flash demo --jig '$work/bench.yaml' --log '$log' $*
         echo \"status \$?\"; stty -g >'$work/stty-after'; read -r line"
}
shows() {
    tmux capture-pane -p -t test >"$work/out"
    grep -qF -- "$1" "$work/out"
}
end_session() {
    tmux send-keys -t test Enter
    tmux kill-session -t test 2>/dev/null || true
}

open_session 80 24 --lot S-1 --count 4
wait_for 30 shows "ready for a board"
shows "DEMO-0001" || fail "the article"
shows "lot S-1  4 to go" || fail "the lot"
shows "Enter: GO" || fail "the keys"
tmux send-keys -t test Enter
wait_for 30 shows "PASS"
wait_for 30 shows "2 to go"
tmux resize-window -t test -x 120 -y 40
wait_for 10 shows "DEMO-0001"
resized() {
    tmux capture-pane -p -t test >"$work/out"
    sed -n 39p "$work/out" | grep -q 'passed 2'
}
wait_for 10 resized
wait_for 30 shows "ready for a board"
tmux send-keys -t test Enter
wait_for 30 shows "status 0"
shows "lot S-1: 4 of 4 boards have passed" || fail "the summary after the screen"
cmp "$work/stty-before" "$work/stty-after" || fail "the terminal is not as it was"
equal "$(query "$log" "select count(*) from attempts where verdict = 'pass'")" 4 "passes"
end_session

# q ends, Ctrl-C interrupts; both restore the terminal.
open_session 80 24
wait_for 30 shows "ready for a board"
tmux send-keys -t test q
wait_for 30 shows "status 1"
cmp "$work/stty-before" "$work/stty-after" || fail "the terminal after q"
end_session
open_session 80 24 --bench-pace real
wait_for 30 shows "ready for a board"
tmux send-keys -t test Enter
wait_for 60 shows "flash  "
tmux send-keys -t test C-c
wait_for 30 shows "status 130"
shows "INTERRUPTED" || fail "what became of the boards"
cmp "$work/stty-before" "$work/stty-after" || fail "the terminal after Ctrl-C"
end_session

# A terminal that cannot do it gets plain lines.
tmux new-session -d -s test -x 100 -y 30 \
    "TERM=dumb '$gangflash' flash demo --jig '$work/bench.yaml' --log '$log' --count 2; read -r line"
wait_for 30 shows "Enter is GO"
tmux send-keys -t test Enter
wait_for 30 shows "2 boards: 2 passed"
end_session
