//! What holds retries back: an account that fails a probe, a user who cancels, a document that the API refuses, POSTs that make no batch.

use jiff::{SignedDuration, Timestamp};
use llama_triage::internals::simulator::{
    DEFAULT_NOW, Endpoint, Failure, FaultRule, InjectedFault, Outage, ScriptedCause, World, WorldBuilder,
};

use llama_triage::internals::service::{Right, store_clock_skew};

use crate::auto::{AUTO, BUSY, cycle, outcomes, posts, site, world};
use crate::site::Site;

const NO_CREDITS: &str = "Insufficient credits to run this job";

/// Items that failed together a minute ago, which is a storm, and end like this when they are tried again.
fn storm(items: usize, then: &ScriptedCause) -> World {
    let start: Timestamp = DEFAULT_NOW.parse().unwrap();
    let from = start - SignedDuration::from_hours(2);
    let name = "router".to_owned();
    let outage = Outage { name: name.clone(), from, until: start, share_percent: 0, failures: Vec::new() };
    let cause = ScriptedCause::Outage { name, failure: Failure::text(BUSY), then: Box::new(then.clone()) };
    let builder = WorldBuilder::new().outage(outage).batch("b1").made_ago(SignedDuration::from_mins(5));
    builder.items(items, "i", cause).build()
}

fn is_stopped(site: &Site) -> bool {
    !site.texts("SELECT why FROM account WHERE stopped_since IS NOT NULL").is_empty()
}

