//! Mode `auto` and `plan`: probes and steps, holds, budgets, restarts.

use std::time::Duration;

use jiff::SignedDuration;
use llama_triage::internals::reprocess::{Which, items};
use llama_triage::internals::service::{CycleOutcome, Worker};
use llama_triage::internals::simulator::{
    DEFAULT_NOW, Endpoint, Failure, FaultRule, InjectedFault, JobType, Options, Outage, ScriptedCause,
    SimulatedBatchStatus, World, WorldBuilder,
};
use tokio_util::sync::CancellationToken;

use crate::site::Site;

pub(crate) const BUSY: &str = "upstream returned 503 Service Unavailable";
pub(crate) const AUTO: &str = "[reprocess]\nmode = \"auto\"\n";

/// `fine` items that complete beside `busy` ones that complete when they are tried again; all failed an hour ago.
pub(crate) fn world(fine: usize, busy: usize) -> World {
    let mut builder = WorldBuilder::new().batch("b1");
    for n in 0..fine {
        builder = builder.item(&format!("fine{n}")).succeeds();
    }
    for n in 0..busy {
        builder = builder.item(&format!("i{n}")).fails_until(2, BUSY);
    }
    builder.build()
}

/// A site that knows its project for longer than the failures, so that they are no baseline.
pub(crate) async fn site(world: World, more: &str) -> (Site, Worker) {
    let site = Site::new(world, Options::default(), more).await;
    let worker = site.worker().await;
    let long_ago = (site.now() - SignedDuration::from_hours(48)).as_millisecond();
    let begin = move |tx: &llama_triage::internals::ledger::Transaction<'_>| {
        tx.execute("INSERT INTO project (name, first_seen) VALUES ('default', ?1)", [long_ago])?;
        Ok(())
    };
    worker.ledger.write(begin).await.unwrap();
    (site, worker)
}

pub(crate) async fn cycle(site: &Site, worker: &mut Worker, minutes: i64) -> CycleOutcome {
    site.cloud.world().advance(SignedDuration::from_mins(minutes));
    let now = site.now();
    worker.cycle(now, Duration::from_secs(5), &CancellationToken::new()).await.unwrap()
}

pub(crate) fn posts(site: &Site) -> Vec<usize> {
    let world = site.cloud.world();
    let sizes = world.truth().posts.iter().filter(|post| post.endpoint == Endpoint::CreateBatch);
    sizes.map(|post| post.body["item_ids"].as_array().map_or(0, Vec::len)).collect()
}

fn posts_to(site: &Site, endpoint: Endpoint) -> u64 {
    site.cloud.world().truth().requests_to(endpoint)
}

