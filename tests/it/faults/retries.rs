//! The faults again where retries meet them: a project for each fault, driven to the stage, hit there once, and mended.
//!
//! The worker runs in this process, so that the days after which everything must be well again take no time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use llama_triage::internals::config::load;
use llama_triage::internals::credentials::Credentials;
use llama_triage::internals::llamacloud::{Cloud, CloudSettings, RetryPace, Transport};
use llama_triage::internals::scan::causes;
use llama_triage::internals::service::{Setup, Worker};
use llama_triage::internals::simulator::{Endpoint, Options, project_id};
use tokio_util::sync::CancellationToken;

use super::api_faults::{self, ApiFault};
use super::retry_stage::RetryStage;
use crate::site::Site;

/// Every group is new at once here, which is no incident; and nothing waits for a budget.
const AUTO: &str = "[reprocess]\nmode = \"auto\"\nbaseline = true\nshare-floor = 100000\nper-run = 1000\nper-hour = 100000\nper-day = 100000\ndelays = [\"1s\"]\nhold = \"1s\"\n";

/// What became of each fault's project, in words, and every broken promise.
#[derive(Default)]
pub(crate) struct Retried {
    pub(crate) cells: BTreeMap<String, String>,
    pub(crate) broken: Vec<String>,
}

/// Measures one stage.
pub(crate) async fn measure(stage: RetryStage) -> Retried {
    let api_faults = api_faults::all();
    let site = Site::new(stage.world(&api_faults), Options::default(), AUTO).await;
    add_project_ids(&site);
    let mut worker = open(&site, &api_faults).await;
    worker.scan(site.now()).await.unwrap();
    if let Some(faults) = stage.before() {
        site.cloud.set_faults(faults);
        step(&site, &worker, SignedDuration::from_mins(1)).await;
        site.cloud.world().advance(SignedDuration::from_mins(30));
    }
    site.cloud.set_faults(api_faults.iter().map(|trouble| stage.plant(trouble)).collect());
    match stage {
        RetryStage::JobRecord => ask_for_causes(&site, &worker).await,
        _ => step(&site, &worker, SignedDuration::from_mins(1)).await,
    }
    let mut retried = Retried::default();
    for (trouble, asks) in api_faults.iter().zip(site.cloud.fault_hits()) {
        let mut cell = stage.outcome(&site, &trouble.project());
        if !trouble.is_slow() {
            cell += &format!(", {asks} asked");
        }
        retried.demand(asks > 0, || format!("{}: the trouble hit nothing", trouble.name));
        retried.cells.insert(trouble.name.clone(), cell);
    }
    retried.nothing_went_twice(&site);
    retried.heals(stage, &site, &mut worker).await;
    retried
}

impl Retried {
    fn demand(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        if !holds {
            self.broken.push(otherwise());
        }
    }

    /// One POST for each intent, and no item in a second retry beside its first.
    fn nothing_went_twice(&mut self, site: &Site) {
        let world = site.cloud.world();
        let mut sent: BTreeMap<String, usize> = BTreeMap::new();
        for post in world.truth().posts.iter().filter(|post| post.endpoint == Endpoint::CreateBatch) {
            *sent.entry(post.body["job_config"]["correlation_id"].to_string()).or_default() += 1;
        }
        let twice: Vec<_> = sent.iter().filter(|(_, posts)| **posts > 1).collect();
        self.demand(twice.is_empty(), || format!("intents posted twice: {twice:?}"));
        let again: Vec<_> = world.items().iter().filter(|item| item.attempts > 2).map(|item| &item.name).collect();
        self.demand(again.is_empty(), || format!("processed a third time: {again:?}"));
    }

