//! Literal masking: every form in which a secret that this process holds may come back in what others answer.
//!
//! [`crate::model::redact`] knows what keys usually look like; a password, or the path of a webhook, looks like nothing.
//! What escapes make of a text is undone ([`unescaped`](crate::model::redact::unescaped)), however often it was escaped;
//! encodings that begin at any byte of it (base64, hexadecimal) are forms of their own.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;

use aho_corasick::{AhoCorasick, Input, MatchKind};
use base64::Engine;
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD as BASE64, URL_SAFE_NO_PAD};

use crate::model::redact::unescaped::{Unescaped, percent_decoded};

/// Bytes from which a secret is masked anywhere. A shorter one is masked only where it stands alone: it may be a part of
/// many words, and blanking those would spoil the text.
const ANYWHERE: usize = 8;

/// Bytes below which a secret is not masked where it stands inside a word: it would blank half of every text.
/// Only longer texts that hold it, such as an encoded log-in, are.
pub(crate) const SHORTEST: usize = 4;

/// Bytes from which a part of an address may be a secret of its own.
const PART: usize = 12;

/// How often a text may have been escaped: JSON in JSON, a query in a query.
const DEEPEST: usize = 3;

/// Replaces secrets by `***`, in any of their forms and whatever the case of their letters.
pub(crate) struct SecretMasker {
    wholes: AhoCorasick,
    /// The first bytes of forms that servers may repeat in part, and all forms that begin with each.
    heads: AhoCorasick,
    begun: Vec<Vec<String>>,
}

impl SecretMasker {
    /// A masker of these secrets and of all their forms.
    pub(crate) fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> SecretMasker {
        let (mut wholes, mut cut) = (BTreeSet::new(), BTreeSet::new());
        for secret in secrets {
            let (plain, tokens) = plain_forms(secret);
            wholes.extend(plain.iter().flat_map(|text| encodings(text)).filter(|form| form.len() >= SHORTEST));
            cut.extend(tokens.iter().flat_map(|text| encodings(text)));
        }
        let (mut heads, mut begun): (Vec<String>, Vec<Vec<String>>) = Default::default();
        for form in cut.into_iter().filter(|form| form.len() > ANYWHERE) {
            let head = form[..form.ceil_char_boundary(ANYWHERE)].to_ascii_lowercase();
            match heads.iter().position(|known| *known == head) {
                Some(known) => begun[known].push(form),
                None => {
                    heads.push(head);
                    begun.push(vec![form]);
                }
            }
        }
        SecretMasker { wholes: automaton(wholes), heads: automaton(heads), begun }
    }

    /// The text with every form of every secret replaced; borrowed when there was none.
    pub(crate) fn mask<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut places = Vec::new();
        self.find(text.as_bytes(), &mut |place| places.push(place));
        let mut unescaped = Unescaped::new(text);
        for _ in 0..DEEPEST {
            let Some(deeper) = unescaped.once_more() else { break };
            unescaped = deeper;
            self.find(&unescaped.bytes, &mut |place| places.push(unescaped.place_in_text(place)));
        }
        if places.is_empty() {
            return Cow::Borrowed(text);
        }
        Cow::Owned(without(text, places))
    }

    fn find(&self, text: &[u8], found: &mut dyn FnMut(Range<usize>)) {
        let mut at = 0;
        while let Some(place) = self.wholes.find(Input::new(text).range(at..)).map(|found| found.range()) {
            if place.len() < ANYWHERE && !is_whole_word(text, &place) {
                at = place.start + 1;
                continue;
            }
            at = place.end;
            found(place);
        }
        at = 0;
        while let Some(head) = self.heads.find(Input::new(text).range(at..)) {
            let length =
                self.begun[head.pattern().as_usize()].iter().filter_map(|form| cut_form(form, &text[head.start()..]));
            match length.max() {
                Some(length) => {
                    at = head.start() + length;
                    found(head.start()..at);
                }
                None => at = head.start() + 1,
            }
        }
    }
}

