//! Retrying by hand with the built binary: plan, apply, status, cancel, resume.

use assert_cmd::Command;
use jiff::{SignedDuration, Timestamp};
use llama_triage::internals::simulator::{Endpoint, Options, WorldBuilder, item_id};
use serde_json::Value;

use crate::site::Site;

const BUSY: &str = "the service is busy, try again later";

/// A site on which a scan has found two busy items and a protected one.
async fn scanned() -> Site {
    let world = WorldBuilder::at(Timestamp::now())
        .batch("b1")
        .item("fine")
        .item("i0")
        .fails_until(2, BUSY)
        .item("i1")
        .fails_until(2, BUSY)
        .item("locked")
        .fails("PDF_IS_PROTECTED")
        .build();
    let site = Site::new(world, Options::default(), "[reprocess]\ncredits-per-item = 3.0\n").await;
    site.command(&["scan"]).assert().success();
    site
}

fn json(command: &mut Command) -> Value {
    serde_json::from_slice(&command.assert().success().get_output().stdout).unwrap()
}

fn plan(site: &Site, names: &[&str]) -> Value {
    let ids: Vec<String> = names.iter().map(|name| item_id(name)).collect();
    let mut args = vec!["reprocess", "plan", "--format", "json"];
    for id in &ids {
        args.extend(["--item", id]);
    }
    json(&mut site.command(&args))
}

fn posts(site: &Site) -> u64 {
    site.cloud.world().truth().requests_to(Endpoint::CreateBatch)
}

