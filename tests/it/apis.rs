//! `api = "auto"`: projects that have one of LlamaCloud's batch APIs, both, or lose one.

use jiff::{SignedDuration, Timestamp};
use llama_triage::internals::reprocess::{Request, plan};
use llama_triage::internals::service::Worker;
use llama_triage::internals::simulator::{
    Endpoint, FaultRule, InjectedFault, Options, World, WorldBuilder, batch_id, item_id, v2_batch_id,
};
use tokio_util::sync::CancellationToken;

use crate::auto::{BUSY, cycle};
use crate::site::Site;

const GONE: &str = "SELECT text FROM worker_fault WHERE fault = 'api:default:v1-beta' AND ended_at IS NULL";

/// A batch of v1 with a failed item, and one of v2, which is made of the project's directory: it tries that item again.
fn world() -> World {
    WorldBuilder::at(Timestamp::now())
        .batch("old")
        .item("i1")
        .fails(BUSY)
        .batch("new")
        .made_ago(SignedDuration::from_mins(30))
        .from_directory()
        .again("i1")
        .item("i2")
        .fails(BUSY)
        .build()
}

fn apart() -> Options {
    Options { apart: true, ..Options::default() }
}

async fn site(options: Options) -> Site {
    Site::with_api("auto", world(), options, "").await
}

/// What `scan` prints with these flags.
fn scan(site: &Site, flags: &[&str]) -> String {
    let run = site.command(&["scan"]).args(flags).assert().success();
    String::from_utf8(run.get_output().stdout.clone()).unwrap()
}

/// Requests to the two batch lists, v2's first.
fn lists(site: &Site) -> (u64, u64) {
    let world = site.cloud.world();
    (world.truth().requests_to(Endpoint::V2ListBatches), world.truth().requests_to(Endpoint::ListBatches))
}

fn open_items(site: &Site) -> Vec<String> {
    site.texts("SELECT item_id FROM item WHERE state = 'open' ORDER BY item_id")
}

fn batches(site: &Site) -> Vec<String> {
    site.texts("SELECT batch_id FROM batch ORDER BY batch_id")
}

