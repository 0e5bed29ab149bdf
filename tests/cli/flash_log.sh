# gangflash log, and where the log is.
set -eu
. "$SOURCE/tests/cli/common/cli.bash"
bench "site: 2, board: 1, fault: wrong-part, part: ATmega32U4"

# By default in the state directory, which is made; $GANGFLASH_LOG instead; --log before both.
log=$work/state/gangflash/log.sqlite
flash 1 --go now --lot A --count 3
[ -s "$log" ] || fail "the default log"
GANGFLASH_LOG=$work/environment/log flash 1 --go now
[ -s "$work/environment/log" ] || fail "the log of the environment"
GANGFLASH_LOG=$work/environment/other flash 1 --go now --log "$work/given"
[ -s "$work/given" ] && [ ! -e "$work/environment/other" ] || fail "the log that was given"

rows() { # ARGUMENT… : number of attempts that are listed
    "$gangflash" log list --json "$@" | wc -l
}
all=$(query "$log" "select count(*) from attempts")
equal "$(rows)" "$all" "all attempts"
equal "$(rows --lot A --verdict pass)" 3 "passes of the lot"
equal "$(rows --verdict refused --site 2)" 1 "refused on site 2"
equal "$(rows --verdict refused --site 1)" 0 "refused on site 1"
equal "$(rows --lot B)" 0 "another lot"
equal "$("$gangflash" log list --last 2 --json | jq -s -c 'map(.attempt)')" \
    "[$((all - 1)),$all]" "the last two"
expect 0 "$gangflash" log list
says out "refused"
says out "signature-mismatch"

refused=$(query "$log" "select attempt from attempts where verdict = 'refused'")
expect 0 "$gangflash" log show "$refused"
says out "signature-mismatch"
says out "1E 95 87"
passed=$(query "$log" "select min(attempt) from attempts where verdict = 'pass'")
expect 0 "$gangflash" log show "$passed" --json
equal "$(jq -r '[.attempt, (.fuses | length), (.steps | length > 3)] | join(" ")' "$work/out")" \
    "$passed 4 true" "one attempt"
expect 0 "$gangflash" log show --json
equal "$(jq .attempt "$work/out")" "$all" "the last attempt"
expect 2 "$gangflash" log show 999999
expect 2 "$gangflash" log list --log "$work/absent"
says err "there is no $work/absent; --log names another log"
[ ! -e "$work/absent" ] || fail "reading made a log"
expect 0 "$gangflash" log verify
expect 0 "$gangflash" log verify --json
head=$(jq -er .head "$work/out") || fail "verify --json"

# A head that was noted shows that rows at the end were cut off since, which the chain cannot.
expect 0 "$gangflash" log verify --head "$head"
expect 5 "$gangflash" log verify --head "$(echo "$head" | tr 0-9a-f 1-9a-f0)"
says err "rows were cut off at the end since"

# A row that was changed behind its back is found.
cp "$log" "$work/forged"
query "$work/forged" "drop trigger if exists attempt_closed_no_update;
    update attempt_closed set verdict = 'pass' where verdict = 'refused'"
expect 5 "$gangflash" log verify --log "$work/forged"
