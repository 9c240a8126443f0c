//! The generic webhook: the digest as JSON with a Standard Webhooks signature, so that a receiver can tell who sent it.
//!
//! <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>
//!
//! With a template the body is what another service understands; everything else stays the same.

pub(crate) mod recipe;
pub(crate) mod request;
pub(crate) mod template;

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use sha2::Sha256;

use crate::config::channel::{ChannelConfig as Config, Method};
use crate::notify::channels::http::{Http, Plaintext};
use crate::notify::channels::webhook::recipe::shipped;
use crate::notify::channels::webhook::template::{BodyKind, BodyTemplate};
use crate::notify::delivery::{DeliveryFacts, Receipt};
use crate::notify::error::NotifyError;
use crate::notify::http_answer::BodyFormat;
use crate::notify::render::json;
use crate::triage::digest::model::Digest;
use crate::triage::digest::size_limit::Tier;

/// A webhook.
pub(crate) struct Webhook {
    pub(crate) http: Http,
    key: Option<SecretSlice<u8>>,
    method: Method,
    /// What is sent with every request, by lower-case names.
    headers: Vec<(String, SecretString)>,
    content_type: String,
    template: Option<BodyTemplate>,
}

/// The secrets of a webhook.
pub(crate) struct WebhookSecrets<'a> {
    /// The address.
    pub(crate) address: &'a SecretString,
    /// What it is signed with; none does not sign.
    pub(crate) signing: Option<&'a SecretString>,
    /// What it is authorized with.
    pub(crate) bearer: Option<&'a SecretString>,
}

impl Webhook {
    /// Checks the address, the secrets and the headers, and tries the template.
    pub(crate) fn new(config: &Config, secrets: WebhookSecrets<'_>, limit: Duration) -> Result<Webhook, NotifyError> {
        let channel = config.name.as_str();
        let key = secrets.signing.map(|secret| read_key(channel, secret)).transpose()?;
        let recipe = config.recipe.map(shipped);
        let authorization = recipe.as_ref().map_or("Bearer {bearer}", |recipe| recipe.authorization);
        let mut headers = request::headers(config, secrets.bearer, authorization)?;
        let named = headers.iter().position(|(name, _)| name == "content-type").map(|at| headers.remove(at).1);
        let content_type = named.map_or("application/json".to_owned(), |value| value.expose_secret().to_owned());
        // A secret must not leave this machine in plain text.
        let plaintext = if secrets.bearer.is_some() { Plaintext::OnLoopback } else { Plaintext::Allowed };
        let kind = if content_type.contains("json") { BodyKind::Json } else { BodyKind::Text };
        let values = config.template_values.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
        let template = match (&recipe, &config.body_template) {
            (Some(recipe), _) => Some(BodyTemplate::new(channel, recipe.source.to_owned(), kind, values)?),
            (None, Some(path)) => Some(BodyTemplate::read(channel, path, kind, values)?),
            (None, None) => None,
        };
        let http = Http::new(channel, secrets.address, plaintext, limit)?;
        let method = config.method.unwrap_or_default();
        Ok(Webhook { http, key, method, headers, content_type, template })
    }

    /// The body; empty if nothing is sent.
    pub(crate) fn preview(&self, digest: &Digest, facts: &DeliveryFacts) -> Result<String, NotifyError> {
        Ok(self.render(digest, facts.tier)?.0)
    }

    fn render(&self, digest: &Digest, largest: Tier) -> Result<(String, Tier), NotifyError> {
        match &self.template {
            Some(template) => template.render(digest, largest),
            None => Ok(json::render(digest, largest)),
        }
    }

    /// Sends the body; only 2xx is success. A template that writes nothing for a digest sends nothing.
    pub(crate) async fn deliver(&self, digest: &Digest, facts: &DeliveryFacts) -> Result<Receipt, NotifyError> {
        let (body, tier) = self.render(digest, facts.tier)?;
        if body.is_empty() {
            return Ok(Receipt::new("nothing to send: the template is empty for this digest".to_owned(), tier));
        }
        let headers = self.headers(digest, facts, &body);
        let answer = self.http.send(self.method, &self.content_type, body, &headers).await?;
        let size = |tier| self.render(digest, tier).map_or(usize::MAX, |(body, _)| body.len());
        self.http.judge(&answer, BodyFormat::Ignored).map_err(|error| error.shortened(facts, tier, size))?;
        Ok(Receipt::new(format!("HTTP {}", answer.status), tier))
    }

    fn headers(&self, digest: &Digest, facts: &DeliveryFacts, body: &str) -> Vec<(&str, String)> {
        let id = message_id(digest, &facts.delivery_id);
        let timestamp = facts.now.as_second().to_string();
        let own = self.headers.iter();
        let mut headers: Vec<(&str, String)> =
            own.map(|(name, value)| (name.as_str(), value.expose_secret().to_owned())).collect();
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
