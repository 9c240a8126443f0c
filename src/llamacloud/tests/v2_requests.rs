//! What reading a finished v2 batch of 1,000 files costs, on servers of all kinds.

use serde_json::json;

use crate::llamacloud::Cloud;
use crate::llamacloud::tests::fake::{FakeCloud, keep, ok};
use crate::llamacloud::tests::v2_server::{FILES, PLAIN, V2Server};
use crate::model::batch::Batch;
use crate::model::item::Kind;

/// Requests for reading the batch; all of its failures must be found, with their names.
async fn requests(server: V2Server) -> usize {
    let (fake, cloud) = server.start().await;
    let batch = finished(&cloud).await;
    let before = fake.calls().len();
    let mut rows = Vec::new();
    let listed = cloud.list_items(&batch, Kind::Failed, &mut |page| keep(&mut rows, page)).await.unwrap();
    assert!(listed.complete && listed.counted.is_some(), "{listed:?}");
    assert_eq!(rows.len(), FILES.div_ceil(server.failing));
    assert!(rows.iter().all(|row| row.item_name == format!("{}.pdf", &row.item_id[4..])), "{:?}", rows[0]);
    fake.calls().len() - before
}

async fn finished(cloud: &Cloud) -> Batch {
    cloud.batch("bat-1").await.unwrap().unwrap()
}

#[tokio::test]
async fn a_finished_batch_of_1000_files_costs_at_most_twelve_requests() {
    let extract = V2Server { product: "extract", ..PLAIN };
    let mut others = Vec::new();
    for (what, server, wanted) in [
        ("parse", PLAIN, 2),
        ("parse, short lines", V2Server { line: 8_000, ..PLAIN }, 2),
        ("parse, short lines, 90 older jobs", V2Server { line: 8_000, older: 90, ..PLAIN }, 3),
        ("parse, other work", V2Server { others: 3, ..PLAIN }, 5),
        ("parse, all jobs older", V2Server { older: FILES, ..PLAIN }, 6),
        ("parse, pages of 200", V2Server { page: 200, ..PLAIN }, 7),
        ("parse, pages of 100", V2Server { page: 100, ..PLAIN }, 11),
        ("parse, pages of 100, 90 older jobs", V2Server { page: 100, older: 90, ..PLAIN }, 11),
        ("parse, pages of 100, other work", V2Server { page: 100, others: 3, ..PLAIN }, 12),
        ("parse, pages of 100, all jobs older", V2Server { page: 100, older: FILES, ..PLAIN }, 12),
        ("parse, no page over 100", V2Server { page: 100, files_page: 100, refuses: true, ..PLAIN }, 12),
        ("parse, pages of 100, no names", V2Server { page: 100, named: false, ..PLAIN }, 12),
        ("parse, pages of 100, all fail", V2Server { page: 100, failing: 1, ..PLAIN }, 11),
        ("extract", extract, 3),
        ("extract, all jobs older", V2Server { older: FILES, ..extract }, 7),
        ("extract, short lines", V2Server { line: 8_000, ..extract }, 3),
        ("extract, short lines, other work", V2Server { line: 8_000, others: 3, ..extract }, 11),
        ("extract, pages of 200", V2Server { page: 200, files_page: 200, ..extract }, 10),
        ("extract, pages of 100 jobs", V2Server { page: 100, ..extract }, 12),
        ("extract, pages of 100 files", V2Server { files_page: 100, ..extract }, 5),
        ("extract, no page of files over 100", V2Server { files_page: 100, refuses: true, ..extract }, 6),
    ] {
        let made = requests(server).await;
        println!("{what}: {made} requests");
        if made != wanted {
            others.push(format!("{what}: {made}"));
        }
        assert!(wanted <= 12);
    }
    assert_eq!(others, Vec::<String>::new());
}

