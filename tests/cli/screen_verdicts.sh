# What comes of the boards, on the screen: big words, where the board goes, the sentence, the place on
# the jig; held until the board is taken out; counts and causes; and nothing is taken away by the end
# of the run before it was seen.
set -eu
. "$SOURCE/tests/cli/common/cli.bash"
. "$SOURCE/tests/cli/common/screen.bash"
log=$work/log.sqlite
bench_sites="1 2 3 4 5"
# A bit turns over on its way into the flash of the third board, and the fifth loses its contact.
own_bench "site: 2, board: 1, fault: wrong-part, part: ATmega32U4" \
    'site: 3, board: 1, fault: flip, wire: to-programmer, match: "64 00 80 46", offset: 9, mask: 1' \
    "site: 4, fault: no-board" "site: 5, fault: dead, after: 300"
# Sites 1, 2 and 3 in the upper row, 5 and 4 in the lower one, which leaves a place free.
echo "layout: [[1, 2, 3], [5, 0, 4]]" >>"$work/own.yaml"
jig="--jig $work/own.yaml --log $log"

# Each block of the three is 26 columns wide and 8 rows high, the gap included.
block() { # TEXT SITE
    local place
    case $2 in
    1) place="3 10 1 26" ;;
    2) place="3 10 27 26" ;;
    3) place="3 10 53 26" ;;
    5) place="11 18 1 26" ;;
    4) place="11 18 53 26" ;;
    esac
    # shellcheck disable=SC2086
    area_shown "$1" $place
}
pass_letters="███  █  ███ ███"
fail_letters="███  █  ███ █"
empty_letters="███ █   █ ███ ███ █ █"

# Before GO: what is armed, in its place; what is not in use keeps its place.
open_session 80 24 $jig --sites 1-4 --lot V-1 --count 9
row_shown 2 "armed 1-4   not in use 5"
block "Site 1" 1
block "Site 2" 2
block "Site 3" 3
block "Site 4" 4
block "Site 5" 5
block "not in use" 5
block "ready for a board" 4
row_shown 1 "lot V-1  9 to go"

# After: big words, patterns that differ, where each board goes.
press Enter
row_shown 2 "armed 4   take out 1-3"
row_shown 22 "passed 1  failed 1  refused 1  empty 1  yield 33.3 %"
row_shown 23 "failures: 1 signature-mismatch  1 verify-mismatch"
block "$pass_letters" 1
block "═══" 1
block "take the board out" 1
block " REFUSED " 2
block "reject bin" 2
block "╱╱╱" 2
block "$fail_letters" 3
block "reject bin" 3
block "╳╳╳" 3
block "$empty_letters" 4
block "···" 4
row_shown 1 "lot V-1  8 to go"
# The sentences that have no room in a block, one after the other.
shown "Site 3 FAIL, reject bin: Put the board in the reject bin; if"
shown "Site 2 REFUSED, reject bin: Put the board in the reject bin"

# Held while the boards are in, whatever is pressed.
press Enter
shown "site 3: take the board out first"
row_shown 22 "empty 2"
block "$pass_letters" 1
block "$fail_letters" 3
# Out: only the last verdict remains, and a board that is in keeps its own.
echo "remove 3" >&9
row_shown 2 "armed 3-4   take out 1-2"
block "last: FAIL" 3
block "ready for a board" 3
! area_shows "$fail_letters" 3 10 53 26 || fail "the verdict of a board that is out"
block "$pass_letters" 1
echo "remove 1" >&9
row_shown 2 "armed 1 3-4   take out 2"
block "last: PASS" 1

# The run ends, but the board that was refused is still in: that stays until somebody has seen it.
press q
row_shown 24 "The run is over. Enter: leave"
block " REFUSED " 2
resize 100 30
row_shown 30 "The run is over. Enter: leave"
shown "██  ███ ███ █ █ ███ ███ ██" # has room for large letters now
press Enter
left_with 1
shown "site 3 FAIL"
end_session

# A board that makes no contact looks as if it were out: what to do about it stays. On a window with
# no room for blocks the same is told in lines.
echo "remove 2" >&9
open_session 50 13 $jig --sites 4,5
row_shown 2 "armed 4-5"
press Enter
shown "5 FAIL reseat"
row_shown 2 "armed 4-5"
shown "5 FAIL reseat"
shown "4 EMPTY"
shown "failures: 1 contact-lost"
press C-c
left_with 130
end_session
