# Common to the tests of the screen: the station in a terminal of its own (tmux), looked at by what
# stands on it. Source it after cli.bash.
command -v tmux >/dev/null || exit 77
socket=$work/tmux
environment= # of the station: NAME=VALUE …
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

# area FROM TO COLUMN COLUMNS : what was captured last, rows FROM to TO, columns from COLUMN
area() {
    local line
    sed -n "$1,$2p" "$work/out" | while IFS= read -r line; do
        printf '%s\n' "${line:$(($3 - 1)):$4}"
    done
}

# area_shows TEXT FROM TO COLUMN COLUMNS
area_shows() {
    local text=$1
    shift
    area "$@" | grep -qF -- "$text" || fail "'$text' in rows $1 to $2, columns from $3"
}

# The station ended with this status, and the terminal is as it was.
left_with() {
    wait_for 60 shows "status $1"
    wait_for 30 test -s "$work/stty-after"
    cmp "$work/stty-before" "$work/stty-after" || fail "the terminal is not as it was"
    equal "$(tmux display-message -p -t test '#{alternate_on} #{cursor_flag}')" "0 1" \
        "alternate screen and cursor"
    rm "$work/stty-after"
}