fn automaton(patterns: impl IntoIterator<Item = String>) -> AhoCorasick {
    AhoCorasick::builder()
        // Servers do repeat commands in capitals, and hexadecimal digits come in both.
        .ascii_case_insensitive(true)
        .match_kind(MatchKind::LeftmostLongest)
        .build(patterns)
        .expect("a few thousand bytes of forms are no size for an automaton")
}

/// How many bytes of the form the text begins with; none if those may be a word that has nothing to do with the secret.
fn cut_form(form: &str, text: &[u8]) -> Option<usize> {
    let same = form.bytes().zip(text).take_while(|(one, other)| one.eq_ignore_ascii_case(other)).count();
    let beginning = &form[..form.floor_char_boundary(same)];
    let mut behind = beginning.chars().skip(1);
    let is_word = beginning.chars().all(char::is_alphabetic)
        && (behind.clone().all(char::is_lowercase) || behind.all(char::is_uppercase));
    (!is_word).then_some(beginning.len())
}

/// The text without these places, which may overlap.
fn without(text: &str, mut places: Vec<Range<usize>>) -> String {
    places.sort_unstable_by_key(|place| (place.start, place.end));
    let (mut masked, mut copied) = (String::with_capacity(text.len()), 0);
    for place in places {
        if place.start >= copied {
            masked.push_str(&text[copied..place.start]);
            masked.push_str("***");
        }
        copied = copied.max(place.end);
    }
    masked.push_str(&text[copied..]);
    masked
}

fn is_whole_word(text: &[u8], place: &Range<usize>) -> bool {
    let of_a_word = |c: char| c.is_alphanumeric() || c == '_';
    let near = |part: Range<usize>| String::from_utf8_lossy(&text[part]);
    let before = near(place.start.saturating_sub(4)..place.start);
    let behind = near(place.end..(place.end + 4).min(text.len()));
    !before.ends_with(of_a_word) && !behind.starts_with(of_a_word)
}

