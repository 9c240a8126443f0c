//! API v2 through the built product: what it costs, in requests, to know a finished batch, and what becomes of a retry.

use jiff::SignedDuration;
use llama_triage::internals::reprocess::{Request, plan};
use llama_triage::internals::service::Worker;
use llama_triage::internals::simulator::{
    Endpoint, Failure, FaultRule, InjectedFault, JobType, Options, ScriptedCause, World, WorldBuilder, item_id,
};
use tokio_util::sync::CancellationToken;

use crate::site::Site;

/// One finished batch of 1,000 files, of which 40 failed.
fn world(job_type: JobType) -> World {
    let builder = WorldBuilder::new().batch("big").job_type(job_type).items(960, "good", ScriptedCause::Succeeds);
    builder.items(40, "bad", ScriptedCause::Permanent(Failure::text("xref table damaged"))).build()
}

#[tokio::test]
async fn a_finished_batch_is_read_once_by_few_requests_and_then_costs_only_the_batch_list() {
    for (job_type, wanted) in [(JobType::Parse, 3), (JobType::Extract, 4)] {
        let site = Site::with_api("v2", world(job_type), Options::default(), "").await;
        let now = site.cloud.world().now();
        let first = site.worker().await.scan(now).await.unwrap().remove(0);
        assert_eq!((first.complete, first.items_new, first.requests), (true, 40, wanted), "{first:?}");
        assert_eq!(site.texts("SELECT total_items || ' ' || failed_items FROM batch"), ["1000 40"]);
        // Another process knows it, too.
        let second = site.worker().await.scan(now).await.unwrap().remove(0);
        assert_eq!((second.complete, second.batches_read, second.requests), (true, 0, 1), "{second:?}");
    }
}

/// A batch of which one item fails until it is tried again, scanned.
async fn failed(job_type: JobType) -> (Site, Worker) {
    let builder = WorldBuilder::new().batch("b").job_type(job_type).item("fine").succeeds();
    let world = builder.item("i").fails_until(2, "the service is busy, try again later").build();
    let site = Site::with_api("v2", world, Options::default(), "").await;
    let mut worker = site.worker().await;
    worker.scan(site.now()).await.unwrap();
    (site, worker)
}

/// Plans the item by hand and approves the plan; says how many items that are.
async fn approve(site: &Site, worker: &Worker) -> u32 {
    let (now, request) = (site.now(), Request { items: vec![item_id("i")], ..Request::default() });
    let draft = worker.setup.reprocessing(&worker.ledger, now).draft(request, "ann").await.unwrap();
    let id = draft.plan_id.clone();
    worker.ledger.write(move |tx| plan::approve(tx, &id, "ann", "fixed", now)).await.unwrap();
    draft.items
}

