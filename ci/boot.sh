#!/usr/bin/env bash
# Boots Debian with systemd in a container, installs the package, and proves what only a running systemd can prove:
# start and READY, a locked ledger at the start, the watchdog, journal fields, a good and a bad reload, stop, exit 78,
# crash, instances, the timer, OnFailure, and that the hardening leaves network, DNS and ledger alone.
#   ci/boot.sh PACKAGE.deb [ROOT]     ROOT: a folder for the base system, made by debootstrap if missing and kept
# Needs root, python3, systemd-nspawn and debootstrap; about a minute, and another for the base system.
set -euo pipefail
# Here and below no `grep -q` and `head` behind a pipe: both leave early, and pipefail takes that for a failure.
trap 'echo "FAILED at line $LINENO"' ERR
cd "$(dirname "$0")/.."
deb=$(realpath "$1")
base=${2:-/var/tmp/llama-triage-boot}

for tool in systemd-nspawn:systemd-container debootstrap:debootstrap; do
    command -v "${tool%%:*}" >/dev/null || apt-get install -y --no-install-recommends "${tool##*:}" >/dev/null
done
if [ ! -e "$base/usr/lib/systemd/systemd" ]; then
    debootstrap --variant=minbase \
        --include=systemd,systemd-sysv,ca-certificates,curl,procps,dbus,dnsmasq-base bookworm "$base" >/dev/null
fi

work=$(mktemp -d)
leader=
finish() {
    # SIGTERM asks the container's systemd to power off; SIGKILL is for one that does not.
    [ -z "$nspawn" ] || { kill "$nspawn" 2>/dev/null; sleep 3; kill -9 "$nspawn" 2>/dev/null || true; }
    rm -rf "$work"
}
nspawn=
trap finish EXIT

# A network of its own with nothing but loopback; what is written goes to memory and is forgotten.
systemd-nspawn --quiet --directory="$base" --volatile=overlay --boot --register=no --keep-unit --private-network \
    --machine="llama-triage-$$" --console=pipe --bind-ro="$deb:/package.deb" </dev/null >"$work/console" 2>&1 &
nspawn=$!
for _ in $(seq 100); do
    leader=$(pgrep -P "$nspawn" -x systemd || true)
    [ -z "$leader" ] || break
    sleep 0.1
done
[ -n "$leader" ] || { cat "$work/console"; exit 1; }
inside() { nsenter -t "$leader" -a /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 "$@"; }
say() { echo "-- $*"; }
fail() {
    echo "FAILED: $*"
    inside journalctl --no-pager -n 60 -o short-monotonic -u "llama-triage*" || true
    exit 1
}
# Waits until a command succeeds inside, at most 60 s.
until_inside() {
    for _ in $(seq 120); do
        if inside "$@" >/dev/null 2>&1; then return 0; fi
        sleep 0.5
    done
    fail "waited in vain for: $*"
}
property() { inside systemctl show "$1" --property="$2" --value; }

until_inside systemctl is-system-running --wait
say "booted: $(inside systemctl --version | sed -n 1p), $(inside systemctl is-system-running)"

say "install"
inside dpkg -i /package.deb >"$work/dpkg" 2>&1 || { cat "$work/dpkg"; exit 1; }

say "a simulated LlamaCloud behind a name that only DNS knows"
inside sh -c 'rm -f /etc/resolv.conf; echo nameserver 127.0.0.1 >/etc/resolv.conf'
inside systemd-run --quiet --unit=dns dnsmasq --keep-in-foreground --no-resolv --no-hosts --listen-address=127.0.0.1 \
    --bind-interfaces --address=/cloud.test/127.0.0.1
inside systemd-run --quiet --unit=cloud llama-triage demo --serve --fast --dir /tmp/demo --port 8600
until_inside curl -s -o /dev/null http://127.0.0.1:8600/

inside sh -c 'cat >/etc/llama-triage/config.toml' <<'TOML'
[schedule]
scan = "10s"
[service]
listen = "127.0.0.1:9180"
[[project]]
name = "prod"
base-url = "http://cloud.test:8600"
[[channel]]
name = "folder"
kind = "file"
dir = "/var/lib/llama-triage/digests"
TOML
inside sh -c 'umask 077; echo llx-simulated-invoices >/etc/llama-triage/credentials/llama-cloud-api-key'
# A short watchdog, so that several feedings fit into this test.
inside sh -c 'mkdir -p /etc/systemd/system/llama-triage.service.d
    printf "[Service]\nWatchdogSec=6s\nRestartSec=1s\n" >/etc/systemd/system/llama-triage.service.d/test.conf
    systemctl daemon-reload'

