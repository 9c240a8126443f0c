//! What reading a finished v2 batch of 1,000 files costs, on servers of all kinds.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use axum::response::IntoResponse;
use serde_json::json;

use crate::llamacloud::Cloud;
use crate::llamacloud::paging::listing::Depth;
use crate::llamacloud::tests::fake::{FakeCloud, keep, ok, status};
use crate::llamacloud::tests::v2_server::{FILES, PLAIN, V2Server};
use crate::model::batch::Batch;
use crate::model::item::Kind;

/// Requests for reading the batch; all of its failures must be found, with their names.
async fn requests(server: V2Server) -> usize {
    let (fake, cloud) = server.start().await;
    let batch = finished(&cloud).await;
    let before = fake.calls().len();
    let mut rows = Vec::new();
    let listed =
        cloud.list_items(&batch, Kind::Failed, Depth::Changes, &mut |page| keep(&mut rows, page)).await.unwrap();
    assert!(listed.complete && listed.counted.is_some(), "{listed:?}");
    assert_eq!(rows.len(), FILES.div_ceil(server.failing));
    assert!(rows.iter().all(|row| row.item_name == format!("{}.pdf", &row.item_id[4..])), "{:?}", rows[0]);
    fake.calls().len() - before
}

async fn finished(cloud: &Cloud) -> Batch {
    cloud.batch("bat-1").await.unwrap().unwrap()
}

#[tokio::test]
async fn a_finished_batch_of_1000_files_costs_at_most_eight_requests() {
    let extract = V2Server { product: "extract", ..PLAIN };
    for (what, server, wanted) in [
        ("parse", PLAIN, 2),
        ("parse, short lines", V2Server { line: 8_000, ..PLAIN }, 2),
        ("parse, short lines, 90 older jobs", V2Server { line: 8_000, older: 90, ..PLAIN }, 3),
        ("parse, other work", V2Server { others: 3, ..PLAIN }, 5),
        ("parse, all jobs older", V2Server { older: FILES, ..PLAIN }, 6),
        ("parse, pages of 100", V2Server { page: 100, ..PLAIN }, 5),
        ("parse, pages of 100, 90 older jobs", V2Server { page: 100, older: 90, ..PLAIN }, 5),
        ("parse, pages of 100, many failures before", V2Server { page: 100, history: 5000, ..PLAIN }, 6),
        ("parse, pages of 100, a long queue", V2Server { page: 100, waiting: 500, ..PLAIN }, 8),
        ("parse, no page over 100", V2Server { page: 100, files_page: 100, refuses: true, ..PLAIN }, 5),
        ("parse, pages of 100, no names", V2Server { page: 100, named: false, ..PLAIN }, 6),
        ("parse, no page of jobs over 100, no names", V2Server { page: 100, refuses: true, named: false, ..PLAIN }, 6),
        ("parse, pages of 100, all jobs older", V2Server { page: 100, older: FILES, ..PLAIN }, 6),
        ("extract", extract, 3),
        ("extract, all jobs older", V2Server { older: FILES, ..extract }, 7),
        ("extract, short lines", V2Server { line: 8_000, ..extract }, 3),
        ("extract, short lines, 90 older jobs", V2Server { line: 8_000, older: 90, ..extract }, 4),
        ("extract, short lines, other work", V2Server { line: 8_000, others: 3, ..extract }, 6),
        ("extract, pages of 200", V2Server { page: 200, files_page: 200, ..extract }, 7),
        ("extract, pages of 100", V2Server { page: 100, files_page: 100, ..extract }, 7),
        ("extract, pages of 100, three fail", V2Server { page: 100, files_page: 100, failing: 400, ..extract }, 7),
        ("extract, pages of 100 jobs", V2Server { page: 100, ..extract }, 7),
        ("extract, pages of 100 jobs, no names", V2Server { page: 100, named: false, ..extract }, 8),
        ("extract, pages of 100 files", V2Server { files_page: 100, ..extract }, 5),
        ("extract, no page of files over 100", V2Server { files_page: 100, refuses: true, ..extract }, 6),
        ("extract, no page over 100", V2Server { page: 100, files_page: 100, refuses: true, ..extract }, 7),
    ] {
        let made = requests(server).await;
        println!("{what}: {made} requests");
        assert_eq!(made, wanted, "{what}");
        assert!(made <= 8);
    }
}

