//! A pause longer than the look-back window: what failed in it is read, and what cannot be read any more is reported with its dates.

use jiff::{SignedDuration, Timestamp};
use llama_triage::internals::service::Worker;
use llama_triage::internals::simulator::{Failure, Options, ScriptedCause, Submission, WorldBuilder, default_config};

use crate::site::Site;

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// A site whose ledger knows one batch, with a look-back of a day. During the next nine days a batch fails each day.
async fn paused(options: Options) -> (Site, Worker) {
    let start: Timestamp = "2026-03-02T08:00:00Z".parse().unwrap();
    let failing = ScriptedCause::Permanent(Failure::text("the file is broken"));
    let world = WorldBuilder::at(start).batch("known").items(10, "i", failing).build();
    let site = Site::new(world, options, "look-back = \"1d\"\n").await;
    let mut worker = site.worker().await;
    assert!(worker.scan(start).await.unwrap()[0].complete);
    let mut world = site.cloud.world();
    for day in 1..10 {
        let again = Submission::of_items(0, vec![day], default_config());
        world.submit_at(start + DAY * i32::try_from(day).unwrap(), again);
    }
    world.advance(DAY * 10);
    drop(world);
    (site, worker)
}

fn observations(site: &Site) -> usize {
    site.texts("SELECT item_key || '' FROM observation").len()
}

fn lost(site: &Site) -> Vec<String> {
    site.texts("SELECT text FROM worker_fault WHERE fault LIKE 'lost:%' AND ended_at IS NULL")
}

#[tokio::test]
async fn failures_of_a_pause_longer_than_the_window_are_read() {
    let (site, mut worker) = paused(Options::default()).await;
    assert!(worker.scan(site.now()).await.unwrap()[0].complete);
    assert_eq!((observations(&site), lost(&site)), (19, Vec::new()));
}

#[tokio::test]
async fn what_the_batch_list_has_forgotten_is_reported_with_its_dates() {
    let kept = Options { keeps_batches_for: Some(DAY * 4), ..Options::default() };
    let (site, mut worker) = paused(kept).await;
    let summary = worker.scan(site.now()).await.unwrap().remove(0);
    assert!(summary.complete, "{summary:?}");
    assert_eq!(observations(&site), 10 + 4);
    let said = lost(&site);
    let wanted = "batches created from 2026-03-02 08:00 UTC to 2026-03-08 08:00 UTC can no longer be read";
    assert!(said.len() == 1 && said[0].contains(wanted), "{said:?}");
    assert!(summary.to_string().contains("can no longer be read"), "{summary}");
    worker.scan(site.now() + SignedDuration::from_mins(5)).await.unwrap();
    assert_eq!(lost(&site), said, "it stays until people know");
}

#[tokio::test]
async fn a_batch_that_ran_when_it_was_last_read_and_is_gone_is_reported() {
    let start: Timestamp = "2026-03-02T08:00:00Z".parse().unwrap();
    let world =
        WorldBuilder::at(start).batch("long").item("i").takes(SignedDuration::from_hours(9)).fails("broken").build();
    let kept = Options { keeps_batches_for: Some(DAY * 4), ..Options::default() };
    let site = Site::new(world, kept, "").await;
    let mut worker = site.worker().await;
    worker.scan(start).await.unwrap();
    site.cloud.world().advance(DAY * 6);
    worker.scan(site.now()).await.unwrap();
    let gone =
        || lost(&site).into_iter().filter(|text| text.contains("had not ended when last read")).collect::<Vec<_>>();
    assert_eq!(gone(), Vec::<String>::new(), "a server in trouble says so of anything");
    worker.scan(site.now() + SignedDuration::from_mins(61)).await.unwrap();
    let said = gone();
    assert!(
        said.len() == 1 && said[0].contains("1 batch had not ended when last read (2026-03-02 08:00 UTC)"),
        "{said:?}"
    );
}

#[tokio::test]
async fn what_failed_while_an_api_was_away_is_read_when_it_is_back() {
    let start: Timestamp = "2026-03-02T08:00:00Z".parse().unwrap();
    let failing = ScriptedCause::Permanent(Failure::text("the file is broken"));
    let world = WorldBuilder::at(start).batch("known").items(2, "i", failing).build();
    let apart = Options { apart: true, ..Options::default() };
    let site = Site::with_api("auto", world, apart, "look-back = \"1d\"\n").await;
    let mut worker = site.worker().await;
    assert!(worker.scan(start).await.unwrap()[0].complete);
    site.cloud.change_options(|options| options.v1_gone = Some(404));
    for minutes in [5, 10] {
        worker.scan(start + SignedDuration::from_mins(minutes)).await.unwrap();
    }
    site.cloud.world().submit_at(start + DAY * 2, Submission::of_items(0, vec![1], default_config()));
    site.cloud.world().advance(DAY * 10);
    assert!(worker.scan(site.now()).await.unwrap()[0].complete, "it goes on without that API");
    assert_eq!((observations(&site), lost(&site)), (2, Vec::new()));
    site.cloud.change_options(|options| options.v1_gone = None);
    assert!(worker.scan(site.now() + SignedDuration::from_mins(61)).await.unwrap()[0].complete);
    assert_eq!((observations(&site), lost(&site)), (3, Vec::new()));
}
