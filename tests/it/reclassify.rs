//! Classes that change, with the rules or with the items of a group: what is known is not reported again, unless it pages from now on.

use std::time::Duration;

use jiff::SignedDuration;
use llama_triage::internals::service::CycleOutcome;
use llama_triage::internals::simulator::{Failure, Options, ScriptedCause, World, WorldBuilder};
use tokio_util::sync::CancellationToken;

use crate::site::Site;

const GIZMO: &str = "the gizmo is askew";

/// Somebody to tell.
const FOLDER: &str = "[[channel]]\nname = \"folder\"\nkind = \"file\"\ndir = \"{dir}/out\"\n";

fn rule(class: &str) -> String {
    format!("[[rule]]\nname = \"mine\"\nmatch = \"gizmo\"\nclass = \"{class}\"\n")
}

fn world() -> World {
    let fails = ScriptedCause::Permanent(Failure::text(GIZMO));
    WorldBuilder::new().batch("b").items(3, "askew", fails).build()
}

/// A site whose project has been known for long, so that what fails is news and no inventory.
async fn site(world: World) -> Site {
    let site = Site::new(world, Options::default(), "").await;
    let worker = site.worker().await;
    let long_ago = (site.now() - SignedDuration::from_hours(48)).as_millisecond();
    let begin = move |tx: &llama_triage::internals::ledger::Transaction<'_>| {
        tx.execute("INSERT INTO project (name, first_seen) VALUES ('default', ?1)", [long_ago])?;
        tx.execute("INSERT INTO meta (name, value) VALUES ('baseline_digest', 'none')", [])?;
        Ok(())
    };
    worker.ledger.write(begin).await.unwrap();
    worker.ledger.close().await.unwrap();
    site
}

/// A cycle a quarter of an hour later, with `more` in the configuration.
async fn cycle(site: &Site, more: &str) -> CycleOutcome {
    site.configure(&format!("{FOLDER}{more}"));
    site.cloud.world().advance(SignedDuration::from_mins(16));
    let mut worker = site.worker().await;
    let outcome = worker.cycle(site.now(), Duration::from_secs(5), &CancellationToken::new()).await.unwrap();
    worker.ledger.close().await.unwrap();
    outcome
}

fn class(site: &Site) -> String {
    site.texts("SELECT class || ' by ' || coalesce(rule, 'none') FROM error_group").join(", ")
}

fn acts(site: &Site) -> Vec<String> {
    site.texts("SELECT actor || ': ' || detail FROM audit WHERE action = 'reclassify' ORDER BY audit_id")
}

#[tokio::test(flavor = "multi_thread")]
async fn new_rules_reach_existing_groups_and_nothing_is_reported_again() {
    let site = site(world()).await;
    assert!(cycle(&site, "").await.digest_id.is_some());
    assert_eq!(class(&site), "unknown by model");
    let judged = cycle(&site, &rule("permanent-input")).await;
    assert_eq!((class(&site).as_str(), judged.digest_id), ("permanent-input by mine", None));
    let acts_then = acts(&site);
    assert_eq!(acts_then.len(), 1);
    assert!(acts_then[0].starts_with("auto:rules: ") && acts_then[0].contains("unknown to permanent-input"));
    cycle(&site, &rule("permanent-input")).await;
    assert_eq!(acts(&site), acts_then, "the same rules judge nothing again");
    cycle(&site, "").await;
    assert_eq!(class(&site), "unknown by model", "a rule that is gone has no say");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_turns_into_one_that_pages_does_so_once() {
    let site = site(world()).await;
    cycle(&site, "").await;
    let turned = cycle(&site, &rule("account")).await;
    let headline = turned.headline.unwrap_or_default();
    assert!(headline.starts_with("PAGE"), "{headline}");
    let model = site.texts("SELECT model FROM digest ORDER BY created_at DESC LIMIT 1").remove(0);
    assert!(model.contains("new rules classify it as account, which pages"), "{model}");
    assert_eq!(cycle(&site, &rule("account")).await.digest_id, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_job_records_said_counts_when_a_group_is_judged_again() {
    let failure = Failure::text("An unknown error occurred during processing").with_code("PDF_IS_PROTECTED");
    let site = site(WorldBuilder::new().batch("b").items(3, "locked", ScriptedCause::Permanent(failure)).build()).await;
    cycle(&site, "").await;
    let by_cause = class(&site);
    assert!(by_cause.starts_with("permanent-input by "), "{by_cause}");
    cycle(&site, "[[rule]]\nname = \"mine\"\ncode = \"PDF_IS_PROTECTED\"\nclass = \"config\"\n").await;
    assert_eq!(class(&site), "config by mine");
    cycle(&site, "").await;
    assert_eq!(class(&site), by_cause);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_has_the_class_of_most_of_its_open_items_and_says_that_they_differ() {
    let rules = "[[rule]]\nname = \"few\"\nmatch = \"gizmo 7\"\nclass = \"config\"\n\
                 [[rule]]\nname = \"many\"\nmatch = \"gizmo\"\nclass = \"throttled\"\n";
    let mut builder = WorldBuilder::new().batch("b");
    for (item, number) in [7, 7, 8, 8, 8, 9].into_iter().enumerate() {
        let fails = ScriptedCause::Permanent(Failure::text(format!("the gizmo {number} is askew")));
        builder = builder.items(1, &format!("askew-{item}"), fails);
    }
    let site = site(builder.build()).await;
    cycle(&site, rules).await;
    assert_eq!(class(&site), "throttled by many");
    let group = site.texts("SELECT group_id FROM error_group").remove(0);
    let told = site.command(&["report", "group", &group, "--format", "json"]).assert().success();
    let answer: serde_json::Value = serde_json::from_slice(&told.get_output().stdout).unwrap();
    assert_eq!(answer["rows"][0]["classes"], serde_json::json!({ "config": 2, "throttled": 4 }));
    let told = site.command(&["report", "group", &group, "--format", "table"]).assert().success();
    let text = String::from_utf8_lossy(&told.get_output().stdout).into_owned();
    assert!(text.contains("of the newest 6 open items: 4 throttled, 2 config"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_class_set_by_hand_stays_until_it_is_taken_back() {
    let site = site(world()).await;
    cycle(&site, "").await;
    let group = site.texts("SELECT group_id FROM error_group").remove(0);
    let set = |class: &str| {
        let told = site.command(&["group", "class", &group, class, "--reason", "seen before"]).assert().success();
        String::from_utf8_lossy(&told.get_output().stdout).into_owned()
    };
    let said = set("config");
    assert!(said.contains("[[rule]]") && said.contains("config\tcause\tthe gizmo is askew"), "{said}");
    assert!(cycle(&site, "").await.digest_id.is_none(), "what people did themselves is no news");
    assert_eq!(class(&site), "config by set by hand");
    set("auto");
    cycle(&site, "").await;
    assert_eq!(class(&site), "unknown by model");
    site.command(&["group", "class", &group, "retry", "--reason", "x"]).assert().code(2);
    site.command(&["group", "class", "g-nothing", "config", "--reason", "x"]).assert().code(3);
    let acts = site.texts("SELECT detail FROM audit WHERE action = 'class' ORDER BY audit_id");
    assert_eq!(acts, [r#"{"from":"unknown","to":"config"}"#, r#"{"from":"config","to":"auto"}"#]);
}
