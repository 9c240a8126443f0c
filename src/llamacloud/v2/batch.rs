//! Batches as API v2 writes them, and their results: which file became which job.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::llamacloud::error::CloudError;
use crate::llamacloud::http::client::{Ask, Client};
use crate::llamacloud::paging::page::{self, parse};
use crate::llamacloud::paging::row_reader::{Page, RowReader};
use crate::llamacloud::v2::ROOT;
use crate::llamacloud::v2::job::Product;
use crate::llamacloud::wire::{WireText, time};
use crate::model::batch::{Batch, BatchStatus};

#[derive(Deserialize)]
pub(crate) struct V2WireBatch<'a> {
    #[serde(borrow)]
    id: Option<WireText<'a>>,
    #[serde(borrow)]
    project_id: Option<WireText<'a>>,
    #[serde(borrow)]
    source_directory_id: Option<WireText<'a>>,
    #[serde(borrow)]
    status: Option<WireText<'a>>,
    #[serde(borrow)]
    config: Option<WireConfig<'a>>,
    #[serde(borrow)]
    created_at: Option<WireText<'a>>,
    #[serde(borrow)]
    updated_at: Option<WireText<'a>>,
}

#[derive(Deserialize)]
struct WireConfig<'a> {
    #[serde(borrow)]
    job: Option<WireJobConfig<'a>>,
}

#[derive(Deserialize)]
struct WireJobConfig<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<WireText<'a>>,
    #[serde(borrow)]
    configuration_id: Option<WireText<'a>>,
}

impl V2WireBatch<'_> {
    /// The batch without counts, which v2 does not have, and the id of its configuration.
    fn into_batch(self) -> (Batch, Option<String>) {
        let job = self.config.and_then(|config| config.job);
        let (kind, configuration) = match job {
            Some(job) => (job.kind, job.configuration_id),
            None => (None, None),
        };
        let word = |text: Option<WireText<'_>>| text.map_or_else(String::new, WireText::into_id);
        let status = BatchStatus::from(self.status.as_ref().map_or("", WireText::as_str));
        let updated_at = time(self.updated_at);
        let batch = Batch {
            batch_id: word(self.id),
            project_id: self.project_id.and_then(WireText::into_some_id),
            directory_id: self.source_directory_id.and_then(WireText::into_some_id),
            job_type: job_type(&word(kind)).to_owned(),
            completed_at: updated_at.filter(|_| status.is_terminal()),
            status,
            total_items: None,
            processed_items: None,
            failed_items: None,
            skipped_items: None,
            error_message: None,
            created_at: time(self.created_at),
            updated_at,
            started_at: None,
        };
        (batch, configuration.and_then(WireText::into_some_id))
    }
}

/// `parse_v2` and `extract_v2` are the same work as v1's `parse` and `extract`.
fn job_type(kind: &str) -> &str {
    kind.strip_suffix("_v2").unwrap_or(kind)
}

/// The rows of the batch list.
pub(crate) struct V2BatchRows;

impl RowReader for V2BatchRows {
    type Wire<'a> = V2WireBatch<'a>;
    type Row = Batch;
    const TEXTS: &'static [&'static str] = &["project_id", "source_directory_id", "status", "created_at", "updated_at"];

    fn id<'w>(&self, wire: &'w V2WireBatch<'_>) -> &'w str {
        wire.id.as_ref().map_or("", WireText::as_str)
    }

    fn row(&self, wire: V2WireBatch<'_>) -> Option<Batch> {
        Some(wire.into_batch().0)
    }
}

/// What became of one file of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mapping {
    pub(crate) item_id: String,
    /// The job; none if none could be made.
    pub(crate) job_id: Option<String>,
    /// What the job belongs to.
    pub(crate) product: Product,
    /// Why none could be made.
    pub(crate) message: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct WireMapping<'a> {
    #[serde(borrow)]
    source_directory_file_id: Option<WireText<'a>>,
    #[serde(borrow)]
    job_reference: Option<WireReference<'a>>,
    #[serde(borrow)]
    error_message: Option<WireText<'a>>,
}

#[derive(Deserialize)]
struct WireReference<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<WireText<'a>>,
    #[serde(borrow)]
    id: Option<WireText<'a>>,
}

pub(crate) struct Mappings;

impl RowReader for Mappings {
    type Wire<'a> = WireMapping<'a>;
    type Row = Mapping;
    const TEXTS: &'static [&'static str] = &["error_message"];

    fn id<'w>(&self, wire: &'w WireMapping<'_>) -> &'w str {
        wire.source_directory_file_id.as_ref().map_or("", WireText::as_str)
    }

    fn row(&self, wire: WireMapping<'_>) -> Option<Mapping> {
        let (kind, id) = wire.job_reference.map_or((None, None), |reference| (reference.kind, reference.id));
        let job_id = id.and_then(WireText::into_some_id);
        let kind = kind.as_ref().map_or("", WireText::as_str);
        Some(Mapping {
            item_id: wire.source_directory_file_id.map_or_else(String::new, WireText::into_id),
            product: Product::named(kind, job_id.as_deref().unwrap_or_default()),
            job_id,
            message: wire.error_message.and_then(WireText::into_message),
        })
    }
}

/// A batch with its results.
pub(crate) struct Expanded {
    pub(crate) batch: Batch,
    pub(crate) configuration_id: Option<String>,
    /// None while the batch runs, or where results were not asked for.
    pub(crate) results: Option<Page<Mapping>>,
}

/// One batch; none if LlamaCloud does not know it (any more).
pub(crate) async fn get(client: &Client, batch_id: &str, with_results: bool) -> Result<Option<Expanded>, CloudError> {
    let path = [&ROOT[..], &[batch_id]].concat();
    let mut ask = Ask::path(&path);
    if with_results {
        ask = ask.with("expand", "results");
    }
    let shown = format!("/{}", path.join("/"));
    match client.get(&ask, |text| decode(text, &shown)).await {
        Ok(expanded) => Ok(Some(expanded)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

pub(crate) fn decode(text: &str, path: &str) -> Result<Expanded, CloudError> {
    let mended;
    let (wire, text) = match parse::<V2WireBatch<'_>>(text, path) {
        Ok(wire) => (wire, text),
        Err(CloudError::Decode { .. }) => {
            mended = crate::llamacloud::json_repair::repair(text);
            (parse(&mended, path)?, mended.as_str())
        }
        Err(error) => return Err(error),
    };
    let (batch, configuration_id) = wire.into_batch();
    if batch.batch_id.is_empty() {
        return Err(CloudError::Decode { path: path.to_owned(), at: "id".to_owned(), problem: "missing".to_owned() });
    }
    Ok(Expanded { batch, configuration_id, results: results(text, path)? })
}

/// Results are read like a page of items, so that one bad row never costs another.
fn results(text: &str, path: &str) -> Result<Option<Page<Mapping>>, CloudError> {
    #[derive(Deserialize)]
    struct V2Results<'a> {
        #[serde(borrow)]
        results: Option<&'a RawValue>,
    }
    let wire: V2Results<'_> = parse(text, path)?;
    let page = wire.results.map(|raw| page::decode(&Mappings, &format!("{{\"items\":{raw}}}"), path));
    page.transpose()
}
