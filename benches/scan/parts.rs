//! Where the time goes: the parts of a first scan one after the other on one thread, in processor time.
//!
//! Processor time of the thread, not the clock on the wall: the shares stay right on a busy machine.

use std::path::Path;

use llama_triage::internals::grouping::{Grouper, Subject};
use llama_triage::internals::ledger::open;
use llama_triage::internals::model::{Kind, Observation};
use llama_triage::internals::scan::{Classified, GroupChange, IngestWork, ListingContext, Sighting, ingest};

use super::server::{Item, Shape};

const PARTS: [&str; 4] = ["hashing", "grouping", "sorting", "writing"];

/// Runs every part over the whole account, twice: the second time everything is known.
pub(crate) fn run(shape: &Shape, path: &Path) {
    let batches = shape.batches;
    let mut connection = open::writer(path).expect("a ledger");
    let tx = connection.transaction().expect("a transaction");
    tx.execute_batch("INSERT INTO project (project_key, name, project_id, first_seen, list_read_at) VALUES (1, 'bench', NULL, 0, NULL)").expect("a project");
    for batch in 0..batches {
        let sql = "INSERT INTO batch (batch_key, project_key, batch_id, job_type, status, first_seen, last_seen)
            VALUES (?1, 1, ?2, 'parse', 'completed', 0, 0)";
        tx.execute(sql, (key(batch), format!("bjb-{batch}"))).expect("a batch");
    }
    tx.commit().expect("a commit");
    let mut grouper = Grouper::new();
    for (name, seen_at) in [("first time", 1), ("again", 2)] {
        let mut spent = [0; PARTS.len()];
        for some in (0..batches).collect::<Vec<_>>().chunks(10_000 / shape.listed()) {
            take_in(shape, &mut connection, &mut grouper, some, seen_at, &mut spent);
        }
        let items = u64::try_from(batches * shape.listed()).expect("a count");
        let each = |(part, nanos): (&str, u64)| format!("{part} {:.2}", nanos as f64 / items as f64 / 1000.0);
        let parts: Vec<String> = PARTS.into_iter().zip(spent).map(each).collect();
        println!("  one thread, {name}, µs of processor time an item: {}", parts.join(", "));
    }
}

fn take_in(
    shape: &Shape,
    connection: &mut rusqlite::Connection,
    grouper: &mut Grouper,
    some: &[usize],
    seen_at: i64,
    spent: &mut [u64; 4],
) {
    let listed: Vec<(ListingContext, Observation)> = some
        .iter()
        .flat_map(|&b| (0..shape.listed()).map(move |n| (place(b, seen_at), observation(shape.item(b, n)))))
        .collect();
    let mut clock = Clock::start();
    let mut work = IngestWork {
        sightings: listed.into_iter().map(|(place, observation)| Sighting::new(place, &observation)).collect(),
        ..IngestWork::default()
    };
    spent[0] += clock.lap();
    group(grouper, &mut work);
    spent[1] += clock.lap();
    work.sightings.sort_unstable_by(|a, b| a.observation.item_id().cmp(b.observation.item_id()));
    spent[2] += clock.lap();
    let tx = connection.transaction().expect("a transaction");
    ingest(&tx, &work, seen_at).expect("work is taken in");
    tx.commit().expect("a commit");
    spent[3] += clock.lap();
}

fn group(grouper: &mut Grouper, work: &mut IngestWork) {
    let mut handles = Vec::new();
    for sighting in &mut work.sightings {
        let o = &sighting.observation;
        let subject = Subject {
            kind: o.kind(),
            job_type: "parse",
            skip_reason: o.skip_reason(),
            message: o.message(),
            item_name: Some(o.item_name()),
        };
        let handle = grouper.assign(&subject);
        let position = handles.iter().position(|known| *known == handle).unwrap_or_else(|| {
            handles.push(handle);
            handles.len() - 1
        });
        sighting.group = u32::try_from(position).expect("a few groups");
    }
    let classified = || Classified { class: "unknown".to_owned(), rule: None };
    work.changes =
        grouper.take_changes().into_iter().map(|stored| GroupChange { stored, classified: classified() }).collect();
    work.groups = handles.iter().map(|handle| grouper.id(*handle).clone()).collect();
}

fn key(batch: usize) -> i64 {
    i64::try_from(batch).expect("a batch number") + 1
}

fn place(batch: usize, seen_at: i64) -> ListingContext {
    ListingContext { project_key: 1, batch_key: key(batch), seen_at, baseline_until: 0 }
}

fn observation(item: Item) -> Observation {
    Observation {
        item_id: item.item_id,
        item_name: item.name,
        kind: Kind::try_from(item.status).expect("failed or skipped"),
        message: item.message,
        skip_reason: item.skip_reason.map(str::to_owned),
        job_id: Some(item.job_id),
        job_record_id: Some(item.record_id),
        started_at: None,
        completed_at: item.completed_at.parse().ok(),
        effective_at: None,
    }
}

/// Processor time of this thread.
pub(crate) struct Clock(u64);

impl Clock {
    /// Starts now.
    pub(crate) fn start() -> Clock {
        Clock(now())
    }

    /// Nanoseconds since the last lap.
    pub(crate) fn lap(&mut self) -> u64 {
        let before = std::mem::replace(&mut self.0, now());
        self.0 - before
    }
}

fn now() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0)
}
