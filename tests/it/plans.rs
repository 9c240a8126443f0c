//! The life of a plan by hand: what it is made of, what is asked before it is executed, what becomes of one that is cut short.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use llama_triage::internals::llamacloud::Resubmission;
use llama_triage::internals::model::BatchApi;
use llama_triage::internals::reprocess::{Request, plan};
use llama_triage::internals::service::Worker;
use llama_triage::internals::simulator::{
    Endpoint, FaultRule, InjectedFault, Options, World, WorldBuilder, default_config, item_id,
};
use rusqlite::Connection;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use tokio_util::sync::CancellationToken;

use crate::site::Site;

const BUSY: [&str; 3] = ["the service is busy, try again later", "504 Gateway Timeout", "connection reset by peer"];

/// Three groups of one item each: a plan of all is three POSTs.
fn world() -> World {
    let mut builder = WorldBuilder::at(Timestamp::now()).batch("b1").item("fine").succeeds();
    for (n, text) in BUSY.iter().enumerate() {
        builder = builder.item(&format!("i{n}")).fails_until(2, text);
    }
    builder.build()
}

const ALL: [&str; 3] = ["i0", "i1", "i2"];

pub(crate) async fn scanned(world: World) -> (Site, Worker) {
    let site = Site::new(world, Options::default(), "").await;
    let mut worker = site.worker().await;
    worker.scan(site.now()).await.unwrap();
    (site, worker)
}

/// Makes a plan of these items; its id.
pub(crate) async fn planned(site: &Site, worker: &Worker, names: &[&str]) -> String {
    let request = Request { items: names.iter().map(|name| item_id(name)).collect(), ..Request::default() };
    worker.setup.reprocessing(&worker.ledger, site.now()).draft(request, "ann").await.unwrap().plan_id
}

pub(crate) async fn approved(site: &Site, worker: &Worker, names: &[&str]) -> String {
    let (plan_id, now) = (planned(site, worker, names).await, site.now());
    let id = plan_id.clone();
    worker.ledger.write(move |tx| plan::approve(tx, &id, "ann", "fixed", now)).await.unwrap();
    plan_id
}

/// The part of a plan's id that people read.
pub(crate) fn end(plan_id: &str) -> &str {
    &plan_id[plan_id.len() - 8..]
}

pub(crate) async fn between(site: &Site, worker: &mut Worker, minutes: i64) {
    site.cloud.world().advance(SignedDuration::from_mins(minutes));
    worker.reprocess_between(site.now(), &CancellationToken::new()).await.unwrap();
}

pub(crate) fn posts(site: &Site) -> u64 {
    site.cloud.world().truth().requests_to(Endpoint::CreateBatch)
}

/// What is said of a plan; empty while it is not over.
pub(crate) fn result(site: &Site, plan_id: &str) -> String {
    site.texts(&format!("SELECT coalesce(result, '') FROM plan WHERE plan_id = '{plan_id}'")).remove(0)
}

fn paid_twice(site: &Site) -> bool {
    site.cloud.world().items().iter().any(|item| item.attempts > 2)
}

