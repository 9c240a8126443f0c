//! Single rules of a scan against a model of LlamaCloud in memory.

mod cloud_in_memory;
mod endless_list;
mod growth;
mod source;
mod worlds;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

use crate::grouping::grouper::Subject;
use crate::ledger::{Ledger, open};
use crate::model::classified::Classified;
use crate::model::schedule::overdue::OverdueLimit;
use crate::scan::source::Watched;
use crate::scan::summary::ScanSummary;
use crate::scan::tests::cloud_in_memory::{Change, MemoryFault, MemoryOutcome, Model, time};
use crate::scan::{restore_grouper, scan};

/// A ledger and the projects it watches.
struct Site {
    folder: TempDir,
    ledger: Ledger,
    models: Vec<Arc<Model>>,
}

impl Site {
    async fn new(projects: usize) -> Site {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(&folder.path().join("ledger.db")).await.unwrap();
        Site { folder, ledger, models: (0..projects).map(|_| Arc::new(Model::default())).collect() }
    }

    fn apply(&self, changes: &[Change]) {
        changes.iter().for_each(|change| self.models[0].world().apply(change));
    }

    async fn scan(&self) -> Vec<ScanSummary> {
        self.scan_naming(&[]).await
    }

    /// The same after events that named these batches.
    async fn scan_naming(&self, batches: &[&str]) -> Vec<ScanSummary> {
        let named = batches.iter().map(|id| (*id).to_owned()).collect();
        let watched = |(n, model): (usize, &Arc<Model>)| Watched {
            name: format!("p{n}"),
            source: Arc::clone(model),
            look_back: Duration::from_hours(24),
            concurrency: 2,
            overdue: OverdueLimit::default(),
        };
        let projects: Vec<_> = self.models.iter().enumerate().map(watched).collect();
        for model in &self.models {
            let mut world = model.world();
            world.clock += 1;
            world.requests = 0;
        }
        let now = time(self.models.iter().map(|model| model.world().clock).max().unwrap());
        let mut grouper = restore_grouper(&self.ledger).await.unwrap();
        let classify = |_: &Subject<'_>| Classified { class: "transient".to_owned(), rule: None };
        let summaries =
            scan(&self.ledger, &projects, &HashMap::from([("p0".to_owned(), named)]), &mut grouper, &classify, now)
                .await
                .unwrap();
        for model in &self.models {
            model.world().faults.clear();
        }
        summaries
    }

    fn ask(&self, sql: &str) -> String {
        let connection = open::reader(&self.folder.path().join("ledger.db")).unwrap();
        let sql = format!("SELECT ifnull(group_concat(x, ' '), '') FROM ({sql})");
        connection.query_row(&sql, (), |row| row.get(0)).unwrap()
    }

    fn states(&self) -> String {
        self.ask("SELECT item_id || ':' || state AS x FROM item ORDER BY item_id")
    }
}

fn new_batch(directory: Option<u8>, items: &[u8]) -> Change {
    Change::NewBatch { directory, items: items.to_vec() }
}

fn set(batch: usize, item: u8, to: MemoryOutcome) -> Change {
    Change::Move { batch, item, to }
}

fn finish(batch: usize) -> Change {
    Change::Finish { batch }
}

/// In the steps of the model's clock.
const DAY: i64 = 86_400;

const FAILED: MemoryOutcome = MemoryOutcome::Failed(Some(1));

#[tokio::test]
async fn an_account_where_nothing_changed_costs_only_the_job_list() {
    let site = Site::new(1).await;
    site.apply(&[new_batch(None, &[1, 2, 3]), set(0, 1, FAILED), set(0, 2, MemoryOutcome::Completed), finish(0)]);
    assert!(site.scan().await[0].requests > 2);
    let again = site.scan().await.remove(0);
    assert_eq!((again.batches_read, again.complete), (0, true));
    assert_eq!(again.requests, 1);
}

