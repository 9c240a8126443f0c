#!/usr/bin/env bash
# Releases a version: sets it in Cargo.toml and CHANGELOG.md, builds the Debian package, commits and tags. Pushes nothing.
#   ci/release.sh VERSION [--dry-run]     --dry-run: in a temporary worktree with an unoptimised build; keeps nothing
set -euo pipefail
cd "$(dirname "$0")/.."
version=${1:?usage: ci/release.sh VERSION [--dry-run]}
dry=${2:-}

[[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]] || { echo "not a version: $version"; exit 2; }
[ -z "$(git tag --list "v$version")" ] || { echo "v$version exists"; exit 2; }
[ -z "$(git status --porcelain)" ] || [ -n "$dry" ] || { echo "commit or stash first"; exit 2; }

profile=dist
if [ -n "$dry" ]; then
    [ "$dry" = --dry-run ] || { echo "unknown flag: $dry"; exit 2; }
    profile=dev
    target=$PWD/target
    work=$(mktemp -d)
    git worktree add --quiet --detach "$work/tree" HEAD
    trap 'git worktree remove --force "$work/tree"; rm -rf "$work"' EXIT
    trap 'exit 130' INT TERM
    mkdir -p "$target"
    ln -s "$target" "$work/tree/target"
    # By its own path: by that of the link, cargo would build every C library again, now and at the next build without it.
    export CARGO_TARGET_DIR=$target
    cd "$work/tree"
fi

notes=$(awk '/^## \[Unreleased\]/{on=1;next} /^## /{on=0} on' CHANGELOG.md)
[ -n "${notes//[$'\n ']/}" ] || { echo "CHANGELOG.md has nothing under [Unreleased]"; exit 1; }
sed -i "s/^## \[Unreleased\]$/## [Unreleased]\n\n## [$version] - $(date -u +%F)/" CHANGELOG.md
sed -i "0,/^version = .*/s//version = \"$version\"/" Cargo.toml
cargo update --quiet --workspace --offline    # the version in Cargo.lock

if [ -z "$dry" ]; then
    source ci/release.env
    export RUSTFLAGS=$RELEASE_FLAGS
fi
timeout --foreground 45m bash ci/deb.sh "$profile" || { echo "the package was not built: it failed, or took 45 minutes"; exit 1; }
sha256sum target/debian/llama-triage_"$version"*.deb

git --no-pager diff --stat
if [ -n "$dry" ]; then
    git --no-pager diff -U0 -- Cargo.toml CHANGELOG.md | grep '^[+-]'
    echo "dry run: would commit \"Release $version\" and tag v$version with these notes:"
    echo "$notes"
    exit 0
fi
git commit --quiet --all --message "Release $version"
git tag --annotate "v$version" --message "llama-triage $version" --message "$notes"
echo "tagged v$version; to publish: git push --follow-tags"
