# Common to the tests in the machine, which run as root. Expects BUILD and SOURCE in the environment.
. "${SOURCE:?}/tests/peers/simbench.bash"

# equal FOUND EXPECTED WHAT
equal() {
    [ "$1" = "$2" ] || fail "$3: found '$1', expected '$2'"
}

# vhci_port SITE : its port of vhci-hcd. Neighbours get different controllers, whose ports come to
# life beside each other.
vhci_port() {
    local index=$(($1 - 1))
    echo $((index % 8 * 30 + index / 8))
}

# plug SITE… : the programmers of these sites of the bench, until they are configured and udev is
# done; path[SITE] is then the place: "usb:3-1"
plug() {
    local site server=${place[$1]#usbip:} devices=() name found
    declare -gA path
    for site in "$@"; do
        devices+=("${place[$site]##*/}@$(vhci_port "$site")")
    done
    "$BUILD/bin/usbip_attach" attach "${server%/*}" "${devices[@]}" >"$work/plugged" ||
        fail "sites $* cannot be plugged in"
    udevadm settle || fail "udev does not come to an end"
    for site in "$@"; do
        read -r name found
        equal "$name" "${place[$site]##*/}" "bus id of site $site"
        path[$site]=$found
    done <"$work/plugged"
}

# unplug SITE…
unplug() {
    local site ports=()
    for site in "$@"; do
        ports+=("$(vhci_port "$site")")
    done
    "$BUILD/bin/usbip_attach" detach "${ports[@]}" || fail "sites $* cannot be unplugged"
}

# device_says SITE ATTRIBUTE : what sysfs has there, nothing if the device has no such text
device_says() {
    local file=/sys/bus/usb/devices/${path[$1]#usb:}/$2 text=
    [ ! -e "$file" ] || read -r text <"$file"
    echo "$text"
}

# avrdude_as PROGRAMMER ARGUMENT… : Debian's avrdude, on the one programmer that is plugged in: it takes
# the first that it finds, whatever -P says. Its words are in $work/avrdude.log.
avrdude_as() {
    local programmer=$1
    shift
    run_avrdude "$work/avrdude.log" -c "$programmer" "$@"
}

# avrdude_does PROGRAMMER ARGUMENT… : and it succeeds
avrdude_does() {
    avrdude_as "$@" || fail "avrdude -c $*
$(cat "$work/avrdude.log")"
}

# first_bytes FILE COUNT : as the bench records memories
first_bytes() {
    od -An -v -tx1 -N "$2" "$1" | tr -d ' \n'
}

# judge SITE PROGRAMMER PART BYTES MODEL : avrdude erases, writes and verifies that many bytes of flash
# and 208 of EEPROM, sets fuses and lock bits, and reads all of it back; the bench has the same on its
# record. It is plugged in for this, and pulled out.
judge() {
    local site=$1 programmer=$2 part=$3 model=$5
    random_hex "$4" "$site" flash
    random_hex 208 "$((site + 50))" eeprom
    plug "$site"
    avrdude_does "$programmer" -p "$part" -e -U "flash:w:$work/flash.hex:i" \
        -U "eeprom:w:$work/eeprom.hex:i" -U lfuse:w:0xf7:m -U hfuse:w:0xd1:m -U efuse:w:0xfc:m
    read_record "$site"
    expect_field erases 1 "$model"
    expect_field ignored_busy 0 "$model"
    avrdude_does "$programmer" -p "$part" -U "signature:r:$work/signature:h" \
        -U "flash:r:$work/flash.bin:r" -U "eeprom:r:$work/eeprom.bin:r" -U "lfuse:r:$work/lfuse:h" \
        -U lock:w:0xcf:m
    read_record "$site"
    equal "$(first_bytes "$work/flash.bin" "$4")" "$(<"$work/flash.bytes")" "$model: flash"
    equal "$(first_bytes "$work/eeprom.bin" 208)" "$(<"$work/eeprom.bytes")" "$model: EEPROM"
    equal "$(<"$work/lfuse")" 0xf7 "$model: fuse"
    expect_field flash "$(<"$work/flash.bytes")" "$model"
    expect_field eeprom "$(<"$work/eeprom.bytes")" "$model"
    expect_field low 247 "$model"
    expect_field high 209 "$model"
    expect_field extended 252 "$model"
    expect_field lock 207 "$model"
    unplug "$site"
    echo "$model, $part: erased, written, read and compared"
}

# ---- the station ----

gangflash=$BUILD/bin/gangflash
# for_everybody : the station from where users may start it who may not enter the build tree, in /root say
for_everybody() {
    mkdir -p "$work/program/bin"
    cp "$gangflash" "$work/program/bin/"
    cp -rL "$BUILD/share" "$work/program/"
    chmod a+x "$work"
    chmod -R a+rX "$work/program"
    gangflash=$work/program/bin/gangflash
}

declare -A driver=()
contact="contact: {present: 0 ms, gone: 0 ms, poll: 50 ms}"

# bench_of PROGRAMMER/MODEL… : a bench with a site for each, new ATmega328P with a crystal, at the pace
# $pace, fast if that is not given. Sets driver[SITE].
bench_of() {
    local site=0 entry
    {
        printf 'jig: bench\nbench: {simulated: true, seed: 1}\n%s\nsites:\n' "$contact"
        for entry in "$@"; do
            site=$((site + 1))
            driver[$site]=${entry%/*}
            echo "  - {site: $site, programmer: ${entry%/*}, model: ${entry#*/}, board: ATmega328P," \
                "crystal: 16 MHz}"
        done
    } >"$work/bench.yaml"
    start_bench "$work/bench.yaml" "${pace:-fast}"
}

# jig_of SITE… : $work/jig.yaml for the station, with these sites of the bench by port path. It looks for
# a board as $contact says.
jig_of() {
    local site
    {
        printf 'jig: real\n%s\nsites:\n' "$contact"
        for site in "$@"; do
            echo "  - {site: $site, programmer: ${driver[$site]}, at: \"${path[$site]}\"}"
        done
    } >"$work/jig.yaml"
}

# expect STATUS COMMAND… : runs it, output in $work/out and $work/err
expect() {
    local wanted=$1 status=0
    shift
    timeout 300 "$@" >"$work/out" 2>"$work/err" </dev/null || status=$?
    [ "$status" -eq "$wanted" ] || fail "exit status $status, expected $wanted: $*
$(tail -n 20 "$work/out" "$work/err")"
}

# says FILE TEXT : $work/FILE (out or err) has this text
says() {
    grep -qF -- "$2" "$work/$1" || fail "$1 does not say: $2
$(tail -n 20 "$work/$1")"
}

# query SQL : of the station's log
query() {
    sqlite3 -batch "$work/log" "$1"
}

# flash STATUS ARGUMENT… : the demo profile on $work/jig.yaml
flash() {
    local wanted=$1
    shift
    expect "$wanted" "$gangflash" flash demo --jig "$work/jig.yaml" --log "$work/log" "$@"
}

# demo_board SITE : the board on it is as the demo profile says, by the bench's record
demo_board() {
    [ -s "$work/demo.bytes" ] || {
        srec_cat "$SOURCE/profiles/boards/demo/demo.hex" -intel -o "$work/demo.bin" -binary
        first_bytes "$work/demo.bin" 100000 >"$work/demo.bytes"
    }
    read_record "$1"
    expect_field flash "$(<"$work/demo.bytes")" "site $1"
    expect_field low 255 "site $1"
    expect_field high 217 "site $1"
    expect_field extended 253 "site $1"
    expect_field lock 255 "site $1"
    expect_field erases 1 "site $1"
    expect_field ignored_busy 0 "site $1"
    expect_field too_fast 0 "site $1"
}

# wait_for SECONDS COMMAND… : until it succeeds
wait_for() {
    local until=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$until" ] || fail "waited in vain for: $*
$(tail -n 5 "$work/out" "$work/err")"
        sleep 0.2
    done
}

# start COMMAND… : runs it beside the test, output in $work/out and $work/err; its number in $station
start() {
    : >"$work/out" >"$work/err"
    "$@" >"$work/out" 2>"$work/err" <&0 &
    station=$!
}

# ended STATUS : waits for what was started
ended() {
    local status=0
    wait "$station" || status=$?
    [ "$status" -eq "$1" ] || fail "exit status $status, expected $1
$(tail -n 20 "$work/out" "$work/err")"
}
