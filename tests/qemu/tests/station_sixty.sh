#!/usr/bin/env bash
# Sixty USBasps by port path for a minute, a new board on each as soon as the one before is out: every
# board passes, by the station's word and by the bench's, and the station does not grow.
# limit: 170 s
. "${SOURCE:?}/tests/qemu/lane.bash"

count=60
contact="contact: {present: 0 ms, gone: 0 ms, poll: 1 s}"
programmers=()
for site in $(seq $count); do
    programmers+=(usbasp/usbasp-2011)
done
bench_of "${programmers[@]}"
begun=$SECONDS
plug $(seq $count)
echo "$count plugged in within $((SECONDS - begun)) s"
jig_of $(seq $count)

# The programmers come first: real ones do not wait for the station's CPU.
start nice -n 10 "$gangflash" flash demo --jig "$work/jig.yaml" --log "$work/log" --go contact --json
verdicts() {
    tail -n +1 -s 0.2 -f --pid="$station" "$work/out" | sed -un \
        's/.*"event":"verdict".*"site":\([0-9]*\),"cycle".*"verdict":"\([a-z]*\)".*/\1 \2/p'
}
descriptors() {
    local all=(/proc/"$station"/fd/*)
    echo "${#all[@]}"
}

# The lamp brings the next board to a site, until a minute is over and there were as many boards as
# sites; then its board stays in.
begun=$SECONDS
done=0
left=$count
at_first=
while [ $left -gt 0 ] && read -r -t 300 site verdict; do
    [ "$verdict" = pass ] ||
        fail "$(grep "\"event\":\"verdict\".*\"verdict\":\"$verdict\"" "$work/out")"
    done=$((done + 1))
    [ $done -ne $count ] || at_first=$(descriptors)
    if [ $((SECONDS - begun)) -lt 60 ] || [ $done -le $count ]; then
        echo "lamp $site $verdict" >&"$bench_in"
    else
        left=$((left - 1))
    fi
done < <(verdicts)
equal "$left" 0 "sites from which no verdict came"
equal "$(descriptors)" "$at_first" "open files of the station after $done boards"
kill -INT "$station"
ended 130
echo "$done boards in $((SECONDS - begun)) s"
[ $done -ge $((2 * count)) ] || fail "$done boards"
equal "$(query "select count(*), sum(verdict = 'pass') from attempts")" "$done|$done" "rows of the log"
equal "$(query "select count(distinct site) from attempts")" $count "sites that worked"
for site in 1 31 $count; do
    demo_board "$site"
done
stop_bench
