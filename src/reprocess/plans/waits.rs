//! How long plans wait after a 429, and how long an approved plan lives.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::ledger::error::LedgerError;
use crate::ledger::{Connection, Ledger};
use crate::reprocess::plans::draft::Draft;
use crate::reprocess::store::account;
use crate::reprocess::store::plan::{LIFE, StoredPlan};

/// A time that lies further ahead than this was written by a clock that was wrong; clocks are set by less all the time.
const CLOCK_STEPS: SignedDuration = SignedDuration::from_mins(5);

/// When a plan was approved, if its execution has begun.
pub(crate) fn begun(plan: &StoredPlan) -> Option<Timestamp> {
    plan.executed_at.and(plan.applied_at)
}

/// Whether a plan that is approved now can no longer be executed at this time.
pub(crate) fn is_over_by(approved_at: Timestamp, at: Timestamp) -> bool {
    at - approved_at > LIFE
}

/// Whether a time that was written in the past lies ahead: the clock was ahead then, or is behind now.
pub(crate) fn is_ahead(written: Timestamp, now: Timestamp) -> bool {
    written - now > CLOCK_STEPS
}

/// Why nothing is sent until then. Whether LlamaCloud named the time or only refused makes no difference to people.
pub(crate) fn too_many(until: Timestamp) -> String {
    format!("LlamaCloud answered 429 (too many requests), nothing is sent before {until:.0}")
}

/// The projects of a plan that wait after a 429, and until when.
pub(crate) async fn waits(
    ledger: &Ledger,
    draft: &Draft,
    now: Timestamp,
) -> Result<BTreeMap<String, Timestamp>, LedgerError> {
    let projects = draft.projects();
    let waits = move |connection: &Connection| {
        let mut waits = BTreeMap::new();
        for project in projects {
            let until = account::get(connection, &project)?.wait_until.filter(|until| now < *until);
            waits.extend(until.map(|until| (project, until)));
        }
        Ok(waits)
    };
    ledger.read(waits).await
}

/// Until when a plan waits after a 429; none if something of it can go now, or nothing ever.
///
/// One that is not begun goes as soon as one of its projects takes requests; one that was `begun`, and approved then, once
/// all do that will within its hour: what was refused of the others would else be asked again with each cycle.
pub(crate) async fn waits_until(
    ledger: &Ledger,
    draft: &Draft,
    begun: Option<Timestamp>,
    now: Timestamp,
) -> Result<Option<Timestamp>, LedgerError> {
    let waits = waits(ledger, draft, now).await?;
    Ok(match begun {
        Some(approved_at) => waits.into_values().filter(|until| !is_over_by(approved_at, *until)).max(),
        None if waits.len() == draft.projects().len() => waits.into_values().min(),
        None => None,
    })
}
