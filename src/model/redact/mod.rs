//! Masking secrets in text from outside, before it reaches the ledger, a log or a user.
//!
//! Error texts of the wild did contain whole bearer keys and presigned links.

pub(crate) mod secret_forms;
pub(crate) mod unescaped;
pub(crate) mod word;

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use crate::model::redact::word::is_word;

static SECRET: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?i)(?P<bearer>\b(?:bearer|basic)[ \t]+|\bauthorization[\x22']?[ \t]*[:=][ \t]*[\x22']?(?:bearer[ \t]+|basic[ \t]+)?)(?P<token>[A-Za-z0-9._~+/=-]{8,})",
        r"|(?P<key>\b(?:llx|sk|pk|xox[abpr])-)[A-Za-z0-9_-]{8,}",
        r"|(?P<aws>\b(?:AKIA|ASIA))[A-Z0-9]{16}\b",
        r"|(?P<query>https?://[^\s?\x22'<>]+\?)(?P<args>[^\s\x22'<>]*(?:signature|sig|token|credential|key|secret|expires)=[^\s\x22'<>]*[^\s\x22'<>:;,.)\]])",
        r"|(?P<named>\b(?:api[_-]?key|secret|password|passwd|access[_-]?token)[\x22']?[ \t]*[:=][ \t]*[\x22']?)(?P<value>[A-Za-z0-9._~+/=-]{8,})",
        r"|(?P<login>\b[a-z][a-z0-9+.-]*://[^\s:/@]+:)[^\s@/]+@",
    ))
    .expect("a constant pattern")
});

/// The text with every secret replaced by `***`; borrowed when there was none.
pub fn mask_secrets(text: &str) -> Cow<'_, str> {
    if !could_hold_secret(text) {
        return Cow::Borrowed(text);
    }
    SECRET.replace_all(text, |found: &Captures<'_>| {
        let value = found.name("token").or(found.name("value"));
        if value.is_some_and(|value| is_word(value.as_str())) {
            return found[0].to_owned();
        }
        for name in ["bearer", "key", "aws", "query", "named"] {
            if let Some(front) = found.name(name) {
                return format!("{}***", front.as_str());
            }
        }
        let front = found.name("login").map_or("", |m| m.as_str());
        format!("{front}***@")
    })
}

/// A quick look for the few characters without which no pattern can match: most messages stop here.
///
/// Each byte is looked up once; a bit that survives three bytes in a row stands for one of [`BEGINNINGS`].
fn could_hold_secret(text: &str) -> bool {
    let (mut one, mut two) = (0, 0);
    for byte in text.bytes() {
        let [first, second, third] = PLACES[usize::from(byte)];
        if two & third != 0 {
            return true;
        }
        two = one & second;
        one = first;
    }
    false
}

/// What a secret begins with, in lower case; at most sixteen, for each is a bit of a `u16`.
const BEGINNINGS: [&[u8; 3]; 14] =
    [b"bea", b"bas", b"llx", b"xox", b"aki", b"asi", b"api", b"sec", b"pas", b"acc", b"aut", b"://", b"sk-", b"pk-"];

/// For each byte, the beginnings that have it in first, second and third place.
static PLACES: [[u16; 3]; 256] = places();

const fn places() -> [[u16; 3]; 256] {
    let mut places = [[0; 3]; 256];
    let mut n = 0;
    while n < BEGINNINGS.len() {
        let mut place = 0;
        while place < 3 {
            let byte = BEGINNINGS[n][place];
            places[byte as usize][place] |= 1 << n;
            places[byte.to_ascii_uppercase() as usize][place] |= 1 << n;
            place += 1;
        }
        n += 1;
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_and_the_rest_stays() {
        for (text, masked) in [
            ("Illegal header b'Bearer llx-abcdef123456'", "Illegal header b'Bearer ***'"),
            ("key llx-abcdefgh12 refused", "key llx-*** refused"),
            ("sk-proj-abcdefgh12", "sk-***"),
            (
                "get https://b.s3.amazonaws.com/a.pdf?X-Amz-Signature=ab&X=1 failed",
                "get https://b.s3.amazonaws.com/a.pdf?*** failed",
            ),
            ("fetch https://x/a?token=abc123: no such host", "fetch https://x/a?***: no such host"),
            ("postgres://user:hunter2@db/x", "postgres://user:***@db/x"),
            ("api_key=\"abcdefgh1234\"", "api_key=\"***\""),
            ("Authorization: abcdefgh12345", "Authorization: ***"),
            ("Basic dXNlcjpwYXNzd29yZA refused", "Basic *** refused"),
            ("bearer kqzwxvbnmtrp refused", "bearer *** refused"),
            ("password=incorrectHorse9", "password=***"),
            ("secret: gJkQpZrTwXyL", "secret: ***"),
        ] {
            assert_eq!(mask_secrets(text), masked);
        }
    }

    #[test]
    fn ordinary_messages_are_left_alone() {
        for text in [
            "Basic extraction failed",
            "password: incorrect or missing",
            "bearer authentication failed",
            "Bearer: InvalidToken",
            "secret: variable LLAMA_KEY is missing",
            "Authorization: required by the gateway",
            "access_token=expired_or_revoked",
            "password: PASSWORD_REQUIRED",
            "task-based access denied",
            "see https://example.com/a?page=2",
            "timeout after 30 s",
            "a bearer of news",
        ] {
            assert_eq!(mask_secrets(text), text);
        }
    }

    #[test]
    fn the_quick_look_finds_each_beginning_in_any_case_and_place() {
        for beginning in BEGINNINGS {
            let beginning = std::str::from_utf8(beginning).unwrap();
            for text in
                [beginning.to_owned(), beginning.to_uppercase(), format!("bbe{beginning}"), format!("ä{beginning}z")]
            {
                assert!(could_hold_secret(&text), "{text}");
            }
            assert!(!could_hold_secret(&beginning[..2]));
        }
        for text in ["", "be a", "l lx", "s-k", "Failed to parse the PDF file: PDF_IS_PROTECTED"] {
            assert!(!could_hold_secret(text), "{text}");
        }
    }

    #[test]
    fn masking_twice_changes_nothing() {
        let once = mask_secrets("Bearer llx-abcdef123456 at https://x/?sig=abc").into_owned();
        assert_eq!(mask_secrets(&once), once);
    }
}
