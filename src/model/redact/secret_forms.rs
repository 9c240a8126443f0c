//! Literal masking: every form in which a secret that this process holds may come back in what others answer.
//!
//! [`crate::model::redact`] knows what keys usually look like; a password, or the path of a webhook, looks like nothing.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Write as _;

use aho_corasick::{AhoCorasick, Input, MatchKind};
use base64::Engine;
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::{STANDARD_NO_PAD as BASE64, URL_SAFE_NO_PAD};

/// Bytes from which a secret is masked anywhere. A shorter one is masked only where it stands alone: it may be a part of
/// many words, and blanking those would spoil the text.
const ANYWHERE: usize = 8;

/// Bytes below which a secret is not masked where it stands inside a word: it would blank half of every text.
/// Only longer texts that hold it, such as an encoded log-in, are.
pub(crate) const SHORTEST: usize = 4;

/// Bytes from which a part of an address may be a secret of its own.
const PART: usize = 12;

/// Replaces secrets by `***`, in any of their forms and whatever the case of their letters.
pub(crate) struct SecretMasker {
    forms: AhoCorasick,
}

impl SecretMasker {
    /// A masker of these secrets and of all their forms.
    pub(crate) fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> SecretMasker {
        let forms: BTreeSet<String> = secrets.into_iter().flat_map(forms).collect();
        let forms = AhoCorasick::builder()
            // Servers do repeat commands in capitals, and hexadecimal digits come in both.
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::LeftmostLongest)
            .build(forms)
            .expect("a few thousand bytes of forms are no size for an automaton");
        SecretMasker { forms }
    }

    /// The text with every form of every secret replaced; borrowed when there was none.
    pub(crate) fn mask<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let (mut masked, mut copied, mut at) = (String::new(), 0, 0);
        while let Some(found) = self.forms.find(Input::new(text).range(at..)) {
            let place = found.range();
            if place.len() < ANYWHERE && !stands_alone(text, &place) {
                at = place.start + text[place.start..].chars().next().map_or(1, char::len_utf8);
                continue;
            }
            masked.push_str(&text[copied..place.start]);
            masked.push_str("***");
            (copied, at) = (place.end, place.end);
        }
        if copied == 0 {
            return Cow::Borrowed(text);
        }
        masked.push_str(&text[copied..]);
        Cow::Owned(masked)
    }
}

fn stands_alone(text: &str, place: &std::ops::Range<usize>) -> bool {
    let of_a_word = |c: char| c.is_alphanumeric() || c == '_';
    !text[..place.start].ends_with(of_a_word) && !text[place.end..].starts_with(of_a_word)
}

/// All forms of a secret that are long enough to be masked.
fn forms(secret: &str) -> BTreeSet<String> {
    let mut plain: BTreeSet<String> = BTreeSet::from([secret.to_owned()]);
    // Standard Webhooks: the prefix is no part of the key.
    plain.extend(secret.strip_prefix("whsec_").map(str::to_owned));
    plain.extend(parts_of_address(secret).into_iter().map(str::to_owned));
    let decoded: Vec<String> = plain.iter().filter_map(|text| percent_decoded(text)).collect();
    plain.extend(decoded);
    plain.iter().flat_map(|text| encodings(text)).filter(|form| form.len() >= SHORTEST).collect()
}

/// What of an address is as secret as the whole: a server that does not know a path repeats the path, or its last part.
fn parts_of_address(secret: &str) -> Vec<&str> {
    let Some((_, rest)) = secret.split_once("://") else { return Vec::new() };
    let (authority, tail) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let tail = tail.split('#').next().unwrap_or_default();
    let (path, query) = tail.split_once('?').unwrap_or((tail, ""));
    let login = authority.rsplit_once('@').map_or("", |(login, _)| login);
    let ends = path.match_indices('/').map(|(at, _)| &path[at + 1..]);
    let values = query.split('&').filter_map(|pair| pair.split_once('=')).map(|(_, value)| value);
    let parts = login.split(':').chain(ends).chain(path.split('/')).chain(values).chain([query]);
    let mut found: Vec<&str> = parts.filter(|part| looks_random(part)).collect();
    // A path of one short word may stand in any text.
    if path.len() >= ANYWHERE && path.trim_end_matches('/').matches('/').count() >= 2 {
        found.extend([tail, path, path.trim_end_matches('/')]);
    }
    found
}

