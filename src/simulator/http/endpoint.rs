//! The calls the simulated service knows, and which request means which call.

use crate::simulator::http::unused_products::{self, UnusedProductCall};

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
    /// `GET /api/v1/classifier/jobs`
    ListClassifier,
    /// `POST /api/v1/classifier/jobs`
    CreateClassifier,
    /// `GET /api/v1/classifier/jobs/{classify_job_id}`
    GetClassifier,
    /// `GET /api/v1/classifier/jobs/{classify_job_id}/results`
    ClassifierResults,
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
    /// `POST /api/v2/parse/upload`
    V2UploadParse,
    /// `GET /api/v2/parse/versions`
    V2ParseVersions,
    /// `POST /api/v2/parse/{job_id}/cancel`
    V2CancelParse,
    /// `DELETE /api/v2/parse/{job_id}`
    V2DeleteParse,
    /// `POST /api/v2/extract/schema/validation`
    V2ValidateSchema,
    /// `POST /api/v2/extract/schema/generate`
    V2GenerateSchema,
    /// `POST /api/v2/extract/{job_id}/cancel`
    V2CancelExtract,
    /// `DELETE /api/v2/extract/{job_id}`
    V2DeleteExtract,
    /// `GET /api/v2/classify`
    V2ListClassify,
    /// `POST /api/v2/classify`
    V2CreateClassify,
    /// `GET /api/v2/classify/{job_id}`
    V2GetClassify,
    /// `POST /api/v2/classify/{job_id}/cancel`
    V2CancelClassify,
    /// `DELETE /api/v2/classify/{job_id}`
    V2DeleteClassify,
    /// `GET /api/v1/beta/directories`
    ListDirectories,
    /// `POST /api/v1/beta/directories`
    CreateDirectory,
    /// `GET /api/v1/beta/directories/{directory_id}`
    GetDirectory,
    /// `PATCH /api/v1/beta/directories/{directory_id}`
    UpdateDirectory,
    /// `DELETE /api/v1/beta/directories/{directory_id}`
    DeleteDirectory,
    /// `POST /api/v1/beta/directories/{directory_id}/files`
    AddFile,
    /// `POST /api/v1/beta/directories/{directory_id}/files/upload`
    UploadIntoDirectory,
    /// `PATCH /api/v1/beta/directories/{directory_id}/files/{directory_file_id}`
    UpdateFile,
    /// `DELETE /api/v1/beta/directories/{directory_id}/files/{directory_file_id}`
    RemoveFile,
    /// `GET /api/v1/beta/files`
    ListUploads,
    /// `POST /api/v1/beta/files`
    Upload,
    /// `POST /api/v1/beta/files/query`
    QueryUploads,
    /// `GET /api/v1/beta/files/{file_id}`
    GetUpload,
    /// `DELETE /api/v1/beta/files/{file_id}`
    DeleteUpload,
    /// `GET /api/v1/beta/files/{file_id}/content`
    UploadContent,
    /// `GET /api/v1/beta/configurations`
    ListConfigurations,
    /// `POST /api/v1/beta/configurations`
    CreateConfiguration,
    /// `GET /api/v1/beta/configurations/{config_id}`
    GetConfiguration,
    /// `PUT /api/v1/beta/configurations/{config_id}`
    UpdateConfiguration,
    /// `DELETE /api/v1/beta/configurations/{config_id}`
    DeleteConfiguration,
    /// `GET /api/v1/projects`
    ListProjects,
    /// `GET /api/v1/projects/{project_id}`
    GetProject,
    /// `GET /api/v2/projects`
    V2ListProjects,
    /// `GET /api/v2/projects/{project_id}`
    V2GetProject,
    /// A product that the account has nothing of.
    UnusedProduct(UnusedProductCall),
    /// A known address, asked with a method that it does not take.
    WrongMethod,
    /// Anything else.
    Unknown,
}

/// A request understood: the call, and the ids in its path in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EndpointCall<'a> {
    pub(crate) endpoint: Endpoint,
    pub(crate) first: &'a str,
    pub(crate) second: &'a str,
}