/// What a thousand rows take that come a hundred at a time, or names that only such pages hold, is no choice of ours.
#[tokio::test]
async fn where_a_thousand_rows_are_wanted_in_pages_of_100_little_is_asked_beyond_them() {
    let small = V2Server { page: 100, files_page: 100, ..PLAIN };
    let extract = V2Server { product: "extract", ..small };
    for (what, server, wanted) in [
        ("parse, all fail", V2Server { failing: 1, ..small }, 1 + 10),
        ("parse, all fail, no names", V2Server { failing: 1, named: false, ..small }, 1 + 10 + 10),
        ("parse, no names", V2Server { named: false, ..small }, 5 + 10),
        ("extract, all fail", V2Server { failing: 1, ..extract }, 1 + 10 + 10),
        ("extract, no names", V2Server { named: false, ..extract }, 7 + 10),
    ] {
        let made = requests(server).await;
        println!("{what}: {made} requests");
        assert_eq!(made, wanted, "{what}");
    }
}

#[tokio::test]
async fn what_was_learnt_of_a_server_is_not_learnt_again() {
    let small = V2Server { page: 100, files_page: 100, refuses: true, ..PLAIN };
    for (what, server, first, second) in [
        ("parse", small, 5, 4),
        ("extract, no names", V2Server { product: "extract", named: false, ..small }, 8 + 10, 5),
        ("parse, many failures before", V2Server { history: 5000, ..small }, 6, 4),
        ("extract, many failures before", V2Server { product: "extract", history: 5000, ..small }, 8, 5),
    ] {
        let (fake, cloud) = server.start().await;
        let mut made = Vec::new();
        for _ in 0..2 {
            let batch = finished(&cloud).await;
            let before = fake.calls().len();
            cloud
                .list_items(&batch, Kind::Failed, Depth::Changes, &mut |page| keep(&mut Vec::new(), page))
                .await
                .unwrap();
            made.push(fake.calls().len() - before);
        }
        assert_eq!(made, [first, second], "{what}");
    }
}

#[tokio::test]
async fn batches_that_were_shown_before_share_the_question_for_open_jobs() {
    let small = V2Server { page: 100, files_page: 100, ..PLAIN };
    for (server, first, later) in [(small, 5, 2), (V2Server { product: "extract", ..small }, 7, 2)] {
        let (fake, cloud) = server.start().await;
        let batch = finished(&cloud).await;
        for wanted in [first, later, later] {
            let before = fake.calls().len();
            let listed = cloud
                .list_items(&batch, Kind::Failed, Depth::Changes, &mut |page| keep(&mut Vec::new(), page))
                .await
                .unwrap();
            assert_eq!((fake.calls().len() - before, listed.counted.map(|counted| counted.failed)), (wanted, Some(50)));
        }
    }
}

/// What was open is known of batches that were shown before it was asked, and of no others.
#[tokio::test]
async fn a_batch_that_was_shown_after_the_question_for_open_jobs_is_asked_for_again() {
    let quiet = V2Server { page: 100, ..PLAIN };
    let server = Arc::new(Mutex::new(quiet));
    let answering = Arc::clone(&server);
    let fake = FakeCloud::start(move |call, _| answering.lock().unwrap().answer(call)).await;
    let cloud = fake.cloud_v2();
    let settled = async |batch: &Batch| {
        let listed = cloud
            .list_items(batch, Kind::Failed, Depth::Changes, &mut |page| keep(&mut Vec::new(), page))
            .await
            .unwrap();
        listed.counted.is_some()
    };
    let batch = finished(&cloud).await;
    assert!(settled(&batch).await);
    *server.lock().unwrap() = V2Server { odd: "RUNNING", ..quiet };
    let batch = finished(&cloud).await;
    assert!(!settled(&batch).await, "shown by its id");
    *server.lock().unwrap() = quiet;
    let batch = finished(&cloud).await;
    assert!(settled(&batch).await);
    *server.lock().unwrap() = V2Server { odd: "PENDING", ..quiet };
    let mut batches = Vec::new();
    let mut page = |shown: Vec<Batch>| {
        batches.extend(shown);
        ControlFlow::Continue(())
    };
    cloud.list_batches(cloud.apis()[0], None, &mut page).await.unwrap();
    assert!(!settled(&batches[0]).await, "shown by a list");
}

