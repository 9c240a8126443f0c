//! Access control: pure rules, and the state of forms and log-ins.

pub(crate) mod attempts;
pub(crate) mod form_token;
pub(crate) mod host;
pub(crate) mod origin;
pub(crate) mod person_name;
pub(crate) mod session;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// HMAC-SHA256 of parts, each with its length before it, so that no two lists of parts look alike.
fn mac(key: &[u8], parts: &[&str]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part.as_bytes());
    }
    mac
}

/// The same as hexadecimal digits.
fn seal(key: &[u8], parts: &[&str]) -> String {
    hex::encode(mac(key, parts).finalize().into_bytes())
}

/// Whether `seal` is that of the parts; compared in constant time.
fn is_sealed(key: &[u8], parts: &[&str], seal: &str) -> bool {
    hex::decode(seal).is_ok_and(|seal| mac(key, parts).verify_slice(&seal).is_ok())
}