#[tokio::test]
async fn a_batch_that_an_event_named_is_read_however_old_it_is_and_whatever_is_known_of_it() {
    let site = Site::new(1).await;
    site.apply(&[new_batch(None, &[1, 2]), set(0, 1, FAILED), finish(0)]);
    site.models[0].world().clock += 3 * DAY;
    assert_eq!(site.scan().await[0].batches_read, 0);
    assert_eq!(site.states(), "", "made before the window, and nobody has followed it");
    assert_eq!(site.scan_naming(&["b0"]).await[0].batches_read, 1);
    assert_eq!(site.states(), "i1:open");
    assert_eq!(site.scan().await[0].batches_read, 0);
    assert_eq!(site.scan_naming(&["b0"]).await[0].batches_read, 1, "settled or not");

    site.apply(&[new_batch(None, &[3]), set(1, 3, FAILED), finish(1), Change::Delete { batch: 1 }]);
    let unknown = site.scan_naming(&["b1"]).await.remove(0);
    assert_eq!((unknown.batches_read, unknown.complete), (0, true), "an id that the API does not know is ignored");
    assert_eq!(site.ask("SELECT batch_id AS x FROM batch"), "b0");
}

#[tokio::test]
async fn a_named_batch_of_another_project_is_no_news_and_no_fault_of_this_one() {
    let site = Site::new(1).await;
    site.apply(&[new_batch(None, &[1]), set(0, 1, FAILED), finish(0)]);
    site.models[0].world().clock += 3 * DAY;
    site.apply(&[new_batch(None, &[2]), finish(1)]);
    site.scan().await;
    site.models[0].world().foreign = Some(0);
    site.scan_naming(&["b0"]).await;
    assert_eq!(site.states(), "", "the same key sees it");
    site.models[0].world().foreign = None;
    // The job list takes two requests: one more for its end.
    site.models[0].world().faults = vec![(3, MemoryFault::Unauthorized)];
    let refused = site.scan_naming(&["b0"]).await.remove(0);
    assert_eq!((refused.complete, refused.refused), (true, false), "{:?}", refused.error);
    assert_eq!(site.states(), "");
    site.scan_naming(&["b0"]).await;
    assert_eq!(site.states(), "i1:open");
}

#[tokio::test]
async fn a_running_batch_is_read_on_every_scan() {
    let site = Site::new(1).await;
    site.apply(&[new_batch(None, &[1, 2]), set(0, 1, FAILED)]);
    site.scan().await;
    site.apply(&[set(0, 2, FAILED)]);
    let again = site.scan().await.remove(0);
    assert_eq!((again.batches_read, again.items_listed, again.items_new), (1, 2, 1));
}

#[tokio::test]
async fn an_item_that_is_no_longer_listed_recovers_only_if_it_completed() {
    let site = Site::new(1).await;
    site.apply(&[new_batch(None, &[1, 2, 3]), set(0, 1, FAILED), set(0, 2, FAILED), set(0, 3, FAILED)]);
    site.scan().await;
    site.apply(&[
        set(0, 1, MemoryOutcome::Completed),
        set(0, 2, MemoryOutcome::Pending),
        set(0, 3, MemoryOutcome::Cancelled),
    ]);
    assert_eq!(site.scan().await[0].recovered, 1);
    assert_eq!(site.states(), "i1:recovered i2:open i3:open");
    assert_eq!(site.ask("SELECT recovered_by AS x FROM item WHERE item_id = 'i1'"), "b0");
    site.apply(&[set(0, 2, MemoryOutcome::Completed), finish(0)]);
    site.scan().await;
    assert_eq!(site.states(), "i1:recovered i2:recovered i3:open");
}

#[tokio::test]
async fn a_newer_batch_that_completed_the_item_recovers_it() {
    let site = Site::new(1).await;
    site.apply(&[new_batch(Some(1), &[1, 2]), set(0, 1, FAILED), set(0, 2, FAILED), finish(0)]);
    site.scan().await;
    // Item 2 completes in a batch of another directory that happens to use the same id: that proves nothing.
    site.apply(&[new_batch(None, &[1]), set(1, 1, MemoryOutcome::Completed), finish(1)]);
    site.apply(&[new_batch(Some(2), &[2]), set(2, 2, MemoryOutcome::Completed), finish(2)]);
    assert_eq!(site.scan().await[0].recovered, 1);
    assert_eq!(site.states(), "i1:recovered i2:open");
    let searched = "SELECT batch_id AS x FROM batch WHERE searched_as = listed_as ORDER BY x";
    assert_eq!(site.ask(searched), "b1 b2", "what was searched once is not searched again");
}

