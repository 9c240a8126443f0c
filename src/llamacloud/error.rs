//! What can go wrong with LlamaCloud, each with what to do about it.
//!
//! Texts are one line, fit after "failed: ", and never hold a secret: everything from outside is masked before it gets here.
use std::time::Duration;

use crate::model::batch_api::BatchApi;

/// What can go wrong with LlamaCloud.
#[derive(Debug, thiserror::Error)]
pub enum CloudError {
    /// A value of `[[project]]` cannot be used.
    #[error("{key} of the project cannot be used: {problem}")]
    Settings {
        /// The key to change.
        key: &'static str,
        /// Why, and what is allowed.
        problem: String,
    },
    /// 401.
    #[error(
        "LlamaCloud refused the API key (401): check that the key is complete, has not expired, and belongs to the region of base-url {host}{detail}"
    )]
    Unauthorized {
        /// The host asked.
        host: String,
        /// ": " and what the server said, or nothing.
        detail: String,
    },
    /// 402.
    #[error(
        "the LlamaCloud account has no credits or has reached a spending limit (402): add credits or raise the limit in the console{detail}"
    )]
    NoCredits {
        /// ": " and what the server said, or nothing.
        detail: String,
    },
    /// 403.
    #[error(
        "the API key may not do this (403): check project-id and organization-id, the key's role, and that the project is not disabled{detail}"
    )]
    Forbidden {
        /// ": " and what the server said, or nothing.
        detail: String,
    },
    /// 404 or 410 on the batch list itself.
    #[error(
        "the batch list of API {api} no longer exists at {host} ({status}): set api = \"{other}\" for this project, and check base-url"
    )]
    ApiGone {
        /// The `api` in use.
        api: &'static str,
        /// The `api` to try.
        other: &'static str,
        /// The host asked.
        host: String,
        /// 404 or 410.
        status: u16,
    },
    /// An API whose batch list answered that it does not exist: nothing of it was asked for.
    #[error("API {api} does not exist at {host} ({status} on its batch list)")]
    ApiMissing {
        /// The API.
        api: &'static str,
        /// The host asked.
        host: String,
        /// What its batch list answered.
        status: u16,
    },
    /// 404 or 410 on one record.
    #[error("LlamaCloud does not know {path} ({status}): it was deleted or has expired{detail}")]
    NotFound {
        /// The path asked for.
        path: String,
        /// 404 or 410.
        status: u16,
        /// ": " and what the server said, or nothing.
        detail: String,
    },
    /// 429, also after the retries.
    #[error(
        "LlamaCloud is limiting requests (429): {advice}{wait}{detail}",
        advice = slower(.detail),
        wait = waiting(*.retry_after)
    )]
    RateLimited {
        /// How long the server asks to wait.
        retry_after: Option<Duration>,
        /// ": " and what the server said, or nothing.
        detail: String,
    },
    /// 5xx, 408 or 409, also after the retries.
    #[error("{}{detail}", passing(*.status, .path))]
    Server {
        /// The status.
        status: u16,
        /// The path asked for.
        path: String,
        /// How long the server asks to wait.
        retry_after: Option<Duration>,
        /// ": " and what the server said, or nothing.
        detail: String,
    },
    /// Any other refusal: this program asked for something that the server does not take.
    #[error("LlamaCloud rejected the request ({status}) at {path}{detail}")]
    Refused {
        /// The status.
        status: u16,
        /// The path asked for.
        path: String,
        /// ": " and what the server said, or nothing.
        detail: String,
    },
    /// 3xx: redirects are not followed, for the key would go along.
    #[error("{host} redirects ({status}) to {to}: set base-url to the address of the API itself")]
    Redirected {
        /// The host asked.
        host: String,
        /// The status.
        status: u16,
        /// Where to; masked.
        to: String,
    },
    /// No answer came.
    #[error("cannot reach {host}: {reason}")]
    Unreachable {
        /// The host asked.
        host: String,
        /// Why, and what to check.
        reason: String,
        /// Whether the request surely never left (no connection was made).
        sent_nothing: bool,
    },
    /// The answer ended early, or is broken JSON: it was damaged on its way, and asking again may help.
    #[error("the answer of {path} was cut short or garbled: {problem}")]
    CutShort {
        /// The path asked for.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The answer is no JSON.
    #[error(
        "{host} answered {path} with {what} instead of JSON: base-url is probably wrong, or a proxy answers instead"
    )]
    NotJson {
        /// The host asked.
        host: String,
        /// The path asked for.
        path: String,
        /// "HTML", or how the answer begins.
        what: String,
    },
    /// The answer is larger than this program reads.
    #[error("the answer of {path} is larger than the limit of {limit_mib} MiB")]
    TooLarge {
        /// The path asked for.
        path: String,
        /// The bound.
        limit_mib: usize,
    },
    /// The answer is JSON of an unknown shape.
    #[error("the answer of {path} cannot be understood at `{at}`: {problem}")]
    Decode {
        /// The path asked for.
        path: String,
        /// Where in the JSON, such as `items[3].status`.
        at: String,
        /// What is wrong there.
        problem: String,
    },
    /// Something that this project's API cannot do.
    #[error("API {api} cannot {what}")]
    Unsupported {
        /// The `api` in use.
        api: &'static str,
        /// What it cannot do.
        what: &'static str,
    },
}

impl CloudError {
    /// The same for a batch list: one that is missing means that its API has gone; a missing record means no more than that.
    pub(crate) fn of_list(self, api: BatchApi, host: &str) -> CloudError {
        match self {
            CloudError::NotFound { status, .. } => {
                CloudError::ApiGone { api: api.word(), other: api.other().word(), host: host.to_owned(), status }
            }
            error => error,
        }
    }

