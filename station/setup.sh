#!/bin/sh
# Installs what Gangflash needs and this machine lacks, with apt-get (Debian 12).
#
# usage: sh station/setup.sh build|test     test: what build needs, and what the tests need
set -eu

build="gcc libc6-dev cmake ninja-build pkg-config libyaml-dev libsqlite3-dev libserialport-dev
       libusb-1.0-0-dev nettle-dev libjansson-dev libncurses-dev libelf-dev libcmocka-dev
       help2man sqlite3"
tests="avrdude arduino-core-avr jq tmux gcc-avr avr-libc binutils-avr python3 clang clang-format
       clang-tidy python3-jsonschema python3-yaml srecord libclang-rt-14-dev llvm man-db procps
       qemu-system-x86 seabios busybox-static cpio kmod udev xz-utils ser2net"

case ${1:-} in
build) wanted=$build ;;
test) wanted="$build $tests" ;;
*)
    echo "usage: sh $0 build|test" >&2
    exit 2
    ;;
esac

missing=
for package in $wanted; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "missing:$missing" >&2
        echo "installing them needs root or sudo" >&2
        exit 1
    fi
    as_root=sudo
fi

apt_get() {
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq "$@"
}
echo "installing:$missing"
apt_get update
# A machine that was just started may still be installing its own updates: they are waited for.
# shellcheck disable=SC2086  # one word per package
apt_get install -y --no-install-recommends -o DPkg::Lock::Timeout=120 $missing >/dev/null
