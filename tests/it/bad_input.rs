//! Bad input and failures: a clear error, the right exit code, no data lost, no secret shown.

use llama_triage::internals::simulator::{Endpoint, FaultRule, InjectedFault, Options, WorldBuilder};
use predicates::prelude::*;

use crate::site::{Site, binary};

fn world() -> llama_triage::internals::simulator::World {
    WorldBuilder::at(jiff::Timestamp::now()).batch("b1").item("i1").fails("it broke").item("i2").succeeds().build()
}

async fn scan_under(fault: InjectedFault) -> (Site, String) {
    let site = Site::new(world(), Options::default(), "").await;
    site.command(&["scan"]).assert().success();
    let before = site.texts("SELECT item_id FROM item");
    assert_eq!(before.len(), 1);
    site.cloud.set_faults(vec![FaultRule::new(fault).on(Endpoint::ListBatches).every(1)]);
    let run = site.command(&["scan"]).timeout(std::time::Duration::from_secs(60)).assert().failure().code(1);
    let said = String::from_utf8(run.get_output().stderr.clone()).unwrap();
    assert_eq!(site.texts("SELECT item_id FROM item"), before);
    assert!(!said.contains("llx-"), "a key in {said}");
    (site, said)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_is_reported_with_what_to_do() {
    let (_site, said) = scan_under(InjectedFault::Status(401)).await;
    assert!(said.contains("401") && said.contains("key"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_that_has_gone_names_the_setting_to_change() {
    let (_site, said) = scan_under(InjectedFault::Status(404)).await;
    assert!(said.contains("api = \"v2\""), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn html_instead_of_json_is_reported() {
    let (_site, said) = scan_under(InjectedFault::Html).await;
    assert!(said.to_lowercase().contains("html"), "{said}");
}

#[test]
fn every_mistake_in_the_configuration_is_named_and_exits_78() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("bad.toml");
    std::fs::write(
        &file,
        "[ledger]\npaht = \"x\"\n[[project]]\nname = \"p\"\npage-size = 5000\n[schedule]\nscan = \"often\"\n",
    )
    .unwrap();
    binary()
        .arg("check-config")
        .arg("--config")
        .arg(&file)
        .assert()
        .code(78)
        .stderr(predicate::str::contains(":2: ledger.paht").and(predicate::str::contains(":5: project[0].page-size")))
        .stderr(predicate::str::contains(":7: schedule.scan"));
}

#[test]
fn a_missing_configuration_and_a_missing_ledger_have_their_own_exit_codes() {
    let dir = tempfile::tempdir().unwrap();
    binary().current_dir(dir.path()).arg("scan").assert().code(78).stderr(predicate::str::contains("--config"));
    binary().current_dir(dir.path()).args(["report", "--ledger", "none.db"]).assert().code(4);
    binary().args(["report", "--no-such-flag"]).assert().code(2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ledger_is_private_and_holds_no_key() {
    use std::os::unix::fs::PermissionsExt;
    let site = Site::new(world(), Options::default(), "").await;
    site.command(&["scan"]).assert().success();
    let path = site.path("ledger.db");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let key = site.cloud.world().projects()[0].api_key.clone();
    let bytes = std::fs::read(&path).unwrap();
    assert!(!bytes.windows(key.len()).any(|window| window == key.as_bytes()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_where_neither_api_is_blames_the_address_and_not_the_api() {
    let site = Site::new(world(), Options::default(), "").await;
    let text = std::fs::read_to_string(site.path("config.toml")).unwrap();
    let elsewhere = text.replace(&site.cloud.url().to_string(), &format!("{}/not/here", site.cloud.url()));
    std::fs::write(site.path("config.toml"), elsewhere).unwrap();
    let run = site.command(&["doctor"]).assert().failure().code(1);
    let said = String::from_utf8(run.get_output().stdout.clone()).unwrap();
    assert!(said.contains("neither API exists") && said.contains("do: correct base-url"), "{said}");
    assert!(!said.contains("set api ="), "{said}");
}
