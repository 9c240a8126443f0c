//! What reading a finished v2 batch of 1,000 files costs, on servers of all kinds: with long and short queries,
//! large and small pages, other work at the same time, and jobs that are older than the batch.

use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::super::Cloud;
use super::fake::{Call, Fake, keep, ok, status};
use crate::core::batch::Batch;
use crate::core::item::Kind;

const FILES: usize = 1000;
/// A LlamaCloud with one finished batch.
#[derive(Clone, Copy)]
struct Server {
    product: &'static str,
    /// The longest request line in bytes.
    line: usize,
    /// The largest page of jobs.
    page: usize,
    /// The largest page of files.
    files_page: usize,
    /// Jobs of other work, for each job of the batch and in the same time.
    others: usize,
    /// Jobs that were made a day before the batch.
    older: usize,
    /// The status of one job that has not failed.
    odd: &'static str,
    /// Every so manieth file fails.
    failing: usize,
    /// Whether parse jobs carry the names of their files.
    named: bool,
    /// Whether larger pages than that are refused rather than cut.
    refuses: bool,
    /// Failed jobs of other work, made before the batch.
    history: usize,
    /// Jobs of other work that wait.
    waiting: usize,
}

const PLAIN: Server = Server {
    product: "parse",
    line: 16_000,
    page: 1000,
    files_page: 1000,
    others: 0,
    older: 0,
    odd: "COMPLETED",
    failing: 20,
    named: true,
    refuses: false,
    history: 0,
    waiting: 0,
};

impl Server {
    fn job_id(&self, n: usize) -> String {
        let prefix = if self.product == "parse" { "pjb" } else { "ext" };
        format!("{prefix}-{n:08}-27c1-4a5e-8f00-1c1f8d0f2a11")
    }

    fn job(&self, n: usize) -> Value {
        let day = if n < self.older { 22 } else { 23 };
        let status = match n {
            n if n % self.failing == 0 => "FAILED",
            501 => self.odd,
            _ => "COMPLETED",
        };
        let name = (self.product == "parse" && self.named).then(|| format!("{n}.pdf"));
        let metadata = json!({"parse_job_id": format!("pjb-before-{n}"), "field_metadata": null});
        json!({"id": self.job_id(n), "project_id": "prj-1", "status": status, "name": name, "extract_metadata": metadata,
            "file_input": format!("dfl-{n}"), "created_at": format!("2026-11-{day}T10:30:00Z"),
            "updated_at": format!("2026-11-{day}T10:40:00Z")})
    }

