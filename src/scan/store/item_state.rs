//! What an item's observations say about the item: its newest one decides state, group and times.
//!
//! Newest is by event time, not by when it was seen; at the same event time the one seen later.
//! A skip as "already processed", and a cancellation, count only where nothing worse is known.
//! Only a failure with a newer event time changes a state that someone or some success has settled.

use rusqlite::{CachedStatement, Row, Transaction};
use rustc_hash::FxHashMap;

use crate::ledger::error::LedgerError;
use crate::ledger::time::Word;
use crate::model::item::{HARMLESS_SKIP, ItemState, Kind};
use crate::scan::store::counter_key::Slot;
use crate::scan::store::counters::Counters;
use crate::scan::store::ingest_record::ListingContext;

/// An item as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KnownItem {
    /// Its key.
    pub item_key: i64,
    /// Where it stands.
    pub state: ItemState,
    /// Where it was last seen.
    pub project_key: i64,
    /// Its present group.
    pub group_key: i64,
    /// Its newest observation.
    pub observation_key: i64,
    /// Event time of that.
    pub last_seen: i64,
    /// Failures up to this event time are answered by a later success.
    pub answered_until: i64,
    /// What its newest observation is.
    pub kind: Kind,
}

impl KnownItem {
    /// Finds one by `item_id`; read with [`KnownItem::read`].
    pub(crate) const BY_ID: &str = "SELECT item_key, state, project_key, group_key, observation_key, last_seen,
         answered_until, kind FROM item WHERE item_id = ?1";
    /// Finds one by `item_key`; read with [`KnownItem::read`].
    pub(crate) const BY_KEY: &str = "SELECT item_key, state, project_key, group_key, observation_key, last_seen,
         answered_until, kind FROM item WHERE item_key = ?1";

    /// Reads a row of the queries above.
    ///
    /// # Errors
    /// SQLite's, or a state that is none.
    pub(crate) fn read(row: &Row<'_>) -> rusqlite::Result<KnownItem> {
        // In the order of the queries: a lookup of each column by its name would be paid for every item that is seen again.
        let (item_key, Word(state), project_key, group_key, observation_key, last_seen, answered_until, Word(kind)) =
            row.try_into()?;
        Ok(KnownItem { item_key, state, project_key, group_key, observation_key, last_seen, answered_until, kind })
    }

    /// Whether it was cancelled and nothing worse is known of it.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.kind == Kind::Cancelled && self.state == ItemState::Ignored
    }

    /// Where it is counted. To be asked before its newest observation is reported again.
    pub(crate) fn slot(&self, tx: &Transaction<'_>) -> Result<Slot, LedgerError> {
        let skip_reason: Option<String> = match self.kind {
            Kind::Skipped => tx
                .prepare_cached("SELECT skip_reason FROM observation WHERE observation_key = ?1")?
                .query_row([self.observation_key], |row| row.get(0))?,
            _ => None,
        };
        Ok(Slot::new(self.group_key, self.project_key, self.state, skip_reason.as_deref(), self.last_seen))
    }
}

/// Reads items' histories and rewrites what follows from them.
pub(crate) struct History<'t> {
    observations: CachedStatement<'t>,
    others: CachedStatement<'t>,
    add_other: CachedStatement<'t>,
    drop_other: CachedStatement<'t>,
    update: CachedStatement<'t>,
    rename: CachedStatement<'t>,
    see: CachedStatement<'t>,
    survivor: CachedStatement<'t>,
    survivors: FxHashMap<i64, i64>,
}

struct NewestObservation {
    observation_key: i64,
    kind: Kind,
    skip_reason: Option<String>,
    group_key: i64,
    event_at: i64,
}

impl NewestObservation {
    /// Nothing is wrong with the document as far as this says.
    fn harmless(&self) -> bool {
        self.kind == Kind::Cancelled || self.skip_reason.as_deref() == Some(HARMLESS_SKIP)
    }
}

