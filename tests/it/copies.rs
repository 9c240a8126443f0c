//! Ledgers that were set back or copied: what another copy has sent is never sent again, as far as LlamaCloud shows it.

use jiff::SignedDuration;
use llama_triage::internals::config::load;
use llama_triage::internals::credentials::Credentials;
use llama_triage::internals::reprocess::{Request, Summary, plan};
use llama_triage::internals::service::{Setup, Worker};
use llama_triage::internals::simulator::{
    Endpoint, FaultRule, InjectedFault, JobType, Options, World, WorldBuilder, item_id,
};
use tokio_util::sync::CancellationToken;

use crate::site::Site;

const NAMES: [&str; 3] = ["i0", "i1", "i2"];

fn world(job_type: JobType) -> World {
    let mut builder = WorldBuilder::new().batch("b").job_type(job_type).item("fine").succeeds();
    for name in NAMES {
        builder = builder.item(name).fails_until(2, "the service is busy, try again later");
    }
    builder.build()
}

/// A site whose failures are known, and a backup of its ledger.
async fn backed_up(api: &'static str, job_type: JobType, options: Options) -> Site {
    let site = Site::with_api(api, world(job_type), options, "").await;
    let mut worker = site.worker().await;
    worker.scan(site.now()).await.unwrap();
    worker.ledger.close().await.unwrap();
    site.command(&["ledger", "backup"]).arg(site.path("backup.db")).assert().success();
    site
}

/// Another host, on a clone of the ledger.
async fn clone_of(site: &Site) -> Worker {
    let text = std::fs::read_to_string(site.path("config.toml")).unwrap();
    std::fs::write(site.path("other.toml"), text.replace("ledger.db", "backup.db")).unwrap();
    let config = load::read(&site.path("other.toml")).unwrap();
    Worker::open(Setup::new(config, &Credentials::default()).unwrap()).await.unwrap()
}

/// Retries these items by hand, after a scan.
async fn retry(site: &Site, worker: &mut Worker, names: &[&str]) -> Summary {
    worker.scan(site.now()).await.unwrap();
    approve(site, worker, names).await;
    worker.reprocess(site.now(), &CancellationToken::new()).await.unwrap()
}

async fn approve(site: &Site, worker: &Worker, names: &[&str]) {
    let now = site.now();
    let request = Request { items: names.iter().map(|name| item_id(name)).collect(), ..Request::default() };
    let draft = worker.setup.reprocessing(&worker.ledger, now).draft(request, "ann").await.unwrap();
    let id = draft.plan_id.clone();
    worker.ledger.write(move |tx| plan::approve(tx, &id, "ann", "fixed", now)).await.unwrap();
}

async fn follow(site: &Site, worker: &mut Worker, minutes: i64) {
    site.cloud.world().advance(SignedDuration::from_mins(minutes));
    let now = site.now();
    worker.scan(now).await.unwrap();
    worker.reprocess(now, &CancellationToken::new()).await.unwrap();
}

fn posts(site: &Site) -> usize {
    site.cloud.world().truth().posts.len()
}