#[tokio::test]
async fn an_older_batch_that_completed_the_item_proves_nothing() {
    let site = Site::new(1).await;
    site.apply(&[new_batch(None, &[1]), new_batch(None, &[1]), set(1, 1, FAILED), set(0, 1, MemoryOutcome::Completed)]);
    site.apply(&[finish(0), finish(1)]);
    assert_eq!(site.scan().await[0].recovered, 0);
    assert_eq!(site.states(), "i1:open");
}

#[tokio::test]
async fn an_unfinished_batch_that_vanished_is_asked_for_during_a_day_and_its_items_stay_open() {
    let site = Site::new(1).await;
    site.apply(&[new_batch(None, &[1]), set(0, 1, FAILED)]);
    site.scan().await;
    site.apply(&[Change::Delete { batch: 0 }]);
    assert!(site.scan().await[0].complete);
    assert_eq!(site.ask("SELECT gone_at IS NOT NULL AS x FROM batch"), "1");
    let asked_for = 1;
    assert_eq!(site.scan().await[0].requests, 1 + asked_for, "a server in trouble says of anything that it is gone");
    site.models[0].world().clock += DAY;
    assert_eq!(site.scan().await[0].requests, 1);
    assert_eq!(site.states(), "i1:open");
}

#[tokio::test]
async fn one_batch_that_fails_does_not_cost_the_others() {
    let site = Site::new(1).await;
    site.apply(&[
        new_batch(None, &[1]),
        set(0, 1, FAILED),
        finish(0),
        new_batch(None, &[2]),
        set(1, 2, FAILED),
        finish(1),
    ]);
    site.models[0].world().faults = vec![(3, MemoryFault::Server)];
    let summary = site.scan().await.remove(0);
    assert!(!summary.complete && !summary.refused);
    assert_eq!(site.states().len(), "i1:open".len());
    assert!(site.scan().await[0].complete);
    assert_eq!(site.states(), "i1:open i2:open");
}

/// The counts of the third batch of the model lie, and say what half a listing says: that there is nothing in it.
#[tokio::test]
async fn half_a_listing_is_never_taken_for_a_whole_one_even_if_the_counts_agree_with_it() {
    for fault in [MemoryFault::Incomplete, MemoryFault::Server] {
        let site = Site::new(1).await;
        (0..3).for_each(|batch| site.apply(&[new_batch(None, &[batch + 1]), set(batch.into(), batch + 1, FAILED)]));
        site.apply(&[finish(0), finish(1), finish(2)]);
        let of_listings = 2..20;
        site.models[0].world().faults = of_listings.map(|request| (request, fault)).collect();
        assert!(!site.scan().await[0].complete);
        assert_eq!(site.states(), "");
        assert!(site.scan().await[0].complete);
        assert_eq!(site.states(), "i1:open i2:open i3:open", "{fault:?}");
    }
}

#[tokio::test]
async fn a_refused_key_stops_the_scan_and_costs_no_other_project_anything() {
    let mut site = Site::new(2).await;
    for model in &site.models {
        let mut world = model.world();
        world.apply(&new_batch(None, &[1]));
        world.apply(&set(0, 1, FAILED));
    }
    site.models[0].world().faults = vec![(1, MemoryFault::Unauthorized)];
    let summaries = site.scan().await;
    assert!(summaries[0].refused && summaries[0].requests == 1);
    assert!(summaries[1].complete);
    assert_eq!(
        site.ask("SELECT name || ':' || complete AS x FROM scan JOIN project USING (project_key) ORDER BY name"),
        "p0:0 p1:1"
    );
    // The same item id in two projects is one item, with a failure in each.
    site.models.reverse();
    site.models.reverse();
    site.scan().await;
    assert_eq!(site.ask("SELECT failures AS x FROM item"), "2");
}