fn sorted(ids: &[String]) -> Vec<String> {
    let mut ids = ids.to_vec();
    ids.sort();
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_that_knows_only_one_api_is_read_without_a_word_about_apis_in_the_configuration() {
    let v2 = (Options { v1_gone: Some(404), ..Options::default() }, "v2", "API v1-beta: does not exist (404)");
    let v1 = (Options { v2_gone: Some(410), ..Options::default() }, "v1-beta", "API v2: does not exist (410)");
    for (options, there, missing) in [v2, v1] {
        let site = site(options).await;
        let config = std::fs::read_to_string(site.path("config.toml")).unwrap().replace("api = \"auto\"\n", "");
        std::fs::write(site.path("config.toml"), config).unwrap();
        let said = scan(&site, &[]);
        assert!(said.contains(&format!("API {there}: answers, has batches")) && said.contains(missing), "{said}");
        assert_eq!(open_items(&site), sorted(&[item_id("i1"), item_id("i2")]), "{there}");
        let before = site.cloud.world().truth().all_requests();
        let said = scan(&site, &[]);
        assert!(!said.contains("API"), "nothing new is known: {said}");
        assert!(scan(&site, &["-v"]).contains(missing));
        assert_eq!(
            site.cloud.world().truth().all_requests() - before,
            2,
            "an unchanged account costs a request a scan"
        );
        let doctor = site.command(&["doctor"]).assert();
        let doctor = String::from_utf8(doctor.get_output().stdout.clone()).unwrap();
        assert!(doctor.contains(&format!("{there} answers, has batches")), "{doctor}");
        assert!(doctor.contains("does not exist (4"), "{doctor}");
        let summary = site.command(&["report", "summary", "--format", "json"]).assert().success();
        let summary: serde_json::Value = serde_json::from_slice(&summary.get_output().stdout).unwrap();
        let apis = summary["rows"][0]["apis"].as_array().unwrap();
        let of = |api: &str| apis.iter().find(|row| row["api"] == api).unwrap();
        let other = if there == "v2" { "v1-beta" } else { "v2" };
        assert_eq!((&of(there)["presence"], &of(there)["active"]), (&"present".into(), &true.into()), "{apis:?}");
        assert_eq!(of(other)["presence"], "absent", "{apis:?}");
        let table = site.command(&["report", "--format", "table"]).assert().success();
        let table = String::from_utf8(table.get_output().stdout.clone()).unwrap();
        assert!(table.contains(&format!("{there} answers, has batches")), "{table}");
        assert!(table.contains(&format!("{other} does not exist")), "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_of_both_apis_is_read_through_both_and_no_item_is_doubled() {
    let site = site(apart()).await;
    let said = scan(&site, &[]);
    assert!(said.contains("API v2: answers, has batches, 1 batch listed"), "{said}");
    assert!(said.contains("API v1-beta: answers, has batches, 1 batch listed"), "{said}");
    assert_eq!(batches(&site), sorted(&[batch_id("old"), v2_batch_id("new")]));
    assert_eq!(open_items(&site), sorted(&[item_id("i1"), item_id("i2")]));
    assert_eq!(site.texts("SELECT open_items || '/' || total_items FROM error_group"), ["2/2"]);
    let before = lists(&site);
    assert!(scan(&site, &[]).contains("0 new, 0 recovered"), "what one API does not show has not recovered");
    assert_eq!(lists(&site), (before.0 + 1, before.1 + 1));
    assert_eq!(open_items(&site).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_both_apis_show_is_read_once_and_stays_with_the_api_that_it_is_known_by() {
    let seen = "SELECT CAST(count(*) AS TEXT) FROM observation";
    let fresh = site(Options::default()).await;
    scan(&fresh, &[]);
    assert_eq!(batches(&fresh), sorted(&[v2_batch_id("old"), v2_batch_id("new")]), "v2 where it has batches");
    assert_eq!(fresh.texts(seen), ["3"]);

    let site = Site::new(world(), Options::default(), "").await;
    scan(&site, &[]);
    let known = batches(&site);
    assert_eq!(known, sorted(&[batch_id("old"), batch_id("new")]));
    let config = std::fs::read_to_string(site.path("config.toml")).unwrap().replace("\"v1-beta\"", "\"auto\"");
    std::fs::write(site.path("config.toml"), config).unwrap();
    assert!(scan(&site, &[]).contains("0 new, 0 recovered"), "an upgrade doubles nothing");
    site.cloud.change_options(|options| options.v1_gone = Some(404));
    site.command(&["scan"]).assert().failure();
    site.command(&["scan"]).assert().failure();
    let later = Timestamp::now() + SignedDuration::from_mins(11);
    let scans = site.worker().await.scan(later).await.unwrap();
    assert_eq!((scans[0].complete, scans[0].items_new, scans[0].recovered), (true, 0, 0), "v1 has said all: {scans:?}");
    assert_eq!((batches(&site), site.texts(seen)), (known, vec!["3".to_owned()]));
}

/// A worker whose project was known long before the world's failures, with somebody to tell.
async fn worker(site: &Site) -> Worker {
    let mut config = std::fs::read_to_string(site.path("config.toml")).unwrap();
    config.push_str(&format!("[[channel]]\nname = \"folder\"\nkind = \"file\"\ndir = {:?}\n", site.path("out")));
    std::fs::write(site.path("config.toml"), config).unwrap();
    let worker = site.worker().await;
    let long_ago = (site.now() - SignedDuration::from_hours(48)).as_millisecond();
    let begin = move |tx: &llama_triage::internals::ledger::Transaction<'_>| {
        tx.execute("INSERT INTO project (name, first_seen) VALUES ('default', ?1)", [long_ago])?;
        Ok(())
    };
    worker.ledger.write(begin).await.unwrap();
    worker
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_that_disappears_is_reported_once_and_nothing_of_it_is_lost() {
    let site = site(apart()).await;
    let mut worker = worker(&site).await;
    assert!(cycle(&site, &mut worker, 5).await.digest_id.is_some(), "the failures");
    site.cloud.change_options(|options| options.v1_gone = Some(410));
    let doubtful = cycle(&site, &mut worker, 5).await;
    assert!(!doubtful.scans[0].complete && !doubtful.scans[0].refused, "{doubtful:?}");
    assert!(doubtful.scans[0].error.as_ref().unwrap().contains("no longer exists (410)"), "{doubtful:?}");
    assert!(!cycle(&site, &mut worker, 5).await.scans[0].complete);
    assert_eq!(site.texts(GONE), Vec::<String>::new(), "five minutes may be a deployment");
    let gone = cycle(&site, &mut worker, 5).await;
    assert!(gone.scans[0].complete, "{gone:?}");
    let told = site.texts(GONE);
    assert!(told[0].contains("no longer serves API v1-beta (its batch list answers 410)"), "{told:?}");
    assert!(gone.headline.unwrap().contains("API v1-beta"), "{told:?}");
    assert_eq!(open_items(&site), sorted(&[item_id("i1"), item_id("i2")]), "open items stay open");
    let asked = lists(&site).1;
    for _ in 0..11 {
        let quiet = cycle(&site, &mut worker, 5).await;
        assert!(quiet.scans[0].complete && quiet.digest_id.is_none(), "{quiet:?}");
    }
    assert_eq!(lists(&site).1, asked, "what has gone is not asked for within the hour");
    cycle(&site, &mut worker, 5).await;
    assert_eq!(lists(&site).1, asked + 1);
    site.cloud.change_options(|options| options.v1_gone = None);
    cycle(&site, &mut worker, 60).await;
    assert_eq!(site.texts(GONE), Vec::<String>::new(), "it is back");
    assert_eq!(
        site.texts("SELECT presence FROM (SELECT CAST(present AS TEXT) AS presence FROM project_api)"),
        ["1", "1"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_or_an_outage_of_one_api_is_no_absence_and_the_other_one_is_read() {
    for (status, hint) in [(401, true), (402, true), (403, true), (503, false)] {
        let site = site(apart()).await;
        site.cloud.set_faults(vec![FaultRule::new(InjectedFault::Status(status)).on(Endpoint::V2ListBatches).every(1)]);
        let mut worker = worker(&site).await;
        let scans = worker.scan(site.now()).await.unwrap();
        let error = scans[0].error.clone().unwrap();
        assert!(!scans[0].complete && !scans[0].refused && error.starts_with("API v2: "), "{error}");
        assert_eq!(error.contains("if the project does not use API v2, set api = \"v1-beta\""), hint, "{error}");
        assert_eq!(open_items(&site), [item_id("i1")], "{status}");
        assert_eq!(site.texts("SELECT api FROM project_api"), ["v1-beta"], "{status} decides nothing");
        let all = FaultRule::new(InjectedFault::Status(status)).every(1);
        site.cloud.set_faults(vec![all]);
        let scans = worker.scan(site.now() + SignedDuration::from_mins(5)).await.unwrap();
        assert_eq!((scans[0].complete, scans[0].refused), (false, hint), "{status}");
        assert_eq!(site.texts("SELECT api FROM project_api"), ["v1-beta"], "{status} decides nothing");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_html_page_or_405_means_that_an_api_does_not_exist_but_never_that_none_does() {
    for (fault, status) in
        [(InjectedFault::Html, "200"), (InjectedFault::Status(405), "405"), (InjectedFault::Status(404), "404")]
    {
        let site = site(apart()).await;
        let broken = |endpoint| FaultRule::new(fault.clone()).on(endpoint).every(1);
        site.cloud.set_faults(vec![broken(Endpoint::V2ListBatches), broken(Endpoint::ListBatches)]);
        let run = site.command(&["scan"]).assert().failure();
        let said = String::from_utf8(run.get_output().stderr.clone()).unwrap();
        assert!(said.contains("neither API exists at the address") && said.contains("base-url"), "{said}");
        assert_eq!(site.texts("SELECT api FROM project_api"), Vec::<String>::new());
        site.cloud.set_faults(vec![broken(Endpoint::V2ListBatches)]);
        let said = scan(&site, &[]);
        assert!(said.contains(&format!("API v2: does not exist ({status})")), "{said}");
    }
}

const BOTH_CONFIGS: &str = "[reprocess]\nmode = \"plan\"\n\
    [[reprocess.job-config]]\njob-type = \"parse\"\n\
    config = { job_name = \"parse_raw_file_job\", parameters = { tier = \"fast\" } }\n\
    [[reprocess.job-config]]\njob-type = \"parse\"\nconfig = { tier = \"fast\", version = \"latest\" }\n";

async fn retry(site: &Site, worker: &mut Worker, items: &[&str]) -> Vec<String> {
    let (now, items) = (site.now(), items.iter().map(|name| item_id(name)).collect());
    let request = Request { items, ..Request::default() };
    let draft = worker.setup.reprocessing(&worker.ledger, now).draft(request, "ann").await.unwrap();
    let id = draft.plan_id.clone();
    worker.ledger.write(move |tx| plan::approve(tx, &id, "ann", "fixed", now)).await.unwrap();
    worker.reprocess(now, &CancellationToken::new()).await.unwrap();
    draft.excluded.into_iter().map(|left| left.why).collect()
}

/// A v1 batch of one item and a v2 batch of another one.
fn separate() -> World {
    WorldBuilder::at(Timestamp::now())
        .batch("new")
        .from_directory()
        .item("i2")
        .fails_until(2, BUSY)
        .batch("old")
        .item("i1")
        .fails_until(2, BUSY)
        .build()
}

#[tokio::test(flavor = "multi_thread")]
async fn retries_use_the_api_of_the_batch_and_are_followed_through_it() {
    let site = Site::with_api("auto", separate(), apart(), BOTH_CONFIGS).await;
    let mut worker = site.worker().await;
    worker.scan(site.now()).await.unwrap();
    assert_eq!(batches(&site), sorted(&[batch_id("old"), v2_batch_id("new")]));
    assert_eq!(retry(&site, &mut worker, &["i1", "i2"]).await, Vec::<String>::new());
    let posts: Vec<Endpoint> = site.cloud.world().truth().posts.iter().map(|post| post.endpoint).collect();
    assert_eq!(posts.len(), 2, "{posts:?}");
    assert!(posts.contains(&Endpoint::CreateBatch) && posts.contains(&Endpoint::V2CreateParse), "{posts:?}");
    assert_eq!(site.texts("SELECT api FROM intent ORDER BY api"), ["v1-beta", "v2"]);
    site.cloud.world().advance(SignedDuration::from_mins(5));
    worker.scan(site.now()).await.unwrap();
    worker.reprocess(site.now(), &CancellationToken::new()).await.unwrap();
    assert_eq!(site.texts("SELECT outcome FROM attempt"), ["recovered", "recovered"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_through_an_api_that_disappears_is_kept_and_settled_when_that_is_back() {
    let site = Site::with_api("auto", separate(), apart(), BOTH_CONFIGS).await;
    let mut worker = site.worker().await;
    worker.scan(site.now()).await.unwrap();
    retry(&site, &mut worker, &["i1"]).await;
    site.cloud.change_options(|options| options.v1_gone = Some(404));
    for _ in 0..4 {
        cycle(&site, &mut worker, 5).await;
    }
    assert!(
        site.texts(GONE)[0].contains("1 retry under way of API v1-beta can no longer be read"),
        "{:?}",
        site.texts(GONE)
    );
    assert_eq!(site.texts("SELECT state FROM intent"), ["submitted"], "the intent is kept");
    assert_eq!(site.texts("SELECT outcome FROM attempt"), ["running"]);
    assert_eq!(retry(&site, &mut worker, &["i1"]).await.len(), 1, "it is not sent twice");
    site.cloud.change_options(|options| options.v1_gone = None);
    cycle(&site, &mut worker, 60).await;
    assert_eq!(site.texts("SELECT outcome FROM attempt"), ["recovered"]);
    assert_eq!(site.texts(GONE), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_of_a_removed_api_are_retried_through_the_other_one() {
    let world = WorldBuilder::at(Timestamp::now()).batch("b").from_directory().item("i1").fails_until(2, BUSY).build();
    let site = Site::new(world, Options::default(), "").await;
    site.command(&["scan"]).assert().success();
    site.configure(BOTH_CONFIGS);
    let config = std::fs::read_to_string(site.path("config.toml")).unwrap().replace("\"v1-beta\"", "\"auto\"");
    std::fs::write(site.path("config.toml"), config).unwrap();
    site.cloud.change_options(|options| options.v1_gone = Some(404));
    let mut worker = site.worker().await;
    worker.scan(site.now()).await.unwrap();
    worker.scan(site.now() + SignedDuration::from_mins(11)).await.unwrap();
    assert_eq!(batches(&site), [batch_id("b")]);
    assert_eq!(retry(&site, &mut worker, &["i1"]).await, Vec::<String>::new());
    let posts: Vec<Endpoint> = site.cloud.world().truth().posts.iter().map(|post| post.endpoint).collect();
    assert_eq!(posts, [Endpoint::V2CreateParse]);
}