impl<'t> History<'t> {
    /// Prepares the statements.
    pub(crate) fn new(tx: &'t Transaction<'_>) -> Result<History<'t>, LedgerError> {
        Ok(History {
            observations: tx.prepare_cached(
                "SELECT observation_key, kind, skip_reason, group_key, event_at FROM observation
                 WHERE item_key = ?1",
            )?,
            others: tx.prepare_cached("SELECT group_key FROM item_group WHERE item_key = ?1")?,
            add_other: tx.prepare_cached("INSERT INTO item_group (group_key, item_key) VALUES (?1, ?2)")?,
            drop_other: tx.prepare_cached("DELETE FROM item_group WHERE group_key = ?1 AND item_key = ?2")?,
            update: tx.prepare_cached(
                "UPDATE item SET kind = ?2, state = ?3, group_key = ?4, observation_key = ?5, first_seen = ?6,
                     last_seen = ?7, failures = ?8,
                     recovered_at = CASE WHEN ?3 = 'recovered' THEN recovered_at END,
                     recovered_by = CASE WHEN ?3 = 'recovered' THEN recovered_by END
                 WHERE item_key = ?1",
            )?,
            rename: tx.prepare_cached(
                // A retry's job may not know the name that the item had in its batch.
                "UPDATE item SET item_name = CASE ?2 WHEN '' THEN item_name ELSE ?2 END, project_key = ?3,
                     baseline = last_seen <= ?4
                 WHERE item_key = ?1",
            )?,
            see: tx.prepare_cached("UPDATE observation SET last_seen = ?2 WHERE observation_key = ?1")?,
            survivor: tx
                .prepare_cached("SELECT coalesce(merged_into, group_key) FROM error_group WHERE group_key = ?1")?,
            survivors: FxHashMap::default(),
        })
    }

    /// The group that a stored group key stands for today.
    pub(crate) fn resolve(&mut self, group_key: i64) -> Result<i64, LedgerError> {
        if let Some(survivor) = self.survivors.get(&group_key) {
            return Ok(*survivor);
        }
        let survivor = self.survivor.query_row([group_key], |row| row.get(0))?;
        self.survivors.insert(group_key, survivor);
        Ok(survivor)
    }

    /// Moves `last_seen` of one observation.
    pub(crate) fn see(&mut self, observation_key: i64, at: i64) -> Result<(), LedgerError> {
        self.see.execute((observation_key, at))?;
        Ok(())
    }

    /// Brings an item in line with its observations after one was added or changed.
    ///
    /// `observation` is that observation with the item's name and place in it, which the item takes over if it is the newest.
    /// `was` is where the item was counted before.
    pub(crate) fn refresh(
        &mut self,
        item: &KnownItem,
        was: Slot,
        observation: (i64, &str, ListingContext),
        counters: &mut Counters,
    ) -> Result<(), LedgerError> {
        let history = self.read(item.item_key)?;
        let Some(newest) = stored_observation(&history) else { return Ok(()) };
        let first_seen = history.iter().map(|o| o.event_at).min().unwrap_or(newest.event_at);
        let failures = history.iter().filter(|o| o.kind == Kind::Failed).count();
        let state = next_state(item, newest);
        self.update.execute((
            item.item_key,
            newest.kind.as_str(),
            state.as_str(),
            newest.group_key,
            newest.observation_key,
            first_seen,
            newest.event_at,
            i64::try_from(failures).unwrap_or(i64::MAX),
        ))?;
        let (key, name, place) = observation;
        let mut project_key = item.project_key;
        if key == newest.observation_key {
            self.rename.execute((item.item_key, name, place.project_key, place.baseline_until))?;
            project_key = place.project_key;
        }
        counters.remove_item(was);
        let skip_reason = newest.skip_reason.as_deref();
        counters.add_item(Slot::new(newest.group_key, project_key, state, skip_reason, newest.event_at));
        self.move_memberships(item, newest.group_key, &history, counters)
    }

    fn read(&mut self, item_key: i64) -> Result<Vec<NewestObservation>, LedgerError> {
        let mut rows = self.observations.query([item_key])?;
        let mut history = Vec::new();
        while let Some(row) = rows.next()? {
            let (observation_key, Word(kind), skip_reason, group_key, event_at) = row.try_into()?;
            history.push(NewestObservation { observation_key, kind, skip_reason, group_key, event_at });
        }
        drop(rows);
        for observation in &mut history {
            observation.group_key = self.resolve(observation.group_key)?;
        }
        Ok(history)
    }

    /// Rewrites which groups the item has observations in besides its present one, and counts the difference.
    fn move_memberships(
        &mut self,
        item: &KnownItem,
        group_key: i64,
        history: &[NewestObservation],
        counters: &mut Counters,
    ) -> Result<(), LedgerError> {
        let others: Vec<i64> = self.others.query_map([item.item_key], |row| row.get(0))?.collect::<Result<_, _>>()?;
        let is_now = |group: i64| history.iter().any(|observation| observation.group_key == group);
        let was = |group: i64| group == item.group_key || others.contains(&group);
        let mut now: Vec<i64> = history.iter().map(|observation| observation.group_key).collect();
        now.sort_unstable();
        now.dedup();
        for &group in now.iter().filter(|group| !was(**group)) {
            counters.total_items(group, 1);
        }
        if !is_now(item.group_key) {
            counters.total_items(item.group_key, -1);
        }
        for &group in &others {
            if !is_now(group) {
                counters.total_items(group, -1);
            }
            if !is_now(group) || group == group_key {
                self.drop_other.execute((group, item.item_key))?;
            }
        }
        for &group in now.iter().filter(|group| **group != group_key) {
            if !others.contains(&group) {
                self.add_other.execute((group, item.item_key))?;
            }
        }
        Ok(())
    }
}

/// The observation that decides about an item: its newest one.
///
/// "Already processed" is no evidence that a failure was made good, so it never hides one:
/// it decides only about an item of which nothing worse is known.
fn stored_observation(history: &[NewestObservation]) -> Option<&NewestObservation> {
    let newest = |harmless: bool| {
        history
            .iter()
            .filter(|observation| observation.harmless() == harmless)
            .max_by_key(|observation| (observation.event_at, observation.observation_key))
    };
    newest(false).or_else(|| newest(true))
}

/// The state that follows from the newest observation.
fn next_state(item: &KnownItem, newest: &NewestObservation) -> ItemState {
    let opens = newest.kind.opens(newest.skip_reason.as_deref());
    let unsettled = matches!(item.state, ItemState::Open | ItemState::Ignored);
    let newer = newest.event_at > item.last_seen && newest.event_at > item.answered_until;
    if unsettled || newer { opens } else { item.state }
}
