#!/usr/bin/env bash
# Writes docs/console.png again: a digest of the demo, and the pages that it leads to (Chromium and its fonts needed).
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
pictures=${PICTURES:-$work/pictures}
[ -e "$pictures/ack-360-dark.png" ] || PICTURES="$pictures" bash ci/browser.sh
cat >"$work/console.html" <<HTML
<body style="margin:0;padding:16px;display:flex;gap:16px;background:#d8d8d4;height:768px;overflow:hidden">
<style>img{width:360px;height:768px;object-fit:cover;object-position:top;border:1px solid #b8b8b4;border-radius:10px}</style>
<img src="$pictures/digest-360-light.png"><img src="$pictures/group-360-light.png"><img src="$pictures/ack-360-dark.png">
</body>
HTML
chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --user-data-dir="$work/profile" \
    --window-size=1146,800 --screenshot="$work/console.png" "file://$work/console.html" 2>/dev/null
mv "$work/console.png" docs/console.png
