//! The signed assertion of a Google service account (RFC 7523): a JWT, signed with RS256 by the key of its key file.
//!
//! <https://developers.google.com/identity/protocols/oauth2/service-account#httprest>

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;

use crate::notify::error::NotifyError;

/// How long an assertion is valid, in seconds; an hour at most.
const LIFE: i64 = 600;

/// So many seconds earlier it is dated: the clock of the endpoint may be behind.
const EARLIER: i64 = 30;

/// A service account.
pub(crate) struct ServiceAccount {
    email: String,
    key_id: Option<String>,
    key: KeyPair,
    /// The token endpoint, which the assertion is for.
    pub(crate) token_url: String,
}

/// What is read of a key file.
#[derive(Deserialize)]
struct KeyFile {
    client_email: String,
    private_key: String,
    private_key_id: Option<String>,
    token_uri: Option<String>,
}

impl ServiceAccount {
    /// The account of a key file. `token_url` replaces the endpoint that the file names.
    pub(crate) fn read(channel: &str, file: &SecretString, token_url: Option<&str>) -> Result<Self, NotifyError> {
        let wrong = |why: &str| {
            NotifyError::Settings(format!(
                "channel \"{channel}\": the key of its service account {why}: store the JSON file that Google made as smtp-oauth2-key-{channel}"
            ))
        };
        // serde's own text would quote the file.
        let file: KeyFile = serde_json::from_str(file.expose_secret())
            .map_err(|_| wrong("is not JSON with client_email and private_key"))?;
        let key = PrivatePkcs8KeyDer::from_pem_slice(file.private_key.as_bytes())
            .map_err(|_| wrong("has no private_key in PEM (PKCS #8)"))?;
        let key = KeyPair::from_pkcs8(key.secret_pkcs8_der()).map_err(|_| wrong("has no RSA private_key"))?;
        let token_url = token_url.map(str::to_owned).or(file.token_uri).ok_or_else(|| wrong("names no token_uri"))?;
        Ok(ServiceAccount { email: file.client_email, key_id: file.private_key_id, key, token_url })
    }

    /// A statement, valid for some minutes, that the account may act for a user.
    pub(crate) fn assertion(&self, user: &str, scope: &str, now: Timestamp) -> Result<SecretString, NotifyError> {
        let issued = now.as_second() - EARLIER;
        let header = json!({ "alg": "RS256", "typ": "JWT", "kid": self.key_id });
        let claims = json!({
            "iss": self.email, "sub": user, "scope": scope, "aud": self.token_url, "iat": issued, "exp": issued + LIFE,
        });
        let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .map_err(|_| NotifyError::Settings("the key of the service account cannot sign".to_owned()))?;
        Ok(SecretString::from(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))))
    }
}
