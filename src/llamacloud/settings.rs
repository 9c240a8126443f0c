//! What one connection to LlamaCloud is made from.

use std::time::Duration;

use reqwest::Url;
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};

use crate::config::project::ProjectConfig;
use crate::llamacloud::error::CloudError;
use crate::secrets::mask;

/// One `[[project]]` and its key.
#[derive(Debug)]
pub struct CloudSettings {
    /// The project.
    pub project: ProjectConfig,
    /// Its API key.
    pub key: SecretString,
}

/// How long to wait between tries.
#[derive(Clone, Copy, Debug)]
pub struct RetryPace {
    /// The wait before the first retry; it doubles from there.
    pub first: Duration,
    /// The longest wait that is not the server's own wish.
    pub longest: Duration,
    /// Retries of one request, at most.
    pub retries: usize,
    /// The longest `Retry-After` that is waited for; a longer one ends the request.
    pub longest_wish: Duration,
}

impl Default for RetryPace {
    /// The vendor's own clients: 0.5 s doubled up to 8 s, wishes up to 60 s.
    fn default() -> Self {
        RetryPace {
            first: Duration::from_millis(500),
            longest: Duration::from_secs(8),
            retries: 4,
            longest_wish: Duration::from_secs(60),
        }
    }
}

impl RetryPace {
    /// Waits of a millisecond: for a simulated LlamaCloud.
    pub fn hurried() -> RetryPace {
        RetryPace {
            first: Duration::from_millis(1),
            longest: Duration::from_millis(2),
            longest_wish: Duration::from_millis(20),
            ..RetryPace::default()
        }
    }
}

/// The base URL, checked. A path in it is kept (reverse proxies).
pub(crate) fn base_url(text: &str) -> Result<Url, CloudError> {
    let problem = |problem: String| CloudError::Settings { key: "base-url", problem };
    let url = Url::parse(text.trim()).map_err(|error| {
        problem(format!("{error}; it must look like https://api.cloud.llamaindex.ai, not `{}`", mask(text)))
    })?;
    if !matches!(url.scheme(), "https" | "http") || url.host_str().is_none_or(str::is_empty) {
        return Err(problem("it must begin with https:// (or http://) and name a host".to_owned()));
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
        return Err(problem("it must hold neither a login nor a query".to_owned()));
    }
    Ok(url)
}

/// The `Authorization` header, marked as sensitive so that no log prints it.
pub(crate) fn bearer(key: &SecretString) -> Result<HeaderValue, CloudError> {
    let problem = |problem: &str| CloudError::Settings { key: "api-key-file", problem: problem.to_owned() };
    let key = key.expose_secret().trim();
    if key.is_empty() {
        return Err(problem("the API key is empty"));
    }
    if !key.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(problem("the API key contains whitespace, line breaks or other invalid characters; copy it again"));
    }
    let mut value = HeaderValue::from_str(&format!("Bearer {key}"))
        .map_err(|_| problem("the API key cannot be sent in a header; copy it again"))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_must_be_an_address_without_a_login() {
        for good in ["https://api.cloud.llamaindex.ai", "http://127.0.0.1:8/x/"] {
            assert!(base_url(good).is_ok(), "{good}");
        }
        for bad in ["", "api.cloud.llamaindex.ai", "ftp://x", "https://user:pw@x", "https://x/?a=b"] {
            assert!(base_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_key_that_cannot_be_sent_is_refused_without_being_shown() {
        assert!(bearer(&" llx-abcdefgh\n".into()).is_ok());
        for bad in ["", " \n", "llx-abc defgh", "llx-abcdefghé"] {
            let error = bearer(&bad.into()).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("llx-abc"));
        }
    }

    #[test]
    fn settings_never_show_the_key() {
        let settings = CloudSettings { project: ProjectConfig::default(), key: "llx-verysecret1".into() };
        assert!(!format!("{settings:?}").contains("verysecret"));
    }
}
