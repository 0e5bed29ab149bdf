#!/usr/bin/env bash
# Who may use a programmer: without our udev rules nobody but root, and the station says which rules to
# install; with them the group plugdev.
# limit: 90 s
. "${SOURCE:?}/tests/qemu/lane.bash"

rules=60-gangflash.rules
for directory in /etc/udev/rules.d /usr/lib/udev/rules.d /usr/local/lib/udev/rules.d; do
    [ ! -e "$directory/$rules" ] || {
        echo "$directory/$rules is installed on this machine"
        exit 77
    }
done
chmod 755 "$work"
for_everybody
bench_of usbasp/usbasp-2011 usbtiny/usbtinyisp
mkdir -m 777 "$work/home"

# as GROUP STATUS : an unprivileged user of that group runs the station
as() {
    expect "$2" setpriv --reuid nobody --regid nogroup --groups "$1" --no-new-privs \
        env HOME="$work/home" "$gangflash" flash demo --jig "$work/jig.yaml" --log "$work/home/log" \
        --go now --count 2
}

rm "/run/udev/rules.d/$rules"
udevadm control --reload --ping
plug 1 2
jig_of 1 2
as plugdev 4
says err "place-denied"
says err "$rules /etc/udev/rules.d/"
read_record 1
expect_field frames 0 "a board that nobody may touch"
unplug 1 2

cp "$SOURCE/jigs/udev/$rules" /run/udev/rules.d/
udevadm control --reload --ping
plug 1 2
as users 4
says err "join the group plugdev"
as plugdev 0
demo_board 1
demo_board 2
udevadm info --query=property "/sys/bus/usb/devices/${path[1]#usb:}" >"$work/out"
says out "ID_MM_DEVICE_IGNORE=1"
stop_bench