fn states(site: &Site) -> Vec<String> {
    site.texts("SELECT DISTINCT state FROM item WHERE kind = 'failed'")
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restore_what_was_retried_since_the_backup_is_not_sent_again() {
    for (api, job_type, sent) in
        [("v2", JobType::Parse, 3), ("v2", JobType::Extract, 3), ("v1-beta", JobType::Parse, 1)]
    {
        for minutes in [0, 60] {
            let site = backed_up(api, job_type, Options::default()).await;
            let mut worker = site.worker().await;
            assert_eq!(retry(&site, &mut worker, &NAMES).await.submitted, 3);
            worker.ledger.close().await.unwrap();
            site.cloud.world().advance(SignedDuration::from_mins(minutes));
            site.command(&["ledger", "restore"]).arg(site.path("backup.db")).assert().success();

            let mut worker = site.worker().await;
            let again = retry(&site, &mut worker, &NAMES).await;
            assert_eq!((again.submitted, again.errors), (0, Vec::new()), "{api} {job_type:?} {minutes}");
            follow(&site, &mut worker, 60).await;
            follow(&site, &mut worker, 60).await;
            assert_eq!((posts(&site), states(&site)), (sent, vec!["recovered".to_owned()]), "{api} {job_type:?}");
            assert!(site.cloud.world().paid_twice().is_empty());
            if api == "v2" {
                let audit = "SELECT count(*) || ' ' || min(reason) FROM audit WHERE action = 'adopt'";
                assert_eq!(site.texts(audit), ["3 submitted already by another copy of this ledger"]);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_cycle_after_a_restore_finds_what_was_retried_since_the_backup() {
    let site = backed_up("v2", JobType::Parse, Options::default()).await;
    let mut worker = site.worker().await;
    retry(&site, &mut worker, &["i0"]).await;
    follow(&site, &mut worker, 60).await;
    worker.ledger.close().await.unwrap();
    site.command(&["ledger", "backup"]).arg(site.path("later.db")).assert().success();
    let mut worker = site.worker().await;
    assert_eq!(retry(&site, &mut worker, &["i1", "i2"]).await.submitted, 2);
    worker.ledger.close().await.unwrap();
    site.command(&["ledger", "restore"]).arg(site.path("later.db")).assert().success();

    let mut worker = site.worker().await;
    assert_eq!(
        site.texts("SELECT state FROM item WHERE kind = 'failed' ORDER BY state"),
        ["open", "open", "recovered"]
    );
    follow(&site, &mut worker, 60).await;
    assert_eq!((posts(&site), states(&site)), (3, vec!["recovered".to_owned()]));
    let audit = "SELECT count(*) || ' ' || actor FROM audit WHERE action = 'adopt'";
    assert_eq!(site.texts(audit), ["2 auto:adopt"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hosts_on_one_cloned_ledger_see_each_others_retries() {
    let site = backed_up("v2", JobType::Parse, Options::default()).await;
    let (mut one, mut other) = (site.worker().await, clone_of(&site).await);

    assert_eq!(retry(&site, &mut one, &["i0", "i1"]).await.submitted, 2);
    let beside = retry(&site, &mut other, &["i1", "i2"]).await;
    assert_eq!((beside.adopted, beside.submitted), (1, 1));
    let back = retry(&site, &mut one, &["i2"]).await;
    assert_eq!((back.adopted, back.submitted), (1, 0));
    follow(&site, &mut one, 60).await;
    assert_eq!((posts(&site), states(&site)), (3, vec!["recovered".to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hosts_that_scan_at_the_same_moment_post_once() {
    let site = backed_up("v1-beta", JobType::Parse, Options::default()).await;
    let (mut one, mut other) = (site.worker().await, clone_of(&site).await);
    for worker in [&mut one, &mut other] {
        worker.scan(site.now()).await.unwrap();
        approve(&site, worker, &NAMES).await;
    }
    let mut came_to = Vec::new();
    for worker in [&one, &other] {
        let done = worker.reprocess(site.now(), &CancellationToken::new()).await.unwrap();
        came_to.push((done.submitted, done.adopted));
    }
    assert_eq!((came_to, posts(&site)), (vec![(3, 0), (0, 3)], 1));
    follow(&site, &mut other, 60).await;
    let other = "SELECT DISTINCT outcome FROM attempt";
    let ledger = rusqlite::Connection::open(site.path("backup.db")).unwrap();
    let outcome: String = ledger.query_row(other, [], |row| row.get(0)).unwrap();
    assert_eq!((outcome.as_str(), posts(&site)), ("recovered", 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_posted_beside_a_new_batch_that_may_be_of_the_same_items() {
    let site = backed_up("v1-beta", JobType::Parse, Options::default()).await;
    let (mut one, mut other) = (site.worker().await, clone_of(&site).await);
    other.scan(site.now()).await.unwrap();
    approve(&site, &other, &NAMES).await;
    assert_eq!(retry(&site, &mut one, &NAMES).await.submitted, 3);
    let empty = InjectedFault::Verbatim(vec![("content-type", "application/json")], r#"{"items":[]}"#.into());
    site.cloud.set_faults(vec![FaultRule::new(empty).on(Endpoint::ListItems)]);
    let done = other.reprocess(site.now(), &CancellationToken::new()).await.unwrap();
    assert_eq!((done.submitted, posts(&site)), (0, 1));
    assert!(done.errors[0].contains("is new and may have the same items"), "{:?}", done.errors);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_list_without_the_notes_of_retries_is_reported() {
    let told = "SELECT text FROM worker_fault WHERE fault LIKE 'notes:%' AND ended_at IS NULL";
    for (notes_in_lists, expected) in [(false, 1), (true, 0)] {
        let site = backed_up("v2", JobType::Parse, Options { notes_in_lists, ..Options::default() }).await;
        let mut worker = site.worker().await;
        assert_eq!(retry(&site, &mut worker, &["i0", "i1"]).await.submitted, 2);
        let texts = site.texts(told);
        assert_eq!(texts.len(), expected, "{texts:?}");
        assert!(texts.iter().all(|text| text.contains("does not show the notes of retries")), "{texts:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_note_no_list_shows_is_never_taken_for_not_submitted() {
    let site = backed_up("v2", JobType::Parse, Options { notes_in_lists: false, ..Options::default() }).await;
    site.cloud.set_faults(vec![FaultRule::new(InjectedFault::AcceptedThenReset).on(Endpoint::V2CreateParse)]);
    let mut worker = site.worker().await;
    assert_eq!(retry(&site, &mut worker, &["i0"]).await.unknown, 1);
    for _ in 0..3 {
        follow(&site, &mut worker, 20).await;
    }
    assert_eq!(site.texts("SELECT outcome FROM attempt"), ["recovered"]);
    assert_eq!(posts(&site), 1);
}
