//! No statement of a scan costs more because there is more: on a ledger where one hour, one group, one directory and one
//! batch each hold everything, and on one that holds four times that.

use super::*;
use crate::ledger::tests::seed::{crowd_sql, recount};
use crate::ledger::tests::steps::{self, Steps};

/// More than any statement looks at.
const FEW: u64 = 2_500;

/// The steps of a scan that finds a new batch with a failure and a success, beside so many open items of the batch before it
/// and so many batches before that.
async fn scan_after_outage(items: u64, batches: u64) -> Steps {
    let site = Site::new(1).await;
    site.apply(&[new_batch(Some(1), &[1, 2]), set(0, 1, FAILED), finish(0)]);
    site.scan().await;
    let group = site.ask("SELECT group_id AS x FROM error_group");
    let old = time(0).as_millisecond();
    let prepare = move |tx: &crate::ledger::Transaction<'_>| {
        tx.execute_batch(&crowd_sql(&group, "b0", items, time(3)))?;
        recount(tx);
        tx.execute_batch(&format!(
            "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {batches})
             INSERT INTO batch (project_key, batch_id, job_type, directory_id, status, total_items, failed_items, created_at,
                 first_seen, last_seen, listed_at, listed_as, listing_state, searched_as)
             SELECT 1, 'old' || n, 'parse', 'd1', 'completed', 2, 1, {old} - n, {old}, {old}, {old}, 'x', 'settled', 'x' FROM n"
        ))?;
        Ok(())
    };
    site.ledger.write(prepare).await.unwrap();
    site.ledger.count_steps().await;
    site.apply(&[new_batch(Some(1), &[1, 3]), set(1, 3, FAILED), set(1, 1, MemoryOutcome::Completed), finish(1)]);
    assert_eq!(site.scan().await[0].recovered, 1);
    site.ledger.take_steps().await
}

#[tokio::test]
async fn no_statement_of_a_scan_grows_with_what_is_open() {
    let grown = steps::grown(&scan_after_outage(FEW, 1).await, &scan_after_outage(4 * FEW, 1).await);
    assert_eq!(grown, Vec::<String>::new(), "{grown:#?}");
}

/// What the job list is compared with: a row of each batch, once a scan.
const OF_EVERY_BATCH: &str = "FROM batch b LEFT JOIN unread u";

#[tokio::test]
async fn no_statement_of_a_scan_grows_with_the_batches_before_it() {
    let mut grown = steps::grown(&scan_after_outage(10, FEW).await, &scan_after_outage(10, 4 * FEW).await);
    grown.retain(|found| !found.contains(OF_EVERY_BATCH));
    assert_eq!(grown, Vec::<String>::new(), "{grown:#?}");
}
