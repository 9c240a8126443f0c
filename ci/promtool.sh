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
for metric in $(grep -oh 'llama_triage_[a-z_]*' dashboards/grafana.json dashboards/alerts.yml | sort -u); do
    grep -q "\`$metric\`" docs/operations.md || { echo "$metric is not documented"; exit 1; }
done
echo "dashboards are fine"
