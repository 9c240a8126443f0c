#!/usr/bin/env bash
# Checks what the built binary sends to make work: against the request types of LlamaCloud's newest SDK (PyPI), of the last one
# that had the batches of v1 beta, and, where OPENAPI_DIR names a folder with them, against descriptions of the API.
# Then makes every call of both SDKs at the demo's service: it must know each.
set -euo pipefail
cd "$(dirname "$0")/.."

# The newest SDK with `beta.batch`: later ones do not have it.
LAST_WITH_V1=2.13.0

command -v python3 >/dev/null || apt-get install -y -qq --no-install-recommends python3 >/dev/null
python3 -c 'import ensurepip' 2>/dev/null || apt-get install -y -qq --no-install-recommends python3-venv >/dev/null

work=$(mktemp -d)
demo=
# The demo ends by the signal, and so with a status that is not the check's.
trap 'if [ -n "$demo" ]; then kill "$demo"; wait "$demo" || true; fi; rm -rf "$work"' EXIT
REQUESTS_OUT="$work/requests.json" cargo test --locked --test it requests::

target/debug/llama-triage demo --fast --serve --dir "$work/demo" >"$work/demo.txt" &
demo=$!
# The demo writes its configuration for real time once it serves.
timeout 120 bash -c "until grep -qs reprocess '$work/demo/config.toml'; do sleep 0.2; done"
url=$(sed -n 's/^base-url = "\(.*\)"/\1/p' "$work/demo/config.toml" | head -1)

for sdk in llama-cloud "llama-cloud==$LAST_WITH_V1"; do
    python3 -m venv --clear "$work/venv"
    "$work/venv/bin/pip" install --quiet --disable-pip-version-check "$sdk"
    "$work/venv/bin/python" ci/requests.py sdk "$work/requests.json" >>"$work/checked"
    "$work/venv/bin/python" -W ignore ci/sdk_calls.py "$url" "$(cat "$work/demo/credentials/archive")"
done
if [ -n "${OPENAPI_DIR:-}" ]; then
    "$work/venv/bin/pip" install --quiet --disable-pip-version-check jsonschema pyyaml
    "$work/venv/bin/python" ci/requests.py openapi "$work/requests.json" "$OPENAPI_DIR" >>"$work/checked"
fi
cat "$work/checked"
for path in /api/v1/beta/batch-processing /api/v2/parse /api/v2/extract; do
    grep -q "^$path " "$work/checked" || { echo "no SDK knows $path" >&2; exit 1; }
done