    /// The parsings before extractions, by id.
    fn parsings(&self, call: &Call) -> Vec<Value> {
        let ids = call.query.iter().filter(|(name, _)| name == "job_ids");
        let parsing = |id: &str| {
            let name = self.named.then(|| format!("{}.pdf", id.trim_start_matches("pjb-before-")));
            json!({"id": id, "project_id": "prj-1", "status": "COMPLETED", "name": name})
        };
        ids.map(|(_, id)| parsing(id)).collect()
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
        let old = (0..self.history)
            .map(|n| json!({"id": format!("pjb-old-{n}"), "status": "FAILED", "created_at": "2026-10-01T10:00:00Z"}));
        let expanded = call.query("expand") == Some("extract_metadata");
        let waiting = (0..self.waiting)
            .map(|n| json!({"id": format!("pjb-new-{n}"), "status": "PENDING", "created_at": "2026-11-23T12:00:00Z"}));
        let all = waiting.chain(all).chain(old).map(|mut job| {
            if !expanded {
                job["extract_metadata"] = Value::Null;
            }
            job
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
            _ if self.refuses && call.number("page_size").is_some_and(|size| size > self.page_of(call)) => {
                status(422, &format!("page_size: Input should be less than or equal to {}", self.page_of(call)))
            }
            "/api/v1/beta/directories/dir-1/files" => {
                let files = (0..FILES).map(|n| json!({"id": format!("dfl-{n}"), "display_name": format!("{n}.pdf")}));
                ok(&self.paged(call, files.collect()))
            }
            path if path.contains("/files/") => {
                ok(&json!({"id": "dfl", "display_name": format!("{}.pdf", &path[path.rfind("dfl-").unwrap() + 4..])}))
            }
            "/api/v2/parse" if self.product == "extract" => ok(&self.paged(call, self.parsings(call))),
            _ => ok(&self.paged(call, self.jobs(call))),
        }
    }

    fn page_of(&self, call: &Call) -> usize {
        if call.path.ends_with("/files") { self.files_page } else { self.page }
    }

    fn paged(&self, call: &Call, rows: Vec<Value>) -> Value {
        let from = call.number("page_token").unwrap_or(0).min(rows.len());
        let until = rows.len().min(from + self.page_of(call).min(call.number("page_size").unwrap_or(50)));
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
    assert_eq!(rows.len(), FILES.div_ceil(server.failing));
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
        ("parse, all jobs older", Server { older: FILES, ..PLAIN }, 6),
        ("parse, pages of 100", Server { page: 100, ..PLAIN }, 5),
        ("parse, pages of 100, 90 older jobs", Server { page: 100, older: 90, ..PLAIN }, 5),
        ("parse, pages of 100, many failures before", Server { page: 100, history: 5000, ..PLAIN }, 8),
        ("parse, pages of 100, a long queue", Server { page: 100, waiting: 500, ..PLAIN }, 8),
        ("parse, no page over 100", Server { page: 100, files_page: 100, refuses: true, ..PLAIN }, 6),
        ("parse, pages of 100, no names", Server { page: 100, named: false, ..PLAIN }, 6),
        ("parse, no page of jobs over 100, no names", Server { page: 100, refuses: true, named: false, ..PLAIN }, 7),
        ("extract", extract, 3),
        ("extract, all jobs older", Server { older: FILES, ..extract }, 7),
        ("extract, short lines", Server { line: 8_000, ..extract }, 3),
        ("extract, short lines, 90 older jobs", Server { line: 8_000, older: 90, ..extract }, 4),
        ("extract, short lines, other work", Server { line: 8_000, others: 3, ..extract }, 6),
        ("extract, pages of 200", Server { page: 200, files_page: 200, ..extract }, 7),
        ("extract, pages of 100", Server { page: 100, files_page: 100, ..extract }, 7),
        ("extract, pages of 100, three fail", Server { page: 100, files_page: 100, failing: 400, ..extract }, 7),
        ("extract, pages of 100 jobs", Server { page: 100, ..extract }, 7),
        ("extract, pages of 100 jobs, no names", Server { page: 100, named: false, ..extract }, 8),
        ("extract, no page over 100", Server { page: 100, files_page: 100, refuses: true, ..extract }, 8),
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
    let small = Server { page: 100, files_page: 100, ..PLAIN };
    let extract = Server { product: "extract", ..small };
    for (what, server, wanted) in [
        ("parse, all fail", Server { failing: 1, ..small }, 1 + 10),
        ("parse, all fail, no names", Server { failing: 1, named: false, ..small }, 1 + 10 + 10),
        ("parse, no names", Server { named: false, ..small }, 5 + 10),
        ("extract, all fail", Server { failing: 1, ..extract }, 1 + 10 + 10),
        ("extract, no names", Server { named: false, ..extract }, 7 + 10),
    ] {
        let made = requests(server).await;
        println!("{what}: {made} requests");
        assert_eq!(made, wanted, "{what}");
    }
}

#[tokio::test]
async fn what_was_learnt_of_a_server_is_not_learnt_again() {
    let small = Server { page: 100, files_page: 100, refuses: true, ..PLAIN };
    for (what, server, first, second) in [
        ("parse", small, 6, 4),
        ("extract, no names", Server { product: "extract", named: false, ..small }, 9 + 10, 5),
        ("parse, many failures before", Server { history: 5000, ..small }, 9, 7),
        ("extract, many failures before", Server { product: "extract", history: 5000, ..small }, 11, 8),
    ] {
        let (fake, cloud) = server.start().await;
        let batch = finished(&cloud).await;
        let mut made = Vec::new();
        for _ in 0..2 {
            let before = fake.calls().len();
            cloud.list_items(&batch, Kind::Failed, &mut |page| keep(&mut Vec::new(), page)).await.unwrap();
            made.push(fake.calls().len() - before);
        }
        assert_eq!(made, [first, second], "{what}");
    }
}

/// A job ends between two requests, and is seen all the same: open ones are asked for before failed ones.
#[tokio::test]
async fn a_job_that_fails_while_the_batch_is_read_is_not_missed() {
    for status in ["PENDING", "RUNNING"] {
        let server = Server { page: 100, odd: status, ..PLAIN };
        let fake = Fake::start(move |call, before| {
            // The batch twice, a page of its time, and a list of open jobs: then it fails.
            let server = if before > 3 { Server { odd: "FAILED", ..server } } else { server };
            server.answer(call)
        })
        .await;
        let cloud = fake.cloud_v2();
        let batch = finished(&cloud).await;
        let mut rows = Vec::new();
        let listed = cloud.list_items(&batch, Kind::Failed, &mut |page| keep(&mut rows, page)).await.unwrap();
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
            let server = Server { page: 100, odd, ..PLAIN };
            let fake = Fake::start(move |call, _| {
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
            let listed = cloud.list_items(&batch, Kind::Failed, &mut |page| keep(&mut rows, page)).await.unwrap();
            assert_eq!(rows.len(), FILES / 20);
            assert_eq!(listed.counted.is_some(), odd == "COMPLETED", "{listed:?}");
        }
    }
}

/// A server that does not know a filter shows everything: words are believed, and nothing is taken for failed.
#[tokio::test]
async fn a_status_filter_that_is_ignored_makes_no_failures() {
    let server = Server { page: 100, ..PLAIN };
    let fake = Fake::start(move |call, _| {
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
            [Server { odd, ..PLAIN }, Server { odd, page: 100, ..PLAIN }, Server { odd, older: FILES, ..PLAIN }]
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
    assert!(listed.only_odd);
}