say "start: active means READY, because Type=notify"
inside systemctl start llama-triage || fail "start"
test "$(property llama-triage ActiveState)" = active
first=$(property llama-triage MainPID)
until_inside sh -c 'ls /var/lib/llama-triage/digests/* | grep -q .'
until_inside sh -c 'curl -sf http://127.0.0.1:9180/healthz | grep -q "\"status\":\"ok\""'
# The simulated LlamaCloud has bad moments; a later cycle reads everything.
until_inside sh -c 'curl -sf http://127.0.0.1:9180/metrics | grep -q "^llama_triage_last_complete_scan_timestamp_seconds"'
echo "   $(property llama-triage StatusText)"
test "$(inside stat -c '%a %U' /var/lib/llama-triage/ledger.db)" = "600 llama-triage"
inside llama-triage --color never report groups | sed -n '1,4p' | cut -c1-100 | sed 's/^/   /'

say "locked down: uid $(inside ps -o user= -p "$first"), no capabilities, no new privileges"
inside sh -c "grep -q '^CapEff:.*0000000000000000' /proc/$first/status && grep -q '^NoNewPrivs:.*1' /proc/$first/status && grep -q '^Seccomp:.*2' /proc/$first/status"

say "the watchdog is fed: still the same process after three periods"
sleep 19
test "$(property llama-triage MainPID)" = "$first" || fail "restarted by the watchdog"
test "$(property llama-triage NRestarts)" = 0

say "the watchdog bites: a stopped process is replaced"
inside kill -STOP "$first"
until_inside sh -c "test \"\$(systemctl show llama-triage --property=MainPID --value)\" != $first -a \"\$(systemctl is-active llama-triage)\" = active"
inside journalctl -u llama-triage --no-pager | grep 'Watchdog timeout' >/dev/null || fail "no watchdog timeout"
second=$(property llama-triage MainPID)

say "journal fields"
inside journalctl -u llama-triage -o json --no-pager | grep -F '"_TRANSPORT":"journal"' | grep -F '"TARGET":"llama_triage' | tail -1 |
    grep -o '"PRIORITY":"[0-9]"\|"CODE_FILE":"[^"]*"\|"MESSAGE":"[^"]*"' | sed 's/^/   /'
until_inside sh -c 'journalctl -u llama-triage -o json --output-fields=DURATION_MS --no-pager -q | grep -q "\"DURATION_MS\":\"[0-9]"'
inside journalctl -u llama-triage LEDGER=/var/lib/llama-triage/ledger.db --no-pager -q | grep serving >/dev/null || fail "no field LEDGER"

say "a good reload is applied, a bad one refused while the old configuration stays active"
inside sed -i 's/^scan = .*/scan = "15s"/' /etc/llama-triage/config.toml
inside systemctl reload llama-triage || fail "good reload"
until_inside sh -c 'journalctl -u llama-triage --no-pager -q | grep -q "configuration reloaded"'
inside sed -i 's/^scan = .*/scna = "15s"/' /etc/llama-triage/config.toml
if inside systemctl reload llama-triage 2>/dev/null; then fail "a bad reload was accepted"; fi
inside journalctl -u llama-triage --no-pager -q -o cat | grep 'scna' | sed -n '1s/^/   /p'
# The signal alone, without systemctl's check, is refused by the service itself.
inside systemctl kill -s HUP llama-triage
until_inside sh -c 'journalctl -u llama-triage --no-pager -q | grep -q "configuration not reloaded"'
test "$(property llama-triage MainPID)" = "$second" -a "$(property llama-triage ActiveState)" = active || fail "died of a bad reload"

say "stop within the limit"
begin=$(date +%s%N)
inside systemctl stop llama-triage
echo "   $((($(date +%s%N) - begin) / 1000000)) ms, result $(property llama-triage Result)"
test "$(property llama-triage Result)" = success

say "exit 78 is not restarted, and OnFailure tells why by mail"
inside sh -c "printf '#!/bin/sh\ncat >/tmp/mail\n' >/usr/sbin/sendmail; chmod 0755 /usr/sbin/sendmail"
inside systemctl start llama-triage 2>/dev/null && fail "started with a bad configuration"
until_inside systemctl is-failed llama-triage
test "$(property llama-triage ExecMainStatus)" = 78 -a "$(property llama-triage NRestarts)" = 0 || fail "restarted after exit 78"
until_inside sh -c 'journalctl -p crit --no-pager -q | grep -q "llama-triage.service has failed on"'
until_inside grep -q 'unknown key `scna`' /tmp/mail
inside sed -i 's/^scna = .*/scan = "10s"/' /etc/llama-triage/config.toml
inside systemctl reset-failed llama-triage