pub(crate) fn outcomes(site: &Site, outcome: &str) -> usize {
    site.texts(&format!("SELECT attempt_id FROM attempt WHERE outcome = '{outcome}'")).len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_recovers_is_retried_from_one_document_to_all_within_the_budgets() {
    let (site, mut worker) = site(world(600, 60), AUTO).await;
    let mut sizes = Vec::new();
    for _ in 0..6 {
        cycle(&site, &mut worker, 15).await;
        sizes = posts(&site);
    }
    assert_eq!(sizes, [1, 14, 45]);
    assert_eq!(outcomes(&site, "recovered"), 60);
    assert_eq!(site.texts("SELECT DISTINCT state FROM item"), ["recovered"]);
    assert!(site.cloud.world().paid_twice().is_empty());
    let actors = site.texts("SELECT DISTINCT actor || ' ' || trigger FROM intent ORDER BY 1");
    assert!(actors.len() == 2 && actors.iter().all(|actor| actor.starts_with("auto:")), "{actors:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn mode_plan_posts_nothing_and_counts_what_it_would_retry() {
    let (site, mut worker) = site(world(100, 3), "[reprocess]\nmode = \"plan\"\ncredits-per-item = 3.0\n").await;
    cycle(&site, &mut worker, 15).await;
    let outcome = cycle(&site, &mut worker, 15).await;
    assert_eq!((posts(&site).len(), outcome.retries.would_retry), (0, 1));
    assert_eq!(outcome.retries.would_cost, 3.0);
    let budget = outcome.retries.budget.unwrap();
    assert!(budget.contains("500 of 500 retries left today") && budget.contains("3 credits"), "{budget}");
}

#[tokio::test(flavor = "multi_thread")]
async fn items_whose_job_config_is_unknown_are_reported_and_released() {
    let world = WorldBuilder::new().batch("b1").job_type(JobType::Classify).item("i0").fails_until(2, BUSY).build();
    let (site, mut worker) = site(world, AUTO).await;
    cycle(&site, &mut worker, 15).await;
    let told = |site: &Site| {
        site.texts("SELECT text FROM worker_fault WHERE fault = 'job-config:default' AND ended_at IS NULL").join("|")
    };
    let text = told(&site);
    assert!(text.starts_with("1 item of project default cannot be retried"), "{text}");
    site.configure("");
    worker.ledger.close().await.unwrap();
    worker = site.worker().await;
    cycle(&site, &mut worker, 15).await;
    assert_eq!(told(&site), "", "nothing is retried automatically any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_loses_its_probes_rests_longer_each_time_until_a_person_decides() {
    let mut builder = WorldBuilder::new().batch("b1");
    for n in 0..100 {
        builder = builder.item(&format!("fine{n}")).succeeds();
    }
    for n in 0..10 {
        builder = builder.item(&format!("i{n}")).cause(ScriptedCause::Poison(Failure::text(BUSY)));
    }
    let (site, mut worker) = site(builder.build(), AUTO).await;
    for _ in 0..3 {
        cycle(&site, &mut worker, 15).await;
    }
    assert_eq!((posts(&site), outcomes(&site, "failed_same")), (vec![1], 1));
    worker.ledger.close().await.unwrap();
    let mut worker = site.worker().await;
    cycle(&site, &mut worker, 30).await;
    assert_eq!(posts(&site), [1], "it rests for an hour, whatever is started anew");
    for _ in 0..4 {
        cycle(&site, &mut worker, 30).await;
    }
    assert_eq!(posts(&site).len(), 2);
    let mut outcome = cycle(&site, &mut worker, 120).await;
    for _ in 0..70 {
        outcome = cycle(&site, &mut worker, 120).await;
    }
    assert_eq!(posts(&site), [1; 5], "half of ten documents");
    let line = outcome.retries.budget.unwrap();
    assert!(line.contains("; a person decides about 10 items in g-"), "{line}");
    let group = site.texts("SELECT group_id FROM error_group").remove(0);
    assert!(line.contains(&format!("llama-triage reprocess resume {group} --reason TEXT")), "{line}");
    let resumed = site.now().as_millisecond();
    let resume = move |tx: &llama_triage::internals::ledger::Transaction<'_>| {
        Ok(tx.execute("UPDATE error_group SET resumed_at = ?1", [resumed])?)
    };
    worker.ledger.write(resume).await.unwrap();
    cycle(&site, &mut worker, 15).await;
    assert_eq!(posts(&site).len(), 6, "a person let it go on");
}

#[tokio::test(flavor = "multi_thread")]
async fn items_that_failed_all_attempts_are_reported_while_their_group_recovers() {
    let mut builder = WorldBuilder::new().batch("b1");
    for n in 0..100 {
        builder = builder.item(&format!("fine{n}")).succeeds();
    }
    for n in 0..12 {
        builder = builder.item(&format!("i{n}")).fails_until(if n < 6 { 2 } else { 3 }, BUSY);
    }
    for n in 0..2 {
        builder = builder.item(&format!("lasting{n}")).fails(BUSY);
    }
    let (site, mut worker) = site(builder.build(), AUTO).await;
    let mut outcome = cycle(&site, &mut worker, 60).await;
    for _ in 0..60 {
        outcome = cycle(&site, &mut worker, 60).await;
    }
    assert_eq!(site.texts("SELECT item_name FROM item WHERE state = 'open'").len(), 2);
    let group = site.texts("SELECT group_id FROM error_group").remove(0);
    let line = outcome.retries.budget.unwrap();
    let told = format!(
        "; a person decides about 2 items in {group} that failed all tries: `llama-triage reprocess resume {group} "
    );
    assert!(line.contains(&told), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_used_up_its_attempts_is_tried_again_when_a_person_resumes_its_group() {
    let world = WorldBuilder::new().batch("b1").item("i0").cause(ScriptedCause::Poison(Failure::text(BUSY))).build();
    let (site, mut worker) = site(world, AUTO).await;
    for _ in 0..20 {
        cycle(&site, &mut worker, 180).await;
    }
    assert_eq!(posts(&site), [1; 3], "three attempts");
    let resumed = site.now().as_millisecond();
    let resume = move |tx: &llama_triage::internals::ledger::Transaction<'_>| {
        Ok(tx.execute("UPDATE error_group SET resumed_at = ?1", [resumed])?)
    };
    worker.ledger.write(resume).await.unwrap();
    cycle(&site, &mut worker, 15).await;
    assert_eq!(posts(&site), [1; 4], "what a person is told to do must do something");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_budget_of_an_hour_survives_a_restart() {
    let mut builder = WorldBuilder::new().batch("b1");
    for n in 0..100 {
        builder = builder.item(&format!("fine{n}")).succeeds();
    }
    for (n, text) in [BUSY, "connection reset by peer", "socket hang up"].into_iter().enumerate() {
        builder = builder.item(&format!("i{n}")).cause(ScriptedCause::Poison(Failure::text(text)));
    }
    let (site, mut worker) = site(builder.build(), &format!("{AUTO}per-hour = 1\n")).await;
    for round in 0..6 {
        cycle(&site, &mut worker, if round == 0 { 15 } else { 5 }).await;
        worker.ledger.close().await.unwrap();
        worker = site.worker().await;
    }
    assert_eq!(posts(&site), [1]);
    cycle(&site, &mut worker, 60).await;
    assert_eq!(posts(&site), [1, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_without_credits_gets_one_post() {
    let (site, mut worker) = site(world(100, 30), AUTO).await;
    site.cloud.set_faults(vec![FaultRule::new(InjectedFault::Status(402)).on(Endpoint::CreateBatch)]);
    for _ in 0..8 {
        cycle(&site, &mut worker, 20).await;
    }
    assert_eq!(posts(&site).len(), 1);
    assert_eq!(site.texts("SELECT why FROM account WHERE stopped_since IS NOT NULL").len(), 1);
    assert_eq!(site.texts("SELECT fault FROM worker_fault WHERE fault LIKE 'account:%'").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_that_was_throttled_is_not_repeated_before_its_time() {
    let (site, mut worker) = site(world(100, 30), AUTO).await;
    let wait = InjectedFault::StatusRetryAfter(429, "3600".to_owned());
    site.cloud.set_faults(vec![FaultRule::new(wait).on(Endpoint::CreateBatch).first(1)]);
    for _ in 0..4 {
        cycle(&site, &mut worker, 15).await;
    }
    assert_eq!(posts(&site).len(), 1);
    cycle(&site, &mut worker, 20).await;
    assert_eq!(posts(&site).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_holds_everything_for_half_an_hour() {
    let texts = [BUSY, "connection reset by peer", "504 gateway timeout", "socket hang up", "The worker was lost"];
    let mut builder = WorldBuilder::new().batch("b1").made_ago(SignedDuration::from_mins(1));
    for n in 0..60 {
        let item = builder.item(&format!("i{n}")).takes(SignedDuration::from_mins(4));
        builder = item.fails_until(2, texts[n % 5]);
    }
    let (site, mut worker) = site(builder.build(), &format!("{AUTO}share-floor = 500\n")).await;
    for minutes in [1, 5, 15] {
        cycle(&site, &mut worker, minutes).await;
    }
    assert_eq!(posts(&site).len(), 0);
    for _ in 0..15 {
        cycle(&site, &mut worker, 15).await;
    }
    assert_eq!(posts(&site)[..5], [1; 5], "then each group is probed");
    assert_eq!(outcomes(&site, "recovered"), 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_in_a_running_batch_of_others_is_not_retried() {
    let world = WorldBuilder::new()
        .batch("b1")
        .item("i0")
        .fails_until(2, BUSY)
        .takes(SignedDuration::from_mins(1))
        .item("fine")
        .succeeds()
        .batch("b2")
        .made_ago(SignedDuration::from_mins(20))
        .again("i0")
        .item("slow")
        .takes(SignedDuration::from_hours(5))
        .build();
    let (site, mut worker) = site(world, AUTO).await;
    for _ in 0..4 {
        cycle(&site, &mut worker, 15).await;
    }
    assert_eq!(posts(&site).len(), 0);
    let running =
        site.cloud.world().batches().iter().filter(|batch| batch.status == SimulatedBatchStatus::Running).count();
    assert_eq!(running, 1, "the other batch was under way all the time");
}

/// An item that failed, and is tried again by another process in a batch that takes hours.
fn retried_by_others() -> WorldBuilder {
    let config = serde_json::json!({"job": {"type": "parse_v2", "configuration_id": "cfg-PARSE_AGENTIC"}});
    let world = WorldBuilder::new().batch("b1").from_directory().config(config.clone());
    let world = world.item("i0").fails_until(2, BUSY).takes(SignedDuration::from_mins(1)).item("fine").succeeds();
    let world = world.batch("b2").from_directory().config(config).made_ago(SignedDuration::from_mins(20));
    world.again("i0").item("slow").takes(SignedDuration::from_hours(5))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_waits_for_a_batch_of_others_whose_items_could_not_be_listed() {
    let (site, mut worker) = site(retried_by_others().build(), AUTO).await;
    worker.scan(site.now()).await.unwrap();
    let nothing = InjectedFault::Verbatim(vec![("content-type", "application/json")], r#"{"items":[]}"#.into());
    site.cloud.set_faults(vec![FaultRule::new(nothing).on(Endpoint::ListItems)]);
    for _ in 0..3 {
        site.cloud.world().advance(SignedDuration::from_mins(15));
        let done = worker.reprocess(site.now(), &CancellationToken::new()).await.unwrap();
        assert_eq!(done.errors, Vec::<String>::new());
    }
    assert_eq!(posts(&site).len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_waits_for_a_running_batch_of_v2_that_shows_nothing_of_itself() {
    let (site, worker) = site(retried_by_others().build(), AUTO).await;
    site.configure_v2(AUTO);
    worker.ledger.close().await.unwrap();
    let mut worker = site.worker().await;
    for _ in 0..4 {
        cycle(&site, &mut worker, 15).await;
    }
    assert_eq!(site.texts("SELECT state FROM item"), ["open"], "the failure is known");
    assert_eq!(posts_to(&site, Endpoint::V2CreateParse), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_retried_automatically_after_a_scan_that_was_incomplete() {
    let (site, mut worker) = site(world(100, 10), AUTO).await;
    worker.scan(site.now()).await.unwrap();
    site.cloud.set_faults(vec![FaultRule::new(InjectedFault::Status(500)).on(Endpoint::ListBatches)]);
    let outcome = cycle(&site, &mut worker, 15).await;
    assert!(!outcome.scans[0].complete);
    assert_eq!(posts(&site).len(), 0);
    site.cloud.set_faults(Vec::new());
    cycle(&site, &mut worker, 15).await;
    assert_eq!(posts(&site).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_attempt_does_not_free_its_item_while_its_batch_may_still_run() {
    let start: jiff::Timestamp = DEFAULT_NOW.parse().unwrap();
    let outage = Outage {
        name: "router".to_owned(),
        from: start - SignedDuration::from_hours(2),
        until: start,
        share_percent: 0,
        failures: Vec::new(),
    };
    let hangs = ScriptedCause::Outage {
        name: "router".into(),
        failure: Failure::text(BUSY),
        then: Box::new(ScriptedCause::NeverEnds),
    };
    let world = WorldBuilder::new().outage(outage).batch("b1").item("fine").succeeds().item("i0").cause(hangs).build();
    let (site, mut worker) = site(world, AUTO).await;
    for _ in 0..14 {
        cycle(&site, &mut worker, 15).await;
    }
    assert_eq!((posts(&site).len(), outcomes(&site, "running")), (1, 1));
    for _ in 0..30 {
        cycle(&site, &mut worker, 120).await;
    }
    assert_eq!((posts(&site).len(), outcomes(&site, "expired")), (1, 1));
    assert_eq!(site.texts("SELECT state FROM item WHERE kind = 'failed'"), ["open"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_api_v2_are_retried_one_by_one_and_their_real_outcome_is_seen() {
    for job_type in [JobType::Parse, JobType::Extract] {
        let config = serde_json::json!({"job": {"type": "parse_v2", "configuration_id": "cfg-PARSE_AGENTIC"}});
        let mut builder = WorldBuilder::new().batch("b1").from_directory().job_type(job_type).config(config);
        for n in 0..100 {
            builder = builder.item(&format!("fine{n}")).succeeds();
        }
        for n in 0..8 {
            builder = builder.item(&format!("i{n}")).fails_until(2, BUSY);
        }
        builder = builder.item("poison").cause(ScriptedCause::Poison(Failure::text(BUSY)));
        let (site, mut worker) = site(builder.build(), AUTO).await;
        site.configure_v2(AUTO);
        worker.ledger.close().await.unwrap();
        worker = site.worker().await;
        for _ in 0..8 {
            cycle(&site, &mut worker, 10).await;
            // Every cycle is a new process: nothing may hang on what the old one remembers.
            worker.ledger.close().await.unwrap();
            worker = site.worker().await;
        }
        let ended = (outcomes(&site, "recovered"), outcomes(&site, "failed_same"), outcomes(&site, "running"));
        assert_eq!((ended.0, ended.2), (8, 0), "{job_type:?} {ended:?}");
        assert!((1..=2).contains(&ended.1), "{job_type:?} {ended:?}");
        assert!(site.cloud.world().paid_twice().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cycle_reads_the_newest_untried_items_of_a_large_group() {
    let (site, mut worker) = site(world(0, 600), AUTO).await;
    worker.scan(site.now()).await.unwrap();
    let weigh = || {
        let which = Which::Automatic { baseline: false };
        worker.ledger.read(move |connection| items(connection, &which))
    };
    let newest = site.texts("SELECT item_id FROM item ORDER BY last_seen DESC, item_id LIMIT 1");
    let weighed = weigh().await.unwrap();
    assert_eq!(weighed.len(), 500);
    assert!(weighed.iter().any(|row| newest[0] == row.item_id));
    // What was tried or is under way makes room for the others.
    let tried = "INSERT INTO intent (intent_id, project_key, job_type, trigger, actor, state, job_config, parameters_hash,
             items_hash, item_count, created_at) VALUES ('I', 1, 'parse', 'auto', 'a', 'finished', '{}', 'h', 'h', 50, 0);
         INSERT INTO attempt (attempt_id, intent_id, item_key, group_key, n, trigger, outcome, started_at)
             SELECT 'I-' || item_key, 'I', item_key, group_key, 1, 'auto', 'failed_same', 0 FROM item WHERE item_key <= 50;
         UPDATE item SET attempts = 1 WHERE item_key <= 50;
         UPDATE item SET state = 'retrying' WHERE item_key > 550";
    let try_some = move |tx: &llama_triage::internals::ledger::Transaction<'_>| Ok(tx.execute_batch(tried)?);
    worker.ledger.write(try_some).await.unwrap();
    assert_eq!(weigh().await.unwrap().len(), 600);
}
