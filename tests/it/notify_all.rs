//! `notify test ALL`: every channel is tried, whatever becomes of the others.

use jiff::Timestamp;
use llama_triage::internals::simulator::{Options, WorldBuilder};
use predicates::prelude::PredicateBooleanExt as _;
use predicates::str::contains;

use crate::site::Site;

#[tokio::test(flavor = "multi_thread")]
async fn every_channel_gets_a_test_and_each_failure_is_named() {
    let channels = "[[channel]]\nname = \"first\"\nkind = \"file\"\ndir = \"{dir}/first\"\nhours = \"00:00-00:01\"\n\
                    [[channel]]\nname = \"blocked\"\nkind = \"file\"\ndir = \"{dir}/blocked\"\n\
                    [[channel]]\nname = \"last\"\nkind = \"file\"\ndir = \"{dir}/last\"\n";
    let site = Site::new(WorldBuilder::at(Timestamp::now()).build(), Options::default(), channels).await;
    std::fs::write(site.path("blocked"), "a file").unwrap();
    let test_all = || site.command(&["notify", "test", "ALL"]).assert();
    let said = || contains("first: ").and(contains("last: "));
    test_all().code(1).stdout(said()).stderr(contains("blocked: cannot write"));
    assert_eq!(std::fs::read_dir(site.path("last")).unwrap().count(), 3);
    std::fs::remove_file(site.path("blocked")).unwrap();
    test_all().success().stdout(said().and(contains("blocked: ")));
    site.command(&["notify", "test", "all"]).assert().code(3);
}
