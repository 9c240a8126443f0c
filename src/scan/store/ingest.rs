//! Taking in what a scan listed: one transaction for many observations.
//!
//! An observation is recognised by item, batch, job, job record and status.
//! Seen again unchanged, only its `last_seen` moves.
//! Told differently (its message came later, a time was corrected), the row takes the newer telling and its counts move
//! with it; a telling with an older event time changes nothing, and a message once known is never replaced by none.
//! What follows for the item (state, group, times) is decided by `history`.

use rusqlite::{CachedStatement, OptionalExtension, Transaction};
use rustc_hash::FxHashMap;

use crate::grouping::store_group;
use crate::ledger::error::LedgerError;
use crate::model::item::Kind;
use crate::model::time::DAY;
use crate::scan::store::counter_key::Slot;
use crate::scan::store::counters::Counters;
use crate::scan::store::evidence;
use crate::scan::store::ingest_record::{IngestWork, Sighting};
use crate::scan::store::item_state::{History, KnownItem};
use crate::scan::store::message::Messages;

use crate::scan::store::evidence::Finished;

/// An event that claims to be further ahead of the scan than this (milliseconds) counts as seen now:
/// a time of the far future would make every later failure look old.
pub(crate) const FAR_AHEAD: i64 = DAY;

/// What one transaction brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ingested {
    /// Observations that were not known before, by batch key.
    pub new: FxHashMap<i64, u64>,
    /// What followed from each finished listing, in the order of [`IngestWork::finished`].
    pub finished: Vec<Finished>,
}

/// Takes work in. All or nothing, as the caller's transaction commits or not.
///
/// # Errors
/// SQLite's, or a group that is neither stored nor among the changes.
pub fn ingest(tx: &Transaction<'_>, work: &IngestWork, now: i64) -> Result<Ingested, LedgerError> {
    store_group::store(tx, &work.changes, now)?;
    let group_keys = group_keys(tx, work)?;
    let mut ingest = Ingest::begin(tx)?;
    for sighting in &work.sightings {
        ingest.take(sighting, group_keys[sighting.group as usize])?;
    }
    let new = ingest.end(tx)?;
    let finished = work.finished.iter().map(|finish| evidence::finish_listing(tx, finish));
    let finished = finished.collect::<Result<_, _>>()?;
    Ok(Ingested { new, finished })
}

fn group_keys(tx: &Transaction<'_>, work: &IngestWork) -> Result<Vec<i64>, LedgerError> {
    let find = |id: &crate::grouping::id::GroupId| {
        store_group::key(tx, id.as_str())?
            .ok_or_else(|| LedgerError::Unreadable { what: "group", value: id.as_str().to_owned() })
    };
    work.groups.iter().map(find).collect()
}

struct Ingest<'t, 'w> {
    tx: &'t Transaction<'t>,
    find_item: CachedStatement<'t>,
    add_item: CachedStatement<'t>,
    find: CachedStatement<'t>,
    add: CachedStatement<'t>,
    correct: CachedStatement<'t>,
    touch: CachedStatement<'t>,
    messages: Messages<'t, 'w>,
    history: History<'t>,
    counters: Counters,
    new: FxHashMap<i64, u64>,
    /// Event time of the oldest new observation, by project.
    oldest: FxHashMap<i64, i64>,
    next_item: i64,
    next_observation: i64,
    /// The last row was known: the next probably is too, and one statement is then enough for it.
    expect_known: bool,
}

/// A stored observation, as far as a new telling of it matters.
struct StoredObservation {
    observation_key: i64,
    content: i64,
    group_key: i64,
    message_key: Option<i64>,
    event_at: i64,
}

