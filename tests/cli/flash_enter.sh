# --go enter with lines for presses: one cycle per line, the end of input ends the run.
set -eu
. "$SOURCE/tests/cli/common/cli.bash"
log=$work/log.sqlite
bench

# press TEXT ARGUMENT… : status in $status
press() {
    local text=$1
    shift
    status=0
    printf "$text" | "$gangflash" flash demo --jig "$work/bench.yaml" --log "$log" "$@" \
        >"$work/out" 2>"$work/err" || status=$?
}
press '\n\n\n'
equal "$status" 0 "exit status after three presses"
equal "$(query "$log" "select group_concat(cycle || ':' || n) from
    (select cycle, count(*) n from attempts group by cycle order by cycle)")" "1:2,2:2,3:2" "cycles"
says out "cycle 3: GO, 2 sites"

# "q" ends the run like the end of input; what follows is not read.
press '\nq\n\n'
equal "$(query "$log" "select count(*) from attempts")" 8 "attempts after q"

# A line without its end is no press; no press, no board, no success.
press 'x'
equal "$status" 1 "exit status without a press"
equal "$(query "$log" "select count(*) from attempts")" 8 "attempts without a press"

# The count ends the run although presses are left.
press '\n\n\n\n\n\n\n\n' --count 4
equal "$status" 0 "exit status at the count"
equal "$(query "$log" "select count(*) from attempts")" 12 "attempts up to the count"
