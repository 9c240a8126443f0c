#!/usr/bin/env bash
# Builds the Debian package; with "test" behind it, also installs, upgrades, removes and purges it in a throw-away root.
#   ci/deb.sh [PROFILE] [test]     PROFILE: dist (default), or dev for a quick test of the packaging alone
set -euo pipefail
cd "$(dirname "$0")/.."
profile=${1:-dist}
folder=target/$([ "$profile" = dev ] && echo debug || echo "$profile")

if ! cargo deb --version >/dev/null 2>&1; then
    # Unoptimised: it runs once, and is built in half the time.
    cargo install --quiet --locked --debug cargo-deb@3.8.0
fi

# Not quiet: it may take minutes, or wait for another cargo.
cargo build --locked --profile "$profile"
binary=$folder/llama-triage
rm -rf target/deb target/debian
mkdir -p target/deb
"$binary" man target/deb/man
"$binary" completions bash >target/deb/llama-triage.bash
"$binary" completions zsh >target/deb/_llama-triage
"$binary" completions fish >target/deb/llama-triage.fish
sed 's|^#:schema .*|#:schema /usr/share/llama-triage/schema.json|' config/example.toml >target/deb/config.toml
# --fast: a test need not wait for the best compression.
cargo deb --quiet --locked --no-build --profile "$profile" $([ "$profile" = dist ] || echo --fast) >/dev/null
deb=$(ls target/debian/*.deb)
echo "$deb: $(stat -c %s "$deb") bytes"
[ "${2:-}" = test ] || exit 0

# A root of its own: an overlay over this host, so that nothing of the host changes.
work=$(mktemp -d /var/tmp/llama-triage-deb.XXXXXX)
trap 'umount "$work/root/proc" "$work/root" 2>/dev/null || true; umount "$work" 2>/dev/null || true; rm -rf "$work"' EXIT
if ! mount -t tmpfs tmpfs "$work"; then
    echo "NOT CHECKED: the package was built; to install it, this test must be allowed to mount"
    exit 0
fi
mkdir "$work/upper" "$work/work" "$work/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$work/upper,workdir=$work/work" "$work/root"
cp "$deb" "$work/root/first.deb"
# The same package with a higher version stands for the next release.
dpkg-deb -R "$deb" "$work/next"
sed -i 's/^Version: .*/Version: 999.0.0-1/' "$work/next/DEBIAN/control"
dpkg-deb --build -Znone "$work/next" "$work/root/second.deb" >/dev/null
mount -t proc proc "$work/root/proc"
in_root() { chroot "$work/root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive "$@"; }
say() { echo "-- $*"; }

say "install"
in_root apt-get install -y -q -o Dpkg::Use-Pty=0 --no-install-recommends /first.deb >/dev/null
for file in /usr/bin/llama-triage /etc/llama-triage/config.toml /usr/lib/systemd/system/llama-triage.service \
    /usr/lib/systemd/system/llama-triage@.service /usr/lib/systemd/system/llama-triage-cycle.timer \
    /usr/share/man/man1/llama-triage.1.gz /usr/share/man/man1/llama-triage-report.1.gz \
    /usr/share/bash-completion/completions/llama-triage /usr/share/llama-triage/schema.json; do
    in_root test -s "$file" || { echo "missing: $file"; exit 1; }
done
in_root getent passwd llama-triage >/dev/null
test "$(in_root stat -c '%a %U' /etc/llama-triage/credentials)" = "700 root"
in_root llama-triage --version
# The example has no project yet: that is a mistake in the configuration, and the exit code says so.
code=0
in_root llama-triage check-config 2>/dev/null || code=$?
test "$code" = 78

say "upgrade keeps what people wrote"
cat >>"$work/root/etc/llama-triage/config.toml" <<'TOML'

[[project]]
name = "prod"
TOML
echo llx-secret >"$work/root/etc/llama-triage/credentials/llama-cloud-api-key"
in_root install -d -o llama-triage -m 0700 /var/lib/llama-triage
in_root touch /var/lib/llama-triage/ledger.db
in_root apt-get install -y -q -o Dpkg::Use-Pty=0 --no-install-recommends /second.deb >/dev/null
in_root grep -q '^name = "prod"' /etc/llama-triage/config.toml
in_root llama-triage check-config
test "$(in_root dpkg-query -W -f '${Version}' llama-triage)" = 999.0.0-1

say "remove keeps the ledger, purge leaves nothing"
in_root dpkg --remove llama-triage >/dev/null
in_root test ! -e /usr/bin/llama-triage -a -e /var/lib/llama-triage/ledger.db -a -e /etc/llama-triage/config.toml
in_root dpkg --purge llama-triage >/dev/null
left=$(in_root find /usr /etc /var/lib -xdev -name '*llama-triage*' -not -path '/var/lib/dpkg/*' -not -path '*/target/*' -newer /first.deb 2>/dev/null || true)
test -z "$left" || { echo "left behind: $left"; exit 1; }
echo "the package is fine"
