#!/usr/bin/env bash
# Builds the binary of packages twice, in two folders, and compares the bytes. Takes two full builds.
set -euo pipefail
cd "$(dirname "$0")/.."
source ci/release.env

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for n in 1 2; do
    mkdir "$work/$n"
    git archive HEAD | tar -x -C "$work/$n"
    # The folder's own name is mapped away, as ci/release.env does for the usual one.
    (cd "$work/$n" && RUSTFLAGS="$RELEASE_FLAGS --remap-path-prefix=$work/$n=/src" CARGO_TARGET_DIR="$work/$n/target" \
        cargo build --quiet --locked --profile dist)
done
sha256sum "$work"/[12]/target/dist/llama-triage
cmp "$work/1/target/dist/llama-triage" "$work/2/target/dist/llama-triage"
echo "the build is reproducible"
