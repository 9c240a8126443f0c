//! Parse and extract jobs as API v2 writes them.

use std::ops::ControlFlow;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::llamacloud::error::CloudError;
use crate::llamacloud::http::client::{Ask, Client, Make};
use crate::llamacloud::paging::end_of_list::ListProgress;
use crate::llamacloud::paging::listing::{self, ListResult, Style};
use crate::llamacloud::paging::page::parse;
use crate::llamacloud::paging::row_reader::RowReader;
use crate::llamacloud::wire::{WireText, time};
use crate::model::item::ItemStatus;

/// A job, and which items it was made of: a file may stand in a directory twice.
pub(crate) struct Made {
    pub(crate) item_ids: Vec<String>,
    pub(crate) product: Product,
}

/// The keys of `user_metadata` that resubmissions leave on their jobs.
pub(crate) const INTENT: &str = "triage_intent";
/// See [`INTENT`].
pub(crate) const ITEM: &str = "triage_item";

/// The two products that batches make jobs of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Product {
    Parse,
    Extract,
}

impl Product {
    /// By the word for its type, such as `extract_v2`; the prefix of the id decides where the word says nothing.
    pub(crate) fn named(kind: &str, job_id: &str) -> Product {
        match kind.strip_suffix("_v2").unwrap_or(kind) {
            "extract" => Product::Extract,
            "parse" => Product::Parse,
            _ if job_id.starts_with("ext-") => Product::Extract,
            _ => Product::Parse,
        }
    }

    /// The last segment of its endpoint, and the job type that v1 calls the same work.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Product::Parse => "parse",
            Product::Extract => "extract",
        }
    }

    pub(crate) fn path(self) -> [&'static str; 3] {
        ["api", "v2", self.word()]
    }
}

/// One job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Job {
    pub(crate) id: String,
    pub(crate) project_id: Option<String>,
    pub(crate) status: String,
    pub(crate) message: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) file_input: Option<String>,
    pub(crate) configuration_id: Option<String>,
    /// The intent that a resubmission noted on it.
    pub(crate) intent_id: Option<String>,
    /// The item that a resubmission noted on it.
    pub(crate) item_id: Option<String>,
    pub(crate) parse_job_id: Option<String>,
    pub(crate) created_at: Option<Timestamp>,
    pub(crate) updated_at: Option<Timestamp>,
}

impl Job {
    pub(crate) fn status(&self) -> ItemStatus {
        match self.status.as_str() {
            "THROTTLED" => ItemStatus::Pending,
            word => ItemStatus::from(word),
        }
    }

    /// Whether it ended by an error.
    pub(crate) fn has_failed(&self) -> bool {
        self.status() == ItemStatus::Failed
    }

    /// Whether it may still change. A word of the future is taken as such.
    pub(crate) fn is_open(&self) -> bool {
        !matches!(self.status(), ItemStatus::Completed | ItemStatus::Failed | ItemStatus::Cancelled)
    }
}

#[derive(Deserialize)]
pub(crate) struct V2WireJob<'a> {
    #[serde(borrow)]
    id: Option<WireText<'a>>,
    #[serde(borrow)]
    project_id: Option<WireText<'a>>,
    #[serde(borrow)]
    status: Option<WireText<'a>>,
    #[serde(borrow)]
    error_message: Option<WireText<'a>>,
    #[serde(borrow)]
    name: Option<WireText<'a>>,
    #[serde(borrow)]
    file_input: Option<WireText<'a>>,
    #[serde(borrow)]
    configuration_id: Option<WireText<'a>>,
    // Of any shape: nothing in them may make a failed job unreadable.
    user_metadata: Option<Value>,
    extract_metadata: Option<Value>,
    #[serde(borrow)]
    created_at: Option<WireText<'a>>,
    #[serde(borrow)]
    updated_at: Option<WireText<'a>>,
}

impl V2WireJob<'_> {
    fn into_job(self) -> Job {
        let word = |text: Option<WireText<'_>>| text.map_or_else(String::new, WireText::into_id);
        let text = |metadata: &Option<Value>, key: &str| Some(metadata.as_ref()?.get(key)?.as_str()?.to_owned());
        Job {
            id: word(self.id),
            project_id: self.project_id.and_then(WireText::into_some_id),
            status: word(self.status),
            message: self.error_message.and_then(WireText::into_message),
            name: self.name.and_then(WireText::into_message),
            file_input: self.file_input.and_then(WireText::into_some_id),
            configuration_id: self.configuration_id.and_then(WireText::into_some_id),
            intent_id: text(&self.user_metadata, INTENT),
            item_id: text(&self.user_metadata, ITEM),
            parse_job_id: text(&self.extract_metadata, "parse_job_id"),
            created_at: time(self.created_at),
            updated_at: time(self.updated_at),
        }
    }
}

