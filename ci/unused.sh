#!/usr/bin/env bash
# Dependencies in Cargo.toml that no source file uses.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! cargo machete --version >/dev/null 2>&1; then
    # Unoptimised: it runs once, and is built in half the time.
    cargo install --quiet --locked --debug cargo-machete@0.9.2
fi
cargo machete
