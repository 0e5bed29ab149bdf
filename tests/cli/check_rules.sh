# The rules: listed, in the manual as in the program, and what becomes of a risk that is accepted.
set -eu
. "$SOURCE/tests/cli/common/cli.bash"
log=$work/log.sqlite
bench "site: 2, board: 1, fault: wrong-part, part: ATmega32U4"

expect 0 "$gangflash" check --rules
says out "spien: refused, and no accept_risk changes that"
says out "clock-source: refused"
says out "watchdog: warned"
names=$(sed -n 's/^\([a-z-]*\): .*/\1/p' "$work/out" | paste -sd ' ')
expect 0 "$gangflash" check --rules --json
cp "$work/out" "$work/rules"
equal "$(jq -rs 'map(.rule) | join(" ")' "$work/rules")" "$names" "the rules' names"
equal "$(jq -rs 'map(.severity) | unique | join(" ")' "$work/rules")" "refused warned" "severities"
equal "$(jq -r 'select(.severity == "warned" and .may_be_accepted) | .rule' "$work/rules")" "" \
    "warnings that are accepted"
expect 2 "$gangflash" check --rules demo
expect 2 "$gangflash" check --rules --jig sim-8

# The manual's section says what the table says, in its order, and nothing else.
jq -r '".TP\n.B \(.rule | gsub("-"; "\\-"))\n" + .severity +
    (if .severity == "refused" and (.may_be_accepted | not) then ", always" else "" end) +
    ". " + .reason' "$work/rules" >"$work/wanted"
sed -n '/^\[rules\]$/,/^$/p' "$SOURCE/station/man/gangflash.h2m" | sed -n '/^\.TP$/,$p' | sed '/^$/d' \
    >"$work/manual"
diff "$work/wanted" "$work/manual" || fail "the manual's rules are not the program's"

# A crystal that its setting is not for: refused, until the profile takes the risk by name.
data=$BUILD/share/gangflash/boards
cp "$data/demo/demo.hex" "$work"
sed -e "s|file: demo/demo.hex|file: $work/demo.hex|" -e 's/crystal 16 MHz/crystal 4 MHz/' \
    "$data/demo.yaml" >"$work/slow.yaml"
expect 3 "$gangflash" flash "$work/slow.yaml" --jig "$work/bench.yaml" --go now --log "$log"
says err "rule clock-frequency: low 0xFF: SUT_CKSEL is crystal or resonator 8 MHz or more"
[ ! -e "$log" ] || fail "a log was opened for a profile that is refused"
cat >>"$work/slow.yaml" <<'END'
accept_risk:
  - {rule: rstdisbl, because: nobody knows any more}
  - {rule: clock-frequency, because: these boards run so}
END
expect 0 "$gangflash" check "$work/slow.yaml"
says out "nothing in the profile breaks the rule rstdisbl; remove it from accept_risk"
expect 1 "$gangflash" flash "$work/slow.yaml" --jig "$work/bench.yaml" --go now --count 2 --lot L \
    --log "$log"
says out "ACCEPTED RISK clock-frequency, because: these boards run so"
! grep -q rstdisbl "$work/out" || fail "a risk that nothing runs was shown"
expect 1 "$gangflash" flash "$work/slow.yaml" --jig "$work/bench.yaml" --go now --count 3 --lot M \
    --log "$log" --json
risks='[.risks[] | .rule, .because] | join(": ")'
equal "$(jq -r "select(.event == \"started\") | $risks" "$work/out")" \
    "clock-frequency: these boards run so" "the start"
equal "$(jq -r "select(.event == \"verdict\" and .verdict != \"empty\") | $risks" "$work/out" | sort -u)" \
    "clock-frequency: these boards run so" "verdicts"

# With every board, also one that was refused, and with those alone.
equal "$(query "$log" "SELECT count(*) FROM attempts a WHERE (verdict <> 'empty') <> (1 = (SELECT
    count(*) FROM events WHERE kind = 'risk-accepted' AND detail = 'attempt ' || a.attempt ||
    ': clock-frequency, because: these boards run so'))")" 0 "boards without their risk"
equal "$(query "$log" "SELECT group_concat(verdict) FROM (SELECT DISTINCT verdict FROM attempts
    WHERE verdict <> 'empty' ORDER BY verdict)")" "pass,refused" "verdicts"
for verdict in pass refused; do
    attempt=$(query "$log" "SELECT min(attempt) FROM attempts WHERE verdict = '$verdict'")
    expect 0 "$gangflash" log show "$attempt" --log "$log"
    says out "accepted risk        clock-frequency, because: these boards run so"
    expect 0 "$gangflash" log show "$attempt" --log "$log" --json
    equal "$(jq -r "$risks" "$work/out")" "clock-frequency: these boards run so" "log show --json"
done
expect 0 "$gangflash" log verify --log "$log"

# Whether the level is above the supply is known with the sites: without them nothing is called unused.
sed -e 's/, supply: 5 V//' -e '/rstdisbl/d' -e 's/clock-frequency, because/brown-out, because/' \
    -e 's/crystal 4 MHz/crystal 16 MHz/' "$work/slow.yaml" >"$work/level.yaml"
expect 0 "$gangflash" check "$work/level.yaml"
! grep -q unused-risk "$work/out" || fail "a risk of an unknown supply was called unused"
sed '/programmer:/s/site: \([0-9]*\),/site: \1, supply: 5 V,/' "$work/bench.yaml" >"$work/bench-5.yaml"
expect 0 "$gangflash" check "$work/level.yaml" --jig "$work/bench-5.yaml"
says out "nothing in the profile breaks the rule brown-out"
! grep -q supply-not-said "$work/out" || fail "a supply that the sites state is missed"
