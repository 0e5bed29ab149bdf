# Every example in the README: its YAML files are accepted, its commands end with status 0.
set -eu
. "$SOURCE/tests/cli/common/cli.bash"

# Each ```yaml block goes into the file its first line names.
awk -v work="$work" '
    /^```yaml/ { inside = 1; file = ""; next }
    /^```/     { inside = 0 }
    inside && file == "" { file = work "/" $3 }
    inside     { print > file }' "$SOURCE/README.md"
[ -f "$work/keyboard.yaml" ] || fail "the README has no profile keyboard.yaml"
[ -f "$work/bench-2.yaml" ] || fail "the README has no jig bench-2.yaml"
cp "$SOURCE/profiles/boards/demo/demo.hex" "$work/application.hex"
expect 0 "$gangflash" check "$work/keyboard.yaml" --jig "$work/bench-2.yaml"

# Each line of a ```sh block is run, but for those that other tests run.
awk '/^```sh/ { inside = 1; next } /^```/ { inside = 0 } inside && !/^#/ && NF' \
    "$SOURCE/README.md" >"$work/commands"
[ "$(wc -l <"$work/commands")" -ge 10 ] || fail "hardly any command in the README"
# At the bench's own pace a board takes seconds; here it need not.
export GANGFLASH_DATA=$work/data
mkdir "$work/data"
cp -rL "$BUILD/share/gangflash/." "$work/data"
sed -i -e 's/pace: real/pace: fast/' -e 's/swap: [0-9]* ms/swap: 0 ms/' \
    -e 's/^contact:.*/contact: {present: 0 ms, gone: 0 ms, poll: 10 ms}/' \
    -e '/^faults:/,$d' "$work/data/benches/sim-8.yaml" "$work/data/benches/mixed.yaml"
export PATH=$BUILD/bin:$PATH
ran=0
while IFS= read -r command; do
    case $command in
    "sh station/demo.sh") continue ;;  # tests/cli/demo.sh
    "sh tests/run.sh") continue ;;     # runs this test
    "sh station/setup.sh"* | cmake*) continue ;; # tests/run.sh and tests/cli/install.sh
    "bash tests/bench/run.sh"*) continue ;;      # takes minutes, judges nothing
    esac
    (cd "$work" && expect 0 bash -c "$command")
    ran=$((ran + 1))
done <"$work/commands"
[ "$ran" -ge 8 ] || fail "only $ran commands of the README were run"
