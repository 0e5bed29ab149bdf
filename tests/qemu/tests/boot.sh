#!/usr/bin/env bash
# What the other tests rely on: the kernel, its virtual USB host controllers, udev, and a build tree
# that can be written while all the rest cannot.
. "${SOURCE:?}/tests/qemu/lane.bash"

case $(uname -r) in
*-cloud-*) fail "a kernel without USB" ;;
*-amd64) ;;
*) fail "kernel $(uname -r)" ;;
esac
[ "$$" -ne 1 ] || fail "a test is the first process"

controllers=(/sys/devices/platform/vhci_hcd.*/usb[0-9]*)
equal "${#controllers[@]}" 16 "buses of vhci-hcd"
for driver in usbhid cdc_acm; do
    [ -d "/sys/bus/usb/drivers/$driver" ] || fail "no driver $driver"
done

echo written >"$BUILD/qemu/job/boot.written" || fail "the build tree cannot be written"
rm "$BUILD/qemu/job/boot.written"
for directory in / /usr "$SOURCE"; do
    ! touch "$directory/written" 2>/dev/null || fail "$directory can be written"
done
touch "$work/written" || fail "no temporary directory"

# udev is at work: it tells what it found out about a device, and its rules act.
udevadm trigger --action=add --settle /sys/bus/usb/devices/usb1
udevadm info --query=property /sys/bus/usb/devices/usb1 >"$work/properties"
grep -qx 'ID_BUS=usb' "$work/properties" || fail "udev has not seen usb1:
$(cat "$work/properties")"
node=/dev/bus/usb/001/001
[ -c "$node" ] || fail "no $node"
echo "SUBSYSTEM==\"usb\", KERNEL==\"usb1\", MODE=\"0604\"" >/run/udev/rules.d/99-boot.rules
udevadm control --reload
# A device that udev is still busy with from before has its old mode once more: hence several times.
for _ in $(seq 10); do
    udevadm trigger --action=add --settle /sys/bus/usb/devices/usb1
    [ "$(stat -c %a "$node")" != 604 ] || break
    sleep 0.3
done
equal "$(stat -c %a "$node")" 604 "mode of $node after a rule"
rm /run/udev/rules.d/99-boot.rules
