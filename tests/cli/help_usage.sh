# Help, usage errors, and that help, man page and completion know the same options.
set -eu
. "$SOURCE/tests/cli/common/cli.bash"

expect 0 "$gangflash" --version
grep -Eq '^gangflash [0-9]+\.[0-9]+\.[0-9]+$' "$work/out" || fail "--version"
expect 0 "$gangflash" --help
cp "$work/out" "$work/help"
for command in flash check image jig log parts profile fuses drivers schema; do
    expect 0 "$gangflash" help $command
    says out "Usage: gangflash $command"
    cp "$work/out" "$work/help-$command"
    expect 0 "$gangflash" $command --help
    cmp "$work/out" "$work/help-$command"
done

# The completion offers each option, and no other.
complete_words() { # COMMAND WORD… : what is offered for the last word
    (
        . "$SOURCE/station/completion/gangflash"
        COMP_WORDS=("$gangflash" "$@")
        COMP_CWORD=$#
        COMPREPLY=()
        _gangflash "$gangflash" "${COMP_WORDS[$#]}" "${COMP_WORDS[$# - 1]}"
        printf '%s\n' "${COMPREPLY[@]}" | sort
    )
}
for command in flash check image jig log parts profile fuses drivers schema; do
    sed -n 's/^  \(-., \)\{0,1\}\(--[a-z-]*\).*/\2/p' "$work/help-$command" | sort >"$work/options"
    complete_words $command -- >"$work/offered"
    diff "$work/options" "$work/offered" || fail "completion of $command"
    while read -r option; do
        grep -qF -- "$option" "$work/help" || fail "--help lacks $option"
        sed 's/\\-/-/g' "$BUILD/share/man/man1/gangflash.1" | grep -qF -- "$option" ||
            fail "the man page lacks $option"
    done <"$work/options"
done

