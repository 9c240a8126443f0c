//! One POST and its result. Addresses may be secrets and are never shown.

use std::time::Duration;

use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Url};
use secrecy::{ExposeSecret, SecretString};

use crate::config::channel::Method;
use crate::model::host::{is_loopback, with_port};
use crate::model::text::cut_end;
use crate::notify::error::{NotifyError, peer_text};
use crate::notify::http_answer::{BodyFormat, HttpAnswer, RefusalCause, ResponseVerdict, judge};
use crate::secrets;

/// Characters of an answer that are kept; the rest says nothing.
const ANSWER: usize = 16_384;

/// Bytes of an answer that are read: a secret that begins within what is kept is masked as a whole.
const READ: usize = 2 * ANSWER;

/// An address to post to.
pub(crate) struct Http {
    client: Client,
    url: Url,
}

/// Whether an address without TLS is accepted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plaintext {
    /// The address is itself a secret: TLS, except to this machine.
    OnLoopback,
    /// The body is signed and the network may be the user's own.
    Allowed,
}

/// The answer.
pub(crate) struct HttpResponse {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<Duration>,
    /// As far as it was read.
    pub(crate) body: String,
    /// Whether the body came to its end, or was cut here.
    pub(crate) complete: bool,
}

impl Http {
    /// Checks an address and builds its client. `limit` is the time for the whole exchange.
    pub(crate) fn new(
        channel: &str,
        address: &SecretString,
        plaintext: Plaintext,
        limit: Duration,
    ) -> Result<Http, NotifyError> {
        let wrong = |why: &str| NotifyError::Settings(format!("channel \"{channel}\": {why}"));
        let url = Url::parse(address.expose_secret().trim())
            .map_err(|error| wrong(&format!("its address cannot be read: {error}")))?;
        let local = url.host_str().is_some_and(is_loopback);
        match url.scheme() {
            "https" => {}
            "http" if local || plaintext == Plaintext::Allowed => {}
            _ => return Err(wrong("its address must begin with https://")),
        }
        let mut builder = Client::builder()
            .timeout(limit)
            .connect_timeout(limit.min(Duration::from_secs(10)))
            // A redirect could send the digest to a host that is not configured.
            .redirect(Policy::none())
            .user_agent(concat!("llama-triage/", env!("CARGO_PKG_VERSION")));
        if local {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|error| wrong(&format!("cannot set up HTTP: {}", reason(error))))?;
        Ok(Http { client, url })
    }

    /// Host and port; never the path, which may hold a secret.
    pub(crate) fn peer(&self) -> String {
        with_port(self.url.host_str().unwrap_or("?"), self.url.port_or_known_default().unwrap_or(0))
    }

    /// Posts JSON. Any status is an answer; only the lack of one is an error.
    pub(crate) async fn post(&self, body: String, headers: &[(&str, String)]) -> Result<HttpResponse, NotifyError> {
        self.send(Method::Post, "application/json", body, headers).await
    }

    /// Sends a body. Any status is an answer; only the lack of one is an error.
    pub(crate) async fn send(
        &self,
        method: Method,
        content_type: &str,
        body: String,
        headers: &[(&str, String)],
    ) -> Result<HttpResponse, NotifyError> {
        let method = match method {
            Method::Post => reqwest::Method::POST,
            Method::Put => reqwest::Method::PUT,
            Method::Patch => reqwest::Method::PATCH,
        };
        let mut request = self.client.request(method, self.url.clone()).header("content-type", content_type).body(body);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let response = request.send().await.map_err(|error| self.no_answer(error))?;
        Ok(read(response).await)
    }

    /// Posts a form; the body of the answer comes as it is, too. The error says why there is no answer.
    pub(crate) async fn post_form(&self, fields: &[(&str, &str)]) -> Result<(HttpResponse, Vec<u8>), String> {
        let mut response = self.client.post(self.url.clone()).form(fields).send().await.map_err(reason)?;
        let (bytes, complete) = read_body(&mut response).await;
        Ok((answer(&response, &bytes, complete), bytes))
    }

    /// Asks the host for its front page, which proves the name, the way and the certificate and sends nothing.
    pub(crate) async fn check(&self) -> Result<String, NotifyError> {
        let mut front = self.url.clone();
        front.set_path("/");
        front.set_query(None);
        self.client.head(front).send().await.map_err(|error| self.no_answer(error))?;
        Ok(format!("{} answers; send a test message to check that it accepts digests", self.peer()))
    }

    fn no_answer(&self, error: reqwest::Error) -> NotifyError {
        let peer = self.peer();
        if error.is_connect() || error.is_builder() {
            return NotifyError::Unreachable { peer, why: reason(error) };
        }
        NotifyError::Unclear { peer, why: reason(error) }
    }

    /// What an answer means; `body` says whether the receiver's words count.
    pub(crate) fn judge(&self, answer: &HttpResponse, body: BodyFormat) -> Result<(), NotifyError> {
        let cause = match answer.verdict(body) {
            ResponseVerdict::Delivered => return Ok(()),
            ResponseVerdict::Refused(cause) => cause,
            other => return Err(self.not_refused(other, answer)),
        };
        let todo = match cause {
            RefusalCause::Moved => "it redirects, which is not followed: configure the address it leads to",
            RefusalCause::Proxy => {
                "a proxy requires authentication: add user and password to HTTPS_PROXY, or the host to NO_PROXY"
            }
            RefusalCause::Secret => "check the channel's address and secret",
            RefusalCause::Gone => "the address no longer exists: create a new one and configure it",
            RefusalCause::Receiver => {
                "the receiver reports a failure: check its side, or create a new address and configure it"
            }
            RefusalCause::Content => "check that the address belongs to this kind of channel",
        };
        let of_content = cause == RefusalCause::Content;
        Err(NotifyError::Refused { peer: self.peer(), why: answer.peer_text(), todo, of_content })
    }

