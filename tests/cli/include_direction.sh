#!/usr/bin/env bash
# Includes go one way, reports <- profiles <- jigs <- station; the log and its database are for
# reports and station alone; each third-party header is included by exactly one file; the simulated
# bench shares neither the ISP instructions nor the drivers' side with the station.
# Then the check itself is checked: on a copy with one wrong include each, it must find it.
set -u
source=${SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}

# check_tree DIRECTORY: prints what is wrong there. Every include is a line "FILE HEADER" for awk.
check_tree() (
    cd "$1" || exit 1
    grep -rE '^[[:space:]]*#[[:space:]]*include[[:space:]]*[<"]' --include='*.[ch]' \
        reports profiles jigs station |
        sed 's/^\([^:]*\):[^<"]*[<"]\([^>"]*\)[>"].*/\1 \2/' | sort -u | awk '
function is_log(header) {
    return header ~ /^reports\/(log|database)/
}
function may_include(house, header) {
    if (header ~ /^tests\//) return 0
    if (house == "reports") return header ~ /^reports\//
    if (house == "profiles") return header ~ /^(reports|profiles)\// && !is_log(header)
    if (house == "jigs") return header ~ /^(reports|profiles|jigs)\// && !is_log(header)
    return 1
}
function reach(file, top,    i, list, count) {
    count = split(included[file], list, " ")
    for (i = 1; i <= count; i++) {
        if ((top, list[i]) in seen) continue
        seen[top, list[i]] = 1
        if (list[i] ~ /^jigs\/(isp|programmer|link_[a-z_]*|usbip_wire)\.h$/) print top " reaches " list[i]
        reach(list[i], top)
    }
}
BEGIN {
    third_count = split("^yaml ^sqlite3 ^libserialport ^nettle/ ^jansson ^n?curses ^(lib|g)elf\\.h ^libusb", third, " ")
}
{
    split($1, path, "/")
    if ($2 ~ /^(reports|profiles|jigs|station|tests)\// && !may_include(path[1], $2))
        print $1 " includes " $2
    included[$1] = included[$1] " " $2
    for (i = 1; i <= third_count; i++)
        if ($2 ~ third[i] && !(($1, i) in counted)) {
            counted[$1, i] = 1
            users[i] = users[i] " " $1
            user_count[i]++
        }
}
END {
    for (i = 1; i <= third_count; i++)
        if (user_count[i] != 1) print third[i] " is not included by one file:" users[i]
    for (file in included)
        if (file ~ /^jigs\/simbench\//) reach(file, file)
}'
)

wrong=$(check_tree "$source")
if [ -n "$wrong" ]; then
    echo "$wrong"
    exit 1
fi

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
(cd "$source" && cp -r reports profiles jigs station "$copy/")
failed=0

# must_find FILE INCLUDE-LINE: plants the line in the copy of the sources, and takes it out again
must_find() {
    echo "$2" >>"$copy/$1"
    if [ -z "$(check_tree "$copy")" ]; then
        echo "not found: $2 in $1"
        failed=1
    fi
    cp "$source/$1" "$copy/$1"
}

must_find reports/record.h '#include "profiles/part.h"'
must_find profiles/part.c '#include "jigs/place.h"'
must_find profiles/part.c '#include "reports/log.h"'
must_find jigs/isp.c '# include "station/event.h"'
must_find jigs/programmer.c '#include "reports/log.h"'
must_find station/plan.c '#include "tests/fake_bench.h"'
must_find station/plan.c '#include <yaml.h>'
must_find station/plan.c '#include <nettle/sha2.h>'
must_find station/plan.c '#include <ncursesw/panel.h>'
must_find reports/log.c '#include <sqlite3.h>'
must_find profiles/image_file.c '#include <libelf.h>'
must_find jigs/simbench/bench.c '#include "jigs/programmer.h"'
must_find jigs/simbench/bench.h '#include "jigs/link_stream.h"'
must_find jigs/simbench/bench.c '#include "jigs/usbip_wire.h"'
must_find jigs/link_usb.c '#include <libusb.h>'
must_find jigs/place.h '#include "jigs/isp.h"'
exit $failed
