//! A batch list that never ends: it is named soon, and what its batches count themselves is not asked for.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::grouping::grouper::Subject;
use crate::ledger::Ledger;
use crate::llamacloud::tests::fake::{FakeCloud, RecordedCall, ok};
use crate::model::classified::Classified;
use crate::model::schedule::overdue::OverdueLimit;
use crate::scan::job_list::{MOST_DUE, MOST_READ_OF_CUT};
use crate::scan::source::Watched;
use crate::scan::{restore_grouper, scan};

/// One batch of ten has a failed item: twice as many until the list is cut as one scan reads of a cut list.
const ONE_OF: usize = 10;

fn page(call: &RecordedCall) -> Value {
    let offset = call.number("offset").unwrap();
    let row = |n: usize| {
        let at = Timestamp::from_second(1_790_000_000 - i64::try_from(n).unwrap()).unwrap();
        json!({"id": format!("bjb-{n}"), "job_type": "parse", "status": "completed", "total_items": 3,
            "processed_items": 3, "failed_items": usize::from(n.is_multiple_of(ONE_OF)), "skipped_items": 0,
            "created_at": at, "updated_at": at, "completed_at": at})
    };
    json!({"items": (offset..offset + call.number("limit").unwrap()).map(row).collect::<Vec<_>>()})
}

#[tokio::test]
async fn an_endless_list_is_named_at_once_and_a_thousand_of_its_failing_batches_are_read() {
    let fake = FakeCloud::start(|call, _| match call.path.ends_with("/items") {
        true if call.query("status") == Some("failed") && call.number("offset") == Some(0) => {
            let id = call.path.replace('/', "-");
            ok(&json!({"items": [{"item_id": id, "item_name": "a", "status": "failed", "error_message": "boom"}]}))
        }
        true => ok(&json!({"items": []})),
        false => ok(&page(call)),
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(&folder.path().join("ledger.db")).await.unwrap();
    let project = Watched {
        name: "p".to_owned(),
        source: Arc::new(fake.cloud()),
        look_back: Duration::from_hours(24),
        concurrency: 4,
        overdue: OverdueLimit::default(),
    };
    let mut grouper = restore_grouper(&ledger).await.unwrap();
    let classify = |_: &Subject<'_>| Classified { class: "transient".to_owned(), rule: None };
    let now = Timestamp::from_second(1_790_000_001).unwrap();
    let scans = scan(&ledger, &[project], &HashMap::new(), &mut grouper, &classify, now).await.unwrap();
    let scan = &scans[0];
    let error = scan.error.as_deref().unwrap_or_default();
    assert!(!scan.complete && error.contains("not at its end after 20000 new batches"), "{scan:?}");
    const { assert!(MOST_DUE / ONE_OF > MOST_READ_OF_CUT) };
    assert_eq!(
        scan.items_new, MOST_READ_OF_CUT as u64,
        "the batches with failures, and no more of them than one scan reads"
    );
    let asked: HashSet<String> =
        fake.calls().into_iter().map(|call| call.path).filter(|path| path.ends_with("/items")).collect();
    assert_eq!(asked.len(), MOST_READ_OF_CUT, "batches without failures are recorded without being asked for");
}
