//! Scenarios of the policy as a whole.

mod groups;
mod plans;

use jiff::{SignedDuration, Timestamp};

use crate::model::class::Class;
use crate::model::item::ItemState;
use crate::reprocess::policy::belief::{Try, TryResult};
use crate::reprocess::policy::facts::ItemFacts;
use crate::reprocess::policy::group::GroupFacts;

/// A minute of the scenario.
fn at(minute: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minute)
}

/// So many tries sent and ended at these minutes.
fn tries(count: usize, number: u32, started: i64, ended: i64, result: TryResult) -> Vec<Try> {
    let ended_at = (result != TryResult::Running).then(|| at(ended));
    vec![Try { number, started_at: at(started), ended_at, result }; count]
}

fn group(class: Class, documents: u32, tries: Vec<Vec<Try>>) -> GroupFacts {
    GroupFacts { tries: tries.concat(), ..GroupFacts::untried("g-1", class, documents) }
}

fn item(id: &str, class: Class) -> ItemFacts {
    ItemFacts {
        item_id: id.to_owned(),
        group_id: "g-1".to_owned(),
        job_type: "parse".to_owned(),
        batch_id: "b".to_owned(),
        extension: "pdf".to_owned(),
        state: ItemState::Open,
        class,
        planned_as: None,
        failed_at: at(0),
        config_hash: Some("h".to_owned()),
        failed_config_hash: None,
        claimed_by: None,
        running_in: None,
        whole_batch: false,
        refused: false,
        refusals: 0,
        cancelled_at: None,
        baseline: false,
        attempts: 0,
        attempts_in_life: 0,
        throttled_waits: 0,
        credits: None,
    }
}
