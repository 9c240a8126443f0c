//! Retries that end by nobody: their project left the configuration, or LlamaCloud never says what became of them.
//! People are told of the first, and can end both.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::config::Config;
use crate::ledger::audit::{self, Act};
use crate::ledger::error::LedgerError;
use crate::ledger::{Ledger, Transaction, fault};
use crate::reprocess::Reprocess;
use crate::reprocess::facts::limits;
use crate::reprocess::intents::post::probe_ended;
use crate::reprocess::policy::group_state::Ended;
use crate::reprocess::policy::intents::intent::IntentState;
use crate::reprocess::policy::intents::outcome::{Outcome, Vote};
use crate::reprocess::policy::limits::Limits;
use crate::reprocess::store::attempt::{self, End};
use crate::reprocess::store::intent::{self, StoredIntent};
use crate::reprocess::store::{breaker, record};

/// A retry of unclear outcome is looked for at least this long before a person may end it.
const LOOKED_FOR: SignedDuration = SignedDuration::from_hours(1);

/// Who gives up a retry, and why.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GiveUp<'a> {
    /// The intent.
    pub intent_id: &'a str,
    /// Who.
    pub actor: &'a str,
    /// Why.
    pub reason: &'a str,
    /// When.
    pub now: Timestamp,
}

impl Reprocess<'_> {
    /// Raises a worker fault for each project that is not configured any more and has retries that are not over; ends the others.
    ///
    /// # Errors
    /// The ledger refuses.
    pub(crate) async fn tell_orphans(&self, now: Timestamp) -> Result<(), LedgerError> {
        let mut orphans: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for intent in self.ledger.read(intent::unsettled).await? {
            if self.project(&intent.project).is_none() {
                orphans.entry(intent.project).or_default().push(intent.intent_id);
            }
        }
        self.ledger
            .write(move |tx| {
                for key in fault::active_with_prefix(tx, "orphan:")? {
                    if !orphans.keys().any(|project| key == format!("orphan:{project}")) {
                        fault::clear(tx, &key, now)?;
                    }
                }
                for (project, intents) in orphans {
                    let text = format!(
                        "project {project} is no longer in the configuration, and what became of its retries cannot be asked ({}): put it back under this name, or end each with `llama-triage reprocess give-up ID --reason TEXT`",
                        intents.join(", ")
                    );
                    fault::raise(tx, &format!("orphan:{project}"), &text, now)?;
                }
                Ok(())
            })
            .await
    }
}

/// Ends a retry of which nobody can or will find out more: its attempts end as `unknown`, and count; its items are open again.
/// Returns what is so now; none if there is no such intent.
///
/// # Errors
/// The ledger refuses.
pub(crate) async fn give_up(
    ledger: &Ledger,
    config: &Config,
    act: GiveUp<'_>,
) -> Result<Option<Result<u32, String>>, LedgerError> {
    let limits = limits(&config.reprocess);
    let projects: Vec<String> = config.project.iter().map(|project| project.name.clone()).collect();
    let (id, actor, reason, now) = (act.intent_id.to_owned(), act.actor.to_owned(), act.reason.to_owned(), act.now);
    ledger
        .write(move |tx| {
            let Some(stored) = intent::get(tx, &id)? else { return Ok(None) };
            if let Some(why) = cannot(&stored, projects.contains(&stored.project), &limits, now) {
                return Ok(Some(Err(why)));
            }
            let items = end_all(tx, &stored, &limits, now)?;
            intent::finish(tx, &id, now)?;
            fault::clear(tx, &format!("retry:{id}"), now)?;
            let detail = serde_json::json!({ "items": items, "project": stored.project }).to_string();
            let act = Act {
                actor: &actor,
                action: "reprocess give-up",
                subject: &id,
                reason: Some(&reason),
                detail: Some(detail),
            };
            audit::record(tx, &act, now)?;
            Ok(Some(Ok(items)))
        })
        .await
}

/// Why a retry cannot be given up; none if it can.
fn cannot(stored: &StoredIntent, configured: bool, limits: &Limits, now: Timestamp) -> Option<String> {
    let age = now - stored.intent.posting_at.unwrap_or(stored.created_at);
    match &stored.intent.state {
        _ if stored.word == "finished" || stored.intent.state.releases() => {
            Some(format!("it is over ({})", stored.word))
        }
        IntentState::Planned => Some("nothing was sent yet: `reprocess cancel` takes it back".to_owned()),
        IntentState::Posting => Some("it is being sent right now".to_owned()),
        IntentState::Unknown if configured && age <= LOOKED_FOR => {
            Some("its batch is still being looked for; ask again an hour after it was sent".to_owned())
        }
        IntentState::Unknown => None,
        state if configured && age < limits.expires_after => {
            Some(format!("batch {} is followed; ask again a day after it was sent", state.batch_ids().join(", ")))
        }
        _ => None,
    }
}

