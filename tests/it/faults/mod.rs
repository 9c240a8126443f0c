//! The fault matrix: every fault of the upstream at every place of a cycle of the built binary, and what must come of it.

mod api_faults;
mod channels;
mod measure;
mod retries;
mod retry_stage;
mod stage;
mod table;

use tokio::task::JoinSet;

use self::retry_stage::RetryStage;
use self::stage::Stage;

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_has_its_documented_outcome() {
    let mut running = JoinSet::new();
    for stage in Stage::ALL {
        running.spawn(async move { (stage, measure::measure(stage).await) });
    }
    // One after the other: a request that waits for the machine would never meet its fault.
    let mut measured = running.join_all().await;
    let mut retrying = JoinSet::new();
    for stage in RetryStage::ALL {
        retrying.spawn(async move { (stage, retries::measure(stage).await) });
    }
    let mut retried = retrying.join_all().await;
    let channels = channels::measure().await;
    measured.sort_by_key(|(stage, _)| Stage::ALL.iter().position(|one| one == stage));
    retried.sort_by_key(|(stage, _)| RetryStage::ALL.iter().position(|one| one == stage));
    let scans = measured.iter().map(|(stage, measured)| (stage.heading(), &measured.broken));
    let steps = retried.iter().map(|(stage, retried)| (stage.heading(), &retried.broken));
    let mut broken: Vec<String> = scans
        .chain(steps)
        .flat_map(|(heading, broken)| broken.iter().map(move |broken| format!("{heading}: {broken}")))
        .collect();
    broken.extend(channels.iter().flat_map(|measured| measured.broken.clone()));
    assert!(broken.is_empty(), "{} promises broken:\n{}", broken.len(), broken.join("\n"));

    let page = table::render(&api_faults::all(), &measured, &retried, &channels);
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/development/faults.md");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    similar(&found, &page);
}

/// Says which lines differ, for the page is long.
fn similar(found: &str, wanted: &str) {
    let gone = found.lines().filter(|line| !wanted.lines().any(|other| other == *line)).map(|line| format!("- {line}"));
    let new = wanted.lines().filter(|line| !found.lines().any(|other| other == *line)).map(|line| format!("+ {line}"));
    let differ: Vec<String> = gone.chain(new).collect();
    assert!(
        found == wanted,
        "docs/development/faults.md does not fit: run BLESS=1 cargo test --test it faults\n{}",
        differ.join("\n")
    );
}
