//! A LlamaCloud of v2 with one finished batch of 1,000 files, of any kind: with long and short queries, large and small pages,
//! other work at the same time, and jobs that are older than the batch.

use axum::response::Response;
use serde_json::{Value, json};

use crate::llamacloud::Cloud;
use crate::llamacloud::tests::fake::{FakeCloud, RecordedCall, ok, status};

/// Files of the batch.
pub(crate) const FILES: usize = 1000;

/// A LlamaCloud with one finished batch.
#[derive(Clone, Copy)]
pub(crate) struct V2Server {
    pub(crate) product: &'static str,
    /// The longest request line in bytes.
    pub(crate) line: usize,
    /// The largest page of jobs.
    pub(crate) page: usize,
    /// The largest page of files.
    pub(crate) files_page: usize,
    /// Jobs of other work, for each job of the batch and in the same time.
    pub(crate) others: usize,
    /// Jobs that were made a day before the batch.
    pub(crate) older: usize,
    /// The status of one job that has not failed.
    pub(crate) odd: &'static str,
    /// Every so manieth file fails.
    pub(crate) failing: usize,
    /// Whether parse jobs carry the names of their files.
    pub(crate) named: bool,
    /// Whether larger pages than that are refused rather than cut.
    pub(crate) refuses: bool,
    /// Failed jobs of other work, made before the batch.
    pub(crate) history: usize,
    /// Jobs of other work that wait.
    pub(crate) waiting: usize,
}

pub(crate) const PLAIN: V2Server = V2Server {
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

impl V2Server {
    pub(crate) fn job_id(&self, n: usize) -> String {
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
    fn parsings(&self, call: &RecordedCall) -> Vec<Value> {
        let ids = call.query.iter().filter(|(name, _)| name == "job_ids");
        let parsing = |id: &str| {
            let name = self.named.then(|| format!("{}.pdf", id.trim_start_matches("pjb-before-")));
            json!({"id": id, "project_id": "prj-1", "status": "COMPLETED", "name": name})
        };
        ids.map(|(_, id)| parsing(id)).collect()
    }

    pub(crate) fn batch(&self) -> Value {
        let kind = format!("{}_v2", self.product);
        let results: Vec<Value> = (0..FILES)
            .map(|n| json!({"source_directory_file_id": format!("dfl-{n}"), "job_reference": {"type": kind, "id": self.job_id(n)}}))
            .collect();
        json!({"id": "bat-1", "project_id": "prj-1", "source_directory_id": "dir-1", "status": "COMPLETED",
            "config": {"job": {"type": kind, "configuration_id": "cfg-1"}},
            "created_at": "2026-11-23T10:00:00Z", "updated_at": "2026-11-23T11:00:00Z", "results": results})
    }

    /// The jobs that a list shows: those of the batch first, others between them.
    fn jobs(&self, call: &RecordedCall) -> Vec<Value> {
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

    pub(crate) fn answer(&self, call: &RecordedCall) -> Response {
        let line: usize = call.query.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
        if line + call.path.len() > self.line {
            return status(414, "too long");
        }
        match call.path.as_str() {
            "/api/v2/batches/bat-1" => ok(&self.batch()),
            "/api/v2/batches" => ok(&json!({"items": [self.batch()]})),
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

    fn page_of(&self, call: &RecordedCall) -> usize {
        if call.path.ends_with("/files") { self.files_page } else { self.page }
    }

    fn paged(&self, call: &RecordedCall, rows: Vec<Value>) -> Value {
        let from = call.number("page_token").unwrap_or(0).min(rows.len());
        let until = rows.len().min(from + self.page_of(call).min(call.number("page_size").unwrap_or(50)));
        let token = (until < rows.len()).then(|| until.to_string());
        json!({"items": rows[from..until], "next_page_token": token, "total_size": null})
    }

    pub(crate) async fn start(self) -> (FakeCloud, Cloud) {
        let fake = FakeCloud::start(move |call, _| self.answer(call)).await;
        let cloud = fake.cloud_v2();
        (fake, cloud)
    }
}
