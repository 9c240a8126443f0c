//! With which job configuration items are retried, and what is reported about it.

use jiff::Timestamp;
use llama_triage::internals::simulator::{Options, WorldBuilder, default_config, item_id};
use serde_json::Value;

use crate::site::Site;

const BUSY: &str = "the service is busy, try again later";

/// A site on which a scan has found a busy item whose batch ran with this parameter beside the usual ones.
async fn scanned(name: &str, value: Value) -> Site {
    let mut config = default_config();
    config["parameters"][name] = value;
    let world = WorldBuilder::at(Timestamp::now()).batch("b1").config(config).item("i0").fails_until(2, BUSY).build();
    let site = Site::new(world, Options::default(), "[reprocess]\ncredits-per-item = 3.0\n").await;
    site.command(&["scan"]).assert().success();
    site
}

fn json(site: &Site, args: &[&str]) -> Value {
    let output = site.command(args).args(["--format", "json"]).assert().success().get_output().clone();
    serde_json::from_slice(&output.stdout).unwrap()
}

fn plan(site: &Site) -> Value {
    json(site, &["reprocess", "plan", "--item", &item_id("i0")])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_names_the_parameters_that_are_not_sent_again() {
    let site = scanned("new_shiny_option", true.into()).await;
    for _ in 0..2 {
        // The second time it comes from the ledger.
        let plan = plan(&site);
        assert_eq!((&plan["items"], &plan["lost_parameters"][0]), (&1.into(), &"new_shiny_option".into()));
    }
    let table = site.command(&["reprocess", "plan", "--item", &item_id("i0")]).assert().success().get_output().clone();
    let table = String::from_utf8_lossy(&table.stdout).into_owned();
    assert!(table.contains("Parameters not replayed: new_shiny_option"), "{table}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_in_a_prompt_reaches_neither_the_ledger_nor_a_retry() {
    let site = scanned("user_prompt", "call with Authorization: Bearer abcdefghijklmnop".into()).await;
    let plan = plan(&site);
    assert_eq!(plan["items"], 0);
    let why = plan["excluded"][0]["why"].as_str().unwrap();
    assert!(why.contains("the value of user_prompt holds a secret"), "{why}");
    for file in ["ledger.db", "ledger.db-wal"] {
        let bytes = std::fs::read(site.path(file)).unwrap_or_default();
        assert!(!bytes.windows(16).any(|window| window == b"abcdefghijklmnop"), "{file}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_has_the_credits_that_it_was_thought_to_cost() {
    let site = scanned("lang", "en".into()).await;
    let plan = plan(&site);
    let plan_id = plan["plan_id"].as_str().unwrap();
    site.command(&["reprocess", "apply", plan_id, "--reason", "it is over", "--yes"]).assert().success();
    assert_eq!(json(&site, &["report", "retries"])["rows"][0]["credits"], 3.0);
}
