# .github/CONTRIBUTING.md: every path it names is there, and the README leads to it.
set -eu
. "$SOURCE/tests/cli/common/cli.bash"
page=$SOURCE/.github/CONTRIBUTING.md

# What stands between backticks and begins with one of the house's directories, or with a dot.
grep -o '`[^`]*`' "$page" | tr -d '`' |
    grep -E '^(\.[a-z]|(station|profiles|jigs|reports|tests)/)[A-Za-z0-9_./-]*$' | sort -u >"$work/paths"
[ "$(wc -l <"$work/paths")" -ge 30 ] || fail "hardly any path in CONTRIBUTING"
while read -r path; do
    [ -e "$SOURCE/$path" ] || fail "CONTRIBUTING names $path, which is not there"
done <"$work/paths"

# The commands of a ```sh block begin as those of the README do, and name a driver that is there.
grep -q '^ctest .* -R usbtiny$' "$page" || fail "CONTRIBUTING does not say how to run some tests"
[ "$(find "$SOURCE/tests" -maxdepth 1 -name 'test_*usbtiny*.c' | wc -l)" -ge 2 ] || fail "tests of usbtiny"
# The functions and fields that it names are those of the headers.
for word in isp_door_open programmer_pick_sck owed_value flash_bytes_max floor_us usb_firmware \
    wire_firmware programmer_driver; do
    grep -q "$word" "$page" || fail "CONTRIBUTING does not speak of $word any more"
    grep -rqw "$word" "$SOURCE/jigs" --include='*.h' || fail "there is no $word"
done
grep -qF '(.github/CONTRIBUTING.md)' "$SOURCE/README.md" || fail "the README does not lead there"