fn open_faults(site: &Site, fault: &str) -> Vec<String> {
    site.texts(&format!("SELECT text FROM worker_fault WHERE fault = '{fault}:default' AND ended_at IS NULL"))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_failure_of_a_probe_stops_posts_until_resume() {
    let world = storm(40, &ScriptedCause::Permanent(Failure::text(NO_CREDITS)));
    let (site, mut worker) = site(world, &format!("{AUTO}share-floor = 500\n")).await;
    for _ in 0..30 {
        cycle(&site, &mut worker, 20).await;
    }
    assert_eq!((posts(&site), is_stopped(&site)), (vec![1; 3], true), "one or two prove nothing");
    assert_eq!(open_faults(&site, "account").len(), 1);

    worker.ledger.close().await.unwrap();
    // The command works by the clock on the wall; the time of the simulation is written here.
    let resume = format!("UPDATE account SET stopped_since = NULL, moved_at = {}", site.now().as_millisecond());
    rusqlite::Connection::open(site.path("ledger.db")).unwrap().execute_batch(&resume).unwrap();
    let mut worker = site.worker().await;
    for _ in 0..30 {
        cycle(&site, &mut worker, 20).await;
    }
    assert_eq!((posts(&site), is_stopped(&site)), (vec![1; 6], true));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_retry_is_not_sent_again() {
    let (site, mut worker) = site(world(100, 30), AUTO).await;
    cycle(&site, &mut worker, 15).await;
    assert_eq!(posts(&site), [1]);
    let batch = site.texts("SELECT batch_id FROM intent").remove(0);
    let item = site.texts("SELECT item_id FROM item WHERE state <> 'open'").remove(0);
    let shown = serde_json::json!({ "items": [{ "item_id": item, "item_name": "a.pdf", "status": "cancelled" }] });
    let shown = InjectedFault::Verbatim(vec![("content-type", "application/json")], shown.to_string().into());
    let rule = FaultRule::new(shown).on(Endpoint::ListItems).containing(&batch).without("status=");
    site.cloud.set_faults(vec![rule]);
    for _ in 0..12 {
        cycle(&site, &mut worker, 20).await;
    }
    assert_eq!((outcomes(&site, "cancelled"), outcomes(&site, "recovered")), (1, 29));
    let again = site.texts(&format!("SELECT state FROM item WHERE item_id = '{item}' AND attempts = 1"));
    assert_eq!(again, ["open"], "that one is left to a person");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_document_is_left_out_and_the_others_are_retried() {
    let (site, mut worker) = site(world(100, 10), AUTO).await;
    worker.scan(site.now()).await.unwrap();
    let bad = site.texts("SELECT item_id FROM item WHERE state = 'open' ORDER BY item_id LIMIT 1").remove(0);
    site.cloud.world().delete_file(&bad);
    for _ in 0..12 {
        cycle(&site, &mut worker, 20).await;
    }
    assert_eq!(outcomes(&site, "recovered"), 9);
    assert_eq!(site.texts("SELECT item_id FROM refused_item JOIN item USING (item_key)"), [bad]);
    assert!(site.cloud.world().paid_twice().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_whose_parameters_are_refused_rests_as_after_a_lost_probe() {
    let (site, mut worker) = site(world(100, 10), AUTO).await;
    site.cloud.set_faults(vec![FaultRule::new(InjectedFault::Status(422)).on(Endpoint::CreateBatch)]);
    for _ in 0..5 {
        cycle(&site, &mut worker, 10).await;
    }
    assert_eq!(posts(&site).len(), 1);
    assert!(site.texts("SELECT item_key || '' FROM refused_item").is_empty(), "no document is to blame");
    for _ in 0..3 {
        cycle(&site, &mut worker, 20).await;
    }
    assert_eq!(posts(&site).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn posts_that_make_no_batch_one_after_the_other_are_reported_until_one_does() {
    let (site, mut worker) = site(world(100, 10), AUTO).await;
    site.cloud.set_faults(vec![FaultRule::new(InjectedFault::Status(500)).on(Endpoint::CreateBatch)]);
    for _ in 0..3 {
        cycle(&site, &mut worker, 20).await;
    }
    assert_eq!(open_faults(&site, "unheard").len(), 0, "one is an accident");
    for _ in 0..15 {
        cycle(&site, &mut worker, 20).await;
    }
    let told = open_faults(&site, "unheard").remove(0);
    assert!(told.starts_with("the last ") && told.contains("made no batch"), "{told}");
    site.cloud.set_faults(Vec::new());
    for _ in 0..6 {
        cycle(&site, &mut worker, 20).await;
    }
    assert_eq!(open_faults(&site, "unheard").len(), 0);
    assert!(outcomes(&site, "recovered") > 0);
}

/// Posts of twelve hours in which work of the same account completes all the time.
async fn posts_while_others_work(refused: u16) -> (Site, usize) {
    let mut builder = WorldBuilder::new().batch("b1").items(100, "fine", ScriptedCause::Succeeds);
    for n in 0..10 {
        builder = builder.item(&format!("i{n}")).fails_until(2, BUSY);
    }
    for hour in 0..13 {
        builder = builder.batch(&format!("later{hour}")).made_ago(SignedDuration::from_hours(-hour));
        builder = builder.items(2, &format!("later{hour}-"), ScriptedCause::Succeeds);
    }
    let (site, mut worker) = site(builder.build(), AUTO).await;
    site.cloud.set_faults(vec![FaultRule::new(InjectedFault::Status(refused)).on(Endpoint::CreateBatch)]);
    for _ in 0..36 {
        cycle(&site, &mut worker, 20).await;
    }
    let tries = site.texts("SELECT intent_id FROM intent").len();
    assert_eq!(open_faults(&site, "account").len(), 1, "{refused}");
    worker.ledger.close().await.unwrap();
    site.cloud.set_faults(Vec::new());
    (site, tries)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_refuses_posts_is_tried_less_often_each_time_whatever_others_complete() {
    let (site, tries) = posts_while_others_work(402).await;
    assert!((2..=5).contains(&tries), "{tries}");
    let told = open_faults(&site, "account").remove(0);
    assert!(
        told.contains("once new work of the account completes") && told.contains("reprocess resume default"),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_key_is_tried_again_only_after_it_was_replaced() {
    let (site, tries) = posts_while_others_work(403).await;
    assert_eq!(tries, 1);
    let marks = site.texts("SELECT refused_access FROM account");
    assert!(marks.len() == 1 && marks[0].len() == 16, "{marks:?}");
    // As if the one in use had been given since.
    let connection = rusqlite::Connection::open(site.path("ledger.db")).unwrap();
    connection.execute("UPDATE account SET refused_access = 'another'", ()).unwrap();
    drop(connection);
    let mut worker = site.worker().await;
    for _ in 0..6 {
        cycle(&site, &mut worker, 20).await;
    }
    assert_eq!((outcomes(&site, "recovered"), is_stopped(&site)), (10, false));
    assert_eq!(open_faults(&site, "account").len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn waits_that_a_clock_ahead_began_end_soon_after_it_is_right() {
    let (site, mut worker) = site(world(100, 10), AUTO).await;
    let ahead = site.now() + SignedDuration::from_hours(30 * 24);
    let hold = move |tx: &llama_triage::internals::ledger::Transaction<'_>| {
        let sql = "INSERT INTO account (project_key, wait_until, asked_at) VALUES (1, ?1 + 1800000, ?1)";
        Ok(tx.execute(sql, [ahead.as_millisecond()])?)
    };
    worker.ledger.write(hold).await.unwrap();
    let now = site.now();
    let right = Right { now, next_digest: None, set_back: true };
    worker.ledger.write(move |tx| store_clock_skew::set_right(tx, right)).await.unwrap();
    cycle(&site, &mut worker, 20).await;
    assert_eq!(posts(&site), Vec::<usize>::new(), "it waits for as long as it would have waited");
    for _ in 0..6 {
        cycle(&site, &mut worker, 20).await;
    }
    assert_eq!((outcomes(&site, "recovered"), is_stopped(&site)), (10, false));
}