/// Words of an interface, such as `services` or `workflows`, are no secrets.
fn looks_random(part: &str) -> bool {
    let has = |is: fn(&char) -> bool| part.chars().any(|c| is(&c));
    part.len() >= PART && (has(char::is_ascii_digit) || has(char::is_ascii_lowercase) && has(char::is_ascii_uppercase))
}

/// The text itself and what common encodings make of it, or of a longer text that holds it.
fn encodings(text: &str) -> Vec<String> {
    if text.len() < SHORTEST {
        return vec![BASE64.encode(text)];
    }
    let mut forms = vec![
        text.to_owned(),
        percent_encoded(text, "-._~"),
        percent_encoded(text, "-._~/:@!$&'()*+,;="),
        percent_encoded(text, "-._* ").replace(' ', "+"),
        hex::encode(text),
    ];
    let quoted = serde_json::Value::from(text).to_string();
    let json = quoted.trim_start_matches('"').strip_suffix('"').unwrap_or(&quoted).to_owned();
    forms.extend([json.replace('/', "\\/"), json]);
    let html = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    for (double, single) in [("&quot;", "&#39;"), ("&quot;", "&#x27;"), ("&#34;", "&#39;")] {
        forms.push(html.replace('"', double).replace('\'', single));
    }
    for engine in [&BASE64, &URL_SAFE_NO_PAD] {
        forms.push(engine.encode(text));
        forms.extend((0..3).map(|shift| base64_within(engine, text, shift)));
    }
    forms
}

/// What is the same in the base64 of any text that has `text` behind `shift` bytes (modulo three), as `AUTH PLAIN` has.
fn base64_within(engine: &GeneralPurpose, text: &str, shift: usize) -> String {
    let mut bytes = vec![0; shift];
    bytes.extend_from_slice(text.as_bytes());
    let encoded = engine.encode(&bytes);
    // The first characters hold bits of what stands before, the last one bits of what follows.
    let first = (shift * 8).div_ceil(6);
    let last = bytes.len() * 8 / 6;
    encoded.get(first..last).unwrap_or_default().to_owned()
}