impl<'t, 'w> Ingest<'t, 'w> {
    fn begin(tx: &'t Transaction<'t>) -> Result<Ingest<'t, 'w>, LedgerError> {
        let next = |column: &str, table: &str| {
            let sql = format!("SELECT coalesce(max({column}), 0) + 1 FROM {table}");
            tx.query_row(&sql, (), |row| row.get::<_, i64>(0))
        };
        Ok(Ingest {
            tx,
            find_item: tx.prepare_cached(KnownItem::BY_ID)?,
            add_item: tx.prepare_cached(
                "INSERT INTO item (item_id, item_key, item_name, project_key, kind, state, group_key, observation_key,
                     first_seen, last_seen, failures, baseline)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9, ?10, ?11) ON CONFLICT (item_id) DO NOTHING",
            )?,
            find: tx.prepare_cached(
                "SELECT observation_key, content, group_key, message_key, event_at
                 FROM observation WHERE item_key = ?1 AND identity = ?2",
            )?,
            add: tx.prepare_cached(
                "INSERT INTO observation (observation_key, item_key, batch_key, identity, kind, job_id, job_record_id,
                     group_key, message_key, skip_reason, started_at, completed_at, effective_at, content, event_at,
                     first_seen, last_seen)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?16)",
            )?,
            correct: tx.prepare_cached(
                "UPDATE observation SET group_key = ?2, message_key = ?3, skip_reason = ?4, started_at = ?5,
                     completed_at = ?6, effective_at = ?7, content = ?8, event_at = ?9, last_seen = ?10
                 WHERE observation_key = ?1",
            )?,
            touch: tx.prepare_cached(
                "UPDATE observation SET last_seen = ?1
                 WHERE item_key = (SELECT item_key FROM item WHERE item_id = ?2) AND identity = ?3 AND content = ?4",
            )?,
            messages: Messages::new(tx)?,
            history: History::new(tx)?,
            counters: Counters::default(),
            new: FxHashMap::default(),
            oldest: FxHashMap::default(),
            next_item: next("item_key", "item")?,
            next_observation: next("observation_key", "observation")?,
            expect_known: false,
        })
    }

    fn take(&mut self, sighting: &'w Sighting, group_key: i64) -> Result<(), LedgerError> {
        let done = if self.expect_known { self.touch(sighting)? } else { self.add_item(sighting, group_key)? };
        if done {
            return Ok(());
        }
        let item_id = sighting.observation.item_id();
        let Some(item) = self.find_item.query_row([item_id], KnownItem::read).optional()? else {
            self.expect_known = false;
            self.add_item(sighting, group_key)?;
            return Ok(());
        };
        let stored = self.find_observation(item.item_key, sighting.identity)?;
        self.expect_known = stored.is_some();
        match stored {
            None => {
                let key = self.add_observation(sighting, item.item_key, group_key)?;
                let name = sighting.observation.item_name();
                let was = item.slot(self.tx)?;
                self.history.refresh(&item, was, (key, name, sighting.place), &mut self.counters)
            }
            Some(stored) if stored.content == sighting.content => {
                self.touch(sighting)?;
                Ok(())
            }
            Some(stored) => self.update_observation(sighting, &item, &stored, group_key),
        }
    }

    /// Moves `last_seen` of an unchanged observation; false if it is unknown or changed.
    fn touch(&mut self, sighting: &Sighting) -> Result<bool, LedgerError> {
        let changed = self.touch.execute((
            sighting.place.seen_at,
            sighting.observation.item_id(),
            sighting.identity,
            sighting.content,
        ))?;
        Ok(changed > 0)
    }

    /// Adds an item with its first observation; false if the item is known.
    fn add_item(&mut self, sighting: &'w Sighting, group_key: i64) -> Result<bool, LedgerError> {
        let observation = &sighting.observation;
        let state = observation.opens();
        let event_at = event_at(sighting, sighting.place.seen_at);
        let item_key = self.next_item;
        let added = self.add_item.execute((
            observation.item_id(),
            item_key,
            observation.item_name(),
            sighting.place.project_key,
            observation.kind().as_str(),
            state.as_str(),
            group_key,
            self.next_observation,
            event_at,
            i64::from(observation.kind() == Kind::Failed),
            event_at <= sighting.place.baseline_until,
        ))?;
        if added == 0 {
            return Ok(false);
        }
        self.next_item += 1;
        self.add_observation(sighting, item_key, group_key)?;
        self.counters.total_items(group_key, 1);
        let skip_reason = observation.skip_reason().filter(|_| observation.kind() == Kind::Skipped);
        self.counters.add_item(Slot::new(group_key, sighting.place.project_key, state, skip_reason, event_at));
        Ok(true)
    }

    fn add_observation(&mut self, sighting: &'w Sighting, item_key: i64, group_key: i64) -> Result<i64, LedgerError> {
        let observation = &sighting.observation;
        let message_key = self.message(sighting)?;
        let event_at = event_at(sighting, sighting.place.seen_at);
        let key = self.next_observation;
        self.next_observation += 1;
        self.add.execute((
            key,
            item_key,
            sighting.place.batch_key,
            sighting.identity,
            observation.kind().as_str(),
            observation.job_id(),
            observation.job_record_id(),
            group_key,
            message_key,
            observation.skip_reason(),
            observation.started_at(),
            observation.completed_at(),
            observation.effective_at(),
            sighting.content,
            event_at,
            sighting.place.seen_at,
        ))?;
        let batch_key = sighting.place.batch_key;
        self.counters.add_observation(group_key, batch_key, event_at);
        *self.new.entry(batch_key).or_default() += 1;
        let oldest = self.oldest.entry(sighting.place.project_key).or_insert(event_at);
        *oldest = event_at.min(*oldest);
        Ok(key)
    }

    /// A known observation that now reads differently.
    fn update_observation(
        &mut self,
        sighting: &'w Sighting,
        item: &KnownItem,
        stored: &StoredObservation,
        group_key: i64,
    ) -> Result<(), LedgerError> {
        let observation = &sighting.observation;
        let event_at = event_at(sighting, stored.event_at);
        if event_at < stored.event_at {
            return self.history.see(stored.observation_key, sighting.place.seen_at);
        }
        let told = self.message(sighting)?;
        let was = self.history.resolve(stored.group_key)?;
        let (group_key, message_key) = match (told, stored.message_key) {
            (None, Some(_)) => (was, stored.message_key),
            _ => (group_key, told),
        };
        let slot = item.slot(self.tx)?;
        self.correct.execute((
            stored.observation_key,
            group_key,
            message_key,
            observation.skip_reason(),
            observation.started_at(),
            observation.completed_at(),
            observation.effective_at(),
            sighting.content,
            event_at,
            sighting.place.seen_at,
        ))?;
        let batch_key = sighting.place.batch_key;
        self.counters.remove_observation(was, batch_key, stored.event_at);
        self.counters.add_observation(group_key, batch_key, event_at);
        self.history.refresh(
            item,
            slot,
            (stored.observation_key, observation.item_name(), sighting.place),
            &mut self.counters,
        )
    }

    fn find_observation(&mut self, item_key: i64, identity: i64) -> Result<Option<StoredObservation>, LedgerError> {
        let stored = self.find.query_row((item_key, identity), |row| {
            let (observation_key, content, group_key, message_key, event_at) = row.try_into()?;
            Ok(StoredObservation { observation_key, content, group_key, message_key, event_at })
        });
        Ok(stored.optional()?)
    }

    fn message(&mut self, sighting: &'w Sighting) -> Result<Option<i64>, LedgerError> {
        let text = sighting.observation.message();
        text.map(|text| self.messages.key(sighting.message, text)).transpose()
    }

    fn end(self, tx: &Transaction<'_>) -> Result<FxHashMap<i64, u64>, LedgerError> {
        self.counters.write(tx)?;
        for (project_key, oldest) in self.oldest {
            evidence::search_again(tx, project_key, oldest)?;
        }
        Ok(self.new)
    }
}

