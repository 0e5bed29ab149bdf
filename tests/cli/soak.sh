# Many boards under all faults that a jig file knows: what the bench knows about each board, what
# the log says about it and what the profile calls for are compared. SOAK_BOARDS is how many are to
# pass; SOAK_SEED begins another series of faults.
set -eu
. "$SOURCE/tests/cli/common/cli.bash"
boards=${SOAK_BOARDS:-600}
seed=${SOAK_SEED:-1}
per_run=200
soak() {
    python3 "$SOURCE/tests/tools/soak.py" "$@"
}
cd "$work"
soak image application.bin top.bin words.bin

# hex_of NAME ADDRESS : NAME.hex, and NAME.held, what it holds in another program's words
hex_of() {
    avr-objcopy -I binary -O ihex --change-addresses "$2" "$1.bin" "$1.hex"
    avr-objcopy -I ihex -O binary "$1.hex" "$1.held"
}
hex_of application 0
hex_of top 0x7E80
hex_of words 0

# profile PART LOW HIGH EXTENDED LOCK EEPROM VERIFY : PART.yaml
profile() {
    cat >"$1.yaml" <<END
format: 1
profile: soak-$1
article: SOAK
revision: 1
via: isp
part: $1
images:
  - {file: application.hex}
  - {file: top.hex}
fuses:
  low: $2
  high: $3
  ${4:+extended: $4}
lock: $5
eeprom: $6
verify: $7
retry: {contact: 3, verify: 1}
END
}
profile ATmega328P 0xFF 0xD9 0xFD 0xCF '{file: words.hex}' image
profile ATmega32U4 0x5E '{write: 0xD9, accept: [0x99], because: JTAG is turned off anyway}' 0xF3 \
    0xFF erase whole
profile ATmega32A 0x3F 0xC9 '' 0xFC erase image

# What a passed board holds: for each byte the bits that exist, the value that may be written, and
# the values that may be found.
bytes_ATmega328P='"low": {"mask": 255, "write": 255, "pass": [255]},
    "high": {"mask": 255, "write": 217, "pass": [217]},
    "extended": {"mask": 7, "write": 253, "pass": [253]},
    "lock": {"mask": 63, "write": 207, "pass": [207]}'
bytes_ATmega32U4='"low": {"mask": 255, "write": 94, "pass": [94]},
    "high": {"mask": 255, "write": 217, "pass": [217, 153]},
    "extended": {"mask": 15, "write": 243, "pass": [243]},
    "lock": {"mask": 63, "write": 255, "pass": [255]}'
bytes_ATmega32A='"low": {"mask": 255, "write": 63, "pass": [63]},
    "high": {"mask": 255, "write": 201, "pass": [201]},
    "lock": {"mask": 63, "write": 252, "pass": [252]}'

# run NAME PART COUNT SITES_OUT : NAME.jig is there
run() {
    local name=$1 part=$2 status=0 bytes=bytes_$2 eeprom='' whole=false
    [ "$part" != ATmega328P ] || eeprom=$(od -An -v -tx1 words.held | tr -d ' \n')
    [ "$part" != ATmega32U4 ] || whole=true
    cat >"$name.json" <<END
{"part": "$part", "count": $3, "sites_out": $4, "jig": "$name.jig", "log": "$name.sqlite",
 "record": "$name.record", "seen": "seen", "whole": $whole, "eeprom": "$eeprom",
 "images": [{"file": "application.held", "start": 0}, {"file": "top.held", "start": 32384}],
 "bytes": {${!bytes}}}
END
    # The limit is far above what a run takes: it is there for one that does not end.
    timeout --signal KILL 150 "$gangflash" flash "$work/$part.yaml" --jig "$work/$name.jig" \
        --go now --count "$3" --log "$name.sqlite" --bench-record "$name.record" \
        </dev/null >"$name.out" 2>"$name.err" || status=$?
    soak judge "$name.json" "$status" >"$name.judged" || {
        cat "$name.judged" >&2
        cp "$name.out" out
        cp "$name.err" err
        fail "$name: $part, exit status $status"
    }
    "$gangflash" log verify --log "$name.sqlite" >"$name.out" 2>&1 || {
        cp "$name.out" out
        fail "$name: the log's chain"
    }
}

# When every programmer has fallen silent the run ends, although boards are wanted. It waits most of
# the time, so it goes on beside the others.
soak jig ATmega328P 1 0 |
    jq '.sites |= .[:2] |
        .faults = [{board: 2, fault: "lost-byte", wire: "to-programmer", rate: "1"}]' >silent.jig
run silent ATmega328P 50 2 &
all_silent=$!

parts=(ATmega328P ATmega32U4 ATmega32A)
silent=16
for ((done = 0; done < boards; done += per_run, seed++)); do
    part=${parts[$(((seed - 1) % 3))]}
    soak jig "$part" "$seed" "$silent" >"run-$seed.jig"
    run "run-$seed" "$part" $((boards - done < per_run ? boards - done : per_run)) 0
    silent=0 # a programmer that falls silent takes seconds to be given up: once is enough
done

wait "$all_silent" || fail "the run whose programmers fall silent"

soak kinds seen >out || fail "faults that were not applied"
cat out
