//! What reading a finished v2 batch of 1,000 files costs, on servers of all kinds: with long and short queries,
//! large and small pages, other work at the same time, and jobs that are older than the batch.

use axum::response::Response;
use serde_json::{Value, json};

use super::super::Cloud;
use super::fake::{Call, Fake, keep, ok, status};
use crate::core::batch::Batch;
use crate::core::item::Kind;

const FILES: usize = 1000;
/// Every twentieth file fails.
const FAILED: usize = FILES / 20;

/// A LlamaCloud with one finished batch.
#[derive(Clone, Copy)]
struct Server {
    product: &'static str,
    /// The longest request line in bytes.
    line: usize,
    /// The largest page.
    page: usize,
    /// Jobs of other work, for each job of the batch and in the same time.
    others: usize,
    /// Jobs that were made a day before the batch.
    older: usize,
    /// The status of one job that has not failed.
    odd: &'static str,
}

const PLAIN: Server = Server { product: "parse", line: 16_000, page: 1000, others: 0, older: 0, odd: "COMPLETED" };

impl Server {
    fn job_id(&self, n: usize) -> String {
        let prefix = if self.product == "parse" { "pjb" } else { "ext" };
        format!("{prefix}-{n:08}-27c1-4a5e-8f00-1c1f8d0f2a11")
    }

    fn job(&self, n: usize) -> Value {
        let day = if n < self.older { 22 } else { 23 };
        let status = match n {
            n if n % 20 == 0 => "FAILED",
            501 => self.odd,
            _ => "COMPLETED",
        };
        let name = (self.product == "parse").then(|| format!("{n}.pdf"));
        json!({"id": self.job_id(n), "project_id": "prj-1", "status": status, "name": name,
            "file_input": format!("dfl-{n}"), "created_at": format!("2026-11-{day}T10:30:00Z"),
            "updated_at": format!("2026-11-{day}T10:40:00Z")})
    }

    fn batch(&self) -> Value {
        let kind = format!("{}_v2", self.product);
        let results: Vec<Value> = (0..FILES)
            .map(|n| json!({"source_directory_file_id": format!("dfl-{n}"), "job_reference": {"type": kind, "id": self.job_id(n)}}))
            .collect();
        json!({"id": "bat-1", "project_id": "prj-1", "source_directory_id": "dir-1", "status": "COMPLETED",
            "config": {"job": {"type": kind, "configuration_id": "cfg-1"}},
            "created_at": "2026-11-23T10:00:00Z", "updated_at": "2026-11-23T11:00:00Z", "results": results})
    }

    /// The jobs that a list shows: those of the batch first, others between them.
    fn jobs(&self, call: &Call) -> Vec<Value> {
        let named: Vec<&str> =
            call.query.iter().filter(|(name, _)| name == "job_ids").map(|(_, id)| id.as_str()).collect();
        let all = (0..FILES * (1 + self.others)).map(|n| match n % (1 + self.others) {
            0 => self.job(n / (1 + self.others)),
            _ => json!({"id": format!("{}-other", self.job_id(n)), "project_id": "prj-1", "status": "COMPLETED",
                "created_at": "2026-11-23T10:30:00Z"}),
        });
        all.filter(|job| named.is_empty() || named.contains(&job["id"].as_str().unwrap()))
            .filter(|job| call.query("status").is_none_or(|status| job["status"] == status))
            .filter(|job| {
                let made = job["created_at"].as_str().unwrap();
                call.query("created_at_on_or_after").is_none_or(|from| from <= made)
                    && call.query("created_at_on_or_before").is_none_or(|until| made <= until)
            })
            .collect()
    }

