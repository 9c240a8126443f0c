//! The places where a fault can hit a retry, and an account for each in which a step of reprocessing comes by there.

use jiff::{SignedDuration, Timestamp};
use llama_triage::internals::simulator::{
    Endpoint, Failure, FaultRule, InjectedFault, ScriptedCause, World, WorldBuilder, batch_id, project_id,
};

use super::api_faults::ApiFault;
use crate::site::Site;

/// What a retry asks for when the fault hits it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RetryStage {
    /// The record of a failed job, asked for a cause.
    JobRecord,
    /// With which configuration a batch was run.
    JobConfig,
    /// The items of a batch of others that is under way and may hold the same items.
    OtherBatches,
    /// The POST.
    Post,
    /// The batch list, in which the batch of a POST without an answer is looked for.
    Search,
    /// The items of that batch.
    SearchItems,
    /// The batch of a retry, whose end is waited for.
    Follow,
    /// Its items.
    FollowItems,
}

impl RetryStage {
    pub(crate) const ALL: [RetryStage; 8] = [
        RetryStage::JobRecord,
        RetryStage::JobConfig,
        RetryStage::OtherBatches,
        RetryStage::Post,
        RetryStage::Search,
        RetryStage::SearchItems,
        RetryStage::Follow,
        RetryStage::FollowItems,
    ];

    /// The heading of its column.
    pub(crate) fn heading(self) -> &'static str {
        match self {
            RetryStage::JobRecord => "job record",
            RetryStage::JobConfig => "job config",
            RetryStage::OtherBatches => "batches of others",
            RetryStage::Post => "POST",
            RetryStage::Search => "search of its batch",
            RetryStage::SearchItems => "search, items",
            RetryStage::Follow => "its end",
            RetryStage::FollowItems => "its end, items",
        }
    }

    /// The faults of the step before, in which POSTs are made; none if there is no such step.
    pub(crate) fn before(self) -> Option<Vec<FaultRule>> {
        match self {
            RetryStage::JobRecord | RetryStage::JobConfig | RetryStage::OtherBatches | RetryStage::Post => None,
            RetryStage::Search | RetryStage::SearchItems => {
                Some(vec![FaultRule::new(InjectedFault::AcceptedThenReset).on(Endpoint::CreateBatch)])
            }
            RetryStage::Follow | RetryStage::FollowItems => Some(Vec::new()),
        }
    }

    /// The fault, planted at this place of its own project.
    pub(crate) fn plant(self, trouble: &ApiFault) -> FaultRule {
        let project = format!("project_id={}", project_id(&trouble.project()));
        let rule = FaultRule::new(trouble.fault.clone()).containing(&project);
        match self {
            RetryStage::JobRecord => rule.on(Endpoint::ParsingJob),
            RetryStage::JobConfig => rule.on(Endpoint::ParsingParameters),
            RetryStage::OtherBatches => {
                let others = format!("/{}/items", batch_id(&format!("{}-running", trouble.project())));
                rule.on(Endpoint::ListItems).containing(&others)
            }
            RetryStage::Post => rule.on(Endpoint::CreateBatch),
            RetryStage::Search => rule.on(Endpoint::ListBatches),
            RetryStage::SearchItems | RetryStage::FollowItems => rule.on(Endpoint::ListItems),
            RetryStage::Follow => rule.on(Endpoint::GetBatch),
        }
    }

    /// A project for each fault with one failure that a second attempt overcomes, in a group of its own.
    pub(crate) fn world(self, api_faults: &[ApiFault]) -> World {
        let mut world = WorldBuilder::at(Timestamp::now());
        for (number, trouble) in api_faults.iter().enumerate() {
            let project = trouble.project();
            world = world.project(&project, &format!("llx-{project}-0000"));
            world = world.batch(&format!("{project}-old")).item(&format!("{project}-fine")).succeeds();
            let item = world.item(&format!("{project}-flaky"));
            let code = format!("code E{:04}", 1000 + number);
            world = if self == RetryStage::JobRecord {
                // Only the job record says why, and only then it is worth a retry.
                let failure = Failure::text(format!("An unknown error occurred during processing, {code}"));
                let failure = failure.with_job_message("upstream returned 503 Service Unavailable");
                item.cause(ScriptedCause::Transient { succeeds_on: 2, failure })
            } else {
                item.fails_until(2, &format!("upstream returned 503 Service Unavailable, {code}"))
            };
            if self == RetryStage::OtherBatches {
                world = world.batch(&format!("{project}-running")).item(&format!("{project}-other"));
                world = world.takes(SignedDuration::from_hours(1)).succeeds();
            }
        }
        world.build()
    }

    /// What became of a project, in the words of the page.
    pub(crate) fn outcome(self, site: &Site, project: &str) -> String {
        let intents =
            format!("SELECT n.state FROM intent n JOIN project p USING (project_key) WHERE p.name = '{project}'");
        let states = site.texts(&intents);
        match self {
            RetryStage::JobRecord => {
                let known = format!(
                    "SELECT ifnull(c.text, 'nothing') FROM cause c JOIN observation o USING (observation_key)
                     JOIN batch b USING (batch_key) JOIN project p ON p.project_key = b.project_key WHERE p.name = '{project}'"
                );
                match site.texts(&known).first().map(String::as_str) {
                    None => "asked again".to_owned(),
                    Some("nothing") => "nothing".to_owned(),
                    Some(_) => "read".to_owned(),
                }
            }
            RetryStage::JobConfig | RetryStage::OtherBatches => {
                if states.is_empty() { "waits" } else { "posted" }.to_owned()
            }
            _ => {
                let words: Vec<&str> = states.iter().map(|state| word(state)).collect();
                let stopped = format!("SELECT fault FROM worker_fault WHERE fault = 'account:{project}'");
                let stops = if site.texts(&stopped).is_empty() { "" } else { ", stops" };
                format!("{}{stops}", words.join(" and "))
            }
        }
    }
}

/// How the page calls the state of an intent.
fn word(state: &str) -> &str {
    match state {
        "rejected" => "refused",
        "unknown" => "unclear",
        "submitted" => "under way",
        "finished" => "done",
        other => other,
    }
}
