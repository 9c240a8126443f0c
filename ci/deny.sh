#!/usr/bin/env bash
# Checks licences, banned crates and sources of everything in Cargo.lock. Advisories need the network, so they are
# checked where there is one: `cargo deny check advisories`.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! cargo deny --version >/dev/null 2>&1; then
    # Unoptimised: it runs once, and is built in half the time.
    cargo install --quiet --locked --debug cargo-deny@0.20.2
fi
# Those of other systems, too: the build needed none of them, and cargo-deny looks at all.
cargo fetch --quiet --locked
cargo deny --locked --offline check --hide-inclusion-graph bans licenses sources