    /// Whether the same call may succeed later without an action.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            CloudError::RateLimited { .. }
                | CloudError::Server { .. }
                | CloudError::Unreachable { .. }
                | CloudError::CutShort { .. }
        )
    }

    /// Whether no other call of this project can succeed either: the scan of the project ends at once.
    pub fn stops_scan(&self) -> bool {
        matches!(
            self,
            CloudError::Settings { .. }
                | CloudError::Unauthorized { .. }
                | CloudError::NoCredits { .. }
                | CloudError::Forbidden { .. }
                | CloudError::ApiGone { .. }
                | CloudError::Redirected { .. }
        )
    }

    /// Whether the key may not do this (403): the key itself, or only for what was asked for.
    pub fn is_forbidden(&self) -> bool {
        matches!(self, CloudError::Forbidden { .. })
    }

    /// Whether the answer is about the one thing that was asked for, rather than about the server.
    pub fn is_about_what_was_asked(&self) -> bool {
        matches!(
            self,
            CloudError::NotFound { .. }
                | CloudError::Refused { .. }
                | CloudError::TooLarge { .. }
                | CloudError::Unsupported { .. }
        )
    }

    /// Whether the whole API has gone, rather than one record.
    pub fn is_gone(&self) -> bool {
        matches!(self, CloudError::ApiGone { .. } | CloudError::ApiMissing { .. })
    }

    /// The HTTP status by which a batch list says that its API does not exist; none for any other error.
    ///
    /// Servers without the path answer 404 or 410, 405 where another method has it, or the HTML page of their console.
    pub fn list_not_found(&self) -> Option<u16> {
        match self {
            CloudError::ApiGone { status, .. } | CloudError::ApiMissing { status, .. } => Some(*status),
            CloudError::Refused { status: 405, .. } => Some(405),
            CloudError::NotJson { what, .. } if what == "HTML" => Some(200),
            _ => None,
        }
    }

    /// Whether the one record that was asked for does not exist (any more).
    pub fn is_not_found(&self) -> bool {
        matches!(self, CloudError::NotFound { .. })
    }

    /// How long the server asks to wait, if it says.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            CloudError::RateLimited { retry_after, .. } | CloudError::Server { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// Why a batch was not, or may not have been, created.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// The server refused; nothing was created.
    #[error("LlamaCloud refused the retry ({status}): {}", why_refused(.source))]
    Rejected {
        /// The status.
        status: u16,
        /// How long the server asks to wait.
        retry_after: Option<Duration>,
        /// What it said.
        source: CloudError,
    },
    /// The request never left; nothing was created.
    #[error("the retry was not sent: {0}")]
    NotSent(#[source] CloudError),
    /// It may or may not have been created: look before trying again, for a second one costs again.
    #[error("it is not known whether the resubmission arrived: {instead}")]
    Unclear {
        /// The status, if there was an answer at all.
        status: Option<u16>,
        /// What came instead of a readable answer.
        instead: CloudError,
    },
}

impl CreateError {
    /// What the server said about a request that it refused; empty if nothing.
    pub fn quoted_message(&self) -> &str {
        match self {
            Self::Rejected { source: CloudError::Refused { detail, .. }, .. } => detail.trim_start_matches(": "),
            _ => "",
        }
    }
}

/// A POST asks for no record: what is not found is something that it names.
fn why_refused(source: &CloudError) -> String {
    match source {
        CloudError::NotFound { detail, .. } => format!("unknown item or setting{detail}"),
        other => other.to_string(),
    }
}

/// A 429 is about the request rate, concurrent jobs, or the plan's limit: only the first improves with fewer requests.
fn slower(detail: &str) -> &'static str {
    let detail = detail.to_ascii_lowercase();
    if detail.contains("maximum number of") {
        "the account's plan limit is reached; delete some, or get a larger plan"
    } else if detail.contains("existing jobs") || detail.contains("resources exhausted") {
        "too many jobs are running; retry when some have ended"
    } else {
        "too many requests; if this persists, lower requests-per-second of this project"
    }
}

fn passing(status: u16, path: &str) -> String {
    match status {
        408 => {
            format!("LlamaCloud timed out waiting for the request at {path} (408): check the network if this persists")
        }
        409 => format!("LlamaCloud reports a conflicting change of {path} (409)"),
        _ => format!(
            "LlamaCloud is failing ({status}) at {path}: see its status page (https://llamaindex.statuspage.io)"
        ),
    }
}

fn waiting(retry_after: Option<Duration>) -> String {
    retry_after.map_or_else(String::new, |d| format!(" (it asks to wait {} s)", d.as_secs().max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_advice_of_a_429_fits_its_cause() {
        let said = |detail: &str, retry_after| {
            CloudError::RateLimited { retry_after, detail: format!(": {detail}") }.to_string()
        };
        assert!(said("Rate limit exceeded.", None).contains("lower requests-per-second"));
        assert!(!said("Rate limit exceeded.", None).contains("wait"), "it did not ask for that");
        assert!(said("", Some(Duration::from_secs(9))).contains("it asks to wait 9 s"));
        assert!(said("Resources exhausted. Please wait for existing jobs", None).contains("too many jobs are running"));
        assert!(said("You've already reached the maximum number of indexes", None).contains("plan limit is reached"));
    }

    #[test]
    fn a_conflict_is_no_outage() {
        let server =
            |status| CloudError::Server { status, path: "/x".into(), retry_after: None, detail: String::new() };
        assert!(!server(409).to_string().contains("statuspage") && server(503).to_string().contains("statuspage"));
    }
}
