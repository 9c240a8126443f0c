//! The list of v2 batches with rows that cannot be had.

use std::ops::ControlFlow;

use axum::response::Response;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::llamacloud::error::CloudError;
use crate::llamacloud::paging::listing::ListResult;
use crate::llamacloud::tests::fake::{FakeCloud, RecordedCall, ok, status};
use crate::model::batch_api::BatchApi::V2;

const BATCHES: usize = 300;

/// Batch `n` was made `n` times seven minutes before this.
fn made(n: usize) -> Timestamp {
    let newest: Timestamp = "2026-11-23T10:00:00.5Z".parse().unwrap();
    newest - SignedDuration::from_mins(7) * i32::try_from(n).unwrap()
}

fn since() -> Timestamp {
    made(BATCHES) - SignedDuration::from_hours(40)
}

#[derive(Clone)]
struct Server {
    /// Pages with one of these rows cannot be written.
    bad: Vec<usize>,
    oldest_first: bool,
    /// Whether it looks at the bounds of time.
    filters: bool,
    /// Calls that it answers with 500 whatever they ask for.
    hiccup: std::ops::Range<usize>,
}

impl Server {
    fn answer(&self, call: &RecordedCall, before: usize) -> Response {
        if self.hiccup.contains(&before) {
            return status(500, "boom");
        }
        let bound = |name| call.query(name).filter(|_| self.filters).map(|at| at.parse::<Timestamp>().unwrap());
        let (from, until) = (bound("created_at_on_or_after"), bound("created_at_on_or_before"));
        let in_time = |at| from.is_none_or(|from| from <= at) && until.is_none_or(|until| at <= until);
        let mut rows: Vec<usize> = (0..BATCHES).filter(|n| in_time(made(*n))).collect();
        if self.oldest_first {
            rows.reverse();
        }
        let start = call.number("page_token").unwrap_or(0).min(rows.len());
        let end = (start + call.number("page_size").unwrap().min(100)).min(rows.len());
        if rows[start..end].iter().any(|n| self.bad.contains(n)) {
            return status(500, "boom");
        }
        let row = |n: &usize| json!({"id": format!("bat-{n}"), "status": "COMPLETED", "created_at": made(*n)});
        let items: Vec<Value> = rows[start..end].iter().map(row).collect();
        let token = (end < rows.len()).then(|| end.to_string());
        ok(&json!({"items": items, "next_page_token": token}))
    }
}

const WELL: Server = Server { bad: Vec::new(), oldest_first: false, filters: true, hiccup: 0..0 };

/// Which batches were shown, each once, how the list ended, and after how many requests.
async fn list(server: Server, alive: bool) -> (Vec<String>, Result<ListResult, CloudError>, usize) {
    let fake = FakeCloud::start(move |call, before| match call.path.as_str() {
        "/api/v2/batches" => server.answer(call, before - usize::from(alive)),
        _ => ok(&json!({"id": "bat-x", "status": "COMPLETED"})),
    })
    .await;
    let cloud = fake.cloud_v2();
    if alive {
        cloud.batch("bat-x").await.unwrap();
    }
    let mut shown = Vec::new();
    let listed = cloud
        .list_batches(V2, Some(since()), &mut |page| {
            shown.extend(page.into_iter().map(|batch| batch.batch_id));
            ControlFlow::Continue(())
        })
        .await;
    shown.sort();
    shown.dedup();
    (shown, listed, fake.calls().len())
}

#[tokio::test]
async fn an_unreadable_row_costs_no_other_row_and_is_reported_with_its_dates() {
    for (bad, alive) in [
        (vec![0], true),
        (vec![0], false),
        (vec![1], false),
        (vec![123], true),
        (vec![299], false),
        (vec![0, 7, 8, 250], true),
    ] {
        let (shown, listed, requests) = list(Server { bad: bad.clone(), ..WELL }, alive).await;
        let listed = listed.unwrap();
        assert_eq!((shown.len(), listed.complete), (BATCHES - bad.len(), true), "{bad:?}: {listed:?}");
        assert!(bad.iter().all(|n| !shown.contains(&format!("bat-{n}"))), "{bad:?}");
        assert!(listed.unreadable >= 1, "{bad:?}: {listed:?}");
        let why = listed.why_unreadable.unwrap();
        assert!(why.contains("cannot be had") && why.contains("500"), "{why}");
        if bad == [123] {
            assert!(why.contains("made between 2026-11-22 19:38:59 UTC and 2026-11-22 19:46:00 UTC"), "{why}");
        }
        assert!(requests < 60 * bad.len() + 20, "{requests} requests for {bad:?}");
    }
}

#[tokio::test]
async fn nothing_is_passed_over_where_it_is_not_proved_what_is_left() {
    let bad = vec![123];
    for server in [
        Server { bad: vec![299], oldest_first: true, ..WELL },
        Server { bad: bad.clone(), oldest_first: true, ..WELL },
        Server { bad, filters: false, ..WELL },
        Server { bad: (0..BATCHES).collect(), ..WELL },
    ] {
        let (_, listed, requests) = list(server.clone(), true).await;
        assert!(listed.is_err(), "{:?} {listed:?}", server.bad);
        assert!(requests < 100, "{requests} requests for {:?}", server.bad);
    }
    let (_, listed, requests) = list(Server { hiccup: 0..1_000, ..WELL }, false).await;
    assert!(listed.is_err() && requests < 12, "a server that is down is not asked for long: {requests}");
}

#[tokio::test]
async fn a_list_that_fails_for_a_moment_is_taken_up_where_it_stopped() {
    let (shown, listed, _) = list(Server { hiccup: 1..7, ..WELL }, true).await;
    let listed = listed.unwrap();
    assert_eq!((shown.len(), listed.complete, listed.unreadable), (BATCHES, true, 0), "{listed:?}");
}
