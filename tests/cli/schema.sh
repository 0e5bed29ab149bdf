# gangflash schema: what it prints is JSON Schema, and judges files as the station does.
set -eu
. "$SOURCE/tests/cli/common/cli.bash"
python3 -c 'import jsonschema, yaml' 2>/dev/null || exit 77

for kind in profile jig; do
    expect 0 "$gangflash" schema $kind
    cmp "$work/out" "$BUILD/share/gangflash/$kind.schema.json" || fail "the $kind schema that is installed"
    expect 0 "$gangflash" schema $kind --path
    equal "$(cat "$work/out")" "$BUILD/share/gangflash/$kind.schema.json" "its path"
done

# A part of one's own is a part to the schema.
mkdir "$work/parts"
sed 's/^part: .*/part: ATmine/' "$BUILD/share/gangflash/parts/ATmega88.yaml" >"$work/parts/ATmine.yaml"
GANGFLASH_PARTS=$work/parts expect 0 "$gangflash" schema jig
says out '"ATmine"'
echo "colour: green" >>"$work/parts/ATmine.yaml"
GANGFLASH_PARTS=$work/parts expect 3 "$gangflash" schema jig
says err "ATmine.yaml"

mkdir "$work/files"
printf '\0\0' >"$work/files/bootloader.bin"
python3 "$SOURCE/tests/tools/schemas.py" "$BUILD" "$SOURCE" "$work/files"
