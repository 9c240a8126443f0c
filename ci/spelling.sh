#!/usr/bin/env bash
# Spell check of code and documents; _typos.toml has what it leaves out.
set -euo pipefail
cd "$(dirname "$0")/.."

tools=target/ci-tools
version=1.52.0
if ! "$tools/bin/typos" --version 2>/dev/null | grep -qF "$version"; then
    command -v pip3 >/dev/null || apt-get install -y -qq --no-install-recommends python3-pip >/dev/null
    pip3 install --quiet --root-user-action ignore --upgrade --target "$tools" "typos==$version"
fi
"$tools/bin/typos"
