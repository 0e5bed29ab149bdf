#!/usr/bin/env bash
# A programmer that is pulled out while it writes a page fails its board, and no other; plugged in again
# at its place it goes on with the next one.
# limit: 120 s
. "${SOURCE:?}/tests/qemu/lane.bash"

pace=real
bench_of usbasp/usbasp-2011 usbtiny/usbtinyisp usbasp/usbasp-2011
plug 1 2 3
jig_of 1 2 3
# The demo profile with 28 KiB: it is still being written when the plug has been pulled, however late.
random_hex 28672 1 flash
cp "$work/flash.bytes" "$work/demo.bytes"
sum=$(sha256sum "$work/flash.hex")
sed -e 's|file: demo/demo.hex|file: flash.hex|' -e "s|sha256: .*|sha256: ${sum%% *}|" \
    "$SOURCE/profiles/boards/demo.yaml" >"$work/long.yaml"
start "$gangflash" flash "$work/long.yaml" --jig "$work/jig.yaml" --log "$work/log" --go contact \
    --count 3 --json
writes() { # writes SITE
    grep -q "\"progress\".*\"site\":$1,.*\"step\":\"flash\"" "$work/out"
}
state() { # state SITE STATE
    sed -n "s/.*\"event\":\"site\".*\"site\":$1,.*\"state\":\"\([a-z-]*\)\".*/\1/p" "$work/out" |
        tail -n 1 | grep -qx "$2"
}
wait_for 150 writes 1
unplug 1
wait_for 150 writes 2
unplug 2
wait_for 150 state 1 waiting
wait_for 150 state 2 waiting
plug 1 2
for site in 1 2; do
    wait_for 150 state $site held
    echo "lamp $site fail" >&"$bench_in"
done
ended 4
equal "$(query "select group_concat(site || ' ' || verdict || ' ' || coalesce(failure, ''), ', ')
    from (select * from attempts order by site, attempt)")" \
    "1 fail programmer-gone, 1 pass , 2 fail programmer-gone, 2 pass , 3 pass " "rows"
for site in 1 2 3; do
    demo_board "$site"
done
stop_bench
