# One board after the other at each kind of programmer, in a jig whose boards count as gone at once:
# an empty place is noticed even where a driver tries several SCKs at it, and the run ends.
set -eu
. "$SOURCE/tests/cli/common/cli.bash"

{
    cat <<'END'
jig: follow
bench: {simulated: true, pace: fast, seed: 5, boards: 3}
contact: {present: 0 ms, gone: 0 ms, poll: 20 ms}
sites:
END
    site=0
    while read -r programmer model; do
        site=$((site + 1))
        echo "  - {site: $site, programmer: $programmer, model: $model, board: ATmega328P, crystal: 16 MHz}"
    done <<'END'
stk500v1 arduino-uno-isp
stk500 stk500
stk500v2 stk500-v2
stk500v2 mega2560-isp
avr910 avr910-block
buspirate buspirate-v3
usbasp usbasp-2011
usbtiny usbtinyisp
avrispmkii avrispmkii
avrispmkii avrispmkii-lufa
END
} >"$work/jig.yaml"

expect 0 timeout 100 "$gangflash" flash demo --jig "$work/jig.yaml" --go contact --lot follow \
    --count 30 --log "$work/log.sqlite"
equal "$(sqlite3 "$work/log.sqlite" "SELECT group_concat(site || ':' || passed, ' ') FROM
    (SELECT site, count(*) AS passed FROM attempts WHERE verdict = 'pass' GROUP BY site ORDER BY site)")" \
    "1:3 2:3 3:3 4:3 5:3 6:3 7:3 8:3 9:3 10:3" "boards passed at each site"
