//! Looks at how a project does and moves its gate: incidents, failing attempts, storms, an account that cannot go on.

use jiff::{SignedDuration, Timestamp};

use crate::config::reprocess::Mode;
use crate::ledger::error::LedgerError;
use crate::ledger::{Connection, Transaction, fault};
use crate::llamacloud::Cloud;
use crate::reprocess::Reprocess;
use crate::reprocess::facts::limits;
use crate::reprocess::policy::holds::gate::{Gate, global_breaker_trips, incident};
use crate::reprocess::policy::holds::outage_signal::{Weather, done_within, weather};
use crate::reprocess::policy::limits::Limits;
use crate::reprocess::store::gate::{self, StoredGate};
use crate::reprocess::store::project_health;
use crate::scan::Watched;

/// What the weather is read from.
const WINDOW: SignedDuration = SignedDuration::from_mins(30);

/// An older refusal of the account says nothing about now; the next POST will tell.
const FRESH: SignedDuration = SignedDuration::from_hours(1);

impl Reprocess<'_> {
    /// Moves the gate of a project by what was seen lately, and says what the weather is.
    ///
    /// # Errors
    /// The ledger refuses.
    pub(crate) async fn weigh(&self, project: &str, now: Timestamp) -> Result<(StoredGate, Weather), LedgerError> {
        let (limits, mode) = (limits(self.config), self.config.mode);
        let access_mark = self.project(project).map(|watched| watched.source.access_mark());
        let (project, account) = (project.to_owned(), self.projects_of_account(project));
        self.ledger
            .write(move |tx| {
                let before = gate::get(tx, &project)?;
                let weather = weather_of(tx, &project, now)?;
                let gate = lifted(tx, &before, &account, access_mark.as_deref(), &limits, now)?;
                let seen = StoredGate { gate, ..before.clone() };
                let after = observed(tx, &project, &seen, weather, mode, &limits, now)?;
                if after != before.gate {
                    moved(tx, &project, &account, &before, after, now)?;
                }
                Ok((gate::get(tx, &project)?, weather))
            })
            .await
    }

    /// The same for the projects that something holds back, where nothing else looks at them: nothing is retried by itself.
    ///
    /// # Errors
    /// The ledger refuses.
    pub(crate) async fn weigh_closed(&self, now: Timestamp) -> Result<(), LedgerError> {
        for (project, _) in self.ledger.read(gate::closed).await? {
            self.weigh(&project, now).await?;
        }
        Ok(())
    }

    /// The project itself, and the others that spend the credits of its account.
    pub(crate) fn projects_of_account(&self, project: &str) -> Vec<String> {
        let watched = self.project(project);
        let shares = |other: &Watched<Cloud>| watched.is_some_and(|one| other.source.shares_account_with(&one.source));
        let others = self.projects.iter().filter(|other| other.name != project && shares(other));
        std::iter::once(project.to_owned()).chain(others.map(|other| other.name.clone())).collect()
    }
}

/// The longest that retries are held for.
pub(crate) fn longest_hold(config: &crate::config::reprocess::ReprocessConfig) -> SignedDuration {
    let limits = limits(config);
    limits.longest_hold.max(limits.hold)
}

/// The weather of a project in the last half hour.
pub(crate) fn weather_of(connection: &Connection, project: &str, now: Timestamp) -> Result<Weather, LedgerError> {
    let since = now - WINDOW;
    let done = done_within(&project_health::work(connection, project, since)?, since, now);
    // What lies far ahead was seen by another clock: it is no weather of now, and would be one until its time has come.
    let until = now + WINDOW;
    let failed = project_health::failed(connection, project, since, until)?;
    let mut began = project_health::turned(connection, project, since)?;
    began.retain(|turned| turned.began && turned.at <= until);
    began.sort_by(|a, b| a.group_id.cmp(&b.group_id));
    began.dedup_by(|a, b| a.group_id == b.group_id);
    Ok(weather(done + failed, failed, began.len()))
}

/// The gate after what shows that a stopped account works again: anybody's work of it completes, or a refused key was changed.
fn lifted(
    tx: &Transaction<'_>,
    stored: &StoredGate,
    account: &[String],
    access_mark: Option<&str>,
    limits: &Limits,
    now: Timestamp,
) -> Result<Gate, LedgerError> {
    let Gate::AccountStop { since, .. } = stored.gate else { return Ok(stored.gate) };
    if let Some(refused) = &stored.refused_access {
        // Others' work says nothing about what our key may do.
        let changed = access_mark.is_some_and(|mark| mark != refused);
        return Ok(if changed { stored.gate.reset(now) } else { stored.gate });
    }
    let mut completed_at = None;
    for project in account {
        completed_at = completed_at.max(project_health::completion_since(tx, project, since)?);
    }
    Ok(completed_at.map_or(stored.gate, |at| stored.gate.saw_completion(at, limits)))
}

