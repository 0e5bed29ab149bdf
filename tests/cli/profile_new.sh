# gangflash profile new: of every part, what it writes is a profile as it is; and its fuses are those
# that the part leaves the factory with.
set -eu
. "$SOURCE/tests/cli/common/cli.bash"

printf ':020000000C94%02X\n:00000001FF\n' $((0x100 - 2 - 0x0C - 0x94 & 0xFF)) >"$work/application.hex"
for file in "$BUILD"/share/gangflash/parts/*.yaml; do
    part=$(basename "$file" .yaml)
    expect 0 "$gangflash" profile new "$part" -o "$work/$part.yaml"
    expect 0 "$gangflash" check "$work/$part.yaml"
    says out "$part"
done

expect 0 "$gangflash" check "$work/ATmega328P.yaml"
says out "low         0x62"
says out "high        0xD9"

# Editors are told where its schema is, when it is there and they would find it.
equal "$(head -n 1 "$work/ATmega328P.yaml")" \
    "# yaml-language-server: \$schema=$BUILD/share/gangflash/profile.schema.json" "the first line"
cp -rL "$BUILD/share/gangflash" "$work/data with blank"
GANGFLASH_DATA="$work/data with blank" expect 0 "$gangflash" profile new ATmega328P
says out "# A profile for boards"
! grep -q yaml-language-server "$work/out" || fail "a path that editors do not understand"
rm "$work/data with blank/profile.schema.json"
mv "$work/data with blank" "$work/data"
GANGFLASH_DATA=$work/data expect 0 "$gangflash" profile new ATmega328P
! grep -q yaml-language-server "$work/out" || fail "a schema that is not there"

# A file that is there stays, unless it was said otherwise.
echo mine >"$work/ATmega88.yaml"
expect 2 "$gangflash" profile new ATmega88 -o "$work/ATmega88.yaml"
equal "$(cat "$work/ATmega88.yaml")" mine "the file that was there"
expect 0 "$gangflash" profile new ATmega88 -o "$work/ATmega88.yaml" --force
expect 0 "$gangflash" profile new ATmega88
cmp "$work/out" "$work/ATmega88.yaml"

# Without its image it says what is missing.
rm "$work/application.hex"
expect 3 "$gangflash" check "$work/ATmega88.yaml"
says err "the image 'application.hex' is missing"
