//! The session cookie: a name and an expiry, signed with a key derived from the token, so that a new token ends all sessions.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::console::access::{is_sealed, seal};

/// How long a log-in lasts.
pub(crate) const LIFE: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The least bytes of a token: fewer can be guessed.
pub(crate) const SHORTEST_TOKEN: usize = 16;

const PURPOSE: &str = "console session";

/// What log-ins are checked with.
pub(crate) struct Sessions {
    token: [u8; 32],
    key: String,
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sessions")
    }
}

impl Sessions {
    /// Of a token.
    pub(crate) fn new(token: &str) -> Sessions {
        Sessions { token: Sha256::digest(token).into(), key: seal(token.as_bytes(), &[PURPOSE]) }
    }

    /// Whether this is the token; the time it takes says nothing about it.
    pub(crate) fn is_token(&self, typed: &str) -> bool {
        let typed: [u8; 32] = Sha256::digest(typed).into();
        typed.ct_eq(&self.token).into()
    }

    /// The cookie of a person who logs in now.
    pub(crate) fn begin(&self, name: &str, now: Timestamp) -> String {
        let ends = now.checked_add(LIFE).unwrap_or(now).as_second().to_string();
        let name = BASE64_URL_SAFE_NO_PAD.encode(name);
        format!("{name}.{ends}.{}", seal(self.key.as_bytes(), &[&name, &ends]))
    }

    /// The name in a cookie; none if it is not ours, was changed, or has ended.
    pub(crate) fn person(&self, cookie: &str, now: Timestamp) -> Option<String> {
        let mut parts = cookie.split('.');
        let (name, ends, seal) = (parts.next()?, parts.next()?, parts.next()?);
        let sealed = parts.next().is_none() && is_sealed(self.key.as_bytes(), &[name, ends], seal);
        let ends: i64 = ends.parse().ok().filter(|_| sealed)?;
        if ends <= now.as_second() {
            return None;
        }
        String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(name).ok()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_ends_with_its_time_and_its_token() {
        let now: Timestamp = "2026-11-30T18:00:00Z".parse().unwrap();
        let sessions = Sessions::new("a long enough token");
        let cookie = sessions.begin("Ann.é", now);
        assert_eq!(sessions.person(&cookie, now).as_deref(), Some("Ann.é"));
        assert_eq!(sessions.person(&cookie, now + LIFE), None);
        assert_eq!(Sessions::new("another console token").person(&cookie, now), None);
    }

    #[test]
    fn a_cookie_that_was_changed_is_none() {
        let now: Timestamp = "2026-11-30T18:00:00Z".parse().unwrap();
        let sessions = Sessions::new("a long enough token");
        let cookie = sessions.begin("ann", now);
        let (name, rest) = cookie.split_once('.').unwrap();
        let (ends, seal) = rest.split_once('.').unwrap();
        let bob = BASE64_URL_SAFE_NO_PAD.encode("bob");
        let forged = [
            String::new(),
            "..".to_owned(),
            format!("{bob}.{ends}.{seal}"),
            format!("{name}.9{ends}.{seal}"),
            format!("{name}{ends}..{seal}"),
            format!("{cookie}."),
            format!("{name}.{ends}."),
            format!("{name}.{ends}.{}", &seal[..32]),
        ];
        for cookie in forged {
            assert_eq!(sessions.person(&cookie, now), None, "{cookie}");
        }
        assert!(sessions.is_token("a long enough token") && !sessions.is_token("a long enough toker"));
    }
}
