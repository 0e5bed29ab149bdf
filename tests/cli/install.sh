# cmake --install puts everything where a distribution wants it, and the program runs from there.
set -eu
. "$SOURCE/tests/cli/common/cli.bash"
cmake --install "$BUILD" --prefix "$work/first" >"$work/out" 2>&1 || fail "cmake --install"
mv "$work/first" "$work/usr" # it depends on no path it was built for
for file in bin/gangflash bin/simbench share/man/man1/gangflash.1 share/man/man1/simbench.1 \
    share/bash-completion/completions/gangflash share/gangflash/boards/demo.yaml \
    share/gangflash/parts/ATmega328P.yaml share/gangflash/benches/sim-8.yaml \
    share/gangflash/profile.schema.json share/gangflash/jig.schema.json \
    share/gangflash/udev/60-gangflash.rules lib/udev/rules.d/60-gangflash.rules; do
    [ -f "$work/usr/$file" ] && [ ! -L "$work/usr/$file" ] || fail "$file is not installed"
done
equal "$(ls "$work/usr/share/gangflash/parts" | wc -l)" "$(ls "$SOURCE/profiles/parts" | wc -l)" \
    "installed part files"
if command -v man >/dev/null; then
    for page in gangflash simbench; do
        warnings=$(LC_ALL=C.UTF-8 MANROFFSEQ='' MANWIDTH=80 man --warnings -E UTF-8 -l -Tutf8 -Z \
            "$work/usr/share/man/man1/$page.1" 2>&1 >/dev/null)
        equal "$warnings" "" "warnings of man about $page(1)"
    done
    man -l "$work/usr/share/man/man1/gangflash.1" 2>/dev/null | col -b >"$work/out"
    says out "EXIT STATUS"
    says out "--dry-run"
fi

cd /
gangflash=$work/usr/bin/gangflash
bench
expect 0 "$gangflash" parts ATmega328P
says out "$work/usr/share/gangflash/parts/ATmega328P.yaml"
expect 0 "$gangflash" check demo --jig sim-8
says out "$work/usr/share/gangflash/boards/demo.yaml"
flash 0 --go now --count 2 --log "$work/log.sqlite"
equal "$(query "$work/log.sqlite" "select count(*) from attempts where verdict = 'pass'")" 2 "passes"
