# Colours, reverse video and ASCII: no terminal has to have what another one has, and on none of them
# a verdict is told by colour alone.
set -eu
. "$SOURCE/tests/cli/common/cli.bash"
. "$SOURCE/tests/cli/common/screen.bash"
log=$work/log.sqlite
bench "site: 2, board: 1, fault: wrong-part, part: ATmega32U4"
# The simulated operator takes boards out at once; the station is to believe it late.
sed 's/gone: 0 ms/gone: 60 s/' -i "$work/bench.yaml"
escape=$(printf '\033')

capture() {
    tmux capture-pane -p -t test >"$work/out"
    tmux capture-pane -pe -t test >"$work/escapes"
}
colors() { # FROM TO : rows that set a colour
    sed -n "$1,$2p" "$work/escapes" | grep -cE "$escape\[([0-9]+;)*[34][0-7]m" || true
}

# open_judged COLUMNS ROWS : both boards are done; what is drawn is captured
open_judged() {
    open_session "$1" "$2" --jig "$work/bench.yaml" --log "$log"
    row_shown 2 "armed 1-2"
    press Enter
    row_shown 2 "take out 1-2"
    capture
}

leave() {
    press C-c
    left_with 130
    end_session
}

environment="TERM=screen-256color"
open_judged 80 24
area_shown "██████    ██    ██████  ██████" 3 18 1 40
area_shown "═══" 3 18 1 40
area_shown "██  ███ ███ █ █ ███ ███ ██" 3 18 41 40
area_shown "╱╱╱" 3 18 41 40
grep -qE "$escape\[([0-9]+;)*42m" "$work/escapes" || fail "no green on a terminal with colours"
grep -qE "$escape\[([0-9]+;)*43m" "$work/escapes" || fail "no yellow on a terminal with colours"
leave

# Without colours what needs hands is in reverse video and a pass is not.
for type in vt100 xterm-mono; do
    environment="TERM=$type LC_ALL=C"
    open_judged 80 24
    equal "$(colors 1 24)" 0 "colours on $type"
    area_shown "######    ##    ######  ######" 3 18 1 40
    area_shown "===" 3 18 1 40
    area_shown "##  ### ### # # ### ### ##" 3 18 41 40
    area_shown "///" 3 18 41 40
    ! LC_ALL=C grep -q '[^ -~]' "$work/out" || fail "more than ASCII on $type"
    # The pass stands left: nothing is reversed before the other verdict begins.
    line=$(sed -n 4p "$work/escapes")
    case ${line%%"##  ### ###"*} in
    *7m*"######    ##"*) fail "a pass in reverse video on $type" ;;
    *"######    ##"*"$escape["*7m*) ;;
    *) fail "no reverse video for a board that was refused on $type: $line" ;;
    esac
    leave
done

# 64 sites on the least window: every one with its number and its word, as the jig stands.
bench_sites=$(seq 64)
bench "site: 12, fault: wrong-part, part: ATmega32U4" "site: 13, fault: no-board"
{
    echo "layout:"
    for row in 0 8 16 24 32 40 48 56; do
        echo "  - [$(seq -s ', ' $((row + 1)) $((row + 8)))]"
    done
} >>"$work/bench.yaml"
environment=
open_session 80 24 --jig "$work/bench.yaml" --log "$log"
row_shown 2 "armed 1-64"
press Enter
row_shown 22 "passed 62  failed 0  refused 1  empty 1"
row_shown 2 "armed 1-64"
for site in $(seq 64); do
    row=$((3 + (site - 1) / 8 * 2))
    column=$((1 + (site - 1) % 8 * 10))
    area_shown "$site " $row $row $column 10
    [ "$site" = 13 ] || area_shown "last " $((row + 1)) $((row + 1)) $column 10
done
area_shown "EMPTY" 5 5 41 10
press C-c
left_with 130
end_session
