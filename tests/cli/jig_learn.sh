# jig learn: a jig file of what is plugged in, which loads; never over a file that is there.
set -eu
. "$SOURCE/tests/cli/common/cli.bash"
cat >"$work/every.yaml" <<'END'
jig: every-programmer
bench: {simulated: true, pace: fast, seed: 1}
sites:
  - {site: 4, programmer: usbasp, model: usbasp-2011, board: ATmega32U4}
  - {site: 5, programmer: usbasp, model: usbhid-lookalike, board: ATmega32U4}
  - {site: 6, programmer: stk500v1, model: arduino-uno-isp, board: ATmega328P, crystal: 16 MHz}
END
expect 0 "$gangflash" jig learn "$work/new.yaml" --bench "$work/every.yaml" \
    --bench-record "$work/record"
says out "site 1: usbasp at usbip:127.0.0.1:"
says out "site 2: stk500v1 at pty:/"
says err "is left out: 03EB:C8B4"
# The bench makes its places anew each time, so it is the bench that can be tried.
says err "2 sites; it shows what a jig file looks like, but its places ended with the simulated bench"
says err "try that one with: gangflash jig test $work/every.yaml"
equal "$(jq -s '[.[].counts.frames] | add' "$work/record")" 0 "frames sent to boards"
expect 0 "$gangflash" check demo --jig "$work/new.yaml"
grep -q "^jig: new$" "$work/new.yaml" || fail "the jig's name"
grep -q "^  - {site: 1, programmer: usbasp, at: .*}  # USBasp 1.04" "$work/new.yaml" ||
    fail "the first site"
grep -q "# ArduinoISP 1.18$" "$work/new.yaml" || fail "the second site"

# Not again, and not elsewhere in its place.
cp "$work/new.yaml" "$work/copy"
expect 2 "$gangflash" jig learn "$work/new.yaml" --bench "$work/every.yaml"
says err "new.yaml is there already, and no jig file is overwritten"
cmp "$work/new.yaml" "$work/copy"
ln -s nowhere "$work/link.yaml"
expect 2 "$gangflash" jig learn "$work/link.yaml" --bench "$work/every.yaml"
[ ! -e "$work/nowhere" ] || fail "it was written through a link"
expect 2 "$gangflash" jig learn "$work/no/such/place.yaml" --bench "$work/every.yaml"

expect 0 "$gangflash" jig learn "$work/json.yaml" --bench "$work/every.yaml" --json
equal "$(jq -r '[.site, .programmer, .firmware] | @text' "$work/out")" \
    '[1,"usbasp","USBasp 1.04, TPI, SCK up to 1.5 MHz"]
[2,"stk500v1","ArduinoISP 1.18"]' "JSON"

# A file of that name that cannot be one is refused before anything is asked for.
(cd "$work" && expect 2 "$gangflash" jig learn "$(printf '%0150d' 0).yaml" --bench every.yaml)
says err "the jig is named like its file"
[ ! -s "$work/out" ] || fail "it looked for programmers nevertheless"

# Nobody answers: no file.
sed -i '/usbasp-2011\|uno/d' "$work/every.yaml"
expect 4 "$gangflash" jig learn "$work/none.yaml" --bench "$work/every.yaml"
says err "no programmer answered: $work/none.yaml was not made"
[ ! -e "$work/none.yaml" ] || fail "a file without sites"
[ -z "$(ls "$work" | grep part || true)" ] || fail "half a file was left"

# On a terminal it asks; Enter ends. Ctrl-C, too, and leaves nothing.
command -v script >/dev/null || exit 77
printf '\n' | script -qec "$gangflash jig learn $work/asked.yaml" /dev/null >"$work/out" || true
says out "site 1: plug in the programmer for it; Enter when there are no more"
says out "no programmer answered"
mkfifo "$work/keys"
script -qec "$gangflash jig learn $work/asked.yaml" /dev/null <"$work/keys" >"$work/out" &
asking=$!
exec 8>"$work/keys"
wait_for 60 grep -q "site 1: plug in" "$work/out"
printf '\003' >&8
status=0
wait "$asking" || status=$?
exec 8>&-
equal "$status" 130 "exit status after Ctrl-C"
[ ! -e "$work/asked.yaml" ] || fail "a file after Ctrl-C"