    fn answer(&self, call: &Call) -> Response {
        let line: usize = call.query.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
        if line + call.path.len() > self.line {
            return status(414, "too long");
        }
        match call.path.as_str() {
            "/api/v2/batches/bat-1" => ok(&self.batch()),
            "/api/v1/beta/directories/dir-1/files" => {
                let files = (0..FILES).map(|n| json!({"id": format!("dfl-{n}"), "display_name": format!("{n}.pdf")}));
                ok(&self.paged(call, files.collect()))
            }
            _ => ok(&self.paged(call, self.jobs(call))),
        }
    }

    fn paged(&self, call: &Call, rows: Vec<Value>) -> Value {
        let from = call.number("page_token").unwrap_or(0).min(rows.len());
        let until = rows.len().min(from + self.page.min(call.number("page_size").unwrap_or(50)));
        let token = (until < rows.len()).then(|| until.to_string());
        json!({"items": rows[from..until], "next_page_token": token, "total_size": null})
    }

    async fn start(self) -> (Fake, Cloud) {
        let fake = Fake::start(move |call, _| self.answer(call)).await;
        let cloud = fake.cloud_v2();
        (fake, cloud)
    }
}

/// Requests for reading the batch; all of its failures must be found, with their names.
async fn requests(server: Server) -> usize {
    let (fake, cloud) = server.start().await;
    let batch = finished(&cloud).await;
    let before = fake.calls().len();
    let mut rows = Vec::new();
    let listed = cloud.list_items(&batch, Kind::Failed, &mut |page| keep(&mut rows, page)).await.unwrap();
    assert!(listed.complete && listed.counted.is_some(), "{listed:?}");
    assert_eq!(rows.len(), FAILED);
    assert!(rows.iter().all(|row| row.item_name == format!("{}.pdf", &row.item_id[4..])), "{:?}", rows[0]);
    fake.calls().len() - before
}

async fn finished(cloud: &Cloud) -> Batch {
    cloud.batch("bat-1").await.unwrap().unwrap()
}

#[tokio::test]
async fn a_finished_batch_of_1000_files_costs_at_most_eight_requests() {
    let extract = Server { product: "extract", ..PLAIN };
    for (what, server, wanted) in [
        ("parse", PLAIN, 2),
        ("parse, short lines", Server { line: 8_000, ..PLAIN }, 2),
        ("parse, short lines, 90 older jobs", Server { line: 8_000, older: 90, ..PLAIN }, 3),
        ("parse, other work", Server { others: 3, ..PLAIN }, 5),
        ("parse, small pages", Server { page: 100, ..PLAIN }, 7),
        ("parse, all jobs older", Server { older: FILES, ..PLAIN }, 6),
        ("extract", extract, 3),
        ("extract, all jobs older", Server { older: FILES, ..extract }, 7),
        ("extract, short lines", Server { line: 8_000, ..extract }, 3),
        ("extract, short lines, 90 older jobs", Server { line: 8_000, older: 90, ..extract }, 4),
        ("extract, short lines, other work", Server { line: 8_000, others: 3, ..extract }, 6),
    ] {
        let made = requests(server).await;
        println!("{what}: {made} requests");
        assert_eq!(made, wanted, "{what}");
        assert!(made <= 8);
    }
}

#[tokio::test]
async fn a_batch_with_a_job_that_may_still_fail_is_not_settled() {
    for odd in ["RUNNING", "PENDING"] {
        for server in
            [Server { odd, ..PLAIN }, Server { odd, page: 100, ..PLAIN }, Server { odd, older: FILES, ..PLAIN }]
        {
            let (_fake, cloud) = server.start().await;
            let batch = finished(&cloud).await;
            let listed = cloud.list_items(&batch, Kind::Failed, &mut |page| keep(&mut Vec::new(), page)).await.unwrap();
            assert!(listed.complete && listed.counted.is_none(), "{odd} {}", server.page);
        }
    }
}

#[tokio::test]
async fn a_job_with_a_status_of_the_future_has_failed_if_the_server_lists_it_as_such() {
    let fake = Fake::start(|call, _| match call.query("status") {
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
}
