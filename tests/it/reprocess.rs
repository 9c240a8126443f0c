//! Retries against a LlamaCloud that loses answers, does things twice, or refuses: one POST for each intent, ever.

use jiff::SignedDuration;
use llama_triage::internals::llamacloud::Resubmission;
use llama_triage::internals::model::BatchApi;
use llama_triage::internals::reprocess::{IntentState, Request, Summary, intent, plan};
use llama_triage::internals::service::Worker;
use llama_triage::internals::simulator::{
    Endpoint, Failure, FaultRule, InjectedFault, Options, Outage, ScriptedCause, World, WorldBuilder, default_config,
    item_id,
};
use tokio_util::sync::CancellationToken;

use crate::site::Site;

const BUSY: &str = "the service is busy, try again later";

fn world(items: usize) -> World {
    let mut builder = WorldBuilder::new().batch("b1").item("fine").succeeds();
    for n in 0..items {
        builder = builder.item(&format!("i{n}")).fails_until(2, "the service is busy, try again later");
    }
    builder.build()
}

/// A site whose failures are known, and a worker on it.
async fn scanned(world: World) -> (Site, Worker) {
    let site = Site::new(world, Options::default(), "").await;
    let mut worker = site.worker().await;
    let now = site.now();
    worker.scan(now).await.unwrap();
    (site, worker)
}

/// Plans these items and approves the plan.
async fn approve(site: &Site, worker: &Worker, names: &[&str]) -> u32 {
    let now = site.now();
    let request = Request { items: names.iter().map(|name| item_id(name)).collect(), ..Request::default() };
    let draft = worker.setup.reprocessing(&worker.ledger, now).draft(request, "ann").await.unwrap();
    let id = draft.plan_id.clone();
    worker.ledger.write(move |tx| plan::approve(tx, &id, "ann", "fixed", now)).await.unwrap();
    draft.items
}

/// So much later: a scan and a step.
async fn step_after(site: &Site, worker: &mut Worker, minutes: i64) -> Summary {
    site.cloud.world().advance(SignedDuration::from_mins(minutes));
    let now = site.now();
    worker.scan(now).await.unwrap();
    worker.reprocess(now, &CancellationToken::new()).await.unwrap()
}

fn posts(site: &Site) -> u64 {
    site.cloud.world().truth().requests_to(Endpoint::CreateBatch)
}

fn outcomes(site: &Site) -> Vec<String> {
    site.texts("SELECT outcome FROM attempt ORDER BY attempt_id")
}