say "kill -9 is mended by a restart"
inside systemctl start llama-triage
before=$(property llama-triage MainPID)
inside systemctl kill -s KILL llama-triage
until_inside sh -c "test \"\$(systemctl show llama-triage --property=MainPID --value)\" != $before -a \"\$(systemctl is-active llama-triage)\" = active"

say "the lock: a cycle beside the service refuses to work"
inside systemctl start llama-triage-cycle 2>/dev/null && fail "two writers"
inside journalctl -u llama-triage-cycle --no-pager -q -o cat | grep 'another llama-triage' | sed -n '1s/^/   /p'
inside systemctl stop llama-triage

say "a ledger that is locked at the start is waited for, longer than systemd's own limit for a start"
inside sh -c 'printf "[Service]\nTimeoutStartSec=8s\n" >/etc/systemd/system/llama-triage.service.d/start.conf; systemctl daemon-reload'
# Through a chroot, because SQLite follows the link /proc/PID/root out of the container.
sleep 20 | python3 -c 'import os, sqlite3, sys
os.chroot(sys.argv[1])
ledger = sqlite3.connect("/var/lib/llama-triage/ledger.db", isolation_level=None)
ledger.execute("BEGIN EXCLUSIVE")
sys.stdin.read()' "/proc/$leader/root" &
locker=$!
sleep 1
inside systemctl start --no-block llama-triage
sleep 14
echo "   $(property llama-triage ActiveState): $(property llama-triage StatusText)"
test "$(property llama-triage ActiveState)" = activating -a "$(property llama-triage NRestarts)" = 0 || fail "did not wait"
property llama-triage StatusText | grep 'waiting for the ledger' >/dev/null || fail "did not say what it waits for"
wait "$locker"
until_inside systemctl is-active llama-triage
test "$(property llama-triage NRestarts)" = 0 || fail "did not continue"
inside systemctl stop llama-triage

say "the timer's cycle"
inside systemctl reset-failed llama-triage-cycle 2>/dev/null || true
inside systemctl start llama-triage-cycle || fail "cycle"
inside systemctl start llama-triage-cycle.timer
inside systemctl list-timers --no-pager llama-triage-cycle.timer | sed -n 2p | sed 's/^/   /'

say "an instance for a team has its own configuration, secrets and ledger"
inside sh -c 'sed -e "/^listen/d" -e "s|/digests|/blue/digests|" /etc/llama-triage/config.toml >/etc/llama-triage/blue.toml
    mkdir -m 0700 /etc/llama-triage/blue.credentials && cp /etc/llama-triage/credentials/* /etc/llama-triage/blue.credentials/'
inside systemctl start llama-triage@blue || fail "instance"
until_inside test -s /var/lib/llama-triage/blue/ledger.db
inside llama-triage --color never --config /etc/llama-triage/blue.toml doctor >"$work/blue" || true
grep 'unit llama-triage@blue.service: active' "$work/blue" >/dev/null || { cat "$work/blue"; fail "doctor asked about another unit"; }
grep 'keeps its ledger in /var/lib/llama-triage/blue/ledger.db' "$work/blue" >/dev/null || fail "doctor did not tell the ledger"
inside systemctl stop llama-triage@blue

say "doctor sees what the unit may not write, although root may"
inside sh -c 'sed "s|^dir = .*|dir = \"/srv/digests\"|" /etc/llama-triage/config.toml >/etc/llama-triage/green.toml'
inside llama-triage --color never --config /etc/llama-triage/green.toml doctor >"$work/green" || true
grep 'unit /srv/digests: llama-triage@green.service may not write there' "$work/green" >/dev/null || { cat "$work/green"; fail "not told"; }
inside test ! -e /srv/digests || fail "doctor made a folder"

say "doctor"
inside llama-triage --color never doctor | sed 's/^/   /' || true

say "purge"
inside systemctl start llama-triage
inside dpkg --purge llama-triage >/dev/null 2>&1 || fail "purge"
if inside pgrep -u llama-triage; then fail "a process is left"; fi
inside test ! -e /var/lib/llama-triage -a ! -e /etc/llama-triage -a ! -e /usr/bin/llama-triage
echo "systemd boot: all is well"
