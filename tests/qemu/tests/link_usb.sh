#!/usr/bin/env bash
# The USB link by libusb, on devices that a real kernel has enumerated: found by port and by serial
# number, locked, every outcome of a transfer, pulled out and plugged in again, permissions.
# limit: 90 s
. "${SOURCE:?}/tests/qemu/lane.bash"
probe=$BUILD/bin/usb_probe
attach=$BUILD/bin/usbip_attach

# says TEXT: stands in the last output
says() {
    grep -qF -- "$1" "$work/out" || fail "'$1' is not in:
$(cat "$work/out")"
}

# try STATUS ARGUMENT…: one run of the probe
try() {
    local status=0 expected=$1
    shift
    timeout 240 "$probe" "$@" >"$work/out" 2>&1 </dev/null || status=$?
    equal "$status" "$expected" "status of usb_probe $*: $(cat "$work/out")"
}

# hold PLACE STEP…: a probe in the background that has opened the place; release ends it
mkfifo "$work/in" "$work/out.hold"
hold() {
    "$probe" "$@" <"$work/in" >"$work/out.hold" 2>&1 &
    holder=$!
    exec {hold_in}>"$work/in" {hold_out}<"$work/out.hold"
    read -r -t 120 line <&"$hold_out" || fail "no word from usb_probe $*"
    [[ $line == open\ * ]] || fail "usb_probe $*: $line"
}
next_line() {
    read -r -t 120 line <&"$hold_out" || fail "no further word from usb_probe"
}
release() {
    exec {hold_in}>&- {hold_out}<&-
    wait "$holder" 2>/dev/null
}

coproc TOY { exec "$BUILD/bin/usb_toy" A1 TWIN TWIN - bulk; }
read -r -t 120 word port <&"${TOY[0]}"
equal "$word" port "first word of usb_toy"
"$attach" attach "127.0.0.1:$port" 1-1@0 1-2@30 1-3@60 1-4@61 1-5@62 >"$work/places" ||
    fail "devices cannot be plugged in"