/// The texts that a secret is known by: all of them, and those that make a token of which a part tells something, too.
/// Addresses do not, for everybody's begin alike; their random parts do.
fn plain_forms(secret: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let mut plain: BTreeSet<String> = BTreeSet::from([secret.to_owned()]);
    // Standard Webhooks: the prefix is no part of the key, and the key is what the rest encodes, which may be a text.
    if let Some(key) = secret.strip_prefix("whsec_") {
        plain.insert(key.to_owned());
        plain.extend(STANDARD.decode(key).ok().and_then(|bytes| String::from_utf8(bytes).ok()));
    }
    plain.extend(parts_of_address(secret).into_iter().map(str::to_owned));
    let decoded: Vec<String> = plain.iter().filter_map(|text| percent_decoded(text)).collect();
    plain.extend(decoded);
    let is_address = secret.contains("://");
    let is_token = |text: &&String| !is_address || looks_random(text) && !text.contains(['/', '?', '&', '=']);
    let tokens = plain.iter().filter(is_token).cloned().collect();
    (plain, tokens)
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

/// The text itself, and what encodings make of it, or of a longer text that holds it, that cannot be undone in place.
fn encodings(text: &str) -> Vec<String> {
    if text.len() < SHORTEST {
        return vec![BASE64.encode(text)];
    }
    // A query writes a blank as `+`.
    let mut forms = vec![text.to_owned(), text.replace(' ', "+"), hex::encode(text)];
    // Of other letters the automaton does not know which belong together.
    forms.extend([text.to_uppercase(), text.to_lowercase()].into_iter().filter(|_| !text.is_ascii()));
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
    fn the_key_that_a_webhook_secret_encodes_is_masked() {
        let secret = format!("whsec_{}", STANDARD.encode("key of the receiver 7!"));
        assert_eq!(masked(&secret, "not signed by key of the receiver 7!"), "not signed by ***");
    }

    #[test]
    fn a_short_secret_is_masked_where_it_stands_alone_and_a_tiny_one_not_at_all() {
        assert_eq!(masked("1234", "PIN 1234: 12345 of 91234, x=1234"), "PIN ***: 12345 of 91234, x=***");
        assert_eq!(masked("1234", "MTIzNA=="), "***==");
        assert_eq!(masked("abc", "abc 616263 YWJj"), "abc 616263 ***");
        assert_eq!(masked("\0me\0abc", &format!("PLAIN {}", BASE64.encode("\0me\0abc"))), "PLAIN ***");
    }

    #[test]
    fn a_secret_is_masked_however_often_it_was_escaped() {
        let secret = "pa/ss+w\"o&rd'42";
        for text in [
            "pa%252Fss%252Bw%2522o%2526rd%252742",
            "pa%25252Fss%25252Bw%252522o%252526rd%25252742",
            "pa\\u002fss\\u002Bw\\u0022o\\u0026rd\\u002742",
            "\\u0070\\u0061/ss+w\\x22o\\x26rd'42",
            "pa\\\\u002fss+w\\\\\\\"o&rd'42",
            "pa&#x2F;ss&#43;w&amp;quot;o&amp;amp;rd&apos;42",
            "pa\\/ss%2Bw&quot;o%26amp;rd\\u002742",
        ] {
            assert_eq!(masked(secret, &format!("535: \"{text}\" is wrong")), "535: \"***\" is wrong", "{text}");
        }
        assert_eq!(masked("pässwörter9", "p\\u00e4ssw\\u00F6rter9, p%C3%A4ssw%c3%b6rter9"), "***, ***");
        assert_eq!(masked("pässwörter9", "PÄSSWÖRTER9, P%C3%84SSW%C3%96RTER9"), "***, ***");
        assert_eq!(masked("a%41b\\u0042c9", "raw a%41b\\u0042c9"), "raw ***", "what looks escaped may be the secret");
        assert_eq!(
            masked("s3cr3t-s3cr3t", "100 % of \\u00zz & C:\\users &c; %4"),
            "100 % of \\u00zz & C:\\users &c; %4"
        );
    }

    #[test]
    fn a_secret_of_which_a_server_shows_a_part_is_masked_and_a_word_that_it_begins_with_is_not() {
        for (secret, text, is) in [
            ("llx-9fK2mQ7xT4", "key llx-9fK2…", "key ***…"),
            ("llx-9fK2mQ7xT4", "key llx-9fK2mQ7x...", "key ***..."),
            ("llx-9fK2mQ7xT4", "key llx-9f…", "key llx-9f…"),
            ("hunter2-hunter2", "bad \"HUNTER2-HU\"", "bad \"***\""),
            ("password-of-9", "the password expired", "the password expired"),
            ("Passwords42", "Passwords expired, Passwords4 is wrong", "Passwords expired, *** is wrong"),
            ("abcdefgh/ij", "abcdefgh%252Fi is unknown", "*** is unknown"),
        ] {
            assert_eq!(masked(secret, text), is, "{secret}");
        }
        let login = BASE64.encode("\0me\0s3cr3t-pass-9");
        assert_eq!(masked("\0me\0s3cr3t-pass-9", &format!("AUTH PLAIN {}...", &login[..14])), "AUTH PLAIN ***...");
        let slack = "https://hooks.slack.com/services/T0000AAAA/B0000BBBB/abcdEFGHijklMNOPqrst1234";
        assert_eq!(
            masked(slack, "https://hooks.slack.com/services/X is gone"),
            "https://hooks.slack.com/services/X is gone"
        );
        assert_eq!(masked(slack, "no token abcdEFGHijk…"), "no token ***…");
    }

    #[test]
    fn text_without_a_secret_is_borrowed() {
        let masker = SecretMasker::new(["s3cr3t-s3cr3t", "5678"]);
        assert!(matches!(masker.mask("all is well: 56789 ä"), Cow::Borrowed(_)));
        assert!(matches!(SecretMasker::new([]).mask("anything"), Cow::Borrowed(_)));
    }

    proptest::proptest! {
        #[test]
        fn only_the_secret_is_masked(before in "[a-m ]{0,9}", behind in "[ a-mä]{0,9}", secret in "[n-z0-9/+&=]{8,40}") {
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
