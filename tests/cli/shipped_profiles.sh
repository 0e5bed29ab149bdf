# Every shipped profile passes the rules, or says which risk it accepts and why; and each says which
# image it wants: the file's name, where it goes, and at which address its bootloader begins.
set -eu
. "$SOURCE/tests/cli/common/cli.bash"

# record ADDRESS : two bytes there, as Intel HEX; above 64 KiB with a segment
record() {
    local address=$(($1 & 0xFFFF)) upper=$(($1 >> 16))
    printf ':02000004%04X%02X\n' "$upper" $(((0x100 - 6 - upper) & 0xFF))
    printf ':02%04X000C94%02X\n' "$address" \
        $(((0x100 - 2 - (address >> 8) - (address & 0xFF) - 0x0C - 0x94) & 0xFF))
}

cp -r "$SOURCE/profiles/boards" "$work"
cd "$work/boards"
ran=0 started=0
for file in *.yaml; do
    name=${file%.yaml}
    [ "$name" != demo ] || continue
    expect 3 "$gangflash" check "$file"
    image=$(sed -n 's/^ *- *{\{0,1\}file: *\([^,} ]*\).*/\1/p' "$file")
    says err "the image '$image' is missing"

    head=$(sed -n '/^#/s/^# *//p' "$file" | tr '\n' ' ')
    grep -qF "$image" <<<"$head" || fail "$name does not say what $image is"
    start=$(grep -o "begins at byte address 0x[0-9A-F]*" <<<"$head" | grep -o "0x.*") ||
        fail "$name does not say where the bootloader in $image begins"

    # One that has what is asked for passes; a digest is of the true one.
    sed -i '/^ *sha256:/d' "$file"
    role=$(sed -n 's/^ *role: *//p' "$file")
    { [ "$role" = bootloader ] || record 0 && record "$start" && echo ":00000001FF"; } >"$image"
    expect 0 "$gangflash" check "$file" --json
    equal "$(jq '[.findings[] | select(.refuses)] | length' "$work/out")" 0 "$name is refused by rules"
    equal "$(jq '[.findings[] | select(.severity == "refused" and .accepted_because == null)] | length' \
        "$work/out")" 0 "risks that $name accepts without a reason"

    # One whose bootloader begins elsewhere does not, where the board starts there.
    if jq -r '.fuses[].meaning' "$work/out" | grep -q "BOOTRST on"; then
        { record 0 && record $((start + 128)) && echo ":00000001FF"; } >"$image"
        expect 3 "$gangflash" check "$file"
        says err "rule bootloader-not-at-section"
        started=$((started + 1))
    fi
    rm "$image"
    ran=$((ran + 1))
done
[ "$started" -gt 10 ] || fail "only $started boards start in their bootloaders"
equal "$ran" 19 "profiles with an image to supply"
expect 0 "$gangflash" check demo