/// The rows of a job list.
pub(crate) struct Jobs;

impl RowReader for Jobs {
    type Wire<'a> = V2WireJob<'a>;
    type Row = Job;
    const TEXTS: &'static [&'static str] = &[
        "project_id",
        "status",
        "error_message",
        "name",
        "file_input",
        "configuration_id",
        "created_at",
        "updated_at",
    ];

    fn id<'w>(&self, wire: &'w V2WireJob<'_>) -> &'w str {
        wire.id.as_ref().map_or("", WireText::as_str)
    }

    fn row(&self, wire: V2WireJob<'_>) -> Option<Job> {
        Some(wire.into_job())
    }
}

/// Reads a list of jobs to its end.
pub(crate) async fn list(
    client: &Client,
    ask: &Ask<'_>,
    limit: usize,
    mut each: impl FnMut(Job) + Send,
) -> Result<ListResult, CloudError> {
    let mut page = |jobs: Vec<Job>| {
        jobs.into_iter().for_each(&mut each);
        ControlFlow::Continue(())
    };
    read_pages(client, ask, limit, &mut page).await
}

/// Reads a list of jobs page by page; `page` may stop it.
pub(crate) async fn read_pages(
    client: &Client,
    ask: &Ask<'_>,
    limit: usize,
    page: &mut (dyn FnMut(Vec<Job>) -> ControlFlow<()> + Send),
) -> Result<ListResult, CloudError> {
    let style = Style::of(Make::V2, limit);
    listing::read(client, ask, style, &Jobs, ListProgress::by_token(), page).await
}

/// One job; none if LlamaCloud does not know it (any more). Parse jobs come in an envelope, extract jobs do not.
pub(crate) async fn get(client: &Client, product: Product, job_id: &str) -> Result<Option<Job>, CloudError> {
    get_with(client, product, job_id, false).await
}

/// The same by a single try.
pub(crate) async fn get_once(client: &Client, product: Product, job_id: &str) -> Result<Option<Job>, CloudError> {
    get_with(client, product, job_id, true).await
}

/// The credits that LlamaCloud billed for a job; none if it does not say (yet).
///
/// An extraction repeats what its parsing cost: one that was made from a parsing is billed without it.
pub(crate) async fn billed(client: &Client, product: Product, job_id: &str) -> Result<Option<f64>, CloudError> {
    let front = product.path();
    let path = [&front[..], &[job_id]].concat();
    let ask = Ask::path(&path).with("expand", "usage").once();
    let job = client.get(&ask, |text| parse::<Value>(text, &format!("/{}", path.join("/")))).await?;
    let job = job.get("job").unwrap_or(&job);
    let credits = |name: &str| job["usage"][name].as_f64();
    let is_parsed_before = job["file_input"].as_str().is_some_and(|input| input.starts_with("pjb-"));
    let own = credits("extract_credits").filter(|_| is_parsed_before);
    Ok(own.or_else(|| credits("credits")))
}

async fn get_with(client: &Client, product: Product, job_id: &str, once: bool) -> Result<Option<Job>, CloudError> {
    #[derive(Deserialize)]
    struct V2Enveloped<'a> {
        #[serde(borrow)]
        job: Option<V2WireJob<'a>>,
    }
    let front = product.path();
    let path = [&front[..], &[job_id]].concat();
    let shown = format!("/{}", path.join("/"));
    let mut ask = match product {
        Product::Parse => Ask::path(&path),
        Product::Extract => Ask::path(&path).with("expand", "extract_metadata"),
    };
    ask.once = once;
    let got = client.get(&ask, |text| {
        let enveloped = parse::<V2Enveloped<'_>>(text, &shown)?.job;
        let job = match enveloped {
            Some(job) => job,
            None => parse(text, &shown)?,
        };
        Ok(job.into_job())
    });
    match got.await {
        Ok(job) if job.id.is_empty() => {
            Err(CloudError::Decode { path: shown.clone(), at: "id".to_owned(), problem: "missing".to_owned() })
        }
        Ok(job) => Ok(Some(job)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}
