#!/bin/sh
# Loads the HTML of every hostile digest and report into headless Chromium (Debian: chromium) and fails if anything ran.
# The nasty texts would set `data-pwned` on the page; a page of our own that does so shows that this would be seen.
set -eu
cd "$(dirname "$0")/.."
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome) || {
    echo "no Chromium: apt-get install chromium" >&2
    exit 2
}
pages=$(mktemp -d)
trap 'rm -rf "$pages"' EXIT
HOSTILE_PAGES="$pages" cargo test --locked --test it hostile::nasty -- --ignored --nocapture

# The page as it stands after its scripts have run.
load() {
    timeout 120 "$browser" --headless --no-sandbox --disable-gpu --user-data-dir="$pages/profile" \
        --virtual-time-budget=2000 --dump-dom "file://$1" 2>/dev/null
}

printf '<!DOCTYPE html><img src=x onerror="document.documentElement.dataset.pwned=1">' >"$pages/control.html"
load "$pages/control.html" | grep -q 'data-pwned=' || { echo "the browser runs nothing at all" >&2; exit 1; }

count=0
for page in "$pages"/digest-*.html "$pages"/report-*.html; do
    if load "$page" | head -c 400 | grep -q '<html[^>]*data-pwned='; then
        echo "something ran in $(basename "$page")" >&2
        exit 1
    fi
    count=$((count + 1))
done
[ "$count" -gt 20 ] || { echo "only $count pages" >&2; exit 1; }
echo "nothing ran in $count pages"