pub(crate) fn said(site: &Site, args: &[&str], code: i32) -> String {
    let output = site.command(args).assert().code(code).get_output().clone();
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_an_id_is_enough_and_unapplied_plans_are_listed() {
    let (site, worker) = scanned(world()).await;
    worker.ledger.close().await.unwrap();
    let plan = |name: &str| said(&site, &["reprocess", "plan", "--item", &item_id(name)], 0);
    let status = || said(&site, &["reprocess", "status"], 0);
    let apply = |id: &str, code| said(&site, &["reprocess", "apply", id, "--reason", "x", "--yes"], code);
    let shown = plan(ALL[0]);
    let plan_id = site.texts("SELECT plan_id FROM plan").remove(0);
    let short = format!("P-{}", end(&plan_id));
    assert!(shown.contains(&format!("Plan {short}: 1 item")) && shown.contains(&format!("apply {short} ")), "{shown}");
    assert!(status().starts_with(&format!("{short}  not applied, 1 item in 1 POST")), "{}", status());
    let json = said(&site, &["reprocess", "status", "--format", "json"], 0);
    assert!(json.contains(&format!("\"plan_id\": \"{plan_id}\"")), "{json}");
    plan(ALL[1]);
    let several = apply(&plan_id[..6], 3);
    assert!(several.contains("is short for 2 ids") && several.contains(&plan_id), "{several}");
    assert!(apply(&short[short.len() - 3..], 3).contains("no plan"), "three characters name nothing");
    assert!(apply(&end(&plan_id).to_lowercase(), 0).contains(&format!("Plan {short}: 1 item submitted")));
    assert!(!status().contains(&format!("{short}  not applied")) && status().contains("not applied"), "{}", status());
    let intent_id = site.texts("SELECT intent_id FROM intent").remove(0);
    let cancelled = said(&site, &["reprocess", "cancel", end(&intent_id)], 2);
    assert!(cancelled.contains(&format!("{} cannot be cancelled", end(&intent_id))), "{cancelled}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_retried_elsewhere_since_the_scan_is_not_sent_again() {
    let (site, mut worker) = scanned(world()).await;
    let plan_id = approved(&site, &worker, &ALL).await;
    let theirs = Resubmission {
        api: BatchApi::V1Beta,
        intent_id: "theirs".to_owned(),
        job_type: "parse".to_owned(),
        item_ids: vec![item_id("i1")],
        job_config: default_config(),
        directory_id: None,
        job_id: None,
        before: None,
    };
    worker.setup.projects[0].source.create_batch(&theirs).await.unwrap();
    between(&site, &mut worker, 10).await;
    assert_eq!(result(&site, &plan_id), "2 items submitted, 1 item left out (1: it has completed since)");
    assert!(!paid_twice(&site));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_posted_if_the_project_cannot_be_read() {
    let (site, mut worker) = scanned(world()).await;
    let plan_id = approved(&site, &worker, &ALL).await;
    site.cloud.set_faults(vec![FaultRule::new(InjectedFault::Status(403)).on(Endpoint::ListBatches)]);
    between(&site, &mut worker, 10).await;
    let result = result(&site, &plan_id);
    assert!(result.starts_with("0 items submitted, 3 items left out (3: LlamaCloud could not be read"), "{result}");
    assert_eq!(posts(&site), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_a_stop_interrupted_continues_or_is_cancelled() {
    for taken_back in [false, true] {
        let (site, mut worker) = scanned(world()).await;
        let plan_id = approved(&site, &worker, &ALL).await;
        let slow = InjectedFault::Late(Duration::from_millis(300));
        site.cloud.set_faults(vec![FaultRule::new(slow).on(Endpoint::CreateBatch)]);
        let (stop, now) = (CancellationToken::new(), site.now());
        let stops = async {
            while posts(&site) == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            stop.cancel();
        };
        let (done, ()) = tokio::join!(worker.reprocess_between(now, &stop), stops);
        assert_eq!((done.unwrap().submitted, posts(&site), result(&site, &plan_id)), (1, 1, String::new()));
        worker.ledger.close().await.unwrap();

        if taken_back {
            let rest = said(&site, &["reprocess", "cancel", &plan_id], 0);
            assert!(rest.contains("The rest of plan") && rest.contains("1 item submitted, 2 items left out"), "{rest}");
        }
        let mut worker = site.worker().await;
        between(&site, &mut worker, 10).await;
        between(&site, &mut worker, 10).await;
        let (all, told) = if taken_back { (1, "cancelled by ") } else { (3, "3 items submitted") };
        assert_eq!(posts(&site), all);
        assert!(result(&site, &plan_id).starts_with(told), "{}", result(&site, &plan_id));
        assert!(!paid_twice(&site));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_whose_process_was_killed_continues_with_the_next_cycle() {
    let (site, worker) = scanned(world()).await;
    let plan_id = planned(&site, &worker, &ALL).await;
    worker.ledger.close().await.unwrap();
    let slow = InjectedFault::Late(Duration::from_secs(30));
    site.cloud.set_faults(vec![FaultRule::new(slow).on(Endpoint::CreateBatch).nth(2)]);
    let mut apply = Command::new(env!("CARGO_BIN_EXE_llama-triage"))
        .arg("--config")
        .arg(site.path("config.toml"))
        .args(["reprocess", "apply", &plan_id, "--reason", "fixed", "--yes"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while posts(&site) < 2 {
        assert!(apply.try_wait().unwrap().is_none(), "it ended before the second POST");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    apply.kill().unwrap();
    apply.wait().unwrap();
    let waits = said(&site, &["reprocess", "status"], 0);
    assert!(waits.contains(&format!("P-{}  started, continues", end(&plan_id))), "{waits}");
    for _ in 0..2 {
        site.cloud.world().advance(SignedDuration::from_secs(60));
        site.command(&["cycle"]).assert().success();
    }
    assert_eq!((posts(&site), result(&site, &plan_id).as_str()), (3, "3 items submitted"));
    assert!(!paid_twice(&site));
    let status = said(&site, &["reprocess", "status"], 0);
    assert!(!status.contains("before an answer came"), "a known outcome is not reported as unclear: {status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_whose_hour_is_over_is_reported_for_a_day() {
    let (site, mut worker) = scanned(world()).await;
    let plan_id = approved(&site, &worker, &ALL).await;
    between(&site, &mut worker, 61).await;
    let faults = "SELECT text FROM worker_fault WHERE fault LIKE 'plan:%' AND ended_at IS NULL";
    let told = site.texts(faults);
    assert!(told.len() == 1 && told[0].contains(&plan_id) && told[0].contains("3 items left out"), "{told:?}");
    assert!(result(&site, &plan_id).contains("3: it was approved more than an hour before"));
    between(&site, &mut worker, 24 * 60 + 1).await;
    assert_eq!((site.texts(faults), posts(&site)), (Vec::new(), 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_cannot_be_read_ends_and_stops_no_other() {
    let (site, mut worker) = scanned(world()).await;
    let broken = approved(&site, &worker, &["i0"]).await;
    let (id, good) = (broken.clone(), approved(&site, &worker, &["i1"]).await);
    let spoil = move |tx: &llama_triage::internals::ledger::Transaction<'_>| {
        Ok(tx.execute("UPDATE plan SET model = '{}' WHERE plan_id = ?1", [id])?)
    };
    worker.ledger.write(spoil).await.unwrap();
    between(&site, &mut worker, 1).await;
    assert_eq!([result(&site, &broken), result(&site, &good)], ["it cannot be read", "1 item submitted"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_waits_for_as_long_as_the_api_asks_but_not_beyond_its_hour() {
    let waits = |seconds: &str| {
        let asks = InjectedFault::StatusRetryAfter(429, seconds.to_owned());
        vec![FaultRule::new(asks).on(Endpoint::CreateBatch).first(1)]
    };
    let (site, mut worker) = scanned(world()).await;
    site.cloud.set_faults(waits("1200"));
    let first = approved(&site, &worker, &ALL).await;
    between(&site, &mut worker, 1).await;
    let second = planned(&site, &worker, &["i0"]).await;
    let status = said(&site, &["reprocess", "status"], 0);
    assert!(
        status.contains("started, LlamaCloud answered 429 (too many requests), nothing is sent before"),
        "{status}"
    );
    assert!(site.texts("SELECT model FROM plan").iter().any(|plan| plan.contains("\"waiting\"")), "{second}");
    between(&site, &mut worker, 5).await;
    assert_eq!((posts(&site), result(&site, &first).as_str()), (1, ""));
    between(&site, &mut worker, 16).await;
    assert_eq!((posts(&site), result(&site, &first).as_str()), (4, "3 items submitted"));

    let (site, mut worker) = scanned(world()).await;
    site.cloud.set_faults(waits("7200"));
    let first = approved(&site, &worker, &["i0", "i1"]).await;
    let second = planned(&site, &worker, &["i2"]).await;
    between(&site, &mut worker, 1).await;
    let told = result(&site, &first);
    assert!(told.starts_with("0 items submitted, 2 items left out (") && told.contains("429"), "{told}");
    let refused = said(&site, &["reprocess", "apply", &second, "--reason", "x", "--yes"], 2);
    assert!(refused.contains("nothing is sent before") && refused.contains("reprocess resume"), "{refused}");
    assert_eq!(posts(&site), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_item_of_each_permanent_input_group_is_retried_unless_items_are_named() {
    let mut builder = WorldBuilder::at(Timestamp::now()).batch("b1").item("i0").fails_until(2, BUSY[0]);
    for n in 0..3 {
        builder = builder.item(&format!("locked{n}")).fails("PDF_IS_PROTECTED");
    }
    let (site, _worker) = scanned(builder.build()).await;
    let items = |args: &[&str]| {
        let args = [&["reprocess", "plan", "--format", "json"], args].concat();
        let plan: serde_json::Value = serde_json::from_str(&said(&site, &args, 0)).unwrap();
        plan["items"].as_u64().unwrap()
    };
    let group = site.texts("SELECT group_id FROM error_group WHERE open_items = 3").remove(0);
    assert_eq!(items(&["--since", "24h"]), 2);
    assert_eq!(items(&["--since", "24h", "--permanent"]), 4);
    assert_eq!(items(&["--group", &group]), 3);
    let shown = said(&site, &["reprocess", "plan", "--since", "24h"], 0);
    for part in
        ["permanent-input  parse of default  PDF_IS_PROTECTED", "2  a retry does not help its class", "50 per-run"]
    {
        assert!(shown.contains(part), "{part} is not in {shown}");
    }
    let bogus = said(&site, &["reprocess", "plan", "--class", "bogus"], 2);
    assert!(bogus.contains("permanent-input"), "the classes are named: {bogus}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_shows_the_time_of_its_data() {
    let (site, worker) = scanned(world()).await;
    worker.ledger.close().await.unwrap();
    let plan = || said(&site, &["reprocess", "plan", "--item", &item_id("i0")], 0);
    let fresh = plan();
    assert!(fresh.contains("\nData as of 2") && !fresh.contains("Warning"), "{fresh}");
    let ledger = Connection::open(site.path("ledger.db")).unwrap();
    ledger.execute("UPDATE scan SET started_at = started_at - 49 * 3600 * 1000", []).unwrap();
    let old = plan();
    assert!(old.contains("Warning: data as of 2") && old.contains("49 hours ago"), "{old}");
    ledger.execute("UPDATE scan SET complete = 0", []).unwrap();
    assert!(plan().contains("Warning: a project has no complete scan yet"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_document_is_shown_as_refused() {
    let (site, worker) = scanned(world()).await;
    let now = site.now();
    site.cloud.set_faults(vec![FaultRule::new(InjectedFault::Status(404)).on(Endpoint::CreateBatch).first(1)]);
    approved(&site, &worker, &["i0"]).await;
    worker.reprocess(now, &CancellationToken::new()).await.unwrap();
    // Alone in its group it is not blamed: that takes others that were accepted.
    let intent = site.texts("SELECT intent_id FROM intent").remove(0);
    worker.ledger.write(move |tx| llama_triage::internals::reprocess::intent::refuse_item(tx, &intent)).await.unwrap();
    worker.ledger.close().await.unwrap();
    let item = said(&site, &["report", "item", &item_id("i0")], 0);
    assert!(item.contains("excluded from automatic retries for a week: LlamaCloud refused the retry (404)"), "{item}");
    assert!(!item.contains("has expired"), "no record was asked for: {item}");
    let plan = said(&site, &["reprocess", "plan", "--item", &item_id("i0")], 0);
    assert!(plan.contains("Not retried automatically: 1 item") && plan.contains("refused this item alone"), "{plan}");
}

/// `apply` on a terminal, where it asks.
struct Asked {
    terminal: File,
    child: Child,
    text: String,
}

impl Asked {
    fn start(site: &Site, plan_id: &str) -> Asked {
        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&terminal).unwrap();
        unlockpt(&terminal).unwrap();
        let name = ptsname(&terminal, Vec::new()).unwrap();
        let end = || File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_llama-triage"))
            .arg("--config")
            .arg(site.path("config.toml"))
            .args(["reprocess", "apply", plan_id, "--reason", "fixed"])
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn()
            .unwrap();
        let mut asked = Asked { terminal: File::from(terminal), child, text: String::new() };
        while !asked.text.contains("[y/N]") {
            assert!(asked.read(), "it never asked: {}", asked.text);
        }
        asked
    }

    /// Reads what is there; false at the end.
    fn read(&mut self) -> bool {
        let mut buffer = [0; 4096];
        let read = self.terminal.read(&mut buffer).unwrap_or(0);
        self.text.push_str(&String::from_utf8_lossy(&buffer[..read]));
        read > 0
    }

    /// The exit code and all that was printed.
    fn answer(mut self, answer: &str) -> (i32, String) {
        writeln!(self.terminal, "{answer}").unwrap();
        while self.read() {}
        (self.child.wait().unwrap().code().unwrap(), self.text)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_counts_is_the_time_of_the_answer_not_of_the_question() {
    let (site, worker) = scanned(world()).await;
    let (late, good) = (planned(&site, &worker, &["i0"]).await, planned(&site, &worker, &["i1"]).await);
    worker.ledger.close().await.unwrap();

    let asked = Asked::start(&site, &late);
    let ends = Timestamp::now() + SignedDuration::from_millis(100);
    let ledger = Connection::open(site.path("ledger.db")).unwrap();
    ledger.execute("UPDATE plan SET expires_at = ?1 WHERE plan_id = ?2", (ends.as_millisecond(), &late)).unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let (code, text) = asked.answer("y");
    assert!(code == 2 && text.contains("older than 1 h"), "{code}: {text}");
    assert_eq!(posts(&site), 0);

    let (code, text) = Asked::start(&site, &good).answer("YES");
    assert!(code == 0 && text.contains("1 item submitted"), "{code}: {text}");
    assert_eq!(posts(&site), 1);
}
