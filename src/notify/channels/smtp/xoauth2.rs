//! The log-in with an access token (SASL `XOAUTH2`).
//!
//! <https://developers.google.com/workspace/gmail/imap/xoauth2-protocol>

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

/// The command that logs a user in.
pub(crate) fn command(user: &str, token: &SecretString) -> String {
    let response = format!("user={user}\x01auth=Bearer {}\x01\x01", token.expose_secret());
    format!("AUTH XOAUTH2 {}\r\n", STANDARD.encode(response))
}

/// What a server says by a challenge: base64 of a JSON object, with which it refuses a token; empty if it says nothing.
pub(crate) fn challenge(text: &str) -> String {
    let decoded = STANDARD.decode(text.trim()).ok().and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
    let fields = decoded.as_ref().and_then(Value::as_object);
    let said = fields.into_iter().flatten().map(|(name, value)| match value {
        Value::String(text) => format!("{name} {text}"),
        other => format!("{name} {other}"),
    });
    said.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_is_that_of_the_published_example() {
        let token = SecretString::from("ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg");
        assert_eq!(
            command("someuser@example.com", &token),
            "AUTH XOAUTH2 dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB5YTI5LnZGOWRmdDRxbVRjMk52YjNSbGNrQmhkSFJoZG1semRHRXVZMjl0Q2cBAQ==\r\n"
        );
    }

    #[test]
    fn a_refusal_is_read_from_the_challenge() {
        let published =
            "eyJzdGF0dXMiOiI0MDEiLCJzY2hlbWVzIjoiYmVhcmVyIG1hYyIsInNjb3BlIjoiaHR0cHM6Ly9tYWlsLmdvb2dsZS5jb20vIn0K";
        assert_eq!(challenge(published), "schemes bearer mac, scope https://mail.google.com/, status 401");
        for nothing in ["", "=", "aGVsbG8=", "W10="] {
            assert_eq!(challenge(nothing), "", "{nothing}");
        }
    }
}
