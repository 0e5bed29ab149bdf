# --dry-run: everything up to the plan; no programmer, no bench, no log.
set -eu
. "$SOURCE/tests/cli/common/cli.bash"
bench
flash 0 --dry-run --log "$work/log.sqlite" --bench-record "$work/record" --sites 2
says out "site 2: stk500v1"
grep -q 'site 1: ' "$work/out" && fail "a site that is not wanted"
flash 0 --dry-run --json
jq -e '.sites | length == 2' "$work/out" >/dev/null || fail "the plan as JSON"
flash 0 --dry-run
# A jig of real hardware that is not there: nothing is opened.
cat >"$work/absent.yaml" <<END
jig: absent
sites:
  - {site: 1, programmer: stk500v1, at: "serial:/dev/gangflash-is-not-there"}
END
expect 0 "$gangflash" flash demo --jig "$work/absent.yaml" --dry-run
expect 3 "$gangflash" flash dmo --jig "$work/bench.yaml" --dry-run
left=$(find "$work" -newer "$work/bench.yaml" -type f ! -name out ! -name err ! -name absent.yaml)
equal "$left" "" "files made by a dry run"
[ ! -e "$work/state" ] || fail "a dry run made a log"
