//! What the ledger would hand to the decisions about a simulated account; classes come from the shipped rules.

use jiff::{SignedDuration, Timestamp};
use llama_triage::internals::classify::{FailureFacts, Rules};
use llama_triage::internals::model::Class;
use llama_triage::internals::reprocess::{GroupFacts, GroupState, ItemFacts, ItemState, Senders};

use super::world::World;

/// A minute of the simulation as a time.
pub(crate) fn at(minute: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minute)
}

/// Groups and items as they are before anything was retried.
pub(crate) fn facts(world: &World, rules: &Rules) -> (Vec<GroupFacts>, Vec<ItemFacts>) {
    let (groups, classes): (Vec<GroupFacts>, Vec<Class>) = world
        .account
        .groups
        .iter()
        .enumerate()
        .map(|(n, spec)| {
            let decision =
                rules.classify(&FailureFacts { message: spec.message, job_type: "parse", ..FailureFacts::default() });
            let facts = GroupFacts {
                group_id: format!("g-{n}"),
                generic: decision.generic,
                last_failure: Timestamp::MIN,
                state: GroupState::default(),
                senders: Senders::new(),
            };
            (facts, decision.class)
        })
        .unzip();
    let items = world
        .documents
        .iter()
        .map(|document| ItemFacts {
            item_id: document.id.clone(),
            group_id: format!("g-{}", document.group),
            job_type: "parse".into(),
            directory: document.directory.clone(),
            size: Some(document.credits as u64),
            state: ItemState::Open,
            class: classes[document.group],
            planned_as: None,
            failed_at: at(document.failed_at),
            config_hash: Some("config".into()),
            failed_config_hash: Some("config".into()),
            claimed_by: None,
            running_in: None,
            whole_batch: false,
            deleted: false,
            refused: false,
            refusals: 0,
            cancelled_at: None,
            baseline: false,
            attempts: 0,
            attempts_in_life: 0,
            throttled_waits: 0,
            retry_after: None,
            credits: Some(document.credits),
        })
        .collect();
    (groups, items)
}
