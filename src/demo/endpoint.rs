//! The calls the simulated service knows, and which request means which call.

/// One call of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Endpoint {
    /// `GET /api/v1/beta/batch-processing`
    ListBatches,
    /// `POST /api/v1/beta/batch-processing`
    CreateBatch,
    /// `GET /api/v1/beta/batch-processing/{job_id}`
    GetBatch,
    /// `GET /api/v1/beta/batch-processing/{job_id}/items`
    ListItems,
    /// `POST /api/v1/beta/batch-processing/{job_id}/cancel`
    CancelBatch,
    /// `GET /api/v1/beta/batch-processing/items/{item_id}/processing-results`
    ProcessingResults,
    /// `GET /api/v1/parsing/job/{job_id}`
    ParsingJob,
    /// `GET /api/v1/parsing/job/{job_id}/parameters`
    ParsingParameters,
    /// `GET /api/v1/parsing/job/{job_id}/details`
    ParsingDetails,
    /// `GET /api/v1/beta/directories/{directory_id}/files`
    ListFiles,
    /// `GET /api/v1/beta/directories/{directory_id}/files/{directory_file_id}`
    GetFile,
    /// `GET /api/v2/batches`
    V2ListBatches,
    /// `POST /api/v2/batches`
    V2CreateBatch,
    /// `GET /api/v2/batches/{batch_id}`
    V2GetBatch,
    /// `POST /api/v2/batches/{batch_id}/cancel`
    V2CancelBatch,
    /// `GET /api/v2/parse`
    V2ListParse,
    /// `POST /api/v2/parse`
    V2CreateParse,
    /// `GET /api/v2/parse/{job_id}`
    V2GetParse,
    /// `GET /api/v2/extract`
    V2ListExtract,
    /// `POST /api/v2/extract`
    V2CreateExtract,
    /// `GET /api/v2/extract/{job_id}`
    V2GetExtract,
    /// Anything else.
    Unknown,
}

/// A request understood: the call, and the ids in its path in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call<'a> {
    pub(super) endpoint: Endpoint,
    pub(super) first: &'a str,
    pub(super) second: &'a str,
}

impl Endpoint {
    /// Whether the call makes work that is billed.
    pub fn creates_work(self) -> bool {
        matches!(self, Self::CreateBatch | Self::V2CreateBatch | Self::V2CreateParse | Self::V2CreateExtract)
    }

    /// Whether the call belongs to the batches of API v2, which an account may not have; single jobs are another product.
    pub fn is_v2_batch(self) -> bool {
        matches!(self, Self::V2ListBatches | Self::V2CreateBatch | Self::V2GetBatch | Self::V2CancelBatch)
    }

    /// Whether the call belongs to API v1 beta batch processing, which an account may have lost.
    pub fn is_v1_batch(self) -> bool {
        matches!(
            self,
            Self::ListBatches
                | Self::CreateBatch
                | Self::GetBatch
                | Self::ListItems
                | Self::CancelBatch
                | Self::ProcessingResults
        )
    }
}

/// Finds the call behind a method and a path (already percent-decoded, without the query).
pub(super) fn call<'a>(method: &str, path: &'a str) -> Call<'a> {
    use Endpoint as E;
    let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let (endpoint, first, second) = match (method, segments.as_slice()) {
        ("GET", ["api", "v1", "beta", "batch-processing"]) => (E::ListBatches, "", ""),
        ("POST", ["api", "v1", "beta", "batch-processing"]) => (E::CreateBatch, "", ""),
        ("GET", ["api", "v1", "beta", "batch-processing", "items", id, "processing-results"]) => {
            (E::ProcessingResults, *id, "")
        }
        ("GET", ["api", "v1", "beta", "batch-processing", id]) => (E::GetBatch, *id, ""),
        ("GET", ["api", "v1", "beta", "batch-processing", id, "items"]) => (E::ListItems, *id, ""),
        ("POST", ["api", "v1", "beta", "batch-processing", id, "cancel"]) => (E::CancelBatch, *id, ""),
        ("GET", ["api", "v1", "parsing", "job", id]) => (E::ParsingJob, *id, ""),
        ("GET", ["api", "v1", "parsing", "job", id, "parameters"]) => (E::ParsingParameters, *id, ""),
        ("GET", ["api", "v1", "parsing", "job", id, "details"]) => (E::ParsingDetails, *id, ""),
        ("GET", ["api", "v1", "beta", "directories", id, "files"]) => (E::ListFiles, *id, ""),
        ("GET", ["api", "v1", "beta", "directories", id, "files", file]) => (E::GetFile, *id, *file),
        ("GET", ["api", "v2", "batches"]) => (E::V2ListBatches, "", ""),
        ("POST", ["api", "v2", "batches"]) => (E::V2CreateBatch, "", ""),
        ("GET", ["api", "v2", "batches", id]) => (E::V2GetBatch, *id, ""),
        ("POST", ["api", "v2", "batches", id, "cancel"]) => (E::V2CancelBatch, *id, ""),
        ("GET", ["api", "v2", "parse"]) => (E::V2ListParse, "", ""),
        ("POST", ["api", "v2", "parse"]) => (E::V2CreateParse, "", ""),
        ("GET", ["api", "v2", "parse", id]) => (E::V2GetParse, *id, ""),
        ("GET", ["api", "v2", "extract"]) => (E::V2ListExtract, "", ""),
        ("POST", ["api", "v2", "extract"]) => (E::V2CreateExtract, "", ""),
        ("GET", ["api", "v2", "extract", id]) => (E::V2GetExtract, *id, ""),
        _ => (E::Unknown, "", ""),
    };
    Call { endpoint, first, second }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_named_items_is_not_mistaken_for_results() {
        let items = call("GET", "/api/v1/beta/batch-processing/bjb-1/items");
        assert_eq!((items.endpoint, items.first), (Endpoint::ListItems, "bjb-1"));
        let results = call("GET", "/api/v1/beta/batch-processing/items/dfl-1/processing-results");
        assert_eq!((results.endpoint, results.first), (Endpoint::ProcessingResults, "dfl-1"));
    }

    #[test]
    fn a_wrong_method_is_unknown() {
        assert_eq!(call("DELETE", "/api/v2/batches").endpoint, Endpoint::Unknown);
    }
}
