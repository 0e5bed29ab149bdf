#!/usr/bin/env bash
# The jig commands on devices that a real kernel has enumerated: programmers are listed, learned as
# they are plugged in, tried, and replaced on another port.
# limit: 150 s
. "${SOURCE:?}/tests/qemu/lane.bash"
gangflash=$BUILD/bin/gangflash

cat >"$work/jig.yaml" <<'JIG'
jig: to-be-learned
bench: {simulated: true, pace: real, seed: 1}
sites:
  - {site: 1, programmer: usbasp, model: usbasp-2011, board: ATmega328P, crystal: 16 MHz}
  - {site: 2, programmer: usbtiny, model: usbtinyisp, board: ATtiny85}
  - {site: 3, programmer: usbasp, model: usbasp-dioannidis, board: ATmega32U4}
  - {site: 4, programmer: usbasp, model: usbasploader, board: ATmega328P}
  - {site: 5, programmer: usbasp, model: usbasp-2011, board: ATmega328P}
  - {site: 6, programmer: usbtiny, model: usbtinyisp, board: ATmega328P}
faults:
  - {site: 5, fault: no-board}
  - {site: 6, fault: port-gone, match: 30 00 00 00, after: 60, for: 600 s}
JIG
start_bench "$work/jig.yaml" real

# does STATUS ARGUMENT… : gangflash jig, with its words in out and err
does() {
    local status=0 wanted=$1
    shift
    timeout 300 "$gangflash" jig "$@" >"$work/out" 2>"$work/err" </dev/null || status=$?
    equal "$status" "$wanted" "status of jig $*: $(cat "$work/out" "$work/err")"
}

# told FILE TEXT
told() {
    grep -qF -- "$2" "$work/$1" || fail "$1 does not say '$2': $(cat "$work/$1")"
}

# soon FILE TEXT : it comes to stand there
soon() {
    local until=$((SECONDS + 150))
    until grep -qF -- "$2" "$work/$1"; do
        [ "$SECONDS" -lt "$until" ] || told "$1" "$2"
        sleep 0.2
    done
}

# Learned as they are plugged in, on a terminal; what is none, or two at once, is no site.
command -v script >/dev/null || exit 77
mkfifo "$work/keys"
script -qefc "$gangflash jig learn $work/learned.yaml" /dev/null <"$work/keys" >"$work/asked" &
asking=$!
exec {keys}>"$work/keys"
soon asked "site 1: plug in the programmer for it"
plug 2
soon asked "site 1: usbtiny at ${path[2]}, USBtiny"
soon asked "site 2: plug in"
plug 4
soon asked "${path[4]} is left out"
plug 1 3
soon asked "2 appeared at once"
unplug 3
soon asked "site 2: usbasp at ${path[1]}, USBasp 1.04"
plug 3
soon asked "site 3: usbasp at ${path[3]}, USBasp 1.11"
echo >&"$keys"
wait "$asking" || fail "jig learn: $(cat "$work/asked")"
exec {keys}>&-
grep -qF "{site: 1, programmer: usbtiny, at: ${path[2]}}  # USBtiny" "$work/learned.yaml" ||
    fail "$(cat "$work/learned.yaml")"
unplug 4

does 0 learn "$work/all.yaml"
equal "$(grep -c '  - {site:' "$work/all.yaml")" 3 "sites that were there"

# Listed, by whoever may open them.
does 0 list
for site in 1 2 3; do
    told out "${path[$site]}"
done
told out "firmware USBasp 1.11 serial 0000, TPI, SCK up to 1.5 MHz"
told out "firmware USBtiny"
for site in 1 2 3; do
    read_record "$site"
    expect_field frames 0 "a board while programmers were learned and listed"
done
chmod 755 "$work"
setpriv --reuid nobody --regid nogroup --clear-groups "$gangflash" jig list >"$work/out" 2>&1 ||
    fail "jig list of nobody: $(cat "$work/out")"
told out "place-denied: usb:"
told out "plugdev"

# Tried; SCK is what it is said to be.
does 0 test "$work/learned.yaml" --json
equal "$(jq -r '[.site, .good, .parts[-1]] | @text' "$work/out" | tr '\n' ' ')" \
    '[1,true,"ATtiny85"] [2,true,"ATmega328P"] [3,true,"ATmega32U4"] ' "sites"
equal "$(jq '.sck_at_least_hz <= .sck_hz * 1.05 and .sck_at_least_hz > .sck_hz / 4' "$work/out" |
    sort -u)" true "SCK: $(cat "$work/out")"
for site in 1 2 3; do
    read_record "$site"
    [[ $record == *'"fuse_writes":[],"ac_frames":[]'* ]] || fail "site $site: $record"
    expect_field erases 0 "site $site"
    expect_field flash_pages 0 "site $site"
    expect_field eeprom_writes 0 "site $site"
done

# Another unit on another port, without a board; then one that is unplugged while it is tried.
cp "$work/learned.yaml" "$work/before.yaml"
unplug 1
does 4 replace "$work/learned.yaml" 2 --log "$work/log"
told err "place-missing"
plug 5
does 3 replace "$work/learned.yaml" 2 --at "${path[3]}" --log "$work/log"
told err "place-twice"
cmp "$work/learned.yaml" "$work/before.yaml"
does 0 replace "$work/learned.yaml" 2 --at "${path[5]}" --sticker P-17 --log "$work/log"
sed "s|at: ${path[1]}}|at: ${path[5]}}|" "$work/before.yaml" | cmp - "$work/learned.yaml"
timeout 60 "$gangflash" log events --log "$work/log" >"$work/out"
told out "another usbasp at ${path[5]} instead of ${path[1]}"
told out "sticker P-17"
plug 6
does 0 replace "$work/learned.yaml" 1 --at "${path[6]}" --log "$work/log"
does 4 test "$work/learned.yaml"
told out "site 1: programmer-gone"
told out "site 2: no board"
told out "site 3: good"
stop_bench
