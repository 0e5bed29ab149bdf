# The first command of the README, from another directory.
set -eu
. "$SOURCE/tests/cli/common/cli.bash"
# Beside this build, so that the builds of one test run share it.
export GANGFLASH_DEMO_BUILD=${BUILD%/*}/demo-build
mkdir -p "$GANGFLASH_DEMO_BUILD"
exec 7>"$GANGFLASH_DEMO_BUILD/lock"
flock 7 # one at a time: it is also beside other builds, which may be tested at the same time
rm -f "$GANGFLASH_DEMO_BUILD"/demo.sqlite*
cd /
expect 0 sh "$SOURCE/station/demo.sh"
says out "24 of 24 boards have passed"
log=$GANGFLASH_DEMO_BUILD/demo.sqlite
equal "$(query "$log" "select count(*) from attempts where verdict = 'pass'")" 24 "passed boards"
# What it says to look at next can be looked at.
sed -n '/^What to look at next/,/^On a terminal/s/^  //p' "$work/out" >"$work/next.sh"
equal "$(wc -l <"$work/next.sh")" 5 "things to look at"
sed -i '1i set -e' "$work/next.sh"
expect 0 sh "$work/next.sh"
