#!/usr/bin/env bash
# Checks the units without booting: systemd-analyze verify is silent, security scores at most 1.0.
set -euo pipefail
cd "$(dirname "$0")/.."

# Tenths of systemd's exposure level: 10 is 1.0, "OK".
LIMIT=10

if ! command -v systemd-analyze >/dev/null; then
    apt-get install -y --no-install-recommends systemd >/dev/null
fi

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# verify wants the programs to exist; the binary need not be built for this.
root=$folder/bin
mkdir "$root" "$folder/units"
printf '#!/bin/sh\n' >"$root/llama-triage"
cp systemd/failure-mail "$root/failure-mail"
chmod +x "$root"/*
cp systemd/*.service systemd/*.timer "$folder/units"
sed -i -e "s|/usr/bin/llama-triage|$root/llama-triage|; s|/usr/lib/llama-triage/failure-mail|$root/failure-mail|" "$folder"/units/*

cd "$folder/units"
echo "-- verify"
# An instance name stands for each template. man is off: the man pages are not installed here.
cp llama-triage@.service llama-triage@team.service
cp llama-triage-failure@.service llama-triage-failure@unit.service
complaints=$(SYSTEMD_LOG_LEVEL=warning systemd-analyze verify --man=no ./llama-triage.service ./llama-triage@team.service \
    ./llama-triage-cycle.service ./llama-triage-cycle.timer ./llama-triage-failure@unit.service 2>&1 |
    grep -F llama-triage || true)
if [ -n "$complaints" ]; then
    echo "$complaints"
    exit 1
fi

echo "-- security"
for unit in llama-triage.service llama-triage@team.service llama-triage-cycle.service; do
    systemd-analyze security --offline=true --no-pager --threshold=$LIMIT "./$unit" | tail -1
done

echo "-- one hardening for all"
hardening() { sed -n '/^# --- Hardening/,/^# --- End/p' "$1"; }
for unit in llama-triage@.service llama-triage-cycle.service; do
    diff <(hardening llama-triage.service) <(hardening "$unit")
done
test "$(hardening llama-triage.service | wc -l)" -gt 20

echo "-- sysusers and tmpfiles"
cd "$OLDPWD"
# Not `grep -q`: it leaves at the first match, and pipefail takes the broken pipe behind it for a failure.
systemd-sysusers --root="$folder" --dry-run "$PWD/systemd/sysusers.d/llama-triage.conf" 2>&1 | grep 'Creating user .llama-triage' >/dev/null
systemd-tmpfiles --root="$folder" --create "$PWD/systemd/tmpfiles.d/llama-triage.conf"
test "$(stat -c %a "$folder/etc/llama-triage/credentials")" = 700
sh -n systemd/failure-mail
echo "units are fine"
