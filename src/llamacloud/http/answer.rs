//! Reading an answer: bounded in size, its status turned into an error, its text made valid UTF-8.

use std::time::Duration;

use reqwest::header::LOCATION;
use reqwest::{Response, Url};

use crate::llamacloud::error::CloudError;
use crate::llamacloud::http::retry::{RetryDecision, verdict};
use crate::llamacloud::http::{detail, unreachable};
use crate::secrets::mask;

/// More than any page of 1,000 rows needs; a decompressed bomb ends here.
const LIMIT_MIB: usize = 64;

/// Characters shown of an answer that is no JSON.
const SHOWN: usize = 40;

/// The text of a good answer; any other status is an error.
pub(crate) async fn read(mut response: Response, host: &str) -> Result<String, CloudError> {
    let status = response.status().as_u16();
    let path = response.url().path().to_owned();
    let wish = retry_after(&response);
    if (300..400).contains(&status) {
        return Err(redirected(&response, host));
    }
    let body = match collect(&mut response, host, &path).await {
        Ok(body) => body,
        // The status says more than the fact that its explanation was cut short.
        Err(_) if status >= 400 => Vec::new(),
        Err(error) => return Err(error),
    };
    let text = into_text(body);
    if (200..300).contains(&status) {
        return refuse_html(text, host, &path);
    }
    let detail = detail::explain(&text);
    Err(status_error(status, host, path, wish, detail))
}

async fn collect(response: &mut Response, host: &str, path: &str) -> Result<Vec<u8>, CloudError> {
    let limit = LIMIT_MIB << 20;
    let declared = response.content_length().unwrap_or(0);
    if declared > limit as u64 {
        return Err(CloudError::TooLarge { path: path.to_owned(), limit_mib: LIMIT_MIB });
    }
    let mut body = Vec::with_capacity(declared as usize);
    loop {
        match response.chunk().await {
            Ok(None) => return Ok(body),
            Ok(Some(chunk)) if body.len() + chunk.len() > limit => {
                return Err(CloudError::TooLarge { path: path.to_owned(), limit_mib: LIMIT_MIB });
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Err(error) if error.is_timeout() => return Err(unreachable::explain(&error, host)),
            Err(error) => {
                return Err(CloudError::CutShort { path: path.to_owned(), problem: unreachable::root(&error) });
            }
        }
    }
}

/// Bytes that are no UTF-8 become U+FFFD: one bad name must not lose a page.
fn into_text(body: Vec<u8>) -> String {
    let text = String::from_utf8(body).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    }
}

fn refuse_html(text: String, host: &str, path: &str) -> Result<String, CloudError> {
    let start = text.trim_start();
    if start.starts_with(['{', '[', '"']) || start.is_empty() {
        return Ok(text);
    }
    let what = if start.starts_with('<') {
        "HTML".to_owned()
    } else {
        // Masked before it is cut to what is shown; a secret that this first cut halves stands far behind that.
        let start: String = start.chars().take(10 * SHOWN).collect();
        let few: String = mask(&start).chars().take(SHOWN).filter(|c| !c.is_control()).collect();
        format!("`{few}`")
    };
    Err(CloudError::NotJson { host: host.to_owned(), path: path.to_owned(), what })
}

fn redirected(response: &Response, host: &str) -> CloudError {
    let to = response.headers().get(LOCATION);
    let to = to.map_or("nowhere".into(), |v| String::from_utf8_lossy(v.as_bytes()));
    // A query may hold a ticket of a login page; where it leads is enough.
    let to = to.split(['?', '#']).next().unwrap_or_default();
    let to = Url::parse(to).map_or_else(|_| to.to_owned(), String::from);
    CloudError::Redirected { host: host.to_owned(), status: response.status().as_u16(), to: mask(&to).into_owned() }
}

fn retry_after(response: &Response) -> Option<Duration> {
    match verdict(Some((response.status().as_u16(), response.headers()))) {
        RetryDecision::Again(wish) => wish,
        RetryDecision::Final => None,
    }
}

fn status_error(status: u16, host: &str, path: String, retry_after: Option<Duration>, detail: String) -> CloudError {
    match status {
        401 => CloudError::Unauthorized { host: host.to_owned(), detail },
        402 => CloudError::NoCredits { detail },
        403 => CloudError::Forbidden { detail },
        404 | 410 => CloudError::NotFound { path, status, detail },
        429 => CloudError::RateLimited { retry_after, detail },
        408 | 409 | 500.. => CloudError::Server { status, path, retry_after, detail },
        _ => CloudError::Refused { status, path, detail },
    }
}