    /// Hours after the fault, and after people reset what is theirs to reset, every item has recovered by one retry.
    async fn heals(&mut self, stage: RetryStage, site: &Site, worker: &mut Worker) {
        site.cloud.set_faults(Vec::new());
        // Where the record is taken to tell no cause, no one but people can say that a retry is worth it.
        let causeless = |trouble: &&ApiFault| self.cells[&trouble.name].starts_with("nothing");
        let hopeless: Vec<String> = api_faults::all().iter().filter(causeless).map(ApiFault::project).collect();
        let open = || -> Vec<String> {
            let open = "SELECT p.name FROM item i JOIN project p USING (project_key) WHERE state != 'recovered' AND kind = 'failed'";
            site.texts(open).into_iter().filter(|project| !hopeless.contains(project)).collect()
        };
        for round in 0..40 {
            if open().is_empty() {
                break;
            }
            site.command(&["reprocess", "resume", "all", "--reason", "the fault is over"]).assert().success();
            let pause = SignedDuration::from_mins(if round < 8 { 31 } else { 120 });
            site.cloud.world().advance(pause);
            worker.scan(site.now()).await.unwrap();
            if stage == RetryStage::JobRecord {
                causes::ask(
                    &worker.ledger,
                    &worker.setup.projects,
                    &worker.setup.rules,
                    &mut causes::CauseMemory::default(),
                    site.now(),
                )
                .await
                .unwrap();
            }
            step(site, worker, SignedDuration::from_secs(1)).await;
        }
        let left = open();
        self.demand(left.is_empty(), || format!("never recovered: {left:?}"));
        self.nothing_went_twice(site);
        let half_done = site
            .texts("SELECT intent_id || ' is ' || state FROM intent WHERE state IN ('planned', 'posting', 'unknown')");
        self.demand(half_done.is_empty(), || format!("left half done: {half_done:?}"));
        site.command(&["ledger", "check"]).assert().success();
    }
}

/// One step of reprocessing, so much later.
async fn step(site: &Site, worker: &Worker, later: SignedDuration) {
    site.cloud.world().advance(later);
    let now = site.now();
    worker.reprocess(now, &CancellationToken::new()).await.unwrap();
}

/// Each project alone, for a cycle only asks a few times.
async fn ask_for_causes(site: &Site, worker: &Worker) {
    for project in &worker.setup.projects {
        let one = std::slice::from_ref(project);
        causes::ask(&worker.ledger, one, &worker.setup.rules, &mut causes::CauseMemory::default(), site.now())
            .await
            .unwrap();
    }
}

/// A project's faults are distinguished by its id in the address.
fn add_project_ids(site: &Site) {
    let mut text = std::fs::read_to_string(site.path("config.toml")).unwrap();
    for project in site.cloud.world().projects() {
        let name = format!("name = {:?}\n", project.name);
        text = text.replacen(&name, &format!("{name}project-id = {:?}\n", project_id(&project.name)), 1);
    }
    std::fs::write(site.path("config.toml"), text).unwrap();
}

/// A worker that waits milliseconds between tries, and a second for an answer where the fault is to be late.
async fn open(site: &Site, api_faults: &[ApiFault]) -> Worker {
    let config = load::read(&site.path("config.toml")).unwrap();
    let mut setup = Setup::new(config, &Credentials::default()).unwrap();
    let pace = RetryPace { first: Duration::from_millis(1), longest: Duration::from_millis(2), ..RetryPace::default() };
    let transport = Transport::new().unwrap();
    let slow: Vec<String> = api_faults.iter().filter(|trouble| trouble.is_slow()).map(ApiFault::project).collect();
    for watched in &mut setup.projects {
        let mut project = setup.config.project.iter().find(|project| project.name == watched.name).unwrap().clone();
        if slow.contains(&project.name) {
            project.request_timeout = Duration::from_secs(2);
        }
        let key = std::fs::read_to_string(site.path(&format!("key-{}", project.name))).unwrap().into();
        watched.source = Arc::new(Cloud::connect_at(CloudSettings { project, key }, &transport, pace).unwrap());
    }
    Worker::open(setup).await.unwrap()
}
