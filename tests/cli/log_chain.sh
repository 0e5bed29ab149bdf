#!/bin/sh
# Recomputes every hash of a log in another language, from the description in
# reports/log_chain.h alone, and sees that a change shows.
set -u
command -v python3 >/dev/null || exit 77
command -v sqlite3 >/dev/null || exit 77
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
log=$directory/log.db
"$BUILD/bin/make_log" "$log" || exit 1

cat >"$directory/check.py" <<'END'
import hashlib, json, subprocess, sys

def query(sql):
    out = subprocess.run(["sqlite3", "-json", sys.argv[1], sql],
                         check=True, stdout=subprocess.PIPE).stdout
    return json.loads(out) if out.strip() else []

def field(value):
    if value is None:
        tag, data = b"N", b""
    elif isinstance(value, int):
        tag, data = b"I", value.to_bytes(8, "big", signed=True)
    else:
        tag, data = b"T", value.encode("utf-8")
    return tag + len(data).to_bytes(8, "big") + data

rows = []
for table in query("SELECT name FROM sqlite_schema WHERE type = 'table'"):
    columns = [c["name"] for c in query("PRAGMA table_info(%s)" % table["name"])]
    for row in query("SELECT * FROM %s" % table["name"]):
        rows.append((row["sequence"], table["name"], columns, row))
rows.sort(key=lambda r: r[0])
previous = "0" * 64
for number, (sequence, table, columns, row) in enumerate(rows, 1):
    first = [table, sequence, row["previous_hash"], row["encoding"]]
    others = [row[c] for c in columns
              if c not in ("sequence", "previous_hash", "hash", "encoding")]
    digest = hashlib.sha256(b"".join(field(v) for v in first + others)).hexdigest()
    if sequence != number or row["previous_hash"] != previous or row["hash"] != digest \
            or row["encoding"] != 1:
        sys.exit("row %d (%s) does not fit" % (sequence, table))
    previous = digest
print(len(rows))
END

rows=$(python3 "$directory/check.py" "$log") || exit 1
[ "$rows" -ge 15 ] || {
    echo "only $rows rows"
    exit 1
}
sqlite3 "$log" "DROP TRIGGER fuse_intent_no_update;
    UPDATE fuse_intent SET asked = asked + 1 WHERE fuse = 'low'" || exit 1
if python3 "$directory/check.py" "$log" 2>/dev/null; then
    echo "a changed row was not seen"
    exit 1
fi
exit 0
