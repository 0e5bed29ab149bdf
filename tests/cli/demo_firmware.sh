# The demonstration image that is committed is what its source makes, and what its profile names.
set -eu
command -v avr-gcc >/dev/null && command -v avr-objcopy >/dev/null || exit 77
# Other compilers make other code; the one named in demo.c is asked for.
[ "$(avr-gcc -dumpversion)" = 5.4.0 ] || exit 77

demo=$SOURCE/profiles/boards/demo
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$demo/demo.c" "$work"
cd "$work"

# The commands are taken from the comment, so that it cannot go stale.
sed -n 's/^ \*   \(avr-.*\)/\1/p' demo.c >build.sh
[ "$(wc -l <build.sh)" = 2 ]
sh -eu build.sh
cmp demo.hex "$demo/demo.hex"

sum=$(sha256sum demo.hex)
grep -q "sha256: ${sum%% *}" "$SOURCE/profiles/boards/demo.yaml"
