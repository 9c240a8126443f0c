//! Relative paths of a configuration, from whatever folder the program is started.

use jiff::Timestamp;
use llama_triage::internals::simulator::{Options, WorldBuilder};
use predicates::prelude::PredicateBooleanExt as _;
use predicates::str::contains;

use crate::site::{Site, binary};

#[tokio::test(flavor = "multi_thread")]
async fn two_folders_have_one_ledger_and_one_that_was_left_behind_is_named() {
    let world = WorldBuilder::at(Timestamp::now()).batch("b1").item("i1").fails("it broke").build();
    let site = Site::new(world, Options::default(), "").await;
    let (home, elsewhere) = (site.path("home"), site.path("elsewhere"));
    std::fs::create_dir_all(home.join("config")).unwrap();
    std::fs::create_dir_all(&elsewhere).unwrap();
    let key = site.cloud.world().projects()[0].api_key.clone();
    std::fs::write(home.join("config/key.txt"), key).unwrap();
    let file = home.join("config/llama-triage.toml");
    let text = format!(
        "[ledger]\npath = \"ledger.db\"\n[[project]]\nname = \"p\"\nbase-url = \"{}\"\napi-key-file = \"key.txt\"\n\
         [[channel]]\nname = \"f\"\nkind = \"file\"\ndir = \"out\"\n",
        site.cloud.url()
    );
    std::fs::write(&file, text).unwrap();
    let ledger = home.join("config/ledger.db");

    binary().current_dir(&home).arg("scan").assert().success();
    let named = ["--config", "../home/config/llama-triage.toml"];
    binary().current_dir(&elsewhere).args(named).arg("cycle").assert().success();
    assert!(ledger.exists() && home.join("config/out").exists());
    assert!(!home.join("ledger.db").exists() && !elsewhere.join("ledger.db").exists());
    let absolute = contains(ledger.canonicalize().unwrap().display().to_string());
    binary().current_dir(&elsewhere).args(named).arg("check-config").assert().success().stdout(absolute);

    // As versions kept it that went by the working directory.
    let left = home.join("ledger.db");
    std::fs::rename(&ledger, &left).unwrap();
    let said = contains(left.display().to_string()).and(contains("set ledger.path"));
    binary().current_dir(&home).arg("scan").assert().failure().code(78).stderr(said);
    assert!(!ledger.exists(), "a second ledger");
    // What is named on the command line follows the working directory.
    binary().current_dir(&home).args(["--ledger", "ledger.db", "scan"]).assert().success();
    assert!(!ledger.exists());
}