impl Endpoint {
    /// Whether the call makes work that is billed.
    pub fn creates_work(self) -> bool {
        matches!(
            self,
            Self::CreateBatch
                | Self::V2CreateBatch
                | Self::V2CreateParse
                | Self::V2UploadParse
                | Self::V2CreateExtract
                | Self::V2CreateClassify
                | Self::CreateClassifier
        )
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

/// Method, path and call; `{}` stands for an id. Fixed words stand before ids that could be mistaken for them.
const CALLS: &[(&str, &str, Endpoint)] = {
    use Endpoint as E;
    &[
        ("GET", "api/v1/beta/batch-processing", E::ListBatches),
        ("POST", "api/v1/beta/batch-processing", E::CreateBatch),
        ("GET", "api/v1/beta/batch-processing/items/{}/processing-results", E::ProcessingResults),
        ("GET", "api/v1/beta/batch-processing/{}", E::GetBatch),
        ("GET", "api/v1/beta/batch-processing/{}/items", E::ListItems),
        ("POST", "api/v1/beta/batch-processing/{}/cancel", E::CancelBatch),
        ("GET", "api/v1/parsing/job/{}", E::ParsingJob),
        ("GET", "api/v1/parsing/job/{}/parameters", E::ParsingParameters),
        ("GET", "api/v1/parsing/job/{}/details", E::ParsingDetails),
        ("GET", "api/v1/classifier/jobs", E::ListClassifier),
        ("POST", "api/v1/classifier/jobs", E::CreateClassifier),
        ("GET", "api/v1/classifier/jobs/{}", E::GetClassifier),
        ("GET", "api/v1/classifier/jobs/{}/results", E::ClassifierResults),
        ("GET", "api/v1/beta/directories", E::ListDirectories),
        ("POST", "api/v1/beta/directories", E::CreateDirectory),
        ("GET", "api/v1/beta/directories/{}", E::GetDirectory),
        ("PATCH", "api/v1/beta/directories/{}", E::UpdateDirectory),
        ("DELETE", "api/v1/beta/directories/{}", E::DeleteDirectory),
        ("GET", "api/v1/beta/directories/{}/files", E::ListFiles),
        ("POST", "api/v1/beta/directories/{}/files", E::AddFile),
        ("POST", "api/v1/beta/directories/{}/files/upload", E::UploadIntoDirectory),
        ("GET", "api/v1/beta/directories/{}/files/{}", E::GetFile),
        ("PATCH", "api/v1/beta/directories/{}/files/{}", E::UpdateFile),
        ("DELETE", "api/v1/beta/directories/{}/files/{}", E::RemoveFile),
        ("GET", "api/v1/beta/files", E::ListUploads),
        ("POST", "api/v1/beta/files", E::Upload),
        ("POST", "api/v1/beta/files/query", E::QueryUploads),
        ("GET", "api/v1/beta/files/{}", E::GetUpload),
        ("DELETE", "api/v1/beta/files/{}", E::DeleteUpload),
        ("GET", "api/v1/beta/files/{}/content", E::UploadContent),
        ("GET", "api/v1/beta/configurations", E::ListConfigurations),
        ("POST", "api/v1/beta/configurations", E::CreateConfiguration),
        ("GET", "api/v1/beta/configurations/{}", E::GetConfiguration),
        ("PUT", "api/v1/beta/configurations/{}", E::UpdateConfiguration),
        ("DELETE", "api/v1/beta/configurations/{}", E::DeleteConfiguration),
        ("GET", "api/v1/projects", E::ListProjects),
        ("GET", "api/v1/projects/{}", E::GetProject),
        ("GET", "api/v2/projects", E::V2ListProjects),
        ("GET", "api/v2/projects/{}", E::V2GetProject),
        ("GET", "api/v2/batches", E::V2ListBatches),
        ("POST", "api/v2/batches", E::V2CreateBatch),
        ("GET", "api/v2/batches/{}", E::V2GetBatch),
        ("POST", "api/v2/batches/{}/cancel", E::V2CancelBatch),
        ("GET", "api/v2/parse", E::V2ListParse),
        ("POST", "api/v2/parse", E::V2CreateParse),
        ("POST", "api/v2/parse/upload", E::V2UploadParse),
        ("GET", "api/v2/parse/versions", E::V2ParseVersions),
        ("GET", "api/v2/parse/{}", E::V2GetParse),
        ("DELETE", "api/v2/parse/{}", E::V2DeleteParse),
        ("POST", "api/v2/parse/{}/cancel", E::V2CancelParse),
        ("GET", "api/v2/extract", E::V2ListExtract),
        ("POST", "api/v2/extract", E::V2CreateExtract),
        ("POST", "api/v2/extract/schema/validation", E::V2ValidateSchema),
        ("POST", "api/v2/extract/schema/generate", E::V2GenerateSchema),
        ("GET", "api/v2/extract/{}", E::V2GetExtract),
        ("DELETE", "api/v2/extract/{}", E::V2DeleteExtract),
        ("POST", "api/v2/extract/{}/cancel", E::V2CancelExtract),
        ("GET", "api/v2/classify", E::V2ListClassify),
        ("POST", "api/v2/classify", E::V2CreateClassify),
        ("GET", "api/v2/classify/{}", E::V2GetClassify),
        ("DELETE", "api/v2/classify/{}", E::V2DeleteClassify),
        ("POST", "api/v2/classify/{}/cancel", E::V2CancelClassify),
    ]
};

/// Finds the call behind a method and a path (already percent-decoded, without the query).
pub(crate) fn call<'a>(method: &str, path: &'a str) -> EndpointCall<'a> {
    let mut is_known = false;
    for (its_method, pattern, endpoint) in CALLS {
        if let Some([first, second]) = ids(pattern, path) {
            if *its_method == method {
                return EndpointCall { endpoint: *endpoint, first, second };
            }
            is_known = true;
        }
    }
    let endpoint = match unused_products::find(method, path.trim_start_matches('/')) {
        _ if is_known => Endpoint::WrongMethod,
        Some(call) => Endpoint::UnusedProduct(call),
        None => Endpoint::Unknown,
    };
    EndpointCall { endpoint, first: "", second: "" }
}

/// The ids of a path of this pattern, empty where it has fewer; none if the path is of another.
fn ids<'a>(pattern: &str, path: &'a str) -> Option<[&'a str; 2]> {
    let (mut found, mut count) = ([""; 2], 0);
    let mut segments = path.trim_start_matches('/').split('/');
    for wanted in pattern.split('/') {
        let segment = segments.next()?;
        match wanted {
            "{}" if segment.is_empty() => return None,
            "{}" => {
                found[count] = segment;
                count += 1;
            }
            wanted if wanted != segment => return None,
            _ => {}
        }
    }
    segments.next().is_none().then_some(found)
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
    fn a_wrong_method_is_distinguished_from_an_unknown_address() {
        assert_eq!(call("DELETE", "/api/v2/batches").endpoint, Endpoint::WrongMethod);
        assert_eq!(call("GET", "/api/v2/batches/").endpoint, Endpoint::Unknown);
        assert_eq!(call("GET", "/api/v2/parse/versions").endpoint, Endpoint::V2ParseVersions);
    }
}
