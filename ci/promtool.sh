#!/usr/bin/env bash
# Checks the alert rules and runs their unit tests; checks that dashboard and alerts use only metrics that are documented.
set -euo pipefail
cd "$(dirname "$0")/.."

command -v promtool >/dev/null || apt-get install -y --no-install-recommends prometheus >/dev/null

promtool check rules dashboards/alerts.yml
(cd dashboards && promtool test rules alerts_test.yml)

# Every alert has a test that sees it fire.
for alert in $(sed -n 's/.*- alert: //p' dashboards/alerts.yml); do
    grep -q -A1 "alertname: $alert\$" dashboards/alerts_test.yml || { echo "no test for $alert"; exit 1; }
    grep -q "\`$alert\`" docs/operations.md || { echo "$alert is not explained in docs/operations.md"; exit 1; }
done
# Metric names in dashboard and alerts are those of docs/operations.md, which a test holds equal to the code.
# The parts of a histogram are documented under its name.
metrics=$(grep -ohE '(llama_triage|process)_[a-z_]+' dashboards/grafana.json dashboards/alerts.yml | sed -E 's/_(bucket|sum|count)$//')
for metric in $(sort -u <<<"$metrics"); do
    grep -q "\`$metric\`" docs/operations.md || { echo "$metric is not documented"; exit 1; }
done

echo "-- a scrape of a running service follows Prometheus' conventions"
binary=${CARGO_TARGET_DIR:-target}/debug/llama-triage
work=$(mktemp -d)
service=
trap '[ -z "$service" ] || kill "$service" 2>/dev/null || true; rm -rf "$work"' EXIT
"$binary" demo --fast --dir "$work/demo" >/dev/null
port=${METRICS_PORT:-19180}
cat >"$work/config.toml" <<TOML
[ledger]
path = "$work/demo/ledger.db"
[service]
listen = "127.0.0.1:$port"
[[project]]
name = "demo"
base-url = "http://127.0.0.1:1"
TOML
LLAMA_CLOUD_API_KEY=none "$binary" --config "$work/config.toml" serve 2>"$work/log" &
service=$!
scrape() {
    exec 3<>"/dev/tcp/127.0.0.1/$port" || return 1
    printf 'GET /metrics HTTP/1.0\r\n\r\n' >&3
    sed '1,/^\r$/d' <&3 >"$work/metrics"
    grep '^llama_triage_cycles_total' "$work/metrics" >/dev/null
}
for _ in $(seq 300); do
    if scrape 2>/dev/null; then break; fi
    kill -0 "$service" || { cat "$work/log"; exit 1; }
    sleep 0.1
done
promtool check metrics <"$work/metrics"
grep -c '^llama_triage_' "$work/metrics"
echo "dashboards are fine"
