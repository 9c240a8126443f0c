# Short names for what people do often; .ci/run is what must pass.

# All tests.
test:
    cargo test

# Format and lints.
lint:
    cargo fmt --check
    cargo clippy --locked --all-targets -- -D warnings

# Writes snapshots and generated documents again.
bless:
    BLESS=1 INSTA_UPDATE=always cargo test

# Kills the binary 500 times, retries included, and looks at what is left (about ten minutes); CRASH_SEED=N for others.
crash:
    CRASHES=500 cargo test --test it crash -- --ignored --nocapture

# A day of `serve` with a million items, faults, restarts and kills, sixty times as fast (libfaketime needed, half an hour).
load:
    cargo test --test it load -- --ignored --nocapture

# The Debian package, installed, upgraded and purged in a throw-away root.
deb:
    ci/deb.sh release test

# Boots the package under systemd in a container (root needed).
boot: deb
    ci/boot.sh target/debian/llama-triage_*.deb

# Units, alert rules, licences.
ops:
    ci/systemd.sh
    ci/promtool.sh
    ci/deny.sh

# Fuzzes one of wire, grouping, config, webhook for half an hour (cargo-fuzz needed).
fuzz target:
    RUSTC_BOOTSTRAP=1 cargo fuzz run {{target}} -- -max_total_time=1800 -max_len=4096
