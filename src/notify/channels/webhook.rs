//! The generic webhook: the digest as JSON with a Standard Webhooks signature, so that a receiver can tell who sent it.
//!
//! <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use sha2::Sha256;

use crate::notify::channels::http::{Http, Plaintext};
use crate::notify::delivery::{DeliveryFacts, Receipt};
use crate::notify::error::NotifyError;
use crate::notify::http_answer::BodyFormat;
use crate::notify::render::json;
use crate::triage::digest::model::Digest;

/// A webhook.
pub(crate) struct Webhook {
    pub(crate) http: Http,
    key: Option<SecretSlice<u8>>,
}

impl Webhook {
    /// Checks the address and the signing secret; without a secret nothing is signed.
    pub(crate) fn new(
        channel: &str,
        address: &SecretString,
        secret: Option<&SecretString>,
        limit: Duration,
    ) -> Result<Webhook, NotifyError> {
        let key = secret.map(|secret| read_key(channel, secret)).transpose()?;
        Ok(Webhook { http: Http::new(channel, address, Plaintext::Allowed, limit)?, key })
    }

    /// The body.
    pub(crate) fn preview(digest: &Digest, facts: &DeliveryFacts) -> String {
        json::render(digest, facts.tier).0
    }

    /// Posts the body; only 2xx is success.
    pub(crate) async fn deliver(&self, digest: &Digest, facts: &DeliveryFacts) -> Result<Receipt, NotifyError> {
        let (body, tier) = json::render(digest, facts.tier);
        let headers = self.headers(digest, facts, &body);
        let answer = self.http.post(body, &headers).await?;
        let size = |tier| json::render(digest, tier).0.len();
        self.http.judge(&answer, BodyFormat::Ignored).map_err(|error| error.shortened(facts, tier, size))?;
        Ok(Receipt::new(format!("HTTP {}", answer.status), tier))
    }

    fn headers(&self, digest: &Digest, facts: &DeliveryFacts, body: &str) -> Vec<(&'static str, String)> {
        let id = message_id(digest, &facts.delivery_id);
        let timestamp = facts.now.as_second().to_string();
        let mut headers = Vec::with_capacity(3);
        if let Some(key) = &self.key {
            let signature = sign(key.expose_secret(), &id, &timestamp, body);
            headers.push(("webhook-signature", signature));
        }
        headers.push(("webhook-id", id));
        headers.push(("webhook-timestamp", timestamp));
        headers
    }
}

/// `v1,` and the HMAC-SHA256 over `id.timestamp.body`.
pub(crate) fn sign(key: &[u8], id: &str, timestamp: &str, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in [id, ".", timestamp, ".", body] {
        mac.update(part.as_bytes());
    }
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

/// A header value; the dot separates in what is signed and may not be part of the id.
///
/// A delivery is called after its digest and channel; outside, the digest has its longer id.
fn message_id(digest: &Digest, delivery_id: &str) -> String {
    let channel = delivery_id.strip_prefix(&digest.digest_id).unwrap_or(delivery_id);
    let delivery_id = format!("{}{channel}", digest.global_id());
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_:/".contains(c) { c } else { '_' };
    delivery_id.chars().take(200).map(plain).collect()
}

fn read_key(channel: &str, secret: &SecretString) -> Result<SecretSlice<u8>, NotifyError> {
    let text = secret.expose_secret().trim();
    let bytes = match text.strip_prefix("whsec_") {
        None => text.as_bytes().to_vec(),
        Some(encoded) => STANDARD.decode(encoded).map_err(|_| {
            NotifyError::Settings(format!(
                "channel \"{channel}\": its signing secret begins with whsec_ but is not base64"
            ))
        })?,
    };
    if bytes.is_empty() {
        return Err(NotifyError::Settings(format!("channel \"{channel}\": its signing secret is empty")));
    }
    Ok(bytes.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_the_published_example() {
        // The example of https://docs.svix.com/receiving/verifying-payloads/how-manual.
        let key = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let body = r#"{"test": 2432232314}"#;
        assert_eq!(
            sign(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", body),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn secrets_are_read_in_both_forms() {
        let read = |text: &str| read_key("c", &SecretString::from(text));
        assert_eq!(read("whsec_AQID\n").unwrap().expose_secret(), [1, 2, 3]);
        assert_eq!(read("raw").unwrap().expose_secret(), b"raw");
        assert!(read("whsec_***").is_err() && read(" ").is_err());
    }
}
