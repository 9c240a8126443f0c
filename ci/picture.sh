#!/usr/bin/env bash
# Writes docs/digest.png again, from the digest of the snapshot tests (Chromium and its fonts needed).
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# What follows the snapshot's own head, between the second line of dashes and the end.
awk 'dashes > 1; /^---$/ { dashes++ }' src/notify/tests/snapshots/llama_triage__notify__tests__looks__html.snap >"$work/digest.html"
chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --user-data-dir="$work/profile" \
    --window-size=680,1000 --screenshot="$work/digest.png" "file://$work/digest.html" 2>/dev/null
mv "$work/digest.png" docs/digest.png