udevadm settle
place() {
    sed -n "s/^1-$1 //p" "$work/places"
}
# node PLACE: its file in /dev/bus/usb
node() {
    printf '/dev/bus/usb/%03d/%03d' "$(cat "/sys/bus/usb/devices/${1#usb:}/busnum")" \
        "$(cat "/sys/bus/usb/devices/${1#usb:}/devnum")"
}
one=$(place 1)

# ---- who is there ----
try 0 list
says "$(place 5) 16c0:05dc 2.00 '' 'Bulk' 'bulk'"
equal "$(grep -c "16c0:05dc 1.04 'www.fischl.de' 'USBasp'" "$work/out")" 4 "devices in the list"
says "$one 16c0:05dc 1.04 'www.fischl.de' 'USBasp' 'A1'"
! grep -q 'denied\|busy' "$work/out" || fail "denied or busy: $(cat "$work/out")"
try 0 "$one"
says "open 16c0:05dc 1.04 'www.fischl.de' 'USBasp' 'A1'"
try 0 "$(place 4)"
says "'USBasp' ''"
try 0 usb:serial=A1
says "'A1'"
try 1 usb:serial=A2
says "place-missing: usb:serial=A2"
try 1 usb:serial=TWIN
says "place-twice: usb:serial=TWIN is plugged in at $(place 2) and at $(place 3)"
try 1 usb:1-7.7
says "place-missing: usb:1-7.7: nothing is plugged in there"

# ---- transfers; the requests are those of tests/usb_fixture.h ----
try 0 "$one" in:1:2:3:8 in:2:0:0:4096 in:2:0:0:20,in:2:0:5:20,out:3:0:0:40,in:4:0:0:60 \
    in:5:0:0:0,in:1:0:0:8 in:1:7:0:8 out:12:0:0:20 in:1:8:0:8 \
    silence:300 in:1:0:0:8,in:6:0:0:8,in:1:9:0:8 in:1:9:0:8 \
    deadline:200 silence:9000 in:6:0:0:8 deadline:9000 in:1:10:0:8 reopen in:1:11:0:8
says ': 8=c001020003000800'
says '4096=000102030405060708090a0b0c0d0e0f…ff'
says ': 20=000102030405060708090a0b0c0d0e0f…13 5=0001020304 40 45=08080808080001020304'
says 'done 0 of 2 in'
says 'programmer-stalled: '"$one"': stall at request 5'
says ': 8=c001070000000800'
says 'programmer-stalled: '"$one"': stall at request 12'
says ': 8=c001080000000800'
says ': 8=c001000000000800 programmer-silent: '"$one"': no answer to request 6 within 300 ms'
says ': 8=c001090000000800'
says 'deadline: its time was over'
says ': 8=c0010a0000000800'
says ': 8=c0010b0000000800'

# ---- bulk; the commands are those of tests/tools/usb_toy.c: 1 echoes, 2 counts, 3 is silent, 4 late, 5
# and 6 stall at the reply and at the command, 7 hangs ----
bulk=$(place 5)
try 0 "$one" bulk:01:64 clear
says "bulk 1: 0 programmer-unknown: $one (16C0:05DC 'USBasp') has no bulk endpoints"
try 0 "$bulk" bulk:0199:64 bulk:02c80f:4096 bulk:020301:512 bulk:024000:128 in:1:0:0:8 bulk:024000:64 \
    bulk:0155:64 silence:200 bulk:03:64 bulk:0166:64 bulk:0477:64 in:1:0:0:8 bulk:0188:64 \
    silence:5000 bulk:05:64 bulk:0144:64 bulk:0611:64 bulk:0122:64 \
    bulk:02"$(printf '0501%0136d')":512 deadline:300 bulk:03:64 deadline:9000 clear bulk:0133:64
cat >"$work/wanted" <<END
bulk 2: 2=0199
bulk 3: 4040=000102030405060708090a0b0c0d0e0f…c7
bulk 3: 259=000102030405060708090a0b0c0d0e0f…02
bulk 3: 64=000102030405060708090a0b0c0d0e0f…3f
done 1 of 1 in N ms: 8=c001000000000800
bulk 3: 0 programmer-out-of-step: $bulk: a reply that does not end within 64 bytes
bulk 2: 2=0155
bulk 1: 0 programmer-silent: $bulk: no answer to a command within 200 ms
bulk 2: 2=0166
bulk 2: 0 programmer-silent: $bulk: no answer to a command within 200 ms
done 1 of 1 in N ms: 8=c001000000000800
bulk 2: 2=0188
bulk 1: 0 programmer-stalled: $bulk: stall at a reply
bulk 2: 2=0144
bulk 2: 0 programmer-stalled: $bulk: stall at a command
bulk 2: 2=0122
bulk 71: 261=000102030405060708090a0b0c0d0e0f…04
bulk 1: 0 deadline: its time was over
clear: done
bulk 2: 2=0133
END
sed '1d;s/ in [0-9]* ms/ in N ms/' "$work/out" | diff "$work/wanted" - || fail "bulk transfers"
# What an earlier program left: a reply, and a halt.
try 0 "$bulk" silence:200 bulk:0411:64
try 0 "$bulk" in:1:0:0:8 bulk:0199:64
says 'bulk 2: 2=0199'
try 0 "$bulk" bulk:05:64
try 0 "$bulk" bulk:0177:64
says 'bulk 2: 2=0177'
# One that hangs. The kernel keeps its address.
before=$(node "$bulk")
try 0 "$bulk" silence:200 bulk:07:64 bulk:01:64 reset bulk:0166:64 in:1:0:0:8
says "bulk 1: 0 programmer-silent: $bulk: no answer"
says 'reset: done'
says 'bulk 2: 2=0166'
says ': 8=c001000000000800'
equal "$(node "$bulk")" "$before" "node after a reset"

# ---- one at a time ----
hold "$one" wait
try 1 "$one"
says "place-busy: $one is held by process $holder (usb_probe)"
try 1 usb:serial=A1
says "place-busy: usb:serial=A1 is held by process $holder (usb_probe)"
try 0 list
says "'A1' busy"
try 0 "$(place 2)" in:1:0:0:8
kill -KILL "$holder"
release
try 0 "$one"
# One that neither locks nor claims.
exec {held}<"$(node "$one")"
try 1 "$one"
says "place-busy: $one is held by process $$ (bash)"
exec {held}<&-
try 0 "$one"

# ---- pulled out and plugged in again ----
hold "$one" in:1:0:0:8,in:6:0:0:8,in:1:0:0:8 in:1:0:0:8 wait reopen in:1:12:0:8
"$attach" detach 0 || fail "cannot be pulled out"
next_line
[[ $line == "done 1 of 3 in "*" 8=c001000000000800 programmer-gone: $one was unplugged" ]] ||
    fail "pulled out: $line"
took=${line#*in } took=${took%% ms*}
[ "$took" -lt 5000 ] || fail "pulled out, and noticed after $took ms"
next_line
[[ $line == "done 0 of 1 in "*" programmer-gone: $one was unplugged" ]] || fail "gone: $line"
try 1 "$one"
says "place-missing: $one: nothing is plugged in there"
tries=0 # the server notices in its own time that the device is free again
until "$attach" attach "127.0.0.1:$port" 1-1@0 >"$work/again" 2>&1; do
    [ $((tries += 1)) -lt 50 ] || break
    sleep 0.2
done
equal "$(cat "$work/again")" "1-1 $one" "plugged in again"
udevadm settle
echo >&"$hold_in"
next_line
[[ $line == "open 16c0:05dc"* ]] || fail "plugged in again: $line"
next_line
[[ $line == *": 8=c0010c0000000800" ]] || fail "plugged in again: $line"
release

# ---- permissions ----
# as GROUP TEXT: nobody opens the place, as a member of that group, and the probe says so
as() {
    setpriv --reuid 65534 --regid 65534 --groups "$1" "$probe" "$one" >"$work/out" 2>&1
    says "$2"
}
equal "$(stat -c '%a %G' "$(node "$one")")" "660 plugdev" "mode of the node"
plugdev=$(getent group plugdev | cut -d: -f3)
as "$plugdev" "open 16c0:05dc"
as 65534 "place-denied: $one: no permission for $(node "$one") (16C0:05DC); the udev rules are"
as 65534 "join the group plugdev"
setpriv --reuid 65534 --regid 65534 --clear-groups "$probe" list >"$work/out"
says "'A1' denied"
mv /run/udev/rules.d/60-gangflash.rules "$work/rules"
as 65534 "install the udev rules: sudo cp $BUILD/share/gangflash/udev/60-gangflash.rules /etc/udev/"
mv "$work/rules" /run/udev/rules.d/60-gangflash.rules
udevadm info --query=property --name="$(node "$one")" >"$work/out"
says ID_MM_DEVICE_IGNORE=1
says :uaccess:

# ---- several in one process: none meddles with another's context of libusb ----
LIBUSB_DEBUG=1 try 0 "$one" "beside:$(place 2)" "beside:$(place 3)"
equal "$(grep -c '^open ' "$work/out")" 3 "opened at a time"
! grep -q misuse "$work/out" || fail "libusb says: $(cat "$work/out")"

# ---- a kernel's driver has it ----
driver=/sys/bus/usb/drivers/cytherm
echo 16c0 05dc >$driver/new_id
try 1 "$one"
says "place-busy: $one (16C0:05DC 'USBasp') is used by the kernel's driver cytherm"
echo 16c0 05dc >$driver/remove_id
for interface in "$driver/"*:*; do
    basename "$interface" >$driver/unbind
done
try 0 "$one"

# ---- two sites at one programmer, named in two ways ----
cat >"$work/jig.yaml" <<END
jig: twice
sites:
  - {site: 1, programmer: usbasp, at: "$one"}
  - {site: 2, programmer: usbasp, at: "usb:serial=TWIN"}
  - {site: 3, programmer: usbasp, at: "usb:serial=A1"}
END
"$BUILD/bin/gangflash" check demo --jig "$work/jig.yaml" >"$work/out" 2>&1
equal "$?" 3 "status of a jig with a programmer at two sites"
says "jig.yaml:5:39: site 3 is at 'usb:serial=A1', where site 1 of line 3 is already"
