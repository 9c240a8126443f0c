//! API v2 through the built product: what it costs, in requests, to know a finished batch.

use llama_triage::demo::{Cause, Failure, JobType, Options, World, WorldBuilder};

use crate::site::Site;

/// One finished batch of 1,000 files, of which 40 failed.
fn world(job_type: JobType) -> World {
    let builder = WorldBuilder::new().batch("big").job_type(job_type).items(960, "good", Cause::Succeeds);
    builder.items(40, "bad", Cause::Permanent(Failure::text("xref table damaged"))).build()
}

#[tokio::test]
async fn a_finished_batch_is_read_once_by_few_requests_and_then_costs_only_the_batch_list() {
    for (job_type, wanted) in [(JobType::Parse, 3), (JobType::Extract, 4)] {
        let site = Site::speaking("v2", world(job_type), Options::default(), "").await;
        let now = site.cloud.world().now();
        let first = site.worker().await.scan(now).await.unwrap().remove(0);
        assert_eq!((first.complete, first.items_new, first.requests), (true, 40, wanted), "{first:?}");
        assert_eq!(site.texts("SELECT total_items || ' ' || failed_items FROM batch"), ["1000 40"]);
        // Another process knows it, too.
        let second = site.worker().await.scan(now).await.unwrap().remove(0);
        assert_eq!((second.complete, second.batches_read, second.requests), (true, 0, 1), "{second:?}");
    }
}