fn percent_encoded(text: &str, kept: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || kept.as_bytes().contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _infallible = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// None where nothing is encoded, or what is decoded is no text.
fn percent_decoded(text: &str) -> Option<String> {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((first, behind)) = rest.split_first() {
        let digits = behind.get(..2).filter(|digits| *first == b'%' && digits.iter().all(u8::is_ascii_hexdigit));
        let byte = digits.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &behind[2..] } else { behind };
    }
    String::from_utf8(bytes).ok().filter(|decoded| decoded != text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(secret: &str, text: &str) -> String {
        SecretMasker::new([secret]).mask(text).into_owned()
    }

    #[test]
    fn a_secret_is_masked_in_every_form_in_which_a_server_may_repeat_it() {
        let secret = "pa/ss+w\"o&rd'42";
        for (form, text) in [
            ("plain", secret.to_owned()),
            ("capitals", secret.to_uppercase()),
            ("a path", "pa/ss+w%22o&rd'42".to_owned()),
            ("a query", "pa%2Fss%2Bw%22o%26rd%2742".to_owned()),
            ("small digits", "pa%2fss%2bw%22o%26rd%2742".to_owned()),
            ("JSON", "pa/ss+w\\\"o&rd'42".to_owned()),
            ("JSON of PHP", "pa\\/ss+w\\\"o&rd'42".to_owned()),
            ("HTML", "pa/ss+w&quot;o&amp;rd&#39;42".to_owned()),
            ("HTML of Python", "pa/ss+w&quot;o&amp;rd&#x27;42".to_owned()),
            ("base64", BASE64.encode(secret)),
            ("base64 of a log-in", BASE64.encode(format!("\0user\0{secret}"))),
            ("base64 of a longer log-in", BASE64.encode(format!("someone:{secret}"))),
            ("base64 of an address", URL_SAFE_NO_PAD.encode(format!("u:{secret}"))),
            ("hexadecimal", hex::encode(secret)),
        ] {
            let found = masked(secret, &format!("535 denied: {text} is wrong"));
            assert!(found.contains("***") && found.starts_with("535 denied"), "{form}: {found}");
            for piece in ["rd'42", "rd&#39;42", "%2742", "2742"] {
                assert!(!found.contains(piece), "{form}: {found}");
            }
            let left: String = found.chars().filter(|c| !"535 denied: * is wrong=".contains(*c)).collect();
            assert!(left.len() <= 14, "{form}: {left} is left of {text}");
        }
    }

    #[test]
    fn an_address_is_masked_by_its_parts() {
        let slack = "https://hooks.slack.com/services/T0000AAAA/B0000BBBB/abcdEFGHijklMNOPqrst1234";
        for (text, is) in [
            (slack, "***"),
            ("no /services/T0000AAAA/B0000BBBB/abcdEFGHijklMNOPqrst1234 here", "no *** here"),
            ("no \\/services\\/T0000AAAA\\/B0000BBBB\\/abcdEFGHijklMNOPqrst1234", "no ***"),
            ("Cannot POST /T0000AAAA/B0000BBBB/abcdEFGHijklMNOPqrst1234", "Cannot POST /***"),
            ("token abcdEFGHijklMNOPqrst1234 revoked", "token *** revoked"),
            ("no services at hooks.slack.com", "no services at hooks.slack.com"),
        ] {
            assert_eq!(masked(slack, text), is);
        }
        let teams =
            "https://x.logic.azure.com/workflows/a1/triggers/run?api-version=2016-06-01&sig=a%2Bb-0123456789_xyz";
        assert_eq!(masked(teams, "bad sig a+b-0123456789_xyz"), "bad sig ***");
        assert_eq!(masked(teams, "?api-version=2016-06-01&amp;sig=a%2Bb-0123456789_xyz"), "?***");
        assert_eq!(masked(teams, "on 2016-06-01 workflows ran"), "on 2016-06-01 workflows ran");
        assert_eq!(masked("https://me:hunter2hunter2@push.example.com/x", "hunter2hunter2!"), "***!");
        assert_eq!(masked("https://hc.example.com/ping", "no /ping here"), "no /ping here");
    }

    #[test]
    fn a_short_secret_is_masked_where_it_stands_alone_and_a_tiny_one_not_at_all() {
        assert_eq!(masked("1234", "PIN 1234: 12345 of 91234, x=1234"), "PIN ***: 12345 of 91234, x=***");
        assert_eq!(masked("1234", "MTIzNA=="), "***==");
        assert_eq!(masked("abc", "abc 616263 YWJj"), "abc 616263 ***");
        assert_eq!(masked("\0me\0abc", &format!("PLAIN {}", BASE64.encode("\0me\0abc"))), "PLAIN ***");
    }

    #[test]
    fn text_without_a_secret_is_borrowed() {
        let masker = SecretMasker::new(["s3cr3t-s3cr3t", "5678"]);
        assert!(matches!(masker.mask("all is well: 56789 ä"), Cow::Borrowed(_)));
        assert!(matches!(SecretMasker::new([]).mask("anything"), Cow::Borrowed(_)));
    }

    proptest::proptest! {
        #[test]
        fn nothing_but_the_secret_goes(before in "[a-m ]{0,9}", behind in "[ a-mä]{0,9}", secret in "[n-z0-9/+&=]{8,40}") {
            let found = masked(&secret, &format!("{before}{secret}{behind}"));
            proptest::prop_assert_eq!(found, format!("{before}***{behind}"));
        }

        #[test]
        fn any_log_in_that_holds_the_secret_is_masked(user in ".{0,20}", secret in "[n-z0-9]{12,40}") {
            let encoded = BASE64.encode(format!("\0{user}\0{secret}"));
            let found = masked(&secret, &encoded);
            proptest::prop_assert!(found.contains("***"), "{}", found);
            proptest::prop_assert!(found.len() <= encoded.len() - secret.len() + 3, "{}", found);
        }
    }
}