/// Ends the attempts that are under way, and what the group's ramp counts of them; says how many there were.
fn end_all(tx: &Transaction<'_>, stored: &StoredIntent, limits: &Limits, now: Timestamp) -> Result<u32, LedgerError> {
    let mut state = breaker::group(tx, &stored.group_id)?;
    let record = record::record(tx, &stored.group_id, &state.ramp)?;
    let ended = Ended { now, limits, generic: false, weather: stored.weather, probe: stored.probe, record };
    let mut items = 0;
    for attempt in attempt::running(tx, &stored.intent_id)?.into_iter().filter(|attempt| !attempt.expired) {
        state.ended(Vote::Neutral, attempt.before, &ended);
        let end = End { attempt, outcome: Outcome::Unknown, counts: true, recovers: false, seen: None };
        attempt::end(tx, stored, &end, now)?;
        items += 1;
    }
    if items > 0 {
        breaker::keep_group(tx, &stored.group_id, &state, now)?;
        if stored.probe {
            probe_ended(tx, &stored.project, None, limits, now)?;
        }
    }
    Ok(items)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::tests::seed::{Seed, t};
    use crate::model::batch_api::BatchApi;
    use crate::reprocess::intents::post::released;
    use crate::reprocess::policy::group_state::GroupState;
    use crate::reprocess::policy::holds::breaker::Breaker;
    use crate::reprocess::policy::holds::outage_signal::Weather;
    use crate::reprocess::policy::ramp::{Ramp, Step};
    use crate::reprocess::store::intent::{IntentItem, NewIntent};

    /// A group of which half recovers, in a step of twenty of which half did, too; the last of them is in an intent under way.
    fn mixed() -> Seed {
        let mut seed = Seed::new();
        seed.batch("b", "completed");
        seed.fail("g-1", "b", 2, t(0));
        for n in 1..=40 {
            let outcome = if n % 2 == 1 { "recovered" } else { "failed_same" };
            seed.retried("g-1", n, outcome, "calm", "h", 0);
        }
        let ramp = Ramp { step: Step::Twenty, posted: 20, recovered: 10, failed: 9, neutral: 0 };
        let state = GroupState { ramp, recovered: 12, ..GroupState::default() };
        let new = NewIntent {
            intent_id: "last".to_owned(),
            plan_id: None,
            project: "prod".to_owned(),
            api: BatchApi::V1Beta,
            group_id: "g-1".to_owned(),
            job_type: "parse".to_owned(),
            trigger: "auto",
            actor: "auto".to_owned(),
            reason: None,
            job_config: "{}".to_owned(),
            parameters_hash: "h".to_owned(),
            items: vec![IntentItem { item_id: "g-1-2".to_owned(), attempts: 0, before: None }],
            step: Some(Step::Twenty),
            probe: false,
            weather: Weather::Calm,
            credits: None,
        };
        seed.write(|tx| {
            breaker::keep_group(tx, "g-1", &state, t(30)).unwrap();
            breaker::note_config(tx, "g-1", "h").unwrap();
            assert!(intent::begin(tx, &new, t(30)).unwrap());
        });
        seed
    }

    #[test]
    fn a_mixed_group_is_judged_by_its_record_when_the_last_end_of_a_step_says_nothing() {
        let limits = Limits::default();
        let after = |end: &dyn Fn(&Transaction<'_>, &StoredIntent)| {
            mixed().write(|tx| {
                let stored = intent::get(tx, "last").unwrap().unwrap();
                end(tx, &stored);
                let state = breaker::group(tx, "g-1").unwrap();
                (state.breaker, state.ramp.step)
            })
        };
        let never_sent = after(&|tx, stored| released(tx, stored, false, &limits, t(60)).unwrap());
        assert_eq!(never_sent, (Breaker::default(), Step::Hundred));
        let given_up = after(&|tx, stored| {
            attempt::begin(tx, stored, None).unwrap();
            assert_eq!(end_all(tx, stored, &limits, t(60)).unwrap(), 1);
        });
        assert_eq!(given_up, (Breaker::default(), Step::Hundred));
    }
}
