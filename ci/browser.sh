#!/usr/bin/env bash
# The console in a real browser: journeys on a phone and a desktop, light and dark, hostile texts in every field, and an
# accessibility checker. With PICTURES=DIR the pictures of all pages are kept there.
set -euo pipefail
cd "$(dirname "$0")/.."

command -v chromium >/dev/null || apt-get install -y -qq --no-install-recommends chromium >/dev/null
command -v npm >/dev/null || apt-get install -y -qq --no-install-recommends nodejs npm >/dev/null

tools=target/ci-tools/browser
mkdir -p "$tools"
cp ci/browser/package.json ci/browser/package-lock.json ci/browser/journeys.mjs "$tools"
npm ci --prefix "$tools" --silent --no-audit --no-fund
cargo build --locked --quiet
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
HOSTILE_PAGES="$work/hostile" cargo test --locked --quiet --test it hostile::some_nasty >/dev/null
timeout 1500 node "$tools/journeys.mjs" "$PWD/target/debug/llama-triage" \
    "$work/hostile/ledger.db" tests/fixtures/hostile.jsonl "${PICTURES:-$work/pictures}"
