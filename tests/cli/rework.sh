# Boards that are not fresh, on models of the part that obey EESAVE and the lock bits: an EEPROM is
# kept whatever is found, survives a lost contact and a killed station, and can be got out of the
# log; a board that is done already is left alone.
set -eu
. "$SOURCE/tests/cli/common/cli.bash"
log=$work/log.sqlite

# hex FILE TEXT ADDRESS… : Intel HEX with this text at each address
hex() {
    python3 - "$@" <<'END'
import sys
with open(sys.argv[1], "w") as out:
    for address in sys.argv[3:]:
        data = sys.argv[2].encode()
        row = bytes([len(data)]) + int(address, 0).to_bytes(2, "big") + b"\0" + data
        out.write(":%s%02X\n" % (row.hex().upper(), -sum(row) & 0xFF))
    out.write(":00000001FF\n")
END
}
hex "$work/app.hex" "application" 0 0x1F0
hex "$work/old.hex" "older application" 0 0x7000
hex "$work/used.hex" "calibrated" 0x10 0x200 0x3F6
# The same as the bench records it: up to the last byte that is not FF.
used_hex=$(python3 -c 'e = bytearray(b"\xff" * 1024)
for at in 0x10, 0x200, 0x3f6: e[at:at + 10] = b"calibrated"
print(e.hex())')

# profile NAME HIGH LINE… : NAME.yaml
profile() {
    local name=$1 high=$2
    shift 2
    {
        echo "format: 1"
        echo "profile: $name"
        echo "article: REWORK"
        echo "revision: 1"
        echo "via: isp"
        echo "part: ATmega328P"
        echo "board: {clock: crystal 16 MHz}"
        echo "images: [{file: app.hex}]"
        echo "fuses: {low: 0xFF, high: $high, extended: 0xFD}"
        printf '%s\n' "$@"
    } >"$work/$name.yaml"
}
profile restore 0xD9 'lock: 0xCF' 'eeprom: {keep: restore}'
profile restore-on 0xD1 'lock: 0xCF' 'eeprom: {keep: restore}'
profile keep 0xD9 'lock: 0xCF' 'eeprom: keep' 'accept_risk: {rule: eesave, because: test}'
profile erase 0xD9 'lock: 0xFC'
profile rescue 0xD9 'lock: 0xCF' 'eeprom: {file: rescued.hex}'
profile pass 0xD9 'lock: 0xCF' 'if_already: pass'
profile refuse 0xD9 'lock: 0xCF' 'if_already: refuse'

# of FILTER : of the record of the first board; `eeprom` is a digest of what it holds
of() {
    jq -rs ".[0] | $1" "$work/record"
}
digest() {
    sha256sum | cut -c 1-12
}
held() {
    of .eeprom | digest
}
used=$(echo "$used_hex" | digest)
blank=$(echo | digest)

# judge STATUS PROFILE EEPROM : one board that carries $found, and what it holds afterwards
judge() {
    bench
    rm -f "$work/record" "$work/try.sqlite"
    expect "$1" "$gangflash" flash "$work/$2.yaml" --jig "$work/bench.yaml" --sites 1 --go now \
        --log "$work/try.sqlite" --bench-record "$work/record"
    equal "$(held)" "$3" "the EEPROM, $2, $found"
    equal "$(of .counts.ignored_locked)" 0 "writes that the lock bits forbade, $2, $found"
}

# Whatever lock bits are found: erased before its fuses, done, and locked as the profile says. The
# erase keeps the EEPROM where EESAVE is found on, and only there.
for lock in 0xFF 0xFE 0xFC 0xFD 0xCF 0xC3 0xC0; do
    for high in 0xD9 0xD1; do
        found="flash: old.hex, eeprom: used.hex, high: $high, lock: $lock"
        case $high$lock in
        0xD9*[CD]0 | 0xD9*F[CD] | 0xD9*C0) judge 1 restore "$used" && says out 'hides the EEPROM' &&
            equal "$(of .counts.erases)" 0 erases ;;
        *) judge 0 restore "$used" && equal "$(of .ac_frames[0])" ac800000 "the first write" ;;
        esac
        judge 0 erase "$blank"
        equal "$(of .lock)" 252 "the lock byte"
    done
done
found="eeprom: used.hex, high: 0xD9, lock: 0xFE"
judge 0 restore-on "$used"
judge 1 keep "$used"
says out "EESAVE is not programmed, and EEPROM 0x0010 holds 0x63"
found="eeprom: used.hex, high: 0xD1, lock: 0xFC"
judge 0 keep "$used"
says out "PASS attempt 1 "
says out ": EEPROM kept, but not proved: the lock bits hid it"
judge 0 restore-on "$used"
found=
judge 0 keep "$blank"

# press PROFILE STATUS ARGUMENT… : the board that is in site 1 of the bench that was started by hand
press() {
    local profile=$1 status=$2
    shift 2
    printf '\n' >"$work/press"
    local found_status=0
    "$gangflash" flash "$work/$profile.yaml" --jig "$work/own.yaml" --log "$log" "$@" \
        <"$work/press" >"$work/out" 2>"$work/err" || found_status=$?
    equal "$found_status" "$status" "exit status of $profile $*"
}