/// A job that is open in a way that no one can ask for is found by the proof.
#[tokio::test]
async fn a_narrow_reading_is_no_proof_and_a_proof_shows_every_job() {
    for product in ["parse", "extract"] {
        for (odd, settled) in [("COMPLETED", true), ("QUEUED", false)] {
            let (_fake, cloud) = V2Server { page: 100, odd, product, ..PLAIN }.start().await;
            let batch = finished(&cloud).await;
            let mut read = Vec::new();
            for depth in [Depth::Changes, Depth::Proof] {
                let page = &mut |page| keep(&mut Vec::new(), page);
                let listed = cloud.list_items(&batch, Kind::Failed, depth, page).await.unwrap();
                read.push((listed.unproven, listed.counted.is_some(), listed.only_odd, listed.odd));
            }
            assert_eq!(
                read,
                [(true, true, false, 0), (false, settled, !settled, u64::from(!settled))],
                "{product} {odd}"
            );
        }
        let (_fake, cloud) = V2Server { product, odd: "QUEUED", ..PLAIN }.start().await;
        let batch = finished(&cloud).await;
        let page = &mut |page| keep(&mut Vec::new(), page);
        let listed = cloud.list_items(&batch, Kind::Failed, Depth::Changes, page).await.unwrap();
        assert!(!listed.unproven, "where pages are large it is one at once");
        assert!(listed.why_odd.unwrap().contains("QUEUED"));
    }
}

/// Where too many jobs of the project have failed, those that failed before their batch began are left to the proof.
#[tokio::test]
async fn a_failed_job_that_is_older_than_its_batch_is_found_by_the_proof_at_the_latest() {
    let (_fake, cloud) = V2Server { page: 100, older: 300, history: 5000, ..PLAIN }.start().await;
    let batch = finished(&cloud).await;
    let mut found = Vec::new();
    // The first reading finds out how many have failed before.
    for depth in [Depth::Changes, Depth::Changes, Depth::Proof] {
        let mut rows = Vec::new();
        let listed = cloud.list_items(&batch, Kind::Failed, depth, &mut |page| keep(&mut rows, page)).await.unwrap();
        found.push((rows.len(), listed.unproven));
    }
    assert_eq!(found, [(50, true), (35, true), (50, false)]);
}

/// A job ends between two requests, and is seen all the same: open ones are asked for before failed ones.
#[tokio::test]
async fn a_job_that_fails_while_the_batch_is_read_is_not_missed() {
    for status in ["PENDING", "RUNNING"] {
        let server = V2Server { page: 100, odd: status, ..PLAIN };
        let fake = FakeCloud::start(move |call, before| {
            // The batch twice, a page of its time, and a list of open jobs: then it fails.
            let server = if before > 3 { V2Server { odd: "FAILED", ..server } } else { server };
            server.answer(call)
        })
        .await;
        let cloud = fake.cloud_v2();
        let batch = finished(&cloud).await;
        let mut rows = Vec::new();
        let listed =
            cloud.list_items(&batch, Kind::Failed, Depth::Changes, &mut |page| keep(&mut rows, page)).await.unwrap();
        let seen = rows.iter().any(|row| row.item_id == "dfl-501");
        assert!(seen || listed.counted.is_none(), "{status}: missed, and the batch is settled");
        let asked: Vec<String> =
            fake.calls().iter().filter_map(|call| call.query("status").map(str::to_owned)).collect();
        assert_eq!(asked.last().map(String::as_str), Some("FAILED"), "{asked:?}");
    }
}

