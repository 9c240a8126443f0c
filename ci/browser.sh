#!/usr/bin/env bash
# The console in a real browser: journeys on a phone and a desktop, light and dark, with an accessibility checker.
set -euo pipefail
cd "$(dirname "$0")/.."

command -v chromium >/dev/null || apt-get install -y -qq --no-install-recommends chromium >/dev/null
command -v npm >/dev/null || apt-get install -y -qq --no-install-recommends nodejs npm >/dev/null

tools=target/ci-tools/browser
mkdir -p "$tools"
cp ci/browser/package.json ci/browser/journeys.mjs "$tools"
npm install --prefix "$tools" --silent --no-audit --no-fund
cargo build --locked --quiet
pictures=$(mktemp -d)
trap 'rm -rf "$pictures"' EXIT
timeout 300 node "$tools/journeys.mjs" "$PWD/target/debug/llama-triage" "$pictures"
