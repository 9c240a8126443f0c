//! Failures that stand on a batch instead of on its items: they are in the ledger, are reported, and end when the items complete.

use jiff::{SignedDuration, Timestamp};
use llama_triage::internals::simulator::{
    BatchPace, Break, Endpoint, FaultRule, InjectedFault, Options, Submission, World, WorldBuilder, batch_id,
    default_config, item_id,
};

use crate::plans;
use crate::site::{Site, files};

const WHY: &str = "workflow terminated: the worker pool was lost";

/// Batches of one item at a time, the first of which begins after ten seconds.
fn builder(now: Timestamp) -> WorldBuilder {
    WorldBuilder::at(now).pace(BatchPace { start_delay: (10, 10), item: (1, 1), lanes: 1 })
}

/// Of three items, the first has completed and two never begin.
fn world(now: Timestamp, how: Break) -> World {
    builder(now)
        .batch("b")
        .ends(SignedDuration::from_millis(10_500), how)
        .item("a")
        .item("b")
        .item("c")
        .takes(SignedDuration::from_hours(9))
        .build()
}

/// Every item with its state and message.
fn items(site: &Site) -> Vec<String> {
    site.texts(
        "SELECT i.item_id || ' ' || i.state || ': ' || coalesce(m.text, '') FROM item i
         JOIN observation o ON o.observation_key = i.observation_key LEFT JOIN message m USING (message_key) ORDER BY 1",
    )
}

fn mails(site: &Site) -> String {
    files(&site.path("mail"), ".eml").iter().map(|mail| std::fs::read_to_string(mail).unwrap()).collect()
}

const FILE: &str = "[[channel]]\nname = \"f\"\nkind = \"file\"\ndir = \"{dir}/mail\"\n[digest]\ngroup-wait = \"0s\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn items_that_never_began_because_their_batch_failed_are_reported_with_its_message() {
    let site = Site::new(world(Timestamp::now(), Break::Fails(Some(WHY.to_owned()))), Options::default(), FILE).await;
    site.command(&["cycle"]).assert().success();
    let mut wanted = [format!("{} open: {WHY}", item_id("b")), format!("{} open: {WHY}", item_id("c"))];
    wanted.sort();
    assert_eq!(items(&site), wanted);
    assert!(mails(&site).contains("worker pool was lost"), "{}", mails(&site));
}

#[tokio::test]
async fn they_recover_when_another_batch_completes_them() {
    let site =
        Site::new(world("2026-03-02T08:00:00Z".parse().unwrap(), Break::Fails(None)), Options::default(), "").await;
    let mut worker = site.worker().await;
    assert!(worker.scan(site.now()).await.unwrap()[0].complete);
    let said = "the batch failed as a whole; it does not say why";
    assert!(items(&site).iter().all(|item| item.ends_with(said)) && items(&site).len() == 2, "{:?}", items(&site));
    {
        let mut world = site.cloud.world();
        let again = Submission::of_items(0, vec![1, 2], default_config());
        let at = world.now() + SignedDuration::from_mins(1);
        world.submit_at(at, again);
        world.advance(SignedDuration::from_hours(10));
    }
    let summary = worker.scan(site.now()).await.unwrap().remove(0);
    assert_eq!((summary.complete, summary.recovered), (true, 2), "{summary:?}");
}

#[tokio::test]
async fn a_batch_that_the_service_cancelled_with_an_error_is_a_failure_and_one_that_a_user_cancelled_is_none() {
    let now = "2026-03-02T08:00:00Z".parse().unwrap();
    let site = Site::new(world(now, Break::Cancelled(WHY.to_owned())), Options::default(), "").await;
    site.worker().await.scan(site.now()).await.unwrap();
    assert_eq!(items(&site).len(), 2, "{:?}", items(&site));
    let mut by_hand = builder(now).batch("b").item("a").takes(SignedDuration::from_hours(9)).build();
    assert!(by_hand.cancel(0));
    let site = Site::new(by_hand, Options::default(), "").await;
    site.worker().await.scan(site.now()).await.unwrap();
    assert_eq!(items(&site), Vec::<String>::new());
}

