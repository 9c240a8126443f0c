# Short names for frequent work; .ci/run is what must pass before a change lands.

[private]
default:
    @{{just_executable()}} --list

# The quick check before a commit: format, lints, unit tests, layout rules (no root, no network)
check:
    cargo fmt --check
    cargo clippy --locked --all-targets -- -D warnings
    cargo test --locked --lib -- {{slow}}
    cargo test --locked --test it -- tidy

# Unit tests that take many seconds; `just test` runs them
slow := "--skip properties:: --skip agreement:: --skip worlds:: --skip simulated:: --skip tables_fit_the_terminal"

# All tests
test:
    cargo test

# Format the code
fmt:
    cargo fmt

# API documentation of the crate, private items included; warnings fail
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items

# Run the product against a simulated LlamaCloud
demo *ARGS:
    cargo run -- demo {{ARGS}}

# Learn the classifier's weights from config/wordings again
train:
    cargo run --release --example train_classifier

# Write snapshots and generated documents again; look at the diff
bless *FILTER:
    BLESS=1 INSTA_UPDATE=always cargo test {{FILTER}}

# Write docs/console.png again (Chromium needed)
picture:
    ci/picture.sh

# Spelling, unused dependencies, licences
lint-repo:
    ci/spelling.sh
    ci/unused.sh
    ci/deny.sh

# Kill the binary 500 times, retries included, and check the ledger (ten minutes); CRASH_SEED=N for another run.
# Then 300 times amid retries through both APIs, with older ledgers restored; KILL_SEED=N for another run.
crash:
    CRASHES=500 cargo test --test it crash -- --ignored --nocapture
    KILLS=300 cargo test --test it kill:: -- --ignored --nocapture

# A day of `serve` with a million items, faults and restarts, at 60 times the speed (libfaketime, half an hour)
load:
    cargo test --test it load -- --ignored --nocapture

# Build the Debian package; install, upgrade and purge it in a temporary root
deb:
    ci/deb.sh dist test

# Boot the package under systemd in a container (root needed)
boot: deb
    ci/boot.sh target/debian/llama-triage_*.deb

# Check units, alert rules and licences
ops:
    ci/systemd.sh
    ci/promtool.sh
    ci/deny.sh

# Fuzz one of wire, grouping, config, webhook for half an hour (cargo-fuzz needed)
fuzz target:
    RUSTC_BOOTSTRAP=1 cargo fuzz run {{target}} -- -max_total_time=1800 -max_len=4096

# Release a version: changelog, package, commit and tag; `--dry-run` shows all of it and keeps nothing
release VERSION *FLAGS:
    ci/release.sh {{VERSION}} {{FLAGS}}