fn observed(
    tx: &Transaction<'_>,
    project: &str,
    before: &StoredGate,
    weather: Weather,
    mode: Mode,
    limits: &Limits,
    now: Timestamp,
) -> Result<Gate, LedgerError> {
    let mut after = before.gate;
    // What failed before the gate last moved is what moved it, or was overcome since.
    let fresh = before.changed_at.unwrap_or(Timestamp::MIN).max(now - FRESH);
    if project_health::account_failure(tx, project, fresh)?.is_some() {
        after = after.stop_account(now);
    }
    if mode != Mode::Auto {
        after = after.without_probe(now);
    }
    if mode == Mode::Off {
        return Ok(after);
    }
    let turned = project_health::turned(tx, project, now - WINDOW)?;
    let turned: Vec<_> = turned.into_iter().map(|turned| (turned.at, turned.group_id)).collect();
    let attempts = project_health::attempts(tx, project, now - FRESH)?;
    Ok(after.observe(now, incident(now, &turned), global_breaker_trips(now, &attempts), weather, limits))
}

/// Keeps a gate that moved, and tells people of an account that stopped or goes on.
fn moved(
    tx: &Transaction<'_>,
    project: &str,
    account: &[String],
    before: &StoredGate,
    after: Gate,
    now: Timestamp,
) -> Result<(), LedgerError> {
    let stops = |gate: Gate| matches!(gate, Gate::AccountStop { .. });
    match (stops(before.gate), stops(after)) {
        (false, true) => {
            let why = format!("items of {project} fail for the account (key, role, credits or quota)");
            account.iter().try_for_each(|project| stop_account(tx, project, &why, None, now))
        }
        (true, false) => {
            gate::keep(tx, project, after, None, now)?;
            fault::clear(tx, &format!("account:{project}"), now)
        }
        _ => gate::keep(tx, project, after, None, now),
    }
}

/// Nothing of a project goes until its account works again; people are told. `refused_access` is what the API was asked with
/// if it refused the key.
pub(crate) fn stop_account(
    tx: &Transaction<'_>,
    project: &str,
    why: &str,
    refused_access: Option<&str>,
    now: Timestamp,
) -> Result<(), LedgerError> {
    let stopped = gate::get(tx, project)?.gate.stop_account(now);
    gate::keep(tx, project, stopped, Some(why), now)?;
    let ends = match refused_access {
        Some(access_mark) => {
            gate::note_refused_access(tx, project, access_mark)?;
            "they go on with another key, project or organization in the configuration; where this one was given more rights, with"
        }
        None => {
            "one item tries again once something of the account completes, later each time that was in vain, or with"
        }
    };
    let text = format!(
        "retries of project {project} are stopped: {why}; {ends} `llama-triage breaker reset global --reason TEXT`"
    );
    fault::raise(tx, &format!("account:{project}"), &text, now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::tests::seed::{Seed, t};

    #[test]
    fn work_of_another_project_of_the_account_lifts_a_stop_for_credits_but_not_one_of_the_key() {
        let mut seed = Seed::new();
        seed.run("INSERT INTO project (project_key, name, project_id, first_seen) VALUES (2, 'other', 'p-2', 0)", []);
        seed.batch("b", "completed");
        let (began, ended) = (t(40).as_millisecond(), t(45).as_millisecond());
        seed.run("UPDATE batch SET project_key = 2, started_at = ?1, completed_at = ?2", [began, ended]);
        let stop = Gate::AccountStop { since: t(0), failed_probes: 0 };
        let credits = StoredGate { gate: stop, ..StoredGate::default() };
        let key = StoredGate { refused_access: Some("old".to_owned()), ..credits.clone() };
        let mut after = |stored: &StoredGate, account: &[&str]| {
            let account: Vec<String> = account.iter().map(|name| (*name).to_owned()).collect();
            seed.write(|tx| lifted(tx, stored, &account, Some("old"), &Limits::default(), t(50))).unwrap()
        };
        assert_eq!(after(&credits, &["prod"]), stop);
        assert!(after(&credits, &["prod", "other"]).wants_probe(t(50)));
        assert_eq!(after(&key, &["prod", "other"]), stop);
    }

    #[test]
    fn an_account_that_cannot_go_on_stops_every_project_that_spends_from_it() {
        let mut seed = Seed::new();
        seed.run("INSERT INTO project (project_key, name, project_id, first_seen) VALUES (2, 'other', 'p-2', 0)", []);
        let account = ["prod".to_owned(), "other".to_owned()];
        let stop = Gate::AccountStop { since: t(9), failed_probes: 0 };
        seed.write(|tx| moved(tx, "prod", &account, &StoredGate::default(), stop, t(9))).unwrap();
        for project in account {
            assert_eq!(gate::get(&seed.connection, &project).unwrap().gate, stop, "{project}");
        }
    }
}