# board SITE : its record, now
has_records() {
    [ "$(grep -c '^{' "$work/own.places")" -eq "$1" ]
}
board() {
    local before
    before=$(grep -c '^{' "$work/own.places") || true
    echo "record $1" >&9
    wait_for 60 has_records $((before + 1))
    tail -n 1 "$work/own.places" >"$work/record"
}

hang_struck() {
    board 1
    [ "$(of '.faults[] | select(.fault == "hang") | .applied')" -eq 1 ]
}

# Killed in the middle of the restoring: the programmer hangs there until it is opened again.
found="eeprom: used.hex"
own_bench 'site: 1, board: 1, fault: hang, match: "C2", nth: 2' \
    'site: 2, fault: dead, match: "AC 80", after: 30'
printf '\n' >"$work/press"
start "$gangflash" flash "$work/restore.yaml" --jig "$work/own.yaml" --log "$log" --sites 1 \
    --lot L --json <"$work/press"
wait_for 60 grep -qs '"step":"eeprom"' "$work/out"
kill -STOP "$station"
wait_for 60 hang_struck
kill -KILL "$station"
ended 137
board 1
[ "$(held)" != "$used" ] || fail "the EEPROM was never cleared"

# The next start says how to get it; a board that reads like what is left is refused, at any site.
press restore 1 --sites 1
says out "this may be the board whose EEPROM attempt 1 cleared"
says out "gangflash log eeprom 1 -o FILE.hex"
equal "$(query "$log" "select verdict, touched, detail like '%gangflash log eeprom 1 -o FILE.hex'
    from attempts where attempt = 1")" "interrupted|fused|1" "the killed attempt"
press keep 1 --sites 1
says out "gangflash log settle 1"
expect 0 "$gangflash" log show 1 --log "$log"
says out "EEPROM: saved before the erase, and not put back as far as is known"
expect 0 "$gangflash" log eeprom 1 -o "$work/rescued.hex" --log "$log"
says err "1024 bytes"
python3 - "$work/rescued.hex" "$used_hex" <<'END' || fail "the rescued EEPROM is another"
import sys
memory = bytearray()
for line in open(sys.argv[1]):
    row = bytes.fromhex(line[1:])
    assert sum(row) & 0xFF == 0
    if row[3] == 0:
        assert int.from_bytes(row[1:3], "big") == len(memory)
        memory += row[4:-1]
assert len(memory) == 1024 and memory.rstrip(b"\xff").hex() == sys.argv[2]
END
expect 2 "$gangflash" log eeprom 1 -o "$work/rescued.hex" --log "$log"
says err "File exists"

# The very board, which was not taken out: what was saved is put back.
press restore 0 --sites 1 --lot L --retest
says out "PASS attempt 4"
says out ": EEPROM put back as attempt 1 had saved it"
board 1
equal "$(held)" "$used" "the EEPROM that was put back"
expect 2 "$gangflash" log settle 1 --log "$log"
says err "does not owe it"

# Contact lost after the erase: the failure says how to get the content, and it can be flashed.
press restore 1 --sites 2
says out "FAIL attempt 5"
says out "gangflash log eeprom 5 -o FILE.hex"
says out "Set the board aside for the engineer: its EEPROM was cleared and is not back."
expect 0 "$gangflash" log show 5 --log "$log"
says out "what to do: Set the board aside for the engineer: its EEPROM was cleared"
rm "$work/rescued.hex"
expect 0 "$gangflash" log eeprom 5 -o "$work/rescued.hex" --log "$log"
echo "remove 1" >&9
echo "insert 1" >&9
press rescue 0 --sites 1
board 1
equal "$(held)" "$used" "the EEPROM from the rescued file"
expect 0 "$gangflash" log settle 5 --log "$log"
equal "$(query "$log" "select count(*) from events where kind = 'eeprom-settled'
    and detail like 'attempt 5: by %'")" 1 "the settlement"
expect 0 "$gangflash" log verify --log "$log"
exec 9>&-

# Done already: read, and left alone.
kill "$own_bench_process" 2>/dev/null || true
rm "$work/own.commands"
found=
own_bench
press pass 0 --sites 1
board 1
done_once=$(of '[.counts.erases, .counts.flash_pages, .counts.eeprom_writes, .fuse_writes]')
press pass 0 --sites 1
says out "PASS attempt"
says out ": already programmed"
press pass 0 --sites 1 --json
equal "$(jq -r 'select(.event == "verdict") | [.verdict, .detail, .verification, .touched,
    .readback_sha256 == .image_sha256] | join("|")' "$work/out")" \
    "pass|already programmed|already|none|true" "the verdict for programs"
press refuse 1 --sites 1
says out "REFUSED"
says out "already-programmed"
board 1
equal "$(of '[.counts.erases, .counts.flash_pages, .counts.eeprom_writes, .fuse_writes]')" \
    "$done_once" "what was done to a board that is done already"
equal "$(query "$log" "select count(*) from attempts where verification = 'already'
    and verdict = 'pass' and touched = 'none'")" 2 "attempts that changed nothing"
