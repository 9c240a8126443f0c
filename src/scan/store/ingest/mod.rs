//! Taking in what a scan listed: one transaction for many observations.
//!
//! An observation is recognised by item, batch, job, job record and status.
//! Seen again unchanged, only its `last_seen` moves.
//! Told differently (its message came later, a time was corrected), the row takes the newer telling and its counts move
//! with it; a telling with an older event time changes nothing, and a message once known is never replaced by none.
//! What follows for the item (state, group, times) is decided by `history`.

#[cfg(test)]
pub(crate) mod tests;

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
            Ok(StoredObservation {
                observation_key: row.get(0)?,
                content: row.get(1)?,
                group_key: row.get(2)?,
                message_key: row.get(3)?,
                event_at: row.get(4)?,
            })
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
