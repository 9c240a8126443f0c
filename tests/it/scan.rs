//! Scanning the simulated LlamaCloud: the ledger holds what the cloud ever showed, whatever the paging.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use llama_triage::internals::simulator::{
    EntryOrder, Options, PagingOptions, TokenStyle, TotalStyle, believable_account,
};

use crate::site::Site;

/// What the cloud served, as (item, batch, status).
fn served(site: &Site) -> BTreeSet<String> {
    let world = site.cloud.world();
    let shown = |f: &llama_triage::internals::simulator::ShownFailure| {
        format!("{} {} {}", f.item_id, f.batch_id, format!("{:?}", f.status).to_lowercase())
    };
    world.truth().served_failures().map(shown).collect()
}

fn recorded(site: &Site) -> BTreeSet<String> {
    site.texts(
        "SELECT i.item_id || ' ' || b.batch_id || ' ' || o.kind FROM observation o
         JOIN item i USING (item_key) JOIN batch b USING (batch_key) WHERE o.kind IN ('failed', 'skipped')",
    )
    .into_iter()
    .collect()
}

async fn scan_two_days(options: Options) -> Site {
    let start = "2026-03-01T00:00:00Z".parse().unwrap();
    let site = Site::new(believable_account(7, start), options, "").await;
    let mut worker = site.worker().await;
    for hour in 0..12 {
        let now = start + SignedDuration::from_hours(hour * 4);
        site.cloud.world().advance_to(now);
        for summary in worker.scan(now).await.unwrap() {
            assert!(summary.complete, "{summary:?}");
        }
    }
    site
}

#[tokio::test]
async fn everything_that_the_cloud_served_is_in_the_ledger() {
    let site = scan_two_days(Options::default()).await;
    let truth = served(&site);
    assert!(truth.len() > 300, "the account has failures: {}", truth.len());
    assert_eq!(recorded(&site), truth);
}

#[tokio::test]
async fn no_paging_style_hides_a_failure() {
    let plain: BTreeSet<String> = recorded(&scan_two_days(Options::default()).await);
    let styles = [
        PagingOptions { total: TotalStyle::Null, token: TokenStyle::Absent, cap: Some(37), ..PagingOptions::default() },
        PagingOptions {
            total: TotalStyle::Exact,
            token: TokenStyle::Empty,
            order: EntryOrder::OldestFirst,
            ..PagingOptions::default()
        },
    ];
    for paging in styles {
        let site = scan_two_days(Options { paging, ..Options::default() }).await;
        assert_eq!(recorded(&site), plain);
    }
}