/// A thousand rows in pages of a hundred are eleven requests; names, and a first refusal of larger pages, cost more.
#[tokio::test]
async fn where_pages_of_100_hold_no_names_little_is_asked_beyond_them() {
    let small = V2Server { page: 100, files_page: 100, ..PLAIN };
    let extract = V2Server { product: "extract", ..small };
    for (what, server, wanted) in [
        ("parse, short lines, all jobs older", V2Server { line: 8_000, older: FILES, ..PLAIN }, 13),
        ("parse, no names", V2Server { named: false, ..small }, 11 + 10),
        ("parse, all fail, no names", V2Server { failing: 1, named: false, ..small }, 11 + 10),
        ("extract", extract, 11 + 3),
        ("extract, all fail", V2Server { failing: 1, ..extract }, 11 + 10),
        ("extract, no names", V2Server { named: false, ..extract }, 11 + 13),
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
        ("parse", small, 12, 11),
        ("parse, short lines", V2Server { line: 8_000, older: FILES, ..PLAIN }, 13, 12),
        ("extract", V2Server { product: "extract", ..small }, 16, 11),
    ] {
        let (fake, cloud) = server.start().await;
        let mut made = Vec::new();
        for _ in 0..2 {
            let batch = finished(&cloud).await;
            let before = fake.calls().len();
            cloud.list_items(&batch, Kind::Failed, &mut |page| keep(&mut Vec::new(), page)).await.unwrap();
            made.push(fake.calls().len() - before);
        }
        assert_eq!(made, [first, second], "{what}");
    }
}

/// One that is older than its batch is in no list of the batch's time, and is asked for by its id.
#[tokio::test]
async fn every_job_is_seen_however_old_it_is_and_whatever_it_says() {
    for product in ["parse", "extract"] {
        for page in [100, 1000] {
            for (odd, settled) in [("COMPLETED", true), ("QUEUED", false)] {
                let (_fake, cloud) = V2Server { page, odd, product, older: 300, history: 5000, ..PLAIN }.start().await;
                let batch = finished(&cloud).await;
                let mut rows = Vec::new();
                let page = &mut |page| keep(&mut rows, page);
                let listed = cloud.list_items(&batch, Kind::Failed, page).await.unwrap();
                assert_eq!(rows.len(), FILES / 20);
                let read = (listed.counted.is_some(), listed.only_odd, listed.odd);
                assert_eq!(read, (settled, !settled, u64::from(!settled)), "{product} {odd}");
            }
        }
    }
}

/// A job ends between two requests: it is seen as it was, and the batch is read again.
#[tokio::test]
async fn a_job_that_fails_while_the_batch_is_read_is_not_missed() {
    for status in ["PENDING", "RUNNING"] {
        let server = V2Server { page: 100, odd: status, ..PLAIN };
        let fake = FakeCloud::start(move |call, before| {
            let server = if before > 3 { V2Server { odd: "FAILED", ..server } } else { server };
            server.answer(call)
        })
        .await;
        let cloud = fake.cloud_v2();
        let batch = finished(&cloud).await;
        let mut rows = Vec::new();
        let listed = cloud.list_items(&batch, Kind::Failed, &mut |page| keep(&mut rows, page)).await.unwrap();
        let seen = rows.iter().any(|row| row.item_id == "dfl-501");
        assert!(seen || listed.counted.is_none(), "{status}: missed, and the batch is settled");
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
    cloud.list_items(&batch, Kind::Failed, &mut |page| keep(&mut rows, page)).await.unwrap();
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
            let listed = cloud.list_items(&batch, Kind::Failed, &mut |page| keep(&mut Vec::new(), page)).await.unwrap();
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
    let listed = cloud.list_items(&batch, Kind::Failed, &mut |page| keep(&mut rows, page)).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.item_id.as_str()).collect::<Vec<_>>(), ["dfl-1"]);
    assert_eq!(listed.counted, None, "the other one may still fail");
    assert!(listed.only_odd);
}
