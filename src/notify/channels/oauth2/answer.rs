//! What a token endpoint answers (RFC 6749, 5): a token, or why there is none and what to do about it.

use std::time::Duration;

use secrecy::SecretString;
use serde_json::Value;

use crate::notify::channels::http::HttpResponse;
use crate::notify::channels::oauth2::grant::Grant;
use crate::notify::error::{NotifyError, peer_text};

/// How long a token is used whose end the endpoint does not say.
const UNKNOWN_LIFE: Duration = Duration::from_secs(60);

/// The longest life that is believed.
const LONGEST_LIFE: u64 = 24 * 3_600;

/// What an endpoint granted.
pub(crate) struct Granted {
    pub(crate) token: SecretString,
    /// From now on.
    pub(crate) lifetime: Duration,
    /// What replaces the refresh token; none if that stays.
    pub(crate) refresh_token: Option<SecretString>,
}

/// The token of an answer. `raw` is its body as it came; `response` has the same with secrets masked.
pub(crate) fn read(peer: &str, grant: &Grant, response: &HttpResponse, raw: &[u8]) -> Result<Granted, NotifyError> {
    let answer: Option<Value> = serde_json::from_slice(raw).ok().filter(Value::is_object);
    let is_success = (200..300).contains(&response.status);
    match answer {
        Some(answer) if is_success => granted(peer, &answer),
        Some(answer) => Err(declined(peer, grant, response, &answer)),
        None if is_success && !response.complete => {
            Err(NotifyError::Unreachable { peer: peer.to_owned(), why: "token: the answer broke off".to_owned() })
        }
        // What stands between may be away tomorrow.
        None if is_success => Err(NotifyError::Deferred {
            peer: peer.to_owned(),
            why: format!(
                "token: {} is not JSON; check oauth2.token-url, and whether a proxy or login page is in between",
                response.peer_text()
            ),
            retry_after: response.retry_after,
        }),
        None => Err(declined(peer, grant, response, &Value::Null)),
    }
}

fn granted(peer: &str, answer: &Value) -> Result<Granted, NotifyError> {
    let refused = |why: &str| NotifyError::Refused {
        peer: peer.to_owned(),
        why: format!("token: {why}"),
        todo: "check oauth2.token-url: it must be the token endpoint of the mail server's provider",
        of_content: false,
    };
    let text = |key: &str| answer[key].as_str().filter(|text| !text.is_empty());
    let token = text("access_token").ok_or_else(|| refused("the answer has no access_token"))?;
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(refused("the access_token has characters that no token has"));
    }
    if text("token_type").is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
        return Err(refused("the token_type is not Bearer"));
    }
    let seconds = &answer["expires_in"];
    // Some endpoints write the number as text.
    let seconds = seconds.as_f64().map(|n| n as u64).or_else(|| seconds.as_str()?.parse().ok());
    Ok(Granted {
        token: SecretString::from(token),
        lifetime: seconds.map_or(UNKNOWN_LIFE, |seconds| Duration::from_secs(seconds.min(LONGEST_LIFE))),
        refresh_token: text("refresh_token").map(SecretString::from),
    })
}

/// An answer without a token: what the endpoint says, and what to do.
fn declined(peer: &str, grant: &Grant, response: &HttpResponse, answer: &Value) -> NotifyError {
    let error = answer["error"].as_str().unwrap_or_default();
    let said = match error {
        "" => response.peer_text(),
        error => {
            let words = answer["error_description"].as_str().unwrap_or_default();
            format!("HTTP {} {}", response.status, peer_text(&format!("{error}: {words}")).trim_end_matches([':', ' ']))
        }
    };
    let (peer, why) = (peer.to_owned(), format!("token: {said}"));
    let is_busy = matches!(error, "temporarily_unavailable" | "server_error" | "slow_down");
    if is_busy || response.retry_after.is_some() || matches!(response.status, 408 | 425 | 429 | 500..=599) {
        return NotifyError::Deferred { peer, why, retry_after: response.retry_after };
    }
    NotifyError::Refused { peer, why, todo: remedy(grant, response.status, error), of_content: false }
}

/// What to do about an error code (RFC 6749, 5.2), which means different things for different grants.
fn remedy(grant: &Grant, status: u16, error: &str) -> &'static str {
    match (error, grant) {
        ("invalid_client", Grant::ServiceAccount { .. }) => {
            "the service account or its key no longer exists: create a new key and store it as smtp-oauth2-key-NAME"
        }
        ("invalid_client", _) => {
            "check oauth2.client-id and the client secret (smtp-oauth2-secret-NAME): it may have expired, then create a new one"
        }
        ("invalid_grant", Grant::RefreshToken { .. }) => {
            "the refresh token has expired or was revoked: grant access again and store the new one as smtp-oauth2-refresh-token-NAME"
        }
        ("invalid_grant", Grant::ServiceAccount { .. }) => {
            "check that smtp-username is a mailbox of the domain, that the key still exists, and this machine's clock"
        }
        ("invalid_grant", Grant::ClientCredentials { .. }) => "check oauth2.grant and the application's registration",
        ("unauthorized_client", Grant::ServiceAccount { .. }) => {
            "allow the service account's client id with this scope in the Admin console (domain-wide delegation)"
        }
        ("unauthorized_client" | "access_denied", _) => {
            "check oauth2.client-id, the tenant in oauth2.token-url, and that an administrator consented to the permission"
        }
        ("invalid_scope", _) => "check oauth2.scope",
        ("unsupported_grant_type", _) => "check oauth2.grant and oauth2.token-url",
        ("", _) if (300..400).contains(&status) => {
            "it redirects, which is not followed: set oauth2.token-url to the address it leads to"
        }
        ("", _) if status == 407 => {
            "a proxy requires authentication: add user and password to HTTPS_PROXY, or the host to NO_PROXY"
        }
        ("", _) => "check oauth2.token-url",
        _ => "check oauth2.token-url, oauth2.client-id and oauth2.scope",
    }
}