    fn not_refused(&self, verdict: ResponseVerdict, answer: &HttpResponse) -> NotifyError {
        let (peer, why) = (self.peer(), answer.peer_text());
        match verdict {
            ResponseVerdict::TooLarge => NotifyError::TooLarge { peer, why, next: None },
            ResponseVerdict::Unclear => NotifyError::Unclear { peer, why: format!("{why} (its answer broke off)") },
            ResponseVerdict::WebPage => {
                let why = format!(
                    "{why}: got a web page instead of an API answer; check the address, and whether a proxy or login page is in between"
                );
                NotifyError::Deferred { peer, why, retry_after: answer.retry_after }
            }
            _ => NotifyError::Deferred { peer, why, retry_after: answer.retry_after },
        }
    }
}

impl HttpResponse {
    /// What it means; `body` says whether the words of this receiver count.
    pub(crate) fn verdict(&self, body: BodyFormat) -> ResponseVerdict {
        let answer = HttpAnswer {
            status: self.status,
            retry_after: self.retry_after,
            body: &self.body,
            complete: self.complete,
        };
        judge(&answer, body)
    }

    /// Status and words for people, masked and cut.
    pub(crate) fn peer_text(&self) -> String {
        match peer_text(&self.body) {
            said if said.is_empty() => format!("HTTP {}", self.status),
            said => format!("HTTP {}: {said}", self.status),
        }
    }
}

/// Reads what there is of an answer.
pub(crate) async fn read(mut response: reqwest::Response) -> HttpResponse {
    let (bytes, complete) = read_body(&mut response).await;
    answer(&response, &bytes, complete)
}

fn answer(response: &reqwest::Response, body: &[u8], complete: bool) -> HttpResponse {
    let whole = secrets::mask(&String::from_utf8_lossy(body)).into_owned();
    HttpResponse {
        status: response.status().as_u16(),
        retry_after: retry_after(response.headers()),
        body: cut_end(&whole, ANSWER).into_owned(),
        complete,
    }
}

/// The body as far as it is needed, and whether it came to its end or was cut here.
async fn read_body(response: &mut reqwest::Response) -> (Vec<u8>, bool) {
    let mut bytes = Vec::new();
    // The rest of a longer body is not needed.
    let complete = loop {
        match response.chunk().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) => break true,
            // The status is known; a broken body only means that its words are not.
            Err(_) => break false,
        }
        if bytes.len() >= READ {
            break true;
        }
    };
    (bytes, complete)
}

/// Seconds, or a date, which is measured from the answer's own date so that no clock is needed here.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = |text: &str| jiff::fmt::rfc2822::parse(text).ok().map(|at| at.timestamp());
    let sent = date(headers.get(DATE)?.to_str().ok()?)?;
    Duration::try_from(date(text)?.duration_since(sent)).ok()
}

/// The whole chain of causes, without the address.
fn reason(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut chain = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        chain.push_str(": ");
        chain.push_str(&cause.to_string());
        source = cause.source();
    }
    peer_text(&chain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(pairs: &[(&'static str, &'static str)]) -> Option<Duration> {
        let headers = pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        retry_after(&headers)
    }

    #[test]
    fn retry_after_is_read_as_seconds_and_as_a_date() {
        assert_eq!(after(&[("retry-after", "120")]), Some(Duration::from_secs(120)));
        let date = ("date", "Sun, 23 Aug 2026 07:00:00 GMT");
        let later = ("retry-after", "Sun, 23 Aug 2026 07:05:00 GMT");
        assert_eq!(after(&[date, later]), Some(Duration::from_secs(300)));
        let earlier = ("retry-after", "Sun, 23 Aug 2026 06:00:00 GMT");
        assert_eq!(after(&[date, earlier]), None);
        assert_eq!(after(&[("retry-after", "soon")]), None);
        assert_eq!(after(&[]), None);
    }

    #[test]
    fn an_address_that_is_a_secret_needs_tls_and_is_never_shown() {
        let new =
            |address: &str, plaintext| Http::new("c", &SecretString::from(address), plaintext, Duration::from_secs(1));
        assert!(new("https://hooks.example.com/T/B/x", Plaintext::OnLoopback).is_ok());
        assert!(new("http://127.0.0.1:9/x", Plaintext::OnLoopback).is_ok());
        assert!(new("http://hook.internal/x", Plaintext::Allowed).is_ok());
        for bad in ["http://hooks.example.com/s3cret", "file:///s3cret", "s3cret"] {
            let error = new(bad, Plaintext::OnLoopback).map(|_| ()).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("s3cret"), "{error}");
        }
        let http = new("https://hooks.example.com/T/s3cret", Plaintext::OnLoopback).unwrap();
        assert_eq!(http.peer(), "hooks.example.com:443");
    }
}