#[tokio::test]
async fn what_a_completed_batch_left_waiting_is_reported_once_its_list_had_an_hour_to_catch_up() {
    let now: Timestamp = "2026-03-02T08:00:00Z".parse().unwrap();
    let short = builder(now).batch("b").made_ago(SignedDuration::from_mins(10));
    let world = short.ends(SignedDuration::from_millis(10_500), Break::EndsShort).item("a").item("b").item("c").build();
    let site = Site::new(world, Options::default(), "").await;
    let mut worker = site.worker().await;
    assert!(worker.scan(site.now()).await.unwrap()[0].complete);
    assert_eq!(items(&site), Vec::<String>::new());
    site.cloud.world().advance(SignedDuration::from_mins(61));
    assert!(worker.scan(site.now()).await.unwrap()[0].complete);
    assert_eq!(items(&site).len(), 2, "{:?}", items(&site));
    let requests = worker.scan(site.now()).await.unwrap()[0].requests;
    assert_eq!(requests, 1, "it is settled now");
}

#[tokio::test]
async fn a_failed_batch_without_items_stands_for_itself_through_both_apis() {
    for (api, id) in [("v1-beta", batch_id("b")), ("v2", llama_triage::internals::simulator::v2_batch_id("b"))] {
        let empty = builder("2026-03-02T08:00:00Z".parse().unwrap()).batch("b");
        let world = empty.ends(SignedDuration::from_secs(2), Break::Fails(Some(WHY.to_owned()))).build();
        let site = Site::with_api(api, world, Options::default(), "").await;
        assert!(site.worker().await.scan(site.now()).await.unwrap()[0].complete);
        let text = if api == "v2" { "the batch failed as a whole; it does not say which files" } else { WHY };
        assert_eq!(items(&site), [format!("{id} open: {text}")]);
    }
}

#[tokio::test]
async fn a_failed_batch_whose_items_cannot_be_listed_stands_for_them_until_they_can() {
    let now = "2026-03-02T08:00:00Z".parse().unwrap();
    let site = Site::new(world(now, Break::Fails(Some(WHY.to_owned()))), Options::default(), "").await;
    let mut worker = site.worker().await;
    site.cloud.set_faults(vec![FaultRule::new(InjectedFault::Status(404)).on(Endpoint::ListItems)]);
    assert!(!worker.scan(site.now()).await.unwrap()[0].complete);
    assert_eq!(items(&site), [format!("{} open: {WHY}", batch_id("b"))]);
    site.cloud.set_faults(Vec::new());
    assert!(worker.scan(site.now()).await.unwrap()[0].complete);
    let states = site.texts("SELECT state FROM item ORDER BY state");
    assert_eq!(
        (states, items(&site)[0].starts_with(&batch_id("b"))),
        (["open", "open", "recovered"].map(str::to_owned).to_vec(), true)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_under_way_when_its_batch_failed_is_recorded_at_once_and_not_retried_while_it_may_go_on() {
    let now = Timestamp::now();
    let busy = WorldBuilder::at(now).pace(BatchPace { start_delay: (1, 1), item: (9_000, 9_000), lanes: 2 });
    let busy = busy.batch("b").made_ago(SignedDuration::from_mins(2));
    let world =
        busy.ends(SignedDuration::from_secs(90), Break::Fails(Some(WHY.to_owned()))).item("a").item("b").build();
    let (site, mut worker) = plans::scanned(world).await;
    let mut wanted = [format!("{} open: {WHY}", item_id("a")), format!("{} open: {WHY}", item_id("b"))];
    wanted.sort();
    assert_eq!(items(&site), wanted);

    plans::approved(&site, &worker, &["a", "b"]).await;
    plans::between(&site, &mut worker, 1).await;
    assert_eq!(plans::posts(&site), 0, "they may still complete");
    site.cloud.world().advance(SignedDuration::from_mins(61));
    worker.scan(site.now()).await.unwrap();
    plans::approved(&site, &worker, &["a", "b"]).await;
    plans::between(&site, &mut worker, 1).await;
    assert!(plans::posts(&site) > 0, "an hour later nothing comes of them any more");
}