/// Event time: what the API says, unless it is absurdly far ahead; else what was known or assumed before.
fn event_at(sighting: &Sighting, otherwise: i64) -> i64 {
    let observation = &sighting.observation;
    let told = observation.completed_at().or(observation.effective_at());
    match told {
        Some(at) if at <= sighting.place.seen_at.saturating_add(FAR_AHEAD) => at,
        _ => otherwise,
    }
}

/// Single rules of taking in, each against a ledger in memory; counters are compared with a recount after every step.
#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;
    use crate::grouping::group_change::GroupChange;
    use crate::grouping::id::GroupId;
    use crate::grouping::state::StoredGroup;
    use crate::ledger::check::check;
    use crate::ledger::open::in_memory;
    use crate::ledger::time::timestamp;
    use crate::model::classified::Classified;
    use crate::model::item::{ItemState, Observation};
    use crate::scan::store::ingest_record::{ListingContext, Sighting};
    use crate::scan::store::item::{Recovery, change_state, recover};

    /// A whole id for a short name.
    fn group_id(name: &str) -> GroupId {
        format!("{name}000000000").parse().unwrap()
    }

    struct Bench {
        connection: Connection,
    }

    fn failed(item: &str, message: Option<&str>, at: Option<i64>) -> Observation {
        Observation {
            item_id: item.to_owned(),
            item_name: format!("{item}.pdf"),
            kind: Kind::Failed,
            message: message.map(str::to_owned),
            skip_reason: None,
            job_id: Some("job".to_owned()),
            job_record_id: None,
            started_at: None,
            completed_at: at.map(timestamp),
            effective_at: None,
        }
    }

    fn group(id: &str, merged_into: Option<&str>) -> GroupChange {
        GroupChange {
            stored: StoredGroup {
                id: group_id(id),
                kind: if id == "g-4" { Kind::Skipped } else { Kind::Failed },
                template: id.to_owned(),
                title: id.to_owned(),
                state: Vec::new(),
                merged_into: merged_into.map(group_id),
                version: 1,
            },
            classified: Classified { class: "transient".to_owned(), rule: Some("rule".to_owned()) },
        }
    }

    impl Bench {
        fn new() -> Bench {
            let connection = in_memory();
            connection
                .execute_batch(
                    "INSERT INTO project (project_key, name, project_id, first_seen, list_read_at) VALUES (1, 'p', NULL, 100, NULL), (2, 'q', NULL, 100, NULL);
                     INSERT INTO batch (batch_key, project_key, batch_id, job_type, status, first_seen, last_seen)
                     VALUES (1, 1, 'a', 'parse', 'completed', 0, 0), (2, 1, 'b', 'parse', 'completed', 0, 0),
                            (3, 2, 'a', 'parse', 'completed', 0, 0);",
                )
                .unwrap();
            let mut bench = Bench { connection };
            bench.work(IngestWork {
                changes: vec![group("g-1", None), group("g-2", None), group("g-3", None), group("g-4", None)],
                ..IngestWork::default()
            });
            bench
        }

        fn work(&mut self, work: IngestWork) -> Ingested {
            let tx = self.connection.transaction().unwrap();
            let ingested = ingest(&tx, &work, 1).unwrap();
            tx.commit().unwrap();
            assert_eq!(check(&self.connection).unwrap(), Vec::<String>::new());
            ingested
        }

        /// Lists one observation in a batch at a time, grouped as given.
        fn see(&mut self, batch_key: i64, seen_at: i64, group: &str, observation: Observation) -> Ingested {
            let place = ListingContext {
                project_key: if batch_key == 3 { 2 } else { 1 },
                batch_key,
                seen_at,
                baseline_until: 100,
            };
            self.work(IngestWork {
                groups: vec![group_id(group)],
                sightings: vec![Sighting::new(place, &observation)],
                ..IngestWork::default()
            })
        }

        fn item(&self, sql: &str) -> String {
            let sql = format!("SELECT {sql} FROM item JOIN error_group g USING (group_key)");
            self.connection.query_row(&sql, (), |row| row.get(0)).unwrap()
        }

        fn number(&self, sql: &str) -> i64 {
            self.connection.query_row(sql, (), |row| row.get(0)).unwrap()
        }

        fn change(&mut self, to: ItemState) {
            let tx = self.connection.transaction().unwrap();
            let mut counters = Counters::default();
            assert!(change_state(&tx, 1, to, |_| true, &mut counters).unwrap());
            counters.write(&tx).unwrap();
            tx.commit().unwrap();
        }

        fn recover(&mut self, answered_until: i64) {
            let tx = self.connection.transaction().unwrap();
            let recovery = Recovery { at: 900, by: "b", answered_until };
            let mut counters = Counters::default();
            assert!(recover(&tx, 1, &recovery, &mut counters).unwrap());
            counters.write(&tx).unwrap();
            tx.commit().unwrap();
        }
    }

    const STATE: &str = "state || ' ' || substr(group_id, 1, 3) || ' ' || item.last_seen || ' ' || item.failures";

    #[test]
    fn a_name_that_was_once_known_stays_and_one_that_was_not_comes_late() {
        let named = |name: &str, at| Observation { item_name: name.to_owned(), ..failed("i", Some("m"), Some(at)) };
        let mut bench = Bench::new();
        bench.see(1, 500, "g-1", named("", 200));
        assert_eq!(bench.item("item_name"), "");
        bench.see(1, 600, "g-1", named("i.pdf", 200));
        assert_eq!(bench.item("item_name"), "i.pdf", "the directory could not be read at first");
        bench.see(1, 700, "g-1", named("", 200));
        bench.see(2, 800, "g-1", named("", 700));
        assert_eq!(bench.item("item_name"), "i.pdf", "the job of a retry knows no name");
        assert_eq!(bench.number("SELECT count(*) FROM observation"), 2);
    }

    #[test]
    fn the_same_observation_again_only_moves_last_seen() {
        let mut bench = Bench::new();
        assert_eq!(bench.see(1, 500, "g-1", failed("i", Some("m"), Some(200))).new[&1], 1);
        assert!(bench.see(1, 600, "g-1", failed("i", Some("m"), Some(200))).new.is_empty());
        assert_eq!(bench.item(STATE), "open g-1 200 1");
        assert_eq!(bench.number("SELECT last_seen FROM observation"), 600);
        assert_eq!(bench.number("SELECT first_seen FROM observation"), 500);
    }

    #[test]
    fn a_newer_failure_moves_the_item_to_its_group_and_an_older_one_does_not() {
        let mut bench = Bench::new();
        bench.see(1, 500, "g-1", failed("i", Some("m"), Some(200)));
        bench.see(2, 500, "g-2", failed("i", Some("n"), Some(300)));
        assert_eq!(bench.item(STATE), "open g-2 300 2");
        bench.see(3, 600, "g-3", failed("i", Some("o"), Some(150)));
        assert_eq!(bench.item(STATE), "open g-2 300 3");
        assert_eq!(bench.item("item.first_seen || ' ' || project_key"), "150 1");
        assert_eq!(bench.number("SELECT sum(total_items) FROM error_group"), 3);
        assert_eq!(bench.number("SELECT sum(open_items) FROM error_group"), 1);
    }

    #[test]
    fn an_item_is_baseline_until_it_fails_after_the_projects_first_scan() {
        let mut bench = Bench::new();
        bench.see(1, 100, "g-1", failed("i", Some("m"), Some(99)));
        assert_eq!(bench.item("'' || baseline"), "1");
        bench.see(2, 200, "g-1", failed("i", Some("m"), Some(150)));
        assert_eq!(bench.item("'' || baseline"), "0");
    }

    #[test]
    fn a_newer_failure_reopens_what_was_settled_and_an_older_one_never_does() {
        for settled in [ItemState::Recovered, ItemState::Dismissed, ItemState::Retrying] {
            let mut bench = Bench::new();
            bench.see(1, 500, "g-1", failed("i", Some("m"), Some(200)));
            bench.change(settled);
            bench.see(2, 600, "g-1", failed("i", Some("m"), Some(150)));
            bench.see(1, 600, "g-1", failed("i", Some("m"), Some(200)));
            assert_eq!(bench.item("state"), settled.as_str());
            bench.see(3, 700, "g-2", failed("i", Some("m"), Some(201)));
            assert_eq!(bench.item(STATE), "open g-2 201 3");
        }
    }

    #[test]
    fn a_failure_that_a_later_success_answers_never_reopens() {
        let mut bench = Bench::new();
        bench.see(1, 500, "g-1", failed("i", Some("m"), Some(200)));
        bench.recover(250);
        bench.see(2, 600, "g-1", failed("i", Some("m"), Some(250)));
        assert_eq!(bench.item("state || recovered_by"), "recoveredb");
        bench.see(3, 700, "g-1", failed("i", Some("m"), Some(251)));
        assert_eq!(bench.item("state || ifnull(recovered_by, '-')"), "open-");
    }

    #[test]
    fn a_message_that_comes_later_moves_the_observation_and_one_that_disappears_is_kept() {
        let mut bench = Bench::new();
        bench.see(1, 500, "g-1", failed("i", None, Some(200)));
        bench.see(1, 600, "g-2", failed("i", Some("m"), Some(200)));
        assert_eq!(bench.item(STATE), "open g-2 200 1");
        assert_eq!(bench.number("SELECT failures + total_items FROM error_group WHERE group_id = 'g-1000000000'"), 0);
        bench.see(1, 700, "g-1", failed("i", None, Some(300)));
        assert_eq!(bench.item(STATE), "open g-2 300 1");
        assert_eq!(bench.number("SELECT count(*) FROM observation JOIN message USING (message_key)"), 1);
        bench.see(1, 800, "g-3", failed("i", Some("older"), Some(100)));
        assert_eq!(bench.item(STATE), "open g-2 300 1");
    }

    #[test]
    fn a_harmless_skip_is_ignored_until_the_item_fails() {
        let mut bench = Bench::new();
        let skip = Observation {
            kind: Kind::Skipped,
            skip_reason: Some("already_processed".to_owned()),
            ..failed("i", None, Some(200))
        };
        bench.see(1, 500, "g-4", skip);
        assert_eq!(bench.item(STATE), "ignored g-4 200 0");
        bench.see(2, 600, "g-1", failed("i", Some("m"), Some(300)));
        assert_eq!(bench.item(STATE), "open g-1 300 1");
    }

    #[test]
    fn merged_groups_share_items_hours_and_batches_exactly() {
        let mut bench = Bench::new();
        bench.see(1, 500, "g-1", failed("i", Some("m"), Some(200)));
        bench.see(2, 500, "g-2", failed("i", Some("n"), Some(300)));
        bench.see(1, 500, "g-2", failed("j", Some("n"), Some(300)));
        bench.work(IngestWork { changes: vec![group("g-2", Some("g-1"))], ..IngestWork::default() });
        assert_eq!(
            bench.number(
                "SELECT total_items * 100 + open_items * 10 + failures FROM error_group WHERE group_id = 'g-1000000000'"
            ),
            223
        );
        bench.see(1, 600, "g-2", failed("k", Some("n"), Some(300)));
        assert_eq!(bench.number("SELECT total_items FROM error_group WHERE group_id = 'g-1000000000'"), 3);
        // The survivor becomes part of a third one: the first merge must not become a chain.
        bench.work(IngestWork { changes: vec![group("g-1", Some("g-3"))], ..IngestWork::default() });
        bench.see(2, 700, "g-3", failed("i", Some("n"), Some(400)));
        assert_eq!(bench.number("SELECT count(*) FROM error_group WHERE merged_into = 3"), 2);
    }

    #[test]
    fn a_time_of_the_far_future_counts_as_seen_now() {
        let mut bench = Bench::new();
        bench.see(1, 500, "g-1", failed("i", Some("m"), Some(i64::from(u32::MAX) * 1000)));
        bench.see(1, 600, "g-1", failed("i", Some("other"), Some(i64::from(u32::MAX) * 1000)));
        assert_eq!(bench.item(STATE), "open g-1 500 1");
    }
}
