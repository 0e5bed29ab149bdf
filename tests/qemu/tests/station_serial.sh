#!/usr/bin/env bash
# Serial programmers on real ttyACM nodes, by the USB port they hang on: the station flashes through them;
# what DTR, closing and 1200 baud do; one station at a time; pulled out, and back under another number.
# limit: 120 s
. "${SOURCE:?}/tests/qemu/lane.bash"

cat >"$work/bench.yaml" <<END
jig: bench
bench: {simulated: true, seed: 1}
$contact
sites:
  - {site: 1, programmer: stk500v1, model: arduino-uno-isp, port: usb, board: ATmega328P, crystal: 16 MHz}
  - {site: 2, programmer: stk500v1, model: pro-micro-isp, port: usb, board: ATmega328P, crystal: 16 MHz}
END
start_bench "$work/bench.yaml" real

# node SITE : its ttyACM node
has_node() {
    compgen -G "/sys/bus/usb/devices/${path[$1]#usb:}:1.0/tty/ttyACM*" >/dev/null
}
node() {
    wait_for 150 has_node "$1"
    basename /sys/bus/usb/devices/"${path[$1]#usb:}":1.0/tty/ttyACM*
}
serial_jig() { # serial_jig [BAUD]
    cat >"$work/jig.yaml" <<END
jig: real
$contact
sites:
  - {site: 1, programmer: stk500v1, at: "serial:${path[1]}"}
  - {site: 2, programmer: stk500v1, at: "serial:${path[2]}:1.0"$1}
END
}
# answers SITE SECONDS : the sketch does, to whoever opens its port as it was left; one that is being
# reset never sees the question
answers() {
    local reply= port
    exec {port}<>"/dev/$(node "$1")"
    printf '0 ' >&"$port"
    IFS= read -r -t "$2" -N 2 -u "$port" reply
    exec {port}>&-
    [ "$reply" = $'\x14\x10' ]
}

plug 1 2
serial_jig ""
one=$(node 1) two=$(node 2)
udevadm settle

# ---- flashed, through libserialport; closed without a hang-up ----
flash 0 --go now --count 2
demo_board 1
demo_board 2
says_setting() {
    stty -a -F "/dev/$1" | grep -qE -- "$2" || fail "$1: $(stty -a -F "/dev/$1")"
}
says_setting "$one" 'speed 19200 baud'
says_setting "$one" '(^| )-hupcl'
says_setting "$two" '(^| )-hupcl'
# So DTR did not fall, and does not rise now: the Uno is not reset by the next opening. It would be.
answers 1 60 || fail "the Uno was reset although DTR stayed up"
stty -F "/dev/$one" hupcl
answers 1 2 && fail "the Uno was not reset by DTR"

# ---- listed by where they are plugged in, with udev's names and without ----
expect 0 "$gangflash" jig list
for site in 1 2; do
    link=$(find /dev/serial/by-path -lname "*/$(node "$site")" | sort | head -n 1)
    says out "serial:${link:?no link of udev}"
done
rm -r /dev/serial/by-path
expect 0 "$gangflash" jig list
says out "serial:${path[1]}"
says out "serial:${path[2]}"
expect 0 "$gangflash" jig learn "$work/learned.yaml" --all
equal "$(grep -c "at: \"serial:usb:" "$work/learned.yaml")" 2 "places of the learned jig"

# ---- a CDC board says nothing without DTR ----
cat >"$work/dtr.py" <<'END'
import fcntl, os, select, struct, sys, termios
port = os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY)
for change in termios.TIOCMBIC, termios.TIOCMBIS:
    fcntl.ioctl(port, change, struct.pack("I", termios.TIOCM_DTR))
    termios.tcflush(port, termios.TCIOFLUSH)
    os.write(port, b"0 ")
    ready = select.select([port], [], [], 0.5 if change == termios.TIOCMBIC else 10)[0]
    print("heard" if ready and os.read(port, 64) else "silent")
END
equal "$(python3 "$work/dtr.py" "/dev/$two" | tr '\n' ' ')" "silent heard " "Pro Micro without DTR, and with"

# ---- one station at a time; the other one touches no setting ----
mkfifo "$work/presses"
exec 8<>"$work/presses"
start "$gangflash" flash demo --jig "$work/jig.yaml" --log "$work/first" --go enter --json \
    <"$work/presses" 8>&-
armed() {
    [ "$(grep -c '"state":"armed"' "$work/out")" = 2 ]
}
wait_for 150 armed
mv "$work/out" "$work/first.out"
flash 4 --go now --count 2
says err "serial:${path[1]} is held by process $station (gangflash)"
says_setting "$one" '(^| )-hupcl'
setpriv --reuid 65534 --regid "$(stat -c %g "/dev/$one")" --clear-groups stty -F "/dev/$one" \
    2>"$work/denied" && fail "the port is not for one program alone"
grep -q "busy" "$work/denied" || fail "$(cat "$work/denied")"
exec 8>&-
wait "$station"

# ---- 1200 baud starts a CDC board's bootloader; not by us ----
serial_jig ", baud: 1200"
expect 3 "$gangflash" check demo --jig "$work/jig.yaml"
says err "1200 baud starts the bootloader of many a CDC board"
expect 3 "$gangflash" flash demo --jig "$work/jig.yaml" --log "$work/log" --go now
serial_jig ""
[ -e "/dev/$two" ] || fail "the Pro Micro went to its bootloader"
stty -F "/dev/$two" 1200 hupcl
is_gone() {
    [ ! -e "/sys/bus/usb/devices/${path[2]#usb:}" ]
}
wait_for 150 is_gone
offered() {
    "$BUILD/bin/usbip_attach" attach "${place[2]%/*}" "${place[2]##*/}@$(vhci_port 2)" \
        >"$work/plugged" 2>/dev/null
}
place[2]=${place[2]#usbip:}
wait_for 150 offered

# ---- pulled out while it writes, and back under another number ----
echo "lamp 1 fail" >&"$bench_in"
echo "lamp 2 fail" >&"$bench_in"
rm -f "$work/log"
start "$gangflash" flash demo --jig "$work/jig.yaml" --log "$work/log" --go contact --count 2 --json
writes() {
    grep -q "\"progress\".*\"site\":1,.*\"step\":\"flash\"" "$work/out"
}
state() { # state SITE STATE
    sed -n "s/.*\"event\":\"site\".*\"site\":$1,.*\"state\":\"\([a-z-]*\)\".*/\1/p" "$work/out" |
        tail -n 1 | grep -qx "$2"
}
wait_for 150 writes
exec {old}<"/dev/$one" # so that its number stays taken
unplug 1
wait_for 150 state 1 waiting
plug 1
[ "$(node 1)" != "$one" ] || fail "it came back under its old number"
wait_for 150 state 1 held
echo "lamp 1 fail" >&"$bench_in"
ended 4
equal "$(query "select group_concat(site || ' ' || verdict || ' ' || coalesce(failure, ''), ', ')
    from (select * from attempts order by site, attempt)")" \
    "1 fail programmer-gone, 1 pass , 2 pass " "rows"
demo_board 1
demo_board 2
stop_bench
