//! What must be true after the day.

use std::collections::{BTreeSet, HashSet};

use llama_triage::internals::model::ulid_of_uuid;
use llama_triage::internals::simulator::{Endpoint, Post, World};

use super::day::Day;
use super::process::Sample;
use crate::crash::digests;

/// The write-ahead log is folded in at 192 MiB in the midst of a scan, and at 64 MiB else; a transaction under way and a
/// reader may hold it a little longer.
const LARGEST_LOG: u64 = 256 * 1024;
/// More is not needed for two channels, a few connections and a ledger.
const MOST_DESCRIPTORS: usize = 64;

/// Every item that was shown is in the ledger, every digest arrived, every intent was posted once, and the counts are right.
pub(super) fn nothing_was_lost(day: &Day) {
    let known: HashSet<String> = day.site.texts("SELECT item_id FROM item").into_iter().collect();
    let failing = day.bulk.failed + day.bulk.skipped;
    let lost = (0..day.bulk.batches)
        .flat_map(|batch| (0..failing).map(move |number| day.bulk.item_id(batch, number)))
        .filter(|id| !known.contains(id));
    assert_eq!(lost.count(), 0, "generated items that are not in the ledger");
    let world = day.site.cloud.world();
    let shown: BTreeSet<&str> = world.truth().served_failures().map(|failure| failure.item_id.as_str()).collect();
    let lost: Vec<_> = shown.into_iter().filter(|id| !known.contains(*id)).collect();
    assert_eq!(lost, Vec::<&str>::new(), "shown, and not in the ledger");
    let again: Vec<_> = world.items().iter().filter(|item| item.attempts > 2).map(|item| &item.name).collect();
    assert_eq!(again, Vec::<&String>::new(), "processed a third time");
    let recovered = world.items().iter().filter(|item| item.attempts == 2).count();
    let posts = each_intent_was_posted_once(day, &world);
    let flaky = world.items().iter().filter(|item| item.name.starts_with("flaky")).count();
    drop(world);
    assert!(recovered * 2 > flaky, "{recovered} of {flaky} were processed again: retries hardly went on");
    let told = day.site.texts("SELECT item_id FROM item WHERE state = 'recovered'").len();
    assert!(told <= recovered && told * 10 >= recovered * 9, "{told} called recovered, {recovered} are");
    let mails = digests::arrived_once_under_one_id(&day.site, &day.sinks);
    day.site.command(&["ledger", "check"]).assert().success();
    eprintln!(
        "{} items, {mails} digests by mail, {posts} POSTs, {recovered} processed again, {told} known as recovered",
        known.len()
    );
}

/// Every POST was for an intent of its own, each made one batch at most, and the ledger knows which. Returns how many POSTs there were.
fn each_intent_was_posted_once(day: &Day, world: &World) -> usize {
    let posts: Vec<&Post> = world.truth().posts.iter().filter(|post| post.endpoint == Endpoint::CreateBatch).collect();
    let mut intents = HashSet::new();
    let known = day.site.texts("SELECT intent_id || ' ' || batch_id FROM intent WHERE batch_id IS NOT NULL");
    for post in &posts {
        let uuid = post.body["job_config"]["correlation_id"].as_str().expect("every POST names its intent");
        let intent = ulid_of_uuid(uuid).expect("as the API wants it");
        assert!(intents.insert(intent.clone()), "intent {intent} was posted twice");
        assert!(post.created.len() <= 1, "intent {intent} made {:?}", post.created);
        let unknown = post.created.iter().find(|batch| !known.contains(&format!("{intent} bjb-{batch}")));
        assert_eq!(unknown, None, "a batch that the ledger does not know");
    }
    posts.len()
}

/// In the longest life: memory and descriptors of its last hours are those of its first, and the log stays small throughout.
///
/// The outage of hour 15 and the hour that catches up with it leave the allocator with more than it had before; what grows
/// would go on growing after that.
pub(super) fn nothing_grew(samples: &[Sample]) {
    let life = samples.last().map_or(0, |last| last.life);
    let between = |from: i64, until: i64| {
        let some = samples.iter().filter(move |one| one.life == life && (from..until).contains(&(one.minute / 60)));
        (some.clone().map(|one| one.memory).max().unwrap(), some.map(|one| one.descriptors).max().unwrap())
    };
    let (early, settled, late) = (between(9, 13), between(16, 20), between(20, 24));
    let log = samples.iter().map(|sample| sample.log).max().unwrap();
    let most = samples.iter().map(|sample| sample.memory).max().unwrap();
    eprintln!(
        "memory {} KiB in hours 9 to 12, {} in hours 16 to 19, {} in hours 20 to 23, {most} KiB at most; descriptors {} and {}; log {log} KiB at most",
        early.0, settled.0, late.0, early.1, late.1
    );
    assert!(late.0 * 100 <= early.0 * 130, "memory grew from {} to {} KiB", early.0, late.0);
    assert!(late.0 * 100 <= settled.0 * 104, "memory goes on growing, from {} to {} KiB", settled.0, late.0);
    assert!(late.1 <= early.1 + 2 && late.1 <= MOST_DESCRIPTORS, "descriptors grew from {} to {}", early.1, late.1);
    assert!(log <= LARGEST_LOG, "the write-ahead log grew to {log} KiB");
}