# The bench's man page names each kind of fault that a jig file may have.
expect 0 "$gangflash" schema jig
cp "$work/out" "$work/jig.schema.json"
kinds=$(python3 -c 'import json, sys
print(*json.load(open(sys.argv[1]))["definitions"]["fault_kind"]["enum"])' "$work/jig.schema.json")
[ -n "$kinds" ] || fail "the schema has no kinds of fault"
for kind in $kinds; do
    sed 's/\\-/-/g' "$BUILD/share/man/man1/simbench.1" | grep -Eq "(^|[ (])$kind([ ,.;]|\$)" ||
        fail "simbench(1) lacks the fault $kind"
done

complete_words check dem | grep -qx demo || fail "completion of a shipped profile"
complete_words parts ATmega328 | grep -qx ATmega328PB || fail "completion of a part"
complete_words fuses ATmega328 | grep -qx ATmega328PB || fail "completion of a part's fuses"
complete_words profile n | grep -qx new || fail "completion of the action of profile"
complete_words profile new ATmega328 | grep -qx ATmega328PB || fail "completion of a new profile's part"
complete_words help dri | grep -qx drivers || fail "completion of a command to help with"
complete_words drivers usba | grep -qx usbasp || fail "completion of a driver"
complete_words schema pro | grep -qx profile || fail "completion of a schema"
complete_words image comp | grep -qx compose || fail "completion of an action"
complete_words jig li | grep -qx list || fail "completion of an action of jig"
complete_words jig test sim | grep -qx sim-8 || fail "completion of a jig"
complete_words jig list --bench sim | grep -qx sim-8 || fail "completion of a simulated bench"
complete_words image info --part ATmega328 | grep -qx ATmega328P || fail "completion of a part"

# usage STATUS-2 TEXT ARGUMENT…
usage() {
    local text=$1
    shift
    expect 2 "$gangflash" "$@"
    says err "$text"
    equal "$(wc -l <"$work/err")" 1 "lines of a usage error"
    [ ! -s "$work/out" ] || fail "a usage error prints on standard output"
}
usage "a command is missing: flash, check, image, "
says err "schema or help; see"
usage "did you mean 'flash'?" flahs
usage "there is no command 'zzzzzz'" zzzzzz
usage "there is no command 'zzzzzz'" help zzzzzz
usage "PROFILE is missing" flash --jig sim-8
usage "--jig is missing" flash demo
usage "'extra' is one argument too many" flash demo extra --jig sim-8
usage "did you mean '--count'?" flash demo --jig sim-8 --cuont 3
usage "unknown option '-z'" flash demo --jig sim-8 -z
usage "option '--jig' needs a value" flash demo --jig
usage "option '--retest' takes no value" flash demo --jig sim-8 --retest=yes
usage "--count: '0' is not a number from 1" flash demo --jig sim-8 --count 0
usage "--count: '3x' is not a number" flash demo --jig sim-8 --count 3x
usage "did you mean 'enter'?" flash demo --jig sim-8 --go entr
usage "did you mean 'fast'?" flash demo --jig sim-8 --bench-pace fst
usage "a name has 1 to 127 bytes" flash demo --jig sim-8 --lot ""
usage "a name has no control characters" flash demo --jig sim-8 --operator $'a\nb'
usage "'1,,3' is not a list of sites" flash demo --jig sim-8 --sites 1,,3
usage "'3-1' is not a list of sites" flash demo --jig sim-8 --sites 3-1
usage "jig sim-8 has no site 9" flash demo --jig sim-8 --sites 8-9
usage "PROFILE is missing" check
usage "parts: no part 'ATmega328p' is known, did you mean 'ATmega328P'?" parts ATmega328p
usage "'ATmega8' is one argument too many" parts ATmega88 ATmega8
usage "unknown option '--jsn'; did you mean '--json'?" parts --jsn
usage "parts: unknown option '-j'" parts -j
usage "profile: say new" profile
usage "did you mean 'new'" profile nwe
usage "profile new: PART is missing" profile new
usage "'x' is one argument too many" profile new ATmega88 x
usage "profile: no part 'ATmega328p' is known, did you mean 'ATmega328P'?" profile new ATmega328p
usage "fuses: PART is missing" fuses
usage "did you mean 'BOOTSZ'" fuses ATmega328P BOTSZ
usage "fuses: no part 'ATmega328p' is known, did you mean 'ATmega328P'?" fuses ATmega328p
usage "fuses: found 'low', expected NAME=VALUE" fuses ATmega328P low high=1
usage "fuses: use high instead of hfuse" fuses ATmega328P hfuse=0xDE
usage "fuses: ATmega328P has no 'bootsx', did you mean 'BOOTSZ'?" fuses ATmega328P bootsx=1
usage "fuses: ATmega328P has no 'nonsense', expected one of low, SUT_CKSEL" fuses ATmega328P nonsense=1
usage "fuses: low: found '300', expected a number from 0 to 255" fuses ATmega328P low=300
usage "fuses: low: found '62', which may be hexadecimal or decimal: write 0x62 or 0x3E" \
    fuses ATmega328P low=62
usage "fuses: low: found '062', which may be hexadecimal, decimal or octal: write 0x62, 0x3E or 0x32" \
    fuses ATmega328P low=062
usage "fuses: lock: found 'CF': write 0xCF" fuses ATmega328P lock=CF
usage "fuses: BOOTSZ has no '100 words', expected one of 2048 words" fuses ATmega328P "BOOTSZ=100 words"
usage "schema: say profile or jig" schema
usage "did you mean 'profile'?" schema profle
usage "'x' is one argument too many" schema jig x
usage "schema: --output is not for --path" schema jig --path -o x
usage "drivers: there is no driver 'usbasb'; did you mean 'usbasp'?" drivers usbasb
usage "drivers: there is no driver 'zzzzzz'" drivers zzzzzz
usage "'usbtiny' is one argument too many" drivers usbasp usbtiny
usage "image: say info, compose or diff" image
usage "did you mean 'info'?" image inof
usage "image info: FILE is missing" image info
usage "image info: --output is not for it" image info -o x.hex a.hex
usage "image diff: --json is not for it" image diff --json a.hex b.hex
usage "image diff: give two files, found 1" image diff a.hex
usage "image compose: --output is missing" image compose a.hex
usage "option '--output' needs a value" image compose a.hex -o
usage "option '--output' is given twice" image compose a.hex -o b.hex --output c.hex
usage "does not tell the format" image compose a.hex -o b.out
usage "--format: 'elf' is none of hex, srec, bin" image compose a.hex -o b.hex --format elf
usage "--memory: 'fuses' is none of flash, eeprom" image compose a.hex -o b.hex --memory fuses
usage "--address: '7x' is no address" image info --address 7x a.bin
usage "did you mean 'ATmega328P'?" image info --part ATmega328p a.hex
usage "--profile stands for its files" image info --profile demo a.hex
usage "jig: say list, test, learn or replace" jig
usage "did you mean 'list'?" jig lst
usage "'x' is one argument too many" jig list x
usage "did you mean 'fast'?" jig list --bench sim-8 --bench-pace fst
usage "jig test: FILE is missing" jig test
usage "jig test: --probe is not for it" jig test sim-8 --probe
usage "jig learn: FILE is missing" jig learn --bench sim-8
usage "jig test: --all is not for it" jig test sim-8 --all
usage "jig replace: FILE is missing" jig replace
usage "jig replace: SITE is missing" jig replace sim-8
usage "jig replace: SITE: '0' is not a number from 1 to 256" jig replace sim-8 0
usage "jig replace: jig sim-8 has no site 9" jig replace sim-8 9 --bench-pace fast
usage "jig learn: --sticker is not for it" jig learn x --sticker 1
usage "--sticker: a name has 1 to 127 bytes" jig replace sim-8 1 --sticker ""
usage "jig list: --sites is not for it" jig list --sites 1
usage "--clock: '16' is no frequency from 32768 Hz" jig test sim-8 --clock 16
usage "--bench-pace and --bench-record are for simulated benches" jig list --bench-pace fast
usage "log: say list, show, events, verify, eeprom or settle" log
usage "log show: --head is for verify" log show 1 --head \
    0000000000000000000000000000000000000000000000000000000000000000
usage "expected the 64 digits" log verify --head 12
usage "log show: --last is for list and events" log show 1 --last 3
usage "'2' is one argument too many" log events 2
usage "did you mean 'verify'?" log verfy
usage "log show: 'one' is not a number" log show one
usage "log eeprom: say which attempt" log eeprom
usage "log settle: '0' is not a number" log settle 0
usage "'2' is one argument too many" log eeprom 1 2
usage "log show: --output is for eeprom" log show --output x
usage "'x' is one argument too many" log list x
usage "are for list" log verify --lot A
usage "--site: '0' is not a number from 1 to 256" log list --site 0