/// One that refuses to list open jobs of the whole project, or whose list of them cannot be read, still answers by id.
#[tokio::test]
async fn where_open_jobs_cannot_be_listed_nothing_is_missed_and_nothing_settled() {
    for odd in ["COMPLETED", "RUNNING"] {
        for broken in [status(400, "no such status"), ok(&json!({"items": [{"status": "RUNNING"}]}))] {
            let broken = (broken.status(), axum::body::to_bytes(broken.into_body(), 1000).await.unwrap());
            let server = V2Server { page: 100, odd, ..PLAIN };
            let fake = FakeCloud::start(move |call, _| {
                let open = call.query("status").is_some_and(|status| status != "FAILED");
                match open && call.query("job_ids").is_none() {
                    true => (broken.0, broken.1.clone()).into_response(),
                    false => server.answer(call),
                }
            })
            .await;
            let cloud = fake.cloud_v2();
            let batch = finished(&cloud).await;
            let mut rows = Vec::new();
            let listed = cloud
                .list_items(&batch, Kind::Failed, Depth::Changes, &mut |page| keep(&mut rows, page))
                .await
                .unwrap();
            assert_eq!(rows.len(), FILES / 20);
            assert_eq!(listed.counted.is_some(), odd == "COMPLETED", "{listed:?}");
        }
    }
}

/// A server that does not know a filter shows everything: words are believed, and nothing is taken for failed.
#[tokio::test]
async fn a_status_filter_that_is_ignored_makes_no_failures() {
    let server = V2Server { page: 100, ..PLAIN };
    let fake = FakeCloud::start(move |call, _| {
        let mut call = call.clone();
        call.query.retain(|(name, _)| name != "status");
        server.answer(&call)
    })
    .await;
    let cloud = fake.cloud_v2();
    let batch = finished(&cloud).await;
    let mut rows = Vec::new();
    cloud.list_items(&batch, Kind::Failed, Depth::Changes, &mut |page| keep(&mut rows, page)).await.unwrap();
    assert_eq!(rows.len(), FILES / 20);
}

#[tokio::test]
async fn a_batch_with_a_job_that_may_still_fail_is_not_settled() {
    for odd in ["RUNNING", "PENDING"] {
        for server in
            [V2Server { odd, ..PLAIN }, V2Server { odd, page: 100, ..PLAIN }, V2Server { odd, older: FILES, ..PLAIN }]
        {
            let (_fake, cloud) = server.start().await;
            let batch = finished(&cloud).await;
            let listed = cloud
                .list_items(&batch, Kind::Failed, Depth::Changes, &mut |page| keep(&mut Vec::new(), page))
                .await
                .unwrap();
            assert!(listed.complete && listed.counted.is_none() && !listed.only_odd, "{odd} {}", server.page);
        }
    }
}

#[tokio::test]
async fn a_job_with_a_status_of_the_future_has_failed_if_the_server_lists_it_as_such() {
    let fake = FakeCloud::start(|call, _| match call.query("status") {
        Some("FAILED") => ok(&json!({"items": [{"id": PLAIN.job_id(1), "status": "BROKEN_DOWN"}]})),
        _ if call.path == "/api/v2/parse" => {
            ok(&json!({"items": [{"id": PLAIN.job_id(1), "status": "BROKEN_DOWN"}, {"id": PLAIN.job_id(2), "status": "PAUSED"}]}))
        }
        _ => ok(&PLAIN.batch()),
    })
    .await;
    let cloud = fake.cloud_v2();
    let batch = finished(&cloud).await;
    let mut rows = Vec::new();
    let listed =
        cloud.list_items(&batch, Kind::Failed, Depth::Changes, &mut |page| keep(&mut rows, page)).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.item_id.as_str()).collect::<Vec<_>>(), ["dfl-1"]);
    assert_eq!(listed.counted, None, "the other one may still fail");
    assert!(listed.only_odd);
}
