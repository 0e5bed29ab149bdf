#!/bin/sh
# Gangflash's main job on a simulated bench of 8 sites: installs what is missing (Debian 12),
# builds, programs 24 boards and says what to look at next.
#
# usage: sh station/demo.sh
set -eu
source=$(cd "$(dirname "$0")/.." && pwd)
build=${GANGFLASH_DEMO_BUILD:-$source/build/demo}
log=$build/demo.sqlite
lot=demo-$(date +%Y%m%d-%H%M%S)

sh "$source/station/setup.sh" build
mkdir -p "$build"
echo "building in $build"
if ! {
    cmake -S "$source" -B "$build" -G Ninja -DGANGFLASH_TESTS=OFF &&
        cmake --build "$build"
} >"$build/build.log" 2>&1; then
    tail -n 40 "$build/build.log" >&2
    echo "the build failed; all of it is in $build/build.log" >&2
    exit 1
fi

gangflash=$build/bin/gangflash
echo "\$ gangflash flash demo --jig sim-8 --go now --lot $lot --count 24 --log $log"
status=0
"$gangflash" flash demo --jig sim-8 --go now --lot "$lot" --count 24 --log "$log" || status=$?

# A board that did not pass shows more than one that did.
attempt=$("$gangflash" log list --log "$log" --lot "$lot" --json |
    sed -n '/"verdict": *"pass"/!s/.*"attempt": *\([0-9]*\).*/\1/p' | tail -n 1)

# quoted PATH : as a shell takes it, when it is more than plain letters
quoted() {
    case $1 in
    *[!A-Za-z0-9/._-]*) printf "'%s'" "$1" ;;
    *) printf '%s' "$1" ;;
    esac
}
gangflash=$(quoted "$gangflash")
log=$(quoted "$log")
cat <<END

What to look at next:
  $gangflash log list --log $log --lot $lot
  $gangflash log show ${attempt:-} --log $log
  $gangflash log verify --log $log
  $gangflash check demo --jig sim-8
  sqlite3 $log 'select site, verdict, failure, count(*) from attempts group by 1, 2, 3'
On a terminal, with a press of Enter for every cycle:
  $gangflash flash demo --jig sim-8 --log $log
END
# Status 1 says that some boards did not pass, which is what the bench was told to do.
[ "$status" -le 1 ] || exit "$status"
