//! What time LlamaCloud says it is: the `Date` of an answer. No key is sent, and any status will do.

use std::time::Duration;

use reqwest::header::{AGE, CACHE_CONTROL, DATE, HeaderMap, HeaderName};

use crate::llamacloud::Cloud;
use crate::llamacloud::http::client::Client;
use crate::model::clock::ServerTime;

/// Work waits for the answer, and a clock in doubt is asked about again.
const LIMIT: Duration = Duration::from_secs(5);

impl Cloud {
    /// Asks for the time. An answer out of a cache says nothing about it.
    pub async fn server_time(&self) -> ServerTime {
        self.client.server_time().await
    }
}

impl Client {
    async fn server_time(&self) -> ServerTime {
        let (reads, base) = self.anonymous();
        match reads.head(base).header(CACHE_CONTROL, "no-cache").timeout(LIMIT).send().await {
            Ok(answer) => date(answer.headers()).map_or(ServerTime::Silent, ServerTime::Says),
            Err(error) => {
                tracing::debug!(error = %error.without_url(), "cannot ask for the time");
                ServerTime::Unreachable
            }
        }
    }
}

fn date(headers: &HeaderMap) -> Option<jiff::Timestamp> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if text(AGE).is_some_and(|age| age.trim() != "0") {
        return None;
    }
    Some(jiff::fmt::rfc2822::parse(text(DATE)?).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_read_unless_a_cache_kept_it() {
        let read = |pairs: &[(HeaderName, &'static str)]| {
            let headers = pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
            date(&headers).map(|at| at.to_string())
        };
        let at = "Mon, 30 Nov 2026 11:30:21 GMT";
        assert_eq!(read(&[(DATE, at)]).as_deref(), Some("2026-11-30T11:30:21Z"));
        assert_eq!(read(&[(DATE, at), (AGE, "0")]).as_deref(), Some("2026-11-30T11:30:21Z"));
        assert_eq!(read(&[(DATE, at), (AGE, "86400")]), None);
        assert_eq!((read(&[]), read(&[(DATE, "yesterday")])), (None, None));
    }
}
