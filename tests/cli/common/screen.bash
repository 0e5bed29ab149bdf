# Common to the tests of the screen: the station in a terminal of its own (tmux), looked at by what
# stands on it. Source it after cli.bash.
command -v tmux >/dev/null || exit 77
socket=$work/tmux
environment= # of the station: NAME=VALUE …
# Without a session its server stays, so that the next one does not meet a server that is leaving.
echo "set -s exit-empty off" >"$work/tmux.conf"
tmux() {
    command tmux -S "$socket" -f "$work/tmux.conf" "$@"
}
trap 'tmux kill-server 2>/dev/null || true; cleanup' EXIT

# open_session COLUMNS ROWS ARGUMENT… : a shell that runs the station and then shows its exit status
open_session() {
    local columns=$1 rows=$2
    shift 2
    tmux new-session -d -s test -x "$columns" -y "$rows" \
        "stty -g >'$work/stty-before'
         env $environment '$gangflash' flash demo $*
         echo \"status \$?\"; stty -g >'$work/stty-after'; read -r line"
}

end_session() {
    tmux send-keys -t test Enter
    tmux kill-session -t test 2>/dev/null || true
}

press() {
    tmux send-keys -t test "$@"
}

resize() { # COLUMNS ROWS
    tmux resize-window -t test -x "$1" -y "$2"
}

# shows TEXT : anywhere on the screen, which is in $work/out afterwards
shows() {
    tmux capture-pane -p -t test >"$work/out"
    grep -qF -- "$1" "$work/out"
}

shows_not() {
    ! shows "$1"
}

# row_shows ROW TEXT : rows count from 1
row_shows() {
    tmux capture-pane -p -t test >"$work/out"
    sed -n "$1p" "$work/out" | grep -qF -- "$2"
}

# The same with patience: a picture arrives bit by bit.
shown() {
    wait_for 60 shows "$1"
}
row_shown() {
    wait_for 60 row_shows "$1" "$2"
}

# area_shows TEXT FROM TO COLUMN COLUMNS : rows FROM to TO, so many columns from COLUMN
area_shows() {
    local line
    tmux capture-pane -p -t test >"$work/out"
    sed -n "$2,$3p" "$work/out" | while IFS= read -r line; do
        printf '%s\n' "${line:$(($4 - 1)):$5}"
    done | grep -qF -- "$1"
}
area_shown() {
    wait_for 60 area_shows "$@"
}

ended_with() {
    tmux capture-pane -p -t test >"$work/out"
    grep -qx "status $1" "$work/out"
}

# The station ended with this status, and the terminal is as it was.
left_with() {
    wait_for 60 ended_with "$1"
    wait_for 60 test -s "$work/stty-after"
    cmp "$work/stty-before" "$work/stty-after" || fail "the terminal is not as it was"
    equal "$(tmux display-message -p -t test '#{alternate_on} #{cursor_flag}')" "0 1" \
        "alternate screen and cursor"
    rm "$work/stty-after"
}
