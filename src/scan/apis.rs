//! Which batch APIs a project has: read before a scan, stored and reported after it.

use std::fmt;
use strum::VariantArray as _;

use jiff::{SignedDuration, Timestamp};

use crate::ledger::error::LedgerError;
use crate::ledger::{Ledger, Transaction, fault};
use crate::model::batch_api::{ApiState, ApiStates, BatchApi, Presence};
use crate::model::text::count;
use crate::scan::source::{BatchSource, Watched};
use crate::scan::store::project_api;

/// What a scan found of one API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApiFound {
    /// The API.
    pub api: BatchApi,
    /// What is known of it now.
    pub state: ApiState,
    /// Batches that its list showed; none if the list was not asked for, or not read.
    pub listed: Option<u64>,
    /// It was not known to answer before, or it went away.
    pub is_news: bool,
}

impl fmt::Display for ApiFound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ApiFound { api, state, listed, .. } = self;
        write!(f, "API {api}: {}", state.describe())?;
        match listed {
            Some(listed) => write!(f, ", {} listed", count(*listed, "batch", "batches")),
            None => Ok(()),
        }
    }
}

/// A worker fault of an API that went away stands at least for this long.
const REPORTED_FOR: SignedDuration = SignedDuration::from_hours(24);

/// Tells the clients of these projects which APIs are known to answer.
pub(crate) async fn restore_apis<S: BatchSource>(ledger: &Ledger, projects: &[Watched<S>]) -> Result<(), LedgerError> {
    for project in projects {
        let name = project.name.clone();
        let states = ledger.read(move |connection| project_api::states_by_name(connection, &name)).await?;
        project.source.note_apis(states);
    }
    Ok(())
}

/// Keeps what a scan found, and reports once that an API no longer exists.
pub(crate) fn keep(
    tx: &Transaction<'_>,
    project_key: i64,
    project: &str,
    apis: &[BatchApi],
    (states, gone): (&ApiStates, &[BatchApi]),
    now: Timestamp,
) -> Result<(), LedgerError> {
    project_api::keep(tx, project_key, apis, states)?;
    for api in BatchApi::VARIANTS.iter().copied() {
        let (state, key) = (states.get(api), format!("api:{project}:{api}"));
        let stands = fault::active_with_prefix(tx, &key)?.contains(&key);
        if !stands && !gone.contains(&api) {
            continue;
        }
        if gone.contains(&api) {
            project_api::lose_batches(tx, project_key, api, now)?;
        }
        if state.presence != Presence::Absent {
            // It answers again, or the configuration does not ask for it any more.
            fault::clear(tx, &key, now)?;
            continue;
        }
        let left = project_api::open_work(tx, project_key, api)?;
        fault::raise(tx, &key, &left.removal_message(project, api, state.status), now)?;
        if left.is_nothing() && state.since.is_none_or(|since| now - since >= REPORTED_FOR) {
            fault::clear(tx, &key, now)?;
        }
    }
    Ok(())
}
