//! Causes behind generic messages: asked once, for few, shown everywhere, used by the rules, and never in the way.

use std::time::Duration;

use llama_triage::internals::scan::CauseSummary;
use llama_triage::internals::simulator::{
    Endpoint, Failure, FaultRule, InjectedFault, JobType, Options, ScriptedCause, World, WorldBuilder,
};
use tokio_util::sync::CancellationToken;

use crate::site::{Site, files};

const GENERIC: &str = "An unknown error occurred during processing";
const CHANNEL: &str = "[[channel]]\nname = \"folder\"\nkind = \"file\"\ndir = \"{dir}/digests\"\n";

fn locked() -> ScriptedCause {
    ScriptedCause::Permanent(
        Failure::text(GENERIC).with_code("PDF_IS_PROTECTED").with_job_message("the document asks for a password"),
    )
}

fn world(count: usize) -> World {
    WorldBuilder::at(jiff::Timestamp::now()).batch("b").items(count, "locked", locked()).build()
}

async fn cycle(site: &Site) -> CauseSummary {
    let now = site.cloud.world().now();
    let mut worker = site.worker().await;
    let outcome = worker.cycle(now, Duration::from_secs(5), &CancellationToken::new()).await.unwrap();
    assert!(outcome.is_complete(), "{outcome}");
    outcome.causes
}

fn asked(site: &Site) -> u64 {
    site.cloud.world().truth().requests_to(Endpoint::ParsingJob)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cause_is_asked_of_three_jobs_once_and_decides_the_class() {
    let site = Site::new(world(5), Options::default(), CHANNEL).await;
    assert_eq!(cycle(&site).await, CauseSummary { asked: 3, found: 3, failed: 0 });
    assert_eq!(cycle(&site).await, CauseSummary::default(), "nothing is asked twice");
    assert_eq!(asked(&site), 3);
    let cause = "PDF_IS_PROTECTED: the document asks for a password";
    let sql = "SELECT class || '|' || cause_code || ': ' || cause_text || '|' || template FROM error_group";
    assert_eq!(site.texts(sql), [format!("permanent-input|{cause}|{GENERIC}")], "the message stays what it is");

    let mail = std::fs::read_to_string(&files(&site.path("digests"), ".html")[0]).unwrap();
    assert!(mail.contains("PDF_IS_PROTECTED") && mail.contains(GENERIC), "{mail}");
    let group = &site.texts("SELECT group_id FROM error_group")[0];
    let told = site.command(&["report", "group", group, "--format", "table"]).assert().success();
    assert!(String::from_utf8_lossy(&told.get_output().stdout).contains(cause));
    let causes: Vec<String> = site
        .texts("SELECT item_id FROM item ORDER BY item_id")
        .iter()
        .map(|item| {
            let told = site.command(&["report", "item", item, "--format", "json"]).assert().success();
            let answer: serde_json::Value = serde_json::from_slice(&told.get_output().stdout).unwrap();
            answer["rows"][0]["cause"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(causes.iter().filter(|said| *said == cause).count(), 3, "their own");
    let borrowed = format!("{cause} (another item of its group)");
    assert_eq!(causes.iter().filter(|said| **said == borrowed).count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cause_of_three_documents_decides_about_those_and_no_other_of_their_group() {
    let site = Site::new(world(8), Options::default(), "").await;
    assert_eq!(cycle(&site).await.found, 3);
    let group = &site.texts("SELECT group_id FROM error_group")[0];
    let told =
        site.command(&["reprocess", "plan", "--class", "permanent-input", "--format", "json"]).assert().success();
    let plan: serde_json::Value = serde_json::from_slice(&told.get_output().stdout).unwrap();
    assert_eq!((&plan["items"], &plan["chunks"][0]["group_id"]), (&6.into(), &group.as_str().into()));
    let mut classes: Vec<&str> =
        plan["chunks"][0]["classes"].as_array().unwrap().iter().map(|class| class.as_str().unwrap()).collect();
    classes.sort_unstable();
    assert_eq!(
        classes,
        ["permanent-input", "unknown", "unknown", "unknown", "unknown", "unknown"],
        "one of the three, and the others"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cycle_asks_twenty_times_at_most_and_the_next_continues() {
    let mut builder = WorldBuilder::at(jiff::Timestamp::now()).batch("b");
    for word in ["amber", "birch", "cedar", "daisy", "elder", "fern", "grass", "hazel", "iris", "juniper"] {
        let failure = Failure::text(format!("{word} went wrong")).with_code(word.to_uppercase());
        builder = builder.items(4, word, ScriptedCause::Permanent(failure));
    }
    let site = Site::new(builder.build(), Options::default(), "").await;
    let first = cycle(&site).await;
    assert!(first.asked == asked(&site) && (15..=20).contains(&first.asked), "{first:?}");
    let second = cycle(&site).await;
    assert_eq!(first.asked + second.asked, 30, "three for each of ten groups");
    assert_eq!(cycle(&site).await.asked, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_cause_request_costs_the_cycle_nothing_and_is_made_again_later() {
    let site = Site::new(world(2), Options::default(), "").await;
    site.cloud.set_faults(vec![FaultRule::new(InjectedFault::Status(503)).on(Endpoint::ParsingJob)]);
    assert_eq!(cycle(&site).await, CauseSummary { asked: 0, found: 0, failed: 1 });
    assert_eq!(asked(&site), 1, "a single try, and no other of this project");
    site.cloud.set_faults(Vec::new());
    assert_eq!(cycle(&site).await, CauseSummary { asked: 2, found: 2, failed: 0 });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_says_it_all_is_not_asked_about() {
    let world = WorldBuilder::at(jiff::Timestamp::now()).batch("b").item("i").fails("HTTP 429 Too Many Requests");
    let site = Site::new(world.build(), Options::default(), "").await;
    assert_eq!(cycle(&site).await, CauseSummary::default());
    assert_eq!(asked(&site), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parse_job_of_v2_is_not_asked_for_what_its_listing_has_said() {
    for (job_type, endpoint, wanted) in [
        (JobType::Parse, Endpoint::V2GetParse, CauseSummary::default()),
        (JobType::Extract, Endpoint::V2GetExtract, CauseSummary { asked: 3, found: 0, failed: 0 }),
    ] {
        let builder = WorldBuilder::at(jiff::Timestamp::now()).batch("b").job_type(job_type);
        let world = builder.items(5, "vague", ScriptedCause::Permanent(Failure::text(GENERIC))).build();
        let site = Site::with_api("v2", world, Options::default(), "").await;
        assert_eq!(cycle(&site).await, wanted);
        assert_eq!(cycle(&site).await, CauseSummary::default());
        assert_eq!(site.cloud.world().truth().requests_to(endpoint), wanted.asked);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_that_refuses_its_records_is_left_alone_for_a_while() {
    let site = Site::new(world(2), Options::default(), "").await;
    site.cloud.set_faults(vec![FaultRule::new(InjectedFault::Status(403)).on(Endpoint::ParsingJob)]);
    let now = site.cloud.world().now();
    let mut worker = site.worker().await;
    for (minutes, failed) in [(0, 1), (5, 0), (59, 0), (61, 1)] {
        let at = now + jiff::SignedDuration::from_mins(minutes);
        let outcome = worker.cycle(at, Duration::from_secs(5), &CancellationToken::new()).await.unwrap();
        assert_eq!(outcome.causes, CauseSummary { asked: 0, found: 0, failed }, "after {minutes} minutes");
    }
}
