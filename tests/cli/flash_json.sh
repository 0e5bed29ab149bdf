# --json: every line is an object, and every verdict is what the log has.
set -eu
. "$SOURCE/tests/cli/common/cli.bash"
log=$work/log.sqlite
bench "site: 2, board: 2, fault: wrong-part, part: ATmega32U4"

flash 1 --go now --count 6 --lot J-1 --operator "Kim Ü" --log "$log" --json
jq -es 'length > 0 and all(type == "object" and has("event") and has("at"))' "$work/out" >/dev/null ||
    fail "a line is no event"
equal "$(jq -rs '.[0].event' "$work/out")" started "first event"
equal "$(jq -rs '.[-1] | [.event, .exit_status, .counts.passed, .counts.lot_passed] | join(" ")' \
    "$work/out")" "ended 1 6 6" "last event"
equal "$(jq -rs '.[0] | [.lot, .operator, .article, (.sites | join(","))] | join(" ")' "$work/out")" \
    "J-1 Kim Ü DEMO-0001 1,2" "the start"

# One verdict per logged attempt, the same in every column.
columns="attempt lot cycle site programmer profile article revision profile_sha256 image_sha256 part
    part_sha256 expected_signature signature operator purpose started_at ended_at verdict failure
    detail touched tries verification readback_sha256 software jig jig_sha256"
filter=$(for column in $columns; do printf '.%s,' "$column"; done)
jq -c "select(.event == \"verdict\") | [${filter%,}]" "$work/out" | sort >"$work/shown"
"$gangflash" log list --log "$log" --json | jq -c "[${filter%,}]" | sort >"$work/logged"
diff "$work/shown" "$work/logged" || fail "verdicts are not the log's"

# Failures by cause, at the end.
equal "$(jq -rs '.[-1] | [(.causes[] | .failure, .blame, .boards), .counts.unknown] | join(" ")' \
    "$work/out")" "signature-mismatch board 1 0" "causes"
equal "$(jq -rs '[.[] | select(.event == "step" and .step == "flash") | .tries] | unique | join(" ")' \
    "$work/out")" 1 "tries"

# Fuses, too: a new part has low 62, the profile asks for FF.
equal "$(jq -r 'select(.event == "verdict" and .verdict == "pass") | .fuses[] |
    select(.fuse == "low") | [.found, .asked, .read_back, .decision] | join(" ")' "$work/out" |
    sort -u)" "98 255 255 written" "the low fuse"

# Each site's progress rises within an attempt and ends before its verdict.
jq -es '[.[] | select(.event == "progress") | .permille] | all(. >= 0 and . <= 1000)' \
    "$work/out" >/dev/null || fail "progress"

# What keeps a run from starting is an event, too.
flash 3 --lot J-1 --count 99 --log "$log" --json
equal "$(jq -r '[.event, .failure, .exit_status] | join(" ")' "$work/out")" \
    "ended lot-refused 3" "a refusal"
