#!/bin/sh
# Nobody changes a row of a log with plain SQL: every table refuses UPDATE, DELETE, REPLACE, and an
# INSERT that is not the next row.
set -u
command -v sqlite3 >/dev/null || exit 77
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
log=$directory/log.db
"$BUILD/bin/make_log" "$log" || exit 1

dump() {
    sqlite3 "$log" .dump | sha256sum
}

before=$(dump)
bad=0
refused() { # refused SQL : must fail because of the triggers, and change nothing
    if message=$(sqlite3 "$log" "$1" 2>&1); then
        echo "not refused: $1"
        bad=1
    elif ! echo "$message" | grep -q 'the log is append-only'; then
        echo "refused for another reason: $1: $message"
        bad=1
    fi
    if [ "$(dump)" != "$before" ]; then
        echo "changed the log: $1"
        bad=1
        before=$(dump)
    fi
}

count=0
for table in $(sqlite3 "$log" "SELECT name FROM sqlite_schema WHERE type = 'table'"); do
    count=$((count + 1))
    [ "$(sqlite3 "$log" "SELECT count(*) > 0 FROM $table")" = 1 ] || {
        echo "$table is empty: nothing is tested"
        bad=1
    }
    columns=$(sqlite3 "$log" "SELECT group_concat(name) FROM pragma_table_info('$table')
        WHERE name <> 'sequence'")
    refused "UPDATE $table SET station = 'other'"
    refused "UPDATE OR REPLACE $table SET sequence = sequence + 1"
    refused "UPDATE $table SET hash = hash"
    refused "DELETE FROM $table"
    refused "DELETE FROM $table WHERE sequence = (SELECT max(sequence) FROM $table)"
    refused "REPLACE INTO $table SELECT * FROM $table"
    refused "INSERT OR IGNORE INTO $table SELECT * FROM $table"
    # a number of its own, but not the next one
    refused "INSERT INTO $table(sequence, $columns) SELECT 1000 + sequence, $columns FROM $table"
    refused "INSERT INTO $table(sequence, $columns) SELECT 0, $columns FROM $table LIMIT 1"
    refused "INSERT INTO $table($columns) SELECT $columns FROM $table LIMIT 1"
done
[ "$count" -eq 7 ] || {
    echo "$count tables, expected 7"
    bad=1
}

# The right number, but the key of a row that is there: REPLACE would delete that row.
for table in attempt_opened attempt_closed fuse_intent fuse_result lot; do
    columns=$(sqlite3 "$log" "SELECT group_concat(name) FROM pragma_table_info('$table')
        WHERE name <> 'sequence'")
    refused "REPLACE INTO $table(sequence, $columns)
        SELECT (SELECT sequence FROM chain_next), $columns FROM $table LIMIT 1"
done
exit "$bad"