/// What every attempt came to after these minutes, a scan and a step.
async fn outcomes_after(site: &Site, worker: &mut Worker, minutes: i64) -> Vec<String> {
    site.cloud.world().advance(SignedDuration::from_mins(minutes));
    let now = site.now();
    worker.scan(now).await.unwrap();
    worker.reprocess(now, &CancellationToken::new()).await.unwrap();
    site.texts("SELECT outcome FROM attempt ORDER BY attempt_id")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_that_the_api_does_not_know_any_more_is_reported_as_expired_at_once_and_not_sent_again() {
    let (site, mut worker) = failed(JobType::Parse).await;
    assert_eq!(approve(&site, &worker).await, 1);
    worker.reprocess(site.now(), &CancellationToken::new()).await.unwrap();
    site.cloud.set_faults(vec![FaultRule::new(InjectedFault::Status(404)).on(Endpoint::V2GetParse)]);
    assert_eq!(outcomes_after(&site, &mut worker, 1).await, ["running"], "it may only not be shown yet");
    assert_eq!(outcomes_after(&site, &mut worker, 6).await, ["expired"]);
    assert_eq!(approve(&site, &worker).await, 0, "it may still run, so its item is not sent again");
    site.cloud.set_faults(Vec::new());
    assert_eq!(outcomes_after(&site, &mut worker, 5).await, ["recovered"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_retry_was_billed_is_read_back_and_a_parsing_is_not_counted_twice() {
    for job_type in [JobType::Parse, JobType::Extract] {
        let busy = "the service is busy, try again later";
        let world = WorldBuilder::new().batch("b").job_type(job_type).item("i").fails_until(2, busy);
        let site = Site::with_api("v2", world.item("j").fails(busy).build(), Options::default(), "").await;
        let mut worker = site.worker().await;
        worker.scan(site.now()).await.unwrap();
        let billed = || site.cloud.world().truth().credits_billed as f64;
        let before = billed();
        assert_eq!(approve(&site, &worker).await, 1);
        worker.reprocess(site.now(), &CancellationToken::new()).await.unwrap();
        assert_eq!(outcomes_after(&site, &mut worker, 60).await, ["recovered"]);
        let paid = billed() - before;
        assert!(paid > 0.0);
        let json = |args: &[&str]| -> serde_json::Value {
            let run = site.command(args).args(["--format", "json"]).assert().success();
            serde_json::from_slice(&run.get_output().stdout).unwrap()
        };
        let retries = &json(&["report", "retries"])["rows"][0];
        assert_eq!((&retries["billed"], &retries["credits"]), (&paid.into(), &serde_json::Value::Null));
        let request = Request { items: vec![item_id("j")], ..Request::default() };
        let draft = worker.setup.reprocessing(&worker.ledger, site.now()).draft(request, "ann").await.unwrap();
        assert_eq!(draft.billed_each, Some((paid, 1)), "as others of its group");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_extraction_whose_answer_was_lost_is_found_by_what_was_there_before() {
    let (site, worker) = failed(JobType::Extract).await;
    assert_eq!(approve(&site, &worker).await, 1);
    site.cloud.set_faults(vec![FaultRule::new(InjectedFault::AcceptedThenReset).on(Endpoint::V2CreateExtract)]);
    worker.reprocess(site.now(), &CancellationToken::new()).await.unwrap();
    assert_eq!(site.texts("SELECT outcome FROM attempt"), ["unknown"]);
    let before = "SELECT items ->> '$[0].before.input' FROM intent WHERE items ->> '$[0].before.jobs' IS NOT NULL";
    assert!(site.texts(before)[0].starts_with("pjb-"), "the parsing that had succeeded");
    worker.ledger.close().await.unwrap();
    let mut later = site.worker().await;
    assert_eq!(outcomes_after(&site, &mut later, 5).await, ["running"], "it is known which job it is");
    assert_eq!(outcomes_after(&site, &mut later, 5).await, ["recovered"]);
    assert_eq!(site.cloud.world().truth().requests_to(Endpoint::V2CreateExtract), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_shows_up_after_its_retry_was_given_up_is_reported() {
    for (job_type, create, list) in [
        (JobType::Parse, Endpoint::V2CreateParse, Endpoint::V2ListParse),
        (JobType::Extract, Endpoint::V2CreateExtract, Endpoint::V2ListExtract),
    ] {
        let (site, worker) = failed(job_type).await;
        let step = async |minutes| {
            site.cloud.world().advance(SignedDuration::from_mins(minutes));
            worker.reprocess(site.now(), &CancellationToken::new()).await.unwrap();
        };
        let nothing = InjectedFault::Verbatim(vec![("content-type", "application/json")], r#"{"items":[]}"#.into());
        let hidden = || FaultRule::new(nothing.clone()).on(list);
        let lost = FaultRule::new(InjectedFault::AcceptedThenReset).on(create).first(1);
        site.cloud.set_faults(vec![lost, hidden()]);
        assert_eq!(approve(&site, &worker).await, 1);
        step(0).await;
        step(20).await;
        step(31).await;
        assert_eq!(site.texts("SELECT state FROM intent"), ["not_submitted"]);
        assert_eq!(approve(&site, &worker).await, 1);
        step(1).await;
        step(10).await;
        let duplicate = "SELECT text FROM worker_fault WHERE fault LIKE 'duplicate:%'";
        assert_eq!(
            (site.texts("SELECT state FROM intent ORDER BY intent_id").pop(), site.texts(duplicate).len()),
            (Some("finished".to_owned()), 0)
        );
        site.cloud.set_faults(Vec::new());
        step(70).await;
        let told = site.texts(duplicate).pop().unwrap_or_default();
        assert!(told.contains("was given up before LlamaCloud showed its batch"), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_for_a_whole_batch_is_left_out_of_plans_with_its_reason() {
    let builder = WorldBuilder::new().batch("b").item("i").succeeds();
    let site =
        Site::with_api("v2", builder.breaks(SignedDuration::from_secs(1), "gave up").build(), Options::default(), "")
            .await;
    let mut worker = site.worker().await;
    worker.scan(site.now()).await.unwrap();
    let items = site.texts("SELECT item_id FROM item");
    assert!(items[0].starts_with("bat-"), "{items:?}");
    let request = Request { items, ..Request::default() };
    let draft = worker.setup.reprocessing(&worker.ledger, site.now()).draft(request, "ann").await.unwrap();
    assert!(draft.items == 0 && draft.excluded[0].why.starts_with("it stands for a whole batch"), "{draft:?}");
}
