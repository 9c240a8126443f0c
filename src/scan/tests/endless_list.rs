//! A batch list that never ends: it is named soon, and what its batches count themselves is not asked for.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::ledger::Ledger;
use crate::llamacloud::tests::fake::{FakeCloud, RecordedCall, ok};
use crate::model::classified::{Classified, ClassifiedGroup};
use crate::scan::job_list::{MOST_DUE, MOST_READ_OF_CUT};
use crate::scan::{Watched, restore_grouper, scan};

/// One batch of a hundred has a failed item.
const ONE_OF: usize = 100;

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
async fn an_endless_list_is_named_at_once_and_only_failures_are_asked_for() {
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
    };
    let mut grouper = restore_grouper(&ledger).await.unwrap();
    let classify = |_: &ClassifiedGroup<'_>| Classified { class: "transient".to_owned(), rule: None };
    let now = Timestamp::from_second(1_790_000_001).unwrap();
    let scans = scan(&ledger, &[project], &HashMap::new(), &mut grouper, &classify, now).await.unwrap();
    let scan = &scans[0];
    let error = scan.error.as_deref().unwrap_or_default();
    assert!(!scan.complete && error.contains("it had not ended after 20000 batches"), "{scan:?}");
    let failing = MOST_DUE / ONE_OF;
    assert!(failing < MOST_READ_OF_CUT);
    assert_eq!(scan.items_new, failing as u64, "what failed is read, the well ones beside it are recorded");
    let asked = fake.calls().iter().filter(|call| call.path.ends_with("/items")).count();
    assert!(asked <= 4 * failing, "{asked} calls for {failing} batches with failures");
}