fn states(site: &Site) -> Vec<String> {
    site.texts("SELECT DISTINCT state FROM item ORDER BY state")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_is_called_recovered_only_once_its_item_has_completed() {
    let (site, mut worker) = scanned(world(3)).await;
    assert_eq!(approve(&site, &worker, &["i0", "i1", "i2"]).await, 3);
    let posted = worker.reprocess(site.now(), &CancellationToken::new()).await.unwrap();
    assert_eq!((posted.submitted, posted.errors), (3, Vec::new()));
    assert_eq!((states(&site), outcomes(&site)), (vec!["retrying".to_owned()], vec!["running".to_owned(); 3]));
    assert_eq!(site.texts("SELECT CAST(open_items AS TEXT) FROM error_group"), ["3"]);
    step_after(&site, &mut worker, 60).await;
    assert_eq!((states(&site), outcomes(&site)), (vec!["recovered".to_owned()], vec!["recovered".to_owned(); 3]));
    assert_eq!(site.texts("SELECT CAST(open_items AS TEXT) FROM error_group"), ["0"]);
    assert_eq!(site.texts("SELECT state FROM intent"), ["finished"]);
    assert_eq!(posts(&site), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_that_fails_alike_leaves_its_item_open() {
    let world = WorldBuilder::new().batch("b1").item("fine").succeeds().item("i0").fails("it broke").build();
    let (site, mut worker) = scanned(world).await;
    approve(&site, &worker, &["i0"]).await;
    worker.reprocess(site.now(), &CancellationToken::new()).await.unwrap();
    step_after(&site, &mut worker, 60).await;
    assert_eq!((states(&site), outcomes(&site)), (vec!["open".to_owned()], vec!["failed_same".to_owned()]));
    assert_eq!(site.texts("SELECT item_id FROM item WHERE attempts = 1").len(), 1);
    assert_eq!(site.texts("SELECT CAST(item_key AS TEXT) FROM claim"), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_whose_answer_was_lost_is_found_again_and_never_sent_again() {
    for fault in [
        InjectedFault::AcceptedThenReset,
        InjectedFault::AcceptedThenStatus(504),
        InjectedFault::AcceptedThenStatus(500),
    ] {
        let (site, mut worker) = scanned(world(2)).await;
        site.cloud.set_faults(vec![FaultRule::new(fault.clone()).on(Endpoint::CreateBatch)]);
        approve(&site, &worker, &["i0", "i1"]).await;
        let posted = worker.reprocess(site.now(), &CancellationToken::new()).await.unwrap();
        assert_eq!((posted.submitted, posted.unknown), (0, 1), "{fault:?}");
        assert_eq!(outcomes(&site), ["unknown", "unknown"]);
        let found = step_after(&site, &mut worker, 5).await;
        assert_eq!(found.unknown, 0, "what was found is not unclear any more: {fault:?}");
        step_after(&site, &mut worker, 60).await;
        assert_eq!((outcomes(&site), posts(&site)), (vec!["recovered".to_owned(); 2], 1), "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_shows_no_items_for_a_while_is_never_taken_for_no_batch() {
    let (site, mut worker) = scanned(world(2)).await;
    let empty = InjectedFault::Verbatim(vec![("content-type", "application/json")], r#"{"items":[]}"#.into());
    site.cloud.set_faults(vec![
        FaultRule::new(InjectedFault::AcceptedThenReset).on(Endpoint::CreateBatch),
        FaultRule::new(empty).on(Endpoint::ListItems),
    ]);
    approve(&site, &worker, &["i0", "i1"]).await;
    worker.reprocess(site.now(), &CancellationToken::new()).await.unwrap();
    for _ in 0..4 {
        step_after(&site, &mut worker, 20).await;
    }
    assert_eq!((site.texts("SELECT state FROM intent"), posts(&site)), (vec!["unknown".to_owned()], 1));
    let faults = site.texts("SELECT text FROM worker_fault");
    assert!(faults.iter().any(|text| text.contains("it is not known whether retry")), "{faults:?}");
    site.cloud.set_faults(Vec::new());
    step_after(&site, &mut worker, 20).await;
    assert_eq!((outcomes(&site), posts(&site)), (vec!["recovered".to_owned(); 2], 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_found_though_the_clock_of_the_server_is_behind() {
    let (site, mut worker) = scanned(world(2)).await;
    site.cloud.set_faults(vec![
        FaultRule::new(InjectedFault::AcceptedThenReset).on(Endpoint::CreateBatch),
        FaultRule::new(InjectedFault::Skewed(-3600)),
    ]);
    approve(&site, &worker, &["i0", "i1"]).await;
    worker.reprocess(site.now(), &CancellationToken::new()).await.unwrap();
    step_after(&site, &mut worker, 5).await;
    step_after(&site, &mut worker, 60).await;
    assert_eq!((outcomes(&site), posts(&site)), (vec!["recovered".to_owned(); 2], 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_that_was_lost_on_its_way_is_given_up_after_half_an_hour_and_two_listings() {
    let (site, mut worker) = scanned(world(1)).await;
    site.cloud.set_faults(vec![FaultRule::new(InjectedFault::Reset).on(Endpoint::CreateBatch)]);
    approve(&site, &worker, &["i0"]).await;
    worker.reprocess(site.now(), &CancellationToken::new()).await.unwrap();
    step_after(&site, &mut worker, 5).await;
    assert_eq!(site.texts("SELECT state FROM intent"), ["unknown"]);
    step_after(&site, &mut worker, 30).await;
    step_after(&site, &mut worker, 5).await;
    assert_eq!(site.texts("SELECT state FROM intent"), ["not_submitted"]);
    assert_eq!((states(&site), outcomes(&site)), (vec!["open".to_owned()], Vec::new()));
    assert_eq!(site.texts("SELECT CAST(attempts AS TEXT) FROM item"), ["0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_expires_while_the_api_cannot_be_asked() {
    let (site, mut worker) = scanned(world(1)).await;
    approve(&site, &worker, &["i0"]).await;
    worker.reprocess(site.now(), &CancellationToken::new()).await.unwrap();
    site.cloud.set_faults(vec![FaultRule::new(InjectedFault::Status(500)).on(Endpoint::GetBatch)]);
    let asked = step_after(&site, &mut worker, 25 * 60).await;
    assert!(asked.errors.iter().any(|error| error.contains("could not request the outcome")), "{:?}", asked.errors);
    assert_eq!(outcomes(&site), ["running"]);
    site.cloud.set_faults(Vec::new());
    step_after(&site, &mut worker, 5).await;
    assert_eq!(outcomes(&site), ["recovered"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_was_not_found_once_is_not_over() {
    let (site, mut worker) = scanned(world(1)).await;
    approve(&site, &worker, &["i0"]).await;
    worker.reprocess(site.now(), &CancellationToken::new()).await.unwrap();
    site.cloud.set_faults(vec![FaultRule::new(InjectedFault::Status(404)).on(Endpoint::GetBatch)]);
    step_after(&site, &mut worker, 25 * 60).await;
    assert_eq!(
        (outcomes(&site), site.texts("SELECT state FROM intent")),
        (vec!["expired".into()], vec!["submitted".into()])
    );
    site.cloud.set_faults(Vec::new());
    step_after(&site, &mut worker, 5).await;
    assert_eq!((outcomes(&site), states(&site)), (vec!["recovered".to_owned()], vec!["recovered".to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_that_was_carried_out_twice_is_reported() {
    let (site, mut worker) = scanned(world(2)).await;
    site.cloud.set_faults(vec![FaultRule::new(InjectedFault::AcceptedTwice).on(Endpoint::CreateBatch)]);
    approve(&site, &worker, &["i0", "i1"]).await;
    worker.reprocess(site.now(), &CancellationToken::new()).await.unwrap();
    // Batches of v1 do not say whose they are; the results of their items do.
    step_after(&site, &mut worker, 60).await;
    let faults = site.texts("SELECT text FROM worker_fault");
    assert!(faults.iter().any(|text| text.contains("carried out 2 times")), "{faults:?}");
    assert_eq!(posts(&site), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_the_same_items_made_elsewhere_after_a_clear_answer_is_no_duplicate() {
    let (site, mut worker) = scanned(world(2)).await;
    approve(&site, &worker, &["i0", "i1"]).await;
    worker.reprocess(site.now(), &CancellationToken::new()).await.unwrap();
    let theirs = Resubmission {
        api: BatchApi::V1Beta,
        intent_id: "theirs".to_owned(),
        job_type: "parse".to_owned(),
        item_ids: vec![item_id("i0"), item_id("i1")],
        job_config: default_config(),
        directory_id: None,
        job_id: None,
        before: None,
    };
    worker.setup.projects[0].source.create_batch(&theirs).await.unwrap();
    step_after(&site, &mut worker, 1).await;
    step_after(&site, &mut worker, 60).await;
    assert_eq!(site.texts("SELECT text FROM worker_fault"), Vec::<String>::new());
    assert_eq!(site.texts("SELECT state || ' ' || (duplicate_batch_ids IS NULL) FROM intent"), ["finished 1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_without_credits_gets_exactly_one_post() {
    let (site, mut worker) = scanned(world(3)).await;
    site.cloud.set_faults(vec![FaultRule::new(InjectedFault::Status(402)).on(Endpoint::CreateBatch)]);
    approve(&site, &worker, &["i0"]).await;
    approve(&site, &worker, &["i1", "i2"]).await;
    worker.reprocess(site.now(), &CancellationToken::new()).await.unwrap();
    step_after(&site, &mut worker, 5).await;
    assert_eq!(approve(&site, &worker, &["i0"]).await, 0, "a new plan must be empty, too");
    step_after(&site, &mut worker, 5).await;
    assert_eq!((posts(&site), outcomes(&site)), (1, Vec::new()));
    assert_eq!(site.texts("SELECT fault FROM worker_fault"), ["account:default"]);
    let audit = site.texts("SELECT json_extract(detail, '$.answer') FROM audit WHERE action = 'reprocess'");
    assert!(audit.len() == 1 && audit[0].contains("402"), "a refusal is an act, too: {audit:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn projects_of_one_organization_without_credits_get_one_post_together() {
    let busy = "the service is busy, try again later";
    let world = WorldBuilder::new().batch("b1").item("i0").fails_until(2, busy);
    let world = world.project("other", "llx-other").batch("b2").item("j0").fails_until(2, busy).build();
    let site = Site::new(world, Options::default(), "").await;
    let text = std::fs::read_to_string(site.path("config.toml")).unwrap();
    let text =
        text.replace("[[project]]\n", "[[project]]\norganization-id = \"0c1d2e3f-0000-4000-8000-000000000002\"\n");
    std::fs::write(site.path("config.toml"), text).unwrap();
    let mut worker = site.worker().await;
    worker.scan(site.now()).await.unwrap();
    site.cloud.set_faults(vec![FaultRule::new(InjectedFault::Status(402)).on(Endpoint::CreateBatch)]);
    assert_eq!(approve(&site, &worker, &["i0", "j0"]).await, 2);
    worker.reprocess(site.now(), &CancellationToken::new()).await.unwrap();
    assert_eq!(posts(&site), 1);
    let told = site.texts("SELECT fault FROM worker_fault ORDER BY fault");
    assert_eq!(told, ["account:default", "account:other"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approved_plan_is_not_posted_once_items_fail_for_lack_of_credits() {
    let world = WorldBuilder::new().batch("b1").made_ago(SignedDuration::from_mins(20));
    let world = world.item("i0").fails_until(2, "the service is busy, try again later");
    let world = world.item("broke0").fails("insufficient credits").item("broke1").fails("insufficient credits");
    let world = world.batch("b2").made_ago(SignedDuration::from_mins(10)).item("broke2").fails("insufficient credits");
    let (site, worker) = scanned(world.build()).await;
    assert_eq!(approve(&site, &worker, &["i0"]).await, 1);
    worker.reprocess(site.now(), &CancellationToken::new()).await.unwrap();
    assert_eq!(posts(&site), 0);
}

/// Gives every group a class that is not that of its documents' own messages, as their first message might have.
async fn misjudge_groups(worker: &Worker, class: &'static str) {
    let judge = move |tx: &llama_triage::internals::ledger::Transaction<'_>| {
        Ok(tx.execute("UPDATE error_group SET class = ?1", [class])?)
    };
    worker.ledger.write(judge).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_messages_of_documents_stop_a_project_and_not_the_class_of_their_group() {
    for (message, class, sent) in [("insufficient credits", "transient", 0), (BUSY, "account", 1)] {
        let world =
            WorldBuilder::new().batch("b1").made_ago(SignedDuration::from_mins(20)).item("i0").fails_until(2, BUSY);
        let world = world.item("broke0").fails(message).item("broke1").fails(message);
        let world = world.batch("b2").made_ago(SignedDuration::from_mins(10)).item("broke2").fails(message);
        let (site, worker) = scanned(world.build()).await;
        misjudge_groups(&worker, class).await;
        approve(&site, &worker, &["i0"]).await;
        worker.reprocess(site.now(), &CancellationToken::new()).await.unwrap();
        assert_eq!(posts(&site), sent, "{message} in a group of class {class}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_that_was_throttled_by_its_own_message_is_no_attempt_whatever_its_group_is() {
    for (message, class, counts) in [("429 Too Many Requests", "transient", "0"), (BUSY, "throttled", "1")] {
        let world = WorldBuilder::new().batch("b1").item("fine").succeeds().item("i0").fails(message);
        let (site, mut worker) = scanned(world.build()).await;
        misjudge_groups(&worker, class).await;
        approve(&site, &worker, &["i0"]).await;
        worker.reprocess(site.now(), &CancellationToken::new()).await.unwrap();
        step_after(&site, &mut worker, 60).await;
        assert_eq!(
            site.texts("SELECT outcome || ' ' || counts FROM attempt"),
            [format!("failed_same {counts}")],
            "{message}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_refused_item_does_not_stop_the_others() {
    let (site, worker) = scanned(world(4)).await;
    site.cloud.set_faults(vec![FaultRule::new(InjectedFault::Status(422)).on(Endpoint::CreateBatch).first(1)]);
    approve(&site, &worker, &["i0", "i1", "i2", "i3"]).await;
    let posted = worker.reprocess(site.now(), &CancellationToken::new()).await.unwrap();
    assert_eq!((posted.submitted, posts(&site)), (4, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_rests_if_every_document_is_refused() {
    for status in [404, 422] {
        let (site, worker) = scanned(world(4)).await;
        site.cloud.set_faults(vec![FaultRule::new(InjectedFault::Status(status)).on(Endpoint::CreateBatch)]);
        approve(&site, &worker, &["i0", "i1", "i2", "i3"]).await;
        worker.reprocess(site.now(), &CancellationToken::new()).await.unwrap();
        assert!(posts(&site) <= 6, "{status}: {} POSTs", posts(&site));
        assert_eq!(site.texts("SELECT intent_id FROM refused_item").len(), 0, "{status}");
        let blamed = site.texts("SELECT intent_id FROM intent WHERE parameters_refused");
        assert_eq!(blamed.len(), 1, "{status}: the parameters are to blame, and the group rests");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_is_refused_alone_is_left_out_for_a_week() {
    let (site, mut worker) = scanned(world(4)).await;
    let bad = ["i0", "i1", "i2", "i3"].map(item_id).into_iter().min().unwrap();
    // All four, then the first two, then the first: the rest is accepted.
    site.cloud.set_faults(vec![FaultRule::new(InjectedFault::Status(422)).on(Endpoint::CreateBatch).first(3)]);
    approve(&site, &worker, &["i0", "i1", "i2", "i3"]).await;
    let posted = worker.reprocess(site.now(), &CancellationToken::new()).await.unwrap();
    assert_eq!(posted.submitted, 3);
    let refused = "SELECT i.item_id FROM refused_item r JOIN item i USING (item_key)";
    assert_eq!(site.texts(refused), [bad]);
    step_after(&site, &mut worker, 60).await;
    assert_eq!(outcomes(&site), ["recovered"; 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_of_the_account_behind_another_status_stops_the_account_after_one_post() {
    let (site, worker) = scanned(world(4)).await;
    let refuses =
        InjectedFault::StatusHtml(400, "You have exceeded the maximum number of credits for your plan".to_owned());
    site.cloud.set_faults(vec![FaultRule::new(refuses).on(Endpoint::CreateBatch)]);
    approve(&site, &worker, &["i0", "i1", "i2", "i3"]).await;
    worker.reprocess(site.now(), &CancellationToken::new()).await.unwrap();
    assert_eq!((posts(&site), site.texts("SELECT why FROM account WHERE stopped_since IS NOT NULL").len()), (1, 1));
}

/// An item that was done well three hours ago, failed in new work during an outage, and is passed over when it is retried.
fn passed_over() -> World {
    let start: jiff::Timestamp = llama_triage::internals::simulator::DEFAULT_NOW.parse().unwrap();
    let outage = Outage {
        name: "router".to_owned(),
        from: start - SignedDuration::from_mins(90),
        until: start - SignedDuration::from_mins(1),
        share_percent: 0,
        failures: Vec::new(),
    };
    let failure = Failure::text("the service is busy, try again later");
    let cause = ScriptedCause::Outage { name: "router".into(), failure, then: Box::new(ScriptedCause::Succeeds) };
    let mut fresh = llama_triage::internals::simulator::default_config();
    fresh["parameters"]["invalidate_cache"] = true.into();
    let world = WorldBuilder::new().outage(outage).batch("b0").made_ago(SignedDuration::from_hours(3)).item("i0");
    world.cause(cause).batch("b1").made_ago(SignedDuration::from_hours(1)).config(fresh).again("i0").build()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_result_recovers_nothing() {
    let more = "[[reprocess.job-config]]\njob-type = \"parse\"\n\
                config = { job_name = \"parse_raw_file_job\", parameters = { tier = \"cost_effective\", version = \"latest\" } }\n";
    let site = Site::new(passed_over(), Options::default(), more).await;
    let mut worker = site.worker().await;
    worker.scan(site.now()).await.unwrap();
    assert_eq!(approve(&site, &worker, &["i0"]).await, 1);
    worker.reprocess(site.now(), &CancellationToken::new()).await.unwrap();
    step_after(&site, &mut worker, 60).await;
    let skipped = site.texts("SELECT coalesce(skip_reason, '') FROM observation WHERE kind = 'skipped'");
    assert_eq!(skipped, ["already_processed"], "the server passed it over");
    assert_eq!((outcomes(&site), states(&site)), (vec!["unknown".to_owned()], vec!["open".to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_of_a_project_that_was_renamed_is_reported_and_can_be_ended_manually() {
    // The command line asks the real clock.
    let world = WorldBuilder::at(jiff::Timestamp::now()).batch("b1").item("i0");
    let (site, worker) = scanned(world.fails_until(2, "the service is busy, try again later").build()).await;
    site.cloud.set_faults(vec![FaultRule::new(InjectedFault::AcceptedThenReset).on(Endpoint::CreateBatch)]);
    approve(&site, &worker, &["i0"]).await;
    worker.reprocess(site.now(), &CancellationToken::new()).await.unwrap();
    let intent = site.texts("SELECT intent_id FROM intent").remove(0);
    let command = ["reprocess", "give-up", &intent, "--reason", "nobody has the key any more"];
    worker.ledger.close().await.unwrap();
    let early = site.command(&command).assert().code(2).get_output().stderr.clone();
    assert!(String::from_utf8_lossy(&early).contains("still being looked for"), "{early:?}");

    let text = std::fs::read_to_string(site.path("config.toml")).unwrap();
    std::fs::write(site.path("config.toml"), text.replace("name = \"default\"", "name = \"renamed\"")).unwrap();
    let worker = site.worker().await;
    let done = worker.reprocess(site.now(), &CancellationToken::new()).await.unwrap();
    assert_eq!(done.errors, Vec::<String>::new(), "it is reported once, as a problem");
    let told = site.texts("SELECT text FROM worker_fault WHERE fault = 'orphan:default'");
    assert!(told.iter().any(|text| text.contains(&intent) && text.contains("give-up")), "{told:?}");
    worker.ledger.close().await.unwrap();
    site.command(&command).assert().success();
    assert_eq!((outcomes(&site), states(&site)), (vec!["unknown".to_owned()], vec!["open".to_owned()]));
    assert_eq!(site.texts("SELECT intent_id FROM claim"), Vec::<String>::new());
    let audit = site.texts("SELECT reason FROM audit WHERE action = 'reprocess give-up'");
    assert_eq!(audit, ["nobody has the key any more"]);
    site.command(&command).assert().code(2);
    let worker = site.worker().await;
    worker.reprocess(site.now(), &CancellationToken::new()).await.unwrap();
    assert_eq!(site.texts("SELECT text FROM worker_fault WHERE fault LIKE 'orphan:%'"), Vec::<String>::new());
    assert_eq!(posts(&site), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_never_posts_again_what_was_planned_or_posted() {
    for posted in [false, true] {
        let (site, worker) = scanned(world(1)).await;
        let now = site.now();
        let group_id = site.texts("SELECT group_id FROM error_group").remove(0);
        let mut new = intent::Intent {
            intent_id: "01TEST".to_owned(),
            plan_id: None,
            project: "default".to_owned(),
            api: BatchApi::V1Beta,
            group_id,
            job_type: "parse".to_owned(),
            trigger: "manual".to_owned(),
            actor: "ann".to_owned(),
            reason: None,
            parameters_hash: "h".to_owned(),
            items: vec![intent::IntentItem { item_id: item_id("i0"), attempts: 0, before: None }],
            state: IntentState::Planned,
            posting_at: None,
            batch_ids: Vec::new(),
            created_at: now,
            clean_since: None,
            checked_at: None,
            error: None,
        };
        let planned = new.clone();
        assert!(worker.ledger.write(move |tx| intent::begin(tx, &planned, "{}", None)).await.unwrap());
        if posted {
            (new.state, new.posting_at) = (IntentState::Posting, Some(now));
            let again = new.clone();
            worker.ledger.write(move |tx| intent::keep(tx, &new, now)).await.unwrap();
            let twice = worker.ledger.write(move |tx| intent::keep(tx, &again, now)).await;
            assert!(twice.is_err(), "an intent is posted at most once");
        }
        drop(worker);
        let mut worker = reopened(&site).await;
        step_after(&site, &mut worker, 5).await;
        let state = if posted { "unknown" } else { "cancelled" };
        assert_eq!((site.texts("SELECT state FROM intent"), posts(&site)), (vec![state.to_owned()], 0));
        let claims = site.texts("SELECT intent_id FROM claim").len();
        assert_eq!(claims, usize::from(posted), "what may have been sent stays claimed");
    }
}

/// The lock is free once the threads of the worker before have ended.
async fn reopened(site: &Site) -> Worker {
    site.worker().await
}