fn said(command: &mut Command, code: i32) -> String {
    let output = command.assert().code(code).get_output().clone();
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_shown_approved_once_and_its_real_outcome_reported() {
    let site = scanned().await;
    let draft = plan(&site, &["i0", "i1"]);
    let id = draft["plan_id"].as_str().unwrap();
    assert_eq!((&draft["items"], &draft["credits"]), (&2.into(), &6.0.into()));
    assert_eq!(draft["groups"][0]["outlook"], "no first try has ended; nothing is retried automatically, see `mode`");
    assert_eq!(draft["budget_left"]["per-day"], 500);

    let apply = ["reprocess", "apply", id, "--reason", "the vendor says it is over"];
    let refused = said(site.command(&apply).write_stdin(""), 2);
    assert!(refused.contains("--yes"), "{refused}");
    assert_eq!(posts(&site), 0, "nothing goes without a yes");
    let done = said(site.command(&apply).arg("--yes"), 0);
    assert!(done.contains("2 items submitted"), "{done}");
    let again = said(site.command(&apply).arg("--yes"), 2);
    assert!(again.contains("was applied"), "{again}");
    assert_eq!(posts(&site), 1);

    let status = json(&mut site.command(&["reprocess", "status", "--format", "json"]));
    assert_eq!(
        (&status["rows"][0]["state"], &status["rows"][0]["outcomes"]["running"]),
        (&"submitted".into(), &2.into())
    );
    let intent = status["rows"][0]["intent_id"].as_str().unwrap();
    let sent = said(&mut site.command(&["reprocess", "cancel", intent]), 2);
    assert!(sent.contains("was sent"), "{sent}");

    site.cloud.world().advance(SignedDuration::from_mins(10));
    site.command(&["cycle"]).assert().success();
    let retries = json(&mut site.command(&["report", "retries", "--format", "json"]));
    let outcomes: Vec<&str> =
        retries["rows"].as_array().unwrap().iter().map(|row| row["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["recovered", "recovered"]);
    let audit = site.texts("SELECT action || ' ' || coalesce(reason, '') FROM audit ORDER BY audit_id");
    for act in ["reprocess plan ", "reprocess apply the vendor says it is over", "reprocess the vendor says it is over"]
    {
        assert!(audit.iter().any(|one| one == act), "{act} is not in {audit:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_only_shrinks() {
    let site = scanned().await;
    let draft = plan(&site, &["i0", "i1"]);
    let group = site.texts("SELECT group_id FROM error_group WHERE open_items = 2").remove(0);
    site.command(&["group", "dismiss", &group, "--reason", "we sent them by mail"]).assert().success();
    let id = draft["plan_id"].as_str().unwrap();
    let done = said(&mut site.command(&["reprocess", "apply", id, "--reason", "late", "--yes"]), 0);
    assert!(done.contains("0 items submitted, 2 items left out (2: it is dismissed"), "{done}");
    assert_eq!(posts(&site), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_out_says_why() {
    let site = scanned().await;
    plan(&site, &["i0"]);
    let first = said(&mut site.command(&["reprocess", "plan", "--item", &item_id("i0"), "--limit", "0"]), 0);
    assert!(first.contains("over --limit") && first.contains("Nothing to submit"), "{first}");
    assert!(first.contains("0 items in 0 POSTs\n"), "nothing costs nothing: {first}");
    let nothing =
        json(&mut site.command(&["reprocess", "plan", "--limit", "0", "--class", "transient", "--format", "json"]));
    assert_eq!(nothing["credits"].to_string(), "0.0");
    let by_class = json(&mut site.command(&["reprocess", "plan", "--class", "transient", "--format", "json"]));
    assert_eq!(by_class["items"], 2);
    let by_text =
        json(&mut site.command(&["reprocess", "plan", "--match", "PROTECTED", "--limit", "5", "--format", "json"]));
    assert_eq!(by_text["items"], 1, "a manual plan takes what is not retried automatically");
    let group = site.texts("SELECT group_id FROM error_group WHERE open_items = 2").remove(0);
    let by_group = json(&mut site.command(&["reprocess", "plan", "--group", &group, "--format", "json"]));
    assert_eq!(by_group["items"], 2);
    let nothing = said(&mut site.command(&["reprocess", "plan"]), 2);
    assert!(nothing.contains("nothing selected"), "{nothing}");
    said(&mut site.command(&["reprocess", "plan", "--group", "g-none"]), 3);
    let unknown = said(&mut site.command(&["reprocess", "plan", "--item", "dfl-none"]), 3);
    assert!(unknown.contains("dfl-none"), "{unknown}");
    said(&mut site.command(&["reprocess", "apply", "P-none", "--reason", "x", "--yes"]), 3);
    said(&mut site.command(&["reprocess", "cancel", "01NONE"]), 3);
    said(&mut site.command(&["reprocess", "resume", "g-none", "--reason", "x"]), 3);
    said(&mut site.command(&["breaker", "reset", "global", "--reason", " "]), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_cancelled_before_and_after_its_approval() {
    let site = scanned().await;
    let draft = plan(&site, &["i0"]);
    let id = draft["plan_id"].as_str().unwrap();
    let taken = said(&mut site.command(&["reprocess", "cancel", id]), 0);
    assert!(taken.contains("it was not approved"), "{taken}");
    let late = said(&mut site.command(&["reprocess", "apply", id, "--reason", "x", "--yes"]), 2);
    assert!(late.contains("cancelled by"), "{late}");
    let again = said(&mut site.command(&["reprocess", "cancel", id]), 2);
    assert!(again.contains("cancelled by"), "{again}");

    let draft = plan(&site, &["i0"]);
    let id = draft["plan_id"].as_str().unwrap();
    let service = site.worker().await;
    let waits = said(&mut site.command(&["reprocess", "apply", id, "--reason", "x", "--yes"]), 0);
    assert!(waits.contains("approved"), "{waits}");
    let taken = said(&mut site.command(&["reprocess", "cancel", id]), 0);
    assert!(taken.contains("nothing was sent"), "{taken}");
    service.ledger.close().await.unwrap();
    site.command(&["cycle"]).assert().success();
    assert_eq!(posts(&site), 0);
    let acts = site.texts("SELECT action FROM audit WHERE action = 'reprocess cancel'");
    assert_eq!(acts.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_are_named_by_the_beginning_of_their_id() {
    let site = scanned().await;
    let group = site.texts("SELECT group_id FROM error_group WHERE open_items = 2").remove(0);
    let short = &group[2..6];
    said(&mut site.command(&["group", "note", short, "seen"]), 0);
    let reset = said(&mut site.command(&["reprocess", "resume", short, "--reason", "the vendor says so"]), 0);
    assert!(reset.contains(&group), "{reset}");
    said(&mut site.command(&["group", "dismiss", short, "--reason", "by mail"]), 0);
    let several = said(&mut site.command(&["group", "note", "g-", "x"]), 3);
    assert!(several.contains("is ambiguous"), "{several}");
    let none = said(&mut site.command(&["group", "note", "g-zz", "x"]), 3);
    assert!(none.contains("no group") && none.contains("report groups"), "{none}");

    let left = said(&mut site.command(&["reprocess", "plan", "--group", short]), 0);
    assert!(left.contains("it is dismissed"), "{left}");
    let nothing = said(&mut site.command(&["reprocess", "plan", "--match", "no such text"]), 0);
    assert!(nothing.contains("no matching item is open"), "{nothing}");
}
