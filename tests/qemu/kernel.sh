#!/bin/sh
# Makes a kernel and an initramfs that qemu can boot, from Debian's own kernel package, without
# installing it and without root. Prints the version of the kernel.
#
# usage: sh tests/qemu/kernel.sh DIRECTORY
#
# DIRECTORY keeps what was fetched: with it the next run needs no network. It gets
#   NAME.deb     the package, as apt-get downloaded and checked it
#   NAME/        its modules, and vmlinux
#   vmlinux      what to boot
#   initramfs    busybox, the modules that the tests need, and init
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
cache=$(cd "$1" && pwd)
# The cloud kernel of Debian has no USB. Dependencies are added by modprobe. cytherm is a driver that
# takes any device it is told to.
modules="virtio_pci 9pnet_virtio 9p vhci-hcd cdc_acm usbhid hid_generic cytherm"

fail() {
    echo "kernel.sh: $*" >&2
    exit 1
}

# The files that apt-get works with: the machine's own, or after refresh_lists those in the cache.
lists=
apt_tool() {
    tool=$1
    shift
    # shellcheck disable=SC2086  # one word per option
    "$tool" $lists -o APT::Sandbox::User=root "$@"
}

# The machine's own lists may be missing or older than the mirror; others need no root.
refresh_lists() {
    mkdir -p "$cache/apt/state/lists/partial" "$cache/apt/cache/archives/partial"
    lists="-o Dir::State=$cache/apt/state -o Dir::Cache=$cache/apt/cache"
    lists="$lists -o Dir::State::status=/var/lib/dpkg/status"
    apt_tool apt-get -qq update >&2
}

# linux-image-amd64 depends on the package with the kernel.
resolve() {
    apt_tool apt-cache depends linux-image-amd64 2>/dev/null |
        sed -n 's/^ *Depends: \(linux-image-[0-9][^ ]*\)$/\1/p' | head -n 1
}

# download NAME : NAME.deb in the cache, whole or not at all
download() {
    [ ! -e "$cache/$1.deb" ] || return 0
    rm -rf "$cache/part"
    mkdir "$cache/part"
    (cd "$cache/part" && apt_tool apt-get -qq download "$1") >&2 || return 1
    mv "$cache/part/$1"_*.deb "$cache/$1.deb"
    rmdir "$cache/part"
}

# Sets `name`: the newest kernel package, or, when it cannot be had, the one that is here.
find_package() {
    name=$(resolve)
    [ -n "$name" ] && download "$name" && return 0
    if refresh_lists; then
        name=$(resolve)
        [ -n "$name" ] && download "$name" && return 0
    fi
    for deb in "$cache"/linux-image-*.deb; do
        [ -e "$deb" ] || fail "the package linux-image-amd64 cannot be downloaded"
        name=$(basename "$deb" .deb)
    done
    echo "kernel.sh: no kernel package can be downloaded; $name of an earlier run is used" >&2
}

# bytes FILE OFFSET COUNT : the unsigned little-endian number there
bytes() {
    od -An -v -tu"$3" -j "$2" -N "$3" "$1" | tr -d ' '
}

# unpack_kernel BZIMAGE VMLINUX : the ELF file within. qemu starts that directly (PVH), which saves
# the seconds that an emulated CPU needs to unpack it. Offsets: Documentation/x86/boot.rst of Linux
# (setup_sects, payload_offset, payload_length). The last 4 bytes of the payload are the size of what
# was packed.
unpack_kernel() {
    payload=$((($(bytes "$1" 497 1) + 1) * 512 + $(bytes "$1" 584 4)))
    length=$(($(bytes "$1" 588 4) - 4))
    tail -c "+$((payload + 1))" "$1" | head -c "$length" | xz -dc >"$2" ||
        fail "the kernel in $1 is not packed with xz"
    [ "$(bytes "$2" 0 4)" = 1179403647 ] || fail "no ELF file in $1" # 7F 45 4C 46
}

# extract NAME : NAME/ in the cache, whole or not at all
extract() {
    [ ! -e "$cache/$1" ] || return 0
    rm -rf "$cache/part"
    mkdir "$cache/part"
    dpkg-deb --fsys-tarfile "$cache/$1.deb" | tar -x -C "$cache/part" --wildcards \
        './boot/vmlinuz-*' './lib/modules/*/modules.*' './lib/modules/*/kernel/drivers/usb/*' \
        './lib/modules/*/kernel/drivers/hid/*' './lib/modules/*/kernel/drivers/virtio/*' \
        './lib/modules/*/kernel/net/9p/*' './lib/modules/*/kernel/fs/*'
    depmod -b "$cache/part" "$(ls "$cache/part/lib/modules")" 2>"$cache/depmod.log" ||
        fail "depmod: $(cat "$cache/depmod.log")"
    unpack_kernel "$cache/part/boot"/vmlinuz-* "$cache/part/vmlinux"
    mv "$cache/part" "$cache/$1"
}

# add_modules TREE VERSION DIRECTORY : copies the modules there, and their order into `order`
add_modules() {
    for module in $modules; do
        modprobe -d "$1" -S "$2" --show-depends "$module" || fail "no module $module in $2"
    done | sed -n 's/^insmod \([^ ]*\).*/\1/p' | awk '!seen[$0]++' >"$cache/order"
    while read -r file; do
        cp "$file" "$3/"
        basename "$file"
    done <"$cache/order" >"$3/order"
    grep -q '^vhci-hcd\.ko' "$3/order" || fail "the modules of $2 are incomplete"
}

# make_initramfs NAME VERSION
make_initramfs() {
    root=$cache/initramfs.part
    rm -rf "$root"
    mkdir -p "$root/bin" "$root/modules" "$root/proc" "$root/sys" "$root/dev" "$root/host"
    cp "$(command -v busybox)" "$root/bin/busybox"
    cp "$here/init" "$root/init"
    chmod +x "$root/init"
    add_modules "$cache/$1" "$2" "$root/modules"
    (cd "$root" && find . | cpio -o -H newc --quiet) >"$cache/initramfs.new"
    mv "$cache/initramfs.new" "$cache/initramfs"
    rm -rf "$root"
}

exec 9>"$cache/lock"
flock 9
find_package
extract "$name"
version=$(ls "$cache/$name/lib/modules")
make_initramfs "$name" "$version"
ln -sfn "$name/vmlinux" "$cache/vmlinux"
echo "$version"
