//! Scenarios of the policy as a whole.

mod groups;
mod plans;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::config::reprocess::{Mode, ReprocessConfig};
use crate::model::class::Class;
use crate::model::item::ItemState;
use crate::reprocess::policy::belief::{Try, TryResult};
use crate::reprocess::policy::group::GroupFacts;
use crate::reprocess::policy::item::{Item, Said, Tried};
use crate::reprocess::protocol::job_config::JobConfig;

/// The defaults, in mode `auto`.
fn settings() -> ReprocessConfig {
    ReprocessConfig { mode: Mode::Auto, ..ReprocessConfig::default() }
}

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

fn job_config() -> JobConfig {
    JobConfig::given(json!({ "parameters": { "tier": "fast" } })).unwrap()
}

/// An attempt that counts, with the parameters of now or others.
fn tried(is_of_now: bool) -> Tried {
    let parameters_hash = if is_of_now { job_config().hash().to_owned() } else { "others".to_owned() };
    Tried { parameters_hash, counts: true, in_episode: true, cancelled_at: None }
}

fn item(id: &str, class: Class) -> Item {
    Item {
        batch_id: "b".to_owned(),
        job_type: "parse".to_owned(),
        said: Said { item_name: "x.pdf".to_owned(), ..Said::default() },
        config: Ok(Arc::new(job_config())),
        ..Item::new(id.to_owned(), "g-1".to_owned(), class, at(0))
    }
}
