# A jig with programmers of several kinds: one press of GO starts all, each site goes at its own pace;
# a profile that some of them cannot do is refused for these sites by name, before anything starts.
set -eu
. "$SOURCE/tests/cli/common/cli.bash"
mixed=$BUILD/share/gangflash/benches/mixed.yaml

# ---- one press of GO, at the pace of the real thing ----
sites=$(grep -c '^  - {site: ' "$mixed")
[ "$sites" -ge 12 ] || fail "mixed has $sites sites only"
"$gangflash" flash demo --jig mixed --log "$work/log" <<<"" >"$work/out" 2>"$work/err" ||
    fail "not every site passed"
equal "$(query "$work/log" "select count(distinct site), count(*), max(cycle) from attempts
    where verdict = 'pass'")" "$sites|$sites|1" "sites, boards and cycles"
equal "$(query "$work/log" "select programmer || ' ' || count(*) from attempts group by programmer")" \
    "$(sed -n 's/^  - {site: [0-9]*, programmer: \([a-z0-9]*\),.*/\1/p' "$mixed" | LC_ALL=C sort |
        uniq -c | awk '{ print $2 " " $1 }')" "boards of each kind"
# All at one time, and nobody waits for others: each USBtinyISP is done before any Arduino is.
equal "$(query "$work/log" "select max(started_at) < min(ended_at) from attempts")" 1 \
    "all sites work at the same time"
equal "$(query "$work/log" "select
    (select max(ended_at) from attempts where programmer = 'usbtiny')
    < (select min(ended_at) from attempts where programmer = 'stk500v1')" )" 1 \
    "fast programmers do not wait for slow ones"

# ---- refused for sites by name ----
sed -e 's/board: ATmega328P/board: ATmega2560/' -e 's/pace: real/pace: fast/' "$mixed" \
    >"$work/jig.yaml"
cat >"$work/mega.yaml" <<END
format: 1
profile: mega
article: MEGA-1
revision: 1
via: isp
part: ATmega2560
board: {clock: crystal 16 MHz}
images: [{file: mega.bin, address: 0x0}]
fuses: {low: 0xFF, high: 0xD9, extended: 0xFD}
lock: 0xFF
eeprom: erase
END
head -c 70000 /dev/urandom >"$work/mega.bin"
mapfile -t tiny < <(sed -n 's/^  - {site: \([0-9]*\), programmer: usbtiny,.*/\1/p' "$mixed")
equal "${#tiny[@]}" 4 "USBtinyISPs"
others="1-$((tiny[0] - 1)),$((tiny[3] + 1))-$sites"

# named FILE : each site with a USBtiny is named there with the reason, once, and no other
named() {
    equal "$(sed -n 's/^gangflash: plan-refused: .*: site \([0-9]*\): programmer usbtiny reaches 65536 bytes of flash, the image takes 70000$/\1/p' \
        "$work/$1" | tr '\n' ' ')" "${tiny[*]} " "sites that are refused"
    equal "$(grep -c 'plan-refused' "$work/$1")" 5 "lines that refuse"
    says "$1" "sites ${tiny[0]}-${tiny[3]} of jig mixed cannot do profile mega"
    says "$1" "flash with --sites $others to do it on the others"
}
for arguments in "flash $work/mega.yaml --jig $work/jig.yaml --go now --log $work/other" \
    "flash $work/mega.yaml --jig $work/jig.yaml --dry-run" \
    "check $work/mega.yaml --jig $work/jig.yaml"; do
    # shellcheck disable=SC2086
    expect 3 "$gangflash" $arguments
    named err
done
[ ! -e "$work/other" ] || fail "a log was opened before the plan was refused"
expect 3 "$gangflash" flash "$work/mega.yaml" --jig "$work/jig.yaml" --go now --log "$work/other" --json
named err
equal "$(jq -r 'select(.event == "message") | .site' "$work/out" | tr '\n' ' ')" "${tiny[*]} " \
    "sites that are refused, for programs"
equal "$(jq -r 'select(.event == "message") | .failure' "$work/out" | uniq)" plan-refused "their failure"
equal "$(jq -r 'select(.event == "ended") | .exit_status' "$work/out")" 3 "exit status for programs"
# One by itself has its own reason, and nothing to be left out; so have all of them.
expect 3 "$gangflash" flash "$work/mega.yaml" --jig "$work/jig.yaml" --sites "${tiny[1]}" --log "$work/other"
equal "$(grep -c plan-refused "$work/err")" 1 "lines for one site"
says err "site ${tiny[1]}: programmer usbtiny reaches 65536"
expect 3 "$gangflash" flash "$work/mega.yaml" --jig "$work/jig.yaml" --sites "${tiny[0]}-${tiny[3]}" \
    --log "$work/other"
says err "none of the 4 sites of jig mixed can do profile mega"
# What is said is true: with these sites it is done.
expect 0 "$gangflash" flash "$work/mega.yaml" --jig "$work/jig.yaml" --sites "1,$((tiny[3] + 1))" \
    --go now --count 2 --log "$work/other"
equal "$(query "$work/other" "select count(*) from attempts where verdict = 'pass'")" 2 "the others"

# ---- an SCK that cannot be low enough: a part at 0.5 MHz and the sketch's 125 kHz ----
sed 's/board: ATmega2560/board: ATtiny2313A/' "$work/jig.yaml" >"$work/slow.yaml"
sed -e 's/^part: .*/part: ATtiny2313A/' -e 's/^fuses: .*/fuses: {low: 0x64, high: 0xDF, extended: 0xFF}/' \
    -e 's/^profile: .*/profile: slow/' -e '/^board: /d' "$work/mega.yaml" >"$work/tiny.yaml"
head -c 700 /dev/urandom >"$work/mega.bin"
expect 0 "$gangflash" drivers --json
fixed=$(jq -r 'select(.sck_fixed) | .driver' "$work/out" | paste -sd '|')
[[ $fixed == *stk500v1* ]] || fail "stk500v1 has no fixed SCK"
expect 3 "$gangflash" flash "$work/tiny.yaml" --jig "$work/slow.yaml" --go now --log "$work/other"
equal "$(sed -nE "s/^gangflash: plan-refused: .*: site ([0-9]*): programmer ($fixed) clocks SCK at [0-9]* Hz, .*/\1/p" \
    "$work/err" | tr '\n' ' ')" \
    "$(sed -nE "s/^  - \{site: ([0-9]*), programmer: ($fixed),.*/\1/p" "$mixed" | tr '\n' ' ')" \
    "sites whose SCK is too fast"
